"""Cuts chosen on simulation: by the expected limit of a window, or by Punzi's figure of merit.

Half of the rows choose, the other half fills the templates: cuts that follow a fluctuation of the
simulation do not make their own background small.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.searches.cuts import Cut, passing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from darkstats.arrays import BoolArray, FloatArray
    from darkstats.searches.cuts import AnyCut
    from darkstats.searches.recoil_windows import RecoilWidths
    from darkstats.simulation.candidates import Candidates

__all__ = [
    "Optimisation",
    "best_cuts",
    "cautious",
    "expected_poisson_limit",
    "halves",
    "punzi_bracket",
    "stepped_cuts",
]

#: Effective simulated background rows below which a choice of cuts is not trusted.
_LEAST_ROWS = 10.0


def punzi_bracket(background: float, a: float = 3.0, b: float = 1.28155) -> float:
    """Signal events that can be seen at a sigma and excluded at b, Punzi's approximation.

    ``a^2/8 + 9 b^2/13 + a sqrt(B) + (b/2) sqrt(b^2 + 4 a sqrt(B) + 4 B)`` (physics/0308063; the
    form used in arXiv:2110.00810).

    Examples
    --------
    >>> round(punzi_bracket(10.0), 1)
    17.5
    """
    root = math.sqrt(background)
    return (
        a**2 / 8.0
        + 9.0 * b**2 / 13.0
        + a * root
        + 0.5 * b * math.sqrt(b**2 + 4.0 * a * root + 4.0 * background)
    )


def expected_poisson_limit(background: float, credibility: float = 0.9) -> float:
    """Mean upper limit on a signal for a known background, flat prior, events.

    Above 200 events the Gaussian limit.
    """
    if background > 200.0:
        return 1.645 * math.sqrt(background)
    total, probability, n = 0.0, math.exp(-background), 0
    while n < background + 10.0 * math.sqrt(background) + 20.0:
        total += probability * _limit(n, background, credibility)
        n += 1
        probability *= background / n
    return total


def _limit(n: int, background: float, credibility: float) -> float:
    """Solve Q(n+1, s+b) = (1 - credibility) Q(n+1, b) by bisection."""

    def tail(mean: float) -> float:
        term, result = 1.0, 1.0
        for k in range(1, n + 1):
            term *= mean / k
            result += term
        return math.log(result) - mean

    wanted = tail(background) + math.log(1.0 - credibility)
    low, high = 0.0, 10.0 + 5.0 * (n + 1)
    while tail(background + high) > wanted:
        high *= 2.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if tail(background + middle) > wanted else (low, middle)
    return 0.5 * (low + high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimisation:
    """What is scanned.

    Parameters
    ----------
    figure
        ``"punzi"`` or ``"limit"``.
    masses_gev
        One choice of cuts each. Empty for a plane, where all simulated points have one.
    scan
        Lower bounds that are tried, by column.
    cuts
        ``"stepped"``: a hypothesis takes those of the nearest mass. ``"smooth"``: bounds follow the
        hypothesis (:mod:`~darkstats.searches.smooth_cuts`).
    """

    figure: str
    masses_gev: tuple[float, ...]
    scan: Mapping[str, tuple[float, ...]] = field(repr=False)
    cuts: str = "stepped"


def halves(candidates: Candidates) -> tuple[Candidates, Candidates]:
    """Rows to choose with and rows to fill with: each a sample of half the size."""
    odd = np.arange(len(candidates)) % 2 == 1
    return _half(candidates.select(odd)), _half(candidates.select(~odd))


def _half(candidates: Candidates) -> Candidates:
    # An odd number of generated events: the sums follow, so cross sections stay.
    share = (candidates.n_generated // 2) / candidates.n_generated
    return replace(
        candidates,
        n_generated=candidates.n_generated // 2,
        sum_weight_pb=candidates.sum_weight_pb * share,
        sum_weight_squared_pb2=candidates.sum_weight_squared_pb2 * share,
    )


def cautious(content: FloatArray, spread: FloatArray, events: FloatArray) -> FloatArray:
    """Backgrounds that few simulated rows say little of: their upper edge. Shape [choice].

    Parameters
    ----------
    content, spread
        Sums of weights, and of their squares, that each choice leaves. Shapes [choice].
    events
        Weights of all rows; one of them stands for none. Shape [row].
    """
    typical = float((events**2).sum() / events.sum()) if len(events) else 0.0
    few = content**2 < _LEAST_ROWS * spread
    return np.where(spread > 0.0, content + np.where(few, np.sqrt(spread), 0.0), typical)


def best_cuts(
    optimisation: Optimisation,
    signal: Candidates,
    backgrounds: Mapping[str, Candidates],
    *,
    base: Sequence[AnyCut],
    window: Cut,
    luminosity_ipb: float,
) -> tuple[tuple[Cut, ...], dict[str, Any]]:
    """Return the best lower bounds at one mass, and the numbers behind them.

    Parameters
    ----------
    optimisation
        Figure and scan.
    signal, backgrounds
        The half that chooses.
    base
        Cuts that always hold.
    window
        Window around the mass.
    luminosity_ipb
        Integrated luminosity.
    """
    merit = punzi_bracket if optimisation.figure == "punzi" else expected_poisson_limit
    names = tuple(optimisation.scan)
    samples = [
        sample.select(passing(sample, (*base, window)))
        for sample in (signal, *backgrounds.values())
    ]
    contents = [sample.events(luminosity_ipb) for sample in samples[1:]]
    typicals = [float((e**2).sum() / e.sum()) if len(e) else 0.0 for e in contents]
    best: tuple[float, tuple[float, ...], float, float] | None = None
    for bounds in itertools.product(*(optimisation.scan[name] for name in names)):
        masks: list[BoolArray] = [
            passing(s, [Cut(variable=n, above=b) for n, b in zip(names, bounds, strict=True)])
            for s in samples
        ]
        efficiency = float(samples[0].weight_pb[masks[0]].sum()) / samples[0].n_generated
        if efficiency <= 0.0:
            continue
        expected = 0.0
        for events, typical, mask in zip(contents, typicals, masks[1:], strict=True):
            content, spread = float(events[mask].sum()), float((events[mask] ** 2).sum())
            # Few simulated rows say little about a small background: take its upper edge.
            if content == 0.0:
                content = typical
            elif content**2 / spread < _LEAST_ROWS:
                content += math.sqrt(spread)
            expected += content
        value = merit(expected) / efficiency
        if best is None or value < best[0]:
            best = (value, bounds, efficiency, expected)
    if best is None:
        return (), {"efficiency": 0.0}
    value, bounds, efficiency, expected = best
    cuts = tuple(Cut(variable=n, above=b) for n, b in zip(names, bounds, strict=True))
    facts = {
        "cuts": [cut.plain() for cut in cuts],
        "efficiency": float(f"{efficiency:.4g}"),
        "background_events": float(f"{expected:.4g}"),
        "figure_of_merit_fb": float(f"{1e3 * value / luminosity_ipb:.4g}"),
    }
    return cuts, facts


def stepped_cuts(
    optimisation: Optimisation,
    signals: Mapping[tuple[float, ...], Candidates],
    backgrounds: Mapping[str, Candidates],
    *,
    base: Sequence[AnyCut],
    variable: str,
    widths: RecoilWidths,
    luminosity_ipb: float,
    half_width_sigma: float,
) -> tuple[dict[str, tuple[Cut, ...]], dict[str, Any]]:
    """One set of lower bounds for each mass of the optimisation, by name, and the numbers.

    Parameters
    ----------
    optimisation
        Figure, masses and scan.
    signals, backgrounds
        The half that chooses.
    base
        Cuts that always hold.
    variable, widths, half_width_sigma
        Column of the squared mass, its resolution, and the window around each mass.
    luminosity_ipb
        Integrated luminosity.
    """
    choices: dict[str, tuple[Cut, ...]] = {}
    facts: dict[str, Any] = {}
    for mass in optimisation.masses_gev:
        nearest = min(signals, key=lambda key: abs(key[0] - mass))
        half = half_width_sigma * widths.at_squared(nearest[0] ** 2)
        window = Cut(variable=variable, above=nearest[0] ** 2 - half, below=nearest[0] ** 2 + half)
        chosen, numbers = best_cuts(
            optimisation,
            signals[nearest],
            backgrounds,
            base=base,
            window=window,
            luminosity_ipb=luminosity_ipb,
        )
        name = f"recoil_{mass:g}".replace(".", "p")
        choices[name] = chosen
        facts[name] = {"mass_gev": mass, **numbers}
    return choices, facts
