"""The comparisons of metrics: on the toy network, and on a network that was asked for."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

import torch
from torch import Tensor

from heatmark.benchmarks.conformance.findings import Finding
from heatmark.benchmarks.conformance.metrics import batches
from heatmark.benchmarks.conformance.metrics.comparison import Pair, compared
from heatmark.benchmarks.conformance.metrics.library_pairs import library_pairs, special_pairs
from heatmark.benchmarks.conformance.metrics.profile_pairs import profile_pairs
from heatmark.benchmarks.conformance.metrics.quantus_map_pairs import map_pairs
from heatmark.benchmarks.conformance.metrics.quantus_ours import unequal
from heatmark.benchmarks.conformance.metrics.quantus_pairs import flipping_pairs
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.common.model_state import observing
from heatmark.common.names import did_you_mean
from heatmark.common.resize import upsample
from heatmark.methods.grad_cam import GradCAM
from heatmark.metrics.base import Explained

TOY_STEPS, STEPS = 10, 3
"""Of the curves, on the toy network and on others; neither divides the number of pixels."""

BATCHES: Mapping[str, Callable[[Explained], Explained]] = {
    "toy": lambda batch: batch,
    "two maxima": batches.two_maxima,
    "constant": batches.constant_maps,
    "empty": batches.empty_masks,
    "zero": batches.zero_maps,
    "gradient": batches.explained_by_gradient,
    "sharp": batches.sharp_batch,
    "untied": lambda batch: unequal(batches.with_normalisation(batch)),
    "one constant": batches.one_constant_map,
    "tied": batches.tied_at_the_top,
}
"""What is made of the toy network's batch, by the name that a pair gives."""


def toy_pairs() -> list[tuple[str, Pair]]:
    """Return all comparisons on the toy network, each with the name of its batch."""
    general = library_pairs(batches.HEIGHT * batches.WIDTH, TOY_STEPS)
    return [*(("toy", pair) for pair in general), *special_pairs(), *profile_pairs(), *flipping_pairs(), *map_pairs()]


def compared_metrics() -> list[str]:
    """Return the names of the metrics that are compared."""
    return list(dict.fromkeys(pair.metric for _, pair in toy_pairs()))


def named_metrics(names: Iterable[str]) -> list[str]:
    """Return names of metrics that are compared.

    Raises:
        ValueError: for a metric that is not; the message names the nearest.
    """
    names, known = list(names), compared_metrics()
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known, f"there are {', '.join(known)}")
            raise ValueError(f"metrics={name}: it is compared with no other implementation; {hint}")
    return names


def compare_metrics_on_toy(names: Collection[str]) -> Iterator[Finding]:
    """Yield the findings of the metrics of these names on the toy network."""
    toy = batches.toy_batch()
    for name, pair in toy_pairs():
        if pair.metric in names:
            yield from compared(pair, BATCHES[name](toy), "toy")


def compare_metrics(
    classifier: Classifier, images: Tensor, targets: Tensor, layer: str, names: Collection[str]
) -> Iterator[Finding]:
    """Yield the findings of the metrics of these names on a network, for its first image that has a Grad-CAM.

    Args:
        classifier: the network.
        images: (N, 3, H, W).
        targets: (N,).
        layer: dotted name of the layer at which Grad-CAM explains.
        names: of the metrics.
    """
    maps = upsample(GradCAM()(classifier.module, images, targets, layer), images.shape[-2:])
    maps = maps.double()  # libraries scale a map before they rank it, which makes ties of near ones in less
    varied = (maps.flatten(1).amax(dim=1) > maps.flatten(1).amin(dim=1)).nonzero().flatten().tolist()
    if not varied:
        yield Finding(classifier.name, layer, "", "metrics", "", "skipped", note="every Grad-CAM is constant")
        return
    one = slice(varied[0], varied[0] + 1)
    with observing(classifier.module), torch.no_grad():
        model = batches.Remembering(classifier.module)
        batch = Explained(model, images[one], targets[one], maps[one], None, batches.input_gradient)
        for pair in library_pairs(maps[0].numel(), STEPS):
            if pair.metric in names:
                yield from compared(pair, batch, classifier.name, layer)
