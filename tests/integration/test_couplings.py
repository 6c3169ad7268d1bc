"""Limits on the coupling of a user's model, from the command line to sheet, record and files."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import scan_records
from darkstats import workflows as w
from darkstats.cli import run
from darkstats.errors import DocumentError
from darkstats.workflows.coupling_requests import CouplingRequest

EXAMPLES = Path(__file__).parents[2] / "workspaces/examples"
MASSES = EXAMPLES / "mass_scan"
MODEL = MASSES / "dark_vector.csv"
BASE, SETS = MASSES / "background_only.json", MASSES / "patchset.json"
FORMULA = "sigma_fb = 12.3*g**2/mass_gev**2"


def called(*words: object) -> tuple[int, str, str]:
    """Exit status, output and messages of a command."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = run([str(word) for word in words])
    return status, out.getvalue(), " ".join(err.getvalue().split())


def recorded(*words: object) -> dict[str, Any]:
    status, out, err = called(*words, "--json")
    assert status == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a scan with the example's model; its sheet is beside it."""
    folder = tmp_path_factory.mktemp("scan") / "scan"
    status, out, err = called(
        "scan", MASSES, "--cross-sections", MODEL, "-o", folder, "--workers", 1
    )
    assert status == 0, err
    folder.with_name("sheet.txt").write_text(out, "utf-8")
    return folder


def test_a_limit_has_its_coupling(tmp_path: Path) -> None:
    """The mass is that of the point; numbers are g_ref sqrt(mu), also in figure, sheet and CSV."""
    words = ("limit", BASE, "--patchset", SETS, "--point", "mass_1p8", "--cross-sections", MODEL)
    figure = tmp_path / "limit.svg"
    found = recorded(*words, "--plot", figure, "--csv")
    entry = found["couplings"]["dark_vector"]
    assert entry["observed"] == pytest.approx(0.1 * found["observed"] ** 0.5, rel=1e-12)
    for mu, g in zip(found["expected"], entry["expected"], strict=True):
        assert g == pytest.approx(0.1 * mu**0.5, rel=1e-12)
    made = 12.3 * 0.01 / 1.8**2
    assert found["cross_section_fb"]["observed"] == pytest.approx(
        made * found["observed"], rel=1e-3
    )
    rows = list(csv.DictReader(figure.with_suffix(".csv").read_text("utf-8").splitlines()))
    for row in rows:
        g, mu = float(row["coupling_dark_vector"]), float(row["mu"])
        assert g == pytest.approx(0.1 * mu**0.5)
    sheet = " ".join(called(*words)[1].split())
    assert "g_D <" in sheet
    assert "assumed not to depend on the coupling" in sheet
    record = tmp_path / "limit.json"
    record.write_text(json.dumps(found), "utf-8")
    again = tmp_path / "again.svg"
    assert called("plot", record, "-o", again)[0] == 0


def test_a_limit_needs_a_mass_and_takes_one() -> None:
    """Without the mass of the hypothesis there is no conversion; with it there is."""
    words = ("limit", EXAMPLES / "two_bins.json", "--cross-sections", FORMULA)
    status, _, err = called(*words, "--unit-signal", "g=0.1")
    assert (status, "--mass GEV" in err) == (2, True)
    status, _, err = called(*words, "--mass", 2)
    assert (status, "nothing says what signal strength 1 is" in err) == (2, True)
    found = recorded(*words, "--mass", 2, "--unit-signal", "g=0.1")
    assert found["couplings"]["g"]["observed"] == pytest.approx(0.1 * found["observed"] ** 0.5)
    assert called("limit", EXAMPLES / "two_bins.json", "--mass", 2)[0] == 2


def test_errors_of_toys_are_converted() -> None:
    """By the derivative, observed and expected."""
    found = recorded(
        "limit", EXAMPLES / "on_off.json", "--calculator", "toys", "--toys", 300, "--seed", 1,
        "--cross-sections", "sigma_fb = 3*g**4", "--unit-signal", "3 fb",
    )  # fmt: skip
    entry = found["couplings"]["g"]
    mu, error = found["observed"], found["observed_error"]
    assert error > 0.0
    assert entry["observed_error"] == pytest.approx(mu**0.25 / (4.0 * mu) * error)
    k = 2
    mu, error = found["expected"][k], found["expected_error"][k]
    assert entry["expected_error"][k] == pytest.approx(mu**0.25 / (4.0 * mu) * error)


