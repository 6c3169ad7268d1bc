"""Histograms out of events: variable, selection, weight; each file is read once for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from darkstats.arrays import BoolArray, FloatArray, frozen_floats
from darkstats.errors import DocumentError, OptionError
from darkstats.templates.event_chunks import Chunk, event_chunks
from darkstats.templates.expressions import Expression, all_hold
from darkstats.templates.histogram import Histogram

__all__ = ["Filled", "Filling", "fill_all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """How a histogram is made of events.

    Parameters
    ----------
    files, tree
        Files of events, read one after the other; the tree in them, None for the only one.
    variable
        What is binned.
    edges
        Of the bins, ascending; a bin holds its low edge and not its high one. Shape [bin + 1].
    selections
        Conditions that an event meets, all of them.
    weight
        Of an event; None for one.
    columns
        What stands for a column of these names, as with ``m`` moved by an energy scale.
    place
        Who asked, for messages.
    """

    files: tuple[Path, ...]
    tree: str | None
    variable: Expression
    edges: tuple[float, ...]
    selections: tuple[Expression, ...] = ()
    weight: Expression | None = None
    columns: tuple[tuple[str, Expression], ...] = ()
    place: str = field(default="", compare=False)

    @property
    def needs(self) -> frozenset[str]:
        """Columns of the files that are read."""
        replaced = dict(self.columns)
        used = self.expressions
        names = frozenset().union(*(one.names for one in used))
        own = (replaced[name].names if name in replaced else {name} for name in names)
        return frozenset().union(*own)

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """Variable, selections and weight."""
        weight = () if self.weight is None else (self.weight,)
        return (self.variable, *self.selections, *weight)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A histogram with what went into it.

    Parameters
    ----------
    histogram
        Sums of weights and of their squares.
    n_read, n_selected, n_outside
        Events in the files; those that passed; those of them beyond the edges.
    """

    histogram: Histogram
    n_read: int
    n_selected: int
    n_outside: int


def fill_all(fillings: Sequence[Filling]) -> Mapping[Filling, Filled]:
    """Fill histograms, reading each file once.

    Raises
    ------
    DocumentError
        With file, event and who asked: a column is missing, a variable or weight of a selected
        event is no finite number, or whether it passes is unknown.
    MissingExtraError
        A package that reads the files is not installed.
    """
    sums = {one: _Sum(one) for one in fillings}
    together: dict[tuple[Path, str | None], list[_Sum]] = {}
    for asked, made in sums.items():
        for path in asked.files:
            together.setdefault((path, asked.tree), []).append(made)
    for (path, tree), wanted in together.items():
        source = str(path) if tree is None else f"{path}: {tree}"
        columns: dict[str, str] = {}
        for one in wanted:
            for name in sorted(one.asked.needs):
                columns.setdefault(name, one.asked.place)  # the first who asks
        if not columns:
            raise DocumentError(
                "neither the variable nor the selection nor the weight names a column",
                source=source, pointer=wanted[0].asked.place,
            )  # fmt: skip
        first = 0
        try:
            for chunk in event_chunks(path, tree, columns):
                n = len(chunk[next(iter(columns))])
                for one in wanted:
                    one.add(chunk, n, first, source)
                first += n
        except DocumentError as error:
            if error.pointer is not None:
                raise
            raise DocumentError(  # of the file as a whole: say who asked for it
                error.problem, source=error.source, pointer=wanted[0].asked.place,
                remedy=error.remedy,
            ) from error  # fmt: skip
    return {asked: made.filled() for asked, made in sums.items()}


class _Sum:
    """One histogram under way."""

    def __init__(self, asked: Filling) -> None:
        self.asked = asked
        self.edges = np.array(asked.edges)
        n = len(self.edges) - 1
        self.values, self.variances = np.zeros(n), np.zeros(n)
        self.outside = 0.0
        self.n_read = self.n_selected = self.n_outside = 0

    def add(self, chunk: Chunk, n: int, first: int, source: str) -> None:
        """Add the events of a chunk; ``first`` is its first event in the file."""
        asked = self.asked
        try:
            columns = {**chunk, **{name: one.values(chunk, n) for name, one in asked.columns}}
            truths = [one.holds(columns, n) for one in asked.selections]
            variable = asked.variable.values(columns, n)
            weight = np.ones(n) if asked.weight is None else asked.weight.values(columns, n)
        except OptionError as error:
            raise DocumentError(str(error), source=source, pointer=asked.place) from error
        chosen, unknown = all_hold(truths, n)
        self.refuse(unknown, "the selection is neither true nor false (NaN)",
                    "add a condition that keeps such events out", first, source)  # fmt: skip
        remedy = "keep such events out by the selection, and say why"
        for what, found in (("variable", variable), ("weight", weight)):
            bad = chosen & ~np.isfinite(found)
            self.refuse(bad, f"the {what} is no finite number", remedy, first, source)
        self.fill(variable[chosen], weight[chosen])
        self.n_read += n
        self.n_selected += int(chosen.sum())

    def refuse(self, bad: BoolArray, problem: str, remedy: str, first: int, source: str) -> None:
        if bad.any():
            row = first + int(np.flatnonzero(bad)[0])
            raise DocumentError(
                f"{problem} in event {row}, and in {int(bad.sum())} of the {len(bad)} around it",
                source=source, pointer=self.asked.place, remedy=remedy,
            )  # fmt: skip

    def fill(self, variable: FloatArray, weight: FloatArray) -> None:
        """Half-open bins; a value at the last edge is outside."""
        n = len(self.values)
        index = np.searchsorted(self.edges, variable, side="right") - 1
        inside = (index >= 0) & (index < n)
        index, used = index[inside], weight[inside]
        self.values += np.bincount(index, weights=used, minlength=n)
        self.variances += np.bincount(index, weights=used**2, minlength=n)
        self.outside += float(weight[~inside].sum())
        self.n_outside += int((~inside).sum())

    def filled(self) -> Filled:
        return Filled(
            histogram=Histogram(
                edges=(frozen_floats(self.edges),),
                values=frozen_floats(self.values),
                variances=frozen_floats(self.variances),
                outside=self.outside,
            ),
            n_read=self.n_read,
            n_selected=self.n_selected,
            n_outside=self.n_outside,
        )
