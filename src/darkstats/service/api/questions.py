"""Questions: each verb of the command line, asked with its options in a JSON body."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from starlette.responses import JSONResponse

from darkstats.errors import OptionError
from darkstats.options import named_choices
from darkstats.service.api.documents import keep_files
from darkstats.service.api.parts import PROBLEMS, Parts, Submitter, parts_of
from darkstats.service.api.queueing import LONGEST_WAIT_S, put_question, wait_for
from darkstats.service.api.results import answered
from darkstats.service.api.schema import (
    MOST_FIGURES,
    PRIORITIES,
    path_of,
    question_schema,
    takes_document,
)
from darkstats.service.api.shapes import job_path, job_shown
from darkstats.service.questions import ASKED, Question, request_type
from darkstats.workflows.bodies import read_body

if TYPE_CHECKING:
    from darkstats.options import Choice
    from darkstats.service.api.access import Guest
    from darkstats.service.store import StoredJob

__all__ = ["router"]

router = APIRouter(tags=["questions"], responses=PROBLEMS)
_JOB = {"$ref": "#/components/schemas/JobShown"}

Wait = Annotated[
    float,
    Query(
        ge=0, le=LONGEST_WAIT_S, description="Seconds to wait for the answer before a job is named."
    ),
]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key", min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$",
        description="The same key with the same question names the same job, whatever its end.",
    ),
]  # fmt: skip


def _route(verb: str) -> Callable[..., Awaitable[Response]]:
    async def asked(
        request: Request, guest: Submitter, wait: Wait = 0.0, idempotency_key: Key = None
    ) -> Response:
        parts = parts_of(request)
        body = await request.body()
        job = await asyncio.to_thread(_put, parts, guest, verb, body, idempotency_key)
        job = await wait_for(parts, job, wait)
        if job.state.is_final and (found := await answered(parts, job)) is not None:
            return found
        return JSONResponse(
            asdict(job_shown(job)), status_code=202, headers={"Location": job_path(job.name)}
        )

    return asked


for _verb, _said in ASKED.items():
    router.add_api_route(
        path_of(_verb),
        _route(_verb),
        methods=["POST"],
        name=_verb,
        operation_id=_verb.replace(" ", "_").replace("-", "_"),
        summary=_said.help.split("\n\n")[0],
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": question_schema(_verb)}},
            }
        },
        response_class=Response,
        responses={
            200: {
                "description": "The record of the answer, as the command line prints it.",
                "content": {"application/json": {"schema": {"type": "object"}}},
            },
            202: {
                "description": "The job that will answer.",
                "content": {"application/json": {"schema": _JOB}},
            },
        },
    )


def _put(parts: Parts, guest: Guest, verb: str, body: bytes, key: str | None) -> StoredJob:
    """Put the question of a body into the store, its documents first."""
    given = read_body(body, called="body")
    if not isinstance(given, dict):
        raise OptionError("the body is no JSON object: give options by name")
    priority, figures = given.pop("priority", 0), given.pop("figures", [])
    least, most = PRIORITIES
    if type(priority) is not int or not least <= priority <= most:
        raise OptionError(f"priority {priority!r}: give a whole number from {least} to {most}")
    if not isinstance(figures, list) or not all(isinstance(one, str) for one in figures):
        raise OptionError("figures: give a list of FORMAT or KIND.FORMAT")
    if len(figures) > MOST_FIGURES:
        raise OptionError(f"{len(figures)} figures: ask for at most {MOST_FIGURES}")
    options = _without_documents(parts, guest, verb, given)
    question = Question(verb=verb, options=options, figures=tuple(figures))
    return put_question(parts, guest, question, priority=priority, idempotency_key=key)


def _without_documents(
    parts: Parts, guest: Guest, verb: str, given: Mapping[str, Any]
) -> dict[str, Any]:
    """Options with references in the place of documents that stand in them, which are kept."""
    known = named_choices(request_type(verb))
    options = dict(given)
    inline: dict[str, bytes] = {}
    for name, value in given.items():
        if name in known and takes_document(known[name][0]):
            options[name] = _taken_out(name, value, known[name][0], inline)
    if not inline:
        return options
    kept = keep_files(parts, inline, guest.owner, "")
    return {
        name: _referring(value, kept.references) if name in known else value
        for name, value in options.items()
    }


class _Inline(str):
    """Name of a document that stood in a question."""

    __slots__ = ()


def _taken_out(name: str, value: Any, choice: Choice, inline: dict[str, bytes]) -> Any:  # noqa: ANN401 -- any JSON value
    if isinstance(value, dict):
        return _kept(name, value, inline)
    if isinstance(value, list) and str(choice.type).startswith("tuple"):
        if value and all(isinstance(one, dict) and "op" in one for one in value):
            return [_kept(name, value, inline)]
        return [
            _kept(f"{name}-{n}", one, inline) if isinstance(one, (dict, list)) else one
            for n, one in enumerate(value, 1)
        ]
    return value


def _kept(name: str, document: Any, inline: dict[str, bytes]) -> _Inline:  # noqa: ANN401
    body = json.dumps(document, allow_nan=False).encode()
    file = f"{_kind(document) or name}-{hashlib.sha256(body).hexdigest()[:8]}.json"
    inline[file] = body
    return _Inline(file)


def _kind(document: Any) -> str:  # noqa: ANN401 -- any JSON value
    """What a document is, in the name that lists show of it; empty where nothing tells."""
    if isinstance(document, list):
        return "patch"
    schema = re.fullmatch(r"darkstats\.([a-z-]+)/\d+", str(document.get("schema", "")))
    if schema:
        return schema[1]
    keys = {"patchset": "patches", "workspace": "channels", "hs3": "likelihoods"}
    return next((kind for kind, key in keys.items() if key in document), "")


def _referring(value: Any, references: Mapping[str, str]) -> Any:  # noqa: ANN401
    if isinstance(value, _Inline):
        return references[value]
    return [_referring(one, references) for one in value] if isinstance(value, list) else value
