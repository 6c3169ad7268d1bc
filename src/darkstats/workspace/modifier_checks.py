"""Second lint pass: the modifiers of each sample, and the parameters that they ask for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from darkstats.workspace.findings import shown
from darkstats.workspace.names import COMPONENT_TYPES, component
from darkstats.workspace.report import Notes, Place, Report

if TYPE_CHECKING:
    from darkstats.workspace.structure import ChannelPart, ModifierPart, SamplePart, Sound

__all__ = ["Need", "check_modifiers"]

SMALLEST_RATIO, LARGEST_RATIO = 1e-50, 1e50
"""Range of the relative uncertainty of a bin; its inverse square must not overflow."""
SMALLEST_FACTOR, LARGEST_FACTOR = 1e-10, 1e4
"""Range of a normsys factor; the interpolation takes its logarithm and its fifth power."""
LARGEST_VARIATION = 1e10
"""Range of a histosys, in the largest yield of its sample or in events; beyond, the interpolation
loses the other samples in its rounding, and no minimum can be found."""
_RELATIVE, _PER_CENT = 0.5, 1.5
"""Equal factors up to the first look like relative errors; from the second on, like per cent."""
_ROUNDING = 1e-9  # of a sum of yields
_ROUNDING_OF_SHAPE = 1e-3  # of all that a shape moves between bins
_WIDEST = 1.0 + 1e-9
"""Uncertainty of a bin in its yield: that of a single simulated event is all of it."""
_INTERPOLATED = frozenset({"normsys", "histosys"})


@dataclass(slots=True)
class Need:
    """What the modifiers of one name ask of their parameter.

    ``channels`` maps each channel, in the order of the document, to its number of bins;
    ``samples`` maps each sample to the channels in which it carries the name.
    """

    name: str
    place: Place
    types: set[str] = field(default_factory=set)
    channels: dict[str, int] = field(default_factory=dict)
    samples: dict[str, set[str]] = field(default_factory=dict)

    n_parameters: int = 1

    def has_component(self, parameter: str) -> bool:
        """Whether ``parameter``, such as ``"gamma[3]"``, is one of the components."""
        found = component(parameter)
        return (
            found is not None
            and found[0] == self.name
            and bool(self.types & COMPONENT_TYPES)
            and found[1] < self.n_parameters
        )

    def count(self) -> None:
        """Set the number of components of the parameter, once all its uses are known."""
        if "staterror" in self.types:
            self.n_parameters = sum(self.channels.values())
        elif "shapesys" in self.types or "shapefactor" in self.types:
            self.n_parameters = next(iter(self.channels.values()))


def check_modifiers(sound: Sound, report: Report) -> dict[str, Need]:
    """Check all modifiers of the sound channels; return the needs by parameter name."""
    needs: dict[str, Need] = {}
    for channel in sound.channels:
        if not channel.samples:
            continue
        n_bins = len(channel.samples[0].data)
        for sample in channel.samples:
            if len(sample.data) != n_bins:
                continue  # reported with the yields
            _sample(channel, sample, n_bins, needs, report)
        if channel.complete:
            _staterrors(channel, n_bins, report)
    for need in needs.values():
        need.count()
        _shared(need, report)
    for need in needs.values():
        _like_a_component(need, needs, report)
    if not needs and sound.complete:
        report.error(
            "no-parameters",
            Place("/channels"),
            "no sample has a modifier, so the model has no parameter",
            "add a normfactor to the signal sample",
        )
    return needs


def _sample(
    channel: ChannelPart, sample: SamplePart, n_bins: int, needs: dict[str, Need], report: Report
) -> None:
    seen: set[tuple[str, str]] = set()
    notes = None if sample.facts is None else sample.once("notes", lambda: _notes(sample))
    for modifier in sample.modifiers:
        name, kind = modifier.name, modifier.type
        if (kind, name) in seen:
            report.error(
                "duplicate-modifier",
                _place(sample, modifier),
                f"a second {kind} {shown(name)} in this sample",
                "remove one of them: readers differ in which one they take",
            )
            continue
        seen.add((kind, name))
        need = needs.get(name)
        if need is None:
            need = needs[name] = Need(name, _place(sample, modifier))
        elif kind == "shapesys" and "shapesys" in need.types:
            report.error(
                "shared-shapesys",
                _place(sample, modifier),
                f"the shapesys {shown(name)} is already used at {need.place.pointer}",
                "give it a name of its own: a shapesys belongs to one sample of one channel",
            )
            continue
        need.types.add(kind)
        need.channels[channel.name] = n_bins
        need.samples.setdefault(sample.name, set()).add(channel.name)
        if notes is None:
            _alone(sample, modifier, report)
        elif modifier.index in notes:
            notes[modifier.index].repeat(report)


def _alone(sample: SamplePart, modifier: ModifierPart, report: Report) -> None:
    """Check what a modifier does to its sample, whatever else the document holds."""
    if modifier.type == "histosys":
        _histosys(sample, modifier, report)
    elif modifier.type == "normsys":
        _normsys(sample, modifier, report)
    elif modifier.type in {"shapesys", "staterror"}:
        _uncertainties(sample, modifier, report)


def _notes(sample: SamplePart) -> dict[int, Notes]:
    """What these checks say of the modifiers of a sample, of those of which they say anything."""
    found = {}
    for modifier in sample.modifiers:
        notes = Notes()
        _alone(sample, modifier, notes)
        if notes.said:
            found[modifier.index] = notes
    return found


def _place(sample: SamplePart, modifier: ModifierPart) -> Place:
    place = sample.place
    return Place(f"{place.pointer}/modifiers/{modifier.index}", place.channel, place.sample)


def _histosys(sample: SamplePart, modifier: ModifierPart, report: Report) -> None:
    low, high, data = modifier.data["lo_data"], modifier.data["hi_data"], sample.data
    if len(low) != len(data) or len(high) != len(data):
        key = "lo_data" if len(low) != len(data) else "hi_data"
        report.error(
            "wrong-length",
            _place(sample, modifier).at("data", key),
            f"{len(modifier.data[key])} variations for {len(data)} bins",
            "write one number per bin",
        )
        return
    bound = LARGEST_VARIATION * max(1.0, *data)
    for key, values in (("lo_data", low), ("hi_data", high)):
        if max(values) > bound or min(values) < -bound:
            index = next(i for i, value in enumerate(values) if abs(value) > bound)
            report.error(
                "number-too-large",
                _place(sample, modifier).at("data", key, index),
                f"the variation {values[index]:g} is out of all proportion to the yields",
                "write the number of events that the varied sample expects in this bin",
            )
    if min(low) < 0 or min(high) < 0:
        report.gather(
            "negative-variation",
            _place(sample, modifier),
            f"the histosys {shown(modifier.name)} varies a yield below zero",
            "check the variation; bins may become negative in a fit",
        )
    nominal, down, up = sum(data), sum(low), sum(high)
    if low == data and high == data:
        report.gather(
            "no-effect",
            _place(sample, modifier),
            f"the histosys {shown(modifier.name)} changes nothing here",
            "harmless; where the file is yours, remove it unless its parameter is wanted",
        )
    elif _go_the_same_way(data, high, low):
        _one_sided(sample, modifier, report)
    if nominal > 0 and not (0.1 * nominal <= up <= 10 * nominal and down <= 10 * nominal):
        _large(sample, modifier, report)


def _go_the_same_way(nominal: list[float], up: list[float], down: list[float]) -> bool:
    """Whether both totals are above nominal, or below, by more than rounding.

    A shape whose yield another modifier has (as ``convert`` writes it) has totals that are nominal
    but for the digits of its bins: small beside what moves from bin to bin.
    """
    total = sum(nominal)
    moved = sum(abs(a - n) + abs(b - n) for a, b, n in zip(up, down, nominal, strict=True))
    rounding = max(_ROUNDING * abs(total), _ROUNDING_OF_SHAPE * moved)
    changes = (sum(up) - total, sum(down) - total)
    return min(changes) > rounding or max(changes) < -rounding


def _normsys(sample: SamplePart, modifier: ModifierPart, report: Report) -> None:
    low, high = modifier.data["lo"], modifier.data["hi"]
    for key, value in (("lo", low), ("hi", high)):
        if not SMALLEST_FACTOR <= value <= LARGEST_FACTOR:
            problem = "not positive" if value <= 0 else "absurdly far from 1"
            report.error(
                "bad-normsys",
                _place(sample, modifier).at("data", key),
                f"the factor {value:g} is {problem}",
                _normsys_remedy(value, high - 1.0 if key == "lo" else 1.0 - low),
            )
            return
    if low == high == 1:
        report.gather(
            "no-effect",
            _place(sample, modifier),
            f"the normsys {shown(modifier.name)} changes nothing here",
            "harmless; where the file is yours, remove it unless its parameter is wanted",
        )
    elif (low - 1) * (high - 1) > 0:
        _one_sided(sample, modifier, report, _meant(low, high))
    if not (0.1 <= low <= 10 and 0.1 <= high <= 10):
        _large(sample, modifier, report)


def _normsys_remedy(value: float, other: float) -> str:
    """What to write in place of a factor; ``other`` is the relative error on the other side."""
    if value > 0:
        return "write the ratio of the varied to the nominal yield, such as 0.95 and 1.05"
    width = max(1.0 - value, abs(other))
    return (
        "its logarithm is interpolated, which reaches no zero: write a factor above it (0.5 and "
        "2.0 are a factor of two), or a normfactor with a channel of its own that expects "
        f"{width**-2:.3g} event(s) of it, with as many observed (a gamma constraint of "
        f'{100.0 * width:.3g} %), or a truncated Gaussian; the how-to "Mend a workspace that is '
        'refused" has all three'
    )


def _meant(low: float, high: float) -> str:
    """What equal or nearly equal factors may have been meant for: relative errors, or per cent."""
    if max(low, high) <= _RELATIVE:
        return (
            f"relative errors of {low:g} and {high:g} are written {1 - low:.4g} and {1 + high:.4g}"
        )
    if min(low, high) >= _PER_CENT:
        low, high = 1 - low / 100, 1 + high / 100
        return f"per cent are written {low:.4g} and {high:.4g}"
    return "check both templates"


def _one_sided(
    sample: SamplePart, modifier: ModifierPart, report: Report, meant: str = "check both templates"
) -> None:
    report.gather(
        "one-sided",
        _place(sample, modifier),
        f"both variations of the {modifier.type} {shown(modifier.name)} go the same way",
        f"it is fitted as written; where the file is yours, {meant}",
    )


def _large(sample: SamplePart, modifier: ModifierPart, report: Report) -> None:
    report.gather(
        "large-variation",
        _place(sample, modifier),
        f"the {modifier.type} {shown(modifier.name)} changes the yield by more than a factor 10",
        "compare with --interpolation normsys=code1; where the file is yours, check it",
    )


def _uncertainties(sample: SamplePart, modifier: ModifierPart, report: Report) -> None:
    """Check the absolute uncertainties of a shapesys or staterror, bin by bin."""
    values, data = modifier.data, sample.data
    if len(values) != len(data):
        report.error(
            "wrong-length",
            _place(sample, modifier).at("data"),
            f"{len(values)} uncertainties for {len(data)} bins",
            "write one number per bin",
        )
        return
    if min(values) < 0:
        index = next(i for i, v in enumerate(values) if v < 0)
        report.error(
            "negative-uncertainty",
            _place(sample, modifier).at("data", index),
            f"the uncertainty {values[index]:g} is negative",
            "write the absolute uncertainty of the yield, in events",
        )
        return
    frozen = wide = 0
    for index, (value, events) in enumerate(zip(values, data, strict=True)):
        if value > 0 and events > 0 and not SMALLEST_RATIO <= value / events <= LARGEST_RATIO:
            report.error(
                "uncertainty-out-of-range",
                _place(sample, modifier).at("data", index),
                f"the uncertainty {value:g} on {events:g} events cannot be computed with",
                "write 0 for no uncertainty, or a value of the size of the yield",
            )
            return
        frozen += value > 0 >= events
        wide += value > _WIDEST * events > 0
    if wide:
        report.gather(
            "wide-uncertainty",
            _place(sample, modifier),
            f"the {modifier.type} {shown(modifier.name)} is larger than the yield in {wide} bin(s)",
            "uncertainties are in events, not in per cent; where the file is yours, check them",
        )
    if frozen and modifier.type == "shapesys":
        report.gather(
            "frozen-bins",
            _place(sample, modifier),
            f"the shapesys {shown(modifier.name)} has no effect on {frozen} bin(s) without a "
            "positive yield",
            "use a histosys where an empty bin may fill up",
        )


def _staterrors(channel: ChannelPart, n_bins: int, report: Report) -> None:
    """Warn of bins whose joint statistical uncertainty is zero or without effect."""
    names: dict[str, list[tuple[SamplePart, ModifierPart]]] = {}
    for sample in channel.samples:
        for modifier in sample.modifiers:
            if modifier.type == "staterror" and len(modifier.data) == n_bins == len(sample.data):
                names.setdefault(modifier.name, []).append((sample, modifier))
    covered = _bins_with_errors(channel, n_bins)
    for name, users in names.items():
        events = [sum(bins) for bins in zip(*(s.data for s, _ in users), strict=True)]
        errors = [sum(bins) for bins in zip(*(m.data for _, m in users), strict=True)]
        exact = sum(
            n > 0 and e == 0 and i not in covered
            for i, (n, e) in enumerate(zip(events, errors, strict=True))
        )
        frozen = sum(n <= 0 and e > 0 for n, e in zip(events, errors, strict=True))
        place = _place(*users[0])
        if exact:
            report.gather(
                "zero-uncertainty",
                place,
                f"the staterror {shown(name)} is zero in {exact} bin(s) with yield",
                "check the statistical uncertainties of the simulation",
            )
        if frozen:
            report.gather(
                "frozen-bins",
                place,
                f"the staterror {shown(name)} has no effect on {frozen} bin(s) without a positive "
                "yield",
                "use a histosys where an empty bin may fill up",
            )


def _bins_with_errors(channel: ChannelPart, n_bins: int) -> set[int]:
    """Bins that any shapesys or staterror gives an error: one modifier may leave them to another.

    So does autoMCStats, which gives processes errors of their own where few events are.
    """
    return {
        i
        for sample in channel.samples
        for modifier in sample.modifiers
        if modifier.type in {"shapesys", "staterror"} and len(modifier.data) == n_bins
        for i, error in enumerate(modifier.data)
        if error > 0
    }


def _like_a_component(need: Need, needs: dict[str, Need], report: Report) -> None:
    """Refuse a name that a component of another parameter has."""
    found = component(need.name)
    owner = None if found is None else needs.get(found[0])
    if owner is not None and owner.has_component(need.name):
        report.error(
            "component-name",
            need.place,
            f"{shown(need.name)} is also the name of a component of "
            f"{' and '.join(sorted(owner.types))} {shown(owner.name)}",
            f"rename it: darkstats rename WORKSPACE --modifier '{need.name}=NEW'",
        )


def _shared(need: Need, report: Report) -> None:
    """Check that the modifiers of one name can share one parameter."""
    if len(need.types) > 1 and not need.types <= _INTERPOLATED:
        report.error(
            "name-reuse",
            need.place,
            f"{shown(need.name)} names modifiers of the types {', '.join(sorted(need.types))}, "
            "which cannot share a parameter",
            "rename one of them; only normsys and histosys may share a name",
        )
    elif "shapefactor" in need.types and len(set(need.channels.values())) > 1:
        report.error(
            "shapefactor-bins",
            need.place,
            f"the shapefactor {shown(need.name)} spans channels of "
            f"{' and '.join(map(str, sorted(set(need.channels.values()))))} bins",
            "use one shapefactor per binning",
        )
    elif "staterror" in need.types:
        for sample, channels in need.samples.items():
            if channels != need.channels.keys():
                missing = ", ".join(shown(c) for c in sorted(need.channels.keys() - channels))
                report.error(
                    "staterror-mask",
                    need.place,
                    f"the staterror {shown(need.name)} covers the sample {shown(sample)} in "
                    f"{', '.join(shown(c) for c in sorted(channels))} but not in {missing}",
                    "use one staterror name per channel",
                )
                return
