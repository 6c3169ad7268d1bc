"""Two answers beside each other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from darkstats.service.api.parts import Parts
from darkstats.service.pages.here import Link, PageRoute, readable
from darkstats.service.pages.rendering import page
from darkstats.service.pages.shown import words_of
from darkstats.service.pages.views import Table
from darkstats.service.pages.views.comparisons import comparison_plots, comparison_tables
from darkstats.service.questions import Question

if TYPE_CHECKING:
    from darkstats.service.store import StoredResult

__all__ = ["router"]

router = APIRouter(route_class=PageRoute)
Chosen = Annotated[str, Query(pattern="^([0-9a-f]{64})?$")]
_MOST = 200


@router.get("/compare")
def compare(request: Request, a: Chosen = "", b: Chosen = "") -> Response:
    """Choose two answers, and see them in one plot and one table."""
    parts, owner = readable(request)
    choices = _choices(parts, owner, a, b)
    values: dict[str, Any] = {
        "here": "compare", "a": a, "b": b, "choices": choices, "error": "", "plots": (),
        "tables": (), "further": (),
    }  # fmt: skip
    if not (a and b):
        return page("compare.html", **values)
    found = [parts.results.get(key) for key in (a, b)]
    missing = [key for key, one in zip((a, b), found, strict=True) if one is None]
    if missing:
        words = f"There is no answer {missing[0][:12]}…; choose another."
        return page("compare.html", status=404, **values | {"error": words})
    records = [json.loads(one.record) for one in found if one is not None]
    labels = [_label(one) for one in found if one is not None]
    if any(not isinstance(one, Mapping) for one in records):
        return page("compare.html", **values | {"error": "One of them is a document, no answer."})
    plots, tables = comparison_plots(records, labels), comparison_tables(records, labels)
    further = [
        Link(address=f"/results/{key}", words=f"See {'the first' if key == a else 'the second'}")
        for key in (a, b)
    ]
    return page(
        "compare.html",
        **values | {"plots": plots, "tables": [_questions(labels), *tables], "further": further},
    )


def _label(one: StoredResult) -> str:
    question = Question.from_text(one.question)
    return f"{one.verb} {words_of(question.title, one.verb)}"


def _questions(labels: list[str]) -> Table:
    rows = [[name, label] for name, label in zip(("first", "second"), labels, strict=True)]
    return Table(title="What is compared", columns=["", "question"], rows=rows)


def _choices(parts: Parts, owner: str, a: str, b: str) -> list[Link]:
    """Answers that can be compared: the newest first, each once."""
    found: dict[str, str] = {}
    for job in parts.store.queue.jobs(owner, limit=_MOST):
        if job.state.value == "done" and job.verb not in {"inspect", "plot", "export"}:
            found.setdefault(job.key, f"{job.verb} {words_of(job.title, job.verb)}")
    for key in (a, b):
        if key and key not in found:
            found[key] = f"answer {key[:12]}"
    return [Link(address="", key=key, words=words) for key, words in found.items()]
