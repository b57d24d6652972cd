"""The verb ``evaluate traces``: the trace of every label of a movie, as one table.

A row a frame, a column a label; rows are written as frames are read, so that
neither the movie nor the table is ever in memory.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TextIO

import numpy as np
import numpy.typing as npt

from stable_tiles.errors import InputError, MissingExtra, OutputExists
from stable_tiles.evaluate.traces import Frame, LabelTraces, relative
from stable_tiles.image.store import Image, open_image
from stable_tiles.progress import Progress, silent
from stable_tiles.translate.drift import warn_of_drift

ROWS = 1024
"""Frames that are written at a time."""

SECONDS = {"millisecond": 1e-3, "second": 1.0, "minute": 60.0, "hour": 3600.0}
"""Units of time that become seconds."""

Rows = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TraceOptions:
    """Which traces are written.

    Parameters
    ----------
    channel : int
        Channel of the movie.
    relative : bool
        dF/F0 instead of mean intensities.
    baseline_window : int
        Frames of the moving mean that is F0.
    overwrite : bool
        Whether a table of that name may be replaced.
    """

    channel: int = 0
    relative: bool = False
    baseline_window: int = 100
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.baseline_window < 2:
            raise InputError(f"--baseline-window {self.baseline_window}: give 2 frames or more")


@dataclass(frozen=True)
class TraceReport:
    """What was written.

    Parameters
    ----------
    output : str
        The table.
    labels, frames : int
        Columns of traces, and rows.
    seconds : float
    frames_per_second : float
    """

    output: str
    labels: int
    frames: int
    seconds: float
    frames_per_second: float


class _Table(Protocol):
    """A file of rows."""

    def write(self, rows: Rows) -> None:
        """Append rows (frame, column)."""


def evaluate_traces(
    movie: str | Path,
    labels: str | Path,
    target: str | Path,
    options: TraceOptions | None = None,
    progress: Progress = silent,
) -> TraceReport:
    """Write the mean intensity, or dF/F0, of every label in every frame of a movie.

    Parameters
    ----------
    movie : path
        A store with frames.
    labels : path
        A label image of one frame, with the movie's sizes along z, y and x.
    target : path
        ``.csv`` or ``.parquet``: columns ``frame``, ``time_s`` where the
        movie tells its frame interval, and ``label_N`` for every label N.
        The file appears when it is whole.
    options : TraceOptions, optional
    progress : Progress
        Told the frames done.

    Raises
    ------
    InputError
        If the labels do not fit the movie, hold none, or the channel does not exist.
    OutputExists
        If the table exists and may not be replaced.
    MissingExtra
        If Parquet is wanted and pyarrow is not installed.

    Warns
    -----
    UserWarning
        If frames move by more than a pixel: labels stay where they are.
    """
    options, target = options or TraceOptions(), Path(target)
    opened, numbered = open_image(movie), open_image(labels)
    _check(opened, numbered, options)
    writer = _writer(target, options)
    began, traced = time.perf_counter(), LabelTraces(numbered)
    if not len(traced.numbers):
        raise InputError(f"{numbered.name} holds no label: every pixel is 0")
    warn_of_drift(opened, options.channel)
    interval = _interval_s(opened)
    names = ["frame", *(["time_s"] if interval else []), *(f"label_{n}" for n in traced.numbers)]
    partial = target.with_name(f"{target.name}.partial")
    with writer(partial, names) as table:
        for rows in _rows(opened, traced, options, interval):
            table.write(rows)
            progress("frames", int(rows[-1, 0]) + 1, opened.shape[0])
    partial.replace(target)
    seconds, frames = time.perf_counter() - began, opened.shape[0]
    return TraceReport(str(target), len(traced.numbers), frames, seconds, frames / seconds)


def _rows(
    movie: Image, traced: LabelTraces, options: TraceOptions, interval: float | None
) -> Iterator[Rows]:
    """Rows of the table, some at a time."""
    traces: Iterator[Frame] = traced.frames(movie, options.channel)
    if options.relative:
        traces = relative(traces, options.baseline_window)
    kept: list[Frame] = []
    for t, trace in enumerate(traces):
        clock = [t] if interval is None else [t, t * interval]
        kept.append(np.concatenate((clock, trace)))
        if len(kept) == ROWS:
            yield np.array(kept)
            kept = []
    if kept:
        yield np.array(kept)


def _check(movie: Image, labels: Image, options: TraceOptions) -> None:
    if labels.dtype.kind not in "ui":
        raise InputError(f"{labels.name} holds {labels.dtype}: labels are whole numbers")
    if labels.shape[0] > 1 or labels.shape[1] > 1 or labels.shape[2:] != movie.shape[2:]:
        raise InputError(
            f"{labels.name} has {labels.shape} pixels along t, c, z, y, x and {movie.name} "
            f"{movie.shape}: give labels of one frame and channel of the same scene"
        )
    if not 0 <= options.channel < movie.shape[1]:
        raise InputError(
            f"--channel {options.channel}: {movie.name} has the channels 0..{movie.shape[1] - 1}"
        )


def _interval_s(movie: Image) -> float | None:
    """Seconds between frames, where the movie says."""
    found = next((axis for axis in movie.axes.items if axis.name == "t"), None)
    return found.scale * SECONDS[found.unit] if found and found.unit in SECONDS else None


class _Writer(Protocol):
    """Opens a table of named columns."""

    def __call__(self, path: Path, names: Sequence[str], /) -> AbstractContextManager[_Table]:
        """Open it."""


def _writer(target: Path, options: TraceOptions) -> _Writer:
    writers: dict[str, _Writer] = {".csv": _csv, ".parquet": _parquet}
    if target.suffix not in writers:
        raise InputError(f"{target} is no table: give a name that ends in .csv or .parquet")
    if target.exists() and not options.overwrite:
        raise OutputExists(f"{target} exists: give another name, or --overwrite")
    if target.suffix == ".parquet":
        try:
            import pyarrow.parquet  # noqa: F401 - only whether it is there
        except ImportError:
            raise MissingExtra(
                "Parquet needs pyarrow: pip install 'stable-tiles[parquet]', or write .csv"
            ) from None
    return writers[target.suffix]


@dataclass(frozen=True)
class _Csv:
    """Rows as text; numbers as short as they can be without loss."""

    file: TextIO

    def write(self, rows: Rows) -> None:
        for frame, *values in rows.tolist():
            self.file.write(",".join((str(int(frame)), *map(repr, values))) + "\n")


@dataclass(frozen=True)
class _Parquet:
    """Rows as row groups of columns."""

    writer: Any

    def write(self, rows: Rows) -> None:
        import pyarrow

        columns = [rows[:, 0].astype(np.int64), *rows[:, 1:].T]
        self.writer.write_table(pyarrow.table(columns, schema=self.writer.schema))


@contextmanager
def _csv(path: Path, names: Sequence[str]) -> Iterator[_Table]:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(names) + "\n")
        yield _Csv(file)


@contextmanager
def _parquet(path: Path, names: Sequence[str]) -> Iterator[_Table]:
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    whole, *others = names
    fields = [(whole, pyarrow.int64()), *((name, pyarrow.float64()) for name in others)]
    with ParquetWriter(path, pyarrow.schema(fields)) as writer:
        yield _Parquet(writer)
