"""Blocks: the pictures of a job, some at a time, decoded by a thread one block ahead."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from heatmark.benchmarks.data.base import Counterfactual, Dataset, Mask, Sample, sample_digest
from heatmark.benchmarks.data.pictures import BROKEN
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.requests import Entry
from heatmark.common.errors import in_words

T = TypeVar("T")

SIZES = (
    "images of different sizes after preprocessing ({sizes}); give the model a crop, such as "
    "model.preprocessing.crop=[224,224]"
)


@dataclass(frozen=True, eq=False)
class Block:
    """Some pictures of a dataset as one model sees them.

    Args:
        entries: of the pictures that could be read, in the order of the dataset, without a class to explain.
        images: (n, C, H, W) float32 on the CPU, preprocessed.
        labels: (n,) the true class as an index of the model's logits, −1 where it is unknown or no class of the model.
        objects: masks (H, W) of each picture's objects by the model's class.
        ignore: (n, H, W) pixels that belong to nobody; None where no picture has such.
        broken: entries of the pictures that could not be read, each with its reason.
        counterfactuals: renders the picture without the object of its true class, (C, H, W) on the CPU, preprocessed,
            by the picture's position among the images; pictures without one are left out.
    """

    entries: Sequence[Entry]
    images: Tensor
    labels: Tensor
    objects: Sequence[Mapping[int, Tensor]]
    ignore: Tensor | None = None
    broken: Sequence[Entry] = ()
    counterfactuals: Mapping[int, Callable[[], Tensor]] = field(default_factory=dict)

    def masks_of(self, targets: Tensor) -> tuple[Tensor, Tensor] | None:
        """Return the masks (n, H, W) of these classes and which pictures have one, (n,); None where no
        picture has objects.

        Args:
            targets: (n,) a class per picture.
        """
        if not any("masks" in entry.inputs for entry in self.entries):
            return None
        masks = torch.zeros(len(self.images), *self.images.shape[-2:], dtype=torch.bool)
        has = torch.zeros(len(self.images), dtype=torch.bool)
        for n, (known, target) in enumerate(zip(self.objects, targets.tolist(), strict=True)):
            if target in known:
                masks[n], has[n] = known[target], True
        return masks, has


def reference(dataset: Dataset, classifier: Classifier) -> Tensor:
    """Return the first picture that can be read as the model takes it, (C, H, W); all others must have its size.

    Raises:
        ValueError: where there is no picture, or none that can be read: why the first one cannot.
    """
    reason = f"{dataset} holds no image"
    for position in range(len(dataset)):
        try:
            return classifier.preprocessing.image(dataset[position].image)
        except BROKEN as error:
            reason = in_words(error) if position == 0 else reason
    raise ValueError(reason)


def blocks(
    dataset: Dataset,
    classifier: Classifier,
    positions: Sequence[int],
    size: int = 64,
    shape: Sequence[int] | None = None,
) -> Iterator[Block]:
    """Yield the pictures at these positions in blocks; the next block is decoded while one is worked at.

    At most two blocks of pictures are in memory, if the consumer keeps none.

    Args:
        dataset: the pictures.
        classifier: whose preprocessing and classes are used.
        positions: of the pictures; they are cut into blocks in this order.
        size: pictures per block.
        shape: (C, H, W) that every picture must have; None takes that of the first picture.

    Raises:
        ValueError: for two pictures of one name, or a picture of the first block that has another size.
    """
    _require_new(map(dataset.name_of, range(len(dataset))), set())  # of pictures of other shards, too
    shape = tuple(reference(dataset, classifier).shape if shape is None else shape)
    return _ahead(
        _decoded(dataset, classifier, [positions[i : i + size] for i in range(0, len(positions), size)], shape)
    )


def _ahead(items: Iterator[T]) -> Iterator[T]:
    """Yield items, each made by a thread while the one before it is in use; Pillow lets other threads run meanwhile."""
    with ThreadPoolExecutor(1, "heatmark decoder") as thread:
        following = thread.submit(next, items, None)
        while (item := following.result()) is not None:
            following = thread.submit(next, items, None)
            yield item


def _decoded(
    dataset: Dataset, classifier: Classifier, parts: Sequence[Sequence[int]], shape: tuple[int, ...]
) -> Iterator[Block]:
    seen: set[str] = set()
    for number, part in enumerate(parts):
        block = _block(dataset, classifier, part, shape, strict=number == 0)
        _require_new((entry.image for entry in (*block.entries, *block.broken)), seen)
        yield block


def _require_new(names: Iterable[str], seen: set[str]) -> None:
    """Add names to those seen before; raise for one that is among them."""
    for name in names:
        if name in seen:
            raise ValueError(f"two images are called {name!r}; expected a name of its own for each")
        seen.add(name)


def _block(
    dataset: Dataset, classifier: Classifier, positions: Sequence[int], shape: tuple[int, ...], strict: bool
) -> Block:
    """Return the pictures at these positions; one of another size than ``shape`` is broken, or an error if strict."""
    images = torch.empty(len(positions), *shape)
    read: list[_Picture] = []
    broken: list[Entry] = []
    for position in positions:
        try:
            sample = dataset[position]
            picture, image = (
                _picture(sample, position, dataset, classifier),
                classifier.preprocessing.image(sample.image),
            )
        except BROKEN as error:
            broken.append(Entry(dataset.name_of(position), "", position=position, reason=in_words(error)))
            continue
        if tuple(image.shape) == shape:
            images[len(read)] = image  # in its place at once, so that no picture is there twice
            read.append(picture)
            continue
        reason = SIZES.format(sizes=f"{shape} and {tuple(image.shape)}")
        if strict:
            raise ValueError(reason)
        broken.append(replace(picture.entry, reason=reason))
    return Block(
        [picture.entry for picture in read],
        images[: len(read)],
        torch.tensor([picture.entry.label_index for picture in read], dtype=torch.int64),
        [picture.objects for picture in read],
        _stacked([picture.ignore for picture in read], shape[1:]),
        broken,
        {i: picture.counterfactual for i, picture in enumerate(read) if picture.counterfactual},
    )


def _stacked(masks: Sequence[Tensor | None], size: Sequence[int]) -> Tensor | None:
    """Return masks as (n, H, W), an empty one for None; None where all are."""
    if all(mask is None for mask in masks):
        return None
    return torch.stack([torch.zeros(*size, dtype=torch.bool) if mask is None else mask for mask in masks])


class _Picture(NamedTuple):
    """What is known of a picture that could be read."""

    entry: Entry
    objects: Mapping[int, Tensor]
    ignore: Tensor | None
    counterfactual: Callable[[], Tensor] | None


def _picture(sample: Sample, position: int, dataset: Dataset, classifier: Classifier) -> _Picture:
    label = -1 if sample.label is None else class_of(sample.label, dataset, classifier)
    objects = _objects(sample, dataset, classifier)
    ignore = None if sample.ignore is None else classifier.preprocessing.mask(_fitting(sample.ignore, sample))
    inputs = {"labels": str(label)} if label >= 0 else {}
    if sample.objects:
        inputs["masks"] = _digest(objects, ignore)
    if sample.counterfactual is not None:
        inputs["counterfactuals"] = sample.counterfactual.digest[:16]
    entry = Entry(
        sample.name,
        sample_digest(sample),
        _label_name(sample, dataset, classifier),
        sample.group or "",
        label,
        inputs=inputs,
        position=position,
    )
    return _Picture(entry, objects, ignore, _counterfactual(sample, classifier))


def _counterfactual(sample: Sample, classifier: Classifier) -> Callable[[], Tensor] | None:
    """Return what renders a picture's counterfactual as the model takes it; it keeps no picture that it need not."""
    if sample.counterfactual is None:
        return None
    return partial(_rendered, sample.counterfactual, sample.name, sample.image.size, classifier)


