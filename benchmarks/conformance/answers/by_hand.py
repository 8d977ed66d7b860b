"""A network with known probabilities, and deletion and insertion curves computed one image and point at a time."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Array = NDArray[np.float64]


class Known(nn.Module):
    """A network with p_c = q_c / Σ q and q_c = bias_c + Σ_i weights_ci · brightness_i, since softmax(log q) = q / Σ q.

    Args:
        weights: (classes, H, W); no q may be negative on the images that it is given.
        bias: (classes,).
    """

    def __init__(self, weights: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weights, self.bias = nn.Buffer(weights), nn.Buffer(bias)
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """Return logits log q, (N, classes), of images (N, 3, H, W)."""
        q = (images.mean(dim=1)[:, None] * self.weights).sum(dim=(2, 3)) + self.bias
        return q.clamp(min=0).log()


def additive(weights: Tensor) -> Known:
    """Return a network of two classes; the first one's probability is Σ weights · brightness, (H, W) weights."""
    return Known(torch.stack([weights, -weights]), torch.tensor([0.0, 1.0]).to(weights))


def probabilities(network: Known, image: Array) -> Array:
    """Return the probability of every class for one image (3, H, W), by the formula, in float64."""
    weights, bias = network.weights.double().numpy(), network.bias.double().numpy()
    q: Array = bias + (weights * image.mean(axis=0)).sum(axis=(1, 2))
    shares: Array = q / q.sum()
    return shares


def walk(
    network: Known, target: int, ends: tuple[Array, Array], relevance: Array, counts: Sequence[int]
) -> list[float]:
    """Return p(target) at every point of a curve, computed one point at a time.

    Args:
        network: the model.
        target: class.
        ends: the first and the last picture of the curve, each (3, H, W).
        relevance: (H, W); the most relevant pixels go first, and ties come in raster order.
        counts: how many pixels come from the last picture at each point.
    """
    order = np.argsort(-relevance.ravel(), kind="stable")
    start, end = (picture.reshape(3, -1) for picture in ends)
    scores = []
    for count in counts:
        picture = start.copy()
        picture[:, order[:count]] = end[:, order[:count]]
        scores.append(float(probabilities(network, picture.reshape(ends[0].shape))[target]))
    return scores


def area(scores: Sequence[float], counts: Sequence[int]) -> float:
    """Return ∫ p over the fraction of pixels, by trapezoids; the last count is that of all pixels."""
    points = list(zip(counts, scores, strict=True))
    return sum((b - a) / counts[-1] * (p + q) / 2 for (a, p), (b, q) in pairwise(points))
