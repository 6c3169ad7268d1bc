"""How jobs and answers are told of."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from darkstats.service.pages.views import Fact
from darkstats.service.store.rows import JobState

if TYPE_CHECKING:
    from darkstats.service.store import Event, Store, StoredJob

__all__ = ["JobView", "Row", "Wrong", "job_view", "rows_of", "words_of", "wrong_of"]

_RATE_OVER_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A question in a list."""

    address: str
    verb: str
    words: str
    state: str
    created: float
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """How far a step is."""

    words: str
    done: float
    total: float


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A job as a page tells of it."""

    name: str
    verb: str
    words: str
    state: str
    final: bool
    saying: str
    reason: str = ""
    step: str = ""
    bar: Bar | None = None
    facts: Sequence[Fact] = field(default_factory=tuple)
    result: str = ""
    file: str = ""


def words_of(title: str, verb: str) -> str:
    """The options of a question in a line."""
    return title.removeprefix(verb).strip()


def rows_of(store: Store, jobs: Iterable[StoredJob]) -> list[Row]:
    """Jobs in a list, with what came of each."""
    listed = list(jobs)
    ends = store.results.exit_statuses(job.key for job in listed if job.state is JobState.DONE)
    return [_row(job, ends.get(job.key, 0)) for job in listed]


def _row(job: StoredJob, exit_status: int) -> Row:
    state = job.state.value
    if job.state is JobState.DONE and exit_status:
        state = "uncertified" if exit_status == 1 else "refused"
    done = job.state is JobState.DONE
    return Row(
        address=f"/results/{job.key}" if done else f"/jobs/{job.name}",
        verb=job.verb, words=words_of(job.title, job.verb), state=state, created=job.created,
        key=job.key,
    )  # fmt: skip


_SAYING = {
    JobState.QUEUED: "It waits for its turn.",
    JobState.RUNNING: "",
    JobState.WAITING: "Its blocks are computed.",
    JobState.DONE: "The answer is there.",
    JobState.FAILED: "",
    JobState.CANCELLED: "Nothing of it runs any more. Blocks that were finished are kept.",
}


def job_view(job: StoredJob, events: Sequence[Event], now: float | None = None) -> JobView:
    """A job and how far it is, from its events."""
    now = time.time() if now is None else now
    steps = [(one.created, json.loads(one.body)) for one in events if one.kind == "progress"]
    blocks = [(one.created, json.loads(one.body)) for one in events if one.kind == "blocks"]
    notes = [str(body["said"]) for _, body in steps if body.get("said")]
    steps = [(at, body) for at, body in steps if "step" in body]
    ended = job.finished if job.state.is_final and job.finished else now
    facts = [Fact(label="Asked", value=_ago(now - job.created))]
    if job.started is not None:
        facts.append(Fact(label="Time", value=_span(ended - job.started)))
    bar, step = None, ""
    if not job.state.is_final:
        bar, step, more = _progress(steps, blocks, waiting=job.state is JobState.WAITING)
        facts += more
    if job.attempt > 1 and not job.state.is_final:
        facts.append(Fact(label="Attempt", value=str(job.attempt)))
    return JobView(
        name=job.name, verb=job.verb, words=words_of(job.title, job.verb), state=job.state.value,
        final=job.state.is_final, saying=notes[-1] if notes and not job.state.is_final else
        _SAYING[job.state], reason=job.reason if job.state is JobState.FAILED else "",
        step=step, bar=bar, facts=facts,
        result=f"/results/{job.key}" if job.state is JobState.DONE else "",
    )  # fmt: skip


def _progress(
    steps: Sequence[tuple[float, Mapping[str, Any]]],
    blocks: Sequence[tuple[float, Mapping[str, Any]]],
    *,
    waiting: bool,
) -> tuple[Bar | None, str, list[Fact]]:
    if waiting and blocks:
        at, last = blocks[-1]
        done, of = int(last["done"] or 0), int(last["of"] or 0)
        facts = []
        recent = [(t, b) for t, b in blocks if at - t <= 3 * _RATE_OVER_S]
        if len(recent) > 1 and at > recent[0][0]:
            speed = (done - int(recent[0][1]["done"] or 0)) / (at - recent[0][0])
            if speed > 0.0:
                facts += _speed(speed * int(last.get("each", 1)), str(last.get("unit", "blocks")))
                facts.append(Fact(label="Left, about", value=_span((of - done) / speed)))
        return Bar(words=f"{done} of {of} blocks", done=done, total=max(of, 1)), "", facts
    if not steps:
        return None, "", []
    at, last = steps[-1]
    name, unit = str(last.get("step", "")), str(last.get("unit", ""))
    total, done = last.get("total"), last.get("done") or 0
    facts = []
    same = [(t, b) for t, b in steps if b.get("step") == name and at - t <= _RATE_OVER_S]
    if len(same) > 1 and at > same[0][0]:
        speed = (done - (same[0][1].get("done") or 0)) / (at - same[0][0])
        if speed > 0.0:
            facts += _speed(speed, unit)
            if total:
                facts.append(Fact(label="Left, about", value=_span((total - done) / speed)))
    if not total:
        return None, name, facts
    return Bar(words=f"{name}: {done:,} of {total:,} {unit}", done=done, total=total), name, facts


def _speed(a_second: float, unit: str) -> list[Fact]:
    """How fast it goes: in a second, or in a minute where that is less than one."""
    if a_second >= 1.0:
        return [Fact(label=f"{unit.capitalize()} a second", value=f"{a_second:,.0f}")]
    return [Fact(label=f"{unit.capitalize()} a minute", value=f"{60.0 * a_second:,.1f}")]


def _span(seconds: float) -> str:
    seconds = max(seconds, 0.0)
    if seconds < 60.0:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _ago(seconds: float) -> str:
    return "just now" if seconds < 5.0 else f"{_span(seconds)} ago"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """Why there is no number, and what may help."""

    title: str
    words: Sequence[str]
    remedy: str = ""
    findings: Sequence[Mapping[str, Any]] = ()


def wrong_of(record: Mapping[str, Any], exit_status: int) -> Wrong | None:
    """What is wrong with an answer; ``None`` where nothing is."""
    is_error = str(record.get("schema", "")).startswith("darkstats.error/")
    if not is_error and not exit_status:
        return None
    refused = exit_status == 2
    title = "This cannot be answered." if refused else "The answer cannot be certified."
    if not is_error:
        reasons = [str(v) for k, v in record.items() if k.endswith("_reason") and "obs" in k]
        return Wrong(title=title, words=reasons or ["None of the numbers below is certified."])
    findings = [one for one in record.get("findings") or () if isinstance(one, Mapping)]
    message = str(record.get("problem") or record.get("message", ""))
    if findings:
        message = f"The document has {len(findings)} problem{'s' if len(findings) > 1 else ''}."
    pointer = record.get("pointer")
    words = [message, f"In the document at {pointer}."] if pointer else [message]
    if not refused:
        words.append(
            "A number that is not certified is not shown. Toys, another point, or a document "
            "without the cause that is named may help."
        )
    remedy = "" if findings else str(record.get("remedy") or record.get("hint") or "")
    return Wrong(title=title, words=words, remedy=remedy, findings=findings)
