"""An image's map has the same bits whatever its neighbours and its place in the batch, for every method of conf/."""

from functools import cache
from importlib.resources import files

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor, nn

from heatmark.common.batching import with_batch_size
from heatmark.methods.base import Method

CONF = files("heatmark.conf").joinpath("method")
NAMES = sorted(file.name.removesuffix(".yaml") for file in CONF.iterdir() if file.name.endswith(".yaml"))
SMALL = {"masks": 10, "n_steps": 6, "n_superpixels": 7, "n_samples": 10, "window": 8, "stride": 4}
SIZE = 4


class ByCount(nn.Module):
    """A module whose numbers depend on how many images there are, as those of a library's kernels may."""

    def forward(self, x: Tensor) -> Tensor:
        return x * (1 + 0.01 * len(x))


@cache
def method_of(name: str) -> Method:
    """Return a yaml's method, made small, with inner batches of the size of the images' batch."""
    config = OmegaConf.create({"seed": 0, **OmegaConf.load(str(CONF.joinpath(f"{name}.yaml")))})
    options = config[name]
    for option, value in SMALL.items():
        if isinstance(options.get(option), int):
            options[option] = value
    if "layers" in options:
        options["layers"] = ["5"]
    return with_batch_size(instantiate(options), SIZE)


@pytest.fixture(scope="module")
def case() -> tuple[nn.Module, Tensor, Tensor]:
    """A network whose layer 3 has channels that are constant in some images only, so that they cost no pass there."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 7, 3, padding=1), nn.ReLU(),
            nn.Conv2d(7, 5, 3, padding=1), nn.BatchNorm2d(5), nn.ReLU(), nn.AdaptiveAvgPool2d(2), ByCount(),
            nn.Flatten(), nn.Linear(20, 5),
        )  # fmt: skip
        images = torch.randn(5, 3, 16, 24)
        images[2:] *= 0.1
        nn.init.constant_(model[3].bias[:3], -0.5)  # three channels are silent on weak images
    return model.eval(), images, torch.tensor([3, 0, 1, 4, 2])


@pytest.mark.parametrize("name", NAMES)
def test_neighbours_and_place_change_no_bit(name: str, case: tuple[nn.Module, Tensor, Tensor]) -> None:
    model, images, targets = case
    method = method_of(name)
    layer = "input" if method.explains == "input" else "4"
    if reason := method.unsupported(model, layer):
        pytest.skip(reason)
    together = method(model, images[:SIZE], targets[:SIZE], layer)
    for image in range(SIZE):
        other = (image + 1) % 5
        for place in range(SIZE):
            which = [other] * SIZE
            which[place] = image
            alone = method(model, images[which], targets[which], layer)[place]
            assert torch.equal(alone.nan_to_num(7), together[image].nan_to_num(7)), (image, place)


def test_some_image_has_channels_that_cost_no_pass(case: tuple[nn.Module, Tensor, Tensor]) -> None:
    model, images, _ = case
    channels = model[:5](images[:SIZE]).flatten(2)
    live = (channels.amax(dim=2) > channels.amin(dim=2)).sum(dim=1)
    assert len(set(live.tolist())) > 1
