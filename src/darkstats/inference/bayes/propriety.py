"""What cannot make a proper posterior, whatever the data; and where the signal is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from darkstats.errors import ImproperPosteriorError
from darkstats.model.histfactory import HistFactoryModel

if TYPE_CHECKING:
    from darkstats.inference.bayes.nuisances import ParameterPrior
    from darkstats.model import Model
    from darkstats.model.base import EventModel

__all__ = ["require_proper", "signal_components"]


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
        if prior.proper or not _scales_the_signal(model, prior.name):
            continue
        raise ImproperPosteriorError(
            f"{prior.name} multiplies the signal and has no constraint: only its product with "
            f"{poi_name} is measured; fix it, or constrain it"
        )


def _scales_the_signal(model: Model, name: str) -> bool:
    """Whether a parameter is a scalar factor of all signal components and of nothing else."""
    p = model.parameter_index(name)
    if not isinstance(model, HistFactoryModel):
        where = cast("EventModel", model).acting()
        return bool(where.signal_yield[p] and not where.elsewhere[p])
    layout = model.layout
    begin = layout.factor_begin
    acting = tuple(
        k
        for k in range(layout.n_components)
        if p in layout.factor_parameter[begin[k] : begin[k + 1]]
    )
    return acting == signal_components(model)


def signal_components(model: HistFactoryModel) -> tuple[int, ...]:
    """Components (samples of channels) whose rate the parameter of interest changes."""
    layout, poi = model.layout, model.require_poi()
    found = []
    for k in range(layout.n_components):
        factors = layout.factor_parameter[layout.factor_begin[k] : layout.factor_begin[k + 1]]
        shifts = layout.histosys_parameter[layout.histosys_begin[k] : layout.histosys_begin[k + 1]]
        n = layout.component_stop[k] - layout.component_start[k]
        firsts = layout.binfactor_parameter[
            layout.binfactor_begin[k] : layout.binfactor_begin[k + 1]
        ]
        if poi in factors or poi in shifts or any(f <= poi < f + n for f in firsts):
            found.append(k)
    return tuple(found)
