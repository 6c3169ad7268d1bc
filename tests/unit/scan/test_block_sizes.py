"""Blocks take a few seconds each, whatever the models are; numbers do not depend on the cuts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from darkstats.execution.processes import InProcess
from darkstats.execution.run import run_job
from darkstats.scan.block_sizes import hypotheses_per_block, spectrum_toys_per_block
from darkstats.scan.job import LIMIT_TASKS, collect_scan, limits_job
from darkstats.scan.mass_hypotheses import BinnedHypotheses
from darkstats.scan.settings import ScanSettings
from darkstats.workspace import read_patchset

CODES = "normsys=code4,histosys=code4p"
USUAL = 1024


@pytest.fixture
def small(repository: Path) -> BinnedHypotheses:
    folder = repository / "workspaces/examples/mass_scan"
    document = json.loads((folder / "background_only.json").read_text("utf-8"))
    return BinnedHypotheses.of_patches(document, read_patchset(folder / "patchset.json"))


@pytest.fixture
def wide(small: BinnedHypotheses) -> BinnedHypotheses:
    """As many hypotheses as the search for axion-like particles has."""
    names = [replace(small.members[k % 6], name=f"m_{k}") for k in range(502)]
    return replace(small, members=tuple(names))


def test_more_toys_are_fewer_hypotheses(small: BinnedHypotheses) -> None:
    sizes = [
        hypotheses_per_block(small, n_toys=n, interpolation=CODES)
        for n in (1, 1_000, 3_000, 10_000, 10**7)
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == small.per_block
    assert 1 < sizes[1] < small.per_block
    assert sizes[3:] == [1, 1]


def test_many_windows_are_fewer_toys(small: BinnedHypotheses, wide: BinnedHypotheses) -> None:
    """Parts of what is drawn together: any other number would be other toys."""
    few = spectrum_toys_per_block(small, drawn_together=USUAL, interpolation=CODES)
    many = spectrum_toys_per_block(wide, drawn_together=USUAL, interpolation=CODES)
    assert few == USUAL
    assert many < USUAL
    assert USUAL % many == 0
    odd = spectrum_toys_per_block(wide, drawn_together=7, interpolation=CODES)
    assert odd == 7


def test_the_search_of_axions_is_cut_to_a_few_seconds(repository: Path) -> None:
    """9 s of a processor for 1,024 toys, 5 to 7 s for a limit with 10,000: measured."""
    folder = repository / "workspaces/alp"
    document = json.loads((folder / "background_only.json").read_text("utf-8"))
    found = BinnedHypotheses.of_patches(document, read_patchset(folder / "patchset.json.gz"))
    assert len(found.members) == 502
    assert spectrum_toys_per_block(found, drawn_together=USUAL, interpolation=CODES) == USUAL // 4
    assert hypotheses_per_block(found, n_toys=10_000, interpolation=CODES) == 1
    assert hypotheses_per_block(found, n_toys=1_000, interpolation=CODES) == 4


def test_a_signal_that_cannot_be_used_is_left_to_the_scan(small: BinnedHypotheses) -> None:
    patch = ({"op": "remove", "path": "/nowhere"},)
    broken = tuple(replace(one, patch=patch) for one in small.members)
    bad = replace(small, members=broken)
    assert hypotheses_per_block(bad, n_toys=10, interpolation=CODES) == 1
    assert spectrum_toys_per_block(bad, drawn_together=USUAL, interpolation=CODES) == USUAL


def test_limits_by_toys_do_not_depend_on_how_hypotheses_are_cut(small: BinnedHypotheses) -> None:
    few = replace(small, members=small.members[:3])
    found = []
    for size in (1, 2, 3):
        settings = ScanSettings(
            calculator="toys", n_toys=200, seed=4, interpolation=CODES, hypotheses_per_block=size
        )
        job = limits_job(few, settings)
        assert job.n_blocks == -(-3 // size)
        blocks = run_job(LIMIT_TASKS[job.kind], job, InProcess())
        scan = collect_scan(few, job, settings, [blocks[b] for b in range(job.n_blocks)])
        found.append([point.plain() for point in scan.points])
    assert found[0] == found[1] == found[2]
