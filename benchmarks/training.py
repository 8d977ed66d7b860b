"""The training of the embedded networks: pictures kept in memory as bytes, AdamW with a one-cycle schedule."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import OneCycleLR
from torch.utils.data import DataLoader

from heatmark.benchmarks.data.base import Dataset, Sample
from heatmark.benchmarks.models.preprocessing import Preprocessing


@dataclass(frozen=True)
class Pictures:
    """Labelled pictures in memory.

    Args:
        pixels: (N, 3, H, W) bytes.
        labels: (N,) class indices.
    """

    pixels: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Recipe:
    """The hyperparameters of a training.

    Args:
        epochs: passes over the training pictures.
        batch_size: pictures per step.
        learning_rate: learning rate at the peak of the one-cycle schedule (Smith and Topin, 2019).
        weight_decay: AdamW's weight decay (Loshchilov and Hutter, ICLR 2019).
        seed: seed of the pictures' order and mirroring; the caller seeds the initial weights.
    """

    epochs: int = 9
    batch_size: int = 64
    learning_rate: float = 4e-3
    weight_decay: float = 0.05
    seed: int = 0


@dataclass(frozen=True)
class Progress:
    """The progress of a training after a step: steps done and in all, and the step's mean cross-entropy in nats."""

    step: int
    steps: int
    loss: float


def load(dataset: Dataset, workers: int = 0) -> Pictures:
    """Return all pictures of a dataset in memory, 49 KB per picture of 128×128.

    Raises:
        ValueError: if a picture's label is no number, or its size is not that of the first.
    """
    source = cast("torch.utils.data.Dataset[Sample]", dataset)  # it has what the loader asks for: len() and [index]
    batches: list[Pictures] = list(DataLoader(source, batch_size=64, num_workers=workers, collate_fn=_stack))
    if len({batch.pixels.shape[1:] for batch in batches}) > 1:
        raise ValueError("training takes pictures of one size; this dataset has several")
    return Pictures(torch.cat([b.pixels for b in batches]), torch.cat([b.labels for b in batches]))


def _stack(samples: list[Sample]) -> Pictures:
    for sample in samples:
        if not isinstance(sample.label, int):
            raise ValueError(f"training takes a class number for every picture; {sample.name} has {sample.label!r}")
        if sample.image.size != samples[0].image.size:
            raise ValueError(f"training takes pictures of one size; {sample.name} is {sample.image.size}")
    pixels = np.stack([np.asarray(sample.image) for sample in samples])
    labels = [sample.label for sample in samples]
    return Pictures(torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(), torch.tensor(labels))


def fit(network: nn.Module, pictures: Pictures, preprocessing: Preprocessing, recipe: Recipe) -> Iterator[Progress]:
    """Train a network in place, one step per item of the iterator, on the device where it lies.

    Minimises the cross-entropy; every batch is mirrored left to right and top to bottom by chance. The same seed gives
    the same result on the same machine and number of threads; elsewhere sums run in another order and bits differ.
    """
    device = next(network.parameters()).device
    generator = torch.Generator().manual_seed(recipe.seed)
    optimizer = torch.optim.AdamW(network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay)
    steps = recipe.epochs * max(1, len(pictures) // recipe.batch_size)
    schedule = OneCycleLR(optimizer, recipe.learning_rate, steps, pct_start=0.15, div_factor=10)
    network.train().to(memory_format=torch.channels_last)
    for step, chosen in enumerate(_batches(len(pictures), recipe, generator), start=1):
        images = _images(_mirrored(pictures.pixels[chosen], generator).to(device), preprocessing)
        loss = F.cross_entropy(network(images), pictures.labels[chosen].to(device))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        yield Progress(step, steps, loss.item())
    network.eval().to(memory_format=torch.contiguous_format)


def _batches(count: int, recipe: Recipe, generator: torch.Generator) -> Iterator[Tensor]:
    """Yield the positions of each step, every epoch in a new order, without the incomplete last batch."""
    for _ in range(recipe.epochs):
        order = torch.randperm(count, generator=generator)
        yield from torch.split(order, recipe.batch_size)[: max(1, count // recipe.batch_size)]


def _mirrored(pixels: Tensor, generator: torch.Generator) -> Tensor:
    down, across = torch.randint(2, (2,), generator=generator).tolist()
    return pixels.flip([dim for dim, chosen in ((2, down), (3, across)) if chosen])


def _images(pixels: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Return the network's input, (bytes/255 − mean) / std, in the memory format channels last."""
    mean, std = (torch.tensor(v, device=pixels.device).view(3, 1, 1) for v in (preprocessing.mean, preprocessing.std))
    return ((pixels / 255 - mean) / std).contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def accuracy(network: nn.Module, pictures: Pictures, preprocessing: Preprocessing, batch_size: int = 64) -> float:
    """Return the share of pictures whose largest logit is the label's, in [0, 1]."""
    device = next(network.parameters()).device
    network.eval()
    right = 0
    chunks = zip(torch.split(pictures.pixels, batch_size), torch.split(pictures.labels, batch_size), strict=True)
    for pixels, labels in chunks:
        logits = network(_images(pixels.to(device), preprocessing))
        right += int((logits.argmax(dim=1).cpu() == labels).sum())
    return right / len(pictures)


def train(
    network: nn.Module,
    seen: Pictures,
    unseen: Pictures,
    preprocessing: Preprocessing,
    recipe: Recipe,
    show: Callable[[Progress], None],
) -> float:
    """Train a network in place and return its accuracy on unseen pictures, in [0, 1].

    Args:
        network: on the device where it is trained.
        seen: pictures to train on.
        unseen: pictures to measure the accuracy on.
        preprocessing: the preprocessing from a picture to the network's input.
        recipe: the hyperparameters.
        show: called after every step.
    """
    for step in fit(network, seen, preprocessing, recipe):
        show(step)
    return accuracy(network, unseen, preprocessing)


def circumstances(network: nn.Module) -> dict[str, object]:
    """Return what a training's exact numbers depend on beside its recipe: PyTorch, kind of device, threads."""
    device = next(network.parameters()).device
    return {"torch": torch.__version__, "device": device.type, "threads": torch.get_num_threads()}


def save(network: nn.Module, path: Path, facts: Mapping[str, object]) -> None:
    """Write the weights as safetensors in float32, with facts as metadata: texts as they are, others as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    save_file(weights, path, metadata={name: _text(fact) for name, fact in facts.items()})


def _text(fact: object) -> str:
    return fact if isinstance(fact, str) else json.dumps(fact)
