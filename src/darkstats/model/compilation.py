"""From a workspace to flat arrays.

The rules that turn modifiers into parameters, constraints and defaults are pyhf's; pyhf is the
referee of every number made here (``tests/peers``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np

from darkstats.arguments import checked
from darkstats.arrays import frozen_floats, frozen_indices
from darkstats.errors import OptionError, UnknownNameError
from darkstats.model.histfactory import HistFactoryModel
from darkstats.model.interpolation import (
    HISTOSYS_CODES,
    NORMSYS_CODES,
    InterpolationCodes,
    normsys_coefficients,
)
from darkstats.model.observation import ChannelBins, Observation
from darkstats.model.parameters import CONSTRAINT_KINDS, Parameter, parameter_place
from darkstats.model.structure import Layout, Numbers, words_of
from darkstats.provenance import digest_of
from darkstats.workspace import Workspace
from darkstats.workspace.shared_parts import SharedParts

__all__ = ["compile_workspace"]

SCALAR_TYPES = ("normfactor", "lumi", "normsys", "histosys")
GAMMA_BOUNDS = (1e-10, 10.0)
#: A scan compiles thousands of the same factors again; a smaller store would forget them in turn.
_coefficients = lru_cache(maxsize=16_384)(normsys_coefficients)
ONE_SIDED_STRENGTH = 0.3  # a weaker common shift makes no second minimum beside the constraint
MOST_ONE_SIDED = 3


@dataclass(slots=True)
class _ParameterSet:
    """Parameters that share a name, while they are collected."""

    name: str
    size: int
    scalar: bool
    inits: list[float]
    bounds: list[list[float]]
    fixed: list[bool]
    constraint: str
    auxdata: list[float]
    widths: list[float]
    types: set[str] = field(default_factory=set)
    channels: list[str] = field(default_factory=list)
    first: int = 0  # index of its first parameter in the model


class _Place(NamedTuple):
    """One modifier of one sample in one channel."""

    channel: Mapping[str, Any]
    start: int
    sample: Mapping[str, Any]
    modifier: Mapping[str, Any]


def _places(document: Mapping[str, Any], kind: str | None = None) -> Iterator[_Place]:
    """All modifiers in order, or those of one type."""
    start = 0
    for channel in document["channels"]:
        for sample in channel["samples"]:
            for modifier in sample["modifiers"]:
                if kind is not None and modifier["type"] != kind:
                    continue
                yield _Place(channel, start, sample, modifier)
        start += len(channel["samples"][0]["data"])


def _scalar_set(name: str, kind: str) -> _ParameterSet:
    """Defaults of a parameter set with one member."""
    if kind == "normfactor":
        return _ParameterSet(name, 1, True, [1.0], [[0.0, 10.0]], [False], "none", [0.0], [1.0])
    if kind == "lumi":  # everything else has to stand in the measurement, which the lint checks
        return _ParameterSet(name, 1, True, [1.0], [[0.0, 10.0]], [False], "gaussian", [1.0], [1.0])
    return _ParameterSet(name, 1, True, [0.0], [[-5.0, 5.0]], [False], "gaussian", [0.0], [1.0])


def _lift(events: float) -> float:
    """Power of two that keeps squares of tiny numbers from vanishing; their ratio is the same."""
    if not 0.0 < events < 1e-100:  # uncertainties are no less than 1e-50 of the events
        return 1.0
    return 2.0**512 if events > 1e-250 else 2.0**1000


def _shapesys_set(name: str, place: _Place) -> _ParameterSet:
    """Poisson constraints with tau = (yield/uncertainty)^2; frozen where either is not positive."""
    pairs = list(zip(place.sample["data"], place.modifier["data"], strict=True))
    valid = [yield_ > 0 and error > 0 for yield_, error in pairs]
    tau = [
        (float(y) * _lift(y)) ** 2 / (float(e) * _lift(y)) ** 2 if ok else 1.0
        for (y, e), ok in zip(pairs, valid, strict=True)
    ]
    n = len(pairs)
    return _ParameterSet(
        name,
        n,
        False,
        [1.0] * n,
        [list(GAMMA_BOUNDS) for _ in range(n)],
        [not ok for ok in valid],
        "poisson",
        list(tau),
        list(tau),
    )


def _staterror_set(name: str, places: list[_Place]) -> _ParameterSet:
    """Gaussian constraints; sigma adds the samples' uncertainties in quadrature over their sum."""
    totals: dict[str, Any] = {}
    for place in places:
        data = np.asarray(place.sample["data"], dtype=float)
        totals[place.channel["name"]] = totals.get(place.channel["name"], 0.0) + data
    lifts = {channel: np.array([_lift(x) for x in total]) for channel, total in totals.items()}
    sums: dict[str, tuple[Any, Any, Any]] = {}
    for place in places:
        lift = lifts[place.channel["name"]]
        nominal = np.asarray(place.sample["data"], dtype=float) * lift
        error = np.asarray(place.modifier["data"], dtype=float) * lift
        total, square, size = sums.get(place.channel["name"], (0.0, 0.0, 0.0))
        with np.errstate(over="ignore"):
            square = square + error**2
        sums[place.channel["name"]] = (total + nominal, square, np.hypot(size, error))
    sigmas: list[float] = []
    for channel in sorted(sums):  # members are numbered in pyhf's order of channels
        total, square, size = sums[channel]
        size = np.where(np.isfinite(square), np.sqrt(square), size)  # as pyhf, to the last digit
        with np.errstate(divide="ignore", invalid="ignore"):
            sigmas += np.where(total > 0.0, size / total, 0.0).tolist()
    n = len(sigmas)
    frozen = [sigma == 0.0 for sigma in sigmas]
    return _ParameterSet(
        name,
        n,
        False,
        [1.0] * n,
        [list(GAMMA_BOUNDS) for _ in range(n)],
        frozen,
        "gaussian",
        [1.0] * n,
        [1.0 if zero else sigma for sigma, zero in zip(sigmas, frozen, strict=True)],
    )


