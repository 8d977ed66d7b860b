"""The digest of a user's code: all that its numbers depend on counts, and nothing else."""

import json
import linecache
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from heatmark.common import resize
from heatmark.common.identity import identity
from heatmark.common.source import source_digest

SCRIPT = """
import math
import threading
from dataclasses import dataclass, field
from functools import lru_cache, partial
from types import MappingProxyType

import torch
from torch.nn import functional as F

from heatmark.common.resize import upsample
from heatmark.methods.base import Method

SCALE = 2.0
KERNEL = torch.ones(3)
TABLE = MappingProxyType({"a": [1, {"x", "y", "z", "u", "v"}]})
LOCK = LOCKS = None


def helper(x):
    return inner(x) * SCALE


def inner(x):
    return x + 1


def unrelated(x):
    return x - 1


@lru_cache
def weights(n):
    return KERNEL[:n]


def power(n):
    return lambda x: x**n


SQUARE = power(2)
HALF = partial(max, 0.5)


class Side:
    def __init__(self, by):
        self.by = by

    def shift(self, x):
        return x + self.by


SIDE = Side(1)


@dataclass(frozen=True)
class Mine(Method):
    gain: float = 1.0
    layers: list = field(default_factory=lambda: [1])
    shift = 0.5

    @torch.no_grad()
    def __call__(self, model, images, targets, layer):
        maps = [helper(x) for x in images.sum(1)]
        return self.gain * self._more(upsample(torch.stack(maps), (8, 8)))

    def _more(self, maps):
        return SIDE.shift(SQUARE(maps)) + HALF(self.sign) * weights(1) + len(TABLE) + F.relu(maps) + bool(LOCK)

    @property
    def sign(self):
        return -1

    @staticmethod
    def scale():
        return math.pi
"""


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Run a text as the script of a user, each time under the same name and from the same file."""

    def run(text: str) -> ModuleType:
        path = tmp_path / "my_script.py"
        path.write_text(text)
        linecache.clearcache()
        module = ModuleType("my_script")
        module.__file__ = str(path)
        monkeypatch.setitem(sys.modules, "my_script", module)
        exec(compile(text, str(path), "exec"), vars(module))
        return module

    yield run
    linecache.clearcache()


EDITS = {
    "the sign in the method": ("return self.gain *", "return -self.gain *"),
    "an expression in a comprehension": ("helper(x) for", "helper(-x) for"),
    "a helper": ("inner(x) * SCALE", "inner(x) / SCALE"),
    "a helper's helper": ("return x + 1", "return x + 2"),
    "a constant": ("SCALE = 2.0", "SCALE = 3.0"),
    "a tensor": ("torch.ones(3)", "torch.ones(3) * 2"),
    "a value deep in a constant": ('{"x"', '{"w"'),
    "a cached helper": ("KERNEL[:n]", "KERNEL[n:]"),
    "a closure's variable": ("power(2)", "power(3)"),
    "a closure's code": ("x**n", "n**x"),
    "an argument of a partial": ("partial(max, 0.5)", "partial(max, 0.6)"),
    "an object's state": ("Side(1)", "Side(2)"),
    "an object's method": ("x + self.by", "x - self.by"),
    "a class attribute": ("shift = 0.5", "shift = 0.6"),
    "a property": ("return -1", "return 1"),
    "a static method": ("math.pi", "math.e"),
    "a default": ("gain: float = 1.0", "gain: float = 2.0"),
    "a made default": ("lambda: [1]", "lambda: [2]"),
    "a decorator": ("@torch.no_grad()", "@torch.enable_grad()"),
}

SAME = {
    "an unrelated function": ("return x - 1", "return x - 2"),
    "lines above": ("import math\n", "import math\n\n\n"),
    "nothing": ("", ""),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_of_what_counts_is_another_identity(load: Callable[[str], ModuleType], edit: str) -> None:
    assert SCRIPT.count(EDITS[edit][0]) == 1
    before = identity(load(SCRIPT).Mine())
    after = identity(load(SCRIPT.replace(*EDITS[edit])).Mine())
    assert before.pop("source") != after.pop("source")
    assert before == after == {"package": "my_script", "name": "Mine"}


@pytest.mark.parametrize("edit", SAME)
def test_an_edit_of_what_does_not_count_is_the_same_identity(load: Callable[[str], ModuleType], edit: str) -> None:
    assert identity(load(SCRIPT).Mine()) == identity(load(SCRIPT.replace(*SAME[edit])).Mine())


def test_a_file_edited_after_its_import_does_not_lend_its_text(load: Callable[[str], ModuleType]) -> None:
    old = load(SCRIPT)
    edited = SCRIPT.replace("return -1", "return +1")
    Path(str(old.__file__)).write_text(edited)
    linecache.clearcache()
    stale = identity(old.Mine())
    assert stale != identity(load(edited).Mine())
    assert stale != identity(load(SCRIPT).Mine())  # by its bytecode now: computed again, at worst


def test_a_notebook_cell_counts_by_its_source(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "K = 2\n\nclass A:\n    def run(self, x):  # a comment\n        return x * K\n"

    def digest(cell: str, number: int) -> str:
        name = f"<ipython-input-{number}>"
        monkeypatch.setitem(linecache.cache, name, (len(cell), None, cell.splitlines(True), name))
        space: dict[str, object] = {"__name__": "__main__"}
        exec(compile(cell, name, "exec"), space)
        return source_digest(space["A"])  # type: ignore[arg-type]

    assert digest(text, 1) == digest(text, 2) == digest("# more above\n" + text, 3)
    assert digest(text, 1) != digest(text.replace("x * K", "x / K"), 1)
    assert digest(text, 1) != digest(text.replace("# a comment", "# the source counts, not the bytecode"), 1)


def test_code_without_source_counts_by_its_bytecode() -> None:
    def made(text: str) -> type:
        space: dict[str, object] = {}
        exec(text, space)
        return space["A"]  # type: ignore[return-value]

    text = "K = 2\ndef f(x):\n    return x in {1, 2} or K\nclass A:\n    def run(self, x):\n        return f(x)"
    digests = [source_digest(made(edited)) for edited in (text, text, "\n" + text)]
    assert len(set(digests)) == 1
    others = [text.replace("2}", "3}"), text.replace("K = 2", "K = 3"), text.replace("x in", "x not in")]
    assert len({source_digest(made(edited)) for edited in (text, *others)}) == 4


def test_the_same_code_has_one_identity_in_every_process(load: Callable[[str], ModuleType], tmp_path: Path) -> None:
    cloudpickle = pytest.importorskip("cloudpickle")
    text = SCRIPT.replace("@lru_cache", "")  # which pickle finds by its name only
    module = load(text)
    cloudpickle.register_pickle_by_value(module)
    (tmp_path / "sent").write_bytes(cloudpickle.dumps(module.Mine(gain=2.0)))
    cloudpickle.unregister_pickle_by_value(module)
    read = f"pickle.loads(pathlib.Path({str(tmp_path / 'sent')!r}).read_bytes())"
    tell = "\nimport json, pathlib, pickle\nfrom heatmark.common.identity import identity\n"
    (tmp_path / "script.py").write_text(f"{text}{tell}print(json.dumps([identity(Mine()), identity({read})]))")
    (own, sent), again = (output(tmp_path / "script.py", seed) for seed in ("1", "2"))
    assert [own, sent] == again
    assert own["package"] == "__main__"
    assert sent["options"] == {"gain": 2}


def output(script: Path, seed: str) -> list[dict[str, Any]]:
    env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, str(script)], env=env, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_pickling_changes_no_identity(load: Callable[[str], ModuleType]) -> None:
    mine = load(SCRIPT).Mine()
    before = identity(mine)
    mine.__reduce_ex__(4)
    assert identity(mine) == before


def test_what_has_neither_code_nor_value_is_never_told_twice(load: Callable[[str], ModuleType], monkeypatch) -> None:
    text = SCRIPT.replace("LOCK = LOCKS = None", "LOCK = threading.Lock()")
    module = load(text)
    before = identity(module.Mine())
    assert before == identity(module.Mine())
    monkeypatch.setattr("heatmark.common.source.PROCESS", "another process")
    assert before != identity(module.Mine())


def test_a_version_of_heatmark_counts_for_the_code_that_uses_it(load, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = load(SCRIPT).Mine()
    before = identity(mine)
    monkeypatch.setattr(resize, "VERSION", 2)
    assert before != identity(mine)


def test_another_module_of_the_user_counts_by_what_is_taken_from_it(load, monkeypatch: pytest.MonkeyPatch) -> None:
    script = textwrap.dedent("""
        import my_helpers
        import my_package.part

        class A:
            def run(self, x):
                from my_local import local
                return my_helpers.used(x) + my_package.part.deep(x) + local(x)
    """)

    def digest(text: str, part: str = "def deep(x): return x") -> str:
        names = ("my_helpers", "my_local", "my_package", "my_package.part")
        helpers, local, package, inner = (ModuleType(name) for name in names)
        exec(text, vars(helpers))
        exec(text.replace("inner", "local"), vars(local))
        exec(part, vars(inner))
        package.part, package.__path__ = inner, []  # type: ignore[attr-defined]
        for module in (helpers, local, package, inner):
            monkeypatch.setitem(sys.modules, module.__name__, module)
        return source_digest(load(script).A)

    text = "def used(x): return x\ndef inner(x): return x\ndef other(x): return x"
    before = digest(text)
    assert before == digest(text.replace("other(x): return x", "other(x): return -x"))
    assert before != digest(text.replace("used(x): return x", "used(x): return -x"))
    assert before != digest(text.replace("inner(x): return x", "inner(x): return -x"))
    assert before != digest(text, "def deep(x): return -x")


def test_functions_that_call_each_other_end(load: Callable[[str], ModuleType]) -> None:
    text = "def even(n): return n == 0 or odd(n - 1)\ndef odd(n): return n != 0 and even(n - 1)\n"
    text += "class A:\n    def run(self, n):\n        return even(n) or A\n"
    digests = {source_digest(load(edited).A) for edited in (text, text, text.replace("n != 0", "n > 0"))}
    assert len(digests) == 2


@dataclass(frozen=True)
class Here:
    """A class of a test's module."""

    def run(self, x: torch.Tensor) -> torch.Tensor:
        return x


