"""Known causes of differences from reference libraries, in the order in which they are tried."""

from functools import partial

from heatmark.benchmarks.conformance import experiments, formulas, profiles
from heatmark.benchmarks.conformance.causes import Cause
from heatmark.methods.grad_cam_pp import GradCAMPlusPlus
from heatmark.methods.xgrad_cam import XGradCAM

GRAD_CAM_PP_EPSILONS = (1e-6, 1e-7, 1e-8)
XGRAD_CAM_EPSILONS = (1e-7, 1e-8)

GRAD_CAM_PP = (partial(formulas.grad_cam_pp_weights, eps=0.0), partial(formulas.rounding_of_grad_cam_pp, eps=0.0))
XGRAD_CAM = (partial(formulas.xgrad_cam_weights, eps=0.0), partial(formulas.rounding_of_xgrad_cam, eps=0.0))
"""The papers' weights, and bounds on their rounding."""

FROM_WEIGHTS = ("weights", "raw", "relu")
"""Stages at which another formula of the weights can show first, as implementations show different stages."""

KNOWN = (
    Cause(
        "too_few_targets",
        "Fewer targets than images were given: pytorch-grad-cam pairs them with zip, and the images left over get "
        "zero gradients and a zero map.",
        ("gradients", "weights", "raw", "relu"),
        experiments.enough_targets,
    ),
    Cause(
        "in_place_successor",
        "The library keeps the layer's output without copying it, and a module that runs in place after the layer "
        "overwrites it; with a copy handed on, the library agrees.",
        ("activations", "gradients", *FROM_WEIGHTS),
        experiments.no_overwriting,
    ),
    Cause(
        "method_order",
        "pytorch-grad-cam's GuidedBackprop ran before and has replaced the model's ReLUs by new ones that are not in "
        "place; its maps of the same model have changed since.",
        ("activations",),
        experiments.before_guided_backprop,
    ),
    Cause(
        "alpha_written_to_copy",
        "torch-cam's Grad-CAM++ divides α by its denominator in a copy, so that its weights are Σ relu(g)³.",
        FROM_WEIGHTS,
        experiments.weights_by(
            GradCAMPlusPlus,
            *GRAD_CAM_PP,
            lambda _, gradients: formulas.undivided_weights(gradients),
        ),
    ),
    Cause(
        "grad_cam_pp_denominator",
        "The library adds an ε to Grad-CAM++'s denominator 2g² + ΣA g³, which is far larger than g² itself.",
        FROM_WEIGHTS,
        experiments.weights_by(
            GradCAMPlusPlus,
            *GRAD_CAM_PP,
            *(partial(formulas.grad_cam_pp_weights, eps=eps) for eps in GRAD_CAM_PP_EPSILONS),
        ),
    ),
    Cause(
        "xgrad_cam_epsilon",
        "The library adds an ε to XGrad-CAM's denominator ΣA, which counts where the activations cancel.",
        FROM_WEIGHTS,
        experiments.weights_by(
            XGradCAM,
            *XGRAD_CAM,
            *(partial(formulas.xgrad_cam_weights, eps=eps) for eps in XGRAD_CAM_EPSILONS),
        ),
    ),
    Cause(
        "cancelling_activations",
        "A channel's activations cancel: XGrad-CAM divides by a sum that is of the size of its rounding, and of the "
        "library's ε.",
        FROM_WEIGHTS,
        experiments.weights_within_rounding(
            XGradCAM, formulas.xgrad_cam_weights, formulas.rounding_of_xgrad_cam, (0.0, *XGRAD_CAM_EPSILONS)
        ),
    ),
    Cause(
        "cancelling_denominator",
        "Grad-CAM++'s denominator 2g² + ΣA g³ is nearly 0 somewhere, with the library's ε too, and what it divides is "
        "of the size of rounding.",
        FROM_WEIGHTS,
        experiments.weights_within_rounding(
            GradCAMPlusPlus,
            formulas.grad_cam_pp_weights,
            formulas.rounding_of_grad_cam_pp,
            (0.0, *GRAD_CAM_PP_EPSILONS),
        ),
    ),
    Cause(
        "centred_activations",
        "The library centres every channel before Eigen-CAM's decomposition, and leaves its sign to chance.",
        ("raw", "relu"),
        experiments.centred,
    ),
    Cause(
        "softmax_over_channels",
        "The library's Score-CAM weights are a softmax over the channels of logits, of masks resized with "
        "align_corners=True, and no baseline is subtracted.",
        FROM_WEIGHTS,
        experiments.softmax_over_channels,
    ),
    Cause(
        "ablation_below_minimum",
        "The library's Ablation-CAM sets a channel to 10⁷ below the layer's minimum where that is not 0, not to 0.",
        FROM_WEIGHTS,
        experiments.below_the_minimum,
    ),
    Cause(
        "tokens_as_channels",
        "The library takes the layer's second dimension for its channels, which are tokens or rows, so that its map "
        "has no places.",
        ("raw", "relu"),
        experiments.second_dimension,
    ),
    Cause(
        "cancelling_sum",
        "The channels' contributions cancel, and what is left is of the size of rounding in both implementations.",
        ("raw", "relu"),
        experiments.cancelling_sum,
    ),
    Cause(
        "nearest_resize",
        "The library enlarges the map by repeating pixels, not bilinearly.",
        ("resized", "normalised"),
        experiments.resized_by(profiles.nearest, "relu"),
    ),
    Cause(
        "corners_aligned",
        "The library resizes with align_corners=True, which moves the map against the image.",
        ("resized", "normalised"),
        experiments.resized_by(profiles.corners_aligned, "relu"),
    ),
    Cause(
        "relu_after_resizing",
        "The library resizes the signed map and applies the ReLU after.",
        ("resized", "normalised"),
        experiments.resized_by(lambda raw, size: profiles.relu_after_resizing([raw], size), "raw"),
    ),
)
