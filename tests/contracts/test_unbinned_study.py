"""The page of the unbinned studies says what its records say, and they show what is promised."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from example_scripts import example_script


@pytest.fixture(scope="module")
def study(repository: Path) -> dict[str, Any]:
    return json.loads((repository / "docs/studies/unbinned.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def speed(repository: Path) -> dict[str, Any]:
    return json.loads((repository / "docs/studies/unbinned-speed.json").read_text("utf-8"))


def test_the_page_is_made_from_the_records(repository: Path) -> None:
    """No number on the page was typed by hand."""
    module = example_script("unbinned_page")
    assert module.page() == (repository / "docs/studies/unbinned.md").read_text("utf-8")


def test_a_dozen_masses_of_each_search(study: dict[str, Any]) -> None:
    """Every hypothesis has both limits, all fits certified, and zfit agrees."""
    for search, found in study["searches"].items():
        assert len(found["rows"]) >= 12, search
        assert found["zfit_difference_nll"] < 1e-9
        for row in found["rows"]:
            assert row["fits_failed"] == 0
            assert row["unbinned"]["observed"] > 0.0
            assert row["binned"]["observed"] > 0.0


def test_limits_agree_within_the_information_lost(study: dict[str, Any]) -> None:
    """Never weaker than binned, never stronger than information allows.

    Two per cent are left for the two descriptions of the signal: a fitted Crystal Ball and a
    smoothed histogram.
    """
    for found in study["searches"].values():
        for row in found["rows"]:
            assert row["ratio_information"] - 0.025 < row["ratio_expected"] < 1.005, row["name"]


def test_both_likelihoods_cover(study: dict[str, Any]) -> None:
    """CLs by toys is at or above its level within 3.5 errors, for both; no toy failed."""
    for found in study["coverage"].values():
        for kind in ("unbinned", "binned"):
            for one in found[kind]:
                assert one["failed"] == 0
                assert one["CLs toys"] > one["cl"] - 3.5 * one["error"]
                assert one["CLs+b toys"] > one["cl"] - 3.5 * one["error"]
                assert one["CLs"] > one["cl"] - 3.5 * one["error"]


def test_speed_is_as_promised(speed: dict[str, Any]) -> None:
    """Engine 200 times, kernels 1000 times a loop of zfit with Minuit; minima to 1e-6 or lower."""
    for row in speed["models"]:
        assert row["ratio"]["engine"] >= 200.0, row["model"]
        assert row["ratio"]["kernels"] >= 1000.0, row["model"]
        assert row["certified"]["kernels"] == row["certified"]["engine"] == 1.0
        assert row["engine_minus_kernels"] < 1e-9
        assert row["minuit_above_kernels"][0] > -1e-6
    few, many = speed["memory"]
    assert many["toys"] == 10 * few["toys"] == 100_000
    assert many["peak_mb"] < 1.5 * few["peak_mb"]
    assert many["failed"] == 0
