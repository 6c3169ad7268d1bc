"""Counting experiments whose credible limits are known in closed form, or by brute force."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import integrate, optimize, special, stats

from bayes_models import NORMAL, answer, code4, mixture_limit, normsys, panels, window
from darkstats.errors import PriorError
from darkstats.inference.bayes import credible_limit
from darkstats.inference.bayes.nuisances import NuisancePriors
from darkstats.inference.bayes.priors import Custom, Flat, FlatInCoupling, LogFlat, Tabulated
from small_models import compiled, counting, on_off

COUNTS = (0, 1, 5)
EXACT = 1e-9  # known background: a finite sum
CLOSE = 1e-6  # the tolerance that is promised


def known_background(n: int, background: float, cl: float) -> float:
    """Helene's formula: a ratio of incomplete gamma functions (O. Helene, NIM 212 (1983) 319)."""

    def left(s: float) -> float:
        above = special.gammaincc(n + 1, s + background) / special.gammaincc(n + 1, background)
        return float(above - (1.0 - cl))

    return float(optimize.brentq(left, 0.0, 200.0, xtol=1e-13))


@pytest.mark.parametrize("n", COUNTS)
@pytest.mark.parametrize("background", [0.0, 0.5, 3.0, 12.0])
@pytest.mark.parametrize("cl", [0.5, 0.9, 0.95, 0.999])
def test_known_background(n: int, background: float, cl: float) -> None:
    """Flat prior, background known: the formula of Helene."""
    found = answer(counting(float(n), 2.0, background), cl=cl)
    assert found.limit == pytest.approx(known_background(n, background, cl) / 2.0, rel=EXACT)
    assert found.error <= 1e-6 * found.limit


@pytest.mark.parametrize("background", [0.0, 1.7])
def test_no_event_means_2p303_events(background: float) -> None:
    """With no event seen the limit is -log(1 - cl), whatever the background."""
    found = answer(counting(0.0, 1.0, background))
    assert found.limit == pytest.approx(-math.log(0.1), rel=1e-10)


@pytest.mark.parametrize("n", COUNTS)
@pytest.mark.parametrize("relative", [0.1, 0.3, 1.0])
@pytest.mark.parametrize("ur_prior", ["1/x", "flat"])
def test_gamma_background(n: int, relative: float, ur_prior: str) -> None:
    """Poisson constraint: a gamma prior of the background; the mixture is a finite sum."""
    background, tau = 3.0, relative**-2
    shape = tau + (1.0 if ur_prior == "flat" else 0.0)
    rate = tau / background  # of the background itself

    def left_over(s: float) -> float:
        """Integral from s of sum_j Pois(n-j; s') NB(j): each term an incomplete gamma function."""
        total = 0.0
        for j in range(n + 1):
            log_nb = (
                special.gammaln(shape + j)
                - special.gammaln(shape)
                - special.gammaln(j + 1)
                + shape * math.log(rate / (rate + 1.0))
                - j * math.log(rate + 1.0)
            )
            total += math.exp(log_nb) * special.gammaincc(n - j + 1, s)
        return total

    limit = optimize.brentq(lambda s: left_over(s) / left_over(0.0) - 0.1, 0.0, 100.0, xtol=1e-13)
    model = counting(float(n), 1.0, background, relative * background)
    found = answer(model, nuisances=NuisancePriors(ur_prior=ur_prior))
    assert found.limit == pytest.approx(limit, rel=CLOSE)


@pytest.mark.parametrize("n", COUNTS)
@pytest.mark.parametrize("width", [0.05, 0.22, 0.5])
def test_log_normal_background(n: int, width: float) -> None:
    """A normsys with a Gaussian constraint: log-normal, up to the polynomial of code4."""
    alpha, weight = panels(NORMAL)
    limit = mixture_limit(n, 3.0 * code4(alpha, width), weight * stats.norm.pdf(alpha))
    found = answer(window(float(n), on_background=[normsys("u", width)]))
    assert found.limit == pytest.approx(limit, rel=CLOSE)


@pytest.mark.parametrize("n", COUNTS)
@pytest.mark.parametrize("width", [0.16, 0.3, 0.6, 1.0])
def test_log_normal_efficiency(n: int, width: float) -> None:
    """Uncertain efficiency, log-normal."""
    alpha, weight = panels(NORMAL)
    limit = mixture_limit(n, 3.0, weight * stats.norm.pdf(alpha), efficiency=code4(alpha, width))
    found = answer(window(float(n), on_signal=[normsys("eff", width)]))
    assert found.limit == pytest.approx(limit, rel=CLOSE)


