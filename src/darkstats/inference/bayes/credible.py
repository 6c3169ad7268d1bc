"""The credible upper limit of one model, with all that belongs to it."""

from __future__ import annotations

import math
import operator
from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from darkstats.arguments import checked
from darkstats.errors import DarkstatsError, NotCertifiedError
from darkstats.inference.asimov import blinded_observation
from darkstats.inference.bayes.answers import (
    CredibleLimit,
    EngineAnswer,
    PosteriorSummary,
    check_options,
)
from darkstats.inference.bayes.engines import RUNNERS, Bench, EngineRun, declined
from darkstats.inference.bayes.expected import DEFAULT_TOYS, ToyBand, counted_band, toy_band
from darkstats.inference.bayes.gate import imprecision
from darkstats.inference.bayes.marginals import (
    LEAST_SIZE,
    JointSample,
    marginals,
    predictive_check,
    sample_from,
)
from darkstats.inference.bayes.nuisances import NuisancePriors
from darkstats.inference.bayes.priors import Flat
from darkstats.inference.p_values import FitCounts, ToyOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from darkstats.fit import FitOptions
    from darkstats.inference.bayes.answers import NuisancePosterior
    from darkstats.inference.bayes.nuisances import ParameterPrior
    from darkstats.inference.bayes.nuts.chains import NutsOptions
    from darkstats.inference.bayes.priors import PoiPrior
    from darkstats.model import Model, Observation

__all__ = ["BLINDED", "DEFINITIONS", "REFERENCES", "credible_limit", "range_warnings"]

BLINDED = "blinded: only Asimov data were used"
CUT = 1e-3  # prior probability beyond a declared range that is worth a warning
DISAGREEMENT = 4.0  # combined errors beyond which two engines are said to disagree

#: What the expected band is, by how outcomes are thrown and counted.
DEFINITIONS = {
    ("conditional-mle", True): "quantiles of the credible limit over all Poisson outcomes at the "
    "fit without signal; priors (auxiliary data) as observed",
    ("conditional-mle", False): "quantiles of the credible limit over toys at the fit without "
    "signal; priors (auxiliary data) as observed",
    ("prior-predictive", True): "quantiles of the credible limit over all outcomes without signal, "
    "weighted by their prior-predictive probability",
    ("prior-predictive", False): "quantiles of the credible limit over toys without signal, "
    "nuisance parameters drawn from their priors",
    ("none", True): "not asked for",
    ("none", False): "not asked for",
}

REFERENCES = {
    "quadrature": ("NIM 212 (1983) 319",),
    "laplace": ("JASA 81 (1986) 82", "arXiv:0710.4242", "arXiv:1507.02646"),
    "nuts": ("JMLR 15 (2014) 1593", "arXiv:1701.02434", "arXiv:1903.08008"),
}


