"""Best fit and local significance of one hypothesis: frequentist, whatever the limit is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.errors import FitFailedError
from darkstats.fit import FitOptions, fit, fit_batch
from darkstats.fit.lanes import Problem
from darkstats.fit.mle import number_options
from darkstats.fit.starts import jittered_starts
from darkstats.inference.asymptotics import discovery
from darkstats.inference.curve import NLL_TOLERANCE
from darkstats.inference.results import FitCounts

if TYPE_CHECKING:
    from darkstats.fit import FitResult
    from darkstats.inference.curve import ProfileCurve

__all__ = ["local_fields", "window_fields"]

_ONE_THREAD = FitOptions(threads=1)
_NEARBY = 0.1  # spread of the second start, in pre-fit errors


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
        None where two starts do not find the same minimum, or where the hypothesis without signal
        forbids the data: then :func:`local_fields` looks closer.

    Raises
    ------
    FitFailedError
        The fits with and without signal contradict each other.
    """
    model, data = null.model, null.observation
    start = null.parameters
    problem = Problem.of(model, fix_poi=False, fixed={}, poi_lower=-math.inf, poi_upper=math.inf)
    batch = fit_batch(
        model,
        np.broadcast_to(data.counts, (2, model.n_bins)),
        np.broadcast_to(data.auxdata, (2, model.n_parameters)),
        start=np.vstack([start, jittered_starts(problem, start, 1, key=4, width=_NEARBY)]),
        poi_lower=-math.inf,
        poi_upper=math.inf,
        options=number_options(_ONE_THREAD),
    )
    found = batch.lowest()
    if found is None or not found.unanimous:
        return None
    best = float(found.parameters[model.require_poi()])
    if math.isinf(null.twice_nll):
        return None
    fields = _signed(best, null.twice_nll - found.twice_nll, excess=best > 0.0)
    bounded = found.twice_nll if best > 0.0 else null.twice_nll
    return {**fields, "twice_nll": bounded}, FitCounts(attempted=2, certified=2, second_start=2)


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
    if mu_hat <= 0.0 and curve.observation.events is not None:
        # Where the signal peaks, a negative strength soon makes the density of events negative.
        best, reason = None, "a density of events allows no negative signal strength"
    elif mu_hat <= 0.0:
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
    forbidden = curve.forbidden(curve.statistic.asimov_mu)
    if forbidden is not None:
        return {"mu_hat": best, "mu_hat_reason": reason, "local_reason": forbidden}
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
    significance, p0 = discovery(root if excess else 0.0)
    return {
        "mu_hat": best,
        "p0": p0,
        "significance": significance,
        "signed_significance": signed,
    }
