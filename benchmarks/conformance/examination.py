"""The checks of one network: at its layers, on its pictures, in the order in which they are run."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor, nn

from heatmark.benchmarks.conformance import regression_baseline
from heatmark.benchmarks.conformance.checked_layer import CheckedLayer, in_float64, pixels
from heatmark.benchmarks.conformance.findings import Finding
from heatmark.benchmarks.conformance.image_set import ImageSet, load_images
from heatmark.benchmarks.conformance.settings import Baseline, CheckSettings
from heatmark.benchmarks.conformance.suite import Claims, alternating, check_invariants, check_layer
from heatmark.benchmarks.conformance.where import checked_layers_of, drawn_size, layer_of
from heatmark.benchmarks.data.base import Dataset
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.predictions import predict
from heatmark.common.errors import in_words


@dataclass(frozen=True)
class Step:
    """One step of a check.

    Args:
        model: the network's name in the table.
        layer: dotted name; ``""`` if the step belongs to no layer.
        what: what is checked, in a few words.
        run: the check itself, which gives its findings.
    """

    model: str
    layer: str
    what: str
    run: Callable[[], Iterable[Finding]]

    def findings(self) -> Iterator[Finding]:
        """Yield the step's findings; an exception is a finding too."""
        try:
            yield from self.run()
        except Exception as error:  # noqa: BLE001 - whatever breaks is a row, and the others go on
            yield Finding(self.model, self.layer, "", "check", "", "error", note=in_words(error))


@dataclass(frozen=True)
class Examination:
    """A classifier with the pictures on which it is checked, and what all its checks share."""

    classifier: Classifier
    dataset: Dataset
    claims: Claims
    settings: CheckSettings

    @cached_property
    def image_set(self) -> ImageSet:
        """The pictures, preprocessed for this model."""
        return load_images(self.dataset, self.classifier)

    @cached_property
    def targets(self) -> Tensor:
        """The class to explain for every picture."""
        return alternating(self.logits)

    @cached_property
    def logits(self) -> Tensor:
        """The network's logits of the pictures; an output that is no logits is refused."""
        return predict(self.classifier, self.image_set.images, len(self.image_set.names), self.image_set.images.device)

    @cached_property
    def double(self) -> nn.Module:
        """The network in float64."""
        return in_float64(self.classifier.module)

    def steps(self) -> Iterator[Step]:
        """Yield the steps at every layer that was asked for; a layer that does not exist is one finding."""
        layer = ""
        try:
            for layer in self._layers():
                for what, run in self._at_layer(layer):
                    yield Step(self.classifier.name, layer, what, run)
        except Exception as error:  # noqa: BLE001 - a network that cannot be run is a row, and the others go on
            yield broken(self.classifier.name, layer, error)

    def _layers(self) -> Iterator[str]:
        """Yield the dotted names of the layers, each once, of a network that gives logits."""
        _ = self.logits  # an output that is no logits is reported before anything is compared
        yield from dict.fromkeys(
            layer_of(self.classifier, role, self.image_set.images) for role in self.settings.layers
        )

    def _at_layer(self, layer: str) -> Iterator[tuple[str, Callable[[], Iterable[Finding]]]]:
        """Yield the checks at one layer, each with a few words on what it checks."""
        yield "linter", lambda: check_layer(self.classifier, layer, self.image_set.images)
        sizes = self.settings.sizes or [drawn_size(self.classifier.name, layer)]
        checked_layers, refused = checked_layers_of(self.classifier, self.double, layer, self.image_set.images, sizes)
        if self.settings.sizes is not None:
            yield "sizes", lambda: refused
        for checked in checked_layers:
            yield from self._at_size(checked)
        baseline = self.settings.baseline
        if baseline is not None and self._is_held_to(baseline, layer):
            yield "regression baseline", lambda: self._held_to(baseline, layer)
        if self.settings.metrics:
            yield "metrics", lambda: self._metrics(layer)

    def _at_size(self, checked: CheckedLayer) -> Iterator[tuple[str, Callable[[], Iterable[Finding]]]]:
        """Yield the checks on images of one size, each with a few words on what it checks."""
        asked, claims, size = self.settings.invariants, self.claims, pixels(checked.size)
        brief = {name: invariant for name, invariant in asked.items() if name == "reference_implementation"}
        yield f"invariants {size}", lambda: check_invariants(checked, claims.fully, asked)
        yield f"reference implementation {size}", lambda: check_invariants(checked, claims.briefly, brief)
        if self.settings.libraries:
            yield f"reference libraries {size}", lambda: self._libraries(checked)

    def _libraries(self, checked: CheckedLayer) -> Iterable[Finding]:
        """Yield the comparison with the reference libraries, on the pictures as they are unless sizes were given."""
        from heatmark.benchmarks.conformance.reference_libraries import compare_with_reference_libraries

        images, targets = self.image_set.images, self.targets
        if self.settings.sizes is not None:
            images, targets = checked.images.to(images), checked.targets
        return compare_with_reference_libraries(self.classifier, images, targets, checked.layer, checked)

    def _metrics(self, layer: str) -> Iterable[Finding]:
        """Yield the comparison of metrics with the libraries', on the first picture that has a map at this layer."""
        from heatmark.benchmarks.conformance.metrics.run import compare_metrics

        return compare_metrics(self.classifier, self.image_set.images, self.targets, layer, self.settings.metrics)

    def _is_held_to(self, baseline: Baseline, layer: str) -> bool:
        """Return whether the regression baseline covers this layer; it never covers random weights."""
        if self.classifier.weights.startswith("random-"):
            return False
        return baseline.every_layer or layer == layer_of(self.classifier, "last", self.image_set.images)

    def _held_to(self, baseline: Baseline, layer: str) -> Iterable[Finding]:
        """Measure the maps, write their numbers if that was asked for, and yield whether they equal the table's."""
        rows = regression_baseline.measure(
            self.classifier, layer, baseline.methods, baseline.metrics, self.image_set, self.targets
        )
        if baseline.write:
            regression_baseline.save(rows, baseline.path)
        return regression_baseline.hold(rows, regression_baseline.read(baseline.path))


def broken(model: str, layer: str, error: Exception) -> Step:
    """Return the step that says why a network, or one of its layers, cannot be checked."""
    finding = Finding(model, layer, "", "build", "", "error", note=in_words(error))
    return Step(model, layer, "build", lambda: [finding])
