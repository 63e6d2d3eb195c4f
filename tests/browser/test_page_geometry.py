"""static/js/faces/geometry.js, run where it lives: known answers."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

SIZE = {"width": 100, "height": 80}


def box(x: float, y: float, width: float, height: float) -> dict[str, float]:
    return {"x": x, "y": y, "width": width, "height": height}


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        ("clampBox", [box(-5, 70.4, 30.2, 20), SIZE], box(0, 60, 30, 20)),
        ("clampBox", [box(10, 10, 500, 2), SIZE], box(0, 10, 100, 16)),
        ("clampBox", [box(3, 3, 50, 50), {"width": 8, "height": 9}], box(0, 0, 8, 9)),
        ("trimBox", [box(-5, 70, 30, 20), SIZE], box(0, 70, 25, 10)),
        ("shiftBox", [box(-5, 70, 30, 20), SIZE], box(0, 60, 30, 20)),
        ("moveBox", [box(10, 10, 20, 20), 75, -3, SIZE], box(80, 7, 20, 20)),
        ("resizeBox", [box(10, 10, 20, 20), 5, -10, SIZE], box(10, 10, 25, 16)),
        ("resizeBox", [box(70, 10, 20, 20), 50, 0, SIZE], box(70, 10, 30, 20)),
        ("middleBox", [SIZE], box(34, 24, 32, 32)),
        ("keyStep", [{"width": 2000, "height": 100}], 10),
        ("keyStep", [SIZE], 1),
        ("overlap", [box(0, 0, 10, 10), box(5, 0, 10, 10)], pytest.approx(1 / 3)),
        ("overlap", [box(0, 0, 10, 10), box(10, 0, 10, 10)], 0),
        ("fitScale", [{"width": 1000, "height": 500}, {"width": 500, "height": 500}], 0.5),
        ("fitScale", [{"width": 500, "height": 1000}, {"width": 500, "height": 500}], 0.5),
        ("fitScale", [{"width": 500, "height": 9000}, {"width": 500, "height": 500}], 0.5),
        ("fitScale", [{"width": 50, "height": 50}, {"width": 500, "height": 500}], 4),
        ("boxOfView", [box(10, 10, 30, 20.2), 0.5, SIZE], box(20, 20, 60, 40)),
        ("cropSize", [box(0, 0, 300, 200)], {"width": 300, "height": 200}),
        ("cropSize", [box(0, 0, 2048, 1024)], {"width": 512, "height": 256}),
        ("cropSize", [box(0, 0, 4000, 1)], {"width": 512, "height": 1}),
        (
            "inReadingOrder",
            [[box(60, 2, 20, 20), box(10, 50, 20, 20), box(5, 0, 20, 20)]],
            [box(5, 0, 20, 20), box(60, 2, 20, 20), box(10, 50, 20, 20)],
        ),
    ],
)
def test_geometry_gives_known_answers(
    bare_page: Page, function: str, arguments: list[Any], expected: Any
) -> None:
    found = bare_page.evaluate(
        "async ([name, values]) => (await import('/static/js/faces/geometry.js'))[name](...values)",
        [function, arguments],
    )
    assert found == expected


def test_a_view_goes_back_to_the_same_box(bare_page: Page) -> None:
    shifted = bare_page.evaluate(
        """async () => {
            const { viewOfBox, boxOfView, sameBox } = await import("/static/js/faces/geometry.js");
            const size = { width: 1388, height: 1013 };
            const off = [];
            for (let x = 0; x < 1000; x += 37) {
                const box = { x, y: 7 + (x % 100), width: 100 + (x % 61), height: 120 };
                const back = boxOfView(viewOfBox(box, 0.4588), 0.4588, size);
                if (!sameBox(back, box)) off.push([box, back]);
            }
            return off;
        }"""
    )
    assert shifted == []
