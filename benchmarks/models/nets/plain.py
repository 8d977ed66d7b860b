"""The plain convolutional network, after VGG."""

from torch import Tensor, nn


class Plain(nn.Module):
    """A network of convolutions, batch norms and in-place ReLUs in one ``features``, as VGG-BN, and a linear head.

    Each ReLU overwrites the output of the batch norm before it, so that what hooks keep there must be cloned.
    Images have at least 16 pixels per side; the features have 1/16 of its resolution.

    Args:
        classes: number of logits.
    """

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *_convolve(3, 32, kernel=7, stride=4),
            *_convolve(32, 64, stride=2),
            *_convolve(64, 96),
            nn.MaxPool2d(2),
            *_convolve(96, 128),
            *_convolve(128, 128),
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(128, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, classes) of images (N, 3, H, W)."""
        logits: Tensor = self.classifier(self.pool(self.features(images)).flatten(1))
        return logits


def _convolve(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
