"""The table of a run's images: one row per setting and picture."""

from collections.abc import Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from heatmark.benchmarks.schema import SETTING
from heatmark.benchmarks.tables.columns import IMAGES, IMAGES_COLUMNS, schema
from heatmark.benchmarks.tables.jobs import Job


def images(pictures: Mapping[Job, pa.Table]) -> Iterator[pa.Table]:
    """Yield the pictures of each setting in the order of its dataset, each as the newest job of the setting has it.

    Args:
        pictures: of each job of a run (:func:`.described.described`), the newest job first.
    """
    settings: dict[tuple[str, ...], list[Job]] = {}
    for job in pictures:
        settings.setdefault(job.place, []).append(job)
    for _, several in sorted(settings.items()):
        table = _once(pa.concat_tables([pictures[job] for job in several])).sort_by("position")
        setting = {name: pa.repeat(several[0].setting[name], len(table)) for name in SETTING}
        columns = {**setting, **{name: table[name] for name in table.column_names}}
        if len(table):
            yield pa.table({name: columns[name] for name in IMAGES}, schema=schema(IMAGES_COLUMNS))


def _once(table: pa.Table) -> pa.Table:
    """Return the first row of each image."""
    names = table["image"].to_pylist()
    first = {name: position for position, name in reversed(list(enumerate(names)))}
    return table.filter(pc.is_in(pa.array(range(len(names)), pa.int64()), pa.array(first.values(), pa.int64())))
