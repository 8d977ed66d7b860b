"""Other libraries on the toys: the readers of their stages, and the adapters that sweeps run, show the same map."""

import copy
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from torch import Tensor

from heatmark.benchmarks.conformance.cell import Cell, Subject
from heatmark.benchmarks.conformance.compare import compare, tolerances
from heatmark.benchmarks.conformance.findings import Finding
from heatmark.benchmarks.conformance.invariants import consult
from heatmark.benchmarks.conformance.reference_libraries import PAIRS, compare_with_peers
from heatmark.benchmarks.conformance.toy import TOY_LAYERS, toy_cell
from heatmark.benchmarks.conformance.traps import ENCODER
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.preprocessing import Preprocessing
from heatmark.methods.base import Method
from heatmark.methods.engine.stages import Stages
from heatmark.methods.external.captum_layers import LayerGradCAM
from heatmark.methods.external.stages import PytorchGradCAMStages
from heatmark.methods.external.stages_captum import layer_grad_cam


def compare_on_toys() -> Iterator[Finding]:
    """Yield what every pair says at the toys' layers, in single precision as on a real network."""
    for cell in (*map(toy_cell, TOY_LAYERS), next(ENCODER.cells())):
        classifier = Classifier(cell.model, copy.deepcopy(cell.module).float(), "random-0", Preprocessing())
        yield from compare_with_peers(classifier, cell.images.float(), cell.targets, cell.layer, cell)
    yield from _adapters(toy_cell(TOY_LAYERS[-1]))


def _adapters(cell: Cell) -> Iterator[Finding]:
    module, images = copy.deepcopy(cell.module).float(), cell.images.float()
    for pair in PAIRS:
        adapter = _adapter(pair.theirs)
        if adapter is not None:
            expected = pair.theirs(module, images, cell.targets, cell.layer).relu
            name = f"{pair.library.name} {pair.name}"
            subject = Subject(replace(cell, module=module, images=images), name, adapter, adapter)
            yield from consult(subject, {"adapter": partial(_same_map, expected)})


def _same_map(expected: Tensor | None, subject: Subject) -> Finding:
    found = compare(Stages(relu=subject.call()), Stages(relu=expected), tolerances(subject.cell.images.dtype))
    return subject.finding("adapter", found)


def _adapter(peer: object) -> Method | None:
    """Return the method of ``conf/method`` that runs what a peer reads the stages of; None where sweeps have none."""
    if isinstance(peer, PytorchGradCAMStages):
        return peer.cam
    return LayerGradCAM() if peer is layer_grad_cam else None
