"""Limits on one mediator as limits on another."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from darkstats.errors import DocumentError, OptionError
from darkstats.options import argument, check_choices, option
from darkstats.signals.mediators import FINAL_STATES, MEDIATORS, PRODUCTIONS
from darkstats.workflows.outcome import Outcome, Shell

if TYPE_CHECKING:
    from darkstats.reinterpret.recasts import Limit, RecastPoint, Search, Target
    from darkstats.report.figures.style import Drawing
    from darkstats.report.recasts import Comparison, GivenLimit, Recast
    from darkstats.report.scan_table import Limits, ScanTable

__all__ = ["RecastRequest", "recast"]

_SEARCH, _DECAYS = "Search", "Decays"


def _pairs(texts: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Read KEY=FILE of each."""
    found = []
    for text in texts:
        key, sign, file = text.partition("=")
        if not (sign and key and file):
            raise OptionError(f"--decays {text!r}: write KEY=FILE, such as ctau=FILE")
        found.append((key, file))
    if len(dict(found)) < len(found):
        raise OptionError("--decays: name each quantity once")
    return tuple(found)


DecayFiles = Annotated[
    tuple[tuple[str, str], ...],
    option(
        "--decays", metavar="KEY=FILE", reads="file", panel=_DECAYS, read=_pairs, repeated=True,
        help="Decays of the mediator of --to at coupling 1, as CSV with a mass and a value: "
        "ctau=FILE, and branching fractions such as mumu=FILE; repeatable.",
    ),
]  # fmt: skip
IntervalFile = Annotated[
    str | None,
    option(
        "--intervals", metavar="FILE", writes=True,
        help="Write the excluded intervals as CSV, one row each.",
    ),
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class RecastRequest:
    """A limit, the mediator that it is on, the one that it shall be on, and the search."""

    limit: Annotated[
        str,
        argument(
            "RESULT",
            "The limit: a record of darkstats scan or limit; or a curve as .csv, .lmt (DarkCast) "
            "or .txt (AxionLimits).",
            reads="file",
        ),
    ]
    to: Annotated[
        str,
        option(
            "--to", metavar="MODEL", choices=tuple(MEDIATORS), kind="mediator",
            help="Mediator that the limit shall be on: {choices}.",
        ),
    ]  # fmt: skip
    production: Annotated[
        str,
        option(
            "--production", metavar="NAME", panel=_SEARCH, choices=tuple(PRODUCTIONS),
            kind="production", help="How the mediator is made: {choices}.",
        ),
    ]  # fmt: skip
    final_state: Annotated[
        str,
        option(
            "--final-state", metavar="NAME", panel=_SEARCH, choices=tuple(FINAL_STATES),
            kind="final state", help="What was looked for: {choices}.",
        ),
    ]  # fmt: skip
    source: Annotated[
        str | None,
        option(
            "--from", metavar="MODEL", choices=tuple(MEDIATORS), kind="mediator",
            usual="none: the limit is on a cross section or on branching fractions",
            help="Mediator whose coupling is limited: {choices}.",
        ),
    ] = None  # fmt: skip
    coupling: Annotated[
        str | None,
        option(
            "--coupling", metavar="NAME", help="Which coupling of a record, where it has several."
        ),
    ] = None
    cl: Annotated[
        float | None,
        option("--cl", metavar="LEVEL", help="Level of the limit, where its file does not say it."),
    ] = None
    window: Annotated[
        str | None,
        option(
            "--decay-window", metavar="MM:MM", panel=_SEARCH,
            help="Distances along the flight between which decays are taken: 0:9. Of an invisible "
            "final state, beyond which they are not seen: 1250:inf.",
        ),
    ] = None  # fmt: skip
    efficiency: Annotated[
        str | None,
        option(
            "--efficiency-table", metavar="FILE", reads="file", panel=_SEARCH,
            help="Efficiency relative to prompt decays: CSV with ctau_mm, efficiency.",
        ),
    ] = None  # fmt: skip
    momentum_gev: Annotated[
        float | None,
        option(
            "--momentum", metavar="GEV", panel=_SEARCH, usual="that of the production",
            help="Momentum of the mediator, for --decay-window and --regimes.",
        ),
    ] = None  # fmt: skip
    dark_matter: Annotated[
        tuple[float, float] | None,
        option(
            "--dark-matter", metavar="GEV ALPHA", panel=_DECAYS,
            help="Vector mediators decay to dark matter, too: its mass and alpha_D.",
        ),
    ] = None  # fmt: skip
    electrons_gev: Annotated[
        float | None,
        option(
            "--electrons", metavar="GEV", panel=_DECAYS,
            help="The axion-like particle of --to decays to electrons, too: its coupling g_ae over "
            "g_agg.",
        ),
    ] = None  # fmt: skip
    hadrons: Annotated[
        str | None,
        option(
            "--hadrons", metavar="FILE", reads="file", panel=_DECAYS, usual="a parametrisation",
            help="R(s): CSV with mass_gev and R, or isovector, isoscalar, strange, charm, bottom.",
        ),
    ] = None  # fmt: skip
    decays: DecayFiles = ()
    regimes: Annotated[
        str | None,
        option(
            "--regimes", metavar="MM:MM", panel=_DECAYS,
            help="Couplings between visible, invisible and long-lived, and the figure regimes: a "
            "decay is seen within the first distance, nothing beyond the second: 9:1250.",
        ),
    ] = None  # fmt: skip
    mass_range_gev: Annotated[
        tuple[float, float] | None,
        option("--masses", metavar="LOW HIGH", help="Take the masses between these alone, GeV."),
    ] = None
    compare: Annotated[
        tuple[str, ...],
        option(
            "--compare", metavar="FILE", reads="file",
            help="Published curve on the coupling of --to, to draw and to compare; repeatable.",
        ),
    ] = ()  # fmt: skip
    table: IntervalFile = None

    def __post_init__(self) -> None:
        """Check what can be checked without the files.

        Raises
        ------
        OptionError
            A level or a range that is none, or options that contradict each other.
        UnknownNameError
            A name that does not exist.
        """
        check_choices(self)
        if self.cl is not None and not 0.0 < self.cl < 1.0:
            raise OptionError(f"--cl {self.cl:g}: a level lies between 0 and 1")
        ends = self.mass_range_gev
        if ends is not None and not 0.0 < ends[0] < ends[1]:
            raise OptionError(f"--masses {ends[0]:g} {ends[1]:g}: give two rising masses above 0")
        if self.decays and self.dark_matter is not None:
            raise OptionError("--decays says all decays: leave --dark-matter out")
        if self.electrons_gev is not None:
            if MEDIATORS[self.to].photon_factor is None or self.decays:
                raise OptionError("--electrons is of an axion-like particle with built-in decays")
            if not 0.0 < self.electrons_gev < math.inf:
                raise OptionError(f"--electrons {self.electrons_gev:g}: give a number above zero")
        if self.decays and self.source is not None:
            raise OptionError(
                "--decays are those of --to, and the limit is on --from: give a limit on a rate"
            )
        if self.momentum_gev is not None and self.window is None and self.regimes is None:
            raise OptionError("--momentum goes with --decay-window or --regimes")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """Limits by curve, with what they are; why there is none; upper ends by mass."""

    limit: GivenLimit
    curves: Mapping[str, Sequence[tuple[float, Limit | None]]]
    reasons: Mapping[float, str] = field(default_factory=dict)
    upper: Mapping[float, float] = field(default_factory=dict)


def _digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _level(request: RecastRequest, known: float | None) -> float:
    """The level of the limit, said once."""
    if known is None:
        if request.cl is None:
            raise OptionError(f"{request.limit} does not say its level: give it with --cl")
        return request.cl
    if request.cl is not None and not math.isclose(request.cl, known, abs_tol=1e-9):
        raise OptionError(f"--cl {request.cl:g}: {request.limit} says {known:g}; leave --cl out")
    return known


def _rate_unit(request: RecastRequest, unit: str) -> None:
    wanted = PRODUCTIONS[request.production].unit
    if wanted == unit:
        return
    names = {"pb": "a cross section", "1": "branching fractions", None: "no absolute rate"}
    raise OptionError(
        f"{request.limit} limits {names[unit]}, and production {request.production} has "
        f"{names[wanted]}: choose another --production, or name the mediator with --from"
    )


def _read(request: RecastRequest) -> _Given:
    if Path(request.limit).suffix.lower() in {".csv", ".txt", ".lmt"}:
        from darkstats.reinterpret.recast_files import is_rates

        return _of_rates(request) if is_rates(request.limit) else _of_curve(request)
    return _of_record(request)


def _of_rates(request: RecastRequest) -> _Given:
    from darkstats.reinterpret.recast_files import read_rates
    from darkstats.report.constraints.curve import Source
    from darkstats.report.recasts import GivenLimit

    found = read_rates(request.limit)
    if request.source is not None:
        raise OptionError(
            f"{request.limit} limits a rate, not the coupling of {request.source}: leave --from out"
        )
    _rate_unit(request, found.unit)
    cl = _level(request, found.cl)
    quantity = "branching fraction" if found.unit == "1" else "cross section"
    limit = GivenLimit(
        source=request.limit, sha256=_digest(request.limit), words=found.words, cl=cl,
        level=Source(citation=request.limit, cl=cl).level, quantity=quantity, unit=found.unit,
    )  # fmt: skip
    return _Given(limit=limit, curves={"observed": found.limits})


def _of_curve(request: RecastRequest) -> _Given:
    from darkstats.report.constraints.curve import Source
    from darkstats.report.constraints.folder import read_file
    from darkstats.report.recasts import GivenLimit

    one = read_file(Path(request.limit))
    if request.source is None:
        raise OptionError(
            f"{request.limit} limits the coupling of {' or '.join(one.couplings)}: say so with "
            "--from"
        )
    if request.source not in one.couplings:
        raise OptionError(
            f"--from {request.source}: {request.limit} limits the coupling of "
            f"{' or '.join(one.couplings)}"
        )
    if one.shape == "outline":
        raise DocumentError(
            "is the outline of a region, which has no one coupling at a mass",
            source=request.limit, remedy="give a curve: mass, and lowest excluded coupling",
        )  # fmt: skip
    for a, b in zip(one.mass_gev, one.mass_gev[1:], strict=False):
        if not 0.0 < a < b:
            raise DocumentError(
                f"a mass of {b:g} GeV comes after {a:g}", source=request.limit,
                remedy="sort rows by rising mass above zero, one each",
            )  # fmt: skip
    cl = _level(request, one.source.cl)
    model = MEDIATORS[request.source]
    limit = GivenLimit(
        source=request.limit, sha256=_digest(request.limit), words=one.source.citation, cl=cl,
        level=Source(citation=request.limit, cl=cl, method=one.source.method).level,
        quantity=model.symbol, unit=model.unit,
    )  # fmt: skip
    upper = () if one.upper is None else zip(one.mass_gev, one.upper, strict=True)
    return _Given(
        limit=limit, curves={"observed": tuple(zip(one.mass_gev, one.lower, strict=True))},
        upper=dict(upper),
    )  # fmt: skip


def _of_record(request: RecastRequest) -> _Given:
    from darkstats.report.limit_table import SCHEMA as LIMIT
    from darkstats.report.numbers import level_words
    from darkstats.report.recasts import CURVES, GivenLimit
    from darkstats.report.scan_table import read_scan
    from darkstats.workflows.plots import read_record

    record = read_record(request.limit)
    if record.get("schema") == LIMIT:
        record = _as_scan(record, request.limit)
    table = read_scan(record, source=request.limit)
    masses = _masses(table, request.limit)
    key = "cross_section" if request.source is None else request.coupling or request.source
    if request.source is None:
        if request.coupling is not None:
            raise OptionError("--coupling goes with --from, the mediator that it is of")
        _rate_unit(request, "pb")
    limits = table.limits_on(key)
    size = 1e-3 if key == "cross_section" else _per_gev(limits, request)
    curves = {
        name: [
            (mass, float(size * value) if math.isfinite(value) and value > 0.0 else None)
            for mass, value in zip(masses, values, strict=True)
        ]
        for name, values in zip(CURVES, limits.holding, strict=True)
    }
    model = None if request.source is None else MEDIATORS[request.source]
    limit = GivenLimit(
        source=request.limit, sha256=_digest(request.limit), words=table.title or table.name,
        cl=_level(request, table.cl), level=level_words(table.method, table.cl),
        quantity="cross section" if model is None else model.symbol,
        unit="pb" if model is None else model.unit, simulated=table.simulated,
    )  # fmt: skip
    kept = {k: v for k, v in curves.items() if any(one is not None for _, one in v)}
    if not kept:
        raise DocumentError(f"has no limit on {key}", source=request.limit)
    reasons = {
        mass: reason for mass, reason in zip(masses, table.reasons, strict=True) if reason
    }  # fmt: skip
    return _Given(limit=limit, curves=kept, reasons=reasons)


def _as_scan(record: Mapping[str, Any], source: str) -> dict[str, Any]:
    """The limit on one hypothesis as a scan of one, if a coupling says its mass."""
    from darkstats.report.limit_table import inputs_of
    from darkstats.report.scan_table import SCHEMA as SCAN

    couplings = record.get("couplings")
    first: Any = next(iter(couplings.values()), None) if isinstance(couplings, dict) else None
    masses = first.get("masses") if isinstance(first, dict) else None
    if not isinstance(masses, dict) or len(masses) != 1:
        raise DocumentError(
            "does not say the mass of its hypothesis", source=source,
            remedy="give darkstats limit a model with --cross-sections, and --mass where no patch "
            "set has it; or recast a scan",
        )  # fmt: skip
    ((label, mass),) = masses.items()
    inputs = inputs_of(record)
    point = {**record, "name": str(label), "values": [mass], "status": "ok"}
    facts = {key: record.get(key) for key in ("method", "cl", "calculator", "conversions")}
    return {
        **facts, "schema": SCAN, "name": inputs.source, "title": inputs.source,
        "simulated": inputs.simulated, "labels": [label], "points": [point],
    }  # fmt: skip


def _masses(table: ScanTable, source: str) -> list[float]:
    from darkstats.reinterpret.cross_sections import MASS_UNITS

    if table.dimension != 1 or not table.is_told_apart:
        raise DocumentError(
            f"has the axes {', '.join(table.axes) or 'none'}", source=source,
            remedy="a recast needs one mass for each hypothesis",
        )  # fmt: skip
    unit = (table.axis_words[0].unit or "").lower()
    if unit not in MASS_UNITS:
        raise DocumentError(
            f"the unit of {table.axes[0]} is {unit!r}, which is none of masses", source=source,
            remedy="let the label end with _gev, or say it in the sidecar",
        )  # fmt: skip
    return [float(MASS_UNITS[unit] * value) for value in table.first_coordinate]


def _per_gev(limits: Limits, request: RecastRequest) -> float:
    """Size of the unit of a coupling in that of the mediator."""
    wanted = MEDIATORS[str(request.source)].unit
    if limits.unit == wanted:
        return 1.0
    if (limits.unit, wanted) == ("1/TeV", "1/GeV"):
        return 1e-3
    raise OptionError(
        f"{limits.key} of {request.limit} has the unit {limits.unit or 'none'}, and "
        f"{request.source} {wanted or 'none'}"
    )


def _search(request: RecastRequest) -> Search:
    from darkstats.reinterpret.lifetimes import DecayWindow
    from darkstats.reinterpret.recast_files import read_efficiency
    from darkstats.reinterpret.recasts import Search

    return Search(
        production=PRODUCTIONS[request.production],
        final_state=request.final_state,
        window=None if request.window is None else DecayWindow.parse(request.window),
        efficiency=None if request.efficiency is None else read_efficiency(request.efficiency),
        momentum_gev=request.momentum_gev,
    )


def _targets(request: RecastRequest) -> tuple[Target, Target | None]:
    from darkstats.reinterpret.recast_files import read_decays, read_ratio
    from darkstats.reinterpret.recasts import Target
    from darkstats.signals.hadronic_ratio import hadronic_ratio
    from darkstats.signals.mediators import DarkMatter

    dark = None
    if request.dark_matter is not None:
        dark = DarkMatter(mass_gev=request.dark_matter[0], alpha_dark=request.dark_matter[1])
    ratio = hadronic_ratio if request.hadrons is None else read_ratio(request.hadrons)
    table = read_decays(dict(request.decays)) if request.decays else None
    target = Target(
        model=MEDIATORS[request.to], dark=dark, ratio=ratio, table=table,
        electrons_gev=request.electrons_gev or 0.0,
    )  # fmt: skip
    if request.source is None:
        return target, None
    return target, Target(model=MEDIATORS[request.source], dark=dark, ratio=ratio)


def _lifetime_words(request: RecastRequest, search: Search, limits: Mapping[str, Any]) -> str:
    from darkstats.reinterpret.lifetimes import LifetimeTable

    words = []
    if any(isinstance(one, LifetimeTable) for curve in limits.values() for _, one in curve):
        words.append("limits against c tau, log-log between them, none beyond them")
    if search.window is not None:
        momentum = (
            "momentum of the production" if search.momentum_gev is None
            else f"momentum {search.momentum_gev:g} GeV"
        )  # fmt: skip
        words.append(f"{search.window.words}, {momentum}")
    if request.efficiency is not None:
        words.append(
            f"efficiency by {Path(request.efficiency).name}, linear in log(c tau), none beyond it"
        )
    return "; ".join(words) or "taken alike at any lifetime"


def _described(
    request: RecastRequest, search: Search, given: _Given, source: Target | None
) -> tuple[dict[str, str], dict[str, Any], tuple[str, ...]]:
    """The search in words, and as settings; assumptions."""
    from darkstats.signals.hadronic_ratio import SOURCE

    lifetime = _lifetime_words(request, search, given.curves)
    models = [MEDIATORS[request.to], *([] if source is None else [source.model])]
    words = {
        "production": search.production.words,
        "final state": request.final_state,
        "lifetime": lifetime,
    }
    hadrons = None
    if any(model.charges is not None for model in models):
        hadrons = SOURCE if request.hadrons is None else f"table {Path(request.hadrons).name}"
        words["hadrons"] = hadrons
    if request.decays:
        words["decays"] = ", ".join(f"{key} of {Path(file).name}" for key, file in request.decays)
    if request.dark_matter is not None:
        mass, alpha = request.dark_matter
        words["dark matter"] = f"Dirac, {mass:g} GeV, alpha_D = {alpha:g}"
    if request.electrons_gev is not None:
        words["electrons"] = f"g_ae / g_agg = {request.electrons_gev:g} GeV"
    settings = {
        "production": request.production,
        "final_state": request.final_state,
        "decay_window_mm": request.window,
        "momentum_gev": request.momentum_gev,
        "efficiency": request.efficiency,
        "hadrons": hadrons,
        "electrons_gev": request.electrons_gev,
        "decays": [{"quantity": key, "file": file} for key, file in request.decays],
        "dark_matter": None if request.dark_matter is None else {
            "mass_gev": request.dark_matter[0], "alpha_dark": request.dark_matter[1],
        },
    }  # fmt: skip
    for key in (
        "decay_window_mm",
        "momentum_gev",
        "efficiency",
        "hadrons",
        "dark_matter",
        "electrons_gev",
    ):
        if settings[key] is None:
            settings[f"{key}_reason"] = "not asked for"
    assumed = [f"{model.words}: {model.note}" for model in models]
    if not search.depends_on_lifetime and lifetime.startswith("taken"):
        assumed.append(
            "the efficiency does not depend on the lifetime: look at c tau, and give "
            "--decay-window or --efficiency-table where it is not short"
        )
    if request.electrons_gev is not None:
        assumed.append(
            "production by the coupling to electrons is left out: limits are weaker for it"
        )
    assumed.append("the efficiency depends on mass and lifetime alone, alike for both mediators")
    return words, settings, tuple(assumed)


def _check_upper(given: _Given, search: Search, source: Target | None) -> float | None:
    """Upper ends by what is said of lifetimes over those of the file, in the median.

    Raises
    ------
    OptionError
        The file has upper ends, and nothing is said of lifetimes.
    """
    if not given.upper or source is None:
        return None
    if not search.depends_on_lifetime:
        raise OptionError(
            f"{given.limit.source} has upper ends: lifetimes matter to its search; say how, with "
            "--decay-window or --efficiency-table"
        )
    from darkstats.reinterpret.recasts import recast as recast_one

    ratios = []
    for mass, limit in given.curves["observed"]:
        if isinstance(limit, float):
            point = recast_one(mass, limit, source, search, source=source, with_error=False)
            ratios += [
                one.upper / given.upper[mass] for one in point.intervals[-1:] if one.upper
            ]  # fmt: skip
    return sorted(ratios)[len(ratios) // 2] if ratios else None


def _comparisons(
    request: RecastRequest, points: tuple[RecastPoint, ...], cl: float
) -> tuple[Comparison, ...]:
    from darkstats.report.constraints.folder import read_file
    from darkstats.report.recasts import compare

    found = []
    for path in request.compare:
        one = read_file(Path(path))
        if request.to not in one.couplings:
            raise OptionError(
                f"--compare {path}: is about {' or '.join(one.couplings)}, not {request.to}"
            )
        found.append(compare(points, cl, one))
    return tuple(found)


#: Proper decay length from which a lifetime is told to matter, mm.
_LONG_MM = 1.0


def _warnings(
    request: RecastRequest, search: Search, points: Sequence[RecastPoint]
) -> tuple[str, ...]:
    """Lifetimes that are too long for an efficiency that is taken alike at any of them."""
    if search.depends_on_lifetime or request.final_state == "invisible":
        return ()
    long = [
        (point.ctau_mm, point.mass_gev)
        for point in points
        if point.given is not None and point.ctau_mm is not None and point.ctau_mm > _LONG_MM
    ]
    if not long:
        return ()
    ctau, mass = max(long)
    return (
        f"at {len(long)} masses c tau is above {_LONG_MM:g} mm at the lower end, {ctau:.3g} mm at "
        f"{mass:.4g} GeV: fewer of these decays are seen than prompt ones, and the limit is too "
        "strong; say how many with --decay-window or --efficiency-table",
    )


def _with_regimes(found: Recast, asked: str, target: Target, search: Search) -> Recast:
    from darkstats.reinterpret.regimes import Geometry, boundaries

    geometry = Geometry.parse(asked)
    if search.momentum_gev is None and search.production.momentum_gev is None:
        raise OptionError(
            f"production {search.production.name} does not tell the momentum, which --regimes "
            "needs: give it with --momentum"
        )
    rows = tuple(
        boundaries(target, mass, geometry, search.boost)
        for mass in dict.fromkeys(point.mass_gev for point in found.first)
    )
    return replace(found, geometry=geometry, boundaries=rows)


_CELLS = 300


def _map(found: Recast, target: Target, search: Search) -> Drawing:
    """Draw the regimes between the masses of a recast, about its couplings."""
    import numpy as np

    from darkstats.reinterpret.regimes import REGIMES, boundaries, regime_map
    from darkstats.report.figures.decay_maps import decay_map_figure

    masses = [row.mass_gev for row in found.boundaries]
    ends = [
        value
        for row in found.boundaries
        for value in (row.visible_from, row.escapes_to, row.invisible_to)
        if value
    ]
    ends += [
        end
        for point in found.first
        for one in point.intervals
        for end in (one.lower, one.upper)
        if end
    ]
    ends = [value for value in ends if 0.0 < value < math.inf]
    if not ends or found.geometry is None or not masses[0] < masses[-1]:
        raise OptionError("a map of regimes needs two masses with a coupling to draw")
    low, high = min(ends) / 10.0, min(10.0 * max(ends), target.model.largest)
    grid = np.geomspace(masses[0], masses[-1], _CELLS)
    drawn = regime_map(target, grid, np.geomspace(low, high, _CELLS), found.geometry, search.boost)
    edges = [boundaries(target, mass, found.geometry, search.boost) for mass in grid.tolist()]
    return decay_map_figure(found, drawn, edges, REGIMES)


def recast(request: RecastRequest, shell: Shell | None = None) -> Outcome[Recast]:
    """Recast a limit: excluded couplings of another mediator at the masses of the limit.

    Raises
    ------
    DocumentError
        A file cannot be used.
    OptionError
        Limit, mediators and search do not go together.
    """
    from darkstats.reinterpret.recasts import RecastPoint
    from darkstats.reinterpret.recasts import recast as recast_one
    from darkstats.report.recasts import Recast, recast_csv, recast_record, recast_sheet
    from darkstats.report.writing import require_writable, write_text

    shell = shell or Shell()
    if request.table is not None:
        require_writable(request.table)
    given = _read(request)
    search = _search(request)
    target, source = _targets(request)
    upper = _check_upper(given, search, source)
    low, high = request.mass_range_gev or (0.0, math.inf)
    chosen = {
        name: [(mass, limit) for mass, limit in curve if low <= mass <= high]
        for name, curve in given.curves.items()
    }
    count = sum(map(len, chosen.values()))
    if not count:
        raise OptionError(f"--masses {low:g} {high:g}: {request.limit} has no mass between them")

    def point(mass: float, limit: Limit | None, *, first: bool) -> RecastPoint:
        if limit is None:
            reason = given.reasons.get(mass, f"{request.limit} has no limit at this mass")
            return RecastPoint(
                mass_gev=mass, given=None, status="refused", reason=reason, error_reason=reason
            )
        return recast_one(mass, limit, target, search, source=source, with_error=first)

    curves: dict[str, tuple[RecastPoint, ...]] = {}
    with shell.step("recasting", count, "limits") as step:
        for name, curve in chosen.items():
            points = []
            for mass, limit in curve:
                points.append(point(mass, limit, first=name in {"observed", "median"}))
                step.advance(1)
            curves[name] = tuple(points)
    words, settings, assumed = _described(request, search, given, source)
    settings["upper_ratio"] = upper
    if upper is None:
        settings["upper_ratio_reason"] = "the limit has no upper ends"
    else:
        words["upper ends"] = (
            f"for {request.source} {upper:.3g} times those of {request.limit} in the median"
        )
    found = Recast(
        limit=given.limit, target=target.model, source=None if source is None else source.model,
        curves=curves, search=words, settings=settings, assumptions=assumed,
    )  # fmt: skip
    found = replace(found, warnings=_warnings(request, search, found.first))
    if request.regimes is not None:
        found = _with_regimes(found, request.regimes, target, search)
    found = found.beside(_comparisons(request, found.first, given.limit.cl))
    files: dict[str, Callable[[str], None]] = {}
    if request.table is not None:
        files[request.table] = lambda path: write_text(path, recast_csv(found))

    def drawn() -> Drawing:
        from darkstats.report.figures.recasts import recast_figure

        return recast_figure(found)

    figures: dict[str, Callable[[], Drawing]] = {"recast": drawn}
    if found.geometry is not None and len(found.boundaries) > 1:
        figures["regimes"] = lambda: _map(found, target, search)
    refused = found.count("refused") == len(found.first)
    return Outcome(
        result=found,
        record=lambda: recast_record(found, shell.command),
        sheet=lambda: recast_sheet(found),
        figures=figures,
        files=files,
        uncertified=f"no mass has a number: {found.first[0].reason}" if refused else "",
    )
