"""Options of Hydra's groups that strings name: shipped ones, patterns of them, files, sources, and sets of options."""

import re
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from heatmark.benchmarks.config.compose import CONF, KEYED, compose_command
from heatmark.benchmarks.config.presets import WILD, by_preset, with_presets
from heatmark.benchmarks.config.strings import Named, distinct, quoted, read
from heatmark.common.names import did_you_mean, look_up


def known(group: str) -> list[str]:
    """Return the names of the shipped options of a group: ``method``, ``metric``, ``model`` or ``dataset``."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def sources() -> list[str]:
    """Return the models that are sources of many: those whose config leaves the name open."""
    files = sorted((CONF / "model").glob("*.yaml"))
    return [file.stem for file in files if re.search(r"^name: \?\?\?", file.read_text(encoding="utf-8"), re.MULTILINE)]


def expanded(group: str, text: str) -> list[Named]:
    """Return what a string names, a pattern as all that match, a file by its absolute path.

    A pattern is one of shipped names, such as ``grad_*``, or of a metric's presets, such as ``deletion(preset=*)``,
    for which ``deletion*`` also stands (:mod:`heatmark.benchmarks.config.presets`). A plain name is not looked up: it
    may be in a folder of configs of the user's.

    Raises:
        ValueError: for a pattern that matches nothing, a file that is not there, or an unknown source.
    """
    found = _expanded(group, read(text))
    return [each for named in found for each in by_preset(named)] if group == "metric" else found


def _expanded(group: str, named: Named) -> list[Named]:
    if named.name.endswith((".yaml", ".yml")):
        return [replace(named, name=_file(group, named.name))]
    if group == "model" and ":" in named.name:
        _require_source(named)
        return [named]
    if not set(named.name) & WILD:
        return [named]
    found = [name for name in known(group) if fnmatchcase(name, named.name)]
    if not found:
        hint = did_you_mean(re.sub(r"[*?\[\]]+", "", named.name), known(group), f"there are {', '.join(known(group))}")
        raise ValueError(f"no {group} matches {named.name!r}: {hint}")
    matched = [replace(named, name=name) for name in found]
    return [with_presets(each, named.name) for each in matched] if group == "metric" else matched


def looked_up(group: str, text: str) -> list[Named]:
    """Return what a string names, as :func:`expanded`, where a plain name must be one of the shipped ones.

    Raises:
        ValueError: for anything that is not there; it names the nearest.
    """
    found = expanded(group, text)
    for named in found:
        if not _is_file(named) and ":" not in named.name:
            look_up(group, named.name, dict.fromkeys(known(group)))
    return found


def unique(group: str, texts: Sequence[str]) -> list[Named]:
    """Return what strings name, once each, in their order; every name is looked up."""
    return distinct([named for text in texts for named in looked_up(group, text)])


def register(group: str, named: Sequence[Named], searched: Sequence[str] = ()) -> None:
    """Store what Hydra does not find by itself among its configs, under the string that names it.

    Hydra's launchers carry what is stored along to other processes.

    Args:
        group: of the configs.
        named: what is named; plain names are left to Hydra.
        searched: overrides of the search path, for bases that are the user's own.

    Raises:
        ValueError: for values that cannot be read, or a file that holds no options.
    """
    made = [each for each in named if each.options or _is_file(each) or ":" in each.name]
    if group in KEYED and made:
        bases = in_group(group, made, searched)
        nodes = {str(each): {str(each): OmegaConf.to_container(merged(bases, group, each))} for each in made}
    else:
        nodes = {str(each): _node(group, each) for each in made}
    for text, node in nodes.items():
        *folders, name = filter(None, f"{group}/{text}".split("/"))  # as Hydra looks for it
        ConfigStore.instance().store(group="/".join(folders), name=name, node=node)


def chosen(group: str, text: str) -> str:
    """Return a string as the value of an override for Hydra, which finds what it names from now on.

    Raises:
        ValueError: for what is not there, and for a pattern that matches several.
    """
    found = expanded(group, text)
    if len(found) > 1:
        names = ", ".join(map(str, found))
        raise ValueError(f"{group}={text} stands for {len(found)}, expected one of {names}")
    register(group, found)
    return quoted(str(found[0]))


def in_group(group: str, named: Sequence[Named], overrides: Sequence[str] = ()) -> DictConfig:
    """Return the configs of methods or metrics of these names, without the options in parentheses."""
    names = ",".join(dict.fromkeys(each.name for each in named))
    other = next(each for each in KEYED if each != group)
    config = compose_command("sweep", [f"{group}=[{names}]", f"{other}=[]", *overrides])
    OmegaConf.set_struct(config, False)  # an unknown option is named when the object is built
    found: DictConfig = config[group]
    return found


def merged(bases: DictConfig, group: str, named: Named) -> DictConfig:
    """Return the config of a method or metric with its options, whose interpolations are found where its base is.

    Raises:
        ValueError: where its base's file has not its name, or a value cannot be read.
    """
    if named.name not in bases:
        raise ValueError(f"{group}={named}: its config has no key {named.name!r}, which would have these options")
    return OmegaConf.merge(bases[named.name], values(group, named))  # type: ignore[return-value]


def values(group: str, named: Named) -> dict[str, Any]:
    """Return the options in parentheses with their values as Hydra reads them; a dotted name is an option's option.

    Raises:
        ValueError: for a value that is none.
    """
    found = OmegaConf.create()
    for key, text in named.options:
        OmegaConf.update(found, key, _value(text, f"{group}={named}"))
    return OmegaConf.to_container(found)  # type: ignore[return-value]


def _value(text: str, what: str) -> Any:
    try:
        override = OverridesParser.create().parse_override(f"x={text}")
    except HydraException as error:
        said = str(error).splitlines()[0]
        raise ValueError(f"cannot read {text!r} in {what}: {said}; a text with such signs needs quotes") from None
    if override.is_sweep_override():
        raise ValueError(f"{what}: an option has one value, got {text}")
    return override.value()


def _require_source(named: Named) -> None:
    source = named.name.partition(":")[0]
    if source not in sources():
        hint = did_you_mean(source, sources(), f"expected one of {', '.join(sources())}")
        raise ValueError(f"model={named} has an unknown source {source!r}: {hint}")


def _is_file(named: Named) -> bool:
    return named.name.endswith((".yaml", ".yml"))


def _file(group: str, name: str) -> str:
    """Return the absolute path of a file, with slashes.

    Raises:
        ValueError: where it is not there, or the group is of methods or metrics, which are named.
    """
    if group in KEYED:
        raise ValueError(f"{group}={name}: only a model or a dataset is given as a file; {group} takes names")
    path = Path(name).expanduser().resolve()
    if not path.is_file():
        near = [str(Path(name).with_name(file.name)) for file in path.parent.glob("*.y*ml")]
        hint = did_you_mean(name, [*near, *known(group)], f"{group} takes a file or {', '.join(known(group))}")
        raise ValueError(f"{group}={name}: there is no such file; {hint}")
    return path.as_posix()


def _node(group: str, named: Named) -> dict[str, Any]:
    """Return the config of a model or a dataset, with a list of defaults that Hydra completes."""
    options = values(group, named)
    if _is_file(named):
        return OmegaConf.to_container(OmegaConf.merge(_content(group, Path(named.name)), options))  # type: ignore[return-value]
    source, _, name = named.name.partition(":")
    return {"defaults": [source, "_self_"], **({"name": name} if name else {}), **options}


def _content(group: str, path: Path) -> dict[str, Any]:
    """Return what a file holds; a model's without ``_target_`` and without defaults has those of ``custom``.

    Raises:
        ValueError: where it holds no options, or is no YAML.
    """
    try:
        content = OmegaConf.to_container(OmegaConf.load(path))
    except Exception as error:  # noqa: BLE001 - whatever a parser of YAML raises
        raise ValueError(f"{group}={path} is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict) or not content:
        raise ValueError(f"{group}={path} holds no options, expected a file like conf/{group}/{known(group)[0]}.yaml")
    plain = {str(key): value for key, value in content.items()}
    is_whole = group != "model" or {"_target_", "defaults"} & set(plain)
    return plain if is_whole else {"defaults": ["custom", "_self_"], **plain}
