"""The first steps as a notebook: made from the script, run by a kernel."""

import json
import os
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "docs" / "notebooks" / "first_steps.py"
CELL = re.compile(r"^# %%( \[markdown\])?\n", re.MULTILINE)


def cells(script: str) -> list[tuple[str, str]]:
    """Return the kind and the text of each cell of a script in the percent format."""
    _, *parts = CELL.split(script)
    texts = zip(parts[::2], parts[1::2], strict=True)
    return [
        ("markdown", re.sub(r"^# ?", "", text.strip(), flags=re.MULTILINE)) if kind else ("code", text.strip())
        for kind, text in texts
    ]


@pytest.mark.slow
def test_the_first_steps_run_as_a_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat", reason="nbformat makes notebooks: pip install nbformat")
    nbclient = pytest.importorskip("nbclient", reason="nbclient runs notebooks: pip install nbclient")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    notebook = nbformat.v4.new_notebook()
    make = {"markdown": nbformat.v4.new_markdown_cell, "code": nbformat.v4.new_code_cell}
    notebook.cells = [make[kind](text) for kind, text in cells(SCRIPT.read_text(encoding="utf-8"))]
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    (tmp_path / "first_steps.ipynb").write_text(nbformat.writes(notebook), encoding="utf-8")
    shown = [output["data"] for cell in notebook.cells for output in cell.get("outputs", ()) if "data" in output]
    assert sum("image/png" in data for data in shown) == 1
    assert any("grad_cam" in json.dumps(data.get("text/html", "")) for data in shown)
    assert not [o for cell in notebook.cells for o in cell.get("outputs", ()) if o["output_type"] == "error"]
