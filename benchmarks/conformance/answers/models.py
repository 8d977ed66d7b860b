"""Known answers of models and data: refusals, digests, names, preprocessing, labels and targets."""

import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from heatmark.benchmarks.conformance.answers.answer import answer, holds
from heatmark.benchmarks.conformance.answers.sweeping import swept
from heatmark.benchmarks.conformance.findings import Finding
from heatmark.benchmarks.conformance.image_set import whole
from heatmark.benchmarks.data.base import Dataset, Sample
from heatmark.benchmarks.data.folder import Folder
from heatmark.benchmarks.data.pictures import read_picture
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.predictions import predict
from heatmark.benchmarks.models.preprocessing import Preprocessing
from heatmark.benchmarks.models.weights_io import read_state
from heatmark.benchmarks.schema import DIGESTS, SETTING
from heatmark.benchmarks.sweep.blocks import Block
from heatmark.benchmarks.sweep.targets import choose_targets
from heatmark.benchmarks.tables.naming import Weights, weights_names
from heatmark.methods.centre_prior import CentrePrior
from heatmark.metrics.deletion import Deletion

CLASSES = ("red fox", "cat", "dog")
WHOLE = Preprocessing(resize=None, crop=None)


def ask_models() -> Iterator[Finding]:
    """Yield the answers of all parts."""
    for ask in (
        _outputs,
        _digests,
        _checkpoints,
        _names,
        _classes,
        _preprocessing,
        _pictures,
        _labels,
        _targets,
        _tables,
    ):
        yield from ask()


def _refused(check: str, run: Callable[[], object], word: str) -> Finding:
    """Return whether a call is refused with a sentence that holds this word."""
    try:
        run()
    except ValueError as error:
        return holds("models", check, "" if word in str(error) else f"refused for another reason: {error}")
    return holds("models", check, f"it was not refused; right is a sentence with {word!r}")


def _net(*end: nn.Module, outputs: int = 3) -> nn.Sequential:
    """Return a small network: the mean colour, a linear layer of known weights, and the modules that it ends in."""
    linear = nn.Linear(3, outputs)
    linear.weight.data = torch.arange(3.0 * outputs).view(outputs, 3) / 10
    linear.bias.data = torch.arange(float(outputs)) - 1
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear, *end).eval()


def _named(module: nn.Module, classes: tuple[str, ...] = (), preprocessing: Preprocessing = WHOLE) -> Classifier:
    return Classifier("toy", module, "own", preprocessing, classes=classes)


def _predicted(module: nn.Module, classes: tuple[str, ...] = ()) -> Tensor:
    images = torch.linspace(0, 1, 3 * 3 * 4 * 4).view(3, 3, 4, 4)
    return predict(_named(module, classes), images, 2, torch.device("cpu"))


class _Fractions(nn.Module):
    """A network whose outputs are fractions of their sum: probabilities without a softmax or sigmoid."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        positive = self.net(images).exp()
        shares: Tensor = positive / positive.sum(1, keepdim=True)
        return shares


class _Function(nn.Module):
    """A function as the last module of a network."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, values: Tensor) -> Tensor:
        return self.function(values)


def _clipped(probabilities: Tensor) -> Tensor:
    """Return the mean of an ensemble of one, clamped away from 0 and 1."""
    return torch.stack([probabilities]).mean(0).clamp(1e-6, 1 - 1e-6)


def _outputs() -> Iterator[Finding]:
    backbone = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    yield _refused("single_logit", lambda: _predicted(_net(outputs=1)), "single logit")
    yield _refused("flat_logit", lambda: _predicted(_net(nn.Flatten(0), outputs=1)), "single logit")
    yield _refused("sigmoid", lambda: _predicted(_net(nn.Sigmoid())), "sigmoid")
    yield _refused("softmax", lambda: _predicted(_net(nn.Softmax(1))), "softmax")
    yield _refused("log_softmax", lambda: _predicted(_net(nn.LogSoftmax(1))), "log-softmax")
    yield _refused("clipped", lambda: _predicted(_net(nn.Sigmoid(), _Function(_clipped))), "sigmoid")
    yield _refused("log_of_softmax", lambda: _predicted(_net(nn.Softmax(1), _Function(torch.log))), "exponentials")
    yield _refused("embedding", lambda: _predicted(_net(_Function(nn.functional.normalize))), "length of 1")
    yield _refused("fractions", lambda: _predicted(_Fractions(_net())), "sum to 1")
    yield _refused("headless", lambda: _predicted(backbone), "features")
    yield _refused("feature_maps", lambda: _predicted(nn.Conv2d(3, 3, 3)), "expected (N, classes)")
    yield _refused("names_of_others", lambda: _predicted(_net(), CLASSES[:2]), "2 names")
    pointwise = nn.Sequential(nn.Conv2d(3, 5, 1), *backbone[1:]).eval()  # as SqueezeNet ends
    yield _equal("all_convolutional", _predicted(pointwise).shape, (3, 5))
    # the first picture's channel means are 7.5, 23.5 and 39.5 of 143 steps
    means = torch.tensor([7.5, 23.5, 39.5]) / 143
    right = [0.1 * means[1] + 0.2 * means[2] - 1, 0.3 * means[0] + 0.4 * means[1] + 0.5 * means[2]]
    for position, expected in enumerate(right):
        yield answer("models", f"logit_{position}", float(_predicted(_net())[0, position]), float(expected), 1e-5)


