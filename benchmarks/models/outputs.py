"""Checks that a network's outputs are logits of classes; other outputs are refused before any cell is computed."""

import re
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node

from heatmark.benchmarks.models.classifier import Classifier
from heatmark.common.model_state import evaluating

PROBABILITIES = {"Sigmoid": "sigmoid", "Softmax": "softmax", "LogSoftmax": "log-softmax", "Hardsigmoid": "sigmoid"}
KEEPING = ("Mean", "Stack", "Clamp")
"""Operations after which probabilities are still probabilities: the mean of several, clamped away from 0 and 1."""

ACTIVATIONS = ("Relu", "LeakyRelu", "Elu", "Gelu", "Silu", "Hardswish", "Hardtanh", "Tanh", "Softplus", "Prelu", "Mish")
MIXTURES = ("Add", "Mul", "Cat")
"""Operations that join branches; before a pooling they are a residual sum, a scaled one, or an inception block."""
POOLS = ("Mean", "Sum", "Amax", "AvgPool2D", "AdaptiveAvgPool2D", "AdaptiveMaxPool2D", "MaxPool2DWithIndices", "Select")
VIEWS = (
    *("View", "UnsafeView", "ReshapeAlias", "Squeeze", "Unsqueeze", "Alias", "AsStrided", "Clone", "ToCopy", "Slice"),
    *("Transpose", "Permute", "Expand", "T"),
)
"""Operations, by autograd's names of their backward, that move values and change none."""

HEADS = ("fc", "head", "heads", "classifier", "last_linear")
"""Names of the layer that gives logits in the networks of torchvision and timm."""

SUM_TOLERANCE = 1e-4


def as_logits(classifier: Classifier, output: object, images: int) -> Tensor:
    """Return a network's output for a batch as logits (N, classes), float32, on the CPU.

    Args:
        classifier: the network, for its name in messages.
        output: what it gave.
        images: N, the number of images in the batch.

    Raises:
        ValueError: where it is no tensor (N, classes) of two classes or more.
    """
    if not isinstance(output, Tensor):
        raise ValueError(
            f"{classifier.name} gives {_described(output)}, expected one tensor (N, classes) of logits; "
            "wrap the network in a module that returns its logits alone"
        )
    shape = tuple(output.shape)
    if shape in ((images,), (images, 1)):
        raise ValueError(
            f"{classifier.name} gives a single logit per image, {shape} for {images} images: with one class there is "
            "nothing to tell apart, and its softmax is 1 whatever the picture. Wrap the network in a module that gives "
            "two logits, torch.cat([-z / 2, z / 2], dim=1) of z (N, 1), whose softmax is the sigmoid of z"
        )
    if not output.is_floating_point():
        raise ValueError(f"{classifier.name} gives {output.dtype} numbers, such as of classes, not logits of classes")
    if output.ndim != 2 or len(output) != images:
        maps = "; these are feature maps, as of a network without its head" if output.ndim == 4 else ""
        raise ValueError(f"{classifier.name} gives {shape} for {images} images, expected (N, classes) of logits{maps}")
    return output.float().cpu()


def check_outputs(classifier: Classifier, logits: Tensor, image: Tensor) -> None:
    """Check that a network's outputs on all pictures are logits, one per class.

    Probabilities and features are recognised by the last operations of the forward pass, as autograd records them, and
    probabilities also by rows that sum to 1, or whose exponentials do. Activations (pooled or not) and rows divided to
    a length of 1 count as features, unless the classes are named, or ReLU and pooling follow a 1×1 convolution
    (SqueezeNet). A multi-label network without its sigmoid cannot be recognised.

    Args:
        classifier: the network, its name and its classes.
        logits: (N, classes), of all pictures.
        image: (1, 3, H, W), one picture on the model's device.

    Raises:
        ValueError: for probabilities, features, or names of classes that are not as many as the outputs.
    """
    names, outputs = len(classifier.classes), logits.shape[1]
    if names not in (0, outputs):
        raise ValueError(
            f"model.classes has {names} names, and {classifier.name} gives {outputs} outputs per image; expected "
            "one name per output, and the head that these classes belong to"
        )
    last = _last_operations(classifier.module, image)
    if found := _probabilities(last, logits):
        _refuse_probabilities(classifier, found)
    if not names and (found := _features(classifier.module, last, logits)):
        raise ValueError(
            f"{classifier.name} gives {outputs} features per image, not logits of classes: {found}. Give the network "
            "with its classification head; if these are logits all the same, name their classes in model.classes"
        )


