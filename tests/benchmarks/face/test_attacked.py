"""What a user may hand to the face that once gave a wrong number without a word."""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

import heatmark as hm
from heatmark.benchmarks.data.base import Sample
from heatmark.benchmarks.face.preserved import preserved
from heatmark.benchmarks.face.targets import plain_target
from heatmark.methods.engine.capture import Capture
from heatmark.methods.given import given_maps
from heatmark.methods.grad_cam import GradCAM
from heatmark.metrics.base import Curve, CurveMetric, Explained, Scores
from heatmark.metrics.base import Path as CurvePath
from heatmark.metrics.deletion import Deletion

QUICK: dict[str, Any] = {"batch_size": 4, "timing": False, "progress": False}
PICTURES = np.random.default_rng(0).integers(0, 256, (4, 20, 24, 3), dtype=np.uint8)
MAPS = np.random.default_rng(1).normal(size=(4, 5, 7)).astype(np.float32)
DELETION = ["deletion(steps=4)"]
CLASSES = ["cat", "dog", "owl"]


def network() -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3))


def model(module: nn.Module | None = None, **more: Any) -> Any:
    plain = {"resize": None, "crop": None}
    return hm.load_model(module or network(), layers={"last": "0"}, preprocessing=plain, **more)


def scored(maps: Any = MAPS, images: Any = PICTURES, **more: Any) -> list[float]:
    values: list[float] = hm.score(maps, model(), images, DELETION, **more)["value"].tolist()
    return values


def swept(out: Path, methods: Any, metrics: Any, images: Any = PICTURES, **more: Any) -> pd.DataFrame:
    run: hm.Run = hm.sweep(model(), images, methods, metrics, out=out, **{**QUICK, **more})
    return run.scores


def of(table: pd.DataFrame, **where: str) -> list[float]:
    for name, value in where.items():
        table = table[table[name] == value]
    found: list[float] = table.sort_values("image")["value"].tolist()
    return found


def test_maps_of_one_picture_given_twice_keep_their_own_scores() -> None:
    single = [scored(MAPS[i : i + 1], PICTURES[:1], target=0)[0] for i in range(4)]
    assert scored(MAPS, PICTURES[[0, 0, 0, 0]], target=0) == single
    assert len(set(single)) == 4


def test_maps_may_differ_in_shape_and_have_negative_strides() -> None:
    cut = [MAPS[0], MAPS[1][:3], MAPS[2][:, :4], MAPS[3]]
    single = [scored([cut[i]], PICTURES[i : i + 1])[0] for i in range(4)]
    assert scored(cut) == single
    assert scored(MAPS[:, ::-1]) == scored(MAPS[:, ::-1].copy())


def test_rows_of_scores_follow_the_pictures_also_past_a_broken_one() -> None:
    table = hm.score(MAPS, model(), [PICTURES[0], None, *PICTURES[2:]], DELETION, target=[0, 1, 2, 0])
    whole = scored(target=[0, 1, 2, 0])
    assert table["image"].tolist() == [f"images-{n:05d}" for n in range(4)]
    assert table["status"].tolist() == ["ok", "error", "ok", "ok"]
    assert [value for n, value in enumerate(table["value"]) if n != 1] == [whole[0], *whole[2:]]


class Items:
    """A dataset of PyTorch whose second item may raise."""

    classes = ("dog", "cat")

    def __init__(self, labels: list[int], error: Exception | None = None) -> None:
        self.labels, self.error = labels, error

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        if self.error and index == 1:
            raise self.error
        return PICTURES[index], self.labels[index]


@pytest.mark.parametrize("error", [RuntimeError("x"), KeyError("x"), TypeError("x"), OSError("x")])
def test_what_an_item_of_a_dataset_raises_costs_one_picture(error: Exception) -> None:
    table = hm.score(MAPS, model(), Items([0, 0, 1, 1], error), DELETION, target=0)
    assert table["status"].tolist() == ["ok", "error", "ok", "ok"]
    assert "item 1" in table["reason"][1]


