"""Global p-value by toys: how often the largest root of a scan is as large as the observed one.

Use this wherever toys reach the observed significance: it assumes nothing.
"""

from __future__ import annotations

import math

from darkstats.errors import NotCertifiedError
from darkstats.inference.p_values import PValue
from darkstats.look_elsewhere.checks import MOST_FAILED
from darkstats.look_elsewhere.maxima import MaximaTally
from darkstats.look_elsewhere.result import GlobalSignificance, checked_local, global_result

__all__ = ["by_toys"]

_FEW = 10  # toys above, below which an extrapolation is tried if asked for
_FITTED, _LEAST_FITTED = 400, 100  # largest maxima that an extrapolation follows
_CONFIDENCE = 0.95


def by_toys(
    tally: MaximaTally,
    z_local: float,
    *,
    p_local: float | None = None,
    extrapolate: bool = False,
) -> GlobalSignificance:
    """Global significance of the largest local one, from full-spectrum toys.

    Parameters
    ----------
    tally
        Largest roots of the toys.
    z_local
        Largest root of the observed scan, in [0, 38).
    p_local
        Its local p-value; that of a normal root by default.
    extrapolate
        Where fewer than 10 toys are as extreme, follow the tail of their largest roots. The
        result is marked.

    Returns
    -------
    GlobalSignificance
        With the binomial error, and the range if every failed toy had gone one way: a failed toy
        that is above at a certified point counts as above. Without a toy as extreme there is no
        p-value, but an upper bound at 95 % confidence.

    Raises
    ------
    OptionError
        ``z_local`` is out of range.
    NotCertifiedError
        There is no certified toy.

    Notes
    -----
    Extrapolation: P(max > z) = p1 exp(-s (z^2 - z1^2) / 2) beyond the 400th largest root z1, with
    the rate s fitted by maximum likelihood (s = 1 for the up-crossings of a chi-square field). Its
    error holds that of p1 and s, and the difference to a fit of a quarter of these roots.
    """
    p = checked_local(z_local, p_local)
    if not tally.ok:
        raise NotCertifiedError(f"none of {tally.asked} toys has a certified fit at every point")
    counts = tally.toys
    above = tally.above(z_local)
    known = tally.failed_above(z_local)
    reasons: list[str] = []
    if counts.failed > MOST_FAILED * counts.asked:
        reasons.append(
            f"{counts.failed} of {counts.asked} toys have a failed fit, more than "
            f"{100 * MOST_FAILED:g} %"
        )
    if extrapolate and above + known < _FEW:
        value, text = _follow_tail(tally, z_local)
        if value is None:
            reasons.append(text)
        else:
            return global_result(
                "toys",
                z_local=z_local,
                p_local=p,
                p_global=value,
                reasons=tuple(reasons),
                extrapolation=text,
                toys=counts,
            )
    if above + known == 0:
        bound = 1.0 - (1.0 - _CONFIDENCE) ** (1.0 / counts.ok)
        return global_result(
            "toys",
            z_local=z_local,
            p_local=p,
            p_global=None,
            p_global_below=(bound * counts.ok + counts.failed) / counts.asked,
            reasons=tuple(reasons),
            toys=counts,
        )
    n = counts.ok + known
    share = (above + known) / n
    # Where all are above, the error is that of one toy: never an error of zero.
    smoothed = share if above + known < n else (n + 1) / (n + 2)
    return global_result(
        "toys",
        z_local=z_local,
        p_local=p,
        p_global=PValue(
            value=share,
            error=math.sqrt(smoothed * (1.0 - smoothed) / n),
            low=(above + known) / counts.asked,
            high=(above + counts.failed) / counts.asked,
        ),
        reasons=tuple(reasons),
        notes=(f"only {above + known} toys are as extreme",) if above + known < _FEW else (),
        toys=counts,
    )


def _tail_fit(tally: MaximaTally, k: int, x: float) -> tuple[float, float, float, float]:
    """Probability beyond x = z^2 / 2 from the k largest; its relative error, rate, and start."""
    halves = 0.5 * tally.top[: k + 1] ** 2
    start = float(halves[k])
    rate = k / float((halves[:k] - start).sum())
    reach = x - start
    return (
        k / tally.ok * math.exp(-rate * reach),
        math.sqrt((1.0 + (rate * reach) ** 2) / k),
        rate,
        math.sqrt(2.0 * start),
    )


def _follow_tail(tally: MaximaTally, z_local: float) -> tuple[PValue | None, str]:
    positive = int((tally.top > 0.0).sum())
    k = min(_FITTED, positive - 1, tally.ok // 10)
    if k < _LEAST_FITTED or tally.top[0] <= tally.top[k]:
        return None, f"{tally.ok} toys are too few to follow the tail of their largest roots"
    x = 0.5 * z_local**2
    value, relative, rate, start = _tail_fit(tally, k, x)
    other = _tail_fit(tally, k // 4, x)[0] if tally.top[0] > tally.top[k // 4] else 0.0
    error = math.hypot(relative * value, other - value)
    text = (
        f"exponential in z^2/2 through the {k} largest of {tally.ok} maxima, above {start:.2f}, "
        f"rate {rate:.3f} ± {rate / math.sqrt(k):.3f}; the error holds the fit's and the change "
        f"with {k // 4} of them"
    )
    return PValue(value=value, error=error, low=value, high=value), text
