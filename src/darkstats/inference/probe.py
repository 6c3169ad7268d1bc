"""A look at the asymptotic approximation where counts are low. It never changes a number."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from darkstats.inference.asymptotics import observed_p_values
from darkstats.inference.p_values import ToyOptions
from darkstats.inference.results import Probe
from darkstats.inference.toy_tests import toy_points

if TYPE_CHECKING:
    from collections.abc import Callable

    from darkstats.inference.curve import ProfileCurve
    from darkstats.inference.results import UpperLimit

__all__ = [
    "LOW_COUNT",
    "low_count_note",
    "lowest_relevant_count",
    "probe_limit",
    "probe_size",
    "seconds_per_toy",
    "too_dear",
]

#: Expected background below which a bin that drives the limit calls for a probe.
LOW_COUNT = 5.0

_DIFFERENCE = 0.05
_SIGNIFICANT = 2.0
_MOST, _FEWEST = 2000, 100
_BUDGET_S = 0.25  # nominal, of the toys; where even the fewest take longer, there is no probe


def lowest_relevant_count(curve: ProfileCurve, mu: float) -> float:
    """Smallest expected background of the bins that drive the sensitivity at ``mu``.

    Of an unbinned likelihood: the background beneath the part of the signal that does.
    """
    model, background = curve.model, np.array(curve.reference.parameters)
    poi = model.require_poi()
    background[poi] = 0.0
    signal = background.copy()
    signal[poi] = mu
    return model.relevant_background(background, signal)


def low_count_note(curve: ProfileCurve, limit: UpperLimit) -> tuple[str, ...]:
    """What to say of low counts where no probe is made; nothing where counts are high."""
    mu = limit.expected[2] if limit.observed is None else limit.observed
    if mu is None or not mu > 0.0:
        return ()
    lowest = lowest_relevant_count(curve, mu)
    if lowest >= LOW_COUNT:
        return ()
    return (
        f"a bin that drives the limit expects {lowest:.3g} background events, below 5, where "
        "asymptotic limits are known to be off by tens of per cent: compare with toys",
    )


def probe_size(n_parameters: int, n_bins: int) -> int:
    """Number of toys that keeps a probe below about a quarter of a second on one core.

    It follows from the size of the model alone, never from a clock: a probe is reproducible. At
    least 100; 0 where so many would take as long as the limit itself.
    """
    n_toys = int(min(_MOST, _BUDGET_S / seconds_per_toy(n_parameters, n_bins)))
    return n_toys if n_toys >= _FEWEST else 0


def seconds_per_toy(n_parameters: int, n_bins: int) -> float:
    """Rough time of one toy under both hypotheses, on one core, from the size of the model."""
    return 4.0 * (2e-6 + 2.5e-8 * n_parameters * n_bins + 4e-10 * float(n_parameters) ** 3)


def too_dear(curve: ProfileCurve) -> str | None:
    """Why a model of this size gets no probe; None where it does."""
    n_parameters = curve.model.n_parameters
    if probe_size(n_parameters, curve.model.n_bins) > 0:
        return None
    return (
        f"a model of {n_parameters} parameters gets no probe: {_FEWEST} toys would take as long as "
        "the limit itself; use --calculator toys"
    )


def probe_limit(
    curve: ProfileCurve,
    limit: UpperLimit,
    *,
    seed: int = 0,
    on_probe: Callable[[int], object] | None = None,
) -> Probe | None:
    """Compare the asymptotic p-value at the observed limit with a few toys.

    Its cost is bounded whatever happens: a toy that Newton's method cannot fit has failed.

    Parameters
    ----------
    curve, limit
        Profile curve and the asymptotic limit found on it.
    seed
        Of the toys.
    on_probe
        Told the number of toys of each hypothesis before they are thrown.

    Returns
    -------
    Probe or None
        None where every bin that drives the limit expects at least :data:`LOW_COUNT` background
        events, where there is no positive observed limit, or where the model is too large.

    Raises
    ------
    NotCertifiedError
        Too many toys failed: the probe says nothing, and the number stands by its own fits.
    """
    mu = limit.observed
    if mu is None or not mu > 0.0:
        return None
    lowest = lowest_relevant_count(curve, mu)
    if lowest >= LOW_COUNT:
        return None
    reason = f"a bin that drives the limit expects {lowest:.3g} background events, below 5"
    n_toys = probe_size(curve.model.n_parameters, curve.model.n_bins)
    if n_toys == 0:
        return None
    options = ToyOptions(n_toys=n_toys, seed=seed, max_failed_fraction=0.2, fallback=False)
    if on_probe is not None:
        on_probe(n_toys)
    curve.evaluate([mu])
    (point,) = toy_points(curve, [mu], options)
    p = observed_p_values(curve.statistic.name, curve.q(mu), curve.q_asimov(mu))
    cls = limit.method == "cls"
    expected, found = (p.cls, point.cls) if cls else (p.clsb, point.clsb)
    quantity = "CLs" if cls else "CLs+b"
    difference = found.value - expected
    relative = difference / expected if expected > 0.0 else 0.0
    recommends = abs(relative) > _DIFFERENCE and abs(difference) > _SIGNIFICANT * found.error
    places = 1 - math.floor(math.log10(found.error)) if found.error > 0.0 else 4
    message = (
        f"asymptotic {quantity} at the limit {mu:.4g} is {expected:.4g}, {point.toys.ok} toys give "
        f"{found.value:.{places}f} ± {found.error:.{places}f}"
    )
    if recommends:
        message += f": {reason}; use --calculator toys"
    return Probe(
        reason=reason,
        mu=mu,
        quantity=quantity,
        asymptotic=expected,
        toys_value=found,
        relative_difference=relative,
        recommends_toys=recommends,
        toys=point.toys,
        seed=seed,
        message=message,
    )
