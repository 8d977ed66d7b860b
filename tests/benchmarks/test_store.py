"""Tests of the store: a part is there whole or not at all, whatever ends its writer; no row is lost or counts twice."""

import logging
import os
import random
import shutil
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from heatmark.benchmarks import parts, store
from heatmark.benchmarks.schema import ARTEFACTS
from heatmark.benchmarks.store import Store, empty, full_schema

STEPS = ("mkdir", "fsync", "replace", "unlink")
"""Functions of ``os`` that change what is on disk."""


def scores(values: dict[tuple[str, str], float | None]) -> pa.Table:
    """Rows by key and row; None is an error."""
    rows = [
        {"key": key, "row": row, "status": "error" if v is None else "ok", "reason": "", "value": v}
        for (key, row), v in values.items()
    ]
    return pa.Table.from_pylist(rows, schema=full_schema("scores"))


ONE = scores({("k", "b"): 2.0, ("k", "a"): 1.0, ("j", "a"): 3.0})
TWO = scores({("k", "c"): 4.0})
VALUES = {("k", "b"): 2.0, ("k", "a"): 1.0, ("j", "a"): 3.0, ("k", "c"): 4.0}


def values(root: Path, keys: tuple[str, ...] = ("j", "k"), **asked: Any) -> dict[tuple[str, str], float | None]:
    """What a new process reads."""
    table = Store(root).read("scores", keys, ["value"], **asked)
    ids = list(zip(table["key"].to_pylist(), table["row"].to_pylist(), strict=True))
    assert ids == sorted(set(ids))
    return dict(zip(ids, table["value"].to_pylist(), strict=True))


def present(root: Path, **asked: Any) -> dict[str, set[str]]:
    return {key: set(rows) for key, rows in Store(root).present("scores", ["j", "k", "none"], **asked).items()}


def files(root: Path, artefact: str = "scores") -> list[Path]:
    return sorted((root / "store" / artefact).glob("*/*"))


def filled(root: Path) -> Path:
    """A store of two parts."""
    for rows in (ONE, TWO):
        Store(root).put("scores", rows)
    return root


def part_of(root: Path, rows: pa.Table) -> Path:
    return next(path for path in files(root) if path.name == parts.name_of(parts.encoded(rows, full_schema("scores"))))


# Reading and writing


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    rows = pa.Table.from_pylist(
        [{"key": "k", "row": row, "status": "ok", "reason": "", "x": [0.0, 1.0], "y": [0.5, y]} for row, y in
         (("a", 0.25), ("b", float("nan")))],
        schema=full_schema("curves"),
    )  # fmt: skip
    Store(tmp_path).put("curves", rows)
    back = Store(tmp_path).read("curves", ["k"])
    assert back.schema == full_schema("curves")
    assert back.to_pydict()["x"] == [[0.0, 1.0]] * 2
    assert back["y"][0].as_py() == [0.5, 0.25]
    assert str(back["y"][1].as_py()) == "[0.5, nan]"


def test_what_is_asked_for_is_read_in_the_order_of_keys_and_rows(tmp_path: Path) -> None:
    filled(tmp_path)
    assert values(tmp_path) == VALUES
    assert values(tmp_path, ("k",)) == {("k", "a"): 1.0, ("k", "b"): 2.0, ("k", "c"): 4.0}
    assert values(tmp_path, rows=["a"]) == {("k", "a"): 1.0, ("j", "a"): 3.0}
    assert values(tmp_path, ("k",), rows=["b", "c", "z"]) == {("k", "b"): 2.0, ("k", "c"): 4.0}
    assert values(tmp_path, ("z",)) == values(tmp_path, ()) == values(tmp_path, rows=[]) == {}
    table = Store(tmp_path).read("scores", ["k"], ["value", "reason"], ["a"])
    assert table.schema == full_schema("scores", ["value", "reason"])
    assert Store(tmp_path).read("scores", ["j"]).equals(scores({("j", "a"): 3.0}))


def test_an_empty_store_has_nothing_and_reading_makes_no_folder(tmp_path: Path) -> None:
    root = tmp_path / "run"
    assert Store(root).read("maps", ["k"]).equals(empty("maps"))
    assert list(Store(root).batches("maps")) == Store(root).verify() == []
    assert not Store(root).present("maps", ["k"])["k"]
    Store(root).compact()
    Store(root).put("maps", empty("maps"))
    assert not root.exists()


