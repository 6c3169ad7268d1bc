"""Give every verb a great many inputs of odd meaning, and see that each ends as it should.

    python -m tests.soak.meaning --cases 100000 --seed 1 --log meaning.log \
        --output docs/studies/odd-meaning.json

The documents are valid JSON (:mod:`tests.soak.odd_documents`, :mod:`tests.soak.odd_files`) and the
command lines are those that people may give (:mod:`tests.soak.odd_cases`). Commands run in one
process for each worker, through the entry point of the command line. A case is a function of the
seed and its number: ``--first N --cases 1 --keep DIR`` repeats case N and keeps its files.

A case is bad if an exception or a Python warning leaves the command, if it speaks of an internal
error, if its exit status is not 0, 1 or 2, if a failure says nothing or its record is no record of
an error with that status, if JSON holds NaN or Infinity, if a message or table holds control
characters, if a file is left or changed that was not asked for, or if it takes more than ten
seconds of processor time. Compiled kernels are made first and not counted.

``--log`` keeps what is done, so that a run that is cut goes on; it is for one version of the
sources. The exit status is 1 if a case is bad.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import multiprocessing
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tests.soak import odd_cases

LIMIT_S = 10.0
"""Processor time that a command may take."""
STOP_S = 12.0
"""Processor time after which it is interrupted: what it would have taken does not matter."""
AGAIN_S = 0.5
MEMORY_MIB = 3000
"""Resident memory that a worker may reach."""
CHUNK = 100
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
NO_NUMBER = re.compile(r"(?<![\w.'])[-+\u2212]?(nan|inf|infinity)(?![\w.\['])")  # unless quoted

DOCUMENTS = frozenset({"prune", "rename", "combine", "patchset"})
"""Verbs that print names and numbers of documents."""
BAD_INPUT = 2
SHORTEST = 30
"""Characters that a message has at least."""

Row = dict[str, Any]
Files = dict[str, tuple[int, int]]


class _TooLongError(BaseException):
    """Not an Exception: no handler of the command may take it for its own."""


def _stop(*_: object) -> None:
    raise _TooLongError


def _refuse(token: str) -> float:
    raise ValueError(f"the token {token}")


def command(arguments: list[str]) -> Row:
    """Run a command; its status, what it printed, its warnings and its processor time."""
    from darkstats.cli.running import run

    out = io.TextIOWrapper(io.BytesIO(), "utf-8", errors="backslashreplace", write_through=True)
    err = io.TextIOWrapper(io.BytesIO(), "utf-8", errors="backslashreplace", write_through=True)
    row: Row = {"status": None, "left": ""}
    started = time.process_time()
    signal.signal(signal.SIGPROF, _stop)
    signal.setitimer(signal.ITIMER_PROF, STOP_S, AGAIN_S)
    try:
        with (
            warnings.catch_warnings(record=True) as seen,
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            warnings.simplefilter("always")
            row["status"] = run(arguments)
    except _TooLongError:
        row["left"] = "interrupted"
    except BaseException:  # whatever leaves the command is what is looked for
        row["left"] = traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
    row["seconds"] = time.process_time() - started
    row["warnings"] = [
        f"{w.category.__name__}: {w.message} ({w.filename}:{w.lineno})"
        for w in seen
        if not issubclass(w.category, ResourceWarning)
    ]
    for name, stream in (("out", out), ("err", err)):
        row[name] = stream.buffer.getvalue().decode("utf-8", "replace")  # type: ignore[attr-defined]
    return row


def files_of(folder: Path) -> Files:
    """Size and time of every file below a folder."""
    found = {}
    for where, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(where) / name
            state = path.stat(follow_symlinks=False)
            changed = 0 if name in folders else state.st_mtime_ns
            found[str(path.relative_to(folder))] = (state.st_size * (changed > 0), changed)
    return found


def _json_faults(text: str, what: str) -> Iterator[str]:
    try:
        json.loads(text, parse_constant=_refuse)
    except ValueError as error:
        yield f"{what} is no JSON: {error}"


def _end_faults(row: Row) -> Iterator[str]:
    """What is wrong with how it ended."""
    if row["left"]:
        yield "slow" if row["left"] == "interrupted" else "an exception left the command"
    elif row["status"] not in {0, 1, 2}:
        yield f"exit status {row['status']}"
    elif row["seconds"] > LIMIT_S:
        yield "slow"
    if "internal error" in row["err"] or "Traceback" in row["err"]:
        yield "internal error"
    if row["warnings"] or ("Warning" in row["err"] and ".py" in row["err"]):
        yield "a Python warning"


def _text_faults(case: odd_cases.Case, row: Row) -> Iterator[str]:
    """What is wrong with what it said."""
    status, out, err = row["status"], row["out"], row["err"]
    as_json = "--json" in case.arguments
    failed = status == BAD_INPUT or (status == 1 and not out)
    if failed and ("darkstats: error: " not in err or len(err) < SHORTEST):
        yield "a failure that says nothing"
    if as_json and status in {0, 1} and out:
        yield from _json_faults(out, "standard output")
    if as_json and status == BAD_INPUT:
        broken = list(_json_faults(out, "the record of the error"))
        yield from broken
        record = {} if broken else json.loads(out)
        error = record.get("schema") == "darkstats.error/1" and record.get("exit_status") == status
        if not (error or (case.arguments[0] == "verify" and record.get("problems"))):
            yield "no record of the error"
    if CONTROL.search(err) or (not as_json and CONTROL.search(out)):
        yield "control characters"
    if not as_json and case.arguments[0] not in DOCUMENTS and NO_NUMBER.search(out):
        yield "no number in a table"


def _file_faults(case: odd_cases.Case, before: Files, after: Files) -> Iterator[str]:
    """Files that were changed or left and not asked for."""
    for name in {*before, *after}:
        wanted = name.split("/")[0] in case.outputs
        if before.get(name) != after.get(name) and not wanted:
            yield f"changed {name}" if name in before else f"left {name}"


def faults(case: odd_cases.Case, row: Row, before: Files, after: Files) -> list[str]:
    """What is wrong with the end of a command; nothing if it ended as it should."""
    return [*_end_faults(row), *_text_faults(case, row), *_file_faults(case, before, after)]


def examine(seed: int, number: int, scratch: Path, keep: Path | None) -> Row:
    """Run one case; its row has ``faults`` where it is bad."""
    folder = scratch / "case"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of making odd numbers
        case = odd_cases.make(np.random.default_rng((seed, number)), folder)
    before = files_of(folder)
    os.chdir(folder)
    row = command(case.arguments)
    os.chdir(scratch)
    wrong = faults(case, row, before, files_of(folder))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    if memory > MEMORY_MIB:
        wrong.append(f"{memory} MiB of memory")
    found = {
        "case": number, "kind": case.kind, "verb": case.arguments[0], "status": row["status"],
        "seconds": row["seconds"], "faults": wrong,
    }  # fmt: skip
    if wrong:
        found |= {"arguments": case.arguments, "warnings": row["warnings"][:3]}
        found |= {"error": (row["left"] or row["err"])[-3000:]}
        if keep is not None:
            where = keep / f"case_{seed}_{number}"
            shutil.rmtree(where, ignore_errors=True)
            shutil.copytree(folder, where)
            text = json.dumps({**found, "out": row["out"][:20000]}, indent=1)
            (where / "what_went_wrong.txt").write_text(text, "utf-8")
    return found


_STATE: dict[str, Any] = {}


def _start(seed: int, keep: Path | None) -> None:
    _STATE.update(seed=seed, keep=keep)


def _ready() -> None:
    """Kernels, records to draw again, a folder of one's own."""
    scratch = _STATE["scratch"] = Path(tempfile.mkdtemp(prefix="meaning_"))
    made = scratch / "made"
    made.mkdir()
    odd_cases.prepare(made, command)


