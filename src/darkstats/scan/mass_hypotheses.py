"""The hypotheses of a scan, and what their likelihoods are made of: patches, or events."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from darkstats.errors import OptionError
from darkstats.scan.event_tables import EventsOfScan
from darkstats.workspace.hs3 import Hs3Document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from darkstats.workspace import PatchSet, SignalPoint
    from darkstats.workspace.json_values import JsonObject

__all__ = ["MANY", "BinnedHypotheses", "EventHypotheses", "MassHypotheses", "MassHypothesis"]

#: Hypotheses, of which a block holds more: each costs milliseconds then.
MANY = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class MassHypothesis:
    """One hypothesis of a search: its name, its values, and the operations of its patch.

    The likelihood of one without a patch is named by it: an analysis of an HS3 document.
    """

    name: str
    values: tuple[float | str, ...]
    patch: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)

    @classmethod
    def of_point(cls, point: SignalPoint) -> MassHypothesis:
        """That of a point of a patch set."""
        return cls(name=point.name, values=point.values, patch=point.operations)


class MassHypotheses(Protocol):
    """All hypotheses of a search, and what they are tested on.

    ``facts`` are what records and figures say of the search, word for word; ``benchmarks`` name
    models whose couplings it knows.
    """

    #: Kinds of the jobs of limits and of toys: part of their digests.
    limits_kind: ClassVar[str]
    toys_kind: ClassVar[str]
    #: Whether the data are counts in bins, which the compiled minimiser fits.
    in_bins: ClassVar[bool]

    @property
    def labels(self) -> tuple[str, ...]:
        """What the values of a hypothesis are."""

    @property
    def members(self) -> tuple[MassHypothesis, ...]:
        """The hypotheses, in order."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What records say of the search."""

    @property
    def benchmarks(self) -> tuple[str, ...]:
        """Models whose couplings it knows."""

    @property
    def per_block(self) -> int:
        """Hypotheses of a block, where nothing else decides."""

    def with_facts(self, facts: Mapping[str, Any]) -> MassHypotheses:
        """The same, with other facts."""

    def plain(self) -> JsonObject:
        """As JSON data: the inputs of a job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BinnedHypotheses:
    """Patches of a background-only workspace, and the bins of its spectrum that fill windows."""

    limits_kind: ClassVar[str] = "limits"
    toys_kind: ClassVar[str] = "toys"
    in_bins: ClassVar[bool] = True

    workspace: Mapping[str, Any] = field(repr=False)
    labels: tuple[str, ...]
    members: tuple[MassHypothesis, ...] = field(repr=False)
    fill: Mapping[str, Any] | None = field(default=None, repr=False)
    facts: Mapping[str, Any] = field(default_factory=dict, repr=False)
    benchmarks: tuple[str, ...] = ()

    @classmethod
    def of_patches(
        cls,
        workspace: Mapping[str, Any],
        patch_set: PatchSet,
        fill: Mapping[str, Any] | None = None,
        *,
        facts: Mapping[str, Any] | None = None,
        benchmarks: tuple[str, ...] = (),
    ) -> BinnedHypotheses:
        """Return those of a patch set.

        Raises
        ------
        DigestMismatchError
            The patch set belongs to another workspace.
        """
        patch_set.verify(dict(workspace))
        return cls(
            workspace=workspace,
            labels=tuple(patch_set.labels),
            members=tuple(map(MassHypothesis.of_point, patch_set)),
            fill=fill,
            facts=facts or {},
            benchmarks=benchmarks,
        )

    @classmethod
    def of_signal(
        cls,
        workspace: Mapping[str, Any],
        *,
        facts: Mapping[str, Any] | None = None,
        benchmarks: tuple[str, ...] = (),
    ) -> BinnedHypotheses:
        """Return the one hypothesis of a workspace that has its signal in it."""
        one = MassHypothesis(name="signal", values=("signal",))
        return cls(
            workspace=workspace, labels=("name",), members=(one,), facts=facts or {},
            benchmarks=benchmarks,
        )  # fmt: skip

    @property
    def per_block(self) -> int:
        """Hypotheses of a block."""
        return 64 if len(self.members) > MANY else 16

    def with_facts(self, facts: Mapping[str, Any]) -> BinnedHypotheses:
        """The same, with other facts."""
        return replace(self, facts=facts)

    def plain(self) -> JsonObject:
        """As JSON data."""
        return {
            "workspace": dict(self.workspace),
            "labels": list(self.labels),
            "patches": [
                {"name": one.name, "values": list(one.values), "patch": list(one.patch)}
                for one in self.members
            ],
            "fill": None if self.fill is None else dict(self.fill),
            "facts": dict(self.facts),
            "benchmarks": list(self.benchmarks),
        }

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> BinnedHypotheses:
        """Inverse of :meth:`plain`."""
        return cls(
            workspace=plain["workspace"],
            labels=tuple(plain["labels"]),
            members=tuple(
                MassHypothesis(
                    name=str(p["name"]), values=tuple(p["values"]), patch=tuple(p["patch"])
                )
                for p in plain["patches"]
            ),
            fill=plain["fill"],
            facts=plain["facts"],
            benchmarks=tuple(plain["benchmarks"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EventHypotheses:
    """Analyses of an HS3 document, and their events; without any, expected values are all."""

    limits_kind: ClassVar[str] = "unbinned-limits"
    toys_kind: ClassVar[str] = "unbinned-toys"
    in_bins: ClassVar[bool] = False

    document: Hs3Document = field(repr=False)
    events: EventsOfScan
    labels: tuple[str, ...]
    members: tuple[MassHypothesis, ...] = field(repr=False)
    facts: Mapping[str, Any] = field(default_factory=dict, repr=False)
    benchmarks: tuple[str, ...] = ()

    @classmethod
    def of_document(
        cls,
        document: Hs3Document,
        events: EventsOfScan,
        *,
        facts: Mapping[str, Any] | None = None,
        benchmarks: tuple[str, ...] = (),
    ) -> EventHypotheses:
        """Return those of a document that says its masses.

        Raises
        ------
        OptionError
            An analysis has no events, or does not say its masses.
        """
        labels = document.search.get("labels")
        if not isinstance(labels, list) or not labels:
            raise OptionError(
                f"{document.source} does not say its masses (labels and points under "
                "misc.darkstats): there is nothing to scan"
            )
        members = []
        for name in document.analysis_names:
            values = document.values_of(name)
            if tuple(values) != tuple(labels):
                raise OptionError(f"{document.source}: analysis {name!r} does not say its masses")
            if events:
                events.table_of(document, name)
            members.append(MassHypothesis(name=name, values=tuple(values.values())))
        return cls(
            document=document,
            events=events,
            labels=tuple(labels),
            members=tuple(members),
            facts=facts or {},
            benchmarks=benchmarks,
        )

    @property
    def per_block(self) -> int:
        """Hypotheses of a block: few, since each is a fit of events."""
        return 4

    def with_facts(self, facts: Mapping[str, Any]) -> EventHypotheses:
        """The same, with other facts."""
        return replace(self, facts=facts)

    def plain(self) -> JsonObject:
        """As JSON data."""
        return {
            "hs3": dict(self.document.document),
            "labels": list(self.labels),
            "patches": [{"name": one.name, "values": list(one.values)} for one in self.members],
            "events": self.events.packed(),
            "fill": None,
            "facts": dict(self.facts),
            "benchmarks": list(self.benchmarks),
        }

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> EventHypotheses:
        """Inverse of :meth:`plain`."""
        return cls(
            document=Hs3Document.from_document(plain["hs3"]),
            events=EventsOfScan.unpacked(plain["events"]),
            labels=tuple(plain["labels"]),
            members=tuple(
                MassHypothesis(name=str(p["name"]), values=tuple(p["values"]))
                for p in plain["patches"]
            ),
            facts=plain["facts"],
            benchmarks=tuple(plain["benchmarks"]),
        )
