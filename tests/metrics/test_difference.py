"""Tests of the difference of two metrics."""

import pytest
import torch
from torch import nn

from heatmark.common.identity import definition, identity
from heatmark.metrics.base import Derived, Explained
from heatmark.metrics.difference import Difference


def test_terms_are_one_and_minus_one() -> None:
    assert Difference("srg", "road").terms == {"srg": 1.0, "road": -1.0}
    assert Difference().terms == {"insertion": 1.0, "deletion": -1.0}
    assert isinstance(Difference(), Derived)


def test_its_direction_is_an_option() -> None:
    assert Difference().higher_is_better is True
    assert Difference(higher_is_better=None).higher_is_better is None
    assert identity(Difference("a", "b")) != identity(Difference("b", "a"))
    assert definition("d", Difference()) == "d"


def test_a_call_is_refused() -> None:
    images = torch.zeros(1, 3, 2, 2)
    batch = Explained(nn.Identity(), images, torch.zeros(1), images[:, 0], None, lambda *_: images[:, 0])
    with pytest.raises(ValueError, match="Difference is derived from the scores under insertion, deletion"):
        Difference()(batch)


def test_a_metric_minus_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="minuend and subtrahend are both 'deletion', expected two metrics"):
        Difference("deletion", "deletion")
