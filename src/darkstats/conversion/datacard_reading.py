"""A datacard of CMS Combine from its text; every refusal names file, line and remedy.

The rules are those of Combine's documentation, "Preparing the datacard".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from darkstats.conversion.datacard import Datacard, Place, Systematic
from darkstats.conversion.datacard_edits import edited
from darkstats.conversion.datacard_head import HEAD
from darkstats.conversion.datacard_lines import Draft, lines_of, unread
from darkstats.conversion.datacard_parameters import constrained, read_parameter
from darkstats.errors import CardError

__all__ = ["read_datacard"]


def read_datacard(
    path: Path, keywords: Mapping[str, str] | None = None, used: set[str] | None = None
) -> Datacard:
    """Read a datacard, gzipped or not. Templates are not opened.

    Parameters
    ----------
    path
        The file.
    keywords
        What ``$WORD`` stands for, by WORD, as Combine's ``--keyword-value`` says it.
    used
        Words that the card has are added to it.

    Raises
    ------
    CardError
        The file cannot be read, a line breaks a rule, or it says what no workspace can state.
    """
    draft = Draft(path)
    lines = lines_of(path, keywords or {}, set() if used is None else used)
    for line in lines:
        HEAD.get(line.words[0].lower(), unread)(line, draft)
        if draft.rates is not None:
            break
    if draft.rates is None:
        raise CardError(
            "has no line with rates", source=str(path),
            remedy="give the file of a datacard of Combine, complete",
        )  # fmt: skip
    for line in lines:
        read_parameter(line, draft)
    return _finished(draft, draft.rates)


def _finished(draft: Draft, place: Place) -> Datacard:
    where, asked = draft.declared.get("kmax", (place, None))
    if asked is not None and asked != draft.n_systematics and not draft.edits:
        where.refuse(
            f"kmax is {asked}, and there are {draft.n_systematics} systematic uncertainties",
            "see that the card is complete; correct it, or write kmax *",
        )
    for name, line in draft.params.items():
        if name in draft.factors:
            draft.factors[name] = constrained(draft.factors[name], line)
        else:
            draft.notes.append(f"{line.place}: param {name} acts on no rate and is left out")
    systematics, frozen = edited(draft.systematics, draft.factors, draft.edits)
    _check_factors(draft)
    _check_names(systematics, draft)
    known = {*systematics, *draft.factors}
    groups = {}
    for name, (at, members) in draft.groups.items():
        for member in members:
            if member not in known and member not in draft.params:
                at.refuse(f"the group {name} names {member}, which is no parameter", "correct it")
        groups[name] = tuple(dict.fromkeys(one for one in members if one in known))
    counts = draft.observed[1] if draft.observed is not None else ()
    return Datacard(
        source=str(draft.source),
        bins=dict(zip(draft.bins, counts, strict=True)),
        columns=draft.columns,
        systematics=tuple(systematics.values()),
        rate_factors=tuple(draft.factors.values()),
        place=place,
        groups=groups,
        frozen=frozen,
        statistics=dict(draft.statistics),
        shapes=tuple(draft.shapes.values()),
        notes=tuple(draft.notes),
    )


def _check_factors(draft: Draft) -> None:
    for factor in draft.factors.values():
        for name in factor.factors:
            one = draft.factors.get(name)
            if one is None or one.factors or one.mean is not None:
                factor.place.refuse(
                    f"the product names {name}, which is no free rateParam",
                    "give it a line of its own: NAME rateParam BIN PROCESS VALUE", key=factor.name,
                )  # fmt: skip


def _check_names(systematics: Mapping[str, Systematic], draft: Draft) -> None:
    places: Sequence[tuple[str, Place]] = [
        *((one.name, one.place) for one in systematics.values()),
        *((one.name, one.place) for one in draft.factors.values()),
    ]
    seen: set[str] = set()
    for name, place in places:
        if name == "r" or name in seen:
            what = "the signal strength" if name == "r" else "another parameter"
            place.refuse(f"{name} is the name of {what}, too", "rename it", key=name)
        seen.add(name)
