"""Small inputs that once went wrong, through the command line, with answers computed independently.

The right answers come from likelihoods, minimisers and quadratures that share nothing with
darkstats. Each input stands for a kind of fault, whose own tests lie with the code that had it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from darkstats.cli import run

CASES = Path(__file__).parent / "cases"
Capture = pytest.CaptureFixture[str]


def command(capsys: Capture, verb: str, name: str, *words: str) -> tuple[int, dict[str, Any], str]:
    """Exit status, record and messages of a command on one of the inputs."""
    capsys.readouterr()
    status = run([verb, str(CASES / name), *words, "--json"])
    captured = capsys.readouterr()
    return status, json.loads(captured.out), " ".join(captured.err.split())


def test_a_mild_interference_has_its_limit(capsys: Capture) -> None:
    """CLs is 0.0618 at 14 and 0.0137 at 18; it was refused as not finite."""
    status, record, _ = command(capsys, "limit", "interference_mild.json")
    assert status == 0
    assert 14.0 < record["observed"] < 18.0
    for mu, cls in (("14", 0.0618), ("18", 0.0137)):
        _, tested, _ = command(capsys, "hypotest", "interference_mild.json", "--mu", mu)
        assert tested["cls"]["value"] == pytest.approx(cls, abs=1e-4)


def test_a_steep_interference_has_its_test(capsys: Capture) -> None:
    """It was an infinite statistic, from 44 fits that had failed and agreed."""
    status, record, _ = command(capsys, "hypotest", "interference_100.json", "--mu", "8")
    assert status == 0
    assert record["statistic"] == pytest.approx(62.888, abs=1e-3)
    assert record["cls"]["value"] == pytest.approx(8.2e-15, rel=0.01)
    assert record["fits"]["certified"] == record["fits"]["attempted"]


def test_a_steep_slope_has_its_significance(capsys: Capture) -> None:
    """It was Z = inf and p0 = 0, while the fit without signal was refused."""
    status, record, _ = command(capsys, "significance", "steep_exp_500.json")
    assert status == 0
    assert record["observed"] == pytest.approx(30.934, abs=1e-3)
    assert 0.0 < record["p0"]["value"] < 1e-200


@pytest.mark.parametrize("name", ["poi_init_at_zero_b_zero.json", "zero_bkg_bin_1e-120.json"])
def test_an_impossible_background_has_no_significance(capsys: Capture, name: str) -> None:
    """It was Z = 21.40, the internal floor of a rate, whether that was 1e-120 or 1e-300."""
    status, record, _ = command(capsys, "significance", name)
    assert status == 0
    assert record["observed"] is None
    assert record["p0"] is None
    assert record["expected"] == [None] * 5
    for key in ("observed_reason", "expected_reason", "p0_reason"):
        assert "channel 'A', bin 1" in record[key]


def test_events_where_a_histogram_is_empty_are_named(capsys: Capture) -> None:
    status, record, said = command(capsys, "limit", "histogram_zero_bin_with_events.json")
    assert status == 1
    assert record["kind"] == "not-certified"
    for word in ("channel 'model'", "event 3", "x = 0.285801", "density 'bkg'"):
        assert word in said


def test_a_shapefactor_of_one_bin_is_the_parameter_of_interest(capsys: Capture) -> None:
    """The linter knew it by the name of the modifier, the model by that of its component."""
    status, record, _ = command(capsys, "limit", "shapefactor_poi_onebin.json")
    assert status == 0
    assert record["observed"] == pytest.approx(4.3943, abs=1e-4)
    assert record["expected"] == pytest.approx([1.8918, 2.5685, 3.6204, 5.1353, 7.0473], abs=1e-4)
    assert record["poi"] == "mu[0]"


@pytest.mark.parametrize("verb", ["fit", "rank"])
def test_a_modifier_named_like_a_component_is_refused(
    capsys: Capture, verb: str, tmp_path: Path
) -> None:
    """It was two rows of one name, called degenerate; the remedy that is given works."""
    status, _, said = command(capsys, verb, "component_name_collision.json")
    assert status == 2
    assert "'un[0]' is also the name of a component of shapesys 'un'" in said
    renamed = tmp_path / "renamed.json"
    source = str(CASES / "component_name_collision.json")
    assert run(["rename", source, "--modifier", "un[0]=other", "-o", str(renamed)]) == 0
    capsys.readouterr()
    assert run(["fit", str(renamed), "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["parameters"]}
    assert len(rows) == 4
    errors = sorted(row["error"] for row in rows.values())
    assert errors == pytest.approx([0.16, 0.19, 0.97, 1.3], rel=0.05)


def test_no_excess_is_zero_with_p0_of_a_half(capsys: Capture) -> None:
    status, record, _ = command(capsys, "significance", "negative_mu.json")
    assert status == 0
    assert (record["observed"], record["p0"]["value"]) == (0.0, 0.5)
    for z, p0 in zip(record["expected"], record["expected_p0"], strict=True):
        assert (z == 0.0) == (p0 == 0.5)
        assert p0 <= 0.5


def test_a_limit_of_billions_is_not_called_flat(capsys: Capture) -> None:
    """The unit of the signal strength is nobody's concern."""
    status, record, said = command(capsys, "limit", "huge_limit.json")
    assert status == 0
    assert record["observed"] == pytest.approx(2.448e9, rel=1e-3)
    assert "hardly changes" not in said
    assert not any("hardly changes" in one for one in record["warnings"])