@pytest.mark.parametrize("n", COUNTS)
@pytest.mark.parametrize("width", [0.1, 0.3, 0.5])
def test_gamma_efficiency(n: int, width: float) -> None:
    """On request the factor on the signal is gamma: mean 1, and the stated width."""
    s, weight = panels([1e-5, 1e-3, 0.1, 0.3, 0.6, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0])
    weight = weight * stats.gamma.pdf(s, width**-2, scale=width**2)
    limit = mixture_limit(n, 3.0, weight, efficiency=s)
    efficiency = normsys("eff", width, 1.0 - width)
    found = answer(
        window(float(n), on_signal=[efficiency]), nuisances=NuisancePriors(efficiency="gamma")
    )
    assert found.limit == pytest.approx(limit, rel=CLOSE)


@pytest.mark.parametrize("n", COUNTS)
@pytest.mark.parametrize("relative", [0.1, 0.5, 1.0])
def test_truncated_normal_background(n: int, relative: float) -> None:
    """A staterror of the background alone: a normal distribution, cut at zero."""
    modifier = {"name": "stat", "type": "staterror", "data": [3.0 * relative]}
    x, weight = panels(list(np.linspace(max(0.0, 1.0 - 9.0 * relative), 1.0 + 9.0 * relative, 9)))
    limit = mixture_limit(n, 3.0 * x, weight * stats.norm.pdf(x, 1.0, relative))
    found = answer(window(float(n), on_background=[modifier]))
    assert found.limit == pytest.approx(limit, rel=CLOSE)


@pytest.mark.parametrize(
    ("n_on", "n_off", "tau"), [(0, 0, 1.0), (0, 3, 4.0), (5, 9, 2.0), (10, 5, 0.5)]
)
def test_on_off(n_on: int, n_off: int, tau: float) -> None:
    """The on/off problem with flat priors: the free background integrates to a finite sum.

    p(n_on, n_off | s) is the sum over j of Pois(n_on - j; s) times a negative binomial in j.
    """

    def left_over(s: float) -> float:
        total = 0.0
        for j in range(n_on + 1):
            log_weight = (
                special.gammaln(n_off + j + 1)
                - special.gammaln(n_off + 1)
                - special.gammaln(j + 1)
                - (n_off + j + 1) * math.log(1.0 + tau)
                + n_off * math.log(tau)
            )
            total += math.exp(log_weight) * special.gammaincc(n_on - j + 1, s)
        return total

    limit = optimize.brentq(lambda s: left_over(s) / left_over(0.0) - 0.1, 0.0, 100.0, xtol=1e-13)
    found = answer(on_off(float(n_on), float(n_off), tau))
    assert found.limit == pytest.approx(limit, rel=1e-9)


def test_a_common_efficiency_and_others_together() -> None:
    """Efficiency of signal and background, two of the signal, one of the background."""
    alpha, weight = panels([-7.0, -1.0, 1.0, 7.0], 11)
    weight = weight * stats.norm.pdf(alpha)
    keep = weight > 1e-12
    alpha, weight = alpha[keep], weight[keep]
    common, eff, second, bkg = np.ix_(
        code4(alpha, 0.1), code4(alpha, 0.12), code4(alpha, 0.05), code4(alpha, 0.22)
    )
    product = np.prod(np.broadcast_arrays(*np.ix_(weight, weight, weight, weight)), axis=0)
    limit = mixture_limit(4, common * 2.5 * bkg, product, efficiency=2.0 * common * eff * second)
    model = window(
        4.0,
        signal=2.0,
        background=2.5,
        on_signal=[normsys("common", 0.1), normsys("eff", 0.12), normsys("second", 0.05)],
        on_background=[normsys("common", 0.1), normsys("bkg", 0.22)],
    )
    assert answer(model).limit == pytest.approx(limit, rel=CLOSE)


def brute_prior(n: int, background: float, log_density, top: float, bottom: float = 0.0) -> float:
    def area(upper: float) -> float:
        return integrate.quad(
            lambda v: (
                stats.poisson.pmf(n, v * v + background) * math.exp(log_density(v * v)) * 2.0 * v
            ),
            math.sqrt(bottom) if bottom else 1e-12,
            math.sqrt(upper),
            epsabs=0.0,
            epsrel=1e-11,
            limit=400,
        )[0]

    whole = area(top)
    return float(optimize.brentq(lambda u: area(u) / whole - 0.9, bottom + 1e-3, top, xtol=1e-12))


