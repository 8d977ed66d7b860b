"""Blocks: the pictures of a job, some at a time, decoded by a thread one block ahead."""

import hashlib
import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from heatmark.benchmarks.data.base import Dataset, Mask, Sample, sample_digest
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.requests import Entry
from heatmark.common.errors import in_words

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
    """

    entries: Sequence[Entry]
    images: Tensor
    labels: Tensor
    objects: Sequence[Mapping[int, Tensor]]
    ignore: Tensor | None = None
    broken: Sequence[Entry] = ()

    def masks_of(self, targets: Tensor) -> tuple[Tensor, Tensor] | None:
        """Return the masks (n, H, W) of these classes and which pictures have one, (n,); None where none has objects.

        Args:
            targets: (n,) a class per picture.
        """
        if not any(self.objects):
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
        except (ValueError, OSError) as error:
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

    Args:
        dataset: the pictures.
        classifier: whose preprocessing and classes are used.
        positions: of the pictures; they are cut into blocks in this order.
        size: pictures per block.
        shape: (C, H, W) that every picture must have; None takes that of the first picture.

    Raises:
        ValueError: for two pictures of one name, or where the pictures of the first block have different sizes.
    """
    shape = tuple(reference(dataset, classifier).shape if shape is None else shape)
    parts = [positions[start : start + size] for start in range(0, len(positions), size)]
    names: set[str] = set()
    for number, pictures in enumerate(_ahead(dataset, classifier, parts)):
        for entry in (picture.entry for picture in pictures):
            if entry.image in names:
                raise ValueError(f"two images are called {entry.image!r}; expected a name of its own for each")
            names.add(entry.image)
        yield _block(pictures, shape, strict=number == 0)


@dataclass(frozen=True, eq=False)
class _Picture:
    """A decoded picture: its entry, and what a block holds of it; no image where it could not be read."""

    entry: Entry
    image: Tensor | None = None
    objects: Mapping[int, Tensor] | None = None
    ignore: Tensor | None = None


def _ahead(dataset: Dataset, classifier: Classifier, parts: Sequence[Sequence[int]]) -> Iterator[list[_Picture]]:
    """Yield the decoded pictures of each part, which a thread decodes one part ahead; Pillow lets it run beside."""
    ready: queue.Queue[list[_Picture] | BaseException] = queue.Queue(maxsize=1)
    wanted = threading.Semaphore(1)  # a part is begun only when the one before it has been taken
    stopped = threading.Event()

    def decode() -> None:
        for part in parts:
            wanted.acquire()
            if stopped.is_set():
                return
            try:
                ready.put([_picture(dataset, classifier, position) for position in part])
            except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs to the consumer
                ready.put(error)
                return

    thread = threading.Thread(target=decode, name="heatmark decoder", daemon=True)
    thread.start()
    try:
        for _ in parts:
            found = ready.get()
            wanted.release()
            if isinstance(found, BaseException):
                raise found
            yield found
    finally:
        stopped.set()
        wanted.release()
        thread.join()


def _picture(dataset: Dataset, classifier: Classifier, position: int) -> _Picture:
    try:
        sample = dataset[position]
    except (ValueError, OSError) as error:
        return _Picture(Entry(dataset.name_of(position), "", position=position, reason=in_words(error)))
    objects = _objects(sample, dataset, classifier)
    ignore = None if sample.ignore is None else classifier.preprocessing.mask(sample.ignore)
    entry = Entry(
        sample.name,
        sample_digest(sample),
        _label_name(sample, dataset, classifier),
        sample.group or "",
        -1 if sample.label is None else _class(sample.label, dataset, classifier),
        inputs=_inputs(sample, objects, ignore),
        position=position,
    )
    return _Picture(entry, classifier.preprocessing.image(sample.image), objects, ignore)


def _objects(sample: Sample, dataset: Dataset, classifier: Classifier) -> dict[int, Tensor]:
    """Return the masks of a picture's objects by the model's class; several of one class are one mask."""
    found: dict[int, Mask] = {}
    for label, mask in sample.objects:
        index = _class(label, dataset, classifier)
        found[index] = mask | found[index] if index in found else mask
    return {index: classifier.preprocessing.mask(mask) for index, mask in found.items() if index >= 0}


def _inputs(sample: Sample, objects: Mapping[int, Tensor], ignore: Tensor | None) -> dict[str, str]:
    """Return the digests of what metrics may need of a picture beside its pixels, where it has them."""
    inputs = {}
    if sample.objects:
        sha = hashlib.sha256(b"" if ignore is None else ignore.numpy().tobytes())
        for index, mask in sorted(objects.items()):
            sha.update(f"{index} ".encode() + mask.numpy().tobytes())
        inputs["masks"] = sha.hexdigest()[:16]
    if sample.label is not None:
        inputs["labels"] = hashlib.sha256(str(sample.label).encode()).hexdigest()[:16]
    return inputs


def _class(label: int | str, dataset: Dataset, classifier: Classifier) -> int:
    named = isinstance(label, int) and dataset.classes
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


def _block(pictures: Sequence[_Picture], shape: Sequence[int], strict: bool) -> Block:
    """Return decoded pictures as a block; one of another size than ``shape`` is broken, in the first block an error."""
    read = [picture for picture in pictures if picture.image is not None]
    sizes = sorted({tuple(p.image.shape) for p in read if p.image is not None})
    if strict and len(sizes) > 1:
        raise ValueError(SIZES.format(sizes=f"{sizes[:3]}…"))
    good = [p for p in read if p.image is not None and tuple(p.image.shape) == tuple(shape)]
    kept = {id(p) for p in good}
    ignored = [p.ignore for p in good]
    none = torch.zeros(tuple(shape)[1:], dtype=torch.bool)
    return Block(
        [p.entry for p in good],
        torch.stack([p.image for p in good if p.image is not None]) if good else torch.empty(0, *shape),
        torch.tensor([p.entry.label_index for p in good], dtype=torch.int64),
        [p.objects or {} for p in good],
        torch.stack([none if i is None else i for i in ignored]) if any(i is not None for i in ignored) else None,
        [_broken(p, shape) for p in pictures if id(p) not in kept],
    )


def _broken(picture: _Picture, shape: Sequence[int]) -> Entry:
    if picture.image is None:
        return picture.entry
    sizes = f"{tuple(picture.image.shape)} and {tuple(shape)}"
    return replace(picture.entry, reason=SIZES.format(sizes=sizes))
