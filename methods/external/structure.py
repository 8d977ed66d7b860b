"""The modules, functions and products of a model, and the reasons why a library cannot explain it."""

import operator
from collections import Counter
from dataclasses import dataclass

import torch
from torch import fx, nn

from heatmark.common.axes import shaping
from heatmark.common.features import find_layer
from heatmark.common.model_state import evaluating

NONLINEAR_MODULES = (
    *(getattr(nn.modules.activation, name) for name in nn.modules.activation.__all__),
    *(nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm2d, nn.LocalResponseNorm, nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d),
    nn.AdaptiveMaxPool2d,
)
NONLINEAR_FUNCTIONS = {kind.__name__.lower() for kind in NONLINEAR_MODULES} | {
    "scaleddotproductattention",
    "exp",
    "pow",
}
"""Names without underscores, so that ``F.max_pool2d`` matches ``nn.MaxPool2d`` and ``relu_`` matches ``nn.ReLU``."""
PRODUCTS = (operator.mul, operator.imul, operator.matmul, torch.mul, torch.matmul, torch.bmm)


@dataclass(frozen=True)
class Structure:
    """The calls of one forward pass.

    Args:
        calls: module name -> number of calls; modules of torch.nn only.
        functions: names of the nonlinear functions that are called without a module, lower case, no underscores.
        products: whether two activations are multiplied, as in squeeze-and-excitation and in attention.
    """

    calls: Counter[str]
    functions: frozenset[str]
    products: bool


def structure(model: nn.Module) -> Structure | None:
    """Return the structure found by a symbolic trace, without an image; None if the model cannot be traced."""
    with evaluating(model):
        try:
            nodes = list(fx.Tracer().trace(model).nodes)
        except (ValueError, TypeError, AttributeError, RuntimeError, LookupError, AssertionError):
            return None
    called = [node for node in nodes if node.op in ("call_function", "call_method")]
    names = {node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "") for node in called}
    plain = {name.replace("_", "") for name in names}
    return Structure(
        calls=Counter(str(node.target) for node in nodes if node.op == "call_module"),
        functions=frozenset(plain & NONLINEAR_FUNCTIONS),
        products=any(node.target in PRODUCTS and len(set(node.all_input_nodes)) > 1 for node in called),
    )


def gives_tokens(model: nn.Module, layer: str) -> bool:
    """Return whether this is a layer of a transformer that gives tokens or channels last, judging by module types."""
    parts = list((shaping(model, layer) or find_layer(model, layer)).modules())
    transformer = getattr(model, "token_layout", None) is not None or any(
        isinstance(module, nn.MultiheadAttention) for module in model.modules()
    )
    return transformer and not any(isinstance(part, nn.Conv2d | nn.BatchNorm2d) for part in parts)


def hidden_relus(model: nn.Module) -> str | None:
    """Return the reason why hooks on ``nn.ReLU`` modules do not reach every ReLU of the model, or None if they do."""
    if not any(isinstance(module, nn.ReLU) for module in model.modules()):
        return "the model has no nn.ReLU module, so that this would be its plain gradient"
    found = structure(model)
    if found is not None and "relu" in found.functions:
        return "the model calls relu as a function, which hooks on modules do not see"
    return None


def beyond_rescale_rule(model: nn.Module, ruled: tuple[type[nn.Module], ...]) -> str | None:
    """Return the reason why DeepLIFT's rescale rule does not cover the whole model, or None if it does.

    Args:
        model: the classifier.
        ruled: the module types for which the library has a rule; subclasses do not count.
    """
    kinds = {type(m) for m in model.modules() if isinstance(m, NONLINEAR_MODULES) and type(m) not in ruled}
    if kinds:
        return f"the model has {_listed({kind.__name__ for kind in kinds})}, for which the library has no rescale rule"
    found = structure(model)
    if found is None:
        return None
    modules = dict(model.named_modules())
    reused = {name for name, count in found.calls.items() if count > 1 and type(modules[name]) in ruled}
    if reused:
        return f"the model runs the same module more than once ({_listed(reused)}), which DeepLIFT cannot tell apart"
    if found.functions:
        return f"the model calls {_listed(found.functions)} as a function, which hooks on modules do not see"
    return "the model multiplies activations, for which the library has no rescale rule" if found.products else None


def _listed(names: set[str] | frozenset[str]) -> str:
    first = sorted(names)[:3]
    return ", ".join(first) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
