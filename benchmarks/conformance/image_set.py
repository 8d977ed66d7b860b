"""The pictures on which models are checked: a whole small dataset at once, as one model sees it."""

from dataclasses import dataclass

from torch import Tensor

from heatmark.benchmarks.data.base import Dataset
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.sweep.blocks import Block, blocks


@dataclass(frozen=True)
class ImageSet:
    """A dataset's images as one model sees them.

    Args:
        names: the images' names.
        images: (N, 3, H, W), preprocessed, on the CPU.
        masks: (N, H, W) booleans, the objects of each image's true class; None where any image lacks them.
    """

    names: list[str]
    images: Tensor
    masks: Tensor | None


def load_images(dataset: Dataset, classifier: Classifier) -> ImageSet:
    """Read and preprocess every picture of a dataset.

    Raises:
        ValueError: for an empty dataset, a broken file, two pictures of one name, or pictures of different sizes.
    """
    (block,) = whole(dataset, classifier)
    found = block.masks_of(block.labels)
    masks = found[0] if found is not None and bool(found[1].all()) else None
    return ImageSet([entry.image for entry in block.entries], block.images, masks)


def whole(dataset: Dataset, classifier: Classifier) -> list[Block]:
    """Return a dataset as one block.

    Raises:
        ValueError: as :func:`load_images`.
    """
    found = list(blocks(dataset, classifier, range(len(dataset)), max(1, len(dataset))))
    for block in found:
        for entry in block.broken:
            raise ValueError(entry.reason)
    return found
