"""Bayesian scans: the limits of single hypotheses, in blocks; failures as data."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from darkstats.errors import FitFailedError
from darkstats.execution.processes import InProcess, LocalProcesses
from darkstats.execution.run import run_job
from darkstats.inference.bayes import FlatInCoupling, NuisancePriors, credible_limit
from darkstats.scan import credible_blocks
from darkstats.scan.job import LIMIT_TASKS, collect_scan, limits_job
from darkstats.scan.limits import (
    base_of,
    compile_point,
    scan_point,
    scan_points,
)
from darkstats.scan.mass_hypotheses import BinnedHypotheses
from darkstats.scan.mass_scan import MassScan, ScanPoint
from darkstats.scan.settings import BayesSettings, ScanSettings
from darkstats.workspace import read_patchset

FOLDER = Path(__file__).parents[3] / "workspaces/zprime_invisible_2018"
BAYES = ScanSettings(method="bayes", cl=0.9, calculator="posterior", bayes=BayesSettings())


@pytest.fixture(scope="module")
def inputs() -> BinnedHypotheses:
    """A dozen windows from all over the mass range."""
    document = json.loads((FOLDER / "background_only.json").read_text("utf-8"))
    found = BinnedHypotheses.of_patches(document, read_patchset(FOLDER / "patchset.json"))
    return replace(found, members=found.members[::14])


def points(inputs: BinnedHypotheses, settings: ScanSettings) -> list[ScanPoint]:
    base = base_of(inputs.workspace, inputs.members)
    return scan_points(base, inputs.members, settings)


def scanned(inputs: BinnedHypotheses, settings: ScanSettings, executor: Any) -> MassScan:
    job = limits_job(inputs, settings)
    blocks = run_job(LIMIT_TASKS[job.kind], job, executor)
    return collect_scan(inputs, job, settings, [blocks[b] for b in range(job.n_blocks)])


def test_a_block_has_the_limits_of_single_hypotheses(inputs) -> None:
    """The quadrature of many windows is that of each, to its stated error."""
    base = base_of(inputs.workspace, inputs.members)
    for point, patch in zip(points(inputs, BAYES), inputs.members, strict=True):
        alone = credible_limit(compile_point(base, patch, BAYES), cl=0.9, cross_check=False)
        assert point.engine == alone.engine == "quadrature"
        assert point.observed == pytest.approx(alone.observed, rel=1e-6)
        assert point.expected == pytest.approx(alone.expected, rel=1e-4)
        assert point.model_digest == alone.model_digest


def test_best_fit_and_p_value_stay_frequentist(inputs) -> None:
    """The same numbers as beside a CLs limit, to the tolerance of fits, excess or deficit."""
    frequentist = points(inputs, ScanSettings(cl=0.9))
    signs = set()
    for bayes, other in zip(points(inputs, BAYES), frequentist, strict=True):
        for name in ("mu_hat", "p0", "significance", "signed_significance", "twice_nll"):
            here, there = getattr(bayes, name), getattr(other, name)
            assert here == pytest.approx(there, rel=1e-5, abs=2e-6), name
        signs.add(bayes.mu_hat > 0.0)
        assert bayes.fits["certified"] == bayes.fits["attempted"] >= 2
    assert signs == {True, False}


def test_priors_reach_the_limit(inputs) -> None:
    """A prior flat in the coupling, and efficiencies of another shape."""
    some = replace(inputs, members=inputs.members[:2])
    base = base_of(some.workspace, some.members)
    asked = BayesSettings(prior="coupling:2", efficiency="gamma", expected="prior-predictive")
    for point, patch in zip(points(some, replace(BAYES, bayes=asked)), some.members, strict=True):
        alone = credible_limit(
            compile_point(base, patch, BAYES),
            prior=FlatInCoupling(power=2.0),
            nuisances=NuisancePriors(efficiency="gamma"),
            expected="prior-predictive",
            cross_check=False,
        )
        assert point.observed == pytest.approx(alone.observed, rel=1e-6)
        assert point.expected == pytest.approx(alone.expected, rel=1e-4)


def test_workers_do_not_change_a_bayesian_scan(inputs) -> None:
    """One process or two: the same bits, failures and warnings included."""
    settings = replace(BAYES, hypotheses_per_block=5)
    one = scanned(inputs, settings, InProcess())
    two = scanned(inputs, settings, LocalProcesses(workers=2))
    assert one == two
    assert len(one.points) == len(inputs.members)
    assert not one.failed


def test_a_window_without_posterior_is_a_point_with_a_reason(inputs) -> None:
    """No signal, a patch that does not fit, an efficiency that cannot be normalised."""
    patches = json.loads(json.dumps(inputs.plain()["patches"][:4]))
    samples = patches[1]["patch"][0]["value"][0]["samples"]
    samples[0]["data"] = [0.0]
    patches[2]["patch"] = [{"op": "remove", "path": "/nothing"}]
    free = patches[3]["patch"][0]["value"][0]["samples"][0]["modifiers"]
    free.append({"name": "free", "type": "normfactor", "data": None})
    base = base_of(inputs.workspace, inputs.members)
    broken = BinnedHypotheses.of_plain({**inputs.plain(), "patches": patches}).members
    found = scan_points(base, broken, BAYES)
    assert [point.name for point in found] == [one.name for one in broken]
    assert [point.status for point in found] == ["ok", "failed", "failed", "failed"]
    assert "poi-no-effect" in found[1].reason
    assert "/nothing" in found[2].reason
    assert "ImproperPosteriorError" in found[3].reason
    assert all(point.observed is None and point.p0 is None for point in found[1:])
    assert found[0] == scan_point(base, broken[0], BAYES)


def test_a_limit_outlives_a_fit_that_cannot_be_certified(
    inputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then there is a limit, no p-value, and the reason."""

    def broken(null: object) -> None:
        raise FitFailedError("no minimum")

    monkeypatch.setattr(credible_blocks, "window_test", broken)
    some = replace(inputs, members=inputs.members[:1])
    (point,) = points(some, BAYES)
    assert point.status == "ok"
    assert point.observed is not None
    assert point.p0 is None
    assert point.local_reason == "no minimum"


