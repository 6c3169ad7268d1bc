"""Conditional modes of the nuisance parameters, many at once, and the curvature there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from darkstats.arrays import BoolArray, FloatArray, IndexArray
from darkstats.fit import FitOptions, fit_batch
from darkstats.inference.bayes.nuisance_density import NuisanceDensity
from darkstats.inference.bayes.nuisances import ParameterPrior
from darkstats.model import LaneData, Model

__all__ = ["Modes", "conditional_modes", "widened"]

_STEPS, _HALVINGS = 60, 14
_DECREMENT = 1e-9  # Newton decrement at which a mode is found
_REACH = 12.0  # prior standard deviations that a fit may go


@dataclass(frozen=True, slots=True, kw_only=True)
class Modes:
    """Modes of the density at given signal strengths.

    Parameters
    ----------
    z, value
        Coordinates of the mode, and logarithm of the density there. Shapes [lane, z], [lane].
    factor
        Matrix that takes standard normal points to the Gaussian approximation about the mode: its
        transpose times the curvature times itself is one. Shape [lane, z, z].
    log_volume
        Logarithm of the integral of that Gaussian, relative to its peak. Shape [lane].
    good
        Where the gradient vanishes and the curvature is negative. Shape [lane].
    """

    z: FloatArray
    value: FloatArray
    factor: FloatArray
    log_volume: FloatArray
    good: BoolArray

    def chosen(self, which: BoolArray) -> Modes:
        """Some of the lanes."""
        return Modes(
            z=self.z[which],
            value=self.value[which],
            factor=self.factor[which],
            log_volume=self.log_volume[which],
            good=self.good[which],
        )

    def replaced(self, lanes: IndexArray, by: Modes) -> Modes:
        """The same with other modes in some lanes."""
        result = replace(
            self,
            z=self.z.copy(),
            value=self.value.copy(),
            factor=self.factor.copy(),
            log_volume=self.log_volume.copy(),
            good=self.good.copy(),
        )
        for mine, new in (
            (result.z, by.z),
            (result.value, by.value),
            (result.factor, by.factor),
            (result.log_volume, by.log_volume),
        ):
            mine[lanes] = new
        result.good[lanes] = by.good
        return result


def widened(model: Model, priors: tuple[ParameterPrior | None, ...]) -> Model:
    """Return the model with the ranges of its priors: those of the workspace are no edges."""
    parameters = []
    for parameter, prior in zip(model.parameters, priors, strict=True):
        if prior is None:
            parameters.append(parameter)
            continue
        low, high = -np.inf, np.inf
        if prior.kind == "normal" or prior.kind.startswith("factor-"):
            low = prior.centre - _REACH * parameter.width
            high = prior.centre + _REACH * parameter.width
        elif prior.kind == "flat":
            low, high = prior.lower, prior.upper
        else:
            low = 1e-10
        init = min(max(parameter.init, low), high)
        parameters.append(replace(parameter, lower=float(low), upper=float(high), init=init))
    return model.with_parameters(parameters)


def starts(
    density: NuisanceDensity,
    mu: FloatArray,
    counts: LaneData,
    row: IndexArray,
    *,
    options: FitOptions | None,
    near: FloatArray | None = None,
) -> tuple[FloatArray, int]:
    """Certified conditional fits as starting points [lane, z], and how many were certified."""
    model = density.model
    auxdata = np.broadcast_to(model.observation.auxdata, (len(mu), model.n_parameters))
    batch = fit_batch(model, counts[row], auxdata, start=near, poi_values=mu, options=options)
    parameters = np.where(batch.converged[:, np.newaxis], batch.parameters, model.inits[np.newaxis])
    return density.coordinates(parameters), int(np.count_nonzero(batch.converged))


def _curvature(matrix: FloatArray) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Eigenvalues and vectors of minus the Hessian, and where all eigenvalues are positive."""
    finite = np.asarray(np.isfinite(matrix).all(axis=(1, 2)))
    safe = np.where(finite[:, np.newaxis, np.newaxis], -matrix, np.eye(matrix.shape[1]))
    values, vectors = np.linalg.eigh(safe)
    return values, vectors, finite & (values[:, 0] > 0.0)


