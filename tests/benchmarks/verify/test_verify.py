"""Tests of a run verified from elsewhere: the same bits, one weight changed, pictures, methods and inputs missing."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.runs.export import Parts, export
from heatmark.benchmarks.tables.gather import gather
from heatmark.benchmarks.verify.jobs import circumstances
from heatmark.benchmarks.verify.verify import verify
from heatmark.benchmarks.verify.which import Which
from heatmark.methods.base import Method
from heatmark.methods.grad_cam import GradCAM
from heatmark.methods.layer_cam import LayerCAM
from heatmark.metrics.base import Metric
from heatmark.metrics.deletion import Deletion
from heatmark.metrics.difference import Difference
from heatmark.metrics.insertion import Insertion
from tests.benchmarks.sweep.test_edits import Inside
from tests.benchmarks.sweep.test_reuse import tree
from tests.benchmarks.sweep.toys import Aimed, Mean, Notes, Red, Toys, classifier, counting, swept, toys

METHODS: Mapping[str, Method] = {"grad_cam": GradCAM(), "layer_cam": LayerCAM(), "aimed": Aimed()}
METRICS: Mapping[str, Metric] = {
    "deletion": Deletion(steps=3), "insertion": Insertion(steps=3),
    "gap": Difference(minuend="insertion", subtrahend="deletion"), "mean": Mean(),
}  # fmt: skip


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of a run of seven pictures."""
    root = tmp_path_factory.mktemp("there")
    swept(root / "run", METHODS, METRICS)
    export(root / "run", root / "published", Parts(), gather)
    return root / "published"


def verified(run: Path, **changes: Any) -> pd.DataFrame:
    """Verify a run, with the model, the pictures and the objects that made it where nothing else is said."""
    given = {"classifier": classifier(), "dataset": toys(), "methods": METHODS, "metrics": METRICS, "asked": Which()}
    return verify(run, **{**given, **changes})


def shuffled(dataset: Toys, order: list[int]) -> Toys:
    """Return pictures in another order and number, whose names are others too."""
    labels = [dataset.labels[n] for n in order]
    return Toys(dataset.pictures[order], labels)


def with_one_weight_changed() -> Classifier:
    model = classifier()
    with torch.no_grad():
        next(model.module.parameters()).view(-1)[0] += 0.25
    return model


def test_all_rows_are_equal_and_the_run_is_not_touched(published: Path) -> None:
    before = tree(published)
    found = verified(published, dataset=shuffled(toys(), [6, 2, 0, 4, 3, 5, 1]))
    assert set(found["verdict"]) == {"equal"}
    assert (found["difference"] == 0).all()
    assert (found["recorded"].to_numpy() == found["here"].to_numpy()).all()
    assert len(found) == 5 * 3 * 4, "pictures, methods, metrics"
    assert tree(published) == before
    assert len(circumstances(published, classifier())) == 1, "nothing but the job"


def test_with_one_weight_changed_rows_deviate_by_a_size(published: Path) -> None:
    model = with_one_weight_changed()
    found = verified(published, classifier=model)
    of_model = found[found["metric"] != "mean"]
    assert {"deviates"} == set(of_model["verdict"])
    sizes = of_model["difference"].to_numpy()
    assert ((sizes > 0) & (sizes < 1)).all()
    assert np.array_equal(sizes, np.abs(of_model["here"] - of_model["recorded"]).to_numpy())
    lines = circumstances(published, model)
    assert [line.partition(":")[0] for line in lines] == ["job", "weights"]


def test_without_the_pictures_it_says_which_are_missing(published: Path) -> None:
    found = verified(published, dataset=toys(seed=9))
    assert set(found["verdict"]) == {"cannot"}
    digests, names = set(found["digest"]), set(found["image"])
    assert len(digests) == 5
    said = {f"the picture {row.image} (digest {row.digest}) is not among the 7 given" for row in found.itertuples()}
    assert set(found["note"]) == said
    assert len(names) == 5
    assert found["here"].isna().all()
    assert found["difference"].isna().all()


def test_pictures_that_the_reader_has_are_drawn_first(published: Path) -> None:
    found = verified(published, dataset=shuffled(toys(), [4, 1]), asked=Which(images=3))
    verdicts = found.groupby("image")["verdict"].agg(set)
    assert verdicts["1.png"] == verdicts["4.png"] == {"equal"}
    assert sorted(map(tuple, verdicts)) == [("cannot",), ("equal",), ("equal",)]


