"""Work on many hypotheses: exit status 1 where nothing is certified, and that is said first."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from darkstats.cli import run

REPOSITORY = Path(__file__).parents[2]
EXAMPLE = REPOSITORY / "workspaces/examples/mass_scan"
BACKGROUND = EXAMPLE / "background_only.json"
ALP = REPOSITORY / "workspaces/alp"
BROKEN = {"op": "remove", "path": "/nothing"}

Call = Callable[..., tuple[int, str, str]]


def patches(folder: Path, *, broken: int) -> Path:
    """The first four hypotheses of the example, some of which cannot be applied."""
    document = json.loads((EXAMPLE / "patchset.json").read_text("utf-8"))
    document["patches"] = document["patches"][:4]
    for patch in document["patches"][:broken]:
        patch["patch"].append(BROKEN)
    path = folder / f"patches{broken}.json"
    path.write_text(json.dumps(document), "utf-8")
    return path


@pytest.mark.parametrize("method", ["cls", "bayes"])
def test_a_scan_without_any_result_fails_and_says_so_first(call, tmp_path, method):
    words = ("scan", BACKGROUND, "--patchset", patches(tmp_path, broken=4), "--method", method)
    figure, where = tmp_path / "scan.png", tmp_path / "scan"
    status, out, err = call(*words, "--workers", 1, "-o", where, "--plot", figure)
    said = "nothing is certified: none of 4 hypotheses has a certified result"
    assert status == 1
    assert f"darkstats: error: {said}" in err
    assert "/nothing" in err
    assert "none of 4 hypotheses has a certified result" in out.splitlines()[2]
    assert not figure.exists()
    record = json.loads((where / "scan.json").read_text("utf-8"))  # what is known is kept
    assert record["summary"]["failed"] == 4
    assert run([str(word) for word in (*words, "--workers", 1, "-o", where)]) == 1  # and resumed


def test_a_failed_scan_prints_its_record_and_fails(call, tmp_path):
    words = ("scan", BACKGROUND, "--patchset", patches(tmp_path, broken=4), "--workers", 1)
    status, out, err = call(*words, "--json")
    record: dict[str, Any] = json.loads(out)
    assert status == 1
    assert "nothing is certified" in err
    assert record["summary"]["statement"].startswith("none of 4 hypotheses has")


@pytest.mark.parametrize("broken", [1, 3])
def test_a_scan_with_some_results_succeeds_and_counts_first(call, tmp_path, broken):
    words = ("scan", BACKGROUND, "--patchset", patches(tmp_path, broken=broken), "--workers", 1)
    status, out, err = call(*words)
    said = f"{4 - broken} of 4 hypotheses {'has' if broken == 3 else 'have'} a certified result"
    assert status == 0
    assert said in out.splitlines()[2]
    assert "nothing is certified" not in err
    record = json.loads(call(*words, "--json")[1])
    assert record["summary"]["statement"].startswith(said)


def test_shards_without_any_result_fail_where_they_are_merged(call, tmp_path):
    where = tmp_path / "job"
    words = (BACKGROUND, "--patchset", patches(tmp_path, broken=4))
    assert call("shards", "plan", *words, "-o", where)[0] == 0
    assert call("shards", "run", where)[0] == 0  # its blocks are done
    status, out, err = call("shards", "merge", where)
    assert status == 1
    assert "nothing is certified: none of 4" in err
    assert "none of 4" in out


def test_global_significance_of_a_failed_scan_is_refused(call, tmp_path):
    where = tmp_path / "scan"
    words = ("scan", BACKGROUND, "--patchset", patches(tmp_path, broken=4), "--workers", 1)
    assert call(*words, "-o", where)[0] == 1
    status, _, err = call("global", where)
    assert status == 1
    assert "none of 4 hypotheses has a certified local significance" in err
    assert "looked at no data" not in err


def broken_search(folder: Path, n: int, *, broken: int) -> Path:
    """The built ALP search with ``n`` hypotheses, some of which cannot be applied."""
    import gzip
    import hashlib

    where = folder / f"alp{broken}"
    shutil.copytree(ALP, where)
    path = where / "patchset.json.gz"
    document = json.loads(gzip.decompress(path.read_bytes()))
    document["patches"] = document["patches"][:n]
    for patch in document["patches"][:broken]:
        patch["patch"].append(BROKEN)
    path.write_bytes(gzip.compress(json.dumps(document).encode()))
    record = json.loads((where / "record.json").read_text("utf-8"))
    record["files"][path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    (where / "record.json").write_text(json.dumps(record), "utf-8")
    return where


def test_a_projection_without_any_result_fails(call, tmp_path):
    where = broken_search(tmp_path, 2, broken=2)
    status, out, err = call("project", where, "--lumi", "1,10", "--workers", 1)
    assert status == 1
    assert "nothing is certified: none of 2 hypotheses" in err
    assert "none of 4 hypotheses has a certified result" in out.splitlines()[2]


def test_a_projection_with_some_results_succeeds_and_counts_first(call, tmp_path):
    where = broken_search(tmp_path, 2, broken=1)
    words = ("project", where, "--lumi", "1,10", "--workers", 1)
    status, out, _ = call(*words)
    assert status == 0
    assert "2 of 4 hypotheses have a certified result" in out.splitlines()[2]
    record = json.loads(call(*words, "--json")[1])
    assert [one["failed"] for one in record["summary"]] == [1, 1]
