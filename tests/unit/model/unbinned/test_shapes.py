"""Shapes against closed forms, SciPy and numerical integration; jets against differences."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, special, stats

from darkstats.errors import DocumentError
from darkstats.kernel import kernel_entry
from darkstats.kernel.simd import LANES, exponential, load, store
from darkstats.model.unbinned import jets
from darkstats.model.unbinned.fixed import Blend, Histogram, Polynomial, nodes_on
from darkstats.model.unbinned.scalars import Scalar
from darkstats.model.unbinned.shapes import (
    CRYSTAL_BALL,
    EXPONENTIAL,
    GAUSSIAN,
    break_points,
    draw,
    integral_jet,
    log_shape,
)
from darkstats.workspace.hs3.expressions import parse_expression

SHAPES = [
    (GAUSSIAN, (0.4, 0.05)),
    (GAUSSIAN, (-2.0, 0.3)),  # the peak lies outside the range
    (GAUSSIAN, (0.5, 50.0)),
    (EXPONENTIAL, (3.0,)),
    (EXPONENTIAL, (-40.0,)),
    (EXPONENTIAL, (0.0,)),
    (CRYSTAL_BALL, (0.4, 0.05, 1.5, 3.0, 0.07, 1.8, 4.0)),
    (CRYSTAL_BALL, (0.4, 0.05, 0.3, 1.0, 0.05, 0.4, 1.0)),  # logarithmic tails
    (CRYSTAL_BALL, (0.4, 0.05, 0.5, 0.7, 0.05, 1000.0, 2.0)),  # tail on the left only
    (CRYSTAL_BALL, (0.97, 0.1, 1.0, 2.5, 0.1, 1.0, 120.0)),  # cut at the edge
    (CRYSTAL_BALL, (2.0, 0.1, 1.0, 2.5, 0.1, 1.0, 2.0)),  # the tail alone
    (CRYSTAL_BALL, (-1.0, 0.1, 1.0, 2.5, 0.1, 1.0, 2.0)),
]


def reference(op: int, slots: tuple[float, ...], x: np.ndarray) -> np.ndarray:
    """Written from the definitions, case by case."""
    if op == GAUSSIAN:
        return stats.norm.pdf(x, *slots) * slots[1] * np.sqrt(2.0 * np.pi)
    if op == EXPONENTIAL:
        return np.exp(-slots[0] * x)
    mean, sl, al, nl, sr, ar, nr = slots
    result = []
    for value in np.atleast_1d(x):
        t, a, n = ((value - mean) / sl, al, nl) if value < mean else ((mean - value) / sr, ar, nr)
        if t >= -a:
            result.append(np.exp(-0.5 * t * t))
        else:
            big_a, big_b = (n / a) ** n * np.exp(-0.5 * a * a), n / a - a
            result.append(big_a * (big_b - t) ** -n)
    return np.array(result)


@pytest.mark.parametrize(("op", "slots"), SHAPES)
def test_shapes_follow_their_definitions(op: int, slots: tuple[float, ...]) -> None:
    """Values agree with the textbook form to rounding."""
    x = np.linspace(0.0, 1.0, 301)
    np.testing.assert_allclose(
        np.exp(log_shape(op, np.array(slots), x, 0.0)), reference(op, slots, x), rtol=1e-11
    )


@pytest.mark.parametrize(("op", "slots"), SHAPES)
def test_integrals_agree_with_quadrature(op: int, slots: tuple[float, ...]) -> None:
    """Closed normalisation integrals equal adaptive quadrature between the breaks."""
    edges = [0.0, *break_points(op, np.array(slots), 0.0, 1.0), 1.0]
    expected = sum(
        integrate.quad(
            lambda x: reference(op, slots, x)[0] if op == CRYSTAL_BALL else reference(op, slots, x),
            a,
            b,
            epsabs=0.0,
            epsrel=1e-13,
        )[0]
        for a, b in pairwise(edges)
        if b > a
    )
    found = integral_jet(op, [jets.constant(s, 1, 0) for s in slots], 0.0, 1.0)
    assert float(found.value[0]) == pytest.approx(expected, rel=2e-12)


def test_a_gaussian_far_outside_keeps_its_digits() -> None:
    """Thirty standard deviations away the integral is that of the tail, not zero minus zero."""
    found = integral_jet(GAUSSIAN, [jets.constant(s, 1, 0) for s in (-3.0, 0.1)], 0.0, 1.0)
    expected = 0.1 * np.sqrt(2.0 * np.pi) * special.ndtr(-30.0)
    assert float(found.value[0]) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(("op", "slots"), SHAPES)
def test_integral_derivatives_agree_with_differences(op: int, slots: tuple[float, ...]) -> None:
    """Gradient and Hessian of the integral, by every slot that floats."""
    n = len(slots)
    finite = [k for k in range(n) if slots[k] < 500.0]

    def jet(point: np.ndarray) -> jets.Jet:
        return integral_jet(
            op, [jets.variable(np.array([p]), k, n) for k, p in enumerate(point)], 0.0, 1.0
        )

    point = np.array(slots)
    here = jet(point)
    scale = max(float(np.abs(here.gradient).max()), float(here.value[0]))
    for k in finite:
        h = 1e-5 * max(abs(slots[k]), 0.05)
        step = h * np.eye(n)[k]
        up, down = jet(point + step), jet(point - step)
        slope = (up.value - down.value)[0] / (2.0 * h)
        assert here.gradient[0, k] == pytest.approx(slope, rel=1e-6, abs=1e-7 * scale)
        curve = (up.gradient - down.gradient)[0] / (2.0 * h)
        np.testing.assert_allclose(
            here.hessian[0, k][finite],
            curve[finite],
            rtol=2e-5,
            atol=2e-6 * np.abs(here.hessian).max() + 1e-8 * scale,
        )


@pytest.mark.parametrize(("op", "slots"), SHAPES)
def test_draws_follow_the_shape(op: int, slots: tuple[float, ...]) -> None:
    """Kolmogorov-Smirnov against the closed integral; false alarm 1e-6, n = 20000.

    A shift of the distribution function by 0.025 would be found with a power above 0.9.
    """
    x = draw(op, np.array(slots), 0.0, 1.0, 20_000, np.random.default_rng(5))
    assert x.min() >= 0.0
    assert x.max() <= 1.0
    one = [jets.constant(s, 1, 0) for s in slots]
    total = float(integral_jet(op, one, 0.0, 1.0).value[0])

    def cumulative(values: np.ndarray) -> np.ndarray:
        return np.array(
            [
                float(integral_jet(op, one, 0.0, v).value[0]) / total if v > 0 else 0.0
                for v in values
            ]
        )

    grid = np.quantile(x, np.linspace(0.002, 0.998, 150))
    observed = np.searchsorted(np.sort(x), grid, side="right") / len(x)
    assert np.abs(observed - cumulative(grid)).max() < np.sqrt(-0.5 * np.log(5e-7) / len(x))


@pytest.mark.parametrize(
    "coefficients", [(1.0,), (1.0, -1.0), (1.0, -0.4, 0.3), (0.0, 0.0, 1.0), (1.0, 0.2, -0.9, 0.1)]
)
def test_polynomials_integrate_and_draw(coefficients: tuple[float, ...]) -> None:
    """The integral is exact, and toys follow the polynomial (chi-square, 30 bins, 1e-6)."""
    polynomial = Polynomial(0, 2.0, 6.0, coefficients)
    nodes, weights = nodes_on(np.array([2.0, 6.0]))
    expected = float((polynomial.values(nodes[None, :]) * weights).sum())
    assert polynomial.integral == pytest.approx(expected, rel=1e-13)
    x = np.empty((1, 30_000))
    polynomial.sample(x.shape[1], x, np.random.default_rng(1))
    edges = np.linspace(2.0, 6.0, 31)
    counts = np.histogram(x[0], edges)[0]
    fine, fine_weights = nodes_on(edges)
    shares = (polynomial.values(fine[None, :]) * fine_weights).reshape(30, -1).sum(axis=1)
    expected_counts = np.maximum(shares / polynomial.integral * x.shape[1], 1e-9)
    assert ((counts - expected_counts) ** 2 / expected_counts).sum() < stats.chi2.isf(1e-6, 29)


def test_templates_blends_and_expressions() -> None:
    """Bins, weighted sums and free expressions integrate to what they should."""
    histogram = Histogram(0, np.array([0.0, 0.5, 2.0]), np.array([1.0, 3.0]))
    assert histogram.integral == 4.0
    np.testing.assert_allclose(histogram.values(np.array([[0.1, 0.6, 2.0]])), [2.0, 2.0, 2.0])
    blend = Blend((0.25, 0.75), (histogram, Polynomial(0, 0.0, 2.0, (1.0, 0.5))))
    nodes, weights = nodes_on(np.array([0.0, 0.5, 2.0]))
    assert float((blend.values(nodes[None, :]) * weights).sum()) == pytest.approx(1.0, rel=1e-13)
    node = parse_expression("exp(-0.5*((x-1)/0.3)**2 - 0.5*((y-2)/0.2)**2 + 0.4*(x-1)*(y-2))")
    bell = Scalar(node, {"x": 0, "y": 1}, ((-1.0, 3.0), (0.0, 4.0)))
    # a Gaussian with the inverse covariance [[1/0.09, -0.4], [-0.4, 1/0.04]]
    determinant = (1.0 / 0.09) * (1.0 / 0.04) - 0.16
    assert bell.integral == pytest.approx(2.0 * np.pi / np.sqrt(determinant), rel=1e-9)
    x = np.empty((2, 20_000))
    bell.sample(x.shape[1], x, np.random.default_rng(2))
    covariance = np.linalg.inv(np.array([[1.0 / 0.09, -0.4], [-0.4, 1.0 / 0.04]]))
    np.testing.assert_allclose(np.cov(x), covariance, atol=5.0 * 0.09 / np.sqrt(1e4))


@kernel_entry
def exponentials(x, out):
    for i in range(x.shape[0]):
        store(out, i, exponential(load(x, i)))


def test_vector_exponential_is_accurate() -> None:
    """Two units in the last place over the whole range; zero, a ceiling and nan at its ends."""
    rng = np.random.default_rng(3)
    x = np.concatenate(
        [rng.uniform(-700.0, 700.0, 4000), rng.normal(size=4000), 1e-9 * rng.normal(size=800)]
    ).reshape(-1, LANES)
    out = np.empty_like(x)
    exponentials(x, out)
    np.testing.assert_allclose(out, np.exp(x), rtol=5e-16)
    ends = np.array([[-1e9, -709.0, 709.0, 710.0, 0.0, np.nan, -0.0, -745.0]])
    out = np.empty_like(ends)
    exponentials(ends, out)
    assert out[0, 0] == out[0, 1] == out[0, 7] == 0.0
    assert out[0, 2] == out[0, 3] == pytest.approx(np.exp(709.0), rel=1e-13)
    assert out[0, 4] == out[0, 6] == 1.0
    assert np.isnan(out[0, 5])
    getattr(exponentials, "py_func", exponentials)(x, out := np.empty_like(x))
    np.testing.assert_allclose(out, np.exp(x), rtol=5e-16)


@pytest.mark.parametrize(
    "function", ["exp", "log", "sqrt", "sin", "cos", "erf", "expm1_ratio", "reciprocal"]
)
@pytest.mark.parametrize("at", [0.3, 0.999, 1.001, 4.0])
def test_jets_agree_with_differences(function: str, at: float) -> None:
    """First and second derivatives of every function of a jet."""
    apply = getattr(jets, function)

    def of(value: float) -> jets.Jet:
        return apply(jets.variable(np.array([value]), 0, 1))

    h = 1e-5
    up, here, down = of(at + h), of(at), of(at - h)
    slope = (up.value - down.value)[0] / (2.0 * h)
    assert here.gradient[0, 0] == pytest.approx(slope, rel=1e-8)
    curve = (up.gradient - down.gradient)[0, 0] / (2.0 * h)
    assert here.hessian[0, 0, 0] == pytest.approx(curve, rel=1e-7, abs=1e-9)


def test_powers_of_jets() -> None:
    """Constant exponents take any base, floating ones a positive one."""
    x = jets.variable(np.array([-2.0, 0.0]), 0, 1)
    cube = jets.power(x, jets.constant(3.0, 2, 1))
    np.testing.assert_allclose(cube.value, [-8.0, 0.0])
    np.testing.assert_allclose(cube.gradient[:, 0], [12.0, 0.0])
    np.testing.assert_allclose(cube.hessian[:, 0, 0], [-12.0, 0.0])
    line = jets.power(x, jets.constant(1.0, 2, 1))
    np.testing.assert_allclose(line.hessian, 0.0)
    base, exponent = (jets.variable(np.array([v]), k, 2) for k, v in enumerate((2.0, 1.5)))
    found = jets.power(base, exponent)
    assert found.gradient[0, 1] == pytest.approx(2.0**1.5 * np.log(2.0), rel=1e-14)


def scalar(text: str) -> Scalar:
    """An expression of one observable between 100 and 160."""
    return Scalar(parse_expression(text), {"m": 0}, ((100.0, 160.0),))


@pytest.mark.parametrize("place", [125.3, 125.0, 111.11, 159.9, 137.77])
@pytest.mark.parametrize("width", [0.002, 0.05, 0.5, 5.0])
def test_narrow_peaks_are_integrated_or_refused(place: float, width: float) -> None:
    """Two coarse grids that both miss a peak agree; the peak must be found all the same."""
    found = scalar(f"1 + 1000*exp(-0.5*((m-{place})/{width})**2)").integral
    inside = stats.norm.cdf(160, place, width) - stats.norm.cdf(100, place, width)
    expected = 60.0 + 1000.0 * width * math.sqrt(2.0 * math.pi) * inside
    assert found == pytest.approx(expected, rel=3e-12)


def test_peaks_that_no_grid_resolves_are_refused() -> None:
    """A width of a millionth of the range: noticed, not resolved, refused."""
    with pytest.raises(DocumentError, match="does not settle"):
        _ = scalar("1 + 1000*exp(-0.5*((m-125.3)/0.0003)**2)").integral


@pytest.mark.parametrize("width", [0.002, 0.05, 0.5])
def test_the_grid_and_the_toys_hold_narrow_peaks(width: float) -> None:
    """Panels that end at the breaks integrate as well, few of them; toys hit the peak."""
    peak = scalar(f"1 + {3.0 / width}*exp(-0.5*((m-125.3)/{width})**2)")
    edges = np.concatenate([[100.0], peak.breaks(0), [160.0]])
    assert len(edges) < 300
    x, w = nodes_on(edges)
    assert float((w * peak.values(x[None, :])).sum()) == pytest.approx(peak.integral, rel=1e-10)
    share = 1.0 - 60.0 / peak.integral
    drawn = np.empty((1, 20_000))
    peak.sample(20_000, drawn, np.random.default_rng(3))
    near = np.abs(drawn[0] - 125.3) < 6.0 * width
    expected = share + (1.0 - share) * 12.0 * width / 60.0
    # five standard deviations of a binomial fraction
    assert near.mean() == pytest.approx(expected, abs=5.0 * math.sqrt(0.25 / 20_000))
