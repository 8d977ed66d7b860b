"""The layout of a layer's features, found by which of them change when half of an image is exchanged."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial

import torch
from torch import Tensor, nn

from heatmark.common.features import FeatureLayout, find_layer
from heatmark.common.model_state import observing

LEAST = 0.1
"""The least score of :func:`following` for a layout to count, at most 1; wrong layouts score a few hundredths."""

MARGIN = 2.0
"""The least ratio of the best layout's score to that of any other."""

DRAWS = 2
"""The number of draws of noise that must agree: with few places and channels, one draw may agree by chance."""


class _AllSeenError(Exception):
    """The end of a forward pass in which every layer of interest has run; raised to skip the rest."""


def trace(
    model: nn.Module, readings: Mapping[str, Sequence[FeatureLayout]], images: Tensor
) -> dict[str, FeatureLayout]:
    """Return for each layer the one of its possible layouts whose maps change where the image changes.

    A layer is missing from the result if no layout is clearly right: one must score (:func:`following`) at least
    ``LEAST`` and ``MARGIN`` times as much as any other, in each of ``DRAWS`` draws. A draw is one forward pass without
    a graph of four images of noise (:func:`pictures`) that ends after the last of the layers. The result depends on the
    model and the images' size, never on the images' content.

    Args:
        model: the model; its state is the same afterwards. Hooks of others on these layers do not run.
        readings: layer -> the possible layouts of its features.
        images: (N, C, H, W), of which only size, dtype and device matter.
    """
    if images.device.type == "meta":
        return {}
    first, *others = (_seen(model, readings, pictures(images, seed)) for seed in range(DRAWS))
    return {layer: seen for layer, seen in first.items() if seen and all(other.get(layer) == seen for other in others)}


def _seen(
    model: nn.Module, readings: Mapping[str, Sequence[FeatureLayout]], noise: Tensor
) -> dict[str, FeatureLayout | None]:
    """Return the layout of each layer according to one draw of noise; None where no layout is clearly right."""
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
    """Return (4, C, H, W): two images of noise a and b, b with the upper half of a, and b with the left half of a."""
    _, channels, height, width = images.shape
    noise = torch.randn(2, channels, height, width, generator=torch.Generator().manual_seed(seed))
    a, b = noise.to(images)
    upper, left = b.clone(), b.clone()
    upper[:, : height // 2] = a[:, : height // 2]
    left[:, :, : width // 2] = a[:, :, : width // 2]
    return torch.stack([a, b, upper, left])


def following(maps: Tensor) -> float:
    """Return a score in [-1, 1] of how well maps (4, C, h, w) of :func:`pictures` change where the images do.

    At each place, s = (|m − a| − |m − b|) / (|m − a| + |m − b|), with absolute values summed over the channels, is −1
    if the mixed image's features m equal a's and 1 if they equal b's. The score of an axis is half the difference of
    the means of s over its second and its first half: 1 for local features, about 0 for an axis that is no axis of the
    image. Returned is the smaller of the scores of the rows (upper half exchanged) and the columns (left half
    exchanged); an axis of length one is left out, and a single place gives 0.
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
    if len(features) != 4 or any(reading.grid == (1, 1) for reading in readings):  # a single place has no halves
        return None
    first, *others = sorted(((following(r.maps(features)), i) for i, r in enumerate(readings)), reverse=True)
    clear = first[0] >= LEAST and all(first[0] >= MARGIN * other for other, _ in others)
    return readings[first[1]] if clear else None
