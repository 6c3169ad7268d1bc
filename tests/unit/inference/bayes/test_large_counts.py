"""Many events: the posterior is a thin, curved sheet, and its limit the easy case."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy import integrate, optimize, special

from credible_oracle import Factor, OneBin
from darkstats import credible_limit
from darkstats.errors import NotCertifiedError
from darkstats.inference.bayes import NutsOptions
from darkstats.inference.bayes.joint import JointDensity
from darkstats.inference.bayes.laplace.approximation import laplace_posteriors
from darkstats.inference.bayes.laplace.from_nodes import LaplaceOptions
from darkstats.inference.bayes.laplace.importance import proposal
from darkstats.inference.bayes.laplace.ridges import Ridges, ridge_weights
from darkstats.inference.bayes.nuisances import NuisancePriors
from darkstats.inference.bayes.nuts.straightened import straightened
from darkstats.inference.bayes.priors import Flat
from darkstats.inference.bayes.problem import PosteriorProblem, Ranges, gaussian_at
from darkstats.inference.bayes.quadrature import few_nuisances as grid


def either(width: float) -> Factor:
    return "normsys", 1.0 - width, 1.0 + width


#: A dimuon recoil window of 0.28 /fb at 50 /ab: 160,000 events whose number is known to 24 %.
RECOIL = OneBin(
    observed=161_289.2,
    signal=97_612.0,
    background=161_289.2,
    common=(either(0.06), either(0.04), either(0.04), either(0.015)),
    on_signal=(either(0.125), ("normsys", 0.987351, 1.01265)),
    on_background=(either(0.02), either(0.22), ("gauss", 0.0319, 0.0)),
)
MILLION = OneBin(
    observed=1e6, signal=1e5, background=1e6, on_background=(either(0.03), either(0.02))
)
#: A recoil window of a lepton-flavour-violating search at 50 /ab, and one of 1 /ab whose background
#: is known to 100 %.
FALLING = OneBin(
    observed=24_283.0,
    signal=5e5,
    background=24_283.514_492_753_624,
    common=(either(0.015),),
    on_background=(
        *(either(0.01), either(0.04), either(0.04), either(0.02), either(0.22)),
        ("gauss", 0.083_101_197_359, 0.0),
    ),
)
UNKNOWN = OneBin(observed=3.0, signal=1e4, background=2.8562, on_background=(("gauss", 1.0, 0.0),))


def problem(one: OneBin) -> PosteriorProblem:
    model = one.model()
    return PosteriorProblem.of(
        model,
        NuisancePriors().resolve(model),
        Flat().bind(model),
        counts=model.observation.counts,
    )


@pytest.mark.parametrize(
    ("one", "brute_force", "stiff"),
    # `OneBin.limit` of each takes seconds: `test_brute_force_is_what_it_was` makes them again
    # no mode is found where FALLING is looked at beyond its end: twice as far, a pull of 33
    [(RECOIL, 0.64686, 1), (MILLION, 0.582792, 0), (FALLING, 0.01747269, 1)],
    ids=["recoil", "million", "falling"],
)
def test_laplace_is_right_where_events_are_many(
    one: OneBin, brute_force: float, stiff: int
) -> None:
    here = problem(one)
    (found,) = laplace_posteriors(here, here.density.model.observation.counts, cl=0.9)
    assert found.problem is None
    assert found.stiff == stiff
    assert found.effective > 300.0
    assert found.limit is not None
    assert abs(found.limit - brute_force) <= 3.0 * found.error
    assert found.error < 2e-3 * brute_force


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("one", "was"), [(RECOIL, 0.64686), (MILLION, 0.582792), (FALLING, 0.01747269)]
)
def test_brute_force_is_what_it_was(one: OneBin, was: float) -> None:
    assert one.limit() == pytest.approx(was, rel=2e-5)


def test_brute_force_cuts_a_gaussian_factor_at_zero() -> None:
    """Its mass below zero was counted at zero, which made a limit 0.06 % too small."""
    factor = np.linspace(0.0, 9.0, 90_001)
    weight = np.exp(-0.5 * (factor - 1.0) ** 2)
    background = UNKNOWN.background * factor

    def beyond(mu: float) -> float:
        rate = UNKNOWN.signal * mu + background
        return float(integrate.trapezoid(weight * special.gammaincc(4.0, rate), factor))

    limit = optimize.brentq(lambda mu: beyond(mu) - 0.1 * beyond(0.0), 0.0, 1e-2, xtol=1e-14)
    found, error = UNKNOWN.limit_and_error()
    assert found == pytest.approx(limit, rel=1e-6)
    assert error < 1e-6 * limit


def test_weights_of_a_ridge_do_not_depend_on_the_directions() -> None:
    """Whatever is called stiff, the mean weight is the same integral; so is a Gaussian one."""
    one = OneBin(
        observed=2000.0,
        signal=100.0,
        background=2000.0,
        common=(either(0.01),),
        on_background=(either(0.05), either(0.02)),
    )
    here = problem(one)
    counts = here.density.model.observation.counts[np.newaxis]
    _, lanes = gaussian_at(here, counts, np.array([[0.0, 1.0, 3.0]]))
    thrown = proposal(here.density.n, 2048, replicates=8, seed=1, digest=64 * "a")
    ridges = Ridges.of(lanes.factor[0])
    means = []
    for stiff in (1, 2):
        weights = ridge_weights(here, counts, lanes, thrown, Ridges(ridges.basis, stiff))
        means.append(np.log(np.exp(weights).mean(axis=(1, 2))))
    np.testing.assert_allclose(means[0], means[1], atol=5e-3)


def test_a_ridge_that_is_thrown_too_few_points_is_refused() -> None:
    here = problem(RECOIL)
    strict = LaplaceOptions(least_effective=1e5, nodes=9)
    (found,) = laplace_posteriors(
        here, here.density.model.observation.counts, cl=0.9, options=strict
    )
    assert found.problem is not None
    assert "effective size" in str(found.problem)


#: The background is known to 5 % where a million events tell it to 0.1 %: brute force 8.668612.
SHEET = OneBin(
    observed=1e6, signal=1e4, background=0.99e6, on_background=(("normsys", 0.95, 1.05),)
)
#: Two uncertainties of 25 % compensate each other along a curve of some 50 of its widths.
CURVED = OneBin(
    observed=1e6,
    signal=1e4,
    background=0.99e6,
    common=(either(0.02),),
    on_background=(("normsys", 0.75, 1.3), ("normsys", 0.8, 1.3)),
)


def test_chains_follow_a_thin_sheet_in_few_steps() -> None:
    """The reference engine answers in seconds, five leapfrog steps a draw."""
    few = NutsOptions(enough_steps=1)
    found = credible_limit(SHEET.model(), engine="nuts", expected="none", nuts=few)
    (answer,) = found.answers
    assert found.observed is not None
    assert abs(found.observed - 8.668612) <= 3.0 * found.observed_error
    assert answer.diagnostics["leapfrog_steps"] < 10.0


def test_chains_that_would_need_too_many_steps_give_up_in_their_warm_up() -> None:
    few = NutsOptions(most_steps=400_000)
    with pytest.raises(NotCertifiedError, match="of the warm-up: trajectories take") as caught:
        credible_limit(CURVED.model(), engine="nuts", expected="none", nuts=few)
    said = re.search(r"given up after (\d+) leapfrog steps", str(caught.value))
    assert said is not None
    assert int(said.group(1)) < 200_000


def test_straightened_coordinates_have_the_same_density_and_its_gradient() -> None:
    here = problem(SHEET)
    counts = here.density.model.observation.counts
    span = Ranges.of(here, counts[np.newaxis])
    made = straightened(
        here,
        counts,
        (float(span.low[0]), float(span.high[0])),
        rng=np.random.default_rng(1),
        points=40,
    )
    assert made is not None
    bent, points = made
    plain = JointDensity(bent.density, bent.prior, bent.strength, bent.counts)
    assert bent.value(points) == pytest.approx(plain.value(bent.bent(points)), rel=1e-14)
    value, gradient = bent.with_gradient(points)
    assert np.ptp(value) < 40.0  # they follow the sheet
    for i in range(points.shape[1]):
        step = np.zeros(points.shape[1])
        step[i] = 1e-5
        slope = (bent.value(points + step) - bent.value(points - step)) / 2e-5
        assert gradient[:, i] == pytest.approx(slope, rel=2e-3, abs=2e-3)


def test_a_grid_declines_at_once_where_its_steps_step_over_the_posterior(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No sum over a grid is made, which would take seconds and not settle."""
    made = []
    monkeypatch.setattr(grid, "_log_sums", lambda *_: made.append(1))
    one = OneBin(
        observed=1e6, signal=1e4, background=0.99e6, on_background=(either(0.05), either(0.03))
    )
    here = problem(one)
    found = grid.grid_posterior(here, here.density.model.observation.counts, cl=0.9)
    assert isinstance(found.problem, NotCertifiedError)
    assert "times as narrow as the steps" in str(found.problem)
    assert not made
