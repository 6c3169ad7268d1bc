"""Limits on a signal strength as cross sections and couplings of anybody's model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from darkstats.errors import DocumentError, OptionError
from darkstats.workflows.coupling_records import (
    conversion_record,
    require_numbers,
    stated_conversion,
    symbol_and_unit,
    with_conversion,
)
from darkstats.workflows.coupling_requests import UNIT_SIGNAL
from darkstats.workflows.recast_checks import require_sigma

if TYPE_CHECKING:
    from rich.console import RenderableType

    from darkstats.reinterpret.cross_sections import AtMass, CrossSections, UnitSignal
    from darkstats.report.figures.coupling_axis import CouplingAxis
    from darkstats.scan.mass_hypotheses import MassHypotheses
    from darkstats.signals.searched import Searched
    from darkstats.workflows.coupling_requests import CouplingAtMass, CouplingRequest
    from darkstats.workflows.likelihoods import Likelihood
    from darkstats.workflows.outcome import Outcome
    from darkstats.workflows.requests import ModelRequest

__all__ = [
    "LimitConversion",
    "axis_of_record",
    "check_scan",
    "limit_conversion",
    "with_benchmarks",
    "with_coupling",
    "with_couplings",
    "with_searched",
]

Record = dict[str, Any]
Values = Mapping[str, float | str]


def _model(request: CouplingRequest) -> tuple[CrossSections, tuple[UnitSignal, ...]] | None:
    """The model that is asked for, and what the options say of signal strength 1."""
    if request.cross_sections is None:
        return None
    from darkstats.reinterpret import UnitSignal, read_cross_sections
    from darkstats.signals.benchmarks import BENCHMARKS

    model = read_cross_sections(request.cross_sections, taken=tuple(BENCHMARKS))
    if request.unit_signal is None:
        return model, ()
    return model, (UnitSignal.parse(request.unit_signal, symbol=model.symbol, origin=UNIT_SIGNAL),)


def _of_search(reference_pb: float | None, where: str) -> tuple[UnitSignal, ...]:
    from darkstats.reinterpret import UnitSignal

    if reference_pb is None:
        return ()
    origin = f"reference_cross_section_pb of {where}"
    return (UnitSignal(kind="cross section", origin=origin, value=1e3 * reference_pb),)


# ----------------------------------------------------------------------------------------- scans


def _points(
    record: Mapping[str, Any], model: CrossSections, stated: Sequence[UnitSignal], where: str
) -> list[AtMass]:
    """The conversion of each hypothesis of a scan record."""
    from darkstats.reinterpret import UnitSignal

    words = record.get("label_words") or {}
    units = {label: (words.get(label) or {}).get("unit") for label in record["labels"]}
    of_search = _of_search(record.get("reference_cross_section_pb"), where)
    earlier = list(record.get("conversions") or ())
    found = []
    for point in record["points"]:
        entries = point.get("couplings") or {}
        known = tuple(
            UnitSignal(
                kind="cross section",
                value=stated_conversion(one, point, where)[0].signal_cross_section_fb,
                origin=f"{one['name']} of {where}",
            )
            for one in earlier if one["name"] in entries
        )  # fmt: skip
        hypothesis = dict(zip(record["labels"], point["values"], strict=True))
        try:
            found.append(model.at(hypothesis, units=units, stated=(*stated, *of_search, *known)))
        except DocumentError as error:
            raise DocumentError(
                f"{error.problem} (hypothesis {point['name']})", source=error.source,
                pointer=error.pointer, remedy=error.remedy,
            ) from None  # fmt: skip
    return found


def check_scan(request: CouplingRequest, hypotheses: MassHypotheses) -> None:
    """Refuse a model that does not cover the hypotheses of a scan: before the work, not after it.

    Raises
    ------
    DocumentError
        A mass outside the table, no word on signal strength 1, and the like.
    OptionError
        The search limits efficiency times cross section.
    """
    points = [{"name": one.name, "values": list(one.values)} for one in hypotheses.members]
    record = {
        **hypotheses.facts, "labels": list(hypotheses.labels), "points": points,
        "benchmarks": list(hypotheses.benchmarks),
    }  # fmt: skip
    _with(record, request, str(hypotheses.facts["name"]), points=False)


def with_couplings(record: Record, request: CouplingRequest, where: str) -> Record:
    """Return the record of a scan with the couplings of the model that is asked for.

    Parameters
    ----------
    record
        ``darkstats.scan/1``.
    request
        Which model; without one, the record comes back as it is.
    where
        What the record is of, for messages.

    Raises
    ------
    DocumentError
        The model does not cover its hypotheses, or contradicts it.
    OptionError
        Its search limits efficiency times cross section.
    """
    return _with(record, request, where, points=True)


def _with(record: Record, request: CouplingRequest, where: str, *, points: bool) -> Record:
    asked = _model(request)
    if asked is None:
        return record
    model, stated = asked
    require_sigma(record.get("benchmarks") or (), where)
    earlier = list(record.get("conversions") or ())
    if any(one["name"] == model.name for one in earlier):
        raise OptionError(
            f"{where} has limits on the coupling of {model.name!r} already: give the model another "
            "name"
        )
    found = _points(record, model, stated, where)
    if not points:
        return record
    for k, point in enumerate(record["points"]):
        require_numbers(point, where, f"/points/{k}")
    reference = record.get("reference_cross_section_pb")
    all_stated = (*model.unit_signals, *stated, *_of_search(reference, where))
    if not all_stated:
        all_stated = _of_earlier(earlier)
    conversion = conversion_record(model, all_stated, bayes=record.get("method") == "bayes")
    symbol = symbol_and_unit(model)
    return {
        **record,
        "conversions": [conversion, *earlier],
        "points": [
            with_conversion(point, model.name, symbol, at) if point.get("status") == "ok" else point
            for point, at in zip(record["points"], found, strict=True)
        ],
    }


def _of_earlier(earlier: Sequence[Mapping[str, Any]]) -> tuple[UnitSignal, ...]:
    from darkstats.reinterpret import UnitSignal

    return tuple(UnitSignal(kind="column", origin=f"of {one['name']}") for one in earlier)


# ---------------------------------------------------------------------------------------- limits


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitConversion:
    """The conversion of the limit on one hypothesis.

    Parameters
    ----------
    model, at
        The model, and its conversion at the mass of the hypothesis.
    stated
        What is said of signal strength 1.
    ctau_mm
        Lifetime of the hypothesis, where it has one: the limit is one at this lifetime alone.
    """

    model: CrossSections
    at: AtMass
    stated: tuple[UnitSignal, ...]
    ctau_mm: float | None = None

    @property
    def title(self) -> str:
        """Axis title of the coupling."""
        return self.model.label or symbol_and_unit(self.model)

    def axis(self) -> CouplingAxis:
        """The coupling as an axis of a figure."""
        from darkstats.report.figures.coupling_axis import CouplingAxis

        return CouplingAxis(
            name=self.model.name,
            title=self.title,
            of_strength=self.at.coupling,
            to_strength=self.at.signal_strength,
        )

    def record(self, limit: Record) -> Record:
        """Return a limit record with its cross sections and its coupling."""
        bayes = limit.get("method") == "bayes"
        found = with_conversion(limit, self.model.name, symbol_and_unit(self.model), self.at)
        return {**found, "conversions": [conversion_record(self.model, self.stated, bayes=bayes)]}


def limit_conversion(
    request: CouplingAtMass,
    model: ModelRequest,
    likelihood: Likelihood,
    *,
    signal_fb: float | None = None,
    hypothesis: Values | None = None,
    benchmarks: Sequence[str] = (),
) -> LimitConversion | None:
    """Return the conversion that a limit asks for; None where it asks for none.

    Parameters
    ----------
    request, model, likelihood
        What is asked of the coupling, and which likelihood.
    signal_fb
        Cross section that the signal was made with, fb, where ``--sigma`` says it; what a sidecar
        says is of the signal of the search.
    hypothesis
        Values by label of the signal; None asks the patch set, or the document.
    benchmarks
        Names of what the search limits.

    Raises
    ------
    InputError
        The model cannot be used at the mass of the hypothesis.
    OptionError
        The search limits efficiency times cross section.
    """
    asked = _model(request)
    if asked is None:
        return None
    require_sigma(benchmarks, likelihood.inputs.source)
    from darkstats.reinterpret import UnitSignal

    theory, stated = asked
    if signal_fb is not None:
        stated = (*stated, UnitSignal(kind="cross section", origin="--sigma", value=signal_fb))
    else:
        reference_pb = likelihood.reference_cross_section_pb
        stated = (*stated, *_of_search(reference_pb, likelihood.inputs.source))
    known = _hypothesis(model, likelihood) if hypothesis is None else dict(hypothesis)
    units = {label: words.get("unit") for label, words in likelihood.sidecar.labels.items()}
    return _at_one_mass(theory, request, known, units, stated)


def _at_one_mass(
    model: CrossSections,
    request: CouplingAtMass,
    hypothesis: dict[str, float | str],
    units: Mapping[str, str | None],
    stated: tuple[UnitSignal, ...],
) -> LimitConversion:
    from darkstats.reinterpret.cross_section_tables import Table

    for name, value in request.masses:
        label = name or (f"{model.masses[0].stem}_gev" if len(model.masses) == 1 else "mass_gev")
        if hypothesis.get(label, value) != value:
            raise OptionError(
                f"--mass {value:g}: the hypothesis has {label} = {hypothesis[label]}; drop --mass"
            )
        hypothesis[label] = value
    alone = isinstance(model.rule, Table) and len(model.rule.masses) == 1
    if model.masses and not hypothesis and not alone:
        names = ", ".join(one.text for one in model.masses)
        raise DocumentError(
            f"depends on {names}, and nothing says the mass of the hypothesis",
            source=model.source, remedy="give it with --mass GEV, or --mass LABEL=VALUE",
        )  # fmt: skip
    at = model.at(hypothesis, units=units, stated=stated)
    if not model.masses:  # the limit is at this mass all the same
        known = {k: v for k, v in hypothesis.items() if k.endswith("_gev")}
        at = replace(at, masses={k: v for k, v in known.items() if not isinstance(v, str)})
    ctau = hypothesis.get("ctau_mm")
    return LimitConversion(
        model=model, at=at, stated=(*model.unit_signals, *stated),
        ctau_mm=None if ctau is None else float(ctau),
    )  # fmt: skip


def _hypothesis(model: ModelRequest, likelihood: Likelihood) -> dict[str, float | str]:
    """Values by label of the point of a patch set, or of the analysis of an HS3 document."""
    if likelihood.events is not None and likelihood.events[1].values:
        return dict(likelihood.events[1].values)
    asked = model.workspace
    if asked.point is None or (likelihood.own_signal is not None and asked.patches):
        return {}  # a patch has put another signal in the place of that of the point
    from darkstats.workspace import read_patchset

    points = read_patchset(asked.patchset or asked.file)  # a pallet has patch sets of its own
    return dict(zip(points.labels, points.select(asked.point).values, strict=True))


def with_searched(outcome: Outcome[Any], searched: Searched | None) -> Outcome[Any]:
    """The outcome of a limit whose record says what was searched for, where that is known."""
    if searched is None:
        return outcome
    said = searched.plain()
    return replace(outcome, record=lambda: {**outcome.record(), "searched": said})


def with_benchmarks(outcome: Outcome[Any], benchmarks: Sequence[str]) -> Outcome[Any]:
    """The outcome of a limit whose record says that the efficiency is in it, where it is."""
    from darkstats.signals.benchmarks import efficiency_benchmark

    if efficiency_benchmark(benchmarks) is None:
        return outcome
    names = list(dict.fromkeys(benchmarks))
    return replace(outcome, record=lambda: {**outcome.record(), "benchmarks": names})


def with_coupling(outcome: Outcome[Any], conversion: LimitConversion) -> Outcome[Any]:
    """The outcome of a limit, with its cross sections and its coupling in record and sheet."""

    def record() -> Record:
        found = conversion.record(outcome.record())
        return found if conversion.ctau_mm is None else found | {"ctau_mm": conversion.ctau_mm}

    def sheet() -> RenderableType:
        from darkstats.report.coupling_tables import coupling_sheet
        from darkstats.report.tables import under

        return under(outcome.sheet(), coupling_sheet(record()))

    return replace(outcome, record=record, sheet=sheet)


def axis_of_record(
    request: CouplingAtMass,
    record: Mapping[str, Any],
    source: str,
    *,
    signal_fb: float | None = None,
) -> CouplingAxis | None:
    """Return the coupling of a limit record: of the model asked for, or of that in the record.

    ``signal_fb`` is what the record says of signal strength 1 where it has no model, fb.

    Raises
    ------
    InputError
        The model cannot be used at the mass, the record is damaged, or it limits efficiency times
        cross section.
    """
    from darkstats.reinterpret import UnitSignal

    known = _of_record(record, source)
    asked = _model(request)
    if asked is None:
        return None if known is None else known[1]
    require_sigma(record.get("benchmarks") or (), source)
    model, stated = asked
    if known is None:
        if signal_fb is not None:
            one = UnitSignal(kind="cross section", origin=source, value=signal_fb)
            stated = (*stated, one)
        return _at_one_mass(model, request, {}, {}, stated).axis()
    signal_fb = known[0].signal_cross_section_fb
    earlier = UnitSignal(kind="cross section", origin=source, value=signal_fb)
    return _at_one_mass(model, request, dict(known[0].masses), {}, (*stated, earlier)).axis()


def _of_record(record: Mapping[str, Any], source: str) -> tuple[AtMass, CouplingAxis] | None:
    from darkstats.report.figures.coupling_axis import CouplingAxis

    if not record.get("conversions"):
        return None
    first = record["conversions"]
    one = first[0] if isinstance(first, list) else None
    at, title = stated_conversion(one, record, source)
    name = str(record["conversions"][0]["name"])
    return at, CouplingAxis(
        name=name, title=title, of_strength=at.coupling, to_strength=at.signal_strength
    )
