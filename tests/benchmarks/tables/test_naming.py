"""Tests of names of weights: equal names are made distinct by folder or digest, all others are kept."""

import pytest

from heatmark.benchmarks.tables.naming import Weights, weights_names

A, B, C = (Weights("net", "best", digest * 12) for digest in "abc")


def test_a_name_with_one_digest_stays_as_it_is() -> None:
    last, other = Weights("net", "last", "b" * 12), Weights("other", "best", "b" * 12)
    assert weights_names({A: "/x/best.pth", last: "/x/last.pth", other: "/y/best.pth"}) == {
        A: "best", last: "last", other: "best",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["/r/exp1/best.pth", "/r/exp2/best.pth"], ["exp1/best", "exp2/best"]),
        (["/r/1/out/best.pth", "/r/2/out/best.pth"], ["1/out/best", "2/out/best"]),
        (["/r/1/a/best.pth", "/r/2/a/best.pth", "/r/1/b/best.th"], ["1/a/best", "2/a/best", "1/b/best"]),
        (["/r/exp/best.pth", "/r/exp/best.pth"], ["best@aaaaaaa", "best@bbbbbbb"]),  # overwritten between two runs
        (["/r/exp/best.pth", ""], ["best@aaaaaaa", "best@bbbbbbb"]),
        (["/best.pth", "/r/best.pth"], ["best@aaaaaaa", "best@bbbbbbb"]),
    ],
)
def test_equal_names_are_preceded_by_folders_or_followed_by_the_digest(files: list[str], names: list[str]) -> None:
    weights = [A, B, C][: len(files)]
    assert weights_names(dict(zip(weights, files, strict=True))) == dict(zip(weights, names, strict=True))


def test_equal_names_of_weights_without_a_file_are_followed_by_the_digest() -> None:
    old = Weights("net", "best", "")
    assert weights_names({A: "/r/1/best.pth"}, [A, B, old]) == {A: "best@aaaaaaa", B: "best@bbbbbbb", old: "best"}
