"""The disk space that a job's rows will take."""

from collections import Counter
from collections.abc import Sequence

from heatmark.benchmarks.sweep.cells import Cell
from heatmark.benchmarks.sweep.map_rows import GALLERY, LARGEST
from heatmark.benchmarks.sweep.passes import Lack
from heatmark.benchmarks.sweep.pictures import MOST_PIXELS
from heatmark.benchmarks.sweep.prepare import Plan
from heatmark.methods.engine.capture import activations_at

MAP_ROW, SCORE_ROW, CURVE_ROW = 600, 60, 100
"""Bytes of a stored row beside its map or its curve: a map's signature, digests, status."""
CURVE_POINT = 4
"""Bytes of a point of a curve: x and y in float32, of which compression leaves a half."""
PIXEL = 1.5
"""Bytes of a pixel of a photograph, stored without loss."""


def disk_space(plan: Plan, found: Sequence[Lack]) -> dict[str, int]:
    """Return the bytes of the rows that are still to be written, by artefact."""
    needs = [n for lack in found for n in lack.needs]
    maps: Counter[str] = Counter()
    for n in needs:
        maps[n.cell.key] += len(n.maps)
    curves = [
        len(which) * (CURVE_ROW + CURVE_POINT * int(path.passes(_size(plan)) or 0))
        for n in needs
        for path, which in n.curves.items()
    ]
    sides = {cell.layer: _map_size(plan, cell) for cell in plan.cells}
    shown = min(GALLERY, sum(lack.predictions for lack in found))
    return {
        "maps": sum(_map_bytes(plan, sides[cell.layer], maps[cell.key]) for cell in plan.every_cell),
        "curves": sum(curves),
        "scores": SCORE_ROW * sum(len(which) for n in needs for which in n.scores.values()),
        "pictures": shown * _picture_bytes(_size(plan)),
    }


def _size(plan: Plan) -> tuple[int, int]:
    return plan.reference.shape[-2], plan.reference.shape[-1]


def _picture_bytes(size: tuple[int, int]) -> int:
    """Return the bytes of a lossless picture of a photograph: about one and a half per pixel."""
    return int(PIXEL * min(size[0], MOST_PIXELS) * min(size[1], MOST_PIXELS))


def _map_size(plan: Plan, cell: Cell) -> tuple[int, int]:
    """Return (h, w) of a cell's maps: the layer's, or the images' where that is no map."""
    if cell.method.explains == "input":
        return _size(plan)
    try:
        shape = activations_at(plan.classifier.module, plan.reference.to(plan.run.device), cell.layer).shape
    except Exception:  # noqa: BLE001 - a model may raise anything; the sweep itself then says so in its rows
        return _size(plan)
    return shape[2], shape[3]


def _map_bytes(plan: Plan, size: tuple[int, int], rows: int) -> int:
    whole = plan.run.keep_maps == "all" and max(size) <= LARGEST
    kept = rows if whole else min(rows, GALLERY) if plan.run.keep_maps != "none" else 0
    return rows * MAP_ROW + kept * 4 * size[0] * size[1]
