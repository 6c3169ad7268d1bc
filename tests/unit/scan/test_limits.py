"""Scans: the same numbers as single limits, failures as data, projections."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

import darkstats
from darkstats.errors import UnknownNameError
from darkstats.execution.processes import InProcess, LocalProcesses
from darkstats.execution.run import run_job
from darkstats.scan.job import LIMIT_TASKS, collect_scan, limits_job
from darkstats.scan.limits import base_of, scan_point
from darkstats.scan.mass_hypotheses import BinnedHypotheses, MassHypothesis
from darkstats.scan.mass_scan import ScanPoint
from darkstats.scan.projection import SYSTEMATICS, projected
from darkstats.scan.settings import ScanSettings
from darkstats.scan.simulation_share import uncertain_share
from darkstats.workspace import Workspace, read_patchset
from darkstats.workspace.patch import apply_patch

EXAMPLE = Path(__file__).parents[3] / "workspaces/examples/mass_scan"


@pytest.fixture(scope="module")
def inputs():
    document = json.loads((EXAMPLE / "background_only.json").read_text("utf-8"))
    return BinnedHypotheses.of_patches(document, read_patchset(EXAMPLE / "patchset.json"))


def scanned(inputs, settings, executor=None):
    job = limits_job(inputs, settings)
    blocks = run_job(LIMIT_TASKS[job.kind], job, executor or InProcess())
    return collect_scan(inputs, job, settings, [blocks[b] for b in range(job.n_blocks)])


def model_of(inputs, patch):
    document = apply_patch(inputs.workspace, list(patch.patch), source="test")
    return darkstats.compile_workspace(Workspace.from_document(document))


@pytest.mark.parametrize("method", ["cls", "clsb"])
def test_a_scan_is_what_single_limits_are(inputs, method):
    """Bit for bit: a point of a scan is one limit, one significance, one free fit."""
    scan = scanned(inputs, ScanSettings(method=method, cl=0.9))
    for point, patch in zip(scan.points, inputs.members, strict=True):
        model = model_of(inputs, patch)
        limit = darkstats.upper_limit(model, model.observation, cl=0.9, method=method, probe=False)
        assert point.observed == limit.observed
        assert point.expected == limit.expected
        found = darkstats.significance(model, model.observation)
        assert point.significance == pytest.approx(found.observed, abs=1e-5)
        assert point.p0 == pytest.approx(found.p0.value, abs=1e-6)
        free = darkstats.fit_model(
            model, model.observation, poi_lower=-math.inf, poi_upper=math.inf
        )
        assert point.mu_hat == pytest.approx(free.poi, rel=1e-5, abs=1e-7)
        assert math.copysign(1.0, point.signed_significance) == math.copysign(1.0, free.poi)


def test_blocks_and_workers_do_not_change_a_scan(inputs):
    one = scanned(inputs, ScanSettings(hypotheses_per_block=16))
    many = scanned(inputs, ScanSettings(hypotheses_per_block=1), LocalProcesses(workers=2))
    assert one.points == many.points
    assert one.inputs_digest == many.inputs_digest


def test_toys_give_limits_with_errors(inputs):
    inputs = replace(inputs, members=inputs.members[2:3])
    scan = scanned(inputs, ScanSettings(calculator="toys", n_toys=2000, seed=3))
    (point,) = scan.points
    plain = scanned(inputs, ScanSettings()).points[0]
    assert point.toys["asked"] >= 2000
    assert point.observed_error > 0.0
    assert point.observed == pytest.approx(plain.observed, rel=0.15)


def test_a_blind_scan_looks_at_no_data(inputs):
    scan = scanned(inputs, ScanSettings(blind=True))
    assert all(p.observed is None and p.p0 is None and p.mu_hat is None for p in scan.points)
    assert scan.largest is None
    document = json.loads(json.dumps(inputs.workspace))
    for observation in document["observations"]:
        observation["data"] = [10.0 * n for n in observation["data"]]
    other = replace(inputs, workspace=document)
    for one, two in zip(scanned(other, ScanSettings(blind=True)).points, scan.points, strict=True):
        # another model has another digest, so other second starts: last digits differ
        assert one.expected == pytest.approx(two.expected, rel=1e-9)


def test_what_fails_is_a_point_with_a_reason(inputs):
    """A signal that changes nothing gives no limit, and stops no other hypothesis."""
    dead = json.loads(json.dumps(inputs.plain()))
    sample = dead["patches"][1]["patch"][0]["value"]
    sample["data"] = [0.0] * len(sample["data"])
    scan = scanned(BinnedHypotheses.of_plain(dead), ScanSettings())
    assert [p.status for p in scan.points].count("failed") == 1
    assert scan.points[1].observed is None
    assert scan.points[1].reason
    assert scan.failed == (scan.points[1],)


def test_points_come_back_from_json(inputs):
    for point in scanned(inputs, ScanSettings()).points:
        assert ScanPoint.from_plain(json.loads(json.dumps(point.plain()))) == point


def test_the_largest_excess_is_found(inputs):
    scan = scanned(inputs, ScanSettings())
    assert scan.largest.significance == max(p.significance for p in scan.points)


def test_a_spectrum_that_every_patch_replaces_is_not_copied(inputs):
    document = inputs.workspace
    assert base_of(document, inputs.members) == document
    replaced = [
        MassHypothesis(
            name="p",
            values=(1.0,),
            patch=(
                {"op": "replace", "path": "/channels", "value": []},
                {"op": "replace", "path": "/observations", "value": []},
            ),
        )
    ]
    assert base_of(document, replaced)["channels"] == []
    assert base_of(document, [*replaced, *inputs.members]) == document


@pytest.mark.parametrize("systematics", sorted(SYSTEMATICS))
def test_a_projection_scales_what_it_says(inputs, systematics):
    """Counting: expected events times f; relative errors as stated."""
    document = {
        "channels": [
            {
                "name": "c",
                "samples": [
                    {
                        "name": "s",
                        "data": [2.0, 4.0],
                        "modifiers": [
                            {"name": "mu", "type": "normfactor", "data": None},
                            {"name": "n", "type": "normsys", "data": {"lo": 0.9, "hi": 1.2}},
                            {
                                "name": "h",
                                "type": "histosys",
                                "data": {"lo_data": [1.0, 4.0], "hi_data": [3.0, 4.0]},
                            },
                            {"name": "g", "type": "staterror", "data": [0.2, 0.4]},
                        ],
                    }
                ],
            }
        ],
        "observations": [{"name": "c", "data": [2.0, 4.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }
    found = projected(document, 4.0, systematics=systematics)
    sample = found["channels"][0]["samples"][0]
    assert sample["data"] == [8.0, 16.0]
    assert document["channels"][0]["samples"][0]["data"] == [2.0, 4.0]
    modifiers = {m["name"]: m["data"] for m in sample["modifiers"]}
    if systematics == "none":
        assert list(modifiers) == ["mu"]
        return
    shrink = 0.5 if systematics == "statistical" else 1.0
    assert modifiers["n"] == {"lo": 1 - 0.1 * shrink, "hi": 1 + shrink * (1.2 - 1.0)}
    assert modifiers["h"]["hi_data"][0] == pytest.approx(8.0 * (1 + 0.5 * shrink))
    assert modifiers["g"][0] / sample["data"][0] == pytest.approx(0.1 * shrink)


def test_sensitivity_grows_with_the_root_of_the_luminosity(inputs):
    """Many events, no systematic errors: the median limit falls as 1 / sqrt(f)."""
    now = scanned(inputs, ScanSettings(blind=True, systematics="none"))
    later = scanned(inputs, ScanSettings(blind=True, systematics="none", luminosity_factor=100.0))
    for a, b in zip(now.points, later.points, strict=True):
        assert b.expected[2] == pytest.approx(a.expected[2] / 10.0, rel=0.05)


def test_unknown_statements_are_refused():
    with pytest.raises(UnknownNameError, match="choose one of: same, statistical, none"):
        projected({}, 2.0, systematics="hopeful")


def test_a_patch_that_does_not_fit_is_a_failed_point(inputs):
    patch = ({"op": "remove", "path": "/nothing"},)
    odd = MassHypothesis(name="odd", values=(1,), patch=patch)
    point = scan_point(inputs.workspace, odd, ScanSettings())
    assert point.status == "failed"
    assert "/nothing" in point.reason


def two_bins(error):
    """A well-known bin, and one with hardly any background, known to ``error``."""
    background = {
        "name": "background", "data": [100.0, 0.01],
        "modifiers": [{"name": "stat", "type": "staterror", "data": [1.0, 0.01 * error]}],
    }  # fmt: skip
    signal = {
        "name": "signal", "data": [10.0, 1.0],
        "modifiers": [{"name": "mu", "type": "normfactor", "data": None}],
    }  # fmt: skip
    return {"channels": [{"name": "c", "samples": [signal, background]}]}


def test_a_share_of_the_sensitivity_is_uncertain():
    assert uncertain_share(two_bins(0.3), "mu", 1.0) == 0.0
    first = 2.0 * (110.0 * math.log1p(0.1) - 10.0)
    second = 2.0 * (1.01 * math.log1p(100.0) - 1.0)
    share = uncertain_share(two_bins(0.9), "mu", 1.0)
    assert share == pytest.approx(second / (first + second))
    assert uncertain_share(two_bins(0.9), "other", 1.0) == 0.0


@pytest.mark.parametrize("split", [0.0, 0.4, 1.0])
def test_what_smoothing_moves_together_is_an_error_of_simulation(split):
    """As ``staterror``: the sum of a window as a factor and what is left of the mode as a shape."""
    document = two_bins(0.3)
    background = document["channels"][0]["samples"][1]
    factor, change = 1.0 + 0.9 * split, 0.01 * 0.9 * (1.0 - split)
    background["modifiers"] += [
        {
            "name": "background_simulation_sum", "type": "normsys",
            "data": {"lo": 2.0 - factor, "hi": factor},
        },
        {
            "name": "background_simulation_sum", "type": "histosys",
            "data": {
                "lo_data": [100.0 + 90.0 * split, 0.01 - change],
                "hi_data": [100.0 - 90.0 * split, 0.01 + change],
            },
        },
    ]  # fmt: skip
    assert uncertain_share(document, "mu", 1.0) == uncertain_share(two_bins(0.9), "mu", 1.0)
    for modifier in background["modifiers"][1:]:
        modifier["name"] = "other_simulation_sum"  # of another process
    assert uncertain_share(document, "mu", 1.0) == 0.0


def test_a_projection_says_what_it_rests_on(inputs):
    """A background of one uncertain event: at ten times the luminosity the limit rests on it."""
    document = {
        **two_bins(0.9),
        "observations": [{"name": "c", "data": [100.0, 0.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }
    patch = MassHypothesis(name="p", values=(1.0,))
    now = scan_point(document, patch, ScanSettings(blind=True))
    later = scan_point(document, patch, ScanSettings(blind=True, luminosity_factor=10.0))
    assert not any("sensitivity" in text for text in now.warnings)
    assert any("simulate more for this luminosity" in text for text in later.warnings)


@pytest.mark.parametrize("factor", [1.0, 10.0])
def test_a_projection_without_errors_says_that_the_simulation_is_taken_as_exact(factor):
    """Leaving the errors out makes the simulated background no better known."""
    document = {
        **two_bins(0.9),
        "observations": [{"name": "c", "data": [100.0, 0.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }
    patch = MassHypothesis(name="p", values=(1.0,))
    settings = ScanSettings(blind=True, luminosity_factor=factor, systematics="none")
    (said,) = [t for t in scan_point(document, patch, settings).warnings if "sensitivity" in t]
    assert "taken as exact" in said
    assert "simulate more" in said
