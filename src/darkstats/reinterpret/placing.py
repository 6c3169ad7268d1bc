"""A signal into a workspace: channels by name, the old signal out, and the patch that does so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from darkstats.errors import OptionError, UnknownNameError, WorkspaceError
from darkstats.reinterpret.signals import ChannelYields, Signal, Variation
from darkstats.workspace import Workspace, apply_patch
from darkstats.workspace.own_signals import KEY, OwnSignal

__all__ = ["MISSING", "Placed", "place"]

MISSING = ("keep", "mask", "drop")
"""What becomes of a channel that the signal does not name: no signal is expected in it; its bins
leave the likelihood; or the whole channel leaves the workspace."""
_SHARED = ("normsys", "histosys")  # types that one Gaussian parameter can have in several samples
_LUMI = "lumi"
_MULTIPLYING = ("normfactor", _LUMI)
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
        Nuisance parameters of the signal: those that something else in the workspace has, and new
        ones.
    notices
        What the signal does not have and perhaps should, in words.
    """

    workspace: Workspace = field(repr=False)
    patch: tuple[Item, ...] = field(repr=False)
    yields: Mapping[str, float]
    replaced: tuple[str, ...]
    missing: tuple[str, ...]
    masked: tuple[str, ...]
    shared: tuple[str, ...]
    own: tuple[str, ...]
    notices: tuple[str, ...] = ()


def place(
    workspace: Workspace,
    signal: Signal,
    *,
    poi: str,
    name: str = "signal",
    missing: str | None = None,
    reference_cross_section_pb: float | None = None,
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
    reference_cross_section_pb
        Cross section of signal strength 1, pb; None where nothing says it. The patch says either,
        since what a sidecar says is of the signal of the search.

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
    dropped = set(absent) if missing == "drop" else set()
    known = _Modifiers.of(document, poi, dropped, signal.source)
    operations: list[Item] = []
    replaced: list[str] = []
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
            sample = _sample(name, channel["name"], yields, poi, known)
            path = f"/channels/{index}/samples/-"
            said = {KEY: reference_cross_section_pb}
            operations.append({"op": "add", "path": path, "value": sample, **said})
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
    alone = {
        _of_empty_bin(name, key, k)
        for key, one in signal.channels.items() for k, _, _ in _errors_of_empty_bins(one)
    }  # fmt: skip
    return Placed(
        workspace=replace(
            made, own_signal=OwnSignal(reference_cross_section_pb=reference_cross_section_pb)
        ),
        patch=tuple(operations),
        yields={key: float(sum(one.yields)) for key, one in signal.channels.items()},
        replaced=tuple(reversed(replaced)),
        missing=absent,
        masked=absent if missing == "mask" else (),
        shared=tuple(sorted(names & known.kept.keys())),
        own=tuple(sorted((names - known.kept.keys()) | alone)),
        notices=tuple(_without_luminosity(signal, known)),
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


@dataclass(frozen=True, slots=True)
class _Modifiers:
    """Types of modifiers by name: all of a workspace, those of what stays in it; and who asks."""

    all: Mapping[str, set[str]]
    kept: Mapping[str, set[str]]
    source: str

    @classmethod
    def of(cls, document: Item, poi: str, dropped: set[str], source: str) -> _Modifiers:
        every: dict[str, set[str]] = {}
        kept: dict[str, set[str]] = {}
        for channel in document["channels"]:
            for sample in channel["samples"]:
                leaves = any(one["name"] == poi for one in sample["modifiers"])
                for one in sample["modifiers"]:
                    every.setdefault(one["name"], set()).add(one["type"])
                    if not leaves and channel["name"] not in dropped:
                        kept.setdefault(one["name"], set()).add(one["type"])
        for measurement in document["measurements"]:
            for one in measurement["config"]["parameters"]:
                if one["name"] == _LUMI and "sigmas" in one and _LUMI not in every:
                    every[_LUMI] = {_LUMI}  # only the signals of patches have it
        return cls(every, kept, source)


def _sample(name: str, channel: str, signal: ChannelYields, poi: str, known: _Modifiers) -> Item:
    modifiers: list[Item] = [{"name": poi, "type": "normfactor", "data": None}]
    for key in signal.modifiers:
        kinds = known.all.get(key, set())
        chosen = next((kind for kind in _MULTIPLYING if kind in kinds), None)
        if chosen is None:
            names = [one for one, has in known.all.items() if has & set(_MULTIPLYING)]
            raise UnknownNameError("parameter that multiplies", key, names)
        modifiers.append({"name": key, "type": chosen, "data": None})
    if signal.stat is not None:
        own = f"{name}_stat_{channel}"
        errors = [e if y > 0.0 else 0.0 for e, y in zip(signal.stat, signal.yields, strict=True)]
        if any(errors):
            modifiers.append({"name": own, "type": "shapesys", "data": errors})
        for k, high, low in _errors_of_empty_bins(signal):
            data = {"hi_data": high, "lo_data": low}
            own = _of_empty_bin(name, channel, k)
            modifiers.append({"name": own, "type": "histosys", "data": data})
    for key, one in signal.variations.items():
        kinds = known.kept.get(key, set()) | (known.all.get(key, set()) & {_LUMI})
        if kinds - set(_SHARED):
            raise _no_variation(key, kinds, known.source)
        modifiers.append({"name": key, **_variation(signal.yields, one)})
    return {"name": name, "data": list(signal.yields), "modifiers": modifiers}


def _no_variation(key: str, kinds: set[str], source: str) -> OptionError:
    how = "give the variation another name"
    if kinds & set(_MULTIPLYING):
        where = "in this table"
        if not source.endswith((".yaml", ".yml", ".json")):
            where = "in a table in YAML or JSON, since a column of CSV cannot say it"
        how = (
            f"if it multiplies the signal, leave the variation out and write modifiers: [{key}] "
            f"{where}; else {how}"
        )
    return OptionError(
        f"{source}: {key!r} is a {' and '.join(sorted(kinds))} of the workspace, which no "
        f"variation of yields can share; {how}"
    )


def _without_luminosity(signal: Signal, known: _Modifiers) -> Iterator[str]:
    for key in (one for one, kinds in known.all.items() if _LUMI in kinds):
        without = [name for name, one in signal.channels.items() if key not in one.modifiers]
        if without:
            where = "" if len(without) == len(signal.channels) else f" in {', '.join(without)}"
            yield (
                f"the workspace has an uncertainty of the luminosity, {key!r}, which does not "
                f"multiply the signal{where}: write modifiers: [{key}] in a table in YAML or JSON "
                "where it should"
            )


def _of_empty_bin(name: str, channel: str, k: int) -> str:
    return f"{name}_stat_{channel}_bin{k}"


def _errors_of_empty_bins(signal: ChannelYields) -> Iterator[tuple[int, list[float], list[float]]]:
    """Bin, upper and lower yields for each error that no factor can carry: of no events, or less.

    Events of a bin that is empty cannot become fewer than none.
    """
    for k, (error, events) in enumerate(zip(signal.stat or (), signal.yields, strict=False)):
        if error > 0.0 and events <= 0.0:
            high, low = list(signal.yields), list(signal.yields)
            high[k] = events + error
            low[k] = events - error if events < 0.0 else events
            yield k, high, low


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
