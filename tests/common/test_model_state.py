"""Tests of the contexts that restore a model's state."""

import random
from threading import Thread

import numpy as np
import pytest
import torch
from torch import nn

from heatmark.common.model_state import evaluating, observing, outside_inference, untouched


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(inplace=True), nn.Sequential(nn.BatchNorm2d(2), nn.ReLU()))
    model[2].eval()
    model[0].bias.requires_grad_(False)
    model[0].weight.grad = torch.full_like(model[0].weight, 3.0)
    return model


def vandalise(model):
    """Change a model in all ways that pytorch-grad-cam and Captum are known to, and more."""
    model.eval()
    model._modules["1"].inplace = False
    model._modules["1"] = nn.ReLU()
    model[2]._modules["1"] = nn.Identity()
    model[0].input = torch.zeros(1)
    del model[0].stride
    model[2].register_forward_hook(lambda *_: None)
    model[2].register_forward_pre_hook(lambda *_: None)
    model[0].register_full_backward_hook(lambda *_: None)
    model[0].register_buffer("extra", torch.zeros(1))
    model.requires_grad_(False)
    model[0].bias.requires_grad_(True)
    model.zero_grad()
    model[0].weight.grad = torch.zeros_like(model[0].weight)
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    torch.set_grad_enabled(False)


@pytest.mark.parametrize("fails", [False, True])
def test_untouched_gives_back_what_it_was_lent(model, fails):
    grad, relu, inner = model[0].weight.grad, model[1], model[2][1]
    kept = []
    hook = model[2].register_forward_hook(lambda *_: kept.append("kept"))
    draws = random.getstate(), np.random.get_state(), torch.get_rng_state()
    expected = random.random(), np.random.rand(), torch.rand(1)
    random.setstate(draws[0])
    np.random.set_state(draws[1])
    torch.set_rng_state(draws[2])

    try:
        with untouched(model):
            vandalise(model)
            if fails:
                raise KeyError("on purpose")
    except KeyError:
        assert fails

    assert torch.is_grad_enabled()
    assert (random.random(), np.random.rand(), torch.rand(1)) == expected
    assert [module.training for module in model.modules()] == [True, True, True, False, False, False]
    assert model[1] is relu
    assert relu.inplace
    assert model[2][1] is inner
    assert not hasattr(model[0], "input")
    assert model[0].stride == (1, 1)
    assert model[0].weight.requires_grad
    assert not model[0].bias.requires_grad
    assert model[0].weight.grad is grad
    assert torch.equal(grad, torch.full_like(grad, 3.0))
    assert list(model.state_dict()) == [f"0.{n}" for n in ("weight", "bias")] + [
        f"2.0.{n}" for n in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    ]
    model(torch.randn(1, 3, 4, 4))
    assert kept == ["kept"]
    hook.remove()
    assert not model[2]._forward_hooks


def test_inside_untouched_gradients_do_not_add_to_the_callers(model):
    with torch.no_grad(), untouched(model):
        assert not any(module.training for module in model.modules())
        assert model[0].weight.grad is None
        model(torch.randn(2, 3, 4, 4)).sum().backward()
        assert model[0].weight.grad is not None
    assert torch.equal(model[0].weight.grad, torch.full_like(model[0].weight, 3.0))


def test_untouched_leaves_inference_mode(model):
    with torch.inference_mode():
        with untouched(model):
            assert torch.is_grad_enabled()
            assert not torch.is_inference_mode_enabled()
        assert torch.is_inference_mode_enabled()


def test_evaluating_gives_every_module_its_own_flag(model):
    try:
        with evaluating(model):
            assert not any(module.training for module in model.modules())
            raise KeyError("on purpose")
    except KeyError:
        pass
    assert [module.training for module in model.modules()] == [True, True, True, False, False, False]


@pytest.mark.parametrize("fails", [False, True])
def test_inference_tensors_are_lent_as_copies_shared_as_they_are(fails):
    with torch.inference_mode():
        model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.BatchNorm1d(2))
        model[1].weight = model[0].weight
        model.scale = torch.ones(2)
    model[0].bias = nn.Parameter(torch.zeros(2))
    found = [*model.parameters(), *model.buffers(), model.scale]
    try:
        with outside_inference(model):
            assert not any(t.is_inference() for t in [*model.parameters(), *model.buffers(), model.scale])
            assert model[1].weight is model[0].weight
            assert isinstance(model[1].weight, nn.Parameter)
            assert model[0].bias is found[1], "no inference tensor: no copy"
            assert torch.equal(model[0].weight, found[0])
            if fails:
                raise KeyError("on purpose")
    except KeyError:
        assert fails
    for now, before in zip([*model.parameters(), *model.buffers(), model.scale], found, strict=True):
        assert now is before


@pytest.mark.parametrize("context", [observing, untouched])
@pytest.mark.parametrize("other", [observing, untouched])
def test_a_second_thread_waits(model, context, other):
    """Otherwise its hooks would see the first thread's images, and it would restore the first thread's flags."""

    def explain():
        with other(model), other(model):
            done.append(model.training)

    done, thread = [], Thread(target=explain, daemon=True)
    with context(model):
        thread.start()
        thread.join(timeout=0.2)
        assert not done
    thread.join()
    assert done == [False]
    assert model.training


class Stubborn(nn.Module):
    def train(self, mode=True):
        if not mode:
            raise KeyboardInterrupt
        return super().train(mode)


def test_flags_come_back_where_the_model_fails_to_change_them():
    model = nn.Sequential(nn.Dropout(), Stubborn(), nn.Dropout())
    with pytest.raises(KeyboardInterrupt), evaluating(model):
        raise AssertionError("not reached")
    assert all(module.training for module in model.modules())
