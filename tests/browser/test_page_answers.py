"""The server's answers on the page: names, stale ones, a busy server, no server, no network."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Request, Route, expect
from steps import (
    OpenPage,
    boxes,
    cards,
    choose,
    draw_box,
    draw_plain,
    encode,
    open_example,
    open_plain,
    wait_for_answers,
)
from waiting import wait_until

from kyara.recognition.answers import Verdict
from scripts.local_site import Server

StartServer = Callable[..., Server]
MOVE_UP = """(numbers) => {
    const boxes = [...document.querySelectorAll(".face-box")];
    for (const number of numbers)
        boxes[number].dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowUp", bubbles: true }));
}"""
"""Move boxes at once, by the keyboard: after 0.8 s they are asked about."""


@pytest.mark.parametrize(
    ("language", "unknown", "wrong", "tell"),
    [
        ("en", "Not someone I know", "Wrong?", "Tell Kyara who it is"),
        ("zh", "我不认识这个角色", "不对？", "告诉 Kyara 这是谁"),
        ("ja", "知らないキャラクターです", "ちがう？", "だれなのか教える"),
    ],
)
def test_answers_come_without_a_click_in_the_readers_language(
    open_page: OpenPage, language: str, unknown: str, wrong: str, tell: str
) -> None:
    page = open_page(language)
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request) if "/api/identify" in request.url else None)
    faces = open_example(page)
    assert len(asked) == 1, "all faces are asked about at once"
    sent = json.loads(asked[0].post_data or "")
    assert sent["language"] == language
    assert len(sent["crops"]) == faces
    for card in cards(page).all():
        mark = card.get_attribute("data-mark")
        verdict = card.locator(".card-verdict")
        assert mark in ("known", "unknown")  # the model has no threshold for what is probable
        if mark == "unknown":
            expect(verdict).to_have_text(unknown)
        else:
            expect(verdict).to_have_text(card.locator(".answer-name").first.inner_text())
        percents = card.locator(".answer-percent").all_inner_texts()
        assert bool(percents) == (mark == "known")
        assert all("%" in percent for percent in percents)
        expect(card.locator(".card-wrong")).to_have_text(tell if mark == "unknown" else wrong)


def test_names_and_works_are_in_the_readers_language(
    open_page: OpenPage, verdict_server: Callable[[Verdict], Server]
) -> None:
    seen = {}
    for language, name, work in (
        ("en", "Aka Ribbon", "The Drawn Four"),
        ("zh", "红丝带", "四个画中人"),
        ("ja", "赤リボン", "描かれた四人"),
    ):
        page = open_page(language, at=verdict_server("known"))
        open_plain(page)
        draw_box(page, 0.2, 0.2, 0.6, 0.7)
        row = cards(page).locator(".answer", has_text=name)
        expect(row.locator(".answer-work")).to_have_text(work)
        seen[language] = row.locator(".answer-percent").inner_text()
    assert len(set(seen.values())) == 1


def test_a_moved_box_is_stale_until_asked_again(open_page: OpenPage) -> None:
    page = open_page(failures_expected=True)
    open_example(page)
    button = page.locator("#identify-button")
    expect(button).to_have_text("All identified")
    expect(button).to_be_disabled()
    page.route("**/api/identify", lambda route: route.abort())
    page.evaluate(MOVE_UP, [0, 2])
    expect(page.locator("#status-text")).to_have_text("Kyara cannot be reached.")
    expect(page.locator(".card-stale:visible")).to_have_count(2)
    expect(boxes(page).first).to_have_attribute("data-mark", "stale")
    expect(cards(page).nth(1)).not_to_have_attribute("data-mark", "stale")
    expect(button).to_have_text("Identify 2 faces")
    page.unroute("**/api/identify")
    with page.expect_request("**/api/identify") as request:
        button.click()
    assert len(json.loads(request.value.post_data or "")["crops"]) == 2
    expect(page.locator(".card-stale:visible")).to_have_count(0)
    wait_for_answers(page)


def test_moved_boxes_are_asked_again_by_themselves_in_one_question(open_page: OpenPage) -> None:
    page = open_page()
    open_example(page)
    with page.expect_request("**/api/identify") as request:
        page.evaluate(MOVE_UP, [0, 2, 2])
    assert len(json.loads(request.value.post_data or "")["crops"]) == 2
    expect(page.locator("#identify-button")).to_have_text("All identified")
    expect(page.locator(".card-stale:visible")).to_have_count(0)
    wait_for_answers(page)


def test_an_added_box_is_asked_about_by_itself(open_page: OpenPage) -> None:
    page = open_page()
    open_plain(page)
    with page.expect_request("**/api/identify"):
        page.locator("#add-button").click()
        expect(page.locator("#status-text")).to_contain_text("Box added.")
    wait_for_answers(page)
    expect(cards(page).first.locator(".answer")).not_to_have_count(0)


def test_a_move_that_is_undone_at_once_asks_nothing(open_page: OpenPage) -> None:
    page = open_page(fresh=True)  # a clock stays with its profile
    open_example(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "identify" in request.url else None)
    page.clock.install()
    page.clock.pause_at(time.time() + 3600)
    boxes(page).first.press("ArrowUp")
    page.keyboard.press("Control+z")
    page.clock.run_for(10_000)
    expect(page.locator(".card-stale:visible")).to_have_count(0)
    assert asked == []


def test_a_picture_without_faces_invites_to_draw(open_page: OpenPage) -> None:
    page = open_page()
    open_plain(page)
    expect(page.locator("#status-text")).to_contain_text("No face found. Draw a box")
    expect(page.locator("#no-cards")).to_be_visible()
    draw_box(page, 0.2, 0.2, 0.6, 0.7)
    expect(page.locator("#no-cards")).to_be_hidden()
    wait_for_answers(page)
    expect(cards(page).first.locator(".answer")).not_to_have_count(0)


def test_crops_are_cut_from_source_pixels_and_as_large_as_the_model_needs(open_page: OpenPage) -> None:
    image = Image.new("RGB", (3000, 2000), "#3060c0")
    image.paste("#f0d020", (0, 0, 1500, 2000))
    page = open_page()
    open_plain(page, image)
    with page.expect_request("**/api/identify") as request:
        draw_box(page, 0.25, 0.25, 0.75, 0.75)
    (crop,) = json.loads(request.value.post_data or "")["crops"]
    size, left, right = page.evaluate(
        """async (url) => {
            const image = new Image();
            image.src = url;
            await image.decode();
            const canvas = new OffscreenCanvas(image.width, image.height);
            const context = canvas.getContext("2d");
            context.drawImage(image, 0, 0);
            const at = (x) => [...context.getImageData(x, 20, 1, 1).data].slice(0, 3);
            return [[image.width, image.height], at(10), at(image.width - 10)];
        }""",
        crop,
    )
    assert size == [256, pytest.approx(171, abs=2)]
    assert left == [0xF0, 0xD0, 0x20]
    assert right == [0x30, 0x60, 0xC0]
    wait_for_answers(page)


@pytest.mark.parametrize(
    ("side", "noisy", "kind"),
    [(150, True, "data:image/png"), (512, False, "data:image/png"), (512, True, "data:image/jpeg")],
)
def test_32_crops_fit_into_one_request(open_page: OpenPage, side: int, noisy: bool, kind: str) -> None:
    crops = open_page().evaluate(
        """async ([side, noisy]) => {
            const { encodeCrops } = await import("/static/js/picture/crops.js");
            const image = new ImageData(side, side);
            for (let at = 0; at < image.data.length; at += 65536) {
                const part = image.data.subarray(at, at + 65536);
                if (noisy) crypto.getRandomValues(part);
                else part.fill(200);
            }
            const box = { x: 0, y: 0, width: side, height: side };
            return encodeCrops(await createImageBitmap(image), Array(32).fill(box));
        }""",
        [side, noisy],
    )
    assert len(crops) == 32
    assert sum(map(len, crops)) < 8 * 1024 * 1024 - 10_000
    assert all(crop.startswith(kind) for crop in crops)


@pytest.mark.parametrize(
    ("language", "text"), [("en", "very busy"), ("zh", "非常忙"), ("ja", "混み合って")]
)
def test_a_busy_server_is_asked_again_and_then_explained(
    open_page: OpenPage, own_server: StartServer, language: str, text: str
) -> None:
    busy = own_server(MAX_QUEUED=0)
    page = open_page(language, at=busy, failures_expected=True)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "identify" in request.url else None)
    page.clock.install()
    choose(page, encode(draw_plain(), "PNG"))
    expect(page.locator("#status")).to_have_attribute("data-kind", "info")
    draw_box(page, 0.2, 0.2, 0.6, 0.7)
    for _ in range(3):
        expect(page.locator("#status")).to_have_attribute("data-kind", "busy")
        with page.expect_response("**/api/identify") as response:
            page.clock.run_for(10_000)
        assert response.value.status == 503
    expect(page.locator("#status")).to_have_attribute("data-kind", "error")
    expect(page.locator("#status-text")).to_contain_text(text)
    expect(page.locator("#status-action")).to_be_visible()
    assert len(asked) == 4


def test_a_stopped_server_is_explained_and_can_be_asked_again(
    open_page: OpenPage, own_server: StartServer, tiny_model_folder: Path
) -> None:
    first = own_server()
    page = open_page(at=first, failures_expected=True)
    open_plain(page)
    first.stop()
    draw_box(page, 0.2, 0.2, 0.6, 0.7)
    expect(page.locator("#status-text")).to_have_text("Kyara cannot be reached.")
    expect(cards(page).first.locator(".card-verdict")).to_have_text("Not identified yet")
    port = int(first.url.rpartition(":")[2])
    again = Server(first.reports, model=tiny_model_folder, port=port)
    try:
        page.locator("#status-action").click()
        wait_for_answers(page)
    finally:
        again.stop()


def test_offline_the_page_waits_and_asks_when_it_is_back(open_page: OpenPage) -> None:
    page = open_page(failures_expected=True)
    open_plain(page)
    page.context.set_offline(True)
    draw_box(page, 0.2, 0.2, 0.6, 0.7)
    expect(page.locator("#status-text")).to_contain_text("You are offline")
    page.context.set_offline(False)
    wait_for_answers(page)
    expect(cards(page).first.locator(".answer")).not_to_have_count(0)


def test_a_server_without_a_model_says_so(
    open_page: OpenPage, own_server: StartServer, tmp_path: Path
) -> None:
    page = open_page(at=own_server(tmp_path / "no-model"), failures_expected=True)
    open_plain(page)
    draw_box(page, 0.2, 0.2, 0.6, 0.7)
    expect(page.locator("#status")).to_have_attribute("data-kind", "error")
    expect(page.locator("#status-text")).to_contain_text("Kyara could not answer:")


def test_without_the_face_finder_boxes_can_be_drawn(open_page: OpenPage) -> None:
    page = open_page(fresh=True, failures_expected=True)
    page.context.route("**/opencv.wasm", lambda route: route.abort())
    choose(page, encode(draw_plain(), "PNG"))
    expect(page.locator("#status-text")).to_contain_text("The face finder could not be loaded")
    draw_box(page, 0.2, 0.2, 0.6, 0.7)
    wait_for_answers(page)
    page.context.unroute("**/opencv.wasm")
    choose(page, encode(draw_plain(color="#e0d0ff"), "PNG"))
    expect(page.locator("#status-text")).to_contain_text("No face found")


def test_a_picture_is_searched_though_the_finder_began_to_load_without_a_network(
    open_page: OpenPage,
) -> None:
    page = open_page(fresh=True, failures_expected=True)
    held: list[Route] = []

    def lose_the_first(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    page.context.route("**/opencv.wasm", lose_the_first)
    page.mouse.move(50, 50)
    page.mouse.move(60, 60)
    wait_until(lambda: page.title() and held)  # Playwright takes up requests while it is asked something
    choose(page, encode(draw_plain(), "PNG"))
    expect(page.locator("#status-text")).to_contain_text("Loading the face finder")
    held[0].abort()
    expect(page.locator("#status-text")).to_contain_text("No face found")
