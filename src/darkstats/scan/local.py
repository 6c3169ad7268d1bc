"""Best fit and local significance of one hypothesis: frequentist, whatever the limit is."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import FitFailedError
from darkstats.fit import FitOptions, fit, fit_batch
from darkstats.fit.lanes import Problem
from darkstats.fit.mle import number_options
from darkstats.fit.starts import jittered_starts
from darkstats.inference.asymptotics import discovery
from darkstats.inference.curve import NLL_TOLERANCE
from darkstats.inference.p_values import FitCounts

if TYPE_CHECKING:
    from darkstats.fit import FitResult
    from darkstats.inference.curve import ProfileCurve

__all__ = ["LocalTest", "local_test", "window_test"]

_ONE_THREAD = FitOptions(threads=1)
_NEARBY = 0.1  # spread of the second start, in pre-fit errors


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalTest:
    """Best fit and local significance of one hypothesis, or why there are none.

    ``mu_hat``, ``p0`` and the significances are as of
    :class:`~darkstats.scan.mass_scan.ScanPoint`; ``reason`` is why a p-value is missing.
    ``twice_nll`` is the deviance at the best fit within the bounds; ``fits`` counts what it took.
    """

    mu_hat: float | None = None
    mu_hat_reason: str | None = None
    p0: float | None = None
    significance: float | None = None
    signed_significance: float | None = None
    reason: str | None = None
    twice_nll: float
    fits: FitCounts


def window_test(null: FitResult) -> LocalTest | None:
    """Test a point that is a counting window, by one fit besides that without signal.

    The fit with signal is free on both sides of zero: where it finds a deficit the best fit within
    the range is at zero, since the profile likelihood of a counting window has one minimum.

    Parameters
    ----------
    null
        The fit without signal.

    Returns
    -------
    LocalTest or None
        None where two starts do not find the same minimum, or where the hypothesis without signal
        forbids the data: then :func:`local_test` looks closer.

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
    bare = LocalTest(
        mu_hat=best,
        twice_nll=found.twice_nll if best > 0.0 else null.twice_nll,
        fits=FitCounts(attempted=2, certified=2, second_start=2),
    )
    return _signed(bare, null.twice_nll - found.twice_nll, excess=best > 0.0)


def local_test(curve: ProfileCurve) -> LocalTest:
    """Test a point: the excess by q0, a deficit by the signed root.

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
    bare = LocalTest(
        mu_hat=best,
        mu_hat_reason=reason,
        reason=forbidden,
        twice_nll=curve.free.twice_nll,
        fits=curve.counts,
    )
    if forbidden is not None:
        return bare
    return _signed(bare, null.twice_nll - free.twice_nll, excess=mu_hat > 0.0)


def _signed(bare: LocalTest, ratio: float, *, excess: bool) -> LocalTest:
    """Add significances to a best fit, from the deviance of no signal above the minimum."""
    if ratio < -NLL_TOLERANCE:
        raise FitFailedError(
            f"the free fit lies above that without signal, by {-ratio:.3g} in deviance"
        )
    root = math.sqrt(max(ratio, 0.0))
    signed: float | None = None
    if bare.mu_hat is not None:
        signed = math.copysign(root, bare.mu_hat) if root > 0.0 else 0.0
    significance, p0 = discovery(root if excess else 0.0)
    return replace(bare, p0=p0, significance=significance, signed_significance=signed)
