"""``nuisance edit`` lines of a datacard: drop, rename and freeze, by names or ``*``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from darkstats.conversion.datacard import Key, Place, RateFactor, Systematic

__all__ = ["Edit", "edited"]

_EVERY = "*"


@dataclass(frozen=True, slots=True)
class Edit:
    """A verb and what follows it."""

    place: Place
    verb: str
    words: tuple[str, ...]


def edited(
    systematics: Mapping[str, Systematic],
    factors: Mapping[str, RateFactor],
    edits: Sequence[Edit],
) -> tuple[dict[str, Systematic], frozenset[str]]:
    """Return the systematics after all edits, and the names of parameters that are held fixed.

    Raises
    ------
    CardError
        An edit is of another kind, or names what is not there.
    """
    found = dict(systematics)
    frozen: set[str] = set()
    for edit in edits:
        words = tuple(word for word in edit.words if word != "ifexists")
        optional = len(words) < len(edit.words)
        if edit.verb == "freeze" and len(words) == 1:
            if words[0] in found or words[0] in factors:
                frozen.add(words[0])
            elif not optional:
                _missing(edit, words[0])
        elif edit.verb == "drop" and len(words) == 3:
            _move(found, edit, words[:2], words[2], None, optional=optional)
        elif edit.verb == "rename" and len(words) == 4:
            _move(found, edit, words[:2], words[2], words[3], optional=optional)
        else:
            edit.place.refuse(
                f"nuisance edit {edit.verb} cannot be carried, or has other words",
                "drop PROCESS BIN NAME, rename PROCESS BIN OLD NEW and freeze NAME can; edit the "
                "lines of the card for all else",
            )
    return found, frozenset(frozen)


def _missing(edit: Edit, name: str) -> None:
    edit.place.refuse(
        f"nothing named {name} acts there", "correct it; with ifexists it is no error", key=name
    )


def _move(
    found: dict[str, Systematic],
    edit: Edit,
    where: tuple[str, ...],
    old: str,
    new: str | None,
    *,
    optional: bool,
) -> None:
    """Take effects from a systematic, and give them to another one or to none."""
    process, name = where
    if any(set(word) & set("()[].|?+\\^$") for word in (process, name, old)) or (
        _EVERY in process + name and not {process, name} & {_EVERY}
    ):
        edit.place.refuse(
            "patterns cannot be carried", "write a name, or * for all, as process and as bin"
        )
    systematic = found.get(old)
    effects = {} if systematic is None else dict(systematic.effects)
    taken: list[Key] = [
        key for key in effects if name in {_EVERY, key[0]} and process in {_EVERY, key[1]}
    ]
    if systematic is None or not taken:
        if not optional:
            _missing(edit, old)
        return
    moved = {key: effects.pop(key) for key in taken}
    if effects:
        found[old] = replace(systematic, effects=effects)
    else:
        del found[old]
    if new is None:
        return
    target = found.get(new)
    if target is None:
        found[new] = replace(systematic, name=new, effects=moved)
        return
    if target.count != systematic.count or target.effects.keys() & moved.keys():
        edit.place.refuse(f"{new} is there already and acts there, or is of another kind", key=new)
    found[new] = replace(target, effects={**target.effects, **moved})
