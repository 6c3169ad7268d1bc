"""A signal of one's own in a published likelihood: table of yields -> patch -> limit, or scan."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Annotated, Any

from darkstats.errors import DocumentError, OptionError
from darkstats.options import check_choices, option
from darkstats.workflows.coupling_requests import CouplingRequest
from darkstats.workflows.inputs import likelihood_of, read
from darkstats.workflows.outcome import Outcome, Shell
from darkstats.workflows.requests import LimitOptions, LimitRequest, NamePattern, WorkspaceRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rich.console import RenderableType

    from darkstats.reinterpret import Placed, Signal
    from darkstats.workspace import Workspace
    from darkstats.workspace.json_values import JsonObject

__all__ = ["ReinterpretRequest", "reinterpret"]

_PANEL = "Signal"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReinterpretRequest:
    """A signal in the place of that of a workspace, and the limit on it."""

    signal: Annotated[
        tuple[str, ...],
        option(
            "-s", "--signal", metavar="TABLE", reads="perhaps", panel=_PANEL, by_name=True,
            help="Yields by channel: a .csv, .yaml or .json file, or words such as "
            "SR_meff=1.2,3.4, repeatable.",
        ),
    ] = ()  # fmt: skip
    missing: Annotated[
        str | None,
        option(
            "--missing", metavar="HOW", panel=_PANEL, kind="way to treat a missing channel",
            choices=("keep", "mask", "drop"),
            help="Channels that the signal does not name: keep (no signal in them), mask (their "
            "bins leave the likelihood) or drop (out of the workspace).",
        ),
    ] = None  # fmt: skip
    cross_section_fb: Annotated[
        float | None,
        option(
            "--sigma", metavar="FB", panel=_PANEL,
            help="Cross section, fb, for a table of efficiencies; with --lumi.",
        ),
    ] = None  # fmt: skip
    luminosity_ifb: Annotated[
        float | None,
        option("--lumi", metavar="IFB", panel=_PANEL, help="Luminosity, 1/fb; with --sigma."),
    ] = None
    name: Annotated[
        str, option("--name", metavar="NAME", panel=_PANEL, help="Of the new sample.")
    ] = "signal"
    name_pattern: NamePattern = None
    patch: Annotated[
        str | None,
        option(
            "--write-patch", metavar="FILE", panel=_PANEL, writes=True,
            help="Write the patch (RFC 6902), or the patch set of several hypotheses.",
        ),
    ] = None  # fmt: skip
    limit: LimitRequest

    def __post_init__(self) -> None:
        """Check what can be checked without the files.

        Raises
        ------
        OptionError
            No signal, or one half of what makes events out of efficiencies.
        """
        check_choices(self)
        if not self.signal:
            raise OptionError("name the signal: --signal TABLE, or --signal CHANNEL=1.2,3.4")
        given = (self.cross_section_fb, self.luminosity_ifb)
        if (given[0] is None) != (given[1] is None):
            raise OptionError("events are cross section times luminosity: give --sigma and --lumi")
        if any(value is not None and not value > 0.0 for value in given):
            raise OptionError("--sigma and --lumi: give values above zero")

    @property
    def factor(self) -> float | None:
        """What makes events of efficiencies; None where the table holds events."""
        if self.cross_section_fb is None or self.luminosity_ifb is None:
            return None
        return self.cross_section_fb * self.luminosity_ifb

    @property
    def reference_pb(self) -> float | None:
        """Cross section of signal strength 1, pb; None where nothing says it."""
        return None if self.cross_section_fb is None else 1e-3 * self.cross_section_fb


def reinterpret(request: ReinterpretRequest, shell: Shell | None = None) -> Outcome[Any]:
    """Limit on a signal of one's own in a published likelihood; of several, a scan.

    Raises
    ------
    InputError
        The table does not fit the workspace, or the request cannot be met.
    NotCertifiedError
        The answer cannot be vouched for.
    """
    from darkstats.reinterpret import place, read_signals

    shell = shell or Shell()
    if request.limit.model.engine == "zfit":
        raise OptionError(
            "the engine zfit is for unbinned models: a signal is put into a workspace"
        )
    signals = read_signals(request.signal, factor=request.factor)
    asked = request.limit.model
    base = read(asked.workspace, needs_poi=False)
    poi = asked.poi or base.measurement(asked.measurement, check_poi=False)["config"]["poi"]

    def placed(signal: Signal) -> Placed:
        return place(
            base, signal, poi=poi, name=request.name, missing=request.missing,
            reference_cross_section_pb=request.reference_pb,
        )  # fmt: skip

    if len(signals) > 1:
        made = {one.name: placed(one) for one in signals}
        _announce(shell, *(notice for one in made.values() for notice in one.notices))
        with _sigma_would_do():
            return _scan(request, base, made, shell)
    from darkstats.workflows.statistics import limit_of

    found = placed(signals[0])
    values = _values(request, signals[0])
    repeat = _repeated_by(request, found, values)
    unrepeated = () if repeat is None or not found.masked else (f"{_MASKED}: {repeat}",)
    _announce(shell, *found.notices, *unrepeated)
    model = replace(asked, poi=poi, masked=(*asked.masked, *found.masked))
    likelihood = likelihood_of(found.workspace, model, shell)
    with _sigma_would_do():
        outcome = limit_of(
            replace(request.limit, model=model), likelihood, shell,
            signal_fb=request.cross_section_fb, hypothesis=values,
        )  # fmt: skip
    return _with_signal(request, outcome, _Own(signals[0], found, values, repeat))


_MASKED = "a patch masks no channels, and alone does not repeat the answer; this does"


@dataclass(frozen=True, slots=True)
class _Own:
    """A signal, where it was put, its values by label, and what repeats its limit."""

    signal: Signal
    placed: Placed
    values: Mapping[str, float | str]
    repeat: str | None


def _announce(shell: Shell, *notices: str) -> None:
    for notice in dict.fromkeys(notices):
        shell.announce(notice)


@contextmanager
def _sigma_would_do() -> Iterator[None]:
    """Let whoever does not say what signal strength 1 is hear of ``--sigma``, too."""
    from darkstats.reinterpret.cross_sections import NOTHING_SAID

    try:
        yield
    except DocumentError as error:
        if not error.problem.startswith(NOTHING_SAID):
            raise
        raise DocumentError(
            error.problem, source=error.source, pointer=error.pointer,
            remedy="give --sigma (with --lumi) or --unit-signal; what the search says is of its "
            "own signal",
        ) from None  # fmt: skip


def _values(request: ReinterpretRequest, signal: Signal) -> dict[str, float | str]:
    """Values of the signal by label, out of its name; never those of the signal it replaces."""
    from darkstats.workspace.loose_patches import NamingRule

    if request.name_pattern is None:
        return {}
    rule = NamingRule(request.name_pattern)
    return dict(zip(rule.labels, rule.values(signal.name, signal.source), strict=True))


def _repeated_by(
    request: ReinterpretRequest, placed: Placed, values: Mapping[str, float | str]
) -> str | None:
    """The command that repeats the limit from the patch; None where none is written."""
    from darkstats.workflows.repeating import command_of

    if request.patch is None:
        return None
    limit, model = request.limit, request.limit.model
    workspace = replace(model.workspace, patches=(*model.workspace.patches, request.patch))
    masses = limit.couplings.masses
    if limit.couplings.cross_sections is not None and not masses:
        masses = tuple((k, v) for k, v in values.items() if not isinstance(v, str))
    return command_of(
        "limit",
        replace(
            limit,
            model=replace(model, workspace=workspace, masked=(*model.masked, *placed.masked)),
            couplings=replace(limit.couplings, masses=masses),
        ),
    )


def _facts(request: ReinterpretRequest, own: _Own) -> JsonObject:
    signal, placed = own.signal, own.placed
    found: JsonObject = {
        "name": signal.name,
        "source": signal.source,
        "values": dict(own.values),
        "yields": dict(placed.yields),
        "reference_cross_section_pb": request.reference_pb,
        "replaced": list(placed.replaced),
        "missing": list(placed.missing),
        "masked": list(placed.masked),
        "shared_nuisances": list(placed.shared),
        "own_nuisances": list(placed.own),
        "missing_treated_as": request.missing,
        "notices": list(placed.notices),
        "patch": list(placed.patch),
        "repeated_by": own.repeat,
    }
    if request.reference_pb is None:
        found["reference_cross_section_pb_reason"] = "--sigma was not given"
    if own.repeat is None:
        found["repeated_by_reason"] = "no patch was written: --write-patch was not given"
    return found


def _with_signal(request: ReinterpretRequest, outcome: Outcome[Any], own: _Own) -> Outcome[Any]:
    """The outcome of the limit, with what was done to the workspace."""
    placed = own.placed

    def record() -> JsonObject:
        from darkstats.report.records import SCHEMAS

        return {
            "schema": SCHEMAS["reinterpret"],
            "signal": _facts(request, own),
            "limit": outcome.record(),
        }

    def sheet() -> RenderableType:
        from darkstats.report.tables import below

        notes = [
            ("events", ", ".join(f"{key} {value:.4g}" for key, value in placed.yields.items())),
            ("taken out", ", ".join(placed.replaced) or "nothing: no signal was there"),
        ]
        if placed.missing:
            notes.append(("not named", f"{', '.join(placed.missing)}: {request.missing}"))
        if placed.shared or placed.own:
            new = f"; own: {', '.join(placed.own)}" if placed.own else ""
            notes.append(("nuisances", f"shared: {', '.join(placed.shared) or 'none'}{new}"))
        notes += [("notice", words) for words in placed.notices]
        if own.repeat is not None:
            notes.append(("repeated by", own.repeat))
        return below(outcome.sheet(), f"Signal {own.signal.name}", notes)

    return replace(outcome, record=record, sheet=sheet, files=_files(request, list(placed.patch)))


def _files(request: ReinterpretRequest, document: object) -> dict[str, Callable[[str], None]]:
    if request.patch is None:
        return {}

    def write(path: str) -> None:
        from darkstats.report.writing import write_text

        write_text(path, json.dumps(document, indent=1) + "\n")

    return {request.patch: write}


def _scan(
    request: ReinterpretRequest, base: Workspace, placed: dict[str, Placed], shell: Shell
) -> Outcome[Any]:
    """Limits on several signals: a patch set, and a scan of it."""
    from darkstats.report.writing import write_text
    from darkstats.workflows.scan_requests import MassScanRequest
    from darkstats.workflows.scans import scan
    from darkstats.workspace.loose_patches import LoosePatch, NamingRule, make_patch_set

    asked, model = request.limit, request.limit.model
    plain = WorkspaceRequest(source=model.workspace.source)
    if model != replace(type(model)(workspace=plain), blind=model.blind, threads=model.threads):
        raise OptionError(
            "several signals are scanned as a patch set of the workspace as it is: options of the "
            "likelihood go with one signal"
        )
    if request.missing == "mask":
        raise OptionError("several signals are scanned: --missing keep or drop, not mask")
    if request.patch is None:
        raise OptionError("several signals make a patch set: name its file with --write-patch")
    if asked.by == "fc" or asked.poi_lower is not None or asked.referee is not None:
        raise OptionError("a scan has no fc, --poi-lower or --referee: give one signal at a time")
    if asked.couplings.masses:
        raise OptionError("several signals have several masses: --name-pattern says them")
    rule = None if request.name_pattern is None else NamingRule(request.name_pattern)
    patches = [LoosePatch(request.signal[0], name, list(one.patch)) for name, one in placed.items()]
    description = f"signals of {', '.join(request.signal)}"
    document = make_patch_set(base.document, patches, rule, description=description)
    write_text(request.patch, json.dumps(document, indent=1) + "\n")
    return scan(
        MassScanRequest(
            source=model.workspace.source,
            patchset=request.patch,
            method=asked.by,
            cl=asked.cl,
            calculator=None if asked.calculator == "auto" else asked.calculator,
            n_toys=asked.toys.n_toys,
            seed=asked.toys.seed or 0,
            blind=model.blind,
            **{one.name: getattr(asked, one.name) for one in fields(LimitOptions)},
            couplings=_couplings(request),
            workers=model.threads,
        ),
        shell,
    )


def _couplings(request: ReinterpretRequest) -> CouplingRequest:
    """The model whose coupling is limited; ``--sigma`` says what signal strength 1 is."""
    asked = request.limit.couplings
    said = asked.unit_signal
    if asked.cross_sections is not None and said is None and request.cross_section_fb is not None:
        said = f"{request.cross_section_fb!r} fb"
    return CouplingRequest(cross_sections=asked.cross_sections, unit_signal=said)
