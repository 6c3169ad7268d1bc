"""Where a boson is too wide for the limit on its coupling to hold, every form of a scan says so."""

from __future__ import annotations

import csv
import io
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from rich.console import Console

import scan_records
from darkstats.publication.limit_tables import limit_files
from darkstats.report.figures.comparisons import projections_figure
from darkstats.report.figures.coupling_limits import mass_limits_figure
from darkstats.report.figures.point_limits import point_limits_figure
from darkstats.report.figures.wide import TOO_WIDE
from darkstats.report.hepdata import submission
from darkstats.report.scan_reading import read_scan
from darkstats.report.scan_records import width_warnings
from darkstats.report.scan_sheets import projections_sheet, scan_sheet
from darkstats.report.scan_table import Limits, ScanTable, too_wide_words
from darkstats.report.warning_groups import grouped_warnings
from darkstats.service.pages.views.scans import scan_view
from darkstats.signals.constants import NARROW, is_too_wide

WIDE = (8, 9, 10, 11)  # of twelve hypotheses


def record(**facts: Any) -> dict[str, Any]:
    """A short ALP scan, whose last four limits stand at widths of 0.11 to 0.77 of the mass."""
    found = scan_records.alp(n=12)
    for k, point in enumerate(found["points"]):
        width = 0.11 + 0.22 * (k - WIDE[0]) if k in WIDE else 0.008 * k
        point["couplings"]["alp_photon"]["width_over_mass"] = width
        point["warnings"] = ["a bin that drives the limit expects 3.22 events"] if k < 3 else []
        point["warnings"] += width_warnings(point["couplings"])
    return found | facts


@pytest.fixture
def table() -> ScanTable:
    return read_scan(record())


def printed(shown: Any) -> str:
    console = Console(width=300, record=True, file=io.StringIO())
    console.print(shown)
    return console.export_text()


def test_one_place_says_which_widths_are_too_large() -> None:
    assert not is_too_wide(NARROW)
    assert is_too_wide(np.nextafter(NARROW, 1.0))
    assert is_too_wide(np.array([np.nan, 0.05, 0.2])).tolist() == [False, False, True]


def test_the_table_knows_which_couplings_hold(table: ScanTable) -> None:
    limits = table.limits_on("alp_photon")
    assert np.flatnonzero(limits.too_wide).tolist() == list(WIDE)
    assert not table.limits_on("cross_section").too_wide.any()
    assert not read_scan(scan_records.alp(n=12)).limits_on("alp_photon").too_wide.any()
    held = limits.only(~limits.too_wide)
    assert np.isnan(held.observed[list(WIDE)]).all()
    assert np.isnan(held.expected[:, list(WIDE)]).all()
    assert np.isfinite(held.observed[: WIDE[0]]).all()
    part = limits.of(np.array(WIDE[:2]))
    assert part.too_wide.tolist() == [True, True]
    words = too_wide_words(limits)
    assert words.startswith("at 4 of 12 limits the width is above 0.1 of the mass, up to 0.77")


def test_the_terminal_says_every_warning_once_with_its_number(table: ScanTable) -> None:
    text = printed(scan_sheet(table, kinds=["limits"]))
    assert "g_agg: at 4 of 12 limits the width is above 0.1 of the mass, up to 0.77" in text
    assert "3 hypotheses, the first one m_0: a bin that drives the limit expects 3.22" in text
    assert text.count("warning:") == 2


def test_warnings_that_differ_in_numbers_alone_are_one() -> None:
    found = record()
    for k, point in enumerate(found["points"]):
        point["warnings"] = [f"expects {k + 1}.5 events of B0 at 1e-0{k % 9 + 1}"] if k < 5 else []
    found["points"][7]["warnings"] = ["another of K0"]
    scan = read_scan(found)
    assert grouped_warnings(scan.points, scan.warnings) == [
        "5 hypotheses, the first one m_0: expects 1.5 events of B0 at 1e-01",
        "m_7: another of K0",
    ]


