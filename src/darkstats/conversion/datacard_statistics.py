"""``autoMCStats``: which bins share a statistical parameter, and which processes have their own.

Source: Combine's documentation, "Automatic statistical uncertainties". In Combine one Gaussian
parameter scales the total error of a bin, e = sqrt(sum e_i^2), with errors that follow the rates.
Minimised over its parameters, a sum of independent errors, one for each process, is the same
likelihood, since sum of x_i^2 at fixed sum of x_i e_i is x^2 at x e. So a ``staterror`` of its own
for each process is exact; one that backgrounds share is, where their composition is nominal.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.conversion.converted import Difference
from darkstats.conversion.datacard import AutoStatistics

__all__ = ["Part", "Statistics", "statistical_modifiers"]

_POISSON_SLACK = 0.999  # rounding of contents and errors, as Combine allows


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A process in a bin of the card.

    Parameters
    ----------
    process, is_signal
        Name, and whether it scales with the signal strength.
    nominal, errors
        Yields and absolute errors of simulation; None where there are none. Shapes [bin].
    scale
        Product of the initial values of its rate parameters.
    responses
        Ratios of its yield at -1 and +1 standard deviation, by nuisance parameter.
    variations
        Changes of its yields at one standard deviation of a shape, by nuisance parameter; the
        larger of both sides. Shape of each [bin].
    """

    process: str
    is_signal: bool
    nominal: FloatArray = field(repr=False)
    errors: FloatArray | None = field(repr=False)
    scale: float
    responses: Mapping[str, tuple[float, float]]
    variations: Mapping[str, FloatArray] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Modifiers by process, and what is to be said of them."""

    modifiers: Mapping[str, list[dict[str, Any]]]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Chosen:
    """Errors by process and kind of constraint. Shapes [bin]."""

    total: dict[str, FloatArray]
    gaussian: dict[str, FloatArray]
    poisson: dict[str, FloatArray]
    additive: dict[str, FloatArray]


def statistical_modifiers(
    channel: str, parts: Sequence[Part], rule: AutoStatistics, *, own: bool
) -> Statistics:
    """Return the modifiers of simulation statistics of a channel.

    Parameters
    ----------
    channel
        Name of the channel, which the names of the parameters begin with.
    parts
        Its processes.
    rule
        The line of the card.
    own
        Whether processes whose parameter is shared in Combine each get their own here.

    Notes
    -----
    By bin: the total of the backgrounds has n_eff = (sum n)^2 / sum e^2 events behind it, rounded.
    Up to the threshold each process has a parameter of its own: Poisson where its own number is not
    beyond the threshold and its error not beyond its content, Gaussian otherwise. Above, one for
    all.
    """
    if rule.threshold < 0.0 or not parts:
        return Statistics(modifiers={}, differences=(), notes=())
    chosen = _chosen(parts, rule)
    base = f"prop_bin{channel}"
    modifiers: dict[str, list[dict[str, Any]]] = {part.process: [] for part in parts}
    for part in parts:
        name, found = f"{base}_{part.process}", modifiers[part.process]
        gaussian = chosen.gaussian[part.process]
        if own:
            gaussian = gaussian + chosen.total[part.process]  # no bin has both
        if gaussian.any():
            found.append({"name": name, "type": "staterror", "data": gaussian.tolist()})
        poisson = chosen.poisson[part.process]
        if poisson.any():
            found.append({"name": f"{name}_poisson", "type": "shapesys", "data": poisson.tolist()})
        found += _additive(name, part, chosen.additive[part.process])
    if not own:
        for group, is_signal in ((base, False), (f"{base}_signal", True)):
            members = [part for part in parts if part.is_signal == is_signal]
            _share(group, members, chosen.total, modifiers)
    differences = _absolute(channel, parts, chosen, rule)
    if not own:
        differences += _composition(channel, parts, chosen.total, rule)
    return Statistics(modifiers=modifiers, differences=differences, notes=_notes(parts, rule))


def _notes(parts: Sequence[Part], rule: AutoStatistics) -> tuple[str, ...]:
    silent = [part.process for part in parts if part.errors is None or not part.errors.any()]
    if not silent:
        return ()
    return (f"{rule.place}: the templates of {', '.join(silent)} have no errors",)


def _chosen(parts: Sequence[Part], rule: AutoStatistics) -> _Chosen:
    n_bins = len(parts[0].nominal)
    zero = {part.process: np.zeros(n_bins) for part in parts}
    chosen = _Chosen(*({name: one.copy() for name, one in zero.items()} for _ in range(4)))
    errors = {
        part.process: np.zeros(n_bins) if part.errors is None else part.errors for part in parts
    }
    judged = [part for part in parts if rule.with_signal or not part.is_signal]
    for i in range(n_bins):
        total = sum(float(part.scale * part.nominal[i]) for part in judged)
        square = sum((part.scale * float(errors[part.process][i])) ** 2 for part in judged)
        if square <= 0.0:
            continue
        if math.floor(0.5 + total**2 / square) > rule.threshold:
            for part in parts:
                kind = chosen.total if part.nominal[i] > 0.0 else chosen.additive
                kind[part.process][i] = errors[part.process][i]
            continue
        for part in parts:
            content, error = float(part.nominal[i]), float(errors[part.process][i])
            if error <= 0.0:
                continue
            if content <= 0.0:
                chosen.additive[part.process][i] = error
                continue
            events = math.floor(0.5 + (content / error) ** 2)
            if content >= _POISSON_SLACK * error and events <= rule.threshold:
                chosen.poisson[part.process][i] = content / math.sqrt(events)
            else:
                chosen.gaussian[part.process][i] = error
    return chosen


def _additive(name: str, part: Part, errors: FloatArray) -> list[dict[str, Any]]:
    """Errors of bins without content: no factor can state them, a histosys of one bin can."""
    found = []
    for i in np.flatnonzero(errors):
        low, high = part.nominal.copy(), part.nominal.copy()
        low[i] -= errors[i]
        high[i] += errors[i]
        data = {"lo_data": low.tolist(), "hi_data": high.tolist()}
        found.append({"name": f"{name}_bin{i}", "type": "histosys", "data": data})
    return found


def _share(
    name: str,
    members: Sequence[Part],
    errors: Mapping[str, FloatArray],
    modifiers: Mapping[str, list[dict[str, Any]]],
) -> None:
    """One staterror of several processes, with the relative error at their initial rates."""
    if not any(errors[part.process].any() for part in members):
        return
    plain = _relative([(1.0, part) for part in members], errors)
    wanted = _relative([(part.scale, part) for part in members], errors)
    factor = np.where(plain > 0.0, wanted, 1.0) / np.where(plain > 0.0, plain, 1.0)
    for part in members:
        data = (errors[part.process] * factor).tolist()
        modifiers[part.process].append({"name": name, "type": "staterror", "data": data})


def _relative(
    weighted: Sequence[tuple[float, Part]], errors: Mapping[str, FloatArray]
) -> FloatArray:
    """Error of a sum, relative to it; zero where the sum is. Shape [bin]."""
    total = sum((weight * part.nominal for weight, part in weighted), np.zeros(1))
    square = sum(((weight * errors[part.process]) ** 2 for weight, part in weighted), np.zeros(1))
    filled = total > 0.0
    return np.where(filled, np.sqrt(square), 0.0) / np.where(filled, total, 1.0)


def _absolute(
    channel: str, parts: Sequence[Part], chosen: _Chosen, rule: AutoStatistics
) -> tuple[Difference, ...]:
    """How far a relative error that follows varied templates is from an absolute one."""
    size, worst = 0.0, ""
    total = sum((part.nominal for part in parts if not part.is_signal), np.zeros(1))
    for part in parts:
        if part.is_signal:
            continue  # its yields are as small as one likes
        error = chosen.total[part.process] + chosen.gaussian[part.process]
        filled = part.nominal > 0.0
        ratio = np.where(filled, error, 0.0) / np.where(filled, part.nominal, 1.0)
        for name, change in part.variations.items():
            moved = float(
                np.max(np.where(filled, ratio * change, 0.0) / np.where(filled, total, 1.0))
            )
            if moved > size:
                size, worst = moved, name
    if not size:
        return ()
    return (
        Difference(
            what=f"autoMCStats of bin {channel}: Combine keeps absolute errors where shapes vary, "
            "a staterror follows the templates",
            parameter=worst, place=str(rule.place), size=size, size_default=size,
        ),
    )  # fmt: skip


def _composition(
    channel: str, parts: Sequence[Part], errors: Mapping[str, FloatArray], rule: AutoStatistics
) -> tuple[Difference, ...]:
    """How much the shared relative error of backgrounds moves with their composition."""
    members = [part for part in parts if not part.is_signal and errors[part.process].any()]
    if len(members) < 2:
        return ()
    nominal = _relative([(part.scale, part) for part in members], errors)
    size, worst = 0.0, ""
    for name in dict.fromkeys(name for part in members for name in part.responses):
        for side in (0, 1):
            weighted = [
                (part.scale * part.responses.get(name, (1.0, 1.0))[side], part) for part in members
            ]
            moved = float(np.max(np.abs(_relative(weighted, errors) - nominal)))
            if moved > size:
                size, worst = moved, name
    if not size:
        return ()
    return (
        Difference(
            what=f"autoMCStats of bin {channel}: the statistical error that backgrounds share is "
            "that of their nominal composition; --statistics own follows the rates, as in Combine",
            parameter=worst, place=str(rule.place), size=size, size_default=size,
        ),
    )  # fmt: skip
