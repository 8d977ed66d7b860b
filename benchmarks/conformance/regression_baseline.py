"""The regression baseline: a table of earlier maps' numbers, and the comparison of today's maps with it.

A row holds one image's map at one layer: its digest, its extremes, its mean and its value at fixed places, and its
scores. Equal digests are maps that are equal to the bit; they differ between processors, so that the numbers decide:

=====================  ==========================================================================================
quantity               tolerance
=====================  ==========================================================================================
the map's numbers      1e-3 of the map's largest absolute value (float32 through a whole network and back)
a metric               0.01: an AUC lies in [0, 1], and rounding may swap pixels that lie close in the ranking
the picture's mean     1e-4: on another processor a pixel may be one grey level brighter, which is no other picture
=====================  ==========================================================================================

Other weights, images or layers than the baseline's are reported as such, not as drift, and are red too: the baseline
does not cover them and must be saved again. Tables and messages call it the reference, as its option does.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from torch import Tensor

from heatmark.benchmarks.conformance.findings import Finding
from heatmark.benchmarks.conformance.image_set import ImageSet
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.common.identity import definition
from heatmark.common.resize import upsample
from heatmark.methods.base import Method
from heatmark.metrics.base import Derived, Explained, Metric

MAP_TOLERANCE, METRIC_TOLERANCE, PICTURE_TOLERANCE = 1e-3, 0.01, 1e-4
KEY = ["model", "layer", "method", "image"]
FACTS = ["weights", "target"]
"""Columns that must be equal for numbers to be comparable."""
PROBES = ((0.25, 0.25), (0.25, 0.75), (0.5, 0.5), (0.75, 0.25), (0.75, 0.75))
"""The places at which a map's value is kept, as fractions of its height and width."""
COMMITTED = Path(__file__).resolve().parents[2] / "results" / "reference" / "conformance.csv"
"""The baseline of the shipped models; it exists in a checkout only."""


def measure(
    classifier: Classifier,
    layer: str,
    methods: Mapping[str, Method],
    metrics: Mapping[str, Metric],
    image_set: ImageSet,
    targets: Tensor,
) -> pd.DataFrame:
    """Return the rows of one layer, one per method and image.

    Args:
        classifier: the model, on the CPU.
        layer: dotted name.
        methods: by name.
        metrics: by name; one column per metric, called by its definition; derived ones have none.
        image_set: the images.
        targets: (N,).
    """
    weights = classifier.digest()[:12]
    own = {name: metric for name, metric in metrics.items() if not isinstance(metric, Derived)}
    rows: list[dict[str, Any]] = []
    for name, method in methods.items():
        maps = method(classifier.module, image_set.images, targets, layer)
        explained = _explained(classifier, image_set, targets, maps)
        scores = {definition(m, metric): metric(explained).values for m, metric in own.items()}
        for n, image in enumerate(image_set.names):
            key = {"model": classifier.name, "layer": layer, "method": name, "image": image}
            picture = float(image_set.images[n].double().mean())
            facts = {"weights": weights, "picture": picture, "target": int(targets[n])}
            measured = {metric: float(values[n]) for metric, values in scores.items()}
            rows.append({**key, **facts, **_summary(maps[n]), **measured})
    return pd.DataFrame(rows)


def _explained(classifier: Classifier, image_set: ImageSet, targets: Tensor, maps: Tensor) -> Explained:
    height, width = image_set.images.shape[-2:]
    sized = upsample(maps.float(), (height, width))
    return Explained(classifier.module, image_set.images, targets, sized, image_set.masks, lambda _m, _x, _t: sized)


def _summary(values: Tensor) -> dict[str, Any]:
    """Return a map's digest and numbers."""
    values = values.detach().float().contiguous()
    height, width = values.shape
    probes = {f"at {y:g},{x:g}": float(values[int(y * height), int(x * width)]) for y, x in PROBES}
    numbers = {"min": float(values.min()), "max": float(values.max()), "mean": float(values.mean())}
    digest = hashlib.sha256(values.numpy().tobytes()).hexdigest()[:12]
    return {"height": height, "width": width, "digest": digest, **numbers, **probes}


def save(rows: pd.DataFrame, path: Path) -> None:
    """Write the rows into the baseline in full precision; rows of cells that were not measured now stay.

    The column of a metric that was not measured now is removed with the last row that has a value in it.
    """
    measured, kept = set(rows), read(path)
    if kept is not None:
        cells = rows[KEY[:3]].drop_duplicates()
        others = kept.merge(cells, how="left", on=KEY[:3], indicator=True)
        rows = pd.concat([others[others["_merge"] == "left_only"].drop(columns="_merge"), rows])
        rows = rows.drop(columns=[m for m in _metrics(rows) if m not in measured and rows[m].isna().all()])
    path.parent.mkdir(parents=True, exist_ok=True)
    rows.sort_values(KEY, kind="stable").to_csv(path, index=False, float_format="%.9g")


def read(path: Path) -> pd.DataFrame | None:
    """Return the baseline, or None if the file does not exist."""
    if not path.exists():
        return None
    texts = [*KEY, "weights", "digest"]
    return pd.read_csv(path, dtype=dict.fromkeys(texts, str), keep_default_na=True)


def located(given: str | None, save: bool) -> Path:
    """Return the path of the baseline: the file that was asked for, else the committed one.

    Raises:
        ValueError: for a file that was asked for and does not exist, unless it is to be saved now.
    """
    path = COMMITTED if given is None else Path(given)
    if given is not None and not save and not path.is_file():
        raise ValueError(f"reference={given} does not exist; save=true writes it")
    return path


