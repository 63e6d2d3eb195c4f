"""Teach once: whom a visitor names, this browser knows: ranked with the answers, listed, moved."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawings import draw_face
from playwright.sync_api import Locator, Page, Route, expect
from steps import (
    HOLD_DATABASE,
    PHONE,
    OpenPage,
    boxes,
    cards,
    choose,
    draw_box,
    encode,
    open_example,
    read_rows,
    thumbnails,
    wait_for_answers,
)
from verdict_models import write_strict_model
from videos import EXAMPLE

from classification import Classifier
from kyara.recognition.ranking import describe_ranking, identify_embedded
from kyara.vision.images import read_image
from scripts.local_site import Server

GATE = (-2.0, 0.3, 4.0, 0.2, 0.1)
LONGER_GATE = (*GATE, 1.5, -0.5)
READ_CHARACTERS = """async () => {
    const { readCharacters } = await import("/static/js/taught/store.js");
    const count = ({ label, name, pictures }) => ({ label, name, pictures: pictures.length });
    return (await readCharacters()).map(count);
}"""

READ_EMBEDDINGS = """async () => {
    const { readCharacters } = await import("/static/js/taught/store.js");
    const pictures = (await readCharacters()).flatMap((character) => character.pictures);
    return pictures.map(({ embedding }) => embedding && [...embedding]);
}"""


@pytest.fixture(scope="module")
def strict(tiny_model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that knows no face of the example, and whoever is taught by the very face.

    Tests keep apart: what was taught is in a browser profile of each test's own, and reports are looked
    for by names of their own.
    """
    folder = tmp_path_factory.mktemp("strict")
    write_strict_model(tiny_model_folder / "tiny", folder / "model")
    with Server(folder / "reports", model=folder / "model") as server:
        yield server


def tell(page: Page, number: int, name: str, button: str = "#report-here") -> None:
    """Say who a face is: two clicks and the name."""
    cards(page).nth(number).locator(".card-wrong").click()
    page.keyboard.type(name)
    page.locator(button).click()


def open_panel(page: Page) -> Locator:
    page.locator("#taught-button").click()
    panel = page.locator("#taught-dialog")
    expect(panel).to_be_visible()
    return panel


def expect_taught(page: Page, number: int, name: str) -> None:
    """Wait until a face is named by what this browser was taught."""
    card = cards(page).nth(number)
    expect(card).to_have_attribute("data-mark", "known")
    expect(card.locator(".card-verdict")).to_have_text(name)
    expect(card.locator(".card-mine")).to_be_visible()


@pytest.mark.parametrize("gate", [(), GATE, LONGER_GATE])
def test_the_page_ranks_as_a_server_that_was_taught(
    open_page: OpenPage, tiny_classifier: Classifier, tiny_data: Path, gate: tuple[float, ...]
) -> None:
    calibration = replace(tiny_classifier.bundle.calibration, gate=gate, probable_threshold=-3.0)
    served = Classifier(replace(tiny_classifier.bundle, calibration=calibration)).without(["aka_ribbon"])

    def read(label: str, numbers: range) -> list[Any]:
        return [read_image(tiny_data / label / f"{number:03}.png") for number in numbers]

    lessons = identify_embedded(served, read("aka_ribbon", range(3)))
    taught = served.teaching({"mine": [one.embedding for one in lessons]})  # type: ignore[dict-item]
    asked = read("aka_ribbon", range(5, 8)) + read("ao_glasses", range(2)) + read("kiiro_star", range(2))
    embedded = identify_embedded(served, asked)
    faces = [one.complete(served.describe(one.answers, "en")) for one in embedded]
    ranked = open_page().evaluate(
        """async ([faces, references, ranking]) => {
            const { rankTogether } = await import("/static/js/taught/ranking.js");
            const vectors = references.map((one) => Float32Array.from(one));
            const mine = { label: "mine", name: "Mine", work: "", references: vectors };
            return faces.map((face) => rankTogether(face, [mine], ranking));
        }""",
        [faces, [one.embedding.tolist() for one in lessons], describe_ranking(served.bundle)],
    )
    expected = taught.answer(taught.backbone.extract(asked))
    assert {answer["label"] for face in ranked for answer in face["answers"]} >= {"mine"}
    for got, wanted in zip(ranked, expected, strict=True):
        assert got["verdict"] == wanted.verdict
        assert [answer["label"] for answer in got["answers"]] == [one.label for one in wanted.answers]
        for answer, one in zip(got["answers"], wanted.answers, strict=True):
            assert answer["confidence"] == pytest.approx(one.confidence, abs=2e-3)
            assert answer["similarity"] == pytest.approx(one.similarity, abs=1e-3)
            assert bool(answer.get("mine")) == (one.label == "mine")


