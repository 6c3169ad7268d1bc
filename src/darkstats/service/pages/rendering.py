"""Templates and the words of numbers in them.

All text that goes into a page is escaped, and characters that are not seen, or that turn the
direction of what follows, are spelled: names come from other people's files.
"""

from __future__ import annotations

import json
import math
import time
from contextvars import ContextVar
from functools import cache
from typing import Any

import jinja2
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from darkstats.report.numbers import number, p_number, percent
from darkstats.service.pages.static_files import address

__all__ = ["SIGNED_IN", "count", "page", "seen"]

#: Who has signed in with a token that the browser keeps, while their request is answered.
SIGNED_IN: ContextVar[str] = ContextVar("SIGNED_IN", default="")

#: Line breaks and spaces of numbers.
_KEPT = "\n\t\u00a0\u202f"


def seen(text: str) -> str:
    """Text with all that is not seen spelled, line breaks aside."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in _KEPT else ascii(one)[1:-1] for one in text)


def _finalize(value: Any) -> Any:  # noqa: ANN401 -- whatever a template prints
    if value is None:
        return ""
    return seen(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _clean(value: Any) -> Any:  # noqa: ANN401 -- any JSON value
    if isinstance(value, str):
        return seen(value)
    if isinstance(value, dict):
        return {seen(str(key)): _clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _data(value: Any) -> Markup:  # noqa: ANN401 -- any JSON value
    """JSON for a block of data in a page: nothing in it can end the block."""
    text = json.dumps(_clean(value), separators=(",", ":"), allow_nan=False)
    for one in "<>&":
        text = text.replace(one, f"\\u{ord(one):04x}")
    return Markup(text)


def _when(seconds: float | None) -> str:
    return "" if seconds is None else time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


def _machine_time(seconds: float | None) -> str:
    return "" if seconds is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 1.0:
        return f"{1000.0 * seconds:.0f} ms"
    if seconds < 60.0:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _size(n_bytes: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if n_bytes < 1024.0:
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1024.0
    return f"{n_bytes:.3g} GiB"


def count(value: float | None) -> str:
    """A whole number with thin spaces between thousands, or a yield."""
    if value is None:
        return "–"
    if float(value).is_integer() and abs(value) < 1e12:
        return f"{int(value):,}".replace(",", "\u202f").replace("-", "−")
    return number(value)


def _short(digest: str) -> str:
    return digest[:12]


@cache
def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("darkstats.service.pages", "templates"),
        autoescape=True,
        finalize=_finalize,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "number": number, "p": p_number, "percent": percent, "data": _data, "when": _when,
        "machine_time": _machine_time, "duration": _duration, "size": _size, "count": count,
        "short": _short,
    }  # fmt: skip
    made.globals["static"] = address
    return made


def page(
    template: str, *, status: int = 200, headers: dict[str, str] | None = None, **values: object
) -> HTMLResponse:
    """Make a page.

    Parameters
    ----------
    template
        Name of its template.
    status, headers
        Of the response.
    values
        What the template says.
    """
    text = _environment().get_template(template).render(signed_in=SIGNED_IN.get(), **values)
    return HTMLResponse(text, status_code=status, headers=headers)
