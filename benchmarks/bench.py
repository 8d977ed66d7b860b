"""The cost of methods and curves in plain forward passes, of Heatmark and of the reference libraries."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from heatmark.benchmarks.machine.batch_size import best_batch_size
from heatmark.benchmarks.machine.devices import autocast
from heatmark.benchmarks.machine.timing import interleaved, peak_memory_mib, summarise
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.layers import resolve_layer
from heatmark.common.batching import with_batch_size
from heatmark.methods.base import Method
from heatmark.methods.engine.cam import GradientCAM
from heatmark.methods.engine.capture import capture
from heatmark.metrics.base import Explained
from heatmark.metrics.deletion import Deletion
from heatmark.metrics.insertion import Insertion

FIVE = ("grad_cam", "grad_cam_pp", "xgrad_cam", "hires_cam", "layer_cam")
TARGETS = {"Grad-CAM": 1.10, "five CAMs": 1.15, "Ablation-CAM": 4.0, "deletion": 1.08, "insertion": 1.08}
"""The largest cost promised for Heatmark's own code, in plain forward passes; for a curve, in those of its images."""
VGG_GRAD_CAM = 1.15
"""The same for Grad-CAM on VGG, whose backward pass reads the classifier's 124 M weights again: slow at batch 1."""

Call = Callable[[], object]


@dataclass(frozen=True)
class BenchSettings:
    """The options of the bench: what is timed on every model, and how often.

    Args:
        device: the device on which the models run.
        precision: ``fp32`` or ``bf16``; see :func:`heatmark.benchmarks.machine.devices.autocast`.
        batch_sizes: of the CAMs, in images.
        image_pixels: height and width of the images.
        curve_steps: of deletion and insertion.
        ablation: names of the models on which Ablation-CAM is timed.
        slow: whether pytorch-grad-cam's Ablation-CAM is timed there too.
        repeats: rounds of each group.
        max_seconds: time in seconds after which a group begins no new round.
    """

    device: torch.device
    precision: str
    batch_sizes: Sequence[int]
    image_pixels: int
    curve_steps: int
    ablation: Collection[str]
    slow: bool
    repeats: int
    max_seconds: float


@dataclass(frozen=True)
class Subject:
    """A model with the layer, images and classes that are explained."""

    name: str
    module: nn.Module
    layer: str
    images: Tensor
    targets: Tensor

    def explain(self, method: Method) -> Tensor:
        """Return the method's maps."""
        return method(self.module, self.images, self.targets, self.layer)

    def five_from_one_capture(self, methods: Sequence[GradientCAM]) -> list[Tensor]:
        """Return the maps of several CAMs, which share one forward and backward pass."""
        c = capture(self.module, self.images, self.targets, self.layer)
        return [method.relevance(c) for method in methods]

    def forward(self) -> Tensor:
        """Return the logits of the plain forward pass."""
        with torch.inference_mode():
            return self.module(self.images)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Entry:
    """A call that is timed, what it computes, and whose implementation it is."""

    what: str
    implementation: str
    call: Call


@dataclass(frozen=True)
class Group:
    """Calls that are timed in turn, and the forward passes in which their cost is given."""

    subject: Subject
    batch_size: int
    forward: Call
    entries: Sequence[Entry]


def bench(
    classifier: Classifier, methods: Mapping[str, Method], settings: BenchSettings, show: Callable[[Group], None]
) -> list[dict[str, Any]]:
    """Time the methods and curves on one model, and return one row per timed call.

    Args:
        classifier: moved to the device of the settings.
        methods: by name (see :func:`cam_groups`).
        settings: what is timed, and how often.
        show: called before each group is timed.
    """
    rows: list[dict[str, Any]] = []
    with autocast(classifier.module, settings.precision):
        for group in groups(classifier, methods, settings):
            show(group)
            rows += measure(group, settings.precision, settings.repeats, settings.max_seconds)
    return rows


def groups(classifier: Classifier, methods: Mapping[str, Method], settings: BenchSettings) -> Iterator[Group]:
    """Yield the groups of calls that are timed on one model."""
    device, pixels, steps = settings.device, settings.image_pixels, settings.curve_steps
    one = subject(classifier, 1, pixels, device)
    batch_size = best_batch_size(one.module, one.images[0])
    methods = tuned(methods, batch_size)
    for images in settings.batch_sizes:
        batch = subject(classifier, images, pixels, device)
        yield from cam_groups(batch, methods, classifier.name in settings.ablation, settings.slow)
    enough = curve_images(batch_size, steps)
    yield curve_group(subject(classifier, enough, pixels, device), steps, batch_size)


def subject(classifier: Classifier, images: int, pixels: int, device: torch.device) -> Subject:
    """Return a classifier with random images, explained at its last layer for the classes it predicts."""
    generator = torch.Generator().manual_seed(0)
    batch = torch.randn(images, 3, pixels, pixels, generator=generator).to(device)
    module = classifier.module.to(device).eval()
    layer = resolve_layer(classifier, "last", batch[:1])
    with torch.inference_mode():
        targets = module(batch).argmax(dim=1)
    return Subject(classifier.name, module, layer, batch, targets.clone())


