"""Tables of signal yields: what a theorist writes down, checked, with the place of each mistake."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from darkstats.errors import DocumentError
from darkstats.searches.card_file import Entry, read_card_file
from darkstats.searches.csv_rows import number_in, read_rows

__all__ = ["ChannelYields", "Signal", "Variation", "read_signals"]

_COLUMNS = ("channel", "bin")
_YIELD, _EFFICIENCY = "yield", "efficiency"
_ALONE = "signal"  # name of the hypothesis of a table that has one
_ALSO = ("stat", "systematics", "modifiers")
_ENTRIES = {_YIELD: "yields", _EFFICIENCY: "efficiencies"}  # keys of YAML


@dataclass(frozen=True, slots=True, kw_only=True)
class Variation:
    """One systematic uncertainty of a channel: yields at +1 and at -1 sigma. Shapes [bin]."""

    up: tuple[float, ...]
    down: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelYields:
    """Signal in one channel.

    Parameters
    ----------
    yields
        Events in each bin. Shape [bin].
    stat
        Absolute standard errors of simulation, bin by bin; None for none.
    variations
        By the name of the nuisance parameter.
    modifiers
        Names of parameters of the workspace that multiply this signal, too.
    """

    yields: tuple[float, ...]
    stat: tuple[float, ...] | None = None
    variations: Mapping[str, Variation]
    modifiers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A signal hypothesis: yields by channel, from a source."""

    name: str
    source: str
    channels: Mapping[str, ChannelYields]


def read_signals(given: Sequence[str], *, factor: float | None = None) -> tuple[Signal, ...]:
    """Read signal hypotheses: one file, or words such as ``SR=1.2,3.4`` of one hypothesis.

    Parameters
    ----------
    given
        A file (``.csv``; ``.yaml``, ``.yml`` or ``.json``), or one text for each channel.
    factor
        Cross section times luminosity, which makes events of efficiencies; None where the numbers
        are events. A table says which of both it holds.

    Raises
    ------
    DocumentError
        The file cannot be read, or something in it is no yield: it names the place.
    CardError
        The same of a YAML or JSON file.
    """
    wanted = _YIELD if factor is None else _EFFICIENCY
    files = [one for one in given if "=" not in one.rpartition("/")[2]]
    if files and len(given) > 1:
        raise DocumentError(
            "stands beside other signals", source=f"--signal {files[0]}",
            remedy="give one table, or words such as SR=1.2,3.4 alone",
        )  # fmt: skip
    found = _of_file(files[0], wanted) if files else (_of_words(given),)
    if factor is None:
        return found
    for signal in found:
        for name, one in signal.channels.items():
            if not 0.0 <= sum(one.yields) <= 1.0:
                raise DocumentError(
                    f"efficiencies of channel {name!r} add up to {sum(one.yields):g}",
                    source=signal.source,
                    remedy="efficiencies lie between 0 and 1; events go without --sigma and --lumi",
                )
    return tuple(_scaled(one, factor) for one in found)


def _of_file(path: str, wanted: str) -> tuple[Signal, ...]:
    ending = Path(path).suffix.lower()
    if ending == ".csv":
        return tuple(_of_csv(path, wanted))
    if ending in {".yaml", ".yml", ".json"}:
        return tuple(_of_document(read_card_file(path), wanted))
    raise DocumentError(
        "is no table of signal yields",
        source=path,
        remedy="give a file that ends with .csv, .yaml or .json, or words such as SR=1.2,3.4",
    )


def _of_words(words: Sequence[str]) -> Signal:
    channels: dict[str, ChannelYields] = {}
    for word in words:
        name, sign, numbers = word.partition("=")
        if not (sign and name and numbers):
            raise DocumentError(
                "cannot be read", source=f"--signal {word}", remedy="write CHANNEL=1.2,3.4"
            )
        if name in channels:
            raise DocumentError("names a channel twice", source=f"--signal {word}")
        values = tuple(number_in(part, f"--signal {word}", None) for part in numbers.split(","))
        channels[name] = ChannelYields(yields=values, variations={})
    return Signal(name=_ALONE, source="--signal", channels=channels)


# ------------------------------------------------------------------------------------------- CSV


def _of_csv(path: str, value: str) -> Iterator[Signal]:
    """Hypotheses of a table with the columns channel, bin, yield and what varies it."""
    head, rows = read_rows(path, "yields")
    other = _EFFICIENCY if value == _YIELD else _YIELD
    if other in head:
        raise DocumentError(
            f"has a column {other!r}", source=path,
            remedy="give --sigma and --lumi with efficiencies" if value == _YIELD else
            "leave out --sigma and --lumi: yields are events already",
        )  # fmt: skip
    for name in (*_COLUMNS, value):
        if name not in head:
            raise DocumentError(
                f"has no column {name!r}; its columns: {', '.join(head)}",
                source=path,
                remedy="the first line names the columns: channel,bin,yield and, if you like, "
                "hypothesis, stat, NAME (a relative error), NAME_up and NAME_down (yields)",
            )
    if len(set(head)) < len(head):
        raise DocumentError("names a column twice", source=path, pointer="line 1")
    table: dict[str, dict[str, dict[int, dict[str, float]]]] = {}
    for line, cells in rows:
        place = f"line {line}"
        if len(cells) != len(head):
            raise DocumentError(
                f"has {len(cells)} cells, and the first line {len(head)}",
                source=path, pointer=place,
            )  # fmt: skip
        row = dict(zip(head, cells, strict=True))
        number = row.pop("bin")
        if not number.isdecimal():
            raise DocumentError(
                f"{number!r} is no bin: bins count from 0", source=path, pointer=place
            )
        channel, hypothesis = row.pop("channel"), row.pop("hypothesis", _ALONE)
        bins = table.setdefault(hypothesis, {}).setdefault(channel, {})
        if int(number) in bins:
            raise DocumentError(
                f"bin {number} of {channel!r} is there twice", source=path, pointer=place
            )
        bins[int(number)] = {key: number_in(text, path, place) for key, text in row.items()}
    for hypothesis, channels in table.items():
        yield Signal(
            name=hypothesis,
            source=path,
            channels={name: _channel(bins, value, name, path) for name, bins in channels.items()},
        )


