"""The Python face from end to end: explain, score, sweep, the run, and the check."""

import runpy
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

import heatmark as hm
from heatmark.benchmarks import requests
from heatmark.benchmarks.store import Store

ROOT = Path(__file__).parents[3]
QUICK: dict[str, Any] = {"batch_size": 4, "timing": False, "progress": False}
COLUMNS = ["method", "image", "metric", "value"]

SCRIPT = """
import heatmark as hm

def mine(model, images, targets, layer):
    return {sign} * hm.methods.GradCAM()(model, images, targets, layer)

run = hm.sweep(
    "shapes_residual", hm.load_images("shapes", limit=4), ["grad_cam", mine], ["deletion(steps=4)"],
    out={out!r}, batch_size=4, timing=False, progress=False,
)
"""


def sweep(out: Path, *methods: Any, images: Any = None, metrics: Any = ("deletion(steps=4)",), **more: Any) -> hm.Run:
    pictures = hm.load_images("shapes", limit=4) if images is None else images
    return hm.sweep("shapes_residual", pictures, list(methods), list(metrics), out=out, **{**QUICK, **more})


def rows(results: pd.DataFrame, **where: str) -> pd.DataFrame:
    for name, value in where.items():
        results = results[results[name] == value]
    return results.sort_values(["metric", "image"])


def stored(out: Path, artefact: str) -> int:
    return sum(len(batch) for batch in Store(out).batches(artefact, []))


def test_a_method_that_is_edited_in_its_script_computes_anew(tmp_path: Path) -> None:
    script, out = tmp_path / "script.py", tmp_path / "run"
    values = []
    for sign in ("1", "-1", "-1"):
        script.write_text(SCRIPT.format(sign=sign, out=str(out)))
        runpy.run_path(str(script))
        values.append((rows(hm.load_run(out).scores, method="mine")["value"].tolist(), stored(out, "maps")))
    reference = rows(hm.load_run(out).scores, method="grad_cam")["value"].tolist()
    assert values[0] == (reference, 8)
    assert values[1][0] != reference
    assert values[1] == values[2]
    assert values[1][1] == 12
    assert len(hm.load_run(out).scores) == 8, "the rows of the earlier code are no part of the table"


def test_a_sweep_of_python_and_one_of_the_command_line_share_their_rows(tmp_path: Path, heatmark: Any) -> None:
    sweep(tmp_path / "results" / "runs" / "both", "grad_cam", metrics=["deletion"])
    code, _, err = heatmark(
        "sweep", "name=both", f"results_dir={tmp_path}/results/runs", "dataset.limit=4", "method=[grad_cam]",
        "metric=[deletion]", "batch_size=4", "timing.phase=false",
    )  # fmt: skip
    assert code == 0, err
    assert stored(tmp_path / "results" / "runs" / "both", "maps") == 4
    assert stored(tmp_path / "results" / "runs" / "both", "scores") == 4


def test_maps_of_anywhere_are_scored_as_a_sweep_scores_its_own(tmp_path: Path) -> None:
    from captum.attr import LayerGradCam

    images = hm.load_images("shapes", limit=4)
    metrics = ["deletion(steps=4)", "insertion(steps=4)"]
    run = sweep(tmp_path / "run", "grad_cam", "captum_layer_grad_cam", images=images, metrics=metrics)
    model = hm.load_model("shapes_residual")
    batch = torch.stack([model.preprocessing.image(sample.image) for sample in images])
    targets = torch.tensor(hm.explain(model, images, "grad_cam").targets)
    captum = LayerGradCam(model.module, model.module.layer3).attribute(batch, targets, relu_attributions=True)
    found = hm.score(captum, model, images, metrics, batch_size=4)
    own = rows(run.scores, method="captum_layer_grad_cam")
    assert rows(found)["value"].tolist() == own["value"].tolist()
    assert rows(found)["definition"].tolist() == own["definition"].tolist()
    np.save(tmp_path / "maps.npy", captum[:, 0].detach().numpy())
    from_file = hm.score(tmp_path / "maps.npy", model, images, metrics, batch_size=4)
    assert rows(from_file)["value"].tolist() == own["value"].tolist()


