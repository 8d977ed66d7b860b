"""Stages of Quantus's metrics, run on maps, neighbours and models that are given."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import quantus
import torch
from numpy.typing import NDArray
from quantus.helpers import utils
from quantus.helpers.model.pytorch_model import PyTorchModel
from torch import Tensor, nn

from heatmark.metrics.base import Explained
from heatmark.metrics.engine.stages import Recorder

Array = NDArray[Any]


@contextmanager
def as_it_was() -> Iterator[None]:
    """Give NumPy back ``trapz``, which Quantus 0.6 calls and NumPy 2.4 lacks, and leave nothing of Quantus behind.

    Its metrics draw from NumPy's global state and torch's, which are seeded, and warn of much that is no trouble.
    """
    lacking, state = not hasattr(np, "trapz"), np.random.get_state()
    if lacking:
        setattr(np, "trapz", np.trapezoid)  # noqa: B010 - NumPy's types do not know it
    try:
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            np.random.seed(0)
            torch.manual_seed(0)
            yield
    finally:
        np.random.set_state(state)
        if lacking:
            delattr(np, "trapz")


@contextmanager
def replaced_in(place: Any, name: str, value: Any) -> Iterator[None]:
    """Set an attribute, and put the old one back."""
    old = getattr(place, name)
    setattr(place, name, value)
    try:
        yield
    finally:
        setattr(place, name, old)


class Given(Recorder):
    """The model, which keeps what it is given; Quantus gives single precision, and it takes the images' own."""

    def __init__(self, batch: Explained) -> None:
        super().__init__(batch.model)
        self._like = batch.images

    def forward(self, images: Tensor) -> Tensor:
        """Return the model's output."""
        return super().forward(images.to(self._like))

    def last(self, count: int) -> tuple[Tensor, Tensor]:
        """Return what every image was replaced by in the last passes, (N, count, C, H, W), and the logits."""
        images = len(self._like)
        pairs = (self.given[-count * images :], self.outputs[-count * images :])
        given, outputs = (each.view(count, images, *each.shape[1:]).transpose(0, 1) for each in pairs)
        return given, outputs


def evaluated(
    name: str, batch: Explained, model: nn.Module | None = None, softmax: bool | None = None, **options: Any
) -> Array:
    """Return what one of Quantus's metrics gives for a batch, as an array.

    Args:
        name: of the class.
        batch: images, targets, maps (N, H, W) or (N, C, H, W), masks and ``explain``.
        model: in place of the batch's, in evaluation mode.
        softmax: whether it reads probabilities; None leaves it to the class, of which some read logits by default.
        options: of the class.
    """
    return np.asarray(_given(name, batch, model or Given(batch), options, softmax), dtype=float)


def _given(name: str, batch: Explained, model: nn.Module, options: dict[str, Any], softmax: bool | None = None) -> Any:
    def explain(model: nn.Module, inputs: Array | Tensor, targets: Array | Tensor, **_: object) -> Array:
        images, classes = torch.as_tensor(inputs).to(batch.images), torch.as_tensor(targets).to(batch.targets)
        inner = model.model if isinstance(model, Given) else model
        return np.asarray(batch.explain(inner, images, classes).detach().cpu().numpy()[:, None])

    maps = batch.maps if batch.maps.ndim == 4 else batch.maps[:, None]
    with as_it_was():
        return getattr(quantus, name)(disable_warnings=True, **options)(
            model=model,
            x_batch=batch.images.cpu().numpy().copy(),
            y_batch=batch.targets.cpu().numpy().copy(),
            a_batch=maps.detach().cpu().numpy().copy(),
            s_batch=None if batch.masks is None else batch.masks[:, None].cpu().numpy().copy(),
            channel_first=True,
            explain_func=explain,
            **({} if softmax is None else {"softmax": softmax}),
        )


def neighbourhood(name: str, batch: Explained, moved: Tensor, **options: Any) -> Array:
    """Return what a metric of robustness gives for neighbours (N, K, C, H, W) that are given.

    Raises:
        ValueError: if it does not ask for each draw once.
    """
    near = iter(moved.transpose(0, 1))

    def perturb(arr: Array, **_: object) -> Array:
        moved_images: Array = next(near).reshape(arr.shape).cpu().numpy()
        return moved_images

    found = evaluated(name, batch, nr_samples=moved.shape[1], perturb_func=perturb, **options)
    if next(near, None) is not None:
        raise ValueError(f"{name} asks for fewer than {moved.shape[1]} neighbours, expected all of them")
    return found


def irof(batch: Explained, segments: Sequence[Array], **options: Any) -> Array:
    """Return Quantus's IROF, (N,), of segments (H, W) of every image that are given.

    Raises:
        AssertionError: for images of three channels, by Quantus.
    """
    with replaced_in(utils, "get_superpixel_segments", _in_turn(segments)):
        return evaluated("IROF", batch, **options)


def _in_turn(segments: Sequence[Array]) -> Callable[..., Array]:
    left = iter(segments)
    return lambda *_, **__: next(left)


def random_logit(batch: Explained, classes: int, ranked: bool) -> Array:
    """Return Quantus's random logit, by the rank correlation where ``ranked``, else by its default, SSIM."""
    options: dict[str, Any] = {"similarity_func": quantus.correlation_spearman} if ranked else {}
    return evaluated("RandomLogit", batch, num_classes=classes, **options)


def parameter_randomisation(batch: Explained, models: Sequence[nn.Module], **options: Any) -> dict[str, list[float]]:
    """Return Quantus's correlations by layer, ``original`` among them, for randomised models that are given."""
    made = [(f"layer {n}", model) for n, model in enumerate(models)]
    with replaced_in(PyTorchModel, "get_random_layer_generator", lambda *_, **__: iter(made)):
        found: dict[str, list[float]] = _given("MPRT", batch, batch.model, options)
    return found


def randomised_models(model: nn.Module, order: str) -> Iterator[nn.Module]:
    """Yield the models that Quantus randomises, the one after the other the same object."""
    with as_it_was():
        made = PyTorchModel(model, channel_first=True).get_random_layer_generator(order=order, seed=42)
        for _, each in made:
            yield each
