"""static/js/live/tracks.js, run where it lives: faces through time and their steady names."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

FOLLOW = """async (looks) => {
  const { FaceTracks } = await import("/static/js/live/tracks.js");
  const tracks = new FaceTracks();
  return looks.map(([now, boxes]) => {
    if (boxes) tracks.takeLook(boxes, now);
    return tracks.visible(now).map(({ id }) => id);
  });
}"""
NAMES = """async (answers) => {
  const { settleName } = await import("/static/js/live/tracks.js");
  let shown = null;
  const given = answers.map(([verdict, confidences]) => ({
    verdict,
    answers: Object.entries(confidences).map(([label, confidence]) => (
      { label, name: label.toUpperCase(), work: "", confidence, similarity: null })),
  }));
  return given.map((_, index) => {
    shown = settleName(given.slice(0, index + 1), shown);
    return shown.verdict === "known" ? shown.name : "";
  });
}"""


def square(x: float, y: float, side: float) -> dict[str, float]:
    return {"x": x, "y": y, "width": side, "height": side}


@pytest.fixture(scope="module")
def page(browser, server) -> Any:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{server.url}/healthz")
    yield page
    context.close()


def test_a_face_is_shown_from_its_second_look_on(page: Page) -> None:
    looks = [[0, [square(10, 10, 40)]], [200, [square(12, 10, 40)]], [400, [square(14, 11, 41)]]]
    assert page.evaluate(FOLLOW, looks) == [[], [1], [1]]


def test_two_faces_that_pass_each_other_keep_their_tracks(page: Page) -> None:
    looks = [[200 * n, [square(10 + 8 * n, 10, 40), square(90 - 8 * n, 40, 40)]] for n in range(6)]
    assert page.evaluate(FOLLOW, looks)[1:] == [[1, 2]] * 5


def test_a_fast_face_of_the_same_size_keeps_its_track_and_a_far_one_does_not(page: Page) -> None:
    looks = [[0, [square(0, 0, 40)]], [200, [square(0, 0, 40)]], [400, [square(28, 0, 42)]]]
    assert page.evaluate(FOLLOW, looks)[2] == [1]
    looks[2] = [400, [square(200, 0, 40)]]
    looks.append([600, [square(200, 0, 40)]])
    assert page.evaluate(FOLLOW, looks)[3] == [1, 2]  # the first is missed for half a second at most
    assert page.evaluate(FOLLOW, [*looks, [800, [square(200, 0, 40)]]])[4] == [2]


def test_a_lost_face_vanishes_soon_and_is_the_same_when_it_is_back(page: Page) -> None:
    there = [square(10, 10, 40)]
    looks = [[0, there], [200, there], [400, []], [600, []], [900, []], [1100, there]]
    assert page.evaluate(FOLLOW, looks) == [[], [1], [1], [1], [], [1]]
    looks[5] = [2000, []]
    looks += [[2200, there], [2400, there]]
    assert page.evaluate(FOLLOW, looks)[-1] == [2]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([["known", {"a": 0.9}]], ["A"]),
        ([["unknown", {"a": 0.9}]], [""]),
        # one answer that errs changes nothing
        ([["known", {"a": 0.7, "b": 0.2}]] * 2 + [["known", {"b": 0.9}]], ["A", "A", "A"]),
        ([["known", {"a": 0.7, "b": 0.2}]] + [["known", {"a": 0.2, "b": 0.75}]] * 2, ["A", "A", "B"]),
        ([["known", {"a": 0.8}], ["unknown", {"a": 0.3}]] * 3, ["A"] * 6),
        ([["known", {"a": 0.8}]] + [["unknown", {"a": 0.3}]] * 2, ["A", "A", ""]),
        ([["unknown", {}]], [""]),
    ],
)
def test_names_are_averaged_over_the_answers_and_do_not_flicker(
    page: Page, answers: list[Any], expected: list[str]
) -> None:
    assert page.evaluate(NAMES, answers) == expected


def test_faces_with_the_fewest_answers_are_asked_about_first_and_none_too_often(page: Page) -> None:
    asked = page.evaluate(
        """async (boxes) => {
          const { FaceTracks } = await import("/static/js/live/tracks.js");
          const tracks = new FaceTracks();
          const answer = { verdict: "known", answers: [] };
          const rounds = [];
          for (let now = 0; now <= 4000; now += 200) {
            tracks.takeLook(now < 600 ? boxes.slice(0, 2) : boxes, now);
            const chosen = tracks.toAsk(now, 2);
            tracks.startAsking(chosen, now);
            tracks.takeAnswers(chosen, chosen.map(() => answer));
            rounds.push(chosen.map(({ id }) => id));
          }
          return rounds;
        }""",
        [square(0, 0, 40), square(100, 0, 40), square(200, 0, 40)],
    )
    assert asked[0] == [1, 2]
    assert asked[1] == []
    assert asked[3][0] == 3  # new
    assert 10 <= sum(map(len, asked)) <= 18  # of 60 crops that could have been asked about


def test_a_face_that_was_not_found_by_the_last_look_is_not_asked_about(page: Page) -> None:
    assert page.evaluate(
        """async (box) => {
          const { FaceTracks } = await import("/static/js/live/tracks.js");
          const tracks = new FaceTracks();
          for (const now of [0, 200]) tracks.takeLook([box], now);
          tracks.takeLook([], 400);
          return [tracks.visible(400).length, tracks.toAsk(400, 8).length];
        }""",
        square(0, 0, 40),
    ) == [1, 0]


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        ("likeness", [square(0, 0, 10), square(0, 0, 10)], 1),
        ("likeness", [square(0, 0, 10), square(0, 0, 20)], 0.25),
        ("likeness", [square(0, 0, 10), square(9, 0, 10)], 0),
        ("likeness", [square(0, 0, 10), square(4, 4, 3)], 0),
        ("mixBoxes", [square(0, 10, 40), square(10, 20, 60), 0.5], square(5, 15, 50)),
        ("scaleBox", [square(10, 20, 30), 2.5], square(25, 50, 75)),
        ("isCut", [[0, 0, 0, 255], [200, 200, 200, 255]], True),
        ("isCut", [[90, 90, 90, 255], [100, 120, 90, 255]], False),
        ("isCut", [[], [200, 200, 200, 255]], False),
    ],
)
def test_the_geometry_of_tracks_gives_known_answers(
    page: Page, function: str, arguments: list[Any], expected: Any
) -> None:
    found = page.evaluate(
        "async ([name, values]) => (await import('/static/js/live/tracks.js'))[name](...values)",
        [function, arguments],
    )
    assert found == expected