def test_an_unknown_face_is_known_after_two_clicks_and_a_name(
    open_page: OpenPage, strict: Server
) -> None:
    page = open_page(at=strict)
    faces = open_example(page)
    expect(page.locator('.face-card[data-mark="unknown"]')).to_have_count(faces)
    expect(cards(page).first.locator(".card-wrong")).to_have_text("Tell Kyara who it is")
    tell(page, 0, "Zoë Nobody")
    expect(page.locator(".toast-words")).to_have_text("This browser knows Zoë Nobody from now on.")
    expect_taught(page, 0, "Zoë Nobody")
    expect(boxes(page).first.locator(".box-tag > span")).to_have_text("Zoë Nobody")
    expect(page.locator("#status-text")).to_have_text(f"{faces} faces, 1 recognized.")
    assert read_rows(strict.reports, "Zoë Nobody") == [], "nothing was sent to people"
    page.reload()
    page.wait_for_selector("html[data-ready]", state="attached")
    choose(page, EXAMPLE.read_bytes())
    expect(thumbnails(page).nth(1)).to_have_attribute("aria-current", "true")
    expect_taught(page, 0, "Zoë Nobody")
    cards(page).first.locator(".card-mine").click()
    expect(page.locator("#taught-dialog .taught-name")).to_have_text("Zoë Nobody")


def test_by_keyboard_alone_and_undone(open_page: OpenPage, strict: Server) -> None:
    page = open_page(at=strict)
    open_example(page)
    cards(page).first.locator(".card-wrong").press("Enter")
    page.keyboard.type("Somebody")
    page.keyboard.press("Tab")
    expect(page.locator("#report-keep")).to_be_focused()
    page.locator("#report-here").press("Enter")
    expect_taught(page, 0, "Somebody")
    undo = page.locator(".toast-undo")
    expect(undo).to_be_visible()
    undo.press("Enter")
    expect(cards(page).first).to_have_attribute("data-mark", "unknown")
    expect(open_panel(page).locator("#taught-empty")).to_be_visible()


def test_a_report_teaches_too_unless_the_reader_says_no(open_page: OpenPage, strict: Server) -> None:
    page = open_page(at=strict)
    open_example(page)
    tell(page, 0, "Sent And Kept", "#report-send")
    expect(page.locator(".toast-words")).to_contain_text("Thank you!")  # one sentence, not two
    expect_taught(page, 0, "Sent And Kept")
    expect(cards(page).first.locator(".card-reported")).to_be_visible()
    assert len(read_rows(strict.reports, "Sent And Kept")) == 1
    cards(page).nth(1).locator(".card-wrong").click()
    page.keyboard.type("Only Sent")
    page.locator("#report-keep").uncheck()
    page.locator("#report-send").click()
    expect(cards(page).nth(1).locator(".card-reported")).to_be_visible()
    panel = open_panel(page)
    expect(panel.locator(".taught-name")).to_have_text("Sent And Kept")
    page.keyboard.press("Escape")
    cards(page).nth(2).locator(".card-wrong").click()
    page.locator("#kind-not-a-face").check()
    expect(page.locator("#report-keep, #report-here")).to_have_count(2)
    expect(page.locator("#report-keep")).to_be_hidden()
    expect(page.locator("#report-here")).to_be_hidden()


def test_taking_a_report_back_takes_back_what_it_taught(open_page: OpenPage, strict: Server) -> None:
    page = open_page(at=strict)
    open_example(page)
    tell(page, 0, "Taken Back", "#report-send")
    expect_taught(page, 0, "Taken Back")
    page.locator(".toast-undo").click()
    expect(page.locator(".toast-words")).to_have_text("Your report is withdrawn.")
    expect(cards(page).first).to_have_attribute("data-mark", "unknown")
    assert page.evaluate(READ_CHARACTERS) == []


