"""Both encoder/decoder pairs, and how far and on which grid they work."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from stable_tiles.networks.layers import DeformableConv2d, DySample
from stable_tiles.networks.network import Direction, DomainName, Network, domains
from stable_tiles.networks.reach import Span, reach
from stable_tiles.networks.unet import UNet
from stable_tiles.settings import NetworkSettings

__all__ = ["Direction", "DomainName", "Translator", "domains"]


class Translator(Network):
    """Translates images of domain A to B and back through a shared feature map.

    With ``feature_scale`` N above 1 the feature map has 1/N of the image's
    height and width: the encoder's output is averaged over N x N pixels (over
    those that exist at the edges), and the decoder starts from its bilinear
    enlargement.

    Parameters
    ----------
    channels_a, channels_b : int
        Channels of the images of either domain.
    settings : NetworkSettings
        The architecture of all four networks.

    Raises
    ------
    SettingsError
        If the widths do not fit the upsampling.
    """

    settings: NetworkSettings

    def __init__(self, channels_a: int, channels_b: int, settings: NetworkSettings) -> None:
        super().__init__(channels_a, channels_b, settings)
        self.encoder_a = UNet(channels_a, settings.features, settings)
        self.decoder_a = UNet(settings.features, channels_a, settings)
        self.encoder_b = UNet(channels_b, settings.features, settings)
        self.decoder_b = UNet(settings.features, channels_b, settings)

    @property
    def stride(self) -> int:
        """Tiles start at multiples of this many pixels."""
        return max(self.settings.stride, self.settings.feature_scale)

    def local_reach(self, direction: Direction) -> int:
        """Pixels beyond an output pixel that it depends on once all statistics are given.

        Holds outside training, where learned displacements are clamped.
        """
        source, target = domains(direction)
        encoder, decoder = self._encoder(source), self._decoder(target)
        scale = self.settings.feature_scale

        def needs(span: Span) -> Span:
            span = decoder.needs(span)
            if scale > 1:
                span = span.before_upsampling(scale).before_pooling(scale)
            return encoder.needs(span)

        return reach(needs, self.stride)

    def halves(self, direction: Direction) -> tuple[int, int] | None:
        """How far encoder and decoder look, pixels; None where the feature map is smaller."""
        if self.settings.feature_scale != 1:
            return None
        source, target = domains(direction)
        encoder, decoder = self._encoder(source), self._decoder(target)
        return reach(encoder.needs, encoder.stride), reach(decoder.needs, decoder.stride)

    def parts(self, direction: Direction) -> tuple[str, ...]:
        """The encoder of the source and the decoder of the target."""
        source, target = domains(direction)
        return f"encoder_{source}", f"decoder_{target}"

    def encode(self, x: Tensor, domain: DomainName) -> Tensor:
        """The feature map of images of a domain.

        Parameters
        ----------
        x : Tensor, (n, c, h, w)
            Images in network units.
        domain : "a" or "b"
            Where they are from.

        Returns
        -------
        Tensor, (n, features, ceil(h / N), ceil(w / N)) for ``feature_scale`` N
        """
        features: Tensor = self._encoder(domain)(x)
        scale = self.settings.feature_scale
        if scale == 1:
            return features
        return functional.avg_pool2d(features, scale, ceil_mode=True, count_include_pad=False)

    def decode(
        self, features: Tensor, domain: DomainName, size: tuple[int, int] | None = None
    ) -> Tensor:
        """Images of a domain from a feature map.

        Parameters
        ----------
        features : Tensor, (n, features, h / N, w / N)
            A feature map of `encode`.
        domain : "a" or "b"
            What to make of it.
        size : (int, int), optional
            Height and width of the images, pixels; by default N times the
            feature map's.

        Returns
        -------
        Tensor, (n, c, h, w), network units
        """
        scale = self.settings.feature_scale
        if scale > 1:
            features = functional.interpolate(
                features, scale_factor=scale, mode="bilinear", align_corners=False
            )
        if size is not None:
            features = features[:, :, : size[0], : size[1]]
        images: Tensor = self._decoder(domain)(features)
        return images

    def translate(self, x: Tensor, direction: Direction) -> Tensor:
        """Images (n, c, h, w) of one domain as images of the other, same h and w."""
        source, target = domains(direction)
        height, width = x.shape[2:]
        return self.decode(self.encode(x, source), target, (height, width))

    def settle(self, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Bound the learned displacements, so that the reach is finite; see `bound_offsets`."""
        self.bound_offsets(batches)

    @torch.no_grad()
    def bound_offsets(self, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Measure the learned displacements and clamp them from now on to what was seen.

        Every layer's bound is rounded up to where the reach grows anyway, so
        nothing that was measured is clamped.  Call it before validating or
        saving; while training nothing is clamped.

        Parameters
        ----------
        batches : iterable of (a, b)
            Images (n, c, h, w) of both domains, network units; each goes to
            the other domain and back.
        """
        layers = [m for m in self.modules() if isinstance(m, DySample | DeformableConv2d)]
        if not layers:
            return
        largest = dict.fromkeys(layers, 0.0)

        def record(layer: nn.Module, inputs: tuple[Tensor]) -> None:
            if isinstance(layer, DySample | DeformableConv2d):
                seen = float(layer.learned(inputs[0].float()).abs().max())
                largest[layer] = max(largest[layer], seen)

        was_training = self.training
        hooks = [layer.register_forward_pre_hook(record) for layer in layers]
        self.eval()
        for layer in layers:
            layer.bound.fill_(torch.inf)
        try:
            for a, b in batches:
                self.translate(self.translate(a, "a2b"), "b2a")
                self.translate(self.translate(b, "b2a"), "a2b")
        finally:
            for hook in hooks:
                hook.remove()
            for layer, seen in largest.items():
                layer.set_bound(seen)
            self.train(was_training)

    def _encoder(self, domain: DomainName) -> UNet:
        return self.encoder_a if domain == "a" else self.encoder_b

    def _decoder(self, domain: DomainName) -> UNet:
        return self.decoder_a if domain == "a" else self.decoder_b
