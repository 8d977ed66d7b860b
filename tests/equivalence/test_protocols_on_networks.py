"""Every protocol and the implementation that it is named after, on networks and pictures of real size, to 1e-5.

Packages that can be installed are run themselves; others are plain loops written from descriptions of their code.
``python -m tests.equivalence.test_protocols_on_networks`` writes the table of the differences.
"""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn
from torch.nn import functional as F

from heatmark.benchmarks.conformance.metrics import quantus_ours, removal_pairs
from heatmark.metrics.aic import AIC
from heatmark.metrics.average_drop import AverageDrop
from heatmark.metrics.average_increase import AverageIncrease
from heatmark.metrics.avg_sensitivity import AvgSensitivity
from heatmark.metrics.base import Explained, Metric
from heatmark.metrics.deletion import Deletion
from heatmark.metrics.energy_inside import EnergyInside
from heatmark.metrics.engine.perturbations import Perturbing
from heatmark.metrics.entropy import Entropy
from heatmark.metrics.external import captum_metrics, pgc_metrics
from heatmark.metrics.gini_index import GiniIndex
from heatmark.metrics.infidelity import Infidelity
from heatmark.metrics.insertion import Insertion
from heatmark.metrics.local_lipschitz import LocalLipschitz
from heatmark.metrics.max_sensitivity import MaxSensitivity
from heatmark.metrics.monotonicity_correlation import MonotonicityCorrelation
from heatmark.metrics.parameter_randomisation import ParameterRandomisation
from heatmark.metrics.pointing_game import PointingGame
from heatmark.metrics.region_perturbation import RegionPerturbation
from heatmark.metrics.relative_input_stability import RelativeInputStability
from heatmark.metrics.relative_output_stability import RelativeOutputStability
from heatmark.metrics.relevance_rank_accuracy import RelevanceRankAccuracy
from heatmark.metrics.road import ROAD
from heatmark.metrics.sic import SIC
from heatmark.metrics.single_deletion import SingleDeletion
from heatmark.metrics.top_k_intersection import TopKIntersection
from tests.metrics import test_information_curves as information
from tests.metrics import test_protocols as loops

SHARED = Path(__file__).parents[3] / "shared" / "data"
MEAN, DEVIATION = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
SAMPLES = 4
TOLERANCE = 1e-5
"""Of max |a − b| / max(1, |b|): logits are of the size of tens."""

Both = tuple[Tensor, Tensor]


