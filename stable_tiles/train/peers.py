"""Peers: the processes that train together, and what they agree on.

This module is the only one that knows of collective operations.  Every
process must call the same methods in the same order; of one process alone
each method returns what it was given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, distributed

from stable_tiles.errors import StableTilesError

Value = TypeVar("Value")


class PeerLost(StableTilesError):
    """Another process went away while all were to agree: it knows why, this one does not."""


@dataclass(frozen=True)
class Peers:
    """One of `size` processes that take the same steps on different patches.

    Parameters
    ----------
    rank : int
        Which of them, from 0; the first one leads: it alone writes.
    size : int
    control : ProcessGroup, optional
        Where the processes agree on what is not on their devices.
    """

    rank: int = 0
    size: int = 1
    control: distributed.ProcessGroup | None = None

    @property
    def leads(self) -> bool:
        """Whether this process writes logs, checkpoints and previews."""
        return self.rank == 0

    def begin_mean(self, tensors: list[Tensor]) -> Callable[[], None]:
        """Begin to replace float32 tensors by their means over all processes.

        Returns
        -------
        callable
            Waits until the tensors are the means: the same bits in every process.
        """
        if self.size == 1 or not tensors:
            return _nothing
        with _losing():
            flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
            pending = distributed.all_reduce(flat, async_op=True)

        def wait() -> None:
            with _losing():
                if pending is not None:
                    pending.wait()
                parts = torch.split(flat.div_(self.size), [tensor.numel() for tensor in tensors])
                for tensor, part in zip(tensors, parts, strict=True):
                    tensor.copy_(part.view(tensor.shape))

        return wait

    def mean(self, values: dict[str, Tensor], tensors: list[Tensor]) -> dict[str, Tensor]:
        """The means of scalars over all processes; `tensors` become theirs in place."""
        if self.size == 1:
            return values
        stacked = torch.stack([value.float() for value in values.values()])
        self.begin_mean([stacked, *tensors])()
        return dict(zip(values, stacked.unbind(), strict=True))

    def agree(self, wish: bool) -> bool:
        """Whether any process wishes something."""
        if self.size == 1:
            return wish
        vote = torch.tensor(int(wish), dtype=torch.uint8)
        with _losing():
            distributed.all_reduce(vote, distributed.ReduceOp.MAX, group=self.control)
        return bool(vote.item())

    def gather(self, value: Value) -> list[Value]:
        """The values of all processes, by rank."""
        if self.size == 1:
            return [value]
        values: list[Value] = [value] * self.size
        with _losing():
            distributed.all_gather_object(values, value, group=self.control)
        return values

    def wait(self) -> None:
        """Go on when every process is here."""
        self.agree(False)


ALONE = Peers()
"""One process that trains by itself."""


@contextmanager
def meet(meeting: str, rank: int, size: int, *, cuda: bool) -> Iterator[Peers]:
    """Meet the other processes of this machine.

    Parameters
    ----------
    meeting : str
        A file that does not exist yet, the same for all.
    rank, size : int
        Which process of how many.
    cuda : bool
        Whether gradients are on GPUs.
    """
    with _losing():
        distributed.init_process_group(
            "nccl" if cuda else "gloo",
            init_method=f"file://{meeting}",
            rank=rank,
            world_size=size,
            device_id=torch.device("cuda", rank) if cuda else None,
        )
        control = distributed.new_group(backend="gloo") if cuda else distributed.group.WORLD
    yield Peers(rank, size, control)
    distributed.destroy_process_group()


@contextmanager
def _losing() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise PeerLost("another process of this training went away") from error


def _nothing() -> None:
    """There is nothing to wait for."""