def _described(output: object) -> str:
    kind = type(output).__name__
    if isinstance(output, Mapping):
        return f"a {kind} of {', '.join(map(str, output))}"
    return f"a {kind} of {len(output)}" if isinstance(output, tuple | list) else f"a {kind}"


def _probabilities(last: list[tuple[str, Node]], logits: Tensor) -> str:
    """Return in words why outputs are probabilities or their logarithms, ``""`` where they are not."""
    name = next((name for name, _ in last if name not in KEEPING), "")
    if name in PROBABILITIES:
        return f"its last operation is a {PROBABILITIES[name]}"
    if bool(((logits >= 0).all(1) & ((logits.sum(1) - 1).abs() < SUM_TOLERANCE)).all()):
        return "its outputs are at least 0 and sum to 1"
    return "the exponentials of its outputs sum to 1" if bool((logits.logsumexp(1).abs() < SUM_TOLERANCE).all()) else ""


def _features(module: nn.Module, last: list[tuple[str, Node]], logits: Tensor) -> str:
    """Return in words why outputs are features, ``""`` where they are not."""
    divided = bool(last) and last[0][0] == "Div"
    if divided and bool(((logits.norm(dim=1) - 1).abs() < SUM_TOLERANCE).all()):
        return "they are divided to a length of 1, as an embedding is"
    removed = _removed_head(module)
    if not _are_features(last, bool(removed)):
        return ""
    return f"its {removed} is an Identity" if removed else "they are activations that no layer turns into logits"


def _refuse_probabilities(classifier: Classifier, found: str) -> None:
    multiple = " (several classes at once are not supported yet)" if "sigmoid" in found else ""
    raise ValueError(
        f"{classifier.name} gives probabilities, not logits: {found}{multiple}. Methods explain logits, and curves "
        "take the softmax of them; give the network without that operation"
    )


def _last_operations(module: nn.Module, image: Tensor) -> list[tuple[str, Node]]:
    """Return the forward's operations from its output back along first inputs, without those that only move values."""
    with torch.inference_mode(False), torch.enable_grad(), evaluating(module):
        output: Tensor = module(image.clone().requires_grad_().clone())
    chain = ((re.sub(r"Backward\d*$", "", node.name()), node) for node in _ancestors(output.grad_fn))
    return [(name, node) for name, node in chain if name not in VIEWS][:8]


def _ancestors(node: Node | None) -> Iterator[Node]:
    while node is not None:
        yield node
        node = next((parent for parent, _ in node.next_functions if parent is not None), None)


def _removed_head(module: nn.Module) -> str:
    """Return the name of a head that is an Identity, or ``""``."""
    parts = module.named_modules()
    return next((name for name, m in parts if name.split(".")[-1] in HEADS and isinstance(m, nn.Identity)), "")


def _are_features(last: list[tuple[str, Node]], headless: bool) -> bool:
    """Say whether the last operation, pooling and normalisation aside, is one in which no classifier ends."""
    start = next((i for i, (name, _) in enumerate(last) if name not in POOLS and "Norm" not in name), None)
    if start is None:
        return False
    name, pooled = last[start][0], any(name in POOLS for name, _ in last[:start])
    if name == "Relu" and pooled and _is_pointwise(last[start + 1 :]):
        return False
    return name in ACTIVATIONS or (name in MIXTURES and (pooled or headless))


def _is_pointwise(earlier: list[tuple[str, Node]]) -> bool:
    """Say whether the operation before was a 1×1 convolution."""
    weight = getattr(earlier[0][1], "_saved_weight", None) if earlier else None
    return isinstance(weight, Tensor) and weight.ndim == 4 and weight.shape[2:] == (1, 1)
