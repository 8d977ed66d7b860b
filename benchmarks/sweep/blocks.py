"""Blocks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
import hashlib
import torch
from torch import Tensor
from heatmark.benchmarks.requests import Entry
from heatmark.benchmarks.sweep.images import _label, _label_name, digest_picture


@dataclass(frozen=True)
class Block:
    entries: Sequence[Entry]
    images: Tensor
    labels: Tensor
    objects: Sequence
    broken: Sequence[Entry]
    ignore: Tensor | None = None

    def masks_of(self, targets):
        if not any(self.objects):
            return None
        size = self.images.shape[-2:]
        masks = torch.zeros(len(self.images), *size, dtype=torch.bool)
        has = torch.zeros(len(self.images), dtype=torch.bool)
        for n, objs in enumerate(self.objects):
            for c, m in objs:
                if c == int(targets[n]):
                    masks[n] |= m
                    has[n] = True
        return masks, has


def reference(dataset, classifier):
    for i in range(len(dataset)):
        try:
            return classifier.preprocessing.image(dataset[i].image)
        except ValueError as e:
            error = e
    raise error


def blocks(dataset, classifier, positions, size=64, reference=None) -> Iterator[Block]:
    for start in range(0, len(positions), size):
        es, ims, labs, objs, broken = [], [], [], [], []
        for i in positions[start : start + size]:
            try:
                s = dataset[i]
            except ValueError as e:
                broken.append(Entry(dataset.name_of(i), "", position=i, reason=str(e)))
                continue
            lab = _label(s, dataset, classifier)
            o = [(lab, classifier.preprocessing.mask(m)) for l, m in s.objects]
            inputs = {}
            if o:
                inputs["masks"] = hashlib.sha256(b"".join(m.numpy().tobytes() for _, m in o)).hexdigest()[:12]
            if lab >= 0:
                inputs["labels"] = str(lab)
            es.append(
                Entry(
                    s.name,
                    digest_picture(s.image)[:32],
                    _label_name(s, dataset, classifier),
                    s.group or "",
                    lab,
                    -1,
                    inputs,
                    i,
                )
            )
            ims.append(classifier.preprocessing.image(s.image))
            labs.append(lab)
            objs.append(o)
        yield Block(
            es,
            torch.stack(ims) if ims else torch.zeros(0, 3, 1, 1),
            torch.tensor(labs, dtype=torch.int64),
            objs,
            broken,
        )
