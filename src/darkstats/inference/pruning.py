"""Take nuisance parameters away that do not matter to a limit, and measure that they do not."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from darkstats.errors import NotCertifiedError, OptionError
from darkstats.fit import FitOptions, covariance, fit
from darkstats.fit.groups import response_to
from darkstats.inference.simplified import LimitComparison, TimedLimit, comparison, timed_limit
from darkstats.model import HistFactoryModel, compile_workspace
from darkstats.workspace import Workspace, prune
from darkstats.workspace.names import modifier_of
from darkstats.workspace.nominal import nominal_values

__all__ = ["Pruned", "expected_effects", "prune_below"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pruned:
    """A workspace without some nuisance parameters, and what that changes.

    Parameters
    ----------
    workspace
        The workspace that is left.
    threshold
        Relative change of a limit that was allowed.
    dropped, kept
        Names of modifiers, each with the change of the limit that the covariance leads to expect.
    change
        Limits before and after, measured.
    parameters_before, parameters_after
        Free parameters, the parameter of interest included.
    """

    workspace: Workspace
    threshold: float
    dropped: tuple[tuple[str, float], ...]
    kept: tuple[tuple[str, float], ...]
    change: LimitComparison
    parameters_before: int
    parameters_after: int


def expected_effects(
    model: HistFactoryModel, limit: float, *, options: FitOptions | None = None
) -> dict[str, float]:
    r"""Relative change of a limit with each constrained modifier taken away, by name.

    Parameters
    ----------
    model
        The model, with its observation.
    limit
        The limit, in units of the parameter of interest.

    Raises
    ------
    NotCertifiedError
        The free fit, or its covariance, cannot be certified.

    Notes
    -----
    To first order at the best fit: without the parameters :math:`G` the error of the parameter of
    interest shrinks by :math:`V_{\mu G} V_{GG}^{-1} V_{G\mu}` in the square, and its best fit moves
    by :math:`V_{\mu G} V_{GG}^{-1} (\theta_0 - \hat\theta)_G`. The sum of both, relative to
    error and limit, orders the modifiers; what counts is measured.
    """
    poi = model.parameters[model.require_poi()].name
    best = fit(model.with_range(poi, -math.inf, math.inf), model.observation, options=options)
    matrix = covariance(best)
    if poi not in matrix.names:
        raise NotCertifiedError(f"the data do not determine {poi!r}: nothing can be compared")
    row = {name: i for i, name in enumerate(matrix.names)}
    total = float(matrix.matrix[row[poi], row[poi]])
    free = set(best.free)
    members: dict[str, list[int]] = {}
    for p, parameter in enumerate(model.parameters):
        if parameter.constrained and parameter.name in free:
            members.setdefault(parameter.set_name, []).append(p)
    found = {}
    for name, inside in members.items():
        known = [p for p in inside if model.parameters[p].name in row]
        if len(known) < len(inside):  # at a bound: no parabola
            continue
        held = [row[model.parameters[p].name] for p in known]
        slope = response_to(matrix, row[poi], held)
        taken = float(slope @ matrix.matrix[row[poi], held])
        nominal = np.array([_nominal(model, p) for p in known])
        moved = float(slope @ (nominal - np.asarray(best.parameters)[known]))
        shrunk = 1.0 - math.sqrt(max(1.0 - taken / total, 0.0))
        found[name] = shrunk + abs(moved) / limit
    return found


def _nominal(model: HistFactoryModel, p: int) -> float:
    """Value of a constrained parameter that its auxiliary datum prefers."""
    parameter = model.parameters[p]
    return parameter.auxdata / (parameter.width if parameter.constraint == "poisson" else 1.0)


def prune_below(
    workspace: Workspace,
    threshold: float,
    *,
    measurement: str | None = None,
    cl: float = 0.95,
    options: FitOptions | None = None,
) -> Pruned:
    """Drop the constrained nuisance parameters whose effect on the limits is below a threshold.

    Parameters
    ----------
    workspace
        A workspace with signal and parameter of interest.
    threshold
        Largest relative change of the observed limit and of the expected ones, in (0, 1), of all
        that is dropped together: measured, not expected.
    measurement
        Measurement whose limits are compared; the first one by default.
    cl
        Level of the limits.

    Raises
    ------
    OptionError
        The threshold is out of range, or nothing is below it.
    NotCertifiedError
        A fit or a limit is not certified.

    Notes
    -----
    Modifiers are dropped together, the least important first. If all of those that are expected to
    stay below the threshold change more together, half of them are tried, and so on.
    """
    if not 0.0 < threshold < 1.0:
        raise OptionError(f"a threshold is a fraction between 0 and 1, got {threshold:g}")
    poi = workspace.measurement(measurement)["config"]["poi"]
    names = {name for name, _ in workspace.modifiers}
    if modifier_of(poi, names) not in names:
        raise OptionError(
            f"{workspace.source} has no signal, so that there is no limit to compare: apply a "
            "patch before"
        )
    model = compile_workspace(workspace, measurement)
    full = timed_limit(model, cl=cl, options=options)
    scale = full.limit.observed or full.limit.expected[2]
    if not scale:
        raise NotCertifiedError("there is no limit, so that nothing can be compared with it")
    effects = expected_effects(model, scale, options=options)
    stays = _cannot_go(workspace)
    ranked = sorted((effect, name) for name, effect in effects.items() if name not in stays)
    count = sum(effect < threshold for effect, _ in ranked)
    best: tuple[Workspace, LimitComparison, int] | None = None
    low, high = 0, count
    attempt = count
    while attempt > low:
        names = {name for _, name in ranked[:attempt]}
        left, change = _without(workspace, names, measurement, full, cl=cl, options=options)
        if change.largest is not None and change.largest <= threshold:
            best, low = (left, change, attempt), attempt
        else:
            high = attempt - 1
        attempt = (low + high + 1) // 2
    if best is None:
        if not ranked:
            raise OptionError(
                "no constrained nuisance parameter can be dropped: "
                + ("; ".join(stays[name] for name in effects) or "there is none")
            )
        effect, name = ranked[0]
        raise OptionError(
            f"no constrained nuisance parameter stays below {threshold:.2%}: {name!r} changes "
            f"about {effect:.2g}; raise --threshold"
        )
    left, change, n_dropped = best
    gone = {name for _, name in ranked[:n_dropped]}
    after = compile_workspace(left, measurement)
    return Pruned(
        workspace=left,
        threshold=threshold,
        dropped=tuple((name, effect) for effect, name in ranked[:n_dropped]),
        kept=tuple(sorted(((n, e) for n, e in effects.items() if n not in gone),
                          key=lambda pair: pair[1])),
        change=change,
        parameters_before=_n_free(model),
        parameters_after=_n_free(after),
    )  # fmt: skip


def _cannot_go(workspace: Workspace) -> dict[str, str]:
    """Modifiers whose value yields cannot take over, by name: why not."""
    document = workspace.document
    moved = {
        name
        for one in document["measurements"]
        for name, nominal in nominal_values(document, one).items()
        if nominal.has_effect
    }
    found = {}
    for name in sorted(moved):
        try:
            prune(workspace, modifiers=[name])
        except OptionError as error:
            found[name] = str(error)
    return found


def _n_free(model: HistFactoryModel) -> int:
    return sum(not parameter.fixed for parameter in model.parameters)


def _without(
    workspace: Workspace,
    names: set[str],
    measurement: str | None,
    full: TimedLimit,
    *,
    cl: float,
    options: FitOptions | None,
) -> tuple[Workspace, LimitComparison]:
    """The workspace without some modifiers, and its limits beside the full ones."""
    left = prune(workspace, modifiers=sorted(names))
    small = compile_workspace(left, measurement)
    return left, comparison(full, timed_limit(small, cl=cl, options=options))
