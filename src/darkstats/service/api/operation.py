"""What an operator asks of a service: is it there, does it work, how much does it do."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from darkstats.logs import logger
from darkstats.service.api.parts import PROBLEMS, Reader, parts_of
from darkstats.service.api.shapes import ROOT

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Watch", "router"]

router = APIRouter(tags=["operation"], responses=PROBLEMS)
_LOG = logger(__name__)
_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_TEXT = "text/plain; version=0.0.4; charset=utf-8"


class Watch:
    """Counts and times requests, and logs each with what it was and what came of it.

    Parameters
    ----------
    app
        What is watched.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self._count = Counter(
            "darkstats_requests", "Requests that were answered.", labels, registry=self.registry
        )
        self._seconds = Histogram(
            "darkstats_request_seconds", "Time to the first byte of an answer.", ("route",),
            registry=self.registry, buckets=_BUCKETS,
        )  # fmt: skip
        self._unfinished = Gauge(
            "darkstats_unfinished_jobs", "Jobs that are not at their end.", registry=self.registry
        )
        self._streams = Gauge(
            "darkstats_event_streams", "Streams of events that are open.", registry=self.registry
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Watch one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._note(scope, status, time.perf_counter() - begun)
            await send(message)

        await self._app(scope, receive, watched)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "") or "none"
        route = f"{ROOT}{route}" if scope["path"].startswith(ROOT) else route
        method = scope["method"] if scope["method"].isalpha() and len(scope["method"]) < 9 else "-"
        self._count.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)
        _LOG.info(
            "request",
            extra={
                "method": method, "path": scope["path"][:500], "route": route, "status": status,
                "seconds": round(seconds, 6),
                "owner": getattr(scope.get("darkstats.guest"), "owner", ""),
            },
        )  # fmt: skip

    def text(self, *, unfinished: int, streams: int) -> bytes:
        """The figures, as Prometheus reads them."""
        self._unfinished.set(unfinished)
        self._streams.set(streams)
        found: bytes = generate_latest(self.registry)
        return found


@router.get("/healthz", summary="Whether the service is there")
async def healthz() -> dict[str, str]:
    """It answers."""
    return {"status": "ok"}


@router.get("/readyz", summary="Whether the service works")
def readyz(request: Request) -> dict[str, Any]:
    """Its store answers; 503 where it does not."""
    parts = parts_of(request)
    unfinished = parts.store.queue.unfinished()
    return {
        "status": "ok",
        "unfinished": unfinished,
        "workers": None if parts.workers is None else parts.workers(),
        "seconds": round(time.monotonic() - parts.begun, 3),
    }


@router.get(
    "/metrics", summary="Figures for Prometheus", response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)  # fmt: skip
def metrics(request: Request, guest: Reader) -> Response:
    """Counts and times of requests, and the length of the queue."""
    parts, watch = parts_of(request), request.app.state.watch
    found = watch.text(unfinished=parts.store.queue.unfinished(), streams=parts.streams)
    return Response(found, media_type=_TEXT)
