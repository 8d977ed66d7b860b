"""Reference libraries on toy networks, where the adapters of sweeps must give the maps of the libraries' stages."""

import copy
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from torch import Tensor

from heatmark.benchmarks.conformance.checked_layer import CheckedLayer, Subject
from heatmark.benchmarks.conformance.compare import compare, tolerances
from heatmark.benchmarks.conformance.findings import Finding
from heatmark.benchmarks.conformance.invariants import consult
from heatmark.benchmarks.conformance.reference_libraries import PAIRS, compare_with_reference_libraries
from heatmark.benchmarks.conformance.toy import TOY_LAYERS, toy_layer
from heatmark.benchmarks.conformance.traps import ENCODER
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.preprocessing import Preprocessing
from heatmark.methods.base import Method
from heatmark.methods.engine.stages import Stages
from heatmark.methods.external.captum_layers import LayerGradCAM
from heatmark.methods.external.stages import PytorchGradCAMStages
from heatmark.methods.external.stages_captum import layer_grad_cam


def compare_on_toys() -> Iterator[Finding]:
    """Yield one finding per pair and layer of the toy networks, in single precision as on a real network."""
    for checked in (*map(toy_layer, TOY_LAYERS), next(ENCODER.checked_layers())):
        classifier = Classifier(checked.model, copy.deepcopy(checked.module).float(), "random-0", Preprocessing())
        yield from compare_with_reference_libraries(
            classifier, checked.images.float(), checked.targets, checked.layer, checked
        )
    yield from _adapters(toy_layer(TOY_LAYERS[-1]))


def _adapters(checked: CheckedLayer) -> Iterator[Finding]:
    module, images = copy.deepcopy(checked.module).float(), checked.images.float()
    for pair in PAIRS:
        adapter = _adapter(pair.theirs)
        if adapter is not None:
            expected = pair.theirs(module, images, checked.targets, checked.layer).relu
            name = f"{pair.library.name} {pair.name}"
            subject = Subject(replace(checked, module=module, images=images), name, adapter, adapter)
            yield from consult(subject, {"adapter": partial(_same_map, expected)})


def _same_map(expected: Tensor | None, subject: Subject) -> Finding:
    found = compare(Stages(relu=subject.call()), Stages(relu=expected), tolerances(subject.checked.images.dtype))
    return subject.finding("adapter", found)


def _adapter(library: object) -> Method | None:
    """Return the adapter in ``conf/method`` of a library's method, None where there is none."""
    if isinstance(library, PytorchGradCAMStages):
        return library.cam
    return LayerGradCAM() if library is layer_grad_cam else None