def _collect_sets(document: Mapping[str, Any]) -> dict[str, _ParameterSet]:
    """All parameter sets with their defaults, in order of first appearance."""
    by_name: dict[str, list[_Place]] = {}
    for place in _places(document):
        by_name.setdefault(place.modifier["name"], []).append(place)
    sets: dict[str, _ParameterSet] = {}
    for name, places in by_name.items():
        kind = places[0].modifier["type"]
        if kind in SCALAR_TYPES:
            made = _scalar_set(name, kind)
        elif kind == "shapesys":
            made = _shapesys_set(name, places[0])
        elif kind == "staterror":
            made = _staterror_set(name, places)
        else:
            n = len(places[0].sample["data"])
            made = _ParameterSet(
                name,
                n,
                False,
                [1.0] * n,
                [[0.0, 10.0] for _ in range(n)],
                [False] * n,
                "none",
                [0.0] * n,
                [1.0] * n,
            )
        for place in places:
            made.types.add(place.modifier["type"])
            if place.channel["name"] not in made.channels:
                made.channels.append(place.channel["name"])
        sets[name] = made
    return sets


def _configure(made: _ParameterSet, settings: Mapping[str, Any]) -> None:
    """Apply what a measurement says of a parameter set."""
    if "inits" in settings:
        made.inits = [float(value) for value in settings["inits"]]
    if "bounds" in settings:
        made.bounds = [[float(low), float(high)] for low, high in settings["bounds"]]
    if "fixed" in settings:
        made.fixed = [bool(settings["fixed"])] * made.size
    if "auxdata" in settings:
        made.auxdata = [float(value) for value in settings["auxdata"]]
    if "sigmas" in settings and made.constraint == "gaussian":
        made.widths = [float(value) for value in settings["sigmas"]]
    if "factors" in settings and made.constraint == "poisson":
        made.widths = [float(value) for value in settings["factors"]]


def _parameters(sets: Mapping[str, _ParameterSet]) -> tuple[Parameter, ...]:
    result: list[Parameter] = []
    for made in sets.values():
        made.first = len(result)
        result.extend(
            Parameter(
                name=made.name if made.scalar else f"{made.name}[{i}]",
                set_name=made.name,
                modifier_types=tuple(sorted(made.types)),
                init=made.inits[i],
                lower=made.bounds[i][0],
                upper=made.bounds[i][1],
                fixed=made.fixed[i],
                constraint=made.constraint,
                auxdata=made.auxdata[i],
                width=made.widths[i],
                channels=tuple(made.channels),
            )
            for i in range(made.size)
        )
    return tuple(result)


