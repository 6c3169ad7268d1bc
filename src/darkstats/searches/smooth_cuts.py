"""Cuts that follow the hypothesis: lower bounds that change smoothly with mass, or in the plane.

At each simulated place every combination of bounds has a figure of merit. The combinations of all
places together minimise the sum of its logarithms, plus a penalty on different bounds at
neighbouring places: of two that are as good the one is taken that its neighbours have. Between
places bounds are interpolated, so that neighbouring windows, which share most of their events, cut
alike. Half of the rows choose, the other half fills the templates.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from darkstats.errors import OptionError
from darkstats.searches.cuts import Cut, passing
from darkstats.searches.optimise import Windowed
from darkstats.searches.plane_response import Ellipse, measure_response
from darkstats.signals.constants import CM_ENERGY_GEV
from darkstats.templates.histfactory import significant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from darkstats.arrays import BoolArray, FloatArray, IndexArray
    from darkstats.searches.cuts import AnyCut
    from darkstats.searches.optimise import Optimisation, PlaceNumbers
    from darkstats.searches.recoil_windows import RecoilWidths
    from darkstats.simulation.candidates import Candidates

__all__ = [
    "RECOIL_FRACTION",
    "Place",
    "PlacedCut",
    "chosen_cuts",
    "cut_of",
    "smooth_bounds",
    "smooth_plane_cuts",
    "smooth_recoil_cuts",
]

#: Coordinate in the plane: recoil mass over the largest one of an invisible boson beside the pair.
RECOIL_FRACTION = "recoil_fraction"
_LOST = 5.0  # what a combination without signal is worse than the worst, in the logarithm
_STIFFNESS = 0.2  # cost of neighbours that differ by the whole range of one bound, in the logarithm
_SWEEPS = 50
_WIDER = 1.5  # the background's ellipse over the signal's: more simulated rows, same density
_MASS, _RECOIL = "m_ll_gev", "recoil_mass_squared_gev2"


class Place(Protocol):
    """A simulated mass or point of the plane, where combinations of bounds are compared."""

    def numbers(
        self, optimisation: Optimisation, bounds: FloatArray, luminosity_ipb: float
    ) -> PlaceNumbers:
        """Numbers of combinations. Shape of the bounds [combination, variable]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedCut:
    """``variable > bound``, where the bound depends on the place of the event.

    Parameters
    ----------
    variable
        Column that is cut on.
    along
        Columns of the place, one or two; ``recoil_fraction`` is made of dilepton and recoil mass.
    nodes
        Places of the bounds, ascending, for each column of ``along``. Bounds between them are
        interpolated linearly, and constant beyond.
    above
        Bounds, the last column of ``along`` fastest.
    """

    variable: str
    along: tuple[str, ...]
    nodes: tuple[tuple[float, ...], ...]
    above: tuple[float, ...] = field(repr=False)

    def __post_init__(self) -> None:
        """Check the shapes.

        Raises
        ------
        OptionError
            Nodes do not ascend, or there is not one bound for each place.
        """
        if len(self.along) != len(self.nodes) or not 1 <= len(self.along) <= 2:
            raise OptionError("a cut that follows the place needs one or two columns with nodes")
        if any(a >= b for nodes in self.nodes for a, b in pairwise(nodes)):
            raise OptionError(f"nodes of the cut on {self.variable} do not ascend")
        if len(self.above) != math.prod(len(nodes) for nodes in self.nodes):
            raise OptionError(f"the cut on {self.variable} needs one bound for each place")

    def __str__(self) -> str:
        """As in words: ``0.5 to 2 < variable``."""
        return f"{min(self.above):g} to {max(self.above):g} < {self.variable}"

    def plain(self) -> dict[str, object]:
        """As in a sidecar."""
        return {
            "variable": self.variable,
            "along": list(self.along),
            "nodes": [list(nodes) for nodes in self.nodes],
            "above": list(self.above),
        }

    def bounds(self, *places: FloatArray) -> FloatArray:
        """Bound at each place. Shapes [row]."""
        table = np.array(self.above).reshape([len(nodes) for nodes in self.nodes])
        lower, share = zip(
            *(_between(np.array(n), p) for n, p in zip(self.nodes, places, strict=True)),
            strict=True,
        )
        total = np.zeros(len(places[0]))
        for corner in itertools.product((0, 1), repeat=len(places)):
            weight = np.ones(len(places[0]))
            for up, part in zip(corner, share, strict=True):
                weight *= part if up else 1.0 - part
            at = tuple(
                np.minimum(index + up, len(nodes) - 1)
                for index, up, nodes in zip(lower, corner, self.nodes, strict=True)
            )
            total += weight * table[at]
        return total

    def passed(self, candidates: Candidates) -> BoolArray:
        """Whether each row passes. Shape [row]."""
        places = [_coordinate(candidates, name) for name in self.along]
        return np.asarray(candidates[self.variable] > self.bounds(*places))


