"""Contours of scans: which plane, which scan, what is left out; CSV, HEPData, figure."""

from __future__ import annotations

import copy
import csv
import io
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import yaml

import scan_records
from darkstats.errors import OptionError, UnknownNameError
from darkstats.report.contour_exports import (
    contour_columns,
    contour_csv,
    contour_record,
    contour_submission,
)
from darkstats.report.contour_results import Contours
from darkstats.report.contours import exclusion_contours
from darkstats.report.hepdata import write_submission
from darkstats.report.scan_reading import read_scan
from darkstats.report.scan_table import Collision
from darkstats.report.writing import json_text
from hepdata_rules import DATA, TABLE

Record = dict[str, Any]
X, Y, DARK = "m_heavy_gev", "m_heavy2_gev", "m_dm_gev"
PLANE: dict[str, Any] = {"axes": (X, Y), "where": ("m_dm_gev=60",)}


def contours(*records: Record, names: tuple[str, ...] = (), **options: Any) -> Contours:
    tables = [read_scan(record, source=f"{record['name']}.json") for record in records]
    return exclusion_contours(
        tables, names or tuple(record["name"] for record in records), **{**PLANE, **options}
    )


def changed(record: Record, k: int, **values: Any) -> Record:
    found = copy.deepcopy(record)
    found["points"][k] |= values
    return found


def test_the_line_of_a_log_linear_limit_is_exact() -> None:
    """Where the logarithm of the limit is linear in the masses, the contour is that line."""
    found = contours(scan_records.predicted_plane(), axes=(None, None), where=())
    median = next(curve for curve in found.curves if curve.key == "expected_median")
    (piece,) = median.pieces
    heavy, light = piece.vertices.T
    assert np.abs((heavy - 600.0) / 150.0 + light / 120.0).max() < 1e-12
    ratio = scan_records.BAND[4]
    (plus2,) = found.curves[5].pieces
    shifted = (plus2.vertices[:, 0] - 600.0) / 150.0 + plus2.vertices[:, 1] / 120.0
    assert np.abs(shifted + math.log(ratio)).max() < 1e-12


def test_each_hypothesis_takes_all_its_numbers_from_the_strongest_expected_scan() -> None:
    """The region is that of the lowest median; observed and band are its own, not the lowest."""
    records = scan_records.regions("A", "B")
    records[1]["points"][4]["observed"] = 1e-3  # strong by chance: not a reason to choose it
    found = contours(*records)
    by_name = [{one["name"]: one for one in record["points"]} for record in records]
    regions = set()
    for point in found.points:
        medians = [points[point.name]["expected"][2] for points in by_name]
        assert point.region == int(np.argmin(medians))
        chosen = by_name[point.region][point.name]
        assert (point.observed, point.expected) == (chosen["observed"], tuple(chosen["expected"]))
        regions.add(point.region)
    assert regions == {0, 1}
    assert [one.chosen for one in found.regions] == [
        sum(point.region == k for point in found.points) for k in (0, 1)
    ]
    assert found.choice is not None
    assert "A, B" in found.choice
    excluded = found.curves[3].excluded or 0
    assert excluded >= max(contours(one).curves[3].excluded or 0 for one in records)


@pytest.mark.parametrize("quantity", ["mu", "cls"])
def test_scans_in_another_order_give_the_same_contours(quantity: str) -> None:
    """Neither the order of the scans nor that of the points in a record moves a vertex."""
    records = scan_records.regions("A", "B", "C")
    turned = copy.deepcopy(records)
    for record in turned:
        record["points"].reverse()
    first, second = (
        contours(*records, quantity=quantity),
        contours(*turned[::-1], quantity=quantity),
    )
    for one, two in zip(first.curves, second.curves, strict=True):
        assert (one.key, one.excluded) == (two.key, two.excluded)
        for ours, theirs in zip(one.pieces, two.pieces, strict=True):
            assert (ours.vertices == theirs.vertices).all()


