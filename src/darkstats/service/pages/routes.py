"""All pages: which address leads to which."""

from __future__ import annotations

from fastapi import APIRouter

from darkstats.service.pages import (
    asking,
    comparing,
    documents,
    jobs,
    likelihoods,
    loaded_parts,
    results,
    signing_in,
)

__all__ = ["pages_router"]


def pages_router() -> APIRouter:
    """Routes of all pages; none of them is part of the API."""
    router = APIRouter(include_in_schema=False)
    for part in (
        documents,
        likelihoods,
        loaded_parts,
        asking,
        jobs,
        results,
        comparing,
        signing_in,
    ):
        router.include_router(part.router)
    return router