def test_several_maps_by_name_and_those_of_an_explanation(tmp_path: Path) -> None:
    images = hm.load_images("shapes", limit=3)
    found = hm.explain("shapes_residual", images, ["grad_cam", "random"], target="second")
    by_name = hm.score(dict(found.raw), "shapes_residual", images, "deletion(steps=3)", target=list(found.targets))
    explained = hm.score(found, "shapes_residual", images, "deletion(steps=3)")
    assert by_name[COLUMNS].equals(explained[COLUMNS])
    assert set(explained["target"]) == {str(target) for target in found.targets}
    np.savez(tmp_path / "maps.npz", **found.raw)
    assert hm.score(tmp_path / "maps.npz", "shapes_residual", images, "deletion(steps=3)", target="second")[
        COLUMNS
    ].equals(explained[COLUMNS])


@pytest.mark.parametrize(
    ("maps", "said"),
    [
        (np.zeros((2, 8, 8)), "2 maps for 3 pictures"),
        (np.zeros((3, 3, 8, 8)), "sum up its channels first"),
        (np.zeros((3, 8)), "map 0 has the shape \\(8,\\)"),
        ("nowhere.npy", "is no file of maps"),
    ],
)
def test_maps_that_do_not_fit(maps: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        hm.score(maps, "shapes_residual", hm.load_images("shapes", limit=3), "deletion(steps=3)")


def test_one_map_of_one_picture_and_a_map_that_is_undefined() -> None:
    images = hm.load_images("shapes", limit=1)
    assert len(hm.score(np.eye(8), "shapes_residual", images, "deletion(steps=3)")) == 1
    (row,) = hm.score(np.full((8, 8), np.nan), "shapes_residual", images, "deletion(steps=3)").to_dict("records")
    assert np.isnan(row["value"])
    assert row["reason"]


def test_classes_of_given_targets() -> None:
    images = hm.load_images("shapes", limit=2)
    with pytest.raises(ValueError, match="target has 1 classes for 2 pictures"):
        hm.score(np.zeros((2, 4, 4)), "shapes_residual", images, "deletion(steps=3)", target=[1])
    with pytest.raises(ValueError, match="99"):
        hm.score(np.zeros((2, 4, 4)), "shapes_residual", images, "deletion(steps=3)", target=[1, 99])


def test_maps_of_one_class_and_of_several() -> None:
    images = hm.load_images("shapes", limit=2)
    one = hm.explain("shapes_residual", images, ["grad_cam", "random"], layer=["layer2", "layer3"])
    assert {name: maps.shape for name, maps in one.maps.items()} == {
        "grad_cam at layer2": (2, 128, 128),
        "grad_cam at layer3": (2, 128, 128),
        "random at layer2": (2, 128, 128),
        "random at layer3": (2, 128, 128),
    } or {"random"} <= set(one.maps)
    two = hm.explain("shapes_residual", images, ["grad_cam"], target=["circle", "star"])
    assert two.maps["grad_cam"].shape == (2, 2, 128, 128)
    assert two.targets.shape == (2, 2)


def test_an_explanation_shows_and_saves_itself(tmp_path: Path) -> None:
    found = hm.explain("shapes_residual", hm.load_images("shapes", limit=2), ["grad_cam"])
    assert found._repr_png_().startswith(b"\x89PNG")
    assert found._repr_html_().count("<img") == 2
    files = found.save(tmp_path / "maps", style="outline")
    assert {file.suffix for file in files} == {".png", ".pdf", ""}
    assert len(list((tmp_path / "maps" / "maps").glob("*.npy"))) == 2


def test_a_run_shows_itself_and_answers(tmp_path: Path) -> None:
    run = sweep(tmp_path / "run", "grad_cam", "random")
    again = hm.load_run(tmp_path / "run")
    assert repr(again) == f"Run run: 1 model, 2 methods, 1 metric, 4 images ({tmp_path / 'run'})"
    assert "grad_cam" in again._repr_html_()
    board = run.leaderboard("deletion(steps=4)")
    means = run.scores.groupby("method")["value"].mean().sort_values()
    assert board["method"].tolist() == means.index.tolist()
    assert board["mean"].tolist() == pytest.approx(means.tolist())
    compared = run.compare("random", "grad_cam")
    assert compared["difference"].tolist() == pytest.approx([means["grad_cam"] - means["random"]])
    assert (compared["method_a"].item(), compared["method_b"].item()) == ("random", "grad_cam")
    with pytest.raises(ValueError, match="no metric 'deletoin'"):
        run.leaderboard("deletoin")
    with pytest.raises(ValueError, match="did you mean grad_cam"):
        run.compare("grad_cma", "random")
    assert run.report().stat().st_size > 10_000
    assert run.figure("curves").axes
    assert [job.state for job in run.status()] == ["done"]


def test_a_run_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no run"):
        hm.load_run(tmp_path / "nowhere")


class Broken(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return torch.full((len(images), 10), float("nan"))


def test_a_model_that_cannot_run_costs_no_other_anything(tmp_path: Path) -> None:
    images = hm.load_images("shapes", limit=2)
    with pytest.warns(UserWarning, match="Broken on shapes cannot run"):
        run = hm.sweep(
            [Broken(), "shapes_residual"], images, ["random"], ["deletion(steps=3)"], out=tmp_path / "run", **QUICK
        )
    assert rows(run.scores, model="shapes_residual")["value"].notna().sum() == 2 * 5
    assert len(run.errors) == 1
    with pytest.raises(ValueError, match="NaN"):
        hm.sweep(Broken(), images, ["random"], ["deletion(steps=3)"], out=tmp_path / "alone", **QUICK)


def test_two_checkpoints_of_one_name_stand_side_by_side(tmp_path: Path) -> None:
    for seed in (1, 2):
        model = hm.load_model("shapes_residual", weights=None, seed=seed)
        hm.sweep(
            model, hm.load_images("shapes", limit=2), ["random"], ["deletion(steps=3)"], out=tmp_path / "run", **QUICK
        )
    assert hm.load_run(tmp_path / "run").scores["weights"].value_counts().to_dict() == {"random-1": 10, "random-2": 10}


def test_mistakes_are_said_before_anything_runs(tmp_path: Path) -> None:
    for more, said in (({"layers": "layr3"}, "did you mean"), ({"target": "circel"}, "circel"), ({"nope": 1}, "nope")):
        with pytest.raises((ValueError, TypeError), match=said):
            sweep(tmp_path / "run", "grad_cam", **more)
    with pytest.raises(ValueError, match="no model"):
        hm.sweep([], "shapes", "grad_cam", "deletion", out=tmp_path / "run")


def test_the_check_of_a_right_and_of_a_wrong_method() -> None:
    def flipped(model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        return -hm.methods.GradCAM()(model, images, targets, layer)  # type: ignore[no-any-return]

    right, wrong = hm.check("grad_cam"), hm.check(flipped, against="grad_cam")
    assert right.ok
    right.raise_if_red()
    assert not wrong.ok
    with pytest.raises(AssertionError, match="flipped: differs against reference implementation at stage relu"):
        wrong.raise_if_red()
    assert wrong.findings["red"].sum() == len(wrong.red)
    assert "flipped" in wrong._repr_html_()
    with pytest.raises(ValueError, match="against"):
        hm.check(flipped)


def test_the_names_of_the_face() -> None:
    assert hm.available("methods", "*grad_cam_pp") == ["grad_cam_pp", "pgc_grad_cam_pp"]
    with pytest.raises(ValueError, match="did you mean methods"):
        hm.available("method")
    with pytest.raises(AttributeError, match="did you mean load_model"):
        hm.load_modle  # noqa: B018
    with pytest.raises(AttributeError, match="did you mean GradCAM"):
        hm.methods.GradCam  # noqa: B018
    assert all(getattr(hm, name) for name in dir(hm))


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["first_steps.py"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        runpy.run_path(str(ROOT / "docs" / "notebooks" / "first_steps.py"), run_name="__main__")
    run = hm.load_run("runs/first_steps")
    assert not len(run.errors)
    assert {"brightness", "ReversedGradCAM", "grad_cam"} <= set(run.scores["method"])
    assert requests.read(run.path)[0].facts["command"][0] == "python"