@checked
def credible_limit(
    model: Model,
    observation: Observation | None = None,
    *,
    cl: float = 0.90,
    prior: PoiPrior | None = None,
    nuisances: NuisancePriors | None = None,
    engine: str = "auto",
    expected: str = "conditional-mle",
    toys: ToyOptions | None = None,
    seed: int = 0,
    cross_check: bool = True,
    blind: bool = False,
    options: FitOptions | None = None,
    nuts: NutsOptions | None = None,
) -> CredibleLimit:
    """Credible upper limit on the signal strength, nuisance parameters marginalised.

    Parameters
    ----------
    model, observation
        Compiled model with a parameter of interest, and data; by default the model's own.
    cl
        Posterior probability below the limit, in (0, 1).
    prior
        Of the signal strength; flat from 0 up by default.
    nuisances
        Choices that turn constraint terms into priors.
    engine
        ``"auto"``: exact quadrature where the model allows it, else Laplace with importance
        sampling, else NUTS; the first certified answer is quoted. A name asks for that engine.
    expected
        How background-only outcomes are thrown: ``"conditional-mle"``, ``"prior-predictive"`` or
        ``"none"``. Windows of one or two bins are enumerated.
    toys
        How many toys, where outcomes cannot be enumerated; 400 by default.
    seed
        Of importance sampling, NUTS and toys.
    cross_check
        Ask Laplace, too, where the quadrature is quoted.
    blind
        Expected values only, from background-only Asimov data.
    options, nuts
        Options of fits, and of NUTS.

    Raises
    ------
    UnknownNameError, OptionError
        Options that do not exist, or out of range.
    PriorError
        A prior that does not suit the model.
    PosteriorError
        Model, data and priors make no posterior.
    NotCertifiedError
        No engine can vouch for its answer.

    Examples
    --------
    >>> from darkstats import compile_workspace, read_workspace
    >>> model = compile_workspace(read_workspace("workspaces/examples/on_off.json"))
    >>> round(credible_limit(model, expected="none").observed, 4)
    0.9401

    >>> import darkstats
    >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
    >>> model = darkstats.compile_workspace(workspace)
    >>> limit = darkstats.credible_limit(model, model.observation, cl=0.9)
    >>> round(limit.observed, 3), limit.engine
    (1.755, 'quadrature')
    """
    check_options(cl=cl, engine=engine, expected=expected)
    choice, asked = nuisances or NuisancePriors(), prior or Flat()
    if observation is not None:
        model = model.with_observation(observation)
    if blind:
        model = model.with_observation(blinded_observation(model))
    resolved = choice.resolve(model)
    bench = Bench(
        model=model,
        nuisances=resolved,
        prior=asked.bind(model),
        cl=cl,
        seed=seed,
        expected=expected,
        blind=blind,
        options=options,
        nuts=nuts,
    )
    runs, quoted = _run(bench, engine, cross_check=cross_check)
    said = imprecision(quoted.answer.engine, quoted.answer.limit, quoted.answer.error)
    warnings = [said] if said is not None else []
    warnings += [*_disagreements(runs, quoted), *range_warnings(model, resolved)]
    warnings += _edge_sensitivity(bench, asked, quoted)
    band, counted = _band(bench, quoted, toys or ToyOptions(n_toys=DEFAULT_TOYS, seed=seed))
    result = CredibleLimit(
        poi=model.poi_name or "",
        cl=cl,
        observed=None if blind else quoted.answer.limit,
        observed_error=0.0 if blind else quoted.answer.error,
        observed_reason=BLINDED if blind else None,
        expected=band.expected,
        expected_error=band.error,
        expected_reason=band.reason,
        expected_definition=DEFINITIONS[expected, counted],
        prior=asked,
        nuisance_priors=choice,
        model_priors=tuple((p.name, p.describe()) for p in resolved if p is not None),
        engine=quoted.answer.engine,
        engine_asked=engine,
        answers=tuple(run.answer for run in runs),
        fits=_fits(runs),
        toys=band.toys,
        seed=seed,
        model_digest=model.digest,
        warnings=tuple(warnings),
        references=REFERENCES[quoted.answer.engine],
    )
    if blind:
        return replace(
            result,
            summary_reason=BLINDED,
            nuisances_reason=BLINDED,
            predictive_reason=BLINDED,
            bayes_factor_reason=BLINDED,
        )
    return _with_details(result, bench, runs, quoted)


def _run(bench: Bench, engine: str, *, cross_check: bool) -> tuple[list[EngineRun], EngineRun]:
    """Ask engines in turn; return all runs, and the one that is quoted.

    Raises
    ------
    NotCertifiedError
        None is certified.
    """
    names = list(RUNNERS) if engine == "auto" else [engine]
    if bench.blind:
        return _blind_run(bench, names)
    runs: list[EngineRun] = []
    for name in names:
        run = RUNNERS[name](bench)
        runs.append(run)
        if run.problem is not None and not isinstance(run.problem, NotCertifiedError):
            raise run.problem
        if run.problem is None:
            if name == "quadrature" and engine == "auto" and cross_check:
                runs.append(_second_opinion(bench))
            return runs, run
    said = "; ".join(f"{run.answer.engine}: {run.answer.reason}" for run in runs)
    advice = "" if engine == "auto" else "; --engine auto asks the others"
    raise NotCertifiedError(f"no engine can vouch for the posterior: {said}{advice}")


def _second_opinion(bench: Bench) -> EngineRun:
    """Laplace beside the quadrature; its failure is told, and changes nothing."""
    try:
        return RUNNERS["laplace"](bench)
    except DarkstatsError as error:
        return declined("laplace", error)