def hold(rows: pd.DataFrame, reference: pd.DataFrame | None) -> Iterator[Finding]:
    """Yield one finding per model, layer and method: whether its numbers are still the baseline's."""
    for (model, layer, method), now in rows.groupby(KEY[:3], sort=False):
        yield _drift(str(model), str(layer), str(method), now, reference)


def _drift(model: str, layer: str, method: str, now: pd.DataFrame, reference: pd.DataFrame | None) -> Finding:
    finding = partial(Finding, model, layer, method, "reference", "")
    if reference is None:
        return finding("skipped", note="there is no reference; heatmark check save=true writes one")
    known = reference[(reference["model"] == model) & (reference["method"] == method)]
    if known.empty:
        return finding("skipped", note="the reference does not hold it; save=true adds it")
    then = known[known["layer"] == layer]
    if other := _elsewhere(layer, known, now, then):
        return finding("diverges", cause="stale_reference", fault=True, note=f"{other}; if that is meant, save=true")
    if other := _other_metrics(now, then):
        return finding("diverges", cause="stale_reference", fault=True, note=f"{other}; if that is meant, save=true")
    both = now.merge(then, on="image", suffixes=("", " then"))
    if changed := _changed(both):
        note = f"other {' and '.join(changed)} than the reference's; if that is meant, save=true"
        return finding("diverges", cause="stale_reference", fault=True, note=note)
    return _numbers(finding, now, both)


def _elsewhere(layer: str, known: pd.DataFrame, now: pd.DataFrame, then: pd.DataFrame) -> str:
    """Return a message if the baseline holds other layers or images of this model and method, else ``""``."""
    if then.empty:
        return f"the reference holds {', '.join(sorted(set(known['layer'])))}, not {layer}"
    images, held = set(now["image"]), set(then["image"])
    if images == held:
        return ""
    new, gone = sorted(images - held), sorted(held - images)
    parts = [f"{what} {', '.join(found[:3])}" for what, found in (("without", new), ("with", gone)) if found]
    return f"the reference is of other images, {' and '.join(parts)}"


def _other_metrics(now: pd.DataFrame, then: pd.DataFrame) -> str:
    """Return a message if the baseline holds other metrics of these maps, else ``""``; metrics without numbers pass."""
    defined = then["max"].notna().any()  # a map without order has no metric
    held = [m for m in _metrics(then) if then[m].notna().any()]
    new = [m for m in _metrics(now) if m not in then or (m not in held and defined and now[m].notna().any())]
    gone = [m for m in held if m not in now]
    parts = [f"{what} {', '.join(found)}" for what, found in (("without", new), ("with", gone)) if found]
    return f"the reference is of other metrics, {' and '.join(parts)}" if parts else ""


def _changed(both: pd.DataFrame) -> list[str]:
    """Return which facts differ from the baseline's, so that numbers cannot be compared."""
    facts = [fact for fact in FACTS if (both[fact].astype(str) != both[f"{fact} then"].astype(str)).any()]
    return [*facts, "pictures"] if (_gap(both, "picture") > PICTURE_TOLERANCE).any() else facts


def _numbers(finding: Callable[..., Finding], now: pd.DataFrame, both: pd.DataFrame) -> Finding:
    """Return the finding for a cell's numbers, which names the one that is furthest from the baseline's."""
    if (both[["height", "width"]].to_numpy() != both[["height then", "width then"]].to_numpy()).any():
        return finding(verdict="diverges", cause="drift", fault=True, note="the maps have another size")
    parts = _parts_of_tolerance(now, both)
    worst = max(parts, key=lambda name: parts[name])
    gaps = _gap(both, worst)
    row = both.iloc[int(gaps.to_numpy().argmax())]
    drifted = parts[worst] > 1
    same = "to the bit" if (both["digest"] == both["digest then"]).all() else ""
    moved = f"drifted: {worst} of {row['image']} was {row[f'{worst} then']:.6g} and is {row[worst]:.6g}"
    return finding(
        verdict="diverges" if drifted else "agrees",
        max_abs=float(gaps.max()),
        relative=MAP_TOLERANCE * max(parts[column] for column in _map_columns(now)),
        tolerance=MAP_TOLERANCE,
        cause="drift" if drifted else "",
        fault=drifted,
        note=moved if drifted else same,
    )


def _parts_of_tolerance(now: pd.DataFrame, both: pd.DataFrame) -> dict[str, float]:
    """Return the largest gap of each column of numbers in units of its tolerance; the gap to a NaN is infinite."""
    scale = both[["min then", "max then"]].abs().max(axis=1)
    parts: dict[str, float] = {}
    for column in _map_columns(now):
        gaps = _gap(both, column)
        parts[column] = float((gaps / scale).where(gaps > 0, 0.0).fillna(float("inf")).max()) / MAP_TOLERANCE
    for metric in _metrics(now):
        parts[metric] = float(_gap(both, metric).max()) / METRIC_TOLERANCE
    return parts


def _gap(both: pd.DataFrame, column: str) -> "pd.Series[float]":
    """Return |now − then|: 0 where both are NaN, infinite where one is."""
    now, then = both[column], both[f"{column} then"]
    same = (now == then) | (now.isna() & then.isna())
    return (now - then).abs().where(~same, 0.0).fillna(float("inf"))


def _map_columns(rows: pd.DataFrame) -> list[str]:
    return ["min", "max", "mean", *(c for c in map(str, rows) if c.startswith("at "))]


def _metrics(rows: pd.DataFrame) -> Sequence[str]:
    fixed = {*KEY, *FACTS, "picture", "height", "width", "digest", *_map_columns(rows)}
    return [c for c in map(str, rows) if c not in fixed]
