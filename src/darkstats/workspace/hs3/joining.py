"""Two HS3 likelihoods as one: channels side by side, parameters of one name shared.

HistFactory channels and densities of events may stand beside each other. What is not a parameter
(densities, functions, data) belongs to its side, and is renamed where both sides use a name.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from darkstats.errors import DocumentError, OptionError
from darkstats.provenance import package_version
from darkstats.workspace.findings import shown
from darkstats.workspace.hs3.checks import HS3_VERSION, is_number
from darkstats.workspace.hs3.joining_map import correlate
from darkstats.workspace.hs3.joining_sides import Side, free_name

if TYPE_CHECKING:
    from darkstats.workspace.correlations import Correlations
    from darkstats.workspace.hs3.document import Hs3Document, Hs3Parameter

__all__ = ["join_documents"]

Item = dict[str, Any]
_REFERENCE = "reference_cross_section_pb"
_ABOUT = ("modifiers", "samples", "channels")


def join_documents(
    left: Hs3Document,
    right: Hs3Document,
    *,
    analyses: tuple[str | None, str | None] = (None, None),
    correlations: Correlations | None = None,
) -> tuple[Item, tuple[str, ...]]:
    """Return one document of one analysis with the channels of two, and notes on it.

    Parameters
    ----------
    left, right
        The documents. Floating parameters of one name are one parameter: it starts where the left
        one says, in the range that both allow (that of interest: in what either allows).
    analyses
        One analysis of each; the first by default.
    correlations
        Which parameters are shared, where it is not those of one name.

    Raises
    ------
    DocumentError
        A document cannot be read; the two constrain a parameter in different ways, have no range of
        it in common, or hold it in one and not in the other; or the map does not fit.
    OptionError
        They have different parameters of interest, or the same data.

    Notes
    -----
    The likelihood is the product of both, in which a constraint that both have stands once.
    """
    one = Side.of(left, analyses[0], "left")
    two = Side.of(right, analyses[1], "right")
    _require_other_data(one, two)
    tied: set[str] = set()
    if correlations is not None:
        tied = correlate(one, two, correlations)
    _require_one_poi(one, two)
    _separate(one, two, tied)
    _constrain_once(one, two)
    return _document(one, two), _notes(one, two)


def _require_other_data(one: Side, two: Side) -> None:
    seen = [(one.distributions[c], _content(one.data[d])) for c, d in one.channels]
    for channel, data in two.channels:
        content = _content(two.data[data])
        for distribution, counted in seen:
            events = two.data[data].get("type") == "unbinned"
            same = events or distribution == two.distributions[channel]
            if content and content == counted and same:
                raise OptionError(
                    f"channel {shown(channel)} of the right document has the data of "
                    f"{shown(distribution['name'])} of the left one: they would count twice"
                )


def _content(data: Item) -> object:
    return data.get("entries") or data.get("contents")


def _require_one_poi(one: Side, two: Side) -> None:
    if one.poi is None or one.poi != two.poi:
        names = [shown(side.poi) if side.poi else "none" for side in (one, two)]
        raise OptionError(
            f"the parameter of interest of the left document is {names[0]}, and that of the right "
            f"one {names[1]}: say in a file with --map which two are one, as "
            '{"schema": "darkstats.correlations/1", '
            '"correlate": [{"left": NAME, "right": NAME, "name": NAME}]}'
        )


def _separate(one: Side, two: Side, tied: set[str]) -> None:
    """Give everything that is not shared a name of its own.

    Errors of single bins are shared where the map ties them, and not because both searches number
    their bins from 0.
    """
    taken = {*one.items, *one.parameters, *two.items, *two.parameters}
    own = (one.errors_of_bins() & two.errors_of_bins()) - tied
    two.rename({name: free_name(name, taken) for name in sorted(own)})
    constants = {}
    for name in set(one.parameters) & set(two.parameters):
        ours, theirs = one.parameters[name], two.parameters[name]
        if ours.constant != theirs.constant:
            held = (one if ours.constant else two).label
            raise DocumentError(
                f"parameter {name!r} is constant in the {held} document, and floats in the other",
                source=two.document.source,
                remedy="make it alike in both, or name the floating one otherwise with --map",
            )  # fmt: skip
        if ours.constant and ours.value != theirs.value:
            constants[name] = free_name(name, taken)
    one.rename({name: free_name(name, taken) for name in sorted(one.items & set(two.parameters))})
    others = {*one.items, *one.parameters}
    two.rename(constants | {name: free_name(name, taken) for name in sorted(two.items & others)})


def _constrain_once(one: Side, two: Side) -> None:
    """Leave one of two equal constraints of a shared parameter."""
    ours, theirs = one.constraints(), two.constraints()
    for name in sorted(set(ours) & set(theirs)):
        (kept, item), (other, beside) = ours[name], theirs[name]
        if kept != other:
            raise DocumentError(
                f"{name!r} is constrained to {kept.auxdata:g} with the width {kept.width:g} "
                f"({kept.kind}) in the left document, and to {other.auxdata:g} with {other.width:g}"
                f" ({other.kind}) in the right one", source=two.document.source,
                remedy="decorrelate it with --map, or constrain it alike in both",
            )  # fmt: skip
        if beside is None and item is not None:
            one.drop(item)
        elif beside is not None:
            two.drop(beside)
            if item is not None:
                two.rename({beside: item})


def _range_of(name: str, one: Side, two: Side) -> Hs3Parameter:
    """A parameter of both, or of one."""
    ours, theirs = one.parameters.get(name), two.parameters.get(name)
    if ours is None or theirs is None or ours.constant:
        found = ours or theirs
        assert found is not None
        return found
    ends = (ours.lower, theirs.lower), (ours.upper, theirs.upper)
    wide = name == one.poi
    low, high = (min(ends[0]), max(ends[1])) if wide else (max(ends[0]), min(ends[1]))
    if not low < high:
        raise DocumentError(
            f"{name!r} has the range [{ours.lower:g}, {ours.upper:g}] in the left document, and "
            f"[{theirs.lower:g}, {theirs.upper:g}] in the right one: nothing is common to both",
            source=two.document.source, remedy="widen one of them, or decorrelate it with --map",
        )  # fmt: skip
    return replace(ours, value=min(max(ours.value, low), high), lower=low, upper=high)


def _document(one: Side, two: Side) -> Item:
    name = one.analysis if one.analysis == two.analysis else "combined"
    parameters = {
        key: _range_of(key, one, two) for key in dict.fromkeys((*one.parameters, *two.parameters))
    }
    likelihood: Item = {
        "name": name,
        "distributions": [channel for side in (one, two) for channel, _ in side.channels],
        "data": [data for side in (one, two) for _, data in side.channels],
    }
    auxiliary = [*one.auxiliary, *two.auxiliary]
    if auxiliary:
        likelihood["aux_distributions"] = auxiliary
    words = [
        side.document.description or side.document.source or side.analysis for side in (one, two)
    ]
    return {
        "metadata": {
            "hs3_version": HS3_VERSION,
            "description": " + ".join(words),
            "packages": [{"name": "darkstats", "version": package_version("darkstats")}],
        },
        "distributions": [*one.distributions.values(), *two.distributions.values()],
        "functions": [*one.functions.values(), *two.functions.values()],
        "data": [*one.data.values(), *two.data.values()],
        "likelihoods": [likelihood],
        "domains": [
            {
                "name": name,
                "type": "product_domain",
                "axes": [
                    {"name": key, "min": p.lower, "max": p.upper}
                    for key, p in parameters.items()
                    if not p.constant
                ],
            }
        ],
        "parameter_points": [
            {
                "name": name,
                "parameters": [
                    {"name": key, "value": p.value} | ({"const": True} if p.constant else {})
                    for key, p in parameters.items()
                ],
            }
        ],
        "analyses": [
            {
                "name": name,
                "likelihood": name,
                "parameters_of_interest": [one.poi],
                "domains": [name],
                "init": name,
            }
        ],
        "misc": {"darkstats": _facts(one, two, name)},
    }


def _facts(one: Side, two: Side, name: str) -> Item:
    """What the document says of itself beyond the standard."""
    sides = (one, two)
    found: Item = {
        "combined": [{"analysis": side.analysis, "sha256": side.document.digest} for side in sides]
    }
    said = [side.document.simulated for side in sides]
    if said == [True, True] or False in said:
        found["simulated"] = False not in said
    about: Item = {}
    for side in reversed(sides):
        own = side.document.search.get("histfactory")
        if not isinstance(own, dict):
            continue
        for key in _ABOUT:
            names = {k: v for k, v in own.get(key, {}).items() if k not in side.renamed.values()}
            about[key] = {**about.get(key, {}), **names}
    if about:
        found["histfactory"] = about
    values = [dict(side.document.values_of(side.analysis)) for side in sides]
    if values[0] == values[1] or not all(values):
        found["points"] = {name: values[0] or values[1]}
        found["labels"] = list(values[0] or values[1])
    stated = _references(one, two)
    if len(stated) == 1:
        found[_REFERENCE] = stated[0]
    spectra = {side.document.spectrum_of(side.analysis) for side in sides} - {None}
    if len(spectra) == 1:
        found["spectra"] = {name: spectra.pop()}
    return found


def _references(one: Side, two: Side) -> list[float]:
    """Cross sections that signal strength 1 means, pb: one where both say the same, or one says."""
    found: list[float] = []
    for side in (one, two):
        said = side.document.search.get(_REFERENCE)
        if is_number(said):
            value = float(said) * side.scale
            found += [] if found and math.isclose(found[0], value, rel_tol=1e-9) else [value]
    return found


def _notes(one: Side, two: Side) -> tuple[str, ...]:
    """What a reader has to know: which parameters are shared, and which names are new."""
    shared = sorted(set(one.floating) & set(two.floating) - {one.poi})
    words = [f"shared: {one.poi}" + "".join(f", {name}" for name in shared)]
    for side in (one, two):
        words += [
            f"channel {old!r} of the {side.label} document is called {new!r} here"
            for new, old in sorted(side.renamed.items())
        ]
        if len(side.document.analysis_names) > 1:
            words.append(
                f"of {len(side.document.analysis_names)} analyses of the {side.label} document, "
                f"{side.analysis!r} was taken"
            )
    stated = _references(one, two)
    if len(stated) > 1:
        words.append(
            f"signal strength 1 is {stated[0]:g} pb in the left document and {stated[1]:g} pb in "
            "the right one: where it shall mean one cross section, say signal_scale in a map"
        )
    return tuple(words)
