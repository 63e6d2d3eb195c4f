"""The labelling page in a real browser, in front of a real server that is killed in the middle."""

from __future__ import annotations

import re
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from inboxes import check_folder, fill_inbox, read_labels
from operator_steps import StartServer
from operators import PASSWORD
from playwright.sync_api import Locator, Page, Route, expect
from sites import make_accounts
from steps import OpenPage, place

from classification import Classifier
from kyara.dataset.review.labelling import name_file
from kyara.dataset.review.labelling.suggestions import write_suggestions
from kyara.dataset.review.suggesting import suggest
from scripts.local_site import Server

OpenDesk = Callable[..., Page]
READ_TILES = """() => Object.fromEntries([...document.querySelectorAll(".tile-face")].map(
    (tile) => [tile.dataset.face, [tile.dataset.mark, tile.querySelector(".tile-name").textContent]]))"""
NAMES = {
    "Aka Ribbon": "aka_ribbon",
    "Ao Glasses": "ao_glasses",
    "Midori Bun": "midori_bun",
    "Kiiro Star": "kiiro_star",
    "Not a face": "not_a_face",
}


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return tmp_path / "dataset"


@pytest.fixture
def start_site(own_server: StartServer, tmp_path: Path) -> StartServer:
    """Start sites with two operators, `aya` and `botan`, on the test's dataset."""
    make_accounts(tmp_path, "aya", "botan")
    return own_server


@pytest.fixture
def open_desk(open_page: OpenPage) -> OpenDesk:
    """Log in and open the labelling page: `open_desk(site, "aya", width=360)`."""

    def open_desk(site: Server, operator: str = "aya", **options: object) -> Page:
        page = open_page(at=site, **options)
        page.goto(f"{site.url}/operator/login?next=/operator/label")
        fill_login(page, operator)
        return page

    return open_desk


def fill_login(page: Page, operator: str) -> None:
    """Log in, and wait for the labelling page."""
    page.get_by_label("Name").fill(operator)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/operator/label")
    page.wait_for_selector("html[data-ready]", state="attached")


def ask_model(dataset: Path, ids: list[str], classifier: Classifier) -> None:
    """Have the tiny model look at the inbox, in this process."""
    paths = {face: dataset / "inbox" / name_file(face) for face in ids}
    write_suggestions(dataset, suggest(classifier, paths, dataset / ".bottlenecks"))


def tile(page: Page, face: str) -> Locator:
    return page.locator(f'.tile-face[data-face="{face}"]')


def expect_saved(page: Page) -> None:
    expect(page.locator("#label-saved")).to_have_attribute("data-state", "saved")


def read_tiles(page: Page) -> dict[str, tuple[str, str]]:
    """Read how each face looks: its mark, and the label by name."""
    found = page.evaluate(READ_TILES)
    return {face: (mark, NAMES.get(name, "")) for face, (mark, name) in found.items()}


def read_marked(page: Page, mark: str) -> dict[str, str]:
    """Read the labels, by name, of the faces with a mark."""
    return {face: name for face, (each, name) in read_tiles(page).items() if each == mark}


def count_actions(dataset: Path) -> int:
    with closing(sqlite3.connect(dataset / "labels.db")) as connection:
        return connection.execute("SELECT COUNT(*) FROM review_steps").fetchone()[0]