def _blind_run(bench: Bench, names: list[str]) -> tuple[list[EngineRun], EngineRun]:
    """Only the expected band is wanted: of windows at once, of other models by toys."""
    if "quadrature" in names:
        run = RUNNERS["quadrature"](bench)
        if run.problem is None:
            return [run], run
        if not isinstance(run.problem, NotCertifiedError):
            raise run.problem
    bench.problem()  # raises where there is no posterior
    answer = EngineAnswer(engine="laplace", limit=None, error=0.0, certified=False, reason=BLINDED)
    run = EngineRun(answer=answer)
    return [run], run


def _disagreements(runs: list[EngineRun], quoted: EngineRun) -> list[str]:
    notes = []
    here = quoted.answer
    for run in runs:
        other = run.answer
        if other.limit is None or here.limit is None or run is quoted:
            continue
        allowed = DISAGREEMENT * math.hypot(here.error, other.error) + 1e-4 * here.limit
        if abs(other.limit - here.limit) > allowed:
            notes.append(
                f"engines disagree: {here.engine} {here.limit:.6g} ± {here.error:.2g}, "
                f"{other.engine} {other.limit:.6g} ± {other.error:.2g}; ask for --engine nuts"
            )
    return notes


def range_warnings(model: Model, priors: tuple[ParameterPrior | None, ...]) -> list[str]:
    """Ranges of the workspace that would cut a prior noticeably, had they been edges."""
    steps = np.concatenate([[0.0], np.geomspace(1e-6, 1e3, 2001)])
    cut = []
    for parameter, prior in zip(model.parameters, priors, strict=True):
        if prior is None or prior.kind == "flat":
            continue
        scale = 1.0 / prior.rate if prior.kind == "gamma" else prior.width
        beyond = 0.0
        for points in (parameter.upper + scale * steps, (parameter.lower - scale * steps)[::-1]):
            with np.errstate(all="ignore"):
                density = np.nan_to_num(np.exp(prior.log_density(points)), posinf=0.0)
            beyond += float(np.sum(0.5 * (density[1:] + density[:-1]) * np.diff(points)))
        if beyond > CUT:
            cut.append(parameter.name)
    if not cut:
        return []
    shown = ", ".join(cut[:5]) + (", ..." if len(cut) > 5 else "")
    return [
        f"the ranges of {shown} hold less than 99.9 % of their priors: ranges of a workspace serve "
        "minimisers, and are no edges of priors here"
    ]


def free_range_warnings(model: Model, found: Sequence[NuisancePosterior]) -> list[str]:
    """Parameters without constraint whose posterior leaves the range of the workspace.

    That range is no edge of the prior, but fits, p-values and frequentist limits keep it.
    """
    told = []
    for one in found:
        parameter = model.parameters[model.parameter_index(one.name)]
        low, _, high = one.quantiles
        if parameter.constraint == "none" and (low < parameter.lower or high > parameter.upper):
            told.append(
                f"the posterior of {one.name} ({low:.3g} to {high:.3g}, 68 %) leaves the range "
                f"{parameter.lower:g} to {parameter.upper:g} that fits keep: "
                f"--prior-range {one.name}={parameter.lower:g},{parameter.upper:g} makes that the "
                "edges of its prior, too"
            )
    return told


def _edge_sensitivity(bench: Bench, prior: PoiPrior, quoted: EngineRun) -> list[str]:
    """What a ten times higher edge does, where an efficiency has density at zero."""
    reaching = any(
        p is not None and p.on_signal and p.kind.endswith("truncated-normal")
        for p in bench.nuisances
    )
    limit = quoted.answer.limit
    if not reaching or not isinstance(prior, Flat) or limit is None:
        return []
    higher = replace(prior, upper=10.0 * prior.upper)
    runs, run = _run(bench.posterior_under(higher.bind(bench.model)), "auto", cross_check=False)
    del runs
    moved = run.answer.limit
    if moved is None:
        return []
    return [
        f"an efficiency is normal and cut at 0: the limit depends on the upper edge of the prior; "
        f"{limit:.4g} with {prior.upper:g}, {moved:.4g} with {higher.upper:g}"
    ]


