"""What the linter reports: one finding per fault, with its place and its remedy."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from darkstats.characters import spelled

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ACCEPTABLE_CODES",
    "DEFERRED_CODES",
    "FINDING_CODES",
    "Finding",
    "Severity",
    "join_pointer",
    "shown",
]

Severity = Literal["error", "warning"]

FINDING_CODES: Mapping[str, str] = MappingProxyType(
    {
        # the shape of the document
        "wrong-type": "a value has another type than the workspace schema asks for",
        "missing-key": "a required key is absent",
        "unexpected-key": "a key that the workspace schema does not know",
        "empty-list": "a list that must not be empty is empty",
        "bad-version": "the schema version is not 1.0.0",
        "bad-name": "a name is empty or holds control characters",
        "not-a-number": "a boolean, text or null stands where a number is needed",
        "not-finite": "NaN or infinity stands where a number is needed",
        "number-too-large": "a number is too large to compute with",
        "unknown-modifier": "a modifier type that HistFactory does not know",
        "too-many-findings": "the list of findings was cut",
        # names and lengths
        "duplicate-channel": "two channels share a name",
        "duplicate-sample": "two samples of a channel share a name",
        "duplicate-observation": "two observations share a name",
        "duplicate-measurement": "two measurements share a name",
        "duplicate-parameter": "a measurement configures a parameter twice",
        "duplicate-modifier": "a sample has two modifiers of the same type and name",
        "wrong-length": "a list has another length than its channel or parameter",
        "missing-observation": "a channel has no observation",
        "unused-observation": "an observation belongs to no channel",
        # numbers
        "negative-yield": "a sample expects a negative number of events",
        "negative-data": "an observed count is negative",
        "negative-expectation": "the samples of a bin sum to a negative expectation",
        "zero-expectation": "a bin has data but no sample can contribute to it",
        "empty-bin": "a bin has neither data nor any expectation",
        "no-background": "a bin has data but only signal contributes to it",
        "empty-sample": "a sample expects nothing in every bin of a channel",
        "huge-yield": "a yield is so large that a single event is lost in rounding",
        # modifiers
        "negative-uncertainty": "an uncertainty is negative",
        "uncertainty-out-of-range": "an uncertainty is too small or too large to compute with",
        "wide-uncertainty": "an uncertainty is larger than the yield of its bin",
        "zero-uncertainty": "bins with yield have no statistical uncertainty",
        "frozen-bins": "an uncertainty on bins without yield has no effect",
        "bad-normsys": "a normsys factor is not positive, or absurdly far from 1",
        "large-variation": "a variation changes the yield by more than a factor 10",
        "negative-variation": "a histosys variation is negative",
        "one-sided": "both variations of a systematic go the same way",
        "no-effect": "the variations of a systematic equal the nominal yields",
        "component-name": "a modifier has the name of a component of another parameter",
        "lookalike-names": "two names look the same, and are not",
        "names-by-case": "two names differ in case only",
        "name-reuse": "modifiers of incompatible types share a name",
        "shared-shapesys": "a shapesys is used twice; it cannot be shared",
        "shapefactor-bins": "a shapefactor spans channels with different numbers of bins",
        "staterror-mask": "the samples of a staterror do not cover the same channels",
        "no-parameters": "the model has no parameter at all",
        # measurements
        "lumi-config": "a measurement does not configure the luminosity",
        "unused-parameter": "a measurement configures a parameter that the model lacks",
        "unsupported-setting": "a parameter does not use a configured attribute",
        "inverted-bounds": "a lower bound is not below its upper bound",
        "init-outside-bounds": "an initial value lies outside its bounds",
        "negative-range": "a bin-by-bin scale factor may become negative",
        "bad-width": "a constraint width, factor or auxiliary datum is not usable",
        "poi-empty": "the measurement names no parameter of interest",
        "poi-unknown": "the parameter of interest is no parameter of the model",
        "poi-no-effect": "the parameter of interest changes no bin",
        "poi-many": "the parameter of interest has several components",
        "poi-fixed": "the parameter of interest is held fixed",
    }
)
"""Every code of a finding, with its meaning."""

ACCEPTABLE_CODES = frozenset(
    {
        "component-name",
        "lookalike-names",
        "poi-unknown",
        "poi-no-effect",
        "poi-fixed",
    }
)
"""Errors that a caller may turn into warnings, for documents that are to be read, not fitted.

A background-only workspace, for example, names a parameter of interest that only a signal patch
brings.
"""

DEFERRED_CODES = frozenset({"lumi-config", "poi-unknown", "poi-no-effect"})
"""Errors that concern one measurement only, and stop nothing before that measurement is used.

The measurements of a combined or pruned workspace, for example, need not all fit its samples.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One fault of a workspace.

    Parameters
    ----------
    severity
        ``"error"``: no number may come from this document. ``"warning"``: look at it.
    code
        Key of :data:`FINDING_CODES`; stable, for filters and tests.
    pointer
        JSON pointer (RFC 6901) of the place; ``""`` is the whole document.
    message, remedy
        What is wrong, and what to do about it.
    channel, sample
        Names of the channel and the sample concerned, if there are any.
    """

    severity: Severity
    code: str
    pointer: str
    message: str
    remedy: str
    channel: str | None = None
    sample: str | None = None

    def __str__(self) -> str:
        where = [f"channel {shown(self.channel)}"] if self.channel is not None else []
        where += [f"sample {shown(self.sample)}"] if self.sample is not None else []
        place = f" ({', '.join(where)})" if where else ""
        pointer = _printable(self.pointer) or "(document)"
        return f"{self.severity} [{self.code}] {pointer}{place}: {self.message}; {self.remedy}"


def join_pointer(pointer: str, *tokens: str | int) -> str:
    """Return the JSON pointer of a child, with ``~`` and ``/`` escaped (RFC 6901)."""
    only = str(tokens[0]) if len(tokens) == 1 else ""
    if only.isidentifier():  # nothing to be escaped
        return f"{pointer}/{only}"
    parts = [pointer]
    for token in tokens:
        text = str(token) if isinstance(token, int) else token.replace("~", "~0").replace("/", "~1")
        parts.append(text)
    return "/".join(parts)


def shown(value: object, *, limit: int = 60) -> str:
    """Return ``value`` for a message: quoted, on one line, printable and not too long."""
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 200:
        return f"an integer of {value.bit_length()} bits"
    text = ascii(value) if isinstance(value, str) else _brief(value)
    if isinstance(value, str) and value.isprintable():
        text = repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _brief(value: object) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    names = {True: "true", False: "false"}
    if isinstance(value, bool):
        return names[value]
    return "null" if value is None else repr(value)


def _printable(text: str, limit: int = 300) -> str:
    safe = spelled(text)
    return safe if len(safe) <= limit else safe[: limit - 3] + "..."
