"""The report: one page that holds everything, whatever labels and however many characters there are."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from big_evaluation import EVIL, make_big_evaluation
from drawings import LABELS, write_dataset
from PIL import Image
from tagger import make_tagger, write_tagged_faces

from kyara.dataset.manifest import Face, Manifest, read_manifest
from kyara.dataset.tagged import read_tagged
from kyara.evaluation.metrics import trace_roc
from kyara.evaluation.protocols import Options, find_unknowns
from kyara.evaluation.report.matrix import build_matrix
from kyara.evaluation.report.page import render_report
from kyara.evaluation.report.pictures import Portraits
from kyara.evaluation.report.plots import draw_open_set_scores, draw_reliability, draw_roc
from kyara.evaluation.running import evaluate_bundle
from kyara.evaluation.tagging import evaluate_tags
from kyara.vision.boxes import Box
from kyara.vision.images import inline_picture

VOID = {"meta", "link", "img", "input", "br", "path", "rect", "use"}


class Page(HTMLParser):
    """Counts what a page is made of, and what it would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.tags: list[str] = []
        self.nameless: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        self.loads += [found[name] or "" for name in ("src", "href", "srcset") if found.get(name)]
        drawing = tag == "img" or (tag == "svg" and found.get("role") == "img")
        if drawing and not (found.get("alt") or found.get("aria-label")):
            self.nameless.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page(tiny_classifier, tiny_data, tmp_path_factory) -> str:
    """The report of the tiny model, with strangers of both sorts."""
    folder = tmp_path_factory.mktemp("strangers")
    noise = np.random.default_rng(0).integers(0, 256, (6, 90, 90, 3), np.uint8)
    for number, pixels in enumerate(noise):
        Image.fromarray(pixels).save(folder / f"{number}.png")
    manifest = read_manifest(tiny_data)
    known = manifest.having(lambda face: face.label != LABELS[3])
    gone = manifest.having(lambda face: face.label == LABELS[3])
    unknowns = find_unknowns(folder, gone, "val")
    evaluation = evaluate_bundle(
        tiny_classifier,
        known,
        Options("open-set", split="test", boxes=True, robust=True),
        unknowns=unknowns,
    )
    return render_report(evaluation, "python -m kyara evaluate")


def test_the_page_is_whole_and_loads_nothing(page):
    found = Page(page)
    assert not found.open
    assert not found.nameless
    assert found.tags.count("html") == found.tags.count("body") == 1
    assert all(address.startswith(("data:", "#")) for address in found.loads)
    assert "url(http" not in page
    assert "<script src" not in page


def test_the_page_shows_every_part(page):
    for part in (
        "Twelve predictions",
        "Who is taken for whom",
        "Confusion matrix",
        "Is the confidence honest?",
        "Known or unknown",
        "What a threshold would cost",
        "As the face detector cuts them",
        "Altered crops",
        "Character by character",
        "FPR at 95% TPR",
        "most familiar strangers",
        "Latency",
    ):
        assert part in page
    assert page.count('class="plot"') == 1 + 1 + 2 + 3  # reliability, ROC, two groups, three separators
    assert len(re.findall(r'<tr data-label="', page)) == 3
    assert page.count('class="face"') >= 12


def test_names_within_drawings_are_told_apart(page):
    """What one drawing refers to must not be found in another first."""
    for drawing in re.findall(r"<svg class=\"plot\".*?</svg>", page, re.DOTALL):
        own = set(re.findall(r' id="([^"]+)"', drawing))
        assert set(re.findall(r"url\(#([^)]+)\)", drawing)) <= own
        assert set(re.findall(r'href="#([^"]+)"', drawing)) <= own
    names = re.findall(r'<[a-z]+ id="([^"]+)"', page)
    assert names


def test_a_model_of_several_labels_has_a_page_of_its_own(tiny_classifier, tmp_path):
    folder = write_tagged_faces(tmp_path)
    evaluation = evaluate_tags(make_tagger(tiny_classifier, folder), read_tagged(folder), "test")
    text = render_report(evaluation, "python -m kyara evaluate")
    found = Page(text)
    assert not found.open
    assert not found.nameless
    assert all(address.startswith(("data:", "#")) for address in found.loads)
    assert "labels drawn by their training frequencies" in text
    assert re.findall(r'<tr data-label="(.*?)"', text)[-1] == "nobody"
    assert text.count('class="face"') == 12


def test_a_label_cannot_become_part_of_the_page(tiny_classifier, tiny_data):
    text = render_report(make_big_evaluation(tiny_classifier, tiny_data, 6, evil=True), f"kyara {EVIL}")
    assert EVIL not in text
    assert not Page(text).open
    assert "&lt;script&gt;alert" in text


def test_a_page_of_1455_characters_stays_below_5_mb(tiny_classifier, tiny_data):
    text = render_report(
        make_big_evaluation(tiny_classifier, tiny_data, 1455), "python -m kyara evaluate"
    )
    assert len(text.encode()) < 5_000_000
    assert text.count("<tr data-label=") == 1455
    assert "50 characters that are in most mistakes" in text


def test_a_matrix_keeps_its_filled_cells(tiny_classifier, tiny_data):
    answered = make_big_evaluation(tiny_classifier, tiny_data, 8).answered
    matrix = build_matrix(answered, str.upper)
    assert matrix.whole
    assert sum(cell.count for cell in matrix.cells) == len(answered.faces)
    hits = sum(cell.count for cell in matrix.cells if cell.row == cell.column)
    assert hits == answered.correct.sum()
    part = build_matrix(answered, str.upper, most=3)
    assert (len(part.names), part.whole) == (3, False)
    assert all(name == name.upper() for name in part.names)


def test_a_portrait_is_the_reference_then_a_face_that_was_not_asked():
    def face(name: str, split: str, role: str = "") -> Face:
        return Face(Path("data") / name, "a", split, name, role=role)

    faces = (face("t.png", "test"), face("o.png", "test"), face("n.png", "train"))
    manifest = Manifest((Path("data"),), faces)
    assert Portraits(manifest, [Path("data/t.png")]).of_character("a") == Path("data/n.png")
    official = replace(manifest, faces=(*faces, face("r.png", "train", "reference")))
    portraits = Portraits(official, [Path("data/t.png")])
    assert portraits.of_character("a") == Path("data/r.png")
    assert portraits.of_character("b") is None
    assert portraits.of_reference("o.png") == Path("data/o.png")
    assert portraits.of_reference("x.png") is None


def test_a_box_is_cut_out_of_its_picture(tmp_path):
    folder = write_dataset(tmp_path, 1)
    path = folder / LABELS[0] / "000.png"
    assert inline_picture(path).startswith("data:image/jpeg;base64,")
    assert inline_picture(path, Box(0, 0, 30, 30)) != inline_picture(path)


def test_plots_follow_the_page_and_tell_what_they_show():
    known, unknown = np.arange(5.0), np.arange(4.0) - 2
    bins = [{"confidence": 0.5, "accuracy": 0.4, "count": 3}]
    for drawing in (
        draw_reliability(bins, bins, 'says "so" & <more>'),
        draw_roc({"a": trace_roc(known, unknown)[:2]}, 'says "so" & <more>'),
        draw_open_set_scores(known, unknown, float("-inf"), 'says "so" & <more>'),
    ):
        assert 'aria-label="says &#34;so&#34; &amp; &lt;more&gt;"' in drawing
        assert "var(--first)" in drawing
        assert "#0102" not in drawing
        assert "font-family" not in drawing
