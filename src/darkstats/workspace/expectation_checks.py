"""Third lint pass: yields, observed counts, and what each bin can expect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from darkstats.workspace.findings import shown

if TYPE_CHECKING:
    from collections.abc import Collection

    from darkstats.workspace.report import Place, Report
    from darkstats.workspace.structure import ChannelPart, SamplePart, Sound

__all__ = ["SCALING", "check_background", "check_expectations", "sample_contributes"]

LARGEST_COUNT = 1e15
"""Above this a single event is lost in the rounding of double precision."""
SCALING = frozenset({"normfactor", "shapefactor"})
"""Types of free factors: at zero they leave nothing of a sample."""
_FACTORS = frozenset({"normfactor", "shapefactor", "lumi"})


def check_expectations(sound: Sound, report: Report) -> dict[str, list[float]]:
    """Check yields against data; return the observed counts of the channels that match."""
    observed = _observations(sound, report)
    counts: dict[str, list[float]] = {}
    seen: set[str] = set()
    for channel in sound.channels:
        if channel.name in seen:
            report.error(
                "duplicate-channel",
                channel.place.at("name"),
                f"a second channel named {shown(channel.name)}",
                "rename or remove one of them",
            )
            continue
        seen.add(channel.name)
        _channel(channel, report)
        if channel.name in observed:
            place, data = observed[channel.name]
            if _lengths(channel, place, data, report) and channel.complete:
                counts[channel.name] = data
                _bins(channel, data, report)
        elif sound.complete:
            report.error(
                "missing-observation",
                channel.place,
                f"the channel {shown(channel.name)} has no observation",
                "add its observed counts to /observations",
            )
    if sound.complete:
        for name, (place, _) in observed.items():
            if name not in seen:
                report.gather(
                    "unused-observation",
                    place,
                    f"no channel is named {shown(name)}",
                    "remove the observation, or correct its name",
                )
    return counts


def _observations(sound: Sound, report: Report) -> dict[str, tuple[Place, list[float]]]:
    observed: dict[str, tuple[Place, list[float]]] = {}
    for place, name, data in sound.observations:
        if name in observed:
            report.error(
                "duplicate-observation",
                place.at("name"),
                f"a second observation for {shown(name)}",
                "keep one observation per channel",
            )
            continue
        observed[name] = (place, data)
        if min(data) < 0 or max(data) > LARGEST_COUNT:
            index = next(i for i, n in enumerate(data) if not 0 <= n <= LARGEST_COUNT)
            negative = data[index] < 0
            report.error(
                "negative-data" if negative else "number-too-large",
                place.at("data", index),
                f"the observed count {data[index]:g} is "
                + ("negative" if negative else "beyond what double precision resolves"),
                "write the number of events observed in this bin",
            )
    return observed


def _channel(channel: ChannelPart, report: Report) -> None:
    seen: set[str] = set()
    for sample in channel.samples:
        if sample.name in seen:
            report.error(
                "duplicate-sample",
                sample.place.at("name"),
                f"a second sample named {shown(sample.name)} in this channel",
                "rename it, or add its yields to the first one",
            )
        seen.add(sample.name)
        low, high = min(sample.data), max(sample.data)
        if low < 0:
            index = sample.data.index(low)
            count = sum(events < 0 for events in sample.data)
            report.gather(
                "negative-yield",
                sample.place.at("data", index),
                f"the yield {low:g} is negative"
                + (f" (as are {count - 1} more in this sample)" if count > 1 else ""),
                "see that interference or weighted simulation is meant; the bin as a whole must "
                "expect events wherever the fit goes",
            )
        if high == 0 == low and not sample_contributes(sample):
            report.gather(
                "empty-sample",
                sample.place,
                f"the sample {shown(sample.name)} expects nothing in this channel",
                "remove it from this channel, or check its selection",
            )
        if high > LARGEST_COUNT and not any(m.type in _FACTORS for m in sample.modifiers):
            report.error(
                "number-too-large",
                sample.place.at("data", sample.data.index(high)),
                f"the yield {high:g} is beyond what double precision resolves, and no factor "
                "scales it down",
                "write the number of events that the sample expects in this bin",
            )
        elif high > LARGEST_COUNT:
            report.gather(
                "huge-yield",
                sample.place,
                f"the yield {high:g} is larger than {LARGEST_COUNT:g} events",
                "scale the sample so that its factor is of the order of 1",
            )


def _lengths(channel: ChannelPart, place: Place, data: list[float], report: Report) -> bool:
    """Check that all samples and the observation have one number of bins."""
    if not channel.samples:
        return False
    n_bins = len(channel.samples[0].data)
    fit = True
    for sample in channel.samples[1:]:
        if len(sample.data) != n_bins:
            fit = False
            report.error(
                "wrong-length",
                sample.place.at("data"),
                f"{len(sample.data)} yields, but the first sample of the channel has {n_bins}",
                "give every sample of a channel one yield per bin",
            )
    if len(data) != n_bins and channel.complete:
        fit = False
        report.error(
            "wrong-length",
            place.at("data"),
            f"{len(data)} observed counts, but the channel {shown(channel.name)} has {n_bins} bins",
            "write one count per bin",
        )
    return fit


def _bins(channel: ChannelPart, data: list[float], report: Report) -> None:
    totals = [sum(bins) for bins in zip(*(s.data for s in channel.samples), strict=True)]
    if min(totals) > 0:
        return
    for index, total in enumerate(totals):
        if total > 0:
            continue
        place = channel.place.at("samples")
        if total < 0:
            report.error(
                "negative-expectation",
                place,
                f"bin {index} expects {total:g} events in all",
                "merge the bin with its neighbour, or correct the yields",
            )
        elif any(_contributes_to(sample, index) for sample in channel.samples):
            if data[index] > 0:
                report.gather(
                    "zero-expectation",
                    place,
                    f"bin {index} has {data[index]:g} observed events and a nominal yield of 0",
                    "check the yields: only a varied template contributes here",
                )
        elif data[index] > 0:
            report.error(
                "zero-expectation",
                place,
                f"bin {index} has {data[index]:g} observed events, but no sample contributes to it",
                "merge the bin with its neighbour, or add the missing background",
            )
        else:
            report.gather(
                "empty-bin",
                place,
                f"bin {index} has neither observed events nor any expectation",
                "remove the bin: it says nothing",
            )


def check_background(
    sound: Sound,
    counts: dict[str, list[float]],
    names: Collection[str],
    *,
    dead: bool,
    report: Report,
) -> None:
    """Look for bins with data to which only samples scaled by one of ``names`` contribute.

    Parameters
    ----------
    sound, counts
        The sound parts, and the observed counts by channel.
    names
        Multiplicative parameters that are, or may be, zero.
    dead
        Whether the parameters are held at zero (an error) or may be zero (a warning).
    """
    for channel in sound.channels:
        data = counts.get(channel.name)
        if data is None or not any(
            m.name in names and m.type in SCALING for s in channel.samples for m in s.modifiers
        ):
            continue
        others = [
            sample
            for sample in channel.samples
            if not any(m.type in SCALING and m.name in names for m in sample.modifiers)
        ]
        for index, count in enumerate(data):
            rest = sum(sample.data[index] for sample in others if len(sample.data) > index)
            filled = any(_contributes_to(sample, index) for sample in others)
            if count <= 0 or (filled and rest >= 0):
                continue
            if not any(_contributes_to(sample, index) for sample in channel.samples):
                continue  # reported already
            place = channel.place.at("samples")
            which = ", ".join(shown(name) for name in sorted(names))
            if filled:
                report.gather(
                    "no-background",
                    place,
                    f"bin {index} has {count:g} observed events, and without {which} it expects "
                    f"{rest:g}: the hypothesis {which} = 0 may be impossible",
                    "add the missing background, or merge the bin with its neighbour",
                )
                continue
            if dead:
                report.error(
                    "zero-expectation",
                    place,
                    f"bin {index} has {count:g} observed events, but its samples are scaled by "
                    f"{which}, held at 0",
                    "release the parameter, or add the missing background",
                )
                return
            report.gather(
                "no-background",
                place,
                f"bin {index} has {count:g} observed events, but no background: the hypothesis "
                f"{which} = 0 is impossible",
                "add the missing background, or merge the bin with its neighbour",
            )


def _contributes_to(sample: SamplePart, index: int) -> bool:
    """Whether a sample can expect events in a bin for some values of the parameters.

    A second channel of the same name, reported elsewhere, may have fewer bins than the data.
    """
    if len(sample.data) > index and sample.data[index] != 0:
        return True
    return any(
        len(values) > index and values[index] != 0
        for modifier in sample.modifiers
        if modifier.type == "histosys"
        for values in (modifier.data["lo_data"], modifier.data["hi_data"])
    )


def sample_contributes(sample: SamplePart) -> bool:
    """Whether a sample can expect events anywhere for some values of the parameters."""
    return any(_contributes_to(sample, index) for index in range(len(sample.data)))