def test_both_quantities_exclude_the_same_hypotheses_and_agree_about_the_line() -> None:
    """Limits and CLs answer one question at hypotheses, and nearly so between them."""
    (record,) = scan_records.regions("A")
    of_mu, of_cls = contours(record), contours(record, quantity="cls")
    assert of_mu.level == 1.0
    assert of_cls.level == pytest.approx(0.05)
    assert [c.excluded for c in of_mu.curves] == [c.excluded for c in of_cls.curves]
    assert not of_mu.warnings
    assert not of_cls.warnings
    assert "log of the upper limit" in of_mu.interpolation
    assert "log of CLs" in of_cls.interpolation
    assert "below 0.05" in of_cls.definition


def test_a_number_near_the_largest_overflows_nowhere() -> None:
    """Its logarithm is taken before the level divides it."""
    (record,) = scan_records.regions("A")
    k = next(k for k, p in enumerate(record["points"]) if p["observed"] < 0.5)
    with np.errstate(over="raise"):
        found = contours(changed(record, k, CLs_obs=1e308), quantity="cls")
    before = contours(record, quantity="cls")
    assert found.curves[0].excluded == before.curves[0].excluded - 1


def test_a_limit_and_a_cls_that_contradict_each_other_are_named() -> None:
    """A wrong number in the record, a CLs that does not fit its limit, does not pass in silence."""
    (record,) = scan_records.regions("A")
    k = next(k for k, p in enumerate(record["points"]) if p["observed"] < 0.5)
    name = record["points"][k]["name"]
    (warning,) = contours(changed(record, k, CLs_obs=0.2)).warnings
    assert name in warning
    (warning,) = contours(changed(record, k, CLs_obs=0.2), quantity="cls").warnings
    assert name in warning


def test_warnings_of_hypotheses_are_carried_on() -> None:
    """What a scan says of a hypothesis is not lost where its numbers make a contour."""
    (record,) = scan_records.regions("A")
    record["points"][2]["warnings"] = ["few events"]
    (warning,) = contours(record).warnings
    assert warning.startswith("1 of 45 hypotheses")
    assert warning.endswith(f"{record['points'][2]['name']}: few events")


def test_contours_of_a_band_do_not_cross() -> None:
    """What is excluded at +2 sigma is excluded at -2 sigma, everywhere in the plane."""
    found = contours(*scan_records.regions("A", "B"))
    assert (np.diff(found.logs[1:], axis=0) >= 0.0).all()
    counts = [curve.excluded or 0 for curve in found.curves[1:]]
    assert counts == sorted(counts, reverse=True)


@pytest.mark.parametrize(
    ("values", "quantity", "words"),
    [
        ({"status": "failed", "reason": "no minimum"}, "mu", "no minimum"),
        ({"observed": None}, "mu", "has no observed upper limit"),
        ({"expected": [0.1, 0.2, None, 0.4, 0.5]}, "mu", r"no expected \(median\) upper limit"),
        ({"expected": [0.1, 0.3, 0.2, 0.4, 0.5]}, "mu", "does not rise"),
        ({"observed": 0.0}, "mu", "which has no logarithm"),
        ({"observed": -0.4}, "mu", "which has no logarithm"),
        ({"CLs_obs": None}, "cls", "has no observed CLs"),
        ({"CLs_exp": None}, "cls", r"no expected \(−2σ\) CLs"),
        ({"CLs_obs": 0.0}, "cls", "which has no logarithm"),
        (
            {"low_counts": {"observed": 3.0, "expected": [1.0, 2.0, 3.0, 4.0, 5.0]}},
            "cls",
            "below that of no event",
        ),
    ],
)
def test_a_hypothesis_without_a_number_is_left_out_and_named(
    values: Record, quantity: str, words: str
) -> None:
    """No contour is made from a hypothesis without all numbers, and each says what it lacks."""
    (record,) = scan_records.regions("A")
    name = record["points"][6]["name"]
    found = contours(changed(record, 6, **values), quantity=quantity)
    (lost,) = found.left_out
    assert lost.name == name
    assert re.search(words, lost.reason)
    assert name not in {point.name for point in found.points}
    assert f"# left out: {name} (A)" in contour_csv(found)


