"""One precision rule, and the bits that it gave before methods and metrics shared it."""

import pytest
import torch
from torch import Tensor, nn

from heatmark.common.probabilities import class_probabilities, full_precision, target_logits, target_probabilities

TARGETS = torch.tensor([2, 0])


def as_metrics_wrote_it(logits: Tensor, targets: Tensor) -> Tensor:
    return logits.softmax(1, dtype=torch.promote_types(logits.dtype, torch.float32)).gather(1, targets[:, None])[:, 0]


def as_methods_wrote_it(logits: Tensor, targets: Tensor) -> Tensor:
    wide = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
    return wide.softmax(dim=1).gather(1, targets.long()[:, None])[:, 0]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("classes", [2, 7, 1000])
def test_no_bit_differs_from_either_rule_of_before(dtype: torch.dtype, classes: int) -> None:
    logits = (20 * torch.randn(50, classes, generator=torch.Generator().manual_seed(classes))).to(dtype)
    targets = torch.arange(50) % classes
    got = target_probabilities(nn.Identity(), logits, targets)
    assert torch.equal(got, as_metrics_wrote_it(logits, targets))
    assert torch.equal(got, as_methods_wrote_it(logits, targets))


def test_no_bit_differs_under_autocast() -> None:
    torch.manual_seed(0)
    model, images = nn.Linear(40, 9).eval(), torch.randn(30, 40)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        logits, got = model(images), target_probabilities(model, images, torch.arange(30) % 9)
    assert logits.dtype == torch.bfloat16
    assert torch.equal(got, as_metrics_wrote_it(logits, torch.arange(30) % 9))


def test_probabilities_by_hand_in_float32_or_better() -> None:
    logits = torch.tensor([[0.0, 1.0, 2.0], [3.0, 0.0, -1.0]], dtype=torch.float64)
    expected = [torch.e**2 / (1 + torch.e + torch.e**2), torch.e**3 / (torch.e**3 + 1 + 1 / torch.e)]
    got = target_probabilities(nn.Identity(), logits, TARGETS)
    assert got.dtype == torch.float64
    assert got.tolist() == pytest.approx(expected, abs=1e-12)
    assert class_probabilities(logits.bfloat16()).dtype == full_precision(logits.half()).dtype == torch.float32


@pytest.mark.parametrize(
    ("logits", "targets", "message"),
    [
        (torch.zeros(2, 3), torch.tensor([0, 3]), "targets from 0 to 3, but the model has 3 classes"),
        (torch.zeros(2, 3), torch.tensor([-1, 0]), "targets from -1 to 0"),
        (torch.zeros(2, 3), torch.tensor([0.0, 1.0]), "expected whole numbers"),
        (torch.zeros(2, 3), torch.tensor([0]), r"expected logits \(N, classes\) and targets \(N,\)"),
    ],
)
def test_targets_that_do_not_belong_to_the_logits_are_refused(logits: Tensor, targets: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        target_logits(logits, targets)