def test_a_blind_bayesian_scan_looks_at_no_data(inputs) -> None:
    """Other counts, the same band."""
    blind = replace(BAYES, blind=True)
    here = points(inputs, blind)
    assert all(p.observed is None and p.p0 is None and p.mu_hat is None for p in here)
    other = json.loads(json.dumps(inputs.plain()))
    for patch in other["patches"]:
        for operation in patch["patch"]:
            if operation["path"] == "/observations":
                operation["value"][0]["data"] = [40.0]
    for one, two in zip(points(BinnedHypotheses.of_plain(other), blind), here, strict=True):
        assert one.expected == pytest.approx(two.expected, rel=1e-9)


def test_sensitivity_rises_with_luminosity(inputs) -> None:
    """A hundred times the data without systematic errors: a tenth of the limit or, where hardly
    any background is expected, a hundredth."""
    now = replace(BAYES, blind=True, systematics="none")
    later = replace(now, luminosity_factor=100.0)
    for a, b in zip(points(inputs, now), points(inputs, later), strict=True):
        assert b.status == "ok", b.reason
        assert 0.01 * (1.0 - 1e-6) < b.expected[2] / a.expected[2] < 0.2


def test_settings_come_back_from_json() -> None:
    """Ranges and all; other keys of a job are left out."""
    ranges = (("level", 0.0, 4.0),)
    for settings in (ScanSettings(), BAYES, replace(BAYES, bayes=BayesSettings(ranges=ranges))):
        plain = json.loads(json.dumps({**settings.plain(), "versions": {}}))
        assert ScanSettings.from_plain(plain) == settings
