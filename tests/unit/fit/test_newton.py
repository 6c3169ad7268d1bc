"""The batched Newton method on functions whose minima are known."""

from __future__ import annotations

import numpy as np
import pytest

from darkstats.fit import FitOptions, FitStatus
from darkstats.fit.lanes import Problem
from darkstats.fit.newton import newton_lanes
from darkstats.fit.newton_steps import newton_steps
from unbinned_models import bump, compiled


class Quadratic:
    """Half a quadratic form around a centre of each lane."""

    def __init__(self, matrix: np.ndarray, centres: np.ndarray) -> None:
        self.matrix, self.centres = matrix, centres

    def derivatives(self, points: np.ndarray, lanes: np.ndarray) -> tuple[np.ndarray, ...]:
        away = points - self.centres[lanes]
        gradient = away @ self.matrix
        value = 0.5 * (away * gradient).sum(axis=1)
        return value, 1.0 + value, gradient, np.repeat(self.matrix[None], len(points), axis=0)

    def least_rates(self, points: np.ndarray, lanes: np.ndarray) -> np.ndarray:
        return np.zeros(len(points))


class Rosenbrock:
    """A curved valley, with a Hessian that is not positive everywhere."""

    def derivatives(self, points: np.ndarray, lanes: np.ndarray) -> tuple[np.ndarray, ...]:
        x, y = points.T
        value = 100.0 * (y - x**2) ** 2 + (1.0 - x) ** 2
        gradient = np.stack([-400.0 * x * (y - x**2) - 2.0 * (1.0 - x), 200.0 * (y - x**2)], axis=1)
        hessian = np.empty((len(points), 2, 2))
        hessian[:, 0, 0] = 1200.0 * x**2 - 400.0 * y + 2.0
        hessian[:, 0, 1] = hessian[:, 1, 0] = -400.0 * x
        hessian[:, 1, 1] = 200.0
        return value, 1.0 + value, gradient, hessian

    def least_rates(self, points: np.ndarray, lanes: np.ndarray) -> np.ndarray:
        return np.zeros(len(points))


def problem(low: list[float], high: list[float], free: list[int] | None = None) -> Problem:
    n = len(low)
    return Problem(
        model=compiled(bump()),
        free=np.array(free or [1] * n, dtype=np.int64),
        lower=np.array(low),
        upper=np.array(high),
        values=np.zeros(n),
    )


def random_matrix(n: int, seed: int) -> np.ndarray:
    root = np.random.default_rng(seed).normal(size=(n, n))
    return root @ root.T + 0.1 * np.eye(n)


def test_a_quadratic_is_solved_in_one_step() -> None:
    """Without bounds in the way, every lane ends at its centre."""
    matrix, centres = random_matrix(4, 1), np.random.default_rng(2).normal(size=(50, 4))
    found = newton_lanes(
        problem([-10.0] * 4, [10.0] * 4),
        Quadratic(matrix, centres),
        np.zeros((50, 4)),
        FitOptions(),
    )
    assert (found.status(1e-9) == FitStatus.CONVERGED).all()
    np.testing.assert_allclose(found.parameters, centres, atol=1e-12)
    assert found.report[:, 1].max() == 1


def test_bounds_hold_and_the_projected_minimum_is_found() -> None:
    """In a box the answer is that of the KKT conditions, checked by enumeration of faces."""
    matrix = random_matrix(3, 3)
    centres = 2.0 * np.random.default_rng(4).normal(size=(200, 3))
    low, high = np.full(3, -0.7), np.full(3, 0.9)
    evaluator = Quadratic(matrix, centres)
    found = newton_lanes(
        problem(low.tolist(), high.tolist()), evaluator, np.zeros((200, 3)), FitOptions()
    )
    assert (found.status(1e-9) == FitStatus.CONVERGED).all()
    slope = evaluator.derivatives(found.parameters, np.arange(200))[2]
    inside = (found.parameters > low) & (found.parameters < high)
    assert np.abs(slope[inside]).max() < 1e-4
    assert (slope[found.parameters == low] >= 0.0).all()
    assert (slope[found.parameters == high] <= 0.0).all()
    assert (~inside).any()


