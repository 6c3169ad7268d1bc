"""Scans from the command line: folders, shards, kills, global significance, projections."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from darkstats.cli import run
from darkstats.execution.dask_cluster import DaskCluster

REPOSITORY = Path(__file__).parents[2]
EXAMPLE = REPOSITORY / "workspaces/examples/mass_scan"
SOURCE = (str(EXAMPLE / "background_only.json"), "--patchset", str(EXAMPLE / "patchset.json"))
ALP = REPOSITORY / "workspaces/alp"
Z2018 = REPOSITORY / "workspaces/zprime_invisible_2018"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a finished scan."""
    folder = tmp_path_factory.mktemp("scans") / "finished"
    assert run(["scan", *SOURCE, "-o", str(folder), "--workers", "1"]) == 0
    return folder


def result(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "scan.json").read_text("utf-8"))


def some_masses(folder: Path, n: int) -> tuple[Path, str, Path]:
    """A search with its first ``n`` hypotheses only, as arguments of a scan."""
    import gzip

    document = json.loads(gzip.decompress((ALP / "patchset.json.gz").read_bytes()))
    document["patches"] = document["patches"][:n]
    patches = folder / "patches.json"
    patches.write_text(json.dumps(document), "utf-8")
    return ALP / "background_only.json", "--patchset", patches


def test_a_record_says_what_the_folder_keeps(call, finished, tmp_path):
    status, out, _ = call("scan", *SOURCE, "-o", finished, "--json", "--workers", 1)
    assert status == 0
    record = json.loads(out)
    assert record == result(finished)
    assert [p["status"] for p in record["points"]] == ["ok"] * len(record["points"])
    rows = (finished / "scan.csv").read_text("utf-8").splitlines()
    data = [row for row in rows if not row.startswith("#")]
    assert len(data) == 1 + len(record["points"])


def test_lost_blocks_are_run_again_and_others_are_not(call, tmp_path):
    where = tmp_path / "scan"
    source = some_masses(tmp_path, 48)
    assert call("scan", *source, "-o", where, "--workers", 1)[0] == 0
    before = (where / "scan.json").read_bytes()
    blocks = sorted((where / "blocks").iterdir())
    assert len(blocks) == 3
    kept = blocks[0].stat().st_mtime_ns
    blocks[1].unlink()
    blocks[2].write_bytes(blocks[2].read_bytes()[:-30])  # half written by a file system
    (where / "scan.json").unlink()
    assert call("scan", *source, "-o", where, "--workers", 2)[0] == 0
    assert (where / "scan.json").read_bytes() == before
    assert blocks[0].stat().st_mtime_ns == kept


def test_a_killed_scan_resumes_to_the_same_bytes(call, tmp_path):
    """SIGKILL after the first block; the second run takes up the rest."""
    source = some_masses(tmp_path, 80)
    assert call("scan", *source, "-o", tmp_path / "whole", "--workers", 1)[0] == 0
    where = tmp_path / "killed"
    words = [
        sys.executable, "-m", "darkstats", "scan", *map(str, source), "-o", str(where),
        "--workers", "1",
    ]  # fmt: skip
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120.0
    while not list((where / "blocks").glob("0*.json")) and time.monotonic() < deadline:
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert list((where / "blocks").glob("0*.json"))
    assert not (where / "scan.json").exists()
    assert call("scan", *source, "-o", where, "--workers", 2)[0] == 0
    assert (where / "scan.json").read_bytes() == (tmp_path / "whole/scan.json").read_bytes()


def test_shards_give_what_a_scan_gives(call, tmp_path):
    source = some_masses(tmp_path, 64)
    assert call("scan", *source, "-o", tmp_path / "whole", "--workers", 1)[0] == 0
    here, there = tmp_path / "here", tmp_path / "there"
    status, out, _ = call("shards", "plan", *source, "-o", here, "--json")
    assert (status, json.loads(out)["blocks"]) == (0, 4)
    shutil.copytree(here, there)  # a job on another machine
    assert call("shards", "run", here, "--shard", 0, "--of", 2)[0] == 0
    status, _, err = call("shards", "merge", here)
    assert status == 1
    assert "2 of 4 blocks are missing: 1, 3" in " ".join(err.split())
    assert call("shards", "run", there, "--shard", 1, "--of", 2)[0] == 0
    for _ in range(2):  # as often as one likes
        assert call("shards", "merge", here, there)[0] == 0
        assert (here / "scan.json").read_bytes() == (tmp_path / "whole/scan.json").read_bytes()


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_gives_the_same_bytes(call, dask_cluster, tmp_path):
    source = some_masses(tmp_path, 40)
    assert call("scan", *source, "-o", tmp_path / "here", "--workers", 1)[0] == 0
    address = dask_cluster.scheduler_address.replace("tcp://", "dask://")
    assert call("scan", *source, "-o", tmp_path / "there", "--cluster", address)[0] == 0
    here, there = (tmp_path / name / "scan.json" for name in ("here", "there"))
    assert here.read_bytes() == there.read_bytes()


