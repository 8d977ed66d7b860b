"""Baselines: the images whose pixels replace the perturbed pixels."""

import functools
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from heatmark.common.names import look_up

VERSION = 1
"""Raised by whoever changes a pixel of a baseline: outdates the metrics that use baselines."""

KERNEL_PIXELS = 11
SIGMA_PIXELS = 5


def zero(images: Tensor) -> Tensor:
    """Return zeros in the model's normalised space, (N, 3, H, W): the mean colour of the training data."""
    return torch.zeros_like(images)


def mean(images: Tensor) -> Tensor:
    """Return images of each image's own mean colour, (N, 3, H, W), as an expanded view."""
    return images.mean(dim=(2, 3), keepdim=True).expand_as(images)


def blur(images: Tensor) -> Tensor:
    """Return the images blurred as in RISE's code, (N, 3, H, W): each channel convolved with k, zero-padded.

    k is an 11 × 11 array with a one in the middle, filtered by a Gaussian of σ = 5 pixels with reflecting borders.

    Petsiuk et al., "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018 (code, not paper).
    """
    channels = images.shape[1]
    kernel = torch.from_numpy(_rise_kernel()).to(images).expand(channels, 1, -1, -1)
    return F.conv2d(images, kernel, padding=KERNEL_PIXELS // 2, groups=channels)


@functools.cache
def _rise_kernel() -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    from scipy.ndimage import gaussian_filter  # a third of a second, before the first forward pass of any sweep

    delta = np.zeros((KERNEL_PIXELS, KERNEL_PIXELS))
    delta[KERNEL_PIXELS // 2, KERNEL_PIXELS // 2] = 1
    kernel: np.ndarray[tuple[int, int], np.dtype[np.float32]] = gaussian_filter(delta, SIGMA_PIXELS).astype(np.float32)
    return kernel


BASELINES: dict[str, Callable[[Tensor], Tensor]] = {"blur": blur, "mean": mean, "zero": zero}


def find_baseline(name: str) -> Callable[[Tensor], Tensor]:
    """Return the baseline with this name, a function from images (N, 3, H, W) to baseline images of that shape.

    Raises:
        ValueError: if there is none; the message names the nearest.
    """
    return look_up("baseline", name, BASELINES)
