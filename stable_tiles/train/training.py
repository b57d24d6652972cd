"""Training: what a training is made of, and how it is kept and taken up again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from stable_tiles.errors import FingerprintMismatch
from stable_tiles.methods.method import Method
from stable_tiles.networks.network import Network
from stable_tiles.settings import Settings
from stable_tiles.train.average import Average
from stable_tiles.train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from stable_tiles.train.folder import RunFolder
from stable_tiles.train.log import LossLog
from stable_tiles.train.patches import Patches, distinct
from stable_tiles.train.peers import ALONE, Peers
from stable_tiles.train.tensorboard import Board


@dataclass(frozen=True)
class Training:
    """What a training is made of.

    Parameters
    ----------
    settings : Settings
        Resolved: nothing in them is left to the device.
    method : Method
        Networks and optimisers.
    average : Average or None
        Averaged weights, which are then the model; the leading process has them.
    data : pair of Patches
        Of A and B; the same where a method learns from one domain alone.
    held_out : pair of Patches or None
        To validate with.
    run : RunFolder
        Where everything goes.
    log : LossLog
        The run's log.
    save_model : callable
        Called with the steps done; writes what `translate` needs.
    inputs : dict of str to str
        Digests of what a resumed run must share, by a name that users know.
    device : torch.device
        Where the networks are.
    peers : Peers
        The processes that train together.
    """

    settings: Settings
    method: Method
    average: Average | None
    data: tuple[Patches, Patches]
    held_out: tuple[Patches, Patches] | None
    run: RunFolder
    log: LossLog
    save_model: Callable[[int], None]
    inputs: dict[str, str]
    device: torch.device
    peers: Peers = ALONE

    @property
    def network(self) -> Network:
        """The network that becomes the model: the averaged one where there is one."""
        return self.method.network if self.average is None else self.average.network

    @property
    def board(self) -> Board:
        """TensorBoard's events of the run."""
        return Board(self.run.tensorboard)

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """The patches of both domains that this process has in a step, on the CPU."""
        rank, size = self.peers.rank, self.peers.size
        made = [torch.from_numpy(p.batch(step, rank, size)) for p in distinct(self.data)]
        return made[0], made[-1]


def save(training: Training, step: int) -> None:
    """The model and a checkpoint, as they are after `step` steps."""
    training.save_model(step)
    tree: dict[str, Any] = {
        "inputs": training.inputs,
        "method": training.method.state_dict(),
        "average": training.average.state() if training.average else None,
        "log": training.log.state(),
        "random": _random_state(training.device),
    }
    checkpoint = Checkpoint(step, tree)
    save_checkpoint(
        training.run.checkpoints, checkpoint, training.settings.training.keep_checkpoints
    )


def restore(training: Training) -> int:
    """Go on from the newest whole checkpoint; returns the steps it had done, 0 without one.

    Raises
    ------
    FingerprintMismatch
        If the checkpoint was made with other inputs; the line names which.
    """
    found = load_checkpoint(training.run.checkpoints)
    if found is None:
        training.log.restore({"sums": {}, "steps": 0}, 0)
        return 0
    known, mine = found.tree["inputs"], training.inputs
    other = [name for name in sorted(known | mine) if known.get(name) != mine.get(name)]
    if other:
        raise FingerprintMismatch(
            f"{training.run.path} was begun with another {', '.join(other)}: repeat the first "
            "command with --resume, or start again with --overwrite"
        )
    training.method.load_state_dict(found.tree["method"])
    if training.average is not None:
        training.average.restore(found.tree["average"])
    training.log.restore(found.tree["log"], found.step)
    _set_random_state(found.tree["random"], training.device)
    return found.step


def _random_state(device: torch.device) -> dict[str, torch.Tensor]:
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def _set_random_state(state: dict[str, torch.Tensor], device: torch.device) -> None:
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
