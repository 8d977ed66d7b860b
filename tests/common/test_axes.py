"""Tests of how the layout of a layer's output is found: by token_layout, by the layer's type, or by a trace."""

import pytest
import torch
from torch import Tensor, nn
from torchvision import models
from torchvision.ops import Permute

from heatmark.common.axes import gives_channels_first, stated
from heatmark.common.features import FeatureLayout, TokenLayout
from heatmark.common.trace import following, pictures, trace
from heatmark.methods.ablation_cam import AblationCAM
from heatmark.methods.engine.capture import activations_at, capture, layout_at
from heatmark.methods.grad_cam import GradCAM


class Classifier(nn.Module):
    """A layer, followed by the mean of each of its channels (dimension ``channel_dim``) as logits."""

    def __init__(self, layer: nn.Module, channel_dim: int = 1) -> None:
        super().__init__()
        self.layer, self.channel_dim = layer, channel_dim

    def forward(self, x: Tensor) -> Tensor:
        y = self.layer(x).movedim(self.channel_dim, 1)
        return y.flatten(2).mean(dim=2)


class Last(nn.Module):
    """A convolution whose output is permuted to (N, h, w, C), as in SAM's patch embedding."""

    def __init__(self, out: int = 5, twice: bool = False, contiguous: bool = False) -> None:
        super().__init__()
        self.conv, self.twice, self.contiguous = nn.Conv2d(3, out, 4, stride=4), twice, contiguous

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        y = torch.cat([y, 2 * y], dim=1) if self.twice else y
        y = y.permute(0, 2, 3, 1)
        return y.contiguous() if self.contiguous else y


class Flat(nn.Module):
    """Convolution and ``nn.Flatten(2)``: (N, C, hw)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv, self.flat = nn.Conv2d(3, channels, 4, stride=4), nn.Flatten(2)
        self.fc = nn.Linear(channels, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.flat(self.conv(x)).square().mean(dim=2))


def seeded(make, *args, **options):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make(*args, **options).eval()


def noise(*size, n=1):
    return torch.randn(n, 3, *size, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize(
    ("name", "layer", "size", "grid"),
    [
        ("efficientnet_b0", "features.2", (126, 168), (32, 42)),
        ("efficientnet_b0", "features.2.1.stochastic_depth", (126, 168), (32, 42)),
        ("mobilenet_v2", "features.3", (126, 168), (32, 42)),
        ("mnasnet1_0", "layers.8", (126, 168), (32, 42)),
        ("efficientnet_v2_s", "features.2", (255, 340), (64, 85)),
    ],
)
def test_channels_that_would_fit_the_image_are_no_rows(name, layer, size, grid):
    """24 x 32 x 42 at 126 x 168 pixels: (24, 32) has the image's aspect exactly, (32, 42) only nearly."""
    model, images = seeded(models.get_model, name, weights=None), noise(*size)
    seen = []
    handle = model.get_submodule(layer).register_forward_hook(lambda _m, _i, output: seen.append(output.clone()))
    with torch.no_grad():
        model(images)
    handle.remove()
    assert seen[0].shape[2:] == grid
    assert torch.equal(activations_at(model, images, layer), seen[0])


