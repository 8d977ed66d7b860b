"""Tests of the strings that name models, methods, metrics and datasets: how they are read and written."""

import pytest

from heatmark.benchmarks.config.arguments import rewritten
from heatmark.benchmarks.config.strings import Named, elements, quoted, read, readable, split, unquoted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rise", Named("rise")),
        ("rise()", Named("rise")),
        (" rise ( masks = 1000 , seed=1 ) ", Named("rise", (("masks", "1000"), ("seed", "1")))),
        ("rise(order=[1, 2])", Named("rise", (("order", "[1,2]"),))),
        ("m(a='x, (y) = z',b={c: 1})", Named("m", (("a", "'x, (y) = z'"), ("b", "{c:1}")))),
        ("resnet18(preprocessing.resize=288)", Named("resnet18", (("preprocessing.resize", "288"),))),
        ("folder(root=my pictures)", Named("folder", (("root", "my pictures"),))),
        ("my nets/it's.yaml", Named("my nets/it's.yaml")),
        ("'rise(masks=1000)'", Named("rise", (("masks", "1000"),))),
        (r"rise\(masks\=1000\,seed\=1\)", Named("rise", (("masks", "1000"), ("seed", "1")))),
        (r"torchvision\:regnet_y_400mf", Named("torchvision:regnet_y_400mf")),
    ],
)
def test_a_string_is_read(text: str, expected: Named) -> None:
    assert read(text) == expected
    assert read(str(expected)) == expected
    assert read(quoted(str(expected))) == expected


@pytest.mark.parametrize(
    "text", ["rise(8)", "rise(=8)", "rise(masks)", "rise(masks=1,masks=2)", "rise(a=[1)", "r(a b=1)"]
)
def test_a_string_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ValueError, match=r"rise|cannot read"):
        read(text)


def test_an_argument_has_elements_and_lists() -> None:
    assert elements("a, [b,c(d=1,e=[2,3])],'x,y'") == ["a", ["b", "c(d=1,e=[2,3])"], "'x,y'"]
    assert elements("[]") == [[]]
    assert split("it's,a") == ["it's", "a"]
    for wrong in ("[a", "a]", "a(b,c", "a),(b"):
        with pytest.raises(ValueError, match="a bracket lacks its other half"):
            split(wrong)


@pytest.mark.parametrize("text", ["it's", "a b", "back\\slash", "its \\", "\\'", "rise(a='b')", "", "a,b", '"x"'])
def test_a_quoted_text_is_the_text_again(text: str) -> None:
    assert unquoted(quoted(text)) == text


def test_an_override_is_shown_as_a_person_types_it() -> None:
    given = "method=[rise,'rise(masks=8,seed=1)','m(a=[1,2])','a b']"
    assert readable(given) == "method=[rise,rise(masks=8,seed=1),'m(a=[1,2])',a b]"
    assert readable("model='/x y/n.yaml'") == "model=/x y/n.yaml"
    assert readable(r"model=torchvision\:n") == "model=torchvision:n"


def test_a_value_that_cannot_be_read_is_named_with_what_it_is_of() -> None:
    with pytest.raises(ValueError, match=r"cannot read '/a\(b\)/d' in dataset=folder.*needs quotes"):
        rewritten("sweep", ["dataset=folder(root=/a(b)/d)"])