def test_a_label_outside_the_datasets_classes_is_unknown() -> None:
    table = hm.score(MAPS, model(classes=CLASSES), Items([0, -1, 7, 1]), DELETION)
    predicted = [CLASSES.index(name) for name in table["predicted"]]
    assert table["correct"].isna().tolist() == [False, True, True, False]
    assert table["correct"][[0, 3]].tolist() == [predicted[0] == 1, predicted[3] == 0]


def test_columns_of_pandas_go_by_position() -> None:
    column: Any = pd.Series([0, 1, 2, 0], index=[3, 2, 1, 0])
    assert [sample.label for sample in hm.load_images(PICTURES, labels=column)] == [0, 1, 2, 0]
    assert plain_target(column) == plain_target(column.to_numpy()) == plain_target(torch.tensor([0, 1, 2, 0]))
    pictures: Any = pd.Series(list(PICTURES), index=[3, 2, 1, 0])
    assert np.array_equal(np.asarray(hm.load_images(pictures)[0].image), PICTURES[0])


def test_targets_are_rules_numbers_or_numbers_per_picture(tmp_path: Path) -> None:
    assert [plain_target(each) for each in ("label", np.int64(2), [np.int64(1)])] == ["label", 2, [1]]
    table = swept(tmp_path, ["grad_cam"], DELETION, target=np.array([0, 1, 2, 0]))
    assert table.sort_values("image")["target"].tolist() == ["0", "1", "2", "0"]
    with pytest.raises(ValueError, match="class number per"):
        plain_target(["cat", "dog"])


def test_a_table_of_labels_belongs_to_a_folder() -> None:
    with pytest.raises(ValueError, match="a table of a folder's pictures"):
        hm.load_images(PICTURES, labels="labels.csv")


@pytest.mark.parametrize("shape", [(20, 24), (1, 20, 24), (20, 24, 1)])
def test_a_mask_may_have_one_channel(shape: tuple[int, ...]) -> None:
    masks = (PICTURES[..., 0] > 99).reshape(4, *shape)
    found = hm.load_images(PICTURES, labels=[0] * 4, masks=masks)[3].mask
    assert found is not None
    assert np.array_equal(found, PICTURES[3, ..., 0] > 99)


def test_a_mask_of_colours_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a mask has the shape \(20, 24, 3\)"):
        _ = hm.load_images(PICTURES, labels=[0] * 4, masks=PICTURES)[0]


def test_pixels_of_bfloat16_are_pictures() -> None:
    pixels = torch.zeros(3, 4, 5, dtype=torch.bfloat16)
    pixels[0] = 1
    assert np.asarray(hm.load_images(pixels)[0].image)[0, 0].tolist() == [255, 0, 0]


def test_datasets_of_one_name_are_refused_in_one_run_and_other_options_are_others(tmp_path: Path) -> None:
    first, second = hm.load_images(PICTURES[:2]), hm.load_images(PICTURES[2:])
    with pytest.raises(ValueError, match="two datasets are called images"):
        swept(tmp_path, ["grad_cam"], DELETION, [first, second])
    seeds = [hm.load_images(f"shapes(seed={seed})", limit=2) for seed in (1, 2)]
    table = hm.sweep("shapes_plain", seeds, ["grad_cam"], DELETION, out=tmp_path, **QUICK).scores
    assert len(table) == 4
    assert table["images_digest"].nunique() == 2


def test_maps_made_elsewhere_are_no_method_of_a_sweep(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"heatmark\.score"):
        swept(tmp_path, {"maps": given_maps(list(torch.from_numpy(MAPS)))}, DELETION)


@dataclass(frozen=True)
class Shifted(Deletion):
    """A curve metric with a call of its own."""

    def __call__(self, batch: Explained) -> Scores:
        return Scores(super().__call__(batch).values + 100)


def test_a_curve_metrics_own_call_is_what_scores(tmp_path: Path) -> None:
    table = swept(tmp_path, ["grad_cam"], [Shifted(steps=4), Deletion(steps=4)])
    plain = of(table, metric="deletion(steps=4)")
    assert of(table, metric="Shifted(steps=4)") == pytest.approx([value + 100 for value in plain], abs=1e-5)


