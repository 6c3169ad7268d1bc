"""From a request to an unbinned likelihood: HS3 document, events, blinding."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from darkstats.errors import DocumentError, OptionError
from darkstats.report.provenance import Inputs
from darkstats.report.sidecar import read_sidecar
from darkstats.workflows.likelihoods import Likelihood
from darkstats.workflows.outcome import announce_compiling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from darkstats.model import Observation
    from darkstats.model.unbinned.model import UnbinnedModel
    from darkstats.workflows.likelihoods import EventModel
    from darkstats.workflows.outcome import Shell
    from darkstats.workflows.requests import ModelRequest
    from darkstats.workspace import Workspace
    from darkstats.workspace.hs3 import Hs3Document
    from darkstats.workspace.hs3.event_files import EventTable
    from darkstats.workspace.json_values import JsonObject

__all__ = [
    "CLOSED",
    "NONE_GIVEN",
    "event_files",
    "holds_hs3",
    "load_unbinned",
    "simulated_together",
    "stay_closed",
]

CLOSED = (
    "the events are not marked as simulated and stay closed: expected values only; --unblind opens "
    "them"
)
NONE_GIVEN = "no data were given: expected values only; name events with --data"


def holds_hs3(source: str | Workspace) -> bool:
    """Whether a file is an HS3 document of unbinned likelihoods, by a look at its text.

    One of HistFactory channels alone is read as a workspace.
    """
    if not isinstance(source, str) or source == "-" or not Path(source).is_file():
        return False
    from darkstats.workspace.archives import unpacked

    try:
        data = unpacked(Path(source).read_bytes(), source)
    except DocumentError:
        return False  # the reader of workspaces will say what is wrong
    if b'"hs3_version"' not in data:
        return False
    if b'"histfactory_dist"' not in data:
        return True
    from darkstats.workspace.documents import parse_json
    from darkstats.workspace.hs3.parts import has_events

    try:
        return has_events(parse_json(data, source=source))
    except DocumentError:
        return False


def event_files(named: Sequence[str]) -> tuple[str, ...]:
    """Files of events; a folder stands for those that a build wrote into it.

    Raises
    ------
    OptionError
        A folder holds none.
    """
    found: list[str] = []
    for name in named:
        folder = Path(name)
        if not folder.is_dir():
            found.append(name)
            continue
        inside = sorted(str(path) for path in folder.glob("events_*") if path.suffix != ".json")
        if not inside:
            raise OptionError(
                f"{name}: holds no events_*; darkstats build CARD -o {name} --events parquet "
                "writes them"
            )
        found += inside
    return tuple(found)


def simulated_together(events: bool | None, document: bool | None, *, binned: bool) -> bool | None:
    """Whether all data are simulated: events of files, and with them counts of the document.

    Contents of binned channels stay those of the document: then both have to say so.
    """
    return events is True and document is True if binned else events


def stay_closed(blind: bool | None, *, simulated: bool | None, missing: bool, of: str = "") -> bool:
    """Whether data stay closed: as asked, else unless they are given, and simulated.

    Raises
    ------
    OptionError
        Data that are missing were to be opened; ``of`` says which.
    """
    if blind is False and missing:
        raise OptionError(f"--unblind, and no events were given{of}: name them with --data")
    return missing or simulated is not True if blind is None else blind


def _table(data: str, document: Hs3Document, analysis: str) -> EventTable:
    """Events of a file, or those that an analysis looks at among the files of a build."""
    from darkstats.scan.event_tables import EventsOfScan
    from darkstats.workspace.hs3.event_files import read_events

    if not Path(data).is_dir():
        return read_events(data)
    tables = [read_events(name) for name in event_files([data])]
    return EventsOfScan.of(tables).table_of(document, analysis)


def _check(request: ModelRequest) -> None:
    """Refuse options that mean nothing here."""
    for given, name in (
        (request.workspace.patches, "--patch"),
        (request.workspace.patchset, "--patchset"),
        (request.interpolation, "--interpolation"),
        (request.masked, "--mask"),
    ):
        if given:
            raise OptionError(
                f"{name} goes with HistFactory workspaces, and {request.workspace.file} is an "
                "HS3 document of unbinned likelihoods"
            )


def _analysis(document: Hs3Document, request: ModelRequest) -> str | None:
    point = request.workspace.point
    if point is not None and request.measurement is not None:
        raise OptionError("--point and --measurement both choose the analysis: give one")
    if point is not None:
        return document.select(point)
    return request.measurement


def load_unbinned(request: ModelRequest, shell: Shell) -> Likelihood:
    """Read and compile the likelihood of a request, and open its data if that is allowed.

    Raises
    ------
    InputError
        A file, a name or an option cannot be used.
    """
    from darkstats.fit import FitOptions
    from darkstats.inference.asimov import blinded_observation
    from darkstats.model.combined.compilation import compile_likelihood
    from darkstats.workspace.hs3 import read_hs3

    _check(request)
    document = read_hs3(request.workspace.file)
    model = compile_likelihood(document, _analysis(document, request), poi=request.poi)
    if request.engine == "zfit":
        model = _in_zfit(model, document, shell)
    else:
        _compile(model, shell)
    sidecar = read_sidecar(request.workspace.file)
    notes: list[str] = []
    table = None
    observation = model.observation
    simulated = document.simulated if sidecar.simulated is None else sidecar.simulated
    if request.data is not None:
        table = _table(request.data, document, model.analysis)
        observation, notes, binned = _opened(model, table)
        simulated = simulated_together(table.simulated, simulated, binned=binned)
    if request.simulated is not None:
        simulated = request.simulated
    missing = document.without_events(model.analysis) if table is None else ()
    blind = stay_closed(
        request.blind, simulated=simulated, missing=bool(missing), of=f" for {', '.join(missing)}"
    )
    if blind and request.blind is None:
        notes = [NONE_GIVEN if missing else CLOSED]
    notes = [*notes, *_negative_yields(model.event_part)]
    facts = _facts(model, document, observation, table, blind=blind)
    if blind:
        observation = blinded_observation(model) if model.poi_index is not None else observation
    return Likelihood(
        model=model,
        events=(document, model),
        observation=observation,
        sidecar=sidecar,
        threads=request.threads,
        options=FitOptions(threads=request.threads or 1),
        blind=blind,
        notes=tuple(notes),
        unbinned=facts,
        inputs=Inputs(
            source=document.source,
            workspace_sha256=document.digest,
            canonical_sha256=document.digest,
            measurement=model.analysis,
            model_sha256=model.digest,
            poi=model.poi_name,
            data=request.data,
            blind=blind,
            simulated=simulated,
            command=shell.command,
            title=sidecar.title or document.description,
        ),
    )


def _opened(model: EventModel, table: EventTable) -> tuple[Observation, list[str], bool]:
    """Events of a table as data of the model, notes, and whether bins keep their contents."""
    from darkstats.model.combined.observed import opened_events

    observation, notes = opened_events(model, table)
    channels = model.event_part.channels
    binned = model.bins_beside is not None or any(one.bin_edges is not None for one in channels)
    return observation, notes, binned


def _in_zfit(model: EventModel, document: Hs3Document, shell: Shell) -> UnbinnedModel:
    """The same likelihood, evaluated by zfit."""
    from darkstats.model.unbinned.zfit_engine import ZfitEngine
    from darkstats.model.unbinned.zfit_model import zfit_likelihood

    if model.bins_beside is not None:
        raise OptionError(
            f"--engine zfit is for events alone, and {document.source} has HistFactory channels"
        )
    with shell.step("building the loss in zfit"):
        likelihood = zfit_likelihood(document, model.analysis)
        engine = ZfitEngine.of_likelihood(likelihood, model.parameter_names)
        return model.event_part.with_engine(engine)


def _compile(model: EventModel, shell: Shell) -> None:
    """Compile the kernels if this installation has not yet, and say so."""
    from darkstats.fit.newton_steps import steps_are_compiled
    from darkstats.model.points import points_are_compiled
    from darkstats.model.unbinned.density import density_is_compiled

    bins = model.bins_beside is not None
    if density_is_compiled() and steps_are_compiled() and (not bins or points_are_compiled()):
        return
    announce_compiling(shell)
    data, auxdata = model.stack([model.observation])
    model.derivatives(model.inits, data, auxdata[0])


def _negative_yields(model: UnbinnedModel) -> list[str]:
    """Parts of a channel that expect less than nothing at the starting values, in words."""
    point = model.inits.copy()
    if model.poi_index is not None and point[model.poi_index] == 0.0:
        point[model.poi_index] = 1.0  # a signal of strength 0 hides its sign
    return [
        f"channel {channel.name!r}: {component.name!r} expects {events:.4g} events at the starting "
        "values; see that interference or weighted simulation is meant: a density is nowhere "
        "negative"
        for channel in model.channels
        for component in channel.components
        if (events := float(component.expected.at(point))) < 0.0
    ]


def _facts(
    model: EventModel,
    document: Hs3Document,
    observation: Observation,
    table: EventTable | None,
    *,
    blind: bool,
) -> JsonObject:
    """What a record says of an unbinned likelihood beyond the fields of a binned one."""
    reference = document.search.get("reference_cross_section_pb")
    events = model.event_part
    facts: JsonObject = {
        "format": f"HS3 {document.document['metadata']['hs3_version']}",
        "analysis": model.analysis,
        "values": dict(model.values),
        "engine": (
            "kernels: closed forms, exact derivatives, batched Newton"
            if events.engine is None
            else "zfit: its own loss, automatic derivatives, batched Newton"
        ),
        "reference_cross_section_pb": reference,
        "data_sha256": None if table is None else table.sha256,
        "channels": [
            _channel_facts(
                channel.name,
                channel.observables,
                channel.ranges,
                binned=channel.bin_edges is not None,
                events=None if blind else float(count),
                expected=float(sum(c.expected.at(model.inits) for c in channel.components)),
            )
            for channel, count in zip(
                events.channels, observation.counts[: len(events.channels)], strict=True
            )
        ],
    }
    beside = model.bins_beside
    if beside is not None:
        counts = observation.counts[len(events.channels) :]
        rates = beside.model.expected_rates(beside.points_of(model.inits))
        facts["channels"] += [
            _channel_facts(
                one.name,
                (),
                (),
                binned=True,
                events=None if blind else float(counts[one.start : one.stop].sum()),
                expected=float(rates[one.start : one.stop].sum()),
            )
            for one in beside.model.channels
        ]
    if reference is None:
        facts["reference_cross_section_pb_reason"] = "the document does not say"
    if table is None:
        facts["data_sha256_reason"] = "no file of events was given"
    return facts


def _channel_facts(
    name: str,
    observables: Sequence[str],
    ranges: Sequence[tuple[float, float]],
    *,
    binned: bool,
    events: float | None,
    expected: float,
) -> JsonObject:
    return {
        "name": name,
        "observables": {one: list(ends) for one, ends in zip(observables, ranges, strict=True)},
        "binned": binned,
        "events": events,
        **({"events_reason": "blind"} if events is None else {}),
        "expected_events": expected,
    }
