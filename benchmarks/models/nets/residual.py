"""The residual network, after ResNet."""

from torch import Tensor, nn


class Block(nn.Module):
    """A residual block, relu(F(x) + shortcut(x)), F two convolutions with batch norm (He et al., CVPR 2016).

    Each ReLU is a module of its own that runs once, so that methods which replace ReLUs work.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu2 = nn.ReLU()
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Return features (N, outputs, h / stride, w / stride)."""
        residual = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        features: Tensor = self.relu2(residual + self.shortcut(x))
        return features


class Residual(nn.Module):
    """A network of residual blocks, global average pooling and a linear head, so that CAM is exact at ``layer3``.

    Images have at least 16 pixels per side; ``layer3`` has 1/16 of its resolution.

    Args:
        classes: number of logits.
    """

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 32, 7, 4, padding=3, bias=False), nn.BatchNorm2d(32), nn.ReLU())
        self.layer1 = Block(32, 64, stride=2)
        self.layer2 = Block(64, 96, stride=2)
        self.layer3 = Block(96, 128)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(128, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, classes) of images (N, 3, H, W)."""
        features = self.layer3(self.layer2(self.layer1(self.stem(images))))
        logits: Tensor = self.fc(self.pool(features).flatten(1))
        return logits
