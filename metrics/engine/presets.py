"""Options that a preset gives where they are None."""

from collections.abc import Mapping

from heatmark.common.names import look_up


def settled(preset: str, given: Mapping[str, object], presets: Mapping[str, Mapping[str, object]]) -> dict[str, object]:
    """Return options with the preset's values where they are None, and ``preset``: the one that differs least.

    Args:
        preset: name of the preset that gives the values.
        given: the options, those of the presets among them.
        presets: values of options by the preset's name.

    Raises:
        ValueError: if there is no such preset; the message names the nearest.

    >>> settled("fast", {"steps": None, "ties": "raster"}, {"fast": {"steps": 8, "ties": "drawn"}})
    {'steps': 8, 'ties': 'raster', 'preset': 'fast'}
    """
    values = look_up("preset", preset, presets)
    found = {option: value if given[option] is None else given[option] for option, value in values.items()}
    differing = {name: sum(other[option] != found[option] for option in other) for name, other in presets.items()}
    return {**found, "preset": min(differing, key=lambda name: differing[name])}
