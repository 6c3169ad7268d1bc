"""Answers: the numbers, what they rest on, and files to take away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import RedirectResponse

from darkstats.service.api.problems import ProblemError
from darkstats.service.api.shapes import result_path
from darkstats.service.pages.here import (
    ALL_FILES,
    Link,
    PageRoute,
    answer_within,
    ask_address,
    file_address,
    readable,
    subject_of,
)
from darkstats.service.pages.rendering import page
from darkstats.service.pages.shown import words_of, wrong_of
from darkstats.service.pages.views import View, numbers_of, view_of
from darkstats.service.questions import Question, references, takes_scan_folder

if TYPE_CHECKING:
    from darkstats.service.store import StoredResult

__all__ = ["found_result", "router"]

router = APIRouter(route_class=PageRoute)
Key = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]
_WAIT_S = 25.0
_LARGEST_RECORD = 48 * 2**20
#: Verbs whose figures are drawn from their records; others are asked again, with the figure.
_DRAWN_AGAIN = {"scan", "project", "global"}
_TABLES = {"scan", "contour"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """Something to know at a glance."""

    words: str
    look: str = ""


def found_result(request: Request, key: str) -> StoredResult:
    """The answer with this key.

    Raises
    ------
    ProblemError
        There is none.
    """
    parts, _ = readable(request)
    found = parts.results.get(key)
    if found is None:
        raise ProblemError(404, "There is no such answer; ask the question again.")
    return found


@router.get("/results/{key}")
def result(request: Request, key: Key) -> Response:
    """An answer."""
    found = found_result(request, key)
    question = Question.from_text(found.question)
    asked = question.plain()
    if len(found.record) > _LARGEST_RECORD:
        record: Any = {"schema": "", "size": len(found.record)}
    else:
        record = json.loads(found.record)
    if not isinstance(record, Mapping):
        record = {"answer": record}
    wrong = wrong_of(record, found.exit_status)
    view = view_of(record, found.verb)
    further = _further(found, view, can_be_global=_has_excess(found, record))
    return page(
        "result.html", here="history", view=view, verb=found.verb, wrong=wrong,
        words=words_of(question.title, question.verb), tags=_tags(numbers_of(record), found),
        source=subject_of(asked), again=_again(question), pictures=_pictures(found),
        downloads=_downloads(found), figures=_figures(found, view), further=further,
        command=_command(question), constraints_address=_constraints(found, record),
        data_address=f"/parts/postfit?key={found.key}" if found.verb == "fit" and not wrong else "",
    )  # fmt: skip


def _constraints(found: StoredResult, record: Mapping[str, Any]) -> str:
    """Where a scan of a coupling is shown beside what is known of it."""
    points = record.get("points") or [{}]
    has_coupling = found.verb == "scan" and bool(points[0].get("couplings"))
    return f"/parts/constraints?key={found.key}" if has_coupling else ""


def _tags(record: Mapping[str, Any], found: StoredResult) -> list[Tag]:
    said = record.get("provenance") or {}
    simulated = (said.get("workspace") or {}).get("simulated", record.get("simulated"))
    tags = []
    if simulated:
        tags.append(Tag(words="simulated data", look="simulated"))
    if said.get("blind") or record.get("blind"):
        tags.append(Tag(words="blind"))
    if found.exit_status == 1:
        tags.append(Tag(words="not certified", look="warn"))
    return tags


def _again(question: Question) -> str:
    """The form with what was asked in it."""
    given = {}
    for name, value in question.plain()["options"].items():
        if isinstance(value, list):
            given[name] = "\n".join(map(_text, value))
        else:
            given[name] = _text(value)
    return ask_address(question.verb, **given)


def _text(value: Any) -> str:  # noqa: ANN401 -- any JSON value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ":".join(map(str, value))
    return str(value)


def _pictures(found: StoredResult) -> list[Link]:
    return [
        Link(address=f"{result_path(found.key)}/files/{quote(name)}", title=name)
        for name in found.artefacts
        if name.endswith((".svg", ".png")) and "/" not in name and found.verb in {"plot", "recast"}
    ]


def _downloads(found: StoredResult) -> list[Link]:
    path, key = result_path(found.key), found.key
    files = [name for name in found.artefacts if not name.startswith(".")]
    links = [Link(address=f"{path}?download=true", words="Record (JSON)", file=True)]
    if found.verb in _TABLES:
        links.append(Link(address=f"/results/{key}/table.csv", words="Table (CSV)"))
        links.append(Link(address=f"/results/{key}/hepdata", words="HEPData"))
    links += [
        Link(address=f"{path}/files/{quote(name)}?download=true", words=name, file=True)
        for name in list(files)[:20]
    ]
    if files:
        links.append(Link(address=f"{path}/files.zip", words="Everything (ZIP)", file=True))
    return links


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure in all its formats."""

    words: str
    links: Sequence[Link]


