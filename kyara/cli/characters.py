"""`characters`: whom the model knows, found by what people type."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kyara.cli.known import load_classifier, place_options
from kyara.cli.options import print_json
from kyara.vision.languages import LANGUAGES

if TYPE_CHECKING:
    from kyara.recognition.characters import Character


@click.command()
@click.argument("query", nargs=-1)
@click.option("--limit", type=click.IntRange(1, 100_000), default=20, help="Most.")
@click.option(
    "--language",
    type=click.Choice(list(LANGUAGES)),
    default="en",
    help="Language of names and works.",
)
@place_options
def characters(
    query: tuple[str, ...], limit: int, language: str, models: Path, taught: str | None, as_json: bool
) -> None:
    """List the characters that QUERY tells: words of names, works or labels; without it all.

    In any language and order; kana, romaji, pinyin without tones, and traditional, simplified and
    Japanese characters are the same. The best match comes first.
    """
    from kyara.recognition.name_search import search_characters

    classifier = load_classifier(models, taught).frozen()
    references = classifier.count_references()
    found = search_characters(classifier.characters, " ".join(query), language, limit, references)
    entries = [_describe(one, language, references[one.label]) for one in found]
    if as_json:
        print_json({"characters": entries})
        return
    for entry in entries:
        others = ", ".join(
            dict.fromkeys(text for text in entry["names"].values() if text != entry["name"])
        )
        said = f"{entry['name']} ({others})" if others else entry["name"]
        work = f" — {entry['work']}" if entry["work"] else ""
        click.echo(f"{entry['label']}: {said}{work}, {entry['references']} reference(s)")
    if not entries:
        click.echo("Nobody is called so.")


def _describe(character: Character, language: str, references: int) -> dict[str, Any]:
    return {
        **character.to_json(language),
        "names": dict(character.name),
        "url": character.page_url,
        "references": references,
    }
