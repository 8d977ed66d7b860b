"""Protocols: the values of options that published code uses, with citation and source.

A protocol is never edited: another set of values is another protocol with a name of its own. Targets, images and maps
are the run's, whatever the source's.

Two things of the sources are not options, because they change no mean of values: the area under the mean curve (RISE,
xplique) is the mean of the areas, and a factor (Chefer's 100) changes no order. Orders of equal pixels that a source
leaves to an unstable sort are the ones of a stable sort, but for RISE's.

RISE sorts with ``np.flip(np.argsort(a))``, which has equal pixels from the last to the first only where NumPy's sort is
stable: in arrays of up to 16 values. In larger ones their order depends on the other values and on the processor. Of
50,176 values of which 25,000 to 40,000 are 0, as of a map after a ReLU, the later of two zeros came first in 32 to 48 %
of the pairs, with NumPy 2.4's vectorised sort and with its quicksort; of a constant map in all pairs or in 33 %. Hence
``raster`` is nearer than ``reversed``. On 20 photographs (SqueezeNet, Grad-CAM less its mean after a ReLU, 65 % zeros,
10 steps) the insertion differed from that in RISE's own order by .018 to .024 in raster order, .039 to .046 in its
reverse; the deletion by .0008 and .0007.

Not here, because the options of pixel flipping do not represent them:

- Quantus 0.6 with the fills ``mean`` and ``uniform``: they are computed anew from the image so far perturbed, and drift
  along the curve (its ``black``, the smallest value, does not: that stays the smallest while it is written in).
- Quantus 0.6, RegionPerturbation of images whose sides 8 does not divide: the first patches lie in a padding.
- Quantus 0.6, IROF: the mean colour is one number of all channels, of the whole batch, that drifts in the same way;
  the segments (scikit-image's defaults) are removed one by one, which is another number of points per image; and its
  value is their number less the area with dx = 1.
- Quantus 0.6, Monotonicity: it replaces pixels of the fill by the fill, so that it never shows the model a pixel of
  the image, and every map has the value True.
- Quantus 0.6, MonotonicityCorrelation: its ``uniform`` is one number for all features of a draw.
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
    values={**PIXELS, "steps": 28, "counting": "chunks", "rule": "per_interval", "ties": "raster"},
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
        "steps": 15,
        "counting": "log",
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

QUANTUS = Protocol(
    values={
        **PIXELS,
        "unit": "channel_pixel",
        "steps": 224,
        "counting": "every",
        "rule": "unit_steps",
        "ties": "raster",
    },
    baselines={"": "image_minimum"},
    citation='Hedström et al., "Quantus: An Explainable AI Toolkit for Responsible Evaluation of Neural Network '
    'Explanations and Beyond", JMLR 2023, after Bach et al., PLoS ONE 2015',
    source="Quantus 0.6.0 (the wheel), quantus/metrics/faithfulness/pixel_flipping.py, with its defaults but for "
    "features_in_step, 224 as its users set it for ImageNet; its default of 1 costs C·H·W passes per image",
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
    "quantus-0.6": QUANTUS,
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

REGIONS_HEATMARK = Protocol(
    values={"patch_size": 8, "regions": 100, "baseline": "mean", "rule": "mean", "ties": "drawn"},
    citation='Samek et al., "Evaluating the Visualization of What a Deep Neural Network Has Learned", TNNLS 2017',
    source="Heatmark: samek-2017, but for patches whose side divides 224, and the image's mean colour",
)

REGIONS_SAMEK = Protocol(
    values={**REGIONS_HEATMARK.values, "patch_size": 9, "baseline": "uniform"},
    citation=REGIONS_HEATMARK.citation,
    source="the paper, III-B and IV-B: 100 regions of 9 × 9 pixels, replaced by uniform noise",
)

REGIONS_QUANTUS = Protocol(
    values={
        "patch_size": 8,
        "regions": 100,
        "baseline": "image_minimum",
        "rule": "unit_steps",
        "ties": "raster",
    },
    citation=QUANTUS.citation,
    source="Quantus 0.6.0 (the wheel), quantus/metrics/faithfulness/region_perturbation.py, with its defaults, for "
    "images that the patches divide, whose sums are in the order of their means",
)

REGION_PROTOCOLS: Mapping[str, Protocol] = {
    "heatmark-1": REGIONS_HEATMARK,
    "samek-2017": REGIONS_SAMEK,
    "quantus-0.6": REGIONS_QUANTUS,
}
"""Protocols of region perturbation, by the name that its option ``preset`` takes."""

SINGLE_DELETION_PROTOCOLS: Mapping[str, Protocol] = {
    "idsds": Protocol(
        values={"cells": 4, "fill": "zero", "score": "logit"},
        citation=IDSDS.citation,
        source="github.com/visinf/idsds, single_deletion.py, 8e84200",
    )
}
"""Protocols of single deletion, by the name that its option ``preset`` takes."""

RAO_2022 = Protocol(
    values={"least": 1e-7, "empty": "zero"},
    citation='Rao et al., "Towards Better Understanding Attribution Methods", CVPR 2022, 3.1',
    source="github.com/sukrutrao/Attribution-Evaluation, attribution_evaluation/evaluation/localization.py, 8fcfa0f",
)

PLACEMENT_PROTOCOLS: Mapping[str, Protocol] = {
    "heatmark-1": Protocol(values={"least": 0.0, "empty": "undefined"}, citation="this package", source=""),
    "rao-2022": RAO_2022,
}
"""Protocols of the grid pointing game, by the name that its option ``preset`` takes."""


NEAR: Mapping[str, object] = {"radius": 0.02, "samples": 10, "noise": "uniform", "kept": True}
"""Neighbours of an image as Captum draws them, those alone that keep the prediction."""
FARTHER: Mapping[str, object] = {**NEAR, "radius": 0.2, "kept": False}
YEH = 'Yeh et al., "On the (In)fidelity and Sensitivity of Explanations", NeurIPS 2019'
LIPSCHITZ = 'Alvarez-Melis and Jaakkola, "On the Robustness of Interpretability Methods", WHI 2018'
AGARWAL = 'Agarwal et al., "Rethinking Stability for Attribution-based Explanations", 2022, arXiv 2203.06877'
KEEPING = "Heatmark: draws as Captum's default, of which those count that keep the predicted class"
QUANTUS_CODE = "github.com/understandable-machine-intelligence-lab/Quantus, 0.6.0, quantus/metrics/"
LATEC_DRAWS = "github.com/IML-DKFZ/latec, configs/eval_metric/volume_organ.yaml, f43e5bd"

SENSITIVITY_PROTOCOLS: Mapping[str, Protocol] = {
    "heatmark-1": Protocol(NEAR, YEH, KEEPING),
    "captum-0.9": Protocol(
        {**NEAR, "kept": False}, YEH, "github.com/meta-pytorch/captum, 0.9.0, captum/metrics/_core/sensitivity.py"
    ),
    "quantus-0.6": Protocol({**FARTHER, "samples": 200}, YEH, f"{QUANTUS_CODE}robustness/max_sensitivity.py"),
    "pnpxai-0.1": Protocol(
        {**FARTHER, "samples": 8},
        YEH,
        "github.com/OpenXAIProject/pnpxai, pnpxai/evaluator/metrics/sensitivity.py, 2567302",
    ),
    "latec-2024": Protocol(FARTHER, YEH, LATEC_DRAWS),
}
"""Protocols of max- and average sensitivity, by the name that their option ``preset`` takes."""

LIPSCHITZ_PROTOCOLS: Mapping[str, Protocol] = {
    "heatmark-1": Protocol(NEAR, LIPSCHITZ, KEEPING),
    "quantus-0.6": Protocol(
        {"radius": 0.1, "samples": 200, "noise": "gaussian", "kept": False},
        LIPSCHITZ,
        f"{QUANTUS_CODE}robustness/local_lipschitz_estimate.py, with normalise=False",
    ),
    "latec-2024": Protocol({"radius": 0.2, "samples": 10, "noise": "gaussian", "kept": False}, LIPSCHITZ, LATEC_DRAWS),
}
"""Protocols of the local Lipschitz estimate, by the name that its option ``preset`` takes."""

ONE_SIDED: Mapping[str, object] = {
    "radius": 0.2, "samples": 200, "noise": "positive", "kept": True, "epsilon": 1e-6, "all_kept": True
}  # fmt: skip
STABILITY_PROTOCOLS: Mapping[str, Protocol] = {
    "heatmark-1": Protocol({**NEAR, "epsilon": 1e-6, "all_kept": False}, AGARWAL, KEEPING),
    "quantus-0.6": Protocol(ONE_SIDED, AGARWAL, f"{QUANTUS_CODE}robustness/relative_input_stability.py"),
    "latec-2024": Protocol(
        {**ONE_SIDED, "samples": 10}, AGARWAL, f"{LATEC_DRAWS}; all but the number of draws is Quantus's default"
    ),
}
"""Protocols of relative input and output stability, by the name that their option ``preset`` takes."""


ADEBAYO = 'Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018'
HEDSTROEM = (
    'Hedström et al., "Sanity Checks Revisited: An Exploration to Repair the Model Parameter Randomisation Test", 2023'
)
LAYERS: Mapping[str, object] = {
    "order": "top_down", "similarity": "spearman", "points": 4, "until": 1.0, "absolute": False
}  # fmt: skip
EVERY_LAYER: Mapping[str, object] = {**LAYERS, "points": "all", "absolute": True}

RANDOMISATION_PROTOCOLS: Mapping[str, Protocol] = {
    "heatmark-1": Protocol(LAYERS, ADEBAYO, "Heatmark: four points in place of one per layer"),
    "quantus-0.6": Protocol(EVERY_LAYER, ADEBAYO, f"{QUANTUS_CODE}randomisation/mprt.py"),
    "xplique-2.0": Protocol(
        {**LAYERS, "points": 1, "until": 0.25},
        ADEBAYO,
        "github.com/deel-ai/xplique, xplique/metrics/randomization.py, 08bb12e, ModelRandomizationMetric",
    ),
}
"""Protocols of parameter randomisation, by the name that its option ``preset`` takes."""

SMOOTH_PROTOCOLS: Mapping[str, Protocol] = {
    "heatmark-1": Protocol(
        {**LAYERS, "order": "bottom_up", "points": 2, "noise": 0.1, "samples": 10},
        HEDSTROEM,
        "Heatmark: two points in place of one per layer, of 10 maps in place of 50",
    ),
    "quantus-0.6": Protocol(
        {**EVERY_LAYER, "order": "bottom_up", "noise": 0.1, "samples": 50},
        HEDSTROEM,
        f"{QUANTUS_CODE}randomisation/smooth_mprt.py",
    ),
}
"""Protocols of smooth parameter randomisation, by the name that its option ``preset`` takes."""


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
