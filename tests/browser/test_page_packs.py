"""Packs in the characters page: chosen, looked at, installed and removed by keyboard and mouse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from axe import Inspection
from operator_steps import StartServer, log_in, start_with_operator
from playwright.sync_api import Route, expect
from steps import PHONE, OpenPage
from strangers import STRANGERS

from classification import Classifier
from kyara.recognition.characters import Character
from kyara.recognition.gallery import scale_to_unit
from kyara.recognition.pack_file import read_pack, write_pack
from kyara.recognition.packs import Pack, PackCharacter


@pytest.fixture
def pack(tiny_classifier: Classifier, tmp_path: Path) -> Path:
    """A pack of somebody new, and of a namesake of somebody known."""
    faces = scale_to_unit(tiny_classifier.backbone.extract(STRANGERS)).astype(np.float16)
    members = (
        PackCharacter(Character("stripes", {"en": "Stripes"}, {"en": "Drawn"}), faces[:3]),
        PackCharacter(Character("mika", {"en": "Aka Ribbon"}, {}), faces[3:]),
    )
    made = Pack("extras", "Rin", "CC0-1.0", tiny_classifier.backbone.fingerprint, members)
    (tmp_path / "extras.pack").write_bytes(write_pack(made))
    return tmp_path / "extras.pack"


@pytest.mark.parametrize("width", [1280, PHONE["width"]])
def test_a_pack_is_shown_installed_and_removed_in_the_page(
    open_page: OpenPage, own_server: StartServer, tmp_path: Path, pack: Path, width: int
) -> None:
    server = start_with_operator(own_server, tmp_path)
    page = open_page(at=server, width=width, failures_expected=True)
    log_in(page, server, "/operator/characters")
    found = Inspection(page)
    page.locator("#packs > summary").press("Enter")
    expect(page.locator("#packs-none")).to_be_visible()
    found.look("nothing installed")
    (tmp_path / "cut.pack").write_bytes(pack.read_bytes()[:-50])
    page.set_input_files("#pack-file", tmp_path / "cut.pack")
    expect(page.locator("#pack-problem")).to_contain_text("cut short")
    expect(page.locator("#pack-preview")).to_be_hidden()
    page.set_input_files("#pack-file", pack)
    expect(page.locator("#pack-brings")).to_have_text("extras by Rin, CC0-1.0: 4 faces of 2 characters.")
    expect(page.locator("#pack-collisions li")).to_have_text(
        ["Aka Ribbon (mika) may be Aka Ribbon (aka_ribbon)."]
    )
    found.look("a pack is shown")
    page.locator("#pack-install").click()
    expect(page.locator("#pack-problem")).to_have_text(
        "Choose what becomes of those who may be somebody known."
    )
    expect(page.locator("#pack-choice")).to_be_focused()
    page.locator("#pack-choice").select_option("join")
    page.locator("#pack-install").click()
    expect(page.locator("#pack-done")).to_have_text("extras is installed: 4 faces of 2 characters.")
    expect(page.locator("#packs-list li")).to_contain_text("by Rin, CC0-1.0: 4 faces of 2 characters")
    expect(page.locator("#pack-file")).to_be_focused()
    found.look("installed")
    page.reload()
    page.locator("#packs > summary").press("Enter")
    page.get_by_role("button", name="Remove extras").click()
    expect(page.locator("#pack-title")).to_have_text("Remove extras?")
    expect(page.locator("#pack-words")).to_contain_text("4 faces of 2 characters")
    found.look("removing is asked about")
    page.keyboard.press("Enter")  # Cancel has the focus
    expect(page.locator("#pack-dialog")).to_be_hidden()
    expect(page.locator("#packs-list li")).to_have_count(1)
    page.get_by_role("button", name="Remove extras").click()
    page.locator("#pack-dialog").get_by_role("button", name="Remove", exact=True).click()
    expect(page.locator("#pack-done")).to_have_text("extras is removed: 4 faces of 2 characters.")
    expect(page.locator("#packs-list li")).to_have_count(0)
    expect(page.locator("#pack-file")).to_be_focused()
    overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert overflow <= 0
    found.conclude()


def test_the_problem_of_a_file_that_is_chosen_no_more_is_not_shown(
    open_page: OpenPage, own_server: StartServer, tmp_path: Path, pack: Path
) -> None:
    server = start_with_operator(own_server, tmp_path)
    page = open_page(at=server, failures_expected=True)
    log_in(page, server, "/operator/characters")
    page.locator("#packs > summary").press("Enter")
    (tmp_path / "cut.pack").write_bytes(pack.read_bytes()[:-50])
    held: list[Route] = []
    page.route("**/packs/preview", lambda route: held.append(route), times=1)
    with page.expect_request("**/packs/preview"):
        page.set_input_files("#pack-file", tmp_path / "cut.pack")
    page.set_input_files("#pack-file", pack)
    expect(page.locator("#pack-brings")).to_contain_text("extras by Rin")
    with page.expect_response("**/packs/preview") as refused:
        held[0].continue_()
    assert refused.value.status == 400
    refused.value.finished()
    page.evaluate("() => new Promise((done) => setTimeout(done))")  # what waited for it has run
    expect(page.locator("#pack-problem")).to_have_text("")
    expect(page.locator("#pack-preview")).to_be_visible()
    install: list[Route] = []
    page.route("**/packs/install*", lambda route: install.append(route), times=1)
    page.locator("#pack-choice").select_option("skip")
    with page.expect_request("**/packs/install*"):
        page.locator("#pack-install").click()
    expect(page.locator("#pack-file")).to_be_disabled()
    install[0].continue_()
    expect(page.locator("#pack-done")).to_contain_text("extras is installed")
    expect(page.locator("#pack-file")).to_be_enabled()


def test_a_pack_is_saved_from_the_page_and_why_it_cannot_be_is_told_there(
    open_page: OpenPage, own_server: StartServer, tmp_path: Path, tiny_data: Path
) -> None:
    server = start_with_operator(own_server, tmp_path)
    page = open_page(at=server, failures_expected=True)
    log_in(page, server, "/operator/characters")
    page.locator("#packs > summary").press("Enter")
    page.fill("#pack-name", "mine")
    page.fill("#pack-author", "Rin")
    page.fill("#pack-licence", "CC0-1.0")
    page.locator("#pack-save-button").click()
    expect(page.locator("#pack-save-problem")).to_have_text("Nobody was taught here yet.")
    expect(page.locator("#pack-save-button")).to_be_focused()
    page.locator("#teach-files > summary").press("Enter")
    page.locator("#teach-name").fill("Shiro Hat")
    first, second = sorted((tiny_data / "kiiro_star").glob("*.png"))[2:4]
    for count, picture in ((1, first), (2, second)):  # once more, of the same new name
        page.set_input_files("#teach-pictures", picture)
        expect(page.locator("#teach-shown img")).to_have_count(1)
        page.locator("#teach-send").click()
        expect(page.locator("#teach-references img")).to_have_count(count)
    with page.expect_download() as saved:
        page.locator("#pack-save-button").click()
    assert saved.value.suggested_filename == "mine.pack"
    (one,) = read_pack(saved.value.path().read_bytes()).characters
    assert (one.character.name_in("en"), len(one.features)) == ("Shiro Hat", 2)
    expect(page.locator("#pack-save-problem")).to_have_text("")
