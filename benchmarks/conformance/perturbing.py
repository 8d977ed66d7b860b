"""Reference implementation of the CAMs that perturb the network's input or features, one image and channel at a time.

It is written in NumPy and float64 and shares no code with methods/.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from heatmark.benchmarks.conformance.placement import changed, find_placement, output_of
from heatmark.benchmarks.conformance.reference_implementation import bilinear, min_max

Array = NDArray[np.float64]


def score_cam(module: nn.Module, image: Tensor, target: int, A: Array) -> Array:
    """Return w_c = p(X ⊙ s(Up(A_c))) − p(0), (C,), of one image (1, 3, H, W); Wang et al. 2020, definition 2.

    A channel that is constant over the image has weight 0.
    """
    pixels, size = image[0].numpy(), (image.shape[2], image.shape[3])

    def p(masked: Array) -> float:
        return probability(module, torch.from_numpy(masked[None]), target)

    baseline = p(np.zeros_like(pixels))
    varies = A.max(axis=(1, 2)) != A.min(axis=(1, 2))
    masks = [min_max(bilinear(channel, size)) for channel in A]
    return np.array([p(pixels * mask) - baseline if v else 0.0 for mask, v in zip(masks, varies, strict=True)])


def ablation_cam(module: nn.Module, layer: str, image: Tensor, target: int) -> Array:
    """Return w_c = (y − y_c) / y, (C,), of one image (1, 3, H, W), y_c with A_c set to 0; NaN where y = 0.

    The whole network runs for every channel. Desai and Ramaswamy 2020, equation 3.
    """
    place = find_placement(module, layer, image)
    count = place.maps(output_of(module, layer, image)).shape[1]
    y = float(_logits(module, image)[target])

    def without(channel: int) -> float:
        with changed(module, layer, lambda output: torch.from_numpy(place.without(output.numpy(), channel))):
            return float(_logits(module, image)[target])

    return np.array([(y - without(c)) / y if y != 0 else np.nan for c in range(count)])


def probability(module: nn.Module, image: Tensor, target: int) -> float:
    """Return the softmax probability of the target on one image (1, 3, H, W)."""
    logits = _logits(module, image)
    exponentials = np.exp(logits - logits.max())
    return float(exponentials[target] / exponentials.sum())


def _logits(module: nn.Module, image: Tensor) -> Array:
    with torch.no_grad():
        logits: Array = module(image)[0].numpy()
    return logits
