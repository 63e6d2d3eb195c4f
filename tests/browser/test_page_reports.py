"""*Wrong?*: a correction goes in, in any script, once, over a lost connection, and can be undone."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect
from steps import (
    OpenPage,
    boxes,
    cards,
    drag,
    draw_box,
    draw_plain,
    open_drawn,
    open_example,
    open_form,
    open_plain,
    place,
    read_rows,
    thumbnails,
    wait_for_answers,
)

from kyara.recognition.bundle import load_bundle, save_bundle
from kyara.registry import promote_bundle
from scripts.local_site import Server


@pytest.mark.parametrize(
    ("language", "label", "thanks", "undo"),
    [
        ("ja", "琴吹䌷・ザ・ファースト", "ありがとうございます！", "元に戻す"),
        ("zh", "木之本樱（小樱）", "谢谢！", "撤销"),
        ("en", "Zoë “Z” O'Brien", "Thank you!", "Undo"),
    ],
)
def test_a_report_is_stored_with_its_label_intact(
    open_page: OpenPage, server: Server, language: str, label: str, thanks: str, undo: str
) -> None:
    page = open_page(language)
    open_example(page)
    open_form(page)
    page.locator("#report-label").fill(label)
    page.locator("#report-note").fill("第3話 <b>x</b>")
    page.locator("#report-send").click()
    expect(page.locator(".toast-words")).to_contain_text(thanks)
    expect(page.locator(".toast-undo")).to_have_attribute("aria-label", undo)
    expect(cards(page).first.locator(".card-reported")).to_be_visible()
    (row,) = read_rows(server.reports, label)
    assert row["note"] == "第3話 <b>x</b>"
    assert row["state"] == "pending"
    assert row["predicted"]
    assert 0 <= row["confidence"] <= 1
    assert (server.reports / row["file"]).stat().st_size > 0


def test_names_are_completed_by_keyboard(open_page: OpenPage, server: Server) -> None:
    page = open_page("ja")
    before = len(read_rows(server.reports, "aka_ribbon"))  # of other tests, at the same site
    open_drawn(page, 0.01)
    open_form(page)
    field = page.get_by_role("combobox")
    field.press_sequentially("赤リ")
    # the guesses that were offered first make way for what was typed
    expect(page.get_by_role("option")).to_have_count(1)
    option = page.get_by_role("option", name="赤リボン")
    expect(option).to_contain_text("描かれた四人")
    field.press("ArrowDown")
    expect(field).to_have_attribute("aria-activedescendant", option.get_attribute("id") or "")
    field.press("Enter")
    expect(field).to_have_value("赤リボン")
    expect(field).to_have_attribute("aria-expanded", "false")
    field.press("Enter")
    expect(page.locator(".toast-words")).to_contain_text("ありがとうございます！")
    assert len(read_rows(server.reports, "aka_ribbon")) == before + 1


def test_two_of_one_name_are_told_apart(
    open_page: OpenPage,
    own_server: Callable[..., Server],
    tiny_bundle: Path,
    tmp_path: Path,
) -> None:
    bundle = load_bundle(tiny_bundle)
    first, second, *others = bundle.characters
    twin = replace(second, name=first.name, work=first.work)
    save_bundle(replace(bundle, characters=(first, twin, *others)), tmp_path / "model" / "twins")
    promote_bundle("twins", tmp_path / "model")
    page = open_page(at=own_server(tmp_path / "model"))
    open_drawn(page, 0.01)
    open_form(page)
    page.get_by_role("combobox").press_sequentially(first.name_in("en"))
    works = page.get_by_role("option").locator(".option-work")
    expect(works).to_have_count(2)
    for one in (first, twin):
        expect(works.filter(has_text=f"{first.work_in('en')} · {one.label}")).to_have_count(1)


def test_a_name_can_be_typed_at_once(open_page: OpenPage, server: Server) -> None:
    page = open_page()
    open_drawn(page, 0.02)
    open_form(page)
    page.keyboard.type("Somebody")
    expect(page.get_by_role("combobox")).to_have_value("Somebody")
    page.keyboard.press("Enter")
    expect(page.locator(".toast-words")).to_contain_text("Thank you")
    assert len(read_rows(server.reports, "Somebody")) == 1


def test_no_guess_is_taken_for_what_was_typed(open_page: OpenPage, server: Server) -> None:
    page = open_page()
    open_drawn(page, 0.03)
    open_form(page)
    page.get_by_role("combobox").focus()
    expect(page.get_by_role("option").first).to_be_visible()
    page.route("**/api/characters*", lambda route: None)  # the search does not answer
    page.keyboard.type("Nobody there")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".toast-words")).to_contain_text("Thank you")
    assert len(read_rows(server.reports, "Nobody there")) == 1


def test_other_guesses_are_offered_before_typing(open_page: OpenPage) -> None:
    page = open_page()
    open_drawn(page)
    names = cards(page).first.locator(".answer-name").all_inner_texts()
    known = cards(page).first.get_attribute("data-mark") == "known"
    open_form(page)
    page.get_by_role("combobox").focus()
    options = page.locator("#report-options .option-name")
    expect(options).to_have_text(names[1:] if known else names)
    page.keyboard.press("Escape")
    expect(page.locator("#report-options")).to_be_hidden()
    expect(page.locator("#report-dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#report-dialog")).to_be_hidden()
    expect(cards(page).first.locator(".card-wrong")).to_be_focused()


def press_beside(page: Page) -> None:
    """Click on the backdrop of a dialog."""
    page.mouse.click(5, 5)


def test_one_of_the_other_answers_is_one_click_away(open_page: OpenPage, server: Server) -> None:
    page = open_page()
    open_drawn(page, 0.08)
    names = cards(page).first.locator(".answer-name").all_inner_texts()
    known = cards(page).first.get_attribute("data-mark") == "known"
    open_form(page)
    others = page.locator("#report-others button")
    expect(others).to_have_text(names[1:] if known else names)
    with page.expect_request("**/api/reports") as request:
        others.last.click()
    expect(page.locator(".toast-words")).to_contain_text("Thank you!")
    label = json.loads(request.value.post_data or "")["label"]
    assert read_rows(server.reports, label)
    assert label.isascii(), "the label of the character, not its name"


def test_someone_not_in_the_list_may_have_a_name(open_page: OpenPage, server: Server) -> None:
    page = open_page()
    open_drawn(page, 0.09)
    open_form(page)
    name = page.get_by_label("Name, if you know it")
    expect(name).to_be_hidden()
    page.get_by_label("Someone not in the list").check()
    page.keyboard.type("Not Listed Anywhere")
    expect(name).to_have_value("Not Listed Anywhere")
    page.locator("#report-send").click()
    expect(page.locator(".toast-words")).to_contain_text("Thank you!")
    assert len(read_rows(server.reports, "Not Listed Anywhere")) == 1


@pytest.mark.parametrize("dialog", ["report", "why"])
def test_a_press_that_began_inside_a_dialog_does_not_close_it(open_page: OpenPage, dialog: str) -> None:
    page = open_page()
    open_drawn(page)
    cards(page).first.locator(".card-wrong" if dialog == "report" else ".card-why").click()
    shown = page.locator(f"#{dialog}-dialog")
    expect(shown).to_be_visible()
    x, y, width, height = place(shown)
    drag(page, (x + width / 2, y + 20), (x - 40, y + height / 2))
    expect(shown).to_be_visible()
    press_beside(page)
    expect(shown).to_be_hidden()


def test_a_click_beside_the_form_asks_when_something_was_written(open_page: OpenPage) -> None:
    page = open_page()
    open_drawn(page)
    open_form(page)
    page.locator("#report-note").fill("episode 3")
    press_beside(page)
    question = page.get_by_text("Discard what you wrote?")
    expect(question).to_be_visible()
    page.get_by_role("button", name="Keep writing").click()
    expect(question).to_be_hidden()
    expect(page.locator("#report-note")).to_have_value("episode 3")
    press_beside(page)
    page.get_by_role("button", name="Discard").click()
    expect(page.locator("#report-dialog")).to_be_hidden()
    open_form(page)
    expect(page.locator("#report-note")).to_be_empty()


def test_what_was_written_is_there_again_when_the_form_is(open_page: OpenPage, server: Server) -> None:
    page = open_page()
    open_drawn(page, 0.1)
    open_form(page)
    field = page.get_by_role("combobox")
    field.press_sequentially("Aka")
    page.get_by_role("option", name="Aka Ribbon").click()
    page.locator("#report-note").fill("the red one")
    page.keyboard.press("Escape")
    expect(page.locator("#report-dialog")).to_be_hidden()
    open_form(page)
    expect(field).to_have_value("Aka Ribbon")
    expect(page.locator("#report-note")).to_have_value("the red one")
    page.locator("#report-send").click()
    expect(page.locator(".toast-words")).to_contain_text("Thank you!")
    assert [row["note"] for row in read_rows(server.reports, "aka_ribbon")].count("the red one") == 1


def test_a_name_that_nobody_has_is_told_and_taken(open_page: OpenPage, server: Server) -> None:
    told = "Nobody of that name is known yet; your correction teaches the operator."
    page = open_page()
    open_drawn(page, 0.07)
    open_form(page)
    field, stranger = page.get_by_role("combobox"), page.locator("#report-stranger")
    expect(stranger).to_be_empty()
    field.fill("Nobody Anywhere")
    expect(stranger).to_have_text(told)
    field.fill("Aka")
    expect(page.get_by_role("option")).to_have_count(1)
    expect(stranger).to_be_empty()
    field.fill("Nobody Anywhere")
    expect(stranger).to_have_text(told)
    field.fill("")
    expect(stranger).to_be_empty()
    field.fill("Nobody Anywhere")
    expect(stranger).to_have_text(told)
    page.keyboard.press("Escape")
    open_form(page)
    expect(stranger).to_be_empty()
    field.fill("Nobody Anywhere")
    expect(stranger).to_have_text(told)
    page.locator("#report-send").click()
    expect(page.locator(".toast-words")).to_contain_text("Thank you!")
    assert len(read_rows(server.reports, "Nobody Anywhere")) == 1


@pytest.mark.parametrize(
    ("choice", "label"), [("Not a face", "not_a_face"), ("Someone not in the list", "not_listed")]
)
def test_a_face_can_be_nobody(open_page: OpenPage, server: Server, choice: str, label: str) -> None:
    page = open_page()
    before = len(read_rows(server.reports, label))
    open_drawn(page, 0.02)
    open_form(page)
    page.get_by_label(choice).check()
    page.locator("#report-send").click()
    expect(page.locator(".toast-words")).to_contain_text("Thank you!")
    assert len(read_rows(server.reports, label)) == before + 1


def test_an_empty_name_is_asked_for(open_page: OpenPage) -> None:
    page = open_page()
    open_drawn(page)
    open_form(page)
    page.locator("#report-send").click()
    expect(page.locator("#report-problem")).to_have_text("Write a name, or choose one of the other two.")
    expect(page.get_by_role("combobox")).to_be_focused()
    expect(page.locator("#report-dialog")).to_be_visible()


def test_a_double_click_sends_one_report(open_page: OpenPage, server: Server) -> None:
    page = open_page()
    open_drawn(page, 0.03)
    sent: list[str] = []
    page.on(
        "request", lambda request: sent.append(request.url) if "/api/reports" in request.url else None
    )
    open_form(page)
    page.locator("#report-label").fill("Double Click")
    page.evaluate(
        """() => {
            const send = document.getElementById("report-send");
            send.click();
            send.click();
        }"""
    )
    expect(page.locator(".toast-words")).to_contain_text("Thank you!")
    assert len([url for url in sent if "/api/reports" in url]) == 1
    (row,) = read_rows(server.reports, "Double Click")
    assert row["count"] == 1


def test_a_report_survives_a_lost_connection_and_a_reload(open_page: OpenPage, server: Server) -> None:
    page = open_page(failures_expected=True)
    open_drawn(page, 0.04)
    open_form(page)
    page.locator("#report-label").fill("オフライン子")
    page.context.set_offline(True)
    page.locator("#report-send").click()
    expect(page.locator(".toast-words")).to_contain_text("No connection. Your report is kept")
    assert not read_rows(server.reports, "オフライン子")
    page.context.set_offline(False)
    expect(page.locator(".toast-words")).to_contain_text("Thank you!")
    (row,) = read_rows(server.reports, "オフライン子")
    assert row["count"] == 1

    draw_box(page, 0.6, 0.2, 0.9, 0.8)
    expect(cards(page).nth(1).locator(".card-wrong")).to_be_visible()
    open_form(page, 1)
    page.locator("#report-label").fill("再読み込み子")
    # The server stores the report, but its answer is lost on the way.
    page.route("**/api/reports", lambda route: (route.fetch(), route.abort())[0])
    page.locator("#report-send").click()
    expect(page.locator(".toast-words").last).to_contain_text("No connection. Your report is kept")
    page.unroute("**/api/reports")
    page.reload()
    expect(page.locator(".toast-words")).to_contain_text("Thank you!")
    (row,) = read_rows(server.reports, "再読み込み子")
    assert row["count"] == 1
    assert page.evaluate("localStorage.getItem('reports')") is None


def test_a_report_can_be_undone_for_ten_seconds(open_page: OpenPage, server: Server) -> None:
    page = open_page(fresh=True)
    open_drawn(page, 0.05)
    page.clock.install()
    page.clock.pause_at(time.time() + 3600)
    open_form(page)
    page.locator("#report-label").fill("Undone")
    page.locator("#report-send").click()
    undo = page.locator(".toast-undo")
    expect(undo).to_have_text("Undo (10)")
    page.clock.run_for(3000)
    expect(undo).to_have_text("Undo (7)")
    undo.click()
    expect(page.locator(".toast-words")).to_have_text("Your report is withdrawn.")
    expect(cards(page).first.locator(".card-wrong")).to_be_visible()
    assert [row["state"] for row in read_rows(server.reports, "Undone")] == ["withdrawn"]

    open_form(page)
    page.locator("#report-label").fill("Not undone")
    page.locator("#report-send").click()
    expect(page.locator(".toast-undo:visible")).to_have_text("Undo (10)")
    page.clock.run_for(11_000)
    expect(page.locator(".toast")).to_have_count(0)
    assert [row["state"] for row in read_rows(server.reports, "Not undone")] == ["pending"]


def test_a_refused_report_says_why(open_page: OpenPage) -> None:
    page = open_page(failures_expected=True)
    open_drawn(page)
    open_form(page)
    page.locator("#report-label").fill("a\u202eb")
    page.locator("#report-send").click()
    expect(page.locator(".toast-words")).to_contain_text("Your report was not taken:")
    expect(cards(page).first.locator(".card-wrong")).to_be_visible()


def test_a_report_that_is_refused_later_is_not_marked_on_its_own_picture(open_page: OpenPage) -> None:
    page = open_page(failures_expected=True)
    open_drawn(page)
    held: list[Route] = []
    page.route("**/api/reports", lambda route: held.append(route))
    open_form(page)
    page.locator("#report-label").fill("a\u202eb")
    with page.expect_request("**/api/reports"):
        page.locator("#report-send").click()
    expect(cards(page).first.locator(".card-reported")).to_be_visible()
    open_plain(page, draw_plain(200, 300))
    expect(thumbnails(page)).to_have_count(2)
    held[0].continue_()
    expect(page.locator(".toast-words")).to_contain_text("Your report was not taken:")
    thumbnails(page).first.click()
    expect(cards(page).first.locator(".card-wrong")).to_be_visible()
    expect(cards(page).first.locator(".card-reported")).to_be_hidden()


def test_a_report_is_what_was_written_when_it_was_sent(open_page: OpenPage, server: Server) -> None:
    page = open_page()
    open_drawn(page, 0.17)
    held = hold_namesakes(page)
    open_form(page)
    page.keyboard.type("Sent As It Was")
    page.locator("#report-note").fill("episode 7")
    with page.expect_request(re.compile("whole=true")):
        page.locator("#report-send").click()
    page.locator("#report-note").fill("something else")
    held[0].continue_()
    expect(page.locator(".toast-words")).to_contain_text("Thank you!")
    assert [row["note"] for row in read_rows(server.reports, "Sent As It Was")] == ["episode 7"]


def test_markup_in_a_name_stays_text(open_page: OpenPage, server: Server) -> None:
    page = open_page()
    open_drawn(page, 0.06)
    open_form(page)
    page.locator("#report-label").fill("<img src=x onerror=alert(1)>")
    page.locator("#report-send").click()
    expect(page.locator(".toast-words")).to_contain_text("Thank you!")
    expect(page.locator("img[src=x]")).to_have_count(0)
    assert len(read_rows(server.reports, "<img src=x onerror=alert(1)>")) == 1


def hold_namesakes(page: Page) -> list[Route]:
    """Let the question whose name it is wait, however long; returns what waits."""
    page.evaluate("AbortSignal.timeout = () => new AbortController().signal")
    held: list[Route] = []
    page.route(re.compile(r"/api/characters\?.*whole=true"), lambda route: held.append(route))
    return held


def test_a_form_that_is_closed_while_its_name_is_looked_up_is_not_lost(
    open_page: OpenPage, server: Server
) -> None:
    page = open_page()
    open_drawn(page, 0.13)
    held = hold_namesakes(page)
    open_form(page)
    page.keyboard.type("Closed Too Soon")
    page.locator("#report-note").fill("episode 7")
    with page.expect_request(re.compile("whole=true")):
        page.locator("#report-send").click()
    page.keyboard.press("Escape")
    expect(page.locator("#report-dialog")).to_be_hidden()
    open_form(page)
    expect(page.get_by_role("combobox")).to_have_value("Closed Too Soon")
    expect(page.locator("#report-note")).to_have_value("episode 7")
    with page.expect_request(re.compile("whole=true")):
        page.locator("#report-send").click()
    for route in held:
        route.continue_()
    expect(page.locator(".toast-words")).to_contain_text("Thank you!")
    assert [row["note"] for row in read_rows(server.reports, "Closed Too Soon")] == ["episode 7"]
    page.locator(".toast-undo").click()
    open_form(page)
    expect(page.locator("#report-note")).to_be_empty()


def test_what_is_found_out_about_a_name_is_told_in_its_own_form_alone(open_page: OpenPage) -> None:
    page = open_page()
    open_example(page)
    held = hold_namesakes(page)
    open_form(page)
    page.keyboard.type("Ribbon Aka")
    with page.expect_request(re.compile("whole=true")):
        page.locator("#report-send").click()
    page.keyboard.press("Escape")
    open_form(page, 1)
    with page.expect_response(re.compile("whole=true")) as response:
        held[0].continue_()
    response.value.finished()
    page.evaluate(
        "new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))"
    )
    expect(page.locator("#report-problem")).to_be_empty()
    expect(page.get_by_role("combobox")).to_be_empty()


def test_a_box_that_is_back_where_it_was_reported_is_reported_still(open_page: OpenPage) -> None:
    page = open_page()
    open_example(page)
    open_form(page)
    page.locator("#kind-not-a-face").check()
    page.locator("#report-send").click()
    reported = cards(page).first.locator(".card-reported")
    expect(reported).to_be_visible()
    with page.expect_response("**/api/identify"):
        boxes(page).first.press("ArrowUp")
    wait_for_answers(page)
    expect(reported).to_be_hidden()
    expect(cards(page).first.locator(".card-wrong")).to_be_visible()
    page.keyboard.press("Control+z")
    expect(reported).to_be_visible()
    expect(cards(page).first.locator(".card-wrong")).to_be_hidden()