def _figures(found: StoredResult, view: View) -> list[Figure]:
    return [
        Figure(
            words=f"Figure: {kind.replace('-', ' ')}",
            links=[
                Link(address=f"/results/{found.key}/figures/{kind}.{form}", words=form.upper())
                for form in ("pdf", "svg", "png", "csv")
            ],
        )
        for kind in view.figures
    ]


def _has_excess(found: StoredResult, record: Mapping[str, Any]) -> bool:
    """Whether a scan looked at data, and found how large an excess there is at most."""
    if found.verb != "scan" or found.exit_status or record.get("blind"):
        return False
    return (record.get("summary") or {}).get("largest_excess") is not None


def _further(found: StoredResult, view: View, *, can_be_global: bool) -> list[Link]:
    key = f"result:{found.key}"
    links = []
    if "contour" in view.next_steps:
        links.append(
            Link(address=ask_address("contour", results=key), words="Draw the exclusion contour")
        )
    if can_be_global:
        links.append(
            Link(
                address=ask_address("global", source=key),
                words="How significant is the largest excess anywhere?",
            )
        )
    if found.verb == "inspect":
        return links
    links.append(Link(address=f"/compare?a={found.key}", words="Compare with another answer"))
    links.append(Link(address=_again(Question.from_text(found.question)), words="Ask once more"))
    return links


def _command(question: Question) -> str:
    """The question as one would type it, documents by their names."""
    import shlex

    from darkstats.options import named_choices
    from darkstats.service.questions import request_type

    known = named_choices(request_type(question.verb))
    words = ["darkstats", *question.verb.split()]
    asked = question.plain()["options"].items()
    for name, value in sorted(asked, key=lambda one: bool(known[one[0]][0].option.flags)):
        flags = known[name][0].option.flags
        flag = max(flags, key=len) if flags else ""
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, bool):
                on, _, off = flag.partition("/")
                words.append(on if one else off or on)
                continue
            text = _typed(
                ":".join(map(str, one)) if isinstance(one, list) else str(one), question.verb
            )
            words += [flag, text] if flag else [text]
    return shlex.join(words)


def _typed(text: str, verb: str) -> str:
    """A value as one would type it; a scan is named by the folder that ``scan -o`` would leave."""
    answer = "scan-{}" if takes_scan_folder(verb) else "answer-{}.json"
    for one in references(text):
        name = one.name or (answer.format(one.key[:12]) if one.key else ".")
        text = text.replace(one.text, name)
    return text


@router.get("/results/{key}/figures/{figure}")
async def figure(
    request: Request,
    key: Key,
    figure: Annotated[str, Path(pattern=r"^([a-z][a-z0-9_]{0,39}\.)?(csv|svg|png|pdf)$")],
) -> Response:
    """Draw it, once, and offer it as a file."""
    found = await asyncio.to_thread(found_result, request, key)
    kind, _, form = figure.rpartition(".")
    name = figure if kind else f"figure.{form}"
    if name in found.artefacts:
        return _file(key, name)
    asked = json.loads(found.question)
    if found.verb in _DRAWN_AGAIN:
        question = Question(verb="plot", options={"results": [f"result:{key}"]}, figures=(form,))
        name = f"figure.{form}"
    else:
        question = Question(verb=found.verb, options=asked["options"], figures=(figure,))
    return await _made(request, question, name)


@router.get("/results/{key}/table.csv")
async def table(request: Request, key: Key) -> Response:
    """The numbers of a scan, one line a hypothesis; of a contour its curves."""
    found = await asyncio.to_thread(found_result, request, key)
    if found.verb == "contour":
        asked = json.loads(found.question)["options"]
        question = Question(verb="contour", options={**asked, "curves": "contours.csv"})
        return await _made(request, question, "contours.csv")
    options = {"result": f"result:{key}", "csv": "table.csv"}
    return await _made(request, Question(verb="export", options=options), "table.csv")


@router.get("/results/{key}/hepdata")
async def hepdata(request: Request, key: Key) -> Response:
    """Tables as HEPData takes them, in an archive."""
    found = await asyncio.to_thread(found_result, request, key)
    if found.verb == "contour":
        asked = json.loads(found.question)["options"]
        question = Question(verb="contour", options={**asked, "hepdata": "hepdata"})
        return await _made(request, question, "")
    options = {"result": f"result:{key}", "hepdata": "hepdata"}
    return await _made(request, Question(verb="export", options=options), "")


async def _made(request: Request, question: Question, name: str) -> Response:
    """Ask what makes a file, and lead to it; to the job, or the reason, where it is not there."""
    found, job = await answer_within(request, question, _WAIT_S)
    if found is None:
        return RedirectResponse(f"/jobs/{job.name}?file={quote(name or ALL_FILES)}", 303)
    if found.exit_status or (name and name not in found.artefacts):
        return RedirectResponse(f"/results/{found.key}", 303)
    return _file(found.key, name)


def _file(key: str, name: str) -> Response:
    return RedirectResponse(file_address(key, name), 303)
