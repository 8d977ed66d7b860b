"""Tests of shards: together they are the dataset, and what is no shard is refused."""

import pytest

from heatmark.benchmarks.sweep.shards import WHOLE, Shard, parse_shard


def test_a_shard_takes_every_so_many_th_picture_counted_from_0() -> None:
    assert parse_shard("3/8") == Shard(3, 8)
    assert list(Shard(3, 8).positions(20)) == [3, 11, 19]
    assert list(Shard(3, 8).positions(3)) == []
    assert list(WHOLE.positions(3)) == [0, 1, 2]


@pytest.mark.parametrize("count", [0, 1, 7, 8, 20])
def test_the_shards_of_a_dataset_are_all_of_it_each_picture_once(count: int) -> None:
    found = [position for number in range(3) for position in Shard(number, 3).positions(count)]
    assert sorted(found) == list(range(count))


@pytest.mark.parametrize("text", ["8/8", "a/b", "-1/3", "3", "", "3/8/2", "1/0", "0/0", "1.5/3", "3/ 8"])
def test_what_is_no_shard_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected NUMBER/COUNT with a NUMBER from 0 to COUNT - 1") as error:
        parse_shard(text)
    assert text in str(error.value)
