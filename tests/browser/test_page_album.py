"""Several pictures, and nothing lost: reload, way back, logo, another picture, another language."""

from __future__ import annotations

import pytest
from PIL import Image
from playwright.sync_api import Page, Request, expect
from steps import (
    HOLD_DATABASE,
    PHONE,
    OpenPage,
    boxes,
    bring,
    cards,
    choose,
    choose_several,
    draw_box,
    draw_plain,
    encode,
    open_example,
    place,
    seen_size,
    thumbnails,
    wait_for_answers,
)

WIDE = encode(draw_plain(400, 200), "PNG")
HIGH = encode(draw_plain(300, 400, "#ffd0d0"), "PNG")
SQUARE = encode(draw_plain(300, 300, "#d0ffd0"), "PNG")


def choose_three(page: Page) -> None:
    files = [("wide.png", WIDE), ("high.png", HIGH), ("square.png", SQUARE)]
    choose_several(page, *files)
    expect(thumbnails(page)).to_have_count(3)
    expect(page.locator("#status")).to_have_attribute("data-kind", "info")


def expect_shape(page: Page, shape: float) -> None:
    page.wait_for_function(
        """(shape) => {
            const box = document.querySelector("cropper-canvas")?.getBoundingClientRect();
            return box && Math.abs(box.width / box.height - shape) < 0.02;
        }""",
        arg=shape,
    )


def hear_questions(page: Page) -> list[Request]:
    asked: list[Request] = []
    page.on("request", lambda one: asked.append(one) if one.url.endswith("/api/identify") else None)
    return asked


def test_several_pictures_become_a_row_of_thumbnails(open_page: OpenPage) -> None:
    page = open_page()
    choose_three(page)
    expect_shape(page, 2)
    expect(thumbnails(page).first).to_have_attribute("aria-current", "true")
    expect(thumbnails(page).nth(1)).to_have_attribute("aria-label", "Picture 2 of 3: high.png")
    expect(page.locator(".strip-item[data-drawn]")).to_have_count(3)
    thumbnails(page).nth(1).press("Enter")
    expect_shape(page, 3 / 4)
    expect(thumbnails(page).nth(1)).to_have_attribute("aria-current", "true")
    expect(thumbnails(page).first).not_to_have_attribute("aria-current", "true")


def test_one_picture_needs_no_thumbnail(open_page: OpenPage) -> None:
    page = open_page()
    choose(page, WIDE)
    expect_shape(page, 2)
    expect(page.locator("#pictures")).to_be_hidden()


def test_several_dropped_pictures_are_taken_and_a_broken_one_is_passed_over(open_page: OpenPage) -> None:
    page = open_page()
    bring(page, "drop", {}, [("broken.png", WIDE[:60]), ("high.png", HIGH), ("square.png", SQUARE)])
    expect_shape(page, 3 / 4)
    expect(thumbnails(page)).to_have_count(2)


def test_each_picture_keeps_its_boxes_and_answers(open_page: OpenPage) -> None:
    page = open_page()
    choose_three(page)
    draw_box(page, 0.2, 0.2, 0.5, 0.6)
    wait_for_answers(page)
    before = place(boxes(page).first)
    verdict = cards(page).first.locator(".card-verdict").inner_text()
    asked = hear_questions(page)
    thumbnails(page).nth(2).click()
    expect_shape(page, 1)
    expect(boxes(page)).to_have_count(0)
    expect(page.locator("#status")).to_have_attribute("data-kind", "info")
    thumbnails(page).first.click()
    expect_shape(page, 2)
    expect(boxes(page)).to_have_count(1)
    assert place(boxes(page).first) == pytest.approx(before, abs=1)
    expect(cards(page).first.locator(".card-verdict")).to_have_text(verdict)
    expect(page.locator("#status")).to_have_attribute("data-kind", "done")
    assert asked == [], "the answers are kept"
    page.locator("#undo-button").click()
    expect(boxes(page)).to_have_count(0)


