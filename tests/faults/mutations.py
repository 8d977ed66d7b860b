"""Mutants: a file with one small change of its syntax tree, every one that these rules make."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

SWAPPED: dict[type[ast.AST], str] = {
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==", ast.Is: "is not",
    ast.IsNot: "is", ast.In: "not in", ast.NotIn: "in", ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*",
    ast.FloorDiv: "/", ast.Mod: "*", ast.Pow: "*", ast.BitAnd: "|", ast.BitOr: "&", ast.And: "or", ast.Or: "and",
}  # fmt: skip
"""What stands in an operator's place: a boundary is moved, a relation or a sign is turned round."""

REMOVED = frozenset(
    (
        *("abs", "clamp", "clone", "contiguous", "copy", "detach", "expand_as", "float", "double", "relu", "sign"),
        *("softmax", "sqrt", "square", "sorted", "transpose", "fillna", "accumulate", "strip", "lower", "eval"),
    )
)
"""Calls in whose place stands what they are called on, or their first argument."""

RENAMED = {
    "amax": "amin", "amin": "amax", "max": "min", "min": "max", "any": "all", "all": "any", "sum": "mean",
    "mean": "sum", "zeros_like": "ones_like", "new_zeros": "new_ones", "minimum": "maximum", "maximum": "minimum",
    "nansum": "sum", "zeros": "ones", "floor": "ceil", "ceil": "floor",
}  # fmt: skip
"""Calls in whose place stands another call."""

SPEED_ONLY = frozenset(("strict", "batch_size", "frozen", "init", "repr", "compare", "vectorized", "full_matrices"))
"""Options that change no number, or whose change fails at once."""

MODULES = frozenset(("np", "torch", "F", "stats", "np.maximum", "np.minimum", "dataclasses"))
"""What a function is looked up in; anything else before the dot is what it works on."""


@dataclass(frozen=True)
class Mutant:
    """One change to one file.

    Args:
        file: path from the root of the repository.
        where: the function, with its class, or ``""``.
        line: from 1.
        start, end: of the text that is replaced, in characters.
        old, new: the text, before and after.
    """

    file: str
    where: str
    line: int
    start: int
    end: int
    old: str
    new: str

    @property
    def change(self) -> str:
        """What was done, on one line."""
        return f"{' '.join(self.old.split())} → {' '.join(self.new.split())}"

    def applied(self, text: str) -> str:
        """Return the file's text with the change in it."""
        return text[: self.start] + self.new + text[self.end :]


def mutants(file: str, text: str) -> list[Mutant]:
    """Return all mutants of a file, in the order of its text."""
    offsets = _line_starts(text)
    found = []
    for where, role, node in _walk(ast.parse(text)):
        for new in _changes(node, role):
            start, end = (offsets(line, column) for line, column in _span(node))
            found.append(Mutant(file, where, node.lineno, start, end, text[start:end], new))
    return sorted(set(found), key=lambda mutant: (mutant.start, mutant.end, mutant.new))


def _walk(node: ast.AST, where: str = "") -> Iterator[tuple[str, str, ast.expr | ast.stmt]]:
    """Yield every node that computes something, with its function and role: no annotations, docstrings, messages."""
    for name, child in _fields(node):
        if name in ("annotation", "returns", "decorator_list", "bases") or isinstance(child, ast.Raise | ast.Assert):
            continue
        if (isinstance(child, ast.keyword) and child.arg in SPEED_ONLY) or _is_text(child):
            continue
        inside = f"{where}.{child.name}".strip(".") if isinstance(child, _SCOPES) else where
        if isinstance(child, ast.expr | ast.stmt):
            yield inside, name, child
        yield from _walk(child, inside)


_SCOPES = ast.FunctionDef | ast.ClassDef


def _fields(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield name, child


def _is_text(node: ast.AST) -> bool:
    """Say whether a node is a docstring, a message to a log, or an f-string."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Expr) and ast.unparse(node).startswith("log."))


def _changes(node: ast.expr | ast.stmt, role: str) -> Iterator[str]:
    """Yield what could stand in a node's place."""
    if role == "test" and isinstance(node, ast.Name | ast.Attribute | ast.Call):
        yield f"not {ast.unparse(node)}"
    match node:
        case ast.Compare():
            yield from _other_comparisons(node)
        case ast.BinOp(left, operator, right) if type(operator) in SWAPPED and not _is_type(node):
            yield f"({_text(left)} {SWAPPED[type(operator)]} {_text(right)})"
        case ast.BoolOp(operator, values):
            yield "(" + f" {SWAPPED[type(operator)]} ".join(map(_text, values)) + ")"
        case ast.UnaryOp(ast.Not() | ast.USub() | ast.Invert(), operand):
            yield _text(operand)
        case ast.Constant(bool() as value):
            yield str(not value)
        case ast.Constant(int() as value):
            yield str(value + 1)
        case ast.Constant(float() as value):
            yield repr(2 * value if value else 1.0)
        case ast.Call():
            yield from _other_calls(node)
        case ast.Expr(ast.Call()):
            yield "pass"
        case ast.IfExp(test, body, other):
            yield f"({_text(other)} if {_text(test)} else {_text(body)})"


def _other_comparisons(compare: ast.Compare) -> Iterator[str]:
    """Yield a comparison, which may be a chain, with one of its relations changed."""
    parts = [*map(_text, [compare.left, *compare.comparators])]
    relations = [ast.unparse(ast.Compare(ast.Name("a"), [relation], [ast.Name("b")]))[2:-2] for relation in compare.ops]
    for position, relation in enumerate(compare.ops):
        changed = [*relations[:position], SWAPPED[type(relation)], *relations[position + 1 :]]
        yield " ".join([parts[0], *(f"{sign} {part}" for sign, part in zip(changed, parts[1:], strict=True))])


def _other_calls(call: ast.Call) -> Iterator[str]:
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    is_method = isinstance(function, ast.Attribute) and not _is_module(function.value)
    if name in REMOVED and (is_method or call.args):
        yield _text(function.value if is_method else call.args[0])
    if name in RENAMED:
        renamed = ast.unparse(call.func).removesuffix(name) + RENAMED[name]
        yield f"{renamed}({', '.join(map(ast.unparse, [*call.args, *call.keywords]))})"


def _is_module(node: ast.expr) -> bool:
    return ast.unparse(node) in MODULES


def _is_type(node: ast.BinOp) -> bool:
    """Say whether ``A | B`` is a union of types."""
    return isinstance(node.op, ast.BitOr) and all(
        isinstance(side, ast.Name | ast.Attribute | ast.Constant | ast.BinOp) for side in (node.left, node.right)
    )


def _text(node: ast.expr) -> str:
    simple = isinstance(node, ast.Name | ast.Constant | ast.Attribute | ast.Call | ast.Subscript)
    return ast.unparse(node) if simple else f"({ast.unparse(node)})"


def _span(node: ast.expr | ast.stmt) -> tuple[tuple[int, int], tuple[int, int]]:
    return (node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0)


def _line_starts(text: str) -> Callable[[int, int], int]:
    """Return the function from a line (from 1) and a column in bytes to a place in the text."""
    lines = text.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    return lambda line, column: starts[line - 1] + len(lines[line - 1].encode()[:column].decode())
