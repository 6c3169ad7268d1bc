"""JSON that somebody sent: read within the bounds of any document."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from darkstats.workspace.json_values import JsonValue

__all__ = ["read_body"]


def read_body(data: bytes, *, called: str) -> JsonValue:
    """Return JSON data that was sent.

    Parameters
    ----------
    data
        Text in UTF-8.
    called
        What it is, for messages.

    Raises
    ------
    DocumentError
        It is no JSON, holds NaN or a key twice, or is too large or deep.
    """
    from darkstats.workspace.documents import parse_json

    return parse_json(data, source=called)
