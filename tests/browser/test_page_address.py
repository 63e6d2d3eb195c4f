"""A picture that has an address: pasted, typed, dragged; fetched where the other site allows it."""

from __future__ import annotations

import base64

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from steps import OpenPage, boxes, bring, draw_box, draw_plain, encode, open_plain, seen_size
from waiting import wait_until

from scripts.local_site import Server

SITE = "https://pictures.example"
ADDRESS = f"{SITE}/art/who%20is%20it.png"
PICTURE = encode(draw_plain(400, 200), "PNG")
DATA_URL = f"data:image/png;base64,{base64.b64encode(PICTURE).decode()}"
SHAPE = 2


def answer(
    page: Page, *, allowed: bool = True, status: int = 200, mime: str = "image/png"
) -> list[tuple[str, dict]]:
    """Be the other site; returns what it is asked: addresses, each with the headers."""
    heard: list[tuple[str, dict]] = []

    def fulfill(route: Route) -> None:
        heard.append((route.request.url, route.request.all_headers()))
        headers = {"Access-Control-Allow-Origin": "*" if allowed else "https://another.example"}
        route.fulfill(status=status, body=PICTURE, content_type=mime, headers=headers)

    page.context.route(f"{SITE}/**", fulfill)
    return heard


def open_beside(open_page: OpenPage, **options: bool) -> Page:
    return open_page(fresh=True, elsewhere=SITE, **options)


def expect_picture(page: Page) -> None:
    expect(page.locator("#status-text")).to_contain_text("No face found")
    assert seen_size(page) == pytest.approx(SHAPE, rel=0.02)


def list_addresses(heard: list[tuple[str, dict]]) -> list[str]:
    return [address for address, _ in heard]


@pytest.mark.parametrize(
    ("data", "asked"),
    [
        ({"text/plain": ADDRESS}, [ADDRESS]),
        (
            {"text/plain": "who", "text/html": f"<meta charset='utf-8'><img src='{ADDRESS}' alt='who'>"},
            [ADDRESS],
        ),
        ({"text/plain": DATA_URL}, []),
        ({"text/html": f"<b>look:</b><img src='{DATA_URL}'>"}, []),
    ],
    ids=["address", "html", "data", "data in html"],
)
def test_what_is_pasted_is_opened(open_page: OpenPage, data: dict[str, str], asked: list[str]) -> None:
    page = open_beside(open_page)
    heard = answer(page)
    bring(page, "paste", data)
    expect_picture(page)
    assert list_addresses(heard) == asked
    for _, headers in heard:
        assert "cookie" not in headers
        assert "referer" not in headers


@pytest.mark.parametrize(
    "data",
    [
        {
            "text/uri-list": f"{SITE}/page",
            "text/html": f"<a href='{SITE}/page'><img src='{ADDRESS}'></a>",
        },
        {"text/uri-list": f"# dragged\r\n{ADDRESS}\r\n"},
    ],
    ids=["picture in a link", "link"],
)
def test_what_is_dragged_from_another_tab_is_opened(open_page: OpenPage, data: dict[str, str]) -> None:
    page = open_beside(open_page)
    heard = answer(page)
    bring(page, "drop", data)
    expect_picture(page)
    assert list_addresses(heard) == [ADDRESS]


def test_bytes_that_are_dragged_along_need_no_question(open_page: OpenPage) -> None:
    page = open_page()  # a request to the other site would fail the test
    bring(page, "drop", {"text/uri-list": ADDRESS}, [("art.png", PICTURE)])
    expect_picture(page)


@pytest.mark.parametrize(
    "typed", [ADDRESS, ADDRESS.replace("https:", "http:"), ADDRESS.removeprefix("https://")]
)
def test_an_address_is_typed_and_asked_over_https(open_page: OpenPage, typed: str) -> None:
    page = open_beside(open_page)
    heard = answer(page)
    page.get_by_label("Address of a picture").fill(typed)
    page.keyboard.press("Enter")
    expect_picture(page)
    assert list_addresses(heard) == [ADDRESS]


def test_an_address_is_opened_as_soon_as_it_is_pasted_into_the_field(open_page: OpenPage) -> None:
    page = open_beside(open_page)
    heard = answer(page)
    page.get_by_label("Address of a picture").focus()
    bring(page, "paste", {"text/plain": ADDRESS})
    expect_picture(page)
    assert list_addresses(heard) == [ADDRESS]


