"""Sources of classifiers: torchvision, the small trained networks of this package, and your own network."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from heatmark.benchmarks.models import torchvision_zoo as zoo
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.preprocessing import Preprocessing
from heatmark.benchmarks.models.weights_io import load_state, mismatch, read_state, unwrap
from heatmark.common.features import TokenLayout
from heatmark.common.names import did_you_mean

Layers = Mapping[str, str | None]
"""Role to the dotted name of a layer, or ``auto``; None leaves the role out."""


def torchvision_model(
    name: str,
    weights: str | None = "DEFAULT",
    checkpoint: str | None = None,
    seed: int = 0,
    layers: Layers | None = None,
    tokens: Mapping[str, Any] | None = None,
    preprocessing: Preprocessing | Mapping[str, Any] | None = None,
) -> Classifier:
    """Return an image classifier of torchvision.

    Args:
        name: as torchvision calls it, such as ``resnet50``.
        weights: ``DEFAULT`` or a name such as ``IMAGENET1K_V1``, from torch's cache or its server; None draws random
            ones.
        checkpoint: a file of weights with torchvision's names; it replaces ``weights``, and its head gives the number
            of classes.
        seed: of the random weights, which are labelled ``random-<seed>``.
        layers: roles of layers.
        tokens: options of :class:`~heatmark.common.features.TokenLayout`, for transformers.
        preprocessing: options that differ from those that the weights (or the default ones) were made for.

    Raises:
        ValueError: for an unknown name, weights that cannot be downloaded, or a checkpoint of another architecture.
    """
    entry = zoo.weights_entry(name, weights or "DEFAULT")
    prepare = zoo.preprocessing(entry, preprocessing)
    file = checkpoint if checkpoint is not None else zoo.weights_file(name, entry) if weights else None
    state = None if file is None else zoo.current_names(name, read_state(file))
    build = zoo.builder(name, prepare)
    module, count = _with_its_head(build, state, seed)
    if state is not None:
        _load(module, state, name, f"checkpoint {file}")
    return Classifier(
        name=name,
        module=_ready(module, tokens),
        weights=Path(checkpoint).stem if checkpoint is not None else entry.name if weights else f"random-{seed}",
        preprocessing=prepare,
        layers=_roles(layers),
        classes=entry.meta["categories"] if count == zoo.IMAGENET_CLASSES else (),
        checkpoint=_place(checkpoint),
    )


def embedded_model(
    name: str,
    network: Callable[[], nn.Module],
    weights: str | None,
    checkpoint: str | None = None,
    seed: int = 0,
    layers: Layers | None = None,
    preprocessing: Preprocessing | None = None,
    classes: Sequence[str] = (),
) -> Classifier:
    """Return a small trained network of this package.

    Args:
        name: of the model and of its file among the package's weights.
        network: makes the network; it is called with the seed set.
        weights: name of the package's weights in the tables; None draws random ones.
        checkpoint: a file of weights to take instead, such as one that ``heatmark train`` wrote.
        seed: of the random weights, which are labelled ``random-<seed>``.
        layers: roles of layers.
        preprocessing: from a picture to the network's input.
        classes: names in the order of the logits.

    Raises:
        ValueError: where the weights are missing, broken or of another network.
    """
    module = _network(network, seed)
    shipped = resources.files("heatmark.benchmarks.models") / "weights" / f"{name}.safetensors"
    if checkpoint is not None:
        _load(module, read_state(checkpoint), name, f"checkpoint {checkpoint}")
    elif weights is not None:
        with resources.as_file(shipped) as file:
            _load(module, read_state(file), name, f"checkpoint {file}")
    label = f"random-{seed}" if weights is None else weights
    return Classifier(
        name=name,
        module=_ready(module),
        weights=label if checkpoint is None else Path(checkpoint).stem,
        preprocessing=preprocessing or Preprocessing(),
        layers=_roles(layers),
        classes=classes,
        checkpoint=_place(checkpoint),
    )


def custom_model(
    name: str,
    module: Callable[[], nn.Module] | nn.Module,
    weights: str | None = "own",
    checkpoint: str | None = None,
    seed: int = 0,
    layers: Layers | None = None,
    preprocessing: Preprocessing | None = None,
    classes: Sequence[str] = (),
    tokens: Mapping[str, Any] | None = None,
) -> Classifier:
    """Return your own network as a classifier.

    Args:
        name: its name in the tables.
        module: the network, or a function that makes it (called with the seed set, so that random weights repeat).
        weights: name in the tables of the weights that the network comes with; None says that they are random.
        checkpoint: a file of weights for it.
        seed: of random weights, which are labelled ``random-<seed>``.
        layers: roles of layers.
        preprocessing: from a picture to the network's input; None takes the usual one of ImageNet.
        classes: names in the order of the logits.
        tokens: options of :class:`~heatmark.common.features.TokenLayout`, for transformers.

    Raises:
        ValueError: where it is no network, or the checkpoint is missing, broken or of another one.
    """
    network = module if isinstance(module, nn.Module) else _network(module, seed)
    if checkpoint is not None:
        _load(network, read_state(checkpoint), name, f"checkpoint {checkpoint}")
    label = f"random-{seed}" if weights is None else weights
    return Classifier(
        name=name,
        module=_ready(network, tokens),
        weights=label if checkpoint is None else Path(checkpoint).stem,
        preprocessing=preprocessing or Preprocessing(),
        layers=_roles(layers),
        classes=classes,
        checkpoint=_place(checkpoint),
    )


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed the CPU's generator in this context, and restore it afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def _network(make: Callable[[], nn.Module], seed: int) -> nn.Module:
    with _seeded(seed):
        network = make()
    if not isinstance(network, nn.Module):
        raise ValueError(f"{make} gave a {type(network).__name__}, expected a torch.nn.Module")
    return network


def _with_its_head(
    build: Callable[[int], nn.Module], state: Mapping[str, Tensor] | None, seed: int
) -> tuple[nn.Module, int]:
    """Return the network with as many logits as the head in the state, and that number."""
    with _seeded(seed):
        module = build(zoo.IMAGENET_CLASSES)
    if state is None or not (count := zoo.head_classes(module, unwrap(state, module.state_dict().keys()))):
        return module, zoo.IMAGENET_CLASSES
    if count == zoo.IMAGENET_CLASSES:
        return module, count
    with _seeded(seed):
        return build(count), count


def _load(module: nn.Module, state: Mapping[str, Tensor], name: str, source: str) -> None:
    fitting = unwrap(state, module.state_dict().keys())
    if fault := mismatch(module, fitting):
        raise ValueError(f"{source} does not fit {name}: {fault}. {_likely(module, fitting)}.")
    load_state(module, fitting)


def _likely(module: nn.Module, state: Mapping[str, Tensor]) -> str:
    """Return in words which network a state that does not fit may belong to."""
    expected = module.state_dict()
    absent = [key for key in expected if key not in state and not key.endswith("num_batches_tracked")]
    rest = all(key in expected and tensor.shape == expected[key].shape for key, tensor in state.items())
    if rest and {key.rpartition(".")[0] for key in absent} <= {next(reversed(expected)).rpartition(".")[0]}:
        return "All but its last layer is there: it looks like a backbone, saved without its classification head"
    guess = zoo.lookalikes(state)
    return f"It may be of {' or '.join(guess)}" if guess else "It may be of another architecture"


def _place(checkpoint: str | None) -> str:
    return "" if checkpoint is None else str(Path(checkpoint).expanduser().resolve())


def _ready(module: nn.Module, tokens: Mapping[str, Any] | None = None) -> nn.Module:
    """Return the network in evaluation mode, with the layout of its tokens as its ``token_layout``."""
    if tokens is not None:
        known = TokenLayout.__dataclass_fields__
        if wrong := [key for key in tokens if key not in known]:
            hint = did_you_mean(wrong[0], known, f"it has {', '.join(known)}.")
            raise ValueError(f"model.tokens has no option {wrong[0]!r}: {hint}")
        grid = tokens.get("grid")
        options = {**tokens, "grid": None if grid is None else tuple(grid)}
        module.token_layout = TokenLayout(**options)  # type: ignore[assignment]
    return module.eval()


def _roles(layers: Layers | None) -> dict[str, str]:
    return {role: layer for role, layer in (layers or {}).items() if layer is not None}
