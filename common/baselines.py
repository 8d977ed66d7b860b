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


def image_minimum(images: Tensor) -> Tensor:
    """Return each image's smallest value in every channel, (N, 3, H, W), as an expanded view: Quantus's ``black``.

    Quantus computes it anew from the image so far perturbed, but an image's minimum stays its minimum while it is
    written into further pixels. Of a normalised photograph it is no colour: the channels' blacks differ.
    """
    return images.amin(dim=(1, 2, 3), keepdim=True).expand_as(images)


def blur(images: Tensor) -> Tensor:
    """Return the images blurred as in RISE's code, (N, 3, H, W): each channel convolved with k, zero-padded.

    k is an 11 × 11 array with a one in the middle, filtered by a Gaussian of σ = 5 pixels with reflecting borders.

    Petsiuk et al., "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018 (code, not paper).
    """
    channels = images.shape[1]
    kernel = torch.from_numpy(_rise_kernel()).to(images).expand(channels, 1, -1, -1)
    return F.conv2d(images, kernel, padding=KERNEL_PIXELS // 2, groups=channels)


def blur_reflect(images: Tensor) -> Tensor:
    """Return the images convolved with the kernel of :func:`blur`, with reflecting borders: none of them is darker."""
    return _reflected(images, torch.from_numpy(_rise_kernel()))


def blur_15(images: Tensor) -> Tensor:
    """Return the images convolved with a Gaussian of σ = 5 pixels on 15 × 15 pixels, with reflecting borders.

    It is torchvision's ``GaussianBlur(15, 5.0)``, which LATEC uses. Klein et al., "Navigating the Maze of Explainable
    AI: A Systematic Approach to Evaluating Methods and Metrics", NeurIPS 2024 (code).
    """
    distance = torch.arange(15, dtype=torch.float64) - 7
    weights = (-(distance**2) / (2 * SIGMA_PIXELS**2)).exp()
    weights = weights / weights.sum()
    return _reflected(images, weights[:, None] * weights)


def _reflected(images: Tensor, kernel: Tensor) -> Tensor:
    """Return the images convolved with a kernel (side, side), with reflecting borders."""
    border, channels = len(kernel) // 2, images.shape[1]
    if min(images.shape[-2:]) <= border:
        raise ValueError(f"images of {tuple(images.shape[-2:])} pixels, too small to reflect {border} at the border")
    padded = F.pad(images, (border,) * 4, mode="reflect")
    return F.conv2d(padded, kernel.to(images).expand(channels, 1, -1, -1), groups=channels)


@functools.cache
def _rise_kernel() -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    from scipy.ndimage import gaussian_filter  # a third of a second, before the first forward pass of any sweep

    delta = np.zeros((KERNEL_PIXELS, KERNEL_PIXELS))
    delta[KERNEL_PIXELS // 2, KERNEL_PIXELS // 2] = 1
    kernel: np.ndarray[tuple[int, int], np.dtype[np.float32]] = gaussian_filter(delta, SIGMA_PIXELS).astype(np.float32)
    return kernel


BASELINES: dict[str, Callable[[Tensor], Tensor]] = {
    "blur": blur,
    "blur_15": blur_15,
    "blur_reflect": blur_reflect,
    "image_minimum": image_minimum,
    "mean": mean,
    "zero": zero,
}


def find_baseline(name: str) -> Callable[[Tensor], Tensor]:
    """Return the baseline with this name, a function from images (N, 3, H, W) to baseline images of that shape.

    Raises:
        ValueError: if there is none; the message names the nearest.
    """
    return look_up("baseline", name, BASELINES)
