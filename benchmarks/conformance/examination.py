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
from heatmark.benchmarks.conformance.checked_layer import CheckedLayer, Size, in_float64, pixels
from heatmark.benchmarks.conformance.findings import Finding
from heatmark.benchmarks.conformance.invariants import INVARIANTS, Invariant
from heatmark.benchmarks.conformance.suite import Claim, alternating, check_invariants, check_layer
from heatmark.benchmarks.conformance.where import checked_layers_of, drawn_size, layer_of
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.sweep.job import Batch, load_batch, predict
from heatmark.common.names import did_you_mean
from heatmark.methods.base import Method

Step = tuple[str, Callable[[], Iterable[Finding]]]
"""What is done at a layer, in words, and the doing."""


@dataclass(frozen=True)
class Claims:
    """What is checked.

    Args:
        methods: in-house methods, by name, whose maps a reference may hold.
        fully: held to all the invariants.
        briefly: held to the reference implementation alone on real networks.
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
        """Yield the checks at one layer: of a method of the user's no reference libraries and no reference."""
        yield "linter", lambda: check_layer(self.classifier, layer, self.batch.images)
        given = sizes(self.config)
        checked_layers, notes = checked_layers_of(
            self.classifier, self.double, layer, self.batch.images, given or [drawn_size(self.classifier.name, layer)]
        )
        if given:
            yield "sizes", lambda: notes
        for checked in checked_layers:
            yield from self._at(checked, claims, given is not None)
        if not self.classifier.weights.startswith("random-") and self._is_referred(layer):
            yield "reference", lambda: self._reference(layer, claims.methods)

    def _at(self, checked: CheckedLayer, claims: Claims, at_this_size: bool) -> Iterator[Step]:
        """Yield the checks at one size; libraries are shown the pictures as they are, unless sizes were asked for."""
        asked = invariants(self.config)
        brief = {name: invariant for name, invariant in asked.items() if name == "reference_implementation"}
        yield f"invariants {pixels(checked.size)}", lambda: check_invariants(checked, claims.fully, asked)
        yield (
            f"reference implementation {pixels(checked.size)}",
            lambda: check_invariants(checked, claims.briefly, brief),
        )
        if self.config.libraries and self.config.mine._target_ is None:
            yield f"reference libraries {pixels(checked.size)}", lambda: self._libraries(checked, at_this_size)

    def _libraries(self, checked: CheckedLayer, at_this_size: bool) -> Iterable[Finding]:
        from heatmark.benchmarks.conformance.reference_libraries import compare_with_reference_libraries

        images = checked.images.to(self.batch.images) if at_this_size else self.batch.images
        targets = checked.targets if at_this_size else self.targets
        return compare_with_reference_libraries(self.classifier, images, targets, checked.layer, checked)

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


def invariants(config: DictConfig) -> dict[str, Invariant]:
    """Return the invariants that were asked for, by name; all where none is named.

    Raises:
        ValueError: for a invariant that there is not; it names the nearest ones.
    """
    given = config.invariants
    names = list(INVARIANTS) if given is None else [given] if isinstance(given, str) else list(given)
    for name in names:
        if name not in INVARIANTS:
            hint = did_you_mean(name, INVARIANTS, f"there are {', '.join(INVARIANTS)}")
            raise ValueError(f"unknown invariant {name!r}: {hint}")
    return {name: INVARIANTS[name] for name in names}