@pytest.mark.parametrize("n", COUNTS)
def test_flat_in_the_coupling(n: int) -> None:
    """mu = (g/g0)^2: a flat prior in g gives what integrating over g itself gives."""
    g0, background = 2e-3, 1.5

    def area(upper: float) -> float:
        return integrate.quad(
            lambda g: stats.poisson.pmf(n, g * g + background), 0.0, upper, epsabs=0.0, epsrel=1e-12
        )[0]

    whole = area(12.0)
    g_limit = g0 * optimize.brentq(lambda g: area(g) / whole - 0.9, 0.01, 12.0, xtol=1e-13)
    prior = FlatInCoupling(power=2.0, reference=g0)
    found = answer(counting(float(n), 1.0, background), prior=prior)
    assert prior.coupling(found.limit) == pytest.approx(g_limit, rel=1e-8)
    flat = answer(counting(float(n), 1.0, background))
    assert prior.coupling(flat.limit) > 1.05 * g_limit  # a relabelled axis would be another answer


@pytest.mark.parametrize("n", COUNTS)
def test_log_flat_and_tabulated(n: int) -> None:
    """Priors with edges and kinks, against adaptive quadrature."""
    log_flat = LogFlat(lower=0.05, upper=80.0)
    limit = brute_prior(n, 1.5, lambda s: -math.log(s), 80.0, 0.05)
    found = answer(counting(float(n), 1.0, 1.5), prior=log_flat)
    assert found.limit == pytest.approx(limit, rel=1e-8)
    table = Tabulated(mu=(0.0, 2.0, 4.0, 9.0), density=(1.0, 3.0, 1.0, 0.0))

    def area(upper: float) -> float:
        knots = [k for k in (0.0, 2.0, 4.0, 9.0) if k < upper] + [upper]
        return sum(
            integrate.quad(
                lambda s: stats.poisson.pmf(n, s + 1.5) * np.interp(s, table.mu, table.density),
                a,
                b,
            )[0]
            for a, b in itertools.pairwise(knots)
        )

    limit = optimize.brentq(lambda u: area(u) / area(9.0) - 0.9, 0.01, 9.0, xtol=1e-12)
    found = answer(counting(float(n), 1.0, 1.5), prior=table)
    assert found.limit == pytest.approx(limit, rel=1e-8)


def test_a_custom_prior_equals_the_built_in_one() -> None:
    """Flat in the coupling, written by hand."""
    custom = Custom(function=lambda mu: -0.5 * np.log(mu), label="mu^-1/2", power=2.0)
    model = counting(3.0, 1.0, 1.0)
    by_hand, built_in = answer(model, prior=custom), answer(model, prior=FlatInCoupling(power=2.0))
    assert by_hand.limit == pytest.approx(built_in.limit, rel=1e-10)


@pytest.mark.parametrize("edge", [4.0, 20.0])
def test_an_upper_edge_cuts_the_posterior(edge: float) -> None:
    """A flat prior that ends: the posterior is cut there, and nowhere else."""
    n, b = 5, 3.0

    def area(upper: float) -> float:
        return float(special.gammainc(n + 1, upper + b) - special.gammainc(n + 1, b))

    limit = optimize.brentq(lambda u: area(u) / area(edge) - 0.9, 0.0, edge, xtol=1e-13)
    found = answer(counting(float(n), 1.0, b), prior=Flat(upper=edge))
    assert found.limit == pytest.approx(limit, rel=1e-9)


def test_bounds_of_the_poi_are_no_prior_edges() -> None:
    """A workspace that bounds mu at 2 has the limit of one that does not."""
    narrow = window(5.0, parameters=[{"name": "mu", "inits": [1.0], "bounds": [[0.0, 2.0]]}])
    found = answer(narrow)
    assert found.limit == pytest.approx(known_background(5, 3.0, 0.9), rel=EXACT)
    assert found.limit > 2.0


def test_many_events() -> None:
    """At 400 events the posterior is narrow, and the quadrature still exact."""
    found = answer(counting(420.0, 1.0, 400.0))
    assert found.limit == pytest.approx(known_background(420, 400.0, 0.9), rel=EXACT)


@pytest.mark.parametrize("n", [30.0, 400.0])
def test_scaling_the_signal_scales_the_limit(n: float) -> None:
    """Twice the yield, half the limit."""
    modifiers = [normsys("eff", 0.15)]
    one = answer(window(n, background=n, on_signal=modifiers, on_background=[normsys("b", 0.1)]))
    two = answer(
        window(n, signal=2.0, background=n, on_signal=modifiers, on_background=[normsys("b", 0.1)])
    )
    assert two.limit == pytest.approx(0.5 * one.limit, rel=2e-6)


