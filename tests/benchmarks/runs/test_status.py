import math
import sys
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from heatmark.benchmarks.commands.status import below, duration, table
from heatmark.benchmarks.requests import Entry
from heatmark.benchmarks.runs.heartbeat import Heartbeat
from heatmark.benchmarks.runs.status import Count, status
from tests.benchmarks.runs.made import CELLS, ENTRIES, METRICS, elsewhere, put, put_all, request, say, write

STEM = "j" * 32


def test_a_finished_job_has_nothing_to_continue(tmp_path: Path) -> None:
    put_all(write(tmp_path, request()))
    (job,) = status(tmp_path, 0.0)
    assert (job.model, job.dataset, job.state, job.rows) == ("net", "shapes", "done", Count(done=12))
    assert (list(job.commands), dict(job.dead)) == ([], {})
    assert math.isnan(job.minutes_left)


def test_rows_are_counted_by_entry_cell_and_metric(tmp_path: Path) -> None:
    write(tmp_path, request())
    grad_cam, rise = CELLS
    put(tmp_path, "scores", f"deletion/{grad_cam.key}", ["a.3", "b.3"])
    put(tmp_path, "scores", f"deletion/{grad_cam.key}", ["c.3"], status="error")
    put(tmp_path, "scores", f"pointing/{grad_cam.key}", ["a.3.mask-a", "b.3.an-older-mask"])
    put(tmp_path, "maps", rise.key, [""], status="error")  # the whole cell failed: 3 entries x 2 metrics
    (job,) = status(tmp_path, 0.0)
    assert job.rows == Count(done=3, missing=2, errors=1 + 6)
    assert job.state == "stopped"
    assert job.commands == ["heatmark sweep model=net 'name=my run'"]


def test_a_failed_map_or_curve_fails_the_scores_that_need_it(tmp_path: Path) -> None:
    write(tmp_path, request(cells=CELLS[:1]))
    put(tmp_path, "maps", CELLS[0].key, ["a.3"], status="error")
    put(tmp_path, "curves", f"curve/{CELLS[0].key}", ["b.3"], status="error")
    (job,) = status(tmp_path, 0.0)
    assert job.rows == Count(missing=3, errors=3)  # a under both metrics, b under deletion


def test_a_picture_that_cannot_be_explained_is_an_error_everywhere(tmp_path: Path) -> None:
    put_all(write(tmp_path, request(entries=[*ENTRIES, Entry("d.png", "", reason="truncated")])))
    assert status(tmp_path, 0.0)[0].rows == Count(done=12, errors=4)


def test_what_is_skipped_is_not_asked_for(tmp_path: Path) -> None:
    cells = [CELLS[0], replace(CELLS[1], skipped="no layer")]
    metrics = [METRICS[0], replace(METRICS[1], skipped="no masks"), METRICS[2]]
    write(tmp_path, request(cells=cells, metrics=metrics))
    assert status(tmp_path, 0.0)[0].rows == Count(missing=3)


def test_without_a_metric_maps_are_counted(tmp_path: Path) -> None:
    write(tmp_path, request(metrics=[], scores=[]))
    put(tmp_path, "maps", CELLS[0].key, ["a.3", "b.3"])
    assert status(tmp_path, 0.0)[0].rows == Count(done=2, missing=4)


def test_pictures_that_a_running_job_has_not_met_are_missing(tmp_path: Path) -> None:
    put_all(write(tmp_path, request(facts={"status": "running", "shard_size": 5})))
    say(tmp_path, f"{STEM}.0-of-1", elsewhere(120.0, done=3, blocks=5))
    (job,) = status(tmp_path, 130.0)
    assert (job.state, job.rows) == ("running", Count(done=12, missing=8))
    assert job.rate == pytest.approx(3 / 2 * 20 / 5)  # 3 blocks in 2 minutes, each 4 of the 20 rows
    assert job.minutes_left == pytest.approx(8 / 6)


def test_dead_shards_and_shards_never_begun_are_told_with_their_commands(tmp_path: Path) -> None:
    for number in (0, 2):
        words = ["heatmark", "sweep", "model=net", f"shard={number}/4"]
        facts = {"command": words, "status": "running" if number == 2 else "done", "shard_size": 1}
        write(tmp_path, request(shard=(number, 4), entries=[ENTRIES[number]], facts=facts))
    put_all(tmp_path, [ENTRIES[0]])
    say(tmp_path, f"{STEM}.2-of-4", elsewhere(100.0))
    Heartbeat(tmp_path, f"{STEM}.2-of-4").log("block 7 of 9")
    (job,) = status(tmp_path, 1000.0)
    assert (job.state, job.rows) == ("stopped", Count(done=4, missing=4))
    assert job.dead == {f"{STEM}.2-of-4": "block 7 of 9"}
    assert job.commands == [f"heatmark sweep model=net shard={n}/4" for n in (2, 1, 3)]


def test_a_job_that_cannot_run_says_why(tmp_path: Path) -> None:
    none = {"cells": [], "metrics": [], "scores": [], "entries": []}
    write(tmp_path, request(**none, facts={"status": "error", "reason": "no such layer", "shard_size": 0}))
    (job,) = status(tmp_path, 0.0)
    assert (job.state, job.reason, job.rows) == ("error", "no such layer", Count())
    assert "net cannot run: no such layer" in below([job])


def test_the_table_fits_eighty_columns(tmp_path: Path) -> None:
    long = {"model": "a_rather_long_name_of_a_model_with_a_checkpoint", "dataset": "a_dataset_of_many_words"}
    put_all(write(tmp_path, request(facts={**long, "status": "running", "shard_size": 40_000})))
    say(tmp_path, f"{STEM}.0-of-1", elsewhere(120.0, done=3, blocks=5000))
    console = Console(width=80, record=True, file=StringIO())
    console.print(table(tmp_path, status(tmp_path, 130.0)))
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 80
    assert "159,988" in text
    assert "running" in text


@pytest.mark.parametrize(("minutes", "words"), [(math.nan, ""), (0.2, "1 min"), (59.9, "1 h 00"), (125.0, "2 h 05")])
def test_durations_are_short(minutes: float, words: str) -> None:
    assert duration(minutes) == words


def test_a_folder_without_requests_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no run in .*: expected a folder"):
        status(tmp_path, 0.0)


def test_opening_a_run_imports_nothing_that_it_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "trap.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    put_all(write(tmp_path, request(facts={"config": {"model": {"_target_": "trap.Model"}}})))
    assert status(tmp_path, 0.0)[0].state == "done"
    assert "trap" not in sys.modules