def test_a_reload_keeps_picture_boxes_answers_and_undo(open_page: OpenPage) -> None:
    page = open_page()
    faces = open_example(page)
    draw_box(page, 0.1, 0.72, 0.3, 0.95)
    wait_for_answers(page)
    verdicts = cards(page).locator(".card-verdict").all_inner_texts()
    before = place(boxes(page).last)
    asked = hear_questions(page)
    page.reload()
    expect(boxes(page)).to_have_count(faces + 1)
    expect(cards(page).locator(".card-verdict")).to_have_text(verdicts)
    after = place(boxes(page).last)
    assert (after[0], *after[2:]) == pytest.approx((before[0], *before[2:]), abs=1)
    assert asked == []
    page.locator("#undo-button").click()
    expect(boxes(page)).to_have_count(faces)


def test_what_an_earlier_page_kept_of_reports_is_passed_over(open_page: OpenPage) -> None:
    page = open_page()
    choose(page, WIDE)
    expect_shape(page, 2)
    draw_box(page, 0.2, 0.2, 0.5, 0.6)
    wait_for_answers(page)
    page.evaluate(
        """() => addEventListener("pagehide", () => {
            const left = JSON.parse(sessionStorage.getItem("left-picture"));
            left.view.saved.reported = left.view.saved.faces.map(({ id }) => id);
            sessionStorage.setItem("left-picture", JSON.stringify(left));
        })"""
    )
    page.reload()
    page.wait_for_selector("html[data-ready]", state="attached")
    expect(boxes(page)).to_have_count(1)
    expect(cards(page).first.locator(".card-wrong")).to_be_visible()


def test_a_turned_picture_is_turned_after_a_reload(open_page: OpenPage) -> None:
    page = open_page()
    choose(page, WIDE)
    expect_shape(page, 2)
    page.locator("#turn-button").click()
    expect_shape(page, 1 / 2)
    draw_box(page, 0.2, 0.2, 0.6, 0.6)
    wait_for_answers(page)
    page.reload()
    expect_shape(page, 1 / 2)
    expect(boxes(page)).to_have_count(1)


def test_the_way_back_leads_from_picture_to_picture(open_page: OpenPage) -> None:
    page = open_page()
    choose(page, WIDE)
    expect_shape(page, 2)
    draw_box(page, 0.2, 0.2, 0.5, 0.6)
    wait_for_answers(page)
    choose(page, HIGH)
    expect_shape(page, 3 / 4)
    page.go_back()
    expect_shape(page, 2)
    expect(boxes(page)).to_have_count(1)
    page.go_back()
    expect(page.locator("#welcome")).to_be_visible()
    expect(page.locator("#workspace")).to_be_hidden()
    expect(page.locator("#status")).to_be_hidden()
    page.go_forward()
    expect_shape(page, 2)
    page.go_forward()
    expect_shape(page, 3 / 4)


def test_the_logo_leaves_the_picture_where_it_can_be_had_again(open_page: OpenPage) -> None:
    page = open_page()
    choose(page, WIDE)
    expect_shape(page, 2)
    draw_box(page, 0.2, 0.2, 0.5, 0.6)
    wait_for_answers(page)
    page.get_by_role("link", name="Kyara").click()
    expect(page.locator("#welcome")).to_be_visible()
    expect(thumbnails(page)).to_have_count(1)
    thumbnails(page).first.click()
    expect_shape(page, 2)
    expect(boxes(page)).to_have_count(1)


def test_another_page_and_back_keeps_the_picture(open_page: OpenPage) -> None:
    page = open_page()
    choose(page, WIDE)
    expect_shape(page, 2)
    draw_box(page, 0.2, 0.2, 0.5, 0.6)
    wait_for_answers(page)
    page.get_by_role("link", name="API for programs").click()
    expect(page.locator("#api-docs")).to_be_visible()
    page.go_back()
    expect_shape(page, 2)
    expect(boxes(page)).to_have_count(1)


