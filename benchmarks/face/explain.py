"""Pictures explained: maps, panels, and the classes that a model sees."""

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from heatmark.benchmarks.api import ExplainedPicture, ExplainSettings
from heatmark.benchmarks.api import explain as explain_picture
from heatmark.benchmarks.data.base import Dataset, Sample
from heatmark.benchmarks.data.given import Given
from heatmark.benchmarks.explain.explanation import Column, picture_name, read_image
from heatmark.benchmarks.explain.overlay import Look
from heatmark.benchmarks.face.html import png, showing_itself
from heatmark.benchmarks.face.load import Images, load_images, load_model
from heatmark.benchmarks.face.preserved import preserved
from heatmark.benchmarks.face.run import counted
from heatmark.benchmarks.face.things import MethodLike, methods_of
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.predictions import Prediction
from heatmark.benchmarks.sweep.blocks import class_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 8
"""Number of pictures that a notebook shows."""


def explain(
    model: str | nn.Module | Classifier,
    images: Images,
    methods: MethodLike | Iterable[MethodLike] | Mapping[str, MethodLike],
    layer: str | Sequence[str] = "last",
    target: int | str | Sequence[int | str] = "predicted",
    label: int | str | None = None,
    device: str = "auto",
    precision: str = "fp32",
    seed: int = 0,
) -> "Explanations":
    """Return the maps of some pictures by some methods, which show themselves in a notebook.

    Args:
        model: as :func:`heatmark.load_model` takes it.
        images: as :func:`heatmark.load_images` takes them, or the address (http, https) of one picture.
        methods: names, methods, or functions (model, images, targets, layer) -> maps.
        layer: roles of the model (``early``, ``middle``, ``last``, ``auto``) or dotted names, one or several.
        target: the class to explain: ``predicted``, ``second``, ``label``, a number or a name; one or several.
        label: the true class of all pictures; by default that of each, where the dataset knows it.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        precision: ``fp32`` or ``bf16``.
        seed: of methods that draw, where they are given by name.

    Raises:
        ValueError: for an unknown model, layer, class or method, a broken picture, or where no method works here.

    >>> import heatmark as hm
    >>> found = hm.explain("shapes_residual", hm.load_images("shapes", limit=2), ["grad_cam", "layer_cam"])
    >>> {method: maps.shape for method, maps in found.maps.items()}
    {'grad_cam': (2, 128, 128), 'layer_cam': (2, 128, 128)}
    """
    classifier, made = load_model(model, seed), methods_of(methods, seed)
    layers, targets = (_listed(given) for given in (layer, target))
    found = []
    dataset = _pictures(images)
    for sample in dataset:
        true = label if label is not None else _label(sample, dataset, classifier)
        settings = ExplainSettings([str(name) for name in layers], targets, true, device, precision)
        with preserved(classifier):
            found.append(explain_picture(classifier, sample.image, sample.name, made, settings))
    if not any(each.explanation.columns for each in found):
        raise ValueError("no method works here: " + "; ".join(found[0].left_out))
    return Explanations(found, one_target=not isinstance(target, list | tuple))


def _listed(given: Any) -> list[Any]:
    return list(given) if isinstance(given, list | tuple) else [given]


def _label(sample: Sample, dataset: Dataset, classifier: Classifier) -> int | None:
    """Return the true class, None where it is unknown or no class of the model."""
    index = -1 if sample.label is None else class_of(sample.label, dataset, classifier)
    return index if index >= 0 else None


def _pictures(images: Images) -> Dataset:
    if isinstance(images, str) and images.startswith(("http://", "https://")):
        return Given([read_image(images)], title=picture_name(images))
    return load_images(images)


