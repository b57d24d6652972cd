"""Plan of a conversion: what will be written and what it will cost, before anything is."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from math import prod

from stable_tiles.axes import Axes, Axis
from stable_tiles.convert.options import ConvertOptions, Said
from stable_tiles.errors import InputError
from stable_tiles.image.layout import plan_layout
from stable_tiles.image.ngff import Channel
from stable_tiles.image.sources.segments import RECENT_BYTES
from stable_tiles.image.sources.source import Description, SourceWarning
from stable_tiles.image.sources.units import space_unit
from stable_tiles.image.spec import ImageSpec
from stable_tiles.usage import cores, machine_bytes

MAX_DEFAULT_WORKERS = 4
"""Threads by default: the disk is busy with fewer, and each holds a region."""

MAX_RATIO = 100
"""How often its own size an image may be, decoded, before the free disk is asked."""

_BASE_BYTES = 250 * 2**20
_COPIES = 4.0


@dataclass(frozen=True)
class ConvertPlan:
    """What a conversion will do.

    Parameters
    ----------
    description : Description
        The source with everything that the caller said of it.
    spec : ImageSpec
        The store.
    workers : int
        Threads.
    """

    description: Description
    spec: ImageSpec
    workers: int

    @property
    def bytes_raw(self) -> int:
        """Bytes of level 0 uncompressed."""
        return prod(self.description.shape) * self.description.dtype.itemsize

    @property
    def disk_bytes(self) -> int:
        """Upper estimate of the disk needed: all levels uncompressed, plus what is inflated."""
        levels = sum(prod(level.shape) for level in self.spec.layout.levels)
        inflated = any(file.suffix == ".gz" for file in self.description.files)
        return levels * self.description.dtype.itemsize + (self.bytes_raw if inflated else 0)

    @property
    def memory_bytes(self) -> int:
        """Upper estimate of the memory: every thread holds a region and what becomes of it."""
        region = prod(self.spec.layout.region_shape) * self.description.shape[1]
        block = region * self.description.dtype.itemsize
        whole = self.bytes_raw if self.description.metadata.get("format") in {"png", "jpeg"} else 0
        return int(_BASE_BYTES + RECENT_BYTES + whole + self.workers * _COPIES * block)


def refuse_false_size(description: Description, free: int) -> None:
    """Refuse an image that claims to be larger than the disk and than what its file can hold.

    Parameters
    ----------
    description : Description
        The source.
    free : int
        Free bytes of the disk.

    Raises
    ------
    InputError
        If it is a damaged header or a decompression bomb, as far as one can tell.
    """
    claimed = prod(description.shape) * description.dtype.itemsize
    held = description.bytes_in or free
    if claimed > free and claimed > MAX_RATIO * held:
        raise InputError(
            f"the image declares {claimed / 2**30:.0f} GiB of pixels in a file of "
            f"{held / 2**20:.1f} MiB, with {free / 2**30:.0f} GiB free on disk: its header is "
            "damaged or false. If it is right, make room, or cut a part out with --region"
        )


def plan_conversion(description: Description, options: ConvertOptions) -> ConvertPlan:
    """The plan for a source.

    Parameters
    ----------
    description : Description
        The source, cropped already.
    options : ConvertOptions
        How it is to be stored.

    Raises
    ------
    InputError
        If the options do not fit the source.
    """
    described = calibrated(description, options.said)
    warn_of_unknown_scale(described)
    layout = plan_layout(
        described.shape,
        described.dtype.itemsize,
        chunk=options.chunk,
        shard=options.shard_side,
        levels=options.levels,
        rgb=described.is_rgb,
    )
    spec = ImageSpec(
        axes=described.axes,
        layout=layout,
        dtype=described.dtype.name,
        channels=described.channels,
        ngff=options.ngff,
        codec=options.compression,
        labels=described.is_labels,
    )
    wanted = options.workers or min(cores(), MAX_DEFAULT_WORKERS)
    plan = ConvertPlan(described, spec, min(wanted, len(layout.regions())))
    if plan.memory_bytes > (memory := machine_bytes()):
        raise InputError(
            f"up to {plan.memory_bytes >> 20} MiB of memory are needed, the machine has "
            f"{memory >> 20}: use --workers 1 or a smaller --shard"
        )
    return plan


def calibrated(description: Description, said: Said) -> Description:
    """The description with the sizes, units and names that the caller gave.

    Raises
    ------
    InputError
        If they speak of axes or channels that the image lacks.
    """
    known = {axis.name: axis for axis in description.axes.items}
    unit = space_unit(said.unit or "micrometer")
    for name, size in zip("yxz", said.pixel_size or (), strict=False):
        if name not in known:
            raise InputError(f"--pixel-size gives a size along {name}, which the image lacks")
        known[name] = Axis(name, size, unit)
    if said.unit is not None and said.pixel_size is None:
        known |= _with_unit(description.axes, unit)
    if said.time_step is not None:
        if "t" not in known:
            raise InputError("--time-step is given, but the image has no axis t")
        known["t"] = Axis("t", said.time_step, "second")
    axes = Axes(tuple(known[axis.name] for axis in description.axes.items))
    return replace(description, axes=axes, channels=_named(description, said.channel_names))


def warn_of_unknown_scale(description: Description) -> None:
    """Warn of axes whose physical scale is not known: nothing may look like a measured 1.0."""
    unknown = [axis.name for axis in description.axes.items if axis.name != "c" and not axis.unit]
    spatial = [name for name in unknown if name != "t"]
    if not unknown:
        return
    said = "--pixel-size Y,X[,Z]" if spatial else ""
    said += (" and " if spatial else "") + "--time-step S" if "t" in unknown else ""
    warnings.warn(
        f"the physical scale along {', '.join(unknown)} is unknown: stored without a unit. "
        f"Give {said} if you know it",
        SourceWarning,
        stacklevel=2,
    )


def _with_unit(axes: Axes, unit: str | None) -> dict[str, Axis]:
    bare = {a.name: Axis(a.name, a.scale, unit) for a in axes.items if _is_bare(a)}
    if not bare:
        raise InputError("--unit is given, but the file states its units: add --pixel-size")
    return bare


def _is_bare(axis: Axis) -> bool:
    return axis.kind == "space" and axis.unit is None


def _named(description: Description, names: tuple[str, ...] | None) -> tuple[Channel, ...]:
    channels = description.channels
    if names is None:
        return channels
    if len(names) != len(channels):
        raise InputError(
            f"--channel-names gives {len(names)} names, the image has {len(channels)} channels"
        )
    return tuple(replace(c, name=name) for c, name in zip(channels, names, strict=True))