def test_a_language_keeps_all_pictures_and_asks_for_names_in_it(open_page: OpenPage) -> None:
    page = open_page()
    choose_three(page)
    draw_box(page, 0.2, 0.2, 0.5, 0.6)
    wait_for_answers(page)
    with page.expect_request("**/api/identify") as request:
        page.get_by_role("link", name="日本語").click()
    assert '"language":"ja"' in (request.value.post_data or "")
    expect(page.locator("html")).to_have_attribute("lang", "ja")
    expect(thumbnails(page)).to_have_count(3)
    expect_shape(page, 2)
    expect(boxes(page)).to_have_count(1)
    wait_for_answers(page)


def test_a_picture_that_is_removed_can_be_had_back(open_page: OpenPage) -> None:
    page = open_page(fresh=True)
    choose_three(page)
    page.get_by_role("button", name="Remove picture 1").click()
    expect(thumbnails(page)).to_have_count(2)
    expect_shape(page, 3 / 4)
    page.locator(".toast-undo").click()
    expect(thumbnails(page)).to_have_count(3)
    expect(thumbnails(page).first).to_have_attribute("aria-label", "Picture 1 of 3: wide.png")
    page.wait_for_function(COUNT_FILES, arg=3)
    page.get_by_role("button", name="Remove picture 3").click()
    page.wait_for_function(COUNT_FILES, arg=2)
    page.reload()
    expect(thumbnails(page)).to_have_count(2)
    expect_shape(page, 3 / 4)


@pytest.mark.parametrize("order", [(3, 2), (1, 1)], ids=["others", "the one that is shown"])
def test_who_removes_by_keyboard_goes_on_by_keyboard(
    open_page: OpenPage, order: tuple[int, int]
) -> None:
    page = open_page(fresh=True)
    choose_three(page)
    page.get_by_role("button", name=f"Remove picture {order[0]}").press("Enter")
    expect(thumbnails(page)).to_have_count(2)
    expect(page.locator(".strip-open:focus")).to_have_count(1)
    page.get_by_role("button", name=f"Remove picture {order[1]}").press("Enter")
    expect(thumbnails(page).first).to_be_hidden()
    expect(page.locator(".toast-undo").last).to_be_focused()
    page.keyboard.press("Enter")
    expect(thumbnails(page)).to_have_count(2)
    expect(thumbnails(page).nth(order[1] - 1)).to_be_focused()


def test_a_picture_that_is_gone_already_takes_no_other_with_it(open_page: OpenPage) -> None:
    page = open_page()
    choose_three(page)
    page.locator(".strip-remove").first.evaluate("(button) => (button.click(), button.click())")
    expect(thumbnails(page)).to_have_count(2)
    page.locator(".toast-undo").click()
    expect(thumbnails(page)).to_have_count(3)
    left = page.evaluate(
        """async () => {
            const { Album } = await import("/static/js/page/album.js");
            const album = new Album({ open: async () => true, collect: () => null, welcome: () => {} });
            const [one, other] = ["one", "other"].map((id) => ({ id, name: "", added: 1, view: null }));
            album.entries = [one];
            album.remove(other)();
            return album.entries.map(({ id }) => id);
        }"""
    )
    assert left == ["one"]


def test_another_tab_sees_nothing_of_it_and_old_pictures_are_deleted(open_page: OpenPage) -> None:
    page = open_page(fresh=True)
    choose_three(page)
    page.wait_for_function(COUNT_FILES, arg=3)
    other = page.context.new_page()
    other.goto(page.url)
    other.wait_for_selector("html[data-ready]", state="attached")
    expect(other.locator("#welcome")).to_be_visible()
    expect(thumbnails(other)).to_have_count(0)
    page.evaluate("Date.now = (now => () => now() + 13 * 3600 * 1000)(Date.now)")
    choose(page, WIDE)
    page.wait_for_function(COUNT_FILES, arg=2)  # the one that was shown a moment ago, and the new one
    other.close()


