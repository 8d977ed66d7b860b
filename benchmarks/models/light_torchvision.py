"""The torchvision package, imported without torch's compiler.

``torchvision.ops.roi_align``, an operator of detectors, asks ``torch._dynamo.utils`` for one function at import. With
it comes the whole compiler, sympy included, which takes longer to import than torch itself.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

import torch  # noqa: F401 - before the stand-in, so that torch itself does not import it

COMPILER = "torch._dynamo.utils"


class _Later(ModuleType):
    """A stand-in for the compiler's module while torchvision is imported; other names load the real module."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # inspect looks for __file__ on every module there is
            raise AttributeError(name)
        sys.modules.pop(COMPILER, None)
        return getattr(import_module(COMPILER), name)

    @staticmethod
    def is_compile_supported(device_type: Any) -> Any:
        """Return what the real module returns, importing it now."""
        return import_module(COMPILER).is_compile_supported(device_type)


@contextmanager
def _without_compiler() -> Iterator[None]:
    if COMPILER in sys.modules:
        yield
        return
    sys.modules[COMPILER] = _Later(COMPILER)
    try:
        yield
    finally:
        if isinstance(sys.modules.get(COMPILER), _Later):
            del sys.modules[COMPILER]


with _without_compiler():
    from torchvision import models
    from torchvision.models import WeightsEnum
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms import functional as transforms

__all__ = ["InterpolationMode", "WeightsEnum", "models", "transforms"]
