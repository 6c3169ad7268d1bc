"""Problems in words: what a browser is told in the place of a problem document."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.datastructures import Headers

from darkstats.service.pages.rendering import page

if TYPE_CHECKING:
    from fastapi import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["SIGN_IN", "ProblemPages", "fault_page"]

#: Where a token is asked for.
SIGN_IN = "/sign-in"
_TITLES = {
    400: "This cannot be read", 401: "This service needs a token", 403: "This is not allowed",
    404: "There is nothing here", 405: "This address takes no such request",
    413: "This is too large", 421: "Another name, please", 422: "This cannot be used",
    429: "The queue is full", 500: "A fault of darkstats", 503: "The store does not answer",
}  # fmt: skip
_WORDS = {
    401: "Sign in with a token; who runs the service makes them.",
    404: "The address is none of this service's, or what was there has been removed.",
    503: "Nothing was changed, and nothing that was accepted is lost. Try again in a moment.",
}
_NOT_PAGES = ("/api/", "/static/", "/healthz", "/readyz", "/metrics", "/openapi.json")
_PROBLEM = "application/problem+json"


def fault_page(
    status: int,
    words: str,
    *,
    findings: Sequence[Mapping[str, object]] = (),
    remedy: str = "",
    asked: str = "",
) -> Response:
    """A page that says what is wrong, and what to do about it.

    ``asked``: the address to go on to after signing in.
    """
    sign_in = f"{SIGN_IN}?{urlencode({'to': asked})}" if asked not in {"", "/"} else SIGN_IN
    return page(
        "message.html", status=status, here="", title=_TITLES.get(status, "This did not work"),
        words=[words], remedy=remedy, findings=findings, back=sign_in if status == 401 else "/",
        back_words="Sign in" if status == 401 else "Back to the start",
    )  # fmt: skip


class ProblemPages:
    """Shows browsers a page wherever the layers below tell a problem.

    Parameters
    ----------
    app
        The layers below.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http" or not _wants_page(scope):
            await self._app(scope, receive, send)
            return
        begun: list[Message] = []

        async def looked(message: Message) -> None:
            if message["type"] == "http.response.start" and _is_problem(message):
                begun.append(message)
                return
            if not begun:
                await send(message)
                return
            begun.append(message)
            if not message.get("more_body"):
                body = b"".join(one.get("body", b"") for one in begun[1:])
                asked = scope["path"] if scope["method"] == "GET" else ""
                await _page_of(begun[0], body, asked)(scope, receive, send)

        await self._app(scope, receive, looked)


def _wants_page(scope: Scope) -> bool:
    accepted = Headers(scope=scope).get("accept", "")
    return "text/html" in accepted and not scope["path"].startswith(_NOT_PAGES)


def _is_problem(message: Message) -> bool:
    return Headers(raw=message["headers"]).get("content-type", "").startswith(_PROBLEM)


def _page_of(message: Message, body: bytes, asked: str) -> Response:
    told = json.loads(body)
    status = int(message["status"])
    words = _WORDS.get(status) or str(told.get("detail", ""))
    made = fault_page(
        status, words, findings=[one for one in told.get("findings", ()) if "severity" in one],
        remedy=str(told.get("remedy", "")), asked=asked,
    )  # fmt: skip
    for name, value in Headers(raw=message["headers"]).items():
        if name not in {"content-length", "content-type"}:
            made.headers.setdefault(name, value)
    return made