def test_where_the_image_changes_the_map_does(batch):
    """A changed patch of the image changes the map at its place, for each possible layout of a layer's output."""
    for layer, dim in ((Last(), 3), (Last(4, twice=True), 3), (Last(4, True, True), 3), (nn.Conv2d(3, 5, 4, 4), 1)):
        model, images = Classifier(layer, dim), torch.zeros(1, 3, 12, 16)
        images[:, :, 8:12, 4:8] = torch.linspace(-1, 1, 4)
        change = activations_at(model, images, "layer") - activations_at(model, 0 * images, "layer")
        assert change[0].abs().amax(dim=0).nonzero().tolist() == [[2, 1]]


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (nn.Conv2d(3, 7, 1), True),
        (nn.BatchNorm2d(7), True),
        (nn.GroupNorm(1, 7), True),
        (nn.AdaptiveAvgPool2d(7), True),
        (nn.LayerNorm(7), False),
        (nn.Linear(7, 7), False),
        (nn.Identity(), False),
        (nn.ReLU(), False),
        (Permute([0, 2, 3, 1]), False),
        (nn.Sequential(nn.Conv2d(3, 7, 1), nn.LayerNorm(7)), False),
        (nn.Sequential(nn.LayerNorm(7), Permute([0, 3, 1, 2]), nn.Conv2d(7, 7, 1), nn.ReLU(), nn.Dropout()), True),
        (nn.Sequential(nn.Conv2d(3, 7, 1), Permute([0, 2, 3, 1]), nn.ReLU()), False),
        (nn.Sequential(nn.Conv2d(3, 7, 1), nn.Sequential(nn.ReLU(), nn.Identity())), True),
        (nn.Sequential(), False),
        (models.convnext.LayerNorm2d(7), False),
    ],
    ids=repr,
)
def test_what_a_layer_is_says_that_channels_are_first_or_nothing(layer, expected):
    assert gives_channels_first(Classifier(layer), "layer", torch.empty(1, 7, 7, 7)) == expected


def test_what_works_on_each_number_lies_as_what_stands_before_it_in_a_sequential():
    cube = torch.empty(1, 7, 7, 7)
    model = nn.Sequential(nn.Conv2d(3, 7, 1), nn.Sequential(nn.ReLU(), nn.Identity(), nn.LayerNorm(7)), nn.ReLU())
    assert [gives_channels_first(model, layer, cube) for layer in ("0", "1.1", "1.2", "1", "2")] == [
        True,
        True,
        False,
        False,
        False,
    ]
    block = models.resnet.BasicBlock(7, 7)
    assert not gives_channels_first(block, "relu", cube), "its code may hand it anything"


def test_a_part_that_stands_twice_in_a_sequential_counts_at_each_of_its_places():
    cube, relu, conv = torch.empty(1, 7, 7, 7), nn.ReLU(), nn.Conv2d(7, 7, 1)
    model = nn.Sequential(conv, relu, Permute([0, 2, 3, 1]), relu, conv, relu)
    said = {str(i) for i in range(6) if gives_channels_first(model, str(i), cube)}
    assert said == {"0", "1", "4", "5"}
    assert gives_channels_first(Classifier(model), "layer", cube)


def test_a_block_of_convolutions_says_it_by_its_channels():
    block = models.resnet.BasicBlock(4, 4)
    assert gives_channels_first(Classifier(block), "layer", torch.empty(1, 4, 6, 8))
    assert not gives_channels_first(Classifier(block), "layer", torch.empty(1, 4, 6, 4))
    assert not gives_channels_first(Classifier(block), "layer", torch.empty(1, 6, 8, 4))
    assert not gives_channels_first(Classifier(block), "layer", torch.empty(1, 8, 4, 6).permute(0, 2, 3, 1)), "a view"
    fire = models.squeezenet.Fire(4, 2, 3, 5)  # 3 and 5 channels side by side
    assert gives_channels_first(Classifier(fire), "layer", torch.empty(1, 8, 6, 6))
    assert not gives_channels_first(Classifier(fire), "layer", torch.empty(1, 8, 6, 10)), "2, 3 and 5 might be, too"
    mixed = models.convnext.CNBlock(4, 1.0, 0.0)
    assert not gives_channels_first(Classifier(mixed), "layer", torch.empty(1, 4, 6, 8))


@pytest.mark.parametrize("channels_last", [True, False])
def test_an_explicit_layout_is_obeyed_first(channels_last):
    model = Classifier(nn.Identity())
    model.token_layout = TokenLayout(channels_last=channels_last)
    for layer in (nn.Identity(), nn.LayerNorm(42), nn.Linear(42, 42), Last(), nn.Sequential(nn.LayerNorm(42))):
        model.layer = layer
        for shape in ((2, 24, 32, 42), (2, 7, 7, 7), (2, 32, 42, 24)):
            _, a, b, c = shape
            expected = FeatureLayout(3, 0, (a, b)) if channels_last else FeatureLayout(1, 0, (b, c))
            assert layout_at(model, "layer", torch.empty(shape), noise(126, 168)) == expected


