"""Preprocessing of pictures of any size into the tensor that a model takes, and of their masks alongside."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from heatmark.benchmarks.models.light_torchvision import InterpolationMode
from heatmark.benchmarks.models.light_torchvision import transforms as F
from heatmark.common.names import did_you_mean


@dataclass(frozen=True)
class Preprocessing:
    """Resizing, centre crop and normalisation, x = (pixels/255 − mean) / std, as torchvision does them.

    Args:
        resize: length of the shorter side in pixels before the crop; None leaves the size.
        crop: height and width of the centre crop in pixels; None leaves the whole picture.
        mean: of each channel, in [0, 1].
        std: of each channel, in [0, 1], none of them 0.
        interpolation: of the picture when it is resized; masks always take the nearest pixel.

    Raises:
        ValueError: for an option out of range; it names the option.
    """

    resize: int | None = 256
    crop: Sequence[int] | None = (224, 224)
    mean: Sequence[float] = (0.485, 0.456, 0.406)
    std: Sequence[float] = (0.229, 0.224, 0.225)
    interpolation: str = "bilinear"

    def __post_init__(self) -> None:
        modes = [mode.value for mode in InterpolationMode]
        if self.interpolation not in modes:
            hint = did_you_mean(self.interpolation, modes, f"expected one of {', '.join(modes)}")
            raise ValueError(f"unknown interpolation {self.interpolation!r}: {hint}")
        if self.resize is not None and self.resize < 1:
            raise ValueError(f"resize is {self.resize}, expected at least 1 pixel, or null")
        if self.crop is not None and (len(self.crop) != 2 or min(self.crop) < 1):
            raise ValueError(f"crop is {list(self.crop)}, expected [height, width] in pixels, or null")
        if self.resize is not None and self.crop is not None and self.resize < min(self.crop):
            raise ValueError(
                f"resize is {self.resize}, less than crop {list(self.crop)}: pictures would have black borders; "
                "give crop, too, no larger than resize, or null for no crop"
            )
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise ValueError(f"mean {list(self.mean)} and std {list(self.std)} must have 3 values each, std above 0")

    def image(self, picture: Image.Image) -> Tensor:
        """Return the picture as the model takes it, (3, H, W)."""
        pixels = self._place(picture.convert("RGB"), InterpolationMode(self.interpolation))
        normalised: Tensor = F.normalize(F.to_tensor(pixels), list(self.mean), list(self.std))
        return normalised

    def mask(self, mask: NDArray[np.bool_]) -> Tensor:
        """Return the mask, resized and cropped as the picture is, (H, W) booleans."""
        placed = self._place(Image.fromarray(mask.astype(np.uint8)), InterpolationMode.NEAREST)
        return torch.from_numpy(np.array(placed)).bool()

    def pixels(self, images: Tensor) -> Tensor:
        """Return images (N, 3, H, W) without the normalisation, as they are displayed, in [0, 1]."""
        mean, std = (torch.tensor(v, device=images.device).view(3, 1, 1) for v in (self.mean, self.std))
        return (images * std + mean).clamp(0, 1)

    def _place(self, picture: Image.Image, interpolation: InterpolationMode) -> Image.Image:
        if self.resize is not None:
            picture = F.resize(picture, self.resize, interpolation, antialias=True)
        return picture if self.crop is None else F.center_crop(picture, list(self.crop))
