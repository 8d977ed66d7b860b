"""From a run's folder to one HTML file."""

import json
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from heatmark.benchmarks.report.figures import figures
from heatmark.benchmarks.report.gallery import VIEW, Tables, gallery, places, shown_images
from heatmark.benchmarks.report.pictures import Seen, seen
from heatmark.benchmarks.report.settings import varying
from heatmark.benchmarks.report.table import rows
from heatmark.benchmarks.report.troubles import failures, suspects
from heatmark.benchmarks.statistics.leaderboard import leaderboard
from heatmark.benchmarks.statistics.variants import told_apart
from heatmark.benchmarks.tables.gathered import read_table
from heatmark.benchmarks.tables.pictures import stored
from heatmark.benchmarks.tables.repeats import with_repeats

HERE = Path(__file__).parent
SCRIPTS = ("leaderboard.js", "colours.js", "curves.js", "gallery.js")


def page(run: Path, images: int | None, pictures: bool) -> str:
    """Return a run's report.

    Args:
        run: folder of a gathered run.
        images: how many of each dataset the gallery shows; None shows all.
        pictures: whether to show the pictures that the sweep stored, or maps alone.
    """
    gathered, timing, curves = (read_table(run / f"{name}.parquet") for name in ("results", "timing", "curves"))
    results = with_repeats(told_apart(gathered), run / "maps")  # timing and curves are joined by cell
    jobs: list[dict[str, Any]] = json.loads((run / "provenance.json").read_text())["jobs"]
    tables = Tables(results, curves, run / "maps")
    scored, ranked = tables.scored(), leaderboard(results)
    views = _views(run, scored, images) if pictures else {}
    told = varying(results)
    shown = gallery(tables, ranked, views, images, told)
    template = environment().get_template("template.html.j2")
    return template.render(
        **_facts(run, scored, jobs, views),
        rows=rows(ranked, timing),
        gallery=shown,
        places=places(shown),
        told=told,
        failures=failures(results, told),
        suspects=suspects(scored),
    )


def _facts(
    run: Path, scored: pd.DataFrame, jobs: list[dict[str, Any]], views: dict[tuple[str, ...], Seen]
) -> dict[str, Any]:
    """Return what the page says of the run as a whole."""
    definitions = scored.drop_duplicates("definition")[["definition", "metric", "higher_is_better"]]
    return {
        "run": run.resolve().name,
        "definitions": definitions.to_dict("records"),
        "counts": {name: scored[name].nunique() for name in ("model", "method", "image")},
        "total_images": len(scored[["dataset", "image"]].drop_duplicates()),
        "problems": sorted(
            {f"{model} on {dataset}: {view.problem}" for (dataset, model, *_), view in views.items() if view.problem}
        ),
        "figures": figures(run / "figures"),
        "jobs": [job | {"text": json.dumps(job.get("config", {}), indent=1)} for job in jobs],
    }


def environment() -> jinja2.Environment:
    """Return what fills the template: everything escaped but the page's own style and scripts."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    made.globals |= {
        "style": Markup((HERE / "report.css").read_text()),
        "script": Markup("\n".join((HERE / name).read_text() for name in SCRIPTS)),
    }
    made.filters |= {"number": number, "breakable": breakable, "rank": rank, "latency": latency}
    return made


def number(value: float, digits: int = 3) -> str:
    """Return a number for reading, a dash where it is undefined."""
    return "–" if pd.isna(value) else f"{value:.{digits}f}".replace("-", "−")


def rank(value: float) -> str:
    """Return a rank as it is: ties share one that may lie between two whole ones."""
    return f"{value:g}"


def latency(milliseconds: float) -> str:
    """Return a latency for reading; above 100 ms its decimals say nothing."""
    return number(milliseconds, 0 if milliseconds >= 100 else 1)


def breakable(name: str) -> Markup:
    """Return a name, escaped, that may break after its underscores and dots."""
    return Markup("_<wbr>").join(Markup(".<wbr>").join(part.split(".")) for part in name.split("_"))


def _views(run: Path, scored: pd.DataFrame, images: int | None) -> dict[tuple[str, ...], Seen]:
    """Return what models saw of the images that the gallery shows, by the values of :data:`VIEW`."""
    shown = pd.DataFrame(shown_images(scored, images), columns=["dataset", "image"])
    return {
        tuple(map(str, key)): seen(stored(run, rows.iloc[0].to_dict()), set(rows["image"]))
        for key, rows in scored.merge(shown).groupby(VIEW)
    }
