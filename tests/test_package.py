"""The import package: what is installed, and whose names it leaves alone."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from heatmark.benchmarks.cli import without_checkout

ROOT = Path(__file__).parents[1]
FOLDERS = ("benchmarks", "common", "conf", "methods", "metrics")
PACKED = {".py", ".yaml", ".safetensors", ".js", ".css", ".j2"}

ALONE = """
import sys
from pathlib import Path
sys.path[:] = [p for p in sys.path if p == {heatmark!r} or not Path(p, "heatmark", "__init__.py").exists()]
"""
"""Forgets every Heatmark on the path but one, such as that of the environment that runs the tests."""

COMMAND = "import sys; from heatmark.benchmarks.cli import main; sys.argv = ['heatmark', *sys.argv[1:]]; main()"

OWN = {
    "methods/mine.py": "from heatmark.methods.grad_cam import GradCAM\nclass Mine(GradCAM): 'Mine.'\n",
    "metrics/mine.py": (
        "import benchmarks.own, common.own, conf.own, metrics.own\n"
        "from heatmark.metrics.deletion import Deletion\nclass Mine(Deletion): 'Mine.'\n"
    ),
    "yaml/method/my_method.yaml": "my_method:\n  _target_: methods.mine.Mine\n",
    "yaml/metric/my_metric.yaml": "my_metric:\n  _target_: metrics.mine.Mine\n  steps: 2\n",
    **{f"{folder}/own.py": f"own = {folder!r}\n" for folder in FOLDERS},
}
"""Files of a user whose folders are called as Heatmark's are."""


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the wheel and the sdist."""
    pytest.importorskip("hatchling", reason="hatchling builds the wheel: pip install hatchling")
    return build(ROOT, tmp_path_factory.mktemp("built"))


def build(source: Path, to: Path, *options: str) -> Path:
    run = [sys.executable, "-m", "hatchling", "build", "--directory", str(to), *options]
    subprocess.run(run, cwd=source, check=True, capture_output=True)
    return to


def packed(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def wheel_in(folder: Path) -> Path:
    (wheel,) = folder.glob("*.whl")
    return wheel


def python(code: str, *arguments: str, at: Path, path: list[Path], heatmark: Path) -> subprocess.CompletedProcess[str]:
    """Run code in a folder, with these folders and one place of Heatmark on the path, in this order."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [*path, heatmark])), "COLUMNS": "200"}
    run = [sys.executable, "-P", "-c", ALONE.format(heatmark=str(heatmark)) + code, *arguments]
    return subprocess.run(run, cwd=at, env=environment, capture_output=True, text=True, check=False)


def test_the_wheel_has_one_top_level_name_and_all_that_a_run_needs(built: Path) -> None:
    names = set(packed(wheel_in(built)))
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {"heatmark"}
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    face = {f"heatmark/{path.name}" for path in (ROOT / "heatmark").iterdir() if path.is_file()}
    files = {path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in PACKED}
    expected = face | {f"heatmark/{path.relative_to(ROOT).as_posix()}" for path in files}
    assert {name for name in names if name.startswith("heatmark/")} == expected
    assert {"heatmark/__init__.py", "heatmark/__main__.py", "heatmark/py.typed"} <= face


def test_the_sdist_builds_the_same_wheel(built: Path, tmp_path: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    again = wheel_in(build(source, tmp_path / "built", "--target", "wheel"))
    assert again.read_bytes() == wheel_in(built).read_bytes()


@pytest.fixture(params=["wheel", "editable", "root"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a folder that Heatmark is imported from: an unpacked wheel, an editable install's, the checkout's root."""
    if request.param != "wheel":
        return ROOT / {"editable": ".editable", "root": "."}[request.param]
    with zipfile.ZipFile(wheel_in(request.getfixturevalue("built"))) as archive:
        archive.extractall(tmp_path / "site")
    return tmp_path / "site"


@pytest.mark.slow
@pytest.mark.parametrize("regular", [True, False], ids=["with __init__.py", "without __init__.py"])
@pytest.mark.parametrize("at_hand", [True, False], ids=["in the working directory", "on PYTHONPATH"])
def test_a_users_own_folders_of_the_same_names_are_his(
    place: Path, regular: bool, at_hand: bool, tmp_path: Path
) -> None:
    user, work = tmp_path / "user", tmp_path / "work"
    for name, text in {**OWN, **{f"{folder}/__init__.py": "" for folder in FOLDERS if regular}}.items():
        (user / name).parent.mkdir(parents=True, exist_ok=True)
        (user / name).write_text(text)
    work.mkdir()
    options = (
        "sweep", f"hydra.searchpath=[file://{user / 'yaml'}]",
        "method=[my_method,random]", "metric=[deletion,my_metric]",
        "model=shapes_plain", "dataset.limit=2", "timing.repeats=1", "batch_size=2", "metric.deletion.steps=2",
    )  # fmt: skip
    done = python(COMMAND, *options, at=user if at_hand else work, path=[] if at_hand else [user], heatmark=place)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "my_method" in done.stdout
    assert "my_metric" in done.stdout


def test_a_checkouts_root_on_the_path_gives_heatmark_and_nothing_else() -> None:
    assert without_checkout(["first", str(ROOT), "last"]) == ["first", str(ROOT / ".editable"), "last"]
    assert [path.name for path in (ROOT / ".editable").iterdir()] == ["heatmark"]


def test_importing_is_cheap_and_tells_the_version(tmp_path: Path) -> None:
    code = "import heatmark; print(heatmark.__version__, {'torch', 'numpy', 'hydra'} & set(sys.modules))"
    done = python(code, at=tmp_path, path=[], heatmark=ROOT / ".editable")
    assert done.stdout.split() == [_version(), "set()"], done.stderr


@pytest.mark.parametrize("arguments", [["--version"], ["-V"], ["--help"], []])
def test_the_command_tells_the_version(arguments: list[str], tmp_path: Path) -> None:
    done = python(COMMAND, *arguments, at=tmp_path, path=[], heatmark=ROOT / ".editable")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"heatmark {_version()}")


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_imported_without_the_prefix_names_the_right_import(folder: str, tmp_path: Path) -> None:
    done = python(f"import {folder}", at=tmp_path, path=[], heatmark=ROOT)
    assert done.returncode == 1
    assert f"ImportError: Heatmark's {folder} is imported as heatmark.{folder}" in done.stderr


def test_a_checkout_without_links_says_so(tmp_path: Path) -> None:
    (tmp_path / "heatmark").mkdir()
    (tmp_path / "heatmark" / "__init__.py").write_bytes((ROOT / "heatmark" / "__init__.py").read_bytes())
    (tmp_path / "heatmark" / "benchmarks").write_text("../benchmarks")
    done = python("import heatmark", at=tmp_path, path=[], heatmark=tmp_path)
    assert "this checkout has no symbolic links" in done.stderr


def test_a_reader_that_has_ended_is_no_error(tmp_path: Path) -> None:
    code = "import os; r, w = os.pipe(); os.close(r); os.dup2(w, 1)\n" + COMMAND
    done = python(code, "explain", "--help", at=tmp_path, path=[], heatmark=ROOT / ".editable")
    assert (done.returncode, done.stderr) == (141, "")


def _version() -> str:
    (line,) = (text for text in (ROOT / "heatmark" / "__init__.py").read_text().splitlines() if "__version__" in text)
    return line.partition('"')[2].rstrip('"')
