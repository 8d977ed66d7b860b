"""Captum's attributions to the input that are made of gradients.

Baselines are zero in the normalised space, which is the mean colour of the dataset. Channels are reduced in one of two
ways: a gradient by its largest magnitude, max_c |·|, as Simonyan et al. do (2014, section 3.1); a decomposition of the
score by its sum, Σ_c, which keeps its completeness.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from heatmark.methods.base import Method
from heatmark.methods.external.preserved import in_chunks, preserved, seed_all
from heatmark.methods.external.structure import beyond_rescale_rule, hidden_relus


def largest_magnitude(attributions: Tensor) -> Tensor:
    """Return max_c |·|, (N, H, W)."""
    return attributions.abs().amax(dim=1)


@dataclass(frozen=True)
class CaptumGradient(Method):
    """An attribution of Captum to the input."""

    implementation = "captum"
    explains = "input"
    one_by_one: ClassVar[bool] = False
    """Whether Captum must see one image at a time, so that its batch does not matter."""

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:  # noqa: ARG002
        """Return maps (N, H, W), reduced over the channels."""
        size = 1 if self.one_by_one else self.images_at_once(len(images))
        with preserved(model):
            return in_chunks(images, targets, size, lambda x, t: self.attribute(model, x, t))

    def images_at_once(self, count: int) -> int:
        """Return how many of the images go through Captum together."""
        return count

    @abstractmethod
    def attribute(self, model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        """Return what Captum attributes, reduced to (N, H, W); the model is preserved and the images are a copy."""


@dataclass(frozen=True)
class Saliency(CaptumGradient):
    """Captum's ``Saliency``: max_c |∂y/∂x_c|.

    Simonyan, Vedaldi, Zisserman, "Deep Inside Convolutional Networks", ICLR workshop 2014, section 3.1.
    """

    def attribute(self, model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        """Return max_c |∂y/∂x_c|, (N, H, W)."""
        from captum.attr import Saliency as Library

        return largest_magnitude(Library(model).attribute(images, targets))


@dataclass(frozen=True)
class InputXGradient(CaptumGradient):
    """Captum's ``InputXGradient``: Σ_c x_c ∂y/∂x_c, signed.

    Shrikumar et al., "Not Just a Black Box", 2016.
    """

    def attribute(self, model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        """Return Σ_c x_c ∂y/∂x_c, (N, H, W)."""
        from captum.attr import InputXGradient as Library

        attributions: Tensor = Library(model).attribute(images, targets)
        return attributions.sum(dim=1)


@dataclass(frozen=True)
class IntegratedGradients(CaptumGradient):
    """Captum's ``IntegratedGradients`` from the zero baseline: Σ_c x_c ∫ ∂y/∂x_c(αx) dα, signed.

    The map sums to y(x) − y(0), up to the error of the quadrature. Sundararajan et al., ICML 2017, eq. 1.

    Args:
        n_steps: points of the quadrature.
        quadrature: Captum's ``method``.
    """

    batch_size: int = 16
    n_steps: int = 50
    quadrature: str = "gausslegendre"

    def images_at_once(self, count: int) -> int:
        """Return no more images than the batch size."""
        return min(count, self.batch_size)

    def attribute(self, model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        """Return the signed sum over the channels, (N, H, W)."""
        from captum.attr import IntegratedGradients as Library

        attributions: Tensor = Library(model).attribute(
            images,
            target=targets,
            n_steps=self.n_steps,
            method=self.quadrature,
            internal_batch_size=max(self.batch_size, len(images)),
        )
        return attributions.sum(dim=1).to(images.dtype)


@dataclass(frozen=True)
class GradientSHAP(CaptumGradient):
    """Captum's ``GradientShap`` from the zero baseline: the mean of Σ_c x̃_c ∂y/∂x_c(αx̃), α ~ U(0, 1), x̃ = x + noise.

    Lundberg and Lee, NeurIPS 2017. Expected gradients draw baselines from the training set; a method here sees the
    image alone, so that its only baseline is zero. The noise is drawn on the images' device: devices differ by
    sampling, batches do not.

    Args:
        n_samples: draws an image, all in one batch.
        stdev: of the noise, in normalised units.
    """

    n_samples: int = 20
    stdev: float = 0.09
    seed: int = 0

    one_by_one = True

    def attribute(self, model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        """Return the signed sum over the channels, (1, H, W)."""
        from captum.attr import GradientShap as Library

        seed_all(images, self.seed)
        attributions: Tensor = Library(model).attribute(
            images, baselines=images * 0, target=targets, n_samples=self.n_samples, stdevs=self.stdev
        )
        return attributions.sum(dim=1)


@dataclass(frozen=True)
class SmoothGrad(CaptumGradient):
    """Captum's ``NoiseTunnel`` over the signed ``Saliency``: max_c |mean of ∂y/∂x_c(x + noise)|.

    Smilkov et al., "SmoothGrad", 2017, eq. 2; the absolute value comes after the mean, as there. The noise is drawn on
    the images' device: devices differ by sampling, batches do not.

    Args:
        n_samples: noisy copies of an image, all in one batch.
        noise_level: σ / (x_max − x_min) of each image; the paper finds 10 % to 20 % best.
    """

    n_samples: int = 25
    noise_level: float = 0.15
    seed: int = 0

    one_by_one = True

    def attribute(self, model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        """Return max_c |mean gradient|, (1, H, W)."""
        from captum.attr import NoiseTunnel
        from captum.attr import Saliency as Library

        seed_all(images, self.seed)
        stdev = self.noise_level * float(images.max() - images.min())
        return largest_magnitude(
            NoiseTunnel(Library(model)).attribute(
                images, nt_samples=self.n_samples, stdevs=stdev, target=targets, abs=False
            )
        )


@dataclass(frozen=True)
class GuidedBackprop(CaptumGradient):
    """Captum's ``GuidedBackprop``: max_c |g_c|, g the gradient whose negative part is cut at every ``nn.ReLU``.

    Activations of other kinds pass the plain gradient. Springenberg et al., ICLR workshop 2015, section 3.4.
    """

    def attribute(self, model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        """Return max_c |g_c|, (N, H, W)."""
        from captum.attr import GuidedBackprop as Library

        return largest_magnitude(Library(model).attribute(images, targets))

    def unsupported(self, model: nn.Module, layer: str) -> str | None:  # noqa: ARG002
        """Say so where Captum does not see the ReLUs."""
        return hidden_relus(model)


@dataclass(frozen=True)
class Deconvolution(CaptumGradient):
    """Captum's ``Deconvolution``: max_c |g_c|, where every ``nn.ReLU`` passes on the positive part of the gradient.

    Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014, section 2.1.
    """

    def attribute(self, model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        """Return max_c |g_c|, (N, H, W)."""
        from captum.attr import Deconvolution as Library

        return largest_magnitude(Library(model).attribute(images, targets))

    def unsupported(self, model: nn.Module, layer: str) -> str | None:  # noqa: ARG002
        """Say so where Captum does not see the ReLUs."""
        return hidden_relus(model)


@dataclass(frozen=True)
class DeepLIFT(CaptumGradient):
    """Captum's ``DeepLift`` (rescale rule) from the zero baseline: Σ_c of the contributions, signed.

    The map should sum to y(x) − y(0). In Captum 0.9 it need not where there is max pooling: right behind a ReLU, the
    pool's rule takes no effect, because the ReLU's hook reads the gradient first; where windows overlap, it keeps one
    of the contributions that meet in a pixel. Each image goes alone, because where an input equals its baseline the
    rule takes the gradient of the batch's first image (Captum's issue 1276).
    Shrikumar et al., ICML 2017, section 3.5.1.
    """

    one_by_one = True

    def attribute(self, model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        """Return the signed sum over the channels, (1, H, W)."""
        from captum.attr import DeepLift as Library

        attributions: Tensor = Library(model).attribute(images, target=targets)
        return attributions.sum(dim=1)

    def unsupported(self, model: nn.Module, layer: str) -> str | None:  # noqa: ARG002
        """Say so where a module runs twice, or a nonlinearity has no rule or no module."""
        from captum.attr._core.deep_lift import SUPPORTED_NON_LINEAR

        return beyond_rescale_rule(model, tuple(SUPPORTED_NON_LINEAR))
