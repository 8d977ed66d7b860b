"""Goldens of identities: whoever moves an option's value or an identity moves a line of tests/goldens/identities.json.

Every yaml of conf/method and conf/metric is there with all its values (seed 0), its class's defaults and its identity.
An identity leaves out what equals a default. Where values or defaults have moved and the identity has not, stored
numbers would be taken for those of the new values: state or raise a ``version`` in the class whose default moved. Then
write the file anew with ``python tests/test_goldens.py`` and read its diff.
"""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from heatmark.common.identity import digest_json, identity, usual, values

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "goldens" / "identities.json"
CONFIGS = {f"{p.parent.name}/{p.stem}": p for group in ("method", "metric") for p in ROOT.glob(f"conf/{group}/*.yaml")}


def described(path: Path) -> dict[str, Any]:
    """Return the values, defaults and identity of a yaml's object, without the version of an installed library."""
    config = OmegaConf.merge({"seed": 0}, OmegaConf.load(path))
    thing = instantiate(config[path.stem], _convert_="all")
    return {"values": values(thing), "defaults": usual(thing), "identity": _without_library(identity(thing))}


def _without_library(found: Any) -> Any:
    if isinstance(found, dict):
        return {key: _without_library(value) for key, value in found.items() if key != "library"}
    return found


def golden() -> dict[str, Any]:
    return json.loads(GOLDEN.read_text())


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_values_and_identity_are_the_golden_ones(name: str) -> None:
    assert name in golden(), "a new yaml: write the file anew, see above"
    found, expected = described(CONFIGS[name]), golden()[name]
    assert not moved_silently(found, expected), "values moved under an equal identity: raise a version"
    assert found == expected


def moved_silently(found: dict[str, Any], expected: dict[str, Any]) -> bool:
    """Return whether values moved under an equal identity, or a default under equal versions."""
    versions = found["identity"].get("versions"), expected["identity"].get("versions")
    by_value = found["values"] != expected["values"] and found["identity"] == expected["identity"]
    kept = {name: value for name, value in expected["defaults"].items() if name in found["defaults"]}
    return by_value or (any(found["defaults"][name] != kept[name] for name in kept) and versions[0] == versions[1])


def test_a_moved_default_needs_a_version() -> None:
    one = {"values": {"k": 1}, "defaults": {"k": 1}, "identity": {"name": "A"}}
    raised = {"name": "A", "versions": {"A": 2}}
    assert not moved_silently(one, one)
    assert moved_silently({**one, "values": {"k": 2}, "defaults": {"k": 2}}, one)
    assert moved_silently({**one, "defaults": {"k": 2}, "identity": {"name": "A", "options": {"k": 1}}}, one)
    assert not moved_silently({"values": {"k": 2}, "defaults": {"k": 2}, "identity": raised}, one)
    assert not moved_silently({**one, "values": {"k": 2}, "identity": {"name": "A", "options": {"k": 2}}}, one)
    assert not moved_silently(
        {**one, "values": {"k": 1, "m": 0}, "defaults": {"k": 1, "m": 0}, "identity": raised}, one
    )


def test_no_golden_is_left_of_a_yaml_that_is_gone() -> None:
    assert set(golden()) == set(CONFIGS)


def test_no_two_yamls_have_one_identity() -> None:
    assert len({digest_json(one["identity"]) for one in golden().values()}) == len(CONFIGS)


if __name__ == "__main__":
    texts = {name: described(path) for name, path in sorted(CONFIGS.items())}
    sys.stdout.write(f"{GOLDEN.write_text(json.dumps(texts, indent=1, sort_keys=True) + chr(10))} characters\n")
