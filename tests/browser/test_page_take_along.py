"""Answers leave the page: names as text, the picture with its boxes, JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from steps import (
    OpenPage,
    boxes,
    cards,
    choose,
    choose_several,
    draw_box,
    draw_plain,
    encode,
    open_drawn,
    open_example,
    wait_for_answers,
)

from kyara.recognition.answers import Verdict
from scripts.local_site import Server

COPIED: dict = {"permissions": ["clipboard-read", "clipboard-write"]}


def open_two(page: Page) -> None:
    """A picture with a drawn face, and one without any beside it."""
    empty = encode(draw_plain(120, 90), "PNG")
    choose_several(page, ("who.png", encode(draw_plain(), "PNG")), ("none.png", empty))
    expect(page.locator("#status")).to_have_attribute("data-kind", "info")
    draw_box(page, 0.25, 0.25, 0.75, 0.75)
    wait_for_answers(page)


def read_clipboard(page: Page, server: Server) -> str:
    """Read from a page that may: ours may not."""
    other = page.context.new_page()
    other.route("**/elsewhere", lambda route: route.fulfill(body="", content_type="text/html"))
    other.goto(f"{server.url}/elsewhere")
    other.bring_to_front()
    text = other.evaluate("navigator.clipboard.readText()")
    other.close()
    return text


@pytest.mark.parametrize(
    ("verdict", "line"),
    [
        ("known", "{name}"),
        ("probably", "Probably {name}"),
        ("unknown", "Not someone I know"),
    ],
)
def test_names_are_copied_one_face_a_line(
    open_page: OpenPage, verdict_server: Callable[[Verdict], Server], verdict: Verdict, line: str
) -> None:
    server = verdict_server(verdict)
    page = open_page(at=server, **COPIED)
    faces = open_example(page)
    page.get_by_role("button", name="Copy names").click()
    expect(page.locator(".toast-words")).to_have_text("The names are copied.")
    lines = read_clipboard(page, server).splitlines()
    assert len(lines) == faces
    for number, card in enumerate(cards(page).all()):
        words = line.format(name=card.locator(".answer-name").first.inner_text())
        assert lines[number].startswith(f"{number + 1}. {words}")


def test_a_work_stands_behind_a_name_and_not_behind_a_guess(open_page: OpenPage) -> None:
    page = open_page()
    names = page.evaluate(
        """async () => {
            const { PageState } = await import("/static/js/page/state.js");
            const { nameFaces } = await import("/static/js/answers/take-along.js");
            const state = new PageState();
            for (const x of [0, 100, 200, 300]) state.add({ x, y: 0, width: 50, height: 50 });
            const answers = [{ label: "miku", name: "Hatsune Miku", work: "VOCALOID", confidence: 0.9 }];
            const verdicts = ["known", "probably", "unknown"];
            const faces = verdicts.map((verdict) => ({ verdict, answers }));
            state.takeAnswers({ name: "m", version: "1" }, state.faces.slice(0, 3), faces);
            return nameFaces(state);
        }"""
    )
    assert names.splitlines() == [
        "1. Hatsune Miku (VOCALOID)",
        "2. Probably Hatsune Miku (VOCALOID)",
        "3. Not someone I know",
        "4. Not identified yet",
    ]


def test_the_picture_is_saved_with_its_boxes_in_its_own_pixels(open_page: OpenPage) -> None:
    page = open_page()
    open_two(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save picture").click()
    assert download.value.suggested_filename == "who-kyara.png"
    saved = Image.open(Path(download.value.path())).convert("RGB")
    plain = draw_plain()
    assert saved.size == plain.size
    assert saved.getpixel((390, 290)) == plain.getpixel((390, 290))
    right = round(0.75 * plain.width)
    edge = [saved.getpixel((x, 200)) for x in range(right - 4, right + 5)]
    assert (255, 255, 255) in edge, "the box is drawn"
    plate = np.asarray(saved, dtype=int)[round(0.25 * plain.height) - 8, 110:200].sum(axis=1)
    assert (plate < 250).sum() > 20, "a name stands on it"


def test_the_picture_is_copied(open_page: OpenPage, server: Server) -> None:
    page = open_page(**COPIED)
    choose(page, encode(draw_plain(), "PNG"))
    expect(page.locator("#status")).to_have_attribute("data-kind", "info")
    draw_box(page, 0.25, 0.25, 0.75, 0.75)
    wait_for_answers(page)
    page.get_by_role("button", name="Copy picture").click()
    expect(page.locator(".toast-words")).to_have_text("The picture is copied.")
    page.keyboard.press("Control+V")  # and comes in again
    expect(page.locator(".strip-open")).to_have_count(2)


def test_where_nothing_can_be_copied_it_is_said(open_page: OpenPage) -> None:
    page = open_page()
    open_two(page)
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }")
    page.get_by_role("button", name="Copy names").click()
    expect(page.locator(".toast-words")).to_have_text(
        "Your browser does not let the page copy this. Save it instead."
    )


def test_json_describes_all_pictures_as_the_command_line_does(open_page: OpenPage) -> None:
    page = open_page()
    open_two(page)
    page.locator(".strip-open").nth(1).click()
    expect(boxes(page)).to_have_count(0)
    expect(page.locator("#status")).to_have_attribute("data-kind", "info")
    page.locator(".strip-open").first.click()
    expect(boxes(page)).to_have_count(1)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save JSON").click()
    assert download.value.suggested_filename == "kyara.json"
    document = json.load(io.BytesIO(Path(download.value.path()).read_bytes()))
    assert set(document["model"]) == {"name", "version"}
    first, second = document["images"]
    assert (first["source"], first["width"], first["height"]) == ("who.png", 400, 300)
    (face,) = first["faces"]
    assert [face["box"][key] for key in ("x", "y", "width", "height")] == pytest.approx(
        [100, 75, 200, 150], abs=2
    )
    assert face["verdict"] in ("known", "unknown")
    assert {"label", "name", "work", "confidence", "similarity"} <= set(face["answers"][0])
    assert second["faces"] == []


def test_nothing_is_offered_where_there_is_no_face(open_page: OpenPage) -> None:
    page = open_page()
    choose(page, encode(draw_plain(), "PNG"))
    expect(page.locator("#status")).to_have_attribute("data-kind", "info")
    expect(page.locator("#take-row")).to_be_hidden()


def test_the_name_of_a_box_that_was_moved_since_is_not_copied(
    open_page: OpenPage, server: Server
) -> None:
    page = open_page(**COPIED)
    open_drawn(page)
    page.context.set_offline(True)
    boxes(page).first.press("ArrowRight")
    expect(cards(page).first).to_contain_text("The box has changed")
    page.locator('[data-take="names"]').click()
    expect(page.locator(".toast-words")).to_have_text("The names are copied.")
    page.context.set_offline(False)
    assert read_clipboard(page, server) == "1. Not identified yet"
