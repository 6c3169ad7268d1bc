"""Backgrounds that were simulated with too few events are named, with their share."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from darkstats.searches.simulation_size import background_shares, simulation_warnings

WORKSPACES = Path(__file__).parents[3] / "workspaces"


def test_shares_are_those_of_the_windows_where_these_tell_samples_apart():
    yields = {"low": {"a": 10.0, "b": 30.0}}
    windows = {
        "m_1": {"background_by_process": {"a": 3.0}},
        "m_2": {"background_by_process": {"a": 0.0, "b": 1.0}},
    }
    assert background_shares(yields, windows) == {"a": 0.75, "b": 0.25}
    assert background_shares(yields, {"m_1": {}}) == {"a": 0.25, "b": 0.75}
    assert background_shares({"low": {"a": 0.0}}, {}) == {}


@pytest.mark.parametrize(
    ("share", "equivalent", "warned"),
    [(0.5, 99.9, True), (0.5, 100.0, False), (0.05, 1.0, False), (0.051, 1.0, True)],
)
def test_only_large_backgrounds_below_the_luminosity_are_named(share, equivalent, warned):
    found = simulation_warnings({"a": share, "b": 1.0 - share}, {"a": equivalent, "b": 1e9}, 100.0)
    assert bool(found) is warned
    assert all(text.startswith("a makes") for text in found)


def test_rare_rows_of_large_weight_that_cuts_leave_out_do_not_count():
    """Of all quark pairs 113 / pb are simulated, of those that cuts leave more than the data."""
    folder = WORKSPACES / "zprime_tautau"
    record = json.loads((folder / "record.json").read_text("utf-8"))
    sidecar = json.loads((folder / "background_only.meta.json").read_text("utf-8"))
    summary = record["summary"]
    luminosities = summary["equivalent_luminosity_ipb"]
    shares = background_shares(summary["yields"], sidecar["windows"])
    assert simulation_warnings(shares, luminosities, record["luminosity_ipb"]) == []
    assert luminosities["qqbar"] > record["luminosity_ipb"]
    generated = {"qqbar": record["samples"]["qqbar"]["equivalent_luminosity_ipb"]}
    (said,) = simulation_warnings(shares, generated, record["luminosity_ipb"])
    assert "simulated with 113.1 / pb, 0.18 % of the luminosity" in said


@pytest.mark.parametrize(("share", "words"), [(1.0, "100 %"), (0.996, "100 %"), (0.0512, "5.1 %")])
def test_shares_are_percent_without_powers_of_ten(share: float, words: str) -> None:
    (said,) = simulation_warnings({"a": share}, {"a": 996.0}, 1000.0)
    assert said.startswith(f"a makes {words} of the background")
    assert "100 % of the luminosity" in said