def _shifts(sample: Mapping[str, Any]) -> list[tuple[list[float], list[float]]]:
    """Odd and even parts of the variations of a sample, for each histosys in order."""
    data = np.asarray(sample["data"], dtype=float)
    found = []
    for modifier in sample["modifiers"]:
        if modifier["type"] == "histosys":
            high = np.asarray(modifier["data"]["hi_data"], dtype=float)
            low = np.asarray(modifier["data"]["lo_data"], dtype=float)
            found.append(((0.5 * (high - low)).tolist(), (0.5 * (high + low) - data).tolist()))
    return found


class _Arrays:
    """The growing flat arrays of a model."""

    def __init__(self) -> None:
        self.start: list[int] = []
        self.stop: list[int] = []
        self.offset: list[int] = []
        self.nominal: list[float] = []
        self.odd: list[float] = []
        self.even: list[float] = []
        self.normsys: list[Any] = []
        self.factor_begin, self.histosys_begin, self.binfactor_begin = [0], [0], [0]
        self.factor_parameter: list[int] = []
        self.factor_normsys: list[int] = []
        self.histosys_parameter: list[int] = []
        self.histosys_offset: list[int] = []
        self.binfactor_parameter: list[int] = []
        self.component: list[tuple[int, int]] = []  # [component] channel, sample

    def add_component(
        self,
        sets: Mapping[str, _ParameterSet],
        channel: Mapping[str, Any],
        start: int,
        sample: Mapping[str, Any],
        staterror_offset: Mapping[tuple[str, int], int],
        *,
        shifts: Sequence[tuple[list[float], list[float]]],
    ) -> None:
        """Append one sample of one channel; ``shifts`` are those of its histosys, in order."""
        following = iter(shifts)
        data = np.asarray(sample["data"], dtype=float)
        self.start.append(start)
        self.stop.append(start + len(data))
        self.offset.append(len(self.nominal))
        self.nominal.extend(data.tolist())
        for modifier in sample["modifiers"]:
            name, kind, first = modifier["name"], modifier["type"], sets[modifier["name"]].first
            if kind in ("normfactor", "lumi"):
                self.factor_parameter.append(first)
                self.factor_normsys.append(-1)
            elif kind == "normsys":
                self.factor_parameter.append(first)
                self.factor_normsys.append(len(self.normsys))
                self.normsys.append(
                    _coefficients(float(modifier["data"]["hi"]), float(modifier["data"]["lo"]))
                )
            elif kind == "histosys":
                odd, even = next(following)
                self.histosys_parameter.append(first)
                self.histosys_offset.append(len(self.odd))
                self.odd.extend(odd)
                self.even.extend(even)
            else:
                self.binfactor_parameter.append(first + staterror_offset.get((name, start), 0))
        self.factor_begin.append(len(self.factor_parameter))
        self.histosys_begin.append(len(self.histosys_parameter))
        self.binfactor_begin.append(len(self.binfactor_parameter))


def _bins_touched(arrays: _Arrays, n_parameters: int) -> tuple[list[set[int]], set[int]]:
    """The bins in which each parameter acts as a bin factor, and those acting in another way."""
    bins: list[set[int]] = [set() for _ in range(n_parameters)]
    scalar = set(arrays.factor_parameter) | set(arrays.histosys_parameter)
    for k in range(len(arrays.start)):
        for j in range(arrays.binfactor_begin[k], arrays.binfactor_begin[k + 1]):
            for i in range(arrays.stop[k] - arrays.start[k]):
                bins[arrays.binfactor_parameter[j] + i].add(arrays.start[k] + i)
    return bins, scalar