def test_a_failure_in_one_of_the_scans_leaves_the_hypothesis_out() -> None:
    """Nobody knows whether the region that failed would be the strongest: none is taken."""
    records = scan_records.regions("A", "B")
    name = records[1]["points"][3]["name"]
    records[1]["points"][3] = scan_records.failed(
        {**records[1]["points"][3], "cross_section_fb": {}}
    )
    found = contours(*records)
    assert [(one.name, one.region) for one in found.left_out] == [(name, "B")]
    assert name not in {point.name for point in found.points}


def test_a_scan_that_failed_may_be_passed_over() -> None:
    """Where that is asked for, the other scans decide, and every export says at which points."""
    records = scan_records.regions("A", "B")
    name = records[1]["points"][3]["name"]
    records[1]["points"][3] |= {"status": "failed", "reason": "no minimum"}
    for record in records:
        record["points"][5] |= {"status": "failed", "reason": "no minimum"}
    found = contours(*records, failed="scan")
    (point,) = (point for point in found.points if point.name == name)
    assert found.regions[point.region].name == "A"
    assert [(one.name, one.region) for one in found.undecided] == [(name, "B")]
    assert [one.region for one in found.left_out] == ["A", "B"]
    assert any("as if it were not the strongest" in words for words in found.warnings)
    assert f"# passed over: B at {name}: no minimum" in contour_csv(found)
    (*_, entry) = contour_submission(found, Collision())["submission.yaml"]
    assert f"passed over: B at {name}" in entry["description"]
    pytest.importorskip("matplotlib")
    from darkstats.report.figures.contours import contours_figure

    (legend,) = contours_figure(found).figure.legends
    assert "passed over at 1 hypotheses" in legend.get_title().get_text()


def test_a_hypothesis_that_a_scan_does_not_have_is_named_and_taken_from_the_others() -> None:
    """Regions publish different numbers of points; where one has none the others decide."""
    records = scan_records.regions("A", "B")
    lost = records[0]["points"].pop(2)
    found = contours(*records)
    assert found.incomplete == (lost["name"],)
    assert f"# not in all scans: {lost['name']}" in contour_csv(found)
    (point,) = (point for point in found.points if point.name == lost["name"])
    assert found.regions[point.region].name == "B"


def test_low_counts_replace_limits_that_do_not_hold() -> None:
    """Where the asymptotic limit lies below that of no event at all, what holds is used."""
    (record,) = scan_records.regions("A")
    held = {"observed": 7.0, "expected": [1.0, 2.0, 3.0, 4.0, 5.0]}
    name = record["points"][0]["name"]
    found = contours(changed(record, 0, low_counts=held))
    (point,) = (point for point in found.points if point.name == name)
    assert (point.observed, point.expected) == (7.0, (1.0, 2.0, 3.0, 4.0, 5.0))


def test_blind_scans_have_expected_contours_only() -> None:
    """A blind scan has no observed contour, and says why; a mixture is refused."""
    records = scan_records.regions("A", "B")
    for point in records[0]["points"]:
        point["observed"] = None
        point["CLs_obs"] = None
    found = contours(records[0])
    assert found.curves[0].reason == "the scans are blind"
    assert found.curves[0].pieces == ()
    assert found.curves[3].pieces
    assert "observed" not in contour_columns(found)["curve"]
    with pytest.raises(OptionError, match="A has no observed numbers, B has"):
        contours(*records)


@pytest.mark.parametrize(
    ("factor", "words"), [(1e-6, "all hypotheses are excluded"), (1e6, "no hypothesis is excluded")]
)
def test_no_contour_has_its_reason(factor: float, words: str) -> None:
    """Where the contour lies outside the grid, nothing is drawn, and it is said why."""
    (record,) = scan_records.regions("A")
    for point in record["points"]:
        point["observed"] *= factor
    curve = contours(record).curves[0]
    assert curve.pieces == ()
    assert curve.reason is not None
    assert words in curve.reason
    assert words in contour_csv(contours(record))


