"""The page of the library in a real browser: search, keys, several chosen, one large, a dropped face."""

from __future__ import annotations

import base64
import json
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from axe import Inspection
from drawings import draw_face
from named_library import AKA, AO, KIIRO, PICTURES, write_named
from operator_steps import OpenLibraryPage
from playwright.sync_api import Page, expect
from steps import LOCALES, PHONE, encode

from kyara.dataset.library.opening import open_library
from kyara.dataset.library.reading import Library
from kyara.recognition.classifier import Classifier
from kyara.web.operator.library import PAGE_PICTURES


@pytest.fixture
def place(tiny_classifier: Classifier, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    return write_named(tmp_path / "scanned", tiny_classifier, more=getattr(request, "param", 0))


@pytest.fixture
def open_page_of(open_library_page: OpenLibraryPage) -> OpenLibraryPage:
    return partial(open_library_page, "library")


def expect_files(page: Page, *names: str) -> None:
    expect(page.locator(".library-path")).to_have_text([f"{name}.png" for name in names])


def expect_chosen(page: Page, *names: str) -> None:
    chosen = page.locator('.library-tile[aria-selected="true"] .library-path')
    expect(chosen).to_have_text([f"{name}.png" for name in names])


def drop(page: Page, data: bytes) -> None:
    """Drop a file onto the page, as from the desktop."""
    page.evaluate(
        """(data) => {
            const bytes = Uint8Array.from(atob(data), (each) => each.charCodeAt(0));
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([bytes], "dropped", { type: "image/png" }));
            for (const name of ["dragenter", "dragover", "drop"])
                document.body.dispatchEvent(
                    new DragEvent(name, { bubbles: true, cancelable: true, dataTransfer }));
        }""",
        base64.b64encode(data).decode(),
    )


def paste(page: Page) -> str:
    """Paste what was copied: a page of ours may not read the clipboard."""
    page.evaluate(
        """() => { globalThis.pasted = new Promise((resolve) => {
          const take = (event) => resolve(event.clipboardData.getData("text/plain"));
          addEventListener("paste", take, { once: true });
        }); }"""
    )
    page.locator("#search-work").press("Control+v")
    return page.evaluate("globalThis.pasted")


def test_names_are_chosen_by_keyboard_together_and_the_address_holds_the_search(open_page_of) -> None:
    page = open_page_of()
    expect(page.locator("#library-total")).to_have_text(f"{len(PICTURES)} pictures")
    page.keyboard.press("/")
    page.keyboard.type("rib")
    expect(page.locator("#search-options li")).to_have_text(["Aka RibbonThe Drawn Four"])
    page.keyboard.press("Enter")
    expect_files(page, "aka", "both", "aka-faint")
    expect(page.locator("#library-start")).to_be_hidden()
    page.keyboard.type("gla")
    expect(page.locator("#search-options li")).to_have_count(1)
    page.keyboard.press("Enter")
    expect_files(page, "both")
    expect(page).to_have_url(re.compile(f"who={AKA}&who={AO}$"))
    expect(page.locator(".chip-name")).to_have_text(["Aka Ribbon", "Ao Glasses"])
    page.reload()
    expect_files(page, "both")
    expect(page.locator(".chip-name")).to_have_text(["Aka Ribbon", "Ao Glasses"])
    page.go_back()
    expect_files(page, "aka", "both", "aka-faint")
    page.go_back()
    expect(page.locator(".library-tile")).to_have_count(len(PICTURES))
    page.go_forward()
    expect(page.locator(".chip-name")).to_have_text(["Aka Ribbon"])
    page.get_by_role("button", name="Leave out Aka Ribbon").click()
    expect(page.locator("#search-name")).to_be_focused()
    expect(page).to_have_url(re.compile("/library$"))


def test_works_confidence_and_whoever_is_in_most_pictures(open_page_of) -> None:
    page = open_page_of()
    expect(page.locator("#library-frequent li").first).to_have_text("Aka Ribbon3")
    page.locator("#search-work").fill("drawn")
    page.keyboard.press("Enter")
    expect_files(page, "aka", "ao", "both", "aka-faint")
    expect(page.locator(".library-names").nth(2)).to_have_text("Aka Ribbon 90% · Ao Glasses 70%")
    page.locator("#search-least").select_option("0.95")
    expect_files(page, "aka", "ao")
    page.goto(page.url.partition("?")[0])
    page.locator("#library-frequent a").nth(1).click()
    expect_files(page, "ao", "both")
    expect(page.locator(".library-tile").first).to_be_focused()


def test_nobody_and_nothing_are_told(open_page_of) -> None:
    page = open_page_of(f"?who={AKA}&who={KIIRO}")
    expect(page.locator("#library-none")).to_have_text("No picture fits.")
    expect(page.locator("#library-grid")).to_be_hidden()
    page.locator("#search-name").fill("Nobody at all")
    expect(page.locator("#search-name")).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("Enter")
    expect(page.locator("#library-problem")).to_contain_text("called “Nobody at all”")
    page.go_back()
    expect(page.locator("#library-problem")).to_be_hidden()


def test_the_arrows_move_and_several_are_chosen(open_page_of, tmp_path) -> None:
    page = open_page_of()
    tiles = page.locator(".library-tile")
    tiles.first.focus()
    page.keyboard.press("ArrowRight")
    expect(tiles.nth(1)).to_be_focused()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowLeft")
    expect(tiles.first).to_be_focused()
    page.keyboard.press("ArrowDown")  # seven in two lines of six
    expect(tiles.nth(6)).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(tiles.first).to_be_focused()
    page.keyboard.press("End")
    expect(tiles.nth(6)).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    expect_chosen(page, "aka", "ao", "both")
    page.keyboard.press("Shift+ArrowLeft")
    expect_chosen(page, "aka", "ao")
    expect(page.locator("#chosen-count")).to_have_text("2 pictures chosen")
    page.keyboard.press("End")
    page.keyboard.press("Control+Space")
    expect_chosen(page, "aka", "ao", "stranger")
    page.keyboard.press("Control+a")
    expect(page.locator("#chosen-count")).to_have_text("7 pictures chosen")
    page.keyboard.press("Escape")
    expect(page.locator("#chosen")).to_be_hidden()
    tiles.nth(1).locator(".library-check").click()
    tiles.nth(3).click(modifiers=["Shift"])
    expect_chosen(page, "aka", "ao", "both")
    tiles.nth(2).click(modifiers=["Control"])
    expect_chosen(page, "aka", "both")
    page.locator("#chosen-copy").click()
    expect(page.locator("#library-told")).to_have_text("2 paths are copied.")
    folder = tmp_path / "scanned" / "pictures"
    assert paste(page) == f"{folder / 'aka.png'}\n{folder / 'both.png'}"
    with page.expect_download() as saved:
        page.locator("#chosen-json").click()
    document = json.loads(Path(saved.value.path()).read_text(encoding="utf-8"))
    assert [Path(one["path"]).name for one in document["pictures"]] == ["aka.png", "both.png"]
    with page.expect_download() as saved:
        page.locator("#chosen-csv").click()
    assert saved.value.suggested_filename == "kyara-library.csv"
    assert len(Path(saved.value.path()).read_text(encoding="utf-8").splitlines()) == 4


def test_a_picture_is_shown_large_with_all_its_faces_and_the_arrows_go_on(open_page_of) -> None:
    page = open_page_of(f"?who={AO}")
    tiles, title = page.locator(".library-tile"), page.locator("#viewer-title")
    expect(tiles.nth(1).locator("rect")).to_have_count(1)
    tiles.first.focus()
    page.keyboard.press("Enter")
    expect(title).to_have_text("ao.png")
    page.keyboard.press("ArrowLeft")
    expect(title).to_have_text("ao.png")
    page.keyboard.press("ArrowRight")
    expect(title).to_have_text("both.png")
    expect(page.locator("#viewer-place")).to_have_text("Picture 2 of 2")
    expect(page.locator("#viewer rect")).to_have_count(2)
    expect(page.locator("#viewer text")).to_have_text(["Aka Ribbon", "Ao Glasses"])
    expect(page.locator(".viewer-name")).to_have_text(["Aka Ribbon 90%", "Ao Glasses 70%"])
    drawn = page.evaluate(
        """() => { const image = document.querySelector("#viewer-image");
            return image.decode().then(() => [image.naturalWidth, image.naturalHeight]); }"""
    )
    assert drawn == [192, 96]
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).to_be_hidden()
    expect(tiles.nth(1)).to_be_focused()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Find this face: Aka Ribbon 90%").click()
    expect(page.locator("#sought")).to_be_visible()
    expect(page.locator(".library-path").first).to_have_text("both.png")
    expect(page.locator(".library-names").first).to_have_text("similarity 1.00 · Aka Ribbon 90%")
    expect(tiles.first.locator("rect")).to_have_attribute("x", "0")
    expect(tiles.first).to_be_focused()


