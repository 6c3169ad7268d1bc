"""Any scan record: its tables hold its numbers, its gaps are gaps, its cells tile the plane."""

from __future__ import annotations

import csv
import io
import math
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import scan_records
from darkstats.report.figures.planes import cells_of
from darkstats.report.hepdata import submission
from darkstats.report.scan_exports import scan_csv
from darkstats.report.scan_reading import read_scan

VALUES = st.floats(1e-12, 1e9, allow_nan=False)
MAYBE = st.none() | VALUES


@st.composite
def records(draw: st.DrawFn) -> dict[str, Any]:
    """Scans over one mass with any limits, missing ones, and failures."""
    n = draw(st.integers(2, 8))
    masses = draw(st.lists(st.floats(1e-3, 10.0), min_size=n, max_size=n, unique=True))
    record = scan_records.alp(n)
    for point, mass in zip(record["points"], masses, strict=True):
        point["values"] = [mass]
        point["observed"] = draw(MAYBE)
        point["expected"] = [draw(MAYBE) for _ in range(5)]
        point["p0"] = draw(st.none() | st.floats(0.0, 1.0))
    failures = draw(st.sets(st.integers(0, n - 1)))
    record["points"] = [
        scan_records.failed(point) if k in failures else point
        for k, point in enumerate(record["points"])
    ]
    return record


def same(value: float | None, cell: str) -> bool:
    return cell == "" if value is None else float(cell) == value


@given(record=records())
@settings(max_examples=60, deadline=None)
def test_csv_gives_back_the_record(record: dict[str, Any]) -> None:
    """Every number is read back to the last bit; what is null is empty; no row is lost."""
    text = scan_csv(read_scan(record))
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    rows = {row["hypothesis"]: row for row in csv.DictReader(io.StringIO("\n".join(lines)))}
    assert len(rows) == len(record["points"])
    for point in record["points"]:
        row = rows[point["name"]]
        assert same(point["values"][0], row["m_a_gev"])
        assert same(point["observed"], row["signal_strength_observed"])
        assert same(point["p0"], row["p0"])
        for k, name in enumerate(("minus2", "minus1", "median", "plus1", "plus2")):
            assert same(point["expected"][k], row[f"signal_strength_expected_{name}"])
        assert row["status"] == point["status"]
    masses = [float(row["m_a_gev"]) for row in rows.values()]
    assert masses == sorted(masses)


@given(record=records())
@settings(max_examples=60, deadline=None)
def test_hepdata_has_a_dash_where_there_is_no_number(record: dict[str, Any]) -> None:
    """As many dashes as nulls, and no number that is none."""
    documents = submission(read_scan(record))
    p_values = documents["p_values.yaml"][0]["dependent_variables"][0]["values"]
    nulls = sum(point["p0"] is None for point in record["points"])
    assert sum(value["value"] == "-" for value in p_values) == nulls

    def leaves(item: Any) -> list[Any]:
        if isinstance(item, dict):
            return [leaf for value in item.values() for leaf in leaves(value)]
        if isinstance(item, list):
            return [leaf for value in item for leaf in leaves(value)]
        return [item]

    numbers = [leaf for leaf in leaves(documents) if isinstance(leaf, float)]
    assert all(math.isfinite(number) for number in numbers)


@given(columns=st.integers(2, 9), order=st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_cells_tile_any_plane_in_any_order(columns: int, order: Any) -> None:
    """Each hypothesis lies in its own cell and in no other, however the record lists them."""
    record = scan_records.plane(columns)
    order.shuffle(record["points"])
    table = read_scan(record)
    cells = cells_of(table)
    for k, mass in enumerate(table.coordinates):
        inside = ((cells.low <= mass) & (mass < cells.high)).all(axis=1)
        assert np.flatnonzero(inside).tolist() == [k]
