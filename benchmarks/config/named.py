"""Models, methods, metrics and datasets built from the strings that the command line takes, without a command line."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from heatmark.benchmarks.config import options as groups
from heatmark.benchmarks.config.building import build, build_classifier
from heatmark.benchmarks.config.compose import compose_command
from heatmark.benchmarks.config.strings import quoted

if TYPE_CHECKING:
    from heatmark.benchmarks.data.base import Dataset
    from heatmark.benchmarks.models.classifier import Classifier
    from heatmark.methods.base import Method
    from heatmark.metrics.base import Metric


def known(group: str) -> list[str]:
    """Return the names of the shipped options of a group: ``method``, ``metric``, ``model`` or ``dataset``."""
    return groups.known(group)


def matching(group: str, pattern: str) -> list[str]:
    """Return what a string names: a name, all names that match a pattern, or a name with options in one spelling.

    >>> matching("method", "*cam_pp")
    ['grad_cam_pp', 'pgc_grad_cam_pp']

    Raises:
        ValueError: where there is none; it names the nearest.
    """
    return [str(named) for named in groups.unique(group, [pattern])]


def methods(texts: Sequence[str], seed: int = 0) -> dict[str, "Method"]:
    """Return methods by their names in the tables, in the order of the strings, such as ``rise(masks=1000)``.

    Raises:
        ValueError: for an unknown name or option, or a value of the wrong type.
    """
    return _built("method", texts, seed)


def metrics(texts: Sequence[str], seed: int = 0) -> dict[str, "Metric"]:
    """Return metrics by their names in the tables, in the order of the strings, such as ``deletion(steps=14)``.

    Raises:
        ValueError: for an unknown name or option, or a value of the wrong type.
    """
    return _built("metric", texts, seed)


def model(text: str, options: Mapping[str, Any] = {}, seed: int = 0) -> "Classifier":
    """Return the classifier that a string names: a shipped model, SOURCE:NAME, a file, each perhaps with options.

    Args:
        text: such as ``resnet50``, ``torchvision:regnet_y_400mf``, ``nets/mine.yaml`` or ``resnet18(weights=null)``.
        options: more of the model's options, by name, such as ``{"weights": None, "preprocessing": {"resize": 288}}``.
        seed: of random weights.

    Raises:
        ValueError: for what is not there, for options that it does not have, and where it cannot be built.
    """
    return build_classifier(_chosen("model", text, options, [f"seed={seed}"]), f"model={text}")


def dataset(text: str, options: Mapping[str, Any] = {}) -> "Dataset":
    """Return the dataset that a string names, such as ``shapes(limit=10)``.

    Args:
        text: a shipped dataset or a file, perhaps with options.
        options: more of its options, by name.

    Raises:
        ValueError: for what is not there, and for options that it does not have.
    """
    found: Dataset = build(_chosen("dataset", text, options, []), f"dataset={text}")
    return found


def _built(group: str, texts: Sequence[str], seed: int) -> dict[str, Any]:
    named = groups.unique(group, texts)
    if not named:
        return {}
    bases = groups.in_group(group, named, [f"seed={seed}"])
    return {str(each): build(groups.merged(bases, group, each), f"{group}={each}") for each in named}


def _chosen(group: str, text: str, options: Mapping[str, Any], overrides: Sequence[str]) -> DictConfig:
    """Return the one config that a string names, in its place in a sweep's, with more options."""
    named = groups.unique(group, [text])
    if len(named) > 1:
        raise ValueError(f"{group}={text} stands for {len(named)}, expected one of {', '.join(map(str, named))}")
    groups.register(group, named)
    others = ["~model"] if group == "dataset" else []  # the default model is nobody's choice
    given = [f"{group}={quoted(str(named[0]))}", "method=[]", "metric=[]", *others, *overrides]
    config = compose_command("sweep", given)
    OmegaConf.set_struct(config, False)
    config[group] = OmegaConf.merge(config[group], dict(options))
    found: DictConfig = config[group]
    return found
