"""Live: a video or an animation plays while its faces are found, followed and named."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import cv2
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, Request, Route, expect
from steps import (
    FACES_IN_EXAMPLE,
    PHONE,
    OpenPage,
    boxes,
    cards,
    choose,
    encode,
    open_plain,
    place,
    read_example,
)
from verdict_models import write_strict_model

from classification import Classifier
from kyara.recognition.answers import Verdict
from kyara.recognition.gallery import scale_to_unit
from kyara.vision.detectors.lbp_cascade import CascadeDetector
from kyara.vision.images import cut_window
from scripts.local_site import Server

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


def test_a_load_that_fails_is_begun_again(open_page: OpenPage, clip: Path) -> None:
    page = open_page()
    page.evaluate("""() => {
        const { get, set } = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, "src");
        const broken = URL.createObjectURL(new Blob(["broken"], { type: "video/webm" }));
        let loads = 0;
        Object.defineProperty(HTMLMediaElement.prototype, "src", {
            get,
            set(value) { set.call(this, ++loads === 1 ? broken : value); },
        });
    }""")
    open_clip(page, clip)
    start_live(page)


def test_a_probable_name_is_a_question_and_not_on_the_list(
    open_page: OpenPage, verdict_server: Callable[[Verdict], Server], clip: Path
) -> None:
    page = open_page(at=verdict_server("probably"))
    open_clip(page, clip)
    start_live(page)
    tag = page.locator('.live-box[data-mark="probably"] .live-tag').first
    expect(tag).to_have_text(re.compile(r"^.+\?$"))
    for _ in range(4):  # after two answers somebody who is known would be on it
        with page.expect_response("**/api/identify"):
            pass
    expect(page.locator(".live-person")).to_have_count(0)
    expect(page.locator("#live-nobody")).to_be_visible()


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
    asked: list[int] = []
    page.route(
        "**/api/identify",
        lambda route: asked.append(len(json.loads(route.request.post_data or "")["crops"])),
    )
    before = page.locator("#frame-label").inner_text()
    boxes(page).first.press("ArrowRight")  # it can be edited
    expect(page.locator('.face-card:is([data-mark="stale"], [data-mark="asking"])')).to_have_count(1)
    assert page.locator("#frame-label").inner_text() == before
    assert asked in ([], [1]), "the moved box alone is asked about, in a moment"


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


def test_where_fingers_touch_live_is_stopped_by_a_tap(open_page: OpenPage, clip: Path) -> None:
    page = open_page(**PHONE)
    open_clip(page, clip)
    start_live(page)
    expect(page.locator("#status-text")).to_have_text("Live. To stop at a frame, tap the picture.")
    page.locator(".live-layer").tap(position={"x": 5, "y": 5})
    expect(live_button(page)).to_have_attribute("aria-pressed", "false")


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


def timeline_spans(page: Page) -> Locator:
    return page.locator(".timeline-span")


@pytest.fixture
def known_page(open_page: OpenPage, verdict_server: Callable[[Verdict], Server], clip: Path) -> Page:
    """Live on the clip; every face in it is somebody who is known."""
    page = open_page(at=verdict_server("known"), permissions=["clipboard-write"])
    open_clip(page, clip)
    start_live(page)
    expect(timeline_spans(page).first).to_be_visible()
    return page


def test_the_timeline_tells_who_appeared_when_while_it_plays_and_after(known_page: Page) -> None:
    page = known_page
    span = timeline_spans(page).first
    seen = (
        "[...document.querySelectorAll('.timeline-span')].reduce((sum, one) => sum + one.offsetWidth, 0)"
    )
    page.wait_for_function(f"(before) => {seen} > before + 5", arg=page.evaluate(seen))
    named = set(page.locator(".live-name").all_inner_texts())
    page.keyboard.press("Escape")
    expect(page.locator("#status")).to_have_attribute("data-kind", "done")
    assert named <= set(page.locator(".timeline-name").all_inner_texts())
    expect(span).to_be_visible()
    expect(span).to_have_attribute("aria-label", re.compile(r"^.+, from 0:00\.\d to 0:0\d\.\d$"))
    start_live(page)  # the same picture: what was seen in it stays
    expect(span).to_be_visible()
    open_plain(page)
    expect(page.locator("#timeline")).to_be_hidden()


def test_a_click_on_the_timeline_goes_there(known_page: Page) -> None:
    page = known_page
    lane = page.locator(".timeline-lane").first
    _, _, width, height = place(lane)
    lane.click(position={"x": 0.6 * width, "y": height / 2})
    wait_for_time(page, 14)
    expect(live_button(page)).to_have_attribute("aria-pressed", "true")
    expect(live_boxes(page)).not_to_have_count(0)  # it goes on there
    page.keyboard.press("Escape")
    expect(page.locator("#status")).to_have_attribute("data-kind", "done")
    span = timeline_spans(page).first
    begins = re.search(r"from (\S+) to", span.get_attribute("aria-label") or "")
    assert begins
    span.press("Enter")
    expect(page.locator("#frame-label")).to_contain_text(f"{begins[1]} of")
    expect(page.locator("#status")).to_have_attribute("data-kind", "done")
    expect(cards(page)).not_to_have_count(0)


def test_the_timeline_is_copied_as_text_and_as_webvtt(known_page: Page) -> None:
    page = known_page
    page.keyboard.press("Escape")
    expect(page.locator("#status")).to_have_attribute("data-kind", "done")
    name = page.locator(".timeline-name").first.inner_text()
    lines = copy(page, "Copy as text").splitlines()
    assert re.fullmatch(r"00:00:0\d\.\d – 00:00:\d\d\.\d  " + re.escape(name) + "( — .+)?", lines[0])
    head, empty, times, words, *_ = copy(page, "Copy as WebVTT").splitlines()
    assert (head, empty, words) == ("WEBVTT", "", name)
    found = re.fullmatch(r"00:00:(\d\d\.\d{3}) --> 00:00:(\d\d\.\d{3})", times)
    assert found
    assert float(found[1]) < float(found[2])


def copy(page: Page, name: str) -> str:
    """Press a button that copies, and paste: a page of ours may not read the clipboard."""
    page.evaluate(
        """() => { globalThis.pasted = new Promise((resolve) => {
          addEventListener("paste", (event) => {
            event.stopImmediatePropagation();
            resolve(event.clipboardData.getData("text/plain"));
          }, { capture: true, once: true });
        }); }"""
    )
    button = page.get_by_role("button", name=name)
    button.click()
    expect(button).to_have_attribute("data-done", "")
    page.keyboard.press("Control+V")
    return page.evaluate("globalThis.pasted")


def test_where_copying_is_not_allowed_the_page_says_so(known_page: Page) -> None:
    page = known_page
    page.keyboard.press("Escape")
    expect(page.locator("#status")).to_have_attribute("data-kind", "done")
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }")
    page.get_by_role("button", name="Copy as text").click()
    expect(page.locator("#status-text")).to_have_text(
        "Your browser does not let Kyara copy. It does so over https."
    )


def test_at_a_cut_the_boxes_are_dropped_and_none_is_dragged_into_the_next_scene(
    open_page: OpenPage, tmp_path: Path
) -> None:
    scene = read_example(400)
    other = scene.transpose(Image.Transpose.FLIP_LEFT_RIGHT)  # equally bright, the faces elsewhere
    path = tmp_path / "cut.webm"
    size = (scene.width // 2 * 2, scene.height // 2 * 2)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"VP80"), RATE, size)
    for frame in [scene] * 60 + [other] * 60:
        writer.write(np.ascontiguousarray(np.asarray(frame)[: size[1], : size[0], ::-1]))
    writer.release()
    page = open_page()
    open_clip(page, path)
    start_live(page)
    page.evaluate(
        """() => {
          globalThis.seen = { before: new Set(), after: new Set() };
          const note = () => {
            const { currentTime } = document.querySelector(".live-surface") ?? {};
            const scene = currentTime < 6 ? "before" : currentTime > 6.3 ? "after" : null;
            for (const { dataset } of document.querySelectorAll(".live-box"))
              if (scene) globalThis.seen[scene].add(dataset.track);
            requestAnimationFrame(note);
          };
          note();
        }"""
    )
    wait_for_time(page, 6.5)
    page.wait_for_function("() => globalThis.seen.after.size > 0")
    before, after = page.evaluate("[[...globalThis.seen.before], [...globalThis.seen.after]]")
    assert before
    assert not set(before) & set(after)


def still_animation(image: Image.Image) -> bytes:
    """An animation, without loss, of two frames that differ in one pixel by as little as can be."""
    other = image.copy()
    red, *rest = image.getpixel((0, 0))  # type: ignore[misc]
    other.putpixel((0, 0), (red ^ 1, *rest))
    return encode(image, "PNG", save_all=True, append_images=[other], duration=500, loop=0)


def measure_least_likeness(classifier: Classifier, image: Image.Image) -> float:
    """Return the lowest cosine between two faces of a picture: each machine's tiny model has its own."""
    pixels, finder = np.ascontiguousarray(image), CascadeDetector()
    find_window = classifier.bundle.preprocessing.find_window
    crops = [
        cut_window(pixels, find_window(face, finder.box_scale, image.width, image.height))
        for face in finder.find(pixels)
    ]
    unit = scale_to_unit(classifier.backbone.extract(crops))
    return float((unit @ unit.T).min())


