"""The page of the unbinned studies says what its records say, and they show what is promised."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
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


def test_limits_agree_with_what_bins_leave(study: dict[str, Any]) -> None:
    """Between what bins leave of the separation (few events) and its root (many).

    Two per cent are left for the two descriptions of the signal: a fitted Crystal Ball and a
    smoothed histogram.
    """
    for found in study["searches"].values():
        for row in found["rows"]:
            left = row["ratio_separation"]
            assert left - 0.02 < row["ratio_expected"] < left**0.5, row["name"]


def test_both_likelihoods_cover(study: dict[str, Any]) -> None:
    """CLs by toys is at or above its level within 3.5 errors, for both; no toy failed.

    Asymptotic CLs is where there are events enough; what it falls short of by elsewhere is on the
    page.
    """
    for search, found in study["coverage"].items():
        (row,) = (r for r in study["searches"][search]["rows"] if r["name"] == found["name"])
        for kind in ("unbinned", "binned"):
            for one in found[kind]:
                least = one["cl"] - 3.5 * one["error"]
                assert one["failed"] == 0
                assert one["CLs toys"] > least
                assert one["CLs+b toys"] > least
                assert one["CLs"] > least or row["background"] < 5.0


def test_separation_of_cells_and_bins() -> None:
    """Closed forms: 2 s without background, s^2 / b with much; nothing lost at equal s / b."""
    separation = example_script("unbinned_study").separation
    signal, background = np.array([3.0, 1.0]), np.array([6.0, 2.0])
    assert separation(signal, np.zeros(2)) == 8.0
    assert separation(1e-3 * signal, background) == pytest.approx(2e-6, rel=1e-3)
    joined = separation(np.array([4.0]), np.array([8.0]))
    assert joined == pytest.approx(separation(signal, background), rel=1e-12)
    assert separation(signal[::-1], background) > joined


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
