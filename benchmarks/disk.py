"""Files that are there whole or not at all, after a kill and after a loss of power too."""

import os
import secrets
from pathlib import Path


def replace_file(path: Path, content: bytes) -> None:
    """Write a file in the place of another one: flushed beside it, then renamed."""
    _flushed_beside(path, content).replace(path)
    flush_folder(path.parent)


def create_file(path: Path, content: bytes) -> None:
    """Write a file, unless it is there: of several processes that write it, the first one's content stays."""
    beside = _flushed_beside(path, content)
    try:
        os.link(beside, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        if not path.exists():
            beside.replace(path)
            return
    beside.unlink()


def _flushed_beside(path: Path, content: bytes) -> Path:
    """Return a hidden file beside a path, with this content on the disk."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")  # processes of two machines may share an id
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return beside


def flush_folder(folder: Path) -> None:
    """Flush a folder's list of names to the disk, where the system can (Windows cannot)."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