def test_a_name_that_somebody_has_is_told_and_can_be_chosen(open_page: OpenPage, strict: Server) -> None:
    page = open_page(at=strict)
    open_example(page)
    cards(page).first.locator(".card-wrong").click()
    page.keyboard.type("Ribbon Aka")
    page.locator("#report-here").click()
    expect(page.locator("#report-problem")).to_contain_text("Ribbon Aka is known already")
    option = page.get_by_role("option", name="Aka Ribbon")
    option.click()
    page.locator("#report-here").click()
    expect_taught(page, 0, "Aka Ribbon")
    assert page.evaluate(READ_CHARACTERS) == [
        {"label": "aka_ribbon", "name": "Aka Ribbon", "pictures": 1}
    ]


def test_somebody_else_of_the_same_name_is_taken_at_the_second_time(
    open_page: OpenPage, strict: Server
) -> None:
    page = open_page(at=strict)
    open_example(page)
    cards(page).first.locator(".card-wrong").click()
    page.keyboard.type("Ribbon Aka")
    page.locator("#report-here").click()
    expect(page.locator("#report-problem")).to_contain_text("is known already")
    page.locator("#report-here").click()
    expect_taught(page, 0, "Ribbon Aka")
    assert page.evaluate(READ_CHARACTERS) == [{"label": "", "name": "Ribbon Aka", "pictures": 1}]


def test_pictures_are_listed_forgotten_and_brought_back(open_page: OpenPage, strict: Server) -> None:
    page = open_page(at=strict)
    open_example(page)
    tell(page, 0, "First")
    expect_taught(page, 0, "First")
    tell(page, 1, "Second")
    expect_taught(page, 1, "Second")
    panel = open_panel(page)
    expect(panel.locator("#taught-count")).to_have_text("2 characters, pictures: 2")
    expect(panel.get_by_role("img", name="Picture 1 of First")).to_be_visible()
    panel.get_by_role("button", name="Forget picture 1 of First").press("Enter")
    expect(panel.locator("#taught-words")).to_have_text("A picture of First is forgotten.")
    expect(panel.locator(".taught-name")).to_have_text(["Second"])
    expect(panel.locator("#taught-undo")).to_be_focused()
    page.keyboard.press("Enter")
    expect(panel.locator(".taught-name")).to_have_text(["First", "Second"])
    panel.locator("#taught-clear").click()
    expect(panel.locator("#taught-empty")).to_be_visible()
    page.keyboard.press("Control+z")
    expect(panel.locator(".taught-name")).to_have_text(["First", "Second"])
    panel.get_by_role("button", name="Forget Second").click()
    page.keyboard.press("Escape")
    expect(cards(page).nth(1)).to_have_attribute("data-mark", "unknown")
    expect_taught(page, 0, "First")


def test_what_is_forgotten_after_the_list_is_closed_changes_answers(
    open_page: OpenPage, strict: Server
) -> None:
    page = open_page(at=strict)
    open_example(page)
    tell(page, 0, "First")
    expect_taught(page, 0, "First")
    other = page.context.new_page()
    other.goto(f"{strict.url}/offline")
    panel = open_panel(page)
    panel.get_by_role("button", name="Forget First").click()
    page.keyboard.press("Control+z")
    # the list is the same before both are done, so it does not tell when they are
    expect(panel.locator("#taught-words")).to_have_text("Undone.")
    expect(panel.locator(".taught-name")).to_have_text(["First"])
    other.evaluate(HOLD_DATABASE, ["kyara-taught", "characters"])
    panel.get_by_role("button", name="Forget First").click()
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    other.evaluate("() => { globalThis.held = false; }")
    expect(cards(page).first).to_have_attribute("data-mark", "unknown")
    other.close()