def test_200_faces_are_labelled_by_keyboard_over_a_killed_server(
    open_desk: OpenDesk, start_site: StartServer, dataset: Path, tiny_classifier: Classifier
) -> None:
    ids = fill_inbox(dataset, 200, size_px=48)
    ask_model(dataset, ids, tiny_classifier)
    site = start_site()
    page = open_desk(site, failures_expected=True)
    left = page.locator("#label-left")
    expect(left).to_have_text("200 left")
    keys = ("1", "Enter", "2", "1", "x", "3", "1", "4")

    def label(faces: int) -> None:
        for number in range(faces):
            page.keyboard.press(keys[number % len(keys)])

    label(80)
    expect_saved(page)
    label(60)
    site.stop(signal.SIGKILL)
    # nothing that the page had confirmed is lost
    confirmed = read_marked(page, "saved")
    assert len(confirmed) >= 80
    kept = read_labels(dataset)
    assert confirmed.items() <= kept.items()
    # work goes on, and the page does not claim more than it knows
    label(30)
    saved = page.locator("#label-saved")
    expect(saved).to_have_attribute("data-state", "trouble")
    unsaved, known = read_marked(page, "saving"), read_marked(page, "saved")
    assert confirmed.items() <= known.items() <= kept.items()  # an answer may have been under way
    assert len(unsaved) == 170 - len(known)
    expect(saved).to_have_text(f"{len(unsaved)} not saved")
    expect(page.locator("#label-notice-text")).to_contain_text("Kyara cannot be reached.")
    assert read_labels(dataset) == kept

    start_site(port=site.port)
    page.evaluate("dispatchEvent(new Event('online'))")  # or it would wait for its next try
    expect_saved(page)
    expect(page.locator("#label-notice")).to_be_hidden()
    label(30)
    expect(left).to_have_text("All faces have a label.")
    expect_saved(page)
    assert count_actions(dataset) == 200  # each once, however often it was sent
    check_folder(dataset, ids)
    for _ in range(20):
        page.keyboard.press("z")
    expect(left).to_have_text("20 left")
    expect_saved(page)
    shown = read_marked(page, "saved")
    assert len(shown) == 180
    assert shown == read_labels(dataset)
    assert count_actions(dataset) == 220
    check_folder(dataset, ids)


def test_what_was_not_confirmed_is_sent_by_the_next_page(
    open_desk: OpenDesk, start_site: StartServer, dataset: Path, tiny_classifier: Classifier
) -> None:
    ids = fill_inbox(dataset, 6)
    ask_model(dataset, ids, tiny_classifier)
    page = open_desk(start_site(), failures_expected=True)
    # The server has the first, but its answer is lost on the way.
    page.route("**/operator/label/decisions", lambda route: (route.fetch(), route.abort())[0])
    for key in ("1", "x", "1"):
        page.keyboard.press(key)
    expect(page.locator("#label-saved")).to_have_text("3 not saved")
    expect(page.locator('.tile-face[data-mark="saving"]')).to_have_count(3)
    page.unroute_all(behavior="wait")  # of what is under way, too
    page.reload()
    expect_saved(page)
    expect(page.locator("#label-left")).to_have_text("3 left")
    assert count_actions(dataset) == 3
    assert len(read_labels(dataset)) == 3
    assert page.evaluate("localStorage.getItem('labels of aya')") is None
    for _ in range(3):  # what an earlier page did can be undone
        page.keyboard.press("z")
    expect(page.locator("#label-left")).to_have_text("6 left")
    expect_saved(page)
    assert read_labels(dataset) == {}
    # a session that has ended loses nothing either
    page.context.clear_cookies()
    page.keyboard.press("x")
    expect(page.locator("#label-notice-text")).to_contain_text("Your session has ended.")
    page.get_by_role("link", name="Log in again").click()
    fill_login(page, "aya")
    expect(page.locator("#label-left")).to_have_text("5 left")
    expect_saved(page)
    assert list(read_labels(dataset).values()) == ["not_a_face"]
    check_folder(dataset, ids)


def test_names_are_typed_completed_and_new_characters_made(
    open_desk: OpenDesk, start_site: StartServer, dataset: Path
) -> None:
    ids = fill_inbox(dataset, 6)
    page = open_desk(start_site())
    page.keyboard.press("n")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.type("Charles Montgomery Burns")
    page.keyboard.press("Enter")
    expect(tile(page, ids[0])).to_have_attribute("data-mark", "saved")
    page.keyboard.type("burns")
    expect(
        page.locator("#label-options [role=option]", has_text="Charles Montgomery Burns")
    ).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(tile(page, ids[1])).to_have_attribute("data-mark", "saved")
    # faster than the list
    page.keyboard.type("midori")
    page.keyboard.press("Enter")
    expect(tile(page, ids[2])).to_have_attribute("data-mark", "saved")
    page.keyboard.type("qqq")
    page.keyboard.press("Enter")
    expect(page.locator("#label-problem")).to_contain_text("Nobody is called qqq")
    page.keyboard.press("Escape")
    # what was used last can be taken by digit
    page.keyboard.press("2")
    expect(tile(page, ids[3])).to_have_attribute("data-mark", "saved")
    assert read_labels(dataset) == {
        ids[0]: "charles_montgomery_burns",
        ids[1]: "charles_montgomery_burns",
        ids[2]: "midori_bun",
        ids[3]: "charles_montgomery_burns",
    }
    count = page.locator('#counts-list [data-label="charles_montgomery_burns"]')
    expect(count).to_contain_text("3 from 3 sources")
    expect(count.locator(".count-warning")).to_have_text("⚠ too few drawings")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("x")
    expect_saved(page)
    check_folder(dataset, ids)


