"""Signing in where a service asks for tokens: kept as a cookie that no script reads."""

from __future__ import annotations

import re

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from darkstats.service.api.access import COOKIE
from darkstats.service.api.parts import parts_of
from darkstats.service.pages.faults import SIGN_IN
from darkstats.service.pages.here import PageRoute
from darkstats.service.pages.rendering import page
from darkstats.service.tokens import Tokens

__all__ = ["router"]

router = APIRouter(route_class=PageRoute)
_LONGEST = 400
#: One slash, then plain characters: nothing that a browser reads as the address of another host.
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)+")
_KEPT_S = 30 * 24 * 3600


def _own(to: str) -> str:
    """A path of this service, and the start in the place of any other address."""
    return to if _PATH.fullmatch(to) and len(to) <= _LONGEST else "/"


@router.get(SIGN_IN)
def sign_in(request: Request) -> Response:
    """Ask for a token."""
    return page("sign_in.html", here="", error="", to=_own(request.query_params.get("to", "")))


@router.post(SIGN_IN)
async def signed_in(request: Request) -> Response:
    """Keep a token that is one."""
    form = await request.form(max_fields=4, max_files=0)
    to = _own(str(form.get("to", "")))
    token = str(form.get("token", ""))[:_LONGEST].strip()
    holder = await Tokens(parts_of(request).store).holder(token) if token else None
    if holder is None:
        words = "This is no token of this service, or it was revoked."
        return page("sign_in.html", status=401, here="", error=words, to=to)
    answer = RedirectResponse(to, 303)
    answer.set_cookie(
        COOKIE, token, max_age=_KEPT_S, httponly=True, samesite="strict",
        secure=request.url.scheme == "https",
    )  # fmt: skip
    return answer


@router.post("/sign-out")
def sign_out(request: Request) -> Response:
    """Forget the token."""
    answer = RedirectResponse(SIGN_IN, 303)
    answer.delete_cookie(COOKIE)
    return answer
