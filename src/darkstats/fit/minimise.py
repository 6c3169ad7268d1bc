"""The minimiser of one lane: damped Newton with bounds, exact Hessian, and a certificate.

Every step solves the quadratic model on the box: parameters whose step leaves the box are set on
its face and the rest is solved again.  The step is then shortened until the deviance falls (Armijo).
Where the exact Hessian is not positive on the free parameters the diagonal is damped.

Interpolation codes with a kink at zero (code0, code1) make the likelihood piecewise smooth.  Such a
parameter stays on one side of zero within a step; resting at zero, it is tried on both sides.
"""

from __future__ import annotations

import numpy as np

from darkstats.arrays import FloatArray, IndexArray
from darkstats.fit.linear_algebra import System, make_system, solve_step
from darkstats.kernel import kernel, kernel_entry
from darkstats.model.rates import Scratch, deviance, deviance_derivatives, make_scratch
from darkstats.model.structure import Layout, Numbers

__all__ = ["CODE_CONVERGED", "CODE_MAX_STEPS", "CODE_NOT_FINITE", "CODE_STALLED", "fit_lanes"]

CODE_CONVERGED, CODE_MAX_STEPS, CODE_NOT_FINITE, CODE_STALLED = 0, 1, 2, 3
MAX_DAMPING = 1e12
ROUNDING = 4e-15  # relative rounding error of the deviance


@kernel
def _limits_here(
    p: int, layout: Layout, lower: FloatArray, upper: FloatArray, side: IndexArray
) -> tuple[float, float]:
    """Range of a parameter in this piece of the likelihood."""
    low, high = lower[p], upper[p]
    if layout.kinked[p] == 1:
        if side[p] > 0:
            low = max(low, 0.0)
        else:
            high = min(high, 0.0)
    return low, high


@kernel
def _pin_active(
    layout: Layout,
    lower: FloatArray,
    upper: FloatArray,
    free: IndexArray,
    x: FloatArray,
    side: IndexArray,
    s: Scratch,
    pinned: IndexArray,
    step: FloatArray,
) -> None:
    """Pin what is fixed, and what rests at a face that its gradient presses against."""
    for p in range(len(x)):
        pinned[p] = 0
        step[p] = 0.0
        if free[p] == 0:
            pinned[p] = 1
            continue
        low, high = _limits_here(p, layout, lower, upper, side)
        slope = s.gradient[p]
        if (x[p] <= low and slope >= 0.0) or (x[p] >= high and slope <= 0.0):
            pinned[p] = 1


@kernel
def _box_step(
    layout: Layout,
    lower: FloatArray,
    upper: FloatArray,
    x: FloatArray,
    side: IndexArray,
    s: Scratch,
    w: System,
    pinned: IndexArray,
    step: FloatArray,
    damping: float,
) -> None:
    """Bring a Newton step into the box: put what leaves it on the face, solve for the rest again."""
    n = len(x)
    for _ in range(12):
        outside = 0
        for p in range(n):
            if pinned[p] == 1:
                continue
            low, high = _limits_here(p, layout, lower, upper, side)
            if x[p] + step[p] < low:
                step[p] = low - x[p]
                pinned[p] = 1
                outside += 1
            elif x[p] + step[p] > high:
                step[p] = high - x[p]
                pinned[p] = 1
                outside += 1
        if outside == 0:
            return
        if solve_step(layout, s, w, x, pinned, step, damping) < 0:
            break
    for p in range(n):
        low, high = _limits_here(p, layout, lower, upper, side)
        step[p] = min(max(step[p], low - x[p]), high - x[p])


@kernel
def _turn_at_kinks(
    layout: Layout,
    numbers: Numbers,
    counts: FloatArray,
    auxdata: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    free: IndexArray,
    x: FloatArray,
    side: IndexArray,
    s: Scratch,
) -> int:
    """Try the other side of every parameter that rests at its kink; how many turned."""
    resting = 0
    for p in range(len(x)):
        if layout.kinked[p] == 1 and free[p] == 1 and x[p] == 0.0:
            side[p] = -side[p]
            resting += 1
    if resting == 0:
        return 0
    deviance(layout, numbers, counts, auxdata, x, side, s)
    deviance_derivatives(layout, numbers, counts, auxdata, x, s)
    turned = 0
    for p in range(len(x)):
        if layout.kinked[p] == 1 and free[p] == 1 and x[p] == 0.0:
            inward = -s.gradient[p] * side[p] > 1e-7
            room = upper[p] > 0.0 if side[p] > 0 else lower[p] < 0.0
            if inward and room:
                turned += 1
            else:
                side[p] = -side[p]
    return turned


