"""Limits, tests, significances, goodness of fit."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from darkstats.errors import OptionError
from darkstats.workflows.answers import answered, calculator_of, throwing, toys_of
from darkstats.workflows.inputs import load
from darkstats.workflows.likelihoods import Likelihood
from darkstats.workflows.outcome import Outcome, Shell

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import RenderableType

    from darkstats.inference.bayes.answers import CredibleLimit
    from darkstats.inference.p_values import ToyOptions
    from darkstats.inference.results import (
        GoodnessOfFit,
        HypoTestResult,
        Interval,
        Significance,
        UpperLimit,
    )
    from darkstats.report.figures.coupling_axis import CouplingAxis
    from darkstats.report.figures.style import Drawing
    from darkstats.workflows.requests import (
        GoodnessRequest,
        HypoTestRequest,
        LimitRequest,
        SignificanceRequest,
    )
    from darkstats.workspace.json_values import JsonObject

__all__ = ["LIMIT_FIGURES", "gof", "hypotest", "limit", "limit_of", "significance"]


def _total(toys: ToyOptions | None, hypotheses: int) -> int | None:
    return None if toys is None else hypotheses * toys.n_toys


#: Figures of a limit by its method; of any other, the scan of CLs.
LIMIT_FIGURES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"fc": ("p",), "bayes": ("posterior", "limit")}
)


def limit(
    request: LimitRequest, shell: Shell | None = None
) -> Outcome[UpperLimit | Interval | CredibleLimit]:
    """Upper limit with its expected band, or a Feldman-Cousins interval.

    Raises
    ------
    InputError
        The request cannot be met.
    NotCertifiedError
        The answer cannot be vouched for.
    """
    shell = shell or Shell()
    return limit_of(request, load(request.model, shell), shell)


def limit_of(
    request: LimitRequest,
    likelihood: Likelihood,
    shell: Shell,
    *,
    signal_fb: float | None = None,
    hypothesis: Mapping[str, float | str] | None = None,
) -> Outcome[UpperLimit | Interval | CredibleLimit]:
    """Limit of a likelihood that is there already; as :func:`limit`.

    ``signal_fb`` is the cross section that the signal was made with, where that is known;
    ``hypothesis`` has its values by label, where no patch set says them.
    """
    from darkstats.workflows.couplings import (
        limit_conversion,
        with_benchmarks,
        with_coupling,
        with_searched,
    )
    from darkstats.workflows.stated_cross_sections import stated_cross_section
    from darkstats.workflows.stated_limits import other_limit_note, stated_limit

    shell.require_figures(LIMIT_FIGURES.get(request.by, ("cls",)), "")
    stated_by_search = stated_limit(request.model.workspace.file, likelihood)
    note = other_limit_note(request, stated_by_search)
    if note is not None:
        likelihood = replace(likelihood, notes=(*likelihood.notes, note))
    # What a patch has put in the place of the signal of the search is none of its benchmarks.
    own = signal_fb is not None or likelihood.own_signal is not None
    of_search = () if own or stated_by_search is None else stated_by_search.benchmarks
    benchmarks = (*likelihood.sidecar.benchmarks, *of_search)
    conversion = limit_conversion(
        request.couplings, request.model, likelihood, signal_fb=signal_fb, hypothesis=hypothesis,
        benchmarks=benchmarks,
    )  # fmt: skip
    if conversion is not None:
        found = _limit_of(request, likelihood, shell, conversion.axis())
        searched = None if own else likelihood.sidecar.searched
        return with_searched(with_coupling(found, conversion), searched)
    stated = stated_cross_section(likelihood, signal_fb)
    if stated is None:
        return with_benchmarks(_limit_of(request, likelihood, shell, None), benchmarks)
    return stated.of(_limit_of(request, likelihood, shell, stated.axis()))


def _limit_of(
    request: LimitRequest,
    likelihood: Likelihood,
    shell: Shell,
    axis: CouplingAxis | None,
) -> Outcome[UpperLimit | Interval | CredibleLimit]:
    if request.by == "fc":
        return _interval(request, likelihood, shell, axis)
    if request.by == "bayes":
        from darkstats.workflows.bayes import credible

        return credible(request, likelihood, shell, coupling=axis)
    from darkstats.inference.upper_limit import upper_limit

    if request.referee == "zfit":  # said before the work
        likelihood.unbinned_model()
    elif request.referee is not None:
        likelihood.histfactory("pyhf")
    by_toys = request.calculator == "toys"
    thrown = toys_of(
        request.toys,
        likelihood,
        "limit",
        wanted=by_toys,
        probes=True,
        method=request.by,
        test_stat=request.test_stat,
        cl=request.level,
    )
    with shell.step(throwing(thrown.quoted)) as step:
        found = upper_limit(
            likelihood.model,
            likelihood.observation,
            cl=request.level,
            method=request.by,
            test_stat=request.test_stat,
            calculator=calculator_of(request.calculator),
            band=request.band,
            toys=thrown.counted(step),
            poi_lower=request.poi_lower,
            scan_points=request.scan_points,
            blind=likelihood.blind,
            probe=request.calculator == "auto",
            on_probe=lambda n: step.now(
                f"checking the asymptotic approximation with {n} toys per hypothesis"
            ),
            options=likelihood.options,
        )
    verdict = None
    if request.referee == "zfit":
        from darkstats.referee_unbinned import referee_unbinned_limit

        document, unbinned = likelihood.unbinned_model()
        with shell.step("asking zfit"):
            verdict = referee_unbinned_limit(document, unbinned, likelihood.observation, found)
    elif request.referee is not None:
        from darkstats.referee import referee_limit

        workspace, model = likelihood.histfactory("pyhf")
        with shell.step("asking pyhf"):
            verdict = referee_limit(workspace, model, found)

    def record() -> JsonObject:
        from darkstats.report.records import limit_record

        return limit_record(found, likelihood.inputs, calculator_asked=request.calculator)

    def sheet() -> RenderableType:
        from darkstats.report.tables import limit_sheet

        return limit_sheet(found, likelihood.inputs)

    def curve() -> Drawing:
        from darkstats.report.figures.limits import limit_figure

        return limit_figure(
            found,
            likelihood.inputs,
            poi_label=likelihood.sidecar.poi_label,
            coupling=axis,
        )

    return answered(
        found,
        likelihood,
        record=record,
        sheet=sheet,
        figures={"cls": curve},
        thrown=thrown,
        verdict=verdict,
    )


def _interval(
    request: LimitRequest,
    likelihood: Likelihood,
    shell: Shell,
    axis: CouplingAxis | None,
) -> Outcome[Interval]:
    from darkstats.inference.feldman_cousins import feldman_cousins

    if likelihood.blind:
        raise OptionError(
            "a Feldman-Cousins interval needs data: events that are not marked as simulated stay "
            "closed unless --unblind is given"
        )
    thrown = toys_of(request.toys, likelihood, "limit", wanted=True, method="fc", cl=request.level)
    with shell.step(throwing(thrown.quoted)) as step:
        found = feldman_cousins(
            likelihood.model,
            likelihood.observation,
            cl=request.level,
            toys=thrown.counted(step),
            options=likelihood.options,
        )
    verdict = None
    if request.referee is not None:
        from darkstats.referee import not_repeated

        verdict = not_repeated("interval", "pyhf has no Feldman-Cousins construction")

    def record() -> JsonObject:
        from darkstats.report.records import interval_record

        return interval_record(
            found, likelihood.inputs, calculator_asked=request.calculator, test_stat="ttilde"
        )

    def sheet() -> RenderableType:
        from darkstats.report.tables import interval_sheet

        return interval_sheet(found, likelihood.inputs)

    def curve() -> Drawing:
        from darkstats.report.figures.limits import interval_figure

        return interval_figure(
            found,
            likelihood.inputs,
            poi_label=likelihood.sidecar.poi_label,
            coupling=axis,
        )

    return answered(
        found,
        likelihood,
        record=record,
        sheet=sheet,
        figures={"p": curve},
        thrown=thrown,
        verdict=verdict,
    )


def hypotest(request: HypoTestRequest, shell: Shell | None = None) -> Outcome[HypoTestResult]:
    """Test of one signal strength.

    Raises
    ------
    InputError
        The request cannot be met.
    NotCertifiedError
        The answer cannot be vouched for.
    """
    from darkstats.inference.hypotest import hypotest as test

    shell = shell or Shell()
    likelihood = load(request.model, shell)
    by_toys = request.calculator == "toys"
    thrown = toys_of(
        request.toys,
        likelihood,
        "hypotest",
        wanted=by_toys,
        mu=request.tested,
        test_stat=request.test_stat,
    )
    with shell.step(throwing(thrown.quoted), _total(thrown.quoted, 2)) as step:
        found = test(
            likelihood.model,
            likelihood.observation,
            request.tested,
            test_stat=request.test_stat,
            calculator=calculator_of(request.calculator),
            toys=thrown.counted(step),
            poi_lower=request.poi_lower,
            blind=likelihood.blind,
            options=likelihood.options,
        )
    verdict = None
    if request.referee is not None:
        from darkstats.referee import referee_hypotest

        workspace, model = likelihood.histfactory("this referee")
        with shell.step("asking pyhf"):
            verdict = referee_hypotest(workspace, model, found)

    def record() -> JsonObject:
        from darkstats.report.records import hypotest_record

        return hypotest_record(found, likelihood.inputs)

    def sheet() -> RenderableType:
        from darkstats.report.tables import hypotest_sheet

        return hypotest_sheet(found, likelihood.inputs)

    def distributions() -> Drawing:
        from darkstats.report.figures.limits import statistic_figure
        from darkstats.workflows.toy_samples import statistic_samples

        samples = None
        if thrown.quoted is not None:
            with shell.step(throwing(thrown.quoted)):
                samples = statistic_samples(
                    likelihood, found, thrown.quoted, blind=likelihood.blind
                )
        return statistic_figure(found, samples, likelihood.inputs)

    return answered(
        found,
        likelihood,
        record=record,
        sheet=sheet,
        figures={"statistic": distributions},
        thrown=thrown,
        verdict=verdict,
    )


def significance(request: SignificanceRequest, shell: Shell | None = None) -> Outcome[Significance]:
    """Significance of an excess, observed and expected.

    Raises
    ------
    InputError
        The request cannot be met.
    NotCertifiedError
        The answer cannot be vouched for.
    """
    from darkstats.inference.significance import significance as discover

    shell = shell or Shell()
    likelihood = load(request.model, shell)
    by_toys = request.calculator == "toys"
    thrown = toys_of(
        request.toys, likelihood, "significance", wanted=by_toys, uncapped=request.uncapped
    )
    with shell.step(throwing(thrown.quoted), _total(thrown.quoted, 2)) as step:
        found = discover(
            likelihood.model,
            likelihood.observation,
            calculator=calculator_of(request.calculator),
            uncapped=request.uncapped,
            toys=thrown.counted(step),
            blind=likelihood.blind,
            options=likelihood.options,
        )
    verdict = None
    if request.referee is not None:
        from darkstats.referee import referee_significance

        workspace, model = likelihood.histfactory("this referee")
        with shell.step("asking pyhf"):
            verdict = referee_significance(workspace, model, found)

    def record() -> JsonObject:
        from darkstats.report.records import significance_record

        return significance_record(found, likelihood.inputs)

    def sheet() -> RenderableType:
        from darkstats.report.tables import significance_sheet

        return significance_sheet(found, likelihood.inputs)

    def scan() -> Drawing:
        from darkstats.report.figures.scans import discovery_figure
        from darkstats.workflows.fits import poi_scan

        with shell.step("scanning"):
            points = poi_scan(likelihood)
        return discovery_figure(
            found, points, likelihood.inputs, poi_label=likelihood.sidecar.poi_label
        )

    return answered(
        found,
        likelihood,
        record=record,
        sheet=sheet,
        figures={"scan": scan},
        thrown=thrown,
        verdict=verdict,
    )


def gof(request: GoodnessRequest, shell: Shell | None = None) -> Outcome[GoodnessOfFit]:
    """Saturated goodness of fit.

    Raises
    ------
    InputError
        The request cannot be met.
    NotCertifiedError
        The answer cannot be vouched for.
    """
    from darkstats.inference.goodness_of_fit import goodness_of_fit

    shell = shell or Shell()
    likelihood = load(request.model, shell, needs_poi=False)
    by_toys = request.calculator == "toys"
    thrown = toys_of(request.toys, likelihood, "gof", wanted=by_toys)
    with shell.step(throwing(thrown.quoted), _total(thrown.quoted, 1)) as step:
        found = goodness_of_fit(
            likelihood.model,
            likelihood.observation,
            calculator=calculator_of(request.calculator),
            toys=thrown.counted(step),
            options=likelihood.options,
        )

    def record() -> JsonObject:
        from darkstats.report.records import goodness_record

        return goodness_record(found, likelihood.inputs)

    def sheet() -> RenderableType:
        from darkstats.report.tables import goodness_sheet

        return goodness_sheet(found, likelihood.inputs)

    def distribution() -> Drawing:
        from darkstats.report.figures.limits import goodness_figure
        from darkstats.workflows.toy_samples import goodness_sample

        values = None
        if thrown.quoted is not None:
            with shell.step(throwing(thrown.quoted)):
                values = goodness_sample(likelihood, thrown.quoted)
        return goodness_figure(found, values, likelihood.inputs)

    return answered(
        found, likelihood, record=record, sheet=sheet, figures={"gof": distribution}, thrown=thrown
    )