def test_a_dropped_face_is_found_and_its_address_can_be_shared(open_page_of) -> None:
    page = open_page_of()
    drop(page, encode(draw_face(1, np.random.default_rng(11), 200), "PNG"))
    expect(page.locator("#sought")).to_be_visible()
    expect(page).to_have_url(re.compile(r"\?like=\w+\."))
    expect(page.locator(".library-tile")).to_have_count(len([one for one in PICTURES.values() if one]))
    best = page.locator(".library-path").evaluate_all("(all) => all.map((each) => each.textContent)")
    assert set(best[:2]) == {"ao.png", "both.png"}
    expect(page.locator("#sought-face")).to_be_visible()
    shared = open_page_of(f"?{page.url.partition('?')[2]}")
    expect(shared.locator(".library-path")).to_have_text(best)
    expect(shared.locator("#sought-face")).to_be_hidden()  # the picture has not left the browser
    page.locator("#sought-leave").click()
    expect(page.locator("#library-total")).to_have_text(f"{len(PICTURES)} pictures")
    drop(page, b"no picture")
    expect(page.locator("#library-problem")).to_have_text(
        "That is no picture that this browser can read."
    )


def test_of_several_faces_one_is_chosen(open_page_of) -> None:
    page = open_page_of()
    example = Path(__file__).parents[2] / "static" / "vendor" / "example.png"
    page.set_input_files("#face-file", example)
    faces = page.locator("#face-list button")
    expect(faces).to_have_count(3)
    expect(faces.first).to_be_focused()
    faces.nth(1).click()
    expect(page.locator("#sought")).to_be_visible()
    expect(page.locator("#face-choice")).to_be_hidden()


