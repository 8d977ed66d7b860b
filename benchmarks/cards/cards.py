"""The cards of metrics on a model and its data: what is planted, scored, and found."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from heatmark.benchmarks.cards.agreement import agreement, agreements
from heatmark.benchmarks.cards.degradation import degradation
from heatmark.benchmarks.cards.material import Material, material
from heatmark.benchmarks.cards.order import order
from heatmark.benchmarks.cards.planted import planted
from heatmark.benchmarks.cards.repeats import repeats
from heatmark.benchmarks.cards.scale import scale
from heatmark.benchmarks.cards.scoring import Shown, judged, reseeded, scores
from heatmark.benchmarks.cards.separation import separation
from heatmark.benchmarks.cards.variants import Judged, Verdict
from heatmark.benchmarks.data.base import Dataset
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.schema import DIGESTS
from heatmark.benchmarks.sweep.record import JobRecord
from heatmark.benchmarks.sweep.settings import GIVEN, SweepSettings
from heatmark.methods.base import Method
from heatmark.methods.random_map import RandomMap
from heatmark.metrics.base import Metric

CONTROL = "random"
"""The name of the method whose maps are random; one is added where there is none."""
AGAIN = ("real", "random")
"""Kinds of maps that are scored again, with the same and with another seed."""
TESTS = (order, degradation, scale, repeats, separation)
"""The tests of one metric by itself."""


@dataclass(frozen=True)
class CardTables:
    """What the cards say.

    Args:
        cards: one row per metric and test: ``metric, definition, higher_is_better, test, verdict, sentence, figure,
            unit, p_value, n, details, because``, and the facts ``model, weights, dataset, target_rule, weights_digest,
            images_digest``, as in a run's tables.
        agreement: one row per ordered pair of metrics; see :func:`.agreement.agreements`.
    """

    cards: pd.DataFrame
    agreement: pd.DataFrame


def cards(
    classifier: Classifier,
    dataset: Dataset,
    methods: Mapping[str, Method],
    metrics: Mapping[str, Metric],
    settings: SweepSettings,
    shown: Shown,
) -> CardTables:
    """Return whether each metric is sound on a model and its data.

    Args:
        classifier: the model.
        dataset: its pictures, with masks where they are known.
        methods: the real methods, by name; ``random`` among them replaces the control.
        metrics: by name.
        settings: layers, target rule, device, precision, batch size, seed.
        shown: shows progress.

    Raises:
        ValueError: for anything in model, data, methods, metrics or settings that cannot be run.
    """
    if not [name for name in methods if name != CONTROL]:
        raise ValueError("method is empty, expected at least one real method, such as method=[grad_cam]")
    with TemporaryDirectory() as folder:
        record = JobRecord(Path(folder), {}, classifier.name)
        everyone = {CONTROL: RandomMap(seed=settings.seed), **methods}
        with shown(record, "1 of 4, maps") as observer:
            found = material(classifier, dataset, everyone, metrics, settings, record, observer)
    everything, digests = _judged(classifier, dataset, found, metrics, shown)
    rule = str(settings.target) if isinstance(settings.target, int | str) else GIVEN
    facts = {
        "model": classifier.name,
        "weights": classifier.weights,
        "dataset": dataset.name,
        "target_rule": rule,
        **digests,
    }
    pairs = agreements(everything)
    return CardTables(table(everything, pairs).assign(**facts), pairs.assign(**facts))


def _judged(
    classifier: Classifier, dataset: Dataset, found: Material, metrics: Mapping[str, Metric], shown: Shown
) -> tuple[list[Judged], dict[str, str]]:
    """Return all scores: of every variant, and of real and random maps once more and with another seed; and the digests
    of the model and of the pictures."""
    real = {name: maps for name, maps in found.maps.items() if name != CONTROL}
    maps = planted(real, found.truth, found.maps[CONTROL], found.seeds)
    some = {variant: each for variant, each in maps.items() if variant.kind in AGAIN}
    asked = found.settings
    reseed = replace(asked, seed=asked.seed + 1)
    first = scores(classifier, dataset, maps, metrics, asked, shown, "2 of 4, scores")
    every = judged(
        metrics,
        maps,
        first,
        scores(classifier, dataset, some, metrics, asked, shown, "3 of 4, once more"),
        scores(classifier, dataset, some, reseeded(metrics), reseed, shown, "4 of 4, another seed"),
    )
    return every, {name: str(first[name].iloc[0]) for name in DIGESTS}


def table(metrics: Sequence[Judged], pairs: pd.DataFrame) -> pd.DataFrame:
    """Return one row per metric and test.

    Args:
        metrics: the scores under each.
        pairs: their agreement.
    """
    return pd.DataFrame(
        {"metric": each.metric, "definition": each.definition, "higher_is_better": each.higher_is_better}
        | asdict(verdict)
        for each in metrics
        for verdict in verdicts(each, pairs)
    )


def verdicts(each: Judged, pairs: pd.DataFrame) -> list[Verdict]:
    """Return the outcome of every test of one metric."""
    return [*(test(each) for test in TESTS), agreement(each, pairs)]
