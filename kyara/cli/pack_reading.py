"""What commands about packs share: a pack read from its file or address, and told."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kyara.cli.fetching import fetch, is_address
from kyara.errors import BadInputError, TooLargeError

if TYPE_CHECKING:
    from kyara.recognition.packs import Pack

_SHA256 = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)


def read_source(source: str, sha256: str | None, *, allow_urls: bool) -> Pack:
    """Read a pack from a file or an address.

    Raises:
        BadInputError: it cannot be had, is no whole pack, or is not the one that was published.
        TooLargeError: it is larger than packs are.
    """
    from kyara.recognition.pack_file import MAX_PACK_BYTES, read_pack

    if sha256 and not _SHA256.fullmatch(sha256):
        raise click.UsageError(f"--sha256 takes 64 hexadecimal digits; received {ascii(sha256)[:80]}.")
    if is_address(source):
        data = fetch(source, allowed=allow_urls, most_bytes=MAX_PACK_BYTES)
    else:
        try:
            with Path(source).open("rb") as file:
                data = file.read(MAX_PACK_BYTES + 1)
        except (OSError, ValueError) as error:  # a name with a zero byte is a ValueError
            reason = getattr(error, "strerror", None) or error
            raise BadInputError(f"Cannot read {ascii(source)[:200]}: {reason}.") from error
        if len(data) > MAX_PACK_BYTES:
            raise TooLargeError(f"A pack has at most {MAX_PACK_BYTES:,} bytes; {source} has more.")
    found = hashlib.sha256(data).hexdigest()
    if sha256 and sha256.lower() != found:
        raise BadInputError(f"It is not the pack that was published: its SHA-256 is {found}.")
    return read_pack(data)


def describe_pack(one: Pack) -> dict[str, Any]:
    """Return a pack as JSON has it."""
    characters = [
        {
            "label": member.character.label,
            "names": dict(member.character.name),
            "works": dict(member.character.work),
            "mal_id": member.character.mal_id,
            "anilist_id": member.character.anilist_id,
            "faces": len(member.features),
        }
        for member in one.characters
    ]
    said = {"name": one.name, "author": one.author, "licence": one.licence, "network": one.network}
    return {**said, "characters": characters}


def say_size(one: Pack) -> str:
    """Return how much a pack brings."""
    return f"{one.faces} face(s) of {len(one.characters)} character(s)"
