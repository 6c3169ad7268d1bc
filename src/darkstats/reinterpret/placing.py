"""A signal into a workspace: channels by name, the old signal out, and the patch that does so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from darkstats.errors import OptionError, UnknownNameError, WorkspaceError
from darkstats.reinterpret.signals import ChannelYields, Signal, Variation
from darkstats.workspace import Workspace, apply_patch

__all__ = ["MISSING", "Placed", "place"]

MISSING = ("keep", "mask", "drop")
"""What becomes of a channel that the signal does not name: no signal is expected in it; its bins
leave the likelihood; or the whole channel leaves the workspace."""
_SHARED = ("normsys", "histosys")  # types that one Gaussian parameter can have in several samples
_MULTIPLYING = ("normfactor", "lumi")
_SAME_RATIO = 1e-9  # relative: ratios of yields that differ by rounding are one factor

Item = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A workspace with a signal.

    Parameters
    ----------
    workspace
        The workspace, checked.
    patch
        JSON patch (RFC 6902) from the workspace without it.
    yields
        Sum of the signal by channel.
    replaced
        Samples that were taken out, as ``channel/sample``.
    missing, masked
        Channels that the signal does not name; those of them to be masked.
    shared, own
        Nuisance parameters of the signal: those that the workspace has, and new ones.
    """

    workspace: Workspace = field(repr=False)
    patch: tuple[Item, ...] = field(repr=False)
    yields: Mapping[str, float]
    replaced: tuple[str, ...]
    missing: tuple[str, ...]
    masked: tuple[str, ...]
    shared: tuple[str, ...]
    own: tuple[str, ...]


def place(
    workspace: Workspace,
    signal: Signal,
    *,
    poi: str,
    name: str = "signal",
    missing: str | None = None,
) -> Placed:
    """Put a signal into a workspace.

    Samples that the parameter of interest scales are the signal that was there: they are taken
    out, in every channel. The new sample has the parameter of interest, its statistical errors as
    parameters of its own, and its systematic ones shared with parameters of the same name.

    Parameters
    ----------
    workspace
        Any workspace, also one without a signal.
    signal
        Yields by channel.
    poi
        Parameter of interest, the signal strength.
    name
        Of the new sample.
    missing
        One of :data:`MISSING`; None refuses a signal that does not name every channel.

    Raises
    ------
    UnknownNameError
        The signal names a channel that is not there.
    OptionError
        A channel is missing, has another number of bins, or a name is taken.
    WorkspaceError
        With the signal the workspace is no valid one.
    """
    document = workspace.document
    channels: list[Item] = list(document["channels"])
    sizes = {one["name"]: len(one["samples"][0]["data"]) for one in channels}
    _require_channels(signal, sizes)
    absent = tuple(one for one in sizes if one not in signal.channels)
    if absent and missing is None:
        raise OptionError(
            f"{signal.source}: no yields for {', '.join(absent)}; say what becomes of what the "
            "signal does not name: --missing keep (no signal there), mask (bins out of the "
            "likelihood) or drop (channels out of the workspace)"
        )
    types = _types(channels)
    operations: list[Item] = []
    replaced: list[str] = []
    dropped = set(absent) if missing == "drop" else set()
    for index in range(len(channels) - 1, -1, -1):
        channel = channels[index]
        if channel["name"] in dropped:
            operations.append({"op": "remove", "path": f"/channels/{index}"})
            continue
        kept = list(channel["samples"])
        for position in range(len(kept) - 1, -1, -1):
            if any(one["name"] == poi for one in kept[position]["modifiers"]):
                replaced.append(f"{channel['name']}/{kept[position]['name']}")
                operations.append({"op": "remove", "path": f"/channels/{index}/samples/{position}"})
                del kept[position]
        yields = signal.channels.get(channel["name"])
        if yields is not None and any(one["name"] == name for one in kept):
            raise OptionError(
                f"channel {channel['name']!r} has a sample {name!r} already: choose another name "
                "with --name"
            )
        if yields is not None:
            sample = _sample(name, channel["name"], yields, poi, types)
            operations.append(
                {"op": "add", "path": f"/channels/{index}/samples/-", "value": sample}
            )
        elif not kept:
            raise OptionError(
                f"channel {channel['name']!r} has nothing but the signal that is taken out: name "
                "its yields, or give --missing drop"
            )
    observations = [one["name"] for one in document["observations"]]
    operations += [
        {"op": "remove", "path": f"/observations/{index}"}
        for index in range(len(observations) - 1, -1, -1)
        if observations[index] in dropped
    ]
    label = f"{workspace.source} + {signal.name}"
    changed = apply_patch(document, operations, source=label)
    try:
        made = Workspace.from_document(changed, label)
    except WorkspaceError as error:
        raise WorkspaceError(
            error.findings, source=error.source, hint=f"the signal is that of {signal.source}"
        ) from None
    names = {key for one in signal.channels.values() for key in one.variations}
    return Placed(
        workspace=made,
        patch=tuple(operations),
        yields={key: float(sum(one.yields)) for key, one in signal.channels.items()},
        replaced=tuple(reversed(replaced)),
        missing=absent,
        masked=absent if missing == "mask" else (),
        shared=tuple(sorted(names & types.keys())),
        own=tuple(sorted(names - types.keys())),
    )


