"""Questions that a search did not ask: what is refused before a limit is recast."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from darkstats.errors import OptionError
from darkstats.signals.benchmarks import BENCHMARKS, efficiency_benchmark
from darkstats.signals.mediators import FINAL_STATES, MEDIATORS
from darkstats.signals.productions import PRODUCTIONS
from darkstats.signals.searched import HADRON_PAIRS

if TYPE_CHECKING:
    from darkstats.reinterpret.recast_searches import Limit, Target
    from darkstats.signals.searched import Searched
    from darkstats.workflows.recast_requests import RecastRequest

__all__ = [
    "require_decay",
    "require_one_lifetime",
    "require_same_search",
    "require_sigma",
    "unnamed_decays",
]


def require_sigma(benchmarks: Iterable[str], where: str) -> None:
    """Refuse a limit on efficiency times cross section where one on the cross section is needed.

    Raises
    ------
    OptionError
        One of the benchmarks of the search is efficiency times cross section.
    """
    one = efficiency_benchmark(benchmarks)
    if one is not None:
        raise OptionError(
            f"{where} limits {one.coupling}, not a cross section ({one.name}: {one.assumption}): "
            "divide the limit by the efficiency of your model, and give darkstats recast that as "
            "CSV with the columns mass_GeV and sigma_UL90_pb (90: the level in %)"
        )


#: Productions whose rates are relative, by the search that they rest on.
_RELATIVE = {"mumu": "muon", "radiative": "electron"}


def require_same_search(
    request: RecastRequest, benchmarks: Sequence[str], searched: Searched | None
) -> None:
    """Refuse production, final state and mediator that are not those of the search.

    Records of earlier versions do not say what was searched, and their benchmarks stand for it; a
    search without benchmarks is taken at the user's word.

    Raises
    ------
    OptionError
        They are others.
    """
    if searched is not None:
        _require_searched(request, searched)
        return
    known = [BENCHMARKS[name] for name in benchmarks if name in BENCHMARKS]
    if not known or any(one.is_made(request.production, request.final_state) for one in known):
        return
    made: dict[str, list[str]] = {}
    for one in known:
        if one.productions:
            state = "" if one.final_states is None else " ".join(one.final_states)
            words = f"--production {' or '.join(one.productions)}"
            words += f" with --final-state {state}" if state else ""
            made.setdefault(words, []).append(one.name)
    names = ", ".join(one.name for one in known)
    found = "; or ".join(f"{words} ({', '.join(of)})" for words, of in made.items())
    raise OptionError(
        f"{request.limit} is of a search for {found or f'{names}, which no --production makes'}: "
        f"it limits nothing made by --production {request.production} and seen as --final-state "
        f"{request.final_state}"
    )


def _require_searched(request: RecastRequest, searched: Searched) -> None:
    """Refuse what was not searched for: another production, another decay, another signal."""
    made, target = searched.production, MEDIATORS[request.to]
    same_state = request.final_state == searched.final_state or (
        # Pairs of hadrons are a final state of a search, not of a recast: --decays says how many.
        searched.final_state in HADRON_PAIRS
        and request.final_state == "hadrons"
        and "hadrons" in dict(request.decays)
    )
    if request.production not in {made, _RELATIVE.get(made)} or not same_state:
        hint = ""
        if searched.final_state in HADRON_PAIRS and made in PRODUCTIONS:
            hint = (
                f"; {searched.final_state} are some of the hadrons: --final-state hadrons with "
                "--decays hadrons=FILE, their branching fraction alone"
            )
        raise OptionError(
            f"{request.limit} is of a search for {searched.words}: it limits nothing made by "
            f"--production {request.production} and seen as --final-state "
            f"{request.final_state}{hint}"
        )
    wanted = {**PRODUCTIONS[made].parameters, **target.parameters}
    if not searched.fixes(wanted):
        said = ", ".join(f"{name} = {value:g}" for name, value in wanted.items()) or "none"
        raise OptionError(
            f"{request.limit} is of a search for {searched.words}, and --to {request.to} by "
            f"--production {request.production} has the parameters {said} ({target.note}): the "
            "limit is none on it"
        )


def require_one_lifetime(
    request: RecastRequest, curves: Mapping[str, Sequence[tuple[float, Limit | None]]]
) -> None:
    """Refuse an efficiency by lifetime beside limits by lifetime, which have it already.

    Raises
    ------
    OptionError
        The lifetime would be applied twice.
    """
    from darkstats.reinterpret.lifetimes import LifetimeTable

    given = "--decay-window" if request.window is not None else "--efficiency-table"
    if request.window is None and request.efficiency is None:
        return
    if any(isinstance(one, LifetimeTable) for curve in curves.values() for _, one in curve):
        raise OptionError(
            f"{given}: {request.limit} is a limit by lifetime, which has the efficiency of each "
            f"in it already: leave {given} out"
        )


def unnamed_decays(request: RecastRequest) -> tuple[str, ...]:
    """Channels of the final state that ``--decays`` does not name, where it names others."""
    wanted = [one for one in FINAL_STATES[request.final_state] if one != "dark"]
    named = dict(request.decays)
    if not named or not any(one in named for one in wanted):
        return ()
    return tuple(one for one in wanted if one not in named)


def require_decay(request: RecastRequest, target: Target, masses_gev: Iterable[float]) -> None:
    """Refuse a final state that the mediator has at no mass of the limit.

    Parameters
    ----------
    request, target
        What is asked, and the mediator of ``--to``.
    masses_gev
        Of the limit.

    Raises
    ------
    OptionError
        It has none, which no limit excludes or allows.
    """
    state = request.final_state
    if state == "invisible" and request.window is not None:
        return  # visible decays that are too far away are not seen, either
    low, high = request.mass_range_gev or (0.0, math.inf)
    looked = False
    for mass in masses_gev:
        if not low <= mass <= high:
            continue
        try:
            decays = target.decays(mass)
        except OptionError:
            continue  # refused with its reason, mass by mass
        looked = True
        if decays.branching(state, 1.0) > 0.0:
            return
    if looked:
        dark = state == "invisible" and target.model.charges is not None and target.dark is None
        remedy = ": give the dark matter that it decays to with --dark-matter GEV ALPHA"
        raise OptionError(
            f"--final-state {state}: {request.to} has no such decay at any mass of "
            f"{request.limit}{remedy if dark else ''}"
        )
