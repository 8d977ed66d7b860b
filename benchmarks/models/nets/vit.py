"""The vision transformer, with a convolutional stem."""

import torch
from torch import Tensor, nn

from heatmark.common.features import TokenLayout


class Encoder(nn.Module):
    """A transformer block with norms before attention and before the MLP; CAMs explain its ``ln_1``.

    The logits depend on the class token alone after the last block's attention, so that its ``ln_1`` is the last layer
    whose patch tokens matter.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens (N, T, width) after attention and MLP."""
        normed = self.ln_1(tokens)
        tokens = tokens + self.attention(normed, normed, normed, need_weights=False)[0]
        mixed: Tensor = tokens + self.mlp(self.ln_2(tokens))
        return mixed


class ViT(nn.Module):
    """A vision transformer on patches of 16×16 pixels, which a convolutional stem embeds, with a class token.

    The stem instead of one linear patch embedding makes it train in minutes (Xiao et al., "Early Convolutions Help
    Transformers See Better", NeurIPS 2021). Features are tokens (N, 1 + patches, width), the class token first.

    Args:
        classes: number of logits.
        image_size: height and width of the images in pixels, a multiple of 16: positions are learnt for it.
        width: channels of each token.
        depth: number of transformer blocks.
        heads: number of attention heads in each block.
    """

    patch = 16

    def __init__(
        self, classes: int = 10, image_size: int = 128, width: int = 96, depth: int = 3, heads: int = 4
    ) -> None:
        super().__init__()
        if image_size % self.patch:
            raise ValueError(f"a ViT takes an image_size that is a multiple of {self.patch}, not {image_size}")
        self.image_size = image_size
        side = image_size // self.patch
        self.token_layout = TokenLayout(class_tokens=1, grid=(side, side))
        self.stem = nn.Sequential(
            *_convolve(3, 32, kernel=7, stride=4),
            *_convolve(32, 64, stride=2),
            *_convolve(64, 96),
            nn.Conv2d(96, width, 3, 2, padding=1),
        )
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(0.02 * torch.randn(1, 1 + side * side, width))
        self.blocks = nn.Sequential(*[Encoder(width, heads) for _ in range(depth)])
        self.ln = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, classes) of images (N, 3, image_size, image_size).

        Raises:
            ValueError: for images of another size.
        """
        if images.shape[-2:] != (self.image_size, self.image_size):
            height, width = images.shape[-2:]
            raise ValueError(
                f"this ViT was made for images of {self.image_size}x{self.image_size} pixels and got {height}x{width}; "
                f"resize them (model.preprocessing.resize={self.image_size}) or take a convolutional network"
            )
        patches = self.stem(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.class_token.expand(len(images), -1, -1), patches], dim=1) + self.positions
        logits: Tensor = self.head(self.ln(self.blocks(tokens))[:, 0])
        return logits


def _convolve(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]
