"""One job after the other in this process: the record of the command line, blocks, refusals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy")

import foreign_searches
from darkstats.cli.running import run
from darkstats.look_elsewhere.window_spectrum import SpectrumContext
from darkstats.service.asking import ask
from darkstats.service.questions import Question
from darkstats.service.store import JobState, Store
from darkstats.service.store.schema import RESULT
from darkstats.service.workers.worker import work_once

WORKSPACES = Path(__file__).resolve().parents[4] / "workspaces/examples"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(f"sqlite:///{tmp_path}/store.db")
    yield made
    made.close()


def question(store: Store, verb: str, path: Path, **options) -> Question:
    files = [path] if path.is_file() else sorted(p for p in path.iterdir() if p.is_file())
    named = {str(p.relative_to(path.parent)): p.read_bytes() for p in files}
    kept = store.documents.collect(named, owner="ana", title=path.name)
    return Question(verb=verb, options={"source": f"sha256:{kept.digest}/{path.name}", **options})


def finish(store: Store, most: int = 100) -> int:
    """Work until there is nothing to do; the number of claims."""
    return next(n for n in range(most) if not work_once(store))


def answer_of(store: Store, name: str) -> dict:
    job = store.queue.job(name)
    assert job.state is JobState.DONE, job.reason
    return json.loads(store.results.get(job.key).record)


def without_command(record: dict) -> dict:
    return {key: value for key, value in record.items() if key not in {"command", "provenance"}}


def test_a_limit_has_the_record_of_the_command_line(store, capsys) -> None:
    path = WORKSPACES / "two_bins.json"
    job = ask(store, question(store, "limit", path), owner="ana")
    assert finish(store) == 1
    assert run(["limit", str(path), "--json"]) == 0
    wanted = json.loads(capsys.readouterr().out)
    assert without_command(answer_of(store, job.name)) == without_command(wanted)


def test_a_scan_waits_for_its_blocks(store, capsys) -> None:
    path = WORKSPACES / "mass_scan"
    job = ask(store, question(store, "scan", path), owner="ana")
    claims = finish(store)
    assert claims >= 3  # up to the blocks, the blocks, and what they give
    assert run(["scan", str(path), "--json"]) == 0
    wanted = json.loads(capsys.readouterr().out)
    assert without_command(answer_of(store, job.name)) == without_command(wanted)
    states = [json.loads(e.body).get("state") for e in store.queue.events(job.id)]
    assert [s for s in states if s] == [
        "queued", "running", "waiting", "queued", "running", "done",
    ]  # fmt: skip


def test_a_refusal_is_an_answer(store) -> None:
    asked = question(store, "limit", WORKSPACES / "two_bins.json", poi="nu")
    job = ask(store, asked, owner="ana")
    finish(store)
    assert store.results.get(job.key).exit_status == 2
    assert "nu" in json.dumps(answer_of(store, job.name))


def test_more_toys_compute_only_new_blocks(store, tmp_path) -> None:
    foreign_searches.write(tmp_path / "b.json", foreign_searches.background())
    points = foreign_searches.patch_set(["mass"], [[k] for k in range(8)])
    foreign_searches.write(tmp_path / "s.json", points)
    scanned = tmp_path / "scanned"
    source = [str(tmp_path / "b.json"), "--patchset", str(tmp_path / "s.json")]
    assert run(["scan", *source, "-o", str(scanned), "--workers", "1"]) == 0
    paths = [path for path in tmp_path.rglob("*.[jg]*") if path.is_file()]
    files = {str(path.relative_to(tmp_path)): path.read_bytes() for path in paths}
    base = store.documents.collect(files, owner="ana", title="scanned").digest
    toys = SpectrumContext.toys_per_block

    def claims(blocks: int) -> int:
        options = {"source": f"sha256:{base}/scanned", "n_toys": blocks * toys}
        job = ask(store, Question(verb="global", options=options), owner="ana")
        found = finish(store)
        methods = answer_of(store, job.name)["methods"]
        assert [m["toys"]["asked"] for m in methods if m["method"] == "toys"] == [blocks * toys]
        return found

    def of_answer() -> None:
        """The same of a scan that the service made: its folder is planned anew."""
        asked = {"source": f"sha256:{base}/b.json", "patchset": f"sha256:{base}/s.json"}
        scan = ask(store, Question(verb="scan", options=asked), owner="ana")
        finish(store)
        options = {"source": f"result:{scan.key}", "n_toys": 2 * toys}
        job = ask(store, Question(verb="global", options=options), owner="ana")
        assert finish(store) == 1  # the toys of its job are there: it is the same job
        other = Question(verb="global", options={**options, "source": f"sha256:{base}/scanned"})
        wanted = answer_of(store, ask(store, other, owner="ana").name)
        assert without_command(answer_of(store, job.name)) == without_command(wanted)

    assert claims(1) == 3  # up to the blocks, the block, and what it gives
    assert claims(3) == 4  # two more blocks
    assert claims(2) == 1  # all are there
    of_answer()


@pytest.mark.parametrize("verb", ["limit", "project"])
def test_only_a_finished_scan_has_a_largest_excess(store, verb) -> None:
    if verb == "limit":
        asked = question(store, "limit", WORKSPACES / "two_bins.json")
    else:
        asked = question(
            store, "project", WORKSPACES / "mass_scan", luminosity_ifb=5.0, luminosities_ifb="10"
        )
    first = ask(store, asked, owner="ana")
    finish(store)
    options = {"source": f"result:{first.key}"}
    job = ask(store, Question(verb="global", options=options), owner="ana")
    finish(store)
    assert store.results.get(job.key).exit_status == 2
    assert "not the answer of a finished scan" in json.dumps(answer_of(store, job.name))


def test_a_scan_that_would_be_another_job_today_is_said_so(store) -> None:
    first = ask(store, question(store, "scan", WORKSPACES / "mass_scan"), owner="ana")
    finish(store)
    record = answer_of(store, first.name)
    record["provenance"]["job_sha256"] = "0" * 64
    with store.database.engine.begin() as connection:
        changed = RESULT.update().where(RESULT.c.key == first.key)
        connection.execute(changed.values(record=json.dumps(record).encode()))
    options = {"source": f"result:{first.key}"}
    job = ask(store, Question(verb="global", options=options), owner="ana")
    finish(store)
    assert store.results.get(job.key).exit_status == 2
    assert "another version of darkstats" in json.dumps(answer_of(store, job.name))
