"""Whether two workspaces say the same of the parameters that they will share.

Widths, bounds, initial and held values stand in measurements, and those of one measurement alone
are used in a fit. A parameter that two workspaces share, and say different things of, would have
the width of one of them in both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from darkstats.errors import OptionError
from darkstats.workspace.findings import shown
from darkstats.workspace.measurement_checks import DEFAULTS
from darkstats.workspace.nominal import settings_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from darkstats.workspace.combine import Join
    from darkstats.workspace.json_values import JsonValue
    from darkstats.workspace.spec import Workspace

__all__ = ["require_same_settings"]

_KEYS = ("auxdata", "sigmas", "factors", "inits", "bounds", "fixed")


def require_same_settings(left: Workspace, right: Workspace, join: Join) -> tuple[str, ...]:
    """Raise where the first measurement would give one workspace what the other one says.

    Parameters
    ----------
    left, right, join
        As :func:`darkstats.workspace.combine` takes them.

    Returns
    -------
    tuple of str
        What was chosen by ``join`` where measurements of one name differ.

    Raises
    ------
    OptionError
        A modifier in both has other settings in the first measurement of one than in that of the
        other, and these have other names.
    """
    one, other = left.document["measurements"][0], right.document["measurements"][0]
    if join == "outer" and one["name"] == other["name"]:
        return ()  # the settings are merged, and refused where they differ
    kinds = dict(left.modifiers)
    shared = sorted(set(kinds) & {name for name, _ in right.modifiers})
    settings = settings_of(one), settings_of(other)
    notes = []
    for name in shared:
        ours, theirs = (_filled(found.get(name, {}), kinds[name]) for found in settings)
        if ours == theirs:
            continue
        said = f"{shown(name)} has {_words(ours, theirs)} in {left.source}, and "
        said += f"{_words(theirs, ours)} in {right.source}"
        if one["name"] == other["name"]:
            kept = "right" if join == "right outer" else "left"
            notes.append(f"{said}: {join!r} takes those of the {kept} one for both")
            continue
        raise OptionError(
            f"{said}, and the measurement {shown(one['name'])} would have one of them for both; "
            f"for two uncertainties give --map with {_decorrelated(name)}; for one of the left "
            f"width, --join 'left outer' after darkstats rename RIGHT --measurement "
            f"{other['name']}={one['name']}; another measurement comes first after darkstats prune "
            f"WORKSPACE --measurement {one['name']}"
        )
    return tuple(notes)


def _decorrelated(name: str) -> str:
    return f'"decorrelate": [{{"name": "{name}", "left": "{name}_left", "right": "{name}_right"}}]'


def _filled(settings: Mapping[str, Any], kind: str) -> dict[str, JsonValue]:
    """Settings without the name, and with what pyhf takes where one is not said."""
    found: dict[str, JsonValue] = {key: settings[key] for key in _KEYS if key in settings}
    found.setdefault("fixed", False)
    if kind in DEFAULTS:
        size = max((len(v) for v in found.values() if isinstance(v, list)), default=1)
        init, bounds = DEFAULTS[kind]
        found.setdefault("inits", [init] * size)
        found.setdefault("bounds", [list(bounds)] * size)
        if kind in {"normsys", "histosys"}:
            found.setdefault("auxdata", [0.0])
    return found


def _words(ours: Mapping[str, JsonValue], theirs: Mapping[str, JsonValue]) -> str:
    """What differs, in the words of a measurement."""
    apart = [key for key in _KEYS if ours.get(key) != theirs.get(key)]
    return ", ".join(f"{key} {_value(ours.get(key))}" for key in apart)


def _value(value: object) -> str:
    if value is None:
        return "not said"
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
