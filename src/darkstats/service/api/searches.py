"""Searches that come with the service, for everybody."""

from __future__ import annotations

from fastapi import APIRouter, Request

from darkstats.service.api.parts import PROBLEMS, Reader, parts_of
from darkstats.service.api.shapes import DocumentsList, document_shown
from darkstats.service.shipped import SHIPPED

__all__ = ["router"]

router = APIRouter(tags=["documents"], responses=PROBLEMS)


@router.get("/workspaces", summary="Searches that come with the service")
def workspaces(request: Request, guest: Reader) -> DocumentsList:
    """Documents that everybody may ask about, by their `references`."""
    found = parts_of(request).store.documents.collections(SHIPPED, limit=1000)
    return DocumentsList(documents=[document_shown(one) for one in reversed(found)])
