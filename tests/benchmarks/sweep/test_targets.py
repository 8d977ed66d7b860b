"""Tests of the class that is explained: every rule, and the message for a wrong one."""

import pytest
import torch
from torch import nn

from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.preprocessing import Preprocessing
from heatmark.benchmarks.sweep.targets import choose_targets

LOGITS = torch.tensor([[1.0, 3.0, 2.0], [5.0, 0.0, 4.0], [1.0, 1.0, 0.0]])
LABELS = torch.tensor([2, 0, 1])
CLASSIFIER = Classifier("net", nn.Identity(), "random-0", Preprocessing(), classes=("tabby", "tiger cat", "space bar"))


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("predicted", [1, 0, 0]),
        ("second", [2, 2, 1]),
        ("label", [2, 0, 1]),
        (2, [2, 2, 2]),
        ("1", [1, 1, 1]),
        ("tiger cat", [1, 1, 1]),
        ("Space_Bar", [2, 2, 2]),
    ],
)
def test_rules(rule: int | str, expected: list[int]) -> None:
    assert choose_targets(rule, LOGITS, LABELS, CLASSIFIER).tolist() == expected


@pytest.mark.parametrize(
    ("rule", "labels", "message"),
    [
        ("tiger_cad", LABELS, "did you mean tiger cat"),
        ("predictd", LABELS, "did you mean predicted"),
        (7, LABELS, "out of range"),
        ("label", torch.tensor([2, -1, 1]), "1 of 3 images have no label"),
        ("label", torch.tensor([2, 9, 1]), "an image has the label 9, and .* has 3 classes, 0 to 2"),
    ],
)
def test_a_wrong_target_is_answered_with_what_is_right(rule: int | str, labels: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        choose_targets(rule, LOGITS, labels, CLASSIFIER)
