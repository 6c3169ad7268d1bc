"""CSV and HEPData tables of a scan: every number, nothing invented, valid by the rules."""

from __future__ import annotations

import csv
import io
import math
import re
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import yaml

import scan_records
from darkstats.errors import OptionError
from darkstats.report.hepdata import submission, write_submission
from darkstats.report.scan_exports import scan_csv
from darkstats.report.scan_reading import read_scan
from darkstats.report.scan_table import Collision, ScanTable
from hepdata_rules import DATA, TABLE


def problems(folder: Path) -> list[str]:
    """What a submission breaks: schema, lengths, errors that are all zero, duplicates, files."""
    found: list[str] = []
    head, *tables = yaml.safe_load_all((folder / "submission.yaml").read_text("utf-8"))
    if set(head) != {"comment"} or not isinstance(head["comment"], str):
        found.append("the first document is no comment")
    for table in tables:
        found += [e.message for e in jsonschema.Draft7Validator(TABLE).iter_errors(table)]
        for keyword in table["keywords"]:
            if keyword["name"] == "cmenergies":
                found += [str(v) for v in keyword["values"] if not isinstance(v, float)]
    for key in ("name", "data_file"):
        values = [table[key] for table in tables]
        if len(set(values)) < len(values):
            found.append(f"{key} twice")
    listed = {table["data_file"] for table in tables}
    if listed != {path.name for path in folder.iterdir()} - {"submission.yaml"}:
        found.append("files and tables differ")
    for name in listed:
        data = yaml.safe_load((folder / name).read_text("utf-8"))
        found += [e.message for e in jsonschema.Draft7Validator(DATA).iter_errors(data)]
        variables = data["independent_variables"] + data["dependent_variables"]
        if len({len(variable["values"]) for variable in variables}) != 1:
            found.append(f"{name}: columns of different length")
        for variable in data["dependent_variables"]:
            for value in variable["values"]:
                errors = value.get("errors", ())
                ends = [e for error in errors for e in error.get("asymerror", {}).values()]
                if ends and not any(ends):
                    found.append(f"{name}: errors are all zero")
        text = (folder / name).read_text("utf-8")
        found += re.findall(r"\.nan|\.inf|!!\S+|[&*]id\d+", text)
    return found


def table(**options: Any) -> ScanTable:
    return read_scan(scan_records.alp(**options))


RECORDS = {
    "alp": scan_records.alp,
    "alp with failures": lambda: scan_records.alp(without=(0, 7)),
    "zprime": scan_records.zprime,
    "low counts": scan_records.low_counts,
    "plane": lambda: scan_records.plane(without=(3,)),
}


@pytest.mark.parametrize("name", RECORDS)
def test_submissions_obey_the_rules_of_hepdata(tmp_path: Path, name: str) -> None:
    """Schema, equal lengths, no zero errors, unique names, and no number that is none."""
    folder = tmp_path / "submission"
    write_submission(
        submission(read_scan(RECORDS[name]()), collision=Collision(sqrt_s_gev=10.583)), folder
    )
    assert problems(folder) == []


def test_the_rules_catch_what_is_wrong(tmp_path: Path) -> None:
    """The check of the test before can fail, in each of its parts."""
    folder = tmp_path / "submission"
    documents = submission(table(), collision=Collision(sqrt_s_gev=10.583))
    data = documents["limits_alp_photon.yaml"][0]
    data["dependent_variables"][0]["values"].pop()
    data["dependent_variables"][1]["values"][0]["errors"][0] = {"label": "1 s.d."}
    documents["submission.yaml"][1]["name"] = documents["submission.yaml"][2]["name"]
    documents["submission.yaml"][2]["keywords"][0]["name"] = "colours"
    write_submission(documents, folder)
    found = " ".join(problems(folder))
    for words in ("columns of different length", "is not valid under", "name twice", "'colours'"):
        assert words in found


def test_hepdata_tables_hold_the_numbers_of_the_record() -> None:
    """Masses, observed and expected limits, and the band as labelled errors, to six digits."""
    record = scan_records.alp(without=(7,))
    documents = submission(read_scan(record), collision=Collision(sqrt_s_gev=10.583))
    data = documents["limits_alp_photon.yaml"][0]
    (mass,) = data["independent_variables"]
    assert mass["header"] == {"name": "m_a", "units": "GeV"}
    observed, expected = data["dependent_variables"]
    assert observed["header"]["units"] == "1/GeV"
    for k, point in enumerate(record["points"]):
        value = point["couplings"]["alp_photon"]
        assert mass["values"][k]["value"] == pytest.approx(point["values"][0], rel=1e-5)
        if k == 7:
            assert observed["values"][k] == {"value": "-"}
            assert expected["values"][k] == {"value": "-"}
            continue
        assert observed["values"][k]["value"] == pytest.approx(value["observed"], rel=1e-5)
        row = expected["values"][k]
        assert row["value"] == pytest.approx(value["expected"][2], rel=1e-5)
        for error, (low, high) in zip(row["errors"], ((1, 3), (0, 4)), strict=True):
            ends = error["asymerror"]
            assert row["value"] + ends["minus"] == pytest.approx(value["expected"][low], rel=1e-5)
            assert row["value"] + ends["plus"] == pytest.approx(value["expected"][high], rel=1e-5)
    assert [error["label"] for error in expected["values"][0]["errors"]] == ["1 s.d.", "2 s.d."]


