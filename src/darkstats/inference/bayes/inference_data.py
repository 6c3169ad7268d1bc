"""Posterior draws as ArviZ InferenceData, for its plots and diagnostics."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.errors import MissingExtraError, OptionError
from darkstats.inference.bayes.draws import PosteriorDraws
from darkstats.provenance import package_version
from darkstats.streams import keyed_generator

__all__ = ["inference_data"]

_STREAM = 15  # word of the random stream's key: never renumber


def inference_data(draws: PosteriorDraws, *, seed: int = 0) -> Any:  # noqa: ANN401 -- ArviZ's type
    """Convert to ArviZ: groups ``posterior``, ``posterior_predictive`` and ``observed_data``.

    Parameters
    ----------
    draws
        From :func:`~darkstats.inference.bayes.draws.posterior_draws`.
    seed
        Of the predicted counts.

    Returns
    -------
    arviz.InferenceData
        In ArviZ 1, a DataTree. Parameter sets with one member per bin are arrays; fixed parameters
        are left out. Counts have one array per channel.

    Raises
    ------
    MissingExtraError
        ArviZ is not installed.
    OptionError
        The model is unbinned.
    """
    model = draws.model.in_bins
    if model is None:
        raise OptionError("an unbinned model has no bins to predict: take the draws as they are")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # ArviZ announces its next version
            import arviz
    except ModuleNotFoundError as error:
        raise MissingExtraError("arviz", "bayes") from error
    members: dict[str, list[int]] = {}
    for p, parameter in enumerate(model.parameters):
        if not parameter.fixed:
            members.setdefault(parameter.set_name, []).append(p)
    posterior: dict[str, FloatArray] = {}
    for name, places in members.items():
        values = draws.parameters[:, :, places]
        single = model.parameters[places[0]].name == name
        posterior[name] = values[:, :, 0] if single else values
    chains, n, _ = draws.parameters.shape
    flat = draws.parameters.reshape(chains * n, -1)
    rng = keyed_generator(seed, model.digest, _STREAM)
    replicas = rng.poisson(np.maximum(model.expected_rates(flat), 0.0)).reshape(chains, n, -1)
    channels = [channel for channel in model.channels if not channel.masked]
    groups: dict[str, dict[str, Any]] = {
        "posterior": posterior,
        "posterior_predictive": {
            channel.name: replicas[:, :, channel.start : channel.stop] for channel in channels
        },
        "observed_data": {
            channel.name: draws.observation.counts[channel.start : channel.stop]
            for channel in channels
        },
    }
    attributes = {
        "inference_library": "darkstats",
        "inference_library_version": package_version("darkstats") or "unreleased",
        "engine": draws.engine,
        "model_sha256": model.digest,
    }
    if int(arviz.__version__.partition(".")[0]) >= 1:
        return arviz.from_dict(groups, attrs={"/": attributes})
    before_1: Callable[..., Any] = arviz.from_dict  # groups were keywords then
    return before_1(**groups, attrs=attributes)
