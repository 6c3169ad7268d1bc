"""The page of expected over published limits is written from its record, which still holds."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

import pytest

from darkstats.report.constraints.catalogue import catalogue
from example_scripts import example_script


@pytest.fixture(scope="module")
def script(repository: Path) -> ModuleType:
    return example_script("published_limits")


@pytest.fixture(scope="module")
def record(repository: Path) -> dict[str, Any]:
    text = (repository / "docs/studies/published-limits.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def test_the_page_is_written_from_its_record(
    repository: Path, script: ModuleType, record: dict[str, Any]
) -> None:
    """Nobody has edited a number on the page."""
    page = (repository / "docs/studies/published-limits.md").read_text("utf-8")
    assert page == script.page(record)


def test_the_published_values_are_those_of_the_catalogue(record: dict[str, Any]) -> None:
    """Every point of both curves is compared, and none was changed since."""
    for search, key in (("alp", "belle2_alp_2020"), ("zprime", "belle2_zprime_2018")):
        (curve,) = (one for one in catalogue() if one.key == key)
        rows = record["searches"][search]["rows"]
        assert [row["mass_gev"] for row in rows] == list(curve.mass_gev)
        assert [row["published"] for row in rows] == list(curve.lower)


def test_the_simulation_is_as_close_as_the_page_says(
    script: ModuleType, record: dict[str, Any]
) -> None:
    """The axion-like particle within 10 % in g; CLs lies 19 to 21 % above CLs+b.

    The Z' is within a third by CLs, whose asymptotic formula goes below the limit of no event.
    """
    assert abs(median(script.ratios(record, "alp", "expected")) - 1.0) < 0.1
    assert min(script.ratios(record, "zprime", "expected")) > 0.67
    assert max(script.ratios(record, "zprime", "expected")) < 1.05
    rows = record["searches"]["alp"]["rows"]
    apart = [(row["expected"] / row["clsb"]) ** 2 for row in rows]
    assert 1.19 < min(apart) < max(apart) < 1.26


def test_bayesian_limits_land_on_the_published_ranges(record: dict[str, Any]) -> None:
    """The Z' of 2018: 220 to 680 fb and 0.05 to 1, with nothing fitted; dark Higgs from 1.7 fb.

    Tolerances are those of a median against observed limits: a third in the cross section.
    """
    rows = record["searches"]["zprime"]["rows"]
    assert {name for row in rows for name in row} == {"mass_gev", "published", "expected", "bayes"}
    ratios = [row["bayes"] / row["published"] for row in rows]
    assert 0.9 < median(ratios) < 1.1
    assert 0.75 < min(ratios) < max(ratios) < 1.3
    assert all(row["bayes"] > row["expected"] for row in rows)
    found = record["zprime_ranges"]["Bayesian"]
    low, high = found["cross_section"]
    assert low == pytest.approx(220.0, rel=0.33)
    assert high == pytest.approx(680.0, rel=0.33)
    low, high = found["lmu_ltau_invisible"]
    assert low == pytest.approx(0.05, rel=0.2)
    assert high == pytest.approx(1.0, rel=0.2)
    plane = record["dark_higgsstrahlung"]
    assert plane["floor"] == pytest.approx(1.7, rel=0.15)
    assert plane["cross_section"][2] < 5.0
