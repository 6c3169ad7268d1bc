"""Bayesian limits of the hypotheses of a block: windows of one structure in one quadrature."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from darkstats.errors import FitFailedError, InputError, NotCertifiedError
from darkstats.fit import FitOptions, fit
from darkstats.inference.bayes import NuisancePriors, bayes_limits, parse_prior
from darkstats.inference.bayes.expected import DEFAULT_TOYS
from darkstats.inference.curve import ProfileCurve
from darkstats.inference.p_values import ToyOptions
from darkstats.inference.test_statistics import test_statistic
from darkstats.scan.local import local_test, window_test
from darkstats.scan.mass_scan import ScanPoint
from darkstats.scan.settings import BayesSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from darkstats.fit import FitResult
    from darkstats.inference.bayes import CredibleLimit
    from darkstats.model import Model
    from darkstats.scan.mass_hypotheses import MassHypothesis
    from darkstats.scan.settings import ScanSettings

__all__ = ["credible_points"]

_ONE_THREAD = FitOptions(threads=1)  # blocks are spread over processes


def credible_points(
    members: Sequence[tuple[MassHypothesis, Model]], settings: ScanSettings
) -> list[ScanPoint]:
    """The points of a block: hypotheses with their models, in order.

    A hypothesis without a posterior, or whose limit no engine can vouch for, is a failed point with
    its reason. Best fit and p-value are frequentist; where they cannot be certified the limit
    stands by itself.
    """
    asked = settings.bayes or BayesSettings()
    models = [model for _, model in members]
    nulls = [None if settings.blind else _without_signal(model) for model in models]
    found = bayes_limits(
        models,
        cl=settings.cl,
        prior=parse_prior(asked.prior),
        nuisances=NuisancePriors(
            efficiency=asked.efficiency,
            ur_prior=asked.ur_prior,
            ranges={name: (low, high) for name, low, high in asked.ranges},
        ),
        engine=asked.engine,
        expected=asked.expected,
        toys=ToyOptions(n_toys=settings.n_toys or DEFAULT_TOYS, seed=settings.seed, threads=1),
        seed=settings.seed,
        blind=settings.blind,
        options=_ONE_THREAD,
        backgrounds=[None if null is None else null.parameters for null in nulls],
    )
    return [
        _point(one, model, limit, null, blind=settings.blind)
        for (one, model), limit, null in zip(members, found, nulls, strict=True)
    ]


def _without_signal(model: Model) -> FitResult | None:
    try:
        return fit(model, model.observation, poi_value=0.0, options=_ONE_THREAD)
    except FitFailedError:
        return None  # the fits of the point say more


def _point(
    hypothesis: MassHypothesis,
    model: Model,
    limit: CredibleLimit,
    null: FitResult | None,
    *,
    blind: bool,
) -> ScanPoint:
    lost = limit.expected[2] is None if blind else limit.observed is None
    if lost:
        reason = limit.expected_reason if blind else limit.observed_reason
        return ScanPoint.lost(hypothesis.name, hypothesis.values, reason or "not computed")
    point = ScanPoint(
        name=hypothesis.name,
        values=hypothesis.values,
        observed=limit.observed,
        observed_error=limit.observed_error,
        observed_reason=limit.observed_reason,
        expected=limit.expected,
        expected_error=limit.expected_error,
        expected_reason=limit.expected_reason,
        engine=limit.engine,
        fits=None if limit.fits is None else asdict(limit.fits),
        toys=None if limit.toys is None else asdict(limit.toys),
        warnings=limit.warnings,
        model_digest=limit.model_digest,
    )
    return point if blind else _with_local(point, model, limit, null)


def _with_local(
    point: ScanPoint, model: Model, limit: CredibleLimit, null: FitResult | None
) -> ScanPoint:
    """Add best fit and local significance, or why there are none; fits are added to the limit's."""
    try:
        counted = any("level" in answer.diagnostics for answer in limit.answers)
        test = window_test(null) if null is not None and counted else None
        if test is None:
            data, statistic = model.observation, test_statistic("qtilde")
            test = local_test(ProfileCurve(model, data, statistic, options=_ONE_THREAD))
    except (NotCertifiedError, InputError) as error:
        return replace(point, local_reason=str(error))
    fits = test.fits if limit.fits is None else limit.fits + test.fits
    return replace(point.with_local(test), twice_nll=test.twice_nll, fits=asdict(fits))
