"""Tests of the scores of a target, by hand."""

from math import log

import pytest
import torch

from heatmark.metrics.engine.target_scores import SCORES, accuracy, find_score, log_odds, logit, probability

LOGITS = torch.tensor([[log(1.0), log(2.0), log(5.0)], [log(3.0), log(3.0), log(2.0)]])
TARGETS = torch.tensor([2, 1])


def test_by_hand() -> None:
    assert probability(LOGITS, TARGETS).tolist() == pytest.approx([5 / 8, 3 / 8])
    assert logit(LOGITS, TARGETS).tolist() == pytest.approx([log(5), log(3)])
    assert log_odds(LOGITS, TARGETS).tolist() == pytest.approx([log(5 / 3), log(3 / 5)])
    assert accuracy(LOGITS, TARGETS).tolist() == [1, 0]  # the first of equal logits is the class
    assert accuracy(LOGITS, torch.tensor([0, 0])).tolist() == [0, 1]


def test_log_odds_are_finite_where_the_probability_is_1() -> None:
    sure = torch.tensor([[200.0, 0.0, -3.0]])
    assert probability(sure, torch.tensor([0])).item() == 1
    assert log_odds(sure, torch.tensor([0])).item() == pytest.approx(200 - log(1 + 2.718281828**-3), abs=1e-4)


@pytest.mark.parametrize("name", SCORES)
def test_half_precision_is_left_and_nan_stays(name: str) -> None:
    score = find_score(name)
    assert score(LOGITS.bfloat16(), TARGETS).dtype == torch.float32
    assert score(torch.full((1, 3), torch.nan), torch.tensor([1])).isnan().all()


def test_an_unknown_score_names_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"unknown score 'logits': did you mean logit"):
        find_score("logits")
