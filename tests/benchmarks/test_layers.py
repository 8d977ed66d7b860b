"""Tests of layers: found by role, by name or automatically, and listed as a table."""

import io

import pytest
import torch
from rich.console import Console
from torch import Tensor, nn
from torchvision import models
from torchvision.ops import Permute

from heatmark.benchmarks.commands.layers import table
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.layers import Candidate, candidate_layers, resolve_layer, resolve_layers, shortlist
from heatmark.benchmarks.models.preprocessing import Preprocessing
from heatmark.common.features import TokenLayout


class _Odd(nn.Module):
    """A convolution used twice, one written over, one of 1×1, in another order than they are defined in."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Conv2d(6, 6, 1)
        self.late = nn.Conv2d(4, 6, 3, stride=2, padding=1)
        self.twice = nn.Conv2d(4, 4, 1)
        self.early = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(inplace=True))
        self.unused = nn.Conv2d(3, 3, 1)
        self.fc = nn.Linear(6, 2)

    def forward(self, images: Tensor) -> Tensor:
        features = self.late(self.twice(self.twice(self.early(images))))
        gated = features * self.gate(features.mean((2, 3), keepdim=True))
        logits: Tensor = self.fc(gated.mean((2, 3)))
        return logits


def _classifier(module: nn.Module, size: int = 8, **layers: str) -> Classifier:
    return Classifier("odd", module.eval(), "own", Preprocessing(None, (size, size)), layers)


def _on_meta(name: str) -> Classifier:
    with torch.device("meta"):
        module = models.get_model(name, weights=None)
    return Classifier(name, module.eval(), "none", Preprocessing(), {"last": "auto"})


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("vgg16", "features.28"),
        ("resnet18", "layer4.1.conv2"),
        ("resnet50", "layer4.2.conv3"),
        ("squeezenet1_1", "classifier.1"),
        ("mobilenet_v3_small", "features.12.0"),
        ("densenet121", "features.denseblock4.denselayer16.conv2"),
        ("convnext_tiny", "features.7.2.block.0"),
        ("vit_b_16", "conv_proj"),
    ],
)
def test_the_last_convolution_is_found(name: str, layer: str) -> None:
    assert resolve_layer(_on_meta(name), "auto") == layer
    assert resolve_layer(_on_meta(name), "last") == layer


def test_the_last_convolution_is_the_last_to_run_that_is_a_map_and_runs_once() -> None:
    assert resolve_layer(_classifier(_Odd()), "auto") == "late"


def test_the_images_say_how_large_the_maps_are() -> None:
    classifier = _classifier(nn.Sequential(nn.Conv2d(3, 4, 2, 2), nn.Conv2d(4, 4, 2, 2), nn.Flatten()))
    assert resolve_layer(classifier, "auto") == "1"
    assert resolve_layer(classifier, "auto", torch.zeros(2, 3, 4, 4)) == "0"


def test_no_convolution() -> None:
    with pytest.raises(ValueError, match="odd has no convolution that runs once"):
        resolve_layer(_classifier(nn.Sequential(nn.Flatten(), nn.Linear(192, 2))), "auto")


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("lats", "unknown layer 'lats' of odd: did you mean (last, late|late, last)"),
        ("early.3", r"did you mean early.1, early.0, early\?"),
        ("xyz", "its roles are last, auto, its top layers gate, late, twice, early, unused, fc"),
    ],
)
def test_an_unknown_layer_is_answered_with_the_nearest(layer: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        resolve_layer(_classifier(_Odd(), last="late"), layer)


def test_a_role_of_a_layer_that_is_not_there() -> None:
    with pytest.raises(ValueError, match=r"unknown layer 'early\.7'"):
        resolve_layer(_classifier(_Odd(), early="early.7"), "early")


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (["early.*"], ["early.0", "early.1"]),
        (["*"], ["late", "early"]),
        (["**"], ["late", "early", "early.0", "early.1"]),
        (["early.?", "last", "early"], ["early.0", "early.1", "late", "early"]),
        (["last", "late", "l*", "auto"], ["late"]),
        (["**.1", "*.0"], ["early.1", "early.0"]),
    ],
)
def test_a_pattern_gives_the_layers_that_give_a_map(given: list[str], found: list[str]) -> None:
    assert resolve_layers(_classifier(_Odd(), last="late"), given) == found


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("earlie.*", r"no layer of odd that gives a map matches 'earlie\.\*': did you mean early"),
        ("gat*", "'gat\\*' matches 1 layers of odd, such as gate, of which none gives a map"),
        ("early0*", "no layer of odd"),
    ],
)
def test_a_pattern_that_matches_nothing_is_answered_with_the_nearest(pattern: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        resolve_layers(_classifier(_Odd()), [pattern])


def test_names_alone_cost_no_pass_through_the_model() -> None:
    module = _Odd()
    module.register_forward_pre_hook(lambda *_: pytest.fail("no pattern needs the model"))
    assert resolve_layers(_classifier(module), ["early", "late"]) == ["early", "late"]


def test_candidates_of_a_network_known_by_hand() -> None:
    module = _Odd().train()
    classifier = Classifier("odd", module, "own", Preprocessing(None, (8, 8)), {"first": "early", "last": "auto"})
    assert candidate_layers(classifier) == [
        Candidate("late", "Conv2d", 6, (4, 4), ("last", "auto"), block=False, overwritten=False),
        Candidate("early", "Sequential", 4, (8, 8), ("first",), block=True, overwritten=False),
        Candidate("early.0", "Conv2d", 4, (8, 8), (), block=False, overwritten=True),
        Candidate("early.1", "ReLU", 4, (8, 8), (), block=False, overwritten=False),
    ]
    assert all(part.training and not part._forward_hooks for part in module.modules())


def test_nothing_is_left_behind_when_the_forward_fails() -> None:
    module = _Odd()
    with pytest.raises(RuntimeError):
        candidate_layers(_classifier(module), torch.zeros(1, 5, 8, 8))
    assert not any(part._forward_hooks for part in module.modules())


def test_layers_that_are_overwritten_in_vgg_and_densenet() -> None:
    vgg = {layer.name: layer for layer in candidate_layers(_on_meta("vgg16"))}
    assert [name for name in ("features.28", "features.29", "features.30") if vgg[name].overwritten] == ["features.28"]
    densenet = {layer.name: layer for layer in candidate_layers(_on_meta("densenet121"))}
    assert densenet["features"].overwritten


def test_tokens_count_as_a_map() -> None:
    classifier = _on_meta("vit_b_16")
    classifier.module.token_layout = TokenLayout(class_tokens=1)
    layers = {layer.name: layer for layer in candidate_layers(classifier)}
    norm = layers["encoder.layers.encoder_layer_11.ln_1"]
    assert (norm.channels, norm.grid) == (768, (14, 14))
    assert "heads.head" not in layers


def test_layers_whose_axes_only_a_trace_shows() -> None:
    """A block that ends channels-last, a flattened map, what runs inside a fast path, and a place that none shows."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tokens = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        module = nn.Sequential(
            nn.Sequential(nn.Conv2d(3, 8, 2, 2), Permute([0, 2, 3, 1])), nn.Flatten(1, 2), tokens, nn.Flatten(1)
        )
        module.append(nn.LazyLinear(2))
        module(torch.zeros(1, 3, 16, 24))
    runs: list[int] = []
    module.register_forward_pre_hook(lambda _module, inputs: runs.append(len(inputs[0])))
    candidates = candidate_layers(_classifier(module), torch.zeros(1, 3, 16, 24))
    found = {c.name: (c.channels, c.grid) for c in candidates}
    assert {name: found[name] for name in ("0", "0.0", "0.1", "1", "2", "2.norm1", "2.linear1")} == {
        **dict.fromkeys(("0", "0.0", "0.1", "1", "2", "2.norm1"), (8, (8, 12))),
        "2.linear1": (16, (8, 12)),
    }
    assert runs == [1, 4, 4], "one trace of two draws for all layers"


@pytest.mark.parametrize("name", ["resnet50", "densenet121", "vit_b_16", "mobilenet_v3_small"])
def test_the_short_list_can_be_read(name: str) -> None:
    classifier = _on_meta(name)
    if name == "vit_b_16":  # as its option says; a trace has no numbers to look at on meta
        classifier.module.token_layout = TokenLayout(class_tokens=1)
    candidates = candidate_layers(classifier)
    short = shortlist(candidates)
    assert 8 <= len(short) <= 30
    assert resolve_layer(classifier, "last") in {layer.name for layer in short}
    assert short == [layer for layer in candidates if layer in short]
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(table(classifier, short, len(candidates)))
    printed = console.export_text()
    assert all(layer.name in printed for layer in short)
    assert f"{len(short)} of {len(candidates)} layers" in printed
