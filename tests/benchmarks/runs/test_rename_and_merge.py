import shutil
from pathlib import Path

import pytest

from heatmark.benchmarks import requests
from heatmark.benchmarks.runs.merge import merge
from heatmark.benchmarks.runs.rename import rename
from heatmark.benchmarks.runs.status import Count, status
from tests.benchmarks.runs.made import ENTRIES, put_all, request, say, write
from tests.benchmarks.runs.made import elsewhere as beat


def test_a_run_is_renamed(tmp_path: Path) -> None:
    put_all(write(tmp_path / "a", request()))
    rename(tmp_path / "a", tmp_path / "b")
    assert not (tmp_path / "a").exists()
    assert status(tmp_path / "b", 0.0)[0].rows == Count(done=12)


def test_a_name_that_is_taken_stays(tmp_path: Path) -> None:
    for name in "ab":
        write(tmp_path / name, request())
    with pytest.raises(ValueError, match=r"b exists; choose another name"):
        rename(tmp_path / "a", tmp_path / "b")
    with pytest.raises(ValueError, match="no run in"):
        rename(tmp_path / "c", tmp_path / "d")


def shard(root: Path, number: int) -> Path:
    put_all(
        write(root, request(shard=(number, 3), entries=[ENTRIES[number]], facts={"shard_size": 1})), [ENTRIES[number]]
    )
    say(root, f"{'j' * 32}.{number}-of-3", beat(1.0, status="done"))
    return root


def files(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_shards_of_three_folders_are_one_job(tmp_path: Path) -> None:
    a, b, c = (shard(tmp_path / name, number) for number, name in enumerate("abc"))
    assert merge(b, a) + merge(c, a) == []
    assert status(a, 0.0)[0].rows == Count(done=12)
    assert [e.image for e in requests.current(a)[0].entries] == ["a.png", "b.png", "c.png"]


def test_a_plain_copy_of_the_files_is_the_same(tmp_path: Path) -> None:
    a, b = shard(tmp_path / "a", 0), shard(tmp_path / "b", 1)
    shutil.copytree(a, tmp_path / "copied")
    shutil.copytree(b, tmp_path / "copied", dirs_exist_ok=True)
    names = set(files(a)) | set(files(b))
    merge(b, a)
    assert files(a) == files(tmp_path / "copied")
    assert set(files(a)) == names


def test_merging_twice_changes_nothing_and_the_source_stays(tmp_path: Path) -> None:
    a, b = shard(tmp_path / "a", 0), shard(tmp_path / "b", 1)
    source = files(b)
    merge(b, a)
    once = files(a)
    merge(b, a)
    assert (files(a), files(b)) == (once, source)


@pytest.mark.parametrize(("here", "there", "kept"), [(1.0, 2.0, "new"), (2.0, 1.0, "old")])
def test_of_two_states_of_one_job_the_newer_wins(here: float, there: float, kept: str, tmp_path: Path) -> None:
    a = write(tmp_path / "a", request(written=here, facts={"model": "old"}))
    b = write(tmp_path / "b", request(written=there, facts={"model": "new"}))
    (line,) = merge(b, a)
    assert f"kept that of {b if kept == 'new' else a}, the newer" in line
    assert requests.read(a)[0].facts["model"] == kept


def test_what_is_not_whole_is_not_copied(tmp_path: Path) -> None:
    a, b = shard(tmp_path / "a", 0), shard(tmp_path / "b", 1)
    names = set(files(a)) | set(files(b))
    (b / "store" / "maps" / ".part.123").write_bytes(b"half")
    (b / "store" / "damaged").mkdir()
    (b / "store" / "damaged" / "x.parquet").write_bytes(b"bad")
    (b / "results.csv").write_text("older than the merge")
    merge(b, a)
    assert set(files(a)) == names


def test_mistakes_are_named(tmp_path: Path) -> None:
    a = shard(tmp_path / "a", 0)
    with pytest.raises(ValueError, match="cannot be merged into itself"):
        merge(a, a)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty has no requests"):
        merge(tmp_path / "empty", a)
