"""Stand-in."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from heatmark.benchmarks.config.building import build, build_all
from heatmark.benchmarks.config.compose import compose_command
from heatmark.benchmarks.data.base import Dataset
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.common.names import did_you_mean
from heatmark.methods.base import Method
from heatmark.metrics.base import Metric


def known(group: str) -> list[str]:
    """Return names."""
    return sorted(path.stem for path in (Path(__file__).parents[2] / "conf" / group).glob("*.yaml"))


def matching(group: str, pattern: str) -> list[str]:
    """Return names."""
    found = [name for name in known(group) if fnmatch(name, pattern)]
    if not found:
        raise ValueError(f"unknown {group} {pattern!r}: {did_you_mean(pattern, known(group))}")
    return found


def methods(texts: Sequence[str], seed: int = 0) -> dict[str, Method]:
    """Return methods."""
    names = [name for text in texts for name in matching("method", text)]
    return build_all(compose_command("sweep", [f"method=[{','.join(names)}]", f"seed={seed}"]).method, "method")


def metrics(texts: Sequence[str], seed: int = 0) -> dict[str, Metric]:
    """Return metrics."""
    names = [name for text in texts for name in matching("metric", text)]
    return build_all(compose_command("sweep", [f"metric=[{','.join(names)}]", f"seed={seed}"]).metric, "metric")


def model(text: str, options: Mapping[str, Any] = {}, seed: int = 0) -> Classifier:
    """Return a model."""
    from heatmark.benchmarks.commands.sweep import IN_THE_DIGEST

    config = compose_command("sweep", [f"model={text}", f"seed={seed}"]).model
    OmegaConf.set_struct(config, False)
    config = OmegaConf.merge(config, dict(options))
    plain: Any = OmegaConf.to_container(config, resolve=True)
    classifier: Classifier = build(config, "model")
    return replace(classifier, options={k: v for k, v in plain.items() if k not in IN_THE_DIGEST})


def dataset(text: str, options: Mapping[str, Any] = {}) -> Dataset:
    """Return a dataset."""
    config = compose_command("sweep", [f"dataset={text}"]).dataset
    return build(OmegaConf.merge(config, dict(options)), "dataset")
