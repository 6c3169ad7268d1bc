"""The section of a card that depends on the kind of the search."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import TYPE_CHECKING, Protocol

from darkstats.errors import DarkstatsError, OptionError
from darkstats.searches.background_choice import QUOTES, BackgroundChoice
from darkstats.searches.bump_settings import BumpHunt
from darkstats.searches.counting import Counting, Window
from darkstats.searches.cuts import Cut
from darkstats.searches.network import Layer, Network
from darkstats.searches.network_training import NetworkChoice
from darkstats.searches.optimise import Optimisation
from darkstats.searches.plane import PlaneScan
from darkstats.searches.recoil_hunt import RecoilHunt
from darkstats.searches.recoil_spectra import ANGLE, VARIABLE
from darkstats.searches.recoil_windows import RecoilWidths
from darkstats.searches.smooth_cuts import PlacedCut
from darkstats.searches.windows import DiphotonResolution, RecoilResolution
from darkstats.signals.constants import CM_ENERGY_GEV
from darkstats.simulation.b_candidates import SLOPE
from darkstats.simulation.decay_length import DecayVolume
from darkstats.simulation.displaced_pairs import BOOST_COLUMNS
from darkstats.simulation.selection import PHOTON_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from darkstats.searches.card_file import Entry
    from darkstats.searches.cuts import AnyCut

__all__ = ["KINDS", "mass_in_reach"]


class _Reader(Protocol):
    def __call__(
        self, entry: Entry, luminosity_ipb: float, *, asimov: bool, columns: tuple[str, ...]
    ) -> BumpHunt | RecoilHunt | PlaneScan | Counting: ...


def mass_in_reach(entry: Entry) -> float:
    """Return a mass that can be made, GeV.

    Raises
    ------
    CardError
        With file, line and key.
    """
    mass = entry.number(above=0.0)
    if mass >= CM_ENERGY_GEV:
        entry.fail(f"a mass of {mass:g} GeV cannot be made at sqrt(s) = {CM_ENERGY_GEV:.3f} GeV")
    return mass


def _ordered(entry: Entry, *names: str) -> None:
    values = [mass_in_reach(entry[name]) for name in names if name in entry]
    if values != sorted(set(values)):
        entry.fail(f"{', '.join(names)} must ascend")


def _bump_hunt(
    entry: Entry, luminosity_ipb: float, *, asimov: bool, columns: tuple[str, ...]
) -> BumpHunt:
    if missing := set(PHOTON_COLUMNS) - set(columns):
        entry.fail(
            f"a bump hunt needs the columns {', '.join(sorted(missing))}",
            "take the selection three_photons, or the kind recoil_hunt with a variable of its own",
        )
    # The angle at which photons merge belongs to the detector.
    elsewhere = {"luminosity_ipb", "asimov", "merging_rad"}
    given = tuple(f.name for f in fields(BumpHunt) if f.name not in elsewhere)
    entry.keys(optional=given)
    _ordered(entry, "low_gev", "switch_gev", "high_gev")
    settings: dict[str, object] = {}
    for name, value in entry.mapping().items():
        if name == "diphoton":
            value.keys(required=("constant_gev", "slope"))
            settings[name] = DiphotonResolution(
                constant_gev=value["constant_gev"].number(above=0.0),
                slope=value["slope"].number(low=0.0),
            )
        elif name == "recoil":
            value.keys(required=("relative_energy",))
            settings[name] = RecoilResolution(
                relative_energy=value["relative_energy"].number(above=0.0)
            )
        elif name in ("orders", "recoil_orders"):
            settings[name] = tuple(
                (item.items()[0].number(above=0.0), item.items()[1].whole(low=1)) for item in value
            )
        elif name == "n_bins":
            settings[name] = value.whole(low=1)
        elif name == "efficiency_reference":
            settings[name] = value.text(choices=("born", "isr"))
        elif name == "background_choice":
            settings[name] = _background_choice(value)
        elif name in ("spurious_term", "follow_acceptance"):
            settings[name] = value.flag()
        elif isinstance(value.value, list):
            low, high = (item.number(low=0.0) for item in value)
            settings[name] = (low, high)
        else:
            settings[name] = value.number(low=0.0)
    try:
        return BumpHunt(luminosity_ipb=luminosity_ipb, asimov=asimov, **settings)  # type: ignore[arg-type]  # checked by name
    except OptionError as error:
        entry.fail(str(error))


def _background_choice(entry: Entry) -> BackgroundChoice:
    entry.keys(required=("quote",), optional=tuple(f.name for f in fields(BackgroundChoice)))
    settings: dict[str, object] = {"quote": entry["quote"].text(choices=QUOTES)}
    for name in ("n_orders", "largest_order"):
        if name in entry:
            settings[name] = entry[name].whole(low=1)
    if "extents" in entry:
        settings["extents"] = tuple(item.number(above=0.0) for item in entry["extents"])
    if "largest_spurious_sigma" in entry:
        settings["largest_spurious_sigma"] = entry["largest_spurious_sigma"].number(above=0.0)
    try:
        return BackgroundChoice(**settings)  # type: ignore[arg-type]  # checked by name
    except OptionError as error:
        entry.fail(str(error))


def _any_cut(entry: Entry, columns: tuple[str, ...]) -> AnyCut:
    """A cut with fixed bounds, or with a lower one that follows a column."""
    if "along" not in entry:
        return _cut(entry, columns)
    entry.keys(required=("variable", "along", "above"))
    rows = [row.items() for row in entry["above"]]
    if any(len(row) != 2 for row in rows):
        entry["above"].fail("expected rows of a place and a bound")
    try:
        return PlacedCut(
            variable=entry["variable"].text(choices=columns),
            along=(entry["along"].text(choices=columns),),
            nodes=(tuple(row[0].number() for row in rows),),
            above=tuple(row[1].number() for row in rows),
        )
    except OptionError as error:
        entry.fail(str(error))


def _cut(entry: Entry, columns: tuple[str, ...]) -> Cut:
    entry.keys(required=("variable",), optional=("above", "below", "where"))
    if "above" not in entry and "below" not in entry:
        entry.fail("a cut needs a bound", "give above, below, or both")
    bounds = {name: entry[name].number() for name in ("above", "below") if name in entry}
    if bounds.get("above", -math.inf) >= bounds.get("below", math.inf):
        entry.fail(
            f"no number is above {bounds['above']:g} and below {bounds['below']:g}",
            "swap above and below",
        )
    return Cut(
        variable=entry["variable"].text(choices=columns),
        where=_cut(entry["where"], columns) if "where" in entry else None,
        **bounds,
    )


def _systematics(entry: Entry) -> dict[str, dict[str, float]]:
    return {
        group: {
            name: error.number(above=0.0, high=0.99) for name, error in errors.mapping().items()
        }
        for group, errors in entry.mapping().items()
    }


def _optimisation(entry: Entry, columns: tuple[str, ...], *, plane: bool = False) -> Optimisation:
    masses = () if plane else ("masses_gev",)
    optional = ("emptiness",) if plane else ("cuts", "emptiness", "events_by")
    entry.keys(required=("figure", "scan", *masses), optional=optional)
    scan = entry["scan"].mapping()
    for name, bounds in scan.items():
        if name not in columns:
            bounds.fail(f"{name!r} is no column", f"choose one of {', '.join(columns)}")
    cuts = entry["cuts"].text(choices=("stepped", "smooth")) if "cuts" in entry else "stepped"
    figure = entry["figure"].text(choices=("punzi", "limit", *(() if plane else ("fit",))))
    if figure == "fit" and (cuts != "smooth" or "emptiness" in entry):
        entry["figure"].fail(
            "the limit of the fit chooses cuts that are smooth, without emptiness",
            "write cuts: smooth and leave emptiness out, or count with punzi or limit",
        )
    return Optimisation(
        figure=figure,
        masses_gev=() if plane else tuple(mass_in_reach(item) for item in entry["masses_gev"]),
        scan={name: tuple(item.number() for item in bounds) for name, bounds in scan.items()},
        cuts="smooth" if plane else cuts,
        emptiness=entry["emptiness"].number(low=0.0) if "emptiness" in entry else 0.0,
        events_by=entry["events_by"].text(choices=columns) if "events_by" in entry else "",
    )


def _network(entry: Entry, columns: tuple[str, ...]) -> NetworkChoice:
    """A network that is trained, or that the card holds."""
    numbers = {"seed": 0, "rows_per_mass": 100, "epochs": 1}
    positive = ("penalty", "window_sigma")
    entry.keys(
        required=("name", "inputs", "hypothesis", "hidden", *numbers),
        optional=(*positive, "weights"),
    )
    name = entry["name"].text()
    if not name.isidentifier() or name in columns:
        entry["name"].fail(
            f"{name!r} is no name of a new column", "use letters, digits and underscores"
        )
    inputs = tuple(item.text(choices=columns) for item in entry["inputs"])
    try:
        return NetworkChoice(
            name=name,
            inputs=inputs,
            hypothesis=entry["hypothesis"].text(choices=columns),
            hidden=tuple(item.whole(low=1) for item in entry["hidden"]),
            **{key: entry[key].whole(low=low) for key, low in numbers.items()},
            **{key: entry[key].number(above=0.0) for key in positive if key in entry},  # type: ignore[arg-type]  # checked by name
            network=_weights(entry["weights"], inputs) if "weights" in entry else None,
        )
    except OptionError as error:
        entry.fail(str(error))


def _weights(entry: Entry, inputs: tuple[str, ...]) -> Network:
    """Numbers of a network that has been trained."""
    entry.keys(required=("offsets", "scales", "layers"))

    def numbers(one: Entry) -> tuple[float, ...]:
        return tuple(item.number() for item in one)

    layers = []
    for layer in entry["layers"]:
        layer.keys(required=("weights", "biases"))
        layers.append(
            Layer(
                weights=tuple(numbers(row) for row in layer["weights"]),
                biases=numbers(layer["biases"]),
            )
        )
    return Network(
        inputs=inputs,
        offsets=numbers(entry["offsets"]),
        scales=numbers(entry["scales"]),
        layers=tuple(layers),
    )


def _widths(entry: Entry) -> RecoilWidths:
    if isinstance(entry.value, str):
        entry.text(choices=("simulated",))
        return RecoilWidths()
    points = []
    for item in entry:
        if len(item.items()) != 2:
            item.fail("expected a mass in GeV and a width in GeV^2")
        points.append((item.items()[0].number(low=0.0), item.items()[1].number(above=0.0)))
    try:
        return RecoilWidths(points=tuple(points))
    except DarkstatsError as error:
        entry.fail(str(error))


def _numbers(entry: Entry, count: int | None = None) -> tuple[float, ...]:
    values = tuple(item.number(low=0.0) for item in entry)
    if (count is not None and len(values) != count) or list(values) != sorted(set(values)):
        entry.fail(f"expected {count or 'some'} ascending numbers, found {list(values)}")
    return values


def _common_settings(entry: Entry, columns: tuple[str, ...]) -> dict[str, object]:
    """Keys that have the same meaning in searches with cuts on columns."""
    found: dict[str, object] = {}
    if "cuts" in entry:
        found["cuts"] = tuple(_any_cut(item, columns) for item in entry["cuts"])
    if "systematics" in entry:
        found["systematics"] = _systematics(entry["systematics"])
    if "reference_pb" in entry:
        found["reference_pb"] = entry["reference_pb"].number(above=0.0)
    return found


def _recoil_hunt(
    entry: Entry, luminosity_ipb: float, *, asimov: bool, columns: tuple[str, ...]
) -> RecoilHunt:
    numbers = ("window_sigma", "bin_sigma", "step_sigma")
    entry.keys(
        required=("layout", "first_gev", "high_gev", "widths"),
        optional=(
            *numbers,
            "theta_edges_deg",
            "largest_simulation_error",
            "cuts",
            "optimise",
            "network",
            "excluded_gev",
            "smoothing_sigma",
            "systematics",
            "resolution_error",
            "bins_per_sigma",
            "reference_pb",
            "variable",
            "variable_words",
            "angle",
            "mass_label",
        ),
    )
    _ordered(entry, "first_gev", "high_gev")
    settings = _common_settings(entry, columns)
    settings |= _where(entry, columns)
    settings |= {name: entry[name].number(above=0.0) for name in numbers if name in entry}
    if "theta_edges_deg" in entry:
        settings["theta_edges_deg"] = _numbers(entry["theta_edges_deg"])
    if "largest_simulation_error" in entry:
        error = entry["largest_simulation_error"].number(above=0.0, high=1.0)
        settings["largest_simulation_error"] = error
    if "excluded_gev" in entry:
        settings["excluded_gev"] = tuple(_numbers(item, 2) for item in entry["excluded_gev"])
    if "network" in entry:
        settings["network"] = _network(entry["network"], columns)
        columns = (*columns, entry["network"]["name"].text())
    if "optimise" in entry:
        settings["optimise"] = _optimisation(entry["optimise"], columns)
    if "smoothing_sigma" in entry:
        smoothing = entry["smoothing_sigma"].mapping()
        settings["smoothing_sigma"] = {n: value.number(low=0.0) for n, value in smoothing.items()}
    if "bins_per_sigma" in entry:
        settings["bins_per_sigma"] = entry["bins_per_sigma"].whole(low=1)
    if "resolution_error" in entry:
        settings["resolution_error"] = entry["resolution_error"].number(low=0.0, high=0.9)
    try:
        return RecoilHunt(
            luminosity_ipb=luminosity_ipb,
            asimov=asimov,
            layout=entry["layout"].text(choices=("adjacent", "sliding")),
            first_gev=entry["first_gev"].number(above=0.0),
            high_gev=entry["high_gev"].number(above=0.0),
            widths=_widths(entry["widths"]),
            **settings,  # type: ignore[arg-type]  # checked by name
        )
    except OptionError as error:
        entry.fail(str(error))


def _where(entry: Entry, columns: tuple[str, ...]) -> dict[str, object]:
    """Columns that windows are in; those of the recoil against two leptons where they are there."""
    found: dict[str, object] = {}
    for name, usual in (("variable", VARIABLE), ("angle", ANGLE)):
        if name in entry:
            found[name] = entry[name].text(choices=columns)
        elif usual not in columns:
            if name == "variable":
                entry.fail("the key 'variable' is missing", f"name one of {', '.join(columns)}")
            found[name] = None
    for name in ("variable_words", "mass_label"):
        if name in entry:
            found[name] = entry[name].text()
    return found


def _plane_scan(
    entry: Entry, luminosity_ipb: float, *, asimov: bool, columns: tuple[str, ...]
) -> PlaneScan:
    numbers = (
        "low_gev",
        "high_gev",
        "higgs_low_gev",
        "step_sigma",
        "ellipse_sigma",
        "least_efficiency",
        "cell",
        "smoothing_cells",
    )
    entry.keys(optional=(*numbers, "ring_sigma", "cuts", "optimise", "systematics", "reference_pb"))
    _ordered(entry, "low_gev", "high_gev")
    settings = _common_settings(entry, columns)
    settings |= {name: entry[name].number(above=0.0) for name in numbers if name in entry}
    if "ring_sigma" in entry:
        settings["ring_sigma"] = _numbers(entry["ring_sigma"], 2)
    if "optimise" in entry:
        settings["optimise"] = _optimisation(entry["optimise"], columns, plane=True)
    return PlaneScan(luminosity_ipb=luminosity_ipb, asimov=asimov, **settings)  # type: ignore[arg-type]  # checked by name


def _volume(entry: Entry) -> DecayVolume:
    entry.keys(required=("r_mm",), optional=("z_mm", "efficiency"))
    ends = {
        name: [item.number() for item in entry[name]] for name in ("r_mm", "z_mm") if name in entry
    }
    for name, values in ends.items():
        if len(values) != 2:
            entry[name].fail(f"expected two distances in mm, found {len(values)}")
    try:
        return DecayVolume(
            **{
                f"{name[0]}_{side}_mm": value
                for name, values in ends.items()
                for side, value in zip(("from", "to"), values, strict=True)
            },
            efficiency=entry["efficiency"].number() if "efficiency" in entry else 1.0,
        )
    except OptionError as error:
        entry.fail(str(error))


def _window(entry: Entry, columns: tuple[str, ...]) -> Window:
    entry.keys(required=("variable",), optional=("sigma", "pointing"))
    pointing = entry["pointing"].flag() if "pointing" in entry else False
    if pointing and SLOPE not in columns:
        entry["pointing"].fail(f"needs the column {SLOPE}", "take the selection b_candidate")
    return Window(
        variable=entry["variable"].text(choices=columns),
        sigma=entry["sigma"].number(above=0.0) if "sigma" in entry else 2.0,
        pointing=pointing,
    )


def _background_events(entry: Entry) -> float | tuple[tuple[float, float], ...]:
    """A number, or rows of a mass and a number."""
    if not isinstance(entry.value, list):
        return entry.number(low=0.0)
    rows = [row.items() for row in entry]
    if any(len(row) != 2 for row in rows):
        entry.fail("expected rows of a mass in GeV and expected events", "write [[0.5, 2.0]]")
    return tuple((row[0].number(above=0.0), row[1].number(low=0.0)) for row in rows)


def _counting(
    entry: Entry, luminosity_ipb: float, *, asimov: bool, columns: tuple[str, ...]
) -> Counting:
    if missing := set(BOOST_COLUMNS) - set(columns):
        entry.fail(
            f"counting displaced decays needs the columns {', '.join(sorted(missing))}",
            "take the selection displaced_pair, or b_candidate",
        )
    numbers = ("background_error", "least_efficiency")
    entry.keys(
        required=("volumes", "ctau_mm"),
        optional=(
            *numbers, "background_events", "largest_simulation_error", "cuts", "systematics",
            "reference_pb", "mass_label", "window", "parent_pb",
        ),
    )  # fmt: skip
    settings: dict[str, object] = {
        name: entry[name].number(low=0.0) for name in numbers if name in entry
    }
    if "cuts" in entry:
        settings["cuts"] = tuple(_cut(item, columns) for item in entry["cuts"])
    if "systematics" in entry:
        settings["systematics"] = {
            name: error.number(above=0.0, high=0.99)
            for name, error in entry["systematics"].mapping().items()
        }
    if "background_events" in entry:
        settings["background_events"] = _background_events(entry["background_events"])
    if "window" in entry:
        settings["window"] = _window(entry["window"], columns)
    for name in ("reference_pb", "largest_simulation_error", "parent_pb"):
        if name in entry:
            settings[name] = entry[name].number(above=0.0)
    if "mass_label" in entry:
        settings["mass_label"] = entry["mass_label"].text()
        if not str(settings["mass_label"]).endswith("_gev"):
            entry["mass_label"].fail("the label of a mass ends with _gev", "such as m_chi1_gev")
    times = _numbers(entry["ctau_mm"])
    if not times or times[0] <= 0.0:
        entry["ctau_mm"].fail("lifetimes c tau are above zero, in mm")
    try:
        return Counting(
            luminosity_ipb=luminosity_ipb,
            asimov=asimov,
            volumes=tuple(_volume(item) for item in entry["volumes"]),
            ctau_mm=times,
            **settings,  # type: ignore[arg-type]  # checked by name
        )
    except OptionError as error:
        entry.fail(str(error))


#: Reads the section of each kind.
KINDS: Mapping[str, _Reader] = {
    "bump_hunt": _bump_hunt,
    "counting": _counting,
    "plane_scan": _plane_scan,
    "recoil_hunt": _recoil_hunt,
}