@dataclass(frozen=True, eq=False)
class Explanations:
    """The explanations of some pictures.

    Args:
        pictures: the explanation of each, with its most probable classes.
        one_target: whether one class was asked for, so that :attr:`maps` has no dimension of classes.
    """

    pictures: Sequence[ExplainedPicture]
    one_target: bool = True

    def __len__(self) -> int:
        return len(self.pictures)

    def __iter__(self) -> Iterator[ExplainedPicture]:
        return iter(self.pictures)

    def __getitem__(self, index: int) -> "Explanations":
        """Return the explanation of one picture."""
        return Explanations([self.pictures[index]], self.one_target)

    @property
    def maps(self) -> dict[str, NDArray[np.float32]]:
        """The maps at the pictures' size by method, (N, H, W); (N, classes, H, W) where several classes were asked for.

        With several layers the names are such as ``grad_cam at layer3``.
        """
        return self._stacked("relevance")

    @property
    def raw(self) -> dict[str, NDArray[np.float32]]:
        """The maps as the methods give them, at their own resolution; otherwise as :attr:`maps`."""
        return self._stacked("raw")

    @property
    def targets(self) -> NDArray[np.int64]:
        """The classes explained, (N,), or (N, classes) where several were asked for."""
        found = np.array([[t.prediction.target for t in p.explanation.targets] for p in self.pictures], np.int64)
        return found[:, 0] if self.one_target else found

    @property
    def top(self) -> list[Sequence[Prediction]]:
        """The five most probable classes of each picture."""
        return [picture.top for picture in self.pictures]

    @property
    def left_out(self) -> list[str]:
        """Why methods are left out, each reason once."""
        return list(dict.fromkeys(reason for picture in self.pictures for reason in picture.left_out))

    def _stacked(self, which: str) -> dict[str, NDArray[np.float32]]:
        columns = self.pictures[0].explanation.columns
        several = len({column.layer for column in columns if column.layer != "input"}) > 1
        found = {}
        for place, column in enumerate(columns):
            every = [getattr(picture.explanation.columns[place], which) for picture in self.pictures]
            if len({each.shape for each in every}) > 1:
                raise ValueError(
                    f"the maps of {column.method} differ in shape ({every[0].shape} and others), because the "
                    "pictures or the numbers of their classes do: take those of one picture, explanations[0].maps"
                )
            found[_name(column, several)] = np.stack([each[0] for each in every] if self.one_target else every)
        return found

    def figure(self, index: int = 0, **look: Any) -> "Figure":
        """Return the panel of one picture: classes as rows, methods as columns.

        Args:
            index: the picture's position.
            look: ``style``, ``scale``, ``cmap`` and ``alpha``, as ``heatmark explain`` has them.

        Raises:
            ValueError: for an unknown option or value.
        """
        from heatmark.benchmarks.explain.panels import draw

        return showing_itself(draw(self.pictures[index].explanation, Look(**look)))

    def save(self, folder: str | Path, **look: Any) -> list[Path]:
        """Write every picture's panel as PNG and PDF, and its raw maps as .npy; return the files and folders.

        Args:
            folder: where to write; it is made where it does not exist.
            look: as in :meth:`figure`.
        """
        from heatmark.benchmarks.explain.files import save

        written = []
        for picture in self.pictures:
            layers = dict.fromkeys(column.layer for column in picture.explanation.columns)
            written += save(picture.explanation, Look(**look), Path(folder), list(layers))
        return list(dict.fromkeys(written))

    def __repr__(self) -> str:
        first = self.pictures[0].explanation
        names = dict.fromkeys(column.method for column in first.columns)
        return f"Explanations of {counted(len(self), 'picture')} by {first.model} ({first.weights}): {', '.join(names)}"

    def _repr_png_(self) -> bytes:
        return self._png(0)

    def _png(self, index: int) -> bytes:
        return png(self.figure(index))

    def _repr_html_(self) -> str:
        parts = [f"<p>left out: {escape(reason)}</p>" for reason in self.left_out]
        for index, picture in enumerate(self.pictures[:SHOWN]):
            best = ", ".join(f"{escape(p.name)} {100 * p.probability:.1f} %" for p in picture.top)
            image = base64.b64encode(self._png(index)).decode()
            parts.append(
                f"<p><b>{escape(picture.explanation.picture)}</b>: {best}</p>"
                f'<img alt="maps of {escape(picture.explanation.picture)}" src="data:image/png;base64,{image}">'
            )
        if len(self) > SHOWN:
            parts.append(f"<p>and {len(self) - SHOWN} more pictures: explanations[{SHOWN}], …</p>")
        return "\n".join(parts)


def _name(column: Column, several: bool) -> str:
    return f"{column.method} at {column.layer}" if several and column.layer != "input" else column.method