@kernel
def minimise(
    layout: Layout,
    numbers: Numbers,
    counts: FloatArray,
    auxdata: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    free: IndexArray,
    damping_start: float,
    max_steps: int,
    edm_tolerance: float,
    x: FloatArray,
    trial: FloatArray,
    step: FloatArray,
    pinned: IndexArray,
    side: IndexArray,
    s: Scratch,
    w: System,
) -> tuple[float, float, int, int, int]:
    """Minimise one lane in place. Returns half the deviance, EDM, steps, code, flat directions."""
    n = len(x)
    for p in range(n):
        if free[p] == 1:
            x[p] = min(max(x[p], lower[p]), upper[p])
        side[p] = 1 if x[p] >= 0.0 else -1
        if x[p] == 0.0 and upper[p] <= 0.0:
            side[p] = -1
    value = deviance(layout, numbers, counts, auxdata, x, side, s)
    if not np.isfinite(value):
        return value, np.inf, 0, CODE_NOT_FINITE, 0
    damping, edm, flat, turns = damping_start, np.inf, 0, 0
    for steps in range(max_steps):
        deviance_derivatives(layout, numbers, counts, auxdata, x, s)
        _pin_active(layout, lower, upper, free, x, side, s, pinned, step)
        flat = solve_step(layout, s, w, x, pinned, step, damping)
        while flat < 0:
            damping = max(1e-3, 10.0 * damping)
            if damping > MAX_DAMPING:
                return value, edm, steps, CODE_STALLED, 0
            flat = solve_step(layout, s, w, x, pinned, step, damping)
        slope = 0.0
        for p in range(n):
            slope += s.gradient[p] * step[p]
        if damping == 0.0:
            edm = -0.5 * slope
            if edm <= edm_tolerance:
                if turns < 20 and _turn_at_kinks(
                    layout, numbers, counts, auxdata, lower, upper, free, x, side, s
                ):
                    turns += 1
                    deviance(layout, numbers, counts, auxdata, x, side, s)
                    continue
                return value, edm, steps, CODE_CONVERGED, flat
        _box_step(layout, lower, upper, x, side, s, w, pinned, step, damping)
        slope = 0.0
        for p in range(n):
            slope += s.gradient[p] * step[p]
        accepted = False
        length = 1.0
        if slope < 0.0:
            for _ in range(30):
                for p in range(n):
                    trial[p] = x[p] + length * step[p]
                    if free[p] == 1:
                        low, high = _limits_here(p, layout, lower, upper, side)
                        trial[p] = min(max(trial[p], low), high)
                new = deviance(layout, numbers, counts, auxdata, trial, side, s)
                if new <= value + 1e-4 * length * slope + ROUNDING * (1.0 + abs(value)):
                    accepted = True
                    break
                length *= 0.5 if length > 0.1 else 0.1
        if accepted:
            for p in range(n):
                x[p] = trial[p]
            value = new
            damping = 0.0 if damping < 1e-4 else (0.1 * damping if length == 1.0 else damping)
        else:
            if damping > MAX_DAMPING:
                return value, edm, steps, CODE_STALLED, flat
            damping = max(1e-3, 10.0 * damping)
            deviance(layout, numbers, counts, auxdata, x, side, s)
    return value, edm, max_steps, CODE_MAX_STEPS, flat


@kernel_entry
def fit_lanes(
    layout: Layout,
    numbers: Numbers,
    first: int,
    stop: int,
    counts: FloatArray,
    auxdata: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    free: IndexArray,
    damping: float,
    max_steps: int,
    edm_tolerance: float,
    parameters: FloatArray,
    value: FloatArray,
    edm: FloatArray,
    min_rate: FloatArray,
    report: IndexArray,
) -> None:
    """Minimise lanes ``first`` to ``stop - 1``; ``parameters`` [lane, par] hold the starts.

    Fills ``value`` (half the deviance) and ``edm`` [lane], ``min_rate`` [lane] and ``report``
    [lane, 3]: code, steps, flat directions.
    """
    s = make_scratch(layout, numbers)
    w = make_system(s)
    n = parameters.shape[1]
    trial, step = np.empty(n), np.empty(n)
    pinned, side = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    for lane in range(first, stop):
        result, distance, steps, code, flat = minimise(
            layout,
            numbers,
            counts[lane],
            auxdata[lane],
            lower,
            upper,
            free,
            damping,
            max_steps,
            edm_tolerance,
            parameters[lane],
            trial,
            step,
            pinned,
            side,
            s,
            w,
        )
        value[lane] = result
        edm[lane] = distance
        lowest = np.inf
        for b in range(layout.n_bins):
            lowest = min(lowest, s.nu[b])
        min_rate[lane] = lowest
        report[lane, 0] = code
        report[lane, 1] = steps
        report[lane, 2] = flat
