"""Maps and slices over a mass and a lifetime: even axes, and holes where nobody looked."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest

import scan_records
from darkstats.errors import DocumentError
from darkstats.report.figures.plane_cells import cells_of
from darkstats.report.figures.planes import map_figure, slices_figure
from darkstats.report.scan_reading import read_scan
from darkstats.report.scan_table import ScanTable

MASSES = (0.5, 1.0, 2.0, 3.0, 4.0)
LIFETIMES = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0, 10000.0)
VETOED = 3.1


def record(*, says: bool = True) -> dict[str, Any]:
    """Masses by lifetimes, none at a vetoed mass, none of short lifetimes at the highest mass."""
    seen = [(m, t) for m in MASSES for t in LIFETIMES if not (m == MASSES[-1] and t < 1.0)]
    points = [
        scan_records.point(f"m_{k}", [m, t], 1.0 + m + abs(np.log10(t)), 0.0)
        for k, (m, t) in enumerate(seen)
    ]
    found = scan_records.plane() | {"labels": ["m_s_gev", "ctau_mm"], "points": points}
    if says:
        found["without_sensitivity"] = [[VETOED, t] for t in LIFETIMES]
        found["without_sensitivity"] += [[MASSES[-1], t] for t in LIFETIMES if t < 1.0]
    return found


def table(*, says: bool = True) -> ScanTable:
    return read_scan(record(says=says))


def boxes(axes: Any) -> list[Any]:
    return [path.get_extents() for path in axes.collections[0].get_paths()]


def test_lifetimes_have_a_logarithmic_axis_and_masses_a_linear_one() -> None:
    scan = table()
    cells = cells_of(scan)
    assert cells.scales == ("linear", "log")
    # half-way between lifetimes by their ratio, and no farther outwards than that
    (at,) = np.flatnonzero((scan.coordinates == [1.0, 10.0]).all(axis=1))
    assert cells.low[at, 1] == pytest.approx(10.0**0.5)
    assert cells.high[at, 1] == pytest.approx(10.0**1.5)
    assert cells.high[:, 1].max() == pytest.approx(10.0**4.5)
    assert cells_of(read_scan(scan_records.plane())).scales == ("linear", "linear")


def test_a_last_step_that_is_long_does_not_make_the_last_cell_long() -> None:
    found = record(says=False)
    for point in found["points"]:
        point["values"][1] *= 100.0 if point["values"][1] == 10000.0 else 1.0
    assert cells_of(read_scan(found)).high[:, 1].max() == pytest.approx(10.0**6.5)


def test_cells_hold_their_hypotheses_on_either_scale() -> None:
    scan = table()
    cells = cells_of(scan)
    for k, place in enumerate(scan.coordinates):
        inside = ((cells.low <= place) & (place < cells.high)).all(axis=1)
        assert np.flatnonzero(inside).tolist() == [k]


def test_a_map_colours_nothing_where_the_search_left_hypotheses_out() -> None:
    drawing = map_figure(table(), table().limits_on("cross_section"), "expected")
    axes = drawing.figure.axes[0]
    assert axes.get_yscale() == "log"
    assert not any(box.x0 < VETOED < box.x1 for box in boxes(axes))
    corner = [box for box in boxes(axes) if box.x0 < MASSES[-1] < box.x1]
    assert min(box.y0 for box in corner) == pytest.approx(10.0**-0.5)
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert "no sensitivity, left out: 9" in labels
    assert len(boxes(axes)) == len(table().points)
    plt.close(drawing.figure)


def test_a_record_that_does_not_say_what_was_left_out_has_no_holes() -> None:
    scan = table(says=False)
    assert scan.left_out.shape == (0, 2)
    drawing = map_figure(scan, scan.limits_on("cross_section"), "expected")
    assert any(box.x0 < VETOED < box.x1 for box in boxes(drawing.figure.axes[0]))
    plt.close(drawing.figure)


def test_no_line_of_a_slice_crosses_what_was_left_out() -> None:
    scan = table()
    drawing = slices_figure(scan, scan.limits_on("cross_section"), fixed=1, at=(10.0,))
    axes = drawing.figure.axes[0]
    lines = [line for line in axes.lines if len(line.get_xdata()) == len(MASSES) + 1]
    assert lines
    for line in lines:
        x, y = np.array(line.get_xdata()), np.array(line.get_ydata())
        assert x[np.isnan(y)].tolist() == [VETOED]
    assert drawing.columns["slice1_m_s_gev"] == list(MASSES)  # numbers are those of hypotheses
    plt.close(drawing.figure)
    drawing = slices_figure(scan, scan.limits_on("cross_section"), fixed=0, at=(1.0,))
    assert drawing.figure.axes[0].get_xscale() == "log"
    plt.close(drawing.figure)


@pytest.mark.parametrize(
    ("rows", "place"),
    [([[1.0]], "/without_sensitivity/0"), ([[1.0, "x"]], "/0/1"), ([[1.0, None]], "a null")],
)
def test_what_was_left_out_has_a_value_for_each_label(rows: list[Any], place: str) -> None:
    with pytest.raises(DocumentError, match=place):
        read_scan(record() | {"without_sensitivity": rows})
