"""Closed forms of methods that explain the input: controls, RISE, and Captum's methods on a network of one ReLU."""

import hashlib
from collections.abc import Callable, Iterator
from math import ceil

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from heatmark.benchmarks.conformance.checked_layer import CheckedLayer, Subject
from heatmark.benchmarks.conformance.compare import difference
from heatmark.benchmarks.conformance.findings import Finding
from heatmark.benchmarks.conformance.invariants import INVARIANTS, Invariant, consult
from heatmark.benchmarks.conformance.perturbing import probability
from heatmark.benchmarks.conformance.reference_implementation import bilinear
from heatmark.methods.base import Method
from heatmark.methods.centre_prior import CentrePrior
from heatmark.methods.edge_filter import EdgeFilter
from heatmark.methods.external import captum_gradients as captum
from heatmark.methods.random_map import RandomMap
from heatmark.methods.rise import RISE

Array = NDArray[np.float64]
Form = Callable[[CheckedLayer], Array]
"""Checked layer to the right maps (N, h, w)."""


class OneReLU(nn.Module):
    """A network of a 1 × 1 convolution, a ReLU and a linear layer, whose every gradient can be written down."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(3, 4, 1)
        self.relu = nn.ReLU()
        self.fc = nn.Linear(4 * height * width, 5)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, 5) of images (N, 3, H, W)."""
        logits: Tensor = self.fc(self.relu(self.mix(images)).flatten(1))
        return logits


class NoReLU(OneReLU):
    """The same network without the ReLU; it is linear, so that many attribution methods have equal maps."""

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, 5) of images (N, 3, H, W)."""
        logits: Tensor = self.fc(self.mix(images).flatten(1))
        return logits


def small_layer(build: Callable[[int, int], nn.Module]) -> CheckedLayer:
    """Return the first layer of such a network, with three images of 6 × 8 pixels and a class for each."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        module = build(6, 8).double().eval()
        images = torch.randn(3, 3, 6, 8, dtype=torch.float64)
    return CheckedLayer(build.__name__, module, "mix", images, torch.tensor([3, 0, 1]))


def gradients(checked: CheckedLayer, pass_on: Callable[[Array, Array], Array]) -> Array:
    """Return ∂y/∂x, (N, 3, H, W), where the ReLU passes back ``pass_on(its input, gradient at its output)``."""
    weights = {name: tensor.numpy() for name, tensor in checked.module.state_dict().items()}
    mix, x = weights["mix.weight"][:, :, 0, 0], checked.images.numpy()
    before = np.einsum("kc,nchw->nkhw", mix, x) + weights["mix.bias"][:, None, None]
    above = weights["fc.weight"][checked.targets.numpy()].reshape(before.shape)
    return np.asarray(np.einsum("kc,nkhw->nchw", mix, pass_on(before, above)))


def _plain(checked: CheckedLayer) -> Array:
    return gradients(checked, lambda _, above: above)


def _largest(g: Array) -> Array:
    return np.asarray(np.abs(g).max(axis=1))


def _contributions(checked: CheckedLayer) -> Array:
    return np.asarray((checked.images.numpy() * _plain(checked)).sum(axis=1))


def centre_prior(checked: CheckedLayer) -> Array:
    """Return exp(−½ d²), d the distance from the picture's centre in quarters of its sides."""
    height, width = checked.size
    d = [
        [((y + 0.5) / height - 0.5) ** 2 + ((x + 0.5) / width - 0.5) ** 2 for x in range(width)] for y in range(height)
    ]
    return np.repeat(np.exp(-0.5 * np.array(d) / 0.25**2)[None], len(checked.images), axis=0)


def edge_filter(checked: CheckedLayer) -> Array:
    """Return the Sobel magnitude of the mean of the channels, with the border repeated."""
    grey = np.pad(checked.images.numpy().mean(axis=1), ((0, 0), (1, 1), (1, 1)), mode="edge")
    smooth_down = grey[:, :-2] + 2 * grey[:, 1:-1] + grey[:, 2:]
    smooth_across = grey[:, :, :-2] + 2 * grey[:, :, 1:-1] + grey[:, :, 2:]
    across = smooth_down[:, :, 2:] - smooth_down[:, :, :-2]
    down = smooth_across[:, 2:] - smooth_across[:, :-2]
    return np.asarray(np.hypot(across, down))


