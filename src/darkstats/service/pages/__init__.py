"""Pages of the service: open a likelihood, ask, watch, take away.

They are made on the server and work without script; with it, plots answer the pointer and a job
tells of its progress as it goes. Nothing is fetched from anywhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

    from darkstats.service.settings import Settings
    from darkstats.service.store import Store

__all__ = ["add_pages"]


def add_pages(app: FastAPI, store: Store, settings: Settings) -> None:
    """Add the pages to an application.

    Parameters
    ----------
    app
        Gets the routes, and the files that pages need under ``/static``.
    store, settings
        Those of the application, which its routes find in its state.
    """
    from darkstats.service.pages.routes import pages_router
    from darkstats.service.pages.static_files import static_router

    app.include_router(static_router())
    app.include_router(pages_router())
