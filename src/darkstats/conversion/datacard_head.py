"""Lines of a datacard up to its rates: bins, observed events, processes, templates."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from darkstats.conversion.datacard import Column, Place, ShapeRule
from darkstats.conversion.datacard_lines import EVERY, Draft, Line, number_in

__all__ = ["HEAD"]


def _declared(line: Line, draft: Draft) -> None:
    """``imax``, ``jmax``, ``kmax``."""
    word = line.words[1] if len(line.words) > 1 else ""
    if word != EVERY and not re.fullmatch(r"\d+", word):
        line.place.refuse(f"{line.words[0]} is {word!r}", "write a whole number, or *")
    draft.declared[line.words[0]] = (line.place, None if word == EVERY else int(word))


def _shapes(line: Line, draft: Draft) -> None:
    words = line.words[1:]
    if len(words) < 3 or (words[2] != "FAKE" and len(words) < 4) or len(words) > 5:
        line.place.refuse(
            "no line of shapes: too few words, or too many",
            "write: shapes PROCESS BIN FILE HISTOGRAM [HISTOGRAM_WITH_SYSTEMATIC]",
        )
    process, name, file = words[:3]
    nominal, varied = (*words[3:], "", "")[:2]
    if (process, name) in draft.shapes:
        line.place.refuse(
            f"a second line of shapes for process {process} in bin {name}", "keep one of them"
        )
    if ":" in nominal or file.endswith(".csv"):
        line.place.refuse(
            f"{nominal!r} is of a RooFit workspace, or of a table; only histograms can be carried",
            "bin the shapes into TH1 histograms; an unbinned likelihood can be written as HS3",
        )
    draft.shapes[process, name] = ShapeRule(
        process=process, bin=name, file=None if file == "FAKE" else draft.source.parent / file,
        nominal=nominal, varied=varied, place=line.place,
    )  # fmt: skip


def _bin(line: Line, draft: Draft) -> None:
    draft.pending = (line.place, line.words[1:])


def _observation(line: Line, draft: Draft) -> None:
    values = tuple(number_in(word, line.place, "observed events") for word in line.words[1:])
    counts = tuple(None if value == -1.0 else value for value in values)
    if any(value is not None and value < 0.0 for value in counts):
        line.place.refuse("a negative number of observed events", "write -1 for the template's")
    draft.observed = (line.place, counts)
    if draft.pending is not None:
        place, names = draft.pending
        if len(names) != len(counts):
            line.place.refuse(
                f"{len(counts)} observations for {len(names)} bins",
                f"compare with line {place.line}",
            )
        if len(set(names)) < len(names):
            place.refuse("names a bin twice", "give each bin a name of its own")
        draft.bins = list(names)
        draft.pending = None


def _process(line: Line, draft: Draft) -> None:
    draft.processes.append((line.place, line.words[1:]))


def _rate(line: Line, draft: Draft) -> None:
    if draft.pending is None or len(draft.processes) != 2:
        line.place.refuse(
            "rates without a line of bins and two lines of processes before them",
            "write bin, process (names), process (numbers), rate, in this order",
        )
    place, bins = draft.pending
    (name_place, names), (_, numbers) = draft.processes
    if all(re.fullmatch(r"-?\d+", word) for word in names):
        names, numbers = numbers, names
    rates = line.words[1:]
    for what, words in (("process names", names), ("process numbers", numbers), ("rates", rates)):
        if len(words) != len(bins):
            line.place.refuse(
                f"{len(words)} {what} for {len(bins)} bins in line {place.line}",
                "give each column its bin, process, number and rate",
            )
    if not all(re.fullmatch(r"-?\d+", word) for word in numbers):
        name_place.refuse("neither line of processes has whole numbers alone", "number them")
    draft.columns = tuple(
        Column(
            bin=bins[i], process=names[i], is_signal=int(numbers[i]) <= 0,
            rate=_positive_rate(rates[i], line.place),
        )
        for i in range(len(bins))
    )  # fmt: skip
    _check_columns(draft, line.place)
    draft.rates = line.place


def _positive_rate(word: str, place: Place) -> float | None:
    value = number_in(word, place, "the expected events")
    if value < 0.0 and value != -1.0:
        place.refuse(f"the rate {word} is negative", "write -1 for the sum of the template")
    return None if value == -1.0 else value


def _check_columns(draft: Draft, place: Place) -> None:
    keys = draft.keys
    twice = next((key for key in keys if keys.count(key) > 1), None) if len(keys) < 5000 else None
    if twice is not None or len(set(keys)) < len(keys):
        place.refuse(f"a process stands twice in a bin: {twice}", "add their rates")
    used = list(dict.fromkeys(name for name, _ in keys))
    draft.bins = draft.bins or used
    for name in used:
        if name not in draft.bins:
            place.refuse(f"bin {name} has rates and no observation", "add it to the line of bins")
    for name in draft.bins:
        if name not in used:
            place.refuse(f"bin {name} has an observation and no process", "give it its processes")
    roles: dict[str, bool] = {}
    for column in draft.columns:
        if roles.setdefault(column.process, column.is_signal) != column.is_signal:
            place.refuse(
                f"process {column.process} is signal in one bin and background in another",
                "give it one number, zero or negative for a signal, in all bins",
            )
    if not any(roles.values()):
        place.refuse(
            "no process is a signal", "number the signal zero or negative: the limit is on its rate"
        )
    if draft.observed is None or len(draft.observed[1]) != len(draft.bins):
        place.refuse(
            "the observed events are missing, or of another number of bins",
            "write a line of bins and a line of observations before the rates",
        )
    for word, found, what in (
        ("imax", len(draft.bins), "bins"),
        ("jmax", len(roles) - 1, "processes but one"),
    ):
        where, asked = draft.declared.get(word, (place, None))
        if asked is not None and asked != found:
            where.refuse(
                f"{word} is {asked}, and there are {found} {what}", f"correct it, or {word} *"
            )


HEAD: Mapping[str, Callable[[Line, Draft], None]] = MappingProxyType(
    {
        "imax": _declared, "jmax": _declared, "kmax": _declared, "shapes": _shapes, "bin": _bin,
        "observation": _observation, "process": _process, "rate": _rate,
    }
)  # fmt: skip
