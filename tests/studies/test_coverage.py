"""The coverage study on a small scale: its bookkeeping, its formats, its alarm."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.studies import coverage
from tests.studies.coverage import (
    CoverageStudy,
    _outcomes,
    coverage_cells,
    coverage_study,
    tabulated,
)
from tests.studies.coverage_models import COVERAGE_MODELS

from darkstats.errors import FitFailedError


def test_the_study_has_the_models_it_promises() -> None:
    """At least eight models, each compiles, with the stated number of nuisance parameters."""
    assert len(COVERAGE_MODELS) >= 8
    for study in COVERAGE_MODELS:
        model = study.compile()
        free = sum(not p.fixed for p in model.parameters) - 1
        assert free == study.n_nuisances


def test_known_background_is_covered_by_all_toy_methods() -> None:
    """2000 toys of a counting experiment: discrete, so covered or more (3.5 standard errors)."""
    cells = coverage_cells(COVERAGE_MODELS[1], 3.0, toys=2000)
    toys = [cell for cell in cells if cell.calculator == "toys"]
    assert len(cells) == 6
    assert not any(cell.low for cell in toys)
    assert all(cell.guaranteed for cell in toys)
    assert all(0.9 < cell.coverage <= 1.0 and cell.failed == 0 for cell in cells)


def test_the_study_prints_as_table_and_as_strict_json() -> None:
    """Both formats hold every cell; the power to see a fault is stated in each."""
    study = coverage_study(toys=200, models=COVERAGE_MODELS[:1], signals=(0.0, 3.0))
    document = json.loads(study.to_json())
    assert len(document["cells"]) == 12
    assert document["power"]
    table = study.to_markdown()
    assert table.count("\n| one bin") == 2
    assert "Power" in table


def test_the_alarm_has_the_stated_power() -> None:
    """20 000 toys at 95 %: 94 % is flagged as often as not or more, 94.9 % almost never."""
    study = CoverageStudy(cells=(), cl=0.95, toys=20_000, seed=0)
    assert study.power(0.949) < 0.01
    assert study.power(0.94) > 0.99


def test_interpolation_over_nuisances_is_exact_for_a_linear_tail() -> None:
    """A p-value that is linear in the nuisance comes back exactly between the nodes."""
    points = np.linspace(0.0, 1.0, 11)[:, np.newaxis]

    def tails_at(node: np.ndarray, _: int) -> list[np.ndarray]:
        n_above = round(1000 * float(node[0]))
        return [np.sort(np.concatenate([np.zeros(1000 - n_above), np.full(n_above, 2.0)]))]

    (p,) = tabulated(points, 6, tails_at, [np.ones(11)])
    assert p == pytest.approx(points[:, 0], abs=2e-3)


def test_a_cell_that_undercovers_is_flagged() -> None:
    """Asymptotic CLs at b = 3, s = 12 has 93.1 %: flagged, but it promises nothing."""
    cells = coverage_cells(COVERAGE_MODELS[1], 12.0, toys=20_000)
    cell = next(c for c in cells if (c.method, c.calculator) == ("CLs", "asymptotic"))
    assert cell.low
    assert not cell.guaranteed
    study = CoverageStudy(cells=cells, cl=0.95, toys=20_000, seed=0)
    assert study.violations == ()
    promised = replace(cell, guaranteed=True)
    assert replace(study, cells=(promised,)).violations == (promised,)
    assert " !" in study.to_markdown()


def _failing(monkeypatch: pytest.MonkeyPatch, *, outer: bool) -> None:
    """Every tenth fit of 1000 toys fails, or of all those that are thrown for a p-value."""

    def failing(*arguments: Any) -> Any:
        found = _outcomes(*arguments)
        chosen = (len(found.good) == 1000) is outer
        lost = chosen & (np.arange(len(found.good)) % 10 == 0)
        return replace(found, good=found.good & ~lost)

    monkeypatch.setattr(coverage, "_outcomes", failing)


def test_failed_toys_count_as_not_covering(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every tenth toy fails: coverage is at most 90 %, and the failures are counted."""
    _failing(monkeypatch, outer=True)
    for cell in coverage_cells(COVERAGE_MODELS[1], 3.0, toys=1000):
        assert cell.failed == 100
        assert cell.coverage <= 0.9


def test_p_values_of_toys_that_fail_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Toys behind a p-value that fail cannot be counted against anything: there is no study."""
    _failing(monkeypatch, outer=False)
    with pytest.raises(FitFailedError, match=r"toys at signal strength 3 could not"):
        coverage_cells(COVERAGE_MODELS[1], 3.0, toys=1000)