def test_the_plane_may_be_that_of_a_difference() -> None:
    """Conditions and axes may be differences of labels; the numbers are exact."""
    (record,) = scan_records.regions("A")
    found = contours(record, axes=(X, DARK), where=(f"{Y}-{DARK}=130",))
    assert {point.values[Y] - point.values[DARK] for point in found.points} == {130.0}  # type: ignore[operator]
    turned = contours(record, axes=(X, f"{X} - {Y}"), where=("m_dm_gev=60",))
    assert turned.axes[1].column == "m_heavy_minus_m_heavy2_gev"
    assert turned.axes[1].words.unit == "GeV"
    for point in turned.points:
        assert point.place[1] == point.values[X] - point.values[Y]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"axes": (None, None), "where": ()}, "the numbers of m_heavy_gev, m_heavy2_gev, m_dm_gev"),
        ({"axes": (X, None)}, "--x and --y stand together"),
        ({"axes": (X, X)}, "axes of a plane differ"),
        ({"where": ()}, "in no one plane: m_dm_gev is 5, 60, 110, 240"),
        ({"axes": (X, DARK)}, "both lie at"),
        ({"where": ("m_dm_gev=61",)}, "m_dm_gev is, most often first, 60, "),
        ({"where": ("m_dm_gev",)}, "write LABEL=VALUE"),
        ({"where": ("m_dm_gev=nan",)}, "no hypothesis has"),
        ({"where": ("m_heavy_gev=400",)}, "points on one line|no one plane|both lie at"),
        ({"quantity": "cls", "method": "clsb"}, "interpolate mu"),
        ({"reference_cross_section_pb": 2.0}, "a unit and no prediction"),
    ],
)
def test_what_makes_no_contour_is_refused(options: Record, words: str) -> None:
    """Options that choose no plane are refused with what there is to choose from."""
    facts = {k: options.pop(k) for k in ("method", "reference_cross_section_pb") if k in options}
    (record,) = scan_records.regions("A")
    with pytest.raises(OptionError, match=words):
        contours({**record, **facts}, **options)


def test_a_predicted_cross_section_has_a_contour() -> None:
    """Said to be of a model: the contour of the same limits without it, and told."""
    (record,) = scan_records.regions("A")
    plain = contours(record)
    stated = {**record, "reference_cross_section_pb": 2.0}
    with pytest.raises(OptionError, match="--predicted"):
        contours(stated)
    found = contours(stated, predicted=True)
    assert contour_record(found)["contours"] == contour_record(plain)["contours"]
    assert "strength 1 is 2 pb, taken for the cross section that a model predicts" in str(
        contour_record(found)["warnings"]
    )
    assert contours(record, predicted=True).warnings == plain.warnings


@pytest.mark.parametrize(
    "options", [{"axes": ("m_top", Y)}, {"where": ("m_top=1",)}, {"ignored": ("m_top",)}]
)
def test_unknown_labels_are_refused(options: Record) -> None:
    """A label that the scan does not have is refused, with those that it has."""
    with pytest.raises(UnknownNameError, match="m_heavy_gev, m_heavy2_gev, m_dm_gev"):
        contours(*scan_records.regions("A"), **options)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"cl": 0.9}, "cl is 0.95 and 0.9"),
        ({"method": "clsb"}, "method is cls and clsb"),
        ({"calculator": "toys"}, "calculator is asymptotic and toys"),
        ({"labels": ["m_heavy_gev", "m_heavy2_gev", "m_x_gev"]}, "their labels are"),
        ({"name": "A"}, "tell them apart"),
    ],
)
def test_scans_that_do_not_belong_together_are_refused(facts: Record, words: str) -> None:
    """Levels, methods and labels are those of all scans, and names tell them apart."""
    one, two = scan_records.regions("A", "B")
    with pytest.raises(OptionError, match=words):
        contours(one, {**two, **facts})


