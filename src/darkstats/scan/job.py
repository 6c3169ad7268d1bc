"""A scan as a job in blocks: what its numbers depend on, and what is found, put together."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from darkstats.errors import OptionError
from darkstats.execution.jobs import Job, Task, inputs_bytes, read_inputs
from darkstats.provenance import versions
from darkstats.scan.limits import BinnedTests
from darkstats.scan.mass_hypotheses import BinnedHypotheses, EventHypotheses
from darkstats.scan.mass_scan import MassScan, ScanPoint
from darkstats.scan.settings import ScanSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from darkstats.scan.mass_hypotheses import MassHypotheses
    from darkstats.scan.unbinned import EventTests
    from darkstats.workspace.json_values import JsonObject

__all__ = ["LIMIT_TASKS", "collect_scan", "hypotheses_of", "limits_job", "unknown_kind"]


def limits_job(hypotheses: MassHypotheses, settings: ScanSettings) -> Job:
    """Return the job of a scan: what its numbers depend on, versions included."""
    data, digest = inputs_bytes(hypotheses.plain())
    return Job(
        kind=hypotheses.limits_kind,
        settings={**settings.plain(), "versions": versions()},
        n_blocks=-(-len(hypotheses.members) // settings.hypotheses_per_block),
        inputs=data,
        inputs_digest=digest,
    )


def hypotheses_of(job: Job) -> MassHypotheses:
    """Return the hypotheses of a job of limits or toys.

    Raises
    ------
    OptionError
        This version knows no such job.
    """
    if job.kind in {BinnedHypotheses.limits_kind, BinnedHypotheses.toys_kind}:
        return BinnedHypotheses.of_plain(read_inputs(job.inputs))
    if job.kind in {EventHypotheses.limits_kind, EventHypotheses.toys_kind}:
        return EventHypotheses.of_plain(read_inputs(job.inputs))
    raise unknown_kind(job.kind)


def unknown_kind(kind: str) -> OptionError:
    """The error of a job that no task of this version computes."""
    return OptionError(f"a job of kind {kind!r}: this version knows limits and toys")


class _Tests(Protocol):
    """Tests of the hypotheses of a scan."""

    @property
    def settings(self) -> ScanSettings: ...

    def points(self, first: int, stop: int) -> list[ScanPoint]: ...


def _binned(inputs: Mapping[str, Any], settings: Mapping[str, Any]) -> BinnedTests:
    return BinnedTests.of(BinnedHypotheses.of_plain(inputs), ScanSettings.from_plain(settings))


def _events(inputs: Mapping[str, Any], settings: Mapping[str, Any]) -> EventTests:
    from darkstats.scan.unbinned import EventTests  # no scan of bins waits for its modules

    return EventTests(EventHypotheses.of_plain(inputs), ScanSettings.from_plain(settings))


def _run(tests: _Tests, block: int) -> JsonObject:
    size = tests.settings.hypotheses_per_block
    return {"points": [one.plain() for one in tests.points(block * size, (block + 1) * size)]}


#: The tasks of scans, by kind of job.
LIMIT_TASKS: Mapping[str, Task] = MappingProxyType(
    {
        BinnedHypotheses.limits_kind: Task(prepare=_binned, run=_run),
        EventHypotheses.limits_kind: Task(prepare=_events, run=_run),
    }
)


def collect_scan(
    hypotheses: MassHypotheses,
    job: Job,
    settings: ScanSettings,
    blocks: Sequence[Mapping[str, Any]],
) -> MassScan:
    """Put the blocks of a finished job together."""
    return MassScan(
        labels=hypotheses.labels,
        settings=settings,
        points=tuple(ScanPoint.from_plain(p) for block in blocks for p in block["points"]),
        inputs_digest=job.inputs_digest,
    )
