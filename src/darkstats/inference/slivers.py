"""Accepted signals beyond a gap: the interval of Feldman and Cousins ends where the last one does.

With few events the outcomes change their order as the signal rises, and a signal may be accepted
again that is a few tenths of an event beyond a rejected one. A search that stops at the first end
does not see it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from darkstats.inference.poisson_counting import accepted_hull

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray
    from darkstats.inference.curve import ProfileCurve

__all__ = ["REACH", "STEP", "exact_hull", "one_event"]

#: Signal events beyond the first end that are looked at, and in what steps, with toys. In known
#: backgrounds of 0 to 24 events and up to 10 observed ones, at 68 %, 90 % and 95 %, the last piece
#: ends at most 0.42 events beyond the first.
REACH, STEP = 0.6, 0.05

_MOST_EVENTS = 60.0  # expected; with more, single outcomes are too rare for a gap
_MOST_BINS = 4  # likewise: outcomes of many bins are many
_MOST_EXACT = 100  # events for which the exact construction takes no time
_LINEAR = 1e-9


class _Counts(NamedTuple):
    """Expected events in the bins that count [bin], without signal, and of one unit of it."""

    background: FloatArray
    signal: FloatArray


def _counts(curve: ProfileCurve, mu: float) -> _Counts | None:
    """Expectations at the background-only fit; None where the signal is not simply added."""
    model = curve.model
    if curve.observation.events is not None or not mu > 0.0:
        return None
    points = np.repeat(curve.reference.parameters[np.newaxis], 3, axis=0)
    points[:, model.require_poi()] = 0.0, 0.5 * mu, mu
    with np.errstate(all="ignore"):
        rates = np.asarray(model.expected_rates(points))[:, ~model.masked_bins]
    if not np.isfinite(rates).all() or (rates < 0.0).any():
        return None
    signal = (rates[2] - rates[0]) / mu
    bent = np.abs(rates[1] - rates[0] - 0.5 * mu * signal)
    if (signal < 0.0).any() or not signal.sum() > 0.0 or (bent > _LINEAR * rates[2]).any():
        return None
    return _Counts(rates[0], signal)


def one_event(curve: ProfileCurve, mu: float) -> float | None:
    """Signal strength of one expected event, where so few are expected that gaps may exist.

    Parameters
    ----------
    curve
        Nuisance parameters are those of its background-only fit.
    mu
        Largest signal strength that matters, positive.
    """
    counts = _counts(curve, mu)
    if counts is None or len(counts.background) > _MOST_BINS:
        return None
    total = float(counts.signal.sum())
    if float(counts.background.sum()) + mu * total > _MOST_EVENTS:
        return None
    return 1.0 / total


def exact_hull(curve: ProfileCurve, mu: float, *, cl: float) -> tuple[float, float] | None:
    """Ends of the accepted signal strengths by the exact construction: one bin, all else known.

    Parameters
    ----------
    curve, mu
        As :func:`one_event`.
    cl
        Confidence level.

    Returns
    -------
    tuple of float, or None
        None where a nuisance parameter is free, there is more than one bin, the count is not a
        whole number, or there are more than a hundred.
    """
    model = curve.model
    if list(np.flatnonzero(~model.fixed)) != [model.poi_index]:
        return None
    counts = _counts(curve, mu)
    if counts is None or len(counts.background) != 1:
        return None
    seen = float(np.asarray(curve.observation.counts)[~model.masked_bins][0])
    if seen != int(seen) or max(seen, float(counts.background[0])) > _MOST_EXACT:
        return None
    lower, upper = accepted_hull(int(seen), float(counts.background[0]), cl=cl)
    unit = 1.0 / float(counts.signal[0])
    return lower * unit, upper * unit
