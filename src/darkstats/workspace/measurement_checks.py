"""Fourth lint pass: what each measurement says of the parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from darkstats.workspace.expectation_checks import (
    SCALING,
    check_background,
    sample_contributes,
)
from darkstats.workspace.findings import shown
from darkstats.workspace.names import modifier_of

if TYPE_CHECKING:
    from darkstats.workspace.json_values import JsonValue
    from darkstats.workspace.modifier_checks import Need
    from darkstats.workspace.report import Place, Report
    from darkstats.workspace.structure import SamplePart, Sound

__all__ = ["DEFAULTS", "check_measurements"]

_SCALED = (1.0, (1e-10, 10.0))
_FREE = (1.0, (0.0, 10.0))
_PULL = (0.0, (-5.0, 5.0))
DEFAULTS: dict[str, tuple[float, tuple[float, float]]] = {
    "normfactor": _FREE,
    "shapefactor": _FREE,
    "shapesys": _SCALED,
    "staterror": _SCALED,
    "normsys": _PULL,
    "histosys": _PULL,
}
"""Initial value and bounds of each component, as pyhf 0.7.6 has them."""

_ATTRIBUTES: dict[str, frozenset[str]] = {
    "normfactor": frozenset(),
    "shapefactor": frozenset(),
    "shapesys": frozenset({"auxdata", "factors"}),
    "staterror": frozenset({"auxdata", "sigmas"}),
    "lumi": frozenset({"auxdata", "sigmas"}),
    "normsys": frozenset({"auxdata"}),
    "histosys": frozenset({"auxdata"}),
}
_LISTS = ("inits", "bounds", "auxdata", "factors", "sigmas")
_LUMI = ("auxdata", "sigmas", "inits", "bounds")
LARGEST_WIDTH = 1e50
_EXAMPLES = 3
MAX_BACKGROUND_CHECKS = 20
"""Each looks at every bin; a workspace has few parameters of interest."""


@dataclass(slots=True)
class _Look:
    """What the measurements ask of the samples, looked up once, however many they are."""

    sound: Sound
    counts: dict[str, list[float]]
    moving: set[str]
    seen: set[tuple[frozenset[str], bool]] = field(default_factory=set)

    def background(self, names: set[str], *, dead: bool, report: Report) -> None:
        key = (frozenset(names), dead)
        if key not in self.seen and len(self.seen) < MAX_BACKGROUND_CHECKS:
            self.seen.add(key)
            check_background(self.sound, self.counts, names, dead=dead, report=report)


def check_measurements(
    sound: Sound, needs: dict[str, Need], counts: dict[str, list[float]], report: Report
) -> None:
    """Check every sound measurement against the parameters that the modifiers need."""
    seen: set[str] = set()
    look = _Look(sound, counts, _moving_names(sound))
    for place, name, poi, parameters in sound.measurements:
        if name in seen:
            report.error(
                "duplicate-measurement",
                place.at("name"),
                f"a second measurement named {shown(name)}",
                "rename or remove one of them",
            )
        seen.add(name)
        configs = _configs(place.at("config", "parameters"), parameters, report)
        if not sound.complete:
            continue  # a parameter may be missing only because its modifier is broken
        for config_place, config in configs.values():
            need = needs.get(config["name"])
            if need is None:
                report.gather(
                    "unused-parameter",
                    config_place,
                    f"the model has no parameter {shown(config['name'])}",
                    "remove the entry, or correct its name",
                )
            else:
                _config(config_place, config, need, report)
        if "lumi" in needs and "lumi" in needs["lumi"].types:
            _luminosity(place, configs, report)
        _poi(
            place.at("config", "poi"),
            poi,
            configs,
            needs=needs,
            look=look,
            report=report,
        )


def _configs(
    place: Place, parameters: list[dict[str, JsonValue]], report: Report
) -> dict[str, tuple[Place, dict[str, JsonValue]]]:
    configs: dict[str, tuple[Place, dict[str, JsonValue]]] = {}
    for index, config in enumerate(parameters):
        if config["name"] in configs:
            report.error(
                "duplicate-parameter",
                place.at(index, "name"),
                f"the parameter {shown(config['name'])} is configured twice",
                "merge the two entries",
            )
        else:
            configs[config["name"]] = (place.at(index), config)
    return configs


def _config(place: Place, config: dict[str, JsonValue], need: Need, report: Report) -> None:
    kind = next(iter(need.types))
    n_parameters = need.n_parameters
    for key in _LISTS:
        if key not in config:
            continue
        if key not in {"inits", "bounds"} and key not in _ATTRIBUTES[kind]:
            report.error(
                "unsupported-setting",
                place.at(key),
                f"a {kind} parameter does not use {key}",
                f"remove {key}",
            )
        elif len(config[key]) != n_parameters:
            report.error(
                "wrong-length",
                place.at(key),
                f"{len(config[key])} entries of {key} for {n_parameters} component(s) of "
                f"{shown(need.name)}",
                "write one entry per component",
            )
        elif key == "bounds":
            _bounds(place.at(key), config[key], kind, report)
        elif key in {"sigmas", "factors"}:
            _widths(place.at(key), config[key], key, report)
        elif key == "auxdata" and kind == "shapesys" and min(config[key]) < 0:
            report.error(
                "bad-width",
                place.at(key),
                f"the auxiliary count {min(config[key]):g} is negative",
                "write the auxiliary counts of the Poisson constraint",
            )
    _initial(place, config, kind, n_parameters, report)


def _bounds(place: Place, bounds: list[list[float]], kind: str, report: Report) -> None:
    for index, (lower, upper) in enumerate(bounds):
        if not lower < upper:
            report.error(
                "inverted-bounds",
                place.at(index),
                f"the lower bound {lower:g} is not below the upper bound {upper:g}",
                'write [lower, upper]; to hold a parameter, write "fixed": true',
            )
            return
        if lower < 0 and kind in {"shapesys", "staterror", "shapefactor"}:
            report.gather(
                "negative-range",
                place.at(index),
                f"the lower bound {lower:g} allows a negative scale factor",
                "use a lower bound of 0 or more",
            )


def _widths(place: Place, values: list[float], key: str, report: Report) -> None:
    for index, value in enumerate(values):
        if not 1 / LARGEST_WIDTH <= value <= LARGEST_WIDTH:
            report.error(
                "bad-width",
                place.at(index),
                f"{value:g} cannot be used in {key}",
                "write a positive number",
            )
            return


def _initial(
    place: Place, config: dict[str, JsonValue], kind: str, n_parameters: int, report: Report
) -> None:
    """Check that the initial values lie within the bounds, configured or default."""
    default = DEFAULTS.get(kind)
    inits = config.get("inits", [default[0]] * n_parameters if default else [])
    bounds = config.get("bounds", [default[1]] * n_parameters if default else [])
    if len(inits) != n_parameters or len(bounds) != n_parameters:
        return
    for index, (value, pair) in enumerate(zip(inits, bounds, strict=True)):
        if pair[0] < pair[1] and not pair[0] <= value <= pair[1]:
            missing = [key for key in ("inits", "bounds") if key not in config]
            report.error(
                "init-outside-bounds",
                place.at("inits", index) if "inits" in config else place,
                f"the initial value {value:g} is outside the bounds [{pair[0]:g}, {pair[1]:g}]",
                f"add {missing[0]} that fit" if missing else "correct the value or the bounds",
            )
            return


def _luminosity(
    place: Place, configs: dict[str, tuple[Place, dict[str, JsonValue]]], report: Report
) -> None:
    where, config = configs.get("lumi", (place.at("config", "parameters"), {}))
    missing = [key for key in _LUMI if key not in config]
    if missing:
        report.error(
            "lumi-config",
            where,
            f"the luminosity needs {', '.join(missing)}",
            'add an entry such as {"name": "lumi", "auxdata": [1.0], "sigmas": [0.017], '
            '"inits": [1.0], "bounds": [[0.9, 1.1]]}',
        )


def _poi(
    place: Place,
    poi: str,
    configs: dict[str, tuple[Place, dict[str, JsonValue]]],
    *,
    needs: dict[str, Need],
    look: _Look,
    report: Report,
) -> None:
    held = {
        name
        for name, (_, config) in configs.items()
        if config.get("fixed") and config.get("inits") == [0]
    }
    if held:
        look.background(held, dead=True, report=report)
    if not poi:
        report.warning(
            "poi-empty",
            place,
            "the measurement names no parameter of interest",
            "name one with --poi where a limit is wanted",
        )
        return
    modifier = modifier_of(poi, needs)
    need = needs.get(modifier)
    if need is None or (modifier != poi and not need.has_component(poi)):
        report.error(
            "poi-unknown",
            place,
            f"no modifier is named {shown(poi)}",
            _other_poi(needs),
        )
        return
    if need.n_parameters > 1 and modifier == poi:
        report.error(
            "poi-many",
            place,
            f"{shown(poi)} has {need.n_parameters} components, one for each bin",
            f"name one of them, such as {shown(poi + '[0]')}, or a parameter that has one only, "
            "such as a normfactor",
        )
    if configs.get(modifier, (place, {}))[1].get("fixed"):
        report.error(
            "poi-fixed",
            place,
            f"the parameter of interest {shown(poi)} is held fixed",
            'remove "fixed": true from its entry in the measurement',
        )
    if modifier not in look.moving:
        report.error(
            "poi-no-effect",
            place,
            f"the parameter of interest {shown(poi)} changes no bin",
            "check the yields of the signal sample, or name another parameter",
        )
    elif need.types & SCALING and need.n_parameters == 1:
        look.background({modifier}, dead=False, report=report)


def _other_poi(needs: dict[str, Need]) -> str:
    """What to do where the parameter of interest is absent, as in a background-only workspace."""
    free = [name for name, need in needs.items() if need.types == {"normfactor"}]
    example = f", such as {', '.join(map(shown, free[:_EXAMPLES]))}" if free else ""
    return (
        "apply the signal patch with --patch, or with --patchset and --point; or name another "
        f"parameter with --poi{example}; fit, gof and inspect do without"
    )


def _moving_names(sound: Sound) -> set[str]:
    """Return the names of all parameters that change the expectation of some bin."""
    names: set[str] = set()
    for channel in sound.channels:
        for sample in channel.samples:
            names |= sample.once("moving", partial(_moving_in, sample))
    return names


def _moving_in(sample: SamplePart) -> set[str]:
    """Names of the parameters that change the expectation of a sample."""
    names = set()
    contributes = sample_contributes(sample)
    for modifier in sample.modifiers:
        data = modifier.data
        if modifier.type == "histosys":
            moves = data["lo_data"] != sample.data or data["hi_data"] != sample.data
        elif modifier.type == "normsys":
            moves = contributes and not data["lo"] == 1 == data["hi"]
        else:
            moves = contributes
        if moves:
            names.add(modifier.name)
    return names