def _rendered(without: Counterfactual, name: str, size: tuple[int, int], classifier: Classifier) -> Tensor:
    picture = without.picture()
    if picture.size != size:
        raise ValueError(f"the counterfactual of {name} has {picture.size} pixels, its picture {size}")
    return classifier.preprocessing.image(picture)


def _objects(sample: Sample, dataset: Dataset, classifier: Classifier) -> dict[int, Tensor]:
    """Return the masks of a picture's objects by the model's class; several of one class are one mask."""
    found: dict[int, Mask] = {}
    for label, mask in sample.objects:
        index = class_of(label, dataset, classifier)
        found[index] = _fitting(mask, sample) | found.get(index, False)
    return {index: classifier.preprocessing.mask(mask) for index, mask in found.items() if index >= 0}


def _fitting(mask: Mask, sample: Sample) -> Mask:
    width, height = sample.image.size
    if mask.shape != (height, width):
        raise ValueError(f"a mask of {sample.name} has the shape {mask.shape}, its picture {(height, width)}")
    return mask


def _digest(objects: Mapping[int, Tensor], ignore: Tensor | None) -> str:
    sha = hashlib.sha256(b"" if ignore is None else ignore.numpy().tobytes())
    for index, mask in sorted(objects.items()):
        sha.update(f"{index} ".encode() + mask.numpy().tobytes())
    return sha.hexdigest()[:16]


def class_of(label: int | str, dataset: Dataset, classifier: Classifier) -> int:
    """Return a label of a dataset as an index of the model's logits, −1 where it is no class of the model."""
    named = isinstance(label, int) and dataset.classes and classifier.classes  # else a number is all there is
    if named and not 0 <= int(label) < len(dataset.classes):  # such as -1, by which many datasets say unknown
        return -1
    try:
        return classifier.class_index(dataset.classes[int(label)] if named else label)
    except ValueError:  # a dataset's class need not be one of the model's; the summary counts these
        return -1


def _label_name(sample: Sample, dataset: Dataset, classifier: Classifier) -> str:
    """Return the true class's name, its number where it has none, ``""`` where it is unknown."""
    if not isinstance(sample.label, int):
        return sample.label or ""
    names = dataset.classes or classifier.classes
    return names[sample.label] if 0 <= sample.label < len(names) else str(sample.label)
