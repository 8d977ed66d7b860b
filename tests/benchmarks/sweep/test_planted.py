"""Tests that faults of the planted catalogue asked for: what a sweep keeps of its pictures, and what its tables say."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from heatmark.benchmarks import api, requests
from heatmark.benchmarks.store import Store
from heatmark.benchmarks.sweep.record import JobRecord
from heatmark.benchmarks.tables.gather import gather
from heatmark.methods.base import Method
from heatmark.methods.grad_cam import GradCAM
from heatmark.metrics.base import Explained, Metric, Scores
from heatmark.metrics.deletion import Deletion
from tests.benchmarks.sweep.toys import PLAIN, Aimed, Mean, Notes, Red, Toys, classifier, counting, swept, toys

METHODS, METRICS = {"m": Red()}, {"mean": Mean()}
GIVEN = {"model": "net", "dataset": "toys"}


def test_a_method_that_fails_in_the_last_block_alone_is_no_failed_cell(tmp_path: Path) -> None:
    last = PLAIN.image(toys()[6].image)

    def before(images: Tensor) -> None:
        if any(torch.equal(one, last) for one in images):
            raise KeyError("not the last one")

    found = swept(tmp_path, {"m": counting(Notes(), before)}, METRICS, block_size=3)
    assert [row["status"] for row in found.maps("m") if row] == ["ok"] * 6 + ["error"]
    assert len(Store(tmp_path).read("maps", [found.cell("m")])) == 7


def test_a_network_that_overflows_on_one_image_is_one_picture_in_error(tmp_path: Path) -> None:
    class Overflowing(nn.Module):
        def __init__(self, inner: nn.Module, at: Tensor) -> None:
            super().__init__()
            self.inner, self.at = inner, at

        def forward(self, images: Tensor) -> Tensor:
            wrong = torch.tensor([torch.equal(one, self.at) for one in images])
            return torch.where(wrong[:, None], torch.inf, self.inner(images))

    module = Overflowing(classifier().module, PLAIN.image(toys()[5].image))
    found = swept(tmp_path, METHODS, METRICS, model=replace(classifier(module=module), layers={"last": "inner.0"}))
    assert [bool(entry.reason) for entry in found.entries] == [n == 5 for n in range(7)]


def test_a_network_that_overflows_is_found_before_anything_is_asked_for(tmp_path: Path) -> None:
    model = classifier()
    model.module[4].bias.data[0] = torch.inf  # type: ignore[index]
    with pytest.raises(ValueError, match=r"infinite logits for 1 of 1 images.*nothing was explained"):
        swept(tmp_path, METHODS, METRICS, model=model)
    assert requests.read(tmp_path) == []


@dataclass(frozen=True)
class Drawing(Metric):
    """A metric that draws: its value is the seed."""

    higher_is_better: ClassVar[bool | None] = None
    draws: ClassVar[bool] = True

    def __call__(self, batch: Explained) -> Scores:
        return Scores(torch.full((len(batch.images),), float(batch.seed)))


def test_a_metric_that_draws_is_computed_for_each_seed(tmp_path: Path) -> None:
    for seed in (0, 1, 2):
        assert swept(tmp_path, METHODS, {"drawing": Drawing()}, seed=seed).values("m", "drawing") == [seed] * 7


def test_a_job_given_again_keeps_the_pictures_that_it_has_not_met_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept(tmp_path, METHODS, METRICS)
    seen = []
    monkeypatch.setattr(api, "run", lambda *_: seen.append(len(requests.current(tmp_path)[0].entries)))
    swept(tmp_path, METHODS, METRICS)
    assert seen == [7]


def test_of_two_jobs_that_tune_at_once_both_run_with_the_first_batch_size(tmp_path: Path) -> None:
    def tune() -> int:  # another job is done with it meanwhile
        assert JobRecord(tmp_path, {**GIVEN, "method": "other"}).batch_size("d", "cpu", lambda: 5) == 5
        return 7

    assert JobRecord(tmp_path, GIVEN).batch_size("d", "cpu", tune) == 5
    assert [path.name for path in (tmp_path / "batch_sizes").iterdir()] == ["d.cpu.json"]


LABELS = (0, None, 2, None, 0, 1, 2)


def test_pictures_without_a_label_are_no_part_of_the_accuracy(tmp_path: Path) -> None:
    facts = swept(tmp_path, METHODS, METRICS, toys(labels=LABELS)).request.facts
    images = torch.stack([PLAIN.image(toys()[n].image) for n in range(7)])
    classes = classifier().module(images).argmax(1).tolist()
    correct = sum(found == label for found, label in zip(classes, LABELS, strict=True))
    assert (facts["images"], facts["labelled"]) == (7, 5)
    assert facts["accuracy"] == correct / 5


def test_a_picture_without_a_label_has_no_map_where_the_label_is_explained(tmp_path: Path) -> None:
    found = swept(tmp_path, METHODS, METRICS, toys(labels=LABELS), target="label")
    assert [entry.target for entry in found.entries] == [-1 if label is None else label for label in LABELS]
    assert [bool(entry.reason) for entry in found.entries] == [label is None for label in LABELS]
    assert len(Store(tmp_path).read("maps", [found.cell("m")])) == 5


@dataclass(frozen=True)
class Covered(Metric):
    """A metric whose value is the mask's share of the image."""

    higher_is_better: ClassVar[bool | None] = None
    needs: ClassVar[frozenset[Literal["masks", "labels", "counterfactuals"]]] = frozenset({"masks"})

    def __call__(self, batch: Explained) -> Scores:
        assert batch.masks is not None
        return Scores(batch.masks.double().mean((1, 2)))


