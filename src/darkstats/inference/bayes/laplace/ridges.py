"""Importance sampling along ridges: posteriors that are narrow across a curved sheet.

Many events fix the rate of a bin far better than the priors of the nuisance parameters behind it:
what is left of the posterior is a thin sheet, along which parameters compensate each other. Factors
multiply, so that the sheet is curved by many of its own widths, and no Gaussian in flat coordinates
covers it. Directions are therefore told apart: *stiff* ones, in which the likelihood is much
narrower than the priors, and *soft* ones. Soft coordinates are thrown first; at each such point the
stiff ones are thrown from the Gaussian about their own conditional mode (Laplace's approximation
within Laplace's, as of H. Rue, S. Martino, N. Chopin, JRSS B 71 (2009) 319). Weights are exact
whatever the modes are, since these depend on the soft coordinates alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from darkstats.arrays import FloatArray, IndexArray

if TYPE_CHECKING:
    from darkstats.inference.bayes.laplace.importance import Proposal
    from darkstats.inference.bayes.problem import Lanes, PosteriorProblem
    from darkstats.model import LaneData

__all__ = ["Ridges", "ridge_weights"]

#: Curvature, in units of the priors', from which a direction is stiff: five times as narrow. A
#: sheet is bent by about one prior width squared, which a Gaussian of a fifth of it still covers.
_STIFF = 25.0
_CLIMBS = 12  # Newton steps to a conditional mode; most points need three
_CLOSE = 1e-2  # Newton decrement that is near enough: the weights know where a point is
_LONGEST = 1.0  # step in the coordinates, which are about standard normal a priori
_POINTS_PER_CALL = 8192


@dataclass(frozen=True, slots=True)
class Ridges:
    """Coordinates of one observation, rotated so that the stiff directions come first.

    ``basis`` is orthogonal [z, z], its columns the directions; the first ``stiff`` are stiff.
    """

    basis: FloatArray
    stiff: int

    @classmethod
    def of(cls, factor: FloatArray) -> Ridges:
        """Directions of the curvature at a mode; ``factor`` as of a lane, shape [z, z]."""
        inverse = np.linalg.inv(factor)
        curvature, directions = np.linalg.eigh(inverse.T @ inverse)
        basis: FloatArray = directions[:, ::-1]
        return cls(basis, int(np.count_nonzero(curvature > _STIFF)))


@dataclass(frozen=True, slots=True)
class _Sheet:
    """The Gaussian about the mode of each lane in rotated coordinates.

    ``mode`` [lane, z]; ``slope`` of the stiff mode by the soft coordinates [lane, stiff, soft];
    ``soft`` and ``stiff`` take standard normal points to spreads, [lane, soft, soft] and
    [lane, stiff, stiff].
    """

    mode: FloatArray
    slope: FloatArray
    soft: FloatArray
    stiff: FloatArray

    @classmethod
    def of(cls, lanes: Lanes, ridges: Ridges) -> _Sheet:
        k = ridges.stiff
        inverse = np.linalg.inv(lanes.factor)
        curvature = np.swapaxes(inverse, 1, 2) @ inverse
        curvature = ridges.basis.T @ curvature @ ridges.basis
        inner = np.linalg.inv(curvature[:, :k, :k])
        slope = -inner @ curvature[:, :k, k:]
        left = curvature[:, k:, k:] + np.swapaxes(curvature[:, :k, k:], 1, 2) @ slope
        return cls(
            mode=lanes.z @ ridges.basis,
            slope=slope,
            soft=_spread(left),
            stiff=_spread(curvature[:, :k, :k]),
        )


def _spread(curvature: FloatArray) -> FloatArray:
    """Take standard normal points to the Gaussian of a curvature. Shape [..., n, n]."""
    root = np.linalg.cholesky(0.5 * (curvature + np.swapaxes(curvature, -1, -2)))
    result: FloatArray = np.swapaxes(np.linalg.inv(root), -1, -2)
    return result


def _log_determinant(spread: FloatArray) -> FloatArray:
    """Logarithm of the determinant of triangular matrices. Shape [..., n, n]."""
    result: FloatArray = np.log(np.abs(np.diagonal(spread, axis1=-2, axis2=-1))).sum(axis=-1)
    return result


def ridge_weights(
    problem: PosteriorProblem, counts: LaneData, lanes: Lanes, thrown: Proposal, ridges: Ridges
) -> FloatArray:
    """Logarithms of the weights, relative to the Gaussian at the mode. [lane, replicate, point].

    Parameters
    ----------
    problem, counts
        Model and priors, and the rows of counts.
    lanes
        Conditional modes of one observation, all of them found.
    thrown
        Standard normal points, the same at all lanes.
    ridges
        Directions of this observation, at least one of them stiff and one soft.
    """
    replicates, size, d = thrown.points.shape
    flat = thrown.points.reshape(replicates * size, d)
    log_q, k = thrown.log_density.ravel(), ridges.stiff
    sheet = _Sheet.of(lanes, ridges)
    usual = _log_determinant(sheet.stiff)
    n, weights = len(lanes.mu), np.empty((len(lanes.mu), len(flat)))
    step = max(1, _POINTS_PER_CALL // len(flat))
    for first in range(0, n, step):
        part = slice(first, min(first + step, n))
        m = part.stop - part.start
        away = flat[:, k:] @ np.swapaxes(sheet.soft[part], -1, -2)  # [lane, point, soft]
        ahead = away @ np.swapaxes(sheet.slope[part], -1, -2)
        start = np.concatenate([ahead, away], axis=2) + sheet.mode[part, np.newaxis]
        lane = np.repeat(np.arange(part.start, part.stop), len(flat))
        u = start.reshape(m * len(flat), d)
        mu, row = lanes.mu[lane], lanes.row[lane]
        spread = _climb(problem, counts, ridges, u=u, mu=mu, row=row, usual=sheet.stiff[lane])
        u[:, :k] += np.einsum("pij,pj->pi", spread, np.tile(flat[:, :k], (m, 1)))
        value = problem.density.value(mu, u @ ridges.basis.T, counts, row)
        value += _log_determinant(spread) - usual[lane] - lanes.value[lane]
        weights[part] = value.reshape(m, len(flat)) - log_q
    return weights.reshape(n, replicates, size)


def _climb(
    problem: PosteriorProblem,
    counts: LaneData,
    ridges: Ridges,
    *,
    u: FloatArray,
    mu: FloatArray,
    row: IndexArray,
    usual: FloatArray,
) -> FloatArray:
    """Move the stiff coordinates of points to their conditional mode; return the spread there.

    ``u`` [point, z] is changed. Where no mode is found the ``usual`` spread stays: the weight of
    such a point is right all the same.
    """
    k = ridges.stiff
    stiff = ridges.basis[:, :k]
    spread = usual.copy()
    active = np.arange(len(u))
    for _ in range(_CLIMBS):
        at = problem.density.derivatives(
            mu[active], u[active] @ ridges.basis.T, counts, row[active]
        )
        assert at.hessian is not None, "asked for"
        gradient = at.gradient @ stiff
        curvature = -(stiff.T @ at.hessian @ stiff)
        usable = np.isfinite(curvature).all(axis=(1, 2)) & np.isfinite(gradient).all(axis=1)
        keep = np.flatnonzero(usable)
        keep = keep[np.linalg.eigvalsh(curvature[keep])[:, 0] > 0.0]
        active, gradient, curvature = active[keep], gradient[keep], curvature[keep]
        if not len(active):
            break
        spread[active] = _spread(curvature)
        climb = np.linalg.solve(curvature, gradient[:, :, np.newaxis])[:, :, 0]
        decrement = (climb * gradient).sum(axis=1)
        length = np.maximum(np.linalg.norm(climb, axis=1) / _LONGEST, 1.0)
        u[active, :k] += climb / length[:, np.newaxis]
        active = active[decrement > _CLOSE]
        if not len(active):
            break
    return spread
