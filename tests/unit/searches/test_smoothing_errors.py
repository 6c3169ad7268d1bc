"""Covariance of smoothed bins as modes and errors of bins: closed forms, properties, toys."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from darkstats.searches.recoil_spectra import SmoothSpectrum
from darkstats.searches.smoothing_errors import (
    LARGEST_REST,
    Mode,
    SmoothingErrors,
    mode_modifiers,
    simulation_errors,
    smoothing_errors,
)
from darkstats.templates.histfactory import rounded
from darkstats.templates.smoothing import smoothing_kernel

FINE = 4  # fine bins a bin


def spectrum(variances, width_bins, counts=None):
    variances = np.atleast_2d(np.asarray(variances, float))
    kernel = smoothing_kernel(np.arange(variances.shape[1] + 1.0), width_bins * FINE)
    counts = variances if counts is None else np.atleast_2d(counts)
    return SmoothSpectrum(counts=counts, variances=variances, kernel=kernel)


def covariance(width_bins, n_bins=12, rows=1):
    """Of a window in the middle of a flat spectrum."""
    n_fine = 40 * FINE
    first = np.arange(n_bins + 1) * FINE + (n_fine - n_bins * FINE) // 2
    flat = np.ones((rows, n_fine))
    return spectrum(flat, width_bins).covariance(first, np.arange(rows))


def of_modes(found: SmoothingErrors):
    """Covariance that modes and rest make, of all bins."""
    size = found.rest.size
    moved = np.array([mode.shift.ravel() for mode in found.modes]).reshape(-1, size)
    return moved.T @ moved + np.diag(found.rest.ravel())


shapes = st.tuples(st.integers(1, 9), st.integers(1, 14))
covariances = (
    st_numpy.arrays(float, shapes, elements=st.floats(-5, 5))
    .filter(lambda root: bool(np.any(np.abs(root) > 1e-3)))
    .map(lambda root: (root.T @ root)[None])
)


@settings(deadline=None)
@given(covariances)
def test_the_diagonal_is_exact_and_nothing_is_below_zero(matrix):
    found = smoothing_errors(matrix)
    np.testing.assert_allclose(
        np.diag(of_modes(found)), np.diag(matrix[0]), atol=1e-9 * np.trace(matrix[0])
    )
    assert np.all(found.rest >= 0.0)
    assert len(found.modes) <= 4


@settings(deadline=None)
@given(covariances)
def test_the_sum_is_not_underestimated(matrix):
    """Its variance is that of the covariance and what the rest adds."""
    found = smoothing_errors(matrix)
    if not found.modes:
        return
    expected = matrix[0].sum() + found.rest.sum()
    assert of_modes(found).sum() == pytest.approx(
        expected, rel=1e-6, abs=1e-9 * np.trace(matrix[0])
    )


@pytest.mark.parametrize(("width", "n_modes"), [(15.0, 2), (8.0, 2), (3.0, 3), (1.5, 4)])
def test_wide_kernels_need_few_modes(width, n_modes):
    matrix = covariance(width)
    found = smoothing_errors(matrix)
    assert [mode.name for mode in found.modes] == ["sum", "slope", "curvature", "cubic"][:n_modes]
    place = np.linspace(-1.0, 1.0, 12)
    for functional in (np.ones(12), place):
        ours = functional @ of_modes(found) @ functional
        assert ours == pytest.approx(functional @ matrix[0] @ functional, rel=0.03)
    # what independent bins would have is what the page on closure tells
    independent = math.sqrt(matrix[0].sum() / np.trace(matrix[0]))
    told = {15.0: 3.42, 8.0: 3.32, 3.0: 2.77, 1.5: 2.16}[width]
    assert independent == pytest.approx(told, abs=0.05)


def test_of_a_matrix_that_functionals_span_nothing_is_left():
    place = np.linspace(-1.0, 1.0, 7)
    matrix = np.outer(2.0 + place, 2.0 + place) + 0.3 * np.outer(place, place)
    found = smoothing_errors(matrix[None])
    np.testing.assert_allclose(of_modes(found), matrix, atol=1e-12)
    assert len(found.modes) == 2
    assert found.modes[0].shift.sum() > 0.0
    assert found.modes[1].shift[0] @ place > 0.0


def test_independent_bins_stay_so_as_far_as_the_diagonal_goes():
    """The worst that can be given: four modes take what they can, the diagonal stays."""
    found = smoothing_errors(np.eye(12)[None])
    np.testing.assert_allclose(np.diag(of_modes(found)), 1.0)


def test_rows_are_independent_and_have_modes_of_their_own():
    found = smoothing_errors(covariance(8.0, rows=3))
    assert [mode.name for mode in found.modes] == [
        f"row{row}_{name}" for row in (1, 2, 3) for name in ("sum", "slope")
    ]
    whole = of_modes(found).reshape(3, 12, 3, 12)
    for row in range(3):
        for other in set(range(3)) - {row}:
            assert not whole[row, :, other].any()


def test_one_bin_has_one_error_and_no_covariance_no_mode():
    (mode,) = smoothing_errors(np.full((1, 1, 1), 9.0)).modes
    assert mode.shift.tolist() == [[3.0]]
    (only,) = simulation_errors("b", np.array([4.0]), np.array([9.0]), None, "staterror_c")
    assert (only["type"], only["data"]) == ("staterror", [3.0])


def test_the_covariance_of_a_window_is_that_of_its_bins_and_rows_merge():
    rng = np.random.Generator(np.random.Philox(1))
    variances = rng.uniform(0.1, 3.0, (3, 40))
    one = spectrum(variances, 0.7)
    first = np.array([4, 9, 12, 30])
    _, diagonal = one.gather(first)
    whole = one.covariance(first, np.arange(3))
    np.testing.assert_allclose(np.einsum("rbb->rb", whole), diagonal)
    np.testing.assert_allclose(one.covariance(first, np.array([0, 1]))[1], whole[1] + whole[2])
    plain = SmoothSpectrum(counts=variances, variances=variances, kernel=None)
    np.testing.assert_allclose(
        plain.covariance(first, np.array([0]))[0], np.diag(plain.gather(first)[1].sum(axis=0))
    )


def test_modifiers_are_the_mode_to_first_order_and_rates_stay_positive():
    content = np.array([[1.0, 2.0, 4.0]])
    mode = Mode(name="sum", shift=0.9 * content + [[0.1, 0.0, -0.1]])
    norm, shape = mode_modifiers("qqbar", content, mode)
    assert norm["name"] == shape["name"] == "qqbar_simulation_sum"
    assert norm["data"]["lo"] * norm["data"]["hi"] == pytest.approx(1.0, rel=1e-5)
    slope = 0.5 * (np.array(shape["data"]["hi_data"]) - shape["data"]["lo_data"])
    np.testing.assert_allclose(
        slope + math.log(norm["data"]["hi"]) * content[0], mode.shift[0], rtol=1e-5
    )
    # five standard deviations down, where a linear change would take more than there is
    factor = norm["data"]["lo"] ** 5
    assert np.all((content[0] - 5.0 * slope) * factor > 0.0)


def test_a_change_of_the_whole_is_a_factor_alone_and_one_without_sum_a_shape_alone():
    content = np.array([[1.0, 2.0, 4.0]])
    (only,) = mode_modifiers("b", content, Mode(name="sum", shift=0.2 * content))
    assert only["type"] == "normsys"
    (only,) = mode_modifiers("b", content, Mode(name="slope", shift=np.array([[0.1, 0.0, -0.1]])))
    assert only["type"] == "histosys"
    two = np.repeat(content, 2, axis=0)
    shift = np.array([[0.2, 0.4, 0.8], [0.0, 0.0, 0.0]])
    (only,) = mode_modifiers("b", two, Mode(name="row1_sum", shift=shift))
    assert only["type"] == "histosys"
    np.testing.assert_allclose(only["data"]["hi_data"][3:], content[0])


@pytest.mark.parametrize("width", [3.0, 8.0, 15.0])
def test_sum_and_slope_of_independent_simulations_spread_as_the_model_says(width):
    """2000 simulations, smoothed: pulls are 1.

    With independent bins those of the sum were 2.8 to 3.4, and those of a slope 1.7 to 0.5.
    """
    rng = np.random.Generator(np.random.Philox(7))
    n_fine, n_bins = 40 * FINE, 12
    first = np.arange(n_bins + 1) * FINE + (n_fine - n_bins * FINE) // 2
    expected = np.linspace(3.0, 1.0, n_fine)
    truth = spectrum(expected, width)
    found = smoothing_errors(truth.covariance(first, np.array([0])))
    content, variance = truth.gather(first)
    drawn = rng.poisson(expected, size=(2000, n_fine)).astype(float)
    toys, _ = spectrum(np.ones(n_fine), width, counts=drawn).gather(first)
    place = np.linspace(-1.0, 1.0, n_bins)
    independent = []
    for functional in (np.ones(n_bins), place):
        pulls = (toys - content[0]) @ functional
        model = math.sqrt(functional @ of_modes(found) @ functional)
        assert pulls.std() / model == pytest.approx(1.0, abs=0.06)
        independent.append(pulls.std() / math.sqrt(functional**2 @ variance[0]))
    assert independent == pytest.approx(
        {3.0: [2.77, 1.67], 8.0: [3.3, 1.0], 15.0: [3.4, 0.55]}[width], rel=0.08
    )


def test_the_rest_is_small_where_modes_end_early():
    matrix = covariance(8.0)
    assert smoothing_errors(matrix).rest.sum() <= LARGEST_REST * np.trace(matrix[0])


def test_what_is_written_goes_as_far_down_as_up():
    """Rounding would else move both variations the same way, which a reader warns of."""
    rng = np.random.Generator(np.random.Philox(5))
    for _ in range(50):
        content = rng.uniform(0.01, 30.0, (1, 12))
        shift = 0.1 * content * rng.standard_normal(12)
        for modifier in mode_modifiers("b", content, Mode(name="slope", shift=shift)):
            if modifier["type"] == "histosys":
                nominal = np.array(rounded(content.ravel()))
                up = np.subtract(modifier["data"]["hi_data"], nominal)
                down = np.subtract(nominal, modifier["data"]["lo_data"])
                np.testing.assert_allclose(up, down, rtol=0.0, atol=1e-12 * nominal.max())
                assert len(str(modifier["data"]["lo_data"])) < 1.2 * len(str(nominal.tolist()))


def test_what_one_simulated_event_made_is_written_as_zero_to_twice_as_much():
    """A change of the whole content in one of two rows: digits that are written cut nothing off."""
    content = np.array([[0.009911084, 5.137245e-4, 1.0117585e-5, 2.0], [3.0, 3.0, 3.0, 3.0]])
    shift = np.array([[0.009911086, 5.137242e-4, -1.0117587e-5, 1.0], [0.0, 0.0, 0.0, 0.0]])
    (found,) = mode_modifiers("charm", content, Mode(name="row1_sum", shift=shift))
    low, high = (np.array(found["data"][key]) for key in ("lo_data", "hi_data"))
    nominal = np.array([float(f"{value:.6g}") for value in content.ravel()])
    assert np.all(low >= 0.0)
    assert np.all(high >= 0.0)
    assert low + high == pytest.approx(2.0 * nominal, rel=1e-11)
    assert high == pytest.approx((content + shift).ravel(), rel=2e-6, abs=1e-9)
    larger = mode_modifiers("charm", content, Mode(name="row1_sum", shift=2.0 * shift))
    assert larger[0]["data"]["lo_data"][0] < 0.0  # a change that is truly larger stays


@pytest.mark.parametrize("scale", [1.0, 1e-6, 3e8])
def test_a_functional_that_is_known_already_makes_no_mode_of_digits(scale):
    """After the sum of bins that are alike but for one, the slope has no variance but digits."""
    root = np.repeat([[1.0], [1.0]], 7, axis=1)
    root[:, 3] = 3.0, -3.0
    matrix = scale * (root.T @ root)[None]
    found = smoothing_errors(matrix)
    diagonal = np.diag(matrix[0])
    np.testing.assert_allclose(np.diag(of_modes(found)), diagonal, atol=1e-12 * diagonal.sum())
    assert [mode.name for mode in found.modes] == ["sum"]
