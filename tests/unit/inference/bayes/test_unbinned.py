"""Posteriors of unbinned models: closed forms, the binned engines, and blinding."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from darkstats.errors import ImproperPosteriorError, OptionError, PriorError
from darkstats.inference.bayes import (
    Flat,
    NuisancePriors,
    bayes_limits,
    credible_limit,
    inference_data,
    posterior_draws,
)
from darkstats.inference.p_values import ToyOptions
from darkstats.model import InterpolationCodes, compile_workspace
from darkstats.model.unbinned.model import UnbinnedModel
from darkstats.workspace import Workspace
from unbinned_models import bump, compiled, outline, thrown

FLAT = {"name": "flat", "type": "uniform_dist", "x": ["x"]}
ERRORS = {"efficiency": 0.2, "level": 0.1}


def flat_signal(s: float, b: float) -> UnbinnedModel:
    """Signal and background of the same flat shape: only the number of events matters."""
    return compiled(
        outline(
            [FLAT, {**FLAT, "name": "background"}],
            [("mu", 1.0, 0.0, 50.0)],
            yields={"flat": "signal_yield", "background": "b"},
            functions=[
                {
                    "name": "signal_yield",
                    "type": "generic_function",
                    "expression": f"mu * {s}",
                }
            ],
            constants=[("b", b)],
        )
    )


def stepped() -> tuple[UnbinnedModel, Any]:
    """Densities that are constant in four bins: events lose nothing when they are counted.

    Both with log-normal errors of 20 % on the signal and 10 % on the background.
    """
    signal, background = [1.0, 6.0, 3.0, 0.5], [8.0, 6.0, 5.0, 4.0]
    edges = [0.0, 0.25, 0.5, 0.75, 1.0]

    def histogram(name: str, contents: list[float]) -> dict[str, Any]:
        axes = [{"name": "x", "edges": edges}]
        return {
            "name": name,
            "type": "histogram_dist",
            "data": {"type": "binned", "axes": axes, "contents": contents},
        }

    def scaled(name: str, total: float, error: str, poi: str = "1") -> dict[str, Any]:
        exponent = f"{math.log1p(ERRORS[error]):.17g} * {error}"
        return {
            "name": name,
            "type": "generic_function",
            "expression": f"{poi} * {total} * exp({exponent})",
        }

    constraints = [
        {"name": f"of_{e}", "type": "gaussian_dist", "x": f"aux_{e}", "mean": e, "sigma": 1.0}
        for e in ERRORS
    ]
    events = compiled(
        outline(
            [histogram("sig", signal), histogram("bkg", background), *constraints],
            [("mu", 1.0, 0.0, 20.0), *((e, 0.0, -5.0, 5.0) for e in ERRORS)],
            yields={"sig": "n_sig", "bkg": "n_bkg"},
            functions=[
                scaled("n_sig", sum(signal), "efficiency", "mu"),
                scaled("n_bkg", sum(background), "level"),
            ],
            constants=[(f"aux_{e}", 0.0) for e in ERRORS],
            constraints=[c["name"] for c in constraints],
        )
    )

    def sample(name: str, data: list[float], error: str) -> dict[str, Any]:
        factor = 1.0 + ERRORS[error]
        modifiers: list[dict[str, Any]] = [
            {"name": error, "type": "normsys", "data": {"hi": factor, "lo": 1.0 / factor}}
        ]
        if name == "signal":
            modifiers.append({"name": "mu", "type": "normfactor", "data": None})
        return {"name": name, "data": data, "modifiers": modifiers}

    workspace = Workspace.from_document(
        {
            "channels": [
                {
                    "name": "window",
                    "samples": [
                        sample("signal", signal, "efficiency"),
                        sample("background", background, "level"),
                    ],
                }
            ],
            "observations": [{"name": "window", "data": [7.0, 9.0, 5.0, 3.0]}],
            "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
            "version": "1.0.0",
        }
    )
    binned = compile_workspace(
        workspace, interpolation=InterpolationCodes.parse("normsys=code1,histosys=code4p")
    )
    counts = binned.observation.counts.astype(int)
    x = np.concatenate(
        [
            np.linspace(a + 0.01, b - 0.01, n)
            for a, b, n in zip(edges, edges[1:], counts, strict=False)
        ]
    )
    return replace(events, observation=events.observe([x[None, :]])), binned


def limit_of_counts(n: int, s: float, b: float, cl: float) -> float:
    """The closed form for a flat prior: P(Gamma(n + 1) > s mu + b) over its value at mu = 0."""

    def tail(x: float) -> float:
        return sum(math.exp(-x + k * math.log(x) - math.lgamma(k + 1)) for k in range(n + 1))

    low, high = 0.0, 100.0
    for _ in range(200):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if tail(s * middle + b) / tail(b) > 1.0 - cl else (low, middle)
    return 0.5 * (low + high)


@pytest.mark.parametrize("n", [0, 1, 7])
def test_without_a_shape_the_limit_is_that_of_the_number_of_events(n: int) -> None:
    """S. Helene, NIM 212 (1983) 319: the quadrature reproduces the closed form to 1e-5."""
    model = flat_signal(2.0, 3.0)
    data = model.observe([np.linspace(0.1, 0.9, n)[None, :]])
    found = credible_limit(model, data, cl=0.9, expected="none")
    assert found.engine == "quadrature"
    assert found.observed == pytest.approx(limit_of_counts(n, 2.0, 3.0, 0.9), rel=1e-5)


def test_events_and_counts_have_the_same_posterior() -> None:
    """Where densities are steps, unbinned and binned posteriors are one, engine by engine."""
    events, binned = stepped()
    for engine, tolerance in (("quadrature", 1e-5), ("laplace", 1e-3)):
        a, b = (
            credible_limit(model, cl=0.9, engine=engine, expected="none")
            for model in (events, binned)
        )
        assert a.observed == pytest.approx(b.observed, rel=tolerance)
        assert a.summary is not None
        assert b.summary is not None
        assert a.summary.mean == pytest.approx(b.summary.mean, rel=10.0 * tolerance)


def test_the_expected_band_is_that_of_counts() -> None:
    """Toys of events, thrown at the fit without signal: the same quantiles within their errors."""
    events, binned = stepped()
    toys = ToyOptions(n_toys=400, seed=3)
    for how in ("conditional-mle", "prior-predictive"):
        a, b = (
            credible_limit(model, cl=0.9, toys=toys, expected=how) for model in (events, binned)
        )
        for mine, other, da, db in zip(
            a.expected, b.expected, a.expected_error, b.expected_error, strict=True
        ):
            assert mine is not None
            assert other is not None
            assert abs(mine - other) < 5.0 * math.hypot(da, db) + 0.02 * other


def test_the_sampler_agrees() -> None:
    """NUTS on events, within four of its stated errors; its draws can be had."""
    events, _ = stepped()
    exact = credible_limit(events, cl=0.9, expected="none")
    drawn = credible_limit(events, cl=0.9, engine="nuts", expected="none")
    assert exact.observed is not None
    assert drawn.observed is not None
    assert abs(drawn.observed - exact.observed) < 4.0 * drawn.observed_error
    draws = posterior_draws(events, draws=500, seed=1)
    assert draws.parameters.shape[-1] == events.n_parameters
    with pytest.raises(OptionError, match="no bins"):
        inference_data(draws)


def test_a_free_shape_and_a_free_yield() -> None:
    """A peak of constrained width on an exponential: the limit is near the frequentist one."""
    model = compiled(bump())
    point = np.array(model.inits)
    point[model.require_poi()] = 0.0
    data = thrown(model, point, seed=2)
    found = credible_limit(model, data, cl=0.95, expected="none")
    from darkstats.inference import upper_limit

    other = upper_limit(model, data, cl=0.95, method="cls", probe=False, scan_points=0)
    assert found.observed == pytest.approx(other.observed, rel=0.05)
    assert {m.name for m in found.nuisances} == {"nb", "c", "alpha"}
    assert found.predictive is None
    assert "no bins" in str(found.predictive_reason)


def test_blind_limits_look_at_no_event() -> None:
    """Expected values only, and the same whatever the events are."""
    events, _ = stepped()
    other = replace(events, observation=events.observe([np.empty((1, 0))]))
    toys = ToyOptions(n_toys=100, seed=3)
    a, b = (credible_limit(m, cl=0.9, toys=toys, blind=True) for m in (events, other))
    assert a.observed is None
    assert a.expected == b.expected
    assert all(value is not None for value in a.expected)


def test_binned_and_unbinned_models_go_in_one_batch() -> None:
    """Each gets the limit that it has by itself."""
    events, binned = stepped()
    together = bayes_limits([events, binned], cl=0.9, expected="none")
    alone = [credible_limit(model, cl=0.9, expected="none") for model in (events, binned)]
    assert [limit.observed for limit in together] == [limit.observed for limit in alone]


def test_what_makes_no_posterior_is_refused() -> None:
    """Other shapes of an efficiency than the document states, and a free factor on the signal."""
    events, _ = stepped()
    with pytest.raises(PriorError, match="acts in an expression"):
        credible_limit(events, nuisances=NuisancePriors(efficiency="gamma"), expected="none")
    document = outline(
        [FLAT, {**FLAT, "name": "background"}],
        [("mu", 1.0, 0.0, 50.0), ("k", 1.0, 0.0, 5.0)],
        yields={"flat": "signal_yield", "background": "b"},
        functions=[
            {"name": "signal_yield", "type": "generic_function", "expression": "mu * k * 2"}
        ],
        constants=[("b", 3.0)],
    )
    with pytest.raises(ImproperPosteriorError, match="multiplies the signal"):
        credible_limit(compiled(document), expected="none", prior=Flat())
