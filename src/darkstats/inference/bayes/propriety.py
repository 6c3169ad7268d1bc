"""What cannot make a proper posterior, whatever the data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from darkstats.errors import ImproperPosteriorError

if TYPE_CHECKING:
    from darkstats.inference.bayes.nuisances import ParameterPrior
    from darkstats.model import Model

__all__ = ["require_proper"]


def require_proper(model: Model, priors: Sequence[ParameterPrior | None], upper: float) -> None:
    """Check what cannot make a proper posterior, whatever the data.

    Parameters
    ----------
    model, priors
        The likelihood and the prior of each nuisance parameter.
    upper
        Upper edge of the prior of the signal strength.

    Raises
    ------
    ImproperPosteriorError
        An efficiency with density at zero goes with a prior that has no upper edge: the posterior
        would fall like one over the signal strength. Or a factor without constraint multiplies the
        signal and nothing else.
    """
    poi_name = model.poi_name
    for prior in priors:
        if prior is None or not prior.on_signal:
            continue
        if prior.kind.endswith("truncated-normal") and not math.isfinite(upper):
            raise ImproperPosteriorError(
                f"the efficiency {prior.name} is normal and cut at 0: it has density at zero, "
                f"where any {poi_name} is possible, and the posterior does not normalise; give "
                "the prior an upper edge (--prior flat:0,EDGE), or take a log-normal efficiency"
            )
        if prior.proper or not model.scales_signal(model.parameter_index(prior.name)):
            continue
        raise ImproperPosteriorError(
            f"{prior.name} multiplies the signal and has no constraint: only its product with "
            f"{poi_name} is measured; fix it, or constrain it"
        )
