"""Task: make one region of the output; the same region gives the same bytes, however often.

Reads what the region's tiles need, passes them through the network, crops or
blends, writes whole shards, and only then its receipt.  In one process a few
regions are in work at a time, so that reading, the network and writing
overlap, and memory is bounded even where a store is slow::

    region 1   read | network        | write
    region 2          read           | network        | write
    region 3                           read           | network ...
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from threading import BoundedSemaphore, Lock
from typing import Any

import numpy.typing as npt
from torch import Tensor

from stable_tiles.errors import StableTilesError, first_line
from stable_tiles.image.writer import ImageWriter
from stable_tiles.ledger import Receipt
from stable_tiles.region import Region
from stable_tiles.tiling.grid import TileGrid
from stable_tiles.translate.forward import TileNetwork
from stable_tiles.translate.job import ERROR_CHANNELS, Job
from stable_tiles.translate.kept import Kept
from stable_tiles.translate.memory import process_name
from stable_tiles.translate.render import Canvas, Network, Renderer, Sheet
from stable_tiles.translate.tools import Tools, tools_for
from stable_tiles.usage import peak_rss_bytes

TRIES = 3
"""How often a region is tried when reading or writing fails."""

FEATURE_BYTES = 256 * 2**20
"""Feature maps of several planes are kept at a time up to this size."""


@dataclass(frozen=True)
class Failure:
    """A region that could not be made, and why, in one line."""

    region: Region
    reason: str


def make_region(job: Job, region: Region) -> Receipt | Failure:
    """Write a region (t, z, y, x) of the output, and its receipt after it.

    Failures of reading and writing are tried again; what remains comes back as
    a value, so that one region cannot stop the others.
    """
    tools: Tools | None = None
    for attempt in range(1, TRIES + 1):
        try:
            # Those of the first try: work that was stopped does not begin again.
            tools = tools or tools_for(job)
            return _make(job, tools, region)
        except (StableTilesError, OSError) as error:
            failure = Failure(region, first_line(error))
            time.sleep(0.1 * attempt)
        except (RuntimeError, ValueError, MemoryError) as error:
            return Failure(region, f"{type(error).__name__}: {first_line(error)}")
    return failure


def _make(job: Job, tools: Tools, region: Region) -> Receipt:
    stages = tools.engine.stages
    with stages.admitted:
        with stages.reading:
            began = time.time()
            sheet = _read(job, tools, region)
        with _Turn(stages.network) as turn:
            course = _Course(tools, turn.pass_on)
            canvas = _translated(job, course, region, sheet)
        del sheet
        tools.engine.allowance.settle()
        with stages.writing:
            files = _write(job, tools.writer, region, canvas.pixels)
            if tools.errors:
                files += _write(job, tools.errors, region, canvas.errors)
            values = {
                "clipped": canvas.clipped,
                "halved": course.halved,
                "forward_seconds": course.seconds / tools.engine.lanes.number,
                "began": began,
                "ended": time.time(),
                "peak_rss_bytes": peak_rss_bytes(),
                "process": process_name(),
            }
            receipt = Receipt.of(region, job.root, files, values)
            tools.ledger.record(receipt)
    return receipt


def _read(job: Job, tools: Tools, region: Region) -> Sheet:
    """The planes (t * z, c, y, x) that a region needs."""
    reads = job.cut.reads(region)
    block = tools.reader.read(reads)
    channels, size = block.shape[1], block.shape[3:]
    planes = block.transpose(0, 2, 1, 3, 4).reshape(-1, channels, *size)
    area = Region(reads.start[2:], reads.stop[2:])
    return Sheet(planes, area, job.cut.windows(region))


def _write(job: Job, writer: ImageWriter, region: Region, planes: npt.NDArray[Any]) -> list[str]:
    """Write a region's planes; returns its files, relative to the job's root."""
    times, slices = region.shape[:2]
    five = planes.reshape(times, slices, *planes.shape[1:]).transpose(0, 2, 1, 3, 4)
    files = writer.write(region, five)
    within = str(writer.store).removeprefix(str(job.root)).strip("/")
    return [f"{within}/{file}".lstrip("/") for file in files]


class _Turn:
    """A gate that is held until it is passed on, at the latest at the end."""

    def __init__(self, gate: BoundedSemaphore) -> None:
        self._gate, self._held = gate, False

    def __enter__(self) -> _Turn:
        self._held = self._gate.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.pass_on()

    def pass_on(self) -> None:
        """Let the next one in."""
        if self._held:
            self._held = False
            self._gate.release()


class _Course:
    """One region's way through the network, with what it takes.

    Parameters
    ----------
    tools : Tools
        Of this process.
    leaving : function
        Called when the region's last tile is told to the lanes.

    Attributes
    ----------
    seconds : float
        Spent in the network so far, over all lanes.
    halved : int
        Passes that did not fit into the device's memory.
    """

    def __init__(self, tools: Tools, leaving: Callable[[], None]) -> None:
        self.tools, self.leaving = tools, leaving
        self._lock = Lock()
        self.seconds = 0.0
        self.halved = 0

    def count_halved(self) -> None:
        """Count a pass that did not fit into the device's memory."""
        with self._lock:
            self.halved += 1

    def timed(self, network: Network) -> Network:
        """The same network, its time counted."""
        tiles = self.tools.tiles

        def run(planes: Tensor, area: Region) -> Tensor:
            before = tiles.seconds
            result = network(planes, area)
            with self._lock:
                self.seconds += tiles.seconds - before
            return result

        return run

    def render(
        self, renderer: Renderer, sheet: Sheet, target: Region, network: Network, *, last: bool
    ) -> Canvas:
        """What a renderer makes with the network; `last` if the region needs nothing after it."""
        lanes = self.tools.engine.lanes
        run = partial(lanes.map, emptied=self.leaving) if last else lanes.map
        return replace(renderer, run=run).render(sheet, target, self.timed(network))


