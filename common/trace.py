"""How features lie on the image, found out by what moves in them when a half of the picture is exchanged."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial

import torch
from torch import Tensor, nn

from heatmark.common.features import FeatureLayout, find_layer
from heatmark.common.model_state import observing

LEAST = 0.1
"""The least a reading must follow the picture, of 1: what reads channels as places follows it by a few hundredths."""

MARGIN = 2.0
"""How many times as much as any other reading."""

DRAWS = 2
"""How many draws of noise must say the same: with few places and channels, one is followed by chance."""


class _AllSeenError(Exception):
    """Every layer that was asked for has run: the rest of the forward pass is not needed."""


def trace(
    model: nn.Module, readings: Mapping[str, Sequence[FeatureLayout]], images: Tensor
) -> dict[str, FeatureLayout]:
    """Return, of each layer's readings, the one whose maps move where the picture moves; a layer may be left out.

    ``DRAWS`` forward passes, without a graph, of four pictures of noise (:func:`pictures`), which end after the last of
    the layers. They depend on the model and the images' size alone, never on the batch. A reading that follows the
    picture (:func:`following`) neither by ``LEAST`` nor ``MARGIN`` times as much as the others decides nothing, nor one
    that does so by chance in one draw and not in all.

    Args:
        model: left as it was found; hooks of others on the layers do not run.
        readings: layer to what its features may be.
        images: (N, C, H, W), of which only size, dtype and device matter.
    """
    if images.device.type == "meta":
        return {}
    first, *others = (_seen(model, readings, pictures(images, seed)) for seed in range(DRAWS))
    return {layer: seen for layer, seen in first.items() if seen and all(other.get(layer) == seen for other in others)}


def _seen(
    model: nn.Module, readings: Mapping[str, Sequence[FeatureLayout]], noise: Tensor
) -> dict[str, FeatureLayout | None]:
    """Return what one draw of pictures says of each layer, None where it decides nothing."""
    found: dict[str, FeatureLayout | None] = {}

    def look(layer: str, _module: nn.Module, _inputs: object, features: Tensor) -> None:
        found[layer] = _best(features, readings[layer])
        if len(found) == len(readings):
            raise _AllSeenError

    with observing(model), ExitStack() as hooks, suppress(_AllSeenError):
        for layer in readings:
            handle = find_layer(model, layer).register_forward_hook(partial(look, layer), prepend=True)
            hooks.callback(handle.remove)
        model(noise)
    return found


def pictures(images: Tensor, seed: int = 0) -> Tensor:
    """Return two pictures of noise, a and b, then b with the upper half of a, and b with the left half of a."""
    _, channels, height, width = images.shape
    noise = torch.randn(2, channels, height, width, generator=torch.Generator().manual_seed(seed))
    a, b = noise.to(images)
    upper, left = b.clone(), b.clone()
    upper[:, : height // 2] = a[:, : height // 2]
    left[:, :, : width // 2] = a[:, :, : width // 2]
    return torch.stack([a, b, upper, left])


def following(maps: Tensor) -> float:
    """Return how far maps (4, C, h, w) of :func:`pictures` follow them, in [-1, 1].

    Of each place, s = (|m − a| − |m − b|) / (|m − a| + |m − b|) says which picture the mixed one m resembles there, −1
    for a and 1 for b, with the absolute values summed over the channels. Half of the mean of s over the far half of
    the rows or columns less that over the near half is 1 where features are local, and about 0 along an axis that is
    none of the picture's. Of rows (upper half exchanged) and columns (left half exchanged), the lesser; an axis of one
    place is left out, and one place alone gives 0.
    """
    a, b, *mixed = maps.float()
    differences = []
    for dim, m in enumerate(mixed):
        from_a, from_b = ((m - other).abs().sum(dim=0) for other in (a, b))
        total = from_a + from_b
        s = torch.where(total == 0, 0.0, (from_a - from_b) / total)
        half = s.shape[dim] // 2
        if half:
            differences.append(s.narrow(dim, s.shape[dim] - half, half).mean() - s.narrow(dim, 0, half).mean())
    return min((float(difference) / 2 for difference in differences), default=0.0)


def _best(features: Tensor, readings: Sequence[FeatureLayout]) -> FeatureLayout | None:
    if len(features) != 4 or any(reading.grid == (1, 1) for reading in readings):  # one place has nothing to follow
        return None
    first, *others = sorted(((following(r.maps(features)), i) for i, r in enumerate(readings)), reverse=True)
    clear = first[0] >= LEAST and all(first[0] >= MARGIN * other for other, _ in others)
    return readings[first[1]] if clear else None
