"""Methods whose maps are equal on a model, such as one method of two libraries; found by comparing signatures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from heatmark.benchmarks.store import Store
from heatmark.benchmarks.tables.places import Place, settings
from heatmark.benchmarks.tables.stored import Stored, one_array

TOLERANCE = 1e-3
"""Largest difference of two equal maps, as a fraction of their range. In sweeps of the embedded networks, methods that
are the same in theory differ by at most 1e-6 on every image, all others by at least 0.03 on some image; a signature of
16 bits rounds by at most 0.00025."""

FLAT = 1e-6
"""Largest range of a map that is constant but for rounding, as a fraction of its largest magnitude."""

SIDE = 16
FIRST = 8
"""Number of pictures by whose signatures pairs of cells are chosen, of which all signatures are then compared."""

ABSENT, UNDEFINED = 2.0, 3.0
"""What stands for a map that is not there, and for a value that is not finite, where signatures are compared fast."""

Floats = NDArray[np.float32]


def originals(places: Sequence[Place], store: Store) -> dict[Place, str]:
    """Return, for each place whose replicate 0 has maps, the cell whose maps its cell repeats, or the cell itself.

    Two cells of one setting are repeats of each other where :func:`repeat` holds and both have maps of the same
    images and classes. Examples are Grad-CAM, HiResCAM and XGrad-CAM before global average pooling and a linear layer,
    and one method in two libraries. Of several repeats, the suite's own implementation is the original where it is
    among them, else the first in alphabetical order of methods.

    Args:
        places: those of the run.
        store: the run's store.
    """
    found: dict[str, str] = {}
    for of_setting in settings(places):
        alike = _originals(sorted(of_setting, key=_precedence), store)
        found |= {place.id: original for place, original in alike.items()}
    return {place: found[place.id] for place in places if place.id in found}


def _precedence(place: Place) -> tuple[bool, str, str, str]:
    cell = place.cell
    return cell.implementation != "heatmark", cell.method, cell.layer, cell.key


def _originals(places: Sequence[Place], store: Store) -> dict[Place, str]:
    """Return the original of each place of a setting, from the first one on."""
    firsts = _comparable(signatures(places, store, FIRST))
    chosen: list[int] = []
    found: dict[Place, str] = {}
    for number, place in enumerate(places):
        if (firsts[number] == ABSENT).all() and not signatures([place], store).there.any():
            continue
        alike = np.abs(firsts[chosen] - firsts[number]).max(axis=1, initial=0.0) <= TOLERANCE
        same = (other for other in np.array(chosen, np.int64)[alike] if _repeats([places[other], place], store))
        original = next(same, number)
        found[place] = places[original].id
        if original == number:
            chosen.append(number)
    return found


def _comparable(found: "Signatures") -> Floats:
    """Return signatures as rows (places, values) of finite numbers, outside [0, 1] where there is no value."""
    values = np.where(found.there[..., None, None], np.nan_to_num(found.values, nan=UNDEFINED), ABSENT)
    return values.reshape(len(values), -1)


def _repeats(places: Sequence[Place], store: Store) -> bool:
    """Return whether two places have the same maps, of the same images; constant signatures need equal orders."""
    found = signatures(places, store)
    if not (found.there[0] == found.there[1]).all():
        return False
    one, other = (values[found.there[0]] for values in found.values)
    same_order = (found.orders[0] == found.orders[1])[found.there[0]]
    flat = np.ptp(one.reshape(len(one), -1), axis=1) == 0
    return bool((same_order | ~flat).all()) and repeat(one, other)


def repeat(first: Floats, second: Floats) -> bool:
    """Return whether signatures (N, …) are equal on every image but for rounding, and not constant on at least one.

    Whole maps of one size may be compared as well: both are scaled to [0, 1] first.
    """
    if first.shape != second.shape:
        return False
    one, other = scaled(first), scaled(second)
    equal = np.allclose(one, other, rtol=0, atol=TOLERANCE, equal_nan=True)
    return equal and bool((np.ptp(one, axis=1) > 0).any())


def scaled(maps: Floats) -> NDArray[np.float64]:
    """Return maps (N, …) as rows (N, K), each scaled to [0, 1]: all 0 where it is constant.

    Of a map with values that are not finite, these become NaN and all others 0.
    """
    rows = maps.reshape(len(maps), -1).astype(np.float64)
    finite = np.isfinite(rows)
    known = np.where(finite, rows, 0.0)
    low, high = known.min(axis=1, keepdims=True), known.max(axis=1, keepdims=True)
    varied = (high - low > FLAT * np.maximum(np.abs(low), np.abs(high))) & finite.all(axis=1, keepdims=True)
    return np.where(finite, np.where(varied, (known - low) / np.where(varied, high - low, 1.0), 0.0), np.nan)


@dataclass(frozen=True, eq=False)
class Signatures:
    """The signatures of maps of some places of one setting.

    Args:
        there: (places, N), whether there is a map.
        values: (places, N, 16, 16), NaN where not finite or not there.
        orders: (places, N), digests of the order of the maps' pixels.
    """

    there: NDArray[np.bool_]
    values: Floats
    orders: NDArray[np.object_]


def signatures(places: Sequence[Place], store: Store, most: int | None = None) -> Signatures:
    """Return the signatures of maps of the first ``most`` pictures, or of all."""
    rows = places[0].job.rows()[:most]
    ids = None if most is None else rows.to_pylist()
    stored = Stored(store.read("maps", [place.cell.key for place in places], ["signature", "order"], rows=ids))
    where = np.stack([stored.find(place.cell.key, rows) for place in places])
    column = one_array(stored.table["signature"])
    there = np.append(column.is_valid().to_numpy(zero_copy_only=False), False)
    orders = np.array([*stored.table["order"].to_pylist(), ""], object)
    return Signatures(there[where], _values(column, there)[where], orders[where])


def _values(column: pa.Array, there: NDArray[np.bool_]) -> Floats:
    """Return a column of signatures as an array (rows, 16, 16), followed by one of NaN."""
    found = np.full((len(there), SIDE, SIDE), np.nan, np.float32)
    binary = column.drop_null()
    if len(binary):
        offsets = np.frombuffer(binary.buffers()[1], np.int32)[binary.offset : binary.offset + len(binary) + 1]
        content = binary.buffers()[2].to_pybytes()[offsets[0] : offsets[-1]]
        found[there] = np.frombuffer(content, np.float16).reshape(-1, SIDE, SIDE)
    return found
