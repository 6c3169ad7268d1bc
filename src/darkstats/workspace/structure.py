"""First lint pass: each value stands where the workspace schema 1.0.0 wants it, and is of its kind.

The pass returns only the parts that are sound, with their places, so that the later passes need
not check types again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from darkstats.workspace.findings import shown
from darkstats.workspace.report import Place, Report

if TYPE_CHECKING:
    from collections.abc import Callable

    from darkstats.workspace.json_values import JsonValue
    from darkstats.workspace.shared_parts import SharedParts

__all__ = [
    "MODIFIER_TYPES",
    "ChannelPart",
    "ModifierPart",
    "SamplePart",
    "Sound",
    "check_structure",
]

T = TypeVar("T")

MODIFIER_TYPES = (
    "histosys",
    "lumi",
    "normfactor",
    "normsys",
    "shapefactor",
    "shapesys",
    "staterror",
)
LARGEST_BOUND = 1e300

_WORKSPACE_KEYS = frozenset({"channels", "measurements", "observations", "version"})
_CHANNEL_KEYS = frozenset({"name", "samples"})
_SAMPLE_KEYS = frozenset({"name", "data", "modifiers"})
_MODIFIER_KEYS = frozenset({"name", "type", "data"})
_HISTOSYS_KEYS = frozenset({"lo_data", "hi_data"})
_NORMSYS_KEYS = frozenset({"lo", "hi"})
_OBSERVATION_KEYS = frozenset({"name", "data"})
_MEASUREMENT_KEYS = frozenset({"name", "config"})
_CONFIG_KEYS = frozenset({"poi", "parameters"})
_PARAMETER_KEYS = frozenset({"name"})
_PARAMETER_LISTS = ("inits", "auxdata", "factors", "sigmas")
_PARAMETER_OPTIONS = frozenset({"inits", "bounds", "auxdata", "factors", "sigmas", "fixed"})


@dataclass(slots=True)
class ModifierPart:
    """A sound modifier, the number of its place, and the sample that it belongs to."""

    index: int
    name: str
    type: str
    data: JsonValue


@dataclass(slots=True)
class SamplePart:
    """A sound sample; ``facts`` keeps what later passes find, if other documents have it, too."""

    place: Place
    name: str
    data: list[float]
    modifiers: list[ModifierPart] = field(default_factory=list)
    facts: dict[str, object] | None = None

    def once(self, what: str, make: Callable[[], T]) -> T:
        """What ``make`` returns, which follows from this sample in its place alone."""
        if self.facts is None:
            return make()
        if what not in self.facts:
            self.facts[what] = make()
        found: T = self.facts[what]  # type: ignore[assignment]  # a word stands for one type
        return found


@dataclass(slots=True)
class ChannelPart:
    """A sound channel; ``complete`` if every one of its samples is sound, too."""

    place: Place
    name: str
    samples: list[SamplePart] = field(default_factory=list)
    complete: bool = True


@dataclass(slots=True)
class Sound:
    """The sound parts of a document; ``complete`` if nothing was left out."""

    channels: list[ChannelPart] = field(default_factory=list)
    observations: list[tuple[Place, str, list[float]]] = field(default_factory=list)
    measurements: list[tuple[Place, str, str, list[dict[str, JsonValue]]]] = field(
        default_factory=list
    )
    complete: bool = True


def check_structure(document: object, report: Report, shared: SharedParts | None = None) -> Sound:
    """Check a document against the workspace schema; return its sound parts."""
    sound = Sound()
    root = Place("")
    if not isinstance(document, dict):
        report.is_object(document, root, _WORKSPACE_KEYS)
        return Sound(complete=False)
    before = len(report.errors)
    report.is_object(document, root, _WORKSPACE_KEYS)
    if "version" in document and document["version"] != "1.0.0":
        report.error(
            "bad-version",
            Place("/version"),
            f"the version is {shown(document['version'])}",
            'write "1.0.0", the version of the workspace schema',
        )
    channels = document.get("channels", [])
    if "channels" in document and report.is_list(channels, Place("/channels"), "channels"):
        for index, channel in enumerate(channels):
            _channel(channel, Place(f"/channels/{index}"), sound, report, shared)
    observations = document.get("observations", [])
    if "observations" in document and report.is_list(
        observations, Place("/observations"), "observations"
    ):
        for index, observation in enumerate(observations):
            _observation(observation, Place(f"/observations/{index}"), sound, report)
    measurements = document.get("measurements", [])
    if "measurements" in document and report.is_list(
        measurements, Place("/measurements"), "measurements"
    ):
        for index, measurement in enumerate(measurements):
            _measurement(measurement, Place(f"/measurements/{index}"), sound, report)
    sound.complete = len(report.errors) == before
    return sound


def _channel(
    channel: JsonValue, place: Place, sound: Sound, report: Report, shared: SharedParts | None
) -> None:
    if not report.is_object(channel, place, _CHANNEL_KEYS):
        return
    name = channel["name"]
    if not report.is_name(name, place.at("name"), "channel"):
        return
    part = ChannelPart(Place(place.pointer, name), name)
    samples_place = part.place.at("samples")
    if not report.is_list(channel["samples"], samples_place, "samples"):
        return
    for index, sample in enumerate(channel["samples"]):
        where = Place(f"{samples_place.pointer}/{index}", name)
        found = None if shared is None else _shared_sample(sample, where, report, shared)
        if found is None:
            found = _sample(sample, where, report)
        if found is None:
            part.complete = False
        else:
            part.samples.append(found)
    sound.channels.append(part)


def _shared_sample(
    sample: JsonValue, place: Place, report: Report, shared: SharedParts
) -> SamplePart | None:
    """A sample that other documents have in this place, too; None where there is more to say."""
    if not shared.holds(sample):
        return None

    def looked_at() -> SamplePart | None:
        alone = Report(accepted=report.accepted, every=report.every)
        part = _sample(sample, place, alone)
        if part is None or alone.findings():
            return None
        part.facts = {}
        return part

    return shared.once(sample, ("structure", place.pointer, place.channel), looked_at)


def _sample(sample: JsonValue, place: Place, report: Report) -> SamplePart | None:
    if not report.is_object(sample, place, _SAMPLE_KEYS):
        return None
    name = sample["name"]
    if not report.is_name(name, place.at("name"), "sample"):
        return None
    place = Place(place.pointer, place.channel, name)
    good = report.are_numbers(sample["data"], place.at("data"))
    part = SamplePart(place, name, sample["data"])
    if not report.is_list(sample["modifiers"], place.at("modifiers"), "modifiers", empty=True):
        return None
    for index, modifier in enumerate(sample["modifiers"]):
        if _modifier(modifier, place, index, report):
            part.modifiers.append(
                ModifierPart(index, modifier["name"], modifier["type"], modifier["data"])
            )
    return part if good else None


def _modifier(modifier: JsonValue, sample: Place, index: int, report: Report) -> bool:
    place = Place(f"{sample.pointer}/modifiers/{index}", sample.channel, sample.sample)
    if not report.is_object(modifier, place, _MODIFIER_KEYS):
        return False
    kind = modifier["type"]
    if not isinstance(kind, str) or kind not in MODIFIER_TYPES:
        report.error(
            "unknown-modifier",
            place.at("type"),
            f"the modifier type {shown(kind)} is unknown",
            f"choose one of {', '.join(MODIFIER_TYPES)}",
        )
        return False
    if not report.is_name(modifier["name"], place.at("name"), "modifier"):
        return False
    return _modifier_data(kind, modifier, place, report)


def _modifier_data(kind: str, modifier: dict[str, JsonValue], place: Place, report: Report) -> bool:
    data, where = modifier["data"], place.at("data")
    if kind == "histosys":
        return (
            report.is_object(data, where, _HISTOSYS_KEYS)
            and report.are_numbers(data["lo_data"], where.at("lo_data"))
            and report.are_numbers(data["hi_data"], where.at("hi_data"))
        )
    if kind == "normsys":
        return (
            report.is_object(data, where, _NORMSYS_KEYS)
            and report.is_number(data["lo"], where.at("lo"))
            and report.is_number(data["hi"], where.at("hi"))
        )
    if kind in {"shapesys", "staterror"}:
        return report.are_numbers(data, where)
    if data is not None:
        report.error("wrong-type", where, f"a {kind} takes no data", "write null")
        return False
    if kind == "lumi" and modifier["name"] != "lumi":
        report.error(
            "bad-name",
            place.at("name"),
            f"a lumi modifier is named {shown(modifier['name'])}",
            "name it 'lumi', as the workspace schema asks",
        )
        return False
    return True


def _observation(observation: JsonValue, place: Place, sound: Sound, report: Report) -> None:
    if not report.is_object(observation, place, _OBSERVATION_KEYS):
        return
    name = observation["name"]
    if not report.is_name(name, place.at("name"), "observation"):
        return
    place = Place(place.pointer, name)
    if report.are_numbers(observation["data"], place.at("data")):
        sound.observations.append((place, name, observation["data"]))


def _measurement(measurement: JsonValue, place: Place, sound: Sound, report: Report) -> None:
    if not report.is_object(measurement, place, _MEASUREMENT_KEYS):
        return
    named = report.is_name(measurement["name"], place.at("name"), "measurement")
    config, where = measurement["config"], place.at("config")
    if not report.is_object(config, where, _CONFIG_KEYS) or not named:
        return
    poi = config["poi"]
    if not isinstance(poi, str):
        report.error(
            "wrong-type",
            where.at("poi"),
            f"{shown(poi)} is no parameter name",
            'write the name of a parameter, or "" for none',
        )
        return
    parameters = where.at("parameters")
    if not report.is_list(config["parameters"], parameters, "parameters", empty=True):
        return
    before = len(report.errors)
    for index, parameter in enumerate(config["parameters"]):
        _parameter(parameter, Place(f"{parameters.pointer}/{index}"), report)
    if len(report.errors) == before:
        sound.measurements.append((place, measurement["name"], poi, config["parameters"]))


def _parameter(parameter: JsonValue, place: Place, report: Report) -> None:
    if not report.is_object(parameter, place, _PARAMETER_KEYS, _PARAMETER_OPTIONS):
        return
    report.is_name(parameter["name"], place.at("name"), "parameter")
    for key in _PARAMETER_LISTS:
        if key in parameter:
            report.are_numbers(parameter[key], place.at(key), largest=LARGEST_BOUND)
    if "bounds" in parameter and report.is_list(
        parameter["bounds"], place.at("bounds"), "[lower, upper] pairs"
    ):
        for index, pair in enumerate(parameter["bounds"]):
            where = place.at("bounds", index)
            if report.are_numbers(pair, where, largest=LARGEST_BOUND) and len(pair) != 2:
                report.error(
                    "wrong-length",
                    where,
                    f"a bound needs 2 numbers, not {len(pair)}",
                    "write [lower, upper]",
                )
    if "fixed" in parameter and not isinstance(parameter["fixed"], bool):
        report.error(
            "wrong-type",
            place.at("fixed"),
            f"{shown(parameter['fixed'])} is neither true nor false",
            "write true or false",
        )
