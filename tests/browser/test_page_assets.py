"""What the page fetches: everything once, compressed, under addresses that browsers keep for good."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from playwright.sync_api import Page, Response
from steps import OpenPage, open_example

from kyara.web.ops.assets import STORE
from scripts.compress_assets import compress_assets, list_assets

FINDER_SCRIPTS = {
    "opencv-search.js",
    "detection.js",
    "tiles.js",
    "geometry.js",
    "embind-without-eval.js",
}
"""What the worker loads beside itself."""
VERSIONED = re.compile(r"/(?:bootstrap/)?static/[0-9a-f]{12}/")


@pytest.fixture(scope="module", autouse=True)
def copies() -> None:
    """The compressed copies, as `make run` makes them."""
    compress_assets(list_assets(), STORE)


def watch(page: Page) -> list[Response]:
    """Collect the answers to all requests for static files, the worker's included."""
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer) if "/static/" in answer.url else None)
    return answers


def reload(page: Page) -> None:
    page.reload()
    page.wait_for_selector("html[data-ready]", state="attached")


def test_every_static_file_is_versioned_and_fetched_once(open_page: OpenPage) -> None:
    page = open_page(fresh=True)
    page.context.clear_cookies()
    answers = watch(page)
    reload(page)
    open_example(page)
    page.locator("html[data-finder]").wait_for(state="attached")
    urls = [answer.url for answer in answers]
    assert not [url for url in urls if not VERSIONED.search(url)]
    twice = [
        url for url, count in Counter(urls).items() if count > 1 and url.endswith((".wasm", "glue.js"))
    ]
    assert not twice
    scripts = [url for url in urls if "/js/" in url and "detector-worker" not in url]
    assert {url.rpartition("/")[2] for url in scripts} <= FINDER_SCRIPTS | {"theme.js"}, (
        "all else is bundled"
    )
    for name in ("opencv.wasm", "opencv-glue.js", "built/page.js", "page.css", "bootstrap.min.css"):
        (answer,) = (answer for answer in answers if answer.url.endswith(name))
        assert answer.headers["content-encoding"] in ("br", "gzip"), name
        assert "immutable" in answer.headers["cache-control"], name


def test_a_second_visit_fetches_no_static_file_again(open_page: OpenPage) -> None:
    page = open_page(fresh=True)
    open_example(page)
    again = page.context.new_page()
    answers = watch(again)
    again.goto(page.url)
    again.wait_for_selector("html[data-ready]", state="attached")
    fetched_before = {answer.url.rpartition("/")[2] for answer in answers}
    assert {
        "page.js",
        "theme.js",
        "page.css",
        "bootstrap.min.css",
        "cropper.esm.min.js",
    } <= fetched_before
    fetched = again.evaluate(
        """() => performance.getEntriesByType("resource")
          .filter((entry) => entry.name.includes("/static/") && entry.transferSize > 0)
          .map((entry) => entry.name)"""
    )
    assert fetched == []
    again.close()


def test_the_face_finder_is_fetched_at_the_first_sign_of_life(open_page: OpenPage) -> None:
    page = open_page(fresh=True)
    answers = watch(page)
    reload(page)
    page.evaluate("new Promise((resolve) => requestIdleCallback(resolve))")
    assert not [answer.url for answer in answers if "opencv" in answer.url]
    page.keyboard.press("Tab")
    page.locator("html[data-finder]").wait_for(state="attached")
    assert [answer.url for answer in answers if answer.url.endswith("opencv.wasm")]


def test_the_workers_script_carries_the_sites_policy(open_page: OpenPage) -> None:
    page = open_page(fresh=True)
    with page.expect_response(re.compile(r"detector-worker\.js$")) as worker:
        page.mouse.move(50, 50)
        page.mouse.move(60, 60)
    assert "default-src 'none'" in worker.value.headers["content-security-policy"]
