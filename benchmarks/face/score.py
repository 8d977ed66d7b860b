"""Maps from anywhere, scored as a sweep scores its own."""

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from heatmark.benchmarks import api
from heatmark.benchmarks.data.base import Dataset
from heatmark.benchmarks.data.told_apart import ToldApart
from heatmark.benchmarks.face.explain import Explanations
from heatmark.benchmarks.face.load import Images, load_images, load_model
from heatmark.benchmarks.face.preserved import preserved
from heatmark.benchmarks.face.targets import plain_target
from heatmark.benchmarks.face.things import MetricLike, metrics_of
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.sweep.record import JobRecord
from heatmark.benchmarks.sweep.settings import SweepSettings
from heatmark.benchmarks.tables.gather import gather
from heatmark.methods.function import as_tensor
from heatmark.methods.given import given_maps

Maps = Any
"""Maps (N, h, w) as an array, a tensor, a list of (h, w), a file .npy or .npz, or explanations; or a mapping of names
to these."""


def score(
    maps: Maps,
    model: str | nn.Module | Classifier,
    images: Images,
    metrics: MetricLike | Iterable[MetricLike] | Mapping[str, MetricLike],
    target: int | str | Sequence[int] | None = None,
    device: str = "auto",
    precision: str = "fp32",
    batch_size: int = 16,
    seed: int = 0,
) -> pd.DataFrame:
    """Return the scores of maps that were made anywhere, one row per picture and metric, as a sweep's table has them.

    Rows come in the order of the pictures; a picture that is broken has one row.

    Args:
        maps: (N, h, w) at any resolution, one map per picture in the order of the images, with its sign; an array, a
            tensor, a list, a ``.npy`` or ``.npz`` file, what :func:`heatmark.explain` returned, or a mapping from
            names of methods to these. Maps are upsampled as all are (bilinear).
        model: as :func:`heatmark.load_model` takes it.
        images: as :func:`heatmark.load_images` takes them.
        metrics: names or metrics.
        target: the class that the maps explain: ``predicted`` (the default), ``second``, ``label``, a number or a name,
            or one number per picture.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        precision: ``fp32`` or ``bf16``.
        batch_size: images per forward pass; a sweep's rows are equal to the bit at an equal one.
        seed: of metrics that draw.

    Raises:
        ValueError: for another number of maps than of pictures, or maps of another shape.

    >>> import heatmark as hm
    >>> images = hm.load_images("shapes", limit=2)
    >>> maps = hm.explain("shapes_residual", images, ["grad_cam"]).raw["grad_cam"]
    >>> table = hm.score(maps, "shapes_residual", images, ["deletion(steps=4)"])
    >>> list(table["value"].round(2))
    [0.43, 0.18]
    """
    classifier, dataset, judges = load_model(model, seed), load_images(images), metrics_of(metrics, seed)
    methods = {name: given_maps(tensors(each, len(dataset), name)) for name, each in _named(maps).items()}
    settings = SweepSettings(
        layers=(), target=_target(target, maps), device=device, precision=precision, batch_size=batch_size, seed=seed,
        timing=False, keep_maps="none",
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder, preserved(classifier):
        record = JobRecord(Path(folder), {}, classifier.name)
        api.sweep(classifier, ToldApart(dataset), methods, judges, settings, record)
        return _by_picture(gather(Path(folder)), dataset)


def _by_picture(table: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """Return rows in the order of the pictures, also of those that are broken."""
    order = {dataset.name_of(position): position for position in range(len(dataset))}
    return table.sort_values("image", key=lambda names: names.map(order), kind="stable", ignore_index=True)


def _named(maps: Maps) -> dict[str, Any]:
    if isinstance(maps, Explanations):
        return dict(maps.raw)
    if isinstance(maps, Mapping):
        if not maps:
            raise ValueError("there are no maps: the mapping is empty")
        return {str(name): each for name, each in maps.items()}
    if isinstance(maps, str | Path) and Path(maps).suffix == ".npz":
        with np.load(_file(maps)) as found:
            return {name: found[name] for name in found.files}
    return {"maps": maps}


def _target(target: int | str | Sequence[int] | None, maps: Maps) -> int | str | Sequence[int]:
    if target is None and isinstance(maps, Explanations):
        if not maps.one_target:
            raise ValueError(
                "these explanations are of several classes per picture; score those of one, explain(target=…)"
            )
        return plain_target(maps.targets)
    return "predicted" if target is None else plain_target(target)


def tensors(maps: Any, count: int, name: str) -> list[Tensor]:
    """Return maps (h, w) one by one, of which there are so many.

    Raises:
        ValueError: for another number of them, or another shape.
    """
    if isinstance(maps, str | Path):
        maps = np.load(_file(maps), allow_pickle=False)
    found = [_tensor(each, name) for each in maps]
    if count == 1 and found and found[0].ndim == 1:  # one map (h, w) of one picture
        found = [torch.stack(found)]
    if len(found) != count:
        raise ValueError(f"{name}: {len(found)} maps for {count} pictures, expected one per picture, in their order")
    return [_plane(each, name) for each in found]


def _tensor(each: Any, name: str) -> Tensor:
    try:
        return each if isinstance(each, Tensor) else as_tensor(np.asarray(each))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: a map is a {type(each).__name__} of no real numbers, expected (h, w)") from error


def _plane(found: Tensor, name: str) -> Tensor:
    if found.ndim == 3 and found.shape[0] == 1:
        return found[0]
    if found.ndim == 3:
        raise ValueError(
            f"{name}: each map is {tuple(found.shape)}, expected (h, w): sum up its channels first, as in "
            "maps.sum(1) or abs(maps).max(1)"
        )
    return found


def _file(place: str | Path) -> Path:
    path = Path(place).expanduser()
    if not path.is_file() or path.suffix not in (".npy", ".npz"):
        raise ValueError(f"{path} is no file of maps: expected one that ends in .npy or .npz and exists")
    return path