def gradients(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """Return the gradient of the target's logit times the image, summed over channels, (N, H, W)."""
    with torch.enable_grad():
        leaves = images.detach().clone().requires_grad_()
        logits = model(leaves).gather(1, targets[:, None]).sum()
        return (torch.autograd.grad(logits, leaves)[0] * images).sum(dim=1)


def resnet18() -> tuple[nn.Module, Tensor]:
    """ResNet-18 with random weights whose head is sharpened, and two random pictures."""
    from torchvision.models import resnet18 as build

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = build(weights=None, num_classes=10).eval()
        nn.init.normal_(model.fc.weight, std=0.3)
        smooth = F.interpolate(torch.randn(2, 3, 9, 9), (224, 224), mode="bicubic") + 0.1 * torch.randn(2, 3, 224, 224)
    colours = (0.5 + 0.25 * smooth).clamp(0, 1)
    pictures = (colours - MEAN.view(3, 1, 1)) / DEVIATION.view(3, 1, 1)
    return model, pictures


def squeezenet() -> tuple[nn.Module, Tensor]:
    """The trained SqueezeNet, and two photographs."""
    from PIL import Image
    from torchvision.models import squeezenet1_1
    from torchvision.transforms import functional as G

    safetensors = pytest.importorskip("safetensors.torch")
    if not (SHARED / "squeezenet1_1_imagenet.safetensors").exists():
        pytest.skip("../shared/data with the trained SqueezeNet is absent")
    model = squeezenet1_1(weights=None).eval()
    state = safetensors.load_file(SHARED / "squeezenet1_1_imagenet.safetensors")
    model.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    files = sorted((SHARED / "imagenet-sample").iterdir())[:2]
    pictures = [G.to_tensor(G.center_crop(G.resize(Image.open(f).convert("RGB"), 256), [224, 224])) for f in files]
    return model, G.normalize(torch.stack(pictures), MEAN.tolist(), DEVIATION.tolist())


NETWORKS = {"resnet18": resnet18, "squeezenet": squeezenet}


@cache
def explained(name: str, side: int = 224) -> Explained:
    """Return a network's pictures, explained by smooth maps without ties, with a square as the mask."""
    model, images = NETWORKS[name]()
    images = F.interpolate(images, (side, side), mode="area") if side != 224 else images
    generator = torch.Generator().manual_seed(1)
    smooth = F.interpolate(torch.randn(2, 1, 7, 7, generator=generator), (side, side), mode="bicubic")[:, 0]
    maps = smooth + 0.01 * torch.randn(2, side, side, generator=generator)
    masks = torch.zeros(2, side, side, dtype=torch.bool)
    masks[:, side // 4 : side // 2, side // 3 : -side // 6] = True
    with torch.no_grad():
        targets = model(images).argmax(1)
    normalisation = (MEAN, DEVIATION)
    return Explained(model, images, targets, maps, masks, gradients, normalisation=normalisation, batch_size=8)


# --- packages that are run themselves ---


def of_torchcam(batch: Explained, kind: str) -> Both:
    from heatmark.metrics.external import torchcam_metrics

    ours = {"deletion": Deletion, "insertion": Insertion}[kind](preset="torch-cam-0.5")(batch).values
    found = torchcam_metrics.deletion_insertion(replace(batch, maps=batch.maps.double()), kind).sum  # type: ignore[arg-type]
    assert found is not None
    return ours, found


def confidence_of_torchcam(batch: Explained, kind: str) -> Both:
    from heatmark.metrics.external import torchcam_metrics

    metric = {"avg_drop": AverageDrop, "conf_increase": AverageIncrease}[kind]()
    told = {"logits_fn": lambda logits: logits.softmax(-1), "epsilon": False}
    found = torchcam_metrics.confidence(batch, kind, **told).sum  # type: ignore[arg-type]
    assert found is not None
    return metric(batch).values, found


def confidence_of_pgc(batch: Explained, kind: str) -> Both:
    metric: Metric = {"drop": AverageDrop(relative=False), "increase": AverageIncrease()}[kind]
    found = pgc_metrics.confidence(batch, kind, softmax=True).sum
    assert found is not None
    return metric(batch).values, found


def road_of_pgc(batch: Explained) -> Both:
    one = replace(batch, images=batch.images[:1], targets=batch.targets[:1], maps=batch.maps[:1], masks=None)
    told = {"noise": 0.0, "softmax": True, "difference": False}
    found = removal_pairs.pgc_road(one, untied=True, exact=True, **told).sum
    assert found is not None
    return ROAD(preset="road-pgc", noise=0.0)(one).values, found


def infidelity_of_captum(batch: Explained, preset: str) -> Both:
    metric = Infidelity(preset=preset)
    assert metric.size is not None
    assert metric.samples is not None
    perturbing = Perturbing(str(metric.perturbation), metric.size, str(metric.fill), metric.samples)
    drawn = [each[1:] for each in perturbing.drawn(batch)]
    shape = (2, metric.samples + 1, *batch.images.shape[1:])
    weights, pictures = (torch.stack([each[k].expand(shape[2:]) for each in drawn]).view(shape)[:, 1:] for k in (1, 2))
    told = {"normalize": bool(metric.scaled), "softmax": False}
    found = captum_metrics.infidelity(batch, weights, pictures, **told).sum
    assert found is not None
    return metric(batch).values, found


def sensitivity_of_captum(batch: Explained) -> Both:
    metric, told = MaxSensitivity(preset="captum-0.9"), by_gradient(batch)
    found = captum_metrics.sensitivity_max(told, quantus_ours.neighbours_of(metric)(told)).sum
    assert found is not None
    return metric(told).values, found


def by_gradient(batch: Explained) -> Explained:
    return replace(batch, maps=gradients(batch.model, batch.images, batch.targets))


def flipping_of_quantus(batch: Explained) -> Both:
    """Give Quantus maps whose channels of a pixel follow each other, as ours take them.

    The three channels of a pixel are equal features, in the order of an unstable sort, and no step that Quantus allows
    for 224 × 224 pixels holds whole pixels: each step splits one, which moves the area of nearly 8 by some 1e-3.
    """
    from heatmark.benchmarks.conformance.metrics.quantus_sides import in_a_row
    from heatmark.metrics.external.quantus_metrics import evaluated

    step, told = 12544, replace(batch, maps=in_a_row(quantus_ours.ranks_of(batch), batch))
    found = evaluated("PixelFlipping", told, features_in_step=step, return_auc_per_sample=True)
    return Deletion(preset="quantus-0.6", steps=step)(batch).values, torch.from_numpy(found)


def regions_of_quantus(batch: Explained) -> Both:
    from heatmark.metrics.external.quantus_metrics import evaluated

    drops = torch.from_numpy(evaluated("RegionPerturbation", batch))
    return RegionPerturbation(preset="quantus-0.6")(batch).values, torch.trapezoid(drops, dim=1)


def monotonicity_of_quantus(batch: Explained) -> Both:
    """Compare groups of whole pixels, of which Quantus has none for pictures of 224 × 224."""
    from heatmark.metrics.external.quantus_metrics import evaluated

    told = {"features_in_step": batch.maps[0].numel() // 3, "nr_samples": 1, "perturb_baseline": "black"}
    found = torch.from_numpy(evaluated("MonotonicityCorrelation", batch, **told))
    return MonotonicityCorrelation(groups=9, fill="image_minimum")(batch).values, found


def robustness_of_quantus(batch: Explained, name: str, metric: Metric) -> Both:
    from heatmark.metrics.external.quantus_metrics import neighbourhood

    told = by_gradient(batch)
    moved = quantus_ours.neighbours_of(metric)(told)
    return metric(told).values, torch.from_numpy(neighbourhood(name, told, moved, normalise=False))


def of_maps_by_quantus(batch: Explained, name: str, metric: Metric, positive: bool = False, **options: int) -> Both:
    from heatmark.metrics.external.quantus_metrics import evaluated

    told = replace(batch, maps=batch.maps.relu()) if positive else batch
    return metric(told).values, torch.from_numpy(evaluated(name, told, **options))


def randomisation_of_quantus(batch: Explained) -> Both:
    from heatmark.metrics.external.quantus_metrics import parameter_randomisation

    metric, told = ParameterRandomisation(points=2, absolute=True), by_gradient(batch)
    ours, models = metric(told).values, quantus_ours.randomised_by(metric)(told)
    if ours.isnan().any():
        with pytest.raises(AssertionError, match="all equal to zero"):
            parameter_randomisation(told, models)
        pytest.skip("the map of a randomised model is zero everywhere: ours has no value, and Quantus raises")
    rows = [row for name, row in parameter_randomisation(told, models).items() if name != "original"]
    return ours, torch.tensor(rows, dtype=torch.float64).mean(dim=0)


def random_logit_of_quantus(batch: Explained) -> Both:
    from heatmark.benchmarks.conformance.metrics import quantus_sides

    told = by_gradient(batch)
    side = partial(quantus_sides.random_logit, ranked=True)
    ours, theirs = quantus_ours.random_logit(told, given=side).sum, side(told).sum
    assert ours is not None
    assert theirs is not None
    return ours, theirs


ROBUST = {
    "MaxSensitivity": MaxSensitivity(preset="quantus-0.6", samples=SAMPLES),
    "AvgSensitivity": AvgSensitivity(preset="quantus-0.6", samples=SAMPLES),
    "LocalLipschitzEstimate": LocalLipschitz(preset="quantus-0.6", samples=SAMPLES),
    "RelativeInputStability": RelativeInputStability(preset="quantus-0.6", samples=SAMPLES, radius=0.002),
    "RelativeOutputStability": RelativeOutputStability(preset="quantus-0.6", samples=SAMPLES, radius=0.002),
}
OF_MAPS: dict[str, tuple[Metric, dict[str, int]]] = {
    "PointingGame": (PointingGame(), {}),
    "RelevanceRankAccuracy": (RelevanceRankAccuracy(), {}),
    "TopKIntersection": (TopKIntersection(1000), {"k": 1000}),
    "Complexity": (Entropy(), {}),
    "Sparseness": (GiniIndex(), {}),
}

PACKAGES: dict[tuple[str, str, str], Callable[[Explained], Both]] = {
    ("torch-cam-0.5", "torchcam", "deletion"): partial(of_torchcam, kind="deletion"),
    ("torch-cam-0.5", "torchcam", "insertion"): partial(of_torchcam, kind="insertion"),
    ("chattopadhay-2018", "torchcam", "average drop"): partial(confidence_of_torchcam, kind="avg_drop"),
    ("chattopadhay-2018", "torchcam", "average increase"): partial(confidence_of_torchcam, kind="conf_increase"),
    ("relative=false", "pytorch_grad_cam", "average drop"): partial(confidence_of_pgc, kind="drop"),
    ("chattopadhay-2018", "pytorch_grad_cam", "average increase"): partial(confidence_of_pgc, kind="increase"),
    ("road-pgc", "pytorch_grad_cam", "ROAD"): road_of_pgc,
    ("captum-0.9", "captum", "infidelity"): partial(infidelity_of_captum, preset="captum-0.9"),
    ("captum-0.9-normalize", "captum", "infidelity"): partial(infidelity_of_captum, preset="captum-0.9-normalize"),
    ("captum-0.9", "captum", "max-sensitivity"): sensitivity_of_captum,
    ("quantus-0.6", "quantus", "PixelFlipping"): flipping_of_quantus,
    ("quantus-0.6", "quantus", "RegionPerturbation"): regions_of_quantus,
    ("fill=image_minimum", "quantus", "MonotonicityCorrelation"): monotonicity_of_quantus,
    ("positive part", "quantus", "RelevanceMassAccuracy"): partial(
        of_maps_by_quantus, name="RelevanceMassAccuracy", metric=EnergyInside(), positive=True
    ),
    ("our models", "quantus", "MPRT"): randomisation_of_quantus,
    ("their class, ranks", "quantus", "RandomLogit"): random_logit_of_quantus,
    **{
        ("quantus-0.6", "quantus", name): partial(robustness_of_quantus, name=name, metric=metric)
        for name, metric in ROBUST.items()
    },
    **{
        ("no ties", "quantus", name): partial(of_maps_by_quantus, name=name, metric=metric, **options)
        for name, (metric, options) in OF_MAPS.items()
    },
}
"""Our values and theirs, by protocol (or what is equal on both sides), package and metric."""

LONG = {"ROAD", "RegionPerturbation", "MPRT", "LocalLipschitzEstimate", "PixelFlipping", "infidelity"}


# --- packages that cannot be installed here: loops ---


def of_loop(batch: Explained, preset: str, metric: str) -> Both:
    """Return ours and the loop's value of the first picture."""
    height, width = batch.images.shape[2:]
    one = replace(batch, images=batch.images[:1], targets=batch.targets[:1], maps=batch.maps[:1], masks=None)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("HEIGHT", height), ("WIDTH", width), ("PIXELS", height * width)):
            patch.setattr(loops, name, value)
        patch.setattr(loops, "MEAN", MEAN)
        patch.setattr(loops, "DEVIATION", DEVIATION)
        precise = replace(one, model=InSingle(one.model).eval(), images=one.images.double())
        expected = loops.LOOPS[preset][0](loops.Subject(precise, 0), metric)
    return loops.METRICS[metric](preset=preset)(one).values, torch.tensor([expected], dtype=torch.float64)


class InSingle(nn.Module):
    """A network in single precision, for the pictures of the loops, which are in double."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.model(images.float())
        return logits


def single_deletion(batch: Explained) -> Both:
    """IDSDS: 4 × 4 cells, each replaced by zero; the ranks of the logit's drops and of the sums of relevance."""
    found = []
    for image, target, relevance in zip(batch.images, batch.targets, batch.maps, strict=True):
        drops, sums = [], []
        for cell in range(16):
            rows, columns = (slice(56 * place, 56 * (place + 1)) for place in divmod(cell, 4))
            without = image.clone()
            without[:, rows, columns] = 0
            with torch.no_grad():
                intact, left = batch.model(torch.stack([image, without]))[:, target].tolist()
            drops.append(intact - left)
            sums.append(float(relevance[rows, columns].double().sum()))
        found.append(float(spearmanr(sums, drops).statistic))
    return SingleDeletion(preset="idsds")(batch).values, torch.tensor(found, dtype=torch.float64)


class TargetFirst(nn.Module):
    """A model whose first class is the target, as the loop of information curves reads the first picture."""

    def __init__(self, model: nn.Module, target: int) -> None:
        super().__init__()
        self.model, self.target = model, target
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.model(images)
        return torch.cat([logits[:, [self.target]], logits[:, : self.target], logits[:, self.target + 1 :]], dim=1)


def information_curve(batch: Explained, metric: SIC | AIC) -> Both:
    """PAIR: the loop of SIC and AIC of the first picture that is not refused, whatever its score."""
    metric = replace(metric, min_score=0.0)
    for n, target in enumerate(batch.targets.tolist()):
        one = Explained(
            TargetFirst(batch.model, target),
            batch.images[[n]],
            torch.tensor([0]),
            batch.maps[[n]],
            None,
            gradients,
            normalisation=(MEAN, DEVIATION),
        )
        if not metric(one).reasons[0]:
            return metric(one).values, torch.tensor([looped_information(one, metric)], dtype=torch.float64)
    pytest.skip("all pictures are refused: their blurred ones have at least their score")


def looped_information(batch: Explained, metric: SIC | AIC) -> float:
    """Return the area of the first picture by the loop, whose own pictures have grey constants and another size."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("MEAN", MEAN), ("DEVIATION", DEVIATION)):
            patch.setattr(information, name, value.view(3, 1, 1))
        patch.setattr(information, "SIDE", batch.images.shape[-1])
        return information.looped(batch, 0, metric)


SIDES = {"latec-2024": 112, "fill=image_minimum": 225}
"""Of pictures of the protocol with a point per 50 pixels, and of one with groups of whole pixels; others are of 224."""

LOOPED: dict[tuple[str, str, str], Callable[[Explained], Both]] = {
    **{
        (name, "loop", metric): partial(of_loop, preset=name, metric=metric)
        for name, (_, metrics) in loops.LOOPS.items()
        for metric in metrics
        if name != "quantus-0.6"  # one channel of one pixel per pass: Quantus itself is run, with larger steps
    },
    ("idsds", "loop", "single deletion"): single_deletion,
    ("pair-2022", "loop", "SIC"): partial(information_curve, metric=SIC()),
    ("pair-2022", "loop", "AIC"): partial(information_curve, metric=AIC()),
}

CASES = {**PACKAGES, **LOOPED}


def marked() -> Iterator[object]:
    for case in CASES:
        slow = case[1] == "loop" or case[2] in LONG
        yield pytest.param(case, id=" ".join(case), marks=[pytest.mark.slow] if slow else [])


def distance(ours: Tensor, theirs: Tensor) -> float:
    """Return max |a − b| / max(1, |b|), NaN where one of the two is undefined."""
    return float(((ours.double() - theirs.double()).abs() / theirs.double().abs().clamp_min(1)).max())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("case", list(marked()))
def test_equal_to_the_implementation(network: str, case: tuple[str, str, str]) -> None:
    if case[1] != "loop" and importlib.util.find_spec(case[1]) is None:
        pytest.skip(f"{case[1]} is not installed")
    ours, theirs = CASES[case](explained(network, SIDES.get(case[0], 224)))
    assert ours.shape == theirs.shape
    assert distance(ours, theirs) <= TOLERANCE


def main() -> None:
    """Write a row per protocol, implementation and metric, with the largest difference on each network."""
    sys.stdout.write(
        f"| protocol | implementation | metric | {' | '.join(NETWORKS)} |\n|{'---|' * (3 + len(NETWORKS))}\n"
    )
    for case, both in CASES.items():
        found = [told(case, both, name) for name in NETWORKS]
        sys.stdout.write(f"| {' | '.join([*case, *found])} |\n")
        sys.stdout.flush()


def told(case: tuple[str, str, str], both: Callable[[Explained], Both], network: str) -> str:
    try:
        return f"{distance(*both(explained(network, SIDES.get(case[0], 224)))):.1e}"
    except (pytest.skip.Exception, ImportError) as reason:
        return str(reason)


if __name__ == "__main__":
    main()
