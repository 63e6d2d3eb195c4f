"""A pack: characters that were taught somewhere, in one file for other installations. No pictures.

    pack.json      what it is, and whom it brings: names, works, pages elsewhere, number of faces of each
    features.npy   `float16 (faces, features)`, in the order of the characters
    SHA256SUMS     of these two, as `sha256sum -c` reads them

The file is a ZIP archive whose entries are stored, not compressed, so what it unpacks to is what it has;
`numpy.load` reads it, too. Nothing of it is used before its size, its parts and its hashes are checked.
The same pack is always the same bytes. The hashes tell whether it is whole, not who made it.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
import tokenize
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kyara.errors import BadInputError, TooLargeError
from kyara.recognition.characters import Character, check_anilist_id, check_mal_id, check_texts
from kyara.recognition.packs import (
    VECTOR,
    Pack,
    PackCharacter,
    check_detail,
    check_pack,
    check_pack_name,
)

FORMAT = 1
MAX_PACK_BYTES = 64 * 1024 * 1024
"""Some 60,000 faces."""
MAX_MANIFEST_BYTES = 8 * 1024 * 1024
MANIFEST_FILE = "pack.json"
FEATURES_FILE = "features.npy"
SUMS_FILE = "SHA256SUMS"
_FILES = (MANIFEST_FILE, FEATURES_FILE, SUMS_FILE)
_BEGINS = b"PK\x03\x04"
_END = struct.Struct("<4s4H2LH")
"""The end of a ZIP archive without a comment."""
_END_MARK, _LARGE_END_MARK = b"PK\x05\x06", b"PK\x06\x07"
_LARGE_END_BYTES = 20
_MAX_DIRECTORY_BYTES = 1024


def write_pack(pack: Pack) -> bytes:
    """Return a pack's file, the same for the same pack.

    Raises:
        BadInputError: it has no characters, or says what a pack cannot say.
        TooLargeError: it would be larger than `MAX_PACK_BYTES`.
    """
    check_pack(pack)
    entries = [_describe(one) for one in pack.characters]
    document = {
        "format": FORMAT,
        "name": pack.name,
        "author": pack.author,
        "licence": pack.licence,
        "network": pack.network,
        "characters": entries,
    }
    manifest = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    features = io.BytesIO()
    np.save(features, np.concatenate([one.features for one in pack.characters]).astype(VECTOR))
    parts = {MANIFEST_FILE: manifest, FEATURES_FILE: features.getvalue()}
    sums = "".join(f"{hashlib.sha256(part).hexdigest()}  {name}\n" for name, part in parts.items())
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, part in {**parts, SUMS_FILE: sums.encode()}.items():
            archive.writestr(_make_entry(name), part)
    if len(manifest) > MAX_MANIFEST_BYTES or file.tell() > MAX_PACK_BYTES:
        raise TooLargeError(
            f"The pack would have {file.tell():,} bytes, {len(manifest):,} of them names; at most "
            f"{MAX_PACK_BYTES:,} and {MAX_MANIFEST_BYTES:,} are read. Make several of it."
        )
    return file.getvalue()


def _make_entry(name: str) -> zipfile.ZipInfo:
    """Return an entry that says nothing of when and where it was written."""
    entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    entry.create_system, entry.external_attr = 3, 0o644 << 16
    return entry


def _describe(one: PackCharacter) -> dict[str, Any]:
    who = one.character
    pages = {"mal_id": who.mal_id, "anilist_id": who.anilist_id}
    return {
        "label": who.label,
        "name": dict(who.name),
        "work": dict(who.work),
        **{site: number for site, number in pages.items() if number is not None},
        "faces": len(one.features),
    }


def read_pack(data: bytes) -> Pack:
    """Read a pack's file.

    Raises:
        BadInputError: it is no pack, is cut short, was changed, or makes no sense.
        TooLargeError: it is larger than `MAX_PACK_BYTES`.
    """
    parts = _unpack(data)
    try:
        document = json.loads(parts[MANIFEST_FILE])
        if document["format"] != FORMAT:
            raise BadInputError(
                f"The pack has the format {document['format']!r:.40}; this Kyara reads {FORMAT}."
            )
        features = _read_features(parts[FEATURES_FILE])
        pack = Pack(
            check_pack_name(document["name"]),
            check_detail(document["author"], "author"),
            check_detail(document["licence"], "licence"),
            document["network"],
            _read_characters(document["characters"], features),
            hashlib.sha256(data).hexdigest(),
        )
        check_pack(pack)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise BadInputError(f"The pack is whole and makes no sense: {error!r:.200}.") from error
    return pack


def _unpack(data: bytes) -> dict[str, bytes]:
    """Return the parts of a pack whose hashes agree with it."""
    if len(data) > MAX_PACK_BYTES:
        raise TooLargeError(f"A pack has at most {MAX_PACK_BYTES:,} bytes; this one has {len(data):,}.")
    if data[:4] != _BEGINS[: len(data)] or not data:
        raise BadInputError(f"This is not a pack: it begins with {data[:4]!r}.")
    end = data[-_END.size :]
    if len(data) < _END.size or end[:4] != _END_MARK:
        raise BadInputError(f"The pack is cut short: the end is missing behind {len(data):,} bytes.")
    _, _, _, here, count, size_bytes, _, _ = _END.unpack(end)
    is_large = data[-_END.size - _LARGE_END_BYTES :][:4] == _LARGE_END_MARK
    if is_large or not here == count == len(_FILES) or size_bytes > _MAX_DIRECTORY_BYTES:
        raise BadInputError(f"This is not a pack: an archive of {count} files.")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            names = tuple(entry.filename for entry in entries)
            stored = all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)
            if names != _FILES or not stored:
                raise BadInputError(f"This is not a pack: an archive of {ascii(names)[:200]}.")
            if entries[0].file_size > MAX_MANIFEST_BYTES:
                raise TooLargeError(f"The pack's names have more than {MAX_MANIFEST_BYTES:,} bytes.")
            parts = {entry.filename: archive.read(entry) for entry in entries}
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, RuntimeError) as error:
        raise BadInputError(f"The pack is damaged, or was changed: {error}.") from error
    _check_sums(parts)
    return parts


def _check_sums(parts: Mapping[str, bytes]) -> None:
    said = parts[SUMS_FILE].decode("ascii", errors="replace").splitlines()
    names = (MANIFEST_FILE, FEATURES_FILE)
    found = [f"{hashlib.sha256(parts[name]).hexdigest()}  {name}" for name in names]
    for name, line in zip(names, found, strict=True):
        if line not in said:
            raise BadInputError(
                f"The pack is damaged, or was changed: the SHA-256 of {name} is another than it says."
            )


def _read_features(raw: bytes) -> np.ndarray:
    """Return `float16 (faces, features)`; no more is allocated than there is."""
    file = io.BytesIO(raw)
    version = np.lib.format.read_magic(file)
    if version != (1, 0):
        raise ValueError(f"features of version {version}")
    try:
        shape, by_column, dtype = np.lib.format.read_array_header_1_0(file)
    except (SyntaxError, tokenize.TokenError, MemoryError) as error:  # NumPy reads it as Python
        raise ValueError("features whose header is none") from error
    rest = raw[file.tell() :]
    if len(shape) != 2 or by_column or dtype != VECTOR or len(rest) != shape[0] * shape[1] * 2:
        raise ValueError(f"features of the shape {shape} and the type {dtype} in {len(rest)} bytes")
    return np.frombuffer(rest, VECTOR).reshape(shape)


def _read_characters(
    entries: Sequence[Mapping[str, Any]], features: np.ndarray
) -> tuple[PackCharacter, ...]:
    counts = [entry["faces"] for entry in entries]
    if any(type(count) is not int or count < 1 for count in counts) or sum(counts) != len(features):
        raise ValueError(f"{len(features)} faces, and other numbers of them at the characters")
    starts = np.cumsum([0, *counts[:-1]])
    return tuple(
        PackCharacter(
            Character(
                entry["label"],
                check_texts(entry["name"], "name"),
                check_texts(entry["work"], "work"),
                check_mal_id(entry.get("mal_id")),
                check_anilist_id(entry.get("anilist_id")),
            ),
            features[start : start + count],
        )
        for entry, start, count in zip(entries, starts.tolist(), counts, strict=True)
    )