def test_a_negative_yield_of_one_sample_is_accepted(capsys: Capture) -> None:
    status, record, _ = command(capsys, "limit", "negative_sample_yield.json")
    assert status == 0
    assert record["observed"] == pytest.approx(2.536, abs=1e-3)
    (warning,) = record["workspace_warnings"]
    assert "[negative-yield]" in warning
    assert "sample 'int'" in warning


def test_an_error_of_100_per_cent_is_told_how_to_write(capsys: Capture) -> None:
    status, _, said = command(capsys, "limit", "normsys_lo_zero.json")
    assert status == 2
    assert "/channels/0/samples/1/modifiers/0/data/lo" in said
    assert "write a factor above it" in said


@pytest.mark.parametrize(("cl", "limit"), [("0.9", 8.749149), ("0.95", 13.765127)])
def test_a_posterior_with_a_long_tail(capsys: Capture, cl: str, limit: float) -> None:
    """Engines that shared their panels agreed on 9.45332 at 0.9, and on 13.407 at 0.95."""
    words = ("--method", "bayes", "--expected", "none", "--cl", cl)
    status, record, _ = command(capsys, "limit", "bayes_one_shared.json", *words)
    assert status == 0
    assert record["observed"] == pytest.approx(limit, abs=2e-6)


def test_feldman_cousins_without_an_event_has_a_short_interval(capsys: Capture) -> None:
    """It was "at least 43.3376": n = 0 and b = 3 has 0.95 in the exact construction."""
    words = ("--method", "fc", "--cl", "0.9", "--toys", "2000")
    status, record, _ = command(capsys, "limit", "fc0_3.0.json", *words)
    assert status == 0
    assert record["interval"]["lower"] == 0.0
    assert record["interval"]["upper"] == pytest.approx(0.95, abs=0.06)


def test_a_signal_that_may_vanish_is_refused_at_once(capsys: Capture) -> None:
    """It took a minute in iminuit. A pull of -1.67 takes the signal away, for 2.78 of deviance."""
    status, record, said = command(capsys, "limit", "minimal_hang.json")
    assert status == 1
    assert record["error"] == "LimitNotFoundError"
    assert "no crossing up to a signal strength of" in said


def test_tiny_errors_of_a_bin_can_be_thrown(capsys: Capture) -> None:
    """Relative errors of 1e-10 are auxiliary counts of 1e20, beyond NumPy's Poisson generator."""
    toys = ("--calculator", "toys", "--toys", "200", "--seed", "1")
    status, record, _ = command(capsys, "limit", "tiny_shapesys.json", *toys)
    assert status == 0
    _, asymptotic, _ = command(capsys, "limit", "tiny_shapesys.json")
    assert abs(record["observed"] - asymptotic["observed"]) < 4.0 * record["observed_error"]
    status, record, _ = command(capsys, "significance", "tiny_shapesys.json", *toys)
    assert status == 0
    assert record["observed"] == 0.0
    fc = ("--method", "fc", "--toys", "200", "--seed", "1")
    status, record, _ = command(capsys, "limit", "tiny_shapesys.json", *fc)
    assert status == 0
    assert record["interval"]["lower"] == 0.0
    assert 1.4 < record["interval"]["upper"] < 1.8


def test_toys_of_seven_events_find_their_fits(capsys: Capture) -> None:
    """Eight of 500 toys could not be fitted, whatever the seed; asymptotics and tests worked."""
    words = ("--data", str(CASES / "unbinned_low_counts.csv"), "--unblind")
    toys = ("--calculator", "toys", "--toys", "500", "--seed", "0")
    status, record, _ = command(capsys, "limit", "unbinned_low_counts.json", *words, *toys)
    assert status == 0
    assert record["toys"]["failed"] == 0
    assert 2.0 < record["observed"] < 4.0
    assert any("slope rests at -3, the end of the range" in one for one in record["warnings"])
