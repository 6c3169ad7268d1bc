"""Conditional minima on a grid of one or two parameters, the lowest well at every point.

Where minima compete, a fit ends in the well that its start lies in. Points hand what they find to
their neighbours, and a few are fitted with a search for other minima: one that is lower than what
the grid knows there is tried everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import FitFailedError
from darkstats.fit.batch import fit_batch
from darkstats.fit.mle import AGREEMENT, fit
from darkstats.fit.neighbours import hand_on

if TYPE_CHECKING:
    from darkstats.arrays import BoolArray, FloatArray
    from darkstats.fit.lanes import FitOptions
    from darkstats.model import Model, Observation

__all__ = ["Surface"]

Lane = tuple[int, "FloatArray"]  # place along the first axis, and where to start


class Surface:
    """Twice the NLL, profiled, on a grid.

    Parameters
    ----------
    model, observation
        The likelihood and its data.
    names, axes
        The parameters of the grid, one or two, and their values.
    options
        Of the fits.
    """

    def __init__(
        self,
        model: Model,
        observation: Observation,
        names: Sequence[str],
        axes: Sequence[FloatArray],
        options: FitOptions,
    ) -> None:
        # The first parameter plays the POI, so that one batch covers its whole axis.
        self._model, self._observation = model.with_poi(names[0]), observation
        self._names, self._axes, self._options = tuple(names), tuple(axes), options
        self._shape = (len(axes[0]), len(axes[1]) if len(axes) == 2 else 1)
        self._values = np.full(self._shape, np.nan)
        self._points = np.full((*self._shape, len(model.parameters)), np.nan)

    @property
    def values(self) -> FloatArray:
        """Twice the NLL, NaN where no fit was certified. Shape [value] or [value, value]."""
        return self._values if len(self._axes) == 2 else self._values[:, 0]

    @property
    def certified(self) -> BoolArray:
        """Which points have a certified minimum. Shape of :attr:`values`."""
        return np.isfinite(self.values)

    def fill(self, start: FloatArray) -> None:
        """Fit all points from a start, and from their neighbours as long as that lowers any."""
        everywhere = range(self._shape[0])
        for column in range(self._shape[1]):
            lanes: list[Lane] = [(k, start) for k in everywhere]
            if column:
                before = self._points[:, column - 1]
                lanes += [(k, before[k]) for k in everywhere if np.isfinite(before[k]).all()]
            self._settle(column, lanes)

    def look_elsewhere(self) -> None:
        """Fit ends and middle with a search for other minima; try everywhere what is lower."""
        middle = tuple((n - 1) // 2 for n in self._shape)
        corners = product(*({0, n - 1} for n in self._shape))
        for place in dict.fromkeys([*sorted(corners), middle]):
            try:
                found = fit(
                    self._model,
                    self._observation,
                    poi_value=float(self._axes[0][place[0]]),
                    fixed=self._held(place[1]),
                    options=self._options,
                )
            except FitFailedError:
                continue
            if not self._values[place] <= found.twice_nll + AGREEMENT:
                self.fill(found.parameters)

    def _held(self, column: int) -> dict[str, float]:
        if len(self._axes) == 1:
            return {}
        return {self._names[1]: float(self._axes[1][column])}

    def _settle(self, column: int, lanes: list[Lane]) -> None:
        """Fit lanes, then the neighbours of points that moved, until none does."""

        def refit(pairs: list[tuple[int, int]]) -> set[int]:
            return self._fit(column, [(k, self._points[giver, column]) for k, giver in pairs])

        line = np.argsort(self._axes[0], kind="stable").tolist()
        hand_on(line, refit, moved=self._fit(column, lanes), rounds=len(line))

    def _fit(self, column: int, lanes: Iterable[Lane]) -> set[int]:
        """Fit points from starts; return the places where that lowered what was known."""
        places, starts = zip(*lanes, strict=True)
        counts, auxdata = self._model.stack([self._observation] * len(places))
        batch = fit_batch(
            self._model,
            counts,
            auxdata,
            start=np.array(starts),
            poi_values=self._axes[0][list(places)],
            fixed=self._held(column),
            options=self._options,
        )
        moved = set()
        for lane, k in enumerate(places):
            # what is known stays, unless it is beaten by more than fits agree to
            if batch.converged[lane] and not (
                self._values[k, column] <= batch.twice_nll[lane] + AGREEMENT
            ):
                self._values[k, column] = batch.twice_nll[lane]
                self._points[k, column] = batch.parameters[lane]
                moved.add(k)
        return moved
