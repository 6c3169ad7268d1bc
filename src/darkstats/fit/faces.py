"""Starts of free fits at a face of the signal strength, where rates are not straight in it.

A coupling enters squared: at zero nothing changes to first order, so that zero is a stationary
point of every likelihood, with an excess a maximum, and pinned there Newton's method calls it a
minimum. Interference makes minima of that kind that are real but not the lowest. Where rates are
straight in the signal strength, as in most models, there is one minimum and nothing is done here.
"""

from __future__ import annotations

import numpy as np

from darkstats.arrays import BoolArray, FloatArray
from darkstats.model import Model

__all__ = ["off_the_face"]

_STRAIGHT = 1e-6  # of a change, relative: what rounding leaves of a straight line is smaller
_MOST = 200  # halvings or doublings: from any unit to any other
_LOOKS = np.array([1.0, 1e3, 1e6])  # strengths at which one look tells a straight line


def off_the_face(
    model: Model, starts: FloatArray, *, poi: int, lower: float, upper: float
) -> tuple[BoolArray, FloatArray] | None:
    """Return other starts for lanes that start at the lower end of the signal strength.

    Parameters
    ----------
    model
        Of the fit.
    starts
        Shape [lane, par].
    poi, lower, upper
        Index and range of the parameter of interest.

    Returns
    -------
    tuple of arrays, or None
        Which lanes stand at the face, and starts with a signal of about one standard deviation of
        the expected events. Shapes [lane], [lane, par]. None where no lane stands there, or rates
        are straight in the signal strength.
    """
    at_face = starts[:, poi] <= lower
    if not at_face.any():
        return None
    point = starts[np.argmax(at_face)].copy()
    face = float(point[poi])
    widest = 0.5 * (upper - face)
    if _is_straight(model, point, poi, np.minimum(_LOOKS, widest)):
        return None

    def rates(step: float) -> FloatArray:
        point[poi] = face + step
        return model.expected_rates(point)

    base = rates(0.0)
    wanted = max(1.0, float(np.sqrt(np.abs(base).sum())))

    def change(step: float) -> float:
        with np.errstate(invalid="ignore"):  # what is infinite at both ends is not seen
            found = float(np.abs(rates(step) - base).sum())
        return found if np.isfinite(found) else np.inf

    step = min(1.0, widest)
    for _ in range(_MOST):
        if change(step) < wanted and 2.0 * step <= widest:
            step *= 2.0
        else:
            break
    for _ in range(_MOST):
        if change(step) > 2.0 * wanted:
            step *= 0.5
        else:
            break
    size = change(step)
    if not 0.0 < size < np.inf:
        return None
    bend = float(np.abs(rates(step) - 2.0 * rates(0.5 * step) + base).sum())
    if not bend > _STRAIGHT * size:
        return None
    moved = starts.copy()
    moved[at_face, poi] = face + step
    return at_face, moved


def _is_straight(model: Model, point: FloatArray, poi: int, steps: FloatArray) -> bool:
    """Whether rates rise in a straight line, seen at once: toys ask this of every batch."""
    points = np.repeat(point[np.newaxis], 1 + 2 * len(steps), axis=0)
    points[1:, poi] += np.concatenate([0.5 * steps, steps])
    with np.errstate(all="ignore"):  # a signal may be no number so far away: then it is not seen
        base, halves, wholes = np.split(model.expected_rates(points), [1, 1 + len(steps)])
        size = np.abs(wholes - base).sum(axis=1)
        bend = np.abs(wholes - 2.0 * halves + base).sum(axis=1)
    return bool(np.all(np.isfinite(size) & (size > 0.0) & (bend <= _STRAIGHT * size)))