def test_an_unreachable_scheduler_is_named_and_nothing_is_lost(call, tmp_path, monkeypatch):
    pytest.importorskip("distributed", reason="Dask is an optional extra")
    hasty = partial(DaskCluster, patience_s=0.5)
    monkeypatch.setattr("darkstats.execution.run.DaskCluster", hasty)
    source = some_masses(tmp_path, 32)
    where = tmp_path / "scan"
    assert call("shards", "plan", *source, "-o", where)[0] == 0
    assert call("shards", "run", where, "--shard", 0, "--of", 2)[0] == 0
    status, _, err = call("scan", *source, "-o", where, "--cluster", "dask://127.0.0.1:9")
    assert status == 1
    assert "no Dask scheduler answers at tcp://127.0.0.1:9" in " ".join(err.split())
    assert len(list((where / "blocks").iterdir())) == 1


def test_foreign_and_damaged_shards_are_refused(call, finished, tmp_path):
    other = tmp_path / "other"
    assert call("shards", "plan", *SOURCE, "-o", other, "--cl", 0.9)[0] == 0
    status, _, err = call("shards", "merge", finished, other)
    assert status == 1
    assert "another job" in err
    mine = tmp_path / "mine"
    shutil.copytree(finished, mine)
    block = next((mine / "blocks").iterdir())
    block.write_bytes(block.read_bytes().replace(b"1", b"2"))
    status, _, err = call("shards", "merge", mine)
    assert status == 1
    assert block.name in err
    assert "damaged" in err
    assert result(finished)["summary"]["failed"] == 0


def test_damaged_documents_are_refused(call, finished, tmp_path):
    mine = tmp_path / "mine"
    shutil.copytree(finished, mine)
    documents = mine / "inputs.json.gz"
    documents.write_bytes(documents.read_bytes()[:-20])
    status, _, err = call("shards", "run", mine)
    assert status == 1
    assert "inputs.json.gz: changed since it was written" in " ".join(err.split())


def test_another_scan_into_the_folder_is_refused_and_says_why(call, finished):
    before = (finished / "scan.json").read_bytes()
    status, _, err = call("scan", *SOURCE, "-o", finished, "--cl", 0.9)
    assert status == 2
    assert "cl 0.95, asked for 0.9" in " ".join(err.split())
    assert (finished / "scan.json").read_bytes() == before


def test_a_patch_set_of_another_workspace_is_refused(call, tmp_path):
    status, _, err = call(
        "scan", EXAMPLE / "background_only.json", "--patchset", ALP / "patchset.json.gz",
        "-o", tmp_path / "scan",
    )  # fmt: skip
    assert status == 2
    assert "the patch set belongs to the workspace with sha256" in " ".join(err.split())
    assert not (tmp_path / "scan").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((EXAMPLE / "background_only.json",), "--patchset"),
        ((ALP, "--patchset", EXAMPLE / "patchset.json"), "patch set of its own"),
        ((ALP, "--toys", "100"), "--calculator toys"),
        ((ALP, "--method", "clx"), "clx"),
        ((ALP, "--cluster", "slurm://head"), "dask://HOST:PORT"),
        ((ALP, "--workers", "0"), "--workers 0"),
    ],
)
def test_options_that_contradict_are_named(call, words, says):
    status, _, err = call("scan", *words)
    assert status == 2
    assert says in " ".join(err.split())