def _channel(
    bins: Mapping[int, Mapping[str, float]], value: str, channel: str, path: str
) -> ChannelYields:
    if sorted(bins) != list(range(len(bins))):
        missing = next(k for k in range(max(bins) + 1) if k not in bins)
        raise DocumentError(
            f"channel {channel!r} has no bin {missing}: bins count from 0, and none is left out",
            source=path,
        )
    columns = {key: tuple(bins[k][key] for k in range(len(bins))) for key in bins[0]}
    yields = columns.pop(value)
    stat = columns.pop("stat", None)
    variations: dict[str, Variation] = {}
    for name, numbers in columns.items():
        base, _, side = name.rpartition("_")
        other = {"up": "down", "down": "up"}.get(side)
        if base and other is not None:
            if f"{base}_{other}" not in columns:
                raise DocumentError(
                    f"has a column {name!r} and no {base}_{other}", source=path,
                    remedy="give the yields at both sides, or a relative error under another name",
                )  # fmt: skip
            if side == "up":
                variations[base] = Variation(up=numbers, down=columns[f"{base}_down"])
            continue
        for k, error in enumerate(numbers):
            if not abs(error) < 1.0:
                raise DocumentError(
                    f"channel {channel!r}, bin {k}: {name!r} is {error:g}, and a relative error "
                    "lies below 1", source=path, remedy="write 0.03 for 3 %",
                )  # fmt: skip
        variations[name] = _relative(yields, numbers)
    return ChannelYields(yields=yields, stat=stat, variations=variations)


def _relative(yields: Sequence[float], errors: Sequence[float]) -> Variation:
    return Variation(
        up=tuple(y * (1.0 + e) for y, e in zip(yields, errors, strict=True)),
        down=tuple(y * (1.0 - e) for y, e in zip(yields, errors, strict=True)),
    )


# ------------------------------------------------------------------------------------ YAML, JSON


def _of_document(whole: Entry, wanted: str) -> Iterator[Signal]:
    """Hypotheses of ``{channel: ...}``, or of ``{hypotheses: {name: {channel: ...}}}``."""
    top = whole.mapping()
    if set(top) == {"hypotheses"}:
        for name, entry in top["hypotheses"].mapping().items():
            yield Signal(name=name, source=whole.source, channels=_channels(entry, wanted))
    else:
        yield Signal(name=_ALONE, source=whole.source, channels=_channels(whole, wanted))


def _channels(entry: Entry, wanted: str) -> dict[str, ChannelYields]:
    return {name: _channel_entry(one, wanted) for name, one in entry.mapping().items()}


def _channel_entry(entry: Entry, wanted: str) -> ChannelYields:
    if isinstance(entry.value, list):
        return ChannelYields(yields=_numbers(entry), variations={})
    key = _ENTRIES[wanted]
    entry.keys(required=(key,), optional=_ALSO)
    parts = entry.mapping()
    yields = _numbers(parts[key])
    variations: dict[str, Variation] = {}
    if "systematics" in parts:
        for name, one in parts["systematics"].mapping().items():
            variations[name] = _variation(one, yields)
    modifiers: list[str] = []
    if "modifiers" in parts:
        modifiers = [str(one.value) for one in parts["modifiers"].items()]
    return ChannelYields(
        yields=yields,
        stat=_numbers(parts["stat"], len(yields)) if "stat" in parts else None,
        variations=variations,
        modifiers=tuple(modifiers),
    )


def _variation(entry: Entry, yields: tuple[float, ...]) -> Variation:
    if isinstance(entry.value, dict):
        entry.keys(required=("up", "down"))
        parts = entry.mapping()
        return Variation(
            up=_numbers(parts["up"], len(yields)), down=_numbers(parts["down"], len(yields))
        )
    if isinstance(entry.value, list):
        errors = _numbers(entry, len(yields))
    else:
        errors = (_value(entry),) * len(yields)
    for error in errors:
        if not abs(error) < 1.0:
            entry.fail(f"a relative error of {error:g} is not below 1", "write 0.03 for 3 %")
    return _relative(yields, errors)


def _value(entry: Entry) -> float:
    if isinstance(entry.value, bool) or not isinstance(entry.value, (int, float)):
        entry.fail(f"{entry.value!r} is no number")
    if not math.isfinite(entry.value):
        entry.fail(f"{entry.value!r} is no number")
    return float(entry.value)


def _numbers(entry: Entry, length: int | None = None) -> tuple[float, ...]:
    found = tuple(_value(one) for one in entry.items())
    if length is not None and len(found) != length:
        entry.fail(f"has {len(found)} numbers, and the yields {length}")
    return found


def _scaled(signal: Signal, factor: float) -> Signal:
    def times(values: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(factor * value for value in values)

    return Signal(
        name=signal.name,
        source=signal.source,
        channels={
            name: ChannelYields(
                yields=times(one.yields),
                stat=None if one.stat is None else times(one.stat),
                variations={
                    key: Variation(up=times(v.up), down=times(v.down))
                    for key, v in one.variations.items()
                },
                modifiers=one.modifiers,
            )
            for name, one in signal.channels.items()
        },
    )
