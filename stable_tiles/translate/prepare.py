"""Prepare: from source, model and options to a job and its plan; refuses before work starts."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from stable_tiles.errors import InputError
from stable_tiles.image.store import Image, open_image
from stable_tiles.image.writer import partial_folder
from stable_tiles.ledger import digest_of
from stable_tiles.model import Model, load_model
from stable_tiles.networks.translator import Translator
from stable_tiles.remote.location import Location
from stable_tiles.tiling.frames import Frames
from stable_tiles.tiling.plan import Plan, plan_regions
from stable_tiles.translate.cost import PROCESS_BYTES, worker_bytes
from stable_tiles.translate.cut import Sizes, choose_tilings, survey_tiling
from stable_tiles.translate.find import find_run, find_target
from stable_tiles.translate.fit import fit_intensity
from stable_tiles.translate.forward import bytes_per_pixel
from stable_tiles.translate.hardware import Resources, find_resources
from stable_tiles.translate.job import Forward, Job
from stable_tiles.translate.norms import Policy, choose_policy, plan_survey
from stable_tiles.translate.options import Normalize, TranslateOptions
from stable_tiles.translate.spec import error_spec, output_spec
from stable_tiles.usage import machine_bytes

BATCH_PIXELS = {"cpu": 2**18, "mps": 2**20, "cuda": 2**22}
"""Small planes share a forward pass up to this many pixels."""

LANE_BYTES = 3 * 2**30
"""Memory that forward passes side by side may take on a CPU."""

LANE_PASSES = 4
"""Forward passes from which on a CPU two side by side are faster than one with all threads."""


@dataclass(frozen=True)
class Work:
    """One translation, decided.

    Parameters
    ----------
    target : Path or Remote
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

    target: Location
    image: Image
    model: Model
    plan: Plan
    job: Job
    resources: Resources
    normalize: Normalize

    @property
    def command(self) -> Literal["translate", "denoise"]:
        """What the model does."""
        return "denoise" if self.job.cut.frames else "translate"

    @property
    def memory_bytes(self) -> int:
        """Predicted peak memory of all processes together, bytes."""
        worker = worker_bytes(self.job, self.image, self.model.settings)
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
            "--tile": f"{tiling.of_rows.tile} x {tiling.tile}",
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


def prepare(
    source: str | Location, target: str | Location | None, options: TranslateOptions
) -> Work:
    """Everything decided, nothing written.

    Raises
    ------
    InputError
        For whatever does not fit: source, model, channels, device, tile, memory.
    """
    image = open_image(source)
    path = find_target(source, target)
    resources = find_resources(options.hardware)
    run = find_run(options.model, os.environ, Path.cwd())
    model = load_model(run)
    model.check_direction(options.direction)
    if options.confidence and not isinstance(model.network, Translator):
        raise InputError(
            "--confidence compares feature maps, which only models of method stable have: "
            "leave it out"
        )
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
    frames = _frames(image, model)
    plan = plan_regions(tilings, sizes.plane, box, shape, (t, z, y, x), frames)
    job = Job(
        source=image.location.absolute(),
        channels=options.select.channels,
        folder=partial_folder(path).absolute(),
        target=path.absolute(),
        spec=spec,
        errors=error_spec(spec) if options.confidence else None,
        cut=plan.cut,
        model=str(run.absolute()),
        digest=model.digest,
        direction=options.direction,
        intensity=intensity,
        forward=_forward(norm, options, resources, two=_two_fit(model, plan)),
        norm=norm,
        survey=plan_survey(model, options, norm, sizes.plane, whole),
    )
    work = Work(path, image, model, plan, job, resources, normalize)
    if not (options.hardware.scheduler or options.hardware.slurm):
        _refuse_too_large(work)
    return work


def _frames(image: Image, model: Model) -> Frames | None:
    """The movie's frames, where the network makes one from several."""
    reach = model.settings.frames_read // 2
    return Frames(image.shape[0], reach) if reach else None


def _forward(
    norm: Policy, options: TranslateOptions, resources: Resources, *, two: bool
) -> Forward:
    return Forward(
        device=resources.device,
        precision="bf16" if options.precision == "bf16" else "32",
        compile=options.compile,
        batch_pixels=BATCH_PIXELS[resources.device],
        threads=resources.threads,
        lanes=_lanes(norm, options, resources, two=two),
        frozen=norm == "frozen",
    )


def _lanes(norm: Policy, options: TranslateOptions, resources: Resources, *, two: bool) -> int:
    """Two, so that one tile's network hides what the other needs besides.

    A compiler, and norms that are told where a tile lies, serve one at a time.
    """
    if options.compile or norm in {"exact", "dense"} or resources.device == "mps":
        return 1
    if resources.device == "cpu" and (resources.threads == 1 or not two):
        return 1
    return 2


def _two_fit(model: Model, plan: Plan) -> bool:
    """Whether two forward passes fit into memory side by side, and there are enough for two."""
    tile = plan.cut.largest_tile(plan.largest_region)
    passes = plan.tiles * min(1.0, tile / BATCH_PIXELS["cpu"])
    return passes >= LANE_PASSES and 2 * tile * bytes_per_pixel(model.settings) <= LANE_BYTES


def _refuse_too_large(work: Work) -> None:
    need, have = work.memory_bytes, machine_bytes()
    if need > have:
        raise InputError(
            f"this needs about {need / 2**30:.1f} GiB of memory and the machine has "
            f"{have / 2**30:.1f}: use a smaller --tile, or fewer --workers"
        )
