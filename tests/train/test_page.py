from __future__ import annotations

import re
from typing import Any

import imagecodecs
import numpy as np

from stable_tiles.train.page import POINTS, run_page

PNG = bytes(imagecodecs.png_encode(np.zeros((4, 4, 3), np.uint8)))


def line(step: int, **losses: float) -> dict[str, Any]:
    return {"step": step, **losses, "rates": {"seconds": 30.0, "steps_per_second": 2.5}}


def points(text: str) -> list[list[float]]:
    """The heights of every curve, from above."""
    found = re.findall(r'<polyline [^>]*points="([^"]+)"', text)
    return [[float(value) for value in curve.split()[1::2]] for curve in found]


def test_losses_troubles_preview_and_settings_are_there() -> None:
    lines = [
        line(10, total=4.0, cycle=2.0),
        {"step": 10, "trouble": "the translation is <inverted>"},
        line(20, total=3.0, cycle=2.5),
        {"step": 20, "validation": {"cycle": 0.25}},
    ]
    text = run_page("run: stable, step 20 of 20", lines, PNG, [("training.steps", 20)])
    for said in (
        "1 minutes of training, 2.5 steps a second at last. Troubles: 1.",
        "step 10: the translation is &lt;inverted&gt;",
        "total: 3 at step 20, from 4; 3 to 4",
        "cycle: 2.5 at step 20, from 2; 2 to 2.5",
        "Held-out images",
        "training.steps",
        "data:image/png;base64,",
    ):
        assert said in text
    total, cycle, _ = points(text)
    assert total[0] < total[1]
    assert cycle[0] > cycle[1]


def test_nothing_is_loaded_from_elsewhere() -> None:
    text = run_page("run", [line(10, total=1.0)], PNG, [])
    assert "http" not in text.replace("http-equiv", "")
    assert "default-src 'none'" in text


def test_a_long_log_stays_a_short_page_with_its_last_value() -> None:
    lines = [line(step, total=float(step)) for step in range(1, 10 * POINTS + 4)]
    (curve,) = points(run_page("run", lines, None, []))
    assert POINTS / 2 < len(curve) <= POINTS
    assert curve == sorted(curve, reverse=True)


def test_a_run_that_has_not_logged_yet_has_a_page() -> None:
    assert "No losses yet." in run_page("run", [], None, [])


def test_measures_that_never_change_are_left_out() -> None:
    seen = [
        {"step": step, "preview": {"a2b": {"correlation": step / 9, "skew_input": 0.5}}}
        for step in (3, 6)
    ]
    text = run_page("run", seen, PNG, [])
    assert "a2b.correlation" in text
    assert "skew_input" not in text
