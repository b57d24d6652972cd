"""Reach: how far a network looks, by exact arithmetic on the pixels it needs.

A span is followed backwards, from output pixels to the input pixels that they
depend on; the widest one over all phases of the network's stride is its reach.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """The pixels ``first..last`` of one axis, both included."""

    first: int
    last: int

    def grow(self, pixels: int) -> Span:
        """What a convolution of ``2 * pixels + 1`` taps needs for these pixels."""
        return Span(self.first - pixels, self.last + pixels)

    def join(self, other: Span) -> Span:
        """The smallest span that holds both."""
        return Span(min(self.first, other.first), max(self.last, other.last))

    def before_pooling(self, factor: int) -> Span:
        """What pooling by `factor` needs for these pixels."""
        return Span(self.first * factor, self.last * factor + factor - 1)

    def before_upsampling(self, factor: int, bound: float = 0.0) -> Span:
        """What bilinear upsampling by `factor` needs for these pixels.

        Parameters
        ----------
        factor : int
            Output pixels per input pixel.
        bound : float
            Largest learned displacement, input pixels.
        """
        lowest = (self.first + 0.5) / factor - 0.5 - bound
        highest = (self.last + 0.5) / factor - 0.5 + bound
        return Span(math.floor(lowest), math.ceil(highest))


def reach(needs: Callable[[Span], Span], stride: int) -> int:
    """Pixels beyond an output pixel, on either side, that it can depend on.

    Parameters
    ----------
    needs : function
        From a span of output pixels to the span of input pixels it depends on.
    stride : int
        Period of the network's grid, pixels: every phase of it is tried.
    """
    spans = [(pixel, needs(Span(pixel, pixel))) for pixel in range(stride)]
    return max(max(pixel - span.first, span.last - pixel) for pixel, span in spans)