def cut_of(plain: Mapping[str, Any]) -> AnyCut:
    """Return the cut that stands in a sidecar; the inverse of ``plain``.

    Parameters
    ----------
    plain
        As :meth:`~darkstats.searches.cuts.AnyCut.plain` gives it.

    Examples
    --------
    >>> print(cut_of({"variable": "recoil_pt_gev", "above": 0.5}))
    0.5 < recoil_pt_gev
    """
    if "along" not in plain:
        where = {"where": cut_of(plain["where"])} if "where" in plain else {}
        return Cut(**{**plain, **where})
    return PlacedCut(
        variable=plain["variable"],
        along=tuple(plain["along"]),
        nodes=tuple(map(tuple, plain["nodes"])),
        above=tuple(plain["above"]),
    )


def _between(nodes: FloatArray, place: FloatArray) -> tuple[IndexArray, FloatArray]:
    """Lower neighbour of each place, and how far it is to the upper one; constant beyond."""
    if len(nodes) == 1:
        return np.zeros(len(place), dtype=np.int64), np.zeros(len(place))
    inside = np.clip(place, nodes[0], nodes[-1])
    lower = np.clip(np.searchsorted(nodes, inside, "right") - 1, 0, len(nodes) - 2)
    return lower, (inside - nodes[lower]) / np.diff(nodes)[lower]


def _coordinate(candidates: Candidates, name: str) -> FloatArray:
    if name != RECOIL_FRACTION:
        return candidates[name]
    mass = candidates[_MASS]
    top = np.minimum(mass, CM_ENERGY_GEV - mass)  # as highest_higgs
    recoil = np.sqrt(np.maximum(candidates[_RECOIL], 0.0))
    return np.asarray(recoil / np.maximum(top, 1e-3))


def smooth_bounds(combinations: FloatArray, merits: FloatArray) -> FloatArray:
    """Bounds at each place, alike at neighbouring places. Shape [..., variable].

    Starting from the best of each place, one place after the other takes the combination with the
    least sum of the logarithm of its merit and of the squared differences to its neighbours, in
    units of the range of each bound, until none changes.

    Parameters
    ----------
    combinations
        Bounds of each combination. Shape [combination, variable].
    merits
        What is to be small, positive, at each place and for each combination; infinite where no
        signal is left. Shape [..., combination].

    Raises
    ------
    OptionError
        No place has any signal.
    """
    known = np.isfinite(merits).any(axis=-1)
    if not known.any():
        raise OptionError("cuts cannot be optimised: no simulated signal passes the others")
    logarithms = np.log(np.where(np.isfinite(merits), merits, 1.0))
    worst = np.max(np.where(np.isfinite(merits), logarithms, 0.0))
    logarithms = np.where(np.isfinite(merits), logarithms, worst + _LOST)
    logarithms[~known] = 0.0  # no opinion: as its neighbours
    spans = np.ptp(combinations, axis=0)
    scaled = combinations / np.where(spans > 0.0, spans, 1.0)
    chosen = np.argmin(logarithms, axis=-1)
    places = [tuple(place) for place in np.argwhere(np.ones_like(known)).tolist()]
    for _ in range(_SWEEPS):
        before = chosen.copy()
        for place in places:
            cost = logarithms[place].copy()
            for other in _neighbours(place, known.shape):
                away = ((scaled - scaled[chosen[other]]) ** 2).sum(axis=1)
                cost += _STIFFNESS * away
            chosen[place] = np.argmin(cost)
        if (chosen == before).all():
            break
    return np.asarray(combinations[chosen])


