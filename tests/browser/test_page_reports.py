"""*Wrong?*: a correction goes in, in any script, once, over a lost connection, and can be undone."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from steps import OpenPage, cards, draw_box, open_example, open_plain

from scripts.local_site import Server


def read_rows(folder: Path, label: str) -> list[sqlite3.Row]:
    with sqlite3.connect(folder / "reports.db") as connection:
        connection.row_factory = sqlite3.Row
        rows = connection.execute("select * from reports where label = ?", (label,)).fetchall()
    connection.close()
    return rows


def open_form(page: Page, number: int = 0) -> None:
    cards(page).nth(number).locator(".card-wrong").click()
    expect(page.locator("#report-dialog")).to_be_visible()


def open_drawn(page: Page, shift: float = 0) -> None:
    """A drawn box with an answer; the shift makes its pixels its own."""
    open_plain(page)
    draw_box(page, 0.1 + shift, 0.1, 0.5 + shift, 0.7)
    expect(cards(page).first.locator(".card-wrong")).to_be_visible()


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
    assert len(read_rows(server.reports, "aka_ribbon")) == 1


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


@pytest.mark.parametrize(
    ("choice", "label"), [("Not a face", "not_a_face"), ("Someone not in the list", "not_listed")]
)
def test_a_face_can_be_nobody(open_page: OpenPage, server: Server, choice: str, label: str) -> None:
    page = open_page()
    open_drawn(page, 0.02)
    open_form(page)
    page.get_by_label(choice).check()
    page.locator("#report-send").click()
    expect(page.locator(".toast-words")).to_contain_text("Thank you!")
    assert len(read_rows(server.reports, label)) == 1


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


def test_markup_in_a_name_stays_text(open_page: OpenPage, server: Server) -> None:
    page = open_page()
    open_drawn(page, 0.06)
    open_form(page)
    page.locator("#report-label").fill("<img src=x onerror=alert(1)>")
    page.locator("#report-send").click()
    expect(page.locator(".toast-words")).to_contain_text("Thank you!")
    expect(page.locator("img[src=x]")).to_have_count(0)
    assert len(read_rows(server.reports, "<img src=x onerror=alert(1)>")) == 1
