"""Questions that a search did not ask: what is refused before a limit is recast."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from darkstats.errors import OptionError
from darkstats.signals.benchmarks import BENCHMARKS, efficiency_benchmark

if TYPE_CHECKING:
    from darkstats.reinterpret.recast_searches import Target
    from darkstats.workflows.recast_requests import RecastRequest

__all__ = ["require_decay", "require_same_search", "require_sigma"]


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


def require_same_search(request: RecastRequest, benchmarks: Sequence[str]) -> None:
    """Refuse production and final state that contradict all benchmarks of the search.

    A search without benchmarks does not say what it is, and is taken at the user's word.

    Raises
    ------
    OptionError
        They do.
    """
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
