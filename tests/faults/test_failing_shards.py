"""Blocks and fits of shards are made to fail: the merged scan is right, or there is none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from darkstats.scan import limits
from darkstats.scan.mass_hypotheses import BinnedHypotheses
from failing_fits import FailingFits, at_random, every_lane, from_batch
from record_comparison import differences

if TYPE_CHECKING:
    from conftest import Call, Done

EXAMPLE = Path(__file__).parents[2] / "workspaces/examples/mass_scan"
SOURCE = (EXAMPLE / "background_only.json", "--patchset", EXAMPLE / "patchset.json")
MASSES, BLOCKS = 6, 3
FOURTH, LAST = "mass_1p8", "mass_2p2"


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hypotheses to a block."""
    monkeypatch.setattr(BinnedHypotheses, "per_block", 2)


@pytest.fixture
def planned(call: Call, tmp_path: Path) -> Path:
    """Folder of a job of which nothing is done."""
    folder = tmp_path / "job"
    done = call("shards", "plan", *SOURCE, "-o", folder)
    assert (done.status, done.record["blocks"], done.record["unfinished"]) == (0, BLOCKS, BLOCKS)
    return folder


@pytest.fixture
def whole(call: Call, tmp_path: Path) -> Path:
    """Folder of the same scan, undisturbed."""
    folder = tmp_path / "whole"
    assert call("scan", *SOURCE, "-o", folder, "--workers", 1).status == 0
    return folder


def run_shard(call: Call, folder: Path, shard: int, of: int) -> Done:
    return call("shards", "run", folder, "--shard", shard, "--of", of)


def breaking_at(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """An error of the code at one hypothesis."""
    point_of_model = limits.point_of_model

    def broken(this: str, *others: Any, **options: Any) -> Any:
        if this == name:
            raise ZeroDivisionError("a fault in the middle of a block")
        return point_of_model(this, *others, **options)

    monkeypatch.setattr(limits, "point_of_model", broken)


def test_a_block_that_breaks_is_missing_until_it_is_run_again(
    call: Call, monkeypatch: pytest.MonkeyPatch, planned: Path, whole: Path
) -> None:
    """The shard fails, the merge names the block and writes nothing, the plan counts it."""
    with monkeypatch.context() as patch:
        breaking_at(patch, FOURTH)  # in block 1
        assert run_shard(call, planned, 0, 2).status == 0
        done = run_shard(call, planned, 1, 2)
    assert (done.status, done.record["error"]) == (1, "ZeroDivisionError")
    assert "a fault in the middle of a block" in done.messages
    merged = call("shards", "merge", planned)
    assert (merged.status, merged.record["error"]) == (1, "ShardError")
    assert f"1 of {BLOCKS} blocks are missing: 1;" in " ".join(merged.messages.split())
    assert not (planned / "scan.json").exists()
    assert call("shards", "plan", *SOURCE, "-o", planned).record["unfinished"] == 1
    assert run_shard(call, planned, 1, 2).status == 0
    assert call("shards", "merge", planned).status == 0
    assert (planned / "scan.json").read_bytes() == (whole / "scan.json").read_bytes()


def test_a_shard_without_its_last_block_is_not_complete(
    call: Call, monkeypatch: pytest.MonkeyPatch, planned: Path
) -> None:
    """What a shard has finished before it breaks is kept, and is not the whole."""
    breaking_at(monkeypatch, LAST)
    assert run_shard(call, planned, 0, 1).status == 1
    merged = call("shards", "merge", planned)
    assert merged.status == 1
    assert f"1 of {BLOCKS} blocks are missing: 2;" in " ".join(merged.messages.split())
    assert not (planned / "scan.json").exists()


def test_fits_that_fail_in_one_shard_are_counted_there_and_in_the_merged_scan(
    call: Call, monkeypatch: pytest.MonkeyPatch, planned: Path, whole: Path, tmp_path: Path
) -> None:
    """Points of the other shard are those of the undisturbed scan, bit for bit."""
    expected = json.loads((whole / "scan.json").read_text("utf-8"))["points"]
    quiet = run_shard(call, planned, 0, 2)
    assert (quiet.record["hypotheses"], quiet.record["failed"]) == (4, 0)
    seen = []
    for name, choice in (
        ("some lanes", at_random(0.1, 21)),
        ("later ones", from_batch(12)),
        ("everything", every_lane),
    ):
        folder = tmp_path / name
        shutil.copytree(planned, folder)
        with monkeypatch.context() as patch:
            FailingFits(patch, choice)
            done = run_shard(call, folder, 1, 2)
        assert (done.status, done.record["hypotheses"]) == (0, 2)
        assert call("shards", "merge", folder).status == 0
        record = json.loads((folder / "scan.json").read_text("utf-8"))
        failed = [k for k, point in enumerate(record["points"]) if point["status"] == "failed"]
        assert len(failed) == done.record["failed"] == record["summary"]["failed"]
        good = f"{MASSES - len(failed)} of {MASSES}" if failed else f"all {MASSES}"
        assert record["summary"]["statement"].startswith(good)
        for k, (one, other) in enumerate(zip(expected, record["points"], strict=True)):
            if k not in {2, 3}:
                assert one == other
            elif k in failed:
                assert other["reason"]
                assert (other["observed"], other["expected"]) == (None, [None] * 5)
            else:
                assert not list(differences(one, other, relative=1e-5)), (name, one["name"])
        seen.append(len(failed))
    assert seen[1:] == [1, 2]


def test_shards_that_disagree_are_not_merged(
    call: Call, monkeypatch: pytest.MonkeyPatch, planned: Path, tmp_path: Path
) -> None:
    """The same block, once with fits that failed and once without, is no result."""
    copy = tmp_path / "copy"
    shutil.copytree(planned, copy)
    assert run_shard(call, planned, 0, 1).status == 0
    with monkeypatch.context() as patch:
        FailingFits(patch, every_lane)
        assert run_shard(call, copy, 2, 3).record["failed"] == 2
    merged = call("shards", "merge", planned, copy)
    assert (merged.status, merged.record["error"]) == (1, "ShardError")
    assert "block 2 differs between" in " ".join(merged.messages.split())
    assert not (planned / "scan.json").exists()
