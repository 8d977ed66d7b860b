"""The page of metrics is what the docstrings say, and every docstring says what an entry needs."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from heatmark.benchmarks.config import metric_page, named
from heatmark.metrics.adcc import ADCC
from heatmark.metrics.base import Explained, Metric, Scores
from heatmark.metrics.deletion import Deletion
from heatmark.metrics.parameter_randomisation import ParameterRandomisation
from heatmark.metrics.pointing_game import PointingGame
from heatmark.metrics.protocols import IMPUTATION_PROTOCOLS, PROTOCOLS
from heatmark.metrics.two_class_contrast import TwoClassContrast

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"


@dataclass(frozen=True)
class Undocumented(Metric):
    """Something.

    Args:
        width: the width, such as width = 1.
    """

    higher_is_better: ClassVar[bool | None] = None

    width: int = 1

    def __call__(self, batch: Explained) -> Scores:
        return Scores(batch.maps.flatten(1).sum(dim=1))


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == metric_page.documented(), (
        'python -c "from heatmark.benchmarks.config.metric_page import documented; '
        "open('docs/metrics.md', 'w', encoding='utf-8').write(documented())\""
    )


@pytest.mark.parametrize("name", named.known("metric"))
def test_every_metric_has_an_equation_a_paper_a_direction_and_an_entry(name: str) -> None:
    (metric,) = named.metrics([name]).values()
    assert " = " in metric_page.equation(metric)
    assert metric_page.paper(metric)
    assert metric.higher_is_better in metric_page.DIRECTIONS
    page = PAGE.read_text(encoding="utf-8")
    assert page.count(f"\n## {name}\n") == 1


def test_an_entry_says_what_the_metric_is() -> None:
    found = metric_page.entry("deletion", Deletion())
    assert "AUC = ∫₀¹ p(target | image whose fraction f of most relevant pixels is" in found
    assert "in [0, 1]" in metric_page.equation(Deletion())
    assert "- direction: lower is better" in found
    assert "- cost: 225 forward passes" in found
    assert "- draws: yes, from its option `seed`" in found
    assert "- presets: `heatmark-1`, `rise-2018`," in found
    assert 'source: Petsiuk et al., "RISE: ' in found
    pointing = metric_page.entry("pointing_game", PointingGame())
    assert "- needs: masks" in pointing
    assert "- cost: no forward pass" in pointing
    assert "in [0, 1], with d the Euclidean distance" in metric_page.equation(PointingGame())
    assert "- options: `tolerance=0`" in pointing


def test_an_entry_says_that_a_metric_explains_again() -> None:
    randomised = metric_page.entry("parameter_randomisation", ParameterRandomisation())
    assert "- needs: the method, which explains again" in randomised
    assert "- cost: 4 further maps, which cost what the method does" in randomised
    assert metric_page.cost(TwoClassContrast()).startswith("1 forward pass and 1 further map,")
    assert metric_page.cost(ADCC()).startswith("2 forward passes and 1 further map,")


def test_every_metric_with_presets_is_in_the_row_of_each() -> None:
    _, _, table = PAGE.read_text(encoding="utf-8").partition("## Presets")
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| `")]
    told = sorted((name, preset.strip("| `")) for preset, having, *_ in rows for name in re.findall(r"`(\w+)`", having))
    metrics = named.metrics(named.known("metric"))
    assert told == sorted((name, preset) for name, metric in metrics.items() for preset in metric.presets)


def test_every_preset_has_its_source() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name, protocol in {**PROTOCOLS, **IMPUTATION_PROTOCOLS}.items():
        assert re.search(rf"\| `{re.escape(name)}` \| [^|]+ \| {re.escape(protocol.source)} \|", page)
        assert f"| {protocol.source} | {protocol.citation} |" in page


def test_a_docstring_that_lacks_a_part_is_named() -> None:
    with pytest.raises(ValueError, match="docstring of Undocumented has no equation"):
        metric_page.equation(Undocumented())
    with pytest.raises(ValueError, match="docstring of Undocumented cites no paper"):
        metric_page.paper(Undocumented())