def cam_groups(of: Subject, methods: Mapping[str, Method], ablation: bool, slow: bool) -> Iterator[Group]:
    """Yield the groups of CAMs: Heatmark's and Captum's, then pytorch-grad-cam's, then each slow one by itself.

    Args:
        of: the model and its batch of images.
        methods: by name; those of FIVE, and ``ablation_cam``, each also with the prefix ``pgc_``.
        ablation: whether Ablation-CAM is timed.
        slow: whether pytorch-grad-cam's Ablation-CAM is timed too.
    """
    group = partial(Group, of, len(of.images), of.forward)
    if missing := [name for name in _needed(ablation, slow) if name not in methods]:
        raise ValueError(f"the bench needs the methods {', '.join(missing)} too; leave method= as it is")
    ours = [method for name in FIVE if isinstance(method := methods[name], GradientCAM)]
    theirs = [methods[f"pgc_{name}"] for name in FIVE]
    yield group(
        [
            _entry(of, "Grad-CAM", methods["grad_cam"]),
            Entry("five CAMs", "heatmark", partial(of.five_from_one_capture, ours)),
            _entry(of, "Grad-CAM", methods["captum_layer_grad_cam"]),
        ]
    )
    yield group(
        [
            _entry(of, "Grad-CAM", methods["pgc_grad_cam"]),
            Entry("five CAMs", "pytorch_grad_cam", lambda: [of.explain(method) for method in theirs]),
        ]
    )
    for name in ("ablation_cam", "pgc_ablation_cam")[: ablation * (1 + slow)]:
        yield group([_entry(of, "Ablation-CAM", methods[name])])


def _needed(ablation: bool, slow: bool) -> list[str]:
    slowly = ("ablation_cam", "pgc_ablation_cam")[: ablation * (1 + slow)]
    return [*FIVE, *(f"pgc_{name}" for name in FIVE), "captum_layer_grad_cam", *slowly]


def _entry(of: Subject, what: str, method: Method) -> Entry:
    return Entry(what, method.implementation, partial(of.explain, method))


def curve_group(of: Subject, steps: int, batch_size: int) -> Group:
    """Return the group of deletion and insertion, measured in the least forward passes that the perturbed images need.

    Args:
        of: the model and its images.
        steps: of the curves; images · (steps + 1) must be a multiple of the batch size, for whole batches.
        batch_size: the best for this model on this device.
    """
    pairs = len(of.images) * (steps + 1)
    explained = Explained(
        of.module, of.images, of.targets, of.images.mean(dim=1), None, _unasked, batch_size=batch_size
    )
    batch = of.images.repeat(-(-batch_size // len(of.images)), 1, 1, 1)[:batch_size]

    def ideal() -> None:
        with torch.inference_mode():
            for _ in range(pairs // batch_size):
                of.module(batch)

    curves = {"deletion": Deletion(steps=steps), "insertion": Insertion(steps=steps)}
    return Group(
        of, batch_size, ideal, [Entry(name, "heatmark", partial(curve, explained)) for name, curve in curves.items()]
    )


def _unasked(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    raise NotImplementedError("a curve does not explain again")


def measure(group: Group, precision: str, repeats: int, max_seconds: float) -> list[dict[str, Any]]:
    """Time a group, and return one row per entry: what was timed, the implementation, timing, target and verdict."""
    device = group.subject.images.device
    calls = {"forward": group.forward, **{str(n): entry.call for n, entry in enumerate(group.entries)}}
    rounds = interleaved(calls, device, repeats, max_seconds)
    shared: Any = {"batch_size": group.batch_size, "precision": precision}
    rows = []
    for n, entry in enumerate(group.entries):
        peak = peak_memory_mib(entry.call, device)
        timing = summarise(rounds[str(n)], rounds["forward"], device, **shared, peak=peak)
        rows.append(_row(group, entry, asdict(timing)))
    return rows


def _row(group: Group, entry: Entry, timing: dict[str, Any]) -> dict[str, Any]:
    promised = target(entry.what, group.subject.name) if entry.implementation == "heatmark" else float("nan")
    return {
        "model": group.subject.name,
        "layer": group.subject.layer,
        "what": entry.what,
        "implementation": entry.implementation,
        **timing,
        "target": promised,
        "verdict": verdict(timing["cost_in_forwards"], promised),
    }


def target(what: str, model: str) -> float:
    """Return the largest cost promised on a model for what a call computes, in plain forward passes."""
    return VGG_GRAD_CAM if what == "Grad-CAM" and model.startswith("vgg") else TARGETS[what]


def verdict(cost: float, promised: float) -> str:
    """Return ``met`` or ``missed``, or ``""`` where nothing is promised."""
    if promised != promised:
        return ""
    return "met" if cost <= promised else "missed"


def curve_images(batch_size: int, steps: int) -> int:
    """Return the least number of images, at least two, whose curves of this many steps fill whole batches."""
    images = 2
    while images * (steps + 1) % batch_size:
        images += 1
    return images


def tuned(methods: Mapping[str, Method], batch_size: int) -> dict[str, Method]:
    """Return the methods with this batch size, as in a sweep."""
    return {name: with_batch_size(method, batch_size) for name, method in methods.items()}