def test_a_curved_valley_is_followed() -> None:
    """From points where the Hessian is not positive, damping leads to the minimum at (1, 1)."""
    starts = np.array([[-1.2, 1.0], [0.0, 3.0], [0.0, -2.0], [2.0, 5.0], [-3.0, -3.0]])
    found = newton_lanes(problem([-5.0] * 2, [5.0] * 2), Rosenbrock(), starts, FitOptions())
    assert (found.status(1e-9) == FitStatus.CONVERGED).all()
    np.testing.assert_allclose(found.parameters, 1.0, atol=1e-6)


def test_what_is_fixed_stays() -> None:
    """Fixed parameters keep their values, and the rest is minimised given them."""
    matrix, centres = random_matrix(3, 5), np.ones((4, 3))
    starts = np.zeros((4, 3))
    starts[:, 1] = 0.3
    found = newton_lanes(
        problem([-10.0] * 3, [10.0] * 3, [1, 0, 1]),
        Quadratic(matrix, centres),
        starts,
        FitOptions(),
    )
    assert (found.parameters[:, 1] == 0.3).all()
    free = [0, 2]
    expected = 1.0 - np.linalg.solve(matrix[np.ix_(free, free)], matrix[free, 1]) * (0.3 - 1.0)
    np.testing.assert_allclose(found.parameters[0, free], expected, atol=1e-12)


def test_no_finite_start_and_no_minimum_are_failures() -> None:
    """A start without a value, and a slope without an end, are said; nothing is nan silently."""

    class Slope(Quadratic):
        def derivatives(self, points: np.ndarray, lanes: np.ndarray) -> tuple[np.ndarray, ...]:
            value, size, gradient, hessian = super().derivatives(points, lanes)
            value = np.where(lanes == 0, np.inf, -points.sum(axis=1))
            return value, size, np.full_like(gradient, -1.0), np.zeros_like(hessian)

    found = newton_lanes(
        problem([-1e300] * 2, [1e300] * 2),
        Slope(np.eye(2), np.zeros((2, 2))),
        np.zeros((2, 2)),
        FitOptions(max_steps=20),
    )
    status = found.status(1e-9)
    assert status[0] == FitStatus.NOT_FINITE
    assert status[1] in (FitStatus.MAX_STEPS, FitStatus.STALLED)


@pytest.mark.parametrize("threads", [1, 3])
def test_steps_do_not_depend_on_threads(threads: int) -> None:
    """One lane's step is that of NumPy's solver, whatever else is solved beside it."""
    rng = np.random.default_rng(6)
    n = 300
    matrices = np.array([random_matrix(4, 100 + k) for k in range(n)])
    gradient = rng.normal(size=(n, 4))
    step, edm, used = newton_steps(
        np.zeros((n, 4)),
        gradient,
        matrices,
        lower=np.full(4, -1e9),
        upper=np.full(4, 1e9),
        free=np.ones(4, dtype=bool),
        damping=np.zeros(n),
        tolerance=1e-9,
        threads=threads,
    )
    expected = -np.linalg.solve(matrices, gradient[:, :, None])[:, :, 0]
    np.testing.assert_allclose(step, expected, rtol=1e-8)
    np.testing.assert_allclose(edm, -0.5 * (gradient * expected).sum(axis=1), rtol=1e-9)
    assert (used == 0.0).all()


def test_an_indefinite_matrix_is_damped() -> None:
    """Where the curvature is negative the step goes downhill, and no distance is claimed."""
    matrix = np.diag([1.0, -2.0])[None]
    step, edm, used = newton_steps(
        np.zeros((1, 2)),
        np.array([[0.5, 0.25]]),
        matrix,
        lower=np.full(2, -1e9),
        upper=np.full(2, 1e9),
        free=np.ones(2, dtype=bool),
        damping=np.zeros(1),
        tolerance=1e-9,
        threads=1,
    )
    assert used[0] > 0.0
    assert edm[0] == np.inf
    assert (step[0] < 0.0).all()
