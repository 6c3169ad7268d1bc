"""Every exception that darkstats raises on purpose.

::

    DarkstatsError
    ├── InputError                 what was asked for, or given, cannot be used          exit 2
    │   ├── DocumentError          not the JSON (archive, gzip) it should be; too large or deep
    │   ├── WorkspaceError         a document that is no valid workspace; carries findings
    │   ├── PatchError             a JSON patch or patch set that cannot be applied
    │   │   └── DigestMismatchError
    │   ├── CardError              a search card that cannot be used; names file, line and key
    │   ├── UnknownNameError       a name (channel, parameter, method, ...) that does not exist
    │   ├── ArgumentTypeError      an argument in Python of the wrong type; a TypeError, too
    │   ├── OptionError            options that contradict each other, the model, or their range
    │   │   └── PriorError         a prior that cannot be used: its range, its normalisation
    │   ├── PosteriorError         model, data and prior give no posterior
    │   │   ├── ImproperPosteriorError   it cannot be normalised
    │   │   ├── EmptySupportError        the likelihood is zero wherever the prior is not
    │   │   └── InsensitiveError         the parameter of interest changes no expected rate
    │   ├── RefusedError           a request that a service refused; carries its problem document
    │   ├── DownloadError          a download that was refused or that failed
    │   └── MissingExtraError      an optional dependency that is not installed
    └── NotCertifiedError          the computation ran, but its answer cannot be vouched for  exit 1
        ├── FitFailedError         a minimum that is not one
        │   ├── ImpossibleDataError      the likelihood is zero whatever the free parameters are
        │   └── LocalMinimumError        a lower point is known, at which no fit ends
        ├── LimitNotFoundError     no certified crossing; carries the bound that is known
        ├── ShardError             work in blocks that is missing, damaged, foreign or failed
        └── ServiceError           a service or its store that does not answer
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from darkstats.workspace.findings import Finding

__all__ = [
    "ArgumentTypeError",
    "CardError",
    "DarkstatsError",
    "DigestMismatchError",
    "DocumentError",
    "DownloadError",
    "EmptySupportError",
    "FileError",
    "FitFailedError",
    "ImpossibleDataError",
    "ImproperPosteriorError",
    "InputError",
    "InsensitiveError",
    "LimitNotFoundError",
    "LocalMinimumError",
    "MissingExtraError",
    "NotCertifiedError",
    "OptionError",
    "OutputError",
    "PatchError",
    "PosteriorError",
    "PriorError",
    "RefusedError",
    "ServiceError",
    "ShardError",
    "UnknownNameError",
    "WorkspaceError",
    "in_words",
]


class DarkstatsError(Exception):
    """Root of all errors raised on purpose."""


class InputError(DarkstatsError):
    """What was given, or asked for, cannot be used."""


class DocumentError(InputError):
    """A document that cannot be read.

    Parameters
    ----------
    problem
        What is wrong.
    source
        File name, or whatever names the origin.
    pointer
        JSON pointer (RFC 6901) of the place, if there is one.
    remedy
        What to do about it.
    """

    def __init__(
        self, problem: str, *, source: str = "", pointer: str | None = None, remedy: str = ""
    ) -> None:
        self.problem, self.source, self.pointer, self.remedy = problem, source, pointer, remedy
        where = ": ".join(part for part in (source, pointer or "") if part)
        text = f"{where}: {problem}" if where else problem
        super().__init__(f"{text}; {remedy}" if remedy else text)


class CardError(InputError):
    """A card that cannot be used: of a search, or of another program that is converted.

    Parameters
    ----------
    problem
        What is wrong.
    source
        File name.
    line
        Line in the file, from 1; None where the file as a whole is meant.
    key
        Path of the key, joined by dots.
    remedy
        What to do about it.
    """

    def __init__(
        self,
        problem: str,
        *,
        source: str = "",
        line: int | None = None,
        key: str = "",
        remedy: str = "",
    ) -> None:
        self.problem, self.source, self.line = problem, source, line
        self.key, self.remedy = key, remedy
        place = source + (f", line {line}" if line is not None else "")
        where = ": ".join(part for part in (place, key) if part)
        text = f"{where}: {problem}" if where else problem
        super().__init__(f"{text}; {remedy}" if remedy else text)


class WorkspaceError(InputError):
    """A document that is no valid workspace.

    Parameters
    ----------
    findings
        The lint findings that make it unusable, each with its JSON pointer and remedy.
    source
        File name, or whatever names the origin.
    hint
        What may be behind all of them.
    """

    def __init__(self, findings: Sequence[Finding], *, source: str = "", hint: str = "") -> None:
        self.findings = tuple(findings)
        self.source, self.hint = source, hint
        head = f"{source or 'workspace'}: {len(self.findings)} problem(s)"
        lines = [head, *(str(finding) for finding in self.findings), *([hint] if hint else [])]
        super().__init__("\n  ".join(lines))


class PatchError(DocumentError):
    """A JSON patch or a patch set that cannot be applied."""


class DigestMismatchError(PatchError):
    """A patch set that was made for another workspace.

    Parameters
    ----------
    expected, found
        SHA-256 digests, hexadecimal.
    source
        File name of the patch set.
    """

    def __init__(self, *, expected: str, found: str, source: str = "") -> None:
        self.expected, self.found = expected, found
        super().__init__(
            f"the patch set belongs to the workspace with sha256 {expected}, not to {found}",
            source=source,
            remedy="use the background-only workspace that was published with this patch set",
        )


def listed(name: str, known: Sequence[str], *, most: int = 20) -> str:
    """Names to choose from, separated by commas: all of a few, those like ``name`` of many."""
    if len(known) <= most:
        return ", ".join(known)
    from difflib import get_close_matches

    near = get_close_matches(name, known, n=most // 4, cutoff=0.0)
    return f"{', '.join(near)}, ... ({len(known)} in all)"


class UnknownNameError(InputError):
    """A name that does not exist.

    Parameters
    ----------
    kind
        What was named: ``"channel"``, ``"parameter"``, ``"test statistic"``, ...
    name
        The name asked for.
    known
        The names that exist; None where they are not told.
    """

    def __init__(self, kind: str, name: str, known: Sequence[str] | None) -> None:
        self.kind, self.name, self.known = kind, name, tuple(known or ())
        choice = ""
        if known is not None:
            choice = f"; choose one of: {listed(name, self.known) or '(there are none)'}"
        super().__init__(f"unknown {kind} {name!r}{choice}")


_UNSET = object()
_LONGEST_VALUE = 60  # characters of a value that a message shows


class ArgumentTypeError(InputError, TypeError):
    """An argument of a Python function that is of the wrong type, or does not fit the function.

    Parameters
    ----------
    function
        Its name.
    name
        Of the argument; or what is wrong, where there is nothing to pass in its place.
    expected
        What to pass.
    value
        What was passed.
    """

    def __init__(
        self, function: str, name: str, *, expected: str = "", value: object = _UNSET
    ) -> None:
        self.function, self.name, self.expected = function, name, expected
        text = f"{function}: {name}"
        if value is not _UNSET:
            shown = repr(value)
            if len(shown) > _LONGEST_VALUE:
                shown = f"a value of type {type(value).__name__}"
            text = f"{text} is {shown}; pass {expected}"
        super().__init__(text)


class OptionError(InputError):
    """Options that contradict each other, the model, or their range."""


class OutputError(OptionError):
    """A file, folder or stream that cannot be written; what was finished before is kept."""


class FileError(InputError):
    """A file or folder that the system refuses: by its name, its permissions, or its device."""


class PriorError(OptionError):
    """A prior that cannot be used: outside the physical range, or not integrable where it must."""


class PosteriorError(InputError):
    """Model, data and prior do not make a posterior."""


class ImproperPosteriorError(PosteriorError):
    """The posterior cannot be normalised: its tail does not fall fast enough."""


class EmptySupportError(PosteriorError):
    """The likelihood is zero wherever the prior is not: the data are impossible."""


class InsensitiveError(PosteriorError):
    """The parameter of interest changes no expected rate: the posterior would be the prior."""


class DownloadError(InputError):
    """A download that was refused or that failed."""


class RefusedError(InputError):
    """A request that a service refused.

    Parameters
    ----------
    detail
        What is wrong, in the words of the service.
    problem
        Its problem document (RFC 9457), with findings, pointers and remedies where there are any.
    """

    def __init__(self, detail: str, *, problem: Mapping[str, Any] | None = None) -> None:
        self.problem = dict(problem or {})
        super().__init__(detail)


class MissingExtraError(InputError):
    """An optional dependency that is not installed.

    Parameters
    ----------
    package, extra
        The missing package, and the extra of darkstats that brings it.
    """

    def __init__(self, package: str, extra: str) -> None:
        self.package, self.extra = package, extra
        super().__init__(
            f"{package} is not installed; run: python -m pip install 'darkstats[{extra}]'"
        )


class NotCertifiedError(DarkstatsError):
    """The computation ran, but its answer cannot be vouched for."""


class FitFailedError(NotCertifiedError):
    """A minimum that could not be certified after every retry.

    Parameters
    ----------
    message
        What failed, and what to do.
    spent
        Whether it is known that the model's own start leads nowhere, by any means.
    """

    def __init__(self, message: str, *, spent: bool = False) -> None:
        self.spent = spent
        super().__init__(message)


class ImpossibleDataError(FitFailedError):
    """Data that the model forbids whatever the values of its free parameters: no finite minimum.

    Parameters
    ----------
    places
        Which events, where: names channel and bin, or the event.
    held
        What was held fixed, in words; empty for a free fit.
    """

    def __init__(self, places: str, *, held: str = "") -> None:
        self.places = places
        under = f" with {held}" if held else ""
        super().__init__(f"the data are impossible{under}: {places}")


class LocalMinimumError(FitFailedError):
    """A minimum that is not the lowest: a point below it is known, at which no fit ends.

    Parameters
    ----------
    reason
        What was found, and where the lower point lies.
    reached
        Deviance of the lower point.
    """

    def __init__(self, reason: str, *, reached: float) -> None:
        self.reached = reached
        super().__init__(reason)


class LimitNotFoundError(NotCertifiedError):
    """No certified crossing of the confidence level was found.

    Parameters
    ----------
    reason
        Why.
    lower_bound
        The largest tested value that is known *not* to be excluded, if any.
    """

    def __init__(self, reason: str, *, lower_bound: float | None = None) -> None:
        self.reason, self.lower_bound = reason, lower_bound
        known = "" if lower_bound is None else f"; the limit is at least {lower_bound:.6g}"
        super().__init__(reason + known)


class ServiceError(NotCertifiedError):
    """A service, or its store, that does not answer as it should."""


class ShardError(NotCertifiedError):
    """Blocks of a job that are missing, damaged, of another job, or that failed."""


def in_words(error: BaseException) -> str:
    """What an exception says, without the number and the path that the system adds to it.

    >>> in_words(FileNotFoundError(2, "No such file or directory", "x.json"))
    'no such file or directory'
    >>> in_words(ValueError("three columns, not two"))
    'three columns, not two'
    """
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text[:1].lower() + text[1:] if isinstance(error, OSError) else text
