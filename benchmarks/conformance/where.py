"""The layers at which a network is checked, and the sizes of the images."""

import hashlib
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from heatmark.benchmarks.conformance.checked_layer import CheckedLayer, Size, pixels
from heatmark.benchmarks.conformance.findings import Finding
from heatmark.benchmarks.conformance.suite import alternating
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.layers import Candidate, candidate_layers, resolve_layer
from heatmark.common.model_state import observing

SIZES: tuple[Size, ...] = ((72, 72), (60, 80), (63, 85), (96, 64))
"""Heights and widths: square, landscape, odd, portrait, so that transposed axes, roundings and guesses by size show."""

DEPTHS = {"early": 0.25, "middle": 0.5, "last": 1.0}
"""The position of each role among a network's blocks, from 0 to 1, if the network's config does not name its layer."""


def drawn_size(model: str, layer: str) -> Size:
    """Return the one of ``SIZES`` at which a layer is checked, drawn by its name, so that it is always the same."""
    digest = hashlib.sha256(f"{model} {layer}".encode()).digest()
    return SIZES[int.from_bytes(digest[:8], "little") % len(SIZES)]


def checked_layers_of(
    classifier: Classifier, double: nn.Module, layer: str, images: Tensor, sizes: Sequence[Size]
) -> tuple[list[CheckedLayer], list[Finding]]:
    """Return a layer with images of every size that the network accepts, and a finding that names the other sizes.

    If the network does not accept some size, the images are also checked as they are.

    Args:
        classifier: the network.
        double: its copy in float64.
        layer: dotted name.
        images: (N, 3, H, W), as the network's preprocessing makes them.
        sizes: heights and widths.

    Raises:
        ValueError: if it does not accept these images either.
    """
    own = (images.shape[2], images.shape[3])
    found = {size: _at_size(classifier.name, double, layer, images, size) for size in sizes}
    refused = [pixels(size) for size, checked in found.items() if checked is None]
    notes = []
    if refused:
        found[own] = found.get(own) or _at_size(classifier.name, double, layer, images, own)
        note = f"it takes no images of {', '.join(refused)} pixels; checked at {pixels(own)}"
        notes.append(Finding(classifier.name, layer, "", "sizes", "", "skipped", note=note))
    checked_layers = [checked for checked in found.values() if checked is not None]
    if not checked_layers:
        raise ValueError(f"{classifier.name} takes no images of {pixels(own)} pixels")
    return checked_layers, notes


def _at_size(model: str, double: nn.Module, layer: str, images: Tensor, size: Size) -> CheckedLayer | None:
    """Return the layer with images of this size; None if the network does not accept it."""
    resized = F.interpolate(images.double(), size, mode="bilinear", align_corners=False)
    with observing(double):
        try:
            logits = double(resized)
        except (ValueError, RuntimeError, AssertionError):  # a transformer that was made for one size
            return None
    return CheckedLayer(model, double, layer, resized, alternating(logits))


def layer_of(classifier: Classifier, role: str, images: Tensor) -> str:
    """Return the dotted name of a layer by its role or name; a role without a layer in the config goes by its depth.

    Raises:
        ValueError: if there is no such layer; the message names the nearest.
    """
    if role not in DEPTHS or role in classifier.layers:
        return resolve_layer(classifier, role, images)
    blocks = outer_blocks(candidate_layers(classifier, images))
    if not blocks:
        raise ValueError(f"{classifier.name} has no block or convolution that gives a map; name a layer")
    return blocks[int(DEPTHS[role] * (len(blocks) - 1))].name


def outer_blocks(candidates: Sequence[Candidate], least: int = 4) -> list[Candidate]:
    """Return the blocks and convolutions of one depth of names, the smallest at which there are ``least`` of them."""
    structural = [c for c in candidates if c.block or c.kind.startswith("Conv")]
    for depth in sorted({c.name.count(".") for c in structural}):
        shown = [c for c in structural if c.name.count(".") == depth]
        if len(shown) >= least:
            return shown
    return structural