def test_present_says_which_rows_are_stored(tmp_path: Path) -> None:
    filled(tmp_path)
    assert present(tmp_path) == {"k": {"a", "b", "c"}, "j": {"a"}, "none": set()}
    found = Store(tmp_path).present("scores", ["k", "j", "k"])
    assert ("a" in found["k"], "z" in found["k"], "b" in found["j"], None in found["k"]) == (True, False, False, False)
    assert (len(found["k"]), len(found["j"]), list(found)) == (3, 1, ["k", "j"])
    assert Store(tmp_path).present("scores", []) == {}


def test_present_tells_many_rows_apart(tmp_path: Path) -> None:
    Store(tmp_path).put(
        "scores", scores({(key, str(n)): 1.0 for n in range(100) for key in "jk" if key == "k" or n % 3})
    )
    assert present(tmp_path)["k"] == {str(n) for n in range(100)}
    assert present(tmp_path)["j"] == {str(n) for n in range(100) if n % 3}


def test_pictures_which_have_no_status_are_stored_too(tmp_path: Path) -> None:
    rows = pa.table({"key": ["k"], "row": ["a"], "picture": [b"\x00\xff"]}, schema=full_schema("pictures"))
    Store(tmp_path).put("pictures", rows)
    assert Store(tmp_path).read("pictures", ["k"], rows=["a"]).equals(rows)
    assert set(Store(tmp_path).present("pictures", ["k"], errors=False)["k"]) == {"a"}


@pytest.mark.parametrize("artefact", ARTEFACTS)
def test_batches_yield_all_rows_of_the_keys(artefact: str, tmp_path: Path) -> None:
    for key in "jk":
        ids = {"key": [key] * 3, "row": list("abc")}
        columns = {f.name: ids.get(f.name, pa.nulls(3, f.type)) for f in full_schema(artefact)}
        Store(tmp_path).put(artefact, pa.table(columns, schema=full_schema(artefact)))
    (first,) = Store(tmp_path).batches(artefact, [], ["j"])
    assert first.to_pydict() == {"key": ["j"] * 3, "row": list("abc")}
    table = pa.Table.from_batches(Store(tmp_path).batches(artefact))
    assert table.schema == full_schema(artefact)
    assert sorted(table["key"].to_pylist()) == list("jjjkkk")


def test_a_large_table_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "GROUP_BYTES", 2000)
    rows = scores({("k", f"{n:03}"): float(n) for n in range(200)})
    Store(tmp_path).put("scores", rows)
    batches = list(Store(tmp_path).batches("scores"))
    assert len(batches) == 7
    assert max(batch.nbytes for batch in batches) < 4000
    assert pa.Table.from_batches(batches).equals(rows)
    assert values(tmp_path, rows=["150"]) == {("k", "150"): 150.0}


def test_a_block_is_read_from_its_own_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Store(filled(tmp_path))
    held.present("scores", ["k"])
    part_of(tmp_path, ONE).unlink()
    monkeypatch.setattr(store, "listed", lambda folder: pytest.fail("all was there: nothing to look for"))
    assert held.read("scores", ["k"], ["value"], ["c"])["value"].to_pylist() == [4.0]


def test_what_this_and_another_process_write_is_seen(tmp_path: Path) -> None:
    mine, other = Store(tmp_path), Store(tmp_path)
    mine.put("scores", ONE)
    assert len(mine.read("scores", ["k"], rows=["a", "b", "c"])) == 2
    other.put("scores", TWO)
    assert len(mine.read("scores", ["k"], rows=["a", "b", "c"])) == 3
    assert set(mine.present("scores", ["k"])["k"]) == {"a", "b", "c"}


def test_unknown_names_are_errors_with_the_nearest_ones(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"unknown artefact 'score': did you mean scores"):
        Store(tmp_path).read("score", ["k"])
    for use in (Store(tmp_path).present, lambda name, _: Store(tmp_path).put(name, ONE)):
        with pytest.raises(ValueError, match="unknown artefact 'score'"):
            use("score", ["k"])
    with pytest.raises(ValueError, match=r"unknown column of scores 'valeu': did you mean value"):
        Store(tmp_path).read("scores", ["k"], ["valeu"])
    with pytest.raises(ValueError, match="the rows have the columns"):
        Store(tmp_path).put("scores", ONE.drop_columns(["value"]))


# Twice


