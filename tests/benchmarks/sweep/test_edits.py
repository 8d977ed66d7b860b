"""A table of edits and artefacts: what each edit of a finished sweep computes anew, in rows."""

import importlib.util
import linecache
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from heatmark.benchmarks.store import Store
from heatmark.benchmarks.sweep.shards import Shard
from heatmark.common import resize
from heatmark.methods.base import Method
from heatmark.methods.engine import capture
from heatmark.methods.grad_cam import GradCAM
from heatmark.methods.hires_cam import HiResCAM
from heatmark.methods.layer_cam import LayerCAM
from heatmark.metrics.base import Explained, Metric, Scores
from heatmark.metrics.deletion import Deletion
from tests.benchmarks.sweep.toys import Mean, Toys, classifier, swept, toys

IMAGES = 6


@dataclass(frozen=True)
class Inside(Metric):
    """A metric that needs masks."""

    higher_is_better: ClassVar[bool | None] = True
    needs: ClassVar[frozenset[str]] = frozenset({"masks"})

    def __call__(self, batch: Explained) -> Scores:
        assert batch.masks is not None
        return Scores((batch.maps * batch.masks).sum((1, 2)))


@dataclass(frozen=True)
class OfLabel(Metric):
    """A metric that needs labels."""

    higher_is_better: ClassVar[bool | None] = None
    needs: ClassVar[frozenset[str]] = frozenset({"labels"})

    def __call__(self, batch: Explained) -> Scores:
        assert batch.labels is not None
        return Scores(batch.labels.double())


def mask(n: int) -> np.ndarray:
    return np.arange(120).reshape(12, 10) % 7 >= n


METHODS: Mapping[str, Method] = {"grad_cam": GradCAM(), "layer_cam": LayerCAM()}
METRICS: Mapping[str, Metric] = {"deletion": Deletion(steps=4), "inside": Inside(), "label": OfLabel()}
DATA = toys(IMAGES, masks={n: mask(n) for n in range(IMAGES)})


def arguments(**changes: Any) -> dict[str, Any]:
    """Return the arguments of a sweep with two CAMs and three metrics."""
    base: dict[str, Any] = {"methods": METHODS, "metrics": METRICS, "dataset": DATA, "model": classifier()}
    return {**base, "batch_size": 3, "block_size": 4, "target": "predicted", **changes}


@pytest.fixture
def computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, int]]:
    """Return a function that sweeps into one folder and says how many rows of each artefact it has computed."""
    put, counts = Store.put, dict[str, int]()

    def counted(store: Store, artefact: str, rows: Any) -> None:
        if len(rows) and artefact != "pictures":
            counts[artefact] = counts.get(artefact, 0) + len(rows)
        put(store, artefact, rows)

    monkeypatch.setattr(Store, "put", counted)

    def run(**changes: Any) -> dict[str, int]:
        counts.clear()
        swept(tmp_path, **arguments(**changes))
        return dict(counts)

    return run


EVERYTHING = {"predictions": IMAGES, "maps": 2 * IMAGES, "curves": 2 * IMAGES, "scores": 6 * IMAGES}


def relabelled(n: int, label: int) -> Toys:
    labels = [*DATA.labels]
    labels[n] = label
    return replace(DATA, labels=labels, masks=DATA.masks)


@dataclass(frozen=True)
class Renamed(Toys):
    def name_of(self, index: int) -> str:
        return f"renamed-{index}.png"


def renamed() -> Toys:
    return Renamed(DATA.pictures, DATA.labels, DATA.masks)


def more(count: int) -> Toys:
    data = toys(count, masks={n: mask(n) for n in range(count)})
    data.pictures[:IMAGES] = DATA.pictures[:count]
    return data


