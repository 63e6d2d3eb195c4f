"""static/js/live/tracks.js, run where it lives: faces through time and their steady names."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page
from steps import encode, read_example

from kyara.vision.images import make_data_url

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
VERDICTS = NAMES.replace('shown.verdict === "known" ? shown.name : ""', "shown.verdict")


def square(x: float, y: float, side: float) -> dict[str, float]:
    return {"x": x, "y": y, "width": side, "height": side}


def test_a_face_is_shown_from_its_second_look_on(bare_page: Page) -> None:
    looks = [[0, [square(10, 10, 40)]], [200, [square(12, 10, 40)]], [400, [square(14, 11, 41)]]]
    assert bare_page.evaluate(FOLLOW, looks) == [[], [1], [1]]


def test_two_faces_that_pass_each_other_keep_their_tracks(bare_page: Page) -> None:
    looks = [[200 * n, [square(10 + 8 * n, 10, 40), square(90 - 8 * n, 40, 40)]] for n in range(6)]
    assert bare_page.evaluate(FOLLOW, looks)[1:] == [[1, 2]] * 5


def test_a_fast_face_of_the_same_size_keeps_its_track_and_a_far_one_does_not(bare_page: Page) -> None:
    looks = [[0, [square(0, 0, 40)]], [200, [square(0, 0, 40)]], [400, [square(28, 0, 42)]]]
    assert bare_page.evaluate(FOLLOW, looks)[2] == [1]
    looks[2] = [400, [square(200, 0, 40)]]
    looks.append([600, [square(200, 0, 40)]])
    assert bare_page.evaluate(FOLLOW, looks)[3] == [
        1,
        2,
    ]  # the first is missed for half a second at most
    assert bare_page.evaluate(FOLLOW, [*looks, [800, [square(200, 0, 40)]]])[4] == [2]


def test_a_lost_face_vanishes_soon_and_is_the_same_when_it_is_back(bare_page: Page) -> None:
    there = [square(10, 10, 40)]
    looks = [[0, there], [200, there], [400, []], [600, []], [900, []], [1100, there]]
    assert bare_page.evaluate(FOLLOW, looks) == [[], [1], [1], [1], [], [1]]
    looks[5] = [2000, []]
    looks += [[2200, there], [2400, there]]
    assert bare_page.evaluate(FOLLOW, looks)[-1] == [2]


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
    bare_page: Page, answers: list[Any], expected: list[str]
) -> None:
    assert bare_page.evaluate(NAMES, answers) == expected


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["probably"], ["probably"]),
        (["unknown", "probably"], ["unknown", "probably"]),
        # what is surer wins as soon as half of the answers say so, and goes later than it came
        (["probably", "known"], ["probably", "known"]),
        (["known", "probably", "probably"], ["known", "known", "probably"]),
        (["probably", "unknown", "unknown"], ["probably", "probably", "unknown"]),
        # an answer that knows the face is no less than probable
        (["unknown", "unknown", "known", "probably"], ["unknown", "unknown", "unknown", "probably"]),
    ],
)
def test_a_face_is_probable_where_most_answers_say_no_more(
    bare_page: Page, verdicts: list[str], expected: list[str]
) -> None:
    assert bare_page.evaluate(VERDICTS, [[verdict, {"a": 0.5}] for verdict in verdicts]) == expected


def test_nobody_is_probable_without_an_answer(bare_page: Page) -> None:
    assert bare_page.evaluate(VERDICTS, [["probably", {}]]) == ["unknown"]


def test_faces_with_the_fewest_answers_are_asked_about_first_and_none_too_often(bare_page: Page) -> None:
    asked = bare_page.evaluate(
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


def test_a_face_that_was_not_found_by_the_last_look_is_not_asked_about(bare_page: Page) -> None:
    assert bare_page.evaluate(
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
        ("scaleBox", [square(10, 20, 30), 2.5, {"x": 0, "y": 40}], square(25, 90, 75)),
        ("isCut", [[0, 0, 0, 255], [200, 200, 200, 255]], True),
        ("isCut", [[90, 90, 90, 255], [100, 120, 90, 255]], False),
        ("isCut", [[], [200, 200, 200, 255]], False),
    ],
)
def test_the_geometry_of_tracks_gives_known_answers(
    bare_page: Page, function: str, arguments: list[Any], expected: Any
) -> None:
    found = bare_page.evaluate(
        "async ([name, values]) => (await import('/static/js/live/tracks.js'))[name](...values)",
        [function, arguments],
    )
    assert found == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        # as dark as before, and light elsewhere
        ([20, 20, 20, 255, 40, 40, 40, 255], [40, 40, 40, 255, 20, 20, 20, 255], True),
        # all of it a little lighter
        ([20, 20, 20, 255, 40, 40, 40, 255], [40, 40, 40, 255, 60, 60, 60, 255], False),
        # hardly any change, wherever it is
        ([20, 20, 20, 255, 24, 24, 24, 255], [24, 24, 24, 255, 20, 20, 20, 255], False),
        # a picture of one colour has no places
        ([30, 30, 30, 255] * 2, [50, 50, 50, 255] * 2, False),
    ],
)
def test_scenes_that_are_equally_bright_are_told_apart(
    bare_page: Page, before: list[int], after: list[int], expected: bool
) -> None:
    assert (
        bare_page.evaluate(
            "async (pair) => (await import('/static/js/live/tracks.js')).isCut(...pair)", [before, after]
        )
        is expected
    )


WATCH = """async (urls) => {
  const { CutWatch } = await import("/static/js/live/cuts.js");
  const watch = new CutWatch();
  const cuts = [];
  for (const [index, url] of urls.entries()) {
    const image = new Image();
    image.src = url;
    await image.decode();
    const surface = document.createElement("canvas");
    [surface.width, surface.height] = [image.width, image.height];
    surface.getContext("2d").drawImage(image, 0, 0);
    cuts.push(watch.hasCut(surface, 1000 * (index + 1)));
  }
  return cuts;
}"""


def test_a_pan_is_no_cut_and_another_scene_is(bare_page: Page) -> None:
    example = read_example(400)
    width, height = example.width - 20, example.height
    pan = [example.crop((left, 0, left + width, height)) for left in (0, 6, 20, 0)]
    other = pan[0].transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    urls = [make_data_url(encode(frame, "PNG")) for frame in [*pan, other, pan[0]]]
    assert bare_page.evaluate(WATCH, urls) == [False, False, False, False, True, True]


CAST = """async ([gap, looks]) => {
  const { CastTimes, writeText, writeWebVtt } = await import("/static/js/live/cast-times.js");
  const times = new CastTimes(gap);
  const person = (label) => label && { label, name: `${label}'s <name>`, work: "A work" };
  for (const [frame, seen] of looks) {
    times.see(Object.entries(seen).map(([id, label]) => ({ id: Number(id), person: person(label) })),
      { from: frame, to: frame });
  }
  const clock = (frame) => frame / 10;
  const cast = times.list();
  const pairs = (spans) => spans.map(({ from, to }) => [from, to]);
  return {
    spans: Object.fromEntries(cast.map(({ person, spans }) => [person.label, pairs(spans)])),
    text: writeText(cast, clock),
    vtt: writeWebVtt(cast, clock),
  };
}"""


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        # a name that comes late counts from the track's first look on
        ([[0, {1: None}], [2, {1: None}], [4, {1: "a"}]], {"a": [[0, 4]]}),
        # one that changes takes all of the track along
        ([[0, {1: "a"}], [2, {1: "b"}]], {"b": [[0, 2]]}),
        # nobody known
        ([[0, {1: None}], [2, {1: None}]], {}),
        # out of sight for a moment, then for longer; another track is the same person
        (
            [[0, {1: "a"}], [8, {2: "a"}], [30, {3: "a", 4: "b"}], [34, {3: "a"}]],
            {"a": [[0, 8], [30, 34]], "b": [[30, 30]]},
        ),
        # played twice: what was seen before stays, and is counted once
        ([[0, {1: "a"}], [6, {1: "a"}], [2, {1: "a"}], [4, {1: "a"}]], {"a": [[0, 6]]}),
        # in order of appearance
        ([[50, {1: "late"}], [0, {2: "early"}]], {"early": [[0, 0]], "late": [[50, 50]]}),
    ],
)
def test_tracks_become_spans_of_each_character(
    bare_page: Page, looks: list[Any], expected: dict[str, Any]
) -> None:
    found = bare_page.evaluate(CAST, [10, looks])
    assert found["spans"] == expected
    assert list(found["spans"]) == list(expected)


def test_the_cast_is_written_as_text_and_webvtt(bare_page: Page) -> None:
    looks = [[20, {1: "b"}], [36_000, {2: "a"}], [36_025, {2: "a"}]]
    found = bare_page.evaluate(CAST, [30, looks])
    assert found["text"] == (
        "00:00:02.0 – 00:00:02.1  b's <name> — A work\n01:00:00.0 – 01:00:02.5  a's <name> — A work\n"
    )
    assert found["vtt"] == (
        "WEBVTT\n\n"
        "00:00:02.000 --> 00:00:02.100\nb's &lt;name&gt;\n\n"
        "01:00:00.000 --> 01:00:02.500\na's &lt;name&gt;\n"
    )


def test_whom_this_browser_was_taught_is_marked_with_the_name(bare_page: Page) -> None:
    marks = bare_page.evaluate(
        """async () => {
          const { settleName } = await import("/static/js/live/tracks.js");
          const answer = (label, mine) => ({ label, name: label, work: "", confidence: 0.9, mine });
          const face = (...answers) => ({ verdict: "known", answers });
          const own = settleName([face(answer("own", true))], null);
          const served = settleName([face(answer("served"))], null);
          return [own, served, settleName([face()], null)].map(({ mine }) => mine);
        }"""
    )
    assert marks == [True, False, False]


def test_a_pause_is_cut_short_and_leaves_no_listener_behind(bare_page: Page) -> None:
    assert bare_page.evaluate(
        """async () => {
          const { rest } = await import("/static/js/page/rest.js");
          const controller = new AbortController();
          let listeners = 0;
          const { addEventListener, removeEventListener } = EventTarget.prototype;
          controller.signal.addEventListener = function (...all) {
            listeners += 1;
            addEventListener.apply(this, all);
          };
          controller.signal.removeEventListener = function (...all) {
            listeners -= 1;
            removeEventListener.apply(this, all);
          };
          await rest(1, controller.signal);
          await rest(1, controller.signal);
          const left = listeners;
          const cut = rest(1e9, controller.signal).catch((reason) => reason);
          controller.abort("enough");
          return [left, await cut, await rest(1, controller.signal).catch((reason) => reason)];
        }"""
    ) == [0, "enough", "enough"]