def test_a_label_that_may_have_any_value_is_asked_for() -> None:
    """A number of a label that says nothing of the plane is let go with --ignore."""
    (record,) = scan_records.regions("A")
    record["labels"].append("run")
    for k, point in enumerate(record["points"]):
        point["values"].append(1000 + (37 * k) % 101)
    with pytest.raises(OptionError, match="--ignore run"):
        contours(record)
    assert contours(record, ignored=("run",)).ignored == ("run",)


def test_csv_has_a_row_for_each_vertex() -> None:
    """Names, units, ends; comments say the level, what is interpolated, and where."""
    found = contours(*scan_records.regions("A", "B"))
    text = contour_csv(found)
    head = [line for line in text.splitlines() if line.startswith("#")]
    assert any("95 % CL" in line for line in head)
    assert any("log of the upper limit" in line and "Delaunay" in line for line in head)
    assert any("simulated" in line for line in head)
    assert any("m_dm_gev=60" in line for line in head)
    body = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    rows = list(csv.DictReader(io.StringIO(body)))
    total = sum(len(piece.vertices) for curve in found.curves for piece in curve.pieces)
    assert len(rows) == total
    ends = [row for row in rows if row["edge"] == "yes"]
    opened = sum(not piece.closed for curve in found.curves for piece in curve.pieces)
    assert len(ends) == 2 * opened
    first = found.curves[0].pieces[0].vertices[0]
    assert [float(rows[0][X]), float(rows[0][Y])] == first.tolist()


def test_record_is_json_with_a_reason_for_each_null() -> None:
    """The record of the same scans has the same bytes, and says what each piece ends on."""
    scans = scan_records.regions("A", "B")
    text = json_text(contour_record(contours(*scans)))
    assert text == json_text(contour_record(contours(*copy.deepcopy(scans))))
    record = json.loads(text)
    assert record["schema"] == "darkstats.contour/1"
    assert record["simulated"] is True
    assert len(record["points"]) + len(record["left_out"]) == record["scans"][0]["in_plane"]
    names = {point["name"] for point in record["points"]}
    edges = {tuple(edge) for edge in record["edge_of_the_grid"]}
    for curve in record["contours"]:
        for piece in curve["pieces"]:
            assert len(piece["x"]) == len(piece["y"])
            for end in piece["ends"] or ():
                assert set(end) <= names
                assert tuple(end) in edges or tuple(end[::-1]) in edges


def test_each_piece_is_a_table_of_hepdata(tmp_path: Path) -> None:
    """Independent and dependent variables of equal length; qualifiers; a closed piece closes."""
    found = contours(*scan_records.regions("A", "B"))
    documents = contour_submission(found, Collision(sqrt_s_gev=13000.0, collaboration="X"))
    pieces = [
        (curve.key, k, piece) for curve in found.curves for k, piece in enumerate(curve.pieces, 1)
    ]
    assert set(documents) == {"submission.yaml", "hypotheses.yaml"} | {
        f"contour_{key}_{k}.yaml" for key, k, _ in pieces
    }
    for name, (table,) in ((n, t) for n, t in documents.items() if n != "submission.yaml"):
        jsonschema.validate(table, DATA)
        lengths = {
            len(variable["values"])
            for kind in ("independent_variables", "dependent_variables")
            for variable in table[kind]
        }
        assert len(lengths) == 1, name
    for key, k, piece in pieces:
        ((table,)) = documents[f"contour_{key}_{k}.yaml"]
        assert (
            len(table["independent_variables"][0]["values"]) == len(piece.vertices) + piece.closed
        )
        said = {q["name"]: q["value"] for q in table["dependent_variables"][0]["qualifiers"]}
        assert said["CL"] == 95.0
        assert said["DATA"] == "simulated"
    first, *entries = documents["submission.yaml"]
    assert first["comment"].startswith("Simulated.")
    for entry in entries:
        jsonschema.validate(entry, TABLE)
    assert all("Delaunay" in e["description"] for e in entries if e["name"] != "hypotheses")
    write_submission(documents, tmp_path / "hep")
    assert len(list(yaml.safe_load_all((tmp_path / "hep/submission.yaml").read_text()))) == len(
        documents
    )


