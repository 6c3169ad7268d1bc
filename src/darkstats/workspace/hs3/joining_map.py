"""A map of correlations, applied to two likelihoods that are to be joined."""

from __future__ import annotations

from typing import TYPE_CHECKING

from darkstats.errors import DocumentError
from darkstats.workspace.findings import shown
from darkstats.workspace.hs3.constraints import GAUSSIAN, Constraint
from darkstats.workspace.hs3.joining_sides import Side, free_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from darkstats.workspace.correlations import Correlation, Correlations

__all__ = ["correlate"]

_PULL = Constraint(kind=GAUSSIAN, auxdata=0.0, width=1.0)


def correlate(one: Side, two: Side, correlations: Correlations) -> set[str]:
    """Scale signals, and rename parameters so that those that are to be shared are, and no others.

    Returns
    -------
    set of str
        Names of the parameters that the map ties.

    Raises
    ------
    DocumentError
        A document has no parameter of a name, a new name is taken, or a coefficient is given to
        what is no pull, or to pulls of HistFactory channels on both sides.
    """
    source = correlations.source
    sides = (one, two)
    for side in sides:
        scale = correlations.signal_scale.get(side.label)
        if scale is not None:
            side.scale_signal(scale)
    new = _new_names(correlations)
    for side, names in zip(sides, new, strict=True):
        _require_fit(side, names, source)
    common = (set(one.floating) & set(two.floating)) - set(new[0]) - set(new[1])
    tied = {entry.name for entry in correlations.correlated if entry.coefficient}
    for side, names in zip(sides, new, strict=True):
        _make_room(side, set(names.values()))
        side.rename({old: name for old, name in names.items() if old != name})
    unasked = sorted((set(one.floating) & set(two.floating)) - common - tied)
    if unasked:
        raise DocumentError(
            f"leaves both documents with {unasked[0]!r}, which correlates what it does not name",
            source=source, remedy="choose other names",
        )  # fmt: skip
    for entry in correlations.correlated:
        if entry.coefficient not in (0.0, 1.0):
            _rotate(one, two, entry, source)
    return tied


def _new_names(correlations: Correlations) -> tuple[dict[str, str], dict[str, str]]:
    """New names of the parameters of either side, by their own."""
    new: tuple[dict[str, str], dict[str, str]] = ({}, {})
    for entry in correlations.correlated:
        if entry.coefficient == 0.0 and entry.right == entry.name:
            raise DocumentError(
                f"has the coefficient 0, and both would be called {entry.name!r}",
                source=correlations.source, pointer=entry.place,
                remedy='give the left one another "name", or use "decorrelate"',
            )  # fmt: skip
        new[0][entry.left] = entry.name
        new[1][entry.right] = entry.name if entry.coefficient else entry.right
    for name, ours, theirs, _ in correlations.renamed:
        new[0][name], new[1][name] = ours, theirs
    return new


def _require_fit(side: Side, names: Mapping[str, str], source: str) -> None:
    """Check that a side has the parameters, and that nothing else gets their new names."""
    for old in names:
        if old not in side.floating:
            known = sorted(side.floating)
            listed = ", ".join(map(shown, known[:8])) + (", ..." if len(known) > 8 else "")
            raise DocumentError(
                f"names {old!r}, no floating parameter of the {side.label} document",
                source=source, remedy=f"it has {listed}",
            )  # fmt: skip
    stay = set(side.parameters) - set(names)
    taken = [name for name in names.values() if name in stay]
    if taken or len(set(names.values())) < len(names):
        again = taken[0] if taken else next(iter(names.values()))
        raise DocumentError(
            f"calls a parameter of the {side.label} document {again!r}, a name that another one "
            "has", source=source, remedy="choose another name",
        )  # fmt: skip


def _make_room(side: Side, wanted: set[str]) -> None:
    """Rename items that have the name that a parameter is to get."""
    taken = {*side.items, *side.parameters, *wanted}
    side.rename({name: free_name(name, taken) for name in side.items & wanted})


def _rotate(one: Side, two: Side, entry: Correlation, source: str) -> None:
    """Give a pair of pulls, which have one name by now, the correlation that is asked for."""
    for side in (one, two):
        if side.constraints().get(entry.name, (None, None))[0] != _PULL:
            raise DocumentError(
                f"gives {entry.name!r} the coefficient {entry.coefficient:g}, and in the "
                f"{side.label} document it is no pull of width 1 around 0", source=source,
                pointer=entry.place, remedy="correlate with 1, or decorrelate",
            )  # fmt: skip
    for side, old in ((two, entry.right), (one, entry.left)):
        if entry.name not in side.in_bins():
            side.rotate(entry.name, entry.coefficient, f"{old}_uncorrelated")
            return
    raise DocumentError(
        f"gives {entry.name!r} the coefficient {entry.coefficient:g}, and both documents have it "
        "in HistFactory channels", source=source, pointer=entry.place,
        remedy="combine these as workspaces first: a map rotates their variations",
    )  # fmt: skip