@pytest.mark.parametrize(
    ("language", "words", "open_it"),
    [
        ("en", "pictures.example does not let other pages read its pictures.", "Open it"),
        ("zh", "pictures.example", "打开它"),
        ("ja", "pictures.example", "開く"),
    ],
)
def test_a_site_that_does_not_allow_it_is_told_and_can_be_opened(
    open_page: OpenPage, language: str, words: str, open_it: str
) -> None:
    page = open_page(language, fresh=True, elsewhere=SITE, failures_expected=True)
    heard = answer(page, allowed=False)
    bring(page, "paste", {"text/plain": ADDRESS})
    expect(page.locator("#status")).to_have_attribute("data-kind", "error")
    expect(page.locator("#status-text")).to_contain_text(words)
    expect(page.locator("#status-action")).to_have_text(open_it)
    with page.context.expect_page() as opened:
        page.locator("#status-action").click()
    expect(opened.value).to_have_url(ADDRESS)
    assert list_addresses(heard) == [ADDRESS] * 2
    assert opened.value.evaluate("window.opener") is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"status": 404}, "There is no picture at that address."),
        ({"mime": "text/html; charset=utf-8"}, "There is a page at that address"),
    ],
)
def test_an_address_without_a_picture_is_explained_and_the_picture_stays(
    open_page: OpenPage, options: dict, words: str
) -> None:
    page = open_beside(open_page, failures_expected=True)
    open_plain(page)
    draw_box(page, 0.2, 0.2, 0.5, 0.6)
    expect(page.locator("#status")).to_have_attribute("data-kind", "done")
    heard = answer(page, **options)
    bring(page, "paste", {"text/plain": ADDRESS})
    expect(page.locator("#status-text")).to_contain_text(words)
    assert list_addresses(heard) == [ADDRESS]
    expect(boxes(page)).to_have_count(1)


@pytest.mark.parametrize(
    "text", ["data:image/png;base64,%%%", "https://name:word@pictures.example/a.png"]
)
def test_what_is_no_address_of_a_picture_is_explained(open_page: OpenPage, text: str) -> None:
    page = open_page()
    bring(page, "paste", {"text/plain": text})
    expect(page.locator("#status-text")).to_contain_text("That is not the address of a picture")


def test_fetching_can_be_cancelled(open_page: OpenPage) -> None:
    page = open_beside(open_page)
    held: list[Route] = []
    page.context.route(f"{SITE}/**", lambda route: held.append(route))
    bring(page, "paste", {"text/plain": ADDRESS})
    expect(page.locator("#status-text")).to_contain_text("Fetching the picture from pictures.example")
    wait_until(lambda: page.title() and held)  # Playwright takes up requests while it is asked something
    assert [route.request.url for route in held] == [ADDRESS]
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#status")).to_be_hidden()
    expect(page.locator("#welcome")).to_be_visible()


def test_text_that_is_pasted_is_left_alone(open_page: OpenPage) -> None:
    page = open_page()
    bring(page, "paste", {"text/plain": "Hatsune Miku"})
    expect(page.locator("#status")).to_be_hidden()
    expect(page.locator("#welcome")).to_be_visible()


def test_the_page_itself_may_ask_no_other_site(browser: Browser, server: Server) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(server.url)
    context.route(
        "**/asked*", lambda route: route.fulfill(body="", headers={"Access-Control-Allow-Origin": "*"})
    )
    asked = page.evaluate(
        """async ([elsewhere, here]) => {
            const { settings } = await import("/static/js/page/messages.js");
            const asksPage = (address) => fetch(address).then(() => "answered", () => "refused");
            const asksWorker = (address) => new Promise((resolve) => {
                const worker = new Worker(settings.urls.address_worker);
                worker.onmessage = ({ data }) => resolve(data.reason ?? "answered");
                worker.postMessage(address);
            });
            return Promise.all([asksPage, asksWorker].flatMap((ask) => [ask(elsewhere), ask(here)]));
        }""",
        [f"{SITE}/asked", f"{server.url}/asked"],
    )
    assert asked == ["refused", "answered", "answered", "blocked"], "the site itself is http here"
    context.close()
