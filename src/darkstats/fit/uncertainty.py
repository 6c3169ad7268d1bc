"""Uncertainties of a certified fit: covariance from the exact Hessian, profile intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from darkstats.arguments import checked
from darkstats.arrays import FloatArray
from darkstats.errors import FitFailedError, OptionError
from darkstats.fit.batch import fit_batch
from darkstats.fit.eigenvalues import largest_eigenvalue
from darkstats.fit.lanes import FitOptions
from darkstats.fit.mle import AGREEMENT, fit
from darkstats.fit.result import FitResult
from darkstats.gaussian import quantile
from darkstats.model import Model, Observation
from darkstats.shown import Shown

__all__ = ["Covariance", "ProfileInterval", "covariance", "profile_interval"]

MANY_PARAMETERS = 500  # beyond, all eigenvalues of a Hessian take longer than the rest together
WELL_CONDITIONED = 1e8  # up to here the inverse holds its largest eigenvalue to eight digits
CROSSING_TOLERANCE = 1e-7  # relative, of the distance from the minimum to the crossing


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Covariance(Shown):
    """Parabolic uncertainties at a minimum.

    Parameters
    ----------
    names
        Free parameters that are not at a bound, in order.
    matrix
        Inverse of the exact Hessian of half the deviance. Shape [name, name].
    errors
        Standard deviation of every parameter of the model; 0 for one that is fixed, None for one
        that rests at a bound or that the data do not determine, where a parabola means nothing.
    condition
        Condition number of the correlation matrix.
    """

    in_a_line: ClassVar = "names errors condition"

    names: tuple[str, ...]
    matrix: FloatArray = field(repr=False)
    errors: tuple[float | None, ...]
    condition: float

    @property
    def correlation(self) -> FloatArray:
        """Correlation matrix. Shape [name, name]."""
        sigma = np.sqrt(np.diag(self.matrix))
        result: FloatArray = self.matrix / np.outer(sigma, sigma)
        return result

    def error(self, name: str) -> float | None:
        """Standard deviation of a parameter in :attr:`names`; None for any other."""
        if name not in self.names:
            return None
        i = self.names.index(name)
        return float(math.sqrt(self.matrix[i, i]))


@checked
def covariance(result: FitResult) -> Covariance:
    """Covariance of the fitted parameters from the exact Hessian at the minimum.

    Parameters at a bound are held there; directions that do not change the likelihood are left out.

    Raises
    ------
    FitFailedError
        The Hessian is not positive on the rest.

    Examples
    --------
    >>> import darkstats
    >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
    >>> model = darkstats.compile_workspace(workspace)
    >>> fit = darkstats.fit_model(model, model.observation)
    >>> round(darkstats.covariance(fit).error("mu"), 3)
    0.762
    """
    model = result.model
    data, auxdata = model.stack([result.observation])
    _, _, hessian = model.derivatives(result.parameters, data, auxdata[0])
    inside = set(result.free) - set(result.at_bound)
    diagonal = np.diag(hessian)
    kept = [
        p
        for p, parameter in enumerate(model.parameters)
        if parameter.name in inside and diagonal[p] > 0.0
    ]
    names = tuple(model.parameters[p].name for p in kept)
    scale = 1.0 / np.sqrt(diagonal[kept])
    with np.errstate(all="ignore"):
        scaled = hessian[np.ix_(kept, kept)] * np.outer(scale, scale)
    inverse, condition = _inverse(scaled)
    matrix = inverse * np.outer(scale, scale)
    free = set(result.free)
    place = {p: i for i, p in enumerate(kept)}
    errors: list[float | None] = []
    for p, parameter in enumerate(model.parameters):
        if parameter.name not in free:
            errors.append(0.0)
        elif p in place:
            i = place[p]
            errors.append(float(math.sqrt(matrix[i, i])))
        else:
            errors.append(None)
    return Covariance(names=names, matrix=matrix, errors=tuple(errors), condition=condition)


def _inverse(scaled: FloatArray) -> tuple[FloatArray, float]:
    """Inverse of a Hessian with a unit diagonal, and its condition number.

    Raises
    ------
    FitFailedError
        It is not positive, or not finite.
    """
    if len(scaled) == 0:
        return scaled, 1.0
    if not np.isfinite(scaled).all():
        raise FitFailedError(
            "the curvature at the minimum is not finite: some yield or density has no second "
            "derivative there; narrow the ranges, or look at profile intervals instead"
        )
    if len(scaled) > MANY_PARAMETERS:
        quick = _large_inverse(scaled)
        if quick is not None:
            return quick
    values = np.linalg.eigvalsh(scaled)
    if not values[0] > 1e-12 * values[-1]:
        raise FitFailedError(
            "the Hessian is not positive at the minimum (smallest eigenvalue "
            f"{values[0]:.3g} in units of its diagonal): some parameters are degenerate; "
            "fix one of them, or look at profile intervals instead"
        )
    inverse = np.asarray(np.linalg.inv(scaled), dtype=float)
    return inverse, float(values[-1] / values[0])


def _large_inverse(scaled: FloatArray) -> tuple[FloatArray, float] | None:
    """The same from the two extreme eigenvalues; None where all of them have to be looked at."""
    try:
        np.linalg.cholesky(scaled)
        inverse = np.asarray(np.linalg.inv(scaled), dtype=float)
    except np.linalg.LinAlgError:
        return None
    largest, smallest = largest_eigenvalue(scaled), largest_eigenvalue(inverse)
    if largest is None or smallest is None:
        return None
    condition = largest * smallest
    return (inverse, condition) if condition < WELL_CONDITIONED else None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ProfileInterval(Shown):
    """Where the profile likelihood ratio crosses the quantile of chi-squared with one degree.

    Parameters
    ----------
    lower, upper
        Ends of the interval; None where there is none, with the reason beside it.
    """

    in_a_line: ClassVar = "name cl best lower lower_reason upper upper_reason"

    name: str
    cl: float
    best: float
    lower: float | None
    upper: float | None
    lower_reason: str | None
    upper_reason: str | None


def _crossing(
    model: Model,
    observation: Observation,
    result: FitResult,
    index: int,
    *,
    target: float,
    direction: float,
    scale: float,
    options: FitOptions,
) -> tuple[float | None, str | None]:
    """Find where the square root of the deviance difference reaches ``target`` on one side."""
    name = model.parameters[index].name
    best, end = float(result.parameters[index]), model.parameters[index]
    edge = end.upper if direction > 0 else end.lower
    if index == model.poi_index and name not in result.at_bound:
        edge = direction * math.inf  # the range of the POI is one of the minimiser, no boundary
    start = result.parameters

    def root(distance: float) -> tuple[float, FloatArray]:
        value = best + direction * distance
        data, auxdata = model.stack([observation])
        batch = fit_batch(
            model,
            data,
            auxdata,
            start=start,
            fixed={name: value},
            options=options,
        ).require_converged()
        rise = float(batch.twice_nll[0]) - result.twice_nll
        if rise < -1e-6:
            raise FitFailedError(
                f"scanning {name} found a lower minimum (by {-rise:.3g} in deviance) at "
                f"{value:.6g}; start the fit from there"
            )
        return math.sqrt(max(rise, 0.0)), batch.parameters[0]

    room = abs(edge - best)
    low, high = 0.0, min(target * scale, room)
    at_low = 0.0
    for _ in range(60):
        if high <= 0.0:
            return None, f"{name} rests at the end of its range, {edge:g}"
        at_high, start = root(high)
        if at_high >= target:
            break
        if high >= room:
            return None, f"the range of {name} ends at {edge:g} before the interval does"
        low, at_low = high, at_high
        growth = 1.05 * target / at_high if at_high > 0.3 * target else 3.0
        high = min(high * max(growth, 1.02), room)
    else:
        return None, f"no end of the interval within {high:.3g} of the best fit"
    # Regula falsi (Illinois) on a function that is nearly linear.
    f_low, f_high = at_low - target, at_high - target
    for _ in range(100):
        middle = (low * f_high - high * f_low) / (f_high - f_low)
        value, start = root(middle)
        residual = value - target
        if abs(residual) <= CROSSING_TOLERANCE * target or abs(high - low) <= 1e-13 * high:
            return float(best + direction * middle), None
        if residual * f_high < 0.0:
            low, f_low = high, f_high
        else:
            f_low *= 0.5
        high, f_high = middle, residual
    return None, "the end of the interval was bracketed, but not found to the tolerance asked for"


def _certify_end(
    model: Model,
    observation: Observation,
    result: FitResult,
    *,
    fixed: dict[str, float],
    rise: float,
    options: FitOptions,
) -> None:
    """Fit again at an end of an interval, from other starts."""
    again = fit(model, observation, fixed=fixed, options=options).twice_nll - result.twice_nll
    if abs(again - rise) > 4.0 * CROSSING_TOLERANCE * rise + AGREEMENT:
        raise FitFailedError(
            f"at {fixed} a second start finds a deviance {again:.6g} above the minimum, the scan "
            f"{rise:.6g}: the likelihood has several minima there, and no interval is quoted"
        )


@checked
def profile_interval(
    model: Model,
    observation: Observation,
    name: str,
    *,
    cl: float = 0.6826894921370859,
    result: FitResult | None = None,
    options: FitOptions | None = None,
) -> ProfileInterval:
    """Profile-likelihood (MINOS) interval of one parameter.

    Parameters
    ----------
    model, observation
        The likelihood and its data.
    name
        The parameter.
    cl
        Confidence level in the limit of many events; one standard deviation by default.
    result
        The free fit, if it is at hand already.

    Raises
    ------
    OptionError
        ``cl`` is outside (0, 1), or the parameter is fixed.
    FitFailedError
        A fit could not be certified.

    Notes
    -----
    Wilks' theorem; CERN program library D506 (MINUIT), section MINOS. Away from the boundary and
    with many events only.

    Examples
    --------
    >>> import darkstats
    >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
    >>> model = darkstats.compile_workspace(workspace)
    >>> darkstats.profile_interval(model, model.observation, "mu")
    ProfileInterval(name='mu', cl=0.6827, best=0.5811, lower=-0.1716, upper=1.355)
    """
    if not 0.0 < cl < 1.0:
        raise OptionError(f"a confidence level lies in (0, 1), got {cl}")
    options = options or FitOptions(edm_tolerance=1e-11)
    result = result or fit(model, observation, options=options)
    index = model.parameter_index(name)
    if name not in result.free:
        raise OptionError(f"{name} is fixed: there is no interval; free it first")
    target = quantile(0.5 * (1.0 + cl))
    parabolic = covariance(result).errors[index]
    scale = (
        parabolic or model.parameters[index].prefit_error or max(abs(result.parameters[index]), 1.0)
    )
    ends = [
        _crossing(
            model,
            observation,
            result,
            index,
            target=target,
            direction=direction,
            scale=scale,
            options=options,
        )
        for direction in (-1.0, 1.0)
    ]
    for value, _ in ends:
        if value is not None:
            _certify_end(
                model,
                observation,
                result,
                fixed={name: value},
                rise=target**2,
                options=options,
            )
    return ProfileInterval(
        name=name,
        cl=cl,
        best=float(result.parameters[index]),
        lower=ends[0][0],
        upper=ends[1][0],
        lower_reason=ends[0][1],
        upper_reason=ends[1][1],
    )
