"""Pixels replaced by those of the picture without the object: curves by hand, and what an image without one costs."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from heatmark.metrics.base import Explained, Need, sums_up_curves, without_annotations
from heatmark.metrics.deletion import Deletion
from heatmark.metrics.engine.pixel_path import PixelPath
from heatmark.metrics.insertion import Insertion
from heatmark.metrics.lerf import LeRF
from heatmark.metrics.morf import MoRF

Make = Callable[..., Explained]
FILL = {"steps": 4, "baseline": "counterfactual"}


@pytest.fixture
def batch(additive: Callable[[Tensor], nn.Module], make_batch: Make) -> Explained:
    """An image with a tenth of its sum as probability; without its object two of its pixels are lower."""
    image, without = torch.tensor([[1.0, 2], [3, 0]]), torch.tensor([[0.0, 2], [1, 0]])
    images, others = (each.expand(1, 3, 2, 2) for each in (image, without))
    made = make_batch(additive(torch.full((2, 2), 0.1)), images, torch.tensor([[[5.0, 1], [9, 0]]]))
    return replace(made, counterfactuals=others)


def test_curves_by_hand(batch: Explained) -> None:
    """Of the order 3, 1, 2, 0 the object's two pixels come first: 3 becomes 1, 1 becomes 0, the others stay."""
    removed, inserted = Deletion(**FILL)(batch), Insertion(**FILL)(batch)
    assert removed.curve is not None
    assert inserted.curve is not None
    assert removed.curve.y[0].tolist() == pytest.approx([0.6, 0.4, 0.3, 0.3, 0.3])
    assert inserted.curve.y[0].tolist() == pytest.approx([0.3, 0.5, 0.6, 0.6, 0.6])
    assert removed.values.item() == pytest.approx(1.45 / 4)
    assert inserted.values.item() == pytest.approx(2.15 / 4)
    assert (LeRF(**FILL)(batch).values - MoRF(**FILL)(batch).values).item() == pytest.approx(0.7 / 4)  # SRG


@pytest.mark.parametrize("metric", [Deletion(**FILL), Insertion(**FILL)])
def test_an_image_without_one_is_nan_with_the_reason_and_costs_no_pass(metric: Deletion, batch: Explained) -> None:
    assert batch.counterfactuals is not None
    alone = metric(batch).values
    images, maps = batch.images.repeat(2, 1, 1, 1), batch.maps.repeat(2, 1, 1)
    others = torch.cat([torch.full_like(batch.images, torch.nan), batch.counterfactuals])
    two = replace(
        batch, images=images, maps=maps, targets=torch.zeros(2, dtype=torch.int64), counterfactuals=others, batch_size=1
    )
    batch.model.images_seen = 0
    scores = metric(two)
    assert batch.model.images_seen == 5
    assert scores.values[0].isnan()
    assert torch.equal(scores.values[1:], alone)
    assert list(scores.reasons) == ["the image has no counterfactual", ""]
    none = metric(replace(two, counterfactuals=None))
    assert none.values.isnan().all()
    assert list(none.reasons) == ["the image has no counterfactual"] * 2
    assert batch.model.images_seen == 5


def test_the_fill_decides_what_a_metric_and_its_path_need() -> None:
    assert Deletion(**FILL, tie_orders=2).needs == PixelPath(fill="counterfactual").needs == {"counterfactuals"}
    assert Deletion().needs == PixelPath(fill="uniform").needs == frozenset()
    assert Deletion(**FILL, seed=3).path.fill_seed == 0


def test_a_path_reads_what_it_needs_and_no_more(batch: Explained) -> None:
    full = replace(batch, masks=batch.maps > 1, has_mask=torch.tensor([True]), labels=batch.targets, seed=3)
    plain = without_annotations(full)
    assert (plain.masks, plain.has_mask, plain.labels, plain.counterfactuals, plain.seed) == (None,) * 4 + (0,)
    assert without_annotations(full, {"counterfactuals"}) == replace(plain, counterfactuals=batch.counterfactuals)
    assert without_annotations(full, {"masks"}) == replace(plain, masks=full.masks, has_mask=full.has_mask)
    assert without_annotations(full, {"labels"}) == replace(plain, labels=full.labels)


def test_a_metric_with_needs_of_its_own_is_no_mere_sum_over_a_curve() -> None:
    @dataclass(frozen=True)
    class Masked(Deletion):
        needs: ClassVar[frozenset[Need]] = frozenset({"masks"})  # type: ignore[misc]

    assert sums_up_curves(Deletion())
    assert not sums_up_curves(Masked())
