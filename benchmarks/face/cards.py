"""Metric cards of objects: whether metrics are sound on a user's model and pictures."""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pandas as pd
from rich.console import Console
from rich.text import Text

from heatmark.benchmarks.cards.cards import cards as made_cards
from heatmark.benchmarks.cards.layout import layouts, passed, titles
from heatmark.benchmarks.cards.scoring import Shown
from heatmark.benchmarks.face.load import Images, load_images, load_model
from heatmark.benchmarks.face.preserved import preserved
from heatmark.benchmarks.face.sweep import ModelLike
from heatmark.benchmarks.face.targets import plain_target
from heatmark.benchmarks.face.things import MethodLike, MetricLike, methods_of, metrics_of
from heatmark.benchmarks.progress.shown import shown
from heatmark.benchmarks.sweep.observer import Observer
from heatmark.benchmarks.sweep.record import JobRecord
from heatmark.benchmarks.sweep.settings import SweepSettings
from heatmark.common.names import did_you_mean

METHODS = ("grad_cam", "captum_integrated_gradients")
"""The real methods unless others are given."""


def cards(
    metrics: MetricLike | Iterable[MetricLike] | Mapping[str, MetricLike],
    model: ModelLike,
    images: Images,
    methods: MethodLike | Iterable[MethodLike] | Mapping[str, MethodLike] = METHODS,
    *,
    limit: int | None = 20,
    layers: str | Sequence[str] = "last",
    target: int | str = "predicted",
    device: str = "auto",
    precision: str = "fp32",
    batch_size: int = 16,
    seed: int = 0,
    progress: bool = True,
) -> "Cards":
    """Return a card per metric: whether it is sound on this model and these pictures.

    Six tests, each passes, fails or is not applicable: order (ground truth above real maps above random ones above
    inverted ones), degradation (the mean falls as maps are shuffled), scale (map × 100 and map + c), repeats,
    separation (enough images to tell random from real), agreement with the other metrics.

    Args:
        metrics: names or metrics.
        model: as :func:`heatmark.load_model` takes it.
        images: as :func:`heatmark.load_images` takes them; with masks, the ground truth is ranked, too.
        methods: the real methods.
        limit: take the first pictures only; None takes all.
        layers: roles of the model or dotted names.
        target: the class to explain: ``predicted``, ``second``, ``label``, a number or a name.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        precision: ``fp32`` or ``bf16``.
        batch_size: images per forward pass.
        seed: of everything that is drawn.
        progress: whether progress is shown.

    Raises:
        ValueError: for anything in metrics, model, pictures or methods that cannot be run.

    >>> import heatmark as hm
    >>> found = hm.cards("pointing_game", "shapes_residual", "shapes", "grad_cam", limit=8, progress=False)
    >>> found.table["test"].tolist()
    ['order', 'degradation', 'scale', 'repeats', 'separation', 'agreement']
    """
    judges, made = metrics_of(metrics, seed), methods_of(methods, seed)
    settings = SweepSettings(
        layers=[layers] if isinstance(layers, str) else list(layers), target=plain_target(target), device=device,
        precision=precision, batch_size=batch_size, seed=seed, timing=False,
    )  # fmt: skip
    show: Shown = shown if progress else _silent
    classifier = load_model(model, seed)
    with preserved(classifier):
        found = made_cards(classifier, load_images(images, limit=limit), made, judges, settings, show)
    return Cards(found.cards, found.agreement)


@contextmanager
def _silent(_record: JobRecord, _part: str) -> Iterator[Observer]:
    """Context with an observer that shows nothing."""
    yield Observer()


@dataclass(frozen=True, eq=False)
class Cards:
    """What the cards of some metrics say.

    Args:
        table: one row per metric and test; see :class:`heatmark.benchmarks.cards.cards.CardTables`.
        agreement: Kendall's τ-b of every two metrics, with its interval.
    """

    table: pd.DataFrame
    agreement: pd.DataFrame

    def passed(self, metric: str) -> bool:
        """Return whether a metric fails no test and passes one at least.

        Raises:
            ValueError: for a metric that has no card.
        """
        names = list(titles(self.table))
        if metric not in names:
            hint = did_you_mean(metric, names, f"there are cards of {', '.join(names)}")
            raise ValueError(f"there is no card of {metric!r}: {hint}")
        return passed(self.table, metric)

    def __repr__(self) -> str:
        return "\n".join(titles(self.table).values())

    def _repr_html_(self) -> str:
        console = Console(record=True, width=100, file=io.StringIO(), force_jupyter=False)  # else it shows itself twice
        for card in layouts(self.table):
            console.print(card, Text(""))
        return console.export_html(inline_styles=True, code_format="<pre>{code}</pre>")