def test_enter_never_takes_somebody_else_than_the_list_shows(
    open_desk: OpenDesk, start_site: StartServer, dataset: Path
) -> None:
    ids = fill_inbox(dataset, 2)
    page = open_desk(start_site())
    options = page.locator("#label-options [role=option]")
    page.keyboard.press("/")
    page.keyboard.type("a")
    expect(options.first).to_contain_text("Aka Ribbon")
    held: list[Route] = []
    holding = [True]

    def hold(route: Route) -> None:
        if holding:
            held.append(route)
        else:
            route.continue_()

    page.route(re.compile(r"/operator/label/characters\?query=ao"), hold)
    page.keyboard.type("o")
    page.keyboard.press("Enter")  # the list still shows whom "a" found
    expect(options.first).to_have_attribute("aria-selected", "false")
    holding.clear()
    for route in held:
        route.continue_()
    expect(options.first).to_contain_text("Ao Glasses")
    expect(options.first).to_have_attribute("aria-selected", "true")
    expect(page.locator("#label-left")).to_have_text("2 left")
    page.keyboard.press("Enter")
    expect(tile(page, ids[0]).locator(".tile-name")).to_have_text("Ao Glasses")
    expect_saved(page)


def test_many_are_chosen_by_mouse_keyboard_and_cluster(
    open_desk: OpenDesk, start_site: StartServer, dataset: Path, tiny_classifier: Classifier
) -> None:
    ids = fill_inbox(dataset, 24, size_px=48)
    ask_model(dataset, ids, tiny_classifier)
    page = open_desk(start_site())
    faces = page.locator(".tile-face")
    chosen = page.locator('.tile-face[aria-selected="true"]')
    faces.nth(1).click()
    faces.nth(4).click(modifiers=["Shift"])
    expect(chosen).to_have_count(4)
    faces.nth(2).click(modifiers=["Control"])
    expect(chosen).to_have_count(3)
    page.keyboard.press("Escape")
    expect(chosen).to_have_count(0)
    x, y, _, _ = place(faces.nth(0))
    page.mouse.move(x - 3, y - 3)
    page.mouse.down()
    right, bottom, width, height = place(faces.nth(1))
    page.mouse.move(right + width / 2, bottom + height / 2, steps=4)
    page.mouse.up()
    expect(chosen).to_have_count(2)
    expect(page.locator("#panel-title")).to_have_text("2 faces chosen")
    page.keyboard.press("x")
    expect(chosen).to_have_count(0)
    expect(page.locator("#label-left")).to_have_text("22 left")
    page.keyboard.press("z")  # one undo for both
    expect(page.locator("#label-left")).to_have_text("24 left")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    expect(chosen).to_have_count(3)
    page.keyboard.press("Escape")
    sure = page.locator('.inbox-section[data-kind="sure"]').first
    alike = sure.locator(".tile-face").count()
    assert alike > 1
    sure.locator(".tile-face").first.click()
    page.keyboard.press("Shift+Enter")
    expect(sure.locator('.tile-face[data-mark="saved"]')).to_have_count(alike)
    expect_saved(page)
    assert len(read_labels(dataset)) == alike
    assert count_actions(dataset) == 3
    page.keyboard.press("Control+a")
    page.keyboard.press("x")
    expect(page.locator("#label-left")).to_have_text("All faces have a label.")
    expect_saved(page)
    check_folder(dataset, ids)