def test_tables_for_others_have_the_width_beside_the_coupling(table: ScanTable) -> None:
    files = limit_files(table, {})
    head = [line for line in files["limits.csv"].splitlines() if line.startswith("#")]
    assert any("alp_photon: at 4 of 12 limits the width" in line for line in head)
    lines = [line for line in files["limits.csv"].splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(io.StringIO("\n".join(lines))))
    assert float(rows[9]["alp_photon_per_gev_width_over_mass"]) == pytest.approx(0.33)
    assert "cross_section_fb_width_over_mass" not in rows[0]
    tex = files["limits_alp_photon.tex"].splitlines()
    marked = [line for line in tex if line.endswith(r"\\") and r"^{\dagger}" in line]
    assert len(marked) == len(WIDE) + 1  # and the foot
    assert "Width above 0.1 of the mass: the coupling does not hold." in marked[-1]
    assert not any("dagger" in line for line in files["limits_cross_section.tex"].splitlines())
    documents = submission(table)
    columns = documents["limits_alp_photon.yaml"][0]["dependent_variables"]
    (width,) = [one for one in columns if "width over mass" in one["header"]["name"]]
    assert width["values"][9] == {"value": 0.33}
    listed = next(d for d in documents["submission.yaml"] if "alp_photon" in d.get("name", ""))
    assert "At 4 of 12 limits the width is above 0.1 of the mass" in listed["description"]
    assert len(documents["limits_cross_section.yaml"][0]["dependent_variables"]) == 2


def curves(axes: Any, label: str) -> list[np.ndarray]:
    return [line.get_ydata() for line in axes.lines if line.get_label() == label]


def test_figures_are_dotted_where_the_coupling_does_not_hold(table: ScanTable) -> None:
    limits: Limits = table.limits_on("alp_photon")
    drawing = mass_limits_figure(table, limits)
    (axes,) = drawing.figure.axes
    (solid,) = curves(axes, "observed (simulated data)")
    dotted = curves(axes, TOO_WIDE)
    assert np.flatnonzero(np.isnan(solid)).tolist() == list(WIDE)
    assert len(dotted) == 2
    # from the last hypothesis that holds, so that the line has no hole
    assert all(np.flatnonzero(np.isfinite(one)).tolist() == [7, *WIDE] for one in dotted)
    ends = table.first_coordinate[WIDE[0]]
    for band in axes.collections:
        assert max(path.vertices[:, 0].max() for path in band.get_paths()) < ends
    assert drawing.columns["width_over_mass"][9] == pytest.approx(0.33)
    plt.close(drawing.figure)


def test_projections_and_hypotheses_side_by_side_say_so(table: ScanTable) -> None:
    other = read_scan(record(luminosity_ipb=1e4))
    drawing = projections_figure([table, other], coupling="alp_photon")
    (axes,) = drawing.figure.axes
    assert len(curves(axes, TOO_WIDE)) == 2 + 1  # two medians, and the observed limit
    plt.close(drawing.figure)
    drawing = point_limits_figure(table, table.limits_on("alp_photon"))
    (axes,) = drawing.figure.axes
    (marks,) = [line for line in axes.lines if line.get_label() == TOO_WIDE]
    assert marks.get_xdata().tolist() == list(WIDE)
    plt.close(drawing.figure)


def test_a_page_ends_curves_where_the_coupling_does_not_hold() -> None:
    view = scan_view(record())
    (plot,) = [one for one in view.plots if one.name.startswith("coupling")]
    assert "At 4 of them the width of the boson is above 0.1 of its mass" in plot.summary
    for series in plot.series:
        assert [k for k, value in enumerate(series.values) if value is None] == list(WIDE)
    assert plot.table is not None
    assert len(plot.table.rows) == 12
    (strength,) = [one for one in view.plots if one.name == "limits"]
    assert "width" not in strength.summary


def test_projections_say_all_that_a_scan_says(table: ScanTable) -> None:
    """Widths with their numbers, and every other warning once, at each luminosity."""
    tables = [read_scan(record(luminosity_ipb=1000.0 * n)) for n in (1, 5)]
    text = printed(projections_sheet(tables, coupling="alp_photon", kinds=("projections",)))
    for lumi in ("1", "5"):
        assert f"{lumi}.000 fb^-1: {table.limits_on('alp_photon').symbol}: at 4 of 12" in text
        assert f"{lumi}.000 fb^-1: 3 hypotheses, the first one" in text
