"""Where fits start: around a point, and on both sides of a possible double minimum."""

from __future__ import annotations

import math

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.fit.lanes import Problem
from darkstats.streams import keyed_generator

__all__ = ["jittered_starts", "mirrored_starts", "starts_on_both_sides"]

SIDE = 1.5  # standard deviations
FARTHEST = 10.0  # standard deviations that a random start is away, all parameters together
MOST_MIRRORED = 64  # starts: those of the parameters that are furthest out


def jittered_starts(
    problem: Problem, held: FloatArray, n: int, *, key: int, width: float = 1.0
) -> FloatArray:
    """Random starts around a point, the same for the same model and key. Shape [n, par].

    They are spread by the pre-fit errors (free parameters by half their size) times ``width``, by
    less where there are many: five hundred of them at one standard deviation each multiply a yield
    by a factor that no data have, and eighty steps lead back from there.
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
    width *= min(1.0, FARTHEST / math.sqrt(max(int(np.count_nonzero(problem.free)), 1)))
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


def mirrored_starts(problem: Problem, point: FloatArray) -> FloatArray:
    """A point with one constrained parameter at a time on the other side. Shape [start, par].

    Many parameters with a minimum on either side of their nominal value make very many minima, one
    for each choice of sides; the lowest is reached side by side from any of them.
    """
    model = problem.model
    out = np.zeros(len(point))
    for p, parameter in enumerate(model.parameters):
        error = parameter.prefit_error
        if problem.free[p] == 1 and error:
            out[p] = abs(point[p] - model.nominal[p]) / error
    chosen = np.argsort(-out, kind="stable")[: min(MOST_MIRRORED, np.count_nonzero(out))]
    starts = np.tile(point, (len(chosen), 1))
    rows = np.arange(len(chosen))
    starts[rows, chosen] = 2.0 * model.nominal[chosen] - point[chosen]
    found: FloatArray = np.clip(starts, problem.lower, problem.upper)
    return found