def _band(bench: Bench, quoted: EngineRun, toys: ToyOptions) -> tuple[ToyBand, bool]:
    """The expected band, and whether outcomes were enumerated."""
    if bench.expected == "none":
        return ToyBand(reason="not asked for"), True
    counting = quoted.counting
    if counting is not None and counting.expected_reason is None:
        return ToyBand(expected=counting.expected, error=counting.expected_error), True
    band = counted_band(
        bench.problem(), how=bench.expected, cl=bench.cl, seed=bench.seed, options=bench.options
    )
    if band is not None:
        return band, True
    band = toy_band(
        bench.problem(),
        bench.nuisances,
        how=bench.expected,
        cl=bench.cl,
        toys=toys,
        observed=quoted.answer.limit,
        options=bench.options,
    )
    return band, False


def _fits(runs: list[EngineRun]) -> FitCounts | None:
    found = [run.fits for run in runs if run.fits is not None]
    return reduce(operator.add, found) if found else None


def _with_details(
    result: CredibleLimit, bench: Bench, runs: list[EngineRun], quoted: EngineRun
) -> CredibleLimit:
    """Add summary, nuisance parameters, predictive check and Bayes factor."""
    posterior = quoted.posterior
    with_draws = next((run for run in runs if run.sample is not None), None)
    sample = with_draws.sample if with_draws is not None else None
    if posterior is not None:
        mean, sigma = posterior.moments()
        summary = PosteriorSummary(
            mean=mean,
            standard_deviation=sigma,
            median=posterior.quantile(0.5),
            highest_density=posterior.highest_density(result.cl),
        )
    elif sample is not None:
        summary = _summary_of_draws(bench, sample, result.cl)
    else:
        summary = None
    reason = None
    if sample is None or sample.effective < LEAST_SIZE:
        try:
            sample = sample_from(bench.cloud(), seed=bench.seed)
        except DarkstatsError as error:
            sample, reason = None, str(error)
    if sample is not None and sample.effective < LEAST_SIZE:
        reason = f"only {sample.effective:.0f} effective draws of the joint posterior"
        sample = None
    draws = None
    if quoted.draws is not None:
        draws = quoted.draws[:, :, bench.model.require_poi()].ravel()
    factor, why = _bayes_factor(bench, quoted)
    result = replace(
        result,
        posterior=posterior,
        draws=draws,
        summary=summary,
        log_bayes_factor=factor,
        bayes_factor_reason=why,
        nuisances_reason=reason,
        predictive_reason=reason,
    )
    if sample is None:
        return result
    found, correlation = marginals(bench.model, bench.nuisances, sample)
    check, why = None, "events have no bins whose counts could be replicated"
    if bench.model.observation.events is None:
        check = predictive_check(bench.model, bench.counts, sample, seed=bench.seed)
    return replace(
        result,
        warnings=(*result.warnings, *free_range_warnings(bench.model, found)),
        nuisances=found,
        correlation=correlation,
        predictive=check,
        predictive_reason=None if check is not None else why,
    )


def _summary_of_draws(bench: Bench, sample: JointSample, cl: float) -> PosteriorSummary:
    mu = np.sort(sample.parameters[:, bench.model.require_poi()])
    kept = int(cl * len(mu))
    widths = mu[kept:] - mu[: len(mu) - kept]
    first = int(np.argmin(widths))
    low, high = float(mu[first]), float(mu[first + kept])
    if mu[kept] - bench.prior.lower <= 1.02 * widths[first]:  # highest at the lower end
        low, high = bench.prior.lower, float(mu[kept])
    return PosteriorSummary(
        mean=float(mu.mean()),
        standard_deviation=float(mu.std()),
        median=float(np.median(mu)),
        highest_density=(low, high),
    )


def _bayes_factor(bench: Bench, quoted: EngineRun) -> tuple[float | None, str | None]:
    if not bench.prior.proper:
        return None, "the prior of the signal strength is improper: give it an upper edge"
    if quoted.posterior is None or quoted.log_empty is None:
        return None, f"engine {quoted.answer.engine} has no evidence at signal strength 0"
    return quoted.posterior.log_evidence - quoted.log_empty, None
