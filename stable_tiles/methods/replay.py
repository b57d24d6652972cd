"""Replay: translations of earlier steps, which discriminators see again."""

from __future__ import annotations

import torch
from torch import Tensor


class Replay:
    """Keeps some translations, and hands out old ones for new ones half of the time.

    Shrivastava et al., Learning from simulated and unsupervised images through
    adversarial training, CVPR 2017.

    Parameters
    ----------
    size : int
        Translations that are kept; 0 hands out the new ones.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.kept: list[Tensor] = []

    def exchange(self, images: Tensor, random: torch.Generator) -> Tensor:
        """Images (n, c, h, w) of which some are those of earlier steps.

        Until the pool is full every new image is kept and handed out.  Then
        each is handed out, or with probability 1/2 changes places with a kept one.

        Parameters
        ----------
        images : Tensor, (n, c, h, w)
            New translations; without gradients.
        random : Generator
            On the CPU; drawn from twice for each image.
        """
        handed = []
        for image in images.detach():
            chance = float(torch.rand((), generator=random))
            place = int(torch.randint(max(1, self.size), (), generator=random))
            if len(self.kept) < self.size:
                self.kept.append(image.clone())
            elif self.size and chance < 0.5:
                self.kept[place], image = image.clone(), self.kept[place]  # noqa: PLW2901
            handed.append(image)
        return torch.stack(handed)

    def state_dict(self) -> dict[str, Tensor]:
        """The kept translations by their place."""
        return {str(place): image for place, image in enumerate(self.kept)}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on with the translations of a state."""
        self.kept = [state[str(place)] for place in range(len(state))]
