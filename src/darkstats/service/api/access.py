"""The gate that every request passes: which machine, which page, whose token, how many bytes.

One layer around the application, in plain ASGI, so that streams pass through it as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request

from darkstats.errors import DarkstatsError
from darkstats.service.api.problems import ProblemError, of_error
from darkstats.service.settings import LOCAL_HOSTS, LOCAL_OWNER

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from darkstats.service.settings import Settings
    from darkstats.service.tokens import Tokens

__all__ = ["COOKIE", "Gate", "Guest", "guest_of", "require_scope"]

_SAFE = {"GET", "HEAD", "OPTIONS"}
#: Paths that tell nothing, and that monitors ask without a token.
_OPEN = {"/healthz", "/readyz", "/sign-in"}
_OPEN_FOLDERS = ("/static/",)
#: What a browser keeps its token in.
COOKIE = "darkstats-token"
_HEADERS = {
    "content-security-policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'self'; object-src 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """Who asks, and what they may do: ``read``, ``submit``, ``admin``."""

    owner: str
    scopes: frozenset[str]

    @property
    def is_admin(self) -> bool:
        """Whether they may see and stop the jobs of others."""
        return "admin" in self.scopes


#: Whoever asks on this machine may do everything.
_LOCAL = Guest(owner=LOCAL_OWNER, scopes=frozenset({"read", "submit", "admin"}))
_NOBODY = Guest(owner="", scopes=frozenset())


def guest_of(request: Request) -> Guest:
    """Who asks."""
    found = request.scope.get("darkstats.guest", _NOBODY)
    return found if isinstance(found, Guest) else _NOBODY


def require_scope(request: Request, scope: str) -> Guest:
    """Return who asks, if they may.

    Raises
    ------
    ProblemError
        Their token does not say so.
    """
    guest = guest_of(request)
    if scope not in guest.scopes:
        raise ProblemError(
            403, f"the token of {guest.owner!r} may not {scope}; ask for one with this scope"
        )
    return guest


class Gate:
    """Lets through what may pass, and closes every answer with headers for browsers.

    Parameters
    ----------
    app
        What is behind it.
    settings
        Of the service.
    tokens
        Keys to it.
    """

    def __init__(self, app: ASGIApp, settings: Settings, tokens: Tokens) -> None:
        self._app, self._settings, self._tokens = app, settings, tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def close(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        try:
            headers = Headers(scope=scope)
            self._check_host(headers)
            self._check_origin(scope["method"], headers)
            self._check_length(headers)
            scope["darkstats.guest"] = await self._guest(scope, headers)
        except ProblemError as refused:
            await refused.response()(scope, receive, close)
            return
        except DarkstatsError as error:
            await of_error(error)(scope, receive, close)
            return
        await self._app(scope, _counted(receive, self._settings.quotas.body), close)

    def _check_host(self, headers: Headers) -> None:
        """Refuse names that lead here by a trick of somebody's name server."""
        host = _name_in(headers.get("host", ""))
        known = {*LOCAL_HOSTS, self._settings.host, *self._settings.names}
        if host in known or (not self._settings.is_local and _is_address(host)):
            return
        raise ProblemError(
            421, f"this service is not called {host[:80]!a}; ask it by its own name", kind="host"
        )

    def _check_origin(self, method: str, headers: Headers) -> None:
        """Refuse changes that a page of another site has a browser ask for."""
        if method in _SAFE:
            return
        site = headers.get("sec-fetch-site", "none")
        origin = headers.get("origin")
        foreign = origin is not None and _host_of(origin) != headers.get("host", "").lower()
        if foreign or site in {"cross-site", "same-site"}:
            raise ProblemError(
                403, "a page of another site asked for this; ask from the service's own pages",
                kind="origin",
            )  # fmt: skip

    def _check_length(self, headers: Headers) -> None:
        said = headers.get("content-length", "0")
        most = self._settings.quotas.body
        if said.isdigit() and int(said[:20]) > most:
            raise too_large(most)

    async def _guest(self, scope: Scope, headers: Headers) -> Guest:
        if not self._settings.needs_tokens:
            return _LOCAL
        path = scope["path"]
        if path in _OPEN or path.startswith(_OPEN_FOLDERS):
            return _NOBODY
        token = _token_in(headers, Request(scope).cookies.get(COOKIE, ""))
        found = await self._tokens.holder(token) if token else None
        if found is None:
            raise ProblemError(
                401, "this service needs a token: send the header `Authorization: Bearer TOKEN`",
                headers={"WWW-Authenticate": 'Bearer realm="darkstats"'},
            )  # fmt: skip
        return Guest(owner=found.owner, scopes=frozenset(found.scopes))


def too_large(most: int) -> ProblemError:
    """The problem of a body of more than so many bytes."""
    return ProblemError(
        413, f"the body has more than {most} bytes; send less, or compress the documents",
        kind="too-large", headers={"Connection": "close"},
    )  # fmt: skip


def _counted(receive: Receive, most: int) -> Receive:
    """Receive a body and refuse what is beyond the bound, whatever its length was said to be."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            raise too_large(most)
        return message

    return counted


def _token_in(headers: Headers, cookie: str) -> str:
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else cookie


def _host_of(origin: str) -> str:
    """Host and port of an origin; empty where it is none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _name_in(host: str) -> str:
    """Name in a Host header, without the port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
