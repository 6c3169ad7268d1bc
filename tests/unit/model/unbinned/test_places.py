"""Where data are impossible, and where a range holds a fit back, is said by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from darkstats.errors import DocumentError, FitFailedError
from darkstats.fit import fit
from darkstats.inference import significance, upper_limit
from small_models import on_off
from unbinned_models import Item, compiled, outline

GAP = [0.05, 0.31, 0.8]  # the second event lies where no background is expected
EXPRESSIONS = {
    "generic": {"type": "generic_dist", "expression": "(x - 0.31)**2"},
    "polynomial": {"type": "polynomial_dist", "x": "x", "coefficients": [0.0, 1.0]},
    "bernstein": {"type": "bernstein_poly_dist", "x": "x", "coefficients": [0.0, 0.0, 1.0]},
    "histogram": {
        "type": "histogram_dist",
        "data": {
            "axes": [{"name": "x", "min": 0.0, "max": 1.0, "nbins": 4}],
            "contents": [10.0, 0.0, 5.0, 8.0],
        },
    },
    "axes beside the data": {
        "type": "histogram_dist",
        "axes": [{"name": "x", "min": 0.0, "max": 1.0, "nbins": 4}],
        "data": {"contents": [10.0, 0.0, 5.0, 8.0]},
    },
}


def zero_at_an_event(background: dict[str, Any], events: list[float], **changes: Any) -> Item:
    return outline(
        [
            {"name": "sig", "type": "gaussian_dist", "x": "x", "mean": 0.5, "sigma": 0.05},
            {"name": "the_bkg", **background},
        ],
        [("mu", 1.0, 0.0, 20.0), ("nb", 100.0, 0.0, 1000.0)],
        yields={"sig": "nsig", "the_bkg": "nb"},
        functions=[{"name": "nsig", "type": "generic_function", "expression": "10 * mu"}],
        entries=[(x,) for x in events],
        **changes,
    )


@pytest.mark.parametrize("kind", EXPRESSIONS)
def test_refusals_name_channel_density_and_event(kind: str) -> None:
    """Whatever makes the density zero, and from whichever verb the question comes."""
    events = [0.05, 0.0, 0.8] if kind in {"bernstein", "polynomial"} else GAP
    model = compiled(zero_at_an_event(EXPRESSIONS[kind], events))
    for verb in (
        lambda: fit(model, model.observation, poi_value=0.0),
        lambda: upper_limit(model, model.observation, probe=False, scan_points=0),
    ):
        with pytest.raises(FitFailedError) as caught:
            verb()
        said = str(caught.value)
        assert "channel 'model'" in said
        assert "event 1" in said
        assert f"x = {events[1]:g}" in said
        assert "the density 'the_bkg' is zero and 'sig' has no events" in said


def test_a_significance_that_the_background_forbids_is_null_with_the_place() -> None:
    """Neither an error nor an internal floor: no Z, no p0, and the event by name."""
    model = compiled(zero_at_an_event(EXPRESSIONS["histogram"], GAP))
    found = significance(model, model.observation)
    assert found.observed is None
    assert found.p0 is None
    for word in ("channel 'model'", "event 1", "x = 0.31", "'the_bkg' is zero"):
        assert word in str(found.observed_reason)


def test_axes_of_a_histogram_stand_in_one_place() -> None:
    """Beside the data they mean the same; two that differ are refused."""
    inside = compiled(zero_at_an_event(EXPRESSIONS["histogram"], GAP))
    beside = compiled(zero_at_an_event(EXPRESSIONS["axes beside the data"], GAP))
    at = np.array([0.5, 50.0])
    np.testing.assert_array_equal(inside.expected_rates(at), beside.expected_rates(at))
    other = [{"name": "x", "min": 0.0, "max": 2.0, "nbins": 4}]
    with pytest.raises(DocumentError, match="axes of its own"):
        compiled(zero_at_an_event({**EXPRESSIONS["histogram"], "axes": other}, GAP))


def narrow(upper: float, n: int, mu: float = 20.0) -> Item:
    document = zero_at_an_event(
        {"type": "uniform_dist", "x": ["x"]}, np.linspace(0.001, 0.999, n).tolist()
    )
    axes = document["domains"][0]["axes"]
    axes[0]["max"], axes[1]["max"] = mu, upper
    start = document["parameter_points"][0]["parameters"]
    start[0]["value"], start[1]["value"] = 0.5 * mu, 0.5 * upper
    return document


def test_a_yield_at_its_bound_is_said_by_every_verb() -> None:
    """A background limited to 50 for 400 events; nothing is said where it is free."""
    held, free = compiled(narrow(50.0, 400)), compiled(narrow(5000.0, 400))
    words = "nb rests at 50, the end of the range that the workspace declares"
    for model, expected in ((held, True), (free, False)):
        data = model.observation
        for found in (
            fit(model, data),
            upper_limit(model, data, probe=False, scan_points=0),
            significance(model, data),
        ):
            assert any(words in text for text in found.warnings) == expected


def test_a_binned_level_at_its_bound_is_said() -> None:
    """The level of an on/off model is declared up to 1000: 5000 events in the off region."""
    for off, expected in ((5000.0, True), (500.0, False)):
        model = on_off(700.0, off, 1.0)
        said = fit(model, model.observation).warnings
        assert any("level rests at 1000" in text for text in said) == expected


def test_a_strength_far_outside_the_declared_range_is_said() -> None:
    """A range that ends at 0.5 is far exceeded by the limit, one that ends at 20 is not."""
    for end, expected in ((0.5, True), (20.0, False)):
        model = compiled(narrow(5000.0, 400, end))
        limit = upper_limit(model, model.observation, probe=False, scan_points=0)
        assert limit.observed is not None
        assert (limit.observed > 2.0 * end) == expected
        assert any("lies far outside [0, " in text for text in limit.warnings) == expected
