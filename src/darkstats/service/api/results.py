"""Answers: the record byte for byte, its files, and figures and tables made of it."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.responses import JSONResponse, RedirectResponse

from darkstats.errors import OptionError
from darkstats.service.api.access import Guest, require_scope
from darkstats.service.api.documents import DIGEST
from darkstats.service.api.parts import PROBLEMS, Parts, Reader, parts_of
from darkstats.service.api.problems import of_refusal, unknown
from darkstats.service.api.queueing import put_question, wait_for
from darkstats.service.api.schema import FIGURE
from darkstats.service.api.shapes import job_path, job_shown, result_path
from darkstats.service.questions import Question

if TYPE_CHECKING:
    from darkstats.service.store import StoredJob, StoredResult

__all__ = ["answered", "router"]

router = APIRouter(tags=["results"], responses=PROBLEMS)
_FOREVER = "private, max-age=31536000, immutable"
_MEDIA = {
    ".svg": "image/svg+xml", ".png": "image/png", ".pdf": "application/pdf",
    ".json": "application/json", ".csv": "text/csv; charset=utf-8",
    ".txt": "text/plain; charset=utf-8", ".yaml": "application/yaml", ".yml": "application/yaml",
}  # fmt: skip
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the same files are the same archive
#: Verbs whose records can be drawn again without asking anew.
_DRAWN_AGAIN = {"scan", "project", "global"}
_REDIRECT: dict[int | str, dict[str, Any]] = {
    303: {"description": "Where it lies."},
    202: {
        "description": "The job that makes it.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/JobShown"}}},
    },
}
_DRAWING = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
_WAIT_S = 20.0
_BYTES: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
Wait = Annotated[float, Query(ge=0, le=30, description="Seconds to wait before a job is named.")]
Hex = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="Key of the answer.")]


async def answered(parts: Parts, job: StoredJob) -> Response | None:
    """The answer of a job that is at its end; ``None`` where it has none."""
    found = parts.results.at_hand(job.key) or await asyncio.to_thread(parts.results.get, job.key)
    if found is None:
        return None
    return _told(found, job=job_path(job.name))


def _told(result: StoredResult, *, job: str) -> Response:
    path = result_path(result.key)
    if is_refusal(result):
        refused = of_refusal(result, path=path)
        refused.headers["darkstats-job"] = job
        return refused
    headers = {"Content-Location": path, "Darkstats-Job": job}
    return _record(result, headers)


def is_refusal(result: StoredResult) -> bool:
    """Whether an answer says why there is none."""
    return result.exit_status != 0 and b'"schema": "darkstats.error/' in result.record


def _record(result: StoredResult, headers: Mapping[str, str]) -> Response:
    told = {"ETag": f'"{result.digest}"', "Darkstats-Exit-Status": str(result.exit_status)}
    return Response(result.record, media_type="application/json", headers={**told, **headers})


@router.get(
    "/results/{key}", summary="The record of an answer", response_class=Response,
    responses={
        200: {
            "description": "As the command line prints it, byte for byte.",
            "content": {"application/json": {"schema": {"type": "object"}}},
        },
        304: {"description": "It is what you have."},
    },
)  # fmt: skip
async def result(
    request: Request,
    guest: Reader,
    key: Hex,
    download: Annotated[bool, Query(description="Offer it as a file.")] = False,
) -> Response:
    """It never changes: what it depends on is in its key."""
    found = await _found(parts_of(request), key)
    headers = {"Cache-Control": _FOREVER}
    if f'"{found.digest}"' in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers={**headers, "ETag": f'"{found.digest}"'})
    if download:
        name = f"{found.verb.replace(' ', '-')}-{key[:12]}.json"
        headers["Content-Disposition"] = _attached(name)
    return _record(found, headers)


def _attached(name: str) -> str:
    return f"attachment; filename*=UTF-8''{quote(name)}"


async def _found(parts: Parts, key: str) -> StoredResult:
    known = parts.results.at_hand(key)
    if known is None and DIGEST.fullmatch(key):
        known = await asyncio.to_thread(parts.results.get, key)
    if known is None:
        raise unknown("result", key)
    return known


@router.get(
    "/results/{key}/files", summary="Files of an answer",
    responses={200: {"content": {"application/json": {"schema": {"type": "object"}}}}},
)  # fmt: skip
async def files(request: Request, guest: Reader, key: Hex) -> dict[str, Any]:
    """Figures, tables and documents that were written with it: sizes and addresses by name."""
    found = await _found(parts_of(request), key)
    return {
        "key": key,
        "files": {
            name: {"size": size, "href": _file_path(key, name)}
            for name, size in found.artefacts.items()
        },
    }


def _file_path(key: str, name: str) -> str:
    return f"{result_path(key)}/files/{quote(name)}"


@router.get(
    "/results/{key}/files.zip", summary="All files of an answer", response_class=Response,
    responses={200: {"content": {"application/zip": _BYTES}}},
)  # fmt: skip
async def archive(request: Request, guest: Reader, key: Hex) -> Response:
    """The record and all files, as an archive."""
    parts = parts_of(request)
    found = await _found(parts, key)
    body = await asyncio.to_thread(_zipped, parts, found)
    name = f"{found.verb.replace(' ', '-')}-{key[:12]}.zip"
    return Response(
        body, media_type="application/zip",
        headers={"Content-Disposition": _attached(name), "Cache-Control": _FOREVER},
    )  # fmt: skip


def _zipped(parts: Parts, result: StoredResult) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(zipfile.ZipInfo("record.json", _ZIP_TIME), result.record)
        for name in result.artefacts:
            body = parts.store.results.artefact(result.key, name)
            if body is not None and not name.startswith("."):
                packed.writestr(zipfile.ZipInfo(f"files/{name}", _ZIP_TIME), body)
    return target.getvalue()


@router.get(
    "/results/{key}/files/{name:path}", summary="One file of an answer", response_class=Response,
    responses={200: {"content": {"application/octet-stream": _BYTES, "image/svg+xml": _BYTES,
                                 "image/png": _BYTES, "application/pdf": _BYTES, "text/csv": _BYTES,
                                 "text/plain": _BYTES, "application/yaml": _BYTES,
                                 "application/json": _BYTES}}},
)  # fmt: skip
async def file(
    request: Request, guest: Reader, key: Hex, name: str,
    download: Annotated[bool, Query(description="Offer it as a file.")] = False,
) -> Response:  # fmt: skip
    """The bytes that were written."""
    parts = parts_of(request)
    found = await _found(parts, key)
    known = name in found.artefacts
    body = await asyncio.to_thread(parts.store.results.artefact, key, name) if known else None
    if body is None:
        raise unknown("file", name)
    media = _MEDIA.get("." + name.rpartition(".")[2].lower(), "application/octet-stream")
    headers = {"Cache-Control": _FOREVER}
    if download or media == "application/octet-stream":
        headers["Content-Disposition"] = _attached(name.rpartition("/")[2])
    if media == "image/svg+xml":  # drawn with styles of its own, and nothing else
        headers["Content-Security-Policy"] = _DRAWING
    return Response(body, media_type=media, headers=headers)


@router.get(
    "/results/{key}/figures/{figure}", summary="A figure of an answer", status_code=303,
    response_class=Response, responses=_REDIRECT,
)  # fmt: skip
async def figure(
    request: Request, guest: Reader, key: Hex,
    figure: Annotated[
        str, Path(pattern=FIGURE, description="KIND.FORMAT, or FORMAT of the usual kind")
    ],
    wait: Wait = _WAIT_S,
) -> Response:  # fmt: skip
    """Drawn once; leads to the file, or to the job that draws it."""
    parts = parts_of(request)
    found = await _found(parts, key)
    kind, _, form = figure.rpartition(".")
    name = figure if kind else f"figure.{form}"
    if name in found.artefacts:
        return RedirectResponse(_file_path(key, name), 303)
    asked = json.loads(found.question)
    if found.verb in _DRAWN_AGAIN:
        question = Question(verb="plot", options={"results": [f"result:{key}"]}, figures=(figure,))
    else:
        figures = (*asked["figures"], figure)
        question = Question(verb=found.verb, options=asked["options"], figures=figures)
    return await _made(request, question, name, wait)


@router.get(
    "/results/{key}/table.csv", summary="The numbers of a scan", status_code=303,
    response_class=Response, responses=_REDIRECT,
)  # fmt: skip
async def table(request: Request, guest: Reader, key: Hex, wait: Wait = _WAIT_S) -> Response:
    """One line a hypothesis."""
    found = await _found(parts_of(request), key)
    return await _made(request, _export(found, csv="table.csv"), "table.csv", wait)


@router.get(
    "/results/{key}/hepdata", summary="A HEPData submission of a scan", status_code=303,
    response_class=Response, responses=_REDIRECT,
)  # fmt: skip
async def hepdata(request: Request, guest: Reader, key: Hex, wait: Wait = _WAIT_S) -> Response:
    """An archive of YAML tables, as HEPData takes them."""
    found = await _found(parts_of(request), key)
    return await _made(request, _export(found, hepdata="hepdata"), "", wait)


def _export(found: StoredResult, **files: str) -> Question:
    if found.verb not in {"scan", "project", "contour"}:
        raise OptionError(
            f"the answer of {found.verb!r} is no table; take its record, or ask for a scan"
        )
    return Question(verb="export", options={"result": f"result:{found.key}", **files})


async def _made(request: Request, question: Question, name: str, wait: float) -> Response:
    """Ask what makes a file of an answer, and lead there, or to the job."""
    parts, guest = parts_of(request), _submitter(request)
    job = await asyncio.to_thread(put_question, parts, guest, question)
    job = await wait_for(parts, job, wait)
    found = await asyncio.to_thread(parts.results.get, job.key) if job.state.is_final else None
    if found is None:
        headers = {"Location": job_path(job.name), "Retry-After": "1"}
        return JSONResponse(asdict(job_shown(job)), status_code=202, headers=headers)
    if is_refusal(found):
        return of_refusal(found, path=result_path(found.key))
    if name and name not in found.artefacts:
        raise unknown("file", name)
    path = _file_path(found.key, name) if name else f"{result_path(found.key)}/files.zip"
    return RedirectResponse(path, 303)


def _submitter(request: Request) -> Guest:
    return require_scope(request, "submit")