def test_no_layout_makes_a_convolution_give_channels_last():
    """Swin's layers do, but not the convolution in its patch embedding."""
    model = Classifier(nn.Conv2d(3, 7, 1))
    model.token_layout = TokenLayout(channels_last=True)
    assert layout_at(model, "layer", torch.empty(1, 7, 5, 6), noise(5, 6)) == FeatureLayout(1, 0, (5, 6))


def test_a_layout_that_does_not_say_it_leaves_it_to_the_layer():
    model = Classifier(Last(), 3)
    model.token_layout = TokenLayout(class_tokens=1)
    assert layout_at(model, "layer", torch.empty(1, 3, 4, 5), noise(12, 16)) == FeatureLayout(3, 0, (3, 4))


@pytest.mark.parametrize("channels", [4, 9, 16, 64, 10])
@pytest.mark.parametrize("layout", [None, TokenLayout(class_tokens=0), TokenLayout(class_tokens=1)])
def test_flat_features_with_a_square_number_of_channels_are_no_tokens(channels, layout):
    model, images = seeded(Flat, channels), noise(32, 32, n=2)
    if layout is not None:
        model.token_layout = layout
    c = capture(model, images, torch.tensor([1, 2]), "flat")
    truth = capture(model, images, torch.tensor([1, 2]), "conv")
    assert torch.equal(c.activations, truth.activations)
    torch.testing.assert_close(c.gradients, truth.gradients)
    for method in (GradCAM(), AblationCAM()):
        maps = (method(model, images, torch.tensor([1, 2]), layer) for layer in ("conv", "flat"))
        torch.testing.assert_close(*maps)


def test_tokens_by_the_layout_with_registers_and_a_grid_of_ones_own():
    model = Classifier(nn.LayerNorm(4))
    for layout, count, grid in ((TokenLayout(5), 201, (14, 14)), (TokenLayout(1, (3, 4)), 13, (3, 4))):
        model.token_layout = layout
        found = layout_at(model, "layer", torch.empty(1, count, 4), noise(224, 224))
        assert found == FeatureLayout(2, layout.class_tokens, grid)


@pytest.mark.parametrize("layout", [TokenLayout(class_tokens=5), TokenLayout(class_tokens=1, grid=(7, 7))])
def test_tokens_that_do_not_fit_the_layout_are_refused(layout):
    model = Classifier(nn.LayerNorm(768))
    model.token_layout = layout
    with pytest.raises(ValueError, match="197 tokens do not fit"):
        stated(model, "layer", torch.empty(1, 197, 768), (224, 224))


class Transposed(nn.Module):
    def forward(self, x):
        return x.transpose(2, 3)


class Windows(nn.Module):
    """Windows as in MaxViT: (N, windows, places of a window, C)."""

    def forward(self, x):
        return x.unfold(2, 4, 4).unfold(3, 4, 4).permute(0, 2, 3, 4, 5, 1).flatten(1, 2).flatten(2, 3)


class NormalisedWindows(nn.Sequential):
    """Nine windows of nine places: in (N, 9, 9, C) a LayerNorm's first dimensions would fit the image."""

    def __init__(self) -> None:
        super().__init__(nn.AdaptiveAvgPool2d(12), Windows(), nn.LayerNorm(3))


class Mean(nn.Module):
    """Every place has the mean over all places."""

    def forward(self, x):
        return x.mean(dim=(2, 3), keepdim=True).expand(x.shape)


@pytest.mark.parametrize(
    "layer", [Transposed(), Windows(), NormalisedWindows(), Mean()], ids=lambda layer: type(layer).__name__
)
def test_what_neither_the_layer_nor_a_trace_says_is_refused(layer):
    with pytest.raises(ValueError, match=r"neither its type nor a trace .* token_layout"):
        activations_at(Classifier(nn.Sequential(layer, nn.Identity())), noise(16, 16), "layer.1")