def test_of_two_operators_the_later_sees_the_newer_label(
    open_desk: OpenDesk, start_site: StartServer, dataset: Path, tiny_classifier: Classifier
) -> None:
    ids = fill_inbox(dataset, 8)
    ask_model(dataset, ids, tiny_classifier)
    site = start_site()
    aya = open_desk(site, "aya")
    botan = open_desk(site, "botan", failures_expected=True)
    first, second = aya.evaluate(
        "[...document.querySelectorAll('.tile-face')].slice(0, 2).map((tile) => tile.dataset.face)"
    )
    aya.keyboard.press("x")
    expect_saved(aya)
    tile(botan, first).click()
    botan.keyboard.press("Shift+ArrowRight")
    botan.keyboard.press("1")
    expect(tile(botan, first)).to_have_attribute("data-mark", "changed")
    expect(tile(botan, first)).to_contain_text("labelled by aya")
    expect(tile(botan, first).locator(".tile-name")).to_have_text("Not a face")
    # the other face of the same decision was still free
    expect(tile(botan, second)).to_have_attribute("data-mark", "saved")
    expect_saved(botan)
    assert read_labels(dataset)[first] == "not_a_face"
    assert read_labels(dataset)[second] != "not_a_face"
    check_folder(dataset, ids)


def test_an_action_that_cannot_be_done_is_told_and_holds_up_nothing(
    open_desk: OpenDesk, start_site: StartServer, dataset: Path, tiny_classifier: Classifier
) -> None:
    ids = fill_inbox(dataset, 4)
    ask_model(dataset, ids, tiny_classifier)
    page = open_desk(start_site(), failures_expected=True)
    (dataset / "faces").mkdir(exist_ok=True)
    for label in NAMES.values():
        (dataset / "faces" / label).touch()  # a file where the folder should be
    page.keyboard.press("1")
    page.keyboard.press("x")
    expect(page.locator("#label-notice-text")).to_contain_text("cannot be written")
    expect(page.locator("#label-saved")).to_have_text("2 not saved")
    page.get_by_role("button", name="Leave out the first").click()
    expect_saved(page)
    expect(page.locator("#label-left")).to_have_text("3 left")
    expect(page.locator('.tile-face[data-mark="changed"]')).to_have_count(1)
    assert list(read_labels(dataset).values()) == ["not_a_face"]


def test_a_connection_lost_while_the_model_looks_is_told(
    open_desk: OpenDesk, start_site: StartServer, dataset: Path, tiny_classifier: Classifier
) -> None:
    ids = fill_inbox(dataset, 4)
    ask_model(dataset, ids, tiny_classifier)
    page = open_desk(start_site(), failures_expected=True)

    def say_running(route: Route) -> None:
        answer = route.fetch()
        said = answer.json()
        said["preparing"]["running"] = True
        route.fulfill(response=answer, json=said)

    page.route("**/operator/label/faces", say_running)
    page.route("**/operator/label/prepare", lambda route: route.abort())
    page.reload()
    expect(page.locator("#label-notice-text")).to_have_text("Kyara cannot be reached.")
    page.unroute_all(behavior="wait")
    page.locator("#label-notice-action").click()
    expect(page.locator("#label-notice")).to_be_hidden()


def test_the_page_has_the_model_look_and_fits_a_phone(
    open_desk: OpenDesk, start_site: StartServer, dataset: Path
) -> None:
    ids = fill_inbox(dataset, 8)
    page = open_desk(start_site(), width=360, height=740)
    expect(page.locator('.inbox-section[data-kind="unseen"]')).to_have_count(1)
    page.locator("#label-notice-action").click()
    expect(page.locator('.inbox-section[data-kind="unseen"]')).to_have_count(0)
    expect(page.locator("#label-notice")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.get_by_role("button", name="Choose several").click()
    for number in range(3):
        page.locator(".tile-face").nth(number).click()
    expect(page.locator("#panel-title")).to_have_text("3 faces chosen")
    page.locator("#label-nobody").click()
    expect_saved(page)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#label-left")).to_have_text("8 left")
    expect_saved(page)
    check_folder(dataset, ids)
