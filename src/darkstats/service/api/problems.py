"""What a client is told when something is wrong: problem documents (RFC 9457)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from darkstats.errors import (
    DarkstatsError,
    InputError,
    ServiceError,
    UnknownNameError,
)

if TYPE_CHECKING:
    from fastapi.exceptions import RequestValidationError

    from darkstats.service.store import StoredResult

__all__ = [
    "MEDIA_TYPE",
    "ProblemError",
    "of_error",
    "of_refusal",
    "of_validation",
    "problem",
    "unknown",
]

MEDIA_TYPE = "application/problem+json"
_URN = "urn:darkstats:problem:"
_RETRY_S = "5"


class ProblemError(Exception):
    """A request that ends with a problem document.

    Parameters
    ----------
    status
        Status of HTTP.
    detail
        What is wrong, and what to do about it.
    kind
        Word that programs tell it by; by default that of the status.
    headers
        Further headers of the answer.
    more
        Further members of the document.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        kind: str = "",
        headers: Mapping[str, str] | None = None,
        **more: Any,  # noqa: ANN401 -- any JSON values
    ) -> None:
        self.status, self.detail, self.kind = status, detail, kind
        self.headers, self.more = dict(headers or {}), more
        super().__init__(detail)

    def response(self) -> Response:
        """Return the document."""
        return problem(self.status, self.detail, kind=self.kind, headers=self.headers, **self.more)


def problem(
    status: int,
    detail: str,
    *,
    kind: str = "",
    headers: Mapping[str, str] | None = None,
    **more: Any,  # noqa: ANN401 -- any JSON values
) -> Response:
    """Return a problem document as a response; see :class:`ProblemError`."""
    phrase = HTTPStatus(status).phrase
    body = {
        "type": _URN + (kind or phrase.lower().replace(" ", "-")),
        "title": phrase,
        "status": status,
        "detail": detail,
        **{name: value for name, value in more.items() if value is not None},
    }
    text = json.dumps(body, allow_nan=False)
    return Response(text, status_code=status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def of_error(error: DarkstatsError) -> Response:
    """The problem that an error is: of the request, or of the service itself."""
    if isinstance(error, ServiceError):
        detail = "the service cannot use its store at the moment; nothing was changed, try again"
        return problem(503, detail, kind="ServiceError", headers={"Retry-After": _RETRY_S})
    status = 422 if isinstance(error, InputError) else 500
    return problem(status, str(error), kind=type(error).__name__, **_fields(error))


def _fields(error: DarkstatsError) -> dict[str, Any]:
    from darkstats.report.records import error_record

    record = error_record(error, exit_status=2)
    return {name: value for name, value in record.items() if name not in _TOLD_ELSEWHERE}


#: Fields of an error record that a problem document says by members of its own.
_TOLD_ELSEWHERE = {"schema", "error", "kind", "message", "exit_status", "command"}


def of_refusal(result: StoredResult, *, path: str) -> Response:
    """The problem of an answer that is a refusal; its record lies at ``path``."""
    record = json.loads(result.record)
    more = {name: value for name, value in record.items() if name not in _TOLD_ELSEWHERE}
    return problem(
        422, record["message"], kind=record["error"], result=path,
        exit_status=result.exit_status, **more,
    )  # fmt: skip


def of_validation(error: RequestValidationError) -> Response:
    """The problem of a request that the framework refuses, with the place of each fault."""
    findings = [
        {
            "place": one["loc"][0] if one["loc"] else "",
            "pointer": "".join(f"/{part}" for part in one["loc"][1:]),
            "message": one["msg"],
        }
        for one in error.errors()
    ]
    detail = "; ".join(f"{one['place']}{one['pointer']}: {one['message']}" for one in findings)
    return problem(422, detail, kind="OptionError", findings=findings)


def unknown(kind: str, name: str) -> ProblemError:
    """The problem of something that is not here."""
    return ProblemError(
        404, str(UnknownNameError(kind, name[:100], ())), kind=UnknownNameError.__name__
    )