def exact_limit(log_likelihood, cl: float, low: float, high: float) -> float:
    """Quantile of a posterior with a flat prior from low to high, by adaptive quadrature."""
    peak = max(log_likelihood(s) for s in np.linspace(low, high, 2001)[1:])

    def density(s: float) -> float:
        return math.exp(log_likelihood(s) - peak)

    knots = np.linspace(low, high, 41)
    parts = [integrate.quad(density, a, b, epsabs=0.0)[0] for a, b in itertools.pairwise(knots)]
    total = sum(parts)

    def left(s: float) -> float:
        k = int(np.searchsorted(knots, s)) - 1
        return sum(parts[:k]) + integrate.quad(density, knots[max(k, 0)], s)[0] - cl * total

    return float(optimize.brentq(left, low + 1e-9, high, xtol=1e-10))


@pytest.mark.parametrize("background", [1e-3, 1e-2])
@pytest.mark.parametrize("counts", [(5, 0, 0, 0, 0, 0), (1, 1, 1, 0, 0, 0), (1, 0, 0, 0, 0, 0)])
def test_laplace_follows_a_likelihood_that_is_nearly_singular(background, counts) -> None:
    """Next to no background: the logarithm of the likelihood bends sharply near no signal."""
    six = [1.0] * 6
    mu = {"name": "mu", "type": "normfactor", "data": None}
    samples = [
        {"name": "signal", "data": six, "modifiers": [mu]},
        {
            "name": "background",
            "data": [background] * 6,
            "modifiers": [normsys(name, 1e-4) for name in ("a", "b", "c")],
        },
    ]
    model = compiled(
        {
            "channels": [{"name": "c", "samples": samples}],
            "observations": [{"name": "c", "data": [float(n) for n in counts]}],
            "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
            "version": "1.0.0",
        }
    )
    found = credible_limit(model, engine="laplace", expected="none")
    n = sum(counts)
    exact = exact_limit(lambda s: n * math.log(s + background) - 6.0 * s, 0.9, 0.0, 12.0)
    assert found.observed == pytest.approx(exact, rel=1e-4)


@pytest.mark.parametrize("engine", ["auto", "laplace"])
@pytest.mark.parametrize(("n", "background"), [(2, 1e-3), (3, 1e-3), (5, 1e-2)])
def test_no_nuisance_parameter_and_hardly_any_background(engine, n, background) -> None:
    """Laplace has nothing to integrate, and still needs nodes enough."""
    found = credible_limit(counting(float(n), 1.0, background), engine=engine, expected="none")
    assert found.observed == pytest.approx(known_background(n, background, 0.9), rel=2e-5)


@pytest.mark.parametrize(("n", "background"), [(1000, 1.0), (3000, 1.0), (30_000, 1.0)])
def test_an_excess_does_not_spoil_the_expected_band(n: int, background: float) -> None:
    """The band is that of the background, whatever was observed."""
    wide = credible_limit(counting(float(n), 1.0, background))
    usual = credible_limit(counting(round(background), 1.0, background))
    assert wide.expected == pytest.approx(usual.expected, rel=CLOSE)
    assert wide.observed == pytest.approx(known_large(n, background), rel=CLOSE)


def test_a_million_events_on_a_hundred() -> None:
    """No expected limit is asked for, so that the grid serves the observed count alone."""
    found = credible_limit(counting(1e6, 1.0, 100.0), expected="none")
    assert found.observed == pytest.approx(known_large(1_000_000, 100.0), rel=CLOSE)


def known_large(n: int, background: float) -> float:
    """Helene's formula where the likelihood lies far from zero: the quantile of a gamma law."""
    return float(stats.gamma.ppf(0.9, n + 1)) - background


@pytest.mark.parametrize("low", [10.0, 25.0, 35.0, 40.0])
def test_a_prior_that_begins_far_beyond_the_peak(low: float) -> None:
    """Two events, three expected: what is left of the posterior begins at the edge."""
    found = credible_limit(counting(2.0, 1.0, 3.0), prior=Flat(lower=low, upper=60.0))
    exact = exact_limit(lambda s: 2.0 * math.log(s + 3.0) - s, 0.9, low, 60.0)
    assert found.observed == pytest.approx(exact, rel=1e-5)


def test_prior_ranges_are_for_free_nuisance_parameters() -> None:
    """Neither for the parameter of interest nor for a fixed one; no choice is dropped silently."""
    with pytest.raises(PriorError, match="--prior flat:0,10"):
        credible_limit(counting(2.0, 1.0, 3.0), nuisances=NuisancePriors(ranges={"mu": (0.0, 4.0)}))