def test_a_file_moves_what_was_taught_to_another_browser(
    open_page: OpenPage, strict: Server, tmp_path: Path
) -> None:
    page = open_page(at=strict)
    open_example(page)
    tell(page, 0, "Moved")
    expect_taught(page, 0, "Moved")
    panel = open_panel(page)
    with page.expect_download() as saving:
        panel.locator("#taught-export").click()
    file = tmp_path / "kyara-taught.json"
    saving.value.save_as(file)
    other = open_page(at=strict)
    panel = open_panel(other)
    expect(panel.locator("#taught-empty")).to_be_visible()
    other.set_input_files("#taught-file", file)
    words = panel.locator("#taught-words")
    expect(words).to_have_text("Pictures added: 1. There already: 0. Left out: 0.")
    other.set_input_files("#taught-file", file)
    expect(words).to_have_text("Pictures added: 0. There already: 1. Left out: 0.")
    other.keyboard.press("Escape")
    open_example(other)
    expect_taught(other, 0, "Moved")


@pytest.mark.parametrize(
    "change",
    [
        lambda _: "{",
        lambda _: "[]",
        lambda read: json.dumps({**read, "format": "another"}),
        lambda read: json.dumps({**read, "characters": 3}),
    ],
)
def test_a_strange_file_is_refused_with_a_sentence(
    open_page: OpenPage, server: Server, tmp_path: Path, change: Callable[[Any], str]
) -> None:
    page = open_page(fresh=True)
    panel = open_panel(page)
    file = tmp_path / "strange.json"
    file.write_text(change({"format": "kyara-taught", "version": 1, "characters": []}))
    page.set_input_files("#taught-file", file)
    expect(panel.locator("#taught-words")).to_have_text("This is not a file that was saved here.")
    expect(panel.locator("#taught-empty")).to_be_visible()


