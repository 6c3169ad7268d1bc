"""The search card: one declarative file a search, checked before anything is simulated."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from darkstats.errors import DarkstatsError
from darkstats.provenance import digest_of
from darkstats.searches.bump_settings import BumpHunt
from darkstats.searches.card_file import Entry, read_card_file
from darkstats.searches.card_kinds import KINDS, mass_in_reach
from darkstats.searches.card_selection import read_selection
from darkstats.searches.declared_selection import DeclaredSelection
from darkstats.searches.plausible import require_plausible
from darkstats.searches.recoil_hunt import RecoilHunt
from darkstats.signals.benchmarks import BENCHMARKS
from darkstats.signals.constants import CM_ENERGY_GEV
from darkstats.signals.productions import PRODUCTIONS
from darkstats.signals.searched import SEARCHED_PRODUCTIONS, SEARCHED_STATES, Searched
from darkstats.simulation.detector import Detector
from darkstats.simulation.processes import PROCESSES, make_process
from darkstats.simulation.searched import searched_by

if TYPE_CHECKING:
    from darkstats.searches.counting import Counting
    from darkstats.searches.plane import PlaneScan
    from darkstats.searches.vector_expressions import Quantity
    from darkstats.simulation.events import Process
    from darkstats.simulation.selection import Selection

__all__ = ["Background", "EventNumbers", "SearchCard", "SignalSimulation", "read_card"]

_REQUIRED = (
    "name",
    "title",
    "kind",
    "luminosity_ipb",
    "selection",
    "backgrounds",
    "benchmarks",
    "statistics",
    "data",
)
_OPTIONAL = (
    "detector", "signal", "searched", "hepdata", "bump_hunt", "counting", "recoil_hunt",
    "plane_scan",
)  # fmt: skip
METHODS = ("cls", "clsb", "bayes")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventNumbers:
    """Events to generate in a full and in a quick build."""

    full: int
    quick: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """A background process: its name in templates, its generator, and a known cross section.

    ``cross_section_pb`` rescales an inclusive sample; exclusive leading-order ones keep their own
    (None).
    """

    name: str
    process: Process
    events: EventNumbers
    events_per_block: int
    cross_section_pb: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalSimulation:
    """Signal samples: one process per simulated point, a mass or two."""

    masses_gev: tuple[tuple[float, ...], ...]
    processes: tuple[Process, ...] = field(repr=False)
    events: EventNumbers
    events_per_block: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchCard:
    """A checked card; see ``docs/reference/cards.md`` for the keys.

    ``settings`` is what the kind of the search needs; ``searched`` is what its signal is, None
    where neither the process nor the card says so; ``benchmarks`` name the models that turn its
    cross sections into couplings.
    """

    name: str
    title: str
    kind: str
    luminosity_ipb: float
    detector: Detector = field(repr=False)
    selection: Selection = field(repr=False)
    backgrounds: tuple[Background, ...] = field(repr=False)
    signal: SignalSimulation | None = field(repr=False)
    settings: BumpHunt | RecoilHunt | PlaneScan | Counting = field(repr=False)
    searched: Searched | None = field(repr=False)
    benchmarks: tuple[str, ...]
    method: str
    cl: float
    asimov: bool
    hepdata: str
    digest: str
    source: str


def read_card(path: Path | str) -> SearchCard:
    """Read and check a card.

    Raises
    ------
    CardError
        With file, line and key.
    """
    card = read_card_file(path)
    card.keys(required=_REQUIRED, optional=_OPTIONAL)
    kind = card["kind"].text(choices=tuple(KINDS))
    luminosity_ipb = card["luminosity_ipb"].number(above=0.0)
    asimov = card["data"].text(choices=("pseudo", "asimov")) == "asimov"
    statistics = card["statistics"]
    statistics.keys(required=("method", "cl"))
    if kind not in card:
        card.fail(f"the section {kind!r} is missing", f"a card of kind {kind} needs it")
    method = statistics["method"].text(choices=METHODS)
    hepdata = card["hepdata"].text() if "hepdata" in card else "ins0000000"
    selection = read_selection(card["selection"])
    detector = _detector(card)
    settings = KINDS[kind](
        card[kind], luminosity_ipb, asimov=asimov, columns=selection.column_names
    )
    if isinstance(settings, BumpHunt):
        settings = replace(settings, merging_rad=detector.merging_rad)
    if isinstance(settings, RecoilHunt) and isinstance(selection, DeclaredSelection):
        _require_squared_mass(card[kind], selection.quantity(settings.variable))
    signal = _signal(card["signal"]) if "signal" in card else None
    found = SearchCard(
        name=_name(card["name"]),
        title=card["title"].text(),
        kind=kind,
        luminosity_ipb=luminosity_ipb,
        detector=detector,
        selection=selection,
        backgrounds=_backgrounds(card["backgrounds"], kind),
        signal=signal,
        settings=settings,
        searched=_searched(card, signal),
        benchmarks=_benchmarks(card["benchmarks"]),
        method=method,
        cl=statistics["cl"].number(above=0.0 if method == "bayes" else 0.5, high=0.9999),
        asimov=asimov,
        hepdata=hepdata,
        digest=digest_of(card.plain()),
        source=str(path),
    )
    require_plausible(card)
    _require_converted(card["benchmarks"], found)
    if any(BENCHMARKS[name].per_parent for name in found.benchmarks) and (
        getattr(found.settings, "parent_pb", None) is None
    ):
        card["benchmarks"].fail(
            "branching fractions need the cross section of what decays", "give counting.parent_pb"
        )
    return found


def _require_squared_mass(entry: Entry, quantity: Quantity) -> None:
    """Refuse windows in a column whose unit is not that of a squared mass."""
    power = quantity.power_of_gev
    if power is None or power == 2.0:
        return
    unit = "without a unit of mass" if power == 0.0 else f"in GeV^{power:g}"
    entry.mapping().get("variable", entry).fail(
        f"windows are in a squared mass, GeV^2, and this column is {quantity.text}, {unit}",
        "name a column of mass_squared(...)",
    )


def _name(entry: Entry) -> str:
    name = entry.text()
    if not name.replace("_", "").isalnum():
        entry.fail(f"{name!r} is no name", "use letters, digits and underscores")
    return name


def _detector(card: Entry) -> Detector:
    if "detector" not in card:
        return Detector()
    entry = card["detector"]
    entry.keys(optional=tuple(f.name for f in fields(Detector)))
    for value in entry.mapping().values():
        if not isinstance(value.value, list):
            value.number(low=0.0)
    try:
        return Detector.from_settings({n: e.plain() for n, e in entry.mapping().items()})
    except DarkstatsError as error:
        entry.fail(str(error))


def _events(entry: Entry) -> EventNumbers:
    entry.keys(required=("full", "quick"))
    return EventNumbers(full=entry["full"].whole(low=1), quick=entry["quick"].whole(low=1))


def _process(entry: Entry, **more: object) -> Process:
    name = entry["process"].text(choices=tuple(PROCESSES))
    settings: dict[str, object] = {}
    if "settings" in entry:
        settings = {n: e.plain() for n, e in entry["settings"].mapping().items()}
    if name == "lhe":  # files lie beside the card, wherever it is read from
        settings["folder"] = str(Path(entry.source).parent)
    try:
        return make_process(name, {**settings, **more})
    except (DarkstatsError, TypeError) as error:
        # Errors of a process begin with its name, or not.
        problem = str(error).removeprefix("process ").removeprefix(f"{name}: ")
        entry["process"].fail(f"{name}: {problem}", "see the settings of this process")


def _backgrounds(entry: Entry, kind: str) -> tuple[Background, ...]:
    found = []
    for item in entry:
        item.keys(
            required=("name", "process", "events"),
            optional=("settings", "cross_section_pb", "events_per_block"),
        )
        known = item["cross_section_pb"].number(above=0.0) if "cross_section_pb" in item else None
        size = item["events_per_block"].whole(low=1) if "events_per_block" in item else 50_000
        found.append(
            Background(
                name=_name(item["name"]),
                process=_process(item),
                events=_events(item["events"]),
                events_per_block=size,
                cross_section_pb=known,
            )
        )
    if kind == "counting":
        if found:
            entry.fail(
                "the background of a counting search is a number, not simulated",
                "write backgrounds: [], and background_events in the section counting",
            )
    elif not found:
        entry.fail("no background process", "name at least one")
    if len({background.name for background in found}) != len(found):
        entry.fail("two backgrounds have the same name")
    return tuple(found)


def _benchmarks(entry: Entry) -> tuple[str, ...]:
    names = tuple(item.text(choices=tuple(BENCHMARKS)) for item in entry)
    if len(set(names)) != len(names):
        entry.fail("name each benchmark once")
    return names


def _searched(card: Entry, signal: SignalSimulation | None) -> Searched | None:
    """What the signal is: by its process, or as the card says of events of another generator."""
    known = None if signal is None else searched_by(signal.processes[0])
    if "searched" not in card:
        return known
    entry = card["searched"]
    if known is not None:
        entry.fail(f"the signal says it already: {known.words}", "leave searched out")
    entry.keys(required=("production", "final_state"))
    production = entry["production"].text(choices=tuple(SEARCHED_PRODUCTIONS))
    state = entry["final_state"].text(choices=SEARCHED_STATES)
    fixed = PRODUCTIONS[production].parameters if production in PRODUCTIONS else {}
    return Searched(production=production, final_state=state, parameters=fixed)


def _require_converted(entry: Entry, card: SearchCard) -> None:
    """Refuse benchmarks of another production or final state than the signal has."""
    for item, name in zip(entry, card.benchmarks, strict=True):
        model = BENCHMARKS[name]
        if not model.made_in:
            continue
        if card.searched is None:
            item.fail(
                f"{name} is of {model.search_words}, and these events do not say what they are",
                "say it in the card: searched: {production: "
                f"{model.made_in[0]}, final_state: {(model.final_states or SEARCHED_STATES)[0]}}}",
            )
        if not model.converts(card.searched):
            remedy = "name a benchmark of this signal, or none"
            if card.searched.production in PRODUCTIONS:
                remedy += "; couplings of its scan: darkstats recast SCAN --to MODEL "
                remedy += card.searched.options
            item.fail(
                f"{name} is of {model.search_words}, and the signal is of {card.searched.words}: "
                f"{model.coupling} would be that of another rate ({model.assumption})",
                remedy,
            )


def _signal(entry: Entry) -> SignalSimulation:
    entry.keys(
        required=("process", "masses_gev", "events"),
        optional=("settings", "events_per_block", "higgs_fractions"),
    )
    masses = tuple(mass_in_reach(item) for item in entry["masses_gev"])
    if len(masses) < 2 or list(masses) != sorted(set(masses)):
        entry["masses_gev"].fail("need at least two masses, ascending")
    points: tuple[tuple[float, ...], ...] = tuple((mass,) for mass in masses)
    names: tuple[str, ...] = ("mass_gev",)
    if "higgs_fractions" in entry:
        fractions = tuple(f.number(above=0.0, high=0.999) for f in entry["higgs_fractions"])
        points = tuple(
            (mass, round(fraction * min(mass, CM_ENERGY_GEV - mass), 6))
            for mass in masses
            for fraction in fractions
        )
        names = ("mass_gev", "higgs_mass_gev")
    size = entry["events_per_block"].whole(low=1) if "events_per_block" in entry else 10_000
    return SignalSimulation(
        masses_gev=points,
        processes=tuple(_process(entry, **dict(zip(names, p, strict=True))) for p in points),
        events=_events(entry["events"]),
        events_per_block=size,
    )