def test_whom_this_browser_was_taught_is_marked(
    open_page: OpenPage,
    own_server: Callable[..., Server],
    tiny_bundle: Path,
    tiny_classifier: Classifier,
    tmp_path: Path,
) -> None:
    least = measure_least_likeness(tiny_classifier, read_example(400))
    write_strict_model(tiny_bundle, tmp_path / "model", named_from=least + (1 - least) * 0.75)
    page = open_page(at=own_server(tmp_path / "model"))
    choose(page, still_animation(read_example(400)))
    expect(page.locator("#status")).to_have_attribute("data-kind", "done")
    cards(page).first.locator(".card-wrong").click()
    page.keyboard.type("Mine Alone")
    page.locator("#report-here").click()
    expect(cards(page).first.locator(".card-mine")).to_be_visible()
    start_live(page)
    own = live_boxes(page).filter(has_text="Mine Alone").first
    expect(own.locator(".live-mine")).to_be_visible()
    person = page.locator(".live-person").filter(has_text="Mine Alone")
    expect(person.locator(".live-mine")).to_be_visible()
    unknown = page.locator('.live-box[data-mark="unknown"]').first
    expect(unknown).to_be_visible()
    expect(unknown.locator(".live-mine")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(page.locator("#status")).to_have_attribute("data-kind", "done")


def look_live(page: Page, image: Image.Image) -> tuple[list[list[int]], list[str]]:
    """Where Live finds the faces of a picture, in its pixels, and the crops that it asks about first."""
    choose(page, still_animation(image))
    expect(page.locator("#status")).to_have_attribute("data-kind", "done")
    with page.expect_request("**/api/identify") as request:
        start_live(page)
    expect(answered_boxes(page)).not_to_have_count(0)
    found = live_boxes(page).evaluate_all(
        """(all, size) => all.map(({ style }) => ["left", "top", "width", "height"].map((side, place) =>
            Math.round(parseFloat(style[side]) / 100 * size[place % 2])))""",
        image.size,
    )
    return sorted(found), sorted(json.loads(request.value.post_data or "")["crops"])


def test_black_bars_change_nothing_in_live(open_page: OpenPage) -> None:
    image = read_example(400)
    barred = Image.new("RGB", (image.width + 60, image.height + 400))
    barred.paste(image, (20, 250))
    page = open_page()
    found, crops = look_live(page, image)
    assert len(found) >= FACES_IN_EXAMPLE
    again, seen = look_live(page, barred)
    assert [[x - 20, y - 250, *size] for x, y, *size in again] == found
    assert seen == crops


def test_a_dark_frame_hides_nothing_of_a_moving_picture(bare_page: Page) -> None:
    assert bare_page.evaluate(
        """async () => {
          const { MovingPart } = await import("/static/js/faces/bars.js");
          const draw = (...lights) => {
            const canvas = new OffscreenCanvas(80, 60);
            const context = canvas.getContext("2d");
            context.fillRect(0, 0, 80, 60);
            context.fillStyle = "white";
            for (const light of lights) context.fillRect(...light);
            return canvas.transferToImageBitmap();
          };
          const part = new MovingPart();
          const [small, other] = [[30, 20, 10, 10], [10, 10, 30, 5]];
          const frames = [draw(), draw(small), ...[1, 2, 3].map(() => draw(small)), draw(other), draw()];
          return frames.map((frame) => Object.values(part.see(frame)));
        }"""
    ) == [*[[0, 0, 80, 60]] * 2, *[[30, 20, 10, 10]] * 3, *[[10, 10, 30, 20]] * 2]


def test_a_new_scene_is_searched_for_bars_at_once(bare_page: Page) -> None:
    assert bare_page.evaluate(
        """async () => {
          const { MovingPart } = await import("/static/js/faces/bars.js");
          const draw = (...light) => {
            const canvas = new OffscreenCanvas(80, 60);
            const context = canvas.getContext("2d");
            context.fillRect(0, 0, 80, 60);
            context.fillStyle = "white";
            context.fillRect(...light);
            return canvas.transferToImageBitmap();
          };
          const part = new MovingPart();
          const see = (...light) => Object.values(part.see(draw(...light)));
          for (let count = 0; count < 10; count += 1) see(30, 20, 10, 10); // a dark opening
          const before = see(0, 10, 80, 40);
          part.lookAnew();
          return [before, see(0, 10, 80, 40), see(30, 20, 10, 10)];
        }"""
    ) == [[30, 20, 10, 10], [0, 10, 80, 40], [0, 10, 80, 40]]