def test_equal_rows_are_one_part_however_their_table_is_cut(tmp_path: Path) -> None:
    cut = pa.concat_tables([ONE.slice(0, 1), ONE.slice(1)])
    shuffled = pa.concat_tables([TWO, ONE]).slice(1).select(reversed(ONE.column_names))
    for rows in (ONE, cut, shuffled, ONE.replace_schema_metadata({"other": "text"})):
        Store(tmp_path).put("scores", rows)
    (path,) = files(tmp_path)
    digest, size = path.stem.split("-")
    assert (path.parent.name, len(digest), int(size)) == (digest[:2], 32, path.stat().st_size)


def test_equal_rows_of_many_pages_are_one_part(tmp_path: Path) -> None:
    ids = {"key": ["k"] * 3000, "row": [str(n) for n in range(3000)], "x": [[float(n)] * 300 for n in range(3000)]}
    columns = {f.name: ids.get(f.name, pa.nulls(3000, f.type)) for f in full_schema("curves")}
    table = pa.table(columns, schema=full_schema("curves"))
    cut = pa.concat_tables([table.slice(0, 777), table.slice(777, 1000), table.slice(1777)])
    for rows in (table, cut):
        Store(tmp_path).put("curves", rows)
    assert len(files(tmp_path, "curves")) == 1


def test_two_writers_of_one_part_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace, writers = os.replace, [Store(tmp_path)]

    def interrupted(*paths: Any) -> None:
        if writers:
            writers.pop().put("scores", ONE)
        replace(*paths)

    monkeypatch.setattr(os, "replace", interrupted)
    Store(tmp_path).put("scores", ONE)
    assert len(files(tmp_path)) == 1
    assert len(values(tmp_path)) == 3


@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_row_that_is_there_twice_counts_once_and_a_success_wins(
    order: tuple[int, int], merged: bool, tmp_path: Path
) -> None:
    tables = [scores({("k", "a"): None, ("k", "b"): None}), scores({("k", "a"): 1.0, ("k", "c"): 2.0})]
    for number in order:
        Store(tmp_path).put("scores", tables[number])
    if merged:
        Store(tmp_path).compact()
        assert sum(map(len, Store(tmp_path).batches("scores"))) == 3
    assert values(tmp_path) == {("k", "a"): 1.0, ("k", "b"): None, ("k", "c"): 2.0}
    assert present(tmp_path)["k"] == {"a", "b", "c"}
    assert present(tmp_path, errors=False)["k"] == {"a", "c"}


def test_an_error_that_another_process_mended_is_read_anew(tmp_path: Path) -> None:
    mine = Store(tmp_path)
    mine.put("scores", scores({("k", "a"): None}))
    assert mine.read("scores", ["k"], ["value"], ["a"])["value"].to_pylist() == [None]
    Store(tmp_path).put("scores", scores({("k", "a"): 1.0}))
    assert mine.read("scores", ["k"], ["value"], ["a"])["value"].to_pylist() == [1.0]


# Damage


