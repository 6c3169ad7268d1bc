"""``limit --method bayes``: the credible limit, the p0 beside it, record and figures."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from darkstats.workflows.answers import Thrown, answered
from darkstats.workflows.likelihoods import Likelihood
from darkstats.workflows.outcome import Outcome, Shell

if TYPE_CHECKING:
    from rich.console import RenderableType

    from darkstats.inference.bayes.answers import CredibleLimit
    from darkstats.inference.bayes.priors import PoiPrior
    from darkstats.inference.results import Significance
    from darkstats.report.figures.coupling_axis import CouplingAxis
    from darkstats.report.figures.style import Drawing
    from darkstats.workflows.requests import LimitRequest
    from darkstats.workspace.json_values import JsonObject

__all__ = ["credible", "prior_of"]

_TABLE = "table:"


def prior_of(text: str) -> PoiPrior:
    """Read a prior, or the file that tabulates one: ``{"mu": [...], "density": [...]}``.

    Raises
    ------
    PriorError
        No such prior, or a table that is none.
    DocumentError
        A file that cannot be read.
    """
    from darkstats.inference.bayes.prior_text import parse_prior

    if not text.startswith(_TABLE):
        return parse_prior(text)
    from pathlib import Path

    from darkstats.errors import DocumentError, PriorError
    from darkstats.inference.bayes.priors import Tabulated
    from darkstats.workspace import parse_json

    source = text.removeprefix(_TABLE)
    try:
        raw = Path(source).read_bytes()
    except OSError as error:
        raise DocumentError(f"cannot be read: {error.strerror}", source=source) from error
    document: Any = parse_json(raw, source=source)
    columns: list[list[float]] = []
    for name in ("mu", "density"):
        column = document.get(name) if isinstance(document, dict) else None
        if not isinstance(column, list) or not all(type(x) in {int, float} for x in column):
            raise PriorError(
                f'{source} tabulates no prior; write {{"mu": [0, 1, 5], "density": [1, 1, 0]}}'
            )
        columns.append([float(x) for x in column])
    return Tabulated(mu=tuple(columns[0]), density=tuple(columns[1]), source=source)


def credible(
    request: LimitRequest,
    likelihood: Likelihood,
    shell: Shell,
    *,
    coupling: CouplingAxis | None = None,
) -> Outcome[CredibleLimit]:
    """Credible limit of a likelihood; figures have the axis of a ``coupling``, too.

    Raises
    ------
    InputError
        The request cannot be met, or there is no posterior.
    NotCertifiedError
        No engine can vouch for the answer.
    """
    from darkstats.inference.bayes.credible import credible_limit
    from darkstats.inference.bayes.expected import DEFAULT_TOYS
    from darkstats.inference.bayes.nuisances import NuisancePriors
    from darkstats.inference.p_values import ToyOptions

    asked = request.bayes
    prior = prior_of(asked.prior)
    seed = request.toys.seed or 0
    toys = ToyOptions(n_toys=request.toys.n_toys or DEFAULT_TOYS, seed=seed)
    with shell.step("integrating", None) as step:
        found = credible_limit(
            likelihood.model,
            likelihood.observation,
            cl=request.level,
            prior=prior,
            nuisances=NuisancePriors(
                efficiency=asked.efficiency,
                ur_prior=asked.ur_prior,
                ranges={name: (low, high) for name, low, high in asked.ranges},
            ),
            engine=asked.engine,
            expected=asked.expected,
            toys=replace(toys, on_toys=step.advance),
            seed=seed,
            blind=likelihood.blind,
            options=likelihood.options,
        )
    discovery, reason = _discovery(likelihood, blind=likelihood.blind)
    verdict = None
    if request.referee is not None:
        from darkstats.referee import not_repeated

        verdict = not_repeated("limit", "pyhf has no Bayesian limits")

    def record() -> JsonObject:
        from darkstats.report.bayes_records import credible_record

        return credible_record(
            found,
            likelihood.inputs,
            calculator_asked=request.calculator,
            discovery=discovery,
            discovery_reason=reason,
        )

    def sheet() -> RenderableType:
        from darkstats.report.bayes_records import credible_sheet

        return credible_sheet(
            found, likelihood.inputs, discovery=discovery, discovery_reason=reason
        )

    def posterior() -> Drawing:
        from darkstats.report.figures.posteriors import posterior_figure

        return posterior_figure(
            found,
            likelihood.inputs,
            draws=found.draws,
            prior_density=_prior_curve(prior, likelihood, found),
            poi_label=likelihood.sidecar.poi_label,
            coupling=coupling,
        )

    def band() -> Drawing:
        from darkstats.report.figures.posteriors import credible_figure

        return credible_figure(
            found, likelihood.inputs, poi_label=likelihood.sidecar.poi_label, coupling=coupling
        )

    return answered(
        found,
        likelihood,
        record=record,
        sheet=sheet,
        figures={"posterior": posterior, "limit": band},
        thrown=Thrown(quoted=None if found.toys is None else toys),
        verdict=verdict,
    )


def _discovery(likelihood: Likelihood, *, blind: bool) -> tuple[Significance | None, str | None]:
    """The frequentist p0, or why there is none."""
    from darkstats.errors import DarkstatsError
    from darkstats.inference.significance import significance

    if blind:
        return None, "blinded: only Asimov data were used"
    try:
        found = significance(likelihood.model, likelihood.observation, options=likelihood.options)
    except DarkstatsError as error:
        return None, f"no p0: {error}"
    return found, found.observed_reason


def _prior_curve(prior: PoiPrior, likelihood: Likelihood, found: CredibleLimit) -> Any:  # noqa: ANN401 -- two arrays, or None
    """Density of a proper prior over the range of the posterior."""
    import numpy as np

    bound = prior.bind(likelihood.model)
    if not bound.proper or found.posterior is None:
        return None
    mu, _ = found.posterior.curve(200)
    return mu, np.exp(bound.log_density(mu))
