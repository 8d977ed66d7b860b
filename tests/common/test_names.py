import pytest

from heatmark.common.names import did_you_mean, look_up, nearest


def test_the_most_alike_come_first_and_three_at_most():
    known = ["my_layer5", "layer44", "layer4", "features", "layer"]
    assert nearest("layer5", known) == ["layer", "layer4", "my_layer5"]


def test_a_name_less_than_half_alike_is_not_offered():
    assert nearest("abcd", ["abxy"]) == ["abxy"]  # 2 · 2 letters in common of 8
    assert nearest("abcd", ["abxyz"]) == []
    assert nearest("abcd", ["abxy"], cutoff=0.8) == []


def test_case_does_not_matter_and_names_are_offered_as_they_are_written():
    assert nearest("GRADCAM", ["rise", "GradCAM"]) == ["GradCAM"]


def test_the_hint_names_the_nearest_or_says_what_else_there_is():
    assert did_you_mean("zer", ["blur", "zero"], "expected zero") == "did you mean zero?"
    assert did_you_mean("tab", ["table", "tabs"]) == "did you mean tabs, table?"
    assert did_you_mean("xxx", ["blur", "zero"], "expected blur or zero") == "expected blur or zero"


def test_looks_up_or_names_the_nearest():
    assert look_up("baseline", "zero", {"blur": 1, "zero": 2}) == 2
    with pytest.raises(ValueError, match=r"^unknown baseline 'zer': did you mean zero\?$"):
        look_up("baseline", "zer", {"blur": 1, "zero": 2})
    with pytest.raises(ValueError, match=r"^unknown baseline 7: expected one of blur, zero\.$"):
        look_up("baseline", 7, {"blur": 1, "zero": 2})
