"""The toy network, on which the map of a CAM is known in closed form."""

import torch
from torch import Tensor, nn

from heatmark.benchmarks.conformance.checked_layer import CheckedLayer


class Toy(nn.Module):
    """A fully convolutional network: in-place ReLUs, batch norm, dropout; global average pooling, one linear layer.

    ``features.4`` is overwritten in place by what follows it. At ``features.5`` CAM is exact, and a shift of the image
    by ``stride`` pixels shifts everything there by one place, away from the borders.
    """

    stride = 2

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1),
            nn.BatchNorm2d(6),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(self.stride),
            nn.Conv2d(6, 8, 3, padding=1),
            nn.ReLU(inplace=True),
        )
        self.dropout = nn.Dropout(0.5)
        self.fc = nn.Linear(8, 5)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, 5) of images (N, 3, H, W)."""
        logits: Tensor = self.fc(self.dropout(self.features(images).mean(dim=(2, 3))))
        return logits


TOY_LAYERS = ("features.4", "features.5")
"""The layer that is overwritten in place, and the one at which CAM is exact."""


def toy_layer(layer: str) -> CheckedLayer:
    """Return a layer of the toy network, three images of 32 × 48 pixels (not square on purpose), and a class for each.

    Class 0 has positive weights only, so that its map is positive everywhere and the minimum of min-max matters.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        module = Toy().double()
        for name, statistic in module.named_buffers():
            if name.endswith("running_mean"):
                statistic.normal_()
            if name.endswith("running_var"):
                statistic.uniform_(0.5, 2)
        module.fc.weight.data[0].abs_()
        images = torch.randn(3, 3, 32, 48, dtype=torch.float64)
    return CheckedLayer("toy", module.eval(), layer, images, torch.tensor([3, 0, 1]))