def random_map(checked: CheckedLayer) -> Array:
    """Return 8 × 8 uniform numbers, drawn from the SHA-256 of the seed and the image's pixels in float32."""
    maps = []
    for image in checked.images.numpy().astype(np.float32):
        digest = hashlib.sha256((0).to_bytes(8, "little") + image.tobytes()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") // 2)
        maps.append(torch.rand((8, 8), generator=generator).numpy().astype(np.float64))
    return np.stack(maps)


MASKS = RISE(masks=5, cells=3, probability=0.5, seed=1, batch_size=2)


def rise(checked: CheckedLayer) -> Array:
    """Return Σ_i p(X ⊙ M_i) M_i / (E[M] n) of ``MASKS``: cells enlarged bilinearly, cropped within one cell."""
    generator = torch.Generator().manual_seed(MASKS.seed)
    visible = torch.rand(MASKS.masks, MASKS.cells, MASKS.cells, generator=generator).numpy() < MASKS.probability
    crops = torch.rand(MASKS.masks, 2, generator=generator).numpy()
    side = [ceil(pixels / MASKS.cells) for pixels in checked.size]
    saliency = np.zeros((len(checked.images), *checked.size))
    for cells, (y, x) in zip(visible, crops, strict=True):
        whole = bilinear(cells.astype(np.float64), ((MASKS.cells + 1) * side[0], (MASKS.cells + 1) * side[1]))
        top, left = int(y * side[0]), int(x * side[1])
        mask = whole[top : top + checked.size[0], left : left + checked.size[1]]
        for n, image in enumerate(checked.images.numpy()):
            saliency[n] += (
                probability(checked.module, torch.from_numpy(image * mask)[None], int(checked.targets[n])) * mask
            )
    return saliency / (MASKS.probability * MASKS.masks)


FORMS: tuple[tuple[str, Method, type[OneReLU], Form], ...] = (
    ("centre_prior", CentrePrior(), OneReLU, centre_prior),
    ("edge_filter", EdgeFilter(), OneReLU, edge_filter),
    ("random", RandomMap(), OneReLU, random_map),
    ("rise", MASKS, OneReLU, rise),
    ("captum_saliency", captum.Saliency(), OneReLU, lambda c: _largest(gradients(c, lambda a, v: v * (a > 0)))),
    ("captum_saliency", captum.Saliency(), NoReLU, lambda c: _largest(_plain(c))),
    ("captum_smooth_grad", captum.SmoothGrad(n_samples=3), NoReLU, lambda c: _largest(_plain(c))),
    ("captum_input_x_gradient", captum.InputXGradient(), NoReLU, _contributions),
    ("captum_integrated_gradients", captum.IntegratedGradients(n_steps=3), NoReLU, _contributions),
    ("captum_gradient_shap", captum.GradientSHAP(n_samples=3, stdev=0.0), NoReLU, _contributions),
    (
        "captum_guided_backprop",
        captum.GuidedBackprop(),
        OneReLU,
        lambda c: _largest(gradients(c, lambda a, v: np.maximum(v, 0) * (a > 0))),
    ),
    (
        "captum_deconvolution",
        captum.Deconvolution(),
        OneReLU,
        lambda c: _largest(gradients(c, lambda _, v: np.maximum(v, 0))),
    ),
)
"""Rows of: name in the table, method, network on which its map can be written down, and that map."""


def check_inputs() -> Iterator[Finding]:
    """Yield whether methods that explain the input give the closed forms and keep the invariants."""
    invariants = {name: INVARIANTS[name] for name in ("batch_invariance", "order_invariance", "nothing_left_behind")}
    for name, method, network, form in FORMS:
        subject = Subject(small_layer(network), name, method, method)
        yield from consult(subject, {"closed_form": _closed(form), **invariants})


def _closed(form: Form) -> Invariant:
    def matches_form(subject: Subject) -> Finding:
        found = difference("relu", subject.call(), torch.from_numpy(form(subject.checked)), 1e-5)
        return subject.finding("closed_form", found)

    return matches_form
