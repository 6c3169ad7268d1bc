"""Documents: upload them, and see what is there."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from darkstats.errors import OptionError
from darkstats.service.api.parts import PROBLEMS, Parts, Reader, Submitter, parts_of
from darkstats.service.api.problems import ProblemError, unknown
from darkstats.service.api.shapes import ROOT, Documents, DocumentsList, document_shown
from darkstats.service.uploads import checked_name, checked_names

__all__ = ["DIGEST", "keep_files", "router"]

router = APIRouter(tags=["documents"], responses=PROBLEMS)
DIGEST = re.compile(r"[0-9a-f]{64}")
_BYTES = {"schema": {"type": "string", "format": "binary"}}
_BODY = {
    "required": True,
    "content": {
        "application/octet-stream": _BYTES,
        "application/json": {"schema": {}},
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {
                    "files": {
                        "type": "array",
                        "items": {"type": "string", "contentMediaType": "application/octet-stream"},
                    }
                },
                "required": ["files"],
            }
        },
    },
}


@router.post(
    "/documents", status_code=201, openapi_extra={"requestBody": _BODY},
    summary="Keep a file, or several that belong together",
)  # fmt: skip
async def keep(
    request: Request,
    response: Response,
    guest: Submitter,
    name: Annotated[
        str, Query(max_length=1000, description="Name of the file, where the body is one.")
    ] = "document.json",
    title: Annotated[str, Query(max_length=200, description="What to call it.")] = "",
) -> Documents:
    """Send one file as the body, or several as a form; the same files are the same collection.

    Questions name a file by what `references` says: `sha256:DIGEST/NAME`.
    """
    parts = parts_of(request)
    if request.headers.get("content-type", "").startswith("multipart/"):
        files = await _form(request, parts)
    else:
        files = {checked_name(name): await request.body()}
    kept = await asyncio.to_thread(keep_files, parts, files, guest.owner, title)
    response.headers["location"] = f"{ROOT}/documents/{kept.digest}"
    return kept


async def _form(request: Request, parts: Parts) -> Mapping[str, bytes]:
    most = parts.settings.quotas.files
    try:
        form = await request.form(max_files=most, max_fields=most)
    except HTTPException as error:
        raise ProblemError(400, f"the form cannot be read: {error.detail}") from None
    try:
        sent = [one for _, one in form.multi_items() if isinstance(one, UploadFile)]
        if len(sent) != len(form.multi_items()):
            raise OptionError("a part of the form is no file: give each part a file name")
        files = [(one.filename or "", await one.read()) for one in sent]
    finally:
        await form.close()
    checked_names(name for name, _ in files)
    return dict(files)


def keep_files(parts: Parts, files: Mapping[str, bytes], owner: str, title: str) -> Documents:
    """Keep files of a user, within what they may have.

    Raises
    ------
    OptionError
        There is no file, or too many.
    ProblemError
        The user has too much already.
    """
    quotas, store = parts.settings.quotas, parts.store
    if len(files) > quotas.files:
        raise OptionError(f"{len(files)} files: send at most {quotas.files}, or an archive")
    size = sum(map(len, files.values()))
    if store.documents.stored(owner) + size > quotas.stored:
        raise ProblemError(
            413, f"the documents of {owner!r} would be more than {quotas.stored} bytes; ask the "
            "operator for more, or to remove old ones", kind="quota",
        )  # fmt: skip
    title = title or _title(files)
    return document_shown(store.documents.collect(files, owner=owner, title=title))


def _title(files: Mapping[str, Any]) -> str:
    first, *others = sorted(files) or [""]
    return f"{first} and {len(others)} more" if others else first


@router.get("/documents", summary="Your collections")
def documents(
    request: Request,
    guest: Reader,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> DocumentsList:
    """The newest first."""
    found = parts_of(request).store.documents.collections(guest.owner, limit=limit)
    return DocumentsList(documents=[document_shown(one) for one in found])


@router.get("/documents/{digest}", summary="One collection")
def document(request: Request, guest: Reader, digest: str) -> Documents:
    """Whoever knows the digest may see it."""
    store = parts_of(request).store
    found = store.documents.collection(digest) if DIGEST.fullmatch(digest) else None
    if found is None:
        raise unknown("document", digest)
    return document_shown(found)


@router.get(
    "/documents/{digest}/files/{name:path}", summary="One file",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": _BYTES}}},
)  # fmt: skip
def file(request: Request, guest: Reader, digest: str, name: str) -> Response:
    """The bytes that were sent."""
    store = parts_of(request).store
    found = store.documents.collection(digest) if DIGEST.fullmatch(digest) else None
    body = store.documents.body(found.manifest[name]) if found and name in found.manifest else None
    if body is None:
        raise unknown("document", f"{digest}/{name}")
    return Response(
        body, media_type="application/octet-stream", headers={"Content-Disposition": "attachment"}
    )
