"""A visitor who has asked too often, in Chromium: one sentence, with the time, in their language."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Route, expect
from steps import OpenPage, cards, draw_box, open_drawn, open_form, open_plain

from scripts.local_site import Server

StartServer = Callable[..., Server]


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "Many requests came from your address. Please try again in 60 minutes."),
        ("zh", "请在60分钟后再试"),
        ("ja", "60 分後にもう一度お試しください"),
    ],
)
def test_who_asks_too_often_is_told_when_to_try_again(
    open_page: OpenPage, own_server: StartServer, language: str, words: str
) -> None:
    server = own_server(RATE_LIMITS="identify=1/hour")
    page = open_page(language, at=server, failures_expected=True)
    open_plain(page)
    draw_box(page, 0.1, 0.1, 0.4, 0.6)
    expect(page.locator("#status")).to_have_attribute("data-kind", "done")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "identify" in request.url else None)
    draw_box(page, 0.5, 0.2, 0.9, 0.8)
    expect(page.locator("#status")).to_have_attribute("data-kind", "error")
    expect(page.locator("#status-text")).to_contain_text(words)
    expect(page.locator("#status-action")).to_be_visible()
    assert len(asked) == 1, "asking again would not help"
    expect(cards(page).first.locator(".card-verdict")).not_to_be_empty()


def test_a_report_past_the_days_quota_is_not_kept_waiting(open_page: OpenPage) -> None:
    page = open_page(failures_expected=True)
    open_drawn(page)
    page.route("**/api/reports", refuse)
    open_form(page)
    page.locator("#report-label").fill("Somebody")
    page.locator("#report-send").click()
    expect(page.locator(".toast-words")).to_contain_text("Please try again in 5 hours.")
    assert page.evaluate("localStorage.getItem('reports')") is None
    expect(cards(page).first.locator(".card-wrong")).to_be_visible()


def refuse(route: Route) -> None:
    headers = {"Retry-After": str(4 * 3600 + 5)}
    route.fulfill(status=429, headers=headers, json={"title": "Too many requests", "status": 429})
