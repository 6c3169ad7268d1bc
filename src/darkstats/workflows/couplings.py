"""Limits on a signal strength as cross sections and couplings of anybody's model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

from darkstats.errors import DocumentError, OptionError
from darkstats.options import option

if TYPE_CHECKING:
    from rich.console import RenderableType

    from darkstats.reinterpret.cross_sections import AtMass, CrossSections, UnitSignal
    from darkstats.report.figures.coupling_axis import CouplingAxis
    from darkstats.scan.mass_hypotheses import MassHypotheses
    from darkstats.workflows.likelihoods import Likelihood
    from darkstats.workflows.outcome import Outcome
    from darkstats.workflows.requests import ModelRequest

__all__ = [
    "NO_MODEL",
    "NO_MODEL_AT_MASS",
    "CouplingAtMass",
    "CouplingRequest",
    "LimitConversion",
    "axis_of_record",
    "check_scan",
    "converted",
    "limit_conversion",
    "restated",
    "with_coupling",
    "with_couplings",
]

Record = dict[str, Any]
Values = Mapping[str, float | str]

_PANEL = "Coupling"
_OPTION = "--unit-signal"


def _masses(texts: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    """Read GEV, or NAME=VALUE of each."""
    found = []
    for text in texts:
        name, _, written = text.rpartition("=")
        try:
            value = float(written)
        except ValueError:
            value = math.nan
        if not 0.0 < value < math.inf:
            raise OptionError(f"--mass {text!r}: write a mass in GeV, or LABEL=VALUE")
        found.append((name, value))
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class CouplingRequest:
    """A model whose coupling is limited, and what signal strength 1 is."""

    cross_sections: Annotated[
        str | None,
        option(
            "--cross-sections", metavar="MODEL", reads="perhaps", panel=_PANEL,
            help="Limit the coupling of this model, too: cross sections by mass in a .csv, .yaml "
            "or .json table, or 'sigma_fb = 12.3*g**2/mass_gev**2'.",
        ),
    ] = None  # fmt: skip
    unit_signal: Annotated[
        str | None,
        option(
            _OPTION, metavar="WHAT", panel=_PANEL,
            help="What signal strength 1 is, for --cross-sections: '2.5 fb', g=0.1, or reference "
            "(the model at its reference coupling).",
        ),
    ] = None  # fmt: skip

    def __post_init__(self) -> None:
        """Check what can be checked without the files.

        Raises
        ------
        OptionError
            What belongs to a model stands alone.
        """
        if self.cross_sections is None and self.unit_signal is not None:
            raise OptionError(f"{_OPTION} goes with --cross-sections: name the model")


@dataclass(frozen=True, slots=True, kw_only=True)
class CouplingAtMass(CouplingRequest):
    """The same for one hypothesis, whose mass may not be known."""

    masses: Annotated[
        tuple[tuple[str, float], ...],
        option(
            "--mass", metavar="GEV", panel=_PANEL, read=_masses, repeated=True,
            help="Mass of the hypothesis, GeV, for --cross-sections, where no patch set says it; "
            "or LABEL=VALUE, repeatable.",
        ),
    ] = ()  # fmt: skip

    def __post_init__(self) -> None:
        """Check what can be checked without the files.

        Raises
        ------
        OptionError
            What belongs to a model stands alone.
        """
        CouplingRequest.__post_init__(self)
        if self.cross_sections is None and self.masses:
            raise OptionError("--mass goes with --cross-sections: name the model")


NO_MODEL = CouplingRequest()
NO_MODEL_AT_MASS = CouplingAtMass()


def _model(request: CouplingRequest) -> tuple[CrossSections, tuple[UnitSignal, ...]] | None:
    """The model that is asked for, and what the options say of signal strength 1."""
    if request.cross_sections is None:
        return None
    from darkstats.reinterpret import UnitSignal, read_cross_sections
    from darkstats.signals.benchmarks import BENCHMARKS

    model = read_cross_sections(request.cross_sections, taken=tuple(BENCHMARKS))
    if request.unit_signal is None:
        return model, ()
    return model, (UnitSignal.parse(request.unit_signal, symbol=model.symbol, origin=_OPTION),)


def _of_search(reference_pb: float | None, where: str) -> tuple[UnitSignal, ...]:
    from darkstats.reinterpret import UnitSignal

    if reference_pb is None:
        return ()
    origin = f"reference_cross_section_pb of {where}"
    return (UnitSignal(kind="cross section", origin=origin, value=1e3 * reference_pb),)


# --------------------------------------------------------------------------------------- records

_NEGATIVE = "a signal strength below zero has no coupling"
_BEYOND = "beyond the range of numbers"
_NO_ERROR = "no derivative at zero"
_BAND = 5
_MOST = 1e300
_Convert = Callable[[float], float | None]


def _none_words(mu: object, reason: str | None) -> str:
    """Why a converted value is null."""
    if mu is None:
        return reason or "no limit on the signal strength"
    return _NEGATIVE if isinstance(mu, int | float) and mu < 0.0 else _BEYOND


def _require_numbers(point: Mapping[str, Any], where: str, pointer: str) -> None:
    """Check what a table of the scan does not: errors, and limits at low counts.

    Raises
    ------
    DocumentError
        They are no numbers, or not as many as the limits.
    """
    held = point.get("low_counts")
    for part, place in ((point, pointer), (held or {}, f"{pointer}/low_counts")):
        lists = {key: part[key] for key in ("expected", "expected_error") if part.get(key)}
        for key, values in lists.items():
            good = isinstance(values, list) and len(values) == _BAND
            if not good or not all(map(_is_number, values)):
                raise DocumentError(
                    "is no list of five numbers", source=where, pointer=f"{place}/{key}",
                    remedy="let darkstats scan write the record again",
                )  # fmt: skip
        for key in ("observed", "observed_error"):
            if not _is_number(part.get(key)):
                raise DocumentError(
                    "is no number", source=where, pointer=f"{place}/{key}",
                    remedy="let darkstats scan write the record again",
                )  # fmt: skip


def _is_number(value: object) -> bool:
    return value is None or (type(value) in {int, float} and abs(value) < _MOST)  # type: ignore[arg-type]  # a number


def converted(point: Mapping[str, Any], value: _Convert, error: Callable[..., Any]) -> Record:
    """Observed and expected limits, with their errors, each null with its reason."""
    found: Record = {}
    for key in ("observed", "observed_low", "observed_high"):
        if key in point:
            mu = point[key]
            found[key] = None if mu is None else value(mu)
            if found[key] is None:
                found[f"{key}_reason"] = _none_words(mu, point.get(f"{key}_reason"))
    strengths = list(point.get("expected") or [None] * _BAND)
    found["expected"] = [None if mu is None else value(mu) for mu in strengths]
    for mu, one in zip(strengths, found["expected"], strict=True):
        if one is None and "expected_reason" not in found:
            found["expected_reason"] = _none_words(mu, point.get("expected_reason"))
    if "observed_error" in point:
        mu, size = point.get("observed"), point["observed_error"]
        found["observed_error"] = _error(mu, size, found.get("observed"), error)
        if found["observed_error"] is None:
            found["observed_error_reason"] = found.get("observed_reason") or _NO_ERROR
    if point.get("expected_error") is not None:
        found["expected_error"] = [
            _error(mu, size, one, error)
            for mu, size, one in zip(
                strengths, point["expected_error"], found["expected"], strict=True
            )
        ]
        if None in found["expected_error"]:
            found["expected_error_reason"] = found.get("expected_reason") or _NO_ERROR
    return found


def _error(mu: float | None, size: float | None, one: float | None, error: Any) -> float | None:  # noqa: ANN401 -- a function
    return None if mu is None or size is None or one is None else error(mu, size)


def _add(point: Record, name: str, symbol: str, at: AtMass) -> Record:
    """Return a point, or a limit record, with its cross sections and couplings."""

    def size_fb(_: float, error: float) -> float:
        return error * at.signal_cross_section_fb

    found = dict(point)
    held = point.get("low_counts")
    entry: Record = {
        "symbol": symbol,
        **converted(point, at.coupling, at.coupling_error),
        "masses": dict(at.masses),
        "reference_coupling": at.reference_coupling,
        "reference_cross_section_fb": at.reference_cross_section_fb,
        "signal_cross_section_fb": at.signal_cross_section_fb,
    }
    if held is not None:
        entry["low_counts"] = converted(held, at.coupling, at.coupling_error)
        if "cross_section_fb" not in held:
            sizes = converted(held, at.cross_section_fb, size_fb)
            found["low_counts"] = {**held, "cross_section_fb": sizes}
    if not point.get("cross_section_fb"):
        found["cross_section_fb"] = converted(point, at.cross_section_fb, size_fb)
    interval = point.get("interval")
    if isinstance(interval, dict) and interval.get("lower") is not None:
        entry["interval_lower"] = at.coupling(interval["lower"])
        if entry["interval_lower"] is None:
            entry["interval_lower_reason"] = _none_words(interval["lower"], None)
    found["couplings"] = {**(point.get("couplings") or {}), name: entry}
    return found


def _symbol(model: CrossSections) -> str:
    return f"{model.symbol} [{model.unit}]" if model.unit else model.symbol


def _conversion(model: CrossSections, stated: Sequence[UnitSignal], *, bayes: bool) -> Record:
    """What a record says of the model."""
    from darkstats.reinterpret.cross_sections import ASSUMED, Formula

    expression = model.rule.text if isinstance(model.rule, Formula) else None
    record: Record = {
        "name": model.name,
        "symbol": model.symbol,
        "unit": model.unit,
        "label": model.label,
        "power": model.power,
        "kind": "table" if expression is None else "expression",
        "expression": expression,
        "source": model.source,
        "sha256": model.sha256,
        "interpolation": model.interpolation,
        "unit_signal": "; ".join(dict.fromkeys(_in_words(one, model) for one in stated)),
        "assumption": ASSUMED + (f"; {_PRIOR}" if bayes else ""),
        "note": model.note or None,
        "constraints_of": model.constraints_of,
    }
    why = {
        "unit": "the coupling has no dimension", "label": "not given", "note": "not given",
        "expression": "a table", "constraints_of": "not given",
    }  # fmt: skip
    for key, words in why.items():
        if record[key] is None:
            record[f"{key}_reason"] = words
    return record


_PRIOR = "the prior is that of the signal strength"


def _in_words(stated: UnitSignal, model: CrossSections) -> str:
    if stated.kind == "cross section":
        return f"{stated.value:g} fb ({stated.origin})"
    if stated.kind == "coupling":
        return f"the cross section at {model.symbol} = {stated.value:g} ({stated.origin})"
    if stated.kind == "column":
        return f"the column {stated.origin}"
    return f"the cross section at the reference coupling ({stated.origin})"


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
                kind="cross section", value=_stated(one, point, where)[0].signal_cross_section_fb,
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
    """
    points = [{"name": one.name, "values": list(one.values)} for one in hypotheses.members]
    record = {**hypotheses.facts, "labels": list(hypotheses.labels), "points": points}
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
    """
    return _with(record, request, where, points=True)


def _with(record: Record, request: CouplingRequest, where: str, *, points: bool) -> Record:
    asked = _model(request)
    if asked is None:
        return record
    model, stated = asked
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
        _require_numbers(point, where, f"/points/{k}")
    reference = record.get("reference_cross_section_pb")
    all_stated = (*model.unit_signals, *stated, *_of_search(reference, where))
    if not all_stated:
        all_stated = _of_earlier(earlier)
    conversion = _conversion(model, all_stated, bayes=record.get("method") == "bayes")
    symbol = _symbol(model)
    return {
        **record,
        "conversions": [conversion, *earlier],
        "points": [
            _add(point, model.name, symbol, at) if point.get("status") == "ok" else point
            for point, at in zip(record["points"], found, strict=True)
        ],
    }


def restated(
    found: Record, stated: Mapping[str, Any], conversions: Sequence[Mapping[str, Any]]
) -> Record:
    """Return a point that was computed again, with the couplings that a record states of it.

    Parameters
    ----------
    found
        The point of a scan record.
    stated
        The same point of the record, whose conversions are taken as they are.
    conversions
        What that record says of models, the latest first.

    Raises
    ------
    DocumentError
        The record says no conversion of the point.
    """
    if found["status"] != "ok" or stated.get("status") != "ok":
        return found
    for one in reversed(conversions):
        at, _ = _stated(one, stated, "limits")
        found = _add(found, one["name"], str(stated["couplings"][one["name"]]["symbol"]), at)
    return found


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
    """

    model: CrossSections
    at: AtMass
    stated: tuple[UnitSignal, ...]

    @property
    def title(self) -> str:
        """Axis title of the coupling."""
        return self.model.label or _symbol(self.model)

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
        found = _add(limit, self.model.name, _symbol(self.model), self.at)
        return {**found, "conversions": [_conversion(self.model, self.stated, bayes=bayes)]}


