"""Draws of the joint posterior, for plots and for other programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import NotCertifiedError
from darkstats.inference.bayes.answers import check_options
from darkstats.inference.bayes.engines import RUNNERS, Bench
from darkstats.inference.bayes.marginals import LEAST_SIZE, sample_from
from darkstats.inference.bayes.nuisances import NuisancePriors
from darkstats.inference.bayes.priors import Flat
from darkstats.streams import keyed_generator

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray
    from darkstats.fit import FitOptions
    from darkstats.inference.bayes.nuts.chains import NutsOptions
    from darkstats.inference.bayes.priors import PoiPrior
    from darkstats.model import Model, Observation

__all__ = ["PosteriorDraws", "posterior_draws"]

_STREAM = 14  # word of the random stream's key: never renumber


@dataclass(frozen=True, slots=True, kw_only=True)
class PosteriorDraws:
    """Draws of all parameters, [chain, draw, par], and where they come from.

    ``model`` and ``observation`` are those of the posterior; ``engine`` is ``"nuts"`` for chains,
    ``"importance"`` for resampled points, which make one chain of independent draws.
    """

    model: Model
    observation: Observation
    parameters: FloatArray
    engine: str


def posterior_draws(
    model: Model,
    observation: Observation | None = None,
    *,
    prior: PoiPrior | None = None,
    nuisances: NuisancePriors | None = None,
    engine: str = "auto",
    draws: int = 4000,
    cl: float = 0.90,
    seed: int = 0,
    options: FitOptions | None = None,
    nuts: NutsOptions | None = None,
) -> PosteriorDraws:
    """Draw from the joint posterior, for plots and for other programs.

    Parameters
    ----------
    model, observation, prior, nuisances, seed, options, nuts
        As of :func:`credible_limit`.
    engine
        ``"nuts"``: chains that pass the gates; ``"auto"``: importance sampling where at least
        400 effective draws come of it, else NUTS.
    draws
        Number of draws of importance sampling.
    cl
        The quantile that NUTS must know well.

    Raises
    ------
    PosteriorError, NotCertifiedError
        There is no posterior, or the gates are missed.
    """
    check_options(cl=cl, engine=engine, expected="none")
    if observation is not None:
        model = model.with_observation(observation)
    bench = Bench(
        model=model,
        nuisances=(nuisances or NuisancePriors()).resolve(model),
        prior=(prior or Flat()).bind(model),
        cl=cl,
        seed=seed,
        expected="none",
        options=options,
        nuts=nuts,
    )
    if engine != "nuts":
        sample = sample_from(bench.cloud(), seed=seed)
        if sample.effective >= LEAST_SIZE:
            rng = keyed_generator(seed, model.digest, _STREAM)
            return PosteriorDraws(
                model=model,
                observation=model.observation,
                parameters=sample.resampled(draws, rng)[np.newaxis],
                engine="importance",
            )
    run = RUNNERS["nuts"](bench)
    if run.problem is not None or run.draws is None:
        raise run.problem or NotCertifiedError("no draws")
    return PosteriorDraws(
        model=model, observation=model.observation, parameters=run.draws, engine="nuts"
    )
