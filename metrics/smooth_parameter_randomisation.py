"""The smooth parameter randomisation test."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from heatmark.common.seeds import image_generator
from heatmark.metrics.base import Explained
from heatmark.metrics.engine.per_image import precise
from heatmark.metrics.parameter_randomisation import ParameterRandomisation
from heatmark.metrics.protocols import SMOOTH_PROTOCOLS


@dataclass(frozen=True)
class SmoothParameterRandomisation(ParameterRandomisation):
    """How alike the map, averaged over noisy inputs, stays while layers are drawn anew (sMPRT); lower is better.

    value = mean over k of similarity(ē(x, f), ē(x, f with the first k layers drawn anew)), in [−1, 1],

    ē(x, f) = 1/S Σ e(x + ε, f), ε Gaussian per pixel and channel with the deviation σ · (max x − min x), and 0 in one
    of the S terms. The noise is drawn per image and is the same for all models. It is undefined where a map has no
    order, at any of the points. It costs S maps per point and S − 1 for the intact model.

    The other options and the errors are those of
    :class:`~heatmark.metrics.parameter_randomisation.ParameterRandomisation`.

    Args:
        noise: σ, in parts of the image's range, at least 0.
        samples: number S of maps, at least 1.

    Raises:
        ValueError: for an option out of its range.

    Hedström et al., "Sanity Checks Revisited: An Exploration to Repair the Model Parameter Randomisation Test", XAI in
    Action (NeurIPS workshop) 2023, section 3.1. Deviations of ``heatmark-1``: 2 points of 10 maps, where the preset
    ``quantus-0.6``, by the paper's authors, has one point per layer, of 50. Quantus draws other noise for every model,
    from NumPy's global generator, so that its value is another in every run.

    >>> import torch
    >>> model = nn.Sequential(nn.Conv2d(3, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2)).eval()
    >>> image = torch.arange(12.0).view(1, 3, 2, 2)
    >>> blind = lambda model, images, targets: images[:, 0]
    >>> batch = Explained(model, image, torch.tensor([0]), image[:, 0], None, blind)
    >>> SmoothParameterRandomisation(samples=3)(batch).values.round(decimals=6)
    tensor([1.], dtype=torch.float64)
    """

    version: ClassVar[int] = 1
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        name: protocol.values for name, protocol in SMOOTH_PROTOCOLS.items()
    }

    noise: float | None = None
    samples: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.noise, int | float) or not self.noise >= 0:
            raise ValueError(f"noise={self.noise!r}, expected a number of at least 0")
        if not isinstance(self.samples, int) or self.samples < 1:
            raise ValueError(f"samples={self.samples!r}, expected a whole number of at least 1")

    def intact(self, batch: Explained) -> Tensor:
        """Return the averaged maps of the intact model, (N, H, W); the given maps are the term without noise."""
        return self._averaged(batch, batch.model, batch.maps)

    def explained(self, batch: Explained, model: nn.Module) -> Tensor:
        """Return the averaged maps of another model, (N, H, W)."""
        return self._averaged(batch, model, super().explained(batch, model))

    def _averaged(self, batch: Explained, model: nn.Module, maps: Tensor) -> Tensor:
        total, samples, images = precise(maps), cast("int", self.samples), batch.images
        deviation = cast("float", self.noise) * (images.amax(dim=(1, 2, 3)) - images.amin(dim=(1, 2, 3)))
        generators = [image_generator(image, batch.seed, "smooth randomisation") for image in images]
        for _ in range(samples - 1):
            drawn = torch.stack([torch.randn(images.shape[1:], generator=generator) for generator in generators])
            noisy = images + drawn.to(images) * deviation[:, None, None, None]
            total = total + precise(batch.explain(model, noisy, batch.targets))
        return total / samples

    def maps(self, image_size: tuple[int, int]) -> float | None:
        """Return the number of maps of all points and of the intact model; None for ``points=all``."""
        points, samples = super().maps(image_size), cast("int", self.samples)
        return None if points is None else points * samples + samples - 1
