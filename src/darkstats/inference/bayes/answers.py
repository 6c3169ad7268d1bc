"""What Bayesian inference hands back: frozen results, complete whatever was asked.

As elsewhere, ``expected`` tuples have five entries, -2 to +2 sigma of background-only outcomes, and
a number that does not exist is ``None`` with a reason beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from darkstats.arrays import FloatArray
from darkstats.errors import OptionError, UnknownNameError
from darkstats.inference.bayes.nuisances import NuisancePriors
from darkstats.inference.bayes.posterior import PoiPosterior
from darkstats.inference.bayes.priors import PoiPrior
from darkstats.inference.p_values import FitCounts, ToyCounts
from darkstats.shown import Shown

__all__ = [
    "ENGINES",
    "EXPECTED",
    "CredibleLimit",
    "Engine",
    "EngineAnswer",
    "NuisancePosterior",
    "PosteriorSummary",
    "PredictiveCheck",
    "check_options",
]

Engine = Literal["quadrature", "laplace", "nuts"]

ENGINES = ("auto", "quadrature", "laplace", "nuts")

#: How background-only outcomes are thrown for the expected band.
EXPECTED = ("conditional-mle", "prior-predictive", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineAnswer:
    """What one engine says of the credible limit.

    ``error`` is its own numerical error in the signal strength; ``diagnostics`` are its gates, by
    name. Where ``certified`` is false, ``reason`` says why and ``limit`` may be missing.
    """

    engine: str
    limit: float | None
    error: float
    certified: bool
    reason: str | None = None
    diagnostics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PosteriorSummary:
    """The posterior of the signal strength in numbers; ``highest_density`` holds ``cl``."""

    mean: float
    standard_deviation: float
    median: float
    highest_density: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class NuisancePosterior:
    """Marginal posterior of one parameter, and how it goes with the signal strength."""

    name: str
    prior: str
    mean: float
    standard_deviation: float
    quantiles: tuple[float, float, float]  # at 16, 50 and 84 %
    correlation_with_poi: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictiveCheck:
    """Posterior-predictive check: the deviance of replicas against that of the data.

    ``p_value`` is the share of posterior draws whose replica deviates from its own expectation at
    least as much as the data do. It is no frequentist p-value: it uses the data twice.
    ``low`` and ``high`` bound the central 68 % of replicated counts. Shapes [bin].
    """

    p_value: float
    draws: int
    expected: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CredibleLimit(Shown):
    """A Bayesian upper limit on the signal strength, with its expected band.

    Parameters
    ----------
    poi, cl
        Parameter of interest, and the posterior probability below the limit.
    observed, observed_error, observed_reason
        Credible limit and its numerical error; ``None`` with a reason where there is none.
    expected, expected_error, expected_reason, expected_definition
        Limits of background-only outcomes at -2 .. +2 sigma, the error of each (numerical, and of
        the finite number of toys), and how outcomes were thrown, in words.
    prior, nuisance_priors
        What was chosen; ``model_priors`` has the prior of each nuisance parameter in words.
    engine, engine_asked, answers
        Which engine the number comes from, what was asked for, and what each engine says.
    posterior, summary
        The posterior of the signal strength, and numbers of it.
    nuisances, correlation
        Marginals of the nuisance parameters, and the correlation matrix of (poi, nuisances).
    predictive
        Posterior-predictive check.
    log_bayes_factor
        Natural logarithm of the evidence for signal over that for background only; ``None`` with
        a reason where the prior is improper.
    draws
        Draws of the signal strength, where NUTS made them; ``posterior`` is None then.

    Examples
    --------
    >>> import darkstats
    >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
    >>> model = darkstats.compile_workspace(workspace)
    >>> darkstats.credible_limit(model, model.observation)
    CredibleLimit(poi='mu', cl=0.9, engine='quadrature', observed=1.755 ± ...
    """

    in_a_line: ClassVar = (
        "poi cl engine observed observed_reason expected expected_reason prior fits toys"
    )

    poi: str
    cl: float
    observed: float | None
    observed_error: float = 0.0
    observed_reason: str | None = None
    expected: tuple[float | None, ...]
    expected_error: tuple[float | None, ...] = (None,) * 5
    expected_reason: str | None = None
    expected_definition: str
    prior: PoiPrior
    nuisance_priors: NuisancePriors
    model_priors: tuple[tuple[str, str], ...] = ()
    engine: str
    engine_asked: str
    answers: tuple[EngineAnswer, ...] = ()
    posterior: PoiPosterior | None = None
    draws: FloatArray | None = field(default=None, repr=False, compare=False)
    summary: PosteriorSummary | None = None
    summary_reason: str | None = None
    nuisances: tuple[NuisancePosterior, ...] | None = None
    correlation: tuple[tuple[float, ...], ...] | None = None
    nuisances_reason: str | None = None
    predictive: PredictiveCheck | None = None
    predictive_reason: str | None = None
    log_bayes_factor: float | None = None
    bayes_factor_reason: str | None = None
    fits: FitCounts | None = None
    toys: ToyCounts | None = None
    seed: int | None = None
    model_digest: str = ""
    warnings: tuple[str, ...] = ()
    references: tuple[str, ...] = ()

    @property
    def method(self) -> str:
        """Always ``"bayes"``."""
        return "bayes"


def check_options(*, cl: float, engine: str, expected: str) -> None:
    """Check options that need no model.

    Raises
    ------
    OptionError
        The level is outside (0, 1).
    UnknownNameError
        Unknown engine, or way of throwing outcomes.
    """
    if not 0.0 < cl < 1.0:
        raise OptionError(f"the posterior probability of a limit lies in (0, 1), got {cl}")
    if engine not in ENGINES:
        raise UnknownNameError("engine", engine, ENGINES)
    if expected not in EXPECTED:
        raise UnknownNameError("way to throw expected outcomes", expected, EXPECTED)
