"""The start page: open a document, or a search that came with the service."""

from __future__ import annotations

import asyncio
from pathlib import PurePosixPath

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
    Link,
    PageRoute,
    Source,
    collection_link,
    likelihood_address,
    main_document,
    readable,
)
from darkstats.service.pages.rendering import page
from darkstats.service.pages.shown import Row, rows_of
from darkstats.service.shipped import SHIPPED
from darkstats.service.uploads import checked_name, checked_names

__all__ = ["router"]

router = APIRouter(route_class=PageRoute)
_RECENT, _MINE, _SHIPPED = 8, 12, 200

#: Titles of the searches of this repository, and what they are.
_ABOUT = {
    "alp": ("Axion-like particle", "e⁺e⁻ → γa, a → γγ; 502 masses; simulated"),
    "dark_higgsstrahlung": ("Dark Higgsstrahlung", "e⁺e⁻ → A′h′, h′ invisible; simulated"),
    "zprime_invisible_2018": ("Invisible Z′, 2018", "e⁺e⁻ → μ⁺μ⁻Z′; simulated"),
    "zprime_invisible_2020": ("Invisible Z′, 2020", "e⁺e⁻ → μ⁺μ⁻Z′; simulated"),
    "zprime_lfv_2018": ("Lepton-flavour violating Z′", "e⁺e⁻ → e±μ∓Z′; simulated"),
    "zprime_mumu": ("Z′ to muons", "e⁺e⁻ → μ⁺μ⁻Z′, Z′ → μ⁺μ⁻; simulated"),
    "zprime_tautau": ("Boson to tau pairs", "e⁺e⁻ → μ⁺μ⁻X, X → τ⁺τ⁻; simulated"),
    "single_photon": ("Single photons", "e⁺e⁻ → γA′, A′ invisible; simulated"),
    "examples/mass_scan": ("A mass scan", "a peak on a falling spectrum, six masses"),
    "examples/two_bins.json": ("Two bins", "for a first look"),
    "examples/three_channels.json": ("Three channels", "signal, control and validation region"),
    "examples/on_off.json": ("On and off", "a count beside a background region"),
    "examples/bump_hunt.json": ("A bump hunt", "one peak on a falling spectrum, 30 bins"),
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
        shipped=_links(parts, examples=False), examples=_links(parts, examples=True),
    )  # fmt: skip


def _links(parts: Parts, *, examples: bool) -> list[Link]:
    """What came with the service: searches, or small examples."""
    found = parts.store.documents.collections(SHIPPED, limit=_SHIPPED)
    return [
        collection_link(one, _ABOUT.get(one.title))
        for one in sorted(found, key=lambda one: one.title)
        if one.title.startswith("examples/") == examples
    ]


def _recent(parts: Parts, owner: str) -> list[Row]:
    jobs = parts.store.queue.jobs(owner, limit=3 * _RECENT)
    shown = [one for one in jobs if one.verb != "inspect"][:_RECENT]
    return rows_of(parts.store, shown)


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
