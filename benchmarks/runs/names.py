"""Names of runs: a run that is written has a single path component, one that is read may be any folder."""

from pathlib import Path, PureWindowsPath

from heatmark.common.names import did_you_mean


def written(results: Path, name: str) -> Path:
    """Return the folder of a run that is written.

    Args:
        results: the folder of all runs.
        name: the run's name.

    Raises:
        ValueError: for a name that is not a single path component.
    """
    if not is_component(name):
        raise ValueError(
            f"a run's name is {name!r}, expected one path component such as mine: not empty, no . or .., no / or \\; "
            "its folder is results_dir/name"
        )
    return results / name


def opened(results: Path, name: str) -> Path:
    """Return the folder of a run that is read.

    Args:
        results: the folder of all runs.
        name: the run's name, or any path to its folder or to a file in it, such as its results.parquet.

    Raises:
        ValueError: where there is no such folder; it names the nearest run.
    """
    given = Path(name).expanduser()
    for place in [results / name, given] if is_component(name) else [given] if name else []:
        if place.is_dir():
            return place
        if place.is_file():
            return place.parent
    raise ValueError(_none(results, name))


def changed(results: Path, name: str) -> Path:
    """Return the folder of a run that is there and is about to be changed, given by its name alone.

    Args:
        results: the folder of all runs.
        name: the run's name.

    Raises:
        ValueError: for a name that is not a single path component, and where there is no such run.
    """
    if not (folder := written(results, name)).is_dir():
        raise ValueError(_none(results, name))
    return folder


def is_component(name: str) -> bool:
    """Return whether a name is a single path component, on every system."""
    return name not in ("", ".", "..") and not set(name) & {"/", "\\", "\0"} and not PureWindowsPath(name).drive


def _none(results: Path, name: str) -> str:
    known = sorted(path.name for path in results.glob("[!.]*") if path.is_dir())
    hint = did_you_mean(name, known, f"there are {', '.join(known)}" if known else "check name= and results_dir=")
    if name and not is_component(name):
        place = Path(name).expanduser().absolute()
        return f"no run in the folder {name} (looked for {place}): expected one that heatmark sweep has written"
    return f"no run {name!r} in {results}: expected a folder that heatmark sweep has written; {hint}"
