"""Real MRI: train T2 to PD on some slices, translate a slab that training has not seen.

    python examples/mri.py T2.nii PD.nii OUT
    python examples/mri.py T2.nii PD.nii OUT --only-data

Made for the ICBM 152 averages (avg152T2.nii, avg152PD.nii: 91 x 109 x 91 voxels
of 2 mm, https://www.bic.mni.mcgill.ca/ServicesAtlases/ICBM152Lin), which are
interpolated to 1 mm in plane so that patches of 128 px fit.  The volumes lie on
one grid, which training does not use: T2 and PD slices for training are
different ones, and the middle slab is in neither, nor are its neighbours, so
its true PD can be compared with the translation.  Training is killed on the way
(kill -9) and resumed, as an interrupted job would be.  OUT/mri.png shows the
middle slice of the slab: T2, translation, true PD.

OUT/data is laid out as `stable-tiles benchmark mri --data OUT/data` takes it;
with `--only-data` nothing is trained.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nibabel
import numpy as np
from nibabel.processing import resample_to_output

HELD_OUT = slice(40, 50)
GUARD = 2
"""Slices on either side of the slab that nobody sees."""

BRAIN = slice(8, 83)
"""Slices that hold enough of the head."""

VOXEL_MM = (1.0, 1.0, 2.0)

SETTINGS = (
    "network.widths=[8,16,32]",
    "network.norm=none",
    "data.patch=128",
    "data.batch=2",
    "data.foreground=0.9",
    "losses.information=1",
    "losses.cycle=5",
    "losses.stop_gradient=symmetric",
    "losses.equivariant=true",
    "discriminator.widths=[32,64,128]",
    "training.steps=2000",
    "training.learning_rate=2.0e-3",
    "training.discriminator_learning_rate=1.0e-3",
    "training.betas=[0.5,0.999]",
    "training.preview_every=500",
    "training.checkpoint_every=100",
)


def cut(volume: Path, slices: np.ndarray, target: Path) -> Path:
    """Write some slices of a NIfTI volume, interpolated in plane, as a volume of its own."""
    image = resample_to_output(nibabel.load(volume), VOXEL_MM, order=1)
    voxels = np.asanyarray(image.dataobj)[:, :, slices].astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(voxels, image.affine), target)
    return target


def run(*arguments: object, kill_at: Path | None = None) -> str:
    """Run a command of stable-tiles, and kill it once `kill_at` holds a checkpoint."""
    command = ["stable-tiles", *map(str, arguments)]
    print("$", " ".join(command), flush=True)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    if kill_at is not None:
        while process.poll() is None and len(list(kill_at.glob("*"))) < 2:
            time.sleep(1)
        process.send_signal(signal.SIGKILL)
    output, _ = process.communicate()
    if process.returncode not in (0, -signal.SIGKILL):
        sys.exit(process.returncode)
    print(output, flush=True)
    return output


def lay_out(t2: Path, pd: Path, data: Path) -> dict[str, Path]:
    """Convert the slices of either side; returns the stores by their folders."""
    slab = np.arange(HELD_OUT.start, HELD_OUT.stop)
    hidden = np.arange(HELD_OUT.start - GUARD, HELD_OUT.stop + GUARD)
    seen = np.setdiff1d(np.arange(BRAIN.start, BRAIN.stop), hidden)
    parts = {"train/A": (t2, seen[0::2]), "train/B": (pd, seen[1::2])}
    parts |= {"test/A": (t2, slab), "test/B": (pd, slab)}
    stores = {name: data / name / "head.zarr" for name in parts}
    with tempfile.TemporaryDirectory() as folder:
        for name, (volume, slices) in parts.items():
            stores[name].parent.mkdir(parents=True)
            part = cut(volume, slices, Path(folder) / "head.nii.gz")
            run("convert", part, stores[name], "--quiet")
    return stores


def main(t2: Path, pd: Path, out: Path, *, only_data: bool) -> None:
    """Convert, train (killed once), translate, compare, draw."""
    from stable_tiles import open_image
    from stable_tiles.evaluate.images import correlation
    from stable_tiles.evaluate.picture import side_by_side

    stores = lay_out(t2, pd, out / "data")
    if only_data:
        return
    chosen = [word for setting in SETTINGS for word in ("--set", setting)]
    training = ["train", "mri", "--source", stores["train/A"], "--target", stores["train/B"]]
    training += ["--out", out / "run", "--quiet", *chosen]
    run(*training, kill_at=out / "run" / "checkpoints")
    run(*training, "--resume")
    translated = out / "translated.zarr"
    receipt = run("translate", stores["test/A"], translated, "--model", out / "run", "--json")
    images = [open_image(p) for p in (stores["test/A"], translated, stores["test/B"])]
    reached, identity = correlation(images[1], images[2])[0], correlation(images[0], images[2])[0]
    titles = (f"T2, r = {identity:.3f}", f"translated to PD, r = {reached:.3f}", "PD (truth)")
    side_by_side(out / "mri.png", images, titles, zoom=96)
    print(json.dumps({"correlation": reached, "identity": identity, **json.loads(receipt)}))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", str(os.cpu_count()))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    for name in ("t2", "pd", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--only-data", action="store_true")
    main(**vars(parser.parse_args()))
