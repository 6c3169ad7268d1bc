"""Best fit and local significance of one hypothesis: frequentist, whatever the limit is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from darkstats.errors import FitFailedError
from darkstats.fit import FitOptions, fit
from darkstats.gaussian import survival
from darkstats.inference.curve import NLL_TOLERANCE
from darkstats.inference.results import FitCounts

if TYPE_CHECKING:
    from darkstats.fit import FitResult
    from darkstats.inference.curve import ProfileCurve

__all__ = ["local_fields", "window_fields"]

_ONE_THREAD = FitOptions(threads=1)


def window_fields(null: FitResult) -> tuple[dict[str, Any], FitCounts] | None:
    """Fields of a point that is a counting window, from one fit besides that without signal.

    The fit with signal is free on both sides of zero: where it finds a deficit the best fit within
    the range is at zero, since the profile likelihood of a counting window has one minimum.

    Parameters
    ----------
    null
        The fit without signal.

    Returns
    -------
    tuple of dict and FitCounts, or None
        None where there is no minimum: then :func:`local_fields` tells more.

    Raises
    ------
    FitFailedError
        The fits with and without signal contradict each other.
    """
    try:
        free = fit(
            null.model,
            null.observation,
            poi_lower=-math.inf,
            poi_upper=math.inf,
            start=null.parameters,
            options=_ONE_THREAD,
        )
    except FitFailedError:
        return None
    fields = _signed(free.poi, null.twice_nll - free.twice_nll, excess=free.poi > 0.0)
    bounded = free if free.poi > 0.0 else null
    return {**fields, "twice_nll": bounded.twice_nll}, FitCounts(
        attempted=2, certified=2, second_start=2
    )


def local_fields(curve: ProfileCurve) -> dict[str, Any]:
    """Fields of a point: the excess by q0, a deficit by the signed root.

    Raises
    ------
    FitFailedError
        The fits with and without signal contradict each other.
    """
    null, free, mu_hat = curve.reference, curve.free, curve.mu_hat
    reason = None
    best: float | None = mu_hat
    if mu_hat <= 0.0:
        try:
            free = fit(
                curve.model,
                curve.observation,
                poi_lower=-math.inf,
                poi_upper=math.inf,
                start=curve.free.parameters,
                options=curve.options,
            )
            best = free.poi
        except FitFailedError as error:
            best, reason = None, f"no minimum at negative signal strength: {error}"
    found = _signed(best, null.twice_nll - free.twice_nll, excess=mu_hat > 0.0)
    return {**found, "mu_hat_reason": reason}


def _signed(best: float | None, ratio: float, *, excess: bool) -> dict[str, Any]:
    if ratio < -NLL_TOLERANCE:
        raise FitFailedError(
            f"the free fit lies above that without signal, by {-ratio:.3g} in deviance"
        )
    root = math.sqrt(max(ratio, 0.0))
    signed: float | None = None
    if best is not None:
        signed = math.copysign(root, best) if root > 0.0 else 0.0
    significance = root if excess else 0.0
    return {
        "mu_hat": best,
        "p0": survival(significance),
        "significance": significance,
        "signed_significance": signed,
    }
