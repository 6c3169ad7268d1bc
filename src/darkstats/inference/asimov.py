"""Asimov data: the data set in which every estimate equals its true value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from darkstats.arguments import checked
from darkstats.fit import FitOptions, FitResult, fit

if TYPE_CHECKING:
    from darkstats.model import Model, Observation

__all__ = ["asimov_data", "blinded_observation"]


@checked
def asimov_data(
    model: Model,
    observation: Observation,
    *,
    mu: float = 0.0,
    options: FitOptions | None = None,
) -> tuple[Observation, FitResult]:
    """Asimov data of signal strength ``mu``, nuisance parameters at their conditional best fit.

    Counts are the expected rates and auxiliary data the expected auxiliary data at the minimum of
    the observed likelihood with the signal strength held at ``mu``; as pyhf does it.

    Parameters
    ----------
    model, observation
        Compiled model and the data that its nuisance parameters are fitted to.
    mu
        Signal strength of the Asimov data: 0 for limits, 1 for the expected significance.

    Returns
    -------
    tuple of Observation and FitResult
        The Asimov data, and the certified conditional fit behind them. Where the hypothesis forbids
        the data (events in a bin where nothing is expected) it is the best fit to the rest, and its
        ``twice_nll`` is infinite.

    Raises
    ------
    OptionError
        The model has no parameter of interest.
    FitFailedError
        The conditional minimum could not be certified.

    Notes
    -----
    arXiv:1007.1727, section 3.2, eq. 24 to 26.

    Examples
    --------
    >>> import darkstats
    >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
    >>> model = darkstats.compile_workspace(workspace)
    >>> asimov, fit = darkstats.asimov_data(model, model.observation)
    >>> asimov.counts.round(2)
    array([47.17, 39.19])
    """
    conditional = fit(
        model,
        observation,
        poi_value=mu,
        options=options or FitOptions(),
        even_if_impossible=True,
    )
    return model.asimov(conditional.parameters), conditional


def blinded_observation(model: Model, *, mu: float = 0.0) -> Observation:
    """Asimov data at the nominal nuisance parameters: no data are looked at.

    Constrained ones stand at their auxiliary data, others at their initial values.

    Parameters
    ----------
    model
        Compiled model with a parameter of interest.
    mu
        Signal strength: that of the statistic's Asimov data, so that nothing is pulled.

    Raises
    ------
    OptionError
        The model has no parameter of interest.
    """
    poi = model.require_poi()
    parameters = model.nominal
    parameters[poi] = mu
    return model.asimov(parameters)
