"""Limits on unbinned models from the command line: data, blinding, records, refusals."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darkstats.cli import run
from darkstats.workspace.hs3 import write_hs3
from darkstats.workspace.hs3.event_files import write_events
from unbinned_models import bump, compiled


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    """The bump with two analyses, the second at another place, and labels."""
    document = bump()
    document["misc"] = {
        "darkstats": {
            "reference_cross_section_pb": 0.5,
            "points": {"analysis": {"mass_gev": 0.5}},
        }
    }
    write_hs3(document, tmp_path / "unbinned.json")
    return tmp_path / "unbinned.json"


@pytest.fixture
def events() -> np.ndarray:
    """One background-only toy."""
    model = compiled(bump())
    point = model.inits
    point[model.require_poi()] = 0.0
    lanes, _ = model.throw(point, np.random.default_rng(1), 1)
    x, weights = lanes.channels[0].events_of(0)
    return x[0][weights > 0.0]


def ask(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    """Exit status and record of a command."""
    status = run([*arguments, "--json"])
    printed = capsys.readouterr().out
    return status, json.loads(printed) if printed.strip().startswith("{") else {}


def no_nan(value: object) -> bool:
    """Whether a record holds finite numbers only."""
    if isinstance(value, dict):
        return all(no_nan(v) for v in value.values())
    if isinstance(value, list):
        return all(no_nan(v) for v in value)
    return not isinstance(value, float) or math.isfinite(value)


def test_simulated_events_are_opened(
    model_file: Path, events: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Marked as simulated, the data give an observed limit, and the record says what they are."""
    write_events(tmp_path / "e.npz", {"x": events}, {"simulated": True})
    status, record = ask(["limit", str(model_file), "--data", str(tmp_path / "e.npz")], capsys)
    assert status == 0
    assert record["schema"] == "darkstats.limit/1"
    assert record["observed"] == pytest.approx(0.459088, rel=1e-4)
    assert record["observed"] < record["expected"][4]
    assert record["provenance"]["blind"] is False
    assert record["provenance"]["workspace"]["simulated"] is True
    unbinned = record["unbinned"]
    assert unbinned["analysis"] == "analysis"
    assert unbinned["values"] == {"mass_gev": 0.5}
    assert unbinned["reference_cross_section_pb"] == 0.5
    assert unbinned["channels"][0]["events"] == len(events)
    assert no_nan(record)
    # the same fields as a binned limit
    binned = Path("workspaces/examples/two_bins.json")
    _, other = ask(["limit", str(Path(__file__).parents[2] / binned)], capsys)
    missing = {k for k in other if not k.endswith("_reason")} - set(record)
    assert missing == set()