def truncated(content: bytes) -> bytes:
    return content[: len(content) // 2]


def zeroed(content: bytes) -> bytes:
    return bytes(len(content))


def emptied(content: bytes) -> bytes:
    return b""


def without_footer(content: bytes) -> bytes:
    return content[:-64] + bytes(64)


@pytest.mark.parametrize("damage", [truncated, zeroed, emptied, without_footer])
def test_a_damaged_part_is_named_set_aside_and_written_again(
    damage: Callable[[bytes], bytes], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = part_of(filled(tmp_path), ONE)
    path.write_bytes(damage(path.read_bytes()))
    assert present(tmp_path) == {"k": {"c"}, "j": set(), "none": set()}
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert str(path) in record.message
    assert [file.name for file in (tmp_path / "damaged").iterdir()] == [f"scores-{path.name}"]
    assert values(tmp_path) == {("k", "c"): 4.0}
    Store(tmp_path).put("scores", ONE)
    assert values(tmp_path) == VALUES


def test_verify_finds_a_flipped_byte_anywhere_and_nothing_reads_it_wrongly(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = part_of(filled(tmp_path), ONE)
    good = path.read_bytes()
    places = random.Random(0).sample(range(len(good)), 60)
    for place in places:
        path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        read = values(tmp_path)
        assert read in (VALUES, {("k", "c"): 4.0})
        if read == VALUES:
            caplog.clear()
            assert Store(tmp_path).verify() == [path]
            assert str(path) in caplog.text
        assert not path.exists()
        assert values(tmp_path) == {("k", "c"): 4.0}
    assert Store(tmp_path).verify() == []


def test_a_part_that_is_written_again_is_read_by_who_set_it_aside(tmp_path: Path) -> None:
    held, path = Store(filled(tmp_path)), part_of(tmp_path, ONE)
    held.present("scores", ["k"])
    path.write_bytes(b"")
    assert held.read("scores", ["k"], ["value"])["value"].to_pylist() == [4.0]
    assert len(held.present("scores", ["k"])["k"]) == 1
    held.put("scores", ONE)
    assert held.read("scores", ["k"], ["value"])["value"].to_pylist() == [1.0, 2.0, 4.0]


@pytest.mark.parametrize("name", ["{0}-1.parquet", "00{0}.parquet", "notes.parquet"])
def test_a_file_of_another_name_is_no_part(name: str, tmp_path: Path) -> None:
    path = part_of(filled(tmp_path), ONE)
    path.rename(path.with_name(name.format(path.stem.split("-")[0])))
    assert values(tmp_path) == {("k", "c"): 4.0}
    Store(tmp_path).compact()
    assert len(list((tmp_path / "damaged").iterdir())) == 1


def test_a_damaged_part_counts_as_absent_where_it_cannot_be_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(*paths: Any) -> None:
        raise PermissionError("not yours")

    held, path = Store(filled(tmp_path)), part_of(tmp_path, ONE)
    path.write_bytes(b"")
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refused)
        for _ in range(2):
            assert held.read("scores", ["k"], ["value"])["value"].to_pylist() == [4.0]
    assert [record.message.count("is damaged") for record in caplog.records] == [1, 0]
    held.put("scores", ONE)
    assert held.read("scores", ["k"], ["value"])["value"].to_pylist() == [1.0, 2.0, 4.0]


def test_a_whole_part_that_cannot_be_read_now_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*given: Any, **options: Any) -> None:
        raise OSError("too many open files")

    filled(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(parquet, "ParquetFile", exhausted)
        with pytest.raises(OSError, match="too many open files"):
            Store(tmp_path).read("scores", ["k"])
    assert values(tmp_path) == VALUES


def test_a_link_to_a_part_that_is_gone_counts_as_absent(tmp_path: Path) -> None:
    filled(tmp_path / "other")
    linked = part_of(filled(tmp_path / "run"), ONE)
    linked.unlink()
    linked.symlink_to(part_of(tmp_path / "other", ONE))
    assert values(tmp_path / "run") == VALUES
    part_of(tmp_path / "other", ONE).unlink()
    assert values(tmp_path / "run") == {("k", "c"): 4.0}


def test_parts_of_another_schema_are_refused_and_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(parts, "SCHEMA", 999)
        filled(tmp_path)
    for use in (values, present):
        with pytest.raises(ValueError, match=r"\.parquet has schema 999, this version of Heatmark reads 1"):
            use(tmp_path)
    assert len(files(tmp_path)) == 2


# Kills and losses of power


class Disk:
    """What is on disk after each step of a process, and what a loss of power at that moment may leave of it."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.states = root, list[dict[Path, bytes | None]]()
        self._contents: dict[int, bytes] = {}
        self._names: dict[int, dict[str, Path]] = {}
        self._trees: dict[int, dict[str, int]] = {}
        for path in (root, *root.rglob("*")):
            self._flush(path)
        for name in STEPS:
            monkeypatch.setattr(os, name, self._watched(name, getattr(os, name)))

    def _watched(self, name: str, step: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*given: Any, **options: Any) -> Any:
            found = step(*given, **options)
            if name == "fsync":
                number = os.fstat(given[0]).st_ino
                for path in (self.root, *self.root.rglob("*")):
                    if path.stat().st_ino == number:
                        self._flush(path)
            self.states += [self._left(lambda path: self._trees.get(path, {})), self._left(None)]
            return found

        return watched

    def _flush(self, path: Path) -> None:
        if path.is_dir():
            self._trees[path.stat().st_ino] = {file.name: file.stat().st_ino for file in path.iterdir()}
        else:
            self._contents[path.stat().st_ino] = path.read_bytes()

    def _left(self, names: Callable[[int], dict[str, int]] | None) -> dict[Path, bytes | None]:
        """Return the files: of flushed names only, or of all names; without flushed content a file is empty."""
        left: dict[Path, bytes | None] = {}
        folders = {path.stat().st_ino for path in (self.root, *self.root.rglob("*")) if path.is_dir()}

        def walk(number: int, place: Path) -> None:
            left[place] = None
            for name, inside in self._trees.get(number, {}).items() if names else now(place):
                if inside in folders:
                    walk(inside, place / name)
                else:
                    left[place / name] = self._contents.get(inside, b"")

        def now(place: Path) -> Iterator[tuple[str, int]]:
            return ((file.name, file.stat().st_ino) for file in (self.root / place).iterdir())

        walk(self.root.stat().st_ino, Path())
        return left

    def restored(self, to: Path) -> Iterator[Path]:
        """Yield a folder with what each loss of power leaves."""
        for state in self.states:
            shutil.rmtree(to, ignore_errors=True)
            for place, content in state.items():
                if content is None:
                    (to / place).mkdir(parents=True)
                else:
                    (to / place).write_bytes(content)
            yield to


def test_a_loss_of_power_leaves_a_part_whole_or_not_at_all(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = tmp_path / "results"
    root.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        disk = Disk(root, patch)
        writer = Store(root / "run")
        writer.put("scores", ONE)
        after_one = len(disk.states)
        writer.put("scores", TWO)
    one, two = ({key: VALUES[key] for key in VALUES if key in keys} for keys in (list(VALUES)[:3], list(VALUES)[3:]))
    for number, left in enumerate(disk.restored(tmp_path / "left")):
        found = values(left / "run")
        assert found in ([{}, one] if number < after_one - 2 else [one, one | two]), number
        assert present(left / "run") == {k: {row for key, row in found if key == k} for k in ("j", "k", "none")}
        assert Store(left / "run").verify() == []
    assert found == VALUES, "what was put is there after a loss of power"
    assert not caplog.records, "no part was there in part"


def test_a_loss_of_power_while_parts_are_merged_loses_no_row(tmp_path: Path) -> None:
    filled(tmp_path / "run")
    with pytest.MonkeyPatch.context() as patch:
        disk = Disk(tmp_path / "run", patch)
        Store(tmp_path / "run").compact()
    assert len(disk.states) >= 10
    assert all(values(left) == VALUES for left in disk.restored(tmp_path / "left"))


@pytest.mark.parametrize("task", ["put", "compact"])
def test_a_kill_at_any_step_loses_nothing_that_was_stored(task: str, tmp_path: Path) -> None:
    def killed_at(number: int, root: Path) -> bool:
        """Whether a process was killed before this step; False where it ended earlier."""
        steps = iter(range(number))

        def watched(step: Callable[..., Any]) -> Callable[..., Any]:
            def before(*given: Any, **options: Any) -> Any:
                if next(steps, None) is None:
                    raise KeyboardInterrupt
                return step(*given, **options)

            return before

        with pytest.MonkeyPatch.context() as patch:
            for name in STEPS:
                patch.setattr(os, name, watched(getattr(os, name)))
            try:
                Store(root).put("scores", scores({("new", "a"): 9.0})) if task == "put" else Store(root).compact()
            except KeyboardInterrupt:
                return True
        return False

    number = 0
    while killed_at(number, filled(tmp_path / str(number))):
        assert values(tmp_path / str(number)) == VALUES
        assert values(tmp_path / str(number), ("new",)) in ({}, {("new", "a"): 9.0})
        assert not killed_at(1000, tmp_path / str(number))
        assert values(tmp_path / str(number), ("new",)) == ({("new", "a"): 9.0} if task == "put" else {})
        assert values(tmp_path / str(number)) == VALUES
        assert Store(tmp_path / str(number)).verify() == []
        number += 1
    assert number >= 5


# Merging


def test_merging_leaves_one_part_and_every_row(tmp_path: Path) -> None:
    filled(tmp_path)
    Store(tmp_path).compact("curves")
    assert len(files(tmp_path)) == 2
    Store(tmp_path).compact()
    (path,) = files(tmp_path)
    assert values(tmp_path) == VALUES
    Store(tmp_path).compact()
    assert files(tmp_path) == [path]


def test_merging_keeps_parts_of_one_block_together_and_within_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "PART_ROWS", 8)
    for block in "abc":
        for key in "jk":
            Store(tmp_path).put("scores", scores({(key, f"{block}{n}"): 1.0 for n in range(4)}))
    Store(tmp_path).compact()
    found = [set(parquet.read_table(path)["row"].to_pylist()) for path in files(tmp_path)]
    assert sorted(map(sorted, found)) == [[f"{block}{n}" for n in range(4)] for block in "abc"]
    assert len(values(tmp_path)) == 24


def test_large_parts_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store(tmp_path).put("scores", scores({("k", str(n)): float(n) for n in range(2000)}))
    Store(tmp_path).put("scores", TWO)
    monkeypatch.setattr(store, "PART_BYTES", sum(path.stat().st_size for path in files(tmp_path)))
    Store(tmp_path).compact()
    assert len(files(tmp_path)) == 2


def test_a_damaged_part_is_not_merged(tmp_path: Path) -> None:
    Store(filled(tmp_path)).put("scores", scores({("j", "z"): 5.0}))
    path = part_of(tmp_path, TWO)
    path.write_bytes(truncated(path.read_bytes()))
    Store(tmp_path).compact()
    assert len(files(tmp_path)) == 1
    assert (tmp_path / "damaged" / f"scores-{path.name}").exists()
    assert values(tmp_path) == {key: v for key, v in VALUES.items() if key != ("k", "c")} | {("j", "z"): 5.0}


def merging_at(moment: int, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have another process merge parts the next time but ``moment`` that a folder is listed or a part opened."""
    steps, looks, other = (
        {"scandir": os.scandir, "ParquetFile": parquet.ParquetFile},
        iter(range(moment)),
        [Store(root)],
    )

    def watched(name: str) -> Callable[..., Any]:
        def look(*given: Any, **options: Any) -> Any:
            if next(looks, None) is None and other:
                other.pop().compact()
            return steps[name](*given, **options)

        return look

    monkeypatch.setattr(os, "scandir", watched("scandir"))
    monkeypatch.setattr(parquet, "ParquetFile", watched("ParquetFile"))


READERS: dict[str, Callable[[Store], bool]] = {
    "read": lambda held: len(held.read("scores", ["j", "k"])) == 4,
    "read a block": lambda held: len(held.read("scores", ["k"], rows=["a", "b", "c"])) == 3,
    "present": lambda held: len(held.present("scores", ["k"])["k"]) == 3,
    "batches": lambda held: {r for b in held.batches("scores") for r in b["row"].to_pylist()} == {"a", "b", "c"},
}


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("reader", READERS)
def test_a_reader_loses_nothing_when_parts_are_merged_under_it(reader: str, warm: bool, tmp_path: Path) -> None:
    """Parts are merged at the first, second, … moment at which the reader looks at the disk."""
    for moment in range(10):
        held = Store(filled(tmp_path / str(moment)))
        if warm:
            held.present("scores", ["k"])
        with pytest.MonkeyPatch.context() as patch:
            merging_at(moment, held.root, patch)
            assert READERS[reader](held), moment


def test_writers_readers_and_merging_side_by_side(tmp_path: Path) -> None:
    """What was put before a reader begins is read by it."""
    written: list[str] = []
    lost: list[str] = []
    done = threading.Event()

    def write(start: int) -> None:
        mine = Store(tmp_path)
        for number in range(start, 60, 2):
            mine.put("scores", scores({("k", str(number)): float(number)}))
            written.append(str(number))

    def merge() -> None:
        while not done.is_set():
            Store(tmp_path).compact()

    def look() -> None:
        held = Store(tmp_path)
        while not done.is_set():
            before = list(written)
            rows, stored = held.read("scores", ["k"], [])["row"].to_pylist(), held.present("scores", ["k"])["k"]
            lost.extend(row for row in before if row not in rows or row not in stored)

    writers = [threading.Thread(target=write, args=(start,)) for start in (0, 1)]
    others = [threading.Thread(target=other) for other in (merge, merge, look)]
    for thread in writers + others:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in others:
        thread.join()
    assert not lost
    assert values(tmp_path) == {("k", str(number)): float(number) for number in range(60)}
    assert not (tmp_path / "damaged").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
def test_a_group_may_read_where_the_umask_lets_it(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        filled(tmp_path / "run")
    finally:
        os.umask(before)
    path = files(tmp_path / "run")[0]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o750


def test_a_file_of_a_file_manager_among_the_folders_is_no_part(tmp_path: Path) -> None:
    root = filled(tmp_path)
    (root / "store" / "scores" / ".DS_Store").write_bytes(b"x")
    assert {path.suffix for path in parts.listed(root / "store" / "scores")} == {".parquet"}
    assert Store(root).verify() == []
