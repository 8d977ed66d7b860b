"""Captum's attribution methods that explain the input by the logits of perturbed images.

Removed pixels become zero in the normalised space, the mean colour of the training data. A window or superpixel covers
all colour channels, so that Captum gives each channel the same number; the first channel is returned.
"""

from abc import abstractmethod
from dataclasses import dataclass
from math import ceil
from typing import ClassVar

import torch
from torch import Tensor, nn

from heatmark.methods.base import Method
from heatmark.methods.external.preserved import in_chunks, preserved, seed_all


def superpixels(image: Tensor, count: int) -> Tensor:
    """Return the number of each pixel's superpixel, (1, 1, H, W), counted from 0, for one image (1, 3, H, W).

    SLIC on the normalised image, which scikit-image scales to [0, 1] and converts to Lab colours. Compactness 20 after
    a blur of 1 pixel, because scikit-image's defaults (10, none) merge a noisy image into a single superpixel.
    Deterministic. Achanta et al., TPAMI 2012.
    """
    from skimage.segmentation import slic

    pixels = image[0].permute(1, 2, 0).to("cpu", torch.float32).numpy()
    labels = slic(pixels, n_segments=count, compactness=20.0, sigma=1.0, start_label=0, channel_axis=-1)
    return torch.from_numpy(labels)[None, None].to(image.device)


@dataclass(frozen=True)
class CaptumPerturbation(Method):
    """The base class of Captum's perturbation methods, which explain one image after the other.

    Args:
        batch_size: number of perturbed images that go through the model at once.
    """

    batch_size: int = 16

    implementation = "captum"
    explains = "input"

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:  # noqa: ARG002
        """Return signed maps (N, H, W), in units of the logit."""
        with preserved(model):
            attributions = in_chunks(images, targets, 1, lambda x, t: self.attribute(model, x, t))
        return attributions[:, 0].to(images.dtype)

    @abstractmethod
    def attribute(self, model: nn.Module, image: Tensor, target: Tensor) -> Tensor:
        """Return Captum's attributions for one image, (1, 3, H, W)."""


@dataclass(frozen=True)
class Occlusion(CaptumPerturbation):
    """Captum's ``Occlusion``: the mean drop of the logit over the windows that cover a pixel.

    Zeiler and Fergus, ECCV 2014, section 4.2. The last window of a row or column is cut at the image's border.

    Args:
        window: side of the window in pixels.
        stride: step of the window in pixels, at most its side.
    """

    window: int = 32
    stride: int = 16

    def attribute(self, model: nn.Module, image: Tensor, target: Tensor) -> Tensor:
        """Return the drops of the logit, (1, 3, H, W)."""
        from captum.attr import Occlusion as Library

        channels, height, width = image.shape[1:]
        attributions: Tensor = Library(model).attribute(
            image,
            sliding_window_shapes=(channels, min(self.window, height), min(self.window, width)),
            strides=(channels, self.stride, self.stride),
            target=target,
            perturbations_per_eval=self.batch_size,
        )
        return attributions

    def passes(self, model: nn.Module, layer: str, shape: tuple[int, int, int]) -> float:  # noqa: ARG002
        """Return the number of windows, and one: of the image as it is."""
        along = [1 + ceil(max(0, side - self.window) / self.stride) for side in shape[1:]]
        return 1.0 + along[0] * along[1]


@dataclass(frozen=True)
class FeatureAblation(CaptumPerturbation):
    """Captum's ``FeatureAblation``: the drop of the logit when the pixel's superpixel is removed.

    Args:
        n_superpixels: number of superpixels requested from SLIC.
    """

    n_superpixels: int = 50

    def attribute(self, model: nn.Module, image: Tensor, target: Tensor) -> Tensor:
        """Return the drops of the logit, (1, 3, H, W)."""
        from captum.attr import FeatureAblation as Library

        attributions: Tensor = Library(model).attribute(
            image,
            target=target,
            feature_mask=superpixels(image, self.n_superpixels),
            perturbations_per_eval=self.batch_size,
        )
        return attributions

    def passes(self, model: nn.Module, layer: str, shape: tuple[int, int, int]) -> float:  # noqa: ARG002
        """Return the number of superpixels asked for, and one: of the image as it is."""
        return 1.0 + self.n_superpixels


@dataclass(frozen=True)
class _Surrogate(CaptumPerturbation):
    """A linear model that predicts the logit from which superpixels are kept; its coefficients are the map.

    Args:
        n_superpixels: number of superpixels requested from SLIC.
        n_samples: number of images with some superpixels removed, to which the linear model is fitted.
        seed: the samples of an image depend on this seed and the image's own pixels.
    """

    n_superpixels: int = 50
    n_samples: int = 200
    seed: int = 0

    library: ClassVar[str]

    def attribute(self, model: nn.Module, image: Tensor, target: Tensor) -> Tensor:
        """Return the coefficients, (1, 3, H, W)."""
        import captum.attr

        seed_all(image, self.seed)
        attributions: Tensor = getattr(captum.attr, self.library)(model).attribute(
            image,
            target=target,
            feature_mask=superpixels(image, self.n_superpixels),
            n_samples=self.n_samples,
            perturbations_per_eval=self.batch_size,
        )
        return attributions

    def passes(self, model: nn.Module, layer: str, shape: tuple[int, int, int]) -> float:  # noqa: ARG002
        """Return the number of samples, each a forward pass."""
        return float(self.n_samples)


@dataclass(frozen=True)
class KernelSHAP(_Surrogate):
    """Captum's ``KernelShap`` on superpixels: samples drawn by the Shapley kernel, then least squares.

    Lundberg and Lee, NeurIPS 2017, theorem 2.
    """

    library = "KernelShap"


@dataclass(frozen=True)
class LIME(_Surrogate):
    """Captum's ``Lime`` on superpixels: half of them removed at random, cosine kernel of width 1, Lasso with α = 0.01.

    Ribeiro et al., KDD 2016, eq. 1. The kernel and the Lasso are Captum's defaults; the authors' own package takes
    quickshift superpixels, a kernel width of 0.25, ridge regression and 1000 samples.
    """

    library = "Lime"
