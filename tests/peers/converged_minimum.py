"""Minima of pyhf's likelihood that none of our code has touched, driven to convergence.

The function minimised is ``-2 * pyhf.Model.logpdf``. SLSQP of SciPy, at a tolerance of 1e-12,
walks from each start; the lowest point is polished by Newton steps on central differences, and
the expected distance to the minimum that is left is returned with it. p-values are formed from
the minima with ``scipy.stats.norm``, by the equations of arXiv:1007.1727.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.stats import norm

__all__ = ["Minimum", "PeerTest", "hypothesis_test", "lowest"]

POLISH_STEPS = 8
SMALL = 1e-14  # expected distance to the minimum at which polishing stops, in -2 log L


@dataclass(frozen=True, slots=True, kw_only=True)
class Minimum:
    """Lowest point found: parameters, -2 log L, expected distance left, and every start's value."""

    parameters: np.ndarray
    twice_nll: float
    edm: float
    of_starts: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerTest:
    """Observed value and five expected ones, -2 to +2 sigma, with what they are made of."""

    observed: float
    expected: tuple[float, ...]
    q: float
    q_asimov: float
    edm: float
    """Largest expected distance left in any of the fits."""


def _steps(f: Callable[[np.ndarray], float], x: np.ndarray, room: np.ndarray) -> np.ndarray:
    """Length over which -2 log L rises by about 1e-8 in each coordinate, inside the bounds."""
    steps = np.full(len(x), 1e-3)
    here = f(x)
    for i in range(len(x)):
        for _ in range(6):
            e = np.zeros(len(x))
            e[i] = min(steps[i], 0.4 * room[i])
            rise = 0.5 * (f(x + e) + f(x - e)) - here
            if rise > 1e-9:
                steps[i] = e[i] * 1e-4 / math.sqrt(rise)
                break
            steps[i] *= 10.0
    return np.minimum(steps, 0.4 * room)


def _polish(
    f: Callable[[np.ndarray], float], x: np.ndarray, free: np.ndarray, bounds: np.ndarray
) -> tuple[np.ndarray, float]:
    width = 1e-6 * (bounds[:, 1] - bounds[:, 0])
    pinned = (x - bounds[:, 0] < width) | (bounds[:, 1] - x < width)
    x = np.where(pinned & free, np.clip(np.round(x, 9), bounds[:, 0], bounds[:, 1]), x)
    active = np.flatnonzero(free & ~pinned)
    if not active.size:
        return x, 0.0
    room = np.minimum(x - bounds[:, 0], bounds[:, 1] - x)[active]

    def along(part: np.ndarray) -> float:
        point = x.copy()
        point[active] = part
        return f(point)

    y = x[active].copy()
    h = _steps(along, y, room)
    unit = np.diag(h)
    centre, plus = along(y), np.array([along(y + e) for e in unit])
    coarse = np.diag(10.0 * h)
    far = np.array([along(y + e) for e in coarse])
    hessian = np.empty((len(y), len(y)))
    for i in range(len(y)):
        for j in range(i + 1):
            both = along(y + coarse[i] + coarse[j])
            hessian[i, j] = hessian[j, i] = (both - far[i] - far[j] + centre) / (100 * h[i] * h[j])
    del plus
    edm = math.inf
    for _ in range(POLISH_STEPS):
        gradient = np.array([(along(y + e) - along(y - e)) / (2 * e.max()) for e in unit])
        step = -np.linalg.solve(hessian, gradient)
        previous, edm = edm, float(-0.5 * gradient @ step)
        if not (np.isfinite(edm) and abs(edm) < previous):
            break
        y = y + step
        if abs(edm) < SMALL:
            break
    x = x.copy()
    x[active] = y
    return x, abs(edm)


def lowest(
    peer: Any, data: Sequence[float], *, mu: float | None, starts: Sequence[np.ndarray]
) -> Minimum:
    """Lowest minimum of ``-2 log L`` from any of the starts; ``mu`` holds the POI."""
    poi = peer.config.poi_index
    bounds = np.array(peer.config.suggested_bounds(), dtype=float)
    free = ~np.array(peer.config.suggested_fixed(), dtype=bool)
    if mu is not None:
        free[poi] = False
    values = np.asarray(data, dtype=float)

    def full(point: np.ndarray) -> float:
        with np.errstate(all="ignore"):
            return float(-2.0 * peer.logpdf(point, values)[0])

    found = []
    for start in starts:
        origin = np.clip(start, bounds[:, 0], bounds[:, 1])
        if mu is not None:
            origin[poi] = mu

        def some(part: np.ndarray, origin: np.ndarray = origin) -> float:
            point = origin.copy()
            point[free] = part
            return full(point)

        walked = minimize(
            some,
            origin[free],
            bounds=bounds[free],
            method="SLSQP",
            options={"ftol": 1e-12, "maxiter": 100_000},
        )
        point = origin.copy()
        point[free] = walked.x
        found.append(point)
    reached = [full(point) for point in found]
    best = found[int(np.nanargmin(reached))]
    polished, edm = _polish(full, best, free, bounds)
    if not full(polished) <= full(best):
        polished = best
    return Minimum(
        parameters=polished,
        twice_nll=full(polished),
        edm=edm,
        of_starts=tuple(reached),
    )


def _upper(q: float, q_asimov: float, *, tilde: bool) -> float:
    a = math.sqrt(q_asimov)
    x = math.sqrt(q)
    if tilde and q > q_asimov:
        x = (q + q_asimov) / (2.0 * a)
    return float(np.exp(norm.logsf(x) - norm.logsf(x - a)))


def hypothesis_test(
    peer: Any, data: Sequence[float], mu: float, statistic: str, *, starts: Sequence[np.ndarray]
) -> PeerTest:
    """CLs for ``q`` and ``qtilde``, p0 for ``q0``; the Asimov data come from the same minima."""
    free = lowest(peer, data, mu=None, starts=starts)
    held = lowest(peer, data, mu=mu, starts=starts)
    asimov_mu = 1.0 if statistic == "q0" else 0.0
    reference = lowest(peer, data, mu=asimov_mu, starts=starts)
    asimov = np.asarray(peer.expected_data(reference.parameters))
    top = float(-2.0 * peer.logpdf(reference.parameters, asimov)[0])  # each factor at its maximum
    asimov_held = lowest(peer, asimov, mu=mu, starts=[*starts, reference.parameters])
    mu_hat = free.parameters[peer.config.poi_index]
    q = max(held.twice_nll - free.twice_nll, 0.0)
    q_asimov = asimov_held.twice_nll - top
    positions = np.arange(-2.0, 3.0)
    a = math.sqrt(q_asimov)
    if statistic == "q0":
        q = q if mu_hat > 0.0 else 0.0
        observed = float(norm.sf(math.sqrt(q)))
        expected = norm.sf(a - positions)
    else:
        q = q if mu_hat <= mu else 0.0
        observed = _upper(q, q_asimov, tilde=statistic == "qtilde")
        expected = np.exp(norm.logsf(a - positions) - norm.logcdf(positions))
    return PeerTest(
        observed=observed,
        expected=tuple(float(value) for value in expected),
        q=q,
        q_asimov=q_asimov,
        edm=max(m.edm for m in (free, held, reference, asimov_held)),
    )
