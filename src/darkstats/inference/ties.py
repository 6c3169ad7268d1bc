"""Few counts: where thrown auxiliary data decide which toys are as extreme as the data.

Counts are discrete, and without systematic errors every toy with the observed counts ties with the
data: all of them are in the p-value. Auxiliary data that are thrown with the counts break such
ties, however small the errors are, and by chance: the p-value keeps its coverage over counts and
auxiliary data together, but a limit is stronger than the counts alone make it, by half of the toys
that would tie. Where these are a good part of the p-value, the reader is told.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from darkstats.inference.curve import ProfileCurve

__all__ = ["limit_tie_note", "observed_counts_probability", "tie_note"]

#: Part of the p-value that toys with the observed counts must be for a note.
LARGE_SHARE = 0.25
_LEAST_RATE = 1e-300  # of a bin without expectation
_MOVE, _SAME = 0.1, 1e-9  # of a parameter; of the largest signal


def observed_counts_probability(
    curve: ProfileCurve, mu: float, *, blind: bool = False
) -> float | None:
    """Probability that a toy of signal strength ``mu`` has the very counts that were observed.

    Parameters
    ----------
    curve
        With model and data; nuisance parameters are those of its reference fit.
    mu
        Signal strength.
    blind
        Take the most probable counts in the place of those observed, as where these are no whole
        numbers (Asimov data).

    Returns
    -------
    float or None
        None where nothing breaks a tie, or nothing ties: no free parameter has an auxiliary
        measurement, nothing was counted and the signal has no error, or data are events.
    """
    model, data = curve.model, curve.observation
    if data.events is not None:
        return None
    if not any(
        p.constrained and not fixed for p, fixed in zip(model.parameters, model.fixed, strict=True)
    ):
        return None
    used = ~model.masked_bins
    point = np.array(curve.reference.parameters)[np.newaxis]
    point[0, model.require_poi()] = mu
    rates = np.asarray(model.expected_rates(point))[0, used]
    if not (rates >= 0.0).all():
        return None
    counts = np.asarray(data.counts, dtype=np.float64)[used]
    if not blind and not counts.any() and not _signal_is_uncertain(curve, mu):
        return None  # the likelihood ratio is that of the signal, whatever auxiliary data say
    if blind or bool(np.any(counts != np.floor(counts))):
        counts = np.floor(rates)
    mean = np.maximum(rates, _LEAST_RATE)
    factorials = math.fsum(math.lgamma(n + 1.0) for n in counts.tolist())
    return math.exp(min(float((counts * np.log(mean) - mean).sum()) - factorials, 0.0))


def _signal_is_uncertain(curve: ProfileCurve, mu: float) -> bool:
    """Whether a parameter with an auxiliary measurement changes the expected signal."""
    model, poi = curve.model, curve.model.require_poi()
    moved = [
        k
        for k, (p, fixed) in enumerate(zip(model.parameters, model.fixed, strict=True))
        if p.constrained and not fixed and k != poi
    ]
    points = np.repeat(np.array(curve.reference.parameters)[np.newaxis], 1 + len(moved), axis=0)
    for row, k in enumerate(moved, start=1):
        points[row, k] += _MOVE
    with_signal, without = points.copy(), points.copy()
    with_signal[:, poi], without[:, poi] = mu, 0.0
    with np.errstate(all="ignore"):
        signal = np.asarray(model.expected_rates(with_signal) - model.expected_rates(without))
    largest = float(np.abs(signal[0]).max())
    return bool(np.any(np.abs(signal[1:] - signal[0]) > _SAME * largest))


def tie_note(probability: float | None, p: float, what: str) -> tuple[str, ...]:
    """A warning where toys with the observed counts are a good part of a p-value; else none.

    Parameters
    ----------
    probability
        Of the observed counts, see :func:`observed_counts_probability`.
    p
        The p-value, or the level that it is compared with.
    what
        What that makes of the result: ``"the limit is lower"``, ``"p0 is smaller"``.

    Examples
    --------
    >>> tie_note(0.001, 0.05, "the limit is lower")
    ()
    """
    if probability is None or probability < LARGE_SHARE * p:
        return ()
    return (
        "few counts: toys with exactly the observed counts have a probability of "
        f"{probability:.2g}, beside a p-value, or 1 - CL, of {p:.2g}; "
        f"only their thrown auxiliary data tell them apart: {what} than where all of them count, "
        "as they do without systematic errors",
    )


def limit_tie_note(
    curve: ProfileCurve, limit: float | None, *, cl: float, blind: bool = False
) -> tuple[str, ...]:
    """Note on an upper limit by toys, of the data or, where they are blinded, the median one.

    The p-value at the limit is ``1 - cl`` of CLs+b, and less of CLs.
    """
    if limit is None:
        return ()
    probability = observed_counts_probability(curve, limit, blind=blind)
    return tie_note(probability, 1.0 - cl, "the limit is lower")