def test_a_full_disk_keeps_what_is_finished(call, tmp_path, monkeypatch):
    """The disk fills up after the first block: a clear error, and the rest later."""
    from darkstats.execution import store

    source = some_masses(tmp_path, 48)
    where = tmp_path / "scan"
    write, written = store._write, []

    def full(path: Path, data: bytes) -> None:
        if path.parent.name == "blocks" and written:
            raise OSError(28, "No space left on device")
        if path.parent.name == "blocks":
            written.append(path)
        write(path, data)

    monkeypatch.setattr(store, "_write", full)
    status, _, err = call("scan", *source, "-o", where, "--workers", 1)
    assert status == 2
    assert "No space left on device" in " ".join(err.split())
    assert [path.name for path in (where / "blocks").iterdir()] == [written[0].name]
    monkeypatch.setattr(store, "_write", write)
    kept = written[0].stat().st_mtime_ns
    assert call("scan", *source, "-o", where, "--workers", 1)[0] == 0
    assert written[0].stat().st_mtime_ns == kept


def test_global_needs_a_finished_scan_with_data(call, finished, tmp_path):
    status, _, err = call("global", tmp_path)
    assert status == 2
    assert "no result of a finished scan" in " ".join(err.split())
    blind = tmp_path / "blind"
    assert call("scan", *SOURCE, "-o", blind, "--blind", "--workers", 1)[0] == 0
    status, _, err = call("global", blind)
    assert status == 2
    assert "looked at no data" in " ".join(err.split())


