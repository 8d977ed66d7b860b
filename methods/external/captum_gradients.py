"""Captum's attribution methods that explain the input by gradients.

Baselines are zero in the normalised space, which is the mean colour of the training data. Colour channels are reduced
in one of two ways: a gradient by its largest magnitude, max_c |·|, as Simonyan et al. do (2014, section 3.1); a
decomposition of the logit by its sum, Σ_c, which keeps its completeness. y is the target's logit, x the image.
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
    """The base class of Captum's gradient methods; subclasses call the library in :meth:`attribute`."""

    implementation = "captum"
    explains = "input"
    one_by_one: ClassVar[bool] = False
    """Whether each image goes through Captum alone, because Captum's numbers would depend on the batch."""

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:  # noqa: ARG002
        """Return maps (N, H, W), reduced over the colour channels."""
        size = 1 if self.one_by_one else self.images_at_once(len(images))
        with preserved(model):
            return in_chunks(images, targets, size, lambda x, t: self.attribute(model, x, t))

    def images_at_once(self, count: int) -> int:
        """Return how many of ``count`` images go through Captum together."""
        return count

    @property
    def copies(self) -> int:
        """How many copies of an image go through the model, forward and backward."""
        return 1

    def passes(self, model: nn.Module, layer: str, shape: tuple[int, int, int]) -> float:  # noqa: ARG002
        """Return a forward and a backward pass per copy of the image."""
        return 2.0 * self.copies

    @abstractmethod
    def attribute(self, model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        """Return Captum's attributions reduced to (N, H, W); the caller restores the model, the images are a copy."""


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
    """Captum's ``InputXGradient``: Σ_c x_c ∂y/∂x_c, with its sign.

    Shrikumar et al., "Not Just a Black Box", 2016.
    """

    def attribute(self, model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        """Return Σ_c x_c ∂y/∂x_c, (N, H, W)."""
        from captum.attr import InputXGradient as Library

        attributions: Tensor = Library(model).attribute(images, targets)
        return attributions.sum(dim=1)


@dataclass(frozen=True)
class IntegratedGradients(CaptumGradient):
    """Captum's ``IntegratedGradients`` from the zero baseline: Σ_c x_c ∫₀¹ ∂y/∂x_c(αx) dα, with its sign.

    The map sums to y(x) − y(0), up to the error of the quadrature. Sundararajan et al., ICML 2017, eq. 1.

    Args:
        batch_size: number of images, scaled by α, that go through the model at once.
        n_steps: number of points of the quadrature.
        quadrature: Captum's ``method``, such as ``gausslegendre``.
    """

    batch_size: int = 16
    n_steps: int = 50
    quadrature: str = "gausslegendre"

    def images_at_once(self, count: int) -> int:
        """Return no more images than the batch size."""
        return min(count, self.batch_size)

    @property
    def copies(self) -> int:
        """One copy per point of the quadrature."""
        return self.n_steps

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

    Lundberg and Lee, NeurIPS 2017. Deviation: expected gradients draw baselines from the training set, which a method
    here does not get; the only baseline is zero. The noise is drawn on the images' device: other devices give other
    draws, other batches do not.

    Args:
        n_samples: number of draws per image, all in one batch.
        stdev: standard deviation of the noise, in normalised units.
        seed: the draws of an image depend on this seed and the image's own pixels.
    """

    n_samples: int = 20
    stdev: float = 0.09
    seed: int = 0

    one_by_one = True

    @property
    def copies(self) -> int:
        """One copy per draw."""
        return self.n_samples

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

    Smilkov et al., "SmoothGrad", 2017, eq. 2; the absolute value is taken after the mean, as in the paper. The noise is
    drawn on the images' device: other devices give other draws, other batches do not.

    Args:
        n_samples: number of noisy copies per image, all in one batch.
        noise_level: σ / (x_max − x_min) of each image; the paper finds 10 % to 20 % best.
        seed: the noise of an image depends on this seed and the image's own pixels.
    """

    n_samples: int = 25
    noise_level: float = 0.15
    seed: int = 0

    one_by_one = True

    @property
    def copies(self) -> int:
        """One noisy copy per draw."""
        return self.n_samples

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
    """Captum's ``GuidedBackprop``: max_c |g_c|, g the gradient whose negative part is set to 0 at every ``nn.ReLU``.

    Other activation functions pass the plain gradient. Springenberg et al., ICLR workshop 2015, section 3.4.
    """

    def attribute(self, model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        """Return max_c |g_c|, (N, H, W)."""
        from captum.attr import GuidedBackprop as Library

        return largest_magnitude(Library(model).attribute(images, targets))

    def unsupported(self, model: nn.Module, layer: str) -> str | None:  # noqa: ARG002
        """Return the reason if Captum's hooks miss some ReLU, else None."""
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
        """Return the reason if Captum's hooks miss some ReLU, else None."""
        return hidden_relus(model)


@dataclass(frozen=True)
class DeepLIFT(CaptumGradient):
    """Captum's ``DeepLift`` (rescale rule) from the zero baseline: the contributions' sum Σ_c, signed.

    The map should sum to y(x) − y(0). With max pooling it may not in Captum 0.9: directly after a ReLU the pool's rule
    has no effect, because the ReLU's hook reads the gradient first, and with overlapping windows only one of a pixel's
    contributions is kept. Each image goes through Captum alone, because where an input equals its baseline the rule
    takes the gradient of the batch's first image (Captum's issue 1276). Shrikumar et al., ICML 2017, section 3.5.1.
    """

    one_by_one = True

    @property
    def copies(self) -> int:
        """The image and its baseline."""
        return 2

    def attribute(self, model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        """Return the signed sum over the channels, (1, H, W)."""
        from captum.attr import DeepLift as Library

        attributions: Tensor = Library(model).attribute(images, target=targets)
        return attributions.sum(dim=1)

    def unsupported(self, model: nn.Module, layer: str) -> str | None:  # noqa: ARG002
        """Return the reason if a module runs twice, or a nonlinearity has no rule or no module, else None."""
        from captum.attr._core.deep_lift import SUPPORTED_NON_LINEAR

        return beyond_rescale_rule(model, tuple(SUPPORTED_NON_LINEAR))
