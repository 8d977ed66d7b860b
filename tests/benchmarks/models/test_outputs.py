"""Outputs that are no logits are refused with a sentence; no real classifier is refused."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision import models

from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.predictions import predict
from heatmark.benchmarks.models.preprocessing import Preprocessing

IMAGES = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))


class Ends(nn.Module):
    """A convolution, a pooling and a linear layer, ended by a function."""

    def __init__(self, end: Callable[[Tensor], object], outputs: int = 4) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier, self.end = nn.Linear(8, outputs), end

    def forward(self, images: Tensor) -> object:
        return self.end(self.classifier(self.trunk(images)))


def logits(module: nn.Module, classes: tuple[str, ...] = (), images: Tensor = IMAGES) -> Tensor:
    classifier = Classifier("net", module.eval(), "own", Preprocessing(), classes=classes)
    return predict(classifier, images, 2, torch.device("cpu"))


def headless(name: str, head: str) -> nn.Module:
    module = models.get_model(name, weights=None)
    setattr(module, head, nn.Identity())
    return module


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (Ends(lambda z: z, 1), r"a single logit per image, \(2, 1\) for 2 images.*cat\(\[-z / 2, z / 2\], dim=1\)"),
        (Ends(lambda z: z[:, 0]), r"a single logit per image, \(2,\) for 2 images"),
        (Ends(lambda z: torch.sigmoid(z[:, :1])), "a single logit"),
        (Ends(torch.sigmoid), "gives probabilities, not logits: its last operation is a sigmoid .*not supported yet"),
        (Ends(nn.Sigmoid()), "its last operation is a sigmoid"),
        (Ends(lambda z: torch.sigmoid(z)[:, :3].clone()), "its last operation is a sigmoid"),
        (Ends(nn.Softmax(1)), "its last operation is a softmax.*give the network without that operation"),
        (Ends(lambda z: F.log_softmax(z, 1)), "its last operation is a log-softmax"),
        (Ends(lambda z: z.abs() / z.abs().sum(1, keepdim=True)), "its outputs are at least 0 and sum to 1"),
        (Ends(lambda z: z.softmax(1).detach()), "its outputs are at least 0 and sum to 1"),
        (Ends(F.hardsigmoid), "its last operation is a sigmoid"),
        (Ends(lambda z: z.sigmoid().clamp(1e-6, 1 - 1e-6)), "its last operation is a sigmoid"),
        (Ends(lambda z: torch.stack([z.sigmoid(), (2 * z).sigmoid()]).mean(0)), "its last operation is a sigmoid"),
        (Ends(lambda z: z - z.logsumexp(1, keepdim=True)), "probabilities, .*the exponentials of its outputs sum to 1"),
        (Ends(lambda z: z.softmax(1).log()), "the exponentials of its outputs sum to 1"),
        (Ends(F.normalize), "gives 4 features per image.*divided to a length of 1.*model.classes"),
        (Ends(lambda z: z.argmax(1, keepdim=True).expand(-1, 4)), "gives torch.int64 numbers"),
        (Ends(lambda z: (z, z)), r"gives a tuple of 2, expected one tensor \(N, classes\)"),
        (Ends(lambda z: {"logits": z, "loss": z}), "gives a dict of logits, loss, expected one tensor"),
        (Ends(lambda z: None), "gives a NoneType"),
        (Ends(lambda z: z[:, :, None, None]), r"gives \(2, 4, 1, 1\) for 2 images.*feature maps"),
        (Ends(lambda z: z[:1]), r"gives \(1, 4\) for 2 images, expected \(N, classes\)"),
        (Ends(lambda z: z[None]), r"gives \(1, 2, 4\) for 2 images"),
        (Ends(F.relu), "gives 4 features per image.*activations that no layer turns into logits.*model.classes"),
    ],
)  # fmt: skip
def test_what_is_no_logits_is_refused(module: nn.Module, words: str) -> None:
    with pytest.raises(ValueError, match=f"(?s)^net gives .*{words}" if not words.startswith("gives") else words):
        logits(module)


HEADLESS = {
    "resnet18": ("fc", 512), "mobilenet_v3_small": ("classifier", 576), "squeezenet1_1": ("classifier", 4608),
    "swin_t": ("head", 768),
}  # fmt: skip
SLOW_HEADLESS = {
    "densenet121": ("classifier", 1024), "vgg11": ("classifier", 25088), "efficientnet_b0": ("classifier", 1280),
    "regnet_y_400mf": ("fc", 440), "shufflenet_v2_x0_5": ("fc", 1024),
    "mobilenet_v2": ("classifier", 1280), "mnasnet0_5": ("classifier", 1280),
}  # fmt: skip
NETS = [*HEADLESS, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW_HEADLESS)]


@pytest.mark.parametrize("name", NETS)
def test_a_network_without_its_head_gives_features(name: str) -> None:
    head, outputs = (HEADLESS | SLOW_HEADLESS)[name]
    with pytest.raises(ValueError, match=f"gives {outputs} features per image, .*its {head} is an Identity"):
        logits(headless(name, head))


def test_a_network_cut_before_its_head_gives_features() -> None:
    trunk = nn.Sequential(*list(models.resnet18(weights=None).children())[:-1])
    with pytest.raises(ValueError, match=r"gives \(2, 512, 1, 1\) for 2 images.*without its head"):
        logits(trunk)
    with pytest.raises(
        ValueError, match=r"gives 512 features per image, .*activations that no layer turns into logits"
    ):
        logits(nn.Sequential(trunk, nn.Flatten()))


def believed(module: nn.Module) -> None:
    for images in (IMAGES, IMAGES[:1]):
        with torch.no_grad():
            said = torch.cat([module.eval()(chunk).float() for chunk in images.split(2)])
        assert torch.equal(logits(module, images=images), said)


@pytest.mark.parametrize(
    "module",
    [
        *(Ends(lambda z: z), Ends(lambda z: 1e-4 * z), Ends(lambda z: z - 100), Ends(lambda z: z, 2)),
        Ends(lambda z: 0.5 + 1e-3 * z),  # all within [0, 1], and logits
        Ends(lambda z: z.half()),
        Ends(lambda z: torch.cat([-z[:, :1] / 2, z[:, :1] / 2], 1)),  # as a single logit is told to be wrapped
        nn.Sequential(nn.Conv2d(3, 5, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()),  # as all-convolutional nets end
        nn.Sequential(nn.Conv2d(3, 5, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    ],
)
def test_a_small_classifier_is_believed(module: nn.Module) -> None:
    believed(module)


@pytest.mark.parametrize("name", NETS)
def test_a_classifier_is_believed_untrained_and_without_names(name: str) -> None:
    believed(models.get_model(name, weights=None, num_classes=7))


def test_features_are_believed_where_their_classes_are_named_and_names_are_counted() -> None:
    net = nn.Sequential(nn.Conv2d(3, 3, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(ValueError, match="gives 3 features per image"):
        logits(net)
    assert logits(net, ("a", "b", "c")).shape == (3, 3)
    with pytest.raises(ValueError, match=r"model\.classes has 2 names, and net gives 3 outputs per image"):
        logits(net, ("a", "b"))


def test_the_network_is_left_as_it_was() -> None:
    net = Ends(lambda z: z).train()
    net.classifier.weight.requires_grad_(False)
    classifier = Classifier("net", net, "own", Preprocessing())
    predicted = predict(classifier, IMAGES, 2, torch.device("cpu"))
    assert net.training
    assert net.trunk.training
    assert all(weight.grad is None for weight in net.parameters())
    assert not predicted.is_inference()  # may be saved for backward
    assert not predicted.requires_grad


def test_a_prediction_of_nan_is_refused_first() -> None:
    with pytest.raises(ValueError, match=r"net \(own\) gives NaN or infinite logits for 3 of 3 images"):
        logits(Ends(lambda z: z / 0 * 0))
