"""Tests of the store: a cell is stored whole or not at all, and only once."""

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


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
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


def test_a_cell_whose_writer_was_killed_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_an_error_is_not_finished_and_is_replaced(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write(record("error"))
    assert not store.finished(KEY)
    store.write(record("ok"))
    (back,) = store.read()
    assert back.status == "ok"


def test_a_skip_is_finished(tmp_path: Path) -> None:
    Store(tmp_path).write(record("skipped"))
    assert Store(tmp_path).finished(KEY)


def test_a_cells_folder_has_the_permissions_of_other_folders(tmp_path: Path) -> None:
    Store(tmp_path).write(record())
    (tmp_path / "any").mkdir()
    assert (tmp_path / "cells" / KEY).stat().st_mode == (tmp_path / "any").stat().st_mode


GALLERY = Gallery({"b.png": b"\x00\xff", "a.png": b""}, {"a.png": "tench"}, ("tench, Tinca tinca", "goldfish"))


def test_a_gallery_is_read_as_it_was_written_by_its_network_and_images(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.read_gallery("d", "aa", "bb") is None
    store.write_gallery("d", "aa", "bb", GALLERY)
    back = store.read_gallery("d", "aa", "bb")
    assert back is not None
    assert back == GALLERY
    assert list(back.pictures) == ["b.png", "a.png"]
    assert store.read_gallery("d", "aa", "cc") is store.read_gallery("d", "cc", "bb") is None
    store.write_gallery("d", "aa", "cc", Gallery({}))
    assert store.read_gallery("d", "aa", "cc") == Gallery({})


def test_a_second_gallery_replaces_the_first_and_a_kill_leaves_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    store = Store(tmp_path)
    store.write_gallery("d", "aa", "bb", GALLERY)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            store.write_gallery("d", "aa", "bb", Gallery({}))
    assert store.read_gallery("d", "aa", "bb") == GALLERY
    store.write_gallery("d", "aa", "bb", Gallery({}))
    assert store.read_gallery("d", "aa", "bb") == Gallery({})
    assert len(list((tmp_path / "pictures").glob("[!.]*"))) == 1


def test_a_damaged_gallery_counts_as_absent(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write_gallery("d", "aa", "bb", GALLERY)
    (file,) = (tmp_path / "pictures").iterdir()
    file.write_bytes(file.read_bytes()[:100])
    assert store.read_gallery("d", "aa", "bb") is None


def test_equal_pictures_under_other_names_are_two_galleries(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write_gallery("d", "aa", "bb", GALLERY)
    store.write_gallery("other", "aa", "bb", Gallery({}))
    assert store.read_gallery("d", "aa", "bb") == GALLERY