def _one_sided(arrays: _Arrays, n_parameters: int, n_bins: int) -> tuple[int, ...]:
    """Parameters whose variations mostly go the same way up and down, the strongest three.

    The likelihood may have a minimum on either side of zero along them, so that certified fits
    start on both. Strength: the shift common to +1 and -1 sigma, in Poisson standard deviations of
    the nominal rates, summed in quadrature over bins.
    """
    even, odd = np.zeros((2, n_parameters, n_bins))
    total = np.zeros(n_bins)
    for k in range(len(arrays.start)):
        bins = slice(arrays.start[k], arrays.stop[k])
        n, offset = arrays.stop[k] - arrays.start[k], arrays.offset[k]
        nominal = np.array(arrays.nominal[offset : offset + n])
        total[bins] += nominal
        for h in range(arrays.histosys_begin[k], arrays.histosys_begin[k + 1]):
            at = arrays.histosys_offset[h]
            even[arrays.histosys_parameter[h], bins] += arrays.even[at : at + n]
            odd[arrays.histosys_parameter[h], bins] += arrays.odd[at : at + n]
        for f in range(arrays.factor_begin[k], arrays.factor_begin[k + 1]):
            if arrays.factor_normsys[f] < 0:
                continue
            high, low = map(math.exp, arrays.normsys[arrays.factor_normsys[f]][:2])
            even[arrays.factor_parameter[f], bins] += (0.5 * (high + low) - 1.0) * nominal
            odd[arrays.factor_parameter[f], bins] += 0.5 * (high - low) * nominal
    weight = 1.0 / np.maximum(total, 1.0)
    both, apart = np.sqrt(even**2 @ weight), np.sqrt(odd**2 @ weight)
    strength = np.where((both > ONE_SIDED_STRENGTH) & (both > 0.5 * apart), both, 0.0)
    order = np.argsort(-strength, kind="stable")[:MOST_ONE_SIDED]
    return tuple(int(p) for p in order if strength[p] > 0.0)


def _layout(
    arrays: _Arrays, parameters: tuple[Parameter, ...], codes: InterpolationCodes, n_bins: int
) -> Layout:
    bins, scalar = _bins_touched(arrays, len(parameters))
    is_local = [len(bins[p]) == 1 and p not in scalar for p in range(len(parameters))]
    globals_ = [p for p in range(len(parameters)) if not is_local[p]]
    locals_ = sorted((next(iter(bins[p])), p) for p in range(len(parameters)) if is_local[p])
    local_begin = np.searchsorted([b for b, _ in locals_], np.arange(n_bins + 1))
    kinked = [
        int(
            ("normsys" in parameter.modifier_types and codes.normsys == "code1")
            or ("histosys" in parameter.modifier_types and codes.histosys == "code0")
        )
        for parameter in parameters
    ]
    place_of_global = {p: i for i, p in enumerate(globals_)}
    place_of_local = {p: i for i, (_, p) in enumerate(locals_)}
    return Layout(
        n_bins=n_bins,
        n_parameters=len(parameters),
        n_global=len(globals_),
        n_local=len(locals_),
        n_components=len(arrays.start),
        n_shapes=len(set(arrays.histosys_parameter)),
        local_block=max(1, int(np.diff(local_begin).max(initial=1))),
        normsys_code=NORMSYS_CODES[codes.normsys],
        histosys_code=HISTOSYS_CODES[codes.histosys],
        component_start=frozen_indices(arrays.start),
        component_stop=frozen_indices(arrays.stop),
        component_offset=frozen_indices(arrays.offset),
        factor_begin=frozen_indices(arrays.factor_begin),
        factor_parameter=frozen_indices(arrays.factor_parameter),
        factor_normsys=frozen_indices(arrays.factor_normsys),
        histosys_begin=frozen_indices(arrays.histosys_begin),
        histosys_parameter=frozen_indices(arrays.histosys_parameter),
        histosys_offset=frozen_indices(arrays.histosys_offset),
        binfactor_begin=frozen_indices(arrays.binfactor_begin),
        binfactor_parameter=frozen_indices(arrays.binfactor_parameter),
        shape_parameters=frozen_indices(sorted(set(arrays.histosys_parameter))),
        global_of_parameter=frozen_indices(
            [place_of_global.get(p, -1) for p in range(len(parameters))]
        ),
        parameter_of_global=frozen_indices(globals_),
        local_begin=frozen_indices(local_begin),
        local_parameter=frozen_indices([p for _, p in locals_]),
        local_of_parameter=frozen_indices(
            [place_of_local.get(p, -1) for p in range(len(parameters))]
        ),
        constraint=frozen_indices([CONSTRAINT_KINDS[p.constraint] for p in parameters]),
        kinked=frozen_indices(kinked),
    )


