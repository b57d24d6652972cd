"""Options of a conversion: frozen values that cannot be built wrong."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

from stable_tiles.errors import InputError
from stable_tiles.image.codec import DEFAULT_CODEC, Codec
from stable_tiles.image.ngff import Version
from stable_tiles.image.sources.units import SPACE_UNITS, space_unit
from stable_tiles.region import Region

DEFAULT_SHARD = 4096
"""Side of a shard, pixels, where NGFF knows shards (0.5)."""


@dataclass(frozen=True)
class Said:
    """What the caller says of the source because the file does not, or wrongly.

    Parameters
    ----------
    series : int or None
        Which image of a file that holds several; the main one by default.
    axes : str or None
        Meaning of the dimensions longer than 1, such as ``tyx``.
    stack : "t", "z" or None
        Axis along which several files are stacked.
    pixel_size : tuple of float or None
        Size of a pixel along (y, x) or (y, x, z), in `unit`.
    unit : str or None
        Unit of length, micrometer by default; without `pixel_size` the unit of
        sizes that the file states without one.
    time_step : float or None
        Seconds from frame to frame.
    channel_names : tuple of str or None
        One for each channel.

    Raises
    ------
    InputError
        If a value is out of its range.
    """

    series: int | None = None
    axes: str | None = None
    stack: Literal["t", "z"] | None = None
    pixel_size: tuple[float, ...] | None = None
    unit: str | None = None
    time_step: float | None = None
    channel_names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        sizes = self.pixel_size
        if sizes is not None and (len(sizes) not in (2, 3) or not all(map(_is_size, sizes))):
            raise InputError("--pixel-size takes two or three positive numbers: Y,X or Y,X,Z")
        if self.time_step is not None and not _is_size(self.time_step):
            raise InputError(f"--time-step {self.time_step} is not a positive number of seconds")
        if self.unit is not None and space_unit(self.unit) is None:
            known = ", ".join(sorted(SPACE_UNITS))
            raise InputError(f"--unit {self.unit!r} is no unit of length: use one of {known}")


@dataclass(frozen=True)
class ConvertOptions:
    """Everything that a conversion can be told, validated.

    Parameters
    ----------
    said : Said
        What the files do not say.
    region : Region or None
        Box (y, x) in pixels of level 0 to convert; all by default.
    ngff : "0.5" or "0.4"
        NGFF version of the output.
    chunk : int
        Side of a chunk, pixels.
    shard : int or None
        Side of a shard, pixels; 0 for none; by default `DEFAULT_SHARD`, and none for NGFF 0.4.
    codec : Codec or None
        Compression; by default zstd with checksum, and Blosc for NGFF 0.4, whose
        readers (QuPath, Bio-Formats) often know no other.
    levels : int or "auto"
        Number of levels; ``auto`` halves until a plane fits into one chunk.
    keep_associated : bool
        Whether label, macro and thumbnail images of a slide, and the text of the original
        metadata, are kept; they may name a person.  Numbers are always kept.
    workers : int or None
        Threads; one a processor core, at most 4, by default.
    overwrite, resume, dry_run : bool
        What to do about an output that exists; whether only to plan.

    Raises
    ------
    InputError
        If a value is out of its range, or two contradict each other.
    """

    said: Said = Said()
    region: Region | None = None
    ngff: Version = "0.5"
    chunk: int = 512
    shard: int | None = None
    codec: Codec | None = None
    levels: int | Literal["auto"] = "auto"
    keep_associated: bool = False
    workers: int | None = None
    overwrite: bool = False
    resume: bool = False
    dry_run: bool = False

    def __post_init__(self) -> None:
        if self.overwrite and self.resume:
            raise InputError("--overwrite starts again and --resume goes on: give one of them")
        if self.workers is not None and self.workers < 1:
            raise InputError(f"--workers {self.workers} is not a number of threads: use 1 or more")

    @property
    def shard_side(self) -> int:
        """The shard's side with the default filled in."""
        if self.shard is not None:
            return self.shard
        if self.ngff == "0.4":
            return 0
        return -(-DEFAULT_SHARD // self.chunk) * self.chunk if self.chunk > 0 else DEFAULT_SHARD

    @property
    def compression(self) -> Codec:
        """The codec with the default filled in."""
        if self.codec is not None:
            return self.codec
        return DEFAULT_CODEC if self.ngff == "0.5" else Codec.parse("blosc")

    def summary(self) -> dict[str, Any]:
        """The options that shape the output, as JSON, for its provenance."""
        said = self.said
        given = {
            "series": said.series,
            "axes": said.axes,
            "stack": said.stack,
            "pixel_size": said.pixel_size,
            "unit": said.unit,
            "time_step": said.time_step,
            "channel_names": said.channel_names,
            "region": self.region and [self.region.start, self.region.stop],
        }
        layout = {
            "ngff": self.ngff,
            "chunk": self.chunk,
            "shard": self.shard_side,
            "codec": f"{self.compression.name}:{self.compression.level}",
            "levels": self.levels,
        }
        return {name: value for name, value in given.items() if value is not None} | layout


def _is_size(value: float) -> bool:
    return isfinite(value) and value > 0


def parse_sizes(text: str) -> tuple[float, ...]:
    """The numbers that ``Y,X[,Z]`` names.

    Raises
    ------
    InputError
        If a part is no number.
    """
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"--pixel-size {text!r} is wrong: write Y,X or Y,X,Z") from None


def parse_levels(text: str) -> int | Literal["auto"]:
    """The number of levels that a text names, or ``auto``.

    Raises
    ------
    InputError
        If it names neither.
    """
    if text == "auto":
        return "auto"
    if not text.isdecimal():
        raise InputError(f"--levels {text!r} is wrong: write a number or auto")
    return int(text)
