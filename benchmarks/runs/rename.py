"""A run's folder under another name."""

from pathlib import Path


def rename(old: Path, new: Path) -> None:
    """Move a run's folder.

    Args:
        old: the run's folder.
        new: its folder from now on, on the same file system.

    Raises:
        ValueError: where there is no such run, or the new name is taken.
    """
    if not old.is_dir():
        raise ValueError(f"no run in {old}: expected a folder that heatmark sweep has written")
    if new.exists():
        raise ValueError(f"{new} exists; choose another name, or join the two with heatmark merge")
    old.rename(new)