def test_of_a_file_only_pictures_are_taken(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page(fresh=True)
    panel = open_panel(page)
    odd = [
        {"crop": "https://example.org/a.png"},
        {"crop": "data:image/svg+xml;base64,PHN2Zy8+"},
        {"crop": "data:image/png;base64,AAAA"},
        {"crop": 3},
        None,
    ]
    characters = [
        {"name": "A", "pictures": odd},
        {"name": "", "pictures": odd},
        {"name": "B" * 300},
        None,
    ]
    file = tmp_path / "odd.json"
    file.write_text(json.dumps({"format": "kyara-taught", "version": 1, "characters": characters}))
    page.set_input_files("#taught-file", file)
    expect(panel.locator("#taught-words")).to_have_text(
        "Pictures added: 0. There already: 0. Left out: 10."
    )


@pytest.mark.parametrize("times", [2.0, 0.98, 0.0])
def test_an_embedding_without_unit_length_is_not_taken_but_made_again(
    open_page: OpenPage, strict: Server, tmp_path: Path, times: float
) -> None:
    page = open_page(at=strict)
    open_example(page)
    tell(page, 0, "Stretched")
    expect_taught(page, 0, "Stretched")
    (right,) = page.evaluate(READ_EMBEDDINGS)
    panel = open_panel(page)
    file = tmp_path / "kyara-taught.json"
    with page.expect_download() as saving:
        panel.locator("#taught-export").click()
    saving.value.save_as(file)
    read = json.loads(file.read_text())
    (picture,) = read["characters"][0]["pictures"]
    saved = np.frombuffer(base64.b64decode(picture["embedding"]), "<f4")
    assert np.linalg.norm(saved) == pytest.approx(1, abs=1e-3)
    picture["embedding"] = base64.b64encode((times * saved).astype("<f4").tobytes()).decode()
    file.write_text(json.dumps(read))
    other = open_page(at=strict)
    panel = open_panel(other)
    other.set_input_files("#taught-file", file)
    words = panel.locator("#taught-words")
    expect(words).to_have_text("Pictures added: 1. There already: 0. Left out: 0.")
    other.keyboard.press("Escape")
    open_example(other)
    expect_taught(other, 0, "Stretched")
    assert other.evaluate(READ_EMBEDDINGS) == [pytest.approx(right, abs=1e-3)]


def test_another_network_looks_at_the_kept_pictures_again(
    open_page: OpenPage, own_server: Callable[..., Server], tiny_bundle: Path, tmp_path: Path
) -> None:
    write_strict_model(tiny_bundle, tmp_path / "model")
    first = own_server(tmp_path / "model")
    page = open_page(at=first, failures_expected=True)
    open_example(page)
    tell(page, 0, "Kept Over Models")
    expect_taught(page, 0, "Kept Over Models")
    first.stop()
    write_strict_model(tiny_bundle, tmp_path / "other", another=True)
    own_server(tmp_path / "other", port=first.port)
    page.reload()
    page.wait_for_selector("html[data-ready]", state="attached")
    choose(page, EXAMPLE.read_bytes())
    expect(page.locator(".toast-words")).to_have_text(
        "The model has changed: a picture that you taught was looked at again."
    )
    expect_taught(page, 0, "Kept Over Models")


def test_a_kept_picture_that_the_server_refuses_stops_no_other(
    open_page: OpenPage, strict: Server
) -> None:
    page = open_page(at=strict, failures_expected=True)
    open_example(page)
    page.evaluate(
        """async () => {
            const { taught } = await import("/static/js/taught/taught.js"); // as another tab would
            const naming = { label: "", name: "Broken", work: "" };
            await taught.teach(naming, "data:image/jpeg;base64,AAAA");
        }"""
    )
    tell(page, 0, "Whole")
    expect_taught(page, 0, "Whole")
    page.evaluate(
        """async () => {
            const { readCharacters } = await import("/static/js/taught/store.js");
            const isRefused = async () => {
                const broken = (await readCharacters()).find(({ name }) => name === "Broken");
                return broken.pictures[0].network && broken.pictures[0].embedding === null;
            };
            while (!(await isRefused())) await new Promise((resolve) => setTimeout(resolve, 50));
        }"""
    )


def test_without_a_connection_the_picture_is_kept_and_looked_at_later(
    open_page: OpenPage, strict: Server
) -> None:
    page = open_page(at=strict, failures_expected=True)
    open_example(page)
    cards(page).first.locator(".card-wrong").click()
    page.keyboard.type("Later")
    page.context.set_offline(True)
    page.locator("#report-here").click()
    expect(page.locator(".toast-words")).to_contain_text("It is kept.")
    panel = open_panel(page)
    expect(panel.locator(".taught-waiting")).to_have_text("1 picture waits for the model to look at it.")
    page.keyboard.press("Escape")
    page.context.set_offline(False)
    expect_taught(page, 0, "Later")


def test_a_face_unlike_the_others_of_its_name_is_told(open_page: OpenPage) -> None:
    page = open_page(fresh=True)
    for character in (0, 3):
        face = draw_face(character, np.random.default_rng(character), 200)
        choose(page, encode(face, "PNG"))
        expect(page.locator("#status")).not_to_have_attribute("data-kind", "busy")
        draw_box(page, 0.02, 0.02, 0.98, 0.98)
        wait_for_answers(page)
        cards(page).last.locator(".card-wrong").click()
        page.keyboard.type("One Name")
        page.locator("#report-here").click()
        if character == 0:
            expect(page.locator(".toast-words")).to_have_text("This browser knows One Name from now on.")
            page.locator(".toast-close").click()
    expect(page.locator(".toast-words")).to_contain_text(
        "This does not look like your other pictures of One Name."
    )


def test_so_many_pictures_are_kept_and_no_more(open_page: OpenPage) -> None:
    outcomes = open_page(fresh=True).evaluate(
        """async () => {
            const { MOST_PICTURES_EACH } = await import("/static/js/taught/lessons.js");
            const { taught } = await import("/static/js/taught/taught.js");
            const outcomes = [];
            const naming = { label: "", name: "Miku Hatsune", work: "" };
            for (let number = 0; number <= MOST_PICTURES_EACH; number += 1) {
                const crop = `data:image/jpeg;base64,${number}`;
                outcomes.push((await taught.teach(naming, crop)).outcome);
            }
            const again = { label: "", name: "hatsune  MIKU", work: "" };
            outcomes.push((await taught.teach(again, "data:image/jpeg;base64,0")).outcome);
            for (let number = 0; taught.count < 500; number += 1) {
                const other = { label: "", name: `Other ${number >> 4}`, work: "" };
                await taught.teach(other, `data:image/jpeg;base64,${number}`);
            }
            const last = { label: "", name: "One more", work: "" };
            outcomes.push((await taught.teach(last, "data:image/jpeg;base64,x")).outcome);
            return outcomes;
        }"""
    )
    assert outcomes == ["new", *["more"] * 19, "full", "twice", "no_room"]


@pytest.mark.parametrize("language", ["en", "zh", "ja"])
def test_on_a_phone_the_panel_fits_in_every_language(
    open_page: OpenPage, strict: Server, language: str
) -> None:
    page = open_page(language, at=strict, **PHONE)
    open_example(page)
    cards(page).first.locator(".card-wrong").click()
    page.locator("#report-label").fill("花子 " * 8)
    page.locator("#report-here").click()
    expect(cards(page).first).to_have_attribute("data-mark", "known")
    panel = open_panel(page)
    expect(panel.locator(".taught-name")).to_have_text(("花子 " * 8).strip())
    wide = page.evaluate(
        "[document.documentElement.scrollWidth, document.querySelector('#taught-dialog').scrollWidth]"
    )
    assert max(wide) <= 390
    title = panel.locator("#taught-title").inner_text()
    assert (title == "Taught by you") == (language == "en")


READ_KEPT = """() => new Promise((resolve) => {
    indexedDB.open("kyara-pictures").onsuccess = ({ target: { result: database } }) => {
        database.transaction("pictures").objectStore("pictures").getAll().onsuccess = ({ target }) => {
            database.close();
            resolve(target.result.sort((a, b) => a.added - b.added)[0]);
        };
    };
})"""
"""The row of the first picture."""


def open_two_examples(page: Page) -> int:
    """Open the example twice, each answered; the second is shown. Return how many faces it has."""
    example = {"name": "example.png", "mimeType": "image/png", "buffer": EXAMPLE.read_bytes()}
    page.set_input_files("#file-input", [example, example])  # type: ignore[list-item]
    wait_for_answers(page)
    show(page, 1)
    wait_for_answers(page)
    return boxes(page).count()


def show(page: Page, number: int) -> None:
    """Show a picture of the tab."""
    thumbnails(page).nth(number).click()
    expect(thumbnails(page).nth(number)).to_have_attribute("aria-current", "true")


def test_other_pictures_of_the_tab_are_asked_about_again_after_a_lesson(
    open_page: OpenPage, strict: Server
) -> None:
    page = open_page(at=strict)
    open_two_examples(page)
    expect(cards(page).first).to_have_attribute("data-mark", "unknown")
    tell(page, 0, "Known In Both")
    expect_taught(page, 0, "Known In Both")
    show(page, 0)
    expect_taught(page, 0, "Known In Both")


def test_a_lesson_keeps_the_answers_of_pictures_that_are_not_shown(
    open_page: OpenPage, strict: Server
) -> None:
    page = open_page(at=strict, fresh=True)
    faces = open_two_examples(page)
    touched = page.evaluate(READ_KEPT)["touched"]
    tell(page, 0, "Known Here")
    expect_taught(page, 0, "Known Here")
    page.wait_for_function(
        f"async () => (await ({READ_KEPT})()).view.saved.answers.every(([, each]) => each[0].old)"
    )
    assert page.evaluate(READ_KEPT)["touched"] == touched, "nobody has looked at it"
    with page.expect_download() as saving:
        page.get_by_role("button", name="Save JSON").click()
    first, _ = json.loads(Path(saving.value.path()).read_text())["images"]
    assert len(first["faces"]) == faces
    assert all(face["verdict"] == "unknown" and face["answers"] for face in first["faces"])


def test_a_picture_that_is_left_before_its_new_answers_came_is_asked_about_again(
    open_page: OpenPage, strict: Server
) -> None:
    page = open_page(at=strict, failures_expected=True)
    faces = open_two_examples(page)

    def hold(route: Route) -> None:
        if len(json.loads(route.request.post_data or "")["crops"]) < faces:  # the lesson itself
            route.continue_()

    page.route("**/api/identify", hold)
    tell(page, 0, "Known On Return")
    expect(page.locator('.face-card[data-mark="asking"]')).to_have_count(faces)
    page.unroute("**/api/identify")
    show(page, 0)
    expect_taught(page, 0, "Known On Return")
    show(page, 1)
    expect_taught(page, 0, "Known On Return")


def test_after_a_lesson_a_question_that_failed_can_be_asked_again(
    open_page: OpenPage, strict: Server
) -> None:
    page = open_page(at=strict, failures_expected=True)
    faces = open_example(page)

    def fail(route: Route) -> None:
        if len(json.loads(route.request.post_data or "")["crops"]) < faces:  # the lesson itself
            route.continue_()
        else:
            route.abort()

    page.route("**/api/identify", fail)
    tell(page, 0, "Known In The End")
    expect(page.locator("#status")).to_have_attribute("data-kind", "error")
    expect(page.locator('.face-card[data-mark="unknown"]')).to_have_count(faces)
    page.unroute("**/api/identify")
    page.locator("#status-action").click()
    expect_taught(page, 0, "Known In The End")
    expect(page.locator("#identify-button")).to_have_attribute("aria-disabled", "true")


def test_old_answers_are_shown_until_all_faces_have_new_ones(open_page: OpenPage) -> None:
    counts = open_page().evaluate(
        """async () => {
            const { PageState } = await import("/static/js/page/state.js");
            const state = new PageState();
            for (let x = 0; x < 40; x += 1) state.add({ x: 50 * x, y: 0, width: 50, height: 50 });
            const answers = [{ label: "miku", name: "Hatsune Miku", work: "VOCALOID", confidence: 0.9 }];
            const take = (faces) =>
                state.takeAnswers({}, faces, faces.map(() => ({ verdict: "known", answers })));
            const counts = [];
            const count = () => counts.push(state.waiting().length);
            take(state.faces);
            count();
            state.markAnswersOld();
            count();
            const named = state.faces.filter((face) => state.answer(face)?.face).length;
            take(state.waiting().slice(0, 32)); // so many are asked about at once
            count();
            const again = new PageState();
            again.resume(JSON.parse(JSON.stringify(state.save())));
            return [...counts, named, again.waiting().length];
        }"""
    )
    assert counts == [0, 40, 8, 40, 8]


def test_a_box_that_comes_back_after_a_lesson_is_asked_about_again(
    open_page: OpenPage, strict: Server
) -> None:
    page = open_page(at=strict)
    open_example(page)
    cards(page).nth(1).locator(".card-remove").click()
    tell(page, 0, "Known Since")
    expect_taught(page, 0, "Known Since")
    with page.expect_request("**/api/identify"):
        page.locator("#undo-button").click()
    wait_for_answers(page)
    expect_taught(page, 0, "Known Since")


def test_names_that_were_taught_are_found_though_the_site_cannot_be_reached(
    open_page: OpenPage, strict: Server
) -> None:
    page = open_page(at=strict, failures_expected=True)
    open_example(page)
    tell(page, 0, "Zoë Nobody")
    expect_taught(page, 0, "Zoë Nobody")
    page.route("**/api/characters?*", lambda route: route.abort())
    cards(page).nth(1).locator(".card-wrong").click()
    page.get_by_role("combobox").press_sequentially("zoë")
    expect(page.get_by_role("option", name="Zoë Nobody")).to_be_visible()
    expect(page.locator("#report-stranger")).to_be_empty()


def test_many_pictures_are_kept_in_one_step(open_page: OpenPage) -> None:
    outcomes, changes, kept = open_page(fresh=True).evaluate(
        """async () => {
            const { taught } = await import("/static/js/taught/taught.js");
            await taught.load();
            let changes = 0;
            taught.addEventListener("change", () => (changes += 1));
            const crop = (number) => `data:image/jpeg;base64,${number}`;
            const naming = (label, name, work = "") => ({ label, name, work });
            const taken = await taught.teachAll([
                { naming: naming("", "Rin Kaga"), crop: crop(1) },
                { naming: naming("", "kaga  RIN", "A Show"), crop: crop(2) },
                { naming: naming("rin_kaga", "Rin Kaga"), crop: crop(3) },
                { naming: naming("rin_kaga", "Another Name"), crop: crop(3) },
                { naming: naming("", "Rin Kaga", "Other Show"), crop: crop(4) },
                { naming: naming("rin_other", "Rin Kaga"), crop: crop(5) },
            ]);
            const outcomes = taken.map(({ outcome }) => outcome);
            const sum = ({ label, work, pictures }) => [label, work, pictures.length];
            return [outcomes, changes, taught.characters.map(sum)];
        }"""
    )
    assert outcomes == ["new", "more", "more", "twice", "new", "more"]
    assert changes == 1
    assert kept == [["rin_kaga", "A Show", 3], ["rin_other", "Other Show", 2]]
