"""What the methods of the look-elsewhere effect hand back, and their comparison."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from darkstats.errors import OptionError
from darkstats.gaussian import quantile, survival
from darkstats.inference.p_values import PValue, ToyCounts
from darkstats.look_elsewhere.level_law import LevelLaw
from darkstats.shown import Shown

__all__ = [
    "BEYOND",
    "Comparison",
    "GlobalMethod",
    "GlobalSignificance",
    "global_result",
    "without_fluctuation",
]

GlobalMethod = Literal["toys", "up-crossings", "Euler characteristic", "covariance"]

BEYOND = 38.0
"""Stands for the significance of a p-value that is 0 or 1 as it is written."""
NO_FLUCTUATION = (
    "Asimov data have no fluctuation to judge: the largest excess is 0 up to rounding, and the "
    "global p-value is 1 by construction"
)
_ENOUGH_ABOVE = 0.1  # relative error of toys below which they are quoted before any formula


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class GlobalSignificance(Shown):
    """How surprising the largest excess of a scan is.

    Parameters
    ----------
    method
        ``"toys"``, ``"up-crossings"``, ``"Euler characteristic"`` or ``"covariance"``.
    z_local, p_local
        Largest local significance of the scan, and its p-value.
    p_global
        Probability that the background alone gives an excess as large anywhere in the scan.
        ``error`` is the standard error from the number of toys or samples, ``low`` and ``high`` are
        the values if every failed toy had gone one way. ``None`` where no toy is as extreme.
    p_global_below
        Upper bound at 95 % confidence where ``p_global`` is ``None``.
    z_global, z_global_error
        Significance of ``p_global``; where that is ``None``, of ``p_global_below``: then Z is at
        least this.
    trials_factor, trials_factor_error, effective_trials
        p_global / p_local, and the number n of independent tests with 1 - (1 - p_local)^n =
        p_global. From :func:`~darkstats.look_elsewhere.local.with_local` on, p_local is here that
        of toys of the spectrum, with the error of both.
    trials_factor_below, trials_factor_above
        Bounds on the factor where one of the two is a bound itself.
    valid, reasons
        Whether the conditions of the method hold, and which do not. A number that is not valid is
        there to be compared, not to be quoted.
    notes
        What to know of a valid number.
    extrapolated, extrapolation
        Whether ``p_global`` lies beyond what the number of toys reaches, and how it was got.
    toys
        Scans asked for, certified and failed, that the number rests on.
    law
        The law of levels that was fitted, where the method has one.
    references
        Papers.
    """

    in_a_line: ClassVar = (
        "method z_local p_local p_global p_global_below "
        "z_global trials_factor valid extrapolated toys"
    )

    method: GlobalMethod
    z_local: float
    p_local: float
    p_global: PValue | None
    p_global_below: float | None
    z_global: float
    z_global_error: float
    trials_factor: float | None
    effective_trials: float | None
    valid: bool
    trials_factor_error: float | None = None
    trials_factor_below: float | None = None
    trials_factor_above: float | None = None
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    extrapolated: bool = False
    extrapolation: str | None = None
    toys: ToyCounts | None = None
    law: LevelLaw | None = None
    references: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.p_global is None:
            value = f"p_global < {self.p_global_below:.3g} (95 % CL), Z_global > {_z(self)}"
        else:
            value = (
                f"p_global = {self.p_global.value:.3g} ± {self.p_global.error:.2g}, "
                f"Z_global = {_z(self)}"
            )
        marks = ", extrapolated" if self.extrapolated else ""
        lines = [
            f"{self.method}: Z_local = {self.z_local:.2f}, p_local = {self.p_local:.3g}, "
            f"{value}{marks}{'' if self.valid else ', NOT VALID'}",
            *(f"  not valid: {reason}" for reason in self.reasons),
            *(f"  note: {note}" for note in self.notes),
        ]
        return "\n".join(lines)


def _z(result: GlobalSignificance) -> str:
    return f"{result.z_global:.2f}" if abs(result.z_global) < BEYOND else "–"


def checked_local(z_local: float, p_local: float | None) -> float:
    """Local p-value of a local significance, the normal one unless another is given.

    Raises
    ------
    OptionError
        The significance is negative or not finite, or the p-value lies outside (0, 1].
    """
    if not 0.0 <= z_local < BEYOND:
        raise OptionError(f"the largest local significance lies in [0, 38), got {z_local}")
    p = survival(z_local) if p_local is None else p_local
    if not 0.0 < p <= 1.0:
        raise OptionError(f"a local p-value lies in (0, 1], got {p_local}")
    return p


def without_fluctuation(result: GlobalSignificance) -> GlobalSignificance:
    """Return a result on Asimov data, which is never valid.

    The data are what the background predicts, so that an excess is that of rounding or of
    interpolation, and p_global says nothing of a data set.
    """
    return replace(result, valid=False, reasons=(NO_FLUCTUATION, *result.reasons))


def global_result(
    method: GlobalMethod,
    *,
    z_local: float,
    p_local: float,
    p_global: PValue | None,
    p_global_below: float | None = None,
    reasons: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
    extrapolation: str | None = None,
    toys: ToyCounts | None = None,
    law: LevelLaw | None = None,
    references: tuple[str, ...] = (),
) -> GlobalSignificance:
    """Complete a result: significance, trials factor, effective number of trials."""
    known = p_global.value if p_global is not None else p_global_below
    if known is None:
        raise OptionError("a global p-value or a bound on it is needed")
    z = -quantile(known) if 0.0 < known < 1.0 else math.copysign(BEYOND, 0.5 - known)
    density = math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    factor = trials = None
    if p_global is not None:
        factor = p_global.value / p_local
        if p_local < 1.0 and p_global.value < 1.0:
            trials = math.log1p(-p_global.value) / math.log1p(-p_local)
    return GlobalSignificance(
        method=method,
        z_local=z_local,
        p_local=p_local,
        p_global=p_global,
        p_global_below=p_global_below,
        z_global=z,
        z_global_error=0.0 if p_global is None else p_global.error / density,
        trials_factor=factor,
        effective_trials=trials,
        valid=not reasons,
        reasons=reasons,
        notes=notes,
        extrapolated=extrapolation is not None,
        extrapolation=extrapolation,
        toys=toys,
        law=law,
        references=references,
    )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Comparison(Shown):
    """Several methods on the same scan.

    Parameters
    ----------
    results
        One for each method, for the same largest local significance.
    """

    in_a_line: ClassVar = "methods quoted"

    results: tuple[GlobalSignificance, ...]

    def __post_init__(self) -> None:
        if not self.results:
            raise OptionError("there is nothing to compare")
        if len({result.z_local for result in self.results}) > 1:
            raise OptionError("the methods were applied to different local significances")
        if len({result.method for result in self.results}) < len(self.results):
            raise OptionError("a method appears twice")

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of the methods."""
        return tuple(result.method for result in self.results)

    @property
    def quoted(self) -> GlobalSignificance:
        """The result to quote.

        Toys that reach 10 % are quoted before any formula; else the valid method with the smallest
        relative error; else toys, even if they only give a bound; else the first.
        """

        def relative(result: GlobalSignificance) -> float:
            p = result.p_global
            return math.inf if p is None or p.value == 0.0 else p.error / p.value

        valid = [result for result in self.results if result.valid]
        toys = [result for result in self.results if result.method == "toys"]
        direct = [r for r in toys if r.valid and not r.extrapolated]
        if direct and relative(direct[0]) <= _ENOUGH_ABOVE:
            return direct[0]
        numbers = [r for r in valid if r.p_global is not None and not r.extrapolated]
        if numbers:
            return min(numbers, key=relative)
        return (toys or valid or list(self.results))[0]

    def rows(self) -> tuple[tuple[str, ...], ...]:
        """Return the table: a head, and a row of text for each method."""
        head = (
            "method", "p global", "error", "Z global", "trials factor", "effective trials",
            "toys ok / thrown", "valid",
        )  # fmt: skip
        return (head, *(_row(result) for result in self.results))

    def to_markdown(self) -> str:
        """Return the table, with the reasons of what is not valid below it."""
        head, *body = self.rows()
        first = self.results[0]
        lines = [
            f"Largest local significance {first.z_local:.3f}, local p-value {first.p_local:.3g}.",
            "",
            "| " + " | ".join(head) + " |",
            "|---" * len(head) + "|",
            *("| " + " | ".join(row) + " |" for row in body),
        ]
        remarks = [
            *(f"* {r.method}, not valid: {reason}" for r in self.results for reason in r.reasons),
            *(f"* {r.method}: {note}" for r in self.results for note in r.notes),
            *(
                f"* {r.method}, extrapolated: {r.extrapolation}"
                for r in self.results
                if r.extrapolated
            ),
        ]
        return "\n".join([*lines, *([""] if remarks else []), *remarks]) + "\n"


def _row(result: GlobalSignificance) -> tuple[str, ...]:
    p = result.p_global
    toys = "–" if result.toys is None else f"{result.toys.ok} / {result.toys.asked}"
    valid = "yes" if result.valid else "no"
    if p is None:
        bound, z = f"< {result.p_global_below:.3g}", f"> {_z(result)}"
        return (result.method, bound, "–", z, _factor(result), "–", toys, valid)
    return (
        result.method,
        f"{p.value:.3g}" + (" (extrapolated)" if result.extrapolated else ""),
        f"{p.error:.2g}",
        _z(result),
        _factor(result),
        "–" if result.effective_trials is None else f"{result.effective_trials:.3g}",
        toys,
        valid,
    )


def _factor(result: GlobalSignificance) -> str:
    """Trials factor with its error, or its bound."""
    if result.trials_factor is not None:
        error = result.trials_factor_error
        return f"{result.trials_factor:.3g}" + ("" if error is None else f" ± {error:.2g}")
    if result.trials_factor_below is not None:
        return f"< {result.trials_factor_below:.3g}"
    return "–" if result.trials_factor_above is None else f"> {result.trials_factor_above:.3g}"
