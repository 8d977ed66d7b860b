"""Tests of a command's arguments as Hydra takes them."""

import sys
from pathlib import Path

import pytest
from omegaconf import DictConfig

from heatmark.benchmarks.config.arguments import in_shards, rewritten
from heatmark.benchmarks.config.compose import command_line, compose_command, run_command, run_folder

METRICS = sorted(path.stem for path in (Path(__file__).parents[3] / "conf" / "metric").glob("*.yaml"))


@pytest.mark.parametrize(
    ("command", "given", "expected"),
    [
        ("gather", ["mine"], ["name=mine"]),
        ("status", ["results/runs/a-b.1"], ["name=results/runs/a-b.1"]),
        ("status", ["my runs/it's"], ["name='my runs/it\\'s'"]),
        ("figures", ["--cfg", "job", "mine", "only=[curves]"], ["name=mine", "--cfg", "job", "only=[curves]"]),
        ("rename", ["a", "b"], ["name=a", "to=b"]),
        ("diff", ["a", "../b", "tolerance=1"], ["name=a", "other=../b", "tolerance=1"]),
        ("merge", ["a", "b"], ["name=a", "others=[b]"]),
        ("merge", ["a", "b", "c,d", "into=e"], ["name=a", "others=[b,'c,d']", "into=e"]),
        ("forget", ["a", "method=x", "layer=[y,z]", "seed=1"], ["name=a", "which.method=x", "which.layer=[y,z]", "seed=1"]),  # noqa: E501
        ("forget", ["a", "method=[rise(masks=8), random]"], ["name=a", "which.method=['rise(masks=8)',random]"]),
        ("status", ["~/my runs/"], ["name='~/my runs/'"]),
        ("explain", ["image=my cat (1).jpg"], ["image='my cat (1).jpg'"]),
        ("sweep", ["model=[resnet18,vgg16]", "name=a"], ["-m", "model=resnet18,vgg16", "name=a"]),
        ("layers", ["-m", "model=[resnet18,vgg16]"], ["-m", "model=resnet18,vgg16"]),
        ("sweep", ["dataset=[shapes(limit=2),photos]"], ["-m", "dataset='shapes(limit=2)',photos"]),
        ("sweep", ["model=[resnet18,resnet18]"], ["model=resnet18"]),
        ("sweep", ["metric=*"], [f"metric=[{','.join(METRICS)}]"]),
        ("sweep", ["method=[*_cam_pp,grad_cam_pp]"], ["method=[grad_cam_pp,pgc_grad_cam_pp]"]),
        ("sweep", ["-m", "method=rise,[rise( masks=8 )]"], ["-m", "method=rise,['rise(masks=8)']"]),
        ("sweep", ["-m", "model=choice(a,b)", "method=[]"], ["-m", "model=choice(a,b)", "method=[]"]),
        ("sweep", ["layer=[last,features[28].conv[0]]"], ["layer=[last,features.28.conv.0]"]),
        ("bench", ["models=[shapes_v*,resnet18(weights=null)]"], ["models=[shapes_vit,'resnet18(weights=null)']"]),
        ("sweep", ["-m", "~method", "+x=1"], ["-m", "~method", "+x=1"]),
        ("sweep", ["-m", "shards=3", "model=a,b"], ["-m", "shard=0/3,1/3,2/3", "model=a,b"]),
    ],
)  # fmt: skip
def test_arguments_are_rewritten(command: str, given: list[str], expected: list[str]) -> None:
    found = rewritten(command, given)
    assert found == expected
    assert command == "forget" or rewritten(command, found) == found


def test_hydra_reads_what_was_rewritten() -> None:
    given = ["it's, here/b", "back\\slash", "its \\", "\\'"]
    assert list(compose_command("merge", rewritten("merge", ["a", *given])).others) == given
    assert compose_command("sweep", ["shard=3/8"]).shard == "3/8"
    assert compose_command("forget", rewritten("forget", ["a", "method=mine"])).which.method == "mine"


def test_more_words_than_a_command_takes() -> None:
    with pytest.raises(ValueError, match="takes name, got 2 words: a b"):
        rewritten("status", ["a", "b"])


@pytest.mark.parametrize("value", ["0", "-1", "two", "", "1.5"])
def test_a_number_of_shards_that_is_none(value: str) -> None:
    with pytest.raises(ValueError, match=f"shards is '{value}'"):
        in_shards(["-m", f"shards={value}"])


def test_shards_need_several_jobs() -> None:
    with pytest.raises(ValueError, match="needs -m: heatmark sweep -m shards=2"):
        in_shards(["shards=2"])


@pytest.mark.parametrize("name", ["''", ".", "..", "a/b", "/a", "'a\\b'"])
def test_a_run_that_is_written_has_one_component(name: str) -> None:
    with pytest.raises(ValueError, match="expected one path component"):
        run_folder("sweep", [f"name={name}"])


SEEN: list[list[str]] = []


def see(config: DictConfig) -> None:
    """A job that notes what would run it again."""
    SEEN.append(command_line())


def test_every_job_knows_the_command_that_runs_it_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["x", *rewritten("sweep", ["-m", "shards=2", "model=shapes_plain", "name=t"])])
    SEEN.clear()
    run_command("sweep", see)
    assert [["heatmark", "sweep", f"shard={n}/2", "model=shapes_plain", "name=t"] for n in range(2)] == SEEN
