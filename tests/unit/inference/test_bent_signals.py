"""The limit that no event gives, where the signal is no straight line of the parameter."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from darkstats.inference import low_counts as module
from darkstats.inference import upper_limit
from darkstats.inference.curve import ProfileCurve
from darkstats.inference.low_counts import low_counts, zero_event_limit
from darkstats.inference.test_statistics import TEST_STATISTICS
from darkstats.inference.upper_limit import asymptotic_limit
from darkstats.model.unbinned.model import UnbinnedModel
from darkstats.scan.limits import point_of_model
from darkstats.scan.settings import ScanSettings
from small_models import compiled as compiled_bins
from small_models import counting
from unbinned_models import compiled, outline

EVENTS = -math.log(0.05)  # that no event excludes at 95 %


def flat(signal: str, background: float, n: int) -> UnbinnedModel:
    """Signal ``signal`` (of ``mu``) and background of one flat shape, ``n`` events seen."""
    shape = {"type": "uniform_dist", "x": ["x"]}
    return compiled(
        outline(
            [{**shape, "name": "sig"}, {**shape, "name": "bkg"}],
            [("mu", 1.0, 0.0, 50.0)],
            yields={"sig": "nsig", "bkg": "nbkg"},
            functions=[{"name": "nsig", "type": "generic_function", "expression": signal}],
            constants=[("nbkg", background)],
            entries=[((i + 0.5) / n,) for i in range(n)],
        )
    )


def curve_of(model: Any) -> ProfileCurve:
    return ProfileCurve(model, model.observation, TEST_STATISTICS["qtilde"])


@pytest.mark.parametrize(
    ("signal", "background", "right"),
    [
        ("8*mu/(1+mu)", 0.02, EVENTS / (8.0 - EVENTS)),
        ("8*(1-exp(-mu))", 0.3, -math.log1p(-EVENTS / 8.0)),
        ("mu*mu*4", 0.02, math.sqrt(EVENTS / 4.0)),
    ],
)
def test_no_event_gives_the_closed_form(
    signal: str, background: float, right: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No event seen: ``CLs = exp(-s)``; with so little background the median is the same."""
    monkeypatch.setattr(module, "_BUDGET_S", 0.0)
    curve = curve_of(flat(signal, background, 0))
    held = low_counts(curve, asymptotic_limit(curve, cl=0.95, scan_points=0))
    assert held is not None
    assert held.floor == pytest.approx(right, rel=1e-10)
    assert held.observed_below
    assert held.expected_below[2]


