"""What is done with one model: its layers, its pictures, and the steps of the check at each."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from torch import Tensor, nn

from heatmark.benchmarks.config.building import build, build_all
from heatmark.benchmarks.config.compose import compose_command
from heatmark.benchmarks.conformance import regression_baseline
from heatmark.benchmarks.conformance.cell import Cell, Size, in_float64, pixels
from heatmark.benchmarks.conformance.findings import Finding
from heatmark.benchmarks.conformance.invariants import ORACLES, Oracle
from heatmark.benchmarks.conformance.suite import Claim, alternating, check_laws, check_layer
from heatmark.benchmarks.conformance.where import cells_of, drawn_size, layer_of
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.sweep.shard import Batch, load_batch, predict
from heatmark.common.names import did_you_mean
from heatmark.methods.base import Method

Step = tuple[str, Callable[[], Iterable[Finding]]]
"""What is done at a layer, in words, and the doing."""


@dataclass(frozen=True)
class Claims:
    """What is checked.

    Args:
        methods: in-house methods, by name, whose maps a reference may hold.
        fully: held to all the laws.
        briefly: held to the textbook alone on real networks.
    """

    methods: Mapping[str, Method]
    fully: Sequence[Claim]
    briefly: Sequence[Claim]


@dataclass(frozen=True)
class Model:
    """A classifier with all that its checks share."""

    config: DictConfig
    classifier: Classifier

    @cached_property
    def batch(self) -> Batch:
        """The pictures as this model wants them."""
        return load_batch(build(self.config.dataset, "dataset"), self.classifier)

    @cached_property
    def targets(self) -> Tensor:
        """The class to explain for every picture."""
        return alternating(self.logits)

    @cached_property
    def logits(self) -> Tensor:
        """What the network says of the pictures; refused where these are no logits."""
        return predict(self.classifier, self.batch.images, len(self.batch.names), self.batch.images.device)

    @cached_property
    def double(self) -> nn.Module:
        """The network in float64."""
        return in_float64(self.classifier.module)

    def layers(self) -> Iterator[str]:
        """Yield the dotted names of the layers that were asked for, of a network that gives logits."""
        _ = self.logits  # what are no logits is told of before anything is compared
        roles = [self.config.layer] if isinstance(self.config.layer, str) else self.config.layer
        yield from dict.fromkeys(layer_of(self.classifier, str(role), self.batch.images) for role in roles)

    def steps(self, layer: str, claims: Claims) -> Iterator[Step]:
        """Yield the checks at one layer: of a method of the user's no peers and no reference."""
        yield "linter", lambda: check_layer(self.classifier, layer, self.batch.images)
        given = sizes(self.config)
        cells, notes = cells_of(
            self.classifier, self.double, layer, self.batch.images, given or [drawn_size(self.classifier.name, layer)]
        )
        if given:
            yield "sizes", lambda: notes
        for cell in cells:
            yield from self._at(cell, claims, given is not None)
        if not self.classifier.weights.startswith("random-") and self._is_referred(layer):
            yield "reference", lambda: self._reference(layer, claims.methods)

    def _at(self, cell: Cell, claims: Claims, at_this_size: bool) -> Iterator[Step]:
        """Yield the checks at one size; the peers are shown the pictures as they are, unless sizes were asked for."""
        asked = oracles(self.config)
        brief = {name: oracle for name, oracle in asked.items() if name == "textbook"}
        yield f"oracles {pixels(cell.size)}", lambda: check_laws(cell, claims.fully, asked)
        yield f"textbook {pixels(cell.size)}", lambda: check_laws(cell, claims.briefly, brief)
        if self.config.peers and self.config.mine._target_ is None:
            yield f"peers {pixels(cell.size)}", lambda: self._peers(cell, at_this_size)

    def _peers(self, cell: Cell, at_this_size: bool) -> Iterable[Finding]:
        from heatmark.benchmarks.conformance.reference_libraries import compare_with_peers

        images = cell.images.to(self.batch.images) if at_this_size else self.batch.images
        targets = cell.targets if at_this_size else self.targets
        return compare_with_peers(self.classifier, images, targets, cell.layer, cell)

    def _is_referred(self, layer: str) -> bool:
        """Say whether a reference speaks of this: one that the user names of all, the committed one of the defaults."""
        if self.config.mine._target_ is not None:
            return False
        if self.config.reference is not None or self.config.save:
            return True
        last = layer_of(self.classifier, "last", self.batch.images)
        return layer == last and self.config.dataset == compose_command("check").dataset

    def _reference(self, layer: str, methods: Mapping[str, Method]) -> Iterable[Finding]:
        metrics = build_all(self.config.metric, "metric")
        path = regression_baseline.located(self.config.reference, self.config.save)
        rows = regression_baseline.measure(self.classifier, layer, methods, metrics, self.batch, self.targets)
        if self.config.save:
            regression_baseline.save(rows, path)
        return regression_baseline.hold(rows, regression_baseline.read(path))


def sizes(config: DictConfig) -> list[Size] | None:
    """Return the heights and widths that were asked for, None where the check is to choose.

    Raises:
        ValueError: for anything but pairs of whole numbers.
    """
    given: Any = config.sizes
    if isinstance(given, ListConfig):
        given = OmegaConf.to_container(given)
    if given is None or (isinstance(given, list) and given and all(map(_is_size, given))):
        return None if given is None else [(height, width) for height, width in given]
    raise ValueError(f"sizes={given}, expected heights and widths in pixels, such as [[72, 72], [63, 85]], or null")


def _is_size(pair: object) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and all(type(side) is int and side > 0 for side in pair)


def oracles(config: DictConfig) -> dict[str, Oracle]:
    """Return the laws that were asked for, by name; all where none is named.

    Raises:
        ValueError: for a law that there is not; it names the nearest ones.
    """
    given = config.oracles
    names = list(ORACLES) if given is None else [given] if isinstance(given, str) else list(given)
    for name in names:
        if name not in ORACLES:
            hint = did_you_mean(name, ORACLES, f"there are {', '.join(ORACLES)}")
            raise ValueError(f"unknown oracle {name!r}: {hint}")
    return {name: ORACLES[name] for name in names}
