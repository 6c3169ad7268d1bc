"""Limits on one mediator as limits on another."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darkstats.errors import OptionError
from darkstats.signals.mediators import MEDIATORS
from darkstats.signals.productions import PRODUCTIONS
from darkstats.workflows.outcome import Outcome, Shell
from darkstats.workflows.recast_checks import (
    require_decay,
    require_one_lifetime,
    unnamed_decays,
)
from darkstats.workflows.recast_inputs import GivenLimits, read_limits

if TYPE_CHECKING:
    from darkstats.reinterpret.recast_searches import Limit, Search, Target
    from darkstats.reinterpret.recasts import RecastPoint
    from darkstats.report.figures.style import Drawing
    from darkstats.report.recasts import Comparison, Recast
    from darkstats.report.scan_table import Collision
    from darkstats.signals.mediators import Mediator
    from darkstats.workflows.recast_requests import RecastRequest

__all__ = ["recast"]


def _search(request: RecastRequest) -> Search:
    from darkstats.reinterpret.lifetimes import DecayWindow
    from darkstats.reinterpret.recast_files import read_efficiency, read_momenta
    from darkstats.reinterpret.recast_searches import Search

    return Search(
        production=PRODUCTIONS[request.production],
        final_state=request.final_state,
        window=None if request.window is None else DecayWindow.parse(request.window),
        efficiency=None if request.efficiency is None else read_efficiency(request.efficiency),
        momentum_gev=request.momentum_gev,
        momenta=None if request.momenta is None else read_momenta(request.momenta),
    )


def _model(request: RecastRequest) -> Mediator:
    """The mediator of ``--to``; its note says that it couples to electrons where it does."""
    model = MEDIATORS[request.to]
    if request.electrons_gev is None:
        return model
    note = f"{model.note.removeprefix('only ')}; with a coupling to electrons besides"
    return replace(model, note=note)


def _targets(request: RecastRequest) -> tuple[Target, Target | None]:
    from darkstats.reinterpret.recast_files import read_decays, read_ratio
    from darkstats.reinterpret.recast_searches import Target
    from darkstats.signals.hadronic_ratio import hadronic_ratio
    from darkstats.signals.mediators import DarkMatter

    dark = None
    if request.dark_matter is not None:
        dark = DarkMatter(mass_gev=request.dark_matter[0], alpha_dark=request.dark_matter[1])
    ratio = hadronic_ratio if request.hadrons is None else read_ratio(request.hadrons)
    table = read_decays(dict(request.decays)) if request.decays else None
    target = Target(
        model=_model(request), dark=dark, ratio=ratio, table=table,
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
        momentum = "momentum of the production"
        if search.momentum_gev is not None:
            momentum = f"momentum {search.momentum_gev:g} GeV"
        elif search.momenta is not None:
            momentum = f"{search.momenta.words} of {Path(str(request.momenta)).name}"
        words.append(f"{search.window.words}, {momentum}")
    if request.efficiency is not None:
        words.append(
            f"efficiency by {Path(request.efficiency).name}, linear in log(c tau), none beyond it"
        )
    return "; ".join(words) or "taken alike at any lifetime"


def _described(
    request: RecastRequest, search: Search, given: GivenLimits, source: Target | None
) -> tuple[dict[str, str], dict[str, Any], tuple[str, ...]]:
    """The search in words, and as settings; assumptions."""
    from darkstats.signals.hadronic_ratio import SOURCE

    lifetime = _lifetime_words(request, search, given.curves)
    models = [_model(request), *([] if source is None else [source.model])]
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
        "momenta": request.momenta,
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
        "momenta",
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
    if source is None and search.production.note:
        assumed.append(search.production.note)
    assumed.append("the efficiency depends on mass and lifetime alone, alike for both mediators")
    return words, settings, tuple(assumed)


def _check_upper(given: GivenLimits, search: Search, source: Target | None) -> float | None:
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


def _unnamed(request: RecastRequest) -> tuple[str, ...]:
    """A final state of several decays, of which ``--decays`` names some."""
    left = unnamed_decays(request)
    if not left:
        return ()
    named = ", ".join(key for key, _ in request.decays if key != "ctau")
    return (
        f"--final-state {request.final_state} counts {named} alone: --decays names no "
        f"{', '.join(left)}, and what it does not name is never seen, so that the limit is weaker",
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


def _collision(given: GivenLimits) -> Collision:
    """What the record of the limit says of the collision."""
    from darkstats.report.scan_table import Collision

    return Collision() if given.table is None else given.table.collision


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


def _points(
    request: RecastRequest,
    given: GivenLimits,
    targets: tuple[Target, Target | None],
    search: Search,
    shell: Shell,
) -> dict[str, tuple[RecastPoint, ...]]:
    """Recast every limit of every curve, between the masses that are asked for."""
    from darkstats.reinterpret.recasts import RecastPoint
    from darkstats.reinterpret.recasts import recast as recast_one

    target, source = targets
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
    return curves


def recast(request: RecastRequest, shell: Shell | None = None) -> Outcome[Recast]:
    """Recast a limit: excluded couplings of another mediator at the masses of the limit.

    Raises
    ------
    DocumentError
        A file cannot be used.
    OptionError
        Limit, mediators and search do not go together.
    """
    from darkstats.report.hepdata import write_submission
    from darkstats.report.recast_submission import recast_submission
    from darkstats.report.recasts import Recast, recast_csv, recast_record, recast_sheet
    from darkstats.report.writing import require_writable, write_text
    from darkstats.workflows.exports import collision_of, not_said

    shell = shell or Shell()
    if request.table is not None:
        require_writable(request.table)
    given = read_limits(request)
    require_one_lifetime(request, given.curves)
    search = _search(request)
    target, source = _targets(request)
    limited = {mass for curve in given.curves.values() for mass, limit in curve if limit}
    require_decay(request, target, sorted(limited))
    upper = _check_upper(given, search, source)
    curves = _points(request, given, (target, source), search, shell)
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
    warned = (*_unnamed(request), *_warnings(request, search, found.first))
    found = replace(found, warnings=warned)
    if request.regimes is not None:
        found = _with_regimes(found, request.regimes, target, search)
    found = found.beside(_comparisons(request, found.first, given.limit.cl))
    files: dict[str, Callable[[str], None]] = {}
    if request.table is not None:
        files[request.table] = lambda path: write_text(path, recast_csv(found))
    unsaid = ""
    folder = request.submission.hepdata
    if folder is not None:
        collision = collision_of(request.submission, _collision(given))
        unsaid = not_said(collision)
        documents = recast_submission(found, collision)
        files[folder] = lambda path: write_submission(documents, Path(path))

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
        sheet=lambda: recast_sheet(found, left_out=unsaid),
        figures=figures,
        files=files,
        uncertified=f"no mass has a number: {found.first[0].reason}" if refused else "",
    )
