"""The text of code objects, equal in every process: the source where it is what runs, else bytecode and constants."""

import dis
import inspect
from collections.abc import Iterator, Mapping
from functools import cache
from types import CodeType, ModuleType
from typing import Any

FUTURE_FLAGS = 0xFFFE0000
"""The bits of a code object's flags that are ``from __future__ import …``, as ``compile`` takes them."""


def text(code: CodeType) -> Any:
    """Return a code object's source, or its bytecode and constants, as plain JSON values.

    A lambda counts by its bytecode: its source is a part of a line, which may hold others, or of several lines.
    Source that does not compile to this code is not its source: the file may have been edited after its import.
    """
    if code.co_name == "<lambda>":
        return _bytecode(code)
    try:
        lines, number = inspect.findsource(code)
    except (OSError, TypeError, IndexError):
        return _bytecode(code)
    if not any(code == other for other in _compiled("".join(lines), code.co_filename, code.co_flags & FUTURE_FLAGS)):
        return _bytecode(code)
    return "".join(inspect.getblock(lines[number:]))


@cache
def _compiled(source: str, file: str, flags: int) -> tuple[CodeType, ...]:
    """Return all code objects of a file; none where its text is no plain Python, as a notebook's may be."""
    try:
        return tuple(codes(compile(source, file, "exec", flags=flags, dont_inherit=True)))
    except (SyntaxError, ValueError):
        return ()


def codes(code: CodeType) -> Iterator[CodeType]:
    """Yield a code object and those nested in it: of inner functions, lambdas, comprehensions and classes."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)


def _bytecode(code: CodeType) -> Any:
    shape = [code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags]
    names = [list(code.co_names), list(code.co_varnames), list(code.co_freevars), list(code.co_cellvars)]
    table = getattr(code, "co_exceptiontable", b"").hex()
    return [code.co_code.hex(), table, shape, names, [_constant(value) for value in code.co_consts]]


def _constant(value: object) -> Any:
    if isinstance(value, CodeType):
        return _bytecode(value)
    if isinstance(value, frozenset):
        return sorted(map(repr, value))
    if isinstance(value, tuple):
        return [_constant(item) for item in value]
    return repr(value)


def imports(code: CodeType) -> Iterator[tuple[str, tuple[str, ...], int]]:
    """Yield the import statements in a code object: the module's name, what is taken from it, and the level."""
    steps = [step for step in dis.get_instructions(code) if step.opname not in ("EXTENDED_ARG", "CACHE")]
    for level, taken, step in zip(steps, steps[1:], steps[2:], strict=False):
        if step.opname == "IMPORT_NAME":
            yield str(step.argval), tuple(taken.argval or ()), int(level.argval or 0)


def run_import(name: str, taken: tuple[str, ...], level: int, space: Mapping[str, object]) -> ModuleType | None:
    """Return the module that an import statement binds or takes names from; None where it cannot be imported."""
    try:
        return __import__(name, dict(space), None, taken, level)
    except ImportError:
        return None
