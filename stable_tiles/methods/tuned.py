"""Tuned: settings by which rivals did better on a task than by those published."""

from __future__ import annotations

TUNED: dict[str, dict[str, tuple[str, ...]]] = {
    "calcium": {
        name: (f"{name}.learning_rate={rate}", f"{name}.decay_share=0.33")
        for name, rate in (
            ("cyclegan", "6.0e-4"),
            ("utom", "2.0e-3"),
            ("munit", "1.0e-3"),
            ("santa", "2.0e-3"),
        )
    },
}
"""``section.key=value`` overrides of `load_settings` by task and method.

How they were found is in ``docs/benchmark.md``.
"""
