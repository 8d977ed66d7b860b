"""The check of one method, and what it found."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from rich.console import Console

from heatmark.benchmarks.conformance.check import check as run_check
from heatmark.benchmarks.conformance.findings import Finding
from heatmark.benchmarks.conformance.report import frame, is_red, sentence, table
from heatmark.benchmarks.conformance.settings import CheckSettings
from heatmark.benchmarks.conformance.suite import Claim, Claims
from heatmark.benchmarks.face.load import Images, load_images, load_model
from heatmark.benchmarks.face.sweep import ModelLike
from heatmark.benchmarks.face.things import MethodLike, methods_of


def check(
    method: MethodLike,
    against: str = "",
    model: ModelLike | None = None,
    images: Images = "shapes",
    layers: str | Sequence[str] = "last",
    libraries: bool = False,
) -> "Conformance":
    """Return whether an implementation of a method is right.

    It is compared with a reference implementation in float64, and held to invariants that need no library: batches and
    order, scaled logits, finite differences, nothing left behind.

    Args:
        method: a name, a method, or a function (model, images, targets, layer) -> maps.
        against: the in-house method that it claims to be; by default itself, where it is one of these.
        model: where it is checked beside toy networks, as :func:`heatmark.load_model` takes it.
        images: two pictures or more for the model.
        layers: of the model.
        libraries: whether the in-house method is compared with the reference libraries, too.

    Raises:
        ValueError: for an unknown method, or a method of your own without ``against``.

    >>> import heatmark as hm
    >>> hm.check("grad_cam").ok
    True
    """
    ((name, made),) = methods_of(method).items()
    claimed = against or (method if isinstance(method, str) else "")
    if not claimed:
        raise ValueError(f"{name} does not say what it is: give the in-house method that it claims to be, against=…")
    ((_, definition),) = methods_of(claimed).items()
    if definition.implementation != "heatmark":
        raise ValueError(
            f"against={claimed} is of {definition.implementation}, expected an in-house method with known stages; "
            "check(method, libraries=True) compares those with the reference libraries"
        )
    models = [] if model is None else [("model", lambda: load_model(model))]
    settings = CheckSettings(
        layers=[layers] if isinstance(layers, str) else list(layers), suite=False, libraries=libraries
    )
    found = run_check(models, Claims([Claim(name, made, definition)]), load_images(images), settings)
    return Conformance(name, claimed, list(found))


@dataclass(frozen=True, eq=False)
class Conformance:
    """What a check of one method found.

    Args:
        method: its name.
        against: the in-house method that it claims to be.
        found: one finding per check.
    """

    method: str
    against: str
    found: Sequence[Finding]

    @property
    def ok(self) -> bool:
        """Whether nothing is red: no fault, no unexplained difference, no check that broke."""
        return not self.red

    @property
    def red(self) -> list[Finding]:
        """The findings that are red."""
        return [finding for finding in self.found if is_red(finding)]

    @property
    def findings(self) -> pd.DataFrame:
        """One row per check."""
        return frame(self.found)

    def raise_if_red(self) -> None:
        """Raise an AssertionError that says what is wrong, at which stage and by how much, where anything is red."""
        if self.red:
            raise AssertionError("\n".join([repr(self), *map(sentence, self.red)]))

    def __repr__(self) -> str:
        said = "all green" if self.ok else f"{len(self.red)} red"
        return f"{self.method} against {self.against}: {len(self.found)} checks, {said}"

    def _repr_html_(self) -> str:
        console = Console(record=True, width=100, file=io.StringIO(), force_jupyter=False)  # else it shows itself twice
        console.print(table(self.found))
        for line in map(sentence, self.red):
            console.print(line, markup=False, highlight=False)
        return console.export_html(inline_styles=True, code_format="<pre>{code}</pre>")
