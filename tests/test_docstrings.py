"""Tests of the words: docstrings are there and match their signatures, and no text or name uses a word given up."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("benchmarks", "common", "conf", "methods", "metrics")

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef

RATE = re.compile(
    r"\b(?:one|two) (?!(?:of|or|and|for|at|in|on|by|with|to|as|from|is|was|has|gives?|that)\b)\w+ an? \w+"
    r"|\bonce an? \w+"
    r"|\ban? \w+ an? (?:row|column|line|file|image|picture|map|batch|step|call|round|layer|method|model|pair)\b"
    r"|\b(?:bits|bytes|pixels|rows|images|pictures|forwards|forward passes) an? \w+",
    re.IGNORECASE,
)
"""A rate without "per", such as one row a cell."""

GIVEN_UP = frozenset(
    (
        *("arrangement", "arrangements", "board", "boards", "case", "cases", "entrant", "entrants", "gate"),
        *("law", "laws", "leftover", "leftovers", "lend", "lending", "lends", "lent", "oracle", "oracles", "peer"),
        *("peers", "pristine", "tap", "tapped", "taps", "textbook", "textbooks"),
    )
)
"""Words of our own that gave way to the field's. (Resume, prefix, machine and shard also have an ordinary meaning.)"""

PLAIN_ENGLISH = re.compile(
    r"\b(?:in (?:any|no|this|that|which|both|either)|lower|upper|limiting|special) cases?\b", re.IGNORECASE
)
"""Phrases in which such a word has its ordinary meaning."""

EXCEPTIONS = frozenset(
    {
        ("benchmarks/data/folder.py", "case"),  # a name that a label file's column of groups may have
        ("benchmarks/conformance/answers/methods.py", "lending"),  # the name of a check in the conformance table
    }
)


PROPER_NAMES = ("heatmark ", "pytorch-grad-cam", "torchvision", "torch-cam", "timm")
"""Names that are written small, even where a docstring begins with them."""


def files(suffix: str = "py") -> list[Path]:
    """Return the packages' files with a suffix."""
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob(f"*.{suffix}"))]


def where(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def documented(path: Path) -> Iterator[Documented]:
    """Yield a file, its classes and their functions, and its functions; not what is defined inside functions."""
    yield tree(path)
    for node in tree(path).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
        if isinstance(node, ast.ClassDef):
            yield from (part for part in node.body if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef))


def is_public(node: Documented, path: Path) -> bool:
    if isinstance(node, ast.Module):
        return True
    is_overload = any(ast.unparse(each) == "overload" for each in node.decorator_list)  # types for a function below it
    return not (node.name.startswith("_") or is_overload or _is_of_a_private_class(node, path))


def _is_of_a_private_class(node: Documented, path: Path) -> bool:
    classes = (outer for outer in tree(path).body if isinstance(outer, ast.ClassDef))
    return any(outer.name.startswith("_") and node in outer.body for outer in classes)


def named(node: Documented, path: Path) -> str:
    return f"{where(path)}: {'the file' if isinstance(node, ast.Module) else node.name}"


def test_every_file_class_and_public_function_has_a_docstring_that_begins_in_capitals() -> None:
    faults = []
    for path in files():
        for node in documented(path):
            text = ast.get_docstring(node) or ""
            if (not text and is_public(node, path)) or (text[:1].islower() and not text.startswith(PROPER_NAMES)):
                faults.append(named(node, path))
    assert faults == []


def described(node: Documented) -> list[str]:
    """Return the names that a docstring describes under ``Args:``, of which one entry may hold several."""
    section = re.search(r"^Args:\n((?: +.*\n?|\n)+)", ast.get_docstring(node) or "", re.MULTILINE)
    entries = re.findall(r"^ {4}(\w[\w, ]*):", section[1], re.MULTILINE) if section else []
    return [name.strip() for entry in entries for name in entry.split(",")]


def parameters(node: Documented) -> list[str]:
    """Return the names of a function's parameters, or of what a class is made from."""
    if isinstance(node, ast.ClassDef):
        made_by = [part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "__init__"]
        fields = [part.target.id for part in node.body if _is_field(part)]
        return parameters(made_by[0]) if made_by else fields
    if isinstance(node, ast.Module):
        return []
    every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    starred = [argument for argument in (node.args.vararg, node.args.kwarg) if argument]
    return [argument.arg for argument in (*every, *starred) if argument.arg not in ("self", "cls")]


def _is_field(part: ast.stmt) -> bool:
    if not isinstance(part, ast.AnnAssign) or not isinstance(part.target, ast.Name):
        return False
    return "ClassVar" not in ast.unparse(part.annotation) and not part.target.id.startswith("_")


def test_args_are_those_of_the_signature_in_its_order() -> None:
    faults = []
    for path in files():
        for node in documented(path):
            said, taken = described(node), parameters(node)
            if isinstance(node, ast.ClassDef) and node.bases:  # others are of what it inherits from
                said = [name for name in said if name in taken] or said
            if said and said != taken:
                faults.append(f"{named(node, path)}: describes {said}, takes {taken}")
    assert faults == []


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the comments and the strings of a file, with their lines; of a config, all of its lines."""
    if path.suffix == ".yaml":
        yield from enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        return
    for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
        if token.type == tokenize.COMMENT or token.type in STRINGS:
            yield token.start[0], re.sub(r"\s+", " ", token.string)


STRINGS = {tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}


def test_rates_are_written_with_per() -> None:
    found = [
        f"{where(path)}:{line}: {hit[0]}"
        for path in (*files(), *files("yaml"))
        for line, text in texts(path)
        for hit in RATE.finditer(text)
    ]
    assert found == []


@pytest.mark.parametrize(
    "text", ["one row a cell", "One file an option", "once a round", "an image a row", "bits a channel"]
)
def test_a_rate_without_per_is_seen(text: str) -> None:
    assert RATE.search(text)


@pytest.mark.parametrize(
    "text", ["one of a pair", "one in a file", "one row per cell", "a map and a row", "a batch of images"]
)
def test_what_is_no_rate_is_left_alone(text: str) -> None:
    assert not RATE.search(text)


def words(path: Path) -> set[str]:
    """Return the words of a file's names and texts, in small letters."""
    text = PLAIN_ENGLISH.sub(" ", path.read_text(encoding="utf-8").replace("_", " "))
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", text)}


def test_no_name_or_text_has_a_word_that_was_given_up() -> None:
    found = {(where(path), word) for path in (*files(), *files("yaml")) for word in words(path) & GIVEN_UP}
    assert found - EXCEPTIONS == set()
