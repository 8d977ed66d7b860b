"""Objects built from configs, with the name and type of every option checked."""

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, ListConfig, OmegaConf
from typeguard import TypeCheckError, check_type

from heatmark.benchmarks.config.targets import located, targets
from heatmark.common.names import did_you_mean

if TYPE_CHECKING:
    from heatmark.benchmarks.models.classifier import Classifier

IN_THE_DIGEST = ("name", "weights", "checkpoint", "seed", "preprocessing", "layers", "classes")
"""Options of a model that its digest and a cell's layer hold already."""


def build(config: DictConfig, what: str) -> Any:
    """Return the object of a config with a ``_target_``.

    Args:
        config: ``_target_`` and its options.
        what: its name in messages, such as ``method=grad_cam``.

    Raises:
        ValueError: for a target that cannot be imported, an option it does not have, or a value of the wrong type.
    """
    options = OmegaConf.to_container(config, resolve=True)
    if not isinstance(options, dict) or "_target_" not in options:
        raise ValueError(f"{what} needs a _target_ (the dotted path of its class), got {options!r}")
    _check(str(options["_target_"]), {str(k): v for k, v in options.items()}, what)
    try:
        return instantiate(config, _convert_="all")
    except InstantiationException as error:
        if isinstance(error.__cause__, ValueError):  # what the object itself said, without Hydra's words around it
            raise ValueError(f"{what}: {error.__cause__}") from None
        reason = " ".join(str(error.__cause__ or error).split())
        raise ValueError(f"{what} cannot be built: {reason}") from error


def build_all(configs: Mapping[str, DictConfig], group: str) -> dict[str, Any]:
    """Return the objects of a group such as ``method``, by name."""
    return {name: build(config, f"{group}={name}") for name, config in configs.items()}


def build_classifier(config: DictConfig, what: str = "model") -> "Classifier":
    """Return the classifier of a config, with the options of its network, which are part of the model's key."""
    plain: Any = OmegaConf.to_container(config, resolve=True)
    options = {name: value for name, value in plain.items() if name not in IN_THE_DIGEST}
    classifier: Classifier = build(config, what)
    return replace(classifier, options=options)


def listed(value: object) -> list[str]:
    """Return the names of an option that takes one name or a list of names, such as ``layer``."""
    return [str(name) for name in value] if isinstance(value, ListConfig | list) else [str(value)]


def _check(target: str, options: Mapping[str, Any], what: str) -> None:
    cls = located(target, what)
    for inner in targets(list(options.values())):
        located(inner, what)
    known = inspect.signature(cls).parameters
    hints = get_type_hints(cls.__init__ if inspect.isclass(cls) else cls)
    for name, value in options.items():
        if name.startswith("_"):
            continue
        if name not in known:
            hint = did_you_mean(name, known, f"it has {', '.join(known) or 'none'}.")
            raise ValueError(f"{what} has no option {name!r}: {hint}")
        if name in hints and not isinstance(value, dict):
            _check_type(value, hints[name], f"{what}: option {name}")


def _check_type(value: object, hint: Any, what: str) -> None:
    try:
        check_type(value, hint)
    except TypeCheckError:
        raise ValueError(f"{what} is {value!r} ({type(value).__name__}), {_expected(value, hint)}") from None


def _expected(value: object, hint: Any) -> str:
    """Return which values an option takes, and the nearest name where they are names."""
    if get_origin(hint) is Literal:
        names = list(map(str, get_args(hint)))
        return f"expected one of {', '.join(names)}; {did_you_mean(str(value), names)}".rstrip("; ")
    return f"expected {hint.__name__ if inspect.isclass(hint) else hint}"