def _digests() -> Iterator[Finding]:
    changed = _net()
    next(changed.parameters()).data[0, 0] += 1e-6
    nets = (_net(), _net(), changed, _net(nn.ReLU()), _net(nn.Tanh()))
    first, again, *others = (_named(net).network_digest()[:12] for net in nets)
    yield holds("models", "digest_equal", "" if first == again else "equal nets have two digests")
    others.append(_named(_net(), preprocessing=Preprocessing()).network_digest()[:12])
    distinct = len({first, *others}) == 5
    yield holds("models", "digest_differs", "" if distinct else "two of five different nets share one")


def _checkpoints() -> Iterator[Finding]:
    with tempfile.TemporaryDirectory() as folder:
        for name, content in {"state": _net().state_dict(), "pickled": _net()}.items():
            torch.save(content, Path(folder) / f"{name}.th")
        yield _equal("th_checkpoint", list(read_state(f"{folder}/state.th")), list(_net().state_dict()))
        yield _refused("pickled_network", lambda: read_state(f"{folder}/pickled.th"), "weights_only=True")


def _names() -> Iterator[Finding]:
    here, there = (Weights("net", "best", letter * 12) for letter in "ab")
    names = weights_names({here: "/runs/1/best.pth", there: "/runs/2/best.pth"})
    yield _equal("colliding_names", [names[here], names[there]], ["1/best", "2/best"])
    names = weights_names({here: "/runs/1/out/best.pth", there: "/runs/2/out/best.pth"})
    yield _equal("names_in_equal_folders", [names[here], names[there]], ["1/out/best", "2/out/best"])
    yield _equal("names", list(weights_names({here: "/runs/1/best.pth"}).values()), ["best"])


def _equal(check: str, got: object, right: object) -> Finding:
    return holds("models", check, "" if got == right else f"got {got}, right is {right}")


def _classes() -> Iterator[Finding]:
    classifier = _named(_net(), CLASSES)
    yield _equal("class_names", [classifier.class_index(c) for c in ("Red_Fox", "dog", "1", 2)], [0, 2, 1, 2])
    yield _refused("unknown_class", lambda: classifier.class_index("dogg"), "did you mean dog")


def _preprocessing() -> Iterator[Finding]:
    """Yield a picture of two halves, 4 × 8, cropped to its middle 2 × 4, compared with (v/255 − mean)/std by hand."""
    pixels = np.zeros((4, 8, 3), dtype=np.uint8)
    pixels[:, 4:] = (255, 102, 51)
    prepare = Preprocessing(None, (2, 4), mean=(0.5, 0.4, 0.1), std=(0.5, 0.2, 0.25))
    image = prepare.image(Image.fromarray(pixels))
    right = {"left": (-1.0, -2.0, -0.4), "right": (1.0, 0.0, 0.4)}
    for side, column in (("left", 0), ("right", 3)):
        for channel, expected in enumerate(right[side]):
            yield answer("preprocessing", f"{side}_{channel}", float(image[channel, 0, column]), expected, 1e-6)
    halved = Preprocessing(resize=2, crop=(2, 2))
    mask = halved.mask(pixels[..., 0] > 0)
    yield _equal("mask", mask.tolist(), [[False, True], [False, True]])
    cut_off = np.zeros((4, 8), dtype=np.bool_)
    cut_off[:, 6:] = True
    yield _equal("mask_cut_off", bool(halved.mask(cut_off).any()), False)
    image = halved.image(Image.fromarray(pixels))
    brighter = (image[0, :, 1] > image[0, :, 0]).tolist()
    yield _equal("mask_with_picture", brighter, [True, True])


def _pictures() -> Iterator[Finding]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scan.png"
        for mode in ("I;16", "L", "1", "P"):
            Image.new(mode, (4, 4), 1).save(file)
            if mode == "I;16":
                yield _refused("grey_of_16_bits", lambda: read_picture(file), "8 bits")
            else:
                yield _equal(f"mode_{mode}", read_picture(file).mode, "RGB")
        file.write_bytes(_colour_of_16_bits())
        yield _refused("colour_of_16_bits", lambda: read_picture(file), "8 bits")
        Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(file)
        yield _equal("transparent", read_picture(file).getpixel((0, 0)), (255, 255, 255))


