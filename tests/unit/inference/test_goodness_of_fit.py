"""Goodness of fit: what counts as a bin, as a parameter, and as a datum."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2

from darkstats.inference import ToyOptions, goodness_of_fit
from darkstats.model import HistFactoryModel
from darkstats.report.provenance import Inputs
from darkstats.report.records import goodness_record
from small_models import compiled

COUNTS = [100.0, 130.0, 75.0, 104.0]


def model_document(
    modifiers: list[dict[str, Any]],
    parameters: list[dict[str, Any]] | None = None,
    empty_bins: int = 0,
) -> dict[str, Any]:
    """Four bins of 100 events (and empty ones) with a signal, and a control channel."""
    padding = [0.0] * empty_bins
    signal = {
        "name": "signal",
        "data": [1.0, 2.0, 3.0, 4.0, *padding],
        "modifiers": [{"name": "mu", "type": "normfactor", "data": None}],
    }
    background = {"name": "background", "data": [100.0] * 4 + padding, "modifiers": modifiers}
    shape = {"name": "shape", "type": "shapefactor", "data": None}
    control = {"name": "background", "data": [100.0] * 3, "modifiers": [shape]}
    return {
        "version": "1.0.0",
        "channels": [
            {"name": "signal", "samples": [signal, background]},
            {"name": "control", "samples": [control]},
        ],
        "observations": [
            {"name": "signal", "data": COUNTS + padding},
            {"name": "control", "data": [90.0, 100.0, 110.0]},
        ],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": parameters or []}}],
    }


def factor(name: str) -> dict[str, Any]:
    return {"name": name, "type": "normfactor", "data": None}


@pytest.mark.parametrize(
    ("masked", "empty", "factors", "expected"),
    [
        ((), 0, [], (7, 4)),  # the shape factor describes its own three bins
        (("control",), 0, [], (4, 1)),  # masked, it describes nothing
        (("control",), 2, [], (4, 1)),  # bins where nothing is expected test nothing
        (("control",), 0, ["k"], (4, 2)),
        (("control",), 0, ["k", "l"], (4, 2)),  # two names of one direction
    ],
)
def test_only_what_can_be_seen_counts(
    masked: tuple[str, ...], empty: int, factors: list[str], expected: tuple[int, int]
) -> None:
    """Degrees of freedom: bins in use minus independent directions among those bins."""
    model = compiled(model_document([factor(name) for name in factors], None, empty), masked)
    found = goodness_of_fit(model, model.observation)
    assert (found.n_bins, found.n_free) == expected
    assert found.degrees_of_freedom == 3 - len(factors[:1])
    assert found.p_value is not None
    assert found.p_value.value == pytest.approx(
        chi2.sf(found.statistic, found.degrees_of_freedom), rel=1e-9
    )


def test_fixed_constrained_parameters_bring_no_datum() -> None:
    """Twenty parameters that are held fixed change neither the statistic nor the toys."""
    names = [f"held{i}" for i in range(20)]
    modifiers = [
        {"name": name, "type": "normsys", "data": {"hi": 1.01, "lo": 0.99}} for name in names
    ]
    fixed = [{"name": name, "fixed": True} for name in names]
    plain = compiled(model_document([]), ("control",))
    held = compiled(model_document(modifiers, fixed), ("control",))
    toys = ToyOptions(n_toys=2000, seed=3)
    reference = goodness_of_fit(plain, plain.observation, calculator="toys", toys=toys)
    found = goodness_of_fit(held, held.observation, calculator="toys", toys=toys)
    assert found.statistic == pytest.approx(reference.statistic, abs=1e-9)
    assert found.degrees_of_freedom == reference.degrees_of_freedom == 3
    assert found.p_value is not None
    assert reference.p_value is not None
    expected = chi2.sf(found.statistic, 3)
    for p in (found.p_value, reference.p_value):
        assert abs(p.value - expected) < 5.0 * p.error


def test_a_parameter_held_off_its_auxiliary_datum_costs_nothing() -> None:
    """Held at +3, the model is that of a background larger by 1.01^3, and so is its deviance."""
    modifier = {"name": "held", "type": "normsys", "data": {"hi": 1.01, "lo": 0.99}}
    off = [{"name": "held", "fixed": True, "inits": [3.0]}]
    model = compiled(model_document([modifier], off), ("control",))
    document = model_document([])
    document["channels"][0]["samples"][1]["data"] = [100.0 * 1.01**3] * 4
    plain = compiled(document, ("control",))
    found = goodness_of_fit(model, model.observation)
    expected = goodness_of_fit(plain, plain.observation)
    assert found.statistic == pytest.approx(expected.statistic, rel=1e-9)


def _far(bounds: list[float], held: bool = False) -> HistFactoryModel:
    """A background that grows by a tenth a unit, with a starting value where it is infinite."""
    grows = {"name": "grows", "type": "normsys", "data": {"lo": 0.9, "hi": 1.1}}
    far = {"name": "grows", "inits": [1e6], "bounds": [bounds], "fixed": held}
    return compiled(model_document([grows], [far]))


def test_rates_that_overflow_at_the_starting_values_cost_nothing() -> None:
    """The constraint says where to start: the answer is that of any other starting value."""
    model = _far([-1e300, 1e300])
    assert not np.isfinite(model.expected_rates(model.inits)).all()
    grows = {"name": "grows", "type": "normsys", "data": {"lo": 0.9, "hi": 1.1}}
    usual = compiled(model_document([grows]))
    found = goodness_of_fit(model, model.observation)
    expected = goodness_of_fit(usual, usual.observation)
    assert found.p_value is not None
    assert expected.p_value is not None
    assert found.statistic == pytest.approx(expected.statistic, abs=1e-9)
    assert found.p_value.value == pytest.approx(expected.p_value.value, rel=1e-9)


@pytest.mark.parametrize(("bounds", "held"), [([9e5, 1e300], False), ([-1e300, 1e300], True)])
def test_rates_that_overflow_everywhere_are_told_without_a_warning(
    bounds: list[float], held: bool
) -> None:
    """No number, but the reason, in the record as well."""
    model = _far(bounds, held)
    found = goodness_of_fit(model, model.observation)
    assert (found.statistic, found.p_value) == (None, None)
    assert "finite expected rate" in (found.p_value_reason or "")
    record = goodness_record(
        found, Inputs(source="far.json", workspace_sha256="a" * 64, canonical_sha256="b" * 64)
    )
    assert record["mu_hat"] is None
    assert record["mu_hat_reason"] == found.p_value_reason
    assert (found.n_bins, found.n_free) == (7, 3)  # bins without a rate tell no direction
