"""Ablation-CAM."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from heatmark.common.features import FeatureLayout
from heatmark.common.probabilities import full_precision, target_logits
from heatmark.methods.base import Method
from heatmark.methods.engine.cam import weighted_sum
from heatmark.methods.engine.capture import layout_at
from heatmark.methods.engine.cost import channels_at, share_behind
from heatmark.methods.engine.partial_forward import PartialForward, partial_forwards


@dataclass(frozen=True)
class AblationCAM(Method):
    """Ablation-CAM: the sum of a layer's channels, each weighted by the fraction of the target's logit lost without it.

    w_c = (y − y_c) / y (eq. 3),  L = relu(Σ_c w_c A_c) (eq. 4),

    with A (C, h, w) the layer's activations, y the target's logit and y_c this logit with A_c set to 0. The modules
    before the layer run once for all channels.

    The denominator keeps its sign, as in the paper: if y < 0, a channel that increases the target's logit has a
    negative weight. If y = 0, the map is NaN. A channel that is 0 everywhere has the weight 0 and costs no pass.

    Only the map A_c is set to 0: a transformer's class token keeps its value, because it belongs to no place of the
    image. pytorch-grad-cam differs: it sets a channel of a layer without exact zeros to 10⁷ below the minimum, and the
    class token too.

    Desai and Ramaswamy, "Ablation-CAM: Visual Explanations for Deep Convolutional Network via Gradient-free
    Localization", WACV 2020.

    Args:
        batch_size: number of images that go through the model at once. More ablations run at once, because they start
            at the layer: as many as have no more numbers there than this many images.

    >>> import torch
    >>> from torch import nn
    >>> model = nn.Sequential(nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten())  # logits: the largest red, green, blue
    >>> image = torch.zeros(1, 3, 2, 2)
    >>> image[0, 0] = torch.tensor([[0.0, 4], [2, 0]])  # the red channel
    >>> AblationCAM()(model.eval(), image, torch.tensor([0]), layer="0")
    tensor([[[0., 4.],
             [2., 0.]]])
    """

    batch_size: int = 16

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        """Return non-negative maps (N, h, w) in the layer's resolution."""
        with partial_forwards(model, images, layer) as partial:
            feature_layout = layout_at(model, layer, partial.features, images)
            y = full_precision(target_logits(partial.logits, targets))
            maps = full_precision(feature_layout.maps(partial.features))
            rows = self.batch_size * max(1, images.shape[1:].numel() // partial.features.shape[1:].numel())
            drops = y.new_zeros(maps.shape[:2])
            for n in range(len(images)):
                drops[n] = channel_drops(partial, feature_layout, n, int(targets[n]), rows)
        weights = drops / torch.where(y == 0, torch.nan, y)[:, None]
        return weighted_sum(weights.to(maps), maps).relu()

    def passes(self, model: nn.Module, layer: str, shape: tuple[int, int, int]) -> float:
        """Return a forward pass, and per channel the share of one that lies behind the layer."""
        return 1.0 + channels_at(model, layer, shape) * share_behind(model, layer, shape)


def channel_drops(partial: PartialForward, feature_layout: FeatureLayout, n: int, target: int, rows: int) -> Tensor:
    """Return the drop y − y_c of image n's target logit without each channel, (C,); ``rows`` ablations run at once."""
    maps = feature_layout.maps(partial.features[n : n + 1])[0]
    drops = full_precision(partial.logits.new_zeros(len(maps)))
    live = (maps != 0).any(dim=2).any(dim=1).nonzero()[:, 0]
    for channels in torch.split(live, rows):
        ablated = partial.features[n].repeat(len(channels), *[1] * (partial.features.ndim - 1))
        feature_layout.maps(ablated)[torch.arange(len(channels)), channels] = 0
        y, y_c = partial.logits[n, target], partial.head(ablated, n)[:, target]
        drops[channels] = full_precision(y) - full_precision(y_c)
    return drops
