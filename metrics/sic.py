"""The softmax information curve."""

from dataclasses import dataclass
from typing import ClassVar

from heatmark.metrics.engine.information_curve import InformationCurve


@dataclass(frozen=True)
class SIC(InformationCurve):
    """The area under an image's softmax information curve; higher is better.

    SIC = ∫₀¹ y dx, in [0, 1], with x the information (bytes of a lossless WebP file) of pictures of which the most
    relevant pixels are known and the others interpolated, and y the target's probability. Both are scaled so that
    the blurred image has 0 and the image 1, and y never falls. An image is refused where the probability of the class
    explained is below ``min_score``, .8 by default.

    The number is one image's; Google's code first takes the median of the curves over the images that are not refused,
    and then the area, which is no mean of these numbers. It is no sum over a path that others share, because why an
    image is refused is not in its curve.

    The options, the costs and the errors are those of
    :class:`~heatmark.metrics.engine.information_curve.InformationCurve`.

    Kapishnikov et al., "XRAI: Better Attributions Through Regions", ICCV 2019, section 4.1. Deviations: the area per
    image; and the image is what the model sees, rounded to 8 bits, as are all pictures whose score is read.

    >>> import torch
    >>> from torch import nn
    >>> from heatmark.metrics.base import Explained
    >>> model = nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten()).eval()  # logits: the largest red, green, blue
    >>> colours = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)) / 2
    >>> colours[0, 0] *= 0.6
    >>> colours[0, 0, 4:9, 4:9] += 0.6  # a red square
    >>> image, scale = 8 * colours, (torch.zeros(3), torch.full((3,), 1 / 8))
    >>> red, target = image[:, 0], torch.tensor([0])
    >>> batches = [Explained(model, image, target, maps, None, None, normalisation=scale) for maps in (red, -red)]
    >>> right, wrong = (SIC()(batch).values.item() for batch in batches)
    >>> right > 0.9, wrong < 0.1
    (True, True)
    """

    score: ClassVar[str] = "probability"
