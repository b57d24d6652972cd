"""Draw every simulated task beside real images: ``docs/images/simulation_TASK.png``.

    python docs/make_simulation.py FOLDER [TASK ...]

FOLDER holds the real images, laid out as `REAL` names them; what they are and
under which licences they are shown stands in docs/simulation.md.  Where a file
is missing, the task's picture is left as it is and a line says so.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import imageio.v3 as iio
import matplotlib as mpl
import nibabel
import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

from stable_tiles.region import Region
from stable_tiles.simulate.scene import Scene, View
from stable_tiles.simulate.tasks import TASKS, load_task

Picture = npt.NDArray[np.float64]

COLORS = 128
"""Colours of a picture: keeps its file small."""


@dataclass(frozen=True)
class Real:
    """A piece of a real image.

    Parameters
    ----------
    title : str
        What stands above it.
    file : str
        Inside the folder of real images.
    corner : (y, x)
        First row and column shown.
    side : int
        Rows and columns shown.
    section : int or None
        Section of a volume, which is shown with its front up.
    """

    title: str
    file: str
    corner: tuple[int, int]
    side: int
    section: int | None = None

    def read(self, folder: Path) -> Picture:
        """Its pixels, (y, x) or (y, x, 3)."""
        path = folder / self.file
        if self.section is not None:
            volume = np.asanyarray(nibabel.load(path).dataobj)  # type: ignore[attr-defined]  # nibabel's stubs lack it
            pixels = np.rot90(volume[..., self.section])
        else:
            pixels = iio.imread(path) if path.suffix == ".png" else tifffile.imread(path)
        y, x = self.corner
        return np.asarray(pixels[y : y + self.side, x : x + self.side], np.float64)


REAL: Mapping[str, tuple[Real, ...]] = {
    "calcium": (
        Real(
            "zebrafish, cytosolic", "5_calcium/zebrafish_gcamp6f_cytosolic_mip.tif", (288, 180), 224
        ),
        Real("zebrafish, nuclear", "5_calcium/zebrafish_gcamp6f_nuclear_mip.tif", (288, 180), 224),
    ),
    "dapi": (
        Real("DIC", "3_label_free/unpaired/isl_dic.png", (600, 400), 256),
        Real(
            "DAPI (another field)", "3_label_free/unpaired/isl_dapi_widefield.png", (560, 560), 256
        ),
    ),
    "he": (
        Real("tissue, DAPI only", "2_fluo_he/fluo/unmicst_105_dapi.tif", (420, 260), 224),
        Real("H&E, 0.50 um", "1_wsi/CMU-1-Small-Region.svs", (1000, 1000), 256),
    ),
    "mri": (
        Real("T2, a patient without skull", "4_mri/tcga_DU-7294/t2.nii.gz", (60, 60), 400, 18),
        Real("PD, mean of 152 heads", "4_mri/icbm152_avg/avg152PD.nii", (0, 0), 109, 45),
    ),
    "penicillium": (
        Real("actin, one frame", "6_snr/fmd_confocal_BPAE_G_low.tif", (0, 0), 256),
        Real("actin, mean of 50", "6_snr/fmd_confocal_BPAE_G_high.tif", (0, 0), 256),
    ),
    "planaria": (
        Real("cultured nuclei, few photons", "6_snr/nuctrack_low.tif", (180, 180), 224),
        Real("cultured nuclei, many", "6_snr/nuctrack_high.tif", (180, 180), 224),
    ),
}
"""Beside what each task is shown: domain A, domain B."""

SHOWN: Mapping[str, tuple[str, int, int]] = {
    "calcium": ("test/0000", 512, 224),
    "dapi": ("test/0000", 512, 256),
    "he": ("test/0003", 512, 256),
    "mri": ("test/0001", 256, 256),
    "penicillium": ("test/0001", 512, 256),
    "planaria": ("test/0000", 512, 224),
}
"""Scene of each task, side of its image, and side of what is shown of it."""


def simulated(task: str, view: View) -> Picture:
    """The upper left piece of a test image, (y, x) or (y, x, 3)."""
    name, size, side = SHOWN[task]
    loaded = load_task(task)
    scene = Scene(loaded, 0, name, size, loaded.extent.channels.start)
    pixels = scene.render(Region((0, 0, 0, 0), (1, 1, side, side)), view)[0, :, 0]
    plane: Picture = np.moveaxis(pixels, 0, -1).squeeze().astype(np.float64)
    return plane


def grey(picture: Picture) -> Picture:
    """Stretched to 0..1 for display; colours stay as they are."""
    if picture.ndim == 3:
        return picture / 255
    low, high = (float(level) for level in np.percentile(picture, (0.5, 99.7)))
    return np.asarray(np.clip((picture - low) / (high - low), 0, 1))


def draw(path: Path, panels: list[tuple[str, Picture]]) -> None:
    """All panels in a row, with a palette of `COLORS`."""
    mpl.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(panels), figsize=(12, 3.3), layout="constrained")
    for (title, picture), axis in zip(panels, axes, strict=True):
        axis.imshow(grey(picture), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axis.set_title(title, fontsize=10)
        axis.set_axis_off()
    drawn = BytesIO()
    figure.savefig(drawn, dpi=90)
    plt.close(figure)
    Image.open(drawn).convert("RGB").quantize(COLORS).save(path, optimize=True)


def main() -> None:
    """Draw the pictures of the tasks that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of the real images")
    parser.add_argument("tasks", nargs="*", help="tasks to draw; all by default")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "images")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    for task in asked.tasks or sorted(TASKS):
        missing = [real.file for real in REAL[task] if not (asked.folder / real.file).exists()]
        if missing:
            sys.stderr.write(f"{task}: not drawn, {asked.folder} has no {missing[0]}\n")
            continue
        a, b = (simulated(task, view) for view in ("a", "b"))
        panels = [("simulated, domain A", a), ("simulated, domain B", b)]
        panels += [(f"real: {real.title}", real.read(asked.folder)) for real in REAL[task]]
        path = asked.out / f"simulation_{task}.png"
        draw(path, panels)
        sys.stdout.write(f"{path}: {path.stat().st_size / 1000:.0f} kB\n")


if __name__ == "__main__":
    main()
