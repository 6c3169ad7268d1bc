"""Bayesian limits of the hypotheses of a block: windows of one structure in one quadrature."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from darkstats.errors import InputError, NotCertifiedError
from darkstats.fit import FitOptions
from darkstats.inference.bayes import NuisancePriors, bayes_limits, parse_prior
from darkstats.inference.bayes.expected import DEFAULT_TOYS
from darkstats.inference.curve import ProfileCurve
from darkstats.inference.results import ToyOptions
from darkstats.inference.test_statistics import test_statistic
from darkstats.scan.local import local_fields
from darkstats.scan.results import BayesSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from darkstats.inference.bayes import CredibleLimit
    from darkstats.inference.results import FitCounts
    from darkstats.model import HistFactoryModel
    from darkstats.scan.results import ScanSettings

__all__ = ["credible_fields"]

_ONE_THREAD = FitOptions(threads=1)  # blocks are spread over processes


def credible_fields(
    models: Sequence[HistFactoryModel], settings: ScanSettings
) -> list[dict[str, Any]]:
    """Fields of the points of a block, in the order of the models.

    A hypothesis without a posterior, or whose limit no engine can vouch for, is a failed point with
    its reason. Best fit and p-value are frequentist; where they cannot be certified the limit
    stands by itself.
    """
    asked = settings.bayes or BayesSettings()
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
    )
    return [
        _fields(model, limit, blind=settings.blind)
        for model, limit in zip(models, found, strict=True)
    ]


def _fields(model: HistFactoryModel, limit: CredibleLimit, *, blind: bool) -> dict[str, Any]:
    lost = limit.expected[2] is None if blind else limit.observed is None
    if lost:
        reason = limit.expected_reason if blind else limit.observed_reason
        return {"status": "failed", "reason": reason or "not computed"}
    fields: dict[str, Any] = {
        "observed": limit.observed,
        "observed_error": limit.observed_error,
        "observed_reason": limit.observed_reason,
        "expected": limit.expected,
        "expected_error": limit.expected_error,
        "expected_reason": limit.expected_reason,
        "engine": limit.engine,
        "fits": limit.fits,
        "toys": None if limit.toys is None else asdict(limit.toys),
        "warnings": limit.warnings,
        "model_digest": limit.model_digest,
    }
    if not blind:
        fields |= _local(model, limit.fits)
    return {**fields, "fits": None if fields["fits"] is None else asdict(fields["fits"])}


def _local(model: HistFactoryModel, before: FitCounts | None) -> dict[str, Any]:
    """Best fit and local significance, or why there are none; fits are added to those before."""
    try:
        curve = ProfileCurve(
            model, model.observation, test_statistic("qtilde"), options=_ONE_THREAD
        )
        found = local_fields(curve)
    except (NotCertifiedError, InputError) as error:
        return {"local_reason": str(error)}
    fits = curve.counts if before is None else before + curve.counts
    return {**found, "twice_nll": curve.free.twice_nll, "fits": fits}
