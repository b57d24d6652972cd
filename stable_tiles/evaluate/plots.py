"""Plots of a report, each small enough to be read on a phone; matplotlib without global state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

DPI = 200
WIDTH, HEIGHT = 3.3, 3.0
"""Inches of one plot at 96 CSS pixels an inch."""

POINTS = 300
"""Values drawn as points beside a box, evenly spread over the order they came in."""

COLORS = ("#d1495b", "#00798c", "#edae49", "#66a182", "#8d6a9f", "#2e4057")


def boxes(
    groups: Mapping[str, Sequence[float]], label: str, stars: Mapping[str, str] | None = None
) -> bytes:
    """A PNG: a box and whiskers for each group, its values as points.

    Boxes span the quartiles with the median, whiskers reach to the last value
    within 1.5 times their range.

    Parameters
    ----------
    groups : mapping of str to values
        Values that are not finite are left out.
    label : str
        Of the axis of values.
    stars : mapping of str to str, optional
        What stands above a group: its significance against the first one.
    """
    width = max(WIDTH, 0.75 * len(groups) + 1)
    figure = Figure(figsize=(width, HEIGHT), layout="constrained", dpi=DPI)
    axes = figure.subplots()
    known = {name: [v for v in values if np.isfinite(v)] for name, values in groups.items()}
    drawn = axes.boxplot(
        list(known.values()),
        widths=0.5,
        showfliers=False,
        patch_artist=True,
        medianprops={"color": "black"},
    )
    jitter = np.random.default_rng(0)
    for place, (box, values) in enumerate(zip(drawn["boxes"], known.values(), strict=True)):
        color = COLORS[place % len(COLORS)]
        box.set(facecolor=color, alpha=0.45)
        few = np.array(values)[_spread(len(values))]
        near = place + 1 + jitter.uniform(-0.18, 0.18, len(few))
        axes.plot(near, few, ".", color=color, markersize=3 if len(few) > 10 else 7, alpha=0.6)
    _name(axes, range(1, len(known) + 1), list(known))
    axes.set_ylabel(label)
    for place, name in enumerate(known):
        if stars and stars.get(name):
            axes.text(
                place + 1, 1.01, stars[name], ha="center", transform=axes.get_xaxis_transform()
            )
    _plain(axes)
    return _png(figure)


def counts(bars: Mapping[str, int], label: str) -> bytes:
    """A PNG: one bar a name, its number above it."""
    width = max(WIDTH, 0.75 * len(bars) + 1)
    figure = Figure(figsize=(width, HEIGHT), layout="constrained", dpi=DPI)
    axes = figure.subplots()
    drawn = axes.bar(range(len(bars)), list(bars.values()), width=0.55, color=COLORS[1::-1])
    axes.bar_label(drawn)
    _name(axes, range(len(bars)), list(bars))
    axes.set_ylabel(label)
    axes.margins(y=0.1)
    _plain(axes)
    return _png(figure)


def traces(
    first: npt.NDArray[np.float64], second: npt.NDArray[np.float64], frame_s: float | None
) -> bytes:
    """A PNG: two traces over time, each on its own axis of values.

    Parameters
    ----------
    first, second : array, (t,)
        dF/F0 of the input and of the translation.
    frame_s : float or None
        Seconds of a frame; None counts frames.
    """
    figure = Figure(figsize=(1.2 * WIDTH, 0.6 * HEIGHT), layout="constrained", dpi=DPI)
    axes = figure.subplots()
    time = np.arange(len(first)) * (frame_s or 1)
    for side, trace, color in zip(
        (axes, axes.twinx()), (first, second), COLORS[1::-1], strict=True
    ):
        side.plot(time, trace, color=color, linewidth=1)
        side.tick_params(axis="y", colors=color, labelsize=8)
        side.spines["top"].set_visible(False)
    axes.set_xlabel("time, s" if frame_s else "frame", fontsize=9)
    axes.set_ylabel("dF/F0", fontsize=9)
    return _png(figure)


def histogram(values: Sequence[npt.NDArray[np.float64]], names: Sequence[str], label: str) -> bytes:
    """A PNG: how often values occur, a line for each channel, on a logarithmic scale.

    Parameters
    ----------
    values : sequence of arrays
        One a channel; values that are not finite are left out.
    names : sequence of str
    label : str
        Of the axis of values.
    """
    known = [channel[np.isfinite(channel)] for channel in values]
    every = np.concatenate(known) if known else np.zeros(0)
    figure = Figure(figsize=(WIDTH * 1.3, HEIGHT), layout="constrained", dpi=DPI)
    axes = figure.subplots()
    bins = np.histogram_bin_edges(every, 128)
    for number, (channel, name) in enumerate(zip(known, names, strict=True)):
        shares = np.histogram(channel, bins)[0] / max(1, channel.size)
        axes.stairs(shares, bins, color=COLORS[number % len(COLORS)], label=name)
    axes.set_yscale("log")
    axes.set(xlabel=label, ylabel="share of pixels")
    axes.legend(frameon=False, fontsize=8)
    _plain(axes)
    return _png(figure)


def _spread(count: int) -> npt.NDArray[np.intp]:
    return np.unique(np.linspace(0, count - 1, min(count, POINTS)).astype(np.intp))


def _name(axes: Axes, places: Sequence[int], names: Sequence[str]) -> None:
    """Write names below their places, aslant where they would not fit side by side."""
    turned = max(map(len, names)) * len(names) > 24
    axes.set_xticks(
        places,
        [name.replace("$", r"\$") for name in names],  # no mathematics in names
        rotation=30 if turned else 0,
        ha="right" if turned else "center",
    )


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9)


def _png(figure: Figure) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
