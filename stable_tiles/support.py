"""Support: settings of the denoiser of movies, defaults as published where they are.

Eom et al., "Statistically unbiased prediction enables accurate denoising of
voltage imaging data", Nature Methods 2023.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from stable_tiles.sections import Architecture, Beta, Section, Weight, Widths


class SupportNetworkSettings(Architecture):
    """A U-Net on the frames around one, and a branch on that frame which is blind to each pixel."""

    architecture: Literal["support"] = "support"
    frames: int = Field(61, ge=3, le=513, description="odd: the frame and as many before as after")
    widths: Widths = (32, 64, 128)
    norm: Literal["batch", "none"] = "none"
    branch: int = Field(64, ge=1, le=4096, description="channels of the branch with blind spots")
    head: Widths = (64, 32, 16)

    @property
    def frames_read(self) -> int:
        """As many as `frames`."""
        return self.frames

    @property
    def stride(self) -> int:
        """A step down of the U-Net for each width after the first."""
        return 1 << (len(self.widths) - 1)

    @property
    def live_values(self) -> int:
        """Frames as they came and joined, the U-Net's maps, and the branch's, joined too."""
        return 4 * self.frames + 8 * self.widths[0] + 20 * self.branch

    @property
    def widest(self) -> int:
        """All maps of the branch behind each other, or the frames."""
        return max(self.frames, 4 * self.widths[0], 9 * self.branch)

    @model_validator(mode="after")
    def _one_frame_in_the_middle(self) -> SupportNetworkSettings:
        if self.frames % 2 == 0:
            raise ValueError(f"frames {self.frames} must be odd: one lies in the middle")
        return self


class SupportSettings(Section):
    """SUPPORT: every pixel is predicted from all others around it, in space and time."""

    network: SupportNetworkSettings = SupportNetworkSettings()
    l1: Weight = Field(0.5, description="mean absolute difference to the noisy frame")
    l2: Weight = Field(0.5, description="mean squared difference to it")
    learning_rate: float = Field(5e-4, gt=0, description="Adam")
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    decay_share: float = Field(
        0.0, ge=0, le=1, description="share of the steps, the last, over which the rate falls to 0"
    )
