"""The start page: open a document, or a search that came with the service."""

from __future__ import annotations

import asyncio
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from darkstats.errors import InputError
from darkstats.service.api.access import require_scope
from darkstats.service.api.documents import keep_files
from darkstats.service.api.parts import Parts, parts_of
from darkstats.service.api.problems import ProblemError
from darkstats.service.pages.here import (
    PageRoute,
    Source,
    collection_link,
    likelihood_address,
    main_document,
    readable,
)
from darkstats.service.pages.rendering import page
from darkstats.service.pages.shown import Row, row_of
from darkstats.service.shipped import SHIPPED
from darkstats.service.uploads import checked_name, checked_names

if TYPE_CHECKING:
    from darkstats.service.store import Collection

__all__ = ["router"]

router = APIRouter(route_class=PageRoute)
_RECENT, _MINE, _SHIPPED = 8, 12, 200

#: What the searches of this repository are.
_ABOUT = {
    "alp": "e⁺e⁻ → γa, a → γγ: 502 masses, simulated",
    "dark_higgsstrahlung": "e⁺e⁻ → A′h′, h′ invisible, simulated",
    "zprime_invisible_2018": "e⁺e⁻ → μ⁺μ⁻Z′, Z′ invisible, simulated",
    "zprime_invisible_2020": "e⁺e⁻ → μ⁺μ⁻Z′, Z′ invisible, simulated",
    "zprime_lfv_2018": "e⁺e⁻ → e±μ∓Z′, Z′ invisible, simulated",
    "examples/mass_scan": "a peak on a falling spectrum: six masses",
    "examples/two_bins.json": "two bins, a first look",
    "examples/three_channels.json": "signal, control and validation region",
    "examples/on_off.json": "counting beside a background region",
    "examples/bump_hunt.json": "a peak on a falling spectrum",
}


@router.get("/")
def start(request: Request) -> Response:
    """Open something, or go back to what was asked."""
    return _start(request)


def _start(request: Request, *, error: str = "", status: int = 200) -> Response:
    parts, owner = readable(request)
    mine = parts.store.documents.collections(owner, limit=_MINE)
    return page(
        "start.html", status=status, here="start", error=error, recent=_recent(parts, owner),
        most=parts.settings.quotas.body, mine=[collection_link(one) for one in mine],
        shipped=[collection_link(one, _ABOUT) for one in _shipped(parts)],
    )  # fmt: skip


def _shipped(parts: Parts) -> list[Collection]:
    """Searches first, then lone workspaces."""
    found = parts.store.documents.collections(SHIPPED, limit=_SHIPPED)
    return sorted(found, key=lambda one: (one.title.startswith("examples"), one.title))


def _recent(parts: Parts, owner: str) -> list[Row]:
    jobs = parts.store.queue.jobs(owner, limit=3 * _RECENT)
    shown = [one for one in jobs if one.verb != "inspect"][:_RECENT]
    return [row_of(parts.store, one) for one in shown]


@router.post("/open")
async def open_files(request: Request) -> Response:
    """Keep the files that were sent, and show the first of them."""
    parts, guest = parts_of(request), require_scope(request, "submit")
    most = parts.settings.quotas.files
    try:
        form = await request.form(max_files=most, max_fields=most)
    except HTTPException as error:
        raise ProblemError(400, f"The form cannot be read: {error.detail}.") from None
    try:
        sent = [one for one in form.getlist("files") if isinstance(one, UploadFile)]
        files = [(one.filename or "", await one.read()) for one in sent if one.filename]
    finally:
        await form.close()
    try:
        if not files:
            return await asyncio.to_thread(
                _start, request, error="Choose a file first.", status=422
            )
        named = [(checked_name(PurePosixPath(name).as_posix()), body) for name, body in files]
        checked_names(name for name, _ in named)
        kept = await asyncio.to_thread(keep_files, parts, dict(named), guest.owner, "")
    except InputError as error:
        return await asyncio.to_thread(_start, request, error=str(error), status=422)
    main = Source(digest=kept.digest, name=main_document(list(kept.files)))
    return RedirectResponse(likelihood_address(main), 303)
