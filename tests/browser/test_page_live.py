"""Live: a video or an animation plays while its faces are found, followed and named."""

from __future__ import annotations

import re
from pathlib import Path
from time import monotonic

import cv2
import numpy as np
import pytest
from playwright.sync_api import Locator, Page, Request, Route, expect
from steps import OpenPage, boxes, cards, choose, encode, open_plain, read_example

RATE = 10
FRAMES = 250
STEP_PX = 2
MOST_ASKED_A_SECOND = 2.5


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of 25 s in which the three faces of the example go to and fro."""
    path = tmp_path_factory.mktemp("clips") / "clip.webm"
    pixels = np.asarray(read_example(400))[:, :, ::-1]
    reach = 40
    width, height = (pixels.shape[1] - reach) // 2 * 2, pixels.shape[0] // 2 * 2
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"VP80"), RATE, (width, height))
    assert writer.isOpened()
    for number in range(FRAMES):
        left = abs((STEP_PX * number) % (2 * reach) - reach)
        writer.write(np.ascontiguousarray(pixels[:height, left : left + width]))
    writer.release()
    return path


def live_button(page: Page) -> Locator:
    return page.get_by_role("button", name="Live")


def live_boxes(page: Page) -> Locator:
    return page.locator(".live-box")


def answered_boxes(page: Page) -> Locator:
    return page.locator('.live-box:is([data-mark="known"], [data-mark="unknown"])')


def open_clip(page: Page, clip: Path) -> None:
    choose(page, clip)
    expect(live_button(page)).to_be_visible()
    expect(page.locator("#status")).to_have_attribute("data-kind", "done")


def start_live(page: Page) -> None:
    live_button(page).click()
    expect(live_button(page)).to_have_attribute("aria-pressed", "true")
    expect(live_boxes(page)).not_to_have_count(0)


def time_of(page: Page) -> float:
    return page.locator(".live-surface").evaluate("(video) => video.currentTime")


def wait_for_time(page: Page, seconds: float) -> None:
    page.wait_for_function(
        "(seconds) => document.querySelector('.live-surface').currentTime > seconds", arg=seconds
    )


def hear_questions(page: Page) -> list[float]:
    """Collect when the server is asked, from now on."""
    times: list[float] = []

    def hear(request: Request) -> None:
        if request.url.endswith("/api/identify"):
            times.append(monotonic())

    page.on("request", hear)
    return times


def test_faces_are_followed_and_named_while_the_video_goes_on(open_page: OpenPage, clip: Path) -> None:
    page = open_page()
    open_clip(page, clip)
    asked = hear_questions(page)
    start_live(page)
    begun = time_of(page)
    expect(cards(page)).to_have_count(0)
    named = answered_boxes(page).locator(".live-tag")
    expect(named.first).not_to_have_text("…")
    assert not page.locator(".live-surface").evaluate("(video) => video.paused")
    wait_for_time(page, max(time_of(page), begun) + 1)
    first = asked[0]
    wait_for_time(page, time_of(page) + 2)
    assert len(asked) <= 1 + MOST_ASKED_A_SECOND * (monotonic() - first)
    surface, place = page.locator(".live-surface").bounding_box(), named.first.bounding_box()
    assert surface
    assert place
    assert surface["x"] <= place["x"] <= surface["x"] + surface["width"]
    expect(page.locator("#frame-label")).to_have_attribute("aria-live", "off")


def test_boxes_move_with_the_faces(open_page: OpenPage, clip: Path) -> None:
    page = open_page()
    open_clip(page, clip)
    start_live(page)
    page.wait_for_function(
        """() => {
          globalThis.seen ??= new Map();
          for (const { dataset, style } of document.querySelectorAll(".live-box")) {
            const lefts = globalThis.seen.get(dataset.track) ?? new Set();
            globalThis.seen.set(dataset.track, lefts.add(style.left));
          }
          return [...globalThis.seen.values()].some((lefts) => lefts.size > 3);
        }"""
    )


@pytest.mark.parametrize("way", ["button", "l", "Escape", "picture"])
def test_pausing_leaves_the_frame_as_a_still_picture(open_page: OpenPage, clip: Path, way: str) -> None:
    page = open_page()
    open_clip(page, clip)
    start_live(page)
    wait_for_time(page, 0.5)
    if way == "button":
        live_button(page).press("Enter")
    elif way == "picture":
        page.locator(".live-layer").click(position={"x": 5, "y": 5})
    else:
        page.keyboard.press(way)
    expect(live_button(page)).to_have_attribute("aria-pressed", "false")
    expect(page.locator(".live-layer")).to_have_count(0)
    expect(live_boxes(page)).to_have_count(0)
    expect(boxes(page)).not_to_have_count(0)
    expect(page.locator("#status")).to_have_attribute("data-kind", "done")
    expect(cards(page)).not_to_have_count(0)
    expect(page.locator("#frame-label")).not_to_contain_text("0:00.0 of")
    asked = hear_questions(page)
    before = page.locator("#frame-label").inner_text()
    boxes(page).first.press("ArrowRight")  # it can be edited
    expect(page.locator('.face-card[data-mark="stale"]')).to_have_count(1)
    assert page.locator("#frame-label").inner_text() == before
    assert asked == []


def test_l_starts_live_and_a_hidden_tab_stands_still(open_page: OpenPage, clip: Path) -> None:
    page = open_page()
    open_clip(page, clip)
    page.keyboard.press("l")
    expect(live_boxes(page)).not_to_have_count(0)
    hide = """(hidden) => {
      Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.evaluate(hide, True)
    assert page.locator(".live-surface").evaluate("(video) => video.paused")
    stood = time_of(page)
    page.evaluate(hide, False)
    wait_for_time(page, stood + 0.3)
    expect(live_button(page)).to_have_attribute("aria-pressed", "true")


def test_stopped_and_started_in_a_hurry_it_goes_on(open_page: OpenPage, clip: Path) -> None:
    page = open_page()
    open_clip(page, clip)
    start_live(page)
    page.keyboard.press("l")
    page.keyboard.press("l")
    expect(live_button(page)).to_have_attribute("aria-pressed", "true")
    expect(answered_boxes(page).first).to_be_visible()
    wait_for_time(page, time_of(page) + 0.5)
    expect(boxes(page)).to_have_count(0)


def test_another_picture_ends_live(open_page: OpenPage, clip: Path) -> None:
    page = open_page()
    open_clip(page, clip)
    start_live(page)
    open_plain(page)
    expect(page.locator(".live-layer")).to_have_count(0)
    expect(page.locator("#live-panel")).to_be_hidden()
    expect(page.locator("#frame-row")).to_be_hidden()
    page.keyboard.press("l")  # a picture that stands still has nothing to play
    expect(page.locator(".live-layer")).to_have_count(0)


def test_the_slider_ends_live_at_its_frame(open_page: OpenPage, clip: Path) -> None:
    page = open_page()
    open_clip(page, clip)
    start_live(page)
    page.get_by_role("slider", name="Frame").press("End")
    expect(live_button(page)).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#frame-label")).to_contain_text("0:24.9 of 0:25.0")
    expect(page.locator("#status")).to_have_attribute("data-kind", "done")


def test_a_busy_server_is_left_alone_for_as_long_as_it_says(open_page: OpenPage, clip: Path) -> None:
    page = open_page(failures_expected=True)
    open_clip(page, clip)
    refused: list[float] = []

    def refuse(route: Route) -> None:
        refused.append(monotonic())
        route.fulfill(status=503, headers={"Retry-After": "2"}, json={"title": "Busy", "status": 503})

    page.route("**/api/identify", refuse)
    start_live(page)
    expect(page.locator("#status-text")).to_contain_text("Kyara is busy. Names go on in 2 s.")
    wait_for_time(page, time_of(page) + 1)  # playing does not wait
    page.wait_for_function("() => document.querySelectorAll('.live-box').length > 0")
    with page.expect_request("**/api/identify"):
        pass
    page.unroute("**/api/identify")
    assert min(np.diff(refused), default=2) >= 1.9
    expect(page.locator("#status-text")).to_contain_text("Live.")
    expect(
        page.locator('.live-box:is([data-mark="known"], [data-mark="unknown"])').first
    ).to_be_visible()


def test_offline_the_boxes_go_on_and_names_come_back_with_the_network(
    open_page: OpenPage, clip: Path
) -> None:
    page = open_page(failures_expected=True, fresh=True)
    open_clip(page, clip)
    page.context.set_offline(True)
    start_live(page)
    expect(page.locator("#status-text")).to_contain_text("You are offline. Names go on")
    wait_for_time(page, time_of(page) + 0.5)
    page.context.set_offline(False)
    expect(page.locator("#status-text")).to_contain_text("Live.")
    expect(
        page.locator('.live-box:is([data-mark="known"], [data-mark="unknown"])').first
    ).to_be_visible()


@pytest.mark.parametrize("form", ["GIF", "WEBP"])
def test_an_animation_plays_live_at_360_px(open_page: OpenPage, form: str) -> None:
    example = read_example(400)
    frames = [example.crop((2 * n, 0, example.width - 20 + 2 * n, example.height)) for n in range(10)]
    frames = [frame.quantize(64) if form == "GIF" else frame for frame in frames]
    data = encode(frames[0], form, save_all=True, append_images=frames[1:], duration=100, loop=0)
    page = open_page(width=360, height=780)
    choose(page, data, "moving")
    expect(page.locator("#status")).to_have_attribute("data-kind", "done")
    start_live(page)
    expect(
        page.locator('.live-box:is([data-mark="known"], [data-mark="unknown"])').first
    ).to_be_visible()
    labels = {page.locator("#frame-label").inner_text()}
    page.wait_for_function(
        "(label) => document.querySelector('#frame-label').textContent !== label", arg=labels.pop()
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.keyboard.press("Escape")
    expect(page.locator("#status")).to_have_attribute("data-kind", "done")
    expect(boxes(page)).not_to_have_count(0)


def test_a_video_that_ends_stays_at_its_end_and_live_begins_anew(
    open_page: OpenPage, tmp_path: Path
) -> None:
    path = tmp_path / "short.webm"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"VP80"), RATE, (160, 120))
    for number in range(8):
        writer.write(np.full((120, 160, 3), 20 * number, np.uint8))
    writer.release()
    page = open_page()
    choose(page, path)
    expect(page.locator("#status")).to_have_attribute("data-kind", "info")
    # It lasts less than a second: what is shown meanwhile is kept, for a busy machine to look at later.
    page.evaluate(
        """() => {
          const label = document.querySelector("#frame-label");
          const keep = () => document.documentElement.dataset.shown += label.textContent;
          new MutationObserver(keep).observe(
            label, { childList: true, characterData: true, subtree: true });
        }"""
    )
    for _ in range(2):
        page.evaluate("document.documentElement.dataset.shown = ''")
        live_button(page).click()
        played = re.compile(r"0:00\.[0-4] of.*0:00\.8 of", re.DOTALL)
        expect(page.locator("html")).to_have_attribute("data-shown", played)
        expect(live_button(page)).to_have_attribute("aria-pressed", "false")