def chunk(bounds: tuple[int, int]) -> Row:
    """Examine the cases of a chunk; a worker makes itself ready with its first."""
    if not odd_cases.RECORDS:
        _ready()
    first, last = bounds
    ends: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    bad, slowest = [], (0.0, 0)
    for number in range(first, last):
        row = examine(_STATE["seed"], number, _STATE["scratch"], _STATE["keep"])
        ends[f"{row['verb']} {row['status']}"] += 1
        ends[f"kind: {row['kind']}"] += 1
        seconds[row["verb"]] += row["seconds"]
        slowest = max(slowest, (row["seconds"], number))
        if row["faults"]:
            bad.append(row)
    return {
        "first": first, "last": last, "ends": ends, "seconds": seconds, "slowest": slowest,
        "bad": bad,
    }  # fmt: skip


def version() -> str:
    """Digest of the sources that are tried and of this study."""
    root = Path(__file__).resolve().parents[2]
    digest = hashlib.sha256()
    for path in sorted([*root.glob("src/darkstats/**/*.py"), *root.glob("tests/soak/odd_*.py")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def summary(rows: list[Row], seed: int) -> Row:
    """The figures of a study."""
    ends: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    for row in rows:
        ends.update(row["ends"])
        seconds.update(row["seconds"])
    verbs: dict[str, Row] = {}
    for key, n in sorted(ends.items()):
        if not key.startswith("kind: "):
            verb, status = key.rsplit(" ", 1)
            verbs.setdefault(verb, {"cases": 0})[status] = n
            verbs[verb]["cases"] += n
    for verb, row in verbs.items():
        row["mean_seconds"] = round(seconds[verb] / row["cases"], 4)
    slowest = max((tuple(row["slowest"]) for row in rows), default=(0.0, 0))
    bad = [one for row in rows for one in row["bad"]]
    return {
        "schema": "darkstats.odd-meaning/1",
        "seed": seed,
        "cases": sum(row["last"] - row["first"] for row in rows),
        "bad": len(bad),
        "faults": dict(Counter(fault for one in bad for fault in one["faults"])),
        "slowest_seconds": round(slowest[0], 2),
        "slowest_case": slowest[1],
        "kinds": {k[6:]: n for k, n in sorted(ends.items()) if k.startswith("kind: ")},
        "verbs": verbs,
        "bad_cases": [{k: one[k] for k in ("case", "faults", "arguments")} for one in bad[:50]],
    }


def _kept(log: Path | None, head: Row) -> list[Row]:
    """Chunks of an earlier run."""
    if log is None or not log.exists():
        if log is not None:
            log.write_text(json.dumps(head) + "\n", "utf-8")
        return []
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines() if line.endswith("}")]
    if lines[0] != head:
        sys.exit(f"{log} is of other sources or another seed: {lines[0]}; begin another")
    return lines[1:]


def main() -> int:
    """Run, and write the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--log", type=Path)
    parser.add_argument("--keep", type=Path, help="folder for the inputs of bad cases")
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    if asked.keep:
        asked.keep = asked.keep.resolve()
        asked.keep.mkdir(parents=True, exist_ok=True)
    rows = _kept(asked.log, {"version": version(), "seed": asked.seed})
    done = {row["first"] for row in rows}
    last = asked.first + asked.cases
    chunks = [(k, min(k + CHUNK, last)) for k in range(asked.first, last, CHUNK) if k not in done]
    context = multiprocessing.get_context("spawn")
    started, bad = time.monotonic(), sum(len(row["bad"]) for row in rows)
    with context.Pool(asked.workers, _start, (asked.seed, asked.keep)) as pool:
        for row in pool.imap_unordered(chunk, chunks):
            rows.append(json.loads(json.dumps(row)))
            bad += len(row["bad"])
            if asked.log:
                with asked.log.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
            n = sum(r["last"] - r["first"] for r in rows)
            sys.stderr.write(f"{n} cases, {bad} bad, {time.monotonic() - started:.0f} s\n")
            for one in row["bad"]:
                text = " | ".join(one["error"].splitlines()[-1:])[:300]
                sys.stderr.write(
                    f"  {one['case']} {one['arguments'][:2]} {one['faults']} "
                    f"{one['warnings'][:1]} {text}\n"
                )
    found = summary(rows, asked.seed)
    sys.stdout.write(json.dumps({k: v for k, v in found.items() if k != "bad_cases"}) + "\n")
    if asked.output:
        asked.output.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    return int(found["bad"] > 0)


if __name__ == "__main__":
    sys.exit(main())
