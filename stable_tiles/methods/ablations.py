"""Ablations: STABLE with parts left out or changed, each as changes of settings."""

from __future__ import annotations

ABLATIONS: dict[str, tuple[str, ...]] = {
    "ablation-1": ("network.upsampling=bilinear", "losses.information=0"),
    "ablation-2": ("network.upsampling=dynamic", "losses.information=0"),
    "ablation-3": ("network.upsampling=bilinear",),
    "ablation-4": ("network.upsampling=dynamic",),
    "deformable": ("network.upsampling=deformable",),
    "features-1-16": ("network.feature_scale=16",),
    "n-info-1": ("network.features=1",),
    "n-info-3": ("network.features=3",),
    "n-info-8": ("network.features=8",),
}
"""``section.key=value`` overrides of `load_settings`, for any task's config of method stable.

The paper's four steps: adversarial and cycle alone with bilinear upsampling;
with dynamic upsampling; with information consistency; with both.  Then its
other upsampling, a feature map at 1/16 of the resolution, and the number of
feature channels.
"""