def test_a_layout_is_obeyed_where_a_square_number_of_channels_would_fit_too():
    model = Classifier(nn.Dropout())
    model.token_layout = TokenLayout(class_tokens=5)
    assert layout_at(model, "layer", torch.empty(1, 21, 16), noise(32, 32)) == FeatureLayout(2, 5, (4, 4))


def test_a_layer_that_is_said_costs_one_forward_and_any_other_two_more_down_to_it(network, batch):
    for model, layer, expected in (
        (network("InPlace"), "features.3", [3]),
        (network("InPlace"), "features.4", [3]),
        (network("Residual"), "block2.conv2", [3]),
        (network("Residual"), "block1", [3]),
        (network("Tokens"), "norm", [3, 4, 4]),
    ):
        runs, ends = [], []
        model.register_forward_pre_hook(lambda _m, inputs, runs=runs: runs.append(len(inputs[0])))
        model.fc = nn.Sequential(model.fc) if hasattr(model, "fc") else None
        model.register_forward_hook(lambda _m, _i, output, ends=ends: ends.append(len(output)))
        capture(model, *batch, layer)
        assert runs == expected
        assert ends == [3], "the trace ends at the layer"


def test_a_trace_leaves_nothing_behind_and_runs_no_hook_of_others(network, batch, state_of):
    model, heard = network("Tokens"), []
    model.norm.register_forward_hook(lambda _m, _i, output: heard.append(len(output)))
    before = state_of(model, batch[0])
    found = trace(model, {"norm": [FeatureLayout(2, 1, (3, 4)), FeatureLayout(2, 1, (4, 3))]}, batch[0])
    assert found == {"norm": FeatureLayout(2, 1, (3, 4))}
    assert state_of(model, batch[0]) == before
    assert heard == []


class Scrambled(nn.Module):
    """Tokens (N, 14, 10), each number of which depends on the whole image; five of them could be registers."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.weights = torch.randn(3 * 12 * 12, 14 * 10, generator=torch.Generator().manual_seed(seed))

    def forward(self, x):
        return (x.flatten(1) @ self.weights).view(-1, 14, 10)


def test_a_reading_that_follows_one_draw_of_noise_by_chance_is_refused():
    """With 6 of 3000 seeds, the only layout that the sizes allow, a wrong one, scores high in the first draw."""
    with pytest.raises(ValueError, match="neither its type nor a trace"):
        activations_at(Classifier(Scrambled(167)), noise(12, 12), "layer")


def test_a_trace_is_of_the_model_as_it_is_now():
    """Nothing is cached: the same module in the same model, with the same sizes, but with other axes."""
    layer = Last(4, twice=True, contiguous=True)
    model, images = Classifier(layer, 3), noise(32, 32)
    assert layout_at(model, "layer", torch.empty(1, 8, 8, 8), images).channel_dim == 3
    layer.forward = lambda x: torch.cat([layer.conv(x), layer.conv(x)], dim=1)
    assert layout_at(model, "layer", torch.empty(1, 8, 8, 8), images).channel_dim == 1


def test_how_far_maps_follow_the_picture_by_hand():
    images = pictures(torch.empty(1, 3, 6, 8))
    assert torch.equal(images[2], torch.cat([images[0, :, :3], images[1, :, 3:]], dim=1))
    assert torch.equal(images[3], torch.cat([images[0, :, :, :4], images[1, :, :, 4:]], dim=2))
    assert following(images) == 1
    assert following(images.flip(2)) == -1, "the lower half follows the upper"
    assert following(images.transpose(2, 3)) == 0
    assert following(torch.ones(4, 2, 6, 8)) == 0
    # one row: columns alone decide; |m - a| = (0, 2), |m - b| = (2, 2): s = (-1, 0)
    maps = torch.tensor([[0.0, 0], [2, 4], [9, 9], [0, 2]]).view(4, 1, 1, 2)
    assert following(maps) == 0.5