def test_draws_depend_on_the_seed_alone(published: Path) -> None:
    draws = [set(verified(published, asked=Which(images=2, seed=s, method=["aimed"], metric=["mean"]))["image"])
             for s in (0, 0, 1, 2, 3)]  # fmt: skip
    assert draws[0] == draws[1]
    assert len(set(map(frozenset, draws))) > 1


def test_filters_and_names(published: Path) -> None:
    asked = Which(images=["3.png", "0.png"], method=["grad_cam"], layer=["0"], metric=["gap"])
    found = verified(published, asked=asked)
    assert list(zip(found["image"], found["method"], found["metric"], found["verdict"], strict=True)) == [
        ("0.png", "grad_cam", "gap", "equal"), ("3.png", "grad_cam", "gap", "equal"),
    ]  # fmt: skip
    for option, wrong, hint in (
        ("method", "grad_cm", "grad_cam"),
        ("images", "3.pmg", "3.png"),
        ("metric", "x", "gap"),
    ):
        with pytest.raises(ValueError, match=f"the run has no {option} '{wrong}': .*{hint}"):
            verified(published, asked=Which(**{option: [wrong]}))
    with pytest.raises(ValueError, match=r"no row of .* is of such a picture, method, layer and metric at once"):
        verified(published, asked=Which(method=["aimed"], layer=["0"]))


def test_a_method_or_metric_that_is_not_given_is_named(published: Path) -> None:
    some = {name: method for name, method in METHODS.items() if name != "aimed"}
    found = verified(published, methods=some, metrics={**METRICS, "insertion": Insertion(steps=4)})
    of_metric = found[found["method"] != "aimed"].groupby("metric")
    assert of_metric["verdict"].agg(set).to_dict() == {
        "deletion": {"equal"}, "mean": {"equal"}, "insertion": {"cannot"}, "gap": {"cannot"},
    }  # fmt: skip
    assert set(found[found["method"] == "aimed"]["note"]) == {
        "method aimed does not ship with Heatmark, or not with these options: give it, from Python"
    }
    another = "metric insertion is another one here than the run's: its options, version, library or code differ"
    assert set(of_metric["note"].agg("first")[["insertion", "gap"]]) == {another}


def test_another_class_of_the_same_name_is_not_taken_for_the_runs(published: Path) -> None:
    found = verified(published, methods={**METHODS, "aimed": Red()}, asked=Which(method=["aimed"]))
    assert set(found["verdict"]) == {"cannot"}
    assert found["note"].str.startswith("method aimed is another one here").all()


def test_names_of_the_readers_objects_do_not_matter(published: Path) -> None:
    renamed = {f"my {name}": method for name, method in METHODS.items()}
    assert set(verified(published, methods=renamed)["verdict"]) == {"equal"}


def test_inputs_of_a_metric_must_be_those_of_the_run(tmp_path: Path) -> None:
    masks = {n: np.arange(120).reshape(12, 10) % 7 >= n for n in range(5)}
    data = toys(5, masks=masks)
    swept(tmp_path / "run", {"red": Red()}, {"inside": Inside(), "mean": Mean()}, dataset=data, target="label")
    gather(tmp_path / "run")
    given = {"methods": {"red": Red()}, "metrics": {"inside": Inside(), "mean": Mean()}}
    assert set(verified(tmp_path / "run", dataset=data, **given)["verdict"]) == {"equal"}
    other = replace(data, masks={**masks, 2: ~masks[2]})
    found = verified(tmp_path / "run", dataset=other, **given)
    wrong = found[found["verdict"] != "equal"]
    assert wrong[["image", "metric", "verdict", "note"]].to_numpy().tolist() == [
        ["2.png", "inside", "cannot", "the masks of 2.png here are not those of the run"]
    ]
    unlabelled = verified(tmp_path / "run", dataset=replace(data, labels=(), masks={}), **given)
    assert set(unlabelled["verdict"]) == {"cannot"}
    assert unlabelled["note"].str.contains("target=label").all()


