"""Hypotheses of a scan: of patches or of events, as values and as the inputs of a job."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from darkstats.errors import DigestMismatchError, OptionError
from darkstats.execution.jobs import Job
from darkstats.look_elsewhere.window_spectrum import SpectrumContext
from darkstats.scan.event_tables import EventsOfScan
from darkstats.scan.job import LIMIT_TASKS, hypotheses_of, limits_job
from darkstats.scan.mass_hypotheses import BinnedHypotheses, EventHypotheses, MassHypotheses
from darkstats.scan.settings import ScanSettings
from darkstats.workspace import read_patchset
from darkstats.workspace.hs3 import read_hs3
from darkstats.workspace.hs3.event_files import EventTable

EXAMPLE = "workspaces/examples/mass_scan"


@pytest.fixture(scope="module")
def binned(repository: Path) -> BinnedHypotheses:
    folder = repository / EXAMPLE
    document = json.loads((folder / "background_only.json").read_text("utf-8"))
    return BinnedHypotheses.of_patches(
        document,
        read_patchset(folder / "patchset.json"),
        facts={"name": "example", "title": "An example", "luminosity_ipb": None},
        benchmarks=("dark photon",),
    )


@pytest.fixture(scope="module")
def events(repository: Path) -> EventHypotheses:
    document = read_hs3(repository / "models/alp/unbinned.json")
    x = {"mgg_squared_gev2": np.array([0.3, 0.5])}
    table = EventTable(source="x.npz", sha256="0" * 64, columns=x, simulated=True)
    return EventHypotheses.of_document(document, EventsOfScan.of([table]), facts={"name": "alp"})


@pytest.mark.parametrize("kind", ["binned", "events"])
def test_hypotheses_come_back_from_their_job(kind: str, request: pytest.FixtureRequest) -> None:
    """Nothing is lost or added on the way through JSON: the digest of the job is the same."""
    given: MassHypotheses = request.getfixturevalue(kind)
    job = limits_job(given, ScanSettings())
    found = hypotheses_of(job)
    assert type(found) is type(given)
    assert found.labels == given.labels
    assert found.members == given.members
    assert found.facts == given.facts
    assert found.benchmarks == given.benchmarks
    assert limits_job(found, ScanSettings()).digest == job.digest
    assert job.kind in LIMIT_TASKS
    assert job.n_blocks == -(-len(given.members) // ScanSettings().hypotheses_per_block)


@pytest.mark.parametrize("kind", ["binned", "events"])
def test_whatever_changes_is_another_job(kind: str, request: pytest.FixtureRequest) -> None:
    given = request.getfixturevalue(kind)
    digests = {
        limits_job(one, ScanSettings()).digest
        for one in (
            given,
            given.with_facts({**given.facts, "title": "another"}),
            replace(given, members=given.members[1:]),
            replace(given, benchmarks=("another",)),
            replace(given, labels=("another",)),
        )
    }
    assert len(digests) == 5


def test_the_two_kinds_share_no_job(binned: BinnedHypotheses, events: EventHypotheses) -> None:
    kinds = [(h.limits_kind, h.toys_kind) for h in (binned, events)]
    assert len({kind for pair in kinds for kind in pair}) == 4
    assert binned.in_bins
    assert not events.in_bins


def test_a_job_of_another_kind_is_refused() -> None:
    job = Job(kind="elsewhere", settings={}, n_blocks=1, inputs=b"", inputs_digest="0")
    with pytest.raises(OptionError, match="a job of kind 'elsewhere'"):
        hypotheses_of(job)


def test_patches_of_another_workspace_are_refused(
    binned: BinnedHypotheses, repository: Path
) -> None:
    patches = read_patchset(repository / EXAMPLE / "patchset.json")
    with pytest.raises(DigestMismatchError):
        BinnedHypotheses.of_patches({**binned.workspace, "observations": []}, patches)


def test_blocks_grow_with_the_number_of_hypotheses(
    binned: BinnedHypotheses, events: EventHypotheses
) -> None:
    """A fit of events is a block's work sooner than one of bins."""
    many = replace(binned, members=binned.members[:1] * 2001)
    assert events.per_block < binned.per_block < many.per_block


def test_events_have_no_fine_bins(events: EventHypotheses) -> None:
    """The covariance method says so, as a reason."""
    with pytest.raises(OptionError, match="needs the fine bins of a binned search"):
        SpectrumContext.of(events, "normsys=code4,histosys=code4p")
