"""Contract tests of every method in conf/method, in-house or a library's; a new yaml is found automatically."""

import copy
import dataclasses
from contextlib import nullcontext
from functools import cache
from importlib.resources import files

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor, nn

from heatmark.benchmarks.machine.devices import autocast
from heatmark.methods.base import Method

CONFIGS = sorted(
    (f for f in files("heatmark.conf").joinpath("method").iterdir() if f.name.endswith(".yaml")), key=lambda f: f.name
)
NAMES = [config.name.removesuffix(".yaml") for config in CONFIGS]
SMALL = {"masks": 24, "n_steps": 8, "n_superpixels": 12, "window": 8, "stride": 4}
LAYER = "features.3"


class TinyNet(nn.Module):
    """Convolutions, batch norm, a ReLU module for every use, a linear head."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
        )
        self.pool = nn.AdaptiveAvgPool2d(2)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(32, 5)
        nn.init.normal_(self.fc.weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.flatten(self.pool(self.features(x))))


@cache
def config_of(name: str):
    config = OmegaConf.create(
        {"seed": 0, **OmegaConf.load(str(files("heatmark.conf").joinpath("method", f"{name}.yaml")))}
    )
    options = config[name]
    for option, value in SMALL.items():
        if isinstance(options.get(option), int):
            options[option] = value
    if "layers" in options:
        options["layers"] = ["features.5"]
    return config


def method_of(name: str) -> Method:
    return instantiate(config_of(name)[name])


@pytest.fixture(scope="module")
def case():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = TinyNet()
        images = torch.randn(3, 3, 16, 24)
    model.train()
    model.features.eval()
    model.fc.weight.grad = torch.ones_like(model.fc.weight)
    model.features[0].bias.requires_grad_(False)
    return model, images, torch.tensor([3, 0, 1])


def explain(name, model, images, targets):
    method = method_of(name)
    layer = "input" if method.explains == "input" else LAYER
    reason = method.unsupported(model, layer)
    if reason is not None:
        pytest.skip(reason)
    return method(model, images, targets, layer)


@cache
def _maps_of(name, case):
    return explain(name, *case)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_a_frozen_method_under_its_own_name(name):
    assert list(config_of(name)) == ["seed", name]
    method = method_of(name)
    assert isinstance(method, Method)
    assert type(method).__dataclass_params__.frozen
    assert method.explains in ("layer", "input")
    assert method.implementation in ("heatmark", "pytorch_grad_cam", "captum")
    assert {f.name for f in dataclasses.fields(method)} >= set(config_of(name)[name]) - {
        "_target_",
        "_convert_",
        "_args_",
    }
    if "seed" in {f.name for f in dataclasses.fields(method)}:
        assert "${seed}" in files("heatmark.conf").joinpath("method", f"{name}.yaml").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_maps_are_real_numbers_that_tell_places_apart(name, case):
    maps = _maps_of(name, case)
    assert maps.ndim == 3
    assert len(maps) == 3
    assert maps.shape[1] > 1
    assert maps.shape[2] > 1
    assert maps.is_floating_point()
    assert not maps.requires_grad
    assert not maps.isinf().any()
    flat = maps.flatten(1)
    assert (flat.amax(dim=1) > flat.amin(dim=1)).any(), "at least one image has a map that is not constant"


@pytest.mark.parametrize("name", NAMES)
def test_batches_change_nothing(name, case):
    maps, (model, images, targets) = _maps_of(name, case), case
    alone = explain(name, model, images[1:2], targets[1:2])
    permuted = explain(name, model, images[[2, 0, 1]], targets[[2, 0, 1]])
    size = maps.nan_to_num().abs().max()
    for other, same in ((alone, maps[1:2]), (permuted, maps[[2, 0, 1]])):
        torch.testing.assert_close(other, same, rtol=1e-4, atol=1e-5 * float(size), equal_nan=True)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("broken", [False, True], ids=["works", "fails"])
def test_nothing_is_left_behind(name, case, broken):
    model, images, targets = case
    handle = model.fc.register_forward_pre_hook(_fail) if broken else None
    before = _state(model, images, targets)
    try:
        explain(name, model, images, targets)
    except ZeroDivisionError:
        pass
    finally:
        after = _state(model, images, targets)
        if handle is not None:
            handle.remove()
    assert after == before


@pytest.mark.parametrize("name", NAMES)
def test_it_repeats_itself_whatever_the_global_random_state(name, case):
    maps, model = _maps_of(name, case), case[0]
    torch.manual_seed(12345)
    again = explain(name, model, *case[1:])
    torch.testing.assert_close(again, maps, rtol=1e-5, atol=1e-6 * float(maps.nan_to_num().abs().max()), equal_nan=True)


OURS = [name for name in NAMES if not name.startswith(("pgc_", "captum_"))]
SMOOTH = [name for name in OURS if not name.startswith("greedy_")]
"""A search compares scores, so that rounding may change its order as a whole."""


@pytest.mark.parametrize("name", SMOOTH)
def test_half_precision_moves_a_map_little(name, case):
    """Products in bfloat16, which keeps eight bits, move no map of ours by more than a tenth; sums stay float32."""
    model, images, targets = case
    with autocast(model, "bf16"):
        half = explain(name, model, images, targets)
    whole = explain(name, model, images, targets)
    assert half.dtype == torch.float32
    assert (half - whole).abs().max() <= 0.1 * whole.abs().max()


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 0.1), (torch.float16, 0.01)])
def test_a_model_in_half_precision_gives_float32_maps_near_those_of_the_whole_one(name, case, dtype, tolerance):
    """``model.half()``: weights, images and what a layer gives keep 8 or 11 bits; what a method sums is float32.

    The whole model has the same rounded weights, and sees the same rounded images.
    """
    model, images, targets = case
    half = copy.deepcopy(model).to(dtype)
    maps = explain(name, half, images.to(dtype), targets)
    whole = explain(name, copy.deepcopy(half).float(), images.to(dtype).float(), targets)
    assert maps.dtype == torch.float32
    assert (maps - whole).abs().max() <= tolerance * whole.abs().max()


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("what", ["model", "images and targets", "all", "nothing"])
def test_tensors_made_in_inference_mode_change_no_number_and_stay_what_they_are(name, case, what, inside):
    model, images, targets = copy.deepcopy(case[0]), *case[1:]
    with torch.inference_mode():
        if what in ("images and targets", "all"):
            images, targets = images.clone(), targets.clone()
    if what in ("model", "all"):
        _made_in_inference_mode(model)
    before = _state(model, images, targets)
    with torch.inference_mode() if inside else nullcontext():
        maps = explain(name, model, images, targets)
    assert torch.equal(maps, _maps_of(name, case))
    assert _state(model, images, targets) == before
    assert all(t.is_inference() == (what in ("model", "all")) for t in [*model.parameters(), *model.buffers()])


@pytest.mark.parametrize("name", OURS)
def test_no_image_gives_no_map(name, case):
    model, images, targets = case
    maps = explain(name, model, images[:0], targets[:0])
    assert maps.shape == (0, *_maps_of(name, case).shape[1:])
    assert maps.dtype == torch.float32


def _made_in_inference_mode(model: nn.Module) -> None:
    """Put inference tensors in the place of all parameters and buffers, as a model built or loaded there has them."""
    with torch.inference_mode():
        for module in model.modules():
            for key, parameter in module._parameters.items():
                if parameter is not None:
                    made = nn.Parameter(parameter.detach().clone(), parameter.requires_grad)
                    module._parameters[key] = made
            for key, buffer in module._buffers.items():
                module._buffers[key] = None if buffer is None else buffer.clone()


def _fail(_module: nn.Module, _inputs: object) -> None:
    raise ZeroDivisionError


def _state(model: nn.Module, images: Tensor, targets: Tensor) -> list[object]:
    """Take down all that a method could leave behind."""
    modules = [
        (
            name,
            id(m),
            m.training,
            sorted(vars(m)),
            *(list(hooks) for hooks in (m._forward_hooks, m._forward_pre_hooks)),
            list(m._backward_hooks),
            list(m._backward_pre_hooks),
            getattr(m, "inplace", None),
        )
        for name, m in model.named_modules()
    ]
    tensors = [*model.named_parameters(), *model.named_buffers(), ("images", images), ("targets", targets)]
    values = [
        (name, id(t), t.requires_grad, t.tolist(), None if t.grad is None else t.grad.tolist()) for name, t in tensors
    ]
    process = [torch.get_rng_state().tolist(), torch.is_grad_enabled(), torch.is_inference_mode_enabled()]
    return [modules, values, process]
