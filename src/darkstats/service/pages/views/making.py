"""From any record to what a page shows of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from darkstats.report.numbers import number
from darkstats.service.pages.views.contours import contour_view
from darkstats.service.pages.views.fits import fit_view, profile_view, rank_view
from darkstats.service.pages.views.limits import (
    goodness_view,
    hypotest_view,
    limit_view,
    significance_view,
)
from darkstats.service.pages.views.parts import Fact, Table, View
from darkstats.service.pages.views.scans import scan_view
from darkstats.service.pages.views.trials import global_view, projection_view

__all__ = ["numbers_of", "view_of"]

Record = Mapping[str, Any]

_MOST_ITEMS = 60  # of a list or an object that has no view of its own
_DEPTH = 2


def view_of(record: Record, verb: str) -> View:
    """What a page shows of a record.

    Parameters
    ----------
    record
        A record of any kind, of a document or an error.
    verb
        What was asked.
    """
    kind = str(record.get("schema", "")).partition("/")[0].removeprefix("darkstats.")
    if kind == "error":
        return View(title="")
    found = _VIEWS.get(kind, _any)(record)
    if not found.title:
        found = replace(found, title=verb.capitalize())
    numbers = numbers_of(record)
    facts = (*found.facts, *_common(numbers))
    said = (*numbers.get("warnings", ()), *numbers.get("workspace_warnings", ()))
    return replace(found, facts=facts, warnings=tuple(dict.fromkeys(map(str, said))))


def numbers_of(record: Record) -> Record:
    """The record that holds the numbers: a reinterpretation holds that of a limit or a scan."""
    for name in ("limit", "scan"):
        inner = record.get(name)
        if isinstance(inner, Mapping) and "schema" in inner:
            return inner
    return record


def _reinterpretation(record: Record) -> View:
    inner = record.get("limit") or record.get("scan")
    if not isinstance(inner, Mapping):
        return _any(record)
    found = limit_view(inner) if record.get("limit") else scan_view(inner)
    signal = record.get("signal") or {}
    rows = [[str(k), number(v)] for k, v in (signal.get("yields") or {}).items()]
    tables = [Table(title="Signal", columns=["channel", "events"], rows=rows)] if rows else []
    notices = list(found.notices)
    if signal.get("missing"):
        notices.append(
            f"No signal was given for {', '.join(map(str, signal['missing']))}: "
            f"{_MISSING.get(str(signal.get('missing_treated_as')), '')}."
        )
    return replace(found, tables=[*tables, *found.tables], notices=notices)


_MISSING = {
    "keep": "they are kept without signal",
    "mask": "their bins are left out",
    "drop": "they are removed",
}


def _plot(record: Record) -> View:
    return View(title="Figure", lead="Drawn as it would be by the command line.")


def _any(record: Record) -> View:
    """A record without a view of its own: its fields."""
    facts = []
    tables = []
    for key, value in record.items():
        if key in {"provenance", "schema", "warnings", "workspace_warnings"}:
            continue
        if isinstance(value, Mapping):
            rows = [[str(k), _short(v)] for k, v in list(value.items())[:_MOST_ITEMS]]
            tables.append(Table(title=_words(key), columns=["field", "value"], rows=rows))
        elif isinstance(value, list) and value and all(isinstance(v, Mapping) for v in value):
            tables.append(_list_table(key, value))
        elif value is not None and not key.endswith("_reason"):
            facts.append(Fact(label=_words(key), value=_short(value)))
    return View(title="", facts=facts[:_MOST_ITEMS], tables=tables)


def _list_table(key: str, rows: Sequence[Record]) -> Table:
    columns = list(dict.fromkeys(name for row in rows for name in row))[:8]
    shown = [[_short(row.get(name)) for name in columns] for row in rows[:_MOST_ITEMS]]
    note = f"The first {len(shown)} of {len(rows)}." if len(rows) > len(shown) else ""
    return Table(title=_words(key), columns=[*map(_words, columns)], rows=shown, note=note)


def _words(key: str) -> str:
    return key.replace("_", " ")


def _short(value: Any, depth: int = 0) -> str:  # noqa: ANN401 -- any JSON value
    if isinstance(value, (bool, float)):
        return number(value) if isinstance(value, float) else "yes" if value else "no"
    if isinstance(value, (list, Mapping)) and depth >= _DEPTH:
        return "…"
    if isinstance(value, list):
        shown = ", ".join(_short(one, depth + 1) for one in value[:8])
        return shown + (f", … ({len(value)} in all)" if len(value) > 8 else "")
    if isinstance(value, Mapping):
        return "; ".join(f"{_words(str(k))} {_short(v, depth + 1)}" for k, v in value.items())[:300]
    return "–" if value is None else str(value)


def _common(record: Record) -> list[Fact]:
    """How the numbers were checked, and what they come from."""
    facts = []
    fits = record.get("fits")
    if isinstance(fits, Mapping):
        level = fits.get("certification_level", fits.get("level"))
        tried, good = fits.get("attempted"), fits.get("certified")
        words = f"level {level}" if level is not None else ""
        shown = f"{good} of {tried} fits" if tried is not None else "the fit"
        facts.append(Fact(label="Certified", value=shown, note=words))
    toys = record.get("toys")
    if isinstance(toys, Mapping):
        facts.append(
            Fact(
                label="Toys", value=f"{toys.get('ok')} of {toys.get('asked')} certified",
                note=f"seed {record.get('seed')}",
            )
        )  # fmt: skip
    return [*facts, *_provenance(record.get("provenance") or {}, record)]


def _provenance(said: Record, record: Record) -> list[Fact]:
    facts = []
    workspace = said.get("workspace") or {}
    simulated = workspace.get("simulated", record.get("simulated"))
    if simulated is not None:
        facts.append(Fact(label="Data", value="simulated" if simulated else "measured"))
    if said.get("blind") or record.get("blind"):
        facts.append(Fact(label="Blind", value="yes", note="Asimov data only"))
    for label, digest in (
        ("Workspace", workspace.get("sha256")),
        ("Model", (said.get("model") or {}).get("sha256")),
        ("Inputs", said.get("inputs_sha256")),
    ):
        if digest:
            facts.append(Fact(label=f"{label} SHA-256", value=str(digest), code=True))
    versions = said.get("versions") or {}
    if versions:
        words = ", ".join(f"{name} {version}" for name, version in versions.items())
        facts.append(Fact(label="Versions", value=words))
    if said.get("references"):
        facts.append(Fact(label="References", value="; ".join(map(str, said["references"]))))
    return facts


_VIEWS: Mapping[str, Callable[[Record], View]] = {
    "limit": limit_view,
    "hypotest": hypotest_view,
    "significance": significance_view,
    "gof": goodness_view,
    "scan": scan_view,
    "projection": projection_view,
    "global": global_view,
    "contour": contour_view,
    "fit": fit_view,
    "rank": rank_view,
    "scan-poi": profile_view,
    "reinterpret": _reinterpretation,
    "plot": _plot,
}
