"""Image classifiers of torchvision: names, weights and their files, preprocessing, options to build them."""

import http.client
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
from torch import Tensor, nn

from heatmark.benchmarks.models.light_torchvision import WeightsEnum, models
from heatmark.benchmarks.models.preprocessing import Preprocessing
from heatmark.common.names import did_you_mean

IMAGENET_CLASSES = 1000
PATIENCE_S = 20.0
"""Seconds to wait for a server that does not answer."""


def weights_entry(name: str, weights: str) -> WeightsEnum:
    """Return torchvision's entry of a classifier's weights: its address, preprocessing and classes.

    Raises:
        ValueError: where torchvision has no such image classifier, or no such weights for it.
    """
    classifiers = models.list_models(module=models)
    if name not in classifiers:
        if name in models.list_models():
            raise ValueError(
                f"torchvision's {name} is no plain image classifier (it detects, segments or is quantized)"
            )
        hint = did_you_mean(name, classifiers, f"there are {', '.join(classifiers)}.")
        raise ValueError(f"torchvision has no image classifier {name!r}: {hint}")
    known = models.get_model_weights(name).__members__
    if weights not in known:
        names = list(known)
        raise ValueError(
            f"{name} has no weights {weights!r}: it has {', '.join(names)}, or null for random ones; "
            "a file of your own goes into model.checkpoint"
        )
    return known[weights]


def preprocessing(entry: WeightsEnum, changes: Preprocessing | Mapping[str, Any] | None) -> Preprocessing:
    """Return the preprocessing that the weights were made for, with changes.

    Raises:
        ValueError: for an option that preprocessing does not have.
    """
    if isinstance(changes, Preprocessing):
        return changes
    preset = entry.transforms()
    (crop,), (resize,) = preset.crop_size, preset.resize_size
    usual = Preprocessing(resize, (crop, crop), tuple(preset.mean), tuple(preset.std), preset.interpolation.value)
    known = [field.name for field in fields(Preprocessing)]
    if wrong := [key for key in changes or {} if key not in known]:
        hint = did_you_mean(wrong[0], known, f"it has {', '.join(known)}.")
        raise ValueError(f"model.preprocessing has no option {wrong[0]!r}: {hint}")
    return replace(usual, **(changes or {}))


def builder(name: str, preprocessing: Preprocessing) -> Callable[[int], nn.Module]:
    """Return a function from a number of classes to the untrained network.

    It is built as torchvision builds it for its weights: Inception and GoogLeNet take ImageNet's normalisation and have
    no auxiliary heads in evaluation, and a vision transformer is made for one size of image.
    """
    options: dict[str, Any] = {}
    if name in ("googlenet", "inception_v3"):
        options = {"transform_input": True, "aux_logits": False, "init_weights": True}
    if name.startswith("vit_") and preprocessing.crop is not None:
        options = {"image_size": preprocessing.crop[0]}
    return lambda classes: models.get_model(name, weights=None, num_classes=classes, **options)


def weights_file(name: str, entry: WeightsEnum) -> Path:
    """Return the file of these weights in torch's own cache, downloaded if it is not there.

    Raises:
        ValueError: where the download fails; it says in two lines how to provide the weights.
    """
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    file = folder / Path(urlparse(entry.url).path).name
    if file.is_file():
        return file
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _patience():
            torch.hub.download_url_to_file(entry.url, str(file), hash_prefix=file.stem.rpartition("-")[2])
    except (OSError, http.client.HTTPException, RuntimeError) as error:
        reason = getattr(error, "reason", error)
        raise ValueError(
            f"the weights {entry.name} of {name} are not on this machine and cannot be downloaded ({reason}).\n"
            f"Put {file.name} into {folder} ($TORCH_HOME/hub/checkpoints), or give model.checkpoint=FILE, "
            "or model.weights=null for random weights."
        ) from None
    return file


@contextmanager
def _patience() -> Iterator[None]:
    """Limit the time that a silent server is waited for in this context; torch.hub itself sets no limit."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def current_names(name: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a state under the names of torchvision's current networks.

    DenseNet files have ``norm.1`` for ``norm1``; auxiliary heads never run here and are dropped.
    """
    if name.startswith("densenet"):
        return {re.sub(r"\b(norm|conv)\.([12])\.", r"\1\2.", key): value for key, value in state.items()}
    if name in ("googlenet", "inception_v3"):
        return {key: value for key, value in state.items() if not re.match(r"(.*\.)?(aux\d|AuxLogits)\.", key)}
    return dict(state)


def head_classes(module: nn.Module, state: Mapping[str, Tensor]) -> int | None:
    """Return how many classes the state's head has, None where the network's head is not in the state."""
    heads = [
        name
        for name, part in module.named_modules()
        if isinstance(part, nn.Linear | nn.Conv2d) and part.weight.shape[0] == IMAGENET_CLASSES
    ]
    weight = state.get(f"{heads[-1]}.weight") if heads else None
    return None if weight is None else len(weight)


def lookalikes(state: Mapping[str, Tensor]) -> list[str]:
    """Return the classifiers that have, with 1000 classes, exactly as many parameters as the state."""
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    count = sum(v.numel() for k, v in state.items() if v.is_floating_point() and not k.endswith(buffers))
    known = models.list_models(module=models)
    return [name for name in known if models.get_model_weights(name).DEFAULT.meta["num_params"] == count]
