"""Histograms that the ``shapes`` lines of a datacard name."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.conversion.datacard import Datacard, Place, ShapeRule
from darkstats.errors import InputError, MissingExtraError, UnknownNameError
from darkstats.searches.histogram_files import OwnHistogram, read_histogram

__all__ = ["DATA", "Templates"]

#: The process that stands for the observed events.
DATA = "data_obs"
_EVERY = "*"


@dataclass(slots=True)
class Templates:
    """The templates of a card at one mass.

    Parameters
    ----------
    card
        The card, or several that were joined.
    mass
        What ``$MASS`` stands for; None where nobody said it.
    """

    card: Datacard
    mass: str | None
    _rules: dict[tuple[str, str], ShapeRule] = field(init=False)
    _read_already: dict[tuple[Path, str], OwnHistogram | None] = field(
        init=False, default_factory=dict
    )
    _edges: dict[str, tuple[FloatArray | None, str]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Index the rules by process and bin."""
        self._rules = {(rule.process, rule.bin): rule for rule in self.card.shapes}

    def rule(self, process: str, bin_name: str) -> ShapeRule | None:
        """Return the rule of a process in a bin; that of the bin goes before that of all bins."""
        for key in (
            (process, bin_name), (_EVERY, bin_name), (process, _EVERY), (_EVERY, _EVERY),
        ):  # fmt: skip
            if key in self._rules:
                return self._rules[key]
        return None

    def is_counting(self, bin_name: str) -> bool:
        """Whether a bin is one count: no rule of shapes meets it, or it is ``FAKE``."""
        rules = [
            self.rule(column.process, bin_name)
            for column in self.card.columns
            if column.bin == bin_name
        ]
        files = {rule is not None and rule.file is not None for rule in rules}
        if len(files) > 1:
            missing = next(
                column.process
                for column, rule in zip(
                    [one for one in self.card.columns if one.bin == bin_name], rules, strict=True
                )
                if rule is None or rule.file is None
            )
            self.card.place.refuse(
                f"process {missing} in bin {bin_name} has no template, and others have one",
                "add a line of shapes for it",
            )
        return files == {False}

    def nominal(self, process: str, bin_name: str) -> OwnHistogram:
        """Return the template of a process in a bin.

        Raises
        ------
        CardError
            There is no rule, or the histogram cannot be read.
        """
        rule = self._required(process, bin_name)
        return self._read(rule, self._name(rule, rule.nominal, process, bin_name), bin_name)

    def varied(
        self, process: str, bin_name: str, systematic: str, place: Place
    ) -> tuple[OwnHistogram, OwnHistogram] | None:
        """Return the templates at -1 and +1 standard deviation; None where the file has neither.

        Raises
        ------
        CardError
            One of the two is missing, or cannot be read.
        """
        rule = self._required(process, bin_name)
        if "$SYSTEMATIC" not in rule.varied:
            return None
        found: list[OwnHistogram | None] = []
        names = []
        for side in ("Down", "Up"):
            pattern = rule.varied.replace("$SYSTEMATIC", f"{systematic}{side}")
            names.append(self._name(rule, pattern, process, bin_name))
            found.append(self._read_if_there(rule, names[-1], bin_name))
        low, high = found
        if low is None and high is None:
            return None
        if low is None or high is None:
            place.refuse(
                f"the histogram {names[low is not None]} is not in {rule.file}",
                "give both variations", key=systematic,
            )  # fmt: skip
        return low, high

    def edges(self, bin_name: str) -> tuple[float, ...] | None:
        """Edges of a bin's histograms, all of which agree."""
        found = self._edges.get(bin_name, (None, ""))[0]
        return None if found is None else tuple(map(float, found))

    def _required(self, process: str, bin_name: str) -> ShapeRule:
        rule = self.rule(process, bin_name)
        if rule is None or rule.file is None:
            self.card.place.refuse(
                f"no line of shapes tells the template of {process} in bin {bin_name}",
                "add: shapes PROCESS BIN FILE HISTOGRAM",
            )
        return rule

    def _name(self, rule: ShapeRule, pattern: str, process: str, bin_name: str) -> str:
        name = self._words(rule, pattern, bin_name).replace("$PROCESS", process)
        unknown = re.search(r"\$\w+", name)
        if unknown is not None:
            rule.place.refuse(
                f"nobody says what {unknown[0]} stands for", f"say --keyword {unknown[0][1:]}=VALUE"
            )
        return name

    def _words(self, rule: ShapeRule, text: str, bin_name: str) -> str:
        if "$MASS" in text and self.mass is None:
            rule.place.refuse("the card leaves the mass open", "say --mass VALUE, as Combine's -m")
        return text.replace("$CHANNEL", rule.channel or bin_name).replace("$MASS", self.mass or "")

    def _read(self, rule: ShapeRule, name: str, bin_name: str) -> OwnHistogram:
        found = self._read_if_there(rule, name, bin_name)
        if found is None:
            rule.place.refuse(f"the histogram {name} is not in {rule.file}", "correct the pattern")
        return found

    def _read_if_there(self, rule: ShapeRule, name: str, bin_name: str) -> OwnHistogram | None:
        path = rule.file
        if path is None:
            return None
        path = path.with_name(self._words(rule, path.name, bin_name))
        if (path, name) not in self._read_already:
            self._read_already[path, name] = _histogram(path, name, rule.place)
        found = self._read_already[path, name]
        if found is None:
            return None
        known, place = self._edges.setdefault(bin_name, (found.edges, found.place))
        if known is not None and found.edges is not None and not _same(known, found.edges):
            rule.place.refuse(
                f"{found.place} has other bins than {place}", "give all histograms one binning"
            )
        return found


def _same(first: FloatArray, second: FloatArray) -> bool:
    return first.shape == second.shape and bool(np.allclose(first, second, rtol=1e-9, atol=1e-12))


def _histogram(path: Path, name: str, place: Place) -> OwnHistogram | None:
    """Read a histogram; what is wrong with its file is said of the line that names it."""
    try:
        return read_histogram(path, name)
    except UnknownNameError:
        return None
    except MissingExtraError:
        raise
    except InputError as error:
        place.refuse(str(error))
