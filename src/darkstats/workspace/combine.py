"""Combine, prune, rename and sort workspaces, as pyhf does, into workspaces that are linted.

A measurement that no longer fits (its parameter of interest left with the signal, say) stays in
the result; it is refused when it is used.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal, get_args

from darkstats.errors import OptionError, UnknownNameError
from darkstats.workspace.absorbing import without_modifiers
from darkstats.workspace.findings import shown
from darkstats.workspace.names import component, modifier_of
from darkstats.workspace.nominal import nominal_values, settings_of
from darkstats.workspace.spec import Workspace

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from darkstats.workspace.json_values import JsonValue

__all__ = ["JOINS", "Join", "combine", "left_out", "prune", "rename", "sort"]

Join = Literal["none", "outer", "left outer", "right outer"]
JOINS: tuple[Join, ...] = get_args(Join)

Items = list[dict[str, "JsonValue"]]


def combine(
    left: Workspace, right: Workspace, *, join: Join = "none", merge_channels: bool = False
) -> Workspace:
    """Return one workspace with the channels, observations and measurements of two.

    Parameters
    ----------
    left, right
        The workspaces. Modifiers of one name share their parameter in the result.
    join
        ``"none"``: the two have no channel, observation or measurement name in common.
        ``"outer"``: those in common are equal; the settings of a common measurement are merged.
        ``"left outer"``, ``"right outer"``: of those in common, the left (right) one is taken,
        whatever the other one says.
    merge_channels
        Merge the samples of common channels (not with ``"none"``); of samples in common the same
        holds as of channels.

    Raises
    ------
    OptionError
        ``join`` is none of :data:`JOINS`, does not go with ``merge_channels``, or finds names in
        common that it does not allow.
    WorkspaceError
        The result is no valid workspace.
    """
    if join not in JOINS:
        raise OptionError(f"unknown join {join!r}; choose one of: {', '.join(JOINS)}")
    if merge_channels and join == "none":
        raise OptionError('channels can be merged with an outer join only; choose "outer"')
    one, two = left.document, right.document
    document = {
        "channels": _joined(
            "channel", one["channels"], two["channels"], join, deep="samples" * merge_channels
        ),
        "observations": _joined("observation", one["observations"], two["observations"], join),
        "measurements": _measurements(one["measurements"], two["measurements"], join),
        "version": one["version"],
    }
    source = f"{left.source} + {right.source}"
    lost = _lost_settings(left, right, document)
    if lost:
        source += f" ({lost})"
    return Workspace.from_document(document, source, usable=False)


def _lost_settings(left: Workspace, right: Workspace, document: dict[str, JsonValue]) -> str:
    """Say which parameters the first measurement leaves at their defaults, and another one sets.

    Widths, nominal and held values stand in measurements: one that takes over samples of another
    workspace does not take over what that workspace says of their parameters.
    """
    first = settings_of(document["measurements"][0])
    modifiers = {
        modifier["name"]
        for channel in document["channels"]
        for sample in channel["samples"]
        for modifier in sample["modifiers"]
    }
    said = {
        name
        for workspace in (left, right)
        for measurement in workspace.document["measurements"]
        for name in settings_of(measurement)
    }
    names = sorted((said & modifiers) - set(first))
    if not names:
        return ""
    listed = ", ".join(shown(name) for name in names[:5]) + (", ..." if len(names) > 5 else "")
    return f"its first measurement says nothing of {listed}, another one does"


def _joined(
    what: str, left: Items, right: Items, join: Join, *, deep: str = "", within: str = ""
) -> Items:
    """Return two lists of named objects as one; with ``deep``, common objects merge that key."""
    common = {item["name"] for item in left} & {item["name"] for item in right}
    if join == "none" and common:
        raise OptionError(
            f"both workspaces have the {what} {', '.join(shown(n) for n in sorted(common))}; "
            'rename it in one of them, or join "outer", "left outer" or "right outer"'
        )
    first, second = (right, left) if join == "right outer" else (left, right)
    items = [dict(item) for item in first]
    places = {item["name"]: index for index, item in enumerate(items)}
    for item in second:
        place = places.get(item["name"])
        if place is None:
            items.append(item)
        elif deep:
            inner: Join = "outer" if join == "outer" else "left outer"
            items[place][deep] = _joined(
                deep.removesuffix("s"), items[place][deep], item[deep], inner,
                within=f" in {what} {shown(item['name'])}",
            )  # fmt: skip
        elif join == "outer" and item not in first:
            raise OptionError(
                f"the two workspaces have different versions of the {what} {shown(item['name'])}"
                f'{within}; choose "left outer" or "right outer" to take one of them'
            )
    return items


def left_out(
    left: Workspace, right: Workspace, *, join: Join, merge_channels: bool = False
) -> tuple[str, ...]:
    """Say which channels, samples and counts of one workspace a combination has not.

    Parameters
    ----------
    left, right, join, merge_channels
        As :func:`combine` takes them.

    Returns
    -------
    tuple of str
        A sentence for each that both have, and have differently; none unless ``join`` takes a side.
    """
    if join not in {"left outer", "right outer"}:
        return ()
    kept, other = (left, right) if join == "left outer" else (right, left)
    pairs = [
        (f"counts of channel {shown(name)}", ours["data"], theirs["data"])
        for name, ours, theirs in _in_both(kept, other, "observations")
    ]
    for name, ours, theirs in _in_both(kept, other, "channels"):
        if not merge_channels:
            pairs.append((f"channel {shown(name)}", ours, theirs))
            continue
        others = {sample["name"]: sample for sample in theirs["samples"]}
        pairs += [
            (f"sample {shown(one['name'])} of channel {shown(name)}", one, others[one["name"]])
            for one in ours["samples"]
            if one["name"] in others
        ]
    return tuple(
        f"{what}: {join!r} takes {kept.source}; {other.source} differs, and is left out there"
        for what, one, another in pairs
        if one != another
    )


def _in_both(
    kept: Workspace, other: Workspace, key: str
) -> list[tuple[str, dict[str, JsonValue], dict[str, JsonValue]]]:
    theirs = {item["name"]: item for item in other.document[key]}
    return [
        (one["name"], one, theirs[one["name"]])
        for one in kept.document[key]
        if one["name"] in theirs
    ]


def _measurements(left: Items, right: Items, join: Join) -> Items:
    if join != "outer":
        return _joined("measurement", left, right, join)
    items = [dict(item) for item in left]
    places = {item["name"]: index for index, item in enumerate(items)}
    for item in right:
        place = places.get(item["name"])
        if place is None:
            items.append(item)
            continue
        ours, theirs = items[place]["config"], item["config"]
        if ours["poi"] != theirs["poi"]:
            raise OptionError(
                f"the measurement {shown(item['name'])} has the parameter of interest "
                f"{shown(ours['poi'])} in one workspace and {shown(theirs['poi'])} in the other; "
                "for one signal strength in both, rename it: darkstats rename WORKSPACE -m "
                f"{theirs['poi']}={ours['poi']}; for two, rename the measurement in one of them"
            )
        parameters = _joined("parameter", ours["parameters"], theirs["parameters"], "outer")
        items[place]["config"] = {"poi": ours["poi"], "parameters": parameters}
    return items


def prune(
    workspace: Workspace,
    *,
    channels: Collection[str] = (),
    samples: Collection[str] = (),
    modifiers: Collection[str] = (),
    modifier_types: Collection[str] = (),
    measurements: Collection[str] = (),
) -> Workspace:
    """Return the workspace without what is named.

    A channel takes its observation along, a modifier its settings in the measurements. The value
    at which a measurement has a factor (a luminosity of 36.1, say) stays, in the yields, and widths
    relative to yields stay what they are: limits are those with the parameter held there.

    Raises
    ------
    UnknownNameError
        The workspace has nothing of this name.
    OptionError
        A measurement has a pull at another value than 0, measurements have a factor at different
        values, or a factor below 0 leaves no yields for a width: the document cannot say that.
    WorkspaceError
        What is left is no valid workspace.
    """
    _require("channel", channels, workspace.channel_names)
    _require("sample", samples, workspace.sample_names)
    _require("modifier", modifiers, [name for name, _ in workspace.modifiers])
    _require("modifier type", modifier_types, [kind for _, kind in workspace.modifiers])
    _require("measurement", measurements, workspace.measurement_names)
    document = workspace.document
    gone = {
        (name, kind)
        for name, kind in workspace.modifiers
        if name in modifiers or kind in modifier_types
    }
    kept = [m for m in document["measurements"] if m["name"] not in measurements]
    values = _values_that_stay(document, kept, gone)
    pruned = {
        "channels": [
            without_modifiers(
                {**channel, "samples": [
                    sample for sample in channel["samples"] if sample["name"] not in samples
                ]},
                gone,
                values,
            )
            for channel in document["channels"]
            if channel["name"] not in channels
        ],
        "observations": [o for o in document["observations"] if o["name"] not in channels],
        "measurements": [
            {**measurement, "config": {
                **measurement["config"],
                "parameters": [
                    parameter
                    for parameter in measurement["config"]["parameters"]
                    if parameter["name"] not in modifiers
                ],
            }}
            for measurement in kept
        ],
        "version": document["version"],
    }  # fmt: skip
    said = "".join(f", {name} at {_listed(found)}" for name, found in values.items())
    return Workspace.from_document(pruned, f"{workspace.source} (pruned{said})", usable=False)


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _values_that_stay(
    document: dict[str, JsonValue], measurements: Items, gone: set[tuple[str, str]]
) -> dict[str, tuple[float, ...]]:
    """Values of the factors that are taken away at another one than 1, by name.

    Raises
    ------
    OptionError
        Yields cannot say where a parameter stands.
    """
    found: dict[str, tuple[float, ...]] = {}
    nominals = [(m["name"], nominal_values(document, m)) for m in measurements]
    for name, kind in sorted(gone):
        here = [(measurement, one[name]) for measurement, one in nominals]
        moved = next(((m, one) for m, one in here if one.has_effect), None)
        if moved is None:
            continue
        measurement, nominal = moved
        told_apart = {one.values for _, one in here}
        several = kind == "staterror" and len(_channels_of(document, name)) > 1
        if nominal.neutral == 0.0 or several or len(told_apart) > 1:
            raise OptionError(
                f"the measurement {shown(measurement)} has the {kind} {shown(name)} at "
                f"{_listed(nominal.values)}, and without it yields would be others; hold it there "
                f'instead: {{"name": "{name}", "inits": {list(nominal.values)}, "fixed": true}}'
            )
        found[name] = nominal.values
    return found


def _channels_of(document: dict[str, JsonValue], name: str) -> list[str]:
    return [
        channel["name"]
        for channel in document["channels"]
        if any(m["name"] == name for sample in channel["samples"] for m in sample["modifiers"])
    ]


def rename(
    workspace: Workspace,
    *,
    channels: Mapping[str, str] | None = None,
    samples: Mapping[str, str] | None = None,
    modifiers: Mapping[str, str] | None = None,
    measurements: Mapping[str, str] | None = None,
) -> Workspace:
    """Return the workspace with other names, each mapping from old to new.

    A channel's observation, and a modifier's settings and role as parameter of interest, follow.
    Components of a staterror in several channels are in the order of these names: so are, in the
    result, their settings.

    Raises
    ------
    UnknownNameError
        The workspace has nothing of an old name.
    WorkspaceError
        The new names clash.
    """
    channels, samples = channels or {}, samples or {}
    modifiers, measurements = modifiers or {}, measurements or {}
    _require("channel", channels, workspace.channel_names)
    _require("sample", samples, workspace.sample_names)
    _require("modifier", modifiers, [name for name, _ in workspace.modifiers])
    _require("measurement", measurements, workspace.measurement_names)
    document = workspace.document
    orders = _new_orders(document, channels)
    renamed = {
        "channels": [
            {**_named(channel, channels), "samples": [
                {**_named(sample, samples), "modifiers": [
                    _named(modifier, modifiers) for modifier in sample["modifiers"]
                ]}
                for sample in channel["samples"]
            ]}
            for channel in document["channels"]
        ],
        "observations": [_named(o, channels) for o in document["observations"]],
        "measurements": [
            {**_named(measurement, measurements), "config": {
                "poi": _renamed_poi(measurement["config"]["poi"], workspace, modifiers, orders),
                "parameters": [
                    _named(_reordered(parameter, orders), modifiers)
                    for parameter in measurement["config"]["parameters"]
                ],
            }}
            for measurement in document["measurements"]
        ],
        "version": document["version"],
    }  # fmt: skip
    return Workspace.from_document(renamed, f"{workspace.source} (renamed)", usable=False)


def sort(workspace: Workspace) -> Workspace:
    """Return the workspace with all its lists of named things sorted by name.

    Two workspaces that differ only in these orders have one digest afterwards.
    """
    document = workspace.document
    ordered = {
        "channels": [
            {**channel, "samples": [
                {**sample, "modifiers": sorted(
                    sample["modifiers"], key=lambda m: (m["name"], m["type"])
                )}
                for sample in _sorted(channel["samples"])
            ]}
            for channel in _sorted(document["channels"])
        ],
        "observations": _sorted(document["observations"]),
        "measurements": [
            {**measurement, "config": {
                **measurement["config"],
                "parameters": _sorted(measurement["config"]["parameters"]),
            }}
            for measurement in _sorted(document["measurements"])
        ],
        "version": document["version"],
    }  # fmt: skip
    return Workspace.from_document(ordered, f"{workspace.source} (sorted)", usable=False)


def _new_orders(
    document: dict[str, JsonValue], channels: Mapping[str, str]
) -> dict[str, list[int]]:
    """Old indices of the components of each staterror, in the order of the new channel names."""
    bins: dict[str, dict[str, int]] = {}
    for channel in document["channels"]:
        for sample in channel["samples"]:
            for modifier in sample["modifiers"]:
                if modifier["type"] == "staterror":
                    bins.setdefault(modifier["name"], {})[channel["name"]] = len(sample["data"])
    orders = {}
    for name, sizes in bins.items():
        old: dict[str, range] = {}
        start = 0
        for channel in sorted(sizes):
            old[channel] = range(start, start + sizes[channel])
            start += sizes[channel]
        orders[name] = [
            index
            for channel in sorted(old, key=lambda channel: channels.get(channel, channel))
            for index in old[channel]
        ]
    return orders


def _reordered(
    parameter: dict[str, JsonValue], orders: Mapping[str, list[int]]
) -> dict[str, JsonValue]:
    """Settings with one entry per component, in another order of the components."""
    order = orders.get(parameter["name"])
    if order is None:
        return parameter
    return {
        key: [value[index] for index in order] if isinstance(value, list) else value
        for key, value in parameter.items()
    }


def _renamed_poi(
    poi: str, workspace: Workspace, names: Mapping[str, str], orders: Mapping[str, list[int]]
) -> str:
    """Name of a parameter of interest, or of the component that is it, after renaming."""
    modifier = modifier_of(poi, {name for name, _ in workspace.modifiers})
    new = names.get(modifier, modifier)
    found = component(poi)
    if modifier == poi or found is None or modifier not in orders:
        return new + poi[len(modifier) :]
    return f"{new}[{orders[modifier].index(found[1])}]"


def _named(item: dict[str, JsonValue], names: Mapping[str, str]) -> dict[str, JsonValue]:
    return {**item, "name": names.get(item["name"], item["name"])}


def _sorted(items: Items) -> Items:
    return sorted(items, key=lambda item: str(item["name"]))


def _require(kind: str, wanted: Collection[str], known: Sequence[str]) -> None:
    for name in wanted:
        if name not in known:
            raise UnknownNameError(kind, name, tuple(Counter(known)))
