from pathlib import Path

import pytest

from heatmark.benchmarks import requests
from heatmark.benchmarks.requests import Request
from heatmark.benchmarks.runs.forget import Which, forget
from tests.benchmarks.runs.made import request, write


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of one model on two datasets, of which the second is in two shards."""
    photos = {"facts": {"dataset": "photos"}}
    return write(
        tmp_path, request(), request("p" * 64, shard=(0, 2), **photos), request("p" * 64, shard=(1, 2), **photos)
    )


def cells(found: list[Request]) -> list[tuple[str, list[str]]]:
    return [(r.facts["dataset"], [cell.method for cell in r.cells]) for r in found]


def test_a_method_is_forgotten_in_every_job_and_shard(run: Path) -> None:
    said = forget(run, Which(method=["rise"]))
    assert said == ["rise at layer3 of net on shapes", "rise at layer3 of net on photos"]
    found = requests.read(run)
    assert cells(found) == [("shapes", ["grad_cam"]), ("photos", ["grad_cam"]), ("photos", ["grad_cam"])]
    assert {s.cell for r in found for s in r.scores} == {"k-grad_cam"}
    assert [len(r.metrics) for r in found] == [3, 3, 3]
    assert {r.written for r in found} == {1.0}


def test_names_are_taken_together(run: Path) -> None:
    forget(run, Which(method=["rise"], dataset=["photos"]))
    assert cells(requests.current(run)) == [("shapes", ["grad_cam", "rise"]), ("photos", ["grad_cam"])]


def test_a_request_that_asks_for_nothing_goes(run: Path) -> None:
    forget(run, Which(dataset=["photos"]))
    assert cells(requests.read(run)) == [("shapes", ["grad_cam", "rise"])]


def test_a_metric_goes_with_what_is_derived_from_it(run: Path) -> None:
    assert "srg of rise at layer3 of net on photos" in forget(run, Which(metric=["deletion"], dataset=["photos"]))
    shapes, photos = requests.current(run)
    assert [m.name for m in shapes.metrics] == ["deletion", "pointing", "srg"]
    assert [m.name for m in photos.metrics] == ["pointing"]
    assert {s.metric for s in photos.scores} == {"pointing"}
    assert len(photos.cells) == 2


def test_a_metric_of_one_cell_stays_for_the_others(run: Path) -> None:
    assert len(forget(run, Which(metric=["pointing"], method=["rise"], dataset=["shapes"]))) == 1
    shapes = requests.current(run)[0]
    assert [m.name for m in shapes.metrics] == ["deletion", "pointing", "srg"]
    assert [s.cell for s in shapes.scores if s.metric == "pointing"] == ["k-grad_cam"]


@pytest.mark.parametrize(
    ("which", "message"),
    [
        (Which(method=["grad_cma"]), "the run has no method 'grad_cma': did you mean grad_cam?"),
        (Which(metric=["deletoin"]), "the run has no metric 'deletoin': did you mean deletion?"),
        (Which(layer=["x"]), "the run has no layer 'x': it has layer3."),
        (Which(), "forget what"),
    ],
)
def test_what_matches_nothing_is_named(run: Path, which: Which, message: str) -> None:
    before = requests.read(run)
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        forget(run, which)
    assert requests.read(run) == before


def test_names_that_never_meet(run: Path) -> None:
    forget(run, Which(method=["rise"], dataset=["photos"]))
    with pytest.raises(ValueError, match="no cell with all of them: method=rise dataset=photos"):
        forget(run, Which(method=["rise"], dataset=["photos"]))


def test_a_folder_without_requests_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no requests"):
        forget(tmp_path, Which(method=["rise"]))
