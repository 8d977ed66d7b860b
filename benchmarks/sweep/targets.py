"""The class that is explained of each image, chosen by a rule, a number or a name."""

import torch
from torch import Tensor

from heatmark.benchmarks.models.classifier import Classifier
from heatmark.common.names import did_you_mean

RULES = ("predicted", "second", "label")


def choose_targets(rule: int | str, logits: Tensor, labels: Tensor, classifier: Classifier) -> Tensor:
    """Return the class to explain for every image, (N,).

    Args:
        rule: ``predicted`` (largest logit), ``second`` (second largest), ``label`` (the true class), or one class
            for all images by number or name.
        logits: (N, classes).
        labels: (N,), −1 where unknown.
        classifier: the model, whose classes a name may name.

    Raises:
        ValueError: for an unknown class, or for ``label`` if an image has none.
    """
    if rule in ("predicted", "second"):
        return torch.argsort(logits, dim=1, descending=True, stable=True)[:, RULES.index(str(rule))]
    if rule == "label":
        if (labels < 0).any():
            raise ValueError(
                f"target=label, but {int((labels < 0).sum())} of {len(labels)} images have no label that is a class of "
                f"{classifier.name}; label them (see dataset=folder) or use target=predicted"
            )
        if (labels >= logits.shape[1]).any():
            raise ValueError(
                f"target=label, but an image has the label {int(labels.max())}, and {classifier.name} has "
                f"{logits.shape[1]} classes, 0 to {logits.shape[1] - 1}"
            )
        return labels
    return torch.full_like(labels, _one_class(rule, classifier, logits.shape[1]))


def targets_of(rule: int | str, top: Tensor, labels: Tensor, classifier: Classifier) -> tuple[Tensor, dict[int, str]]:
    """Return the class to explain of every image, (N,), and why some image has none, by its position.

    Args:
        rule: as in :func:`choose_targets`, which has checked it.
        top: (N, 2), the two most probable classes.
        labels: (N,), −1 where unknown.
        classifier: the model, whose classes a name may name.
    """
    if rule in ("predicted", "second"):
        return top[:, RULES.index(str(rule))], {}
    if rule == "label":
        reason = f"target=label, but the image has no label that is a class of {classifier.name}"
        return labels, dict.fromkeys((labels < 0).nonzero()[:, 0].tolist(), reason)
    return torch.full_like(labels, classifier.class_index(rule)), {}


def _one_class(rule: int | str, classifier: Classifier, count: int) -> int:
    try:
        index = classifier.class_index(rule)
    except ValueError as error:
        hint = did_you_mean(str(rule), RULES, f"a rule is one of {', '.join(RULES)}")
        raise ValueError(f"target={rule}: {error}\nIf a rule was meant: {hint}") from None
    if not 0 <= index < count:
        raise ValueError(
            f"target class {index} is out of range: {classifier.name} has {count} classes, 0 to {count - 1}"
        )
    return index
