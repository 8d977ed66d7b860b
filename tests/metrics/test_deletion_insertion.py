"""Tests of deletion and insertion, against closed forms and against RISE's code."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from heatmark.metrics.deletion import Deletion
from heatmark.metrics.insertion import Insertion

SHARED = Path(__file__).parents[3] / "shared" / "data"


def test_by_hand_on_four_pixels(additive, make_batch):
    # q falls 1 → 0.6 → 0.3 → 0.1 → 0 as the pixels go, and rises 0 → 0.4 → 0.7 → 0.9 → 1 as they come.
    weights = torch.tensor([[0.4, 0.3], [0.2, 0.1]])
    batch = make_batch(additive(weights), torch.ones(1, 3, 2, 2), torch.tensor([[[9.0, 5.0], [1.0, -3.0]]]))
    deleted = Deletion(steps=4).path.curve(batch)
    assert deleted.x.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert deleted.y[0].tolist() == pytest.approx([1, 0.6, 0.3, 0.1, 0], abs=1e-7)
    assert Deletion(steps=4)(batch).values.item() == pytest.approx((0.5 + 0.6 + 0.3 + 0.1 + 0) / 4, abs=1e-7)
    assert Insertion(steps=4, baseline="zero")(batch).values.item() == pytest.approx(
        (0 + 0.4 + 0.7 + 0.9 + 0.5) / 4, abs=1e-7
    )
    # The preset takes a row's worth of pixels, two, a step.
    assert Deletion().path.curve(batch).y[0].tolist() == pytest.approx([1, 0.3, 0], abs=1e-7)
    assert Deletion()(batch).values.item() == pytest.approx(0.4, abs=1e-7)


@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 6))
def test_closed_form_on_an_additive_model(additive, make_batch, seed, height, width):
    # One pixel a step: ∫ p = Σ_i w_i (rank_i + 1/2) / n for deletion, Σ_i w_i (n − rank_i − 1/2) / n for insertion.
    generator = torch.Generator().manual_seed(seed)
    weights = torch.rand(height, width, generator=generator)
    weights /= weights.sum()
    maps = torch.randn(1, height, width, generator=generator)
    batch = make_batch(additive(weights), torch.ones(1, 3, height, width), maps)
    n = height * width
    ranks = (maps.flatten()[None] > maps.flatten()[:, None]).sum(1)
    expected = (weights.flatten() * (ranks + 0.5)).sum().item() / n
    assert Deletion(steps=n)(batch).values.item() == pytest.approx(expected, abs=1e-5)
    assert Insertion(steps=n, baseline="zero")(batch).values.item() == pytest.approx(1 - expected, abs=1e-5)


def test_faithful_map_beats_its_opposite(additive, make_batch):
    weights = torch.arange(16.0).view(4, 4) / 120
    good = make_batch(additive(weights), torch.ones(1, 3, 4, 4), weights[None])
    bad = make_batch(additive(weights), torch.ones(1, 3, 4, 4), -weights[None])
    assert Deletion()(good).values < Deletion()(bad).values
    assert Insertion()(good).values > Insertion()(bad).values
    assert not Deletion.higher_is_better
    assert Insertion.higher_is_better


@settings(max_examples=30)
@given(
    st.lists(st.integers(-50, 50), min_size=16, max_size=16),
    st.sampled_from([torch.exp, torch.arctan, lambda m: 3 * m - 7, lambda m: m**3, lambda m: m / 1e20]),
)
def test_only_the_order_of_a_map_counts(additive, make_batch, values, monotone):
    weights = torch.arange(16.0).view(4, 4) / 120
    maps = torch.tensor(values, dtype=torch.float64).view(1, 4, 4) / 10
    batch = make_batch(additive(weights), torch.ones(1, 3, 4, 4), maps)
    transformed = make_batch(additive(weights), torch.ones(1, 3, 4, 4), monotone(maps))
    for metric in (Deletion(steps=8), Insertion(steps=8)):
        assert torch.equal(metric(batch).values, metric(transformed).values)


@pytest.mark.parametrize(("preset", "ties"), [("rise-2018", None), ("heatmark-1", "raster")])
def test_a_constant_map_goes_row_by_row_in_raster_order(additive, make_batch, preset, ties):
    weights = torch.tensor([[0.7, 0.1], [0.15, 0.05]])
    batch = make_batch(additive(weights), torch.ones(1, 3, 2, 2), torch.full((1, 2, 2), 5.0))
    metric = Deletion(steps=4, preset=preset, ties=ties)
    assert metric.path.curve(batch).y[0].tolist() == pytest.approx([1, 0.3, 0.2, 0.05, 0], abs=1e-6)
    turned = Deletion(steps=4, ties="reversed").path.curve(batch).y[0].tolist()
    assert turned == pytest.approx([1, 0.95, 0.8, 0.7, 0], abs=1e-6)


def small_network():
    """A ResNet-18 whose random head is sharp enough for probabilities to move along a curve."""
    models = pytest.importorskip("torchvision.models")
    torch.manual_seed(0)
    model = models.resnet18(weights=None, num_classes=10).eval()
    torch.nn.init.normal_(model.fc.weight, std=0.5)
    images = torch.randn(2, 3, 48, 48, generator=torch.Generator().manual_seed(1))
    images += torch.tensor([-1.0, 2.0]).view(2, 1, 1, 1)
    return model, images


def squeezenet():
    """The trained SqueezeNet on two real photographs, at a quarter of their usual area."""
    safetensors = pytest.importorskip("safetensors.torch")
    if not (SHARED / "squeezenet1_1_imagenet.safetensors").exists():
        pytest.skip("../shared/data with the trained SqueezeNet is absent")
    from PIL import Image
    from torchvision.models import squeezenet1_1
    from torchvision.transforms import functional as F

    model = squeezenet1_1(weights=None).eval()
    state = safetensors.load_file(SHARED / "squeezenet1_1_imagenet.safetensors")
    model.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    files = sorted((SHARED / "imagenet-sample").iterdir())[:2]
    pictures = [F.to_tensor(F.center_crop(F.resize(Image.open(f).convert("RGB"), 112), [112, 112])) for f in files]
    return model, F.normalize(torch.stack(pictures), [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


def rise_curve(model, image, saliency, target, mode, rows):
    """CausalMetric.single_run of RISE, as its paper and code define it: one image, one step at a time, in numpy."""
    height, width = image.shape[1:]
    step, pixels = rows * width, height * width
    x = image[None].numpy().reshape(3, pixels)
    if mode == "del":
        start, finish = x.copy(), np.zeros_like(x)
    else:
        delta = np.zeros((11, 11))
        delta[5, 5] = 1
        kernel = gaussian_filter(delta, 5)
        padded = np.pad(x.reshape(3, height, width).astype(np.float64), ((0, 0), (5, 5), (5, 5)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (11, 11), axis=(1, 2))
        start, finish = (windows * kernel).sum(axis=(-1, -2)).reshape(3, pixels).astype(np.float32), x
    order = np.argsort(-saliency.numpy().ravel(), kind="stable")
    scores = []
    for i in range((pixels + step - 1) // step + 1):
        with torch.no_grad():
            logits = model(torch.from_numpy(start.reshape(1, 3, height, width)))
        scores.append(torch.softmax(logits, dim=1)[0, target].item())
        coordinates = order[step * i : step * (i + 1)]
        start[:, coordinates] = finish[:, coordinates]
    scores = np.array(scores)
    return scores, (scores.sum() - scores[0] / 2 - scores[-1] / 2) / (len(scores) - 1)


@pytest.mark.parametrize(("mode", "cls"), [("del", Deletion), ("ins", Insertion)])
@pytest.mark.parametrize(("build", "rows"), [(small_network, 1), (squeezenet, 4)])
def test_equals_a_plain_loop_of_rise_on_a_real_network(make_batch, build, rows, mode, cls):
    model, images = build()
    metric = cls(preset="rise-2018", steps=None if rows == 1 else images.shape[2] // rows)
    with torch.no_grad():
        targets = model(images).argmax(1)
    coarse = torch.randn(2, 1, 7, 7, generator=torch.Generator().manual_seed(2))
    maps = torch.nn.functional.interpolate(coarse, images.shape[2:], mode="bilinear")[:, 0]
    maps[0] = maps[0].relu()  # half of it ties, as in every CAM
    batch = make_batch(model, images, maps, targets.tolist(), batch_size=16)
    curves = metric.path.curve(batch)
    values = metric.summarise(curves).values
    assert (curves.y.amax(1) - curves.y.amin(1)).max() > 0.2
    for n in range(2):
        scores, auc = rise_curve(model, images[n], maps[n], int(targets[n]), mode, rows)
        assert np.abs(curves.y[n].numpy() - scores).max() < 1e-5
        assert values[n].item() == pytest.approx(auc, abs=1e-5)


def test_ends_are_the_plain_forwards_of_image_and_baseline_and_order_of_images_is_free(make_batch):
    from heatmark.common.baselines import blur

    model, images = small_network()
    targets, maps = [3, 1], torch.randn(2, 48, 48, generator=torch.Generator().manual_seed(5))
    batch = make_batch(model, images, maps, targets)
    with torch.no_grad():
        plain, zeros, blurred = (model(x).softmax(1) for x in (images, torch.zeros_like(images), blur(images)))
    deleted, inserted = Deletion(steps=3).path.curve(batch).y, Insertion(steps=3).path.curve(batch).y
    for n, target in enumerate(targets):
        assert deleted[n, 0].item() == pytest.approx(plain[n, target].item(), abs=1e-5)
        assert deleted[n, -1].item() == pytest.approx(zeros[n, target].item(), abs=1e-5)
        assert inserted[n, 0].item() == pytest.approx(blurred[n, target].item(), abs=1e-5)
        assert inserted[n, -1].item() == pytest.approx(plain[n, target].item(), abs=1e-5)
    turned = make_batch(model, images.flip(0), maps.flip(0), targets[::-1], batch_size=5)
    assert torch.allclose(Deletion(steps=3).path.curve(turned).y.flip(0), deleted, atol=1e-5)


def test_the_preset_takes_one_row_a_step_on_images_that_are_not_square(additive, make_batch):
    weights = torch.full((2, 5), 0.1)
    batch = make_batch(additive(weights), torch.ones(1, 3, 2, 5), weights[None])
    assert Deletion().path.curve(batch).x.tolist() == [0, 0.5, 1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"baseline": "zeros"}, "unknown baseline 'zeros': did you mean zero\\?"),
        ({"preset": "rise"}, "unknown preset 'rise': did you mean rise-2018\\?"),
        ({"ties": "rasta"}, "unknown order of ties 'rasta': did you mean raster\\?"),
        ({"rule": "means"}, "unknown rule 'means': did you mean mean\\?"),
        ({"tie_orders": -1}, "tie_orders=-1, expected a whole number from 0"),
        ({"steps": 0}, "steps=0, expected a whole number from 1"),
        ({"steps": 2.5}, "steps=2.5, expected a whole number"),
    ],
)
@pytest.mark.parametrize("metric", [Deletion, Insertion])
def test_wrong_options_name_what_is_right(metric, options, message):
    with pytest.raises(ValueError, match=message):
        metric(**options)
