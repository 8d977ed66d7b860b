"""Cells land whole: what a kill leaves is no cell, what a second writer brings is dropped."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heatmark.benchmarks.store import Gallery, Measured, Record, Store

KEY = "k" * 64


def record(status: str = "ok", value: float = 0.25) -> Record:
    measured = Measured(
        "deletion:rise-2018",
        False,
        np.array([value, np.nan]),
        np.array([0.0, 1.0]),
        np.array([[1.0, 0.5], [0.75, 0.125]]),
        np.array([0.5, np.nan]),
        np.array([0.125, np.nan]),
        np.array([0.375, np.nan]),
    )
    return Record(
        KEY,
        {"model": "m", "layer": "l", "method": "grad_cam"},
        status,
        "" if status == "ok" else "because",
        ["a.png", "b.png"],
        [3, 1],
        ["", "constant"],
        {"deletion": measured},
        [{"batch_size": 2, "latency_ms": 1.5}],
        np.arange(8, dtype=np.float32).reshape(2, 2, 2),
    )


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write(record())
    (back,) = store.read()
    assert (back.key, back.columns, back.status, back.images) == (KEY, record().columns, "ok", ["a.png", "b.png"])
    assert (back.targets, back.flags, back.timing) == ([3, 1], ["", "constant"], [{"batch_size": 2, "latency_ms": 1.5}])
    was, now = record().metrics["deletion"], back.metrics["deletion"]
    assert (now.definition, now.higher_is_better) == ("deletion:rise-2018", False)
    for kind in ("values", "fractions", "scores", "tied", "tie_low", "tie_high"):
        np.testing.assert_array_equal(getattr(now, kind), getattr(was, kind))
    np.testing.assert_array_equal(store.maps(KEY), record().maps)


def test_two_machines_write_one_file_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In containers of one shared folder two writers have the same process id."""
    save, writers = np.save, [Store(tmp_path)]

    def interrupted(*arguments: Any) -> None:
        if writers:
            writers.pop().write(record())
        save(*arguments)

    monkeypatch.setattr(np, "save", interrupted)
    Store(tmp_path).write(record())
    np.testing.assert_array_equal(Store(tmp_path).maps(KEY), record().maps)
    assert [path.name for path in (tmp_path / "maps").iterdir()] == [f"{KEY}.npy"]


def test_a_cell_that_was_killed_while_writing_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    store = Store(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", killed)
        with pytest.raises(KeyboardInterrupt):
            store.write(record())
    assert not store.finished(KEY)
    assert list(store.read()) == []
    store.write(record())
    assert store.finished(KEY)


def test_the_first_of_two_writers_wins_and_nothing_is_left_beside(tmp_path: Path) -> None:
    Store(tmp_path).write(record(value=0.25))
    Store(tmp_path).write(record(value=0.5))
    (back,) = Store(tmp_path).read()
    assert back.metrics["deletion"].values[0] == 0.25
    assert [path.name for path in (tmp_path / "cells").iterdir()] == [KEY]


def test_an_error_is_not_finished_and_gives_way(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write(record("error"))
    assert not store.finished(KEY)
    store.write(record("ok"))
    (back,) = store.read()
    assert back.status == "ok"


def test_a_skip_is_finished(tmp_path: Path) -> None:
    Store(tmp_path).write(record("skipped"))
    assert Store(tmp_path).finished(KEY)


def test_a_cells_folder_may_be_read_by_whoever_may_read_its_neighbours(tmp_path: Path) -> None:
    Store(tmp_path).write(record())
    (tmp_path / "any").mkdir()
    assert (tmp_path / "cells" / KEY).stat().st_mode == (tmp_path / "any").stat().st_mode


GALLERY = Gallery({"b.png": b"\x00\xff", "a.png": b""}, {"a.png": "tench"}, ("tench, Tinca tinca", "goldfish"))


def test_a_gallery_comes_back_as_it_was_for_its_network_and_images(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.read_gallery("aa", "bb") is None
    store.write_gallery("aa", "bb", GALLERY)
    back = store.read_gallery("aa", "bb")
    assert back is not None
    assert back == GALLERY
    assert list(back.pictures) == ["b.png", "a.png"]
    assert store.read_gallery("aa", "cc") is store.read_gallery("cc", "bb") is None
    store.write_gallery("aa", "cc", Gallery({}))
    assert store.read_gallery("aa", "cc") == Gallery({})


def test_a_second_gallery_takes_the_firsts_place_and_a_kill_leaves_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    store = Store(tmp_path)
    store.write_gallery("aa", "bb", GALLERY)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            store.write_gallery("aa", "bb", Gallery({}))
    assert store.read_gallery("aa", "bb") == GALLERY
    store.write_gallery("aa", "bb", Gallery({}))
    assert store.read_gallery("aa", "bb") == Gallery({})
    assert [path.name for path in (tmp_path / "pictures").glob("[!.]*")] == ["aa-bb.parquet"]
