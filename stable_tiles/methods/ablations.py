"""Ablations and sweeps: STABLE with parts left out or changed, each as changes of settings."""

from __future__ import annotations

ABLATIONS: dict[str, tuple[str, ...]] = {
    "ablation-1": ("network.upsampling=bilinear", "losses.information=0"),
    "ablation-2": ("network.upsampling=dynamic", "losses.information=0"),
    "ablation-3": ("network.upsampling=bilinear",),
    "ablation-4": ("network.upsampling=dynamic",),
    "deformable": ("network.upsampling=deformable",),
    "features-1-16": ("network.feature_scale=16",),
}
"""``section.key=value`` overrides of `load_settings`, for any task's config of method stable.

The paper's four steps: adversarial and cycle alone with bilinear upsampling;
with dynamic upsampling; with information consistency; with both.  Then its
other upsampling, and a feature map at 1/16 of the resolution.
"""

SWEEPS: dict[str, tuple[str, ...]] = {
    f"{name}-{value}": (f"{section}.{name}={value}",)
    for section, name, values in (
        ("network", "features", (1, 3, 8)),
        ("losses", "adversarial", (1, 2, 5, 10)),
        ("losses", "information", (1, 2, 5, 10)),
        ("losses", "cycle", (1, 2, 5, 10)),
    )
    for value in values
}
"""The supplement's: channels of the feature map, and weights of each loss, one at a time."""
