"""Ablation-CAM."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from heatmark.common.features import FeatureLayout
from heatmark.common.probabilities import full_precision, target_logits
from heatmark.methods.base import Method
from heatmark.methods.engine.cam import weighted_sum
from heatmark.methods.engine.capture import layout_at
from heatmark.methods.engine.partial_forward import PartialForward, partial_forwards


@dataclass(frozen=True)
class AblationCAM(Method):
    """Ablation-CAM: weigh each channel with the part of the target's logit that is lost without it.

    w_c = (y − y_c) / y (eq. 3),  L = relu(Σ_c w_c A_c) (eq. 4),

    y the target's logit, y_c the same with A_c set to 0. What stands before the layer runs once for all channels.

    The denominator keeps its sign, as in the paper: where y < 0, a channel that speaks for the target weighs less
    than 0. Where y = 0 the map is NaN. A channel that is 0 everywhere weighs exactly 0 and is not run.

    Only the map A_c itself is set to 0: a transformer's class token keeps its value, for it has no place on the image.
    Deviation: pytorch-grad-cam sets a layer without exact zeros to 10⁷ below its minimum, and the class token too.

    Desai and Ramaswamy, "Ablation-CAM: Visual Explanations for Deep Convolutional Network via Gradient-free
    Localization", WACV 2020.

    Args:
        batch_size: images through the model at once; of ablations, which start at the layer, as many as hold no more
            numbers there than these images do.
    """

    batch_size: int = 16

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        """Return relu'd maps (N, h, w) in the layer's resolution."""
        with partial_forwards(model, images, layer) as run:
            feature_layout = layout_at(model, layer, run.features, images)
            y = full_precision(target_logits(run.logits, targets))
            maps = full_precision(feature_layout.maps(run.features))
            rows = self.batch_size * max(1, images.shape[1:].numel() // run.features.shape[1:].numel())
            drops = y.new_zeros(maps.shape[:2])
            for n in range(len(images)):
                drops[n] = channel_drops(run, feature_layout, n, int(targets[n]), rows)
        weights = drops / torch.where(y == 0, torch.nan, y)[:, None]
        return weighted_sum(weights.to(maps), maps).relu()


def channel_drops(run: PartialForward, feature_layout: FeatureLayout, n: int, target: int, rows: int) -> Tensor:
    """Return what image n's target loses without each channel, y − y_c, (C,); so many rows at once."""
    maps = feature_layout.maps(run.features[n : n + 1])[0]
    drops = full_precision(run.logits.new_zeros(len(maps)))
    live = (maps != 0).any(dim=2).any(dim=1).nonzero()[:, 0]
    for channels in torch.split(live, rows):
        ablated = run.features[n].repeat(len(channels), *[1] * (run.features.ndim - 1))
        feature_layout.maps(ablated)[torch.arange(len(channels)), channels] = 0
        drops[channels] = full_precision(run.logits[n, target]) - full_precision(run.head(ablated, n)[:, target])
    return drops
