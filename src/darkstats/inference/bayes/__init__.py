"""Credible limits: posteriors of the signal strength, nuisance parameters marginalised.

Use :func:`credible_limit` for one model with all that belongs to its posterior, and
:func:`bayes_limits` for many: thousands of counting windows take seconds. Choose the prior among
:class:`Flat` (in the cross section, the default), :class:`FlatInCoupling`, :class:`LogFlat`,
:class:`Jeffreys`, :class:`Tabulated` and :class:`Custom`, and what constraint terms mean with
:class:`NuisancePriors`. Use :func:`posterior_draws` and :func:`inference_data` to go on elsewhere.

Which engine makes a number is chosen by the model: exact quadrature for counting windows and for at
most two nuisance parameters, Laplace's approximation with importance sampling for any other, NUTS
as the reference. ``python -m tests.studies.bayes_calibration`` shows how far to trust them.
"""

from __future__ import annotations

from darkstats.inference.bayes.answers import (
    ENGINES,
    EXPECTED,
    CredibleLimit,
    EngineAnswer,
    NuisancePosterior,
    PosteriorSummary,
    PredictiveCheck,
)
from darkstats.inference.bayes.credible import credible_limit
from darkstats.inference.bayes.draws import PosteriorDraws, posterior_draws
from darkstats.inference.bayes.inference_data import inference_data
from darkstats.inference.bayes.jeffreys import Jeffreys
from darkstats.inference.bayes.many_models import bayes_limits
from darkstats.inference.bayes.nuisances import NuisancePriors, ParameterPrior
from darkstats.inference.bayes.nuts.chains import NutsOptions
from darkstats.inference.bayes.posterior import PoiPosterior
from darkstats.inference.bayes.prior_text import parse_prior
from darkstats.inference.bayes.priors import (
    Custom,
    Flat,
    FlatInCoupling,
    LogFlat,
    PoiPrior,
    Tabulated,
)

__all__ = [
    "ENGINES",
    "EXPECTED",
    "CredibleLimit",
    "Custom",
    "EngineAnswer",
    "Flat",
    "FlatInCoupling",
    "Jeffreys",
    "LogFlat",
    "NuisancePosterior",
    "NuisancePriors",
    "NutsOptions",
    "ParameterPrior",
    "PoiPosterior",
    "PoiPrior",
    "PosteriorDraws",
    "PosteriorSummary",
    "PredictiveCheck",
    "Tabulated",
    "bayes_limits",
    "credible_limit",
    "inference_data",
    "parse_prior",
    "posterior_draws",
]
