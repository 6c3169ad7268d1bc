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
    "PlaceNumbers",
    "Windowed",
    "best_cuts",
    "cautious",
    "expected_poisson_limit",
    "halves",
    "punzi_bracket",
    "stepped_cuts",
]

#: Effective simulated background rows below which a choice of cuts is not trusted.
_LEAST_ROWS = 10.0
_FIBONACCI = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: neighbours go far apart
_HOPELESS = 200.0  # exponent beyond which no chance of an empty region is told from another


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
        ``"punzi"`` or ``"limit"``, of the counts in the window; ``"fit"``, the expected limit of
        the fit (:mod:`~darkstats.searches.fit_cuts`), for cuts that are smooth.
    masses_gev
        One choice of cuts each. Empty for a plane, where all simulated points have one.
    scan
        Lower bounds that are tried, by column.
    cuts
        ``"stepped"``: a hypothesis takes those of the nearest mass. ``"smooth"``: bounds follow the
        hypothesis (:mod:`~darkstats.searches.smooth_cuts`).
    emptiness
        The figure is divided by the chance ``exp(-emptiness B)`` that no event of the background
        ``B`` lies in a region of the hypothesis, in units of its window: 0 for the figure alone, 1
        for the window, 9 for a neighbourhood of three times its reach in a plane.
    events_by
        Column that all rows of an event have alike, and no two events: halves are those of events
        (:func:`halves`). Empty for halves of rows.
    """

    figure: str
    masses_gev: tuple[float, ...]
    scan: Mapping[str, tuple[float, ...]] = field(repr=False)
    cuts: str = "stepped"
    emptiness: float = 0.0
    events_by: str = ""

    @property
    def combinations(self) -> FloatArray:
        """All combinations of lower bounds. Shape [combination, column]."""
        return np.array(list(itertools.product(*self.scan.values())))

    def signal_events(self, background: float) -> float:
        """Signal events that the figure asks for; the fewer the better."""
        found = punzi_bracket if self.figure == "punzi" else expected_poisson_limit
        return found(background)

    def merit(self, background: float) -> float:
        """The same over the chance of an empty region; what is to be small."""
        exponent = min(self.emptiness * background, _HOPELESS)
        return self.signal_events(background) * math.exp(exponent)


def halves(candidates: Candidates, events_by: str = "") -> tuple[Candidates, Candidates]:
    """Rows to choose with and rows to fill with: each a sample of half the size.

    Parameters
    ----------
    candidates
        Rows, of which an event may have several.
    events_by
        Column that all rows of an event have alike: its digits, beyond the sixth place, put an
        event into one half or the other, whatever other events there are, so that the events of a
        quick simulation are in the halves where they are in the full one. Without it every second
        row is taken.
    """
    if events_by:
        digits = np.round(candidates[events_by] * 1e6).astype(np.int64).astype(np.uint64)
        odd = (digits * _FIBONACCI) >> np.uint64(63) == 1
    else:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceNumbers:
    """What combinations of bounds give at one place. Shapes [combination].

    Parameters
    ----------
    merits
        What is to be small: the figure, over the chance of an empty region where that is asked for.
    figures
        Signal events over the efficiency; infinite where no signal is left.
    efficiencies, backgrounds
        Of the signal, and expected events.
    """

    merits: FloatArray
    figures: FloatArray
    efficiencies: FloatArray
    backgrounds: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Windowed:
    """Rows of one simulated place: signal in its window, backgrounds in theirs."""

    signal: Candidates
    backgrounds: tuple[Candidates, ...]
    background_share: float = 1.0  # of the background's window that the signal's has

    def numbers(
        self, optimisation: Optimisation, bounds: FloatArray, luminosity_ipb: float
    ) -> PlaceNumbers:
        """Numbers of every combination."""
        names = tuple(optimisation.scan)
        signal = _sums(self.signal, names, bounds, self.signal.weight_pb)[0]
        efficiency = signal / self.signal.n_generated
        background = np.zeros(len(bounds))
        for sample in self.backgrounds:
            events = self.background_share * sample.events(luminosity_ipb)
            background += cautious(*_sums(sample, names, bounds, events), events)
        value = np.array([optimisation.merit(float(b)) for b in background])
        events = np.array([optimisation.signal_events(float(b)) for b in background])
        with np.errstate(divide="ignore"):
            merits, figures = (
                np.where(efficiency > 0.0, one / efficiency, np.inf) for one in (value, events)
            )
        return PlaceNumbers(
            merits=merits, figures=figures, efficiencies=efficiency, backgrounds=background
        )


def _sums(
    sample: Candidates, names: Sequence[str], bounds: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Sums of weights and of their squares above each combination of bounds."""
    columns = [sample[name] for name in names]
    above: dict[tuple[int, float], BoolArray] = {}
    found = np.zeros((2, len(bounds)))
    for k, combination in enumerate(bounds):
        mask = np.ones(len(weights), dtype=bool)
        for v, bound in enumerate(combination.tolist()):
            if (v, bound) not in above:
                above[v, bound] = columns[v] > bound
            mask &= above[v, bound]
        kept = weights[mask]
        found[:, k] = kept.sum(), (kept**2).sum()
    return found[0], found[1]


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
    here = Windowed(
        signal=signal.select(passing(signal, (*base, window))),
        backgrounds=tuple(s.select(passing(s, (*base, window))) for s in backgrounds.values()),
    )
    choices = optimisation.combinations
    found = here.numbers(optimisation, choices, luminosity_ipb)
    best = int(np.argmin(found.merits))
    if not np.isfinite(found.merits[best]):
        return (), {"efficiency": 0.0}
    cuts = tuple(
        Cut(variable=name, above=bound)
        for name, bound in zip(optimisation.scan, choices[best].tolist(), strict=True)
    )
    facts = {
        "cuts": [cut.plain() for cut in cuts],
        "efficiency": float(f"{found.efficiencies[best]:.4g}"),
        "background_events": float(f"{found.backgrounds[best]:.4g}"),
        "figure_of_merit_fb": float(f"{1e3 * found.figures[best] / luminosity_ipb:.4g}"),
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
