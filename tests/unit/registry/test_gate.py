"""What the gate calls a fall, by hand."""

from __future__ import annotations

import pytest

from kyara.evaluation.metrics import measure_sign_test
from kyara.registry.gate import (
    Figures,
    GateError,
    Tolerances,
    check_reason,
    compare_metrics,
    find_falls,
    refuse,
)


def make_figures(top1=0.9, macro_f1=0.9, ece=0.05, **hits: int) -> Figures:
    """Return figures of characters with a hundred drawings each."""
    return Figures(top1, macro_f1, ece, {label: (count, 100) for label, count in hits.items()})


BEFORE = make_figures(a=90, b=90)


def test_equal_and_better_candidates_pass():
    assert find_falls(BEFORE, BEFORE, Tolerances()) == []
    better = make_figures(0.95, 0.95, 0.01, a=99, b=91)
    assert find_falls(BEFORE, better, Tolerances()) == []


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
    falls = find_falls(BEFORE, candidate, Tolerances())
    assert len(falls) == 1
    with pytest.raises(GateError, match=f"new is not promoted. {sentence}"):
        refuse("new", falls)


def test_a_single_drawing_is_no_fall_but_two_are():
    before = Figures(1.0, 1.0, 0.0, {"a": (4, 4), "b": (4, 4)})
    one = Figures(7 / 8, 0.87, 0.0, {"a": (3, 4), "b": (4, 4)})
    assert find_falls(before, one, Tolerances()) == []
    two = Figures(6 / 8, 0.73, 0.0, {"a": (2, 4), "b": (4, 4)})
    assert any("Recall of a" in fall for fall in find_falls(before, two, Tolerances()))
    assert find_falls(before, two, Tolerances(1, 1, 1, 1)) == []


def test_a_character_that_is_no_longer_known_is_a_fall():
    (fall,) = find_falls(BEFORE, BEFORE, Tolerances(), forgotten=["c"])
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


def test_the_sign_test_is_the_binomial_tail():
    assert measure_sign_test(3, 0) == pytest.approx(1 / 8)
    assert measure_sign_test(0, 5) == 1
    assert measure_sign_test(5, 5) == pytest.approx(0.623, abs=1e-3)
    assert measure_sign_test(0, 0) == 1
