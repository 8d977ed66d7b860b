from pathlib import Path

import pytest

from heatmark.benchmarks.runs.names import changed, opened, written

WRONG = ["", ".", "..", "a/b", "../a", "/a", "a\\b", "C:a", "C:\\a"]


@pytest.mark.parametrize("name", WRONG)
def test_a_run_that_is_written_has_one_component(name: str, tmp_path: Path) -> None:
    for find in (written, changed):
        with pytest.raises(ValueError, match="expected one path component"):
            find(tmp_path, name)


def test_a_run_that_is_read_has_a_name_or_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results, away = tmp_path / "runs", tmp_path / "away"
    for folder in (results / "mine", away / "mine", tmp_path / "here"):
        folder.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert opened(results, "mine") == results / "mine"
    assert opened(results, str(away / "mine")) == away / "mine"
    assert opened(results, "away/mine") == Path("away/mine")
    assert opened(results, "here") == Path("here")
    (away / "mine" / "results.parquet").touch()
    assert opened(results, f"{away}/mine/") == away / "mine"
    assert opened(results, "away/mine/results.parquet") == Path("away/mine")
    monkeypatch.setenv("HOME", str(away))
    monkeypatch.setenv("USERPROFILE", str(away))
    assert opened(results, "~/mine") == away / "mine"
    with pytest.raises(ValueError, match=r"no run 'here' in .*runs: expected .*; there are mine"):
        changed(results, "here")


def test_the_nearest_run_is_named(tmp_path: Path) -> None:
    (tmp_path / "quickstart").mkdir()
    with pytest.raises(ValueError, match=r"no run 'quikstart' .* did you mean quickstart\?"):
        opened(tmp_path, "quikstart")
    with pytest.raises(ValueError, match="no run ''"):
        opened(tmp_path, "")