COUNT_FILES = """async (wanted) => {
    const finish = (request) => new Promise((resolve) => {
        request.onsuccess = () => resolve(request.result);
    });
    const name = "kyara-pictures";
    if (!(await indexedDB.databases()).some((each) => each.name === name)) return false;
    const database = await finish(indexedDB.open(name));
    const count = await finish(database.transaction("files").objectStore("files").count());
    database.close();
    return count === wanted;
}"""


def test_on_a_phone_the_first_name_stands_above_the_fold_beside_thumbnails(open_page: OpenPage) -> None:
    page = open_page(**PHONE)
    choose_three(page)
    open_second = thumbnails(page).nth(1)
    open_second.tap()
    expect_shape(page, 3 / 4)
    draw_box(page, 0.2, 0.2, 0.6, 0.6)
    wait_for_answers(page)
    page.evaluate("scrollTo(0, 0)")
    _, top, _, tall = place(cards(page).first.locator(".card-verdict"))
    assert top + tall <= PHONE["height"]
    assert seen_size(page) == pytest.approx(3 / 4, abs=0.02)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_a_picture_that_comes_before_the_kept_ones_are_back_is_shown_beside_them(
    open_page: OpenPage,
) -> None:
    page, other = open_page(), open_page()
    choose_three(page)
    expect(page.locator(".strip-item[data-drawn]")).to_have_count(3)
    other.evaluate(HOLD_DATABASE, ["kyara-pictures", "files"])
    page.reload()
    page.locator("#stage > *").first.wait_for(state="attached")  # from here on pictures are taken
    choose(page, encode(draw_plain(200, 500), "PNG"))
    expect_shape(page, 2 / 5)
    other.evaluate("() => { globalThis.held = false; }")
    page.wait_for_selector("html[data-ready]", state="attached")
    expect(thumbnails(page)).to_have_count(4)
    expect(thumbnails(page).nth(3)).to_have_attribute("aria-current", "true")
    expect_shape(page, 2 / 5)
    page.go_back()
    expect_shape(page, 2)


def test_a_picture_that_is_chosen_while_a_broken_one_opens_stays(open_page: OpenPage) -> None:
    page = open_page()
    files = [[list(WIDE[:60]), list(HIGH)], [list(SQUARE)]]
    page.evaluate(
        """(pastes) => {
            for (const files of pastes) {
                const transfer = new DataTransfer();
                const options = { type: "image/png" };
                for (const bytes of files)
                    transfer.items.add(new File([new Uint8Array(bytes)], "a.png", options));
                document.body.dispatchEvent(
                    new ClipboardEvent("paste", { bubbles: true, clipboardData: transfer }));
            }
        }""",
        files,
    )
    expect(thumbnails(page)).to_have_count(3)
    expect(page.locator("#status")).to_have_attribute("data-kind", "info")
    expect_shape(page, 1)
    expect(thumbnails(page).nth(2)).to_have_attribute("aria-current", "true")


@pytest.mark.parametrize(("form", "mime"), [("JPEG", "image/jpeg"), ("WEBP", "image/webp")])
def test_a_thumbnail_is_upright(open_page: OpenPage, form: str, mime: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    page = open_page()
    turned = {
        "name": "turned",
        "mimeType": mime,
        "buffer": encode(draw_plain(400, 200), form, exif=exif),
    }
    plain = {"name": "wide.png", "mimeType": "image/png", "buffer": WIDE}
    page.set_input_files("#file-input", [turned, plain])  # type: ignore[list-item]
    expect(page.locator(".strip-item[data-drawn]")).to_have_count(2)
    sizes = page.locator(".strip-open canvas").evaluate_all(
        "(all) => all.map((one) => [one.width, one.height])"
    )
    assert sizes == [[64, 128], [256, 128]]
