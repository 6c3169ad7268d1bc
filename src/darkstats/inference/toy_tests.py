"""CLs from toys: one tested signal strength, or several that share their background-only toys."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from darkstats.gaussian import cdf
from darkstats.inference.p_values import ExpectedPValues, PValue, ToyCounts, ToyOptions, none_beyond
from darkstats.inference.results import N_SIGMA, HypoTestResult
from darkstats.inference.ties import observed_counts_probability, tie_note
from darkstats.inference.toys import (
    TIE_TOLERANCE,
    Hypothesis,
    ToySample,
    p_value,
    sample_statistic,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from darkstats.arrays import FloatArray
    from darkstats.inference.curve import ProfileCurve

__all__ = ["ToyPoint", "cls_of", "no_reference", "quantile_with_error", "toy_points", "toy_test"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToyPoint:
    """P-values from toys at one signal strength.

    ``expected_errors`` holds the errors of ``expected.cls`` and ``expected.clsb``, five each.
    """

    mu: float
    q: float
    cls: PValue
    clsb: PValue
    clb: PValue
    expected: ExpectedPValues
    expected_cls_error: tuple[float, ...]
    expected_clsb_error: tuple[float, ...]
    toys: ToyCounts


def cls_of(clsb: PValue, clb: PValue) -> PValue:
    """CLs = CLs+b / CLb with its error; 0 where no signal-plus-background toy is as extreme.

    Where no background-only toy is as extreme either, nothing is known of the ratio: the error is
    1 and the upper end of the range is 1.
    """
    if clb.value == 0.0:
        return PValue(value=0.0, error=1.0, low=0.0, high=1.0)
    value = min(clsb.value / clb.value, 1.0)
    relative_b = clb.error / clb.value
    error = math.hypot(clsb.error / clb.value, value * relative_b)
    high = 1.0 if clb.low == 0.0 else min(clsb.high / clb.low, 1.0)
    bound = None if clsb.bound is None else min(clsb.bound / clb.value, 1.0)
    low = min(clsb.low / clb.high, value)
    return PValue(value=value, error=error, low=low, high=high, bound=bound)


def no_reference(n_toys: int) -> str:
    """Why CLs is missing where its denominator is 0."""
    return (
        f"none of {n_toys} background-only toys is as extreme as the data, so that CLs is not "
        "known: more toys are needed, or the asymptotic value"
    )


def quantile_with_error(ordered: FloatArray, probability: float) -> tuple[float, float]:
    """Empirical quantile, a value that some toy attains, and its binomial standard error.

    Parameters
    ----------
    ordered
        Rising values. Shape [toy].
    probability
        In (0, 1).
    """
    n = len(ordered)
    spread = math.sqrt(n * probability * (1.0 - probability))

    def at(rank: float) -> float:
        return float(ordered[min(max(math.ceil(rank) - 1, 0), n - 1)])

    middle = n * probability
    return at(middle), 0.5 * (at(middle + spread) - at(middle - spread))


def _survivors(ordered: FloatArray, at: FloatArray) -> FloatArray:
    """Fraction of ``ordered`` that is at least as large as each of ``at``, ties counted in."""
    finite = np.where(np.isfinite(at), at, 0.0)
    thresholds = np.where(
        np.isfinite(at), finite - TIE_TOLERANCE * np.maximum(1.0, np.abs(finite)), at
    )
    return (len(ordered) - np.searchsorted(ordered, thresholds, side="left")) / len(ordered)


def _expected(
    signal: FloatArray, background: FloatArray
) -> tuple[ExpectedPValues, tuple[float, ...], tuple[float, ...]]:
    """Quantiles, over background-only toys, of the p-values themselves (never of the statistic).

    CLs is a rising function of the p-values' common argument, but its quantile is taken of CLs,
    so that ties and the spike at zero are treated as they are for the data.
    """
    clsb = _survivors(signal, background)
    clb = _survivors(background, background)
    cls = np.minimum(clsb / clb, 1.0)
    n_signal, n_background = len(signal), len(background)
    columns: dict[str, list[float]] = {"cls": [], "clsb": [], "clb": []}
    errors: dict[str, list[float]] = {"cls": [], "clsb": []}
    ordered = {"cls": np.sort(cls), "clsb": np.sort(clsb), "clb": np.sort(clb)}
    for n in N_SIGMA:
        probability = cdf(float(n))
        found = {name: quantile_with_error(values, probability) for name, values in ordered.items()}
        for name, (value, _) in found.items():
            columns[name].append(value)
        b, sb = max(found["clb"][0], 1.0 / n_background), found["clsb"][0]
        sb_error = math.sqrt(max(sb * (1.0 - sb), 1.0 / n_signal) / n_signal)
        b_error = math.sqrt(b * (1.0 - b) / n_background)
        errors["clsb"].append(math.hypot(found["clsb"][1], sb_error))
        ratio_error = math.hypot(sb_error / b, found["cls"][0] * b_error / b)
        errors["cls"].append(math.hypot(found["cls"][1], ratio_error))
    band = ExpectedPValues(
        cls=tuple(columns["cls"]),
        clsb=tuple(columns["clsb"]),
        clb=tuple(columns["clb"]),
        bound=none_beyond(n_signal),
    )
    return band, tuple(errors["cls"]), tuple(errors["clsb"])


def toy_points(
    curve: ProfileCurve, mus: Sequence[float], options: ToyOptions
) -> tuple[ToyPoint, ...]:
    """P-values from toys at each of ``mus``.

    Toys of the tested hypothesis are thrown at the conditional best fit with that signal
    strength, those of the reference (background only; for q0 the signal) at the conditional fit
    of the reference, all fitted to the observed data. The reference toys are the same for all
    signal strengths and take one free fit each.
    """
    model, statistic = curve.model, curve.statistic
    curve.evaluate(list(mus))
    for mu in mus:
        curve.certify(mu)
    reference = sample_statistic(
        model,
        curve.reference.parameters,
        mu=tuple(mus),
        statistic=statistic,
        poi_lower=curve.poi_lower,
        hypothesis=Hypothesis.BACKGROUND,
        options=options,
    )
    points = []
    for row, mu in enumerate(mus):
        tested = sample_statistic(
            model,
            curve.parameters(mu),
            mu=(mu,),
            statistic=statistic,
            poi_lower=curve.poi_lower,
            hypothesis=Hypothesis.TESTED,
            options=options,
        )
        points.append(_point(curve.q(mu), mu, tested, reference, row))
    return tuple(points)


def _point(q: float, mu: float, tested: ToySample, reference: ToySample, row: int) -> ToyPoint:
    signal, background = tested.at(), reference.at(row)
    n_asked = reference.stop - reference.first
    lost = n_asked - len(background)
    counts = ToyCounts(asked=n_asked, ok=n_asked - lost, failed=lost) + tested.counts
    clsb = p_value(signal, q, failed=tested.counts.failed)
    clb = p_value(background, q, failed=lost)
    expected, cls_error, clsb_error = _expected(signal, background)
    return ToyPoint(
        mu=mu,
        q=q,
        cls=cls_of(clsb, clb),
        clsb=clsb,
        clb=clb,
        expected=expected,
        expected_cls_error=cls_error,
        expected_clsb_error=clsb_error,
        toys=counts,
    )


def toy_test(
    curve: ProfileCurve, asymptotic: HypoTestResult, options: ToyOptions, *, blind: bool = False
) -> HypoTestResult:
    """Replace the p-values of an asymptotic test by those of toys.

    Raises
    ------
    FitFailedError
        Too many toys failed.
    """
    (point,) = toy_points(curve, [asymptotic.mu], options)
    discovery = asymptotic.test_stat == "q0"
    reason = asymptotic.observed_reason
    forbidden = not blind and reason is not None
    if not blind and not discovery and point.clb.value == 0.0:
        reason = no_reference(options.n_toys)
    ties: tuple[str, ...] = ()
    if not blind and not forbidden:
        tied = observed_counts_probability(curve, asymptotic.mu)
        ties = tie_note(tied, point.clsb.value, "CLs+b is smaller")
    return replace(
        asymptotic,
        calculator="toys",
        warnings=(*asymptotic.warnings, *ties),
        cls=None if discovery or reason is not None else point.cls,
        observed_reason=reason,
        clsb=None if blind or forbidden else point.clsb,
        clb=None if blind or discovery else point.clb,
        expected=point.expected,
        expected_reason=None,
        fits=curve.counts,
        toys=point.toys,
        seed=options.seed,
    )