def _neighbours(place: tuple[int, ...], shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Places one step away along each axis."""
    return [
        (*place[:axis], place[axis] + step, *place[axis + 1 :])
        for axis, size in enumerate(shape)
        for step in (-1, 1)
        if 0 <= place[axis] + step < size
    ]


def _facts(
    optimisation: Optimisation, place: Place, merits: FloatArray, bound: FloatArray, ipb: float
) -> dict[str, Any]:
    """Numbers of one place: its bounds, what they give there, and what its own best would."""
    alone = optimisation.combinations[int(np.argmin(merits))]
    found = place.numbers(optimisation, np.stack([bound, alone]), ipb)
    facts = {"above": dict(zip(optimisation.scan, map(significant, bound.tolist()), strict=True))}
    if not math.isfinite(found.figures[0]):
        return {**facts, "efficiency": 0.0}
    here, best = (1e3 * found.figures / ipb).tolist()
    return {
        **facts,
        "efficiency": significant(float(found.efficiencies[0])),
        "background_events": significant(float(found.backgrounds[0])),
        "figure_of_merit_fb": significant(here),
        "best_alone_fb": significant(best),
    }


def smooth_recoil_cuts(
    optimisation: Optimisation,
    signals: Mapping[tuple[float, ...], Candidates],
    backgrounds: Mapping[str, Candidates],
    *,
    base: Sequence[AnyCut],
    variable: str,
    widths: RecoilWidths,
    luminosity_ipb: float,
    half_width_sigma: float = 2.0,
) -> tuple[tuple[PlacedCut, ...], dict[str, Any]]:
    """Lower bounds that follow the squared recoil mass, and the numbers behind them.

    Parameters
    ----------
    optimisation
        Figure, masses (the nearest simulated ones are taken) and scan.
    signals, backgrounds
        The half that chooses.
    base
        Cuts that always hold.
    variable, widths, half_width_sigma
        Column of the squared recoil mass, its resolution, and the window around each mass.
    luminosity_ipb
        Integrated luminosity.
    """
    masses = sorted(
        {min(signals, key=lambda key: abs(key[0] - m))[0] for m in optimisation.masses_gev}
    )
    passed = [sample.select(passing(sample, base)) for sample in backgrounds.values()]
    places = {}
    for mass in masses:
        half = half_width_sigma * widths.at_squared(mass**2)
        window = Cut(variable=variable, above=mass**2 - half, below=mass**2 + half)
        signal = signals[next(key for key in signals if key[0] == mass)]
        places[f"{mass:g}"] = Windowed(
            signal=signal.select(passing(signal, (*base, window))),
            backgrounds=tuple(s.select(window.passed(s)) for s in passed),
        )
    nodes = tuple(significant(mass**2) for mass in masses)
    return chosen_cuts(optimisation, places, (variable,), (nodes,), luminosity_ipb)


def smooth_plane_cuts(
    optimisation: Optimisation,
    signals: Mapping[tuple[float, ...], Candidates],
    backgrounds: Mapping[str, Candidates],
    *,
    base: Sequence[AnyCut],
    ellipse_sigma: float,
    luminosity_ipb: float,
) -> tuple[tuple[PlacedCut, ...], dict[str, Any]]:
    """Lower bounds that follow the place in the plane, and the numbers behind them.

    Parameters
    ----------
    optimisation
        Figure and scan; all simulated points are places.
    signals, backgrounds
        The half that chooses; signals form a grid in mass and fraction of the highest h' mass.
    base
        Cuts that always hold.
    ellipse_sigma
        Half axes of the ellipse in resolutions. Backgrounds are counted in one 1.5 times wider,
        and scaled.
    luminosity_ipb
        Integrated luminosity.

    Raises
    ------
    OptionError
        The simulated signals form no grid, or none passes the cuts.
    """
    response = measure_response(signals, base)
    n_fractions = len(response.fractions)
    passed = [sample.select(passing(sample, base)) for sample in backgrounds.values()]
    places = {}
    for n, key in enumerate(sorted(signals)):
        values = response.values[n // n_fractions, n % n_fractions]
        ellipse = Ellipse(
            centre=(key[0], key[1] ** 2),
            sigma=(float(values[0]), float(values[1])),
            correlation=float(values[2]),
        )
        signal = signals[key].select(passing(signals[key], base))
        places[f"{key[0]:g}, {key[1]:g}"] = Windowed(
            signal=signal.select(_inside(ellipse, signal, ellipse_sigma)),
            backgrounds=tuple(
                s.select(_inside(ellipse, s, _WIDER * ellipse_sigma)) for s in passed
            ),
            background_share=_WIDER**-2,
        )
    nodes = (
        tuple(significant(m) for m in response.masses_gev.tolist()),
        tuple(significant(f) for f in response.fractions.tolist()),
    )
    return chosen_cuts(optimisation, places, (_MASS, RECOIL_FRACTION), nodes, luminosity_ipb)


def chosen_cuts(
    optimisation: Optimisation,
    places: Mapping[str, Place],
    along: tuple[str, ...],
    nodes: tuple[tuple[float, ...], ...],
    luminosity_ipb: float,
) -> tuple[tuple[PlacedCut, ...], dict[str, Any]]:
    """Cuts that follow the place, alike at neighbouring ones, and the numbers of each place.

    Parameters
    ----------
    optimisation
        Combinations of bounds.
    places
        By name, the last column of ``along`` fastest.
    along, nodes
        Columns of the place, and its values; see :class:`PlacedCut`.
    luminosity_ipb
        Integrated luminosity.
    """
    combinations = optimisation.combinations
    merits = np.array(
        [one.numbers(optimisation, combinations, luminosity_ipb).merits for one in places.values()]
    )
    shape = tuple(map(len, nodes))
    found = smooth_bounds(combinations, merits.reshape(*shape, -1)).reshape(len(places), -1)
    bounds = np.array([[significant(b) for b in row] for row in found.tolist()])
    cuts = tuple(
        PlacedCut(variable=name, along=along, nodes=nodes, above=tuple(bounds[:, v].tolist()))
        for v, name in enumerate(optimisation.scan)
    )
    facts = {
        name: _facts(optimisation, place, merit, bound, luminosity_ipb)
        for (name, place), merit, bound in zip(places.items(), merits, bounds, strict=True)
    }
    return cuts, facts


def _inside(ellipse: Ellipse, sample: Candidates, size: float) -> BoolArray:
    return np.asarray(ellipse.distance(sample[_MASS], sample[_RECOIL]) < size**2)