PER_IMAGE = {"predictions": 1, "maps": 2, "curves": 2, "scores": 6}
EDITS: dict[str, tuple[dict[str, Any], dict[str, int]]] = {
    "nothing": ({}, {}),
    "add a metric": ({"metrics": {**METRICS, "mean": Mean()}}, {"scores": 2 * IMAGES}),
    "another sum over a stored curve": (
        {"metrics": {**METRICS, "deletion": Deletion(steps=4, rule="mean")}},
        {"scores": 2 * IMAGES},
    ),
    "another path": (
        {"metrics": {**METRICS, "deletion": Deletion(steps=3)}},
        {"curves": 2 * IMAGES, "scores": 2 * IMAGES},
    ),
    "add images": ({"dataset": more(IMAGES + 2)}, {name: 2 * count for name, count in PER_IMAGE.items()}),
    "fewer images": ({"dataset": more(3)}, {}),
    "rename the files": ({"dataset": renamed()}, {}),
    "correct a label that no target follows": ({"dataset": relabelled(1, 3)}, {"scores": 4}),
    "correct a mask": ({"dataset": replace(DATA, masks={**DATA.masks, 2: mask(0)})}, {"scores": 2}),
    "another block": ({"block_size": 2}, {}),
    "another batch": ({"batch_size": 2}, {}),
    "a shard": ({"shard": Shard(1, 3)}, {}),
    "a method more": (
        {"methods": {**METHODS, "again": GradCAM(), "other": HiResCAM()}},
        {"maps": IMAGES, "curves": IMAGES, "scores": 3 * IMAGES},
    ),
    "a method's name": ({"methods": {"mine": GradCAM(), "layer_cam": LayerCAM()}}, {}),
    "another layer": ({"layers": ["1"]}, {"maps": 2 * IMAGES, "curves": 2 * IMAGES, "scores": 6 * IMAGES}),
    "another checkpoint of the same name": ({"model": classifier(seed=5)}, EVERYTHING),
    "another precision": ({"precision": "bf16"}, EVERYTHING),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_computes_what_it_touches(edit: str, computed: Callable[..., dict[str, int]]) -> None:
    changes, expected = EDITS[edit]
    assert computed() == EVERYTHING
    assert computed(**changes) == expected
    assert computed() == {}  # what was there is still there


def test_a_corrected_label_that_the_target_follows_is_one_row_of_everything(
    computed: Callable[..., dict[str, int]],
) -> None:
    computed(target="label")
    found = computed(target="label", dataset=relabelled(1, 3))
    assert found == {"maps": 2, "curves": 2, "scores": 6}


def test_another_target_rule_computes_the_images_whose_class_differs(computed: Callable[..., dict[str, int]]) -> None:
    model = classifier()
    images = torch.stack([model.preprocessing.image(DATA[n].image) for n in range(IMAGES)])
    other = int((model.module(images).argmax(1) != 2).sum())
    assert other > 0
    computed()
    assert computed(target=2) == {"maps": 2 * other, "curves": 2 * other, "scores": 6 * other}


VERSIONS: dict[str, tuple[type | ModuleType, str, dict[str, int]]] = {
    "of a method": (GradCAM, "version", {"maps": IMAGES, "curves": IMAGES, "scores": 3 * IMAGES}),
    "of a metric": (Deletion, "version", {"scores": 2 * IMAGES}),
    "of the path": (type(Deletion().path), "version", {"curves": 2 * IMAGES, "scores": 2 * IMAGES}),
    "of the capture": (capture, "VERSION", {"maps": 2 * IMAGES, "curves": 2 * IMAGES, "scores": 6 * IMAGES}),
    "of resizing": (resize, "VERSION", {"curves": 2 * IMAGES, "scores": 6 * IMAGES}),
}


@pytest.mark.parametrize("which", VERSIONS)
def test_a_raised_version_computes_what_uses_it(
    which: str, computed: Callable[..., dict[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, name, expected = VERSIONS[which]
    computed()
    monkeypatch.setattr(owner, name, 2, raising=False)
    assert computed() == expected


def test_a_moved_class_computes_nothing(
    computed: Callable[..., dict[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    computed()
    monkeypatch.setattr(GradCAM, "__module__", "heatmark.methods.layer_cam")
    assert computed() == {}


SCRIPT = """
from dataclasses import dataclass
from heatmark.methods.base import Method

FACTOR = 2.0


def scaled(images):
    return FACTOR * images[:, 0]


@dataclass(frozen=True)
class Mine(Method):
    explains = "input"

    def __call__(self, model, images, targets, layer):
        return scaled(images)


def unrelated():
    return 1
"""


def run_script(path: Path, text: str) -> Method:
    """Return the method of a script as a new process would import it."""
    path.write_text(text)
    importlib.invalidate_caches()
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    linecache.checkcache(str(path))
    exec(compile(text, str(path), "exec"), module.__dict__)
    method: Method = module.Mine()
    return method


@pytest.mark.parametrize(
    ("old", "new", "anew"),
    [
        ("return scaled(images)", "return -scaled(images)", True),
        ("FACTOR = 2.0", "FACTOR = -2.0", True),
        ("images[:, 0]\n", "images[:, 1]\n", True),
        ("return 1", "return 2", False),
    ],
)
def test_an_edited_script_computes_anew(
    tmp_path_factory: pytest.TempPathFactory, computed: Callable[..., dict[str, int]], old: str, new: str, anew: bool
) -> None:
    path = tmp_path_factory.mktemp("script") / "my_edited_script.py"
    metrics = {"mean": Mean()}
    assert computed(methods={"mine": run_script(path, SCRIPT)}, metrics=metrics)["maps"] == IMAGES
    assert computed(methods={"mine": run_script(path, SCRIPT)}, metrics=metrics) == {}
    edited = computed(methods={"mine": run_script(path, SCRIPT.replace(old, new))}, metrics=metrics)
    assert edited == ({"maps": IMAGES, "scores": IMAGES} if anew else {})
    del sys.modules[path.stem]
