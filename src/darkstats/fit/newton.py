"""Damped Newton over any evaluator of values and exact derivatives, many lanes at once.

The minimiser of models that bring a :class:`~darkstats.model.base.LaneEvaluator`. What a lane does
depends on its own numbers only; certificates are those of every other fit: the estimated distance
to the minimum by the projected gradient, without damping, with positive curvature on what is free.
"""

from __future__ import annotations

import numpy as np

from darkstats.arrays import BoolArray, FloatArray, IndexArray
from darkstats.fit.lanes import FitOptions, Lanes, Problem
from darkstats.fit.newton_steps import newton_steps
from darkstats.fit.slots import CODE_CONVERGED, CODE_MAX_STEPS, CODE_NOT_FINITE, CODE_STALLED
from darkstats.kernel import default_threads
from darkstats.model.base import LaneEvaluator, SlopeEvaluator

__all__ = ["newton_lanes"]

_ARMIJO = 1e-4
_ROUNDING = 4e-15  # of the value, over the size of its terms
_DECAY = 0.25
_GROWTH = 4.0
_FIRST_DAMPING = 1e-2
_LEAST_DAMPING = 1e-6
_MOST_DAMPING = 1e12
_SHORTEST = 2.0**-30
_ENOUGH = 32  # lanes, from which on quasi-Newton steps pay
_FIRST_CURVATURES = 8
_MOST_APPROACHES = 15


def newton_lanes(
    problem: Problem,
    evaluator: LaneEvaluator,
    starts: FloatArray,
    options: FitOptions,
    *,
    damping: float = 0.0,
    most_rounds: int | None = None,
) -> Lanes:
    """Minimise all lanes from their starts [lane, par], in at most so many looks at the events."""
    with np.errstate(all="ignore"):  # as compiled kernels do: what is not finite is data
        if isinstance(evaluator, SlopeEvaluator) and len(starts) >= _ENOUGH:
            starts = approach(problem, evaluator, starts, options)
        lanes = Lanes.starting_at(starts)
        run = _Run(problem, evaluator, lanes, options, damping)
        run.begin()
        while run.active.size and lanes.rounds != most_rounds:
            run.round()
            lanes.rounds += 1
        run.give_up()
    lanes.min_rate[:] = evaluator.least_rates(
        lanes.parameters, np.arange(len(starts), dtype=np.int64)
    )
    return lanes


def approach(
    problem: Problem, evaluator: SlopeEvaluator, starts: FloatArray, options: FitOptions
) -> FloatArray:
    """Points near the minima by quasi-Newton steps (BFGS), for evaluators with dear Hessians.

    Nothing is certified here: Newton's method starts from what is returned, and its first exact
    Hessian is in most lanes its last one. The first curvature is the mean of a few lanes'.
    Shapes: [lane, par] -> [lane, par].
    """
    n = len(starts)
    free, threads = problem.free.astype(bool), options.threads or default_threads()
    x = np.where(free, np.clip(starts, problem.lower, problem.upper), starts)
    few = np.arange(min(n, _FIRST_CURVATURES), dtype=np.int64)
    value, _, gradient, hessian = evaluator.derivatives(x[few], few)
    good = _finite(free, value, gradient, hessian)
    if not good.any():
        return x
    mean = hessian[good].mean(axis=0)
    scale = 1.0 / np.sqrt(np.maximum(np.abs(np.diag(mean)), 1e-300))
    scaled = mean * np.outer(scale, scale)
    if not np.isfinite(scaled).all():
        return x
    heights, axes = np.linalg.eigh(scaled)
    mean = (axes * np.maximum(heights, 1e-3)) @ axes.T / np.outer(scale, scale)
    curvature = np.repeat(mean[None], n, axis=0)
    value, size, gradient = evaluator.slopes(x, np.arange(n, dtype=np.int64))
    active = np.flatnonzero(np.isfinite(value) & np.isfinite(gradient).all(axis=1))
    shorter = np.ones(n)
    for _ in range(_MOST_APPROACHES):
        step, edm, _ = newton_steps(
            x[active],
            gradient[active],
            curvature[active],
            lower=problem.lower,
            upper=problem.upper,
            free=free,
            damping=np.zeros(len(active)),
            tolerance=0.0,
            threads=threads,
        )
        going = (edm > 0.1 * options.edm_tolerance) & (shorter[active] > 1e-3)
        active, step = active[going], step[going]
        if not active.size:
            break
        moved = np.clip(x[active] + shorter[active, None] * step, problem.lower, problem.upper)
        trial = np.where(free, moved, x[active])
        new, new_size, slope = evaluator.slopes(trial, active)
        downhill = (gradient[active] * step).sum(axis=1) * shorter[active]
        bound = value[active] + _ARMIJO * downhill + _ROUNDING * size[active]
        taken = np.isfinite(new) & np.isfinite(slope).all(axis=1) & (new <= bound)
        lane = active[taken]
        s, y = trial[taken] - x[lane], slope[taken] - gradient[lane]
        _update(curvature, lane, s * free, y * free)
        x[lane], value[lane], size[lane] = trial[taken], new[taken], new_size[taken]
        gradient[lane], shorter[lane] = slope[taken], 1.0
        shorter[active[~taken]] *= 0.3
    return x


