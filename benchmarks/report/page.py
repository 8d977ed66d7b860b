"""The HTML page of a run's report, made from its folder."""

import json
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from heatmark.benchmarks.report.figures import figures
from heatmark.benchmarks.report.gallery import VIEW, Tables, definitions, gallery, places, shown_images
from heatmark.benchmarks.report.pictures import Seen, seen
from heatmark.benchmarks.report.settings import varying
from heatmark.benchmarks.report.table import fail_everywhere, rows
from heatmark.benchmarks.report.troubles import failures, suspects
from heatmark.benchmarks.statistics.comparisons import arrow
from heatmark.benchmarks.statistics.leaderboard import leaderboard
from heatmark.benchmarks.statistics.replicates import averaged
from heatmark.benchmarks.statistics.variants import told_apart
from heatmark.benchmarks.tables.curves import StoredCurves
from heatmark.benchmarks.tables.gathered import read_table
from heatmark.benchmarks.tables.pictures import Shown
from heatmark.benchmarks.tables.soundness import unsound

HERE = Path(__file__).parent
SCRIPTS = ("leaderboard.js", "colours.js", "curves.js", "gallery.js")


def page(run: Path, images: int | None, pictures: bool) -> str:
    """Return a run's report as HTML.

    Args:
        run: folder of the run, with its tables.
        images: number of images of each dataset that the gallery shows; None for all.
        pictures: whether the gallery shows the images, or only their maps.
    """
    gathered, timing = (read_table(run / f"{name}.parquet") for name in ("results", "timing"))
    results = told_apart(gathered)  # timing and curves are joined by cell
    jobs: list[dict[str, Any]] = json.loads((run / "provenance.json").read_text())["jobs"]
    kept = Shown(run)
    tables = Tables(results, StoredCurves(run / "curves.parquet"), kept)
    scored, ranked = tables.scored(), leaderboard(results)
    views = _views(kept, scored, images) if pictures else {}
    told = varying(results)
    entries = rows(ranked, timing, unsound(run))
    shown = gallery(tables, ranked, views, images, told)
    template = environment().get_template("template.html.j2")
    return template.render(
        **_facts(run, scored, jobs, views),
        rows=entries,
        fail_everywhere=fail_everywhere(entries),
        gallery=shown,
        places=places(shown),
        told=told,
        failures=failures(results, told),
        suspects=suspects(averaged(results[results["metric"] != ""])),
    )


def _facts(
    run: Path, scored: pd.DataFrame, jobs: list[dict[str, Any]], views: dict[tuple[str, ...], Seen]
) -> dict[str, Any]:
    """Return what the template needs beside the leaderboard, the gallery and the failures."""
    known = definitions(scored)
    return {
        "run": run.resolve().name,
        "definitions": known,
        "first_ranked": next((d["metric"] for d in known if d["higher_is_better"] is not None), ""),
        "counts": {name: scored[name].nunique() for name in ("model", "method", "image")},
        "total_images": len(scored[["dataset", "image"]].drop_duplicates()),
        "problems": sorted(
            {f"{model} on {dataset}: {view.problem}" for (dataset, model, *_), view in views.items() if view.problem}
        ),
        "figures": figures(run / "figures"),
        "jobs": [
            job | {"text": json.dumps(job.get("config", {}), indent=1)}
            for job in sorted(jobs, key=lambda job: [str(job.get(name) or "") for name in ("dataset", "model")])
        ],
    }


def environment() -> jinja2.Environment:
    """Return the environment of the template, which escapes everything but the page's own style and scripts."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    made.globals |= {
        "style": Markup((HERE / "report.css").read_text()),
        "script": Markup("\n".join((HERE / name).read_text() for name in SCRIPTS)),
    }
    made.filters |= {
        "number": number,
        "breakable": breakable,
        "rank": rank,
        "latency": latency,
        "arrow": arrow,
        "better": better,
    }
    return made


def number(value: float, digits: int = 3) -> str:
    """Return a number as text, with a minus sign (−) and not a hyphen; a dash (–) for NaN."""
    return "–" if pd.isna(value) else f"{value:.{digits}f}".replace("-", "−")


def better(higher_is_better: bool | None) -> str:
    """Return what is better under a metric, in words."""
    if higher_is_better is None:
        return "descriptive: no value is better than another"
    return "higher is better" if higher_is_better else "lower is better"


def rank(value: float) -> str:
    """Return a rank as text, unrounded: tied methods share a mean rank such as 1.5."""
    return f"{value:g}"


def latency(milliseconds: float) -> str:
    """Return a latency as text: from 100 ms on without decimals."""
    return number(milliseconds, 0 if milliseconds >= 100 else 1)


def breakable(name: str) -> Markup:
    """Return a name, escaped, in which a line may break after underscores and dots."""
    return Markup("_<wbr>").join(Markup(".<wbr>").join(part.split(".")) for part in name.split("_"))


def _views(kept: Shown, scored: pd.DataFrame, images: int | None) -> dict[tuple[str, ...], Seen]:
    """Return the gallery's images as models saw them, by the values of :data:`VIEW`."""
    shown = pd.DataFrame(shown_images(scored, images), columns=["dataset", "image"])
    return {
        tuple(map(str, key)): seen(kept.gallery(rows.iloc[0].to_dict(), set(rows["image"])), set(rows["image"]))
        for key, rows in scored.merge(shown).groupby(VIEW)
    }
