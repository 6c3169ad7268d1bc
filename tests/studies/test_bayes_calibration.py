"""The study of calibration sees what it is made to see."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from tests.studies import bayes_calibration as study
from tests.studies.bayes_calibration import Ranks, calibrated, coverage_of_limits, ranks
from tests.studies.bayes_calibration_models import CALIBRATION_MODELS

from darkstats.inference.bayes import NuisancePriors


def test_ranks_of_a_right_posterior_are_uniform_and_repeat() -> None:
    """800 replicas, every one in a bin; the same seed gives the same histogram."""
    found = ranks(CALIBRATION_MODELS[1], replicas=800, seed=5)
    assert found.failed == 0
    assert sum(found.counts) == 800
    assert found.p_value > 1e-3
    assert ranks(CALIBRATION_MODELS[1], replicas=800, seed=5) == found
    assert ranks(CALIBRATION_MODELS[1], replicas=800, seed=6) != found


def test_a_wrong_prior_is_seen() -> None:
    """Truths from a flat ur-prior, inferred with 1/x: backgrounds come out too low."""
    on_auxiliary = replace(CALIBRATION_MODELS[3], nuisances=NuisancePriors(ur_prior="flat"))
    few = json.loads(json.dumps(on_auxiliary.document))
    few["channels"][0]["samples"][1]["modifiers"][0]["data"] = [5.0]  # one auxiliary event
    wrong = replace(on_auxiliary, document=few)
    assert ranks(wrong, seed=5).p_value > 1e-3
    assert ranks(wrong, seed=5, inferred=NuisancePriors(ur_prior="1/x")).p_value < 1e-6


def test_laplace_and_quadrature_have_the_same_ranks() -> None:
    """Of the same truths and data, but for the error of importance sampling."""
    exact, sampled = (ranks(CALIBRATION_MODELS[k], replicas=60, seed=5) for k in (5, 6))
    assert sampled.failed == 0
    assert sampled.mean == pytest.approx(exact.mean, abs=2e-3)


def test_verdict_counts_failures_and_allows_one_repeat() -> None:
    """Flat histograms pass, others do not; lost replicas are no success."""
    flat = Ranks(
        model="m", engine="quadrature", upper=1.0, seed=1, replicas=2000, failed=0,
        counts=(100,) * 20, mean=0.5,
    )  # fmt: skip
    steep = replace(flat, counts=(150,) * 10 + (50,) * 10)
    assert flat.chi_square == 0.0
    assert flat.p_value == 1.0
    assert steep.p_value < 1e-30
    assert calibrated([flat])
    assert calibrated([steep, flat])
    assert not calibrated([steep, steep])
    assert not calibrated([replace(flat, failed=21)])
    assert not calibrated([replace(flat, failed=2000, counts=(0,) * 20, mean=None)])


def test_power_rises_with_what_is_wrong() -> None:
    """At the right width it is the level of one test."""
    assert study.power(1.0) == pytest.approx(study.FAMILY_LEVEL / 8, rel=1e-6)
    assert study.power(0.9) > 0.8
    assert study.power(0.8) > study.power(0.9)


def test_coverage_of_known_background_is_a_sum_of_poisson_terms() -> None:
    """The limit lies above the truth where the count is at least n0: a closed form."""
    from scipy import stats

    signal = 3.0
    cell = coverage_of_limits(CALIBRATION_MODELS[0], signal, toys=4000)
    # limits of n = 0, 1, 2 with b = 3 at 90 %: 2.30, 2.84, 3.52; the last one is above 3
    above = 1.0 - stats.poisson.cdf(1, 3.0 + signal)
    assert cell.coverage == pytest.approx(above, abs=4.0 * cell.error)
    assert cell.failed == 0


def test_the_command_writes_its_record(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit status 0 where all ranks are uniform, 1 where some are not; the record says which."""
    monkeypatch.setattr(study, "CALIBRATION_MODELS", CALIBRATION_MODELS[:1])
    where = tmp_path / "calibration.json"
    assert study.main(["--toys", "40", "--output", str(where)]) == 0
    record = json.loads(where.read_text("utf-8"))
    assert record["seeds"] == [1, 2]
    assert [row["calibrated"] for row in record["ranks"]] == [True]
    assert record["ranks"][0]["runs"][0]["replicas"] == 2000
    assert [cell["signal"] for cell in record["coverage"]] == list(study.SIGNALS)
    monkeypatch.setattr(study, "calibrated", lambda found: False)
    assert study.main(["--toys", "40", "--output", str(where)]) == 1
    assert len(json.loads(where.read_text("utf-8"))["ranks"][0]["runs"]) == 2
