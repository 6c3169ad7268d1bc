"""Best fit and local significance of one hypothesis: frequentist, whatever the limit is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from darkstats.errors import FitFailedError
from darkstats.fit import fit
from darkstats.gaussian import survival
from darkstats.inference.curve import NLL_TOLERANCE

if TYPE_CHECKING:
    from darkstats.inference.curve import ProfileCurve

__all__ = ["local_fields"]


def local_fields(curve: ProfileCurve) -> dict[str, Any]:
    """Fields of a point: the excess by q0, a deficit by the signed root.

    Raises
    ------
    FitFailedError
        The fits with and without signal contradict each other.
    """
    null, free, mu_hat = curve.reference, curve.free, curve.mu_hat
    reason = None
    signed: float | None = None
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
    ratio = null.twice_nll - free.twice_nll
    if ratio < -NLL_TOLERANCE:
        raise FitFailedError(
            f"the free fit lies above that without signal, by {-ratio:.3g} in deviance"
        )
    root = math.sqrt(max(ratio, 0.0))
    if best is not None:
        signed = math.copysign(root, best) if root > 0.0 else 0.0
    significance = root if mu_hat > 0.0 else 0.0
    return {
        "mu_hat": best,
        "mu_hat_reason": reason,
        "p0": survival(significance),
        "significance": significance,
        "signed_significance": signed,
    }