@dataclass(frozen=True)
class Peeking(CurvePath):
    """A path whose curve is 1 where it is shown labels or a seed, else 0."""

    def curve(self, batch: Explained) -> Curve:
        shown = batch.labels is not None or batch.masks is not None or batch.seed != 0
        return Curve(torch.tensor([0.0, 1.0]), torch.full((len(batch.images), 2), float(shown)), "x")


@dataclass(frozen=True)
class Peek(CurveMetric):
    """The height of :class:`Peeking`."""

    higher_is_better = True

    @property
    def path(self) -> Peeking:
        return Peeking()

    def summarise(self, curve: Curve) -> Scores:
        return Scores(curve.y[:, 0])


def test_a_path_is_shown_nothing_that_its_key_lacks(tmp_path: Path) -> None:
    assert of(swept(tmp_path, ["grad_cam"], [Peek()], hm.load_images(PICTURES, labels=[0, 1, 2, 0]), seed=3)) == [0] * 4


class Endless(hm.Metric):
    """A metric without a finite value."""

    higher_is_better = True

    def __call__(self, batch: Explained) -> Scores:
        return Scores(torch.full((len(batch.images),), torch.inf))


def test_an_infinite_value_is_undefined_with_its_reason(tmp_path: Path) -> None:
    table = swept(tmp_path, ["grad_cam"], [Endless])
    assert table["value"].isna().all()
    assert set(table["reason"]) == {"the value is inf"}


@dataclass(frozen=True)
class Erasing(GradCAM):
    """A CAM that changes the capture it is given."""

    def relevance(self, c: Capture) -> Tensor:
        c.activations.zero_()
        return c.activations.sum(1)


@dataclass(frozen=True)
class Blind(GradCAM):
    """A CAM that reads gradients and says that it needs none."""

    needs_gradients = False


@pytest.mark.parametrize("beside", [Erasing(), Blind()])
def test_who_shares_a_capture_changes_no_number(tmp_path: Path, beside: GradCAM) -> None:
    alone = [swept(tmp_path / str(n), [each], DELETION) for n, each in enumerate((beside, "layer_cam"))]
    both = swept(tmp_path / "both", [beside, "layer_cam"], DELETION)
    for name, table in zip((type(beside).__name__, "layer_cam"), alone, strict=True):
        assert np.array_equal(of(both, method=name), of(table), equal_nan=True)


def test_a_network_is_given_back_in_its_modes(tmp_path: Path) -> None:
    module = network().train()
    module[1].eval()
    modes = [part.training for part in module.modules()]
    loaded = model(module)
    hm.explain(loaded, PICTURES[0], ["grad_cam"])
    hm.score(MAPS, loaded, PICTURES, DELETION)
    for dry in (True, False):
        hm.sweep(loaded, PICTURES, ["grad_cam"], DELETION, out=tmp_path, dry_run=dry, **({} if dry else QUICK))
    assert [part.training for part in module.modules()] == modes


def test_a_network_is_given_back_once_no_thread_uses_it() -> None:
    module, entered, leave, seen = network().train(), threading.Event(), threading.Event(), []

    def hold() -> None:
        with preserved(module):
            entered.set()
            leave.wait(10)
            seen.append(module.training)

    thread = threading.Thread(target=hold)
    with preserved(module):
        module.eval()
        thread.start()
        entered.wait(10)
    leave.set()
    thread.join()
    assert seen == [False]
    assert module.training


def test_samples_of_a_dataset_of_its_own_keep_their_digests() -> None:
    from heatmark.benchmarks.data.told_apart import ToldApart

    told = ToldApart(hm.load_images(PICTURES[[0, 1, 0]]))
    digests = [sample.digest for sample in told]
    assert digests[:2] == ["", ""]
    assert len(digests[2]) == 32
    assert [sample.digest for sample in told] == digests
    assert isinstance(told[0], Sample)
