"""Conversion, paired: `stable-tiles convert`, the limit, and other converters on the same inputs.

    python benchmarks/convert.py --size 8192 --frames 2000 --depth 200 --peers PEERS/bin

Every contestant is a command and runs alone, in turn, `--rounds` times; what
is compared are medians.  CPU seconds stand beside wall seconds, because
machines are shared.  PEERS is an environment with
``pip install ome-zarr ngff-zarr eubi-bridge-lite bioio bioio-conversion
bioio-tifffile nibabel imagecodecs``; a contestant that is not there is left out,
one that fails or takes longer than `--timeout` is reported as such.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import nibabel as untyped_nibabel
import numpy as np
import psutil
import tifffile
import zarr
from scipy import ndimage

nibabel: Any = untyped_nibabel
OWN = Path(__file__).with_name("convert_contestants.py")
SIDE, TILE = 2048, 256


@dataclass
class Run:
    """One conversion: what it took and what it left."""

    contestant: str
    input: str
    wall_s: float = 0.0
    cpu_s: float = 0.0
    work_s: float | None = None
    work_cpu_s: float | None = None
    peak_mib: float = 0.0
    files: int = 0
    out_mib: float = 0.0
    levels: int = 0
    equal: bool | None = None
    failure: str | None = None


def picture(rng: np.random.Generator) -> Any:
    """A stained-looking colour image of `SIDE` pixels that can be tiled: (y, x, 3) of uint8."""
    coarse, fine = (
        ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), s, mode="wrap") * s for s in (24, 3)
    )
    nuclei = ndimage.gaussian_filter(
        rng.random((SIDE, SIDE)) > 0.998, 4.0, output=float, mode="wrap"
    )
    grain = rng.normal(0, 3, (SIDE, SIDE, 3))
    stain = np.stack([nuclei * 3000 + fine * 20, nuclei * 4000 + coarse * 60, nuclei * 1500], -1)
    return np.clip(np.array([236, 200, 226]) - np.abs(stain) + grain, 0, 255).astype(np.uint8)


def inputs(folder: Path, size: int, frames: int, depth: int) -> dict[str, Path]:
    """A JPEG-tiled RGB TIFF, an uncompressed movie, and a gzipped volume; those asked for."""
    rng, made = np.random.default_rng(0), {}
    if size:
        made["slide"] = _slide(folder, picture(rng), size)
    if frames:
        made["movie"] = folder / "movie.tif"
        base = rng.poisson(np.linspace(20, 400, 512)[:, None] * np.ones(512), (16, 512, 512))
        movie = (np.roll(base[i % 16], i, axis=1).astype(np.uint16) for i in range(frames))
        tifffile.imwrite(
            made["movie"], movie, shape=(frames, 512, 512), dtype=np.uint16, bigtiff=True,
            photometric="minisblack", metadata={"axes": "TYX"},
        )  # fmt: skip
    if depth:
        made["volume"] = folder / "volume.nii.gz"
        smooth = ndimage.gaussian_filter(rng.normal(size=(512, 512, depth)), (8, 8, 2))
        voxels = (smooth / smooth.std() * 300 + 1000 + rng.normal(0, 20, smooth.shape)).astype("i2")
        image = nibabel.Nifti1Image(voxels, np.diag([0.5, 0.5, 1, 1]))
        image.header.set_xyzt_units("mm", "sec")
        nibabel.save(image, made["volume"])
    return made


def _slide(folder: Path, pixels: Any, size: int) -> Path:
    """A TIFF of JPEG tiles that repeat those of a smaller one, so that a large one is soon made."""
    how: Any = {
        "tile": (TILE, TILE), "photometric": "rgb", "compression": "jpeg",
        "compressionargs": {"level": 85}, "metadata": None,
        "resolution": (20000, 20000), "resolutionunit": "CENTIMETER",
    }  # fmt: skip
    tifffile.imwrite(folder / "small.tif", pixels, **how)
    with tifffile.TiffFile(folder / "small.tif") as tiff:
        places = zip(tiff.pages.first.dataoffsets, tiff.pages.first.databytecounts, strict=True)
        content, across = (folder / "small.tif").read_bytes(), SIDE // TILE
        encoded = [content[start : start + count] for start, count in places]
    grid = product(range(-(-size // TILE)), repeat=2)
    tiles = (encoded[y % across * across + x % across] for y, x in grid)
    tifffile.imwrite(folder / "slide.tif", tiles, shape=(size, size, 3), dtype=np.uint8, **how)
    return folder / "slide.tif"


def commands(source: Path, target: Path, peers: Path | None, threads: int) -> dict[str, list[str]]:
    """What each contestant is called with."""
    own = [str(source), str(target), str(threads)]
    found = {
        "stable-tiles": [sys.executable, str(OWN), "stable-tiles", *own],
        "limit": [sys.executable, str(OWN), "limit", *own],
    }
    if peers is None:
        return found
    place = str(target.parent)
    found["ome-zarr-py"] = [str(peers / "python"), str(OWN), "ome-zarr-py", *own]
    found["ngff-zarr"] = [str(peers / "ngff-zarr"), "-q", "-i", str(source), "-o", str(target)]
    found["EuBI-Bridge-lite"] = [
        str(peers / "eubi"), "to_zarr", str(source), f"--output_path={place}",
        f"--max_processes={threads}", "--zarr_format=3",
    ]  # fmt: skip
    found["BioIO"] = [
        str(peers / "bioio-convert"), str(source), "--destination", place, "--name", "bioio",
        "--num-levels", "5",
    ]  # fmt: skip
    return {name: line for name, line in found.items() if Path(line[0]).exists()}


def convert(name: str, what: str, line: list[str], timeout_s: float) -> Run:
    """Run one command and measure it with all the processes it starts."""
    run = Run(name, what)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    started = time.monotonic()
    # A group, to stop all of it; a session would lose the priority that the whole run was given.
    child = subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, process_group=0
    )
    watch = threading.Thread(target=_watch, args=(child.pid, run), daemon=True)
    watch.start()
    timer = threading.Timer(timeout_s, lambda: os.killpg(child.pid, 9))
    timer.start()
    assert child.stdout is not None
    said = child.stdout.read().decode(errors="replace").strip().splitlines()
    _, status, usage = os.wait4(child.pid, 0)
    timer.cancel()
    child.returncode = os.waitstatus_to_exitcode(status)
    run.wall_s = time.monotonic() - started
    run.cpu_s = usage.ru_utime + usage.ru_stime
    if child.returncode == -9:
        run.failure = f"stopped after {timeout_s:.0f} s"
    elif child.returncode:
        run.failure = said[-1][:120] if said else f"exit code {child.returncode}"
    elif said and said[-1].startswith('{"work_s"'):
        work = json.loads(said[-1])
        run.work_s, run.work_cpu_s = work["work_s"], work["work_cpu_s"]
    return run


def _watch(pid: int, run: Run) -> None:
    """Largest memory of a process and its descendants together."""
    try:
        process = psutil.Process(pid)
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            family = [process, *process.children(recursive=True)]
            total = 0
            for member in family:
                try:
                    total += member.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            run.peak_mib = max(run.peak_mib, total / 2**20)
            time.sleep(0.02)
    except psutil.NoSuchProcess:
        return


def inspect(run: Run, source: Path, folder: Path) -> None:
    """What the conversion left: files, bytes, levels, and whether level 0 is the source's."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    run.files = len(files)
    run.out_mib = sum(path.stat().st_size for path in files) / 2**20
    if run.contestant == "limit" or run.failure:
        return
    stores = [p.parent for n in ("zarr.json", ".zattrs") for p in folder.rglob(n)]
    for store in sorted(stores, key=lambda path: len(path.parts)):
        attributes: Any = zarr.open_group(str(store), mode="r").attrs.asdict()
        scales = attributes.get("ome", attributes).get("multiscales")
        if scales:
            paths = [dataset["path"] for dataset in scales[0]["datasets"]]
            run.levels = len(paths)
            array = zarr.open_array(str(store / paths[0]), mode="r")
            run.equal = _equal(np.asarray(array[...] if array.ndim < 3 else _corner(array)), source)
            return
    run.failure = "no multiscale image was left"


