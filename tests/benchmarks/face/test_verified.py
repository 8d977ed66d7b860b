"""Runs verified from Python: with objects of the reader's own, and classes given picture by picture."""

from pathlib import Path

import torch
from torch import Tensor, nn

import heatmark as hm

QUICK = {"batch_size": 4, "timing": False, "progress": False}


def brightness(model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
    return images.mean(1) * (1 + targets.view(-1, 1, 1))


def test_classes_given_picture_by_picture(tmp_path: Path) -> None:
    images = hm.load_images("shapes", limit=3)
    run = hm.sweep(
        "shapes_residual", images, ["grad_cam"], ["deletion(steps=3)"], out=tmp_path / "run", target=[4, 0, 2], **QUICK
    )
    found = run.verify("shapes_residual", images)
    assert found["verdict"].tolist() == ["equal"] * 3


def test_a_method_of_the_readers_own(tmp_path: Path) -> None:
    images = hm.load_images("shapes", limit=2)
    run = hm.sweep(
        "shapes_residual", images, [brightness, "random"], ["deletion(steps=3)"], out=tmp_path / "run", **QUICK
    )
    exported = hm.load_run(run.export(tmp_path / "export"))
    without = exported.verify("shapes_residual", images).set_index("method")["verdict"]
    assert set(without["brightness"]) == {"cannot"}
    assert set(without["random"]) == {"equal"}
    found = exported.verify("shapes_residual", images, methods=[brightness])
    assert set(found["verdict"]) == {"equal"}


def test_one_weight_changed_deviates_by_its_size(tmp_path: Path) -> None:
    images = hm.load_images("shapes", limit=2)
    model = hm.load_model("shapes_residual")
    run = hm.sweep(model, images, ["grad_cam"], ["deletion(steps=3)"], out=tmp_path / "run", **QUICK)
    with torch.no_grad():
        next(model.module.parameters())[0, 0, 0, 0] += 1
    found = run.verify(model, images)
    assert found["verdict"].tolist() == ["deviates"] * 2
    assert (found["difference"] > 1e-6).all()
