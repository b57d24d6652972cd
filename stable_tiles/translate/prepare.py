"""Prepare: from source, model and options to a job and its plan; refuses before work starts."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stable_tiles.errors import InputError
from stable_tiles.image.store import Image, open_image
from stable_tiles.image.writer import partial_folder
from stable_tiles.ledger import digest_of
from stable_tiles.model import Model, load_model
from stable_tiles.tiling.plan import Plan, plan_regions
from stable_tiles.translate.cut import Sizes, choose_tilings, survey_tiling
from stable_tiles.translate.find import find_run, find_target
from stable_tiles.translate.fit import fit_intensity
from stable_tiles.translate.forward import bytes_per_pixel
from stable_tiles.translate.hardware import Resources, find_resources
from stable_tiles.translate.job import Forward, Job
from stable_tiles.translate.memory import machine_bytes
from stable_tiles.translate.norms import Policy, choose_policy, plan_survey
from stable_tiles.translate.options import Normalize, TranslateOptions
from stable_tiles.translate.spec import error_spec, output_spec

BATCH_PIXELS = {"cpu": 2**18, "mps": 2**20, "cuda": 2**22}
"""Small planes share a forward pass up to this many pixels."""

LANE_BYTES = 3 * 2**30
"""Memory that forward passes side by side may take on a CPU."""

PROCESS_BYTES = 450 * 2**20
"""Memory of a process that has loaded PyTorch and Zarr."""


@dataclass(frozen=True)
class Work:
    """One translation, decided.

    Parameters
    ----------
    target : Path
        Final name of the output.
    image : Image
        The source.
    model : Model
        What translates it.
    plan : Plan
        Regions and tiles.
    job : Job
        What workers are told.
    resources : Resources
        Where the work runs.
    normalize : Normalize
        How pixels were normalised.
    """

    target: Path
    image: Image
    model: Model
    plan: Plan
    job: Job
    resources: Resources
    normalize: Normalize

    @property
    def memory_bytes(self) -> int:
        """Predicted peak memory of all processes together, bytes."""
        region, spec = self.plan.largest_region, self.job.spec
        written = region.size * np.dtype(spec.dtype).itemsize * spec.layout.shape[1]
        box = self.job.cut.reads(region).size
        reads = box * self.image.dtype.itemsize * self.image.shape[1]
        if self.job.cut.first:
            reads += box * 4 * self.model.settings.features
        planes = region.shape[0] * region.shape[1]
        tile = self.job.cut.largest_tile(region)
        if self.job.survey:
            height, width = self.job.survey.grid.largest
            tile = max(tile, height * width)
        batch = min(planes, max(1, self.job.forward.batch_pixels // tile))
        bytes_each = 64 if self.resources.gpus else bytes_per_pixel(self.model.settings)
        network = tile * batch * bytes_each * self.job.forward.lanes
        worker = PROCESS_BYTES + 2 * (reads + 2 * written) + network
        workers = self.resources.workers
        return workers * worker + PROCESS_BYTES if workers else worker

    @property
    def disk_bytes(self) -> int:
        """Most disk space that the output can take, uncompressed, bytes."""
        item = np.dtype(self.job.spec.dtype).itemsize
        return sum(int(np.prod(level.shape)) * item for level in self.job.spec.layout.levels)

    def fingerprint(self) -> dict[str, str]:
        """What must be equal for work to be resumed, by names that a user understands."""
        tiling, first = self.job.cut.grid.tiling, self.job.cut.first
        return {
            "source": self.image.digest(),
            "model": self.job.digest,
            "--direction": self.job.direction,
            "--tile": str(tiling.tile),
            "--halo": str((tiling.halo, first and first.halo)),
            "--blend": tiling.blend,
            "--region or --planes": digest_of([self.job.cut.origin, self.job.spec.layout.shape]),
            "--channels": str(self.job.channels),
            "--dtype": self.job.spec.dtype,
            "--normalize or --range": digest_of(str(self.job.intensity)),
            "--norm": self.job.norm,
            "--precision": self.job.forward.precision,
            "--device": self.job.forward.device,
            "--confidence": str(self.job.errors is not None),
            "--chunk, --shard or --ngff": digest_of(str(self.job.spec)),
        }


def prepare(source: str | Path, target: str | Path | None, options: TranslateOptions) -> Work:
    """Everything decided, nothing written.

    Raises
    ------
    InputError
        For whatever does not fit: source, model, channels, device, tile, memory.
    """
    image = open_image(source)
    path = find_target(str(source), target)
    resources = find_resources(options.hardware)
    run = find_run(options.model, os.environ, Path.cwd())
    model = load_model(run)
    box = options.select.box(image.shape)
    intensity, normalize = fit_intensity(image, model, options)
    spec = output_spec(
        image, model.target(options.direction), box, (intensity.dtype, options.store)
    )
    shape = spec.layout.region_shape
    sizes = Sizes((image.shape[3], image.shape[4]), (shape[2], shape[3]))
    norm = choose_policy(model, options)
    tilings = choose_tilings(model, options, sizes, resources.device)
    whole = survey_tiling(model, options, sizes.plane, resources.device)
    first = spec.layout.levels[0]
    t, _, z, y, x = first.shards or first.chunks
    plan = plan_regions(tilings, sizes.plane, box, spec.layout.regions(), (t, z, y, x))
    job = Job(
        source=_absolute(str(source)),
        channels=options.select.channels,
        folder=partial_folder(path).absolute(),
        spec=spec,
        errors=error_spec(spec) if options.confidence else None,
        cut=plan.cut,
        model=_absolute(str(run)),
        digest=model.digest,
        direction=options.direction,
        intensity=intensity,
        forward=_forward(norm, options, resources, _largest_pass(model, plan)),
        norm=norm,
        survey=plan_survey(model, options, norm, sizes.plane, whole),
    )
    work = Work(path, image, model, plan, job, resources, normalize)
    if not (options.hardware.scheduler or options.hardware.slurm):
        _refuse_too_large(work)
    return work


def _largest_pass(model: Model, plan: Plan) -> int:
    """Memory of the largest forward pass of one plane, float32, bytes."""
    return plan.cut.largest_tile(plan.largest_region) * bytes_per_pixel(model.settings)


def _forward(
    norm: Policy, options: TranslateOptions, resources: Resources, largest_pass: int
) -> Forward:
    return Forward(
        device=resources.device,
        precision="bf16" if options.precision == "bf16" else "32",
        compile=options.compile,
        batch_pixels=BATCH_PIXELS[resources.device],
        threads=resources.threads,
        lanes=_lanes(norm, options, resources, largest_pass),
        frozen=norm == "frozen",
    )


def _lanes(norm: Policy, options: TranslateOptions, resources: Resources, largest_pass: int) -> int:
    """Two, so that one tile's network hides what the other needs besides.

    A compiler, and norms that are told where a tile lies, serve one at a time;
    on CPUs both must fit.
    """
    if options.compile or norm in {"exact", "dense"} or resources.device == "mps":
        return 1
    if resources.device == "cpu" and (resources.threads == 1 or 2 * largest_pass > LANE_BYTES):
        return 1
    return 2


def _absolute(path: str) -> str:
    return path if "://" in path else str(Path(path).absolute())


def _refuse_too_large(work: Work) -> None:
    need, have = work.memory_bytes, machine_bytes()
    if need > have:
        raise InputError(
            f"this needs about {need / 2**30:.1f} GiB of memory and the machine has "
            f"{have / 2**30:.1f}: use a smaller --tile, or fewer --workers"
        )
