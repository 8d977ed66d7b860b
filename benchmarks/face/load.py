"""Models and pictures, loaded from what a user has at hand."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor, nn

from heatmark.benchmarks.config import named
from heatmark.benchmarks.data.annotated import Annotated, Facts
from heatmark.benchmarks.data.base import Dataset
from heatmark.benchmarks.data.folder import SUFFIXES, Folder
from heatmark.benchmarks.data.given import FromItems, Given, Items, Picture, local_path
from heatmark.benchmarks.face.preserved import preserved
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.preprocessing import Preprocessing
from heatmark.benchmarks.models.sources import custom_model
from heatmark.common.names import did_you_mean


def load_model(source: str | Path | nn.Module | Classifier, seed: int = 0, **options: Any) -> Classifier:
    """Return a model that is ready to be explained.

    Args:
        source: a name that ``heatmark sweep model=…`` takes (``resnet50``, ``torchvision:regnet_y_400mf``, a yaml
            file, ``resnet18(weights=null)``), or a network of your own, whose modes and device no call changes.
        seed: of random weights.
        options: for a name, those of its config (``weights=None`` draws random ones, ``checkpoint="mine.pth"``,
            ``preprocessing={"resize": 288}``); for a network ``name``, ``weights`` (their name in the tables),
            ``layers={"last": "layer4"}``, ``classes=[…]``, ``preprocessing`` and ``tokens``.

    Raises:
        ValueError: for an unknown name or option, or weights that cannot be had; it says how to provide them.

    >>> import heatmark as hm
    >>> model = hm.load_model("shapes_residual")
    >>> model.classes[:3]
    ['circle', 'square', 'triangle']
    """
    if isinstance(source, Classifier):
        return source
    if isinstance(source, nn.Module):
        with preserved(source):
            return _network(source, seed, options)
    if not isinstance(source, str | Path):
        raise ValueError(f"{source!r} is a {type(source).__name__}, expected a model's name or a torch.nn.Module")
    plain = {key: asdict(value) if isinstance(value, Preprocessing) else value for key, value in options.items()}
    return named.model(str(source), plain, seed)


def _network(network: nn.Module, seed: int, options: Mapping[str, Any]) -> Classifier:
    known = ("name", "weights", "checkpoint", "layers", "preprocessing", "classes", "tokens")
    if wrong := [name for name in options if name not in known]:
        hint = did_you_mean(wrong[0], known, f"it has {', '.join(known)}")
        raise ValueError(f"load_model has no option {wrong[0]!r} for a network of your own: {hint}")
    prepare = options.get("preprocessing")
    return custom_model(
        **{
            "name": type(network).__name__,
            "layers": {"last": "auto"},
            **options,
            "preprocessing": Preprocessing(**prepare) if isinstance(prepare, Mapping) else prepare,
        },
        module=network,
        seed=seed,
    )


Images = str | Path | Dataset | Items | Picture | Sequence[Picture]
"""Pictures as people have them; see :func:`load_images`."""


def load_images(
    source: Images,
    labels: Facts | str | Path = None,
    masks: Facts = None,
    groups: Facts = None,
    limit: int | None = None,
    name: str = "",
    counterfactuals: Facts = None,
) -> Dataset:
    """Return pictures as a dataset.

    Args:
        source: a folder; a shipped dataset by its name (``shapes``, ``photos``); a file or a list of files (paths, or
            addresses that begin with ``file://``); PIL images; arrays (N, H, W, 3) and tensors (N, 3, H, W), of whole
            numbers 0 to 255 or of real ones in [0, 1], without normalisation; a ``torch.utils.data.Dataset``.
        labels: the true class of each picture, by its number or name, in their order or by their names; for a folder
            also the path of a table with the columns ``file,label``.
        masks: (H, W) of each picture, an array, a picture or its file, above 0 at the object of the true class.
        groups: the group of each picture (a patient, a video), which intervals and tests resample.
        limit: take the first pictures only.
        name: the dataset's name in the tables, for pictures that have none of their own.
        counterfactuals: each picture without the object of the true class, a file, a PIL image, an array or a tensor,
            for metrics that replace pixels by it (``deletion(baseline=counterfactual)``).

    Raises:
        ValueError: for what is no picture, or another number of labels than of pictures.

    >>> import heatmark as hm, numpy as np
    >>> images = hm.load_images(np.zeros((2, 8, 8, 3), np.uint8), labels=["cat", "dog"], name="pets")
    >>> [(sample.name, sample.label) for sample in images]
    [('pets-00000', 'cat'), ('pets-00001', 'dog')]
    """
    table = labels if isinstance(labels, str | Path) else None
    found = _pictures(source, table, name)
    if table is not None and not isinstance(found, Folder):
        raise ValueError(f"labels is {str(table)!r}, a table of a folder's pictures; expected one label per picture")
    facts = None if table is not None else labels
    if all(given is None for given in (facts, masks, groups, limit, counterfactuals)):
        return found
    return Annotated(found, facts, masks, groups, limit, counterfactuals)  # type: ignore[arg-type]


def _pictures(source: Any, table: str | Path | None, name: str) -> Dataset:
    if isinstance(source, Dataset):
        return source
    if isinstance(source, str | Path):
        return _at(source, table, name)
    title = {"title": name} if name else {}
    if isinstance(source, Image.Image):
        return Given([source], **title)
    if isinstance(source, np.ndarray | Tensor):
        return Given(list(source) if source.ndim == 4 else [source], **title)
    if isinstance(source, list | tuple) or _is_series(source):
        return Given(list(source), **title)
    if isinstance(source, Items):
        return FromItems(source, **title)
    raise ValueError(
        f"{source!r} is a {type(source).__name__}, expected a folder, files, PIL images, an array, a tensor, a dataset"
    )


def _is_series(source: Any) -> bool:
    """Return whether this is a column of pandas, whose items go by its index and not by position."""
    return hasattr(source, "iloc") and getattr(source, "ndim", 0) == 1


def _at(source: str | Path, table: str | Path | None, name: str) -> Dataset:
    """Return the pictures at a path, or the shipped dataset of this name where there is no such path."""
    place = local_path(source)
    if place.is_dir():
        return Folder(str(place), labels=None if table is None else str(Path(table).resolve()))
    if place.is_file():
        return Given([place], **({"title": name} if name else {}))
    known = [each for each in named.known("dataset") if each != "folder"]
    if str(source).partition("(")[0] in known:
        return named.dataset(str(source))
    if place.suffix.lower() in SUFFIXES or "/" in str(source):
        raise ValueError(f"there is no picture and no folder {source} (looked for {place.absolute()})")
    hint = did_you_mean(str(source), known, f"shipped datasets are {', '.join(known)}")
    raise ValueError(f"there is no folder {place.absolute()} and no dataset {str(source)!r}: {hint}")
