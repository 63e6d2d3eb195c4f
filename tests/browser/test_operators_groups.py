"""The page of groups in a real browser: named by keyboard, split, put together, undone; its states."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from axe import Inspection
from grouped_library import add_face, view, write_grouped
from operator_steps import OpenLibraryPage, log_in, start_with_operator
from playwright.sync_api import Route, expect
from steps import LOCALES, PHONE
from verdict_models import write_strict_model

from kyara.dataset.library.groups.deciding import GroupJournal
from kyara.dataset.library.opening import open_library
from kyara.recognition.classifier import Classifier


@pytest.fixture
def place(tiny_classifier: Classifier, tmp_path: Path) -> str:
    """Groups of five, four and three faces."""
    return write_grouped(tmp_path / "scanned", tiny_classifier)


@pytest.fixture
def open_groups(open_library_page: OpenLibraryPage) -> OpenLibraryPage:
    return partial(open_library_page, "groups")


def see(place: str) -> dict:
    with open_library(place) as engine:
        return view(engine)


def test_groups_are_named_one_after_the_other_by_keyboard(open_groups, place) -> None:
    page = open_groups()
    expect(page.locator("#group-title")).to_have_text("Group 1")
    expect(page.locator(".group-faces .tile-face")).to_have_count(5)
    expect(page.locator("#group-name")).to_be_focused()
    page.keyboard.type("Rei Drawn")
    page.keyboard.press("Enter")
    expect(page.locator("#groups-told")).to_have_text("Named.")
    expect(page.locator("#group-title")).to_have_text("Group 2")
    expect(page.locator("#group-name")).to_be_focused()
    page.keyboard.type("ao gla")  # part of a name: nobody new is made of it by the way
    page.keyboard.press("Enter")
    expect(page.locator("#group-options li:visible")).to_have_text("Ao GlassesThe Drawn Four")
    expect(page.locator("#group-refused")).to_contain_text("press Enter again: ao gla is somebody new")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#group-title")).to_have_text("Group 3")
    assert [label for label, _ in see(place)["named"]] == ["ao_glasses", "rei_drawn"]
    expect(page.locator("#groups-answering")).to_have_text("")
    page.get_by_role("link", name="Named", exact=True).click()
    expect(page.locator(".group-words").first).to_have_text("Group 1: Rei Drawn")


def test_faces_are_chosen_with_the_keys_split_off_and_put_together_again(open_groups, place) -> None:
    page, before = open_groups(), see(place)
    page.locator(".tile-face").first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator("#group-chosen")).to_have_text("2 faces chosen")
    page.keyboard.press("s")
    expect(page.locator("#groups-told")).to_have_text("Split.")
    expect(page.locator(".group-count")).to_have_text(["4", "3", "3", "2"])
    expect(page.locator("#group-title")).to_have_text("Group 1")
    page.locator("#group-others button").first.click()  # the part that was split off is the nearest
    expect(page.locator("#groups-told")).to_have_text("Put together.")
    expect(page.locator(".group-count")).to_have_text(["5", "4", "3"])
    for sizes in (["4", "3", "3", "2"], ["5", "4", "3"]):
        page.locator(".tile-face").first.focus()
        page.keyboard.press("z")
        expect(page.locator(".group-count")).to_have_text(sizes)
    expect(page.locator("#groups-told")).to_have_text("Undone.")
    expect(page.locator("#groups-undo")).to_be_disabled()
    assert see(place) == before
    page.locator("#groups-redo").click()
    expect(page.locator("#groups-told")).to_have_text("Redone.")
    expect(page.locator(".group-count")).to_have_text(["4", "3", "3", "2"])


def test_faces_that_are_known_by_now_leave_the_open_group_and_what_is_typed_stays(
    browser, own_server, tiny_bundle, tiny_classifier, tmp_path
) -> None:
    folder = tmp_path / "scanned"
    place = write_grouped(folder, tiny_classifier, (7, 4, 3))
    models = tmp_path / "model"
    write_strict_model(tiny_bundle, models)
    with open_library(place) as engine:
        for number in range(2):  # two of the first group's very faces are in the second, too
            copy = folder / "pictures" / f"copy-{number}.png"
            copy.write_bytes((folder / "pictures" / f"aka_ribbon-1-{number}.png").read_bytes())
            add_face(engine, copy, tiny_classifier, face_group=2)
    server = start_with_operator(own_server, tmp_path, model=models, LIBRARY=place)
    context = browser.new_context()
    page = context.new_page()
    log_in(page, server, "/operator/groups")
    held: list[Route] = []
    released = False
    page.route(
        "**/operator/groups/answer",
        lambda route: route.continue_() if released else held.append(route),
    )
    page.reload()  # from here on faces are answered again when the test says so
    expect(page.locator(".group-count")).to_have_text(["7", "6", "3"])
    expect(page.locator("#group-title")).to_have_text("Group 1")
    page.locator("#group-name").fill("Rei Drawn")
    page.keyboard.press("Enter")
    expect(page.locator("#group-title")).to_have_text("Group 2")
    expect(page.locator("#group-size")).to_have_text("6 faces")
    page.locator(".tile-face").first.click()
    chosen = page.locator('.tile-face[aria-selected="true"]').get_attribute("data-face")
    page.locator("#group-name").fill("Nobody yet")
    released = True
    for route in held:
        route.continue_()
    expect(page.locator("#group-size")).to_have_text("4 faces")
    expect(page.locator(".group-faces .tile-face")).to_have_count(4)
    expect(page.locator('.group-button[aria-current="true"] .group-count')).to_have_text("4")
    expect(page.locator('.tile-face[aria-selected="true"]')).to_have_attribute("data-face", chosen or "")
    expect(page.locator("#group-name")).to_have_value("Nobody yet")
    expect(page.locator("#group-name")).to_be_focused()
    context.close()


def test_one_click_takes_a_suggestion_and_x_says_that_it_is_no_face(open_groups, place) -> None:
    page = open_groups()
    expect(page.locator("#group-suggestions button").first).to_contain_text("Aka Ribbon")
    page.locator("#group-suggestions button").first.click()
    expect(page.locator("#group-title")).to_have_text("Group 2")
    page.locator(".tile-face").first.focus()
    page.keyboard.press("x")
    expect(page.locator("#group-title")).to_have_text("Group 3")
    expect(page.locator("#groups-told")).to_have_text("Said to be no face.")
    seen = see(place)
    assert [label for label, _ in seen["named"]] == ["aka_ribbon"]
    assert [len(faces) for _, faces in seen["not_a_face"]] == [4]
    page.locator("#group-reject").click()
    expect(page.locator("#groups-problem")).to_have_text("No group is left without a name.")


def test_what_somebody_else_decided_is_shown_and_a_name_that_cannot_be_is_told(
    open_groups, place, tiny_classifier
) -> None:
    page = open_groups()
    expect(page.locator("#groups-answering")).to_have_text("")
    page.reload()  # every face is answered: from here on nothing shows the groups anew by itself
    expect(page.locator("#group-title")).to_have_text("Group 1")
    page.locator("#group-name").fill("！？")
    page.keyboard.press("Enter")
    expect(page.locator("#group-refused")).to_contain_text("No label can be made of the name")
    with open_library(place) as engine:
        GroupJournal(engine, tiny_classifier, "len").reject([2])
    page.locator("#group-reject").click()
    expect(page.locator("#group-refused")).to_contain_text("Somebody else has changed the groups")
    expect(page.locator(".group-count")).to_have_text(["5", "3"])


def test_a_picture_that_is_gone_has_a_placeholder(open_groups, tmp_path) -> None:
    for path in (tmp_path / "scanned" / "pictures").glob("aka_ribbon-1-0.png"):
        path.unlink()
    page = open_groups()
    gone = page.locator(".tile-face.is-gone")
    expect(gone).to_have_count(1)
    expect(gone).to_have_attribute("title", "the picture is gone or has changed")


@pytest.mark.parametrize("device", [{}, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("language", LOCALES)
def test_axe_finds_nothing_and_nothing_overflows(open_groups, language: str, device: dict) -> None:
    page = open_groups("", language, **device)
    found = Inspection(page)
    found.look("a group")
    page.locator(".tile-face").first.click()
    found.look("a chosen face")
    page.locator("#group-name").fill("a")
    expect(page.locator("#group-options li").first).to_be_visible()
    found.look("names")
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= page.evaluate("innerWidth")
    page.locator("#group-reject").click()
    expect(page.locator("#groups-told")).not_to_be_empty()
    page.goto(page.url.partition("?")[0] + "?state=named")
    expect(page.locator("#groups-problem")).to_be_visible()
    found.look("nothing here")
    found.conclude()
