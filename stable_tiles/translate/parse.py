"""Parse: the texts that options are given as, and the values they mean."""

from __future__ import annotations

import re

from stable_tiles.errors import InputError
from stable_tiles.region import Region
from stable_tiles.translate.options import Auto


def parse_region(text: str) -> Region:
    """The box (y, x) that ``y0:y1,x0:x1`` names, in pixels of level 0.

    Raises
    ------
    InputError
        If the text names none, or an empty one.
    """
    match = re.fullmatch(r"(\d+):(\d+),(\d+):(\d+)", text.replace(" ", ""))
    if match:
        y0, y1, x0, x1 = map(int, match.groups())
        if y0 < y1 and x0 < x1:
            return Region((y0, x0), (y1, x1))
    raise InputError(f"--region {text!r} is no box: write y0:y1,x0:x1 such as 0:4096,0:4096")


def parse_planes(text: str) -> dict[str, tuple[int, int]]:
    """The half-open ranges that ``t=0:10,z=5`` names, by axis.

    Raises
    ------
    InputError
        If the text names none, or an empty one.
    """
    ranges: dict[str, tuple[int, int]] = {}
    for part in text.replace(" ", "").split(","):
        match = re.fullmatch(r"([tz])=(\d+)(?::(\d+))?", part)
        start, stop = (int(match[2]), int(match[3] or int(match[2]) + 1)) if match else (0, 0)
        if not match or start >= stop or match[1] in ranges:
            raise InputError(f"--planes {text!r} is wrong: write ranges such as t=0:10,z=5")
        ranges[match[1]] = (start, stop)
    return ranges


def parse_channels(text: str) -> tuple[int, ...]:
    """The channel numbers that ``0,2`` names.

    Raises
    ------
    InputError
        If the text names none.
    """
    if not re.fullmatch(r"\d+(,\d+)*", text.replace(" ", "")):
        raise InputError(f"--channels {text!r} is wrong: write numbers from 0, such as 0,2")
    return tuple(map(int, text.replace(" ", "").split(",")))


def parse_part(text: str) -> tuple[int, int]:
    """The numbers that ``I/N`` names.

    Raises
    ------
    InputError
        If the text names none.
    """
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if not match:
        raise InputError(f"--part {text!r} is wrong: write I/N, such as 0/8 to 7/8")
    return int(match[1]), int(match[2])


def parse_size(name: str, text: str) -> int | Auto:
    """A number of pixels, or ``auto``; `name` is the option in errors.

    Raises
    ------
    InputError
        If the text is neither.
    """
    if text == "auto":
        return "auto"
    if not text.isdecimal():
        raise InputError(f"{name} {text!r} is no size: use auto or pixels")
    return int(text)
