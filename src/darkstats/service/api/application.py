"""The application: routes behind a gate, and every fault a problem document."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from darkstats.errors import DarkstatsError
from darkstats.logs import logger
from darkstats.provenance import package_version
from darkstats.service.api import documents, jobs, operation, questions, results, searches
from darkstats.service.api.access import Gate
from darkstats.service.api.operation import Watch
from darkstats.service.api.parts import KnownResults, Parts
from darkstats.service.api.problems import ProblemError, of_error, of_validation, problem
from darkstats.service.api.shapes import ROOT
from darkstats.service.tokens import Tokens

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from darkstats.service.settings import Settings
    from darkstats.service.store import Store

__all__ = ["create_app"]

_LOG = logger(__name__)
_ABOUT = (
    "Certified limits for particle physics: upload a likelihood, ask what the command line is "
    "asked, with the same options, and get the same record, byte for byte.\n\n"
    "A question is answered at once where the answer is known, or within `wait` seconds; else a "
    "job is named, whose events tell how far it is. Whatever is wrong is told by a problem "
    "document (RFC 9457) with the place of each fault."
)
_PROBLEM = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457; `findings`, `pointer` and `remedy` say where and what to do.",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "findings": {"type": "array", "items": {"type": "object"}},
        "pointer": {"type": ["string", "null"]},
        "remedy": {"type": "string"},
    },
    "required": ["type", "title", "status", "detail"],
}


def create_app(store: Store, settings: Settings) -> FastAPI:
    """Return the application that serves a store.

    Parameters
    ----------
    store
        What it keeps.
    settings
        What its operator decided.
    """
    app = FastAPI(
        title="darkstats", version=package_version("darkstats") or "0", description=_ABOUT,
        docs_url=None, redoc_url=None, openapi_url="/openapi.json",
        strict_content_type=False,
    )  # fmt: skip
    app.state.darkstats = Parts(store=store, settings=settings, results=KnownResults(store))
    api = APIRouter(prefix=ROOT)
    for part in (documents, searches, jobs, results, questions):
        api.include_router(part.router)
    app.include_router(api)
    app.include_router(operation.router)
    if find_spec("darkstats.service.pages") is not None:
        import_module("darkstats.service.pages").add_pages(app, store, settings)
    _tell_problems(app)
    _describe(app)
    app.add_middleware(_Guarded)
    app.add_middleware(Gate, settings=settings, tokens=Tokens(store))
    if find_spec("darkstats.service.pages") is not None:
        app.add_middleware(import_module("darkstats.service.pages.faults").ProblemPages)
    app.add_middleware(_Watched, app_state=app.state)
    return app


def _Watched(app: ASGIApp, app_state: Any) -> Watch:  # noqa: ANN401, N802 -- a factory of a layer
    app_state.watch = Watch(app)
    found: Watch = app_state.watch
    return found


class _Guarded:
    """Turns what nobody expected into a problem without a traceback, and logs it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        begun = False

        async def noted(message: Any) -> None:  # noqa: ANN401 -- of ASGI
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except ProblemError as refused:  # the body was too large, after the routes had begun
            if begun:
                raise
            await refused.response()(scope, receive, send)
        except Exception:
            _LOG.exception("fault", extra={"path": scope.get("path", "")[:500]})
            if begun:
                raise
            await _fault()(scope, receive, send)


def _fault() -> Response:
    return problem(
        500, "internal error: this is a fault of darkstats, not of your request; please report it",
        kind="internal",
    )  # fmt: skip


def _tell_problems(app: FastAPI) -> None:
    handlers: dict[type[Exception], Callable[[Any], Response]] = {
        ProblemError: lambda error: error.response(),
        DarkstatsError: of_error,
        RequestValidationError: of_validation,
        HTTPException: _of_status,
    }
    for kind, made in handlers.items():
        app.add_exception_handler(kind, _handler(made))


def _handler(
    made: Callable[[Any], Response],
) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def handle(request: Request, error: Exception) -> Response:
        return made(error)

    return handle


def _of_status(error: HTTPException) -> Response:
    words = {
        404: "there is nothing at this address; see /openapi.json for those there are",
        405: "this address takes another method; see the header Allow",
    }
    detail = words.get(error.status_code, str(error.detail))
    return problem(error.status_code, detail, headers=error.headers)


def _describe(app: FastAPI) -> None:
    """Add to the description what the framework does not know."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            found = made()
            parts = found.setdefault("components", {})
            parts.setdefault("schemas", {})["Problem"] = _PROBLEM
            if app.state.darkstats.settings.needs_tokens:
                parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
                found["security"] = [{"token": []}]
        return app.openapi_schema or found

    app.openapi = openapi  # type: ignore[method-assign]  # as the framework documents it
