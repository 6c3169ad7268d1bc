"""What groups of nuisance parameters contribute to the error of the parameter of interest."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.errors import OptionError, listed
from darkstats.fit.result import FitResult
from darkstats.fit.uncertainty import Covariance
from darkstats.model import Model

__all__ = ["ErrorBudget", "GroupImpact", "error_budget", "members", "response_to"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupImpact:
    r"""Contribution of one group to the error of the parameter of interest.

    Parameters
    ----------
    name, parameters
        The group, and the free nuisance parameters in it.
    impact
        :math:`\sqrt{\sigma^2 - \sigma_{\rm frozen}^2}`, in units of the parameter of interest.
    frozen_error
        :math:`\sigma_{\rm frozen}`: its error with the group held at its best fit.
    at_bound
        Members that rest at the end of their range: they are held there already.
    """

    name: str
    parameters: tuple[str, ...]
    impact: float
    frozen_error: float
    at_bound: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorBudget:
    """Error of the parameter of interest, all of it and by group.

    Parameters
    ----------
    total
        Its standard deviation.
    statistical
        The same with all *constrained* nuisance parameters held at their best fit; free ones are
        determined by the data, and stay.
    systematic
        What is left, in quadrature.
    groups
        In the order asked for. Groups that are correlated, or overlap, do not add up in quadrature
        to ``systematic``.
    """

    total: float
    statistical: float
    systematic: float
    groups: tuple[GroupImpact, ...]


def members(model: Model, patterns: Sequence[str], *, group: str) -> tuple[str, ...]:
    """Free nuisance parameters that a pattern names, by parameter or by modifier.

    ``*`` stands for anything, ``?`` for one character, ``[ab]`` for one of some; a whole name is
    meant literally, brackets included.

    Raises
    ------
    OptionError
        A pattern names no free nuisance parameter.
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        named = [
            parameter.name
            for p, parameter in enumerate(model.parameters)
            if p != model.poi_index
            and not parameter.fixed
            and any(
                name == pattern or fnmatchcase(name, pattern)
                for name in (parameter.name, parameter.set_name)
            )
        ]
        if not named:
            known = sorted({p.set_name for k, p in enumerate(model.parameters)
                            if k != model.poi_index and not p.fixed})  # fmt: skip
            raise OptionError(
                f"group {group!r}: {pattern!r} names no free nuisance parameter; there are: "
                f"{listed(pattern, known) or 'none'}"
            )
        found |= dict.fromkeys(named)
    return tuple(found)


def error_budget(
    result: FitResult, matrix: Covariance, groups: Mapping[str, Sequence[str]]
) -> ErrorBudget | None:
    r"""Error of the parameter of interest, and how much of it each group makes.

    Parameters
    ----------
    result, matrix
        A free fit and its covariance.
    groups
        Patterns of each group: see :func:`members`.

    Returns
    -------
    ErrorBudget or None
        None where the covariance has no parameter of interest: it rests at the end of its range,
        or nothing determines it.

    Raises
    ------
    OptionError
        There is no parameter of interest, or a pattern names nothing.

    Notes
    -----
    Freezing the group :math:`G` at its best fit moves no other parameter, and leaves the variance
    :math:`V_{\mu\mu} - V_{\mu G} V_{GG}^{-1} V_{G\mu}`: what a fit with the group held and its
    errors from the exact Hessian gives. The subtracted term is the squared impact.
    """
    model = result.model
    poi = model.parameters[model.require_poi()].name
    chosen = {name: members(model, patterns, group=name) for name, patterns in groups.items()}
    if poi not in matrix.names:
        return None
    row = {name: i for i, name in enumerate(matrix.names)}
    total = float(matrix.matrix[row[poi], row[poi]])
    constrained = [p.name for p in model.parameters if p.constrained and p.name in row]
    systematic = _taken(matrix, row, poi, constrained)
    resting = set(result.at_bound)
    found = []
    for name, parameters in chosen.items():
        taken = _taken(matrix, row, poi, [one for one in parameters if one in row])
        found.append(
            GroupImpact(
                name=name,
                parameters=parameters,
                impact=math.sqrt(taken),
                frozen_error=math.sqrt(max(total - taken, 0.0)),
                at_bound=tuple(one for one in parameters if one in resting),
            )
        )
    return ErrorBudget(
        total=math.sqrt(total),
        statistical=math.sqrt(max(total - systematic, 0.0)),
        systematic=math.sqrt(systematic),
        groups=tuple(found),
    )


def _taken(
    matrix: Covariance, row: Mapping[str, int], poi: str, parameters: Sequence[str]
) -> float:
    """Variance of the parameter of interest that goes with some parameters held."""
    if not parameters:
        return 0.0
    held = [row[name] for name in parameters]
    taken = float(response_to(matrix, row[poi], held) @ matrix.matrix[row[poi], held])
    return min(max(taken, 0.0), float(matrix.matrix[row[poi], row[poi]]))


def response_to(matrix: Covariance, poi: int, held: Sequence[int]) -> FloatArray:
    r"""How far the parameter of interest goes along with parameters that are held elsewhere.

    :math:`V_{GG}^{-1} V_{G\mu}`, solved in units of the errors. Shape [held].

    Parameters
    ----------
    matrix
        Covariance.
    poi, held
        Rows of the parameter of interest and of the group :math:`G`.
    """
    scale = np.sqrt(np.diag(matrix.matrix)[held])
    block = matrix.matrix[np.ix_(held, held)] / np.outer(scale, scale)
    found: FloatArray = np.linalg.solve(block, matrix.matrix[poi, held] / scale) / scale
    return found