def _newton(
    gradient: FloatArray, hessian: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, BoolArray]:
    """Newton step, decrement, root of the curvature, and where the curvature is negative.

    Where it is not, the step goes along every direction by the size of its curvature.
    """
    n, d = gradient.shape
    gradient = np.nan_to_num(gradient)
    try:
        root = np.linalg.cholesky(-hessian)
    except np.linalg.LinAlgError:
        values, vectors, positive = _curvature(hessian)
        slope = np.einsum("lji,lj->li", vectors, gradient)
        size = np.maximum(np.abs(values), 1e-8 * np.abs(values).max(axis=1, keepdims=True))
        along = slope / np.maximum(size, 1e-300)
        step: FloatArray = np.einsum("lij,lj->li", vectors, along)
        # a root of the same kind as Cholesky's, where there is one
        root = np.zeros((n, d, d))
        if positive.any():
            root[positive] = np.linalg.cholesky(-hessian[positive])
        return step, np.asarray((slope * along).sum(axis=1)), root, positive
    half = np.linalg.solve(root, gradient[:, :, np.newaxis])
    newton = np.asarray(np.linalg.solve(np.swapaxes(root, 1, 2), half)[:, :, 0], dtype=np.float64)
    decrement: FloatArray = (gradient * newton).sum(axis=1)
    return newton, decrement, np.asarray(root, dtype=np.float64), np.ones(n, dtype=bool)


def conditional_modes(
    density: NuisanceDensity,
    mu: FloatArray,
    counts: LaneData,
    row: IndexArray,
    start: FloatArray,
) -> Modes:
    """Climb to the modes by damped Newton steps; where the curvature is not negative, along it.

    Parameters
    ----------
    density
        Likelihood times nuisance priors.
    mu
        Signal strengths. Shape [lane].
    counts, row
        Rows of counts, and which belongs to each lane. Shapes [row, bin], [lane].
    start
        Starting coordinates. Shape [lane, z].
    """
    n, d = len(mu), density.n
    z = start.copy()
    if d == 0:
        value = density.value(mu, z, counts, row)
        return Modes(
            z=z,
            value=value,
            factor=np.zeros((n, 0, 0)),
            log_volume=np.zeros(n),
            good=np.isfinite(value),
        )
    value = np.full(n, -np.inf)
    factor, log_volume = np.zeros((n, d, d)), np.zeros(n)
    good = np.zeros(n, dtype=bool)
    active = np.arange(n)
    for _ in range(_STEPS):
        at = density.derivatives(mu[active], z[active], counts, row[active])
        hessian = at.hessian if at.hessian is not None else np.zeros((len(active), d, d))
        newton, decrement, root, positive = _newton(at.gradient, hessian)
        value[active] = at.value
        done = positive & (decrement < _DECREMENT)
        if done.any():
            lanes = active[done]
            inverse = np.linalg.inv(root[done])
            factor[lanes] = np.swapaxes(inverse, 1, 2)
            diagonal = np.diagonal(root[done], axis1=1, axis2=2)
            log_volume[lanes] = 0.5 * d * np.log(2.0 * np.pi) - np.log(diagonal).sum(axis=1)
            good[lanes] = True
        rest = ~done
        if not rest.any():
            break
        step = newton[rest]
        # A step of more than a few widths leaves where the quadratic model means something.
        longest = np.maximum(np.linalg.norm(step, axis=1) / (3.0 * np.sqrt(d)), 1.0)
        active = active[rest]
        climb = step / longest[:, np.newaxis]
        before = at.value[rest]

        def value_at(
            lanes: IndexArray, points: FloatArray, these: IndexArray = active
        ) -> FloatArray:
            chosen = these[lanes]
            return density.value(mu[chosen], points, counts, row[chosen])

        z[active], moved = _line_search(value_at, z[active], climb, before)
        active = active[moved]
        if not len(active):
            break
    return Modes(z=z, value=value, factor=factor, log_volume=log_volume, good=good)


def _line_search(
    value_at: Callable[[IndexArray, FloatArray], FloatArray],
    z: FloatArray,
    step: FloatArray,
    before: FloatArray,
) -> tuple[FloatArray, BoolArray]:
    """Points uphill [lane, z], by halving the step; False for a lane that cannot rise."""
    found = z.copy()
    moved = np.zeros(len(z), dtype=bool)
    slack = 1e-10 * (1.0 + np.abs(before))
    for halving in range(_HALVINGS):
        todo = np.flatnonzero(~moved)
        if not len(todo):
            break
        trial = z[todo] + 0.5**halving * step[todo]
        better = value_at(todo, trial) >= before[todo] - slack[todo]
        found[todo[better]] = trial[better]
        moved[todo[better]] = True
    return found, moved
