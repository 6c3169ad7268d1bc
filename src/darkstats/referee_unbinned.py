"""The referee of unbinned limits: zfit evaluates the quoted minima with its own loss.

zfit is built from the HS3 document, not from the compiled model, and shares no numerical code with
the kernels. A disagreement is shown, never resolved.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import DocumentError
from darkstats.fit import covariance, fit
from darkstats.provenance import package_version
from darkstats.referee import Comparison, Verdict

if TYPE_CHECKING:
    from darkstats.fit import FitResult
    from darkstats.inference.results import UpperLimit
    from darkstats.model import Observation
    from darkstats.model.unbinned.model import UnbinnedModel
    from darkstats.model.unbinned.zfit_model import ZfitLikelihood
    from darkstats.workspace.hs3 import Hs3Document

__all__ = ["referee_unbinned_limit"]


def _not(what: str, reason: str) -> Verdict:
    return Verdict(
        status="not repeated",
        what=what,
        reason=reason,
        program="zfit",
        version=package_version("zfit"),
    )


def _slope(likelihood: ZfitLikelihood, result: FitResult, observation: Observation) -> float:
    """Largest slope of zfit's loss at a minimum, in units of the errors of the free parameters.

    Parameters at a bound, and the one that is held, are left out.
    """
    assert observation.events is not None
    gradient = likelihood.gradient(result.parameters, observation.events)
    errors = covariance(result).errors
    sizes = [abs(slope) * error for slope, error in zip(gradient, errors, strict=True) if error]
    return max(sizes, default=0.0)


def referee_unbinned_limit(
    document: Hs3Document, model: UnbinnedModel, observation: Observation, limit: UpperLimit
) -> Verdict:
    """Let zfit evaluate the minima behind an observed limit.

    Compared are twice the negative log-likelihood at the limit minus that at the best fit, each
    minimum found by the kernels and evaluated by zfit's loss, and the slopes of zfit's loss there,
    which are zero at a minimum.

    Raises
    ------
    MissingExtraError
        zfit is not installed.
    """
    mu = limit.observed
    what = f"minima behind the limit {limit.poi} = {mu:.6g}" if mu is not None else "limit"
    if limit.observed_reason is not None:
        return _not("limit", "blind: nothing but Asimov data was fitted")
    if mu is None or not mu > 0.0:
        return _not(what, "there is no positive limit to evaluate")
    from darkstats.model.unbinned.zfit_model import zfit_likelihood

    try:
        likelihood = zfit_likelihood(document, model.analysis)
    except DocumentError as error:
        return _not(what, str(error))
    names = model.parameter_names
    likelihood.set_auxiliary({name: float(observation.auxdata[p]) for p, name in enumerate(names)})
    free = fit(model, observation, poi_lower=limit.poi_lower, poi_upper=math.inf)
    held = fit(model, observation, poi_value=mu, start=free.parameters)
    assert observation.events is not None
    theirs = [likelihood.value_of(r.parameters, observation.events) for r in (held, free)]
    rows = [
        Comparison(
            quantity="twice NLL, limit minus best fit",
            darkstats=held.twice_nll - free.twice_nll,
            referee=2.0 * (theirs[0] - theirs[1]),
        )
    ]
    rows += [
        Comparison(
            quantity=f"slope at the {name} in errors",
            darkstats=0.0,
            referee=_slope(likelihood, result, observation),
        )
        for name, result in (("best fit", free), ("limit", held))
    ]
    good = all(row.agrees for row in rows) and np.isfinite(theirs).all()
    return Verdict(
        program="zfit",
        version=package_version("zfit"),
        status="agrees" if good else "differs",
        what=what,
        comparisons=tuple(rows),
        reason=None,
    )