def _translated(job: Job, course: _Course, region: Region, sheet: Sheet) -> Canvas:
    """All planes together, or each with the statistics that were gathered of it."""
    if job.survey is None:
        return _rendered(job, course, course.tools.tiles, region, sheet)
    kept, parts = Kept(job.folder), []
    for number, plane in enumerate(job.cut.planes(region)):
        told = course.tools.tiles.given(kept.load(plane, job.survey))
        one = Sheet(sheet.planes[number : number + 1], sheet.area)
        parts.append(_rendered(job, course, told, region, one))
    return Canvas.joined(parts)


def _rendered(
    job: Job, course: _Course, tiles: TileNetwork, region: Region, sheet: Sheet
) -> Canvas:
    """In one pass, or the feature map of all that the last pass reads and then that pass."""
    target, first = job.cut.plane(region), job.cut.first_grid(region)
    errors = len(ERROR_CHANNELS) if job.errors else 0
    renderer = Renderer(
        job.cut.grid,
        job.intensity,
        job.spec.layout.shape[1],
        errors,
        batch=max(1, job.forward.batch_pixels // job.cut.largest_tile(region)),
        device=tiles.device,
        when_full=course.count_halved,
    )
    last = job.survey is None  # else further planes may follow
    if first is None or _is_one_tile(first, job.cut.grid, target):
        network = tiles.translate_with_errors if errors else tiles.translate
        return course.render(renderer, sheet, target, network, last=last)
    needed = job.cut.grid.reads(target)
    encoder = replace(
        renderer, grid=first, intensity=job.intensity.entering(), channels=tiles.features
    )
    decoder = replace(renderer, intensity=job.intensity.leaving())
    some = max(renderer.batch, FEATURE_BYTES // (4 * tiles.features * needed.size))
    parts = []
    for start in range(0, len(sheet.planes), some):
        part = Sheet(sheet.planes[start : start + some], sheet.area)
        features = course.render(encoder, part, needed, tiles.encode, last=False).pixels
        ends = last and start + some >= len(sheet.planes)
        made = Sheet(features, needed)
        parts.append(course.render(decoder, made, target, tiles.decode, last=ends))
    return Canvas.joined(parts)


def _is_one_tile(first: TileGrid, last: TileGrid, target: Region) -> bool:
    """Whether both passes are one tile of the same pixels: then one pass does."""
    needed = last.reads(target)
    if first.count(needed) > 1 or last.count(target) > 1:
        return False
    return first.reads(needed) == needed