def test_another_class_explained_deviates_and_is_said(tmp_path: Path) -> None:
    swept(tmp_path / "run", {"red": Red()}, {"mean": Mean()}, target=0)
    gather(tmp_path / "run")
    swept(tmp_path / "run", {"red": Red()}, {"mean": Mean()}, target="predicted", given={"model": "net", "target": "p"})
    gather(tmp_path / "run")
    found = verified(tmp_path / "run", methods={"red": Red()}, asked=Which(images=7))
    assert found.groupby("target_rule")["verdict"].agg(list).to_dict() == {
        "0": ["equal"] * 7,
        "predicted": ["equal"] * 7,
    }
    model = classifier()
    with torch.no_grad():
        list(model.module.parameters())[-1][2] += 1e6
    moved = verified(tmp_path / "run", classifier=model, methods={"red": Red()}, asked=Which(images=7))
    of_rule = moved.groupby("target_rule")["verdict"].agg(set).to_dict()
    assert of_rule == {"0": {"equal"}, "predicted": {"deviates"}}, "the map of Red is the picture itself"
    assert moved["note"].str.startswith("class 2 is explained here").any()


def test_the_model_is_matched_by_digest_whatever_its_name(published: Path) -> None:
    assert set(verified(published, classifier=replace(classifier(), name="mine"))["verdict"]) == {"equal"}
    with pytest.raises(
        ValueError, match=r"has no job of other, nor of a network .* it has net \(random-4\): give model="
    ):
        verified(published, classifier=replace(with_one_weight_changed(), name="other"))


def test_of_two_checkpoints_of_one_name_the_readers_own_is_meant(tmp_path: Path) -> None:
    for seed in (4, 5):
        swept(
            tmp_path / "run", {"grad_cam": GradCAM()}, {"mean": Mean()}, model=classifier(seed), given={"model": seed}
        )
    gather(tmp_path / "run")
    found = verified(tmp_path / "run", classifier=classifier(5), asked=Which(images=7))
    assert set(found["verdict"]) == {"equal"}
    assert len(found) == 7
    assert len(circumstances(tmp_path / "run", classifier(5))) == 1