def test_global_is_the_same_for_any_workers_and_more_toys_go_on(call, finished, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    for folder, workers in ((one, 1), (two, 2)):
        shutil.copytree(finished, folder)
        status, out, _ = call(
            "global", folder, "--toys", 2048, "--workers", workers, "--json", "--seed", 3
        )
        assert status == 0
    text = (one / "global.json").read_bytes()
    assert text == (two / "global.json").read_bytes()
    first = (one / "toys_seed_3/blocks/000000.json").stat().st_mtime_ns
    status, out, _ = call("global", one, "--toys", 3072, "--workers", 1, "--json", "--seed", 3)
    record = json.loads(out)
    toys = record["methods"][0]
    assert (toys["method"], toys["toys"]["ok"]) == ("toys", 3072)
    assert (one / "toys_seed_3/blocks/000000.json").stat().st_mtime_ns == first
    assert 0.0 < record["p_global"] <= 1.0
    assert record["p_global"] >= record["p_local"]


def test_more_toys_than_were_asked_for_are_told(call, finished, tmp_path):
    shutil.copytree(finished, tmp_path / "scan")
    words = ("global", tmp_path / "scan", "--workers", 1, "--toys")
    status, out, _ = call(*words, 200)
    assert status == 0
    assert "toys 1024, not 200: whole blocks of 1024" in " ".join(out.split())
    record = json.loads((tmp_path / "scan/global.json").read_text("utf-8"))
    assert record["toys"] == {"asked": 200, "thrown": 1024, "per_block": 1024}
    _, out, _ = call(*words, 1024)
    assert "whole blocks" not in out


def test_global_of_a_built_search_scans_it_first(call, tmp_path):
    status, out, err = call(
        "global", REPOSITORY / "workspaces/zprime_lfv_2018", "-o", tmp_path / "scan",
        "--toys", 1024, "--json",
    )  # fmt: skip
    assert status == 0, err
    record = json.loads(out)
    assert record["simulated"] is True
    top = result(tmp_path / "scan")["summary"]["largest_excess"]
    assert record["point"]["name"] == top["name"]
    assert record["z_local"] == top["significance"]


def test_a_projection_says_how_systematics_scale(call, tmp_path):
    status, out, _ = call(
        "project", REPOSITORY / "workspaces/zprime_lfv_2018", "--lumi", "1,50", "--method", "cls",
        "--systematics", "none", "--json", "--workers", 2,
    )  # fmt: skip
    assert status == 0
    record = json.loads(out)
    assert "none" in record["systematics_statement"] or "no " in record["systematics_statement"]
    small, large = record["scans"]
    assert (small["luminosity_ipb"], large["luminosity_ipb"]) == (1e3, 5e4)
    for few, many in zip(small["points"], large["points"], strict=True):
        ratio = few["expected"][2] / many["expected"][2]
        assert 50**0.45 < ratio < 50.0  # between background-dominated and background-free
    status, _, err = call("project", *SOURCE, "--lumi", "1")
    assert status == 2
    assert "does not say its luminosity" in " ".join(err.split())


def test_a_projection_keeps_its_work(call, tmp_path):
    """Run again with more luminosities, it computes only those, and writes the same bytes."""
    words = (
        "project", REPOSITORY / "workspaces/zprime_lfv_2018", "--method", "cls", "--workers", 1,
    )  # fmt: skip
    kept = tmp_path / "reach"
    assert call(*words, "--lumi", "1", "-o", kept)[0] == 0
    blocks = {path: path.stat().st_mtime_ns for path in (kept / "1_ifb").rglob("*.json")}
    status, out, _ = call(*words, "--lumi", "1,50", "-o", kept, "--json")
    assert status == 0
    assert (kept / "projection.json").read_text("utf-8") == out
    assert blocks
    assert all(path.stat().st_mtime_ns == time for path, time in blocks.items())
    assert (kept / "50_ifb").is_dir()
    again = json.loads(call(*words, "--lumi", "1,50", "--json")[1])
    assert again["scans"] == json.loads(out)["scans"]


def some_windows(folder: Path, n: int) -> tuple[object, ...]:
    """The Z' search of 2018 with some of its windows, as arguments of a Bayesian scan."""
    document = json.loads((Z2018 / "patchset.json").read_text("utf-8"))
    document["patches"] = document["patches"][::2][:n]
    patches = folder / "windows.json"
    patches.write_text(json.dumps(document), "utf-8")
    return Z2018 / "background_only.json", "--patchset", patches, "--method", "bayes"


def test_the_card_asks_for_bayesian_limits(call, tmp_path):
    """Without --method: 90 % credibility, every window with its engine, in record and tables."""
    folder = tmp_path / "scan"
    status, out, _ = call("scan", Z2018, "-o", folder, "--workers", 1)
    assert status == 0
    assert "90 % credibility" in out
    assert "flat in the signal strength" in " ".join(out.split())
    record = result(folder)
    assert (record["method"], record["cl"], record["calculator"]) == ("bayes", 0.9, "posterior")
    assert record["summary"]["failed"] == 0
    assert {point["engine"] for point in record["points"]} == {"quadrature"}
    assert record["test_stat"] is None
    assert record["test_stat_reason"]
    assert all(point["p0"] <= 0.5 for point in record["points"])
    head = (folder / "scan.csv").read_text("utf-8").splitlines()[:5]
    assert any("90 % credibility, bayes, posterior" in line for line in head)
    assert any(line.startswith("# prior: flat") for line in head)


def test_a_killed_bayesian_scan_resumes_to_the_same_bytes(call, tmp_path):
    """One block is lost, one is half written; two workers make up for it."""
    source = some_windows(tmp_path, 60)
    where = tmp_path / "scan"
    assert call("scan", *source, "-o", where, "--workers", 1)[0] == 0
    before = (where / "scan.json").read_bytes()
    blocks = sorted((where / "blocks").iterdir())
    assert len(blocks) == 4
    blocks[0].unlink()
    blocks[3].write_bytes(blocks[3].read_bytes()[:-9])
    (where / "scan.json").unlink()
    assert call("scan", *source, "-o", where, "--workers", 2)[0] == 0
    assert (where / "scan.json").read_bytes() == before


def test_shards_of_a_bayesian_scan_keep_its_priors(call, tmp_path):
    """Planned with a prior and run elsewhere: what a scan gives."""
    source = (*some_windows(tmp_path, 20), "--prior", "coupling:2", "--efficiency", "gamma")
    assert call("scan", *source, "-o", tmp_path / "whole", "--workers", 1)[0] == 0
    job = tmp_path / "job"
    assert call("shards", "plan", *source, "-o", job)[0] == 0
    assert call("shards", "run", job)[0] == 0
    assert call("shards", "merge", job)[0] == 0
    assert (job / "scan.json").read_bytes() == (tmp_path / "whole/scan.json").read_bytes()
    prior = result(job)["prior"]
    assert prior["name"] == "coupling"
    assert prior["efficiency"] == "gamma"


def test_a_bayesian_search_is_projected(call):
    """Expected limits fall with the luminosity; the table speaks of credibility."""
    words = ("project", Z2018, "--lumi", "0.276,27.6", "--workers", 1)
    status, out, _ = call(*words, "--json")
    assert status == 0
    now, later = json.loads(out)["scans"]
    assert now["method"] == later["method"] == "bayes"
    assert now["blind"]
    for a, b in zip(now["points"], later["points"], strict=True):
        assert b["status"] == "ok", b["reason"]
        assert b["expected"][2] < a["expected"][2]
    status, out, _ = call(*words)
    assert status == 0
    assert "90 % credibility" in out