@pytest.mark.parametrize("method", ["bayes", "fc"])
def test_other_methods_have_couplings(method: str, tmp_path: Path) -> None:
    """Credible limits and intervals, with figures; a blind limit has null with its reason."""
    words = (
        "limit", EXAMPLES / "on_off.json", "--method", method, "--toys", 200, "--seed", 1,
        "--cross-sections", "sigma_fb = 3*g**2", "--unit-signal", "g=0.5", "--plot",
        tmp_path / "a.png",
    )  # fmt: skip
    found = recorded(*words)
    entry = found["couplings"]["g"]
    assert entry["observed"] == pytest.approx(0.5 * found["observed"] ** 0.5)
    if method == "fc":
        assert entry["interval_lower"] == pytest.approx(0.5 * found["interval"]["lower"] ** 0.5)
        assert entry["expected_reason"] == found["expected_reason"]
    else:
        assert "prior" in found["conversions"][0]["assumption"]


def test_a_blind_limit_has_no_observed_coupling() -> None:
    """Null, for the reason that the limit has."""
    found = recorded(
        "limit", EXAMPLES / "two_bins.json", "--blind", "--cross-sections", "sigma_fb = g",
        "--unit-signal", "1 fb",
    )  # fmt: skip
    entry = found["couplings"]["g"]
    assert entry["observed"] is None
    assert entry["observed_reason"] == found["observed_reason"]


def test_a_scan_has_its_coupling_everywhere(scan: Path, tmp_path: Path) -> None:
    """Sheet, record, CSV, figure and HEPData; a source and a rule with them."""
    found = json.loads((scan / "scan.json").read_text("utf-8"))
    assert found["benchmarks"] == []
    said = found["conversions"][0]
    assert "log(mass)" in said["interpolation"]
    assert said["source"].endswith("dark_vector.csv")
    for point in found["points"]:
        entry = point["couplings"]["dark_vector"]
        assert entry["observed"] == pytest.approx(0.1 * point["observed"] ** 0.5, rel=1e-12)
        size = 1e-3 * 12.3e3 * 0.01 / point["values"][0] ** 2
        assert point["cross_section_fb"]["observed"] == pytest.approx(
            size * point["observed"], rel=1e-3
        )
    text = (scan / "scan.csv").read_text("utf-8")
    assert "# dark_vector: table dark_vector.csv" in text
    assert "dark_vector_expected_median" in text
    assert "g_D" in scan.with_name("sheet.txt").read_text("utf-8")
    assert called("plot", scan / "scan.json", "-o", tmp_path / "scan.svg")[0] == 0
    folder = tmp_path / "hepdata"
    assert called("export", scan / "scan.json", "--hepdata", folder)[0] == 0
    table = yaml.safe_load((folder / "limits_dark_vector.yaml").read_text("utf-8"))
    assert table["dependent_variables"][0]["header"]["name"] == "Observed upper limit on g_D"
    listed = (folder / "submission.yaml").read_text("utf-8")
    assert "assumed not to depend" in " ".join(listed.split())


def test_a_finished_scan_takes_another_model(scan: Path, tmp_path: Path) -> None:
    """Plot and export convert a record; the expression gives the numbers of its table."""
    out = tmp_path / "scan.csv"
    words = (scan / "scan.json", "--cross-sections", FORMULA)
    assert called("export", *words, "--csv", out)[0] == 0
    lines = [line for line in out.read_text("utf-8").splitlines() if not line.startswith("#")]
    for row in csv.DictReader(lines):
        assert float(row["g_observed"]) == pytest.approx(
            float(row["dark_vector_observed"]), rel=1e-3
        )
    figure = tmp_path / "g.svg"
    assert called("plot", *words, "--csv", "-o", figure)[0] == 0
    drawn = next(csv.DictReader(figure.with_suffix(".csv").read_text("utf-8").splitlines()))
    assert float(drawn["observed"]) == pytest.approx(
        json.loads((scan / "scan.json").read_text("utf-8"))["points"][0]["couplings"][
            "dark_vector"
        ]["observed"],
        rel=1e-3,
    )
    status, _, err = called("plot", scan / "scan.json", "--cross-sections", MODEL)
    assert (status, "already" in err) == (2, True)


def test_shards_make_the_record_of_the_scan(scan: Path, tmp_path: Path) -> None:
    """Merged with the model, shards give the bytes of one scan; a plan has no model."""
    job = tmp_path / "job"
    assert called("shards", "plan", MASSES, "-o", job)[0] == 0
    assert called("shards", "run", job)[0] == 0
    assert called("shards", "merge", job, "--cross-sections", MODEL)[0] == 0
    assert (job / "scan.json").read_bytes() == (scan / "scan.json").read_bytes()
    assert called("shards", "plan", MASSES, "-o", job, "--cross-sections", MODEL)[0] == 2


def test_a_bundle_with_couplings_is_verified(scan: Path, tmp_path: Path) -> None:
    """Stated couplings are found again; a changed one is not."""
    bundle, changed = tmp_path / "bundle", tmp_path / "changed.json"
    assert called("publish", MASSES, "--scan", scan, "-o", bundle)[0] == 0
    assert called("verify", bundle, "--all")[0] == 0
    record = json.loads((scan / "scan.json").read_text("utf-8"))
    record["points"][2]["couplings"]["dark_vector"]["observed"] *= 1.01
    changed.write_text(json.dumps(record), "utf-8")
    assert called("publish", MASSES, "--scan", changed, "-o", tmp_path / "other")[0] == 0
    status, out, _ = called("verify", tmp_path / "other", "--all")
    assert status == 1
    assert "/points/2/couplings/dark_vector/observed" in out.replace("\n", "").replace(" ", "")


