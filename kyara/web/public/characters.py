"""The list of who is known: works, their characters, and a page for each character.

In: part of a name or a title, in any language. Out: HTML that needs no script, at most so many entries a
page. What is found is what `/api/characters` finds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apiflask import APIBlueprint, Schema
from apiflask.fields import Integer, String
from apiflask.validators import Length, Range
from flask import render_template, request
from werkzeug.wrappers import Response

from kyara.errors import NotFoundError
from kyara.recognition.characters import choose_text
from kyara.recognition.name_search import search_characters
from kyara.vision.languages import LANGUAGES
from kyara.web.public.catalogue import find_catalogue
from kyara.web.public.pages import address_here, remember_language, select_language
from kyara.web.serving.model_queue import find_model

PAGE_CHARACTERS = 60
PAGE_WORKS = 120
MAX_WORKS_BESIDE = 12
"""Works that are listed above the characters that a search finds."""

blueprint = APIBlueprint("characters", __name__, enable_openapi=False)


class ListIn(Schema):
    """A part of a list."""

    q = String(load_default="", validate=Length(max=100))
    page = Integer(load_default=1, validate=Range(min=1, max=100_000))


@dataclass(frozen=True)
class Part:
    """One page of a list.

    Attributes:
        entries: of this page.
        total: how many there are on all pages.
        page: number of this page, from 1.
        pages: how many there are, at least 1.
    """

    entries: Sequence[Any]
    total: int
    page: int
    pages: int

    @classmethod
    def of(cls, entries: Sequence[Any], page: int, size: int) -> Part:
        """Cut a page out of a list; past the end it is empty."""
        first = (page - 1) * size
        pages = max(1, -(-len(entries) // size))
        return cls(entries[first : first + size], len(entries), page, pages)


@blueprint.before_request
def switch_language() -> Response | None:
    """Take the language that `?lang=` chooses, and show the same page in it."""
    chosen = request.args.get("lang")
    return None if chosen is None else remember_language(chosen, address_here())


@blueprint.after_request
def allow_keeping(response: Response) -> Response:
    """Have the page asked for again: who is known changes, and so does the reader's language."""
    if response.status_code == 200:
        response.headers["Cache-Control"] = "no-cache"
    response.vary.update(("Accept-Language", "Cookie"))
    return response


@blueprint.get("/characters")
@blueprint.input(ListIn, location="query", arg_name="asked")
def show_list(asked: dict[str, Any]) -> str:
    """Show the works, or what a search finds."""
    catalogue, query, language = find_catalogue(), asked["q"].strip(), select_language()
    if not query:
        return render_template(
            "characters/works.html",
            part=Part.of(list(catalogue.works.values()), asked["page"], PAGE_WORKS),
            characters=len(catalogue.characters),
            works=catalogue.count_works(),
        )
    references = find_model().classifier.count_references()
    everybody = list(catalogue.characters.values())
    found = search_characters(everybody, query, language, len(everybody), references)
    return render_template(
        "characters/found.html",
        part=Part.of(found, asked["page"], PAGE_CHARACTERS),
        found_works=catalogue.search_works(query)[:MAX_WORKS_BESIDE],
        references=references,
        query=query,
        catalogue=catalogue,
    )


@blueprint.get("/characters/<work>")
@blueprint.input(ListIn, location="query", arg_name="asked")
def show_work(work: str, asked: dict[str, Any]) -> str:
    """Show the characters of a work, those with most references first."""
    catalogue, language = find_catalogue(), select_language()
    shown = catalogue.works.get(work)
    if shown is None:
        raise NotFoundError("No work of that name is known here.")
    references = find_model().classifier.count_references()
    members = sorted(
        shown.characters, key=lambda one: (-references.get(one.label, 0), one.name_in(language))
    )
    return render_template(
        "characters/work.html",
        work=shown,
        part=Part.of(members, asked["page"], PAGE_CHARACTERS),
        catalogue=catalogue,
        references=references,
    )


@blueprint.get("/character/<path:label>")
def show_character(label: str) -> str:
    """Show one character: names, work, references, and where more is told."""
    catalogue = find_catalogue()
    character = catalogue.characters.get(label)
    if character is None:
        raise NotFoundError("No character of that label is known here.")
    return render_template(
        "characters/character.html",
        character=character,
        work=catalogue.works[catalogue.slugs[label]],
        references=find_model().classifier.count_references().get(label, 0),
    )


@blueprint.app_template_global("page_url")
def find_page(number: int) -> str:
    """Return the address of another page of the list that is shown."""
    return address_here(page=number)


@blueprint.app_template_global("other_names")
def list_other_names(texts: dict[str, str]) -> list[tuple[str, str]]:
    """Return names or titles in languages other than the reader's, each text once: tag, text."""
    shown = choose_text(texts, select_language())
    found: dict[str, str] = {}
    for code, one in LANGUAGES.items():
        if texts.get(code) and texts[code] != shown:
            found.setdefault(texts[code], one.tag)
    return [(tag, text) for text, tag in found.items()]
