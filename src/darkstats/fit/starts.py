"""Where fits start: around a point, and on both sides of a possible double minimum."""

from __future__ import annotations

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.fit.lanes import Problem
from darkstats.streams import keyed_generator

__all__ = ["jittered_starts", "starts_on_both_sides"]

SIDE = 1.5  # standard deviations


def jittered_starts(
    problem: Problem, held: FloatArray, n: int, *, key: int, width: float = 1.0
) -> FloatArray:
    """Random starts around a point, the same for the same model and key. Shape [n, par].

    They are spread by the pre-fit errors (free parameters by half their size) times ``width``.
    """
    model = problem.model
    rng = keyed_generator(key, model.digest, 0x57A27)
    spread = np.array(
        [
            min(error, 1.0)
            if (error := parameter.prefit_error) is not None
            else 0.5 * max(1.0, abs(parameter.init))
            for parameter in model.parameters
        ]
    )
    points = held + rng.normal(size=(n, model.n_parameters)) * (width * spread)
    points = np.clip(points, problem.lower, problem.upper)
    return np.where(problem.free.astype(bool), points, held)


def starts_on_both_sides(problem: Problem, held: FloatArray) -> FloatArray:
    """Starts at plus and minus 1.5 sigma of each one-sided parameter. Shape [2 parameter, par].

    Where the templates for up and down lie on the same side of the nominal one, the likelihood may
    have a minimum on either side of zero, and a fit stays on the side on which it starts.
    """
    points = []
    for p in problem.model.one_sided:
        if problem.free[p] == 0:
            continue
        for side in (-SIDE, SIDE):
            point = held.copy()
            point[p] = np.clip(side, problem.lower[p], problem.upper[p])
            points.append(point)
    return np.array(points).reshape(len(points), len(held))
