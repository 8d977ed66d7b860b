"""Tests of a job's images (digests, labels, masks and groups), and of what makes a job another job."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from heatmark.benchmarks.data.base import Dataset, Sample
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.predictions import predict
from heatmark.benchmarks.models.preprocessing import Preprocessing
from heatmark.benchmarks.sweep.images import ImageSet, load_images
from heatmark.benchmarks.sweep.job import Job

PLAIN = Preprocessing(None, (4, 4))


@dataclass(frozen=True)
class Listed(Dataset):
    """A dataset of given samples."""

    samples: Sequence[Sample]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:
        return self.samples[index]


def picture(seed: int, size: tuple[int, int] = (6, 4)) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(256, size=(*size, 3), dtype=np.uint8))


def image_set(*samples: Sample, preprocessing: Preprocessing = PLAIN) -> ImageSet:
    return load_images(Listed(samples), Classifier("net", nn.Identity(), "own", preprocessing))


def test_the_digest_of_pictures_is_of_pixels_alone() -> None:
    first = image_set(Sample("a", picture(0)), Sample("b", picture(1)))
    other_model = image_set(
        Sample("a", picture(0)), Sample("b", picture(1)), preprocessing=Preprocessing(9, (3, 3), (0.5,) * 3, (0.5,) * 3)
    )
    renamed = image_set(
        Sample("x/1", picture(1), label=3), Sample("x/2", picture(0), group="p")
    )  # and so in another order
    assert first.pictures == other_model.pictures == renamed.pictures
    assert len({first.digest(), other_model.digest(), renamed.digest()}) == 3
    assert len(first.pictures) == 64


def test_the_digest_of_pictures_sees_a_pixel_a_side_and_a_repeat() -> None:
    pixels = np.asarray(picture(1)).copy()
    pixels[0, 0, 0] ^= 1
    turned = Image.fromarray(np.asarray(picture(1)).reshape(4, 6, 3))
    sets = [
        [picture(0), picture(1)], [picture(0)], [picture(0), picture(1), picture(1)],
        [picture(0), Image.fromarray(pixels)], [picture(0), turned],
    ]  # fmt: skip
    digests = {image_set(*(Sample(str(i), shown) for i, shown in enumerate(shown_all))).pictures for shown_all in sets}
    assert len(digests) == len(sets)


@dataclass(frozen=True)
class Wild(Listed):
    """A dataset of given samples whose labels are numbers of its own classes."""

    classes: Sequence[str] = ("dog", "wolf", "red_fox")  # type: ignore[assignment]


def test_a_datasets_class_is_the_models_of_that_name_and_not_of_that_number() -> None:
    samples = [Sample(str(i), picture(i), label) for i, label in enumerate([0, 1, 2, "cat", None])]
    model = Classifier("net", nn.Identity(), "own", PLAIN, classes=("red fox", "cat", "dog"))
    assert load_images(Wild(samples), model).labels.tolist() == [2, -1, 0, 1, -1]
    assert load_images(Listed(samples), model).labels.tolist() == [0, 1, 2, 1, -1]


def test_a_job_without_groups_has_none_and_one_with_some_has_one_an_image() -> None:
    assert image_set(Sample("a", picture(0)), Sample("b", picture(1))).groups == []
    first, second = Sample("a", picture(0)), Sample("b", picture(1))
    grouped = image_set(first, replace(second, group="p2"))
    assert grouped.groups == ["", "p2"]
    assert grouped.digest() != image_set(first, second).digest()  # or a finished cell would never hear of its groups


def test_masks_are_each_images_own_or_none_where_one_lacks_it() -> None:
    left = np.zeros((6, 4), dtype=bool)
    left[:, :2] = True
    first, second = Sample("a", picture(0), mask=left), Sample("b", picture(1), mask=~left)
    masks = image_set(first, second).masks
    assert masks is not None
    assert masks[:, 0].tolist() == [[True, True, False, False], [False, False, True, True]]
    assert image_set(replace(first, mask=None), second).masks is None


def test_whatever_changes_a_number_changes_the_identity() -> None:
    whole = image_set(
        Sample("a", picture(0), 0, np.eye(6, 4, dtype=bool)), Sample("b", picture(1), 1, np.ones((6, 4), bool))
    )
    assert whole.masks is not None
    job = Job(Classifier("net", nn.Identity(), "own", PLAIN), "toys", whole, torch.tensor([0, 1]), {"seed": 0})
    others = [
        replace(job, image_set=replace(whole, names=["a", "c"])),
        replace(job, image_set=replace(whole, images=whole.images + 1)),
        replace(job, image_set=replace(whole, labels=whole.labels + 1)),
        replace(job, image_set=replace(whole, masks=~whole.masks)),
        replace(job, targets=torch.tensor([0, 0])),
        replace(job, settings={"seed": 1}),
    ]
    identities = [str(other.identity()) for other in (job, *others)]
    assert len(set(identities)) == len(identities)


@pytest.mark.parametrize("wrong", [float("inf"), -float("inf"), float("nan")])
def test_logits_that_are_not_finite_are_refused(wrong: float) -> None:
    net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3))
    images = torch.rand(3, 3, 4, 4)
    images[1, 0, 0, 0] = wrong
    with pytest.raises(ValueError, match=r"gives NaN or infinite logits for 1 of 3 images"):
        predict(Classifier("net", net.eval(), "own", PLAIN), images, 2, torch.device("cpu"))
