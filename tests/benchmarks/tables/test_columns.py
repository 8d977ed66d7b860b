"""The documented columns are those of the tables, in the order of their page."""

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from heatmark.benchmarks.statistics.leaderboard import COLUMNS
from heatmark.benchmarks.tables.columns import (
    DIGESTS,
    NUMBER,
    SUBJECT,
    SUMMARY,
    SUMMARY_COLUMNS,
    TABLES,
    TEXT,
    TRUTH,
    WHOLE,
    documented,
    schema,
)
from heatmark.benchmarks.tables.gather import gather

from .. import synthetic

PAGE = Path(__file__).parents[3] / "docs" / "tables.md"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("run")
    cells = [synthetic.cell("grad_cam"), synthetic.cell("random")]
    synthetic.write(run, synthetic.request(cells, synthetic.entries(3)), synthetic.random_numbers())
    synthetic.timings(run, cells)
    gather(run)
    return run


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == documented(), (
        'python -c "from heatmark.benchmarks.tables.columns import documented; '
        "open('docs/tables.md', 'w').write(documented())\""
    )


@pytest.mark.parametrize("name", [name for name in TABLES if name.endswith(".parquet")])
def test_files_have_the_documented_columns_and_types(run: Path, name: str) -> None:
    found, expected = pq.read_schema(run / name), schema(TABLES[name][1])
    assert found.names == expected.names
    assert [str(kind).replace("element", "item") for kind in found.types] == list(map(str, expected.types))


def test_the_leaderboard_has_the_documented_columns_and_types(run: Path) -> None:
    assert SUMMARY == COLUMNS
    summary = pd.read_csv(run / "summary.csv", keep_default_na=False, na_values={"higher_is_better": [""]})
    numbers = pd.read_csv(run / "summary.csv")
    kinds = {TEXT: "O", NUMBER: "f", WHOLE: "i", TRUTH: "b"}
    for column in SUMMARY_COLUMNS:
        kind = (summary if column.kind == TEXT else numbers)[column.name].dtype.kind
        assert kind == kinds[column.kind], column.name


@pytest.mark.parametrize("name", TABLES)
def test_readable_columns_come_first_and_digests_last(name: str) -> None:
    names = [column.name for column in TABLES[name][1]]
    assert names[:4] == [column.name for column in SUBJECT]
    assert len(set(names)) == len(names)
    ids = [place for place, one in enumerate(names) if one in ("cell", "maps", "map_of", "digest", *DIGESTS)]
    ids += [place for place, one in enumerate(names) if one.endswith("_digest")]
    assert min(ids) >= max(place for place, one in enumerate(names) if place not in ids)
