"""The workspace: the frozen type that all statistics starts from."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from darkstats.errors import UnknownNameError, WorkspaceError
from darkstats.provenance import digest_of_text
from darkstats.shown import Shown
from darkstats.workspace.findings import DEFERRED_CODES
from darkstats.workspace.lint import lint
from darkstats.workspace.own_signals import of_operations
from darkstats.workspace.patch import apply_patch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from darkstats.workspace.findings import Finding
    from darkstats.workspace.json_values import JsonValue
    from darkstats.workspace.own_signals import OwnSignal
    from darkstats.workspace.shared_parts import SharedParts

__all__ = ["Workspace", "canonical_digest", "pyhf_digest"]


_SAMPLES = 4
"""Levels of lists and objects above a sample."""


def pyhf_digest(document: JsonValue, algorithm: str = "sha256") -> str:
    """Return the hexadecimal digest of a document by pyhf's rule.

    The rule is the hash of the JSON text with sorted keys and no ASCII escapes. It is what patch
    sets carry, and it is not canonical: ``5`` and ``5.0`` differ.

    Parameters
    ----------
    document
        A JSON document.
    algorithm
        ``"sha256"`` or ``"md5"``.
    """
    text = _pyhf_text(document)
    return hashlib.new(algorithm, text.encode(), usedforsecurity=False).hexdigest()


def _pyhf_text(value: JsonValue) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def canonical_digest(document: JsonValue) -> str:
    """Return the SHA-256 of a document that does not depend on how its numbers are written.

    All numbers are written as floats (``5`` equals ``5.0``, ``-0.0`` equals ``0.0``) and keys are
    sorted; the order of lists is kept.
    """
    return digest_of_text(_canonical_text(document).encode())


def _canonical_text(value: JsonValue) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)
    if "-0.0" in text:  # perhaps a negative zero: adding zero takes its sign away
        plain = json.loads(text, parse_int=float, parse_float=lambda number: float(number) + 0.0)
    else:
        plain = json.loads(text, parse_int=float)
    return json.dumps(plain, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _assembled(
    value: JsonValue, levels: int, text: Callable[[JsonValue], str], comma: str, colon: str
) -> str:
    """JSON text, keys sorted, put together from the texts of what lies some levels below."""
    if levels > 0 and isinstance(value, dict):
        parts = (
            f"{json.dumps(key, ensure_ascii=False)}{colon}"
            f"{_assembled(value[key], levels - 1, text, comma, colon)}"
            for key in sorted(value)
        )
        return f"{{{comma.join(parts)}}}"
    if levels > 0 and isinstance(value, list):
        return f"[{comma.join(_assembled(v, levels - 1, text, comma, colon) for v in value)}]"
    return text(value)


def _is_deferred(error: Finding) -> bool:
    return error.code in DEFERRED_CODES and error.pointer.startswith("/measurements/")


def _measurement_of(error: Finding) -> int:
    return int(error.pointer.split("/")[2])


@dataclass(frozen=True, repr=False)
class Workspace(Shown):
    """A HistFactory workspace that has passed the linter.

    Make one with :func:`darkstats.workspace.read_workspace`, or with :meth:`from_document`.

    Parameters
    ----------
    document
        The JSON document, to be treated as read-only: plain JSON values, finite numbers.
    source
        Where it came from, for messages: a file name, ``"-"``, ``"archive.tar.gz:member.json"``.
    warnings
        What the linter found worth a look.
    unusable
        Errors that concern single measurements; :meth:`measurement` raises them.
    shared
        What is known of samples that other documents have, too; see :meth:`from_document`.
    own_signal
        What the patches that were applied say of a signal that is not that of the search.

    Examples
    --------
    >>> import darkstats
    >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
    >>> workspace.channel_names, workspace.sample_names, workspace.poi_name()
    (('signal_region',), ('background', 'signal'), 'mu')
    >>> counts = [{"op": "replace", "path": "/observations/0/data", "value": [50, 40]}]
    >>> workspace.patched(counts).document["observations"][0]["data"]
    [50, 40]
    """

    in_a_line: ClassVar = "source channel_names sample_names measurement_names"

    document: dict[str, JsonValue] = field(repr=False)
    source: str = ""
    warnings: tuple[Finding, ...] = ()
    unusable: tuple[Finding, ...] = ()
    shared: SharedParts | None = field(default=None, repr=False, compare=False)
    own_signal: OwnSignal | None = field(default=None, repr=False, compare=False)

    @classmethod
    def from_document(
        cls,
        document: JsonValue,
        source: str = "",
        *,
        accept: Collection[str] = (),
        usable: bool = True,
        shared: SharedParts | None = None,
    ) -> Workspace:
        """Return the workspace of a document.

        Parameters
        ----------
        document
            A JSON document; it is neither changed nor copied.
        source
            Where it came from, for messages.
        accept
            Codes of errors to be taken as warnings; see :func:`darkstats.workspace.lint`.
        usable
            Whether at least one measurement must be usable; without one, the workspace can be
            read and changed, but makes no model.
        shared
            What is known of the samples of a document that this one was made of by patches. It
            saves time, and changes nothing else.

        Raises
        ------
        WorkspaceError
            The linter found errors.

        Examples
        --------
        >>> import darkstats
        >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
        >>> counts = [{"name": "signal_region", "data": [9, 9]}]
        >>> document = {**workspace.document, "observations": counts}
        >>> darkstats.Workspace.from_document(document).channel_names
        ('signal_region',)
        """
        findings = lint(document, accept=accept, shared=shared)
        errors = tuple(finding for finding in findings if finding.severity == "error")
        if not all(map(_is_deferred, errors)):
            raise WorkspaceError(errors, source=source)
        if usable and errors:
            broken = {_measurement_of(error) for error in errors}
            if len(broken) == len(document["measurements"]):
                raise WorkspaceError(errors, source=source)
        warnings = tuple(finding for finding in findings if finding.severity == "warning")
        return cls(document, source, warnings, errors, shared)

    def to_dict(self) -> dict[str, JsonValue]:
        """Return the document, to be treated as read-only."""
        return self.document

    @cached_property
    def digest(self) -> str:
        """SHA-256 by pyhf's rule, which patch sets carry."""
        return digest_of_text(self._text(_pyhf_text, ", ", ": ").encode())

    @cached_property
    def canonical_digest(self) -> str:
        """SHA-256 that does not depend on how numbers are written; the order of lists counts."""
        return digest_of_text(self._text(_canonical_text, ",", ":").encode())

    def _text(self, write: Callable[[JsonValue], str], comma: str, colon: str) -> str:
        """The document as ``write`` writes it; the text of a shared sample is kept."""
        shared = self.shared
        if shared is None:
            return write(self.document)

        def text(value: JsonValue) -> str:
            return shared.once(value, write.__name__, lambda: write(value))

        return _assembled(self.document, _SAMPLES, text, comma, colon)

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Names of the channels, in the order of the document."""
        return tuple(channel["name"] for channel in self.document["channels"])

    @property
    def sample_names(self) -> tuple[str, ...]:
        """Names of the samples of all channels, sorted."""
        names = {s["name"] for c in self.document["channels"] for s in c["samples"]}
        return tuple(sorted(names))

    @property
    def modifiers(self) -> tuple[tuple[str, str], ...]:
        """Pairs (name, type) of all modifiers, sorted."""
        samples = (s for c in self.document["channels"] for s in c["samples"])
        return tuple(sorted({(m["name"], m["type"]) for s in samples for m in s["modifiers"]}))

    @property
    def measurement_names(self) -> tuple[str, ...]:
        """Names of the measurements, in the order of the document."""
        return tuple(measurement["name"] for measurement in self.document["measurements"])

    def measurement(
        self, name: str | None = None, *, check_poi: bool = True
    ) -> dict[str, JsonValue]:
        """Return a measurement, by default the first one.

        Parameters
        ----------
        name
            Its name.
        check_poi
            Whether its parameter of interest must be usable: no, if another one is chosen.

        Raises
        ------
        UnknownNameError
            No measurement has this name.
        WorkspaceError
            The measurement does not fit the samples.

        Examples
        --------
        >>> import darkstats
        >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
        >>> workspace.measurement()["name"]
        'limit'
        """
        index, measurement = self._find(name)
        errors = [
            error
            for error in self.unusable
            if _measurement_of(error) == index and (check_poi or not error.code.startswith("poi-"))
        ]
        if errors:
            raise WorkspaceError(errors, source=self.source)
        return measurement

    def _find(self, name: str | None) -> tuple[int, dict[str, JsonValue]]:
        for index, measurement in enumerate(self.document["measurements"]):
            if name is None or measurement["name"] == name:
                return index, measurement
        raise UnknownNameError("measurement", name or "", self.measurement_names)

    def poi_name(self, measurement: str | None = None) -> str | None:
        """Return the parameter of interest of a measurement, ``None`` if it names none.

        Examples
        --------
        >>> import darkstats
        >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
        >>> workspace.poi_name()
        'mu'
        """
        name: str = self._find(measurement)[1]["config"]["poi"]
        return name or None

    def patched(self, operations: Sequence[JsonValue], *, source: str = "") -> Workspace:
        """Return this workspace with a JSON patch (RFC 6902) applied, linted again.

        Raises
        ------
        PatchError
            The patch cannot be applied.
        WorkspaceError
            The result is no valid workspace.

        Examples
        --------
        >>> import darkstats
        >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
        >>> patched = workspace.patched(
        ...     [{"op": "replace", "path": "/observations/0/data", "value": [50, 40]}]
        ... )
        >>> darkstats.compile_workspace(patched).observation.counts
        array([50., 40.])
        """
        document = apply_patch(self.document, operations, source=source)
        joined = f"{self.source} + {source}" if source else self.source
        own = of_operations(operations, source) or self.own_signal
        return replace(Workspace.from_document(document, joined), own_signal=own)
