"""An unknown face is the start of a search: elsewhere, with a wider box, or by telling who it is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PIL import Image
from playwright.sync_api import Page, Request, Route, expect
from steps import (
    LOCALES,
    PHONE,
    OpenPage,
    boxes,
    cards,
    open_elsewhere,
    open_example,
    place,
    wait_for_answers,
)
from videos import EXAMPLE

from kyara.recognition.answers import Verdict
from scripts.local_site import Server

VerdictServer = Callable[[Verdict], Server]
SITES = {
    "Google Lens": "https://lens.google.com/",
    "trace.moe": "https://trace.moe/",
    "AnimeTrace": "https://www.animetrace.com/",
}
TOLD = {
    "en": "The whole picture leaves your browser for the site that you choose.",
    "zh": "整张图片会从你的浏览器发送到你选择的网站。",
    "ja": "選んだサイトへ、画像全体がブラウザーから送られます。",
}
READ_CLIPBOARD = """async () => {
    const [item] = await navigator.clipboard.read();
    const bitmap = await createImageBitmap(await item.getType("image/png"));
    return [bitmap.width, bitmap.height];
}"""


def answer_elsewhere(page: Page) -> list[Request]:
    """Let other sites answer with an empty page; returns what they are asked."""
    asked: list[Request] = []

    def answer(route: Route) -> None:
        asked.append(route.request)
        route.fulfill(body="<title>elsewhere</title>", content_type="text/html")

    page.context.route("https://**/*", answer)
    return asked


@pytest.mark.parametrize("verdict", ["known", "probably"])
def test_only_an_unknown_face_has_ways_on(
    open_page: OpenPage, verdict_server: VerdictServer, verdict: Verdict
) -> None:
    page = open_page(at=verdict_server(verdict))
    open_example(page)
    expect(cards(page).first.locator(".card-ways")).to_be_hidden()
    expect(cards(page).first.locator(".card-wrong")).to_have_text("Wrong?")


@pytest.mark.parametrize("language", LOCALES)
def test_the_menu_says_that_the_picture_leaves(
    open_page: OpenPage, verdict_server: VerdictServer, language: str
) -> None:
    page = open_page(language, at=verdict_server("unknown"), **PHONE)
    open_example(page)
    menu = open_elsewhere(page)
    expect(menu).to_contain_text(TOLD[language])
    expect(menu.locator("[data-site]")).to_have_count(4)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("site", SITES)
def test_the_picture_is_copied_and_the_site_opened(
    open_page: OpenPage, verdict_server: VerdictServer, site: str
) -> None:
    page = open_page(at=verdict_server("unknown"), permissions=["clipboard-read", "clipboard-write"])
    asked = answer_elsewhere(page)
    open_example(page)
    menu = cards(page).first.locator(".card-elsewhere")
    menu.locator("summary").press("Enter")
    with page.context.expect_page() as opening:
        menu.get_by_role("button", name=site).press("Enter")
    opening.value.wait_for_load_state()
    assert opening.value.url == SITES[site]
    assert [request.url for request in asked if request.is_navigation_request()] == [SITES[site]]
    assert opening.value.evaluate("document.referrer") == ""
    expect(page.locator(".toast-words")).to_have_text(
        f"The picture is copied, and {site} is open. "
        f"Paste it there with Ctrl+V: then it leaves for {site}."
    )
    opening.value.bring_to_front()
    with Image.open(EXAMPLE) as example:
        assert opening.value.evaluate(READ_CLIPBOARD) == list(example.size)


def test_saucenao_gets_the_picture_from_the_visitors_browser(
    open_page: OpenPage, verdict_server: VerdictServer
) -> None:
    page = open_page(at=verdict_server("unknown"))
    asked = answer_elsewhere(page)
    open_example(page)
    menu = open_elsewhere(page)
    with page.context.expect_page() as opening:
        menu.get_by_role("button", name="SauceNAO").click()
        expect(page.locator(".toast-words")).to_have_text(
            "The picture was sent to SauceNAO, in a tab of its own."
        )
    opening.value.wait_for_load_state()
    (request,) = [request for request in asked if request.is_navigation_request()]
    assert (request.method, request.url) == ("POST", "https://saucenao.com/search.php")
    assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
    expect(page.locator("body > form")).to_have_count(0)


def test_where_copying_is_not_allowed_the_reader_is_told(
    open_page: OpenPage, verdict_server: VerdictServer
) -> None:
    page = open_page(at=verdict_server("unknown"))
    answer_elsewhere(page)
    page.evaluate(
        """() => {
            navigator.clipboard.write = () => Promise.reject(new Error("not allowed"));
        }"""
    )
    open_example(page)
    menu = open_elsewhere(page)
    with page.context.expect_page():
        menu.get_by_role("button", name="trace.moe").click()
    expect(page.locator(".toast-words")).to_contain_text("does not let the page copy the picture")


def test_the_box_is_drawn_wider_and_asked_again(
    open_page: OpenPage, verdict_server: VerdictServer
) -> None:
    page = open_page(at=verdict_server("unknown"))
    open_example(page)
    x, y, width, height = place(boxes(page).first)
    with page.expect_request("**/api/identify"):
        cards(page).first.get_by_role("button", name="Draw the box wider: face 1").press("Enter")
    wait_for_answers(page)
    wider = place(boxes(page).first)
    assert wider[2] == pytest.approx(1.25 * width, abs=3)
    assert wider[3] == pytest.approx(1.25 * height, abs=3)
    expect(cards(page).first).to_have_attribute("data-mark", "unknown")
    page.keyboard.press("Control+z")
    assert place(boxes(page).first) == pytest.approx((x, y, width, height), abs=1.5)