def test_a_class_of_the_package_has_no_source() -> None:
    from heatmark.methods.grad_cam import GradCAM

    assert "source" not in identity(GradCAM())
    assert "source" in identity(Here())


def digest_of(function: Callable[..., Any]) -> str:
    """Return the digest of a class whose call is this function."""
    return source_digest(type("Holder", (), {"__call__": function, "__module__": __name__}))


def test_lambdas_of_one_line_differ() -> None:
    first, second = (lambda x: x + 1), (lambda x: x + 2)
    assert digest_of(first) != digest_of(second)


def test_a_lambda_counts_past_the_first_of_its_lines() -> None:
    first = dict(
        f=lambda x: x
        + 1,
    )  # fmt: skip
    second = dict(
        f=lambda x: x
        + 2,
    )  # fmt: skip
    assert digest_of(first["f"]) != digest_of(second["f"])


def test_attributes_of_a_function_count() -> None:
    def scaled(x: Any) -> Any:
        return x * scaled.factor  # type: ignore[attr-defined]

    digests = set()
    for scaled.factor in (1, 2):  # type: ignore[attr-defined]
        digests.add(digest_of(scaled))
    assert len(digests) == 2


def test_what_a_user_gives_to_a_function_of_a_package_counts() -> None:
    made = [torch.func.vmap(step, in_dims=axis) for step in (torch.sin, lambda x: -x) for axis in (0, 1)]

    def using(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda x: function(x)

    assert len({digest_of(using(each)) for each in made}) == 4
    assert digest_of(using(made[3])) == digest_of(using(made[3]))


def test_values_that_are_no_fields_are_refused_inside_an_option_too() -> None:
    from heatmark.methods.fusion import FusedLayers
    from heatmark.methods.grad_cam import GradCAM

    class Scaled(GradCAM):
        def __init__(self, scale: int) -> None:
            object.__setattr__(self, "scale", scale)

    with pytest.raises(ValueError, match="Scaled keeps scale in its object"):
        identity(FusedLayers(Scaled(2), ["1"]))
