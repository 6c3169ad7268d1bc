"""A first guess of a signal strength, which needs no fit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import OptionError

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray
    from darkstats.model import Model

__all__ = ["unprofiled_scale"]


def unprofiled_scale(model: Model, parameters: FloatArray, *, target: float) -> float:
    """Signal strength whose Asimov deviance reaches ``target**2`` with all nuisances held.

    A first guess that needs no fit, and a lower bound of the signal strength that reaches it with
    the nuisances profiled. Found on a logarithmic grid from 1e-12 to 1e12.

    Parameters
    ----------
    model
        Compiled model with a parameter of interest.
    parameters
        Background-only parameters. Shape [par].
    target
        Number of standard deviations, positive.

    Raises
    ------
    OptionError
        No signal strength on the grid changes the expected rates by so much.
    """
    grid = np.logspace(-12.0, 12.0, 97)
    points = np.repeat(np.asarray(parameters, dtype=np.float64)[np.newaxis, :], 98, axis=0)
    points[0, model.poi_index] = 0.0
    points[1:, model.poi_index] = grid
    with np.errstate(all="ignore"):
        rates = np.asarray(model.expected_rates(points))
        background, total = rates[0], rates[1:]
        terms = total - background
        seen = background > 0.0
        excess = terms[:, seen] / background[seen]
        # b * (x - log(1 + x)) written so that small x keep their digits
        small = 0.5 * excess**2 * (1.0 - 2.0 * excess / 3.0)
        terms[:, seen] = background[seen] * np.where(
            np.abs(excess) < 1e-4, small, excess - np.log1p(excess)
        )
        terms[:, np.asarray(model.masked_bins)] = 0.0
        deviance = 2.0 * np.nansum(terms, axis=1)
    reached = np.flatnonzero(deviance >= target * target)
    if not reached.size:
        if deviance[-1] > 0.0:
            raise OptionError(
                f"parameter of interest {model.poi_name!r} reaches only "
                f"{math.sqrt(deviance[-1]):.3g} standard deviations at {grid[-1]:g}: make the "
                "yields of the signal larger, and the strength smaller by as much"
            )
        raise OptionError(
            f"parameter of interest {model.poi_name!r} changes no expected rate that the "
            "likelihood sees: there is nothing to limit"
        )
    last = int(reached[0])
    if last == 0:
        return float(grid[0])
    with np.errstate(all="ignore"):
        x, y = np.log(grid[last - 1 : last + 1]), np.log(deviance[last - 1 : last + 1])
        guess = math.exp(x[0] + (2.0 * math.log(target) - y[0]) * (x[1] - x[0]) / (y[1] - y[0]))
    return guess if grid[last - 1] <= guess <= grid[last] else float(grid[last])