@pytest.mark.parametrize(
    ("signal", "background", "right"),
    [
        ("8*(1-exp(-mu))", 0.3, -math.log1p(-EVENTS / 8.0)),
        ("mu*mu*4", 0.02, math.sqrt(EVENTS / 4.0)),
    ],
)
def test_toys_stay_where_they_are_right(
    signal: str, background: float, right: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Toys of no event agree with the closed form: nothing raises them beyond it."""
    monkeypatch.setattr(module, "_N_TOYS", (400,))
    model = flat(signal, background, 0)
    held = upper_limit(model, model.observation, scan_points=0, probe=False).low_counts
    assert held is not None
    assert held.calculator == "toys"
    assert held.observed == pytest.approx(right, abs=4.0 * held.observed_error)
    assert held.expected[2] == pytest.approx(right, abs=4.0 * held.observed_error)


def test_a_scan_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A point of a scan has the floor and the flags of the single limit."""
    monkeypatch.setattr(module, "_BUDGET_S", 0.0)
    model = flat("mu*mu*4", 0.5, 1)
    settings = ScanSettings(method="cls", cl=0.95, calculator="asymptotic")
    point = point_of_model("m", (1.0,), model, model.observation, settings)
    assert point.low_counts is not None
    assert point.low_counts["floor"] == pytest.approx(math.sqrt(EVENTS / 4.0), rel=1e-10)
    assert tuple(point.low_counts["expected_below"]) == (True, True, True, False, False)


def test_the_band_of_a_square_is_flagged(monkeypatch: pytest.MonkeyPatch) -> None:
    """One event over 0.5: the median and what lies below it are below the limit of no event."""
    monkeypatch.setattr(module, "_BUDGET_S", 0.0)
    curve = curve_of(flat("mu*mu*4", 0.5, 1))
    held = low_counts(curve, asymptotic_limit(curve, cl=0.95, scan_points=0))
    assert held is not None
    assert not held.observed_below
    assert held.expected_below == (True, True, True, False, False)


@pytest.mark.parametrize("background", [0.02, 0.5, 2.0])
@pytest.mark.parametrize(
    ("written", "strength"),
    [
        ("mu*mu", lambda x: x * x),
        ("mu*mu*mu", lambda x: x**3),
        ("(exp(mu)-1)", math.expm1),
        ("20*mu/(1+mu)", lambda x: 20.0 * x / (1.0 + x)),
        ("(mu+mu*mu)", lambda x: x + x * x),
    ],
)
def test_another_parameter_maps_floor_and_flags(
    written: str,
    strength: Callable[[float], float],
    background: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A strength that is a function of the parameter: the same floor, the same entries below."""
    monkeypatch.setattr(module, "_BUDGET_S", 0.0)
    curves = [curve_of(flat(f"2*{text}", background, 1)) for text in ("mu", written)]
    limits = [asymptotic_limit(curve, cl=0.95, scan_points=0) for curve in curves]
    line, bent = (low_counts(c, found) for c, found in zip(curves, limits, strict=True))
    assert line is not None
    assert bent is not None
    assert line.floor == pytest.approx(EVENTS / 2.0, rel=1e-12)
    assert strength(bent.floor) == pytest.approx(line.floor, rel=1e-10)
    assert bent.observed_below is line.observed_below
    assert bent.expected_below == line.expected_below
    # an entry within a thousandth of the floor, in events, is not below it in either
    for share, below in ((0.9985, True), (0.9995, False)):
        for curve, found, power in zip(curves, limits, (None, strength), strict=True):
            near = _root(power, share * EVENTS / 2.0)
            held = low_counts(curve, replace(found, observed=near, expected=(near,) * 5))
            assert (held is not None) is below


def _root(strength: Callable[[float], float] | None, value: float) -> float:
    if strength is None:
        return value
    low, high = 0.0, 50.0
    for _ in range(200):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if strength(middle) < value else (low, middle)
    return high


@pytest.mark.parametrize(
    "signal",
    ["2*mu/(1+mu)", "10*mu*exp(-mu)", "4*mu*(mu-0.5)"],
)
def test_a_signal_that_turns_back_or_ends_has_no_floor(signal: str) -> None:
    """Two events at most; a rise and a fall; a fall first."""
    curve = curve_of(flat(signal, 0.5, 0))
    assert zero_event_limit(curve, 4.0, cl=0.95) is None


def test_straight_lines_have_the_number_they_had() -> None:
    """Bit for bit the ratio of events, however far the strength at which they were counted is."""
    for scale in (1e-6, 0.37, 3.0, 1e5):
        curve = curve_of(counting(1, scale, 0.5))
        for mu in (0.1 / scale, 1.0 / scale, 77.0 / scale):
            nothing, signal = curve.model.expected_rates(np.array([[0.0], [mu]]))
            total = float((signal - nothing).sum())
            assert zero_event_limit(curve, mu, cl=0.95) == -math.log1p(-0.95) / total * mu


@pytest.mark.parametrize(
    ("low", "high", "n"), [(1.0, 5.0, 1), (6.0, 6.0, 7), (2.9, 3.1, 0), (0.0, 30.0, 0)]
)
def test_a_parameter_with_its_own_measurement_has_no_floor(low: float, high: float, n: int) -> None:
    """Its auxiliary datum excludes strengths that no event would not."""
    data = {"lo_data": [low], "hi_data": [high]}
    shift = {"name": "x", "type": "histosys", "data": data}
    samples = [{"name": "b", "data": [3.0], "modifiers": [shift]}]
    model = compiled_bins(
        {
            "version": "1.0.0",
            "channels": [{"name": "c", "samples": samples}],
            "observations": [{"name": "c", "data": [n]}],
            "measurements": [{"name": "m", "config": {"poi": "x", "parameters": []}}],
        }
    )
    curve = curve_of(model)
    assert zero_event_limit(curve, 1.0, cl=0.95) is None
    limit = upper_limit(model, model.observation, scan_points=0, probe=False)
    assert limit.low_counts is None
    assert not any("no event at all" in warning for warning in limit.warnings)
