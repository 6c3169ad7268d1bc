"""Forms of questions, from the same declaration as the options of the command line."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, replace
from typing import Any, get_args

from darkstats.errors import OptionError
from darkstats.options import Choice, named_choices
from darkstats.service.questions import asked_of, request_type

__all__ = ["COMMON", "Field", "Group", "groups_of", "options_of"]

#: What is asked first; the rest is folded.
COMMON: Mapping[str, tuple[str, ...]] = {
    "limit": ("patchset", "point", "patches", "method", "cl", "calculator", "n_toys"),
    "hypotest": ("patchset", "point", "patches", "mu", "test_stat", "calculator"),
    "significance": ("patchset", "point", "patches", "calculator", "n_toys"),
    "gof": ("calculator", "n_toys"),
    "fit": ("patchset", "point", "minos"),
    "rank": ("patchset", "point", "blind"),
    "scan-poi": ("patchset", "point", "ranges", "parameters"),
    "scan": ("patchset", "patches", "name_pattern", "method", "cl", "cross_sections"),
    "global": ("n_toys", "seed"),
    "project": ("luminosities_ifb", "luminosity_ifb", "systematics", "cross_sections"),
    "reinterpret": ("signal", "missing", "cl", "method"),
    "contour": ("x", "y", "where", "interpolate"),
    "recast": ("origin", "target", "production", "final_state"),
    "plot": ("coupling", "mass_range_gev", "value_range"),
    "export": ("csv", "hepdata"),
}

_LABELS = {
    "cl": "Level", "poi": "Parameter of interest", "n_toys": "Toys", "seed": "Seed of the toys",
    "patchset": "Patch set", "point": "Signal point", "mu": "Tested signal strength",
    "cross_sections": "Cross sections, for couplings", "test_stat": "Test statistic",
    "patches": "Patches", "name_pattern": "Where values stand in names",
    "signal": "Signal yields", "missing": "Channels without a signal",
    "luminosities_ifb": "Luminosities [fb⁻¹]", "luminosity_ifb": "Luminosity of the data [fb⁻¹]",
    "method": "Method", "calculator": "Calculator", "band": "Expected band", "data": "Other data",
    "blind": "Keep the data closed", "simulated": "The counts are simulated", "add_to": "Add to",
    "interpolation": "Interpolation codes", "uncapped": "Allow negative strengths",
    "ur_prior": "Ur-prior", "minos": "Profile errors of", "ranges": "Range",
    "x": "Horizontal axis", "y": "Vertical axis", "where": "Where",
    "masses": "Masses", "masked": "Masked channels", "poi_lower": "Lower bound of the strength",
}  # fmt: skip
_WORDS = {
    "cls": "CLs", "clsb": "CLs+b", "pcl": "power-constrained", "fc": "Feldman–Cousins",
    "bayes": "Bayesian", "auto": "automatic", "asymptotic": "asymptotic", "toys": "toys",
    "qtilde": "q̃μ (qtilde)", "q": "qμ (q)", "q0": "q₀ (q0)", "t": "tμ (t)", "ttilde": "t̃μ (ttilde)",
}  # fmt: skip
_UNREADABLE = {
    "integer": "give a whole number", "number": "give a number, such as 0.95",
    "lines": "give one a line, as the help says", "choice": "choose one", "text": "give a text",
}  # fmt: skip
_FOLDED = "More options"
_PANELS = {"Bayes": "For the Bayesian method", "Output": _FOLDED}
_FLAG = re.compile(r"--[a-z][a-z-]*(?:/--[a-z-]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One option, as a control of a form.

    Parameters
    ----------
    name, label, help
        Of the option; the name is that of Python and JSON.
    kind
        ``"text"``, ``"number"``, ``"integer"``, ``"choice"``, ``"lines"`` or ``"document"``.
    choices
        Values and words to choose from.
    value
        What is in it, as a text.
    usual
        What it is where nothing is said.
    error
        What is wrong with it.
    required
        Whether it must be filled.
    """

    name: str
    label: str
    help: str
    kind: str
    choices: Sequence[tuple[str, str]] = ()
    value: str = ""
    usual: str = ""
    error: str = ""
    required: bool = False
    least: int | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Controls that stand together; ``folded`` until they are asked for."""

    title: str
    fields: Sequence[Field]
    folded: bool


def groups_of(
    verb: str,
    documents: Sequence[tuple[str, str]],
    given: Mapping[str, str],
    *,
    errors: Mapping[str, str] | None = None,
    without: Sequence[str] = (),
    prefix: str = "",
) -> tuple[Group, ...]:
    """Controls of a verb, what is asked often first.

    Parameters
    ----------
    verb
        What is asked.
    documents
        References and names of documents that may be chosen.
    given
        Texts that are in the form already, by name.
    errors
        What is wrong, by name.
    without
        Options that the page asks in another way.
    prefix
        What references to the files of the page's collection begin with; texts go without it.
    """
    asked = asked_of(verb)
    every = named_choices(request_type(verb))
    flags = {flag: _label(name) for name, one in every.items() for flag in one[0].option.flags}
    fields = {
        name: _field(name, choices[0], documents, flags)
        for name, choices in every.items()
        if name in asked and name not in without
    }
    fields = {
        name: replace(
            one,
            error=(errors or {}).get(name, ""),
            value=_unprefixed(given.get(name, one.value), one, prefix),
        )
        for name, one in fields.items()
    }
    common = [fields.pop(name) for name in COMMON.get(verb, ()) if name in fields]
    common += [fields.pop(name) for name in list(fields) if fields[name].required]
    panels: dict[str, list[Field]] = {}
    for name, one in fields.items():
        panel = (asked[name].panel or _FOLDED).partition(" (")[0]
        panels.setdefault(_PANELS.get(panel, panel), []).append(one)
    first = Group(title="", fields=common, folded=False)
    return (first, *(Group(title=k, fields=v, folded=True) for k, v in panels.items()))


def _unprefixed(text: str, one: Field, prefix: str) -> str:
    """A text with the names of files as people know them."""
    return text.replace(prefix, "") if prefix and one.kind in {"text", "lines"} else text


def _field(
    name: str, choice: Choice, documents: Sequence[tuple[str, str]], known: Mapping[str, str]
) -> Field:
    asked = choice.option
    kind, choices = _kind(choice), _choices(choice)
    if asked.reads == "file" and kind == "text":
        kind, choices = "document", (("", "none"), *documents)
    default = "" if choice.default is MISSING or choice.default is None else choice.default
    usual = _worded(asked.usual or (_text(default) if default not in {"", ()} else ""), known)
    return Field(
        name=name, label=_label(name), help=_help(choice, known),
        kind=kind, choices=choices, usual=usual, required=choice.default is MISSING,
        least=asked.least, most=asked.most,
        value=str(default) if kind == "choice" and asked.choices and default else "",
    )  # fmt: skip


def _label(name: str) -> str:
    return _LABELS.get(name, name.replace("_", " ").capitalize())


def _help(choice: Choice, known: Mapping[str, str]) -> str:
    """The help of the command line, without what its control says anyway."""
    asked = choice.option
    words = asked.help.replace("{choices}. ", "").replace("{choices}.", "")
    words = words.replace("{choices}", ", ".join(asked.choices))
    words = words.replace("; - reads standard input", "").replace("; repeatable", "")
    return _worded(words, known).strip()


def _worded(words: str, known: Mapping[str, str]) -> str:
    """Words with the labels of other options in the place of their flags."""
    words = words.replace("with --method bayes", "for the Bayesian method")

    def label(found: re.Match[str]) -> str:
        text = known.get(found[0]) or known.get(found[0].partition("/")[0])
        return f"“{text}”" if text else found[0]

    return _FLAG.sub(label, words)


def _types(choice: Choice) -> set[Any]:
    return set(get_args(choice.type)) or {choice.type}


def _kind(choice: Choice) -> str:
    types = _types(choice) - {type(None)}
    if choice.option.choices or bool in types:
        return "choice"
    if str(choice.type).startswith("tuple"):
        return "lines"
    if types == {int}:
        return "integer"
    return "number" if types == {float} else "text"


def _choices(choice: Choice) -> tuple[tuple[str, str], ...]:
    asked = choice.option
    if asked.choices:
        words = tuple((one, _WORDS.get(one, one)) for one in asked.choices)
        return words if choice.default else (("", "as usual"), *words)
    if bool in _types(choice):
        if type(None) in _types(choice):
            return (("", "as usual"), ("true", "yes"), ("false", "no"))
        return (("", "no"), ("true", "yes"))
    return ()


def _text(value: Any) -> str:  # noqa: ANN401 -- the default of an option
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def options_of(verb: str, given: Mapping[str, str]) -> dict[str, Any]:
    """Values by name, from the texts of a form.

    Raises
    ------
    OptionError
        A text is no value of its option; names it.
    """
    found: dict[str, Any] = {}
    known = named_choices(request_type(verb))
    for name, choices in known.items():
        text = given.get(name, "").strip()
        if not text or name not in asked_of(verb):
            continue
        value = _value(name, text, choices[0])
        if value != choices[0].default:
            found[name] = value
    return found


def _value(name: str, text: str, choice: Choice) -> Any:  # noqa: ANN401 -- any JSON value
    kind, asked = _kind(choice), choice.option
    try:
        if kind == "choice" and not asked.choices:
            return text == "true"
        if kind == "integer":
            return int(text)
        if kind == "number":
            return float(text.replace("−", "-"))
        if kind != "lines":
            return text
        lines = tuple(line.strip() for line in text.splitlines() if line.strip())
        if asked.read is None:
            return list(lines)
        read = asked.read(lines) if asked.repeated else asked.read(text)
        return json.loads(json.dumps(read))
    except (ValueError, TypeError):
        raise OptionError(f"{asked.name} {text!r}: {_UNREADABLE[kind]}") from None