@pytest.mark.parametrize(("shift", "expected"), [(1e-7, "equal"), (1e-5, "deviates")])
def test_on_another_computer_small_differences_count_as_none(
    shift: float, expected: str, published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = _shifted(published, tmp_path / "copy", shift)
    exact = verified(copy, asked=Which(method=["grad_cam"], metric=["deletion"]))
    assert set(exact["verdict"]) == {"deviates"}, "to the bit on the same"
    monkeypatch.setattr("heatmark.benchmarks.verify.jobs.version", lambda _: "99.0")
    found = verified(copy, asked=Which(method=["grad_cam"], metric=["deletion"]))
    assert set(found["verdict"]) == {expected}
    assert found["difference"].to_numpy() == pytest.approx(shift, rel=1e-3)
    (_, line) = circumstances(copy, classifier())
    assert line.endswith("up to 1e-06 counts as equal")
    assert "with torch 99.0" in line


def _shifted(run: Path, copy: Path, shift: float) -> Path:
    """Return a copy of a run whose recorded values are others."""
    shutil.copytree(run, copy)
    table = pd.read_parquet(copy / "results.parquet")
    table["value"] += shift
    table.to_parquet(copy / "results.parquet")
    return copy


def test_a_table_that_was_changed_by_hand_deviates(published: Path, tmp_path: Path) -> None:
    found = verified(_shifted(published, tmp_path / "copy", 0.5), asked=Which(method=["layer_cam"], metric=["mean"]))
    assert found["difference"].tolist() == [0.5] * 5


def test_what_fails_here_cannot_be_verified(tmp_path: Path) -> None:
    broken = Notes()

    def fail(images: torch.Tensor) -> None:
        if broken:
            raise RuntimeError("no memory here")

    methods: Mapping[str, Method] = {"red": counting(Notes(), fail), "grad_cam": GradCAM()}
    swept(tmp_path / "run", methods, {"mean": Mean()})
    gather(tmp_path / "run")
    broken.append(1)
    found = verified(tmp_path / "run", methods=methods, asked=Which(images=2))
    of_method = found.groupby("method")["verdict"].agg(list).to_dict()
    assert of_method == {"grad_cam": ["equal"] * 2, "red": ["cannot"] * 2}
    assert set(found[found["method"] == "red"]["note"]) == {"RuntimeError: no memory here"}


@pytest.mark.parametrize("size", [10**9, 0, "x", None])
def test_a_batch_size_that_no_sweep_has_had_is_not_tried(size: object, published: Path, tmp_path: Path) -> None:
    shutil.copytree(published, tmp_path / "copy")
    (path,) = (tmp_path / "copy" / "requests").glob("*.json")
    asked = json.loads(path.read_text())
    asked["facts"]["batch_size"] = size
    path.write_text(json.dumps(asked))
    found = verified(tmp_path / "copy")
    assert set(found["verdict"]) == {"cannot"}
    assert set(found["note"]) == {f"the run's batch_size is {size!r}, expected 1 to 4096"}


def test_mistakes_are_named(tmp_path: Path, published: Path) -> None:
    swept(tmp_path / "run", {"red": Red()}, {"mean": Mean()})
    with pytest.raises(ValueError, match=r"run has no results.parquet: .* heatmark gather"):
        verified(tmp_path / "run")
    with pytest.raises(ValueError, match="images is 0, expected a number of at least 1"):
        Which(images=0)


def test_of_two_definitions_of_one_metric_each_is_verified_as_its_own_job_has_it(tmp_path: Path) -> None:
    for steps in (3, 4):
        swept(tmp_path / "run", {"red": Red()}, {"deletion": Deletion(steps=steps)}, given={"model": "n", "s": steps})
    gather(tmp_path / "run")
    both = {"three": Deletion(steps=3), "four": Deletion(steps=4)}
    found = verified(tmp_path / "run", methods={"red": Red()}, metrics=both, asked=Which(images=2))
    assert found["verdict"].tolist() == ["equal"] * 4
    assert found["definition"].nunique() == 2


@pytest.mark.parametrize(
    ("column", "value"), [("definition", "deletion:x"), ("maps", "0" * 64), ("options", "{1}"), ("model", "other")]
)
def test_rows_that_no_job_asks_for_are_never_passed_over(
    column: str, value: str, published: Path, tmp_path: Path
) -> None:
    shutil.copytree(published, tmp_path / "copy")
    table = pd.read_parquet(tmp_path / "copy" / "results.parquet")
    changed = (table["method"] == "layer_cam") & (table["metric"] == "deletion") & (table["image"] == "0.png")
    table.loc[changed, column] = value
    table.to_parquet(tmp_path / "copy" / "results.parquet")
    found = verified(tmp_path / "copy", asked=Which(images=["1.png"]))
    (wrong,) = found[found["verdict"] != "equal"].itertuples()
    assert (wrong.image, wrong.method, wrong.metric, wrong.verdict) == ("0.png", "layer_cam", "deletion", "cannot")
    assert wrong.note.startswith("no job of the run asks for this row")


def test_one_key_for_all_cells_hides_no_row(published: Path, tmp_path: Path) -> None:
    shutil.copytree(published, tmp_path / "copy")
    table = pd.read_parquet(tmp_path / "copy" / "results.parquet")
    table["cell"] = "0"
    table.loc[table["method"] == "layer_cam", "value"] += 0.5
    table.to_parquet(tmp_path / "copy" / "results.parquet")
    found = verified(tmp_path / "copy")
    assert found.groupby("method")["verdict"].agg(set).to_dict() == {
        "aimed": {"equal"}, "grad_cam": {"equal"}, "layer_cam": {"deviates"},
    }  # fmt: skip


def test_rows_of_another_run_may_be_another_machines(published: Path, tmp_path: Path) -> None:
    swept(tmp_path / "run", METHODS, METRICS, reuse=[str(published)])
    gather(tmp_path / "run")
    for shift, expected in ((1e-7, "equal"), (1e-5, "deviates")):
        copy = _shifted(tmp_path / "run", tmp_path / expected, shift)
        assert set(verified(copy, asked=Which(images=1))["verdict"]) == {expected}


def test_equal_pictures_of_two_labels_are_verified_each_with_its_own(tmp_path: Path) -> None:
    data = toys(4)
    data.pictures[1] = data.pictures[0]
    swept(tmp_path / "run", METHODS, METRICS, dataset=data, target="label")
    gather(tmp_path / "run")
    found = verified(tmp_path / "run", dataset=shuffled(data, [3, 1, 0, 2]), asked=Which(images=4))
    assert set(found["verdict"]) == {"equal"}
    assert len(found) == 4 * 3 * 4
