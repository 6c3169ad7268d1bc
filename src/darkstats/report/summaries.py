"""What a workspace holds, read off the document: no model is compiled."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from darkstats.report.provenance import provenance_record
from darkstats.report.records import SCHEMAS
from darkstats.report.writing import plain
from darkstats.workspace.counts import fractional_counts
from darkstats.workspace.names import modifier_of

if TYPE_CHECKING:
    from darkstats.report.provenance import Inputs
    from darkstats.workspace import Finding, Workspace
    from darkstats.workspace.json_values import JsonObject

__all__ = [
    "ChannelSummary",
    "MeasurementSummary",
    "ParameterSummary",
    "SampleSummary",
    "WorkspaceSummary",
    "summarise",
    "summary_record",
]

_CONSTRAINED = {"normsys", "histosys", "lumi", "staterror", "shapesys"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleSummary:
    """Nominal events of a sample in a channel; ``signal`` if the POI scales it."""

    name: str
    events: float
    signal: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSummary:
    """Bins, observed and nominal background events, samples."""

    name: str
    n_bins: int
    observed: float
    background: float
    samples: tuple[SampleSummary, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterSummary:
    """A parameter set: its modifier types, size, where it acts."""

    name: str
    types: tuple[str, ...]
    size: int
    constrained: bool
    fixed: bool
    channels: tuple[str, ...]
    samples: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementSummary:
    """A measurement and its parameter of interest, if it names one."""

    name: str
    poi: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceSummary:
    """What a workspace holds, as one measurement sees it.

    ``notes`` say what is legal and worth a word, beside what the linter finds.
    """

    source: str
    measurement: str
    poi: str | None
    measurements: tuple[MeasurementSummary, ...]
    channels: tuple[ChannelSummary, ...]
    parameters: tuple[ParameterSummary, ...]
    modifiers_by_type: tuple[tuple[str, int], ...]
    findings: tuple[Finding, ...] = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def n_bins(self) -> int:
        """Number of bins of all channels."""
        return sum(channel.n_bins for channel in self.channels)

    @property
    def n_parameters(self) -> int:
        """Number of scalar parameters."""
        return sum(parameter.size for parameter in self.parameters)


def summarise(workspace: Workspace, measurement: str | None = None) -> WorkspaceSummary:
    """Return the summary of a workspace."""
    chosen = workspace.measurement(measurement)
    poi = workspace.poi_name(measurement)
    scaling = None if poi is None else modifier_of(poi, {name for name, _ in workspace.modifiers})
    observed = {o["name"]: math.fsum(o["data"]) for o in workspace.document["observations"]}
    settings = {p["name"]: p for p in chosen["config"]["parameters"]}
    channels = []
    used: dict[str, list[tuple[str, str, str, int]]] = {}
    for channel in workspace.document["channels"]:
        samples = []
        n_bins = len(channel["samples"][0]["data"])
        for sample in channel["samples"]:
            for modifier in sample["modifiers"]:
                place = (modifier["type"], channel["name"], sample["name"], n_bins)
                used.setdefault(modifier["name"], []).append(place)
            signal = any(modifier["name"] == scaling for modifier in sample["modifiers"])
            samples.append(
                SampleSummary(name=sample["name"], events=math.fsum(sample["data"]), signal=signal)
            )
        channels.append(
            ChannelSummary(
                name=channel["name"],
                n_bins=n_bins,
                observed=observed[channel["name"]],
                background=math.fsum(s.events for s in samples if not s.signal),
                samples=tuple(samples),
            )
        )
    parameters = []
    for name, places in sorted(used.items()):
        types = tuple(sorted({kind for kind, *_ in places}))
        per_bin = {"staterror", "shapesys", "shapefactor"} & set(types)
        size = sum({channel: n for _, channel, _, n in places}.values()) if per_bin else 1
        if per_bin and "staterror" not in types:
            size = places[0][3]
        parameters.append(
            ParameterSummary(
                name=name,
                types=types,
                size=size,
                constrained=bool(_CONSTRAINED & set(types)),
                fixed=bool(settings.get(name, {}).get("fixed", False)),
                channels=tuple(dict.fromkeys(channel for _, channel, _, _ in places)),
                samples=tuple(dict.fromkeys(sample for _, _, sample, _ in places)),
            )
        )
    kinds = Counter(kind for _, kind in workspace.modifiers)
    said = fractional_counts(workspace.document)
    return WorkspaceSummary(
        source=workspace.source,
        measurement=chosen["name"],
        poi=poi,
        measurements=tuple(
            MeasurementSummary(name=name, poi=workspace.poi_name(name))
            for name in workspace.measurement_names
        ),
        channels=tuple(channels),
        parameters=tuple(parameters),
        modifiers_by_type=tuple(sorted(kinds.items())),
        findings=workspace.warnings,
        notes=() if said is None else (said,),
    )


def summary_record(summary: WorkspaceSummary, inputs: Inputs) -> JsonObject:
    """Record of a summary (``darkstats.inspect/1``)."""
    record: JsonObject = {
        "schema": SCHEMAS["inspect"],
        "source": summary.source,
        "measurement": summary.measurement,
        "poi": summary.poi,
        "measurements": [asdict(one) for one in summary.measurements],
        "channels": [asdict(one) for one in summary.channels],
        "parameters": [asdict(one) for one in summary.parameters],
        "modifiers_by_type": dict(summary.modifiers_by_type),
        "n_bins": summary.n_bins,
        "n_parameters": summary.n_parameters,
        "findings": [asdict(finding) for finding in summary.findings],
        "notes": list(summary.notes),
        "provenance": provenance_record(inputs),
    }
    if summary.poi is None:
        record["poi_reason"] = "the measurement names none"
    result: JsonObject = plain(record)
    return result
