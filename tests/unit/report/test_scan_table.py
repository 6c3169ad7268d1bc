"""A scan record becomes arrays: complete, in order, with gaps where there is no number."""

from __future__ import annotations

import copy
import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import scan_records
from darkstats.errors import DocumentError, UnknownNameError
from darkstats.report.hepdata import submission, submission_texts
from darkstats.report.scan_reading import read_scan
from darkstats.report.scan_sheets import scan_sheet

Record = dict[str, Any]


def test_every_number_of_the_record_is_in_the_table() -> None:
    """Nothing is lost, moved or changed on the way from the record to the arrays."""
    record = scan_records.alp()
    table = read_scan(record)
    points = record["points"]
    assert table.axes == ("m_a_gev",)
    assert table.first_coordinate.tolist() == [point["values"][0] for point in points]
    assert table.points == tuple(point["name"] for point in points)
    for key, where in (
        ("signal_strength", lambda point: point),
        ("cross_section", lambda point: point["cross_section_fb"]),
        ("alp_photon", lambda point: point["couplings"]["alp_photon"]),
    ):
        limits = table.limits_on(key)
        assert limits.observed.tolist() == [where(point)["observed"] for point in points]
        assert limits.expected.T.tolist() == [where(point)["expected"] for point in points]
    assert table.p0.tolist() == [point["p0"] for point in points]
    assert table.mu_hat.tolist() == [point["mu_hat"] for point in points]
    assert (table.limits_on().key, table.limits_on().unit) == ("alp_photon", "1/GeV")
    assert table.simulated is True


def test_points_are_put_in_the_order_of_the_masses() -> None:
    """Two sets of windows, listed one after the other, become one curve; the label stays."""
    record = scan_records.zprime()
    table = read_scan(record)
    assert (np.diff(table.first_coordinate) > 0.0).all()
    assert table.axes == ("m_zprime_gev",)
    by_name = {point["name"]: point for point in record["points"]}
    for k, name in enumerate(table.points):
        assert table.tags["shifted"][k] == by_name[name]["values"][1]
        assert (
            table.limits_on("lmu_ltau").observed[k]
            == (by_name[name]["couplings"]["lmu_ltau"]["observed"])
        )


def test_a_failed_point_is_a_gap_with_a_reason() -> None:
    """Even if a failed point carries numbers, none of them is shown."""
    record = scan_records.alp(without=(5, 17))
    record["points"][17] |= {"observed": 1.0, "expected": [1.0] * 5, "p0": 0.1}
    table = read_scan(record)
    assert np.flatnonzero(table.failed).tolist() == [5, 17]
    assert table.reasons[5] == scan_records.FAILURE
    assert table.reasons[6] is None
    for limits in table.limits.values():
        assert np.flatnonzero(np.isnan(limits.observed)).tolist() == [5, 17]
        assert np.isnan(limits.expected[:, [5, 17]]).all()
    assert np.flatnonzero(np.isnan(table.p0)).tolist() == [5, 17]


def test_a_blind_scan_has_expected_limits_only() -> None:
    """A null stays a gap where the point did not fail."""
    record = scan_records.alp()
    for point in record["points"]:
        point |= {"observed": None, "observed_reason": "blinded"}
    table = read_scan(record)
    assert not table.failed.any()
    assert np.isnan(table.limits_on("signal_strength").observed).all()
    assert np.isfinite(table.limits_on("signal_strength").median).all()


def test_a_unit_may_stand_behind_the_symbol() -> None:
    """As in the symbols of benchmarks; a unit of its own comes first."""
    record = scan_records.alp()
    for point in record["points"]:
        point["couplings"]["alp_photon"] |= {"symbol": "g_agg [1/GeV]", "unit": None}
    limits = read_scan(record).limits_on("alp_photon")
    assert (limits.symbol, limits.unit) == ("g_agg", "1/GeV")


def test_the_first_coupling_does_not_depend_on_how_keys_are_written() -> None:
    """A record sorted by its keys, as files are, shows the same coupling as the one in memory."""
    record = scan_records.zprime()
    for one in (record, json.loads(json.dumps(record, sort_keys=True))):
        table = read_scan(one)
        assert table.couplings == ("lmu_ltau_invisible", "lmu_ltau")
        assert table.limits_on().key == "lmu_ltau_invisible"
    del record["benchmarks"]
    assert read_scan(record).couplings == ("lmu_ltau", "lmu_ltau_invisible")


def test_two_masses_and_the_choice_of_a_coupling() -> None:
    """Planes keep both masses; an unknown coupling lists those there are."""
    table = read_scan(scan_records.plane())
    assert table.dimension == 2
    assert table.coordinates.shape == (len(table.points), 2)
    with pytest.raises(UnknownNameError, match="choose one of: signal_strength, cross_section"):
        table.limits_on("g_agg")