def test_qualifiers_say_how_and_on_what() -> None:
    """Energy, luminosity, level, method, and that the data are simulated."""
    documents = submission(
        table(), collision=Collision(sqrt_s_gev=10.583), notes={"alp_photon": "a note"}
    )
    qualifiers = documents["limits_alp_photon.yaml"][0]["dependent_variables"][0]["qualifiers"]
    assert qualifiers == [
        {"name": "SQRT(S)", "units": "GeV", "value": 10.583},
        {"name": "LUMINOSITY", "units": "pb^-1", "value": 445.0},
        {"name": "CL", "units": "%", "value": 95.0},
        {"name": "METHOD", "value": "CLs, asymptotic"},
        {"name": "DATA", "value": "simulated"},
    ]
    head, _, _, coupling, _ = documents["submission.yaml"]
    assert head["comment"].startswith("Simulated.")
    assert "Conversion: a note." in coupling["description"]
    bayes = read_scan({**scan_records.alp(), "method": "bayes"})
    found = submission(bayes)["limits_alp_photon.yaml"][0]["dependent_variables"][0]["qualifiers"]
    assert {"name": "CREDIBILITY", "units": "%", "value": 95.0} in found


def test_failures_are_counted_in_the_description() -> None:
    """A dash has a reason."""
    documents = submission(table(without=(0, 7)))
    for entry in documents["submission.yaml"][1:]:
        assert "2 of 60 hypotheses have no certified result" in entry["description"]


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    """A submission may be written again; nothing else in a folder is mixed with it."""
    documents = submission(table())
    folder = tmp_path / "submission"
    write_submission(documents, folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    write_submission(documents, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    (folder / "thesis.tex").write_text("precious")
    with pytest.raises(OptionError, match=r"holds other files \(thesis\.tex\)"):
        write_submission(documents, folder)
    with pytest.raises(OptionError, match="cannot write"):
        write_submission(documents, tmp_path / "no" / "such" / "folder")


def test_csv_has_every_number_of_the_record() -> None:
    """One row a hypothesis; empty cells and a reason where there is no result."""
    record = scan_records.alp(without=(7,))
    text = scan_csv(read_scan(record))
    head = [line for line in text.splitlines() if line.startswith("#")]
    assert head[1] == "# data: simulated: pseudo-data, fixed seed"
    assert head[2] == "# upper limits at 95 % CL, cls, asymptotic"
    rows = list(csv.DictReader(io.StringIO("\n".join(text.splitlines()[len(head) :]))))
    assert len(rows) == 60
    names = ("minus2", "minus1", "median", "plus1", "plus2")
    for row, point in zip(rows, record["points"], strict=True):
        assert float(row["m_a_gev"]) == point["values"][0]
        if point["status"] == "failed":
            assert row["reason"] == scan_records.FAILURE
            assert row["p0"] == row["signal_strength_observed"] == ""
            continue
        assert float(row["p0"]) == point["p0"]
        assert float(row["signal_strength_observed"]) == point["observed"]
        coupling = point["couplings"]["alp_photon"]
        for k, name in enumerate(names):
            assert float(row[f"signal_strength_expected_{name}"]) == point["expected"][k]
            assert float(row[f"alp_photon_per_gev_expected_{name}"]) == coupling["expected"][k]
            fb = point["cross_section_fb"]["expected"][k]
            assert float(row[f"cross_section_fb_expected_{name}"]) == fb
    assert "nan" not in text.split("hypothesis,")[1]


def test_csv_of_a_plane_has_both_masses_and_labels_stay() -> None:
    """Masses and what else tells hypotheses apart are columns."""
    rows = scan_csv(read_scan(scan_records.plane())).splitlines()
    header = next(line for line in rows if line.startswith("hypothesis"))
    assert header.startswith("hypothesis,m_dark_photon_gev,m_dark_higgs_gev,status")
    zprime = scan_csv(read_scan(scan_records.zprime()))
    assert "hypothesis,m_zprime_gev,shifted,status" in zprime
    assert math.isclose(np.mean([float(r.split(",")[2]) for r in zprime.splitlines()[5:]]), 0.5)