def test_the_figure_says_what_it_shows() -> None:
    """Axis titles with units, level, what is interpolated, bands, simulated, what was left out."""
    pytest.importorskip("matplotlib")
    from darkstats.report.figures.contours import contours_figure

    records = scan_records.regions("A", "B")
    records[0]["points"][4]["observed"] = None
    found = contours(*records)
    drawing = contours_figure(found)
    (axes,) = drawing.figure.axes
    assert axes.get_xlabel().endswith("[GeV]")
    assert axes.get_ylabel().endswith("[GeV]")
    (legend,) = drawing.figure.legends
    words = [text.get_text() for text in legend.get_texts()]
    assert {"observed (simulated data)", "expected median", "left out: 1"} <= set(words)
    assert {"expected ± 1 σ", "expected ± 2 σ", "edge of the grid", "A", "B"} <= set(words)
    title = legend.get_title().get_text()
    assert "95 % CL" in title
    assert "log" in title
    assert "Delaunay" in title
    assert "ticks on the side that is excluded" in title
    ticked = [line.get_label() for line in axes.lines if line.get_path_effects()]
    assert ticked
    assert set(ticked) <= {"observed (simulated data)"} | {t for t in ticked if t[0] == "_"}
    assert any("simulated" in text.get_text() for text in axes.texts)
    assert any("m dm = 60 GeV" in text.get_text() for text in axes.texts)
    assert drawing.columns == contour_columns(found)


def test_differences_have_a_minus_sign_and_a_unit() -> None:
    """On axes and above them; ticks are on the median where nothing is observed."""
    pytest.importorskip("matplotlib")
    from darkstats.report.figures.contours import contours_figure

    (record,) = scan_records.regions("A")
    dark = record["labels"].index(DARK)
    for point in record["points"]:
        point["observed"] = None
        point["values"][dark] = point["values"][record["labels"].index(Y)] - 130.0
    (axes,) = contours_figure(contours(record, where=(f"{Y}-{DARK}=130",))).figure.axes
    assert any("m heavy2 − m dm = 130 GeV" in text.get_text() for text in axes.texts)
    ticked = {line.get_label() for line in axes.lines if line.get_path_effects()}
    assert ticked == {"expected median"}
    (axes,) = contours_figure(
        contours(*scan_records.regions("A"), axes=(X, f"{Y}-{DARK}"))
    ).figure.axes
    assert axes.get_ylabel() == "m heavy2 − m dm [GeV]"


@pytest.fixture
def call_contour(tmp_path: Path) -> Callable[..., Contours]:
    """Run the workflow on records on disk."""
    from darkstats import workflows as w

    def run(*records: Record, **options: Any) -> Contours:
        files = []
        for record in records:
            path = tmp_path / f"{len(files)}.json"
            path.write_text(json.dumps(record))
            files.append(f"{record['name']}={path}")
        return w.contour(w.ContourRequest(results=tuple(files), **options)).result

    return run


def test_records_on_disk_keep_their_digests(call_contour: Callable[..., Contours]) -> None:
    """The workflow reads scans by NAME=FILE, and the record names digests of their inputs."""
    found = call_contour(*scan_records.regions("A", "B"), x=X, y=Y, where=("m_dm_gev=60",))
    assert [one.inputs_sha256 for one in found.regions] == [f"{k:064x}" for k in (0, 1)]
    assert [one.name for one in found.regions] == ["A", "B"]


def test_limits_for_few_events_are_named() -> None:
    """They stand beside asymptotic ones, which a reader of the contour has to know."""
    record = scan_records.predicted_plane()
    options: dict[str, Any] = {"axes": (None, None), "where": ()}
    assert not any("few events" in said for said in contours(record, **options).warnings)
    held = {"observed": 1.0, "expected": [1.0, 1.0, 1.0, 1.0, 1.0]}
    found = contours(changed(record, 4, low_counts=held), **options)
    (said,) = [text for text in found.warnings if "few events" in text]
    assert said.startswith(f"1 of {len(record['points'])} hypotheses")
    assert record["points"][4]["name"] in said
