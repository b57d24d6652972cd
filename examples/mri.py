"""Real MRI: train T2 to T1 on some slices of a patient, translate slices held out.

    python examples/mri.py T2.nii.gz T1.nii.gz OUT

The two volumes lie on one grid, which training does not use: T2 slices and T1
slices for training are different ones, and the middle slab is in neither, so
its true T1 can be compared with the translation.  The scanner interpolated
256 x 256 pixels to 512 x 512 (99.8 % of the power lies within half the band),
so 2 x 2 pixels are averaged first: patches and discriminator then see four
times the anatomy.  Training is killed half way (kill -9) and resumed, as an
interrupted job would be.  OUT/mri.png shows the middle slice of the slab: T2,
translation, true T1.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nibabel
import numpy as np

HELD_OUT = slice(13, 21)
SETTINGS = (
    "network.widths=[8,16,32]",
    "network.norm=none",
    "data.patch=128",
    "data.batch=2",
    "data.foreground=0.9",
    "losses.information=1",
    "losses.cycle=3",
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
    """Write some slices of a NIfTI volume, 2 x 2 pixels averaged, as a volume of its own."""
    image = nibabel.load(volume)
    voxels = np.asanyarray(image.dataobj)[:, :, slices]
    rows, columns, depth = voxels.shape
    quads = voxels.reshape(rows // 2, 2, columns // 2, 2, depth).mean(axis=(1, 3))
    # the first averaged pixel lies between the first two
    coarser = image.affine @ np.array([[2, 0, 0, 0.5], [0, 2, 0, 0.5], [0, 0, 1, 0], [0, 0, 0, 1]])
    nibabel.save(nibabel.Nifti1Image(quads.round().astype(voxels.dtype), coarser), target)
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


def main(t2: Path, t1: Path, out: Path) -> None:
    """Convert, train (killed once), translate, compare, draw."""
    from stable_tiles import open_image
    from stable_tiles.evaluate.images import correlation
    from stable_tiles.evaluate.picture import side_by_side

    out.mkdir(parents=True)
    depth = nibabel.load(t2).shape[2]
    seen = np.setdiff1d(np.arange(depth), np.arange(depth)[HELD_OUT])
    parts = {
        "train_t2": cut(t2, seen[0::2], out / "train_t2.nii.gz"),
        "train_t1": cut(t1, seen[1::2], out / "train_t1.nii.gz"),
        "test_t2": cut(t2, np.arange(depth)[HELD_OUT], out / "test_t2.nii.gz"),
        "test_t1": cut(t1, np.arange(depth)[HELD_OUT], out / "test_t1.nii.gz"),
    }
    stores = {name: out / f"{name}.zarr" for name in parts}
    for name, path in parts.items():
        run("convert", path, stores[name], "--quiet")
    chosen = [word for setting in SETTINGS for word in ("--set", setting)]
    training = ["train", "mri", "--source", stores["train_t2"], "--target", stores["train_t1"]]
    training += ["--out", out / "run", "--quiet", *chosen]
    run(*training, kill_at=out / "run" / "checkpoints")
    run(*training, "--resume")
    translated = out / "translated.zarr"
    receipt = run("translate", stores["test_t2"], translated, "--model", out / "run", "--json")
    images = [open_image(p) for p in (stores["test_t2"], translated, stores["test_t1"])]
    reached, identity = correlation(images[1], images[2])[0], correlation(images[0], images[2])[0]
    titles = ("T2", f"translated to T1, r = {reached:.3f}", "T1 (truth)")
    side_by_side(out / "mri.png", images, titles, zoom=96)
    print(json.dumps({"correlation": reached, "identity": identity, **json.loads(receipt)}))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", str(os.cpu_count()))
    main(*map(Path, sys.argv[1:4]))
