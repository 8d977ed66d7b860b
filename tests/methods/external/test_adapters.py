"""Tests of what all adapters have in common: no side effects, and maps that do not depend on the batch."""

import copy
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

CONF = Path(__file__).parents[3] / "conf" / "method"
FILES = sorted([*CONF.glob("pgc_*.yaml"), *CONF.glob("captum_*.yaml")])
NAMES = [path.stem for path in FILES]
EXPANDING = [path.stem for path in FILES if "batch_size:" in path.read_text()]
LAYER = "3"


def everything(model):
    """Return all of a model's state that a library could change, in comparable form."""
    modules = [
        (name, id(module), {k: list(v.items()) if isinstance(v, dict) else v for k, v in vars(module).items()})
        for name, module in model.named_modules()
    ]
    parameters = [
        (id(p), p.requires_grad, id(p.grad), None if p.grad is None else p.grad.tolist()) for p in model.parameters()
    ]
    return modules, parameters


def randomness():
    return (
        random.getstate(),
        np.random.get_state()[1].tolist(),
        np.random.get_state()[2],
        torch.get_rng_state().tolist(),
    )


def in_odd_state(model):
    """A model in an unusual state, so that a reset to the usual state is detected."""
    model.train()
    model[0].eval()
    model[0].weight.requires_grad_(False)
    model[3].weight.grad = torch.ones_like(model[3].weight)
    model[3].register_forward_hook(lambda *_: None)
    return model


@pytest.mark.parametrize("name", NAMES)
def test_leaves_nothing_behind(name, method, net, images, targets):
    model = in_odd_state(net)
    before, state, pixels = everything(model), randomness(), images.clone()
    with torch.no_grad():
        maps = method(name)(model, images, targets, LAYER)
        assert not torch.is_grad_enabled()
    assert everything(model) == before
    assert randomness() == state
    assert torch.equal(images, pixels)
    assert not images.requires_grad
    assert images.grad is None
    assert not maps.requires_grad


class Breaks(nn.Module):
    """Passes its input on a few times, then fails in the forward pass, or fails in the backward pass."""

    def __init__(self, after):
        super().__init__()
        self.after = after
        self.calls = [0]  # a list, so that counting is no change of an attribute

    def forward(self, x):
        self.calls[0] += 1
        if self.calls[0] > self.after:
            raise RuntimeError("broken on purpose")
        if x.requires_grad:
            x.register_hook(self.fail)
        return x

    def fail(self, _):
        raise RuntimeError("broken on purpose")


@pytest.mark.parametrize("name", NAMES)
def test_leaves_nothing_behind_when_it_fails_midway(name, method, net, images, targets):
    after = 0 if name in ("pgc_eigen_cam", "pgc_kpca_cam", "pgc_fem") else 1
    model = in_odd_state(nn.Sequential(*net, Breaks(after)))
    before, state = everything(model), randomness()
    with pytest.raises(RuntimeError, match="broken on purpose"):
        method(name)(model, images, targets, LAYER)
    assert everything(model) == before
    assert randomness() == state
    assert not images.requires_grad
    assert images.grad is None
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("name", NAMES)
def test_a_map_alone_equals_the_one_in_a_batch(name, method, net, images, targets):
    explain = method(name)
    together = explain(net, images, targets, LAYER)
    alone = torch.cat([explain(net, images[i : i + 1], targets[i : i + 1], LAYER) for i in (2, 0, 1)])[[1, 2, 0]]
    assert together.abs().max() > 0
    torch.testing.assert_close(alone, together, rtol=1e-5, atol=1e-5 * float(together.abs().max()))


@pytest.mark.parametrize("name", EXPANDING)
def test_batch_size_changes_no_number(name, method, net, images, targets):
    three, sixteen = (method(name, batch_size=size)(net, images, targets, LAYER) for size in (3, 16))
    torch.testing.assert_close(three, sixteen, rtol=1e-5, atol=1e-5 * float(three.abs().max()))


@pytest.mark.parametrize("name", NAMES)
def test_draws_no_progress_and_gives_no_advice(name, method, net, images, targets, capfd, recwarn):
    method(name)(net, images, targets, LAYER)
    out, err = capfd.readouterr()
    assert out + err == ""
    assert [str(w.message) for w in recwarn if "captum" in w.filename or "grad_cam" in w.filename] == []


@pytest.mark.parametrize("name", NAMES)
def test_takes_a_frozen_model(name, method, net, images, targets):
    frozen = copy.deepcopy(net).requires_grad_(False)
    expected = method(name)(net, images, targets, LAYER)
    torch.testing.assert_close(method(name)(frozen, images, targets, LAYER), expected)


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("pgc_")])
def test_tokens_become_a_grid(name, method, vit, images, targets):
    layer, explain = "encoder.layers.encoder_layer_1.ln_1", method(name)
    reason = explain.unsupported(vit, layer)
    assert (reason is not None) == (name == "pgc_shapley_cam")
    if reason is None:
        maps = explain(vit, images, targets, layer)
        assert maps.shape == (3, 6, 6)
        assert maps.isfinite().all()
        assert maps.std() > 0
