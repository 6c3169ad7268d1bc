"""HS3 0.2 documents of unbinned likelihoods: read, checked, taken apart, written.

`HS3 <https://github.com/hep-statistics-serialization-standard>`_ is JSON. What is read here is the
part of it that an extended unbinned likelihood needs; what the standard cannot say, or what says
one thing to one reader and another to the next, is refused with the reason. No code is ever
executed from a document: expressions go through :mod:`darkstats.workspace.hs3.expressions`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from darkstats.errors import DocumentError, OptionError, UnknownNameError
from darkstats.provenance import digest_of
from darkstats.shown import Shown
from darkstats.workspace.documents import parse_json
from darkstats.workspace.hs3.checks import (
    HS3_VERSION,
    SECTIONS,
    check_outline,
    is_number,
    looks_like_hs3,
)
from darkstats.workspace.sources import Opener

__all__ = [
    "HS3_VERSION",
    "Hs3Analysis",
    "Hs3Channel",
    "Hs3Document",
    "Hs3Parameter",
    "looks_like_hs3",
    "objects_in",
    "read_hs3",
    "write_hs3",
]

_FARTHEST = 1e100  # ends of an observable: squares and integrals have to be numbers, too
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
Item = dict[str, Any]


def objects_in(document: object, key: str) -> list[Item]:
    """Objects of a list in a parsed document that nobody has checked yet; none without a list."""
    found = document.get(key) if isinstance(document, dict) else None
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


@dataclass(frozen=True, slots=True, kw_only=True)
class Hs3Parameter:
    """One parameter: start, range, and whether it is constant."""

    name: str
    value: float
    lower: float
    upper: float
    constant: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Hs3Channel:
    """A distribution, the axes of its observables as (name, lower, upper), and data, if any.

    ``data`` is the HS3 item: ``unbinned`` with entries and perhaps weights, or ``binned``.
    """

    name: str
    distribution: Item = field(repr=False)
    axes: tuple[tuple[str, float, float], ...]
    data: Item = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hs3Analysis:
    """One analysis with its references followed.

    Parameters
    ----------
    name, poi
        Its name, and the parameter of interest (None if it names none).
    channels, constraints
        Channels, and the auxiliary distributions.
    parameters
        All that the analysis depends on, in the order of the document.
    values
        What this hypothesis is, by label: masses in GeV; empty if the document does not say.
    """

    name: str
    poi: str | None
    channels: tuple[Hs3Channel, ...] = field(repr=False)
    constraints: tuple[Item, ...] = field(repr=False)
    parameters: tuple[Hs3Parameter, ...] = field(repr=False)
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Hs3Document(Shown):
    """A checked document.

    Equal if the digests are: SHA-256 of the JSON with sorted keys and no spaces.
    """

    in_a_line: ClassVar = "source analysis_names"

    document: Item = field(repr=False, compare=False)
    source: str = field(compare=False)
    digest: str

    @property
    def description(self) -> str | None:
        """What the document says of itself."""
        text = self.document["metadata"].get("description")
        return text if isinstance(text, str) else None

    @property
    def simulated(self) -> bool | None:
        """Whether data within the document are simulated; None if it does not say."""
        said = self._own().get("simulated")
        return said if isinstance(said, bool) else None

    @property
    def analysis_names(self) -> tuple[str, ...]:
        """Analyses, in order."""
        return tuple(item["name"] for item in self.document["analyses"])

    @property
    def event_channels(self) -> tuple[str, ...]:
        """Names of the channels of unbinned data in all likelihoods, in order."""
        unbinned = {
            item["name"] for item in self.document["data"] if item.get("type") == "unbinned"
        }
        found = (
            channel
            for likelihood in self.document["likelihoods"]
            for channel, data in zip(likelihood["distributions"], likelihood["data"], strict=True)
            if data in unbinned
        )
        return tuple(dict.fromkeys(found))

    def _own(self) -> Item:
        own = self.document.get("misc", {}).get("darkstats", {})
        return own if isinstance(own, dict) else {}

    @property
    def search(self) -> Mapping[str, Any]:
        """What the document says under ``misc.darkstats``: labels, cross section of mu = 1."""
        return self._own()

    def item(self, section: str, name: str) -> Item:
        """Entry of a section by name.

        Raises
        ------
        DocumentError
            There is none.
        """
        for entry in self.document.get(section, []):
            if entry["name"] == name:
                found: Item = entry
                return found
        raise DocumentError(
            f"{name!r} is named, but there is none in {section}", source=self.source
        )

    def values_of(self, name: str) -> Mapping[str, float]:
        """Masses of an analysis by label; empty if the document does not say."""
        values = self._own().get("points", {}).get(name, {})
        if not isinstance(values, dict):
            return {}
        labels = self._own().get("labels")
        order = labels if isinstance(labels, list) and set(labels) == set(values) else values
        return {str(label): float(values[label]) for label in order}

    def without_events(self, name: str) -> tuple[str, ...]:
        """Unbinned channels of an analysis for which the document itself gives no data.

        An empty list of entries is a data set of no event, and data all the same; but where the
        document names the spectrum of a search that it looks at, events come from that search.
        """
        elsewhere = self.spectrum_of(name) is not None
        return tuple(
            channel.name
            for channel in self.analysis(name).channels
            if channel.data.get("type") != "binned"
            and (channel.data.get("entries") is None or (elsewhere and not channel.data["entries"]))
        )

    def spectrum_of(self, name: str) -> str | None:
        """Spectrum of a search that an analysis looks at; None if the document does not say."""
        spectra = self._own().get("spectra", {})
        found = spectra.get(name) if isinstance(spectra, dict) else None
        return found if isinstance(found, str) else None

    def select(self, point: str) -> str:
        """Name of the analysis that ``point`` means: its name, or its values joined by commas.

        Raises
        ------
        UnknownNameError
            None, or several, are meant.
        """
        if point in self.analysis_names:
            return point
        try:
            wanted = [float(part) for part in point.split(",")]
        except ValueError:
            raise UnknownNameError("analysis", point, self.analysis_names) from None
        fitting = [
            name
            for name in self.analysis_names
            if (values := list(self.values_of(name).values()))
            and len(values) == len(wanted)
            and all(
                abs(a - b) <= 1e-6 * max(1.0, abs(b)) for a, b in zip(values, wanted, strict=True)
            )
        ]
        if len(fitting) != 1:
            raise UnknownNameError("analysis", point, self.analysis_names)
        return fitting[0]

    def analysis(self, name: str | None = None) -> Hs3Analysis:
        """One analysis with its references followed; the first by default.

        Raises
        ------
        UnknownNameError
            There is no analysis of that name.
        DocumentError
            A reference leads nowhere, or a part is missing.
        """
        if name is None:
            name = self.analysis_names[0]
        elif name not in self.analysis_names:
            raise UnknownNameError("analysis", name, self.analysis_names)
        entry = self.item("analyses", name)
        likelihood = self.item("likelihoods", entry["likelihood"])
        channels = [
            self._channel(distribution, data)
            for distribution, data in zip(
                likelihood["distributions"], likelihood["data"], strict=True
            )
        ]
        pois = entry.get("parameters_of_interest") or []
        if len(pois) > 1:
            raise DocumentError(
                f"analysis {name!r} has {len(pois)} parameters of interest",
                source=self.source,
                remedy="name one: a limit is set on one parameter",
            )
        return Hs3Analysis(
            name=name,
            poi=pois[0] if pois else None,
            channels=tuple(channels),
            constraints=tuple(
                self.item("distributions", one) for one in likelihood.get("aux_distributions") or []
            ),
            parameters=self._parameters(entry),
            values=self.values_of(name),
        )

    def _channel(self, distribution: str, data: str) -> Hs3Channel:
        found = self.item("data", data)
        axes = []
        for axis in found.get("axes") or []:
            low, high = axis.get("min"), axis.get("max")
            edges = axis.get("edges")
            if isinstance(edges, list) and edges:
                low, high = edges[0], edges[-1]
            if (
                not is_number(low)
                or not is_number(high)
                or not -_FARTHEST <= low < high <= _FARTHEST
            ):
                raise DocumentError(
                    f"axis {axis.get('name')!r} of data {data!r} has no range",
                    source=self.source,
                    remedy="give min < max, both within 1e100: the densities are normalised on it",
                )
            axes.append((str(axis["name"]), float(low), float(high)))
        if not axes:
            raise DocumentError(f"data {data!r} have no axes", source=self.source)
        return Hs3Channel(
            name=distribution,
            distribution=self.item("distributions", distribution),
            axes=tuple(axes),
            data=found,
        )

    def _list(self, kind: str, name: str, key: str) -> list[Item]:
        """A list of objects that an item has to have."""
        found = self.item(kind, name).get(key)
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise DocumentError(
                f"{kind} {name!r} has no list {key!r} of objects", source=self.source,
                remedy="write it as HS3 has it, or take the document from its source again",
            )  # fmt: skip
        return found

    def _parameters(self, analysis: Item) -> tuple[Hs3Parameter, ...]:
        point = analysis.get("init") or self._only("parameter_points")
        values = self._list("parameter_points", point, "parameters")
        ranges: dict[str, tuple[float, float]] = {}
        domains = analysis.get("domains") or [analysis.get("domain")]
        if domains == [None]:
            raise DocumentError(f"analysis {analysis['name']!r} has no domains", source=self.source)
        for name in domains:
            for axis in self._list("domains", name, "axes"):
                if is_number(axis.get("min")) and is_number(axis.get("max")):
                    ranges[axis["name"]] = (float(axis["min"]), float(axis["max"]))
        found = []
        for entry in values:
            name, value = entry["name"], float(entry["value"])
            constant = bool(entry.get("const", False))
            if not constant and name not in ranges:
                raise DocumentError(
                    f"parameter {name!r} has no range in the domain of {analysis['name']!r}",
                    source=self.source,
                    remedy='add it to the domain, or make it "const": true',
                )
            low, high = ranges.get(name, (value, value))
            if not constant and not low <= value <= high:
                raise DocumentError(
                    f"parameter {name!r} starts at {value:g}, outside its range "
                    f"[{low:g}, {high:g}]",
                    source=self.source,
                )
            found.append(
                Hs3Parameter(name=name, value=value, lower=low, upper=high, constant=constant)
            )
        return tuple(found)

    def _only(self, section: str) -> str:
        entries = self.document.get(section, [])
        if not entries:
            raise DocumentError(f"has no {section}", source=self.source)
        name: str = entries[0]["name"]
        return name

    @classmethod
    def from_document(cls, document: object, source: str = "") -> Hs3Document:
        """Check the outline of a document.

        Raises
        ------
        DocumentError
            It is no HS3 0.2 document of likelihoods; the message says where and why.
        """
        checked = check_outline(document, source)
        return cls(document=checked, source=source, digest=digest_of(checked))


def read_hs3(source: str | Path) -> Hs3Document:
    """Read a document from a file, gzipped or not.

    Raises
    ------
    DocumentError
        It cannot be read, or is no HS3 document that this program understands.
    """
    label, data = Opener().read(str(source), "workspace")
    return Hs3Document.from_document(parse_json(data, source=label), label)


def write_hs3(document: Mapping[str, Any], path: str | Path) -> None:
    """Write a document: sorted keys within items, sections in the order of the standard.

    Numbers are written with all their digits, so that reading gives the same likelihood.

    Raises
    ------
    DocumentError
        It would not be read back.
    OptionError
        The file cannot be written.
    """
    Hs3Document.from_document(dict(document), str(path))
    text = render_hs3(document)
    try:
        Path(path).write_text(text, "utf-8")
    except OSError as error:
        raise OptionError(f"{path}: cannot be written: {error.strerror}") from None


def render_hs3(document: Mapping[str, Any]) -> str:
    """Text of a document: one item a line."""
    parts = []
    for section in SECTIONS:
        if section not in document:
            continue
        value = document[section]
        if isinstance(value, list) and value:
            lines = ",\n    ".join(_line(item) for item in value)
            parts.append(f'  "{section}": [\n    {lines}\n  ]')
        else:
            parts.append(f'  "{section}": {_line(value)}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _line(value: object) -> str:
    return json.dumps(value, sort_keys=True, allow_nan=False, ensure_ascii=False)


def check_name(name: str) -> str:
    """Return a name that expressions can hold.

    Raises
    ------
    OptionError
        It has other characters than letters, digits and underscores.
    """
    if not _NAME.match(name):
        raise OptionError(f"{name!r} is no name for HS3: use letters, digits and underscores")
    return name


def metadata(description: str, packages: Sequence[tuple[str, str]]) -> Item:
    """The metadata of a document of ours."""
    return {
        "hs3_version": HS3_VERSION,
        "description": description,
        "packages": [{"name": name, "version": version} for name, version in packages],
    }