def _update(curvature: FloatArray, lane: IndexArray, s: FloatArray, y: FloatArray) -> None:
    """BFGS update of the curvatures of some lanes, where the step saw a positive one."""
    along = (s * y).sum(axis=1)
    image = np.einsum("lij,lj->li", curvature[lane], s)
    height = (s * image).sum(axis=1)
    use = (along > 1e-8 * height) & (height > 0.0)
    chosen = lane[use]
    yy = y[use][:, :, None] * y[use][:, None, :] / along[use][:, None, None]
    bb = image[use][:, :, None] * image[use][:, None, :] / height[use][:, None, None]
    curvature[chosen] += yy - bb


class _Run:
    """State of all lanes; those that are done leave the active ones."""

    def __init__(
        self,
        problem: Problem,
        evaluator: LaneEvaluator,
        lanes: Lanes,
        options: FitOptions,
        damping: float,
    ) -> None:
        n, n_parameters = lanes.parameters.shape
        self.evaluator, self.lanes, self.options = evaluator, lanes, options
        self.free = problem.free.astype(bool)
        self.lower, self.upper = problem.lower, problem.upper
        box = np.clip(lanes.parameters, self.lower, self.upper)
        self.x = np.where(self.free, box, lanes.parameters)
        self.active = np.arange(n, dtype=np.int64)
        self.damping = np.full(n, damping)
        self.step = np.zeros((n, n_parameters))
        self.slope, self.length = np.zeros(n), np.ones(n)
        self.steps = np.zeros(n, dtype=np.int64)
        self.gradient = np.zeros((n, n_parameters))
        self.hessian = np.zeros((n, n_parameters, n_parameters))
        self.size = np.ones(n)
        lanes.edm[:] = np.inf
        self.threads = options.threads or default_threads()

    def begin(self) -> None:
        """Evaluate the starts, and set out from those that are finite."""
        value, size, gradient, hessian = self.evaluator.derivatives(self.x, self.active)
        finite = _finite(self.free, value, gradient, hessian)
        self.lanes.value[:] = value
        self.size[:] = size
        self.gradient[:], self.hessian[:] = gradient, hessian
        everything = self.active
        self._finish(everything[~finite], CODE_NOT_FINITE)
        self._set_out(everything[finite])

    def _finish(self, done: IndexArray, code: int) -> None:
        self.lanes.report[done, 0] = code
        self.lanes.report[done, 1] = self.steps[done]
        self.lanes.report[done, 2] = np.count_nonzero(self._flat(done), axis=1)
        self.lanes.parameters[done] = self.x[done]
        self.active = np.setdiff1d(self.active, done, assume_unique=True)

    def give_up(self) -> None:
        """Finish the lanes that are still on their way."""
        self._finish(self.active, CODE_MAX_STEPS)

    def _flat(self, chosen: IndexArray) -> BoolArray:
        """Free parameters that change nothing at all here: a shape of which no event is left."""
        curvature = np.diagonal(self.hessian[chosen], axis1=1, axis2=2)
        still: BoolArray = (self.gradient[chosen] == 0.0) & (curvature == 0.0) & self.free
        return still

    def _set_out(self, chosen: IndexArray) -> None:
        """Solve for the steps of some lanes: finish those at their minimum."""
        if not chosen.size:
            return
        step, edm, used = newton_steps(
            self.x[chosen],
            self.gradient[chosen],
            self.hessian[chosen],
            lower=self.lower,
            upper=self.upper,
            free=self.free,
            damping=self.damping[chosen],
            tolerance=self.options.edm_tolerance,
            threads=self.threads,
        )
        self.step[chosen], self.damping[chosen] = step, used
        self.slope[chosen] = (self.gradient[chosen] * step).sum(axis=1)
        self.length[chosen] = 1.0
        self.lanes.edm[chosen] = edm
        there = edm <= self.options.edm_tolerance
        self._polish(chosen[there])
        self._finish(chosen[there], CODE_CONVERGED)
        left = chosen[~there]
        late = self.steps[left] >= self.options.max_steps
        self._finish(left[late], CODE_MAX_STEPS)
        left = left[~late]
        lost = self.damping[left] > _MOST_DAMPING
        self._finish(left[lost], CODE_STALLED)
        # Faces of the box can leave no way down for a Newton step: more damping turns it downhill.
        level = left[~lost & ~(self.slope[left] < 0.0)]
        self.damping[level] = np.maximum(_GROWTH * self.damping[level], _FIRST_DAMPING)
        self._set_out(level)

    def _polish(self, chosen: IndexArray) -> None:
        """Take the last step, which is solved for already, where it stays in the box.

        Asimov data inherit the distance to the minimum in first order.
        """
        x = self.x[chosen] + self.step[chosen]
        inside = (((x >= self.lower) & (x <= self.upper)) | ~self.free).all(axis=1)
        self.x[chosen[inside]] = x[inside]
        self.lanes.value[chosen[inside]] -= self.lanes.edm[chosen[inside]]

    def round(self) -> None:
        """Try a part of its step in every active lane."""
        chosen = self.active
        trial = self.x[chosen] + self.length[chosen, None] * self.step[chosen]
        trial = np.where(self.free, np.clip(trial, self.lower, self.upper), trial)
        value, size, gradient, hessian = self.evaluator.derivatives(trial, chosen)
        bound = (
            self.lanes.value[chosen]
            + _ARMIJO * self.length[chosen] * self.slope[chosen]
            + _ROUNDING * self.size[chosen]
        )
        good = _finite(self.free, value, gradient, hessian) & (value <= bound)
        taken = chosen[good]
        self.x[taken] = trial[good]
        self.lanes.value[taken] = value[good]
        self.size[taken] = size[good]
        self.gradient[taken], self.hessian[taken] = gradient[good], hessian[good]
        self.steps[taken] += 1
        self._relax(taken)
        refused = chosen[~good]
        self.length[refused] *= np.where(self.length[refused] > 0.1, 0.5, 0.1)
        short = refused[self.length[refused] < _SHORTEST]
        self.damping[short] = np.maximum(_GROWTH * self.damping[short], _FIRST_DAMPING)
        self._finish(short[self.damping[short] > _MOST_DAMPING], CODE_STALLED)
        self._set_out(np.concatenate([taken, short[self.damping[short] <= _MOST_DAMPING]]))

    def _relax(self, taken: IndexArray) -> None:
        """Less damping after a step that could be taken in full, more after one that could not."""
        used = self.damping[taken]
        factor = np.where(self.length[taken] == 1.0, _DECAY, _GROWTH)
        following = np.where(used > 0.0, used * factor, 0.0)
        self.damping[taken] = np.where(following < _LEAST_DAMPING, 0.0, following)


def _finite(
    free: BoolArray, value: FloatArray, gradient: FloatArray, hessian: FloatArray
) -> BoolArray:
    """Which lanes are finite in all that is free.

    What is not finite in a direction that is held is set to zero, in place: a density far below
    that of a part which is held at nothing has a slope by its yield, but its square overflows.
    """
    for array in (gradient[:, ~free], hessian[:, ~free], hessian[:, :, ~free]):
        if not np.isfinite(array).all():
            gradient[:, ~free], hessian[:, ~free], hessian[:, :, ~free] = 0.0, 0.0, 0.0
            break
    good: BoolArray = np.isfinite(value) & np.isfinite(gradient).all(axis=1)
    return good & np.isfinite(hessian).all(axis=(1, 2))