def test_other_events_stay_closed_until_asked_for(
    model_file: Path, events: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Events that nobody calls simulated give expected values only; --unblind opens them."""
    np.savez(tmp_path / "e.npz", x=events)
    command = ["limit", str(model_file), "--data", str(tmp_path / "e.npz")]
    status, closed = ask(command, capsys)
    assert status == 0
    assert closed["observed"] is None
    assert "blinded" in closed["observed_reason"]
    assert closed["unbinned"]["channels"][0]["events"] is None
    assert any("stay closed" in note for note in closed["workspace_warnings"])
    assert closed["mu_hat"] is None
    opened = ask([*command, "--unblind"], capsys)[1]
    assert opened["observed"] == pytest.approx(0.459088, rel=1e-4)
    said = ask([*command, "--simulated"], capsys)[1]
    assert said["observed"] == opened["observed"]
    # nothing about the data leaks into the expected values
    np.savez(tmp_path / "e.npz", x=events[: len(events) // 2])
    assert ask(command, capsys)[1]["expected"] == closed["expected"]


def test_without_data_the_limit_is_the_expected_one(
    model_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No data: expected values, and a note that says how to give some."""
    status, record = ask(["limit", str(model_file)], capsys)
    assert status == 0
    assert record["observed"] is None
    assert record["expected"][2] == pytest.approx(0.566592, rel=1e-4)
    assert any("--data" in note for note in record["workspace_warnings"])


def test_events_outside_are_left_out_and_counted(
    model_file: Path, events: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Events of other windows change nothing but a note."""
    write_events(tmp_path / "a.npz", {"x": events}, {"simulated": True})
    more = np.concatenate([events, [-1.0, 2.0]])
    write_events(tmp_path / "b.npz", {"x": more}, {"simulated": True})
    a, b = (
        ask(["limit", str(model_file), "--data", str(tmp_path / name)], capsys)[1]
        for name in ("a.npz", "b.npz")
    )
    assert a["observed"] == b["observed"]
    assert any(f"2 of {len(more)} events" in note for note in b["workspace_warnings"])


def test_an_empty_file_is_flagged(
    model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No event at all is an observation, with a note; every number is finite or null."""
    write_events(tmp_path / "e.npz", {"x": np.empty(0)}, {"simulated": True})
    status, record = ask(["limit", str(model_file), "--data", str(tmp_path / "e.npz")], capsys)
    assert status == 0
    assert any("no event" in note for note in record["workspace_warnings"])
    assert no_nan(record)
    # with no background left, 3 events are excluded at 95 %
    assert record["observed"] * 50.0 == pytest.approx(-2.0 * math.log(0.05) / 2.0, rel=0.4)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"y": [0.5]}, "has no column x"),
        ({"x": [0.5, math.nan]}, "has nan in row 1"),
        ({"x": [0.5], "weight": [2.0]}, "weights that are not 1"),
        ({"x": [5.0, 6.0]}, "none of 2 events lies in the range"),
    ],
)
def test_bad_data_exit_with_two(
    columns: dict[str, list[float]],
    message: str,
    model_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Bad input is said in one sentence, closed or open."""
    write_events(
        tmp_path / "e.npz", {k: np.array(v) for k, v in columns.items()}, {"simulated": True}
    )
    assert run(["limit", str(model_file), "--data", str(tmp_path / "e.npz")]) == 2
    assert message in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--patchset", "p.json", "--point", "a"], "--patchset goes with HistFactory"),
        (["--interpolation", "normsys=code1,histosys=code0"], "--interpolation goes with"),
        (["--mask", "model"], "--mask goes with"),
        (["--point", "nothing"], "unknown analysis"),
        (["--point", "0.5", "--measurement", "analysis"], "both choose the analysis"),
        (["--poi", "nothing"], "unknown parameter of interest"),
        (["--referee", "pyhf", "--data", "DATA"], "needs a HistFactory workspace"),
        (["--method", "fc"], "needs data"),
        (["--engine", "other"], "unknown engine"),
    ],
)
def test_options_that_mean_nothing_here(
    options: list[str],
    message: str,
    model_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Options of the other kind of model are refused, not ignored."""
    write_events(tmp_path / "e.npz", {"x": np.linspace(0.0, 1.0, 99)}, {"simulated": True})
    chosen = [str(tmp_path / "e.npz") if o == "DATA" else o for o in options]
    assert run(["limit", str(model_file), *chosen]) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_points_are_chosen_by_mass(model_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``--point 0.5`` is the analysis of that mass."""
    by_mass = ask(["limit", str(model_file), "--point", "0.5"], capsys)[1]
    by_name = ask(["limit", str(model_file), "--measurement", "analysis"], capsys)[1]
    assert by_mass["expected"] == by_name["expected"]


def test_the_other_verbs_work_too(
    model_file: Path, events: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tests, significances, fits, rankings and scans take the same file and data."""
    write_events(tmp_path / "e.npz", {"x": events}, {"simulated": True})
    data = ["--data", str(tmp_path / "e.npz")]
    status, test = ask(["hypotest", str(model_file), *data, "--mu", "0.5"], capsys)
    assert status == 0
    assert 0.02 < test["CLs_obs"] < 0.06
    status, excess = ask(["significance", str(model_file), *data], capsys)
    assert status == 0
    assert 0.0 <= excess["observed"] < 1.0
    status, best = ask(["fit", str(model_file), *data], capsys)
    assert status == 0
    assert {"mu", "nb", "c", "alpha"} == {one["name"] for one in best["parameters"]}
    for verb in ("rank", "scan-poi"):
        status, record = ask([verb, str(model_file), *data], capsys)
        assert status == 0
        assert no_nan(record)
    assert run(["gof", str(model_file), *data]) == 2
    assert "no saturated model" in " ".join(capsys.readouterr().err.split())


def test_toys_agree_with_the_asymptotic_test(
    model_file: Path, events: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where there are many events, both calculators give one CLs, within the toys' error."""
    write_events(tmp_path / "e.npz", {"x": events}, {"simulated": True})
    command = ["hypotest", str(model_file), "--data", str(tmp_path / "e.npz"), "--mu", "0.4"]
    asymptotic = ask(command, capsys)[1]
    toys = ask([*command, "--calculator", "toys", "--toys", "2000"], capsys)[1]
    assert toys["toys"]["failed"] == 0
    difference = toys["CLs_obs"] - asymptotic["CLs_obs"]
    assert abs(difference) < 4.0 * toys["cls"]["error"]


def test_an_hs3_document_from_standard_tools_is_told_from_a_workspace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A document that says it is HS3 and is not usable is refused as HS3, with the place."""
    document = bump()
    document["likelihoods"] = []
    (tmp_path / "bad.json").write_text(json.dumps(document), "utf-8")
    assert run(["limit", str(tmp_path / "bad.json")]) == 2
    assert "has no likelihoods" in " ".join(capsys.readouterr().err.split())


def test_damaged_gzip_exits_with_two(
    model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A gzipped document is read; a damaged one, and one that inflates without end, are refused."""
    packed = gzip.compress(model_file.read_bytes(), mtime=0)
    path = tmp_path / "model.json.gz"
    path.write_bytes(packed)
    assert run(["limit", str(path)]) == 0
    damaged = bytearray(packed)
    damaged[60] ^= 0xFF
    damaged[61] ^= 0xFF
    for data in (bytes(damaged), gzip.compress(bytes(80_000_000), mtime=0)):
        path.write_bytes(data)
        capsys.readouterr()
        assert run(["limit", str(path)]) == 2
        assert "model.json.gz" in capsys.readouterr().err


def with_control_region(folder: Path, *, simulated: bool) -> Path:
    """The bump beside a binned channel whose contents stand in the document."""
    document = bump()
    axes = [{"name": "y", "edges": [0.0, 1.0, 2.0]}]
    shape = {"axes": axes, "contents": [2.0, 1.0]}
    document["distributions"] += [
        {"name": "level", "type": "histogram_dist", "data": shape},
        {"name": "CR", "type": "mixture_dist", "summands": ["level"], "coefficients": ["n_control"],
         "extended": True},
    ]  # fmt: skip
    document["data"].append({"name": "dCR", "type": "binned", "axes": axes, "contents": [77, 41]})
    document["likelihoods"][0]["distributions"].append("CR")
    document["likelihoods"][0]["data"].append("dCR")
    document["domains"][0]["axes"].append({"name": "n_control", "min": 0.0, "max": 500.0})
    document["parameter_points"][0]["parameters"].append({"name": "n_control", "value": 100.0})
    document["misc"] = {"darkstats": {"simulated": simulated}}
    write_hs3(document, folder / "control.json")
    return folder / "control.json"


@pytest.mark.parametrize("simulated", [False, True])
def test_measured_counts_beside_simulated_events_stay_closed(
    tmp_path: Path, events: np.ndarray, capsys: pytest.CaptureFixture[str], simulated: bool
) -> None:
    """A file of simulated events says nothing of the contents that the document itself holds."""
    model = with_control_region(tmp_path, simulated=simulated)
    write_events(tmp_path / "e.npz", {"x": events}, {"simulated": True})
    status, found = ask(["limit", str(model), "--data", str(tmp_path / "e.npz")], capsys)
    assert status == 0
    assert (found["observed"] is not None) == simulated
    control = found["unbinned"]["channels"][1]
    assert control["events"] == (118.0 if simulated else None)


@pytest.mark.parametrize("simulated", [False, True])
def test_no_events_are_not_zero_events(
    tmp_path: Path, model_file: Path, capsys: pytest.CaptureFixture[str], simulated: bool
) -> None:
    """--unblind without events is refused; counts beside them do not open what is not there."""
    assert run(["limit", str(model_file), "--unblind"]) == 2
    assert "no events were given for" in capsys.readouterr().err
    model = with_control_region(tmp_path, simulated=simulated)
    status, found = ask(["limit", str(model)], capsys)
    assert status == 0
    assert found["observed"] is None
