"""Preprocessing equals torchvision's, and masks are resized and cropped as their pictures are."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import models

from heatmark.benchmarks.models.preprocessing import Preprocessing
from heatmark.benchmarks.models.torchvision_zoo import preprocessing


def _picture(width: int, height: int) -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(noise)


@pytest.mark.parametrize("size", [(500, 375), (301, 640), (224, 224), (97, 120)])
@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("resnet50", "IMAGENET1K_V2"),
        ("squeezenet1_1", "DEFAULT"),
        ("inception_v3", "DEFAULT"),
        ("swin_t", "DEFAULT"),
        ("vit_b_16", "IMAGENET1K_SWAG_E2E_V1"),
        ("efficientnet_b0", "DEFAULT"),
    ],
)
def test_equals_torchvision(name: str, weights: str, size: tuple[int, int]) -> None:
    entry = models.get_model_weights(name)[weights]
    picture = _picture(*size)
    torch.testing.assert_close(
        preprocessing(entry, None).image(picture), entry.transforms()(picture), rtol=0, atol=1e-6
    )


def test_an_option_changes_only_itself() -> None:
    entry = models.get_model_weights("swin_t").DEFAULT
    changed = preprocessing(entry, {"crop": [192, 256]})
    usual = preprocessing(entry, None)
    assert (changed.resize, changed.interpolation, changed.mean) == (232, "bicubic", usual.mean)
    assert changed.image(_picture(300, 300)).shape == (3, 192, 256)


def test_a_white_picture_by_hand() -> None:
    white = Preprocessing().image(Image.new("RGB", (300, 260), "white"))
    expected = torch.tensor([(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225])
    torch.testing.assert_close(white, expected.view(3, 1, 1).expand(3, 224, 224))


def test_a_grey_picture_has_three_channels() -> None:
    image = Preprocessing(mean=(0, 0, 0), std=(1, 1, 1)).image(Image.new("L", (256, 256), 51))
    torch.testing.assert_close(image, torch.full((3, 224, 224), 0.2))


def test_a_mask_lands_on_its_object() -> None:
    mask = np.zeros((300, 400), dtype=bool)
    mask[60:200, 120:330] = True
    picture = Image.fromarray(np.repeat(mask[:, :, None] * np.uint8(255), 3, axis=2))
    prepare = Preprocessing(resize=150, crop=(128, 140), mean=(0, 0, 0), std=(1, 1, 1))
    bright = prepare.image(picture)[0] > 0.5
    placed = prepare.mask(mask)
    assert placed.dtype == torch.bool
    assert placed.shape == (128, 140)
    # 300x400 becomes 150x200, the crop takes off 11 rows above and 30 columns at the left
    expected = torch.zeros(128, 140, dtype=torch.bool)
    expected[30 - 11 : 100 - 11, 60 - 30 : 165 - 30] = True
    assert torch.equal(placed, expected)
    assert torch.equal(bright, expected)


def test_pixels_undo_the_normalisation() -> None:
    prepare = Preprocessing(resize=None, crop=None)
    picture = _picture(20, 10)
    expected = torch.from_numpy(np.array(picture)).permute(2, 0, 1) / 255
    torch.testing.assert_close(prepare.pixels(prepare.image(picture)[None])[0], expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"interpolation": "bilinaer"}, "unknown interpolation 'bilinaer': did you mean bilinear"),
        ({"resize": 0}, "resize is 0"),
        ({"crop": [224]}, r"crop is \[224\], expected \[height, width\]"),
        ({"std": [0.2, 0.0, 0.2]}, "std above 0"),
        ({"mean": [0.5]}, "must have 3 values"),
    ],
)
def test_nonsense_is_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Preprocessing(**options)  # type: ignore[arg-type]


def test_an_unknown_option_is_named() -> None:
    entry = models.get_model_weights("resnet18").DEFAULT
    with pytest.raises(ValueError, match=r"no option 'corp': did you mean crop"):
        preprocessing(entry, {"corp": [224, 224]})
