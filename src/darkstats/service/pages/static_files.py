"""Styles, scripts and icons of the pages, from the package: by name, checked by their digests."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from pathlib import PurePosixPath

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

__all__ = ["address", "static_router"]

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_FOREVER = "public, max-age=31536000, immutable"


@cache
def _body(name: str) -> bytes | None:
    place = PurePosixPath(name)
    if place.is_absolute() or ".." in place.parts or place.suffix not in _TYPES:
        return None
    found = files("darkstats.service.pages").joinpath("static", *place.parts)
    return found.read_bytes() if found.is_file() else None


@cache
def address(name: str) -> str:
    """Where a file of the pages is, with its digest: browsers keep it until it changes.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    """
    body = _body(name)
    if body is None:
        raise FileNotFoundError(name)
    return f"/static/{name}?v={hashlib.sha256(body).hexdigest()[:12]}"


def static_router() -> APIRouter:
    """Routes of the files."""
    router = APIRouter(include_in_schema=False)

    @router.get("/static/{name:path}")
    def static(name: str, request: Request) -> Response:
        body = _body(name)
        if body is None:
            return PlainTextResponse("There is no such file.\n", status_code=404)
        known = request.query_params.get("v") is not None
        kind = _TYPES[PurePosixPath(name).suffix]
        return Response(
            body, media_type=kind, headers={"Cache-Control": _FOREVER if known else "no-cache"}
        )

    return router
