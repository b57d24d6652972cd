"""Does `translate --confidence` know where a translation is wrong?

    python examples/confidence.py RUN TEST_A.zarr TEST_B.zarr OUT

TEST_B is the truth of TEST_A (`stable-tiles simulate` writes such pairs).
Wrong are the 10 % of pixels with the largest absolute error; the area under
the ROC curve says how well each confidence channel ranks them above the rest:
1 is perfect, 0.5 is chance.  The brightness of the translation is scored too,
as what a trivial guess reaches: where there is light there is error.  Scores and
errors are looked at smoothed over SMOOTH pixels as well, since the truth holds
photon noise that no translation knows.
OUT/confidence.png shows translation, truth, error and confidence.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter
from scipy.stats import rankdata

from stable_tiles import open_image
from stable_tiles.region import Region
from stable_tiles.translate.options import TranslateOptions
from stable_tiles.translate.verb import translate

WORST = 0.1
"""Share of the pixels that counts as wrong."""

SMOOTH = 2.0
"""Standard deviation of the smoothing of errors, pixels."""

SHOWN = 256
"""Side of the part in the picture, pixels."""

Plane = npt.NDArray[np.float64]


def auroc(score: Plane, error: Plane) -> float:
    """Area under the ROC curve of a score for the worst pixels."""
    worst = error.ravel() >= np.quantile(error, 1 - WORST)
    ranks = rankdata(score.ravel())
    positives = int(worst.sum())
    above = ranks[worst].sum() - positives * (positives + 1) / 2
    return float(above / (positives * (worst.size - positives)))


def plane(path: Path) -> npt.NDArray[Any]:
    """The first plane of a store, (c, y, x)."""
    image = open_image(path)
    return image.read(Region((0, 0, 0, 0), (1, 1, *image.shape[3:])))[0, :, 0]


def main(run: Path, source: Path, truth: Path, out: Path) -> None:
    """Translate, compare, draw."""
    out.mkdir(parents=True)
    target = out / "translated.zarr"
    translate(source, target, TranslateOptions(model=run, confidence=True))
    prediction, reference = (plane(p)[0].astype(float) for p in (target, truth))
    error = np.abs(prediction - reference)
    doubt = dict(zip(("cycle", "information"), plane(target / "confidence"), strict=True))
    print(
        json.dumps(
            {
                name: {
                    "auroc": auroc(score, error),
                    "auroc_smoothed": auroc(
                        gaussian_filter(score, SMOOTH),
                        np.abs(gaussian_filter(prediction - reference, SMOOTH)),
                    ),
                }
                for name, score in {"brightness": prediction, **doubt}.items()
            }
        )
    )
    figure = Figure(figsize=(15, 3.6), layout="constrained", dpi=110)
    views = {"translated": prediction, "truth": reference, "absolute error": error, **doubt}
    part = tuple(slice((n - SHOWN) // 2, (n + SHOWN) // 2) for n in error.shape)
    for axis, (title, view) in zip(figure.subplots(1, len(views)), views.items(), strict=True):
        shown = view[part]
        axis.imshow(shown, cmap="gray", vmin=shown.min(), vmax=np.quantile(shown, 0.995))
        axis.set_title(title)
        axis.set_axis_off()
    figure.savefig(out / "confidence.png")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:5]))
