"""A patch set: the signal points of a search, tied to one background-only workspace."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, NoReturn

from darkstats.errors import DigestMismatchError, PatchError, UnknownNameError
from darkstats.shown import Shown
from darkstats.workspace.findings import join_pointer, shown
from darkstats.workspace.own_signals import OwnSignal, of_operations
from darkstats.workspace.patch import apply_patch
from darkstats.workspace.report import LARGEST_NUMBER
from darkstats.workspace.spec import pyhf_digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from darkstats.workspace.json_values import JsonValue

__all__ = ["PatchSet", "SignalPoint"]

_NAME = re.compile(r"[a-zA-Z0-9_]+")
_HEPDATA = re.compile(r"ins[0-9]{7}")
_DIGESTS = {"sha256": re.compile(r"[a-fA-F0-9]{64}"), "md5": re.compile(r"[a-f0-9]{32}")}

Value = float | int | str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalPoint:
    """One point of a patch set.

    Parameters
    ----------
    name
        Letters, digits and underscores.
    values
        One value per label of the patch set, such as masses in GeV.
    operations
        The JSON patch that adds this signal.
    metadata
        All that the patch set says of the point, its name and values included.
    """

    name: str
    values: tuple[Value, ...]
    operations: tuple[dict[str, JsonValue], ...] = field(repr=False)
    metadata: Mapping[str, JsonValue] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PatchSet(Shown):
    """Signal points for one background-only workspace.

    Parameters
    ----------
    points
        The points, in the order of the document; names and values are unique.
    labels
        What each of the values of a point is.
    digests
        Digest of the background-only workspace, by algorithm (``"sha256"``, ``"md5"``).
    description, references
        Free text, and the HEPData record.
    source
        File name, for messages.

    Notes
    -----
    There is no way to apply a point without verifying the digest.

    Examples
    --------
    >>> import darkstats
    >>> points = darkstats.read_patchset("workspaces/examples/mass_scan/patchset.json")
    >>> [point.name for point in points][:2]
    ['mass_1p2', 'mass_1p4']
    >>> points.select((1.8,)).name
    'mass_1p8'
    """

    in_a_line: ClassVar = "source labels point_names description"

    points: tuple[SignalPoint, ...] = field(repr=False)
    labels: tuple[str, ...]
    digests: Mapping[str, str]
    description: str
    references: Mapping[str, str]
    source: str = ""

    @classmethod
    def from_document(cls, document: JsonValue, source: str = "") -> PatchSet:
        """Return the patch set of a document (pyhf schema 1.0.0, ``patchset.json``).

        Raises
        ------
        PatchError
            The document is no valid patch set.
        """
        check = _Check(source)
        check.keys(document, "", {"patches", "metadata", "version"}, closed=True)
        if document["version"] != "1.0.0":
            check.fail("/version", f"the version is {shown(document['version'])}", 'write "1.0.0"')
        metadata = document["metadata"]
        labels = check.metadata(metadata)
        patches = check.items(document["patches"], "/patches")
        points = tuple(check.point(patch, i, labels) for i, patch in enumerate(patches))
        check.unique([point.name for point in points], "name")
        check.unique([point.values for point in points], "values")
        return cls(
            points=points,
            labels=labels,
            digests=dict(metadata["digests"]),
            description=metadata["description"],
            references=dict(metadata["references"]),
            source=source,
        )

    def __len__(self) -> int:
        return len(self.points)

    def __iter__(self) -> Iterator[SignalPoint]:
        return iter(self.points)

    @property
    def point_names(self) -> tuple[str, ...]:
        """Names of the points, in the order of the document."""
        return tuple(point.name for point in self.points)

    @property
    def own_signal(self) -> OwnSignal | None:
        """What the points say of their signals; None where none says anything.

        Where they say different things, nothing says the cross section of all of them.

        Raises
        ------
        PatchError
            A point says no cross section above zero.
        """
        said = {of_operations(list(one.operations), self.source) for one in self}
        return next(iter(said)) if len(said) == 1 else OwnSignal()

    def select(self, point: str | Sequence[Value]) -> SignalPoint:
        """Return a point by its name, or by its values.

        Parameters
        ----------
        point
            A name; a sequence of values; or values as text, separated by commas (``"1300,60"``).
            Numbers are compared as numbers: ``60`` finds ``60.0``.

        Raises
        ------
        UnknownNameError
            There is no such point.

        Examples
        --------
        >>> import darkstats
        >>> points = darkstats.read_patchset("workspaces/examples/mass_scan/patchset.json")
        >>> points.select("mass_1p8") == points.select("1.8") == points.select((1.8,))
        True
        """
        if isinstance(point, str):
            for candidate in self.points:
                if candidate.name == point:
                    return candidate
            values: tuple[Value, ...] = tuple(_number(part) for part in point.split(","))
        else:
            values = tuple(point)
        for candidate in self.points:
            if candidate.values == values:
                return candidate
        name = point if isinstance(point, str) else ",".join(map(str, point))
        raise UnknownNameError("signal point", name, self.point_names)

    def verify(self, document: JsonValue) -> None:
        """Check that ``document`` is the background-only workspace of this patch set.

        Raises
        ------
        DigestMismatchError
            One of the digests is another one.
        """
        for algorithm, expected in self.digests.items():
            found = pyhf_digest(document, algorithm)
            if found != expected.lower():
                mark = "" if algorithm == "sha256" else f"{algorithm}:"
                raise DigestMismatchError(
                    expected=mark + expected, found=mark + found, source=self.source
                )

    def apply(self, document: JsonValue, point: str | Sequence[Value]) -> JsonValue:
        """Return the background-only ``document`` with a point's signal; verifies the digest.

        Raises
        ------
        DigestMismatchError
            The document is another workspace.
        UnknownNameError
            There is no such point.
        PatchError
            The patch does not fit.

        Examples
        --------
        >>> import darkstats
        >>> points = darkstats.read_patchset("workspaces/examples/mass_scan/patchset.json")
        >>> base = darkstats.read_workspace(
        ...     "workspaces/examples/mass_scan/background_only.json", usable=False
        ... )
        >>> patched = points.apply(base.document, "mass_1p8")
        >>> darkstats.Workspace.from_document(patched).sample_names[-1]
        'signal'
        """
        self.verify(document)
        selected = self.select(point)
        source = f"{self.source} point {selected.name}"
        return apply_patch(document, list(selected.operations), source=source)


@dataclass(frozen=True, slots=True)
class _Check:
    """The rules of the patch-set schema; raises at the first one that is broken."""

    source: str

    def fail(self, pointer: str, problem: str, remedy: str) -> NoReturn:
        raise PatchError(problem, source=self.source, pointer=pointer, remedy=remedy)

    def keys(
        self, value: JsonValue, pointer: str, required: set[str], *, closed: bool = False
    ) -> None:
        if not isinstance(value, dict):
            listed = ", ".join(sorted(required))
            self.fail(pointer, f"{shown(value)} is no object", f"write an object with {listed}")
        for key in sorted(required - value.keys()):
            self.fail(pointer, f"the key {key!r} is missing", f"add {key!r}")
        for key in value.keys() - required if closed else ():
            self.fail(join_pointer(pointer, key), "the schema has no such key", "remove it")

    def items(self, value: JsonValue, pointer: str) -> list[JsonValue]:
        if not isinstance(value, list) or not value:
            self.fail(pointer, "this is no list, or an empty one", "list at least one item")
        items: list[JsonValue] = value
        return items

    def text(self, value: JsonValue, pointer: str, pattern: re.Pattern[str], example: str) -> None:
        if not isinstance(value, str) or pattern.fullmatch(value) is None:
            self.fail(pointer, f"{shown(value)} is not allowed here", f"write one like {example}")

    def metadata(self, metadata: JsonValue) -> tuple[str, ...]:
        place = "/metadata"
        self.keys(metadata, place, {"references", "digests", "labels", "description"})
        if not isinstance(metadata["description"], str):
            self.fail(f"{place}/description", "the description is no text", "write it as text")
        references, digests = metadata["references"], metadata["digests"]
        self.keys(references, f"{place}/references", {"hepdata"}, closed=True)
        self.text(references["hepdata"], f"{place}/references/hepdata", _HEPDATA, "ins1234567")
        self.keys(digests, f"{place}/digests", set())
        if not digests:
            self.fail(f"{place}/digests", "there is no digest", "add the sha256")
        for algorithm, digest in digests.items():
            where = join_pointer(f"{place}/digests", algorithm)
            if algorithm not in _DIGESTS:
                self.fail(where, "an unknown digest algorithm", "use sha256 or md5")
            self.text(digest, where, _DIGESTS[algorithm], "the hexadecimal digest")
        labels = self.items(metadata["labels"], f"{place}/labels")
        for index, label in enumerate(labels):
            self.text(label, f"{place}/labels/{index}", _NAME, "m_A (letters, digits, _)")
            if label in labels[:index]:
                self.fail(f"{place}/labels/{index}", f"{shown(label)} a second time", "rename it")
        return tuple(labels)

    def point(self, patch: JsonValue, index: int, labels: tuple[str, ...]) -> SignalPoint:
        place = f"/patches/{index}"
        self.keys(patch, place, {"metadata", "patch"}, closed=True)
        metadata = patch["metadata"]
        self.keys(metadata, f"{place}/metadata", {"name", "values"})
        self.text(metadata["name"], f"{place}/metadata/name", _NAME, "mA_1p65 (letters, digits, _)")
        values, where = metadata["values"], f"{place}/metadata/values"
        if not isinstance(values, list) or len(values) != len(labels):
            self.fail(
                where,
                f"there must be {len(labels)} value(s), one per label",
                f"write values of {', '.join(labels)}",
            )
        for value in values:
            if isinstance(value, bool) or not isinstance(value, int | float | str):
                self.fail(where, f"{shown(value)} is no number or text", "write numbers or text")
            if not isinstance(value, str) and not -LARGEST_NUMBER <= value <= LARGEST_NUMBER:
                self.fail(where, f"{shown(value)} is too large", "write it in another unit")
        if not isinstance(patch["patch"], list):
            self.fail(f"{place}/patch", "the patch is no list", "write a list of operations")
        return SignalPoint(
            name=metadata["name"],
            values=tuple(values),
            operations=tuple(patch["patch"]),
            metadata=metadata,
        )

    def unique(self, keys: list[JsonValue], what: str) -> None:
        seen: dict[JsonValue, int] = {}
        for index, key in enumerate(keys):
            if key in seen:
                self.fail(
                    f"/patches/{index}/metadata/{what}",
                    f"the {what} of this point are those of point {seen[key]}",
                    "make them unique",
                )
            seen[key] = index


def _number(text: str) -> Value:
    try:
        return float(text)
    except ValueError:
        return text.strip()