def _colour_of_16_bits() -> bytes:
    """Return a PNG of 1 × 1 pixels of 16 bits per channel, which Pillow can read and not write."""
    parts = {b"IHDR": struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0), b"IDAT": zlib.compress(b"\0" + b"\x0f\xff" * 3)}
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in (*parts.items(), (b"IEND", b""))
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@dataclass(frozen=True)
class _Two(Dataset):
    """Two pictures with the labels 0 and 1 and with names of choice."""

    names: tuple[str, str] = ("a", "b")
    shift: int = 0
    turned: bool = False

    @property
    def classes(self) -> tuple[str, ...]:
        return ("dog", "wolf")

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Sample:
        mask = np.zeros((4, 4), dtype=np.bool_)
        mask[index] = True
        picture = Image.new("RGB", (4, 4), (100 * (index ^ self.turned) + self.shift, 0, 0))
        return Sample(self.names[index], picture, index, objects=((index, mask),), group="p1" if index == 0 else None)


def _labels() -> Iterator[Finding]:
    def block(dataset: Dataset, preprocessing: Preprocessing = WHOLE) -> Block:
        (found,) = whole(dataset, _named(_net(), CLASSES, preprocessing))
        return found

    two = block(_Two())
    yield _equal("labels", two.labels.tolist(), [2, -1])
    masks, has = two.masks_of(torch.tensor([2, 2])) or (torch.zeros(2, 4, 4), torch.zeros(2))
    yield _equal("masks", (masks[0, :, 0].long().argmax().item(), has.tolist()), (0, [True, False]))
    digests = _digests_of(two)
    other = block(_Two(("x", "y")), Preprocessing(None, (2, 2)))
    yield _equal("same_pictures", _digests_of(other), digests)
    yield _equal("turned_pictures", _digests_of(block(_Two(turned=True))), digests[::-1])
    different = set(_digests_of(block(_Two(shift=1)))).isdisjoint(digests)
    yield holds("models", "other_pictures", "" if different else "other pictures have the same digest")
    with tempfile.TemporaryDirectory() as folder:
        for name in "ab":
            Image.new("RGB", (4, 4)).save(Path(folder) / f"{name}.png")
        (Path(folder) / "labels.csv").write_text("file,group,label\nb.png,p1,dog\na.png,,1\n")
        listed = block(Folder(folder))
        names = [entry.image for entry in listed.entries]
        yield _equal("listed", (names, listed.labels.tolist()), (["a.png", "b.png"], [1, 2]))
        yield _equal("groups", [entry.group for entry in listed.entries], ["", "p1"])
        (Path(folder) / "labels.csv").write_text("file,label\na.png,dog, wolf\n")
        yield _refused("comma_in_a_label", lambda: Folder(folder), "line 2")
        (Path(folder) / "labels.csv").write_text("file,label,groups\na.png,1,p1\n")
        yield _refused("misspelt_column", lambda: Folder(folder), "did you mean group")


def _digests_of(block: Block) -> list[str]:
    return [entry.digest for entry in block.entries]


def _targets() -> Iterator[Finding]:
    logits, labels = torch.tensor([[1.0, 3.0, 2.0], [5.0, 0.0, 4.0], [1.0, 1.0, 0.0]]), torch.tensor([2, 0, 1])
    right = {"predicted": [1, 0, 0], "second": [2, 2, 1], "label": [2, 0, 1], "dog": [2, 2, 2], "1": [1, 1, 1]}
    for rule, expected in right.items():
        chosen = choose_targets(rule, logits, labels, _named(_net(), CLASSES)).tolist()
        yield _equal(f"target_{rule}", chosen, expected)


def _tables() -> Iterator[Finding]:
    """Yield whether groups, and the digests of weights and pictures, are in the rows of results."""
    classifier, other = _named(_net(), CLASSES), _named(_net(), CLASSES)
    rows = swept(
        classifier, _Two(), {"centre_prior": CentrePrior()}, {"deletion": Deletion(2)}, target="0", batch_size=2
    )
    yield _equal("groups_in_results", rows["group"].tolist(), ["p1", ""])
    yield _equal("weights_in_results", set(rows["weights_digest"]), {classifier.network_digest()[:12]})
    yield _equal("pictures_in_results", rows["images_digest"].map(len).tolist(), [12, 12])
    yield _equal("digests_in_settings", [name for name in DIGESTS if name in SETTING], list(DIGESTS))
    other.module.get_parameter("2.bias").data += 1
    digests = [one.network_digest()[:12] for one in (classifier, other)]
    names = weights_names({}, [Weights("toy", "own", digest) for digest in digests])
    yield _equal("names_in_results", len(set(names.values())), 2)
