"""Real pairs of a noisy image and the mean of many, as the data of a benchmark.

    python examples/pairs.py OUT A_low.tif B_low.tif C_low.tif ... --test 1
    stable-tiles benchmark penicillium --data OUT --out RESULTS

Beside each NAME_low.tif lies NAME_high.tif, the same scene with less noise.  The
last scenes are kept for the test, with their truth.  Of the others the noisy
image of every first and the clean image of every second one is used, so that no
scene is on both sides: training is unpaired.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from stable_tiles import convert


def main(out: Path, low: list[Path], test: int) -> None:
    """Convert each image into the folder in which it is looked for."""
    seen, held_out = low[:-test], low[-test:]
    sides = {"train/A": seen[0::2], "train/B": [clean(path) for path in seen[1::2]]}
    sides |= {"test/A": held_out, "test/B": [clean(path) for path in held_out]}
    for side, images in sides.items():
        (out / side).mkdir(parents=True)
        for image in images:
            name = image.stem.removesuffix("_low").removesuffix("_high")
            convert(image, out / side / f"{name}.zarr")


def clean(noisy: Path) -> Path:
    """The image of the same scene with less noise."""
    return noisy.with_name(noisy.name.replace("_low.", "_high."))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out", type=Path)
    parser.add_argument("low", type=Path, nargs="+")
    parser.add_argument("--test", type=int, default=1, help="scenes kept for the test")
    main(**vars(parser.parse_args()))