def test_a_picture_without_a_mask_leaves_all_others_their_own(tmp_path: Path) -> None:
    masks = {n: np.arange(120).reshape(12, 10) < 12 * n for n in (0, 2, 3, 4, 6)}
    found = swept(tmp_path, METHODS, {"covered": Covered()}, toys(masks=masks), target="label")
    values = [n / 10 if n in masks else np.nan for n in range(7)]
    np.testing.assert_allclose(found.values("m", "covered"), values)
    reasons = [row["reason"] for row in found.scores("m", "covered") if row]
    assert reasons == ["" if n in masks else "the image has no mask" for n in range(7)]


@dataclass(frozen=True)
class Animals(Toys):
    @property
    def classes(self) -> tuple[str, ...]:
        return ("dog", "zebra", "ant", "bee")


def test_a_label_that_is_no_class_of_the_model_is_unknown_to_it(tmp_path: Path) -> None:
    data = Animals(toys().pictures, tuple(n % 4 for n in range(7)))
    model = replace(classifier(), classes=("ant", "bee", "cat", "dog"))
    found = swept(tmp_path, METHODS, METRICS, data, model)
    assert [entry.label_index for entry in found.entries] == [3, -1, 0, 1, 3, -1, 0]
    assert [entry.label for entry in found.entries][:2] == ["dog", "zebra"]
    assert found.request.facts["labelled"] == 5


def test_a_layer_that_is_named_twice_is_one_cell(tmp_path: Path) -> None:
    assert len(swept(tmp_path, {"cam": GradCAM()}, METRICS, layers=("last", "0")).request.cells) == 1


@dataclass(frozen=True)
class Some(Aimed):
    """A method whose map is NaN at a pixel for class 3, and constant for class 2."""

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        maps = super().__call__(model, images, targets, layer)
        maps[targets == 2] = 1.0
        maps[targets == 3, 0, 0] = torch.nan
        return maps


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[float], pd.DataFrame]:
    """The scores of seven pictures under deletion, and the results table of the same sweep where one is broken."""
    root = tmp_path_factory.mktemp("planted")
    methods: dict[str, Method] = {"some": Some()}
    metrics = {"deletion": Deletion(steps=4, tie_orders=1)}
    values = swept(root / "whole", methods, metrics, target="label").values("some", "deletion")
    swept(root / "broken", methods, metrics, toys(broken=frozenset({4})), target="label")
    return values, gather(root / "broken")


def test_every_row_of_the_table_has_its_own_pictures_score_and_class(
    tables: tuple[list[float], pd.DataFrame],
) -> None:
    values, table = tables
    rows = table[table["metric"] == "deletion"].set_index("image").sort_index()
    kept = [0, 1, 2, 3, 5, 6]
    assert rows.index.tolist() == [f"{n}.png" for n in kept]
    np.testing.assert_array_equal(rows["value"], [values[n] for n in kept])
    assert rows["target"].tolist() == [str(n % 4) for n in kept]
    assert np.ptp([values[n] for n in (0, 1, 5)]) > 0.01


def test_the_table_says_which_maps_rank_nothing_and_which_scores_are_undefined(
    tables: tuple[list[float], pd.DataFrame],
) -> None:
    rows = tables[1][tables[1]["metric"] == "deletion"].set_index("image").sort_index()
    assert rows["status"].tolist() == ["ok", "ok", "degenerate", "degenerate", "ok", "degenerate"]
    undefined = rows.index == "3.png"
    for name in ("value", "tied", "tie_low", "tie_high"):
        np.testing.assert_array_equal(rows[name].isna(), undefined)


def test_a_broken_picture_has_one_row_with_its_own_name(tables: tuple[list[float], pd.DataFrame]) -> None:
    (row,) = tables[1][tables[1]["metric"] == ""].to_dict("records")
    assert (row["image"], row["status"], row["reason"]) == ("4.png", "error", "cannot read 4.png")


def test_the_same_pictures_in_another_order_are_the_same_data_set(tmp_path: Path) -> None:
    data = toys()
    for folder, step in (("a", 1), ("b", -1)):
        swept(tmp_path / folder, METHODS, METRICS, Toys(data.pictures[::step]))
    found = [gather(tmp_path / folder)["images_digest"].unique().tolist() for folder in ("a", "b")]
    assert found[0] == found[1] != [""]
