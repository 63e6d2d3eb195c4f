"""What the gate calls a fall, by hand."""

from __future__ import annotations

import pytest

from kyara.registry.gate import (
    Figures,
    GateError,
    Tolerances,
    check_reason,
    compare_metrics,
    find_picture_regressions,
    find_regressions,
    refuse,
)


def make_figures(top1=0.9, macro_f1=0.9, ece=0.05, **hits: int) -> Figures:
    """Return figures of characters with a hundred drawings each."""
    return Figures(top1, macro_f1, ece, {label: (count, 100) for label, count in hits.items()})


BEFORE = make_figures(a=90, b=90)


def test_equal_and_better_candidates_pass():
    assert find_regressions(BEFORE, BEFORE, Tolerances()) == []
    better = make_figures(0.95, 0.95, 0.01, a=99, b=91)
    assert find_regressions(BEFORE, better, Tolerances()) == []


@pytest.mark.parametrize(
    ("candidate", "sentence"),
    [
        (make_figures(top1=0.88, a=88, b=88), "Top-1 falls from 90.0% to 88.0%, by more than 0.5%"),
        (make_figures(macro_f1=0.88, a=88, b=90), "Macro-F1 falls from 90.0% to 88.0%"),
        (
            make_figures(ece=0.1, a=90, b=90),
            r"The calibration error \(ECE\) rises from 0.050 to 0.100, by more than 0.035",
        ),
        (make_figures(a=99, b=84), r"Recall of b falls from 90.0% to 84.0% \(6 of 100 drawings\)"),
    ],
)
def test_each_fall_is_told_and_refused(candidate, sentence):
    falls = find_regressions(BEFORE, candidate, Tolerances())
    assert len(falls) == 1
    with pytest.raises(GateError, match=f"new is not promoted. {sentence}"):
        refuse("new", falls)


def test_a_single_drawing_is_no_fall_but_two_are():
    before = Figures(1.0, 1.0, 0.0, {"a": (4, 4), "b": (4, 4)})
    one = Figures(7 / 8, 0.87, 0.0, {"a": (3, 4), "b": (4, 4)})
    assert find_regressions(before, one, Tolerances()) == []
    two = Figures(6 / 8, 0.73, 0.0, {"a": (2, 4), "b": (4, 4)})
    assert any("Recall of a" in fall for fall in find_regressions(before, two, Tolerances()))
    assert find_regressions(before, two, Tolerances(1, 1, 1, 1)) == []


def test_a_character_that_is_no_longer_known_is_a_fall():
    (fall,) = find_regressions(BEFORE, BEFORE, Tolerances(), forgotten=["c"])
    assert fall == "1 characters are no longer known: c"


def test_metrics_of_other_drawings_are_not_compared():
    metrics = {
        "dataset_sha256": "x",
        "protocol": "closed",
        "split": "test",
        "queries": 10,
        "top1": 1.0,
        "macro_f1": 1.0,
        "ece": 0.0,
        "details": {"characters": {"a": {"recall": 1.0, "support": 10}}},
    }
    assert compare_metrics(metrics, metrics, Tolerances()) == []
    worse = {**metrics, "details": {"characters": {"a": {"recall": 0.8, "support": 10}}}}
    assert compare_metrics(metrics, worse, Tolerances())
    for change in ({"dataset_sha256": "y"}, {"queries": 9}, {"split": "val"}):
        with pytest.raises(GateError, match="not measured on the same drawings"):
            compare_metrics(metrics, {**metrics, **change}, Tolerances())
    with pytest.raises(GateError, match="lacks figures"):
        compare_metrics(metrics, {**metrics, "details": {}}, Tolerances())


def test_force_needs_a_reason_and_a_reason_needs_force():
    assert check_reason(True, "  because \n we must ") == "because we must"
    assert check_reason(False, "") == ""
    with pytest.raises(GateError, match="written reason"):
        check_reason(True, " ")
    with pytest.raises(GateError, match="give --force"):
        check_reason(False, "why")


def of_pictures(given: int, right: int) -> dict[str, object]:
    """What is said of a hundred whole pictures."""
    return {"pictures": 100, "names": {"all": {"given": given, "right": right}}}


@pytest.mark.parametrize(
    ("before", "after", "falls"),
    [
        ((10, 8), (30, 28), False),  # more names, no more of them wrong
        ((10, 8), (10, 7), False),  # one picture more is no fall
        ((10, 8), (10, 5), True),
        ((10, 2), (12, 9), False),
        ((0, 0), (5, 3), True),
    ],
)
def test_more_wrong_names_on_whole_pictures_are_a_fall(before, after, falls):
    found = find_picture_regressions(of_pictures(*before), of_pictures(*after), Tolerances())
    assert bool(found) == falls
    if falls:
        assert found == [
            f"Of 100 pictures {after[0] - after[1]} faces get a wrong name, "
            f"{before[0] - before[1]} did before"
        ]
