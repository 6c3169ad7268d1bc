"""Limits that hold at low counts stand beside the asymptotic ones wherever a scan is shown."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import replace
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from rich.console import Console

import scan_records
from darkstats.inference import ToyOptions, hypotest, upper_limit
from darkstats.report.figures.coupling_limits import draw_limits, mass_limits_figure
from darkstats.report.hepdata import submission
from darkstats.report.records import _at_unit
from darkstats.report.scan_exports import scan_csv
from darkstats.report.scan_reading import read_scan
from darkstats.report.scan_records import Coupling, _point
from darkstats.report.scan_sheets import scan_sheet
from darkstats.report.scan_table import Collision
from darkstats.scan.limits import _of_limit
from darkstats.scan.mass_scan import ScanPoint
from darkstats.workflows.trials import _statement
from small_models import counting


def test_the_table_reads_them_for_every_quantity() -> None:
    table = read_scan(scan_records.low_counts())
    for key in ("signal_strength", "cross_section", "alp_photon"):
        limits = table.limits_on(key)
        assert limits.low_counts is not None
        assert limits.n_low_counts == len(scan_records.LOW)
        there = np.isfinite(limits.low_counts).all(axis=0)
        assert list(np.flatnonzero(there)) == list(scan_records.LOW)
        assert limits.low_counts[0, there] == pytest.approx(3.0 * limits.observed[there])
        assert limits.low_counts[1:, there] == pytest.approx(3.0 * limits.expected[:, there])
    assert read_scan(scan_records.alp(n=12)).limits_on("alp_photon").low_counts is None


def test_csv_and_hepdata_have_columns_of_their_own() -> None:
    table = read_scan(scan_records.low_counts())
    lines = [line for line in scan_csv(table).splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(io.StringIO("\n".join(lines))))
    for k, row in enumerate(rows):
        text = row["alp_photon_per_gev_expected_median_low_counts"]
        if k in scan_records.LOW:
            asymptotic = float(row["alp_photon_per_gev_expected_median"])
            assert float(text) == pytest.approx(3.0 * asymptotic, rel=1e-5)
        else:
            assert text == ""
    documents = submission(table, collision=Collision(sqrt_s_gev=10.583))
    columns = documents["limits_alp_photon.yaml"][0]["dependent_variables"]
    names = [column["header"]["name"] for column in columns]
    assert [name.endswith("low counts") for name in names] == [False, False, True, True]
    held, asymptotic = columns[2]["values"], columns[0]["values"]
    assert held[0] == {"value": "-"}
    assert held[2]["value"] == pytest.approx(3.0 * asymptotic[2]["value"], rel=1e-4)
    plain = read_scan(scan_records.alp(n=12))
    assert "low_counts" not in scan_csv(plain)


def test_terminal_and_figure_say_so() -> None:
    table = read_scan(scan_records.low_counts())
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(scan_sheet(table, kinds=["limits"]))
    assert "2 hypotheses have an asymptotic limit or band below" in console.export_text()
    limits = table.limits_on()
    figure, axes = plt.subplots()
    draw_limits(axes, table.first_coordinate, limits, observed="observed", thin=False)
    labels = axes.get_legend_handles_labels()[1]
    plt.close(figure)
    assert [label for label in labels if "low counts" in label] == [
        "expected median, valid at low counts",
        "observed, valid at low counts",
    ]
    drawing = mass_limits_figure(table, limits)
    assert "observed_low_counts" in drawing.columns


def test_records_convert_them_to_couplings() -> None:
    held = {"observed": 4.0, "expected": [1.0, 4.0, 9.0, None, 25.0]}
    point = ScanPoint(
        name="m", values=(1.0,), status="ok", observed=1.0, expected=(1.0,) * 5, low_counts=held
    )
    couplings = {"g": Coupling("g", lambda _, mu: math.sqrt(mu))}
    found = _point(point, 2.0, couplings, bayes=False)
    assert found["low_counts"]["cross_section_fb"]["observed"] == pytest.approx(8000.0)
    assert found["couplings"]["g"]["low_counts"] == {
        "observed": 2.0,
        "expected": [1.0, 2.0, 3.0, None, 5.0],
    }


def test_zeros_from_toys_are_bounds() -> None:
    """CLs at strength 1, far beyond the limit: no toy is as extreme."""
    model = counting(2, 40.0, 3.0)
    toys = ToyOptions(n_toys=500)
    test = hypotest(model, model.observation, 1.0, calculator="toys", toys=toys)
    limit = replace(upper_limit(model, model.observation, probe=False), at_unit=test)
    assert limit.at_unit is not None
    assert limit.at_unit.quoted is not None
    assert limit.at_unit.quoted.bound is not None
    point = _of_limit("m", (1.0,), limit, ())
    assert point.cls_observed is None
    assert point.cls_observed_bound == limit.at_unit.quoted.bound
    assert 0.0 not in (point.cls_expected or ())
    found = _point(point, None, {}, bayes=False)
    assert found["CLs_obs"] is None
    assert "it lies below" in found["CLs_obs_reason"]
    assert None in found["CLs_exp"]
    assert "it lies below" in found["CLs_exp_reason"]
    record: dict[str, Any] = {}
    _at_unit(record, limit.at_unit, None)
    assert record["CLs_obs"] is None
    assert "it lies below" in record["CLs_obs_reason"]


def test_a_global_significance_says_which_points_have_no_local_p() -> None:
    points = scan_records.alp(n=5, without=(1,))["points"]
    points[3] |= {"p0": None, "p0_reason": "mu = 0 forbids the data"}
    summary = {"points": 5, "failed": 1}
    said = _statement({"summary": summary, "points": points})
    assert said.startswith("4 of 5 hypotheses have a certified result; 1 of them without a local")
    assert "m_3: mu = 0 forbids the data" in said
    points[3] |= {"p0": 0.2}
    assert _statement({"summary": summary, "points": points}) == (
        "4 of 5 hypotheses have a certified result"
    )
