"""Limits, tests, significances, goodness of fit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from darkstats.errors import OptionError
from darkstats.workflows.inputs import Likelihood, load, toy_options
from darkstats.workflows.outcome import Outcome, Shell

if TYPE_CHECKING:
    from rich.console import RenderableType

    from darkstats.inference.bayes.answers import CredibleLimit
    from darkstats.inference.results import (
        Calculator,
        GoodnessOfFit,
        HypoTestResult,
        Interval,
        Significance,
        ToyOptions,
        UpperLimit,
    )
    from darkstats.referee import Verdict
    from darkstats.report.figures.coupling_axis import CouplingAxis
    from darkstats.report.figures.style import Drawing
    from darkstats.workflows.couplings import LimitConversion
    from darkstats.workflows.outcome import Step
    from darkstats.workflows.requests import (
        GoodnessRequest,
        HypoTestRequest,
        LimitRequest,
        SignificanceRequest,
        ToyRequest,
    )

__all__ = ["gof", "hypotest", "limit", "limit_of", "significance"]


def _calculator(asked: str) -> Calculator:
    """``auto`` never changes the number: it is the asymptotic one, with a probe beside it."""
    return "toys" if asked == "toys" else "asymptotic"


def _throwing(options: ToyOptions | None) -> str:
    if options is None:
        return "fitting"
    return f"throwing {options.n_toys} toys per hypothesis"


def _total(toys: ToyOptions | None, hypotheses: int) -> int | None:
    return None if toys is None else hypotheses * toys.n_toys


def _watched(toys: ToyOptions | None, step: Step) -> ToyOptions | None:
    """The same toys, counted by ``step`` as they are done."""
    return None if toys is None else replace(toys, on_toys=step.advance)


def _options(
    request: ToyRequest, likelihood: Likelihood, kind: str, *, wanted: bool, **asked: object
) -> tuple[ToyOptions | None, int]:
    """Toys to throw; a seed alone serves the probe."""
    if not wanted and request.seed is None:
        return None, 0
    options, earlier = toy_options(request, likelihood.model, kind, asked)
    return replace(options, threads=likelihood.threads), earlier


def _completed(
    record: dict[str, Any],
    likelihood: Likelihood,
    *,
    toys: ToyOptions | None,
    earlier: int,
    verdict: Verdict | None,
) -> dict[str, Any]:
    """Add what all statistical records share."""
    from darkstats.report.records import verdict_record

    record["toys_per_hypothesis"] = None if toys is None else toys.n_toys
    record["toys_of_earlier_result"] = earlier
    if toys is None:
        record["toys_per_hypothesis_reason"] = record.get("toys_reason", "no toys")
    record["referee"] = verdict_record(verdict)
    if verdict is None:
        record["referee_reason"] = "not asked"
    record["workspace_warnings"] = list(likelihood.workspace_warnings)
    if likelihood.unbinned is not None:
        record["unbinned"] = dict(likelihood.unbinned)
    return record


def _sheets(
    main: RenderableType, likelihood: Likelihood, verdict: Verdict | None
) -> RenderableType:
    from darkstats.report.tables import with_appendix

    return with_appendix(main, verdict, likelihood.workspace_warnings)


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
) -> Outcome[UpperLimit | Interval | CredibleLimit]:
    """Limit of a likelihood that is there already; as :func:`limit`.

    ``signal_fb`` is the cross section that the signal was made with, where that is known.
    """
    from darkstats.workflows.couplings import limit_conversion, with_coupling

    conversion = limit_conversion(request.couplings, request.model, likelihood, signal_fb=signal_fb)
    found = _limit_of(request, likelihood, shell, conversion)
    return found if conversion is None else with_coupling(found, conversion)


def _limit_of(
    request: LimitRequest,
    likelihood: Likelihood,
    shell: Shell,
    conversion: LimitConversion | None,
) -> Outcome[UpperLimit | Interval | CredibleLimit]:
    if request.method == "fc":
        return _interval(request, likelihood, shell, conversion)
    if request.method == "bayes":
        from darkstats.workflows.bayes import credible

        return credible(request, likelihood, shell, coupling=_axis(conversion))
    from darkstats.inference.upper_limit import upper_limit

    by_toys = request.calculator == "toys"
    toys, earlier = _options(
        request.toys,
        likelihood,
        "limit",
        wanted=by_toys,
        method=request.method,
        test_stat=request.test_stat,
        cl=request.level,
    )
    with shell.step(_throwing(toys if by_toys else None)) as step:
        found = upper_limit(
            likelihood.model,
            likelihood.observation,
            cl=request.level,
            method=request.method,
            test_stat=request.test_stat,
            calculator=_calculator(request.calculator),
            band=request.band,
            toys=_watched(toys, step),
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
    used = toys if by_toys else None

    def record() -> dict[str, Any]:
        from darkstats.report.records import limit_record

        plain = limit_record(found, likelihood.inputs, calculator_asked=request.calculator)
        return _completed(plain, likelihood, toys=used, earlier=earlier, verdict=verdict)

    def sheet() -> RenderableType:
        from darkstats.report.tables import limit_sheet

        return _sheets(limit_sheet(found, likelihood.inputs), likelihood, verdict)

    def curve() -> Drawing:
        from darkstats.report.figures.limits import limit_figure

        return limit_figure(
            found,
            likelihood.inputs,
            poi_label=likelihood.sidecar.poi_label,
            coupling=_axis(conversion),
        )

    return Outcome(result=found, record=record, sheet=sheet, figures={"cls": curve})


def _axis(conversion: LimitConversion | None) -> CouplingAxis | None:
    return None if conversion is None else conversion.axis()


def _interval(
    request: LimitRequest,
    likelihood: Likelihood,
    shell: Shell,
    conversion: LimitConversion | None,
) -> Outcome[Interval]:
    from darkstats.inference.feldman_cousins import feldman_cousins

    if likelihood.blind:
        raise OptionError(
            "a Feldman-Cousins interval needs data: events that are not marked as simulated stay "
            "closed unless --unblind is given"
        )
    toys, earlier = _options(
        request.toys, likelihood, "limit", wanted=True, method="fc", cl=request.level
    )
    with shell.step(_throwing(toys)) as step:
        found = feldman_cousins(
            likelihood.model,
            likelihood.observation,
            cl=request.level,
            toys=_watched(toys, step),
            options=likelihood.options,
        )
    verdict = None
    if request.referee is not None:
        from darkstats.referee import not_repeated

        verdict = not_repeated("interval", "pyhf has no Feldman-Cousins construction")

    def record() -> dict[str, Any]:
        from darkstats.report.records import interval_record

        plain = interval_record(
            found, likelihood.inputs, calculator_asked=request.calculator, test_stat="ttilde"
        )
        return _completed(plain, likelihood, toys=toys, earlier=earlier, verdict=verdict)

    def sheet() -> RenderableType:
        from darkstats.report.tables import interval_sheet

        return _sheets(interval_sheet(found, likelihood.inputs), likelihood, verdict)

    def curve() -> Drawing:
        from darkstats.report.figures.limits import interval_figure

        return interval_figure(
            found,
            likelihood.inputs,
            poi_label=likelihood.sidecar.poi_label,
            coupling=_axis(conversion),
        )

    return Outcome(result=found, record=record, sheet=sheet, figures={"p": curve})


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
    toys, earlier = _options(
        request.toys,
        likelihood,
        "hypotest",
        wanted=by_toys,
        mu=request.tested,
        test_stat=request.test_stat,
    )
    toys = toys if by_toys else None
    with shell.step(_throwing(toys), _total(toys, 2)) as step:
        found = test(
            likelihood.model,
            likelihood.observation,
            request.tested,
            test_stat=request.test_stat,
            calculator=_calculator(request.calculator),
            toys=_watched(toys, step),
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

    def record() -> dict[str, Any]:
        from darkstats.report.records import hypotest_record

        plain = hypotest_record(found, likelihood.inputs)
        return _completed(plain, likelihood, toys=toys, earlier=earlier, verdict=verdict)

    def sheet() -> RenderableType:
        from darkstats.report.tables import hypotest_sheet

        return _sheets(hypotest_sheet(found, likelihood.inputs), likelihood, verdict)

    def distributions() -> Drawing:
        from darkstats.report.figures.limits import statistic_figure
        from darkstats.workflows.toy_samples import statistic_samples

        samples = None
        if toys is not None:
            with shell.step(_throwing(toys)):
                samples = statistic_samples(likelihood, found, toys, blind=likelihood.blind)
        return statistic_figure(found, samples, likelihood.inputs)

    return Outcome(result=found, record=record, sheet=sheet, figures={"statistic": distributions})


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
    toys, earlier = _options(
        request.toys, likelihood, "significance", wanted=by_toys, uncapped=request.uncapped
    )
    toys = toys if by_toys else None
    with shell.step(_throwing(toys), _total(toys, 2)) as step:
        found = discover(
            likelihood.model,
            likelihood.observation,
            calculator=_calculator(request.calculator),
            uncapped=request.uncapped,
            toys=_watched(toys, step),
            blind=likelihood.blind,
            options=likelihood.options,
        )
    verdict = None
    if request.referee is not None:
        from darkstats.referee import referee_significance

        workspace, model = likelihood.histfactory("this referee")
        with shell.step("asking pyhf"):
            verdict = referee_significance(workspace, model, found)

    def record() -> dict[str, Any]:
        from darkstats.report.records import significance_record

        plain = significance_record(found, likelihood.inputs)
        return _completed(plain, likelihood, toys=toys, earlier=earlier, verdict=verdict)

    def sheet() -> RenderableType:
        from darkstats.report.tables import significance_sheet

        return _sheets(significance_sheet(found, likelihood.inputs), likelihood, verdict)

    def scan() -> Drawing:
        from darkstats.report.figures.scans import discovery_figure
        from darkstats.workflows.fits import poi_scan

        with shell.step("scanning"):
            points = poi_scan(likelihood)
        return discovery_figure(
            found, points, likelihood.inputs, poi_label=likelihood.sidecar.poi_label
        )

    return Outcome(result=found, record=record, sheet=sheet, figures={"scan": scan})


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
    toys, earlier = _options(request.toys, likelihood, "gof", wanted=by_toys)
    toys = toys if by_toys else None
    with shell.step(_throwing(toys), _total(toys, 1)) as step:
        found = goodness_of_fit(
            likelihood.model,
            likelihood.observation,
            calculator=_calculator(request.calculator),
            toys=_watched(toys, step),
            options=likelihood.options,
        )

    def record() -> dict[str, Any]:
        from darkstats.report.records import goodness_record

        plain = goodness_record(found, likelihood.inputs)
        return _completed(plain, likelihood, toys=toys, earlier=earlier, verdict=None)

    def sheet() -> RenderableType:
        from darkstats.report.tables import goodness_sheet

        return _sheets(goodness_sheet(found, likelihood.inputs), likelihood, None)

    def distribution() -> Drawing:
        from darkstats.report.figures.limits import goodness_figure
        from darkstats.workflows.toy_samples import goodness_sample

        values = None
        if toys is not None:
            with shell.step(_throwing(toys)):
                values = goodness_sample(likelihood, toys)
        return goodness_figure(found, values, likelihood.inputs)

    return Outcome(result=found, record=record, sheet=sheet, figures={"gof": distribution})