Change = Callable[[Record], None]


def _set(*path: Any) -> Change:
    def change(record: Record) -> None:
        where: Any = record
        for step in path[:-2]:
            where = where[step]
        where[path[-2]] = path[-1]

    return change


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        (_set("schema", "darkstats.limit/1"), "/schema"),
        (_set("points", []), "/points"),
        (_set("points", 3, 7), "/points/3"),
        (_set("labels", []), "/labels"),
        (_set("labels", ["mass", "mass"]), "/labels/1"),
        (_set("label_words", {"m_a_gev": 3}), "/label_words/m_a_gev"),
        (_set("collision", {"sqrt_s_gev": "13 TeV"}), "/collision/sqrt_s_gev"),
        (_set("points", 3, "values", [1.0, 2.0]), "/points/3/values"),
        (_set("points", 3, "values", [None]), "/points/3/values/0"),
        (_set("points", 3, "status", "maybe"), "/points/3/status"),
        (_set("points", 3, "observed", math.nan), "/points/3/observed"),
        (_set("points", 3, "observed", "0.1"), "/points/3/observed"),
        (_set("points", 3, "observed", True), "/points/3/observed"),
        (_set("points", 3, "expected", [1.0, 2.0]), "/points/3/expected"),
        (_set("points", 3, "expected", 2, math.inf), "/points/3/expected/2"),
        (_set("points", 3, "couplings", "alp_photon", 3), "/points/3/couplings/alp_photon"),
        (_set("points", 3, "couplings", "alp_photon", "symbol", None),
         "/points/3/couplings/alp_photon/symbol"),
        (_set("points", 3, "p0", math.nan), "/points/3/p0"),
        (_set("points", 3, "warnings", True), "/points/3/warnings"),
        (_set("points", 3, "warnings", "one"), "/points/3/warnings"),
        (_set("cl", 95.0), "/cl"),
        (_set("title", None), "/title"),
    ],
)  # fmt: skip
def test_a_faulty_record_names_file_and_place(change: Change, pointer: str) -> None:
    """What is missing, of another kind, or not finite is refused where it stands."""
    record = copy.deepcopy(scan_records.alp())
    if pointer.endswith("symbol"):
        record["points"] = record["points"][3:4]
        change, pointer = _set("points", 0, *_symbol()), pointer.replace("/3/", "/0/")
    change(record)
    with pytest.raises(DocumentError) as refused:
        read_scan(record, source="scan.json")
    assert refused.value.pointer == pointer
    assert str(refused.value).startswith(f"scan.json: {pointer}: ")


def _symbol() -> tuple[Any, ...]:
    return "couplings", "alp_photon", "symbol", None


def test_a_record_of_real_likelihoods(repository: Path) -> None:
    """Limits computed from the shipped mass scan pass through unchanged."""
    record = scan_records.from_patchset(repository / "workspaces/examples/mass_scan")
    table = read_scan(record)
    assert len(table.points) == 6
    assert table.couplings == ()
    assert list(table.limits) == ["signal_strength"]
    strength = table.limits_on()
    assert (np.diff(strength.expected, axis=0) > 0.0).all()
    assert strength.observed.tolist() == [point["observed"] for point in record["points"]]


@pytest.mark.parametrize(
    ("data", "simulated", "name"),
    [
        ("simulated: Asimov data", True, "Asimov data, simulated"),
        ("projection, Asimov data; no systematic errors", None, "Asimov data"),
        ("simulated: pseudo-data, fixed seed", True, "observed (simulated data)"),
        ("as in the workspace", False, "observed"),
    ],
)
def test_only_observed_counts_are_called_observed(
    data: str, simulated: bool | None, name: str
) -> None:
    record = {**scan_records.alp(), "data": data, "simulated": simulated}
    assert read_scan(record).observed_name == name


def test_the_sheet_of_asimov_data_has_no_largest_excess() -> None:
    record = {**scan_records.alp(), "data": "simulated: Asimov data", "simulated": True}
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(scan_sheet(read_scan(record), kinds=["limits"]))
    text = console.export_text()
    assert "Asimov data have no fluctuation" in text
    assert "Asimov data, simulated" in text
    assert "σ local" not in text
    assert "observed" not in text


def test_hepdata_words_of_asimov_data() -> None:
    record = {**scan_records.alp(), "data": "simulated: Asimov data", "simulated": True}
    text = "".join(submission_texts(submission(read_scan(record))).values())
    assert "value: Asimov data, simulated" in text
    assert "Observed" not in text
