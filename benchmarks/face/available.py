"""What there is to choose from, by name."""

from fnmatch import fnmatchcase

from heatmark.benchmarks.config import named
from heatmark.common.names import did_you_mean

GROUPS = {"methods": "method", "metrics": "metric", "models": "model", "datasets": "dataset"}


def available(kind: str, pattern: str = "*") -> list[str]:
    """Return the names of shipped methods, metrics, models or datasets.

    Args:
        kind: ``methods``, ``metrics``, ``models`` or ``datasets``.
        pattern: which of them, with ``*`` for any letters.

    Raises:
        ValueError: for another kind.

    >>> import heatmark as hm
    >>> hm.available("methods", "*grad_cam_pp")
    ['grad_cam_pp', 'pgc_grad_cam_pp']
    """
    if kind not in GROUPS:
        raise ValueError(f"kind is {kind!r}: {did_you_mean(kind, GROUPS, 'expected one of ' + ', '.join(GROUPS))}")
    return [name for name in named.known(GROUPS[kind]) if fnmatchcase(name, pattern)]