def limit_conversion(
    request: CouplingAtMass,
    model: ModelRequest,
    likelihood: Likelihood,
    *,
    signal_fb: float | None = None,
    hypothesis: Values | None = None,
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

    Raises
    ------
    InputError
        The model cannot be used at the mass of the hypothesis.
    """
    asked = _model(request)
    if asked is None:
        return None
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
    from darkstats.reinterpret.cross_sections import Table

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
    return LimitConversion(model=model, at=at, stated=(*model.unit_signals, *stated))


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


def with_coupling(outcome: Outcome[Any], conversion: LimitConversion) -> Outcome[Any]:
    """The outcome of a limit, with its cross sections and its coupling in record and sheet."""

    def record() -> Record:
        return conversion.record(outcome.record())

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
        The model cannot be used at the mass, or the record is damaged.
    """
    from darkstats.reinterpret import UnitSignal

    known = _of_record(record, source)
    asked = _model(request)
    if asked is None:
        return None if known is None else known[1]
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
    at, title = _stated(one, record, source)
    name = str(record["conversions"][0]["name"])
    return at, CouplingAxis(
        name=name, title=title, of_strength=at.coupling, to_strength=at.signal_strength
    )


def _stated(one: Any, point: Mapping[str, Any], source: str) -> tuple[AtMass, str]:  # noqa: ANN401 -- of a record
    """The conversion that a record states of a limit or of a point; title of the coupling."""
    from darkstats.reinterpret import AtMass

    try:
        entry = point["couplings"][one["name"]]
        numbers = {
            "power": one["power"],
            **{
                key: entry[key]
                for key in (
                    "reference_coupling", "reference_cross_section_fb", "signal_cross_section_fb",
                )
            },
        }  # fmt: skip
        good = all(type(x) in {int, float} and 0.0 < x < math.inf for x in numbers.values())
        masses = dict(entry["masses"])
        good = good and all(type(x) in {int, float} for x in masses.values())
        title = one["label"] or entry["symbol"]
        good = good and isinstance(title, str) and isinstance(one["name"], str)
    except (KeyError, TypeError, ValueError):
        good = False
    if not good:
        raise DocumentError(
            "is no conversion to a coupling", source=source, pointer="/conversions",
            remedy="let darkstats limit write the record again",
        )  # fmt: skip
    return AtMass(masses=masses, **numbers), title
