"""Tests that CPU and CUDA give the same maps, curves and table; run with ``pytest -m gpu`` on a CUDA device."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import nn

from heatmark.benchmarks.cli import dispatch
from heatmark.benchmarks.machine.devices import autocast
from heatmark.benchmarks.models.sources import torchvision_model
from heatmark.methods.base import Method
from heatmark.metrics.base import Explained
from heatmark.metrics.deletion import Deletion

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device is visible to PyTorch"),
]

CONF = Path(__file__).parents[1] / "conf" / "method"
OURS = [
    "grad_cam",
    "grad_cam_pp",
    "xgrad_cam",
    "hires_cam",
    "layer_cam",
    "eigen_cam",
    "ablation_cam",
    "score_cam",
    "random",
]


def method(name: str) -> Method:
    config = OmegaConf.load(CONF / f"{name}.yaml")[name]
    return instantiate(OmegaConf.merge({"seed": 0}, {"method": config}).method, _convert_="all")


@pytest.fixture(autouse=True)
def exact() -> Iterator[None]:
    """Compute as a sweep in fp32 does: without TF32, which rounds products to ten bits."""
    with autocast(nn.Identity(), "fp32"):
        yield


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("model", ["resnet18", "vgg16"])
def test_maps_agree_to_1e4_of_their_largest_value(model: str, name: str) -> None:
    classifier = torchvision_model(model, weights=None)
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([3, 7])
    layer = {"resnet18": "layer4", "vgg16": "features.28"}[model]
    on_cpu = method(name)(classifier.module, images, targets, layer)
    on_gpu = method(name)(classifier.module.cuda(), images.cuda(), targets.cuda(), layer).cpu()
    assert (on_cpu - on_gpu).abs().max() <= 1e-4 * on_cpu.abs().max()


def test_curves_agree() -> None:
    classifier = torchvision_model("resnet18", weights=None)
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    maps = torch.rand(2, 64, 64, generator=torch.Generator().manual_seed(1))
    targets = torch.tensor([3, 7])

    def deletion(device: str) -> torch.Tensor:
        model = classifier.module.to(device)
        given = (tensor.to(device) for tensor in (images, targets, maps))
        return Deletion(steps=8)(Explained(model, *given, None, lambda *_: maps)).values.cpu()

    torch.testing.assert_close(deletion("cuda"), deletion("cpu"), rtol=1e-4, atol=1e-6)


def test_a_sweep_on_the_gpu_records_its_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = (
        "dataset.limit=4",
        "metric.deletion.steps=4",
        "metric.insertion.steps=4",
        "method=[grad_cam,random]",
        "name=t",
    )
    assert dispatch(["sweep", "device=cuda", *options]) == 0
    timing = pd.read_parquet(tmp_path / "results" / "runs" / "t" / "timing.parquet")
    assert timing["device"].eq(torch.cuda.get_device_name()).all()
    assert (timing["peak_memory_mib"] > 0).any()
