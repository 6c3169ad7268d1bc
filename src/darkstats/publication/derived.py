"""Files of a bundle that are made from its documents: made again, they must say the same."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import zip_longest

from darkstats.publication.documents import LIMITS, Documents
from darkstats.publication.findings import DIFFERS, Problem
from darkstats.publication.hypotheses import compiled
from darkstats.publication.limit_tables import limit_files
from darkstats.publication.resources import listed
from darkstats.publication.yields import SignalRow, signal_csv, yield_files, yields_of
from darkstats.report.scan_reading import read_scan

__all__ = ["compare_derived", "derived_files"]

_MOST_LINES = 5


def derived_files(
    documents: Documents,
    signals: Sequence[SignalRow],
    title: str,
    notes: Mapping[str, str],
    *,
    carried: Collection[str] = (),
) -> dict[str, str]:
    """Return tables of yields, and of limits where there are any, by the name of the file.

    Parameters
    ----------
    documents
        What the bundle is about.
    signals
        What its hypotheses bring.
    title
        Of the search.
    notes
        What conversions to couplings rest on, by key.
    carried
        Files of the bundle, of which a submission carries some beside its tables.

    Raises
    ------
    InputError
        The workspace makes no model, or the record of the limits is none.
    """
    found = yield_files(yields_of(compiled(documents.workspace)), title)
    if documents.patch_set is not None:
        found["signals.csv"] = signal_csv(signals, documents.patch_set.labels, title)
    if documents.limits is not None:
        found |= limit_files(read_scan(documents.limits, source=LIMITS), notes, listed(carried))
    return found


def compare_derived(files: Mapping[str, bytes], made: Mapping[str, str]) -> list[Problem]:
    """Where files differ from what their documents give, line by line; few lines of each file."""
    problems = []
    for name, text in made.items():
        data = files.get(name)
        if data is None:
            problems.append(Problem(kind=DIFFERS, place=name, text="is missing"))
        elif data != text.encode():
            problems += _lines(name, data.decode("utf-8", "replace"), text)
    return problems


def _lines(name: str, stated: str, made: str) -> list[Problem]:
    pairs = zip_longest(stated.splitlines(), made.splitlines(), fillvalue="(nothing)")
    found = [
        Problem(
            kind=DIFFERS,
            place=f"{name}, line {number}",
            text=f"states {_around(line, other)}; the documents give {_around(other, line)}",
        )
        for number, (line, other) in enumerate(pairs, 1)
        if line != other
    ]
    if not found:
        return [Problem(kind=DIFFERS, place=name, text="differs in its line ends")]
    rest = len(found) - _MOST_LINES
    if rest > 0:
        more = Problem(kind=DIFFERS, place=name, text=f"and {rest} more lines")
        return [*found[:_MOST_LINES], more]
    return found


def _around(line: str, other: str) -> str:
    """A line, from a little before where it differs."""
    first = next((k for k, (a, b) in enumerate(zip(line, other, strict=False)) if a != b), 0)
    start = max(first - 20, 0)
    part = line[start : start + 60]
    return repr(("..." if start else "") + part + ("..." if len(line) > start + 60 else ""))
