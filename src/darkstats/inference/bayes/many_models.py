"""Credible limits of many models at once: the entry for scans.

Counting windows of one structure are taken together, thousands in seconds; any other model is
taken by itself. A window whose posterior does not exist, or that no engine can vouch for, leaves a
reason in the place of its limit, and the others as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from darkstats.arguments import checked
from darkstats.errors import DarkstatsError, NotCertifiedError, OptionError
from darkstats.inference.asimov import blinded_observation
from darkstats.inference.bayes.answers import CredibleLimit, check_options
from darkstats.inference.bayes.credible import BLINDED, DEFINITIONS, REFERENCES, credible_limit
from darkstats.inference.bayes.engines import of_window
from darkstats.inference.bayes.nuisances import NuisancePriors
from darkstats.inference.bayes.priors import Flat
from darkstats.inference.bayes.quadrature.recognition import recognise, structure_key
from darkstats.inference.bayes.quadrature.window_limits import CountingAnswer, counting_limits
from darkstats.inference.bayes.quadrature.window_posteriors import WindowGroup

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray
    from darkstats.fit import FitOptions
    from darkstats.inference.bayes.nuisances import ParameterPrior
    from darkstats.inference.bayes.priors import BoundPrior, PoiPrior
    from darkstats.inference.p_values import ToyOptions
    from darkstats.model import Model, Observation
    from darkstats.model.base import BinnedModel, Use

__all__ = ["bayes_limits"]

_ONE_AT_A_TIME = "windows of a batch have a limit and a band; take one by itself for the rest"
_WINDOWS = 1024  # windows of one structure that are taken together: bounds the memory


@checked
def bayes_limits(
    models: Sequence[Model],
    observations: Sequence[Observation] | None = None,
    *,
    cl: float = 0.90,
    prior: PoiPrior | None = None,
    nuisances: NuisancePriors | None = None,
    engine: str = "auto",
    expected: str = "conditional-mle",
    toys: ToyOptions | None = None,
    seed: int = 0,
    blind: bool = False,
    options: FitOptions | None = None,
    backgrounds: Sequence[FloatArray | None] | None = None,
) -> tuple[CredibleLimit, ...]:
    """Credible upper limits of many models, with their expected bands.

    Parameters
    ----------
    models, observations
        Models with a parameter of interest, and data of each; by default the models' own.
    cl, prior, nuisances, engine, expected, toys, seed, blind, options
        As of :func:`~darkstats.inference.bayes.credible.credible_limit`.
    backgrounds
        Minimum of the likelihood without signal of each model, where it is known already. Shape of
        each [par].

    Returns
    -------
    tuple of CredibleLimit
        One per model, in order. ``observed`` is None, with a reason, where there is no limit.

    Raises
    ------
    UnknownNameError, OptionError
        Options that do not exist, or out of range.

    Examples
    --------
    >>> import darkstats
    >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
    >>> model = darkstats.compile_workspace(workspace)
    >>> other = model.with_observation(darkstats.asimov_data(model, model.observation)[0])
    >>> [round(limit.observed, 2) for limit in darkstats.bayes_limits([model, other])]
    [1.76, 1.32]
    """
    check_options(cl=cl, engine=engine, expected=expected)
    for what, listed in (("observations", observations), ("backgrounds", backgrounds)):
        if listed is not None and len(listed) != len(models):
            raise OptionError(f"{len(models)} models, but {len(listed)} {what}")
    choice, asked = nuisances or NuisancePriors(), prior or Flat()
    given = list(models)
    if observations is not None:
        pairs = zip(given, observations, strict=True)
        given = [model.with_observation(data) for model, data in pairs]
    if blind:
        given = [model.with_observation(blinded_observation(model)) for model in given]
    blank = CredibleLimit(
        poi="",
        cl=cl,
        observed=None,
        expected=(None,) * 5,
        expected_definition=DEFINITIONS[expected, True],
        prior=asked,
        nuisance_priors=choice,
        engine="quadrature",
        engine_asked=engine,
        seed=seed,
        references=REFERENCES["quadrature"],
        summary_reason=_ONE_AT_A_TIME,
        nuisances_reason=_ONE_AT_A_TIME,
        predictive_reason=_ONE_AT_A_TIME,
    )
    results: list[CredibleLimit | None] = [None] * len(given)
    if engine in {"auto", "quadrature"}:
        known = list(backgrounds) if backgrounds is not None else [None] * len(given)
        _windows(given, results, blank, known, options=options, expected=expected, blind=blind)
    for i, model in enumerate(given):
        if results[i] is not None:
            continue
        try:
            results[i] = credible_limit(
                model,
                cl=cl,
                prior=asked,
                nuisances=choice,
                engine=engine,
                expected=expected,
                toys=toys,
                seed=seed,
                blind=blind,
                options=options,
            )
        except DarkstatsError as error:
            results[i] = _failed(blank, model, error)
    return tuple(result for result in results if result is not None)


def _failed(blank: CredibleLimit, model: Model, error: DarkstatsError) -> CredibleLimit:
    reason = f"{type(error).__name__}: {error}"
    return replace(
        blank,
        poi=model.poi_name or "",
        model_digest=model.digest,
        observed_reason=reason,
        expected_reason=reason,
        bayes_factor_reason=reason,
    )


def _windows(
    models: list[Model],
    results: list[CredibleLimit | None],
    blank: CredibleLimit,
    backgrounds: Sequence[FloatArray | None],
    *,
    options: FitOptions | None,
    expected: str,
    blind: bool,
) -> None:
    """Take the counting windows; what is left None is for other engines."""
    bound: BoundPrior | None = None
    choice = blank.nuisance_priors
    uses: dict[bytes, tuple[Use, ...]] = {}
    windows: dict[int, BinnedModel] = {}
    groups: dict[bytes, list[tuple[int, tuple[ParameterPrior | None, ...], BoundPrior]]] = {}
    for i, model in enumerate(models):
        window = model.in_bins
        if window is None:
            continue
        try:
            key = structure_key(window)
            if key not in uses or choice.efficiency != "log-normal":
                uses[key] = model.uses()  # the rest of it depends on yields
            resolved = choice.resolve(model, uses[key])
            if blank.prior.of_model or bound is None:
                bound = blank.prior.bind(model)
        except DarkstatsError as error:
            results[i] = _failed(blank, model, error)
            continue
        windows[i] = window
        groups.setdefault(key, []).append((i, resolved, bound))
    for members in groups.values():
        plan = recognise(windows[members[0][0]])
        if plan is None:
            continue
        for first in range(0, len(members), _WINDOWS):
            part = members[first : first + _WINDOWS]
            bins = list(plan.bins)
            group = WindowGroup(
                plan=plan,
                models=tuple(windows[i] for i, _, _ in part),
                nuisances=tuple(resolved for _, resolved, _ in part),
                prior=tuple(prior for _, _, prior in part),
                counts=np.array([models[i].observation.counts[bins] for i, _, _ in part]),
                backgrounds=tuple(backgrounds[i] for i, _, _ in part),
            )
            found = counting_limits(
                group,
                cl=blank.cl,
                expected=expected,
                blind=blind,
                threads=None if options is None else options.threads,
                options=options,
            )
            for (i, _, prior), answer in zip(part, found, strict=True):
                results[i] = _result(blank, models[i], prior, answer, blind=blind)


def _result(
    blank: CredibleLimit,
    model: Model,
    prior: BoundPrior,
    answer: CountingAnswer,
    *,
    blind: bool,
) -> CredibleLimit | None:
    """Result of a window; None where other engines are to be asked."""
    run = of_window(answer, blind=blind)
    if run.problem is not None:
        if isinstance(run.problem, NotCertifiedError) and blank.engine_asked == "auto":
            return None
        return _failed(blank, model, run.problem)
    factor: float | None = None
    reason: str | None = "the prior of the signal strength is improper: give it an upper edge"
    if blind:
        reason = BLINDED
    elif prior.proper and answer.posterior is not None and answer.log_empty is not None:
        factor, reason = answer.posterior.log_evidence - answer.log_empty, None
    if answer.expected_reason is not None and answer.expected_reason.startswith("too many"):
        return None  # toys are thrown instead
    return replace(
        blank,
        poi=model.poi_name or "",
        observed=None if blind else answer.limit,
        observed_error=0.0 if blind else answer.error,
        observed_reason=BLINDED if blind else None,
        expected=answer.expected,
        expected_error=answer.expected_error,
        expected_reason=answer.expected_reason,
        answers=(run.answer,),
        posterior=answer.posterior,
        log_bayes_factor=factor,
        bayes_factor_reason=reason,
        fits=run.fits,
        model_digest=model.digest,
    )