def test_faces_are_named_by_a_person_and_all_of_it_is_undone(open_page_of, place) -> None:
    page = open_page_of(f"?who={AKA}")
    page.locator(".library-tile").nth(2).focus()
    page.keyboard.press("Control+Space")
    page.locator("#chosen-name").click()
    expect(page.locator("#say-title")).to_have_text("Who is this face?")
    expect(page.locator("#say-name")).to_be_focused()
    page.keyboard.type("Rei Drawn")
    page.keyboard.press("Enter")
    expect(page.locator("#library-told")).to_have_text("Named.")
    expect(page.locator("#say-dialog")).to_be_hidden()
    expect(page.locator("#library-doing")).to_have_text("")
    with open_library(place) as engine:
        (picture,) = Library(engine).read_pictures(character="rei_drawn")
    assert (picture.path.name, picture.faces[0].confidence) == ("aka-faint.png", 1.0)
    page.locator("#library-undo").click()
    expect(page.locator("#library-told")).to_have_text("Undone.")
    expect(page.locator("#library-undo")).to_be_disabled()
    with open_library(place) as engine:
        assert list(Library(engine).read_pictures(character="rei_drawn")) == []
    page.locator("#library-redo").click()
    expect(page.locator("#library-told")).to_have_text("Redone.")
    page.goto(page.url.partition("?")[0] + "?who=rei_drawn")
    expect_files(page, "aka-faint")
    page.locator(".library-check").click()
    page.locator("#chosen-reject").click()
    expect(page.locator("#library-none")).to_have_text("No picture fits.")


@pytest.mark.parametrize("place", [PAGE_PICTURES], indirect=True)
def test_pages_are_turned_and_what_is_chosen_stays(open_page_of) -> None:
    page = open_page_of()
    expect(page.locator("#library-page")).to_have_text("Page 1 of 2")
    page.locator(".library-check").first.click()
    page.locator("#library-next").click()
    expect(page.locator(".library-tile")).to_have_count(7)
    expect(page.locator(".library-tile").first).to_be_focused()
    expect(page).to_have_url(re.compile(r"\?page=2$"))
    page.locator(".library-check").nth(1).click()
    expect(page.locator("#chosen-count")).to_have_text("2 pictures chosen")
    page.locator(".library-tile").nth(2).click()
    expect(page.locator("#viewer-place")).to_have_text("Picture 63 of 67")
    page.keyboard.press("Escape")
    page.go_back()
    expect(page.locator(".library-tile")).to_have_count(60)
    expect(page.locator('.library-tile[aria-selected="true"]')).to_have_count(1)
    page.locator("#search-least").select_option("0.9")
    expect(page.locator("#chosen")).to_be_hidden()


def test_a_picture_that_is_gone_has_a_placeholder(open_page_of, tmp_path) -> None:
    (tmp_path / "scanned" / "pictures" / "aka.png").unlink()
    page = open_page_of(f"?who={AKA}")
    gone = page.locator(".library-tile.is-gone")
    expect(gone).to_have_count(1)
    expect(gone).to_contain_text("the picture is gone or has changed")
    gone.click()
    expect(page.locator("#viewer-gone")).to_have_text("the picture is gone or has changed")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#viewer-gone")).to_be_hidden()
    expect(page.locator("#viewer-image")).to_be_visible()


@pytest.mark.parametrize("device", [{}, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("language", LOCALES)
def test_axe_finds_nothing_and_nothing_overflows(open_page_of, language: str, device: dict) -> None:
    page = open_page_of("", language, **device)
    found = Inspection(page)
    found.look("all pictures")
    page.locator("#search-name").fill("a")
    expect(page.locator("#search-options li").first).to_be_visible()
    found.look("names")
    page.keyboard.press("Enter")
    expect(page.locator(".chip-name")).to_have_count(1)
    expect(page.locator("#library-results[aria-busy]")).to_have_count(0)
    page.locator(".library-check").first.click()
    found.look("a chosen picture")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("#chosen-name").click()
    found.look("who is it?")
    page.keyboard.press("Escape")
    page.locator(".library-tile").first.press("Enter")
    expect(page.locator("#viewer")).to_be_visible()
    found.look("a large picture")
    assert page.evaluate("document.querySelector('#viewer').scrollWidth <= innerWidth")
    page.locator("#viewer-faces button").first.click()
    expect(page.locator("#sought")).to_be_visible()
    found.look("faces like one")
    page.goto(page.url.partition("?")[0] + "?work=nothing")
    expect(page.locator("#library-none")).to_be_visible()
    found.look("nothing here")
    found.conclude()