def _require_channels(signal: Signal, sizes: Mapping[str, int]) -> None:
    for name, yields in signal.channels.items():
        if name not in sizes:
            raise UnknownNameError(f"channel (of {signal.source})", name, tuple(sizes))
        for what, values in _all_values(yields):
            if len(values) != sizes[name]:
                raise OptionError(
                    f"{signal.source}: channel {name!r} has {sizes[name]} bins, and {what} "
                    f"{len(values)} numbers"
                )
        if any(error < 0.0 for error in yields.stat or ()):
            raise OptionError(f"{signal.source}: channel {name!r} has a negative standard error")
    if not any(value for one in signal.channels.values() for value in one.yields):
        raise OptionError(f"{signal.source}: the signal is zero in every bin")


def _all_values(yields: ChannelYields) -> Iterator[tuple[str, tuple[float, ...]]]:
    yield "the signal", yields.yields
    if yields.stat is not None:
        yield "its statistical error", yields.stat
    for name, one in yields.variations.items():
        yield f"{name!r}", one.up
        yield f"{name!r}", one.down


def _types(channels: list[Item]) -> dict[str, set[str]]:
    """Types of the modifiers of a workspace, by name."""
    found: dict[str, set[str]] = {}
    for channel in channels:
        for sample in channel["samples"]:
            for one in sample["modifiers"]:
                found.setdefault(one["name"], set()).add(one["type"])
    return found


def _sample(
    name: str, channel: str, signal: ChannelYields, poi: str, types: Mapping[str, set[str]]
) -> Item:
    modifiers: list[Item] = [{"name": poi, "type": "normfactor", "data": None}]
    for key in signal.modifiers:
        kinds = types.get(key, set())
        chosen = next((kind for kind in _MULTIPLYING if kind in kinds), None)
        if chosen is None:
            known = [one for one, has in types.items() if has & set(_MULTIPLYING)]
            raise UnknownNameError("parameter that multiplies", key, known)
        modifiers.append({"name": key, "type": chosen, "data": None})
    if signal.stat is not None:
        own = f"{name}_stat_{channel}"
        errors = [e if y > 0.0 else 0.0 for e, y in zip(signal.stat, signal.yields, strict=True)]
        modifiers.append({"name": own, "type": "shapesys", "data": errors})
    for key, one in signal.variations.items():
        kinds = types.get(key, set())
        if kinds - set(_SHARED):
            raise OptionError(
                f"{key!r} is a {' and '.join(sorted(kinds))} of the workspace, which no variation "
                f"of yields can share; name it under 'modifiers' if it multiplies the signal, or "
                "give the variation another name"
            )
        modifiers.append({"name": key, **_variation(signal.yields, one)})
    return {"name": name, "data": list(signal.yields), "modifiers": modifiers}


def _variation(yields: tuple[float, ...], varied: Variation) -> Item:
    """One factor where all bins have the same, else a histogram at each side."""
    ratios = [
        (up / y, down / y)
        for y, up, down in zip(yields, varied.up, varied.down, strict=True)
        if y != 0.0
    ]
    zero = all(
        up == 0.0 and down == 0.0
        for y, up, down in zip(yields, varied.up, varied.down, strict=True)
        if y == 0.0
    )
    if ratios and zero and min(ratios[0]) > 0.0 and all(_same(one, ratios[0]) for one in ratios):
        high, low = ratios[0]
        return {"type": "normsys", "data": {"hi": high, "lo": low}}
    data = {"hi_data": list(varied.up), "lo_data": list(varied.down)}
    return {"type": "histosys", "data": data}


def _same(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return all(abs(a - b) <= _SAME_RATIO * abs(b) for a, b in zip(one, other, strict=True))
