"""Protocols: the values of options that published code uses, with citation and source.

A protocol is never edited: another set of values is another protocol with a name of its own. Targets, images and maps
are the run's, whatever the source's.

Two things of the sources are not options, because they change no mean of values: the area under the mean curve (RISE,
xplique) is the mean of the areas, and a factor (Chefer's 100) changes no order. Orders of equal pixels that a source
leaves to an unstable sort are the ones of a stable sort.

Not here, because the options of pixel flipping do not represent them:

- Quantus 0.6, PixelFlipping: it flips (channel, pixel) features, and its fill is computed anew from the image so far
  perturbed, so that it drifts along the curve.
- Quantus 0.6, RegionPerturbation: the first 100 of the 8 × 8 patches, whose number and fill drift in the same way, and
  the sum of drops.
- LATEC 2024 for maps of three channels: it walks them channel by channel.
- PnPXAI 0.1, AbPC: the difference of its MoRF and LeRF is clamped at −1.
- road-2022 and road-pgc: their fill depends on which pixels are replaced.
- IDSDS's fills ``random`` (one draw for a batch) and ``blur`` (51 pixels, σ = 41).

Not here at all, because its value is not one image's: sufficiency in the sense of Dasgupta et al., "Framework for
Evaluating Faithfulness of Local Explanations", ICML 2022 (Quantus 0.6 and LATEC 2024: Sufficiency), the share of the
batch's other images with a similar map that have the same prediction. Each image's number changes with its neighbours,
by which similarity is also normalised, and is 0 / 0 for an image alone. The metric ``sufficiency`` is another one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Protocol:
    """The values of the options that define a published way to compute metrics.

    Args:
        values: by option; None has the option's own meaning, such as one image row per step.
        citation: the paper.
        source: the code from which the values are taken: repository, file and commit.
        baselines: the baseline of each metric, by the metric's name, ``""`` for the metrics without one of their own;
            empty where the metric has no such option.
    """

    values: Mapping[str, object]
    citation: str
    source: str
    baselines: Mapping[str, str] = field(default_factory=dict)


PIXELS: Mapping[str, object] = {"score": "probability", "unit": "pixel", "unit_size": 1, "counted": "relevant"}
REPLACED: Mapping[str, object] = {**PIXELS, "counted": "replaced", "ties": "stable"}
"""Of sources that sort in ascending order for LeRF, and count what they replace."""
ROWS: Mapping[str, object] = {**PIXELS, "steps": None, "counting": "nearest"}

RISE_2018 = Protocol(
    values={**ROWS, "rule": "trapezoid", "ties": "raster"},
    baselines={"": "mean", "deletion": "zero", "insertion": "blur"},
    citation='Petsiuk et al., "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018, 4.1',
    source="github.com/eclique/RISE, evaluation.py, d91ea00",
)

HEATMARK_1 = Protocol(
    values={**RISE_2018.values, "ties": "drawn"},
    baselines=RISE_2018.baselines,
    citation=RISE_2018.citation,
    source="Heatmark: rise-2018, but for pixels of equal value, whose order is drawn per image",
)

RISE_NOTEBOOK = Protocol(
    values={**PIXELS, "steps": 28, "counting": "chunks", "rule": "per_interval", "ties": "reversed"},
    baselines=RISE_2018.baselines,
    citation=RISE_2018.citation,
    source="github.com/eclique/RISE, Evaluation.ipynb, d91ea00: 8 of 224 rows per step, for all of ImageNet",
)

TORCH_CAM = Protocol(
    values={**PIXELS, "score": "logit", "steps": 20, "counting": "chunks", "rule": "trapezoid", "ties": "raster"},
    baselines={"": "zero"},
    citation="Fernandez, torch-cam 0.5, after Petsiuk et al., BMVC 2018",
    source="github.com/frgfm/torch-cam, torchcam/metrics.py, f44afef, with its default logits_fn",
)

XPLIQUE = Protocol(
    values={**PIXELS, "score": "logit", "steps": 10, "counting": "floor", "rule": "per_interval", "ties": "reversed"},
    baselines={"": "zero"},
    citation='Fel et al., "Xplique: A Deep Learning Explainability Toolbox", 2022, arXiv 2206.04394',
    source="github.com/deel-ai/xplique, xplique/metrics/fidelity.py, 0c90fa4, with its default operator on logits",
)

ATTRIBENCH = Protocol(
    values={
        **REPLACED,
        "score": "logit",
        "steps": tuple(point / 99 for point in range(100)),
        "counting": "floor",
        "rule": "mean",
        "ties": "reversed",
    },
    baselines={"": "zero"},
    citation="Gevaert, attribench 0.1.9, after Petsiuk et al., BMVC 2018",
    source="attribench 0.1.9 (the wheel), attribench/functional/metrics/deletion, with the constant masker at 0",
)

PNPXAI = Protocol(
    values={**REPLACED, "steps": 9, "counting": "rest", "rule": "mean"},
    baselines={"": "zero"},
    citation='Kim et al., "PnPXAI: A Universal XAI Framework", 2025, arXiv 2505.10515',
    source="github.com/OpenXAIProject/pnpxai, pnpxai/evaluator/metrics/pixel_flipping.py, 86053ea",
)

CHEFER_2021 = Protocol(
    values={
        **REPLACED,
        "score": "accuracy",
        "steps": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
        "counting": "floor",
        "rule": "per_point",
    },
    baselines={"": "black"},
    citation='Chefer et al., "Transformer Interpretability Beyond Attention Visualization", CVPR 2021, 4',
    source="github.com/hila-chefer/Transformer-Explainability, baselines/ViT/pertubation_eval_from_hdf5.py, c3e578f; "
    "the area from the clean accuracy on as its author says in issue 31",
)

LATEC_2024 = Protocol(
    values={**PIXELS, "steps": 50, "counting": "multiples", "rule": "per_point", "ties": "raster"},
    baselines={"": "zero", "insertion": "blur_15"},
    citation='Klein et al., "Navigating the Maze of Explainable AI: A Systematic Approach to Evaluating Methods and '
    'Metrics", NeurIPS 2024',
    source="github.com/IML-DKFZ/latec, src/modules/components/insertion_deletion.py, 8a03127, with "
    "configs/eval_metric/image_imagenet.yaml",
)

IDSDS = Protocol(
    values={
        **REPLACED,
        "steps": tuple(point / 32 for point in range(32)),
        "counting": "floor",
        "rule": "mean",
    },
    baselines={"": "zero"},
    citation='Hesse et al., "Benchmarking the Attribution Quality of Vision Models", NeurIPS 2024',
    source="github.com/visinf/idsds, incremental_deletion.py, 8e84200: lerf as its README runs it",
)

SRG_2024 = Protocol(
    values={
        **REPLACED,
        "unit": "slic",
        "unit_size": 100,
        "steps": (0.0, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.13, 0.19, 0.26, 0.37, 0.51, 0.71, 1.0),
        "counting": "nearest",
        "rule": "trapezoid",
        "ties": "reversed",
    },
    baselines={"": "zero"},
    citation='Blücher et al., "Decoupling Pixel Flipping and Occlusion Strategy for Consistent XAI Benchmarks", TMLR '
    "2024",
    source="github.com/bluecher31/pixel-flipping, src/experiments/pixel_flipping.py and src/conf/"
    "run_pixel_flipping.yaml, 9917139, but for the segments (100 of an image's colours, compactness 20; the shipped "
    "file has 25 of compactness 1, of the channels as a volume) and the area (under each image's curve; the code takes "
    "that under the mean curve)",
)

PROTOCOLS: Mapping[str, Protocol] = {
    "heatmark-1": HEATMARK_1,
    "rise-2018": RISE_2018,
    "rise-notebook": RISE_NOTEBOOK,
    "torch-cam-0.5": TORCH_CAM,
    "xplique-2.0": XPLIQUE,
    "attribench-0.1.9": ATTRIBENCH,
    "pnpxai-0.1": PNPXAI,
    "chefer-2021": CHEFER_2021,
    "latec-2024": LATEC_2024,
    "idsds": IDSDS,
    "srg-2024": SRG_2024,
}
"""Protocols by the name that the option ``preset`` takes."""

ROAD_2022 = Protocol(
    values={"fractions": (0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9), "noise": 0.01, "space": "pixels", "ties": "drawn"},
    citation='Rong et al., "A Consistent and Efficient Evaluation Strategy for Attribution Methods", ICML 2022, 4.2',
    source="github.com/tleemann/road_evaluation, road/imputed_dataset.py, experiments/cifar10/noretrain_params.json, "
    "e6b9987",
)

ROAD_PGC = Protocol(
    values={
        "fractions": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
        "noise": 0.01,
        "space": "model",
        "ties": "drawn",
    },
    citation=ROAD_2022.citation,
    source="github.com/jacobgil/pytorch-grad-cam, pytorch_grad_cam/metrics/road.py, 084273b",
)

IMPUTATION_PROTOCOLS: Mapping[str, Protocol] = {"road-2022": ROAD_2022, "road-pgc": ROAD_PGC}
"""Protocols of metrics that impute pixels, by the name that their option ``preset`` takes."""


INFIDELITY = Protocol(
    values={
        "perturbation": "square",
        "size": 10 / 28,
        "fill": "zero",
        "samples": 100,
        "scaled": True,
        "score": "probability",
    },
    citation='Yeh et al., "On the (In)fidelity and Sensitivity of Explanations", NeurIPS 2019',
    source="Heatmark: yeh-2019-square with fewer squares, of the mean colour, and the probability",
)

YEH_2019_SQUARE = Protocol(
    values={**INFIDELITY.values, "fill": "black", "samples": 5605, "score": "logit"},
    citation=INFIDELITY.citation,
    source="github.com/chihkuanyeh/saliency_evaluation, infid_sen_utils.py, get_exp_infid with Square, 5edce6e: all "
    "5605 squares of 1 to 10 of 28 pixels, each once",
)

YEH_2019 = Protocol(
    values={**YEH_2019_SQUARE.values, "perturbation": "noisy_baseline", "size": 0.2, "samples": 10000},
    citation=INFIDELITY.citation,
    source="github.com/chihkuanyeh/saliency_evaluation, infid_sen_utils.py, set_zero_infid with Gaussian, 5edce6e",
)

CAPTUM_INFIDELITY = Protocol(
    values={
        "perturbation": "gaussian",
        "size": 0.003,
        "fill": "zero",
        "samples": 10,
        "scaled": False,
        "score": "logit",
    },
    citation=INFIDELITY.citation,
    source="Captum 0.9.0 (the wheel), captum/metrics/_core/infidelity.py: its defaults, and the perturb_func of its "
    "example",
)

INFIDELITY_PROTOCOLS: Mapping[str, Protocol] = {
    "heatmark-1": INFIDELITY,
    "yeh-2019": YEH_2019,
    "yeh-2019-square": YEH_2019_SQUARE,
    "captum-0.9": CAPTUM_INFIDELITY,
    "captum-0.9-normalize": replace(CAPTUM_INFIDELITY, values={**CAPTUM_INFIDELITY.values, "scaled": True}),
}
"""Protocols of infidelity, by the name that its option ``preset`` takes."""


ADCC_2021 = Protocol(
    values={"effect": "drop"},
    citation='Poppi et al., "Revisiting the Evaluation of Class Activation Mapping for Explainability: A Novel Metric '
    'and Experimental Analysis", CVPR workshops 2021',
    source="github.com/aimagelab/ADCC, metrics/adcc.py, coherency.py, complexity.py, average_drop.py, e52dadf",
)

ARCC_PGC = Protocol(
    values={"effect": "road"},
    citation="arXiv 2605.14641, which the code names",
    source="pytorch-grad-cam 1.5.7 (the wheel), pytorch_grad_cam/metrics/arcc.py, whose docstring says geometric mean",
)

ADCC_PROTOCOLS: Mapping[str, Protocol] = {"adcc-2021": ADCC_2021, "arcc-pgc": ARCC_PGC}
"""Protocols of ADCC, by the name that its option ``preset`` takes."""


PAIR_2022 = Protocol(
    values={
        "thresholds": (0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1, 0.13, 0.21, 0.34, 0.5, 0.75),
        "seed_share": 0.01,
        "min_score": 0.8,
        "points": 1000,
    },
    citation='Kapishnikov et al., "XRAI: Better Attributions Through Regions", ICCV 2019',
    source="github.com/PAIR-code/saliency, saliency/metrics/pic.py, 034c834, with its defaults and the thresholds of "
    "its docstring; without the median over images, which is no number of an image",
)

PIC_PROTOCOLS: Mapping[str, Protocol] = {"pair-2022": PAIR_2022}
"""Protocols of performance information curves, by the name that their option ``preset`` takes."""


def presets(metric: str) -> dict[str, Mapping[str, object]]:
    """Return the values of a metric's options under each protocol, its baseline among them."""
    return {
        name: {**protocol.values, "baseline": protocol.baselines.get(metric, protocol.baselines[""])}
        for name, protocol in PROTOCOLS.items()
    }
