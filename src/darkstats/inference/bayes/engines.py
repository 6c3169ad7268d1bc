"""The engines under one roof: each says what it found, how sure it is, or why it declines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import DarkstatsError, NotCertifiedError
from darkstats.inference.bayes.answers import EngineAnswer
from darkstats.inference.bayes.gate import Diagnosis, refusal
from darkstats.inference.bayes.joint import JointDensity
from darkstats.inference.bayes.laplace.adaptive import Cloud, learnt_cloud
from darkstats.inference.bayes.laplace.approximation import laplace_posteriors
from darkstats.inference.bayes.laplace.from_nodes import LaplaceAnswer
from darkstats.inference.bayes.marginals import JointSample
from darkstats.inference.bayes.nuts.chains import NutsAnswer, NutsOptions, sample_posterior
from darkstats.inference.bayes.nuts.straightened import straightened
from darkstats.inference.bayes.posterior import PoiPosterior
from darkstats.inference.bayes.problem import PosteriorProblem, Ranges
from darkstats.inference.bayes.quadrature.few_nuisances import (
    MOST_DIMENSIONS,
    GridAnswer,
    grid_posterior,
)
from darkstats.inference.bayes.quadrature.recognition import recognise
from darkstats.inference.bayes.quadrature.window_limits import CountingAnswer, counting_limits
from darkstats.inference.bayes.quadrature.window_posteriors import WindowGroup
from darkstats.inference.p_values import FitCounts
from darkstats.model.base import observed_lanes
from darkstats.streams import keyed_generator

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray
    from darkstats.fit import FitOptions
    from darkstats.inference.bayes.nuisances import ParameterPrior
    from darkstats.inference.bayes.priors import BoundPrior
    from darkstats.model import LaneData, Model

__all__ = ["RUNNERS", "Bench", "EngineRun", "declined", "of_window", "run_of"]

_STREAM = 13  # word of the random stream's key: never renumber


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRun:
    """What an engine leaves behind.

    ``problem`` is the error behind an answer that is not certified; ``counting`` the answer of the
    engine for windows, which has an expected band of its own; ``draws`` are those of NUTS, chains
    kept apart [chain, draw, par].
    """

    answer: EngineAnswer
    problem: DarkstatsError | None = None
    posterior: PoiPosterior | None = None
    log_empty: float | None = None
    counting: CountingAnswer | None = None
    draws: FloatArray | None = field(default=None, repr=False)
    sample: JointSample | None = field(default=None, repr=False)
    fits: FitCounts | None = None


@dataclass(slots=True)
class Bench:
    """One model with its observation and priors, and what several engines need of it.

    Problem and cloud are made once, when first asked for.
    """

    model: Model
    nuisances: tuple[ParameterPrior | None, ...]
    prior: BoundPrior
    cl: float
    seed: int
    expected: str
    blind: bool = False
    options: FitOptions | None = None
    nuts: NutsOptions | None = None
    _problem: PosteriorProblem | None = None
    _span: tuple[float, float] | None = None
    _cloud: Cloud | None = None

    @property
    def counts(self) -> FloatArray:
        """Counts of the observation. Shape [bin]."""
        return self.model.observation.counts

    @property
    def rows(self) -> LaneData:
        """The observation as the only row of data."""
        return observed_lanes(self.model)

    @property
    def threads(self) -> int | None:
        """Threads at most."""
        return None if self.options is None else self.options.threads

    def problem(self) -> PosteriorProblem:
        """The posterior in coordinates without edges."""
        if self._problem is None:
            self._problem = PosteriorProblem.of(
                self.model,
                self.nuisances,
                self.prior,
                counts=self.rows,
                threads=self.threads,
                options=self.options,
            )
        return self._problem

    def span(self) -> tuple[float, float]:
        """Range of the signal strength that holds the posterior.

        Raises
        ------
        NotCertifiedError, ImproperPosteriorError
            There is none.
        """
        if self._span is None:
            ranges = Ranges.of(self.problem(), self.rows)
            if ranges.problem[0] is not None:
                raise ranges.problem[0]
            self._span = float(ranges.low[0]), float(ranges.high[0])
        return self._span

    def cloud(self) -> Cloud:
        """A Gaussian that resembles the joint posterior.

        Raises
        ------
        NotCertifiedError, ImproperPosteriorError
            There is no posterior to resemble.
        """
        if self._cloud is None:
            self._cloud = learnt_cloud(self.problem(), self.rows, self.span(), seed=self.seed)
        return self._cloud

    def posterior_under(self, prior: BoundPrior) -> Bench:
        """The same with another prior of the signal strength, without an expected band."""
        return replace(
            self, prior=prior, expected="none", blind=False, _problem=None, _span=None, _cloud=None
        )


def judged(
    limit: float | None, error: float, problem: DarkstatsError | None
) -> DarkstatsError | None:
    """Why an answer does not count: what its engine says of it, or the gate; None where it does."""
    if problem is not None:
        return problem
    return refusal(Diagnosis(limit=limit, error=error))


def run_of(
    engine: str,
    found: CountingAnswer | GridAnswer | LaplaceAnswer | NutsAnswer,
    *,
    diagnostics: Mapping[str, float],
    fits: FitCounts | None = None,
    blind: bool = False,
) -> EngineRun:
    """The answer of an engine after the gate; every verb takes answers from here.

    Parameters
    ----------
    engine, found
        Name, and what the engine found.
    diagnostics
        What the engine knows of its answer, by name.
    fits
        Fits behind it.
    blind
        No limit is wanted, only what the expected band needs.
    """
    problem = found.problem if blind else judged(found.limit, found.error, found.problem)
    return EngineRun(
        answer=EngineAnswer(
            engine=engine,
            limit=found.limit if problem is None else None,
            error=found.error,
            certified=problem is None,
            reason=None if problem is None else str(problem),
            diagnostics=diagnostics,
        ),
        problem=problem,
        posterior=None if isinstance(found, NutsAnswer) else found.posterior,
        log_empty=None if isinstance(found, NutsAnswer) else found.log_empty,
        counting=found if isinstance(found, CountingAnswer) else None,
        fits=fits,
    )


def of_window(found: CountingAnswer, *, blind: bool) -> EngineRun:
    """The answer of the quadrature of a counting window."""
    return run_of(
        "quadrature",
        found,
        fits=FitCounts(attempted=found.fits, certified=found.fits, level=1),
        blind=blind,
        diagnostics={"level": float(found.level)},
    )


def declined(engine: str, why: DarkstatsError) -> EngineRun:
    """An engine that has no answer, with the reason."""
    answer = EngineAnswer(engine=engine, limit=None, error=0.0, certified=False, reason=str(why))
    return EngineRun(answer=answer, problem=why)


def quadrature(bench: Bench) -> EngineRun:
    """Exact sums: over the nodes of a counting window, or a grid of at most two nuisances."""
    window = bench.model.in_bins
    plan = None if window is None else recognise(window)
    refused = None
    if window is not None and plan is not None:
        group = WindowGroup(
            plan=plan,
            models=(window,),
            nuisances=(bench.nuisances,),
            prior=(bench.prior,),
            counts=bench.counts[np.newaxis, list(plan.bins)],
        )
        (found,) = counting_limits(
            group,
            cl=bench.cl,
            expected=bench.expected,
            blind=bench.blind,
            threads=bench.threads,
            options=bench.options,
        )
        run = of_window(found, blind=bench.blind)
        refused = run.problem
        if refused is None or not isinstance(refused, NotCertifiedError):
            return run
    if bench.blind:
        return declined(
            "quadrature",
            refused or NotCertifiedError("blinded: nothing to integrate but toys"),
        )
    n = bench.problem().density.n
    if n > MOST_DIMENSIONS:
        why = f"no counting window, and {n} nuisance parameters are too many for a grid"
        return declined("quadrature", refused or NotCertifiedError(why))
    grid = grid_posterior(bench.problem(), bench.rows, cl=bench.cl)
    return run_of(
        "quadrature",
        grid,
        fits=FitCounts(attempted=grid.fits_attempted, certified=grid.fits_certified, level=1),
        diagnostics={"grid_points": float(grid.points)},
    )


def laplace(bench: Bench) -> EngineRun:
    """Profile, curvature and importance sampling."""
    (found,) = laplace_posteriors(bench.problem(), bench.rows, cl=bench.cl, seed=bench.seed)
    return run_of(
        "laplace",
        found,
        fits=FitCounts(attempted=found.fits_attempted, certified=found.fits_certified, level=1),
        diagnostics={
            "effective_size": found.effective,
            "pareto_k": found.pareto_k,
            "points": float(found.points),
            "adapted": float(found.adapted),
            "stiff": float(found.stiff),
        },
    )


def nuts(bench: Bench) -> EngineRun:
    """The joint posterior, drawn by the no-U-turn sampler."""
    rng = keyed_generator(bench.seed, bench.model.digest, _STREAM)
    number = 16 * (bench.problem().density.n + 9)
    along = straightened(bench.problem(), bench.rows, bench.span(), rng=rng, points=number)
    joint: JointDensity
    if along is not None:
        joint, points = along
    else:
        cloud = bench.cloud()
        joint, points = cloud.joint, cloud.draw(rng, number)
    try:
        found = sample_posterior(joint, points, cl=bench.cl, seed=bench.seed, options=bench.nuts)
    except NotCertifiedError as why:
        return declined("nuts", why)
    flat = found.parameters.reshape(-1, found.parameters.shape[-1])
    return replace(
        run_of("nuts", found, diagnostics=found.diagnostics),
        draws=found.parameters,
        sample=JointSample(
            parameters=flat,
            weight=np.full(len(flat), 1.0 / len(flat)),
            effective=found.diagnostics["bulk_size"],
        ),
    )


#: The engines, in the order in which they are asked.
RUNNERS: MappingProxyType[str, Callable[[Bench], EngineRun]] = MappingProxyType(
    {"quadrature": quadrature, "laplace": laplace, "nuts": nuts}
)