def test_a_scan_is_refused_before_anything_is_fitted(tmp_path: Path) -> None:
    """A mass outside the table names the hypothesis; nothing is written."""
    table = tmp_path / "short.csv"
    rows = ["# unit_signal: reference", *MODEL.read_text("utf-8").splitlines()[4:7]]
    table.write_text("\n".join(rows), "utf-8")
    status, _, err = called("scan", MASSES, "--cross-sections", table, "-o", tmp_path / "scan")
    assert status == 2
    assert "no cross section at mass_gev = 1.6" in err
    assert "mass_1p6" in err
    assert not (tmp_path / "scan").exists()


def test_a_workspace_says_its_luminosity(tmp_path: Path) -> None:
    """By its sidecar, or by the option; its projection has couplings."""
    for name in ("background_only.json", "patchset.json"):
        (tmp_path / name).write_bytes((MASSES / name).read_bytes())
    words = ("project", tmp_path, "--lumi", 20, "--cross-sections", FORMULA, "--workers", 1)
    made = ("--unit-signal", "2 fb")
    status, _, err = called(*words, *made)
    assert (status, "--luminosity" in err) == (2, True)
    found = recorded(*words, *made, "--luminosity", 10)
    one = found["scans"][0]
    assert one["luminosity_ipb"] == 20e3
    point = one["points"][0]
    g = (2.0 * point["expected"][2] * point["values"][0] ** 2 / 12.3) ** 0.5
    assert point["couplings"]["g"]["expected"][2] == pytest.approx(g)
    sidecar = {
        "schema": "darkstats.meta/1", "luminosity_ipb": 1e4, "reference_cross_section_pb": 2e-3
    }  # fmt: skip
    (tmp_path / "background_only.meta.json").write_text(json.dumps(sidecar), "utf-8")
    again = recorded(*words)
    assert again["scans"][0]["points"][0]["couplings"]["g"]["expected"] == pytest.approx(
        point["couplings"]["g"]["expected"]
    )
    status, _, err = called(*words, "--luminosity", 11)
    assert (status, "says 10 fb^-1" in err) == (2, True)


def test_a_reinterpretation_has_a_coupling(tmp_path: Path) -> None:
    """--sigma says what signal strength 1 is."""
    table = tmp_path / "signal.csv"
    table.write_text("channel,bin,efficiency\nmass,15,0.1\nmass,16,0.2\n", "utf-8")
    words = ("reinterpret", BASE, "-s", table, "--missing", "keep", "--sigma", 4, "--lumi", 10)
    text = table.read_text("utf-8") + "".join(
        f"mass,{k},0\n" for k in range(30) if k not in {15, 16}
    )
    table.write_text(text, "utf-8")
    found = recorded(*words, "--cross-sections", "sigma_fb = 4*h**2")["limit"]
    assert found["couplings"]["h"]["observed"] == pytest.approx(found["observed"] ** 0.5)


def test_a_scan_in_a_plane_takes_a_table_in_two_masses(tmp_path: Path) -> None:
    """Each hypothesis has the coupling of its row; one without a triangle about it is named."""
    record = scan_records.plane(4)
    pairs = [tuple(point["values"]) for point in record["points"]]
    rows = [f"{a!r},{h!r},{1e3 * a / h!r},0.1,4" for a, h in pairs]
    head = "m_dark_photon_gev,m_dark_higgs_gev,cross_section_fb,reference_coupling,power"
    table = tmp_path / "plane.csv"
    table.write_text("\n".join([head, *rows]) + "\n")
    request = w.ExportRequest(
        result=written(tmp_path, record), csv=str(tmp_path / "out.csv"),
        couplings=CouplingRequest(cross_sections=str(table)),
    )  # fmt: skip
    limits = w.export(request).result.limits["plane"]
    order = sorted(range(len(pairs)), key=lambda k: pairs[k])
    for found, k in zip(limits.observed, order, strict=True):
        a, h = pairs[k]
        mu = record["points"][k]["observed"]
        assert found == pytest.approx(0.1 * (mu * 1e3 / (1e3 * a / h)) ** 0.25, rel=1e-12)
    table.write_text("\n".join([head, *rows[:-1]]) + "\n")
    with pytest.raises(DocumentError, match=record["points"][-1]["name"]):
        w.export(request)


def written(tmp_path: Path, record: dict[str, Any]) -> str:
    path = tmp_path / "scan.json"
    path.write_text(json.dumps(record))
    return str(path)
