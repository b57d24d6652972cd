"""What the paper measured for each task: its figure, its metrics and its medians.

Numbers are those printed in You et al., "Preserving spatial and quantitative
information in unpaired biomedical image-to-image translation", Cell Reports
Methods 2025.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stable_tiles.errors import InputError

CELLS = ("distance", "iou", "trace_pcc", "count_error")
IMAGES = ("rmse", "mae", "psnr", "ssim", "pcc")

LOWER_IS_BETTER = frozenset({"distance", "count_error", "rmse", "mae"})
"""Of all others more is better."""

LABELS = {"count_error": "error of the count, %"}
"""Of metrics that the reports of ``evaluate`` do not have."""

TUNED_SUFFIX = "-tuned"
"""Follows a method's name where its settings are those found for the task."""

RIVALS_SHOWN = ("stable", "cyclegan", "utom", "munit", "santa")
"""Methods of the paper, in the order of its figures."""


@dataclass(frozen=True)
class Cells:
    """How cells are found in the images of a task.

    Parameters
    ----------
    diameter : float
        Typical diameter of what the target domain shows, pixels.
    labels : str
        Folder of the test data whose label images are the true cells.
    """

    diameter: float
    labels: str


@dataclass(frozen=True)
class Study:
    """One of the paper's experiments, and how it is repeated.

    Parameters
    ----------
    figure : str
        Of the paper.
    cells : Cells or None
        Cells are matched (and counted, and followed through movies); None
        compares pixels with the truth.
    medians : mapping of str to mapping of str to float
        By metric and method, as printed.
    counts : mapping of str to (int, int)
        Cells found in translations, and in what they were compared with.
    utom : tuple of str
        What UTOM must be told of the two domains.
    frames : int
        Time points of simulated images.
    note : str
        What differs from the paper's way of measuring.
    """

    figure: str
    cells: Cells | None = None
    medians: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    counts: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    utom: tuple[str, ...] = ("utom.objects_a=bright", "utom.objects_b=bright")
    frames: int = 1
    note: str = ""

    @property
    def metrics(self) -> tuple[str, ...]:
        """Those measured, in the figure's order."""
        return CELLS if self.cells else IMAGES

    def median(self, metric: str, method: str) -> float | None:
        """What the paper printed, however the method is set; None where it has no such figure."""
        method = method.removesuffix(TUNED_SUFFIX)
        if metric == "count_error" and method in self.counts:
            found, true = self.counts[method]
            return 100 * abs(found / true - 1)
        return self.medians.get(metric, {}).get(method)


def _by_method(*values: float) -> dict[str, float]:
    return dict(zip(("stable", "cyclegan", "munit", "santa", "utom"), values, strict=False))


def _few(stable: float, cyclegan: float, utom: float) -> dict[str, float]:
    return {"stable": stable, "cyclegan": cyclegan, "utom": utom}


def _restored(*pairs: tuple[float, float]) -> dict[str, dict[str, float]]:
    """Translation and noisy input, in the order of `IMAGES`."""
    return {
        metric: dict(zip(("stable", "input"), pair, strict=True))
        for metric, pair in zip(IMAGES, pairs, strict=True)
    }


def _ablation(*values: float) -> dict[str, float]:
    return {f"ablation-{number}": value for number, value in enumerate(values, 1)}


_TRUTH = (
    "The paper matches cells of the input with those of its translation, both found by Cellpose; "
    "here cells of known truth are matched with those found in the translation."
)

_AGAINST_INPUT = (
    "The paper compares STABLE with the noisy input alone, which is the row 'input' here."
)

STUDIES: dict[str, Study] = {
    "calcium": Study(
        figure="Figure 2",
        cells=Cells(diameter=11, labels="nuclei"),
        medians={
            "distance": _by_method(3.30, 8.98, 9.58, 9.41, 9.20) | _ablation(8.59, 7.75, 7.01, 3.3),
            "iou": _by_method(0.554, 0.188, 0.155, 0.186, 0.187)
            | _ablation(0.225, 0.271, 0.301, 0.554),
            "trace_pcc": _by_method(0.803, 0.699, 0.291, 0.124, 0.518) | {"ablation-4": 0.803},
        },
        counts={
            "stable": (739, 736),
            "cyclegan": (675, 736),
            "munit": (625, 736),
            "santa": (701, 736),
            "utom": (707, 736),
            "ablation-4": (739, 736),
        },
        frames=32,
        note=f"{_TRUTH} Its traces are those of input and translation; here of truth and "
        "translation.",
    ),
    "he": Study(
        figure="Figure 3",
        utom=("utom.objects_a=bright", "utom.objects_b=dark"),
        note="The paper has no pairs and compares nuclei of input and translation; here pixels "
        "are compared with the truth, for which it has no figures.",
    ),
    "dapi": Study(
        figure="Figure 4",
        cells=Cells(diameter=19, labels="labels"),
        medians={"distance": _few(6.03, 9.44, 14.6), "iou": _few(0.505, 0.251, 0.129)},
        counts={"stable": (279, 278), "cyclegan": (252, 278), "utom": (344, 278)},
        note="The paper finds the true nuclei by Cellpose in the DAPI image; here they are known.",
    ),
    "mri": Study(
        figure="Figure 5",
        medians={
            "rmse": _few(0.0530, 0.0577, 0.0685),
            "mae": _few(0.0269, 0.0325, 0.0331),
            "psnr": _few(25.5, 24.8, 23.3),
            "ssim": _few(0.891, 0.744, 0.860),
            "pcc": _few(0.985, 0.982, 0.974),
        },
        note="The paper has one value a volume, here one a slice.",
    ),
    "penicillium": Study(
        figure="Figure S3",
        medians=_restored(
            (0.0858, 0.134), (0.0593, 0.0941), (30.5, 26.8), (0.734, 0.541), (0.861, 0.635)
        ),
        note=_AGAINST_INPUT,
    ),
    "planaria": Study(
        figure="Figure S4",
        medians=_restored(
            (0.0510, 0.201), (0.0360, 0.176), (35.89, 25.36), (0.762, 0.232), (0.844, 0.398)
        ),
        note=_AGAINST_INPUT,
    ),
}
"""By task."""


def study(task: str) -> Study:
    """The experiment of that task.

    Raises
    ------
    InputError
        If the paper has none.
    """
    if task not in STUDIES:
        raise InputError(f"no benchmark {task!r}: use one of {', '.join(sorted(STUDIES))}")
    return STUDIES[task]
