"""Which nuisance parameters two workspaces share when they are combined, and how strongly.

A map is a JSON document; all keys are optional::

    {"schema": "darkstats.correlations/1",
     "correlate": [{"left": "trigger", "right": "trigger_2020", "name": "trigger"},
                   {"left": "luminosity", "right": "luminosity", "coefficient": 0.3}],
     "decorrelate": [{"name": "selection", "left": "selection_a", "right": "selection_b"}],
     "signal_scale": {"left": 0.1}}

Without an entry, modifiers of one name share their parameter. A coefficient other than 1, 0 or -1
rotates: the parameter of the right workspace becomes ``c z + sqrt(1 - c^2) z'``, with the
parameter ``z`` of the left one and a new one ``z'``.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darkstats.errors import DocumentError, OptionError, in_words
from darkstats.workspace.absorbing import with_factors
from darkstats.workspace.combine import rename
from darkstats.workspace.documents import parse_json
from darkstats.workspace.findings import shown
from darkstats.workspace.luminosities import with_pulled_luminosity
from darkstats.workspace.names import modifier_of
from darkstats.workspace.nominal import settings_of
from darkstats.workspace.spec import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "Correlation",
    "Correlations",
    "correlations_of",
    "read_correlations",
    "with_correlations",
]

_SCHEMA = "darkstats.correlations/1"
_LARGEST = 4 * 1024 * 1024
_PULLS = frozenset({"normsys", "histosys"})
_LEAST_LOST = 0.01  # of the yield: what a rotation may leave out, at one sigma of both
_SHARE_LOST = 0.1  # of the variation itself

Modifier = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """One nuisance parameter of each workspace, the name of what they share, and how strongly."""

    left: str
    right: str
    name: str
    coefficient: float
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlations:
    """A map that was read; ``renamed`` holds decorrelated names as (name, left, right, place)."""

    correlated: tuple[Correlation, ...] = ()
    renamed: tuple[tuple[str, str, str, str], ...] = ()
    signal_scale: Mapping[str, float] = field(default_factory=dict)
    source: str = ""


def read_correlations(source: str) -> Correlations:
    """Return the map of a file.

    Raises
    ------
    DocumentError
        It cannot be read, or is no such map: names the place.
    """
    path = Path(source)
    try:
        if path.stat().st_size > _LARGEST:
            raise DocumentError("is too large for a map of names", source=source)
        data = path.read_bytes()
    except OSError as error:
        raise DocumentError(f"cannot be read: {in_words(error)}", source=source) from error
    return correlations_of(parse_json(data, source=source), source)


def correlations_of(document: object, source: str) -> Correlations:
    """Return the map that a document is.

    Raises
    ------
    DocumentError
        It is none; names the place.
    """
    if not isinstance(document, dict) or document.get("schema") != _SCHEMA:
        raise DocumentError(
            f'is no map of nuisance parameters: it has no "schema": "{_SCHEMA}"',
            source=source,
            remedy="add it",
        )
    known = {"schema", "correlate", "decorrelate", "signal_scale"}
    if unknown := sorted(set(document) - known):
        raise DocumentError(
            f"has the unknown key {unknown[0]!r}",
            source=source,
            remedy=f"the keys are {', '.join(sorted(known))}",
        )
    correlated = []
    for pointer, entry in _entries(document, "correlate", source):
        _require_keys(entry, {"left", "right"}, {"name", "coefficient"}, pointer, source)
        value = entry.get("coefficient", 1.0)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not -1.0 <= value <= 1.0:
            raise DocumentError(
                f"has the coefficient {str(value)[:40]}", source=source, pointer=pointer,
                remedy="a correlation coefficient lies between -1 and 1",
            )  # fmt: skip
        correlated.append(
            Correlation(
                left=entry["left"],
                right=entry["right"],
                name=entry.get("name", entry["left"]),
                coefficient=float(value),
                place=pointer,
            )
        )
    renamed = []
    for pointer, entry in _entries(document, "decorrelate", source):
        _require_keys(entry, {"name", "left", "right"}, set(), pointer, source)
        if entry["left"] == entry["right"]:
            raise DocumentError(
                "gives both the same name, which correlates them", source=source, pointer=pointer
            )
        renamed.append((entry["name"], entry["left"], entry["right"], pointer))
    found = Correlations(
        correlated=tuple(correlated),
        renamed=tuple(renamed),
        signal_scale=_scales(document.get("signal_scale", {}), source),
        source=source,
    )
    _require_once(found)
    return found


def _entries(document: dict[str, Any], key: str, source: str) -> list[tuple[str, dict[str, Any]]]:
    items = document.get(key, [])
    if not isinstance(items, list):
        raise DocumentError("is no list", source=source, pointer=f"/{key}")
    for k, item in enumerate(items):
        if not isinstance(item, dict):
            raise DocumentError("is no object", source=source, pointer=f"/{key}/{k}")
    return [(f"/{key}/{k}", item) for k, item in enumerate(items)]


def _require_keys(
    entry: dict[str, Any], needed: set[str], others: set[str], pointer: str, source: str
) -> None:
    wrong = sorted((needed - set(entry)) | (set(entry) - needed - others))
    if wrong:
        what = "lacks" if wrong[0] in needed else "has the unknown key"
        raise DocumentError(
            f"{what} {wrong[0]!r}", source=source, pointer=pointer,
            remedy=f"it takes {', '.join(sorted(needed | others))}",
        )  # fmt: skip
    for key in (needed | others) - {"coefficient"}:
        if key in entry and not (isinstance(entry[key], str) and entry[key]):
            raise DocumentError("is no name", source=source, pointer=f"{pointer}/{key}")


def _scales(items: object, source: str) -> dict[str, float]:
    if not isinstance(items, dict) or not set(items) <= {"left", "right"}:
        raise DocumentError(
            "is no object with left and right alone", source=source, pointer="/signal_scale"
        )
    for side, value in items.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0.0 < value < math.inf:
            raise DocumentError(
                "is no positive number", source=source, pointer=f"/signal_scale/{side}"
            )
    return {side: float(value) for side, value in items.items()}


def _require_once(found: Correlations) -> None:
    """Raise where a parameter of one side is named twice."""
    for side in ("left", "right"):
        seen: dict[str, str] = {}
        named = [(getattr(one, side), one.place) for one in found.correlated]
        named += [(name, place) for name, _, _, place in found.renamed]
        for name, place in named:
            if name in seen:
                raise DocumentError(
                    f"names {name!r} of the {side} workspace again, after {seen[name]}",
                    source=found.source, pointer=place, remedy="name each once",
                )  # fmt: skip
            seen[name] = place


def with_correlations(
    left: Workspace, right: Workspace, correlations: Correlations
) -> tuple[Workspace, Workspace, tuple[str, ...]]:
    r"""Return two workspaces whose names say what is shared, ready to be combined.

    Returns
    -------
    left, right, notes
        The workspaces, and sentences on what a rotation leaves out.

    Raises
    ------
    DocumentError
        A workspace has no modifier of a name, a new name is taken, or modifiers do not allow the
        coefficient.
    OptionError
        A signal is to be scaled, and there is none.

    Notes
    -----
    With pulls :math:`\alpha_l, \alpha_r` of unit variance and coefficient :math:`c`,
    :math:`\alpha_r = c\,\alpha_l + \sqrt{1 - c^2}\,z`. A variation that is linear in its pull (in
    the logarithm of the yield for a ``normsys``) is split exactly. One with an even part
    :math:`D\alpha^2` keeps :math:`c^2 D` and :math:`(1 - c^2) D`, and loses the mixed term
    :math:`2 c\sqrt{1 - c^2} D`; where that is more than 1 % of the yield or 10 % of the variation,
    the coefficient is refused. A ``lumi`` that is named becomes a pull of its relative error, as
    :func:`darkstats.workspace.luminosities.with_pulled_luminosity` says.
    """
    for side, workspace in (("left", left), ("right", right)):
        names = {name for name, _ in workspace.modifiers}
        for one in correlations.correlated:
            _require_known(getattr(one, side), names, side, one.place, correlations.source)
        for name, _, _, place in correlations.renamed:
            _require_known(name, names, side, place, correlations.source)
    notes: list[str] = []
    new_left = {name: ours for name, ours, _, _ in correlations.renamed}
    new_right = {name: theirs for name, _, theirs, _ in correlations.renamed}
    for one in correlations.correlated:
        new_left[one.left] = one.name
        if one.coefficient != 0.0:
            new_right[one.right] = one.name
        elif one.right == one.name:
            raise DocumentError(
                f"has the coefficient 0, and both would be called {one.name!r}",
                source=correlations.source, pointer=one.place,
                remedy='give the left one another "name", or use "decorrelate"',
            )  # fmt: skip
    _require_free(left, new_left, "left", correlations)
    _require_free(right, new_right, "right", correlations)
    for side, scale in correlations.signal_scale.items():
        if side == "left":
            left = _scaled(left, scale)
        else:
            right = _scaled(right, scale)
    left, said_left = _pulled(left, new_left)
    right, said_right = _pulled(
        right, [*new_right, *(one.right for one in correlations.correlated)]
    )
    notes += [*said_left, *said_right]
    for one in correlations.correlated:
        if one.coefficient not in (0.0, 1.0):
            _require_pull(left, one.left, "left", one, correlations.source)
            _require_pull(right, one.right, "right", one, correlations.source)
            right, said = _rotated(right, one, correlations.source)
            notes.extend(said)
    moved_left = {old: new for old, new in new_left.items() if old != new}
    moved_right = {old: new for old, new in new_right.items() if old != new}
    shared = {name for name, _ in left.modifiers} & {name for name, _ in right.modifiers}
    untouched = shared - set(new_left) - set(new_right)
    wanted = untouched | {one.name for one in correlations.correlated if one.coefficient != 0.0}
    left = rename(left, modifiers=moved_left) if moved_left else left
    right = rename(right, modifiers=moved_right) if moved_right else right
    found = {name for name, _ in left.modifiers} & {name for name, _ in right.modifiers}
    if unasked := sorted(found - wanted):
        raise DocumentError(
            f"leaves both workspaces with {unasked[0]!r}, which correlates what it does not name",
            source=correlations.source, remedy="choose other names",
        )  # fmt: skip
    return left, right, tuple(notes)


def _require_known(name: str, names: set[str], side: str, place: str, source: str) -> None:
    if name not in names:
        listed = ", ".join(shown(one) for one in sorted(names)[:8])
        raise DocumentError(
            f"the {side} workspace has no modifier {name!r}", source=source, pointer=place,
            remedy=f"it has {listed}" + (", ..." if len(names) > 8 else ""),
        )  # fmt: skip


def _require_free(
    workspace: Workspace, new: Mapping[str, str], side: str, correlations: Correlations
) -> None:
    """Raise where a new name would join two parameters of one workspace."""
    stay = {name for name, _ in workspace.modifiers} - set(new)
    taken: dict[str, str] = {}
    for old, name in new.items():
        other = name if name in stay else taken.get(name)
        if other is not None:
            raise DocumentError(
                f"calls {old!r} of the {side} workspace {name!r}, a name that it has already",
                source=correlations.source, remedy="choose another name",
            )  # fmt: skip
        taken[name] = old


def _scaled(workspace: Workspace, scale: float) -> Workspace:
    """The workspace with its signal, the samples of its parameter of interest, times a factor."""
    names = {name for name, _ in workspace.modifiers}
    pois = {modifier_of(one["config"]["poi"], names) for one in workspace.document["measurements"]}
    if not pois & names:
        raise OptionError(
            f"{workspace.source} has no signal to scale: no sample has a modifier "
            f"{', '.join(shown(poi) for poi in sorted(pois))}; give its patch set and point"
        )
    channels = []
    for channel in workspace.document["channels"]:
        signal = [any(m["name"] in pois for m in one["modifiers"]) for one in channel["samples"]]
        channels.append(with_factors(channel, [scale if one else 1.0 for one in signal]))
    document = {**workspace.document, "channels": channels}
    return Workspace.from_document(
        document, f"{workspace.source} (signal × {scale:g})", usable=False
    )


def _pulled(workspace: Workspace, named: Iterable[str]) -> tuple[Workspace, tuple[str, ...]]:
    """The workspace with each named ``lumi`` as a pull, which alone may have another name."""
    notes = []
    for name in dict.fromkeys(named):
        if (name, "lumi") in workspace.modifiers:
            source = workspace.source
            workspace, note = with_pulled_luminosity(workspace, name)
            notes.append(f"{source}: {note}")
    return workspace, tuple(notes)


def _require_pull(
    workspace: Workspace, name: str, side: str, one: Correlation, source: str
) -> None:
    """Raise unless a parameter is a pull of width 1 around 0, which alone can be rotated."""
    types = {kind for modifier, kind in workspace.modifiers if modifier == name}
    if not types <= _PULLS:
        raise DocumentError(
            f"gives {name!r} of the {side} workspace, a {' and '.join(sorted(types - _PULLS))}, "
            f"the coefficient {one.coefficient:g}", source=source, pointer=one.place,
            remedy="only normsys and histosys are rotated; correlate with 1, or decorrelate",
        )  # fmt: skip
    if any(name in settings_of(m) for m in workspace.document["measurements"]):
        raise DocumentError(
            f"gives {name!r} of the {side} workspace the coefficient {one.coefficient:g}, but a "
            "measurement has settings of it", source=source, pointer=one.place,
            remedy="a rotation needs a pull of width 1 around 0: take the settings out",
        )  # fmt: skip


def _rotated(
    workspace: Workspace, one: Correlation, source: str
) -> tuple[Workspace, tuple[str, ...]]:
    """The right workspace with one pull split into a shared and a new one."""
    rest = f"{one.right}_uncorrelated"
    if rest in {name for name, _ in workspace.modifiers}:
        raise DocumentError(
            f"needs the name {rest!r}, which the right workspace has", source=source,
            pointer=one.place, remedy="rename that one first",
        )  # fmt: skip
    document = json.loads(json.dumps(workspace.document))
    worst = 0.0
    for channel in document["channels"]:
        for sample in channel["samples"]:
            made: list[Modifier] = []
            for modifier in sample["modifiers"]:
                if modifier["name"] != one.right:
                    made.append(modifier)
                    continue
                lost, share = _lost(modifier, sample["data"], one.coefficient)
                if lost > _LEAST_LOST or share > _SHARE_LOST:
                    raise DocumentError(
                        f"gives {one.right!r} the coefficient {one.coefficient:g}, but its "
                        f"{modifier['type']} of sample {sample['name']!r} in channel "
                        f"{channel['name']!r} is lopsided: {lost:.1%} of the yield would be lost",
                        source=source, pointer=one.place,
                        remedy="correlate with 1 or -1, or decorrelate",
                    )  # fmt: skip
                worst = max(worst, lost)
                made += _split(modifier, sample["data"], one.coefficient, rest)
            sample["modifiers"] = made
    # The shared part keeps the old name here; it is renamed with all others.
    notes: tuple[str, ...] = ()
    if worst > 1e-9:
        notes = (
            f"{one.right}: its variation up is not that down, and {worst:.2g} of the yield at one "
            "sigma of both parts is not carried",
        )
    rotated = Workspace.from_document(document, workspace.source, usable=False)
    return rotated, notes


def _parts(modifier: Modifier, nominal: Sequence[float]) -> tuple[list[float], list[float]]:
    """Odd and even part of a variation at one sigma: of the logarithm for a normsys."""
    if modifier["type"] == "normsys":
        up, down = math.log(modifier["data"]["hi"]), math.log(modifier["data"]["lo"])
        return [0.5 * (up - down)], [0.5 * (up + down)]
    pairs = list(zip(modifier["data"]["hi_data"], modifier["data"]["lo_data"], strict=True))
    odd = [0.5 * (up - down) for up, down in pairs]
    even = [0.5 * (up + down) - n for (up, down), n in zip(pairs, nominal, strict=True)]
    return odd, even


def _lost(modifier: Modifier, nominal: Sequence[float], c: float) -> tuple[float, float]:
    """Mixed term that is lost at one sigma of both: relative to the yield, and to the variation."""
    odd, even = _parts(modifier, nominal)
    mixed = 2.0 * abs(c) * math.sqrt(max(1.0 - c * c, 0.0))
    lost = mixed * sum(abs(value) for value in even)
    size = 1.0 if modifier["type"] == "normsys" else sum(abs(value) for value in nominal)
    moved = sum(abs(value) for value in odd)
    if lost <= 1e-12 * max(size, moved):
        return 0.0, 0.0
    return (lost / size if size else math.inf), (lost / moved if moved else math.inf)


def _split(modifier: Modifier, nominal: Sequence[float], c: float, rest: str) -> list[Modifier]:
    """A variation as one of the shared pull and one of its own."""
    odd, even = _parts(modifier, nominal)
    found = []
    for name, share in ((modifier["name"], c), (rest, math.sqrt(max(1.0 - c * c, 0.0)))):
        if share == 0.0:
            continue
        shifts = [
            (share * s + share * share * d, -share * s + share * share * d)
            for s, d in zip(odd, even, strict=True)
        ]
        if modifier["type"] == "normsys":
            data: dict[str, Any] = {"hi": math.exp(shifts[0][0]), "lo": math.exp(shifts[0][1])}
        else:
            data = {
                "hi_data": [n + up for n, (up, _) in zip(nominal, shifts, strict=True)],
                "lo_data": [n + down for n, (_, down) in zip(nominal, shifts, strict=True)],
            }
        found.append({"name": name, "type": modifier["type"], "data": data})
    return found