@checked
def compile_workspace(
    workspace: Workspace,
    measurement: str | None = None,
    *,
    poi: str | None = None,
    interpolation: InterpolationCodes | None = None,
    masked: tuple[str, ...] = (),
) -> HistFactoryModel:
    """Compile one measurement of a workspace.

    Parameters
    ----------
    workspace
        A checked workspace.
    measurement
        Name of the measurement; the first one by default.
    poi
        Parameter of interest; that of the measurement by default. Empty text for none.
    interpolation
        Interpolation codes; normsys=code4, histosys=code4p by default, as in pyhf.
    masked
        Channels taken out of the likelihood. Their parameters and constraints stay, so the model
        still predicts them.

    Raises
    ------
    UnknownNameError
        A measurement, channel or parameter of that name does not exist.
    OptionError
        All channels are masked, or the parameter of interest has one member per bin.

    Examples
    --------
    >>> import darkstats
    >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
    >>> model = darkstats.compile_workspace(workspace)
    >>> model.parameter_names
    ('mu', 'background_bins[0]', 'background_bins[1]')
    """
    codes = interpolation or InterpolationCodes()
    document = workspace.document
    config = workspace.measurement(measurement, check_poi=poi is None)
    names = tuple(channel["name"] for channel in document["channels"])
    for name in masked:
        if name not in names:
            raise UnknownNameError("channel", name, names)
    if set(masked) >= set(names):
        raise OptionError("all channels are masked: nothing is left to fit; unmask at least one")

    sets = _collect_sets(document)
    for settings in config["config"]["parameters"]:
        if settings["name"] in sets:
            _configure(sets[settings["name"]], settings)
    parameters = _parameters(sets)

    staterror_offset: dict[tuple[str, int], int] = {}
    sizes: dict[str, int] = {}
    staterrors = _places(document, "staterror")
    for place in sorted(staterrors, key=lambda place: str(place.channel["name"])):
        key = (place.modifier["name"], place.start)
        if key not in staterror_offset:
            staterror_offset[key] = sizes.get(key[0], 0)
            sizes[key[0]] = staterror_offset[key] + len(place.sample["data"])

    arrays = _Arrays()
    once = (workspace.shared or SharedParts(None)).once
    samples = tuple(dict.fromkeys(s["name"] for c in document["channels"] for s in c["samples"]))
    channels: list[ChannelBins] = []
    start = 0
    for i, channel in enumerate(document["channels"]):
        for sample in channel["samples"]:
            shifts = once(sample, "shifts", partial(_shifts, sample))
            arrays.add_component(sets, channel, start, sample, staterror_offset, shifts=shifts)
            arrays.component.append((i, samples.index(sample["name"])))
        stop = start + len(channel["samples"][0]["data"])
        channels.append(
            ChannelBins(
                name=channel["name"], start=start, stop=stop, masked=channel["name"] in masked
            )
        )
        start = stop

    poi_name = (config["config"]["poi"] if poi is None else poi) or None
    poi_index = None
    if poi_name is not None:
        poi_index = parameter_place(parameters, poi_name)
        poi_name = parameters[poi_index].name

    observed = {entry["name"]: entry["data"] for entry in document["observations"]}
    counts = [float(n) for name in names for n in observed[name]]
    numbers = Numbers(
        nominal=frozen_floats(arrays.nominal),
        shift_odd=frozen_floats(arrays.odd),
        shift_even=frozen_floats(arrays.even),
        normsys=frozen_floats(np.array(arrays.normsys, dtype=float).ravel()),
        width=frozen_floats([p.width for p in parameters]),
    )
    layout = _layout(arrays, parameters, codes, start)
    return HistFactoryModel(
        digest=digest_of(
            {
                "workspace": workspace.canonical_digest,
                "measurement": config["name"],
                "poi": poi_name,
                "interpolation": str(codes),
                "masked": sorted(masked),
            }
        ),
        workspace_digest=workspace.digest,
        measurement=config["name"],
        interpolation=codes,
        parameters=parameters,
        channels=tuple(channels),
        samples=samples,
        poi_index=poi_index,
        layout=layout,
        numbers=numbers,
        words=words_of(layout, numbers),
        one_sided=_one_sided(arrays, len(parameters), start),
        component_samples=frozen_indices([s for _, s in arrays.component]),
        observation=Observation(
            counts=frozen_floats(counts), auxdata=frozen_floats([p.auxdata for p in parameters])
        ),
    )
