"""Tuned: settings by which rivals did better on a task than by those published."""

from __future__ import annotations

TUNED: dict[str, dict[str, tuple[str, ...]]] = {
    "calcium": {
        name: (f"{name}.learning_rate=1.0e-3", f"{name}.decay_share=0.33")
        for name in ("cyclegan", "utom", "munit", "santa")
    },
}
"""``section.key=value`` overrides of `load_settings` by task and method.

How they were found is in ``docs/benchmark.md``.
"""