def _corner(array: Any) -> Any:
    """The last 64 x 64 pixels of the first planes, whatever the order of axes."""
    samples_last = array.shape[-1] == 3
    index = [slice(0, 3)] * array.ndim
    for axis in (-3, -2) if samples_last else (-2, -1):
        index[axis] = slice(array.shape[axis] - 64, None)
    block = np.asarray(array[tuple(index)])
    return np.moveaxis(block, -1, -3) if samples_last else block


def _equal(block: Any, source: Path) -> bool:
    if source.name.endswith(".nii.gz"):
        voxels = np.asarray(nibabel.load(source).dataobj.get_unscaled()).T
        expected = voxels[:3, -64:, -64:]
    elif "slide" in source.name:
        with tifffile.TiffFile(source) as tiff:
            store = zarr.open(tiff.aszarr(level=0), mode="r")
            assert isinstance(store, zarr.Array)
            expected = np.asarray(store[-64:, -64:]).transpose(2, 0, 1)
    else:
        expected = tifffile.imread(source, key=range(3))[:, -64:, -64:]
    return block.size == expected.size and np.array_equal(block.reshape(expected.shape), expected)


def summary(runs: list[Run], raw_mib: dict[str, float]) -> str:
    """A table of medians."""
    lines = [
        "| input | contestant | MB/s | wall s | CPU s | of the work: wall s | CPU s | peak MiB "
        "| files | levels | exact |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for key in dict.fromkeys((run.input, run.contestant) for run in runs):
        mine = [run for run in runs if (run.input, run.contestant) == key]
        what, name = key
        if failed := [run for run in mine if run.failure]:
            lines.append(f"| {what} | {name} | {failed[0].failure} | | | | | | | | |")
            continue
        wall, cpu = median(r.wall_s for r in mine), median(r.cpu_s for r in mine)
        peak, last = max(r.peak_mib for r in mine), mine[-1]
        cells = [
            what,
            name,
            f"{raw_mib[what] * 1.048576 / wall:.1f}",
            f"{wall:.2f}",
            f"{cpu:.2f}",
            _work(mine),
            f"{peak:.0f}",
            str(last.files),
            str(last.levels or ""),
            "" if last.equal is None else str(last.equal),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _work(runs: list[Run]) -> str:
    """Medians of the work without start and imports, where a contestant tells them."""
    walls = [run.work_s for run in runs if run.work_s is not None]
    cpus = [run.work_cpu_s for run in runs if run.work_cpu_s is not None]
    return f"{median(walls):.2f} | {median(cpus):.2f}" if walls else " | "


def main() -> None:
    """Make the inputs, run everybody in turn, print the table and keep every run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=8192, help="side of the slide, pixels; 0: none")
    parser.add_argument("--frames", type=int, default=2000, help="frames of the movie; 0: none")
    parser.add_argument("--depth", type=int, default=200, help="slices of the volume; 0: none")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--peers", type=Path, help="bin folder of the peers' environment")
    parser.add_argument("--only", help="contestants, separated by commas")
    parser.add_argument("--timeout", type=float, default=1200.0, help="seconds")
    parser.add_argument("--folder", type=Path, help="where to work; needs a few times the raw size")
    parser.add_argument("--out", type=Path, help="JSON of all runs")
    given = parser.parse_args()
    raw = {
        "slide": given.size**2 * 3 / 2**20,
        "movie": given.frames * 512 * 512 * 2 / 2**20,
        "volume": given.depth * 512 * 512 * 2 / 2**20,
    }
    runs: list[Run] = []
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        sources = inputs(folder, given.size, given.frames, given.depth)
        for _ in range(given.rounds):
            for what, source in sources.items():
                target = folder / "out" / "a.zarr"
                for contestant, line in commands(
                    source, target, given.peers, given.threads
                ).items():
                    failed = any(
                        r.failure and r.contestant == contestant and r.input == what for r in runs
                    )
                    if failed or (given.only and contestant not in given.only.split(",")):
                        continue
                    target.parent.mkdir()
                    run = convert(contestant, what, line, given.timeout)
                    inspect(run, source, target.parent)
                    shutil.rmtree(target.parent)
                    runs.append(run)
                    print(json.dumps(asdict(run)), file=sys.stderr, flush=True)
    print(summary(runs, raw))
    if given.out:
        given.out.write_text(json.dumps([asdict(run) for run in runs], indent=1))


if __name__ == "__main__":
    main()
