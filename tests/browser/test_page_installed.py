"""The installed site: what is shared with it stays on the device, and offline it has a page."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

import pytest
from playwright.sync_api import Page, expect
from steps import OpenPage, choose_several, draw_plain, encode, seen_size, thumbnails

from scripts.local_site import Server

NAMES = ("初音 ミク.png", "second.png")


def install(page: Page) -> None:
    """What the browser does once a visitor has installed the site."""
    page.evaluate(
        """() => {
            const ready = new Promise((resolve) => {
                navigator.serviceWorker.addEventListener("controllerchange", resolve, { once: true });
            });
            dispatchEvent(new Event("appinstalled"));
            return ready.then(() => null);
        }"""
    )


def test_a_visit_has_no_service_worker(open_page: OpenPage) -> None:
    page = open_page(fresh=True)
    assert page.evaluate("navigator.serviceWorker.getRegistrations().then((all) => all.length)") == 0


def test_shared_pictures_are_opened_and_not_sent(open_page: OpenPage) -> None:
    page = open_page(fresh=True)
    install(page)
    page.evaluate(
        """() => {
            const form = document.createElement("form");
            const input = document.createElement("input");
            Object.assign(form, { action: "/share", method: "POST", enctype: "multipart/form-data" });
            Object.assign(input, { id: "shared", type: "file", name: "pictures", multiple: true });
            form.append(input);
            document.body.append(form);
        }"""
    )
    pictures = [encode(draw_plain(*size), "PNG") for size in ((400, 200), (300, 300))]
    choose_several(page, *zip(NAMES, pictures, strict=True), field="#shared")
    page.evaluate("document.getElementById('shared').form.submit()")
    expect(page.locator("#status-text")).to_contain_text("No face found")
    assert seen_size(page) == pytest.approx(2, rel=0.02)
    expect(thumbnails(page)).to_have_count(2)
    expect(thumbnails(page).first).to_have_attribute("title", NAMES[0])
    assert page.url.endswith("/"), "a reload does not share again"
    assert page.evaluate("caches.has('shared-pictures')") is False


def test_offline_the_installed_site_has_a_page(
    open_page: OpenPage, own_server: Callable[..., Server], tiny_model_folder: Path
) -> None:
    first = own_server()
    page = open_page(at=first, failures_expected=True)
    install(page)
    first.stop()
    page.reload()
    expect(page.locator("h1")).to_have_text("You are offline.")
    again = Server(first.reports, model=tiny_model_folder, port=first.port)
    try:
        page.get_by_role("link", name="Try again").click()
        expect(page.locator("#welcome")).to_be_visible()
    finally:
        again.stop()


def test_the_manifest_says_what_can_be_shared(server: Server) -> None:
    with urlopen(f"{server.url}/manifest.webmanifest") as answer:
        assert answer.headers["Content-Type"].startswith("application/manifest+json")
        manifest = json.load(answer)
    assert manifest["share_target"]["params"]["files"][0]["accept"] == ["image/*", "video/*"]
    for icon in manifest["icons"]:
        with urlopen(server.url + icon["src"]) as answer:
            assert answer.headers["Content-Type"].startswith(icon["type"])
