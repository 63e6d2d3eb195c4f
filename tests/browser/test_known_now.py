"""An operator's *known from now on*: two clicks from a visitor's report to a changed answer for all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from hostile import as_url
from inboxes import fill_inbox
from operator_steps import StartServer, log_in, start_with_operator
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from scripts.local_site import Server


def post(server: Server, path: str, body: dict[str, Any]) -> Any:
    headers = {"Content-Type": "application/json"}
    with urlopen(Request(f"{server.url}{path}", json.dumps(body).encode(), headers)) as answer:
        return json.load(answer)


def list_names(server: Server, crop: str) -> list[str]:
    """Ask as any visitor does, and return the names of the answers."""
    answer = post(server, "/api/identify", {"crops": [crop], "language": "en"})
    return [one["name"] for one in answer["faces"][0]["answers"]]


def identify(server: Server, crop: str) -> str:
    """Return the first answer's name."""
    return list_names(server, crop)[0]


@pytest.fixture
def crop(tiny_data: Path) -> str:
    return as_url((tiny_data / "kiiro_star" / "003.png").read_bytes())


@pytest.fixture
def site(own_server: StartServer, tmp_path: Path) -> Server:
    return start_with_operator(own_server, tmp_path)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that fails its test on an exception or an error in the console."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    yield page
    context.close()
    assert not [problem for problem in problems if "status of 409" not in problem]


def test_two_clicks_lead_from_a_report_to_a_changed_answer_for_all(
    site: Server, page: Page, crop: str
) -> None:
    assert identify(site, crop) != "Shiro Hat"
    post(site, "/api/reports", {"crop": crop, "label": "Shiro Hat"})
    log_in(page, site)
    page.locator("#report-known").click()
    expect(page.locator("#new-dialog")).to_be_visible()
    expect(page.locator("#new-name")).to_have_value("Shiro Hat")
    page.locator("#new-save").click()
    expect(page.locator("#label-notice-text")).to_have_text("Known from now on: Shiro Hat.")
    assert identify(site, crop) == "Shiro Hat"
    page.keyboard.press("z")
    expect(page.locator("#label-left")).to_have_text("1 left")
    expect(page.locator("#label-saved")).to_have_text("All saved")
    assert identify(site, crop) != "Shiro Hat"


def test_one_click_where_the_name_is_known(site: Server, page: Page, tiny_data: Path) -> None:
    crop = as_url((tiny_data / "aka_ribbon" / "003.png").read_bytes())
    post(site, "/api/reports", {"crop": crop, "label": "Aka Ribbon"})
    log_in(page, site)
    page.locator("#report-known").click()
    expect(page.locator("#label-notice-text")).to_have_text("Known from now on: Aka Ribbon.")


def test_a_new_name_opens_the_form_instead_of_an_error(site: Server, page: Page, crop: str) -> None:
    post(site, "/api/reports", {"crop": crop, "label": "琴吹䌷"})
    log_in(page, site)
    expect(page.locator("#label-left")).to_have_text("1 left")
    page.keyboard.press("a")
    expect(page.locator("#new-name")).to_have_value("琴吹䌷")
    expect(page.locator("#new-name")).to_be_focused()
    page.locator("#new-work").fill("けいおん")
    page.keyboard.press("Enter")
    expect(page.locator("#label-saved")).to_have_text("All saved")
    expect(page.locator("#label-left")).to_have_text("Nothing is left.")
    expect(page.locator(".tile-face .tile-name")).to_have_text("琴吹䌷")
    assert identify(site, crop) != "琴吹䌷", "only what is wished is known at once"


def test_a_name_that_somebody_has_is_told_in_the_form(site: Server, page: Page, crop: str) -> None:
    post(site, "/api/reports", {"crop": crop, "label": "Shiro Hat"})
    log_in(page, site)
    expect(page.locator("#label-left")).to_have_text("1 left")
    page.keyboard.press("a")
    page.locator("#new-name").fill("Ribbon Aka")
    page.locator("#new-save").click()
    told = "Aka Ribbon (aka_ribbon) has this name already."
    expect(page.locator("#new-problem")).to_contain_text(told)


def test_labelled_faces_are_known_where_the_switch_is_on(
    site: Server, page: Page, tmp_path: Path
) -> None:
    fill_inbox(tmp_path / "dataset", 2, size_px=96)
    log_in(page, site, "/operator/label")
    expect(page.locator("#label-left")).to_have_text("2 left")
    page.locator("#known-now").check()
    page.keyboard.press("n")  # the keys work though the switch has the focus
    page.locator("#new-name").fill("Shiro Hat")
    page.locator("#new-save").click()
    expect(page.locator("#label-notice-text")).to_have_text("Known from now on: Shiro Hat.")
    page.reload()
    expect(page.locator("#known-now")).to_be_checked()


def test_a_character_is_taught_from_files_in_the_page(
    site: Server, page: Page, tiny_data: Path, tmp_path: Path, crop: str
) -> None:
    log_in(page, site)
    expect(page.locator("#operator-name")).to_have_text("rin")
    page.goto(f"{site.url}/operator/characters")
    page.locator("#teach-files > summary").click()
    page.locator("#teach-send").click()
    expect(page.locator("#teach-problem")).to_have_text("Write a name, or choose somebody.")
    page.locator("#teach-name").fill("Shiro Hat")
    (tmp_path / "no picture.png").write_text("x")
    page.set_input_files("#teach-pictures", [tmp_path / "no picture.png"])
    expect(page.locator("#teach-problem")).to_have_text("This browser cannot read no picture.png.")
    files = sorted((tiny_data / "kiiro_star").glob("*.png"))[2:5]
    page.set_input_files("#teach-pictures", files)
    expect(page.locator("#teach-shown img")).to_have_count(3)
    page.get_by_role("button", name="Leave out picture 3").click()
    page.locator("#teach-send").click()
    expect(page.locator("#teach-done")).to_contain_text("Known from now on: Shiro Hat.")
    expect(page.locator("#teach-references img")).to_have_count(2)
    assert "Shiro Hat" in list_names(site, crop)
    page.get_by_role("button", name="Forget taught picture 1").click()
    expect(page.locator("#teach-references img")).to_have_count(1)


def test_a_picture_without_a_face_is_taught_upright_and_without_its_bars(
    site: Server, page: Page, tmp_path: Path
) -> None:
    barred = Image.new("RGB", (300, 200))
    barred.paste("#d8e0f0", (50, 0, 250, 200))
    exif = Image.Exif()
    exif[0x0112] = 6
    barred.crop((0, 0, 300, 100)).save(tmp_path / "turned.webp", lossless=True, exif=exif)
    log_in(page, site)
    expect(page.locator("#operator-name")).to_have_text("rin")
    page.goto(f"{site.url}/operator/characters")
    page.locator("#teach-files > summary").click()
    page.set_input_files("#teach-pictures", tmp_path / "turned.webp")
    shown = page.locator("#teach-shown img")
    expect(shown).to_have_count(1)
    page.wait_for_function("() => document.querySelector('#teach-shown img').complete")
    size = shown.evaluate("(image) => [image.naturalWidth, image.naturalHeight]")
    assert size == [100, 200]
