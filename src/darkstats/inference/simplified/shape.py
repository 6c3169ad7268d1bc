"""The background of the kept bins under that parabola: covariance, eigenvectors, moments."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.errors import NotCertifiedError
from darkstats.inference.simplified.parabola import Parabola, View, slopes_of
from darkstats.model import HistFactoryModel
from darkstats.streams import keyed_generator

__all__ = [
    "NEGLIGIBLE",
    "Quadratic",
    "Reduced",
    "Shape",
    "quadratic_of",
    "reduced_of",
    "shape_of",
    "third_moments",
]

NEGLIGIBLE = 1e-3  # of a Poisson error in any bin, or of the signal: a direction is left out
_LEAST_EVENTS = 0.1  # fewer expected events weigh no more in what is negligible
_MUCH_WIDER = 30.0  # than post-fit: a deviation without the kept bins that is too far to go
_OUTSIDE = 0.02  # of the points drawn may lie outside the range of a parameter
_DRAWS = 0x51  # what is drawn here, as the address of its stream


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shape:
    """Expected events at the centre, and how they move. Rows are signals, one after the other."""

    background: FloatArray  # [bin]
    fitted: FloatArray  # [bin] at the background-only fit
    factors: tuple[tuple[float, float], ...]  # range of each free factor, in units of its best fit
    scaled: FloatArray  # [bin, factor] events that it multiplies, at its best fit
    signal: FloatArray  # [row]
    moves: FloatArray  # [bin, column]; moves @ moves.T is a covariance
    signal_moves: FloatArray  # [row, column]
    free: FloatArray  # [bin, direction], a post-fit standard deviation each
    signal_free: FloatArray  # [row, direction]
    bin_error: FloatArray  # [bin] Gaussian
    counted: FloatArray  # [bin] the part of the background that a Poisson constraint scales
    counted_error: FloatArray  # [bin]
    drawn: FloatArray | None  # [column, bin] of toys: events above their mean


def shape_of(
    view: View,
    parabola: Parabola,
    point: FloatArray,
    *,
    moments: str,
    n_toys: int,
    seed: int,
) -> Shape:
    """Background and signal at the centre, with their response to each direction."""
    scale, shared = parabola.scale, parabola.shared
    slopes = slopes_of(view.backgrounds, point, shared, scale)
    signal_slopes = slopes_of(view.signals_at, point, shared, scale)
    single_slopes = slopes_of(view.backgrounds, point, parabola.single, scale)
    away = parabola.centre - point
    background = view.backgrounds(point[None, :])[0]
    background = background + slopes @ away[shared] + single_slopes @ away[parabola.single]
    at_best = view.signals_at(parabola.best[None, :])[0]
    signal = view.signals_at(point[None, :])[0] + signal_slopes @ away[shared]
    moves, signal_moves, drawn = slopes @ parabola.spread, signal_slopes @ parabola.spread, None
    if moments == "toys":
        points = _drawn_points(view, parabola, n_toys=n_toys, seed=seed)
        values, signals = view.backgrounds(points), view.signals_at(points)
        background, signal = values.mean(axis=0), signals.mean(axis=0)
        drawn = values - background
        moves = drawn.T / math.sqrt(n_toys - 1)
        signal_moves = (signals - signal).T / math.sqrt(n_toys - 1)
    variances = (single_slopes * parabola.single_error) ** 2
    gaussian = variances[:, ~parabola.counted].sum(axis=1)
    poisson = variances[:, parabola.counted].sum(axis=1)
    alone = (poisson > 0.0) & (gaussian == 0.0)
    centres = parabola.centre[parabola.single[parabola.counted]]
    return Shape(
        background=background,
        fitted=view.backgrounds(parabola.best[None, :])[0],
        factors=_ranges(view.model, parabola),
        scaled=slopes_of(view.backgrounds, point, parabola.axes, scale)
        * parabola.best[parabola.axes],
        signal=np.where((signal < 0.0) & (at_best >= 0.0), 0.0, signal),
        moves=moves,
        signal_moves=signal_moves,
        free=slopes @ parabola.free,
        signal_free=np.hstack(
            [
                signal_slopes @ parabola.free,
                slopes_of(view.signals_at, point, parabola.axes, scale) * scale[parabola.axes],
            ]
        ),
        bin_error=np.sqrt(np.where(alone, 0.0, gaussian + poisson)),
        counted=np.where(alone, single_slopes[:, parabola.counted] @ centres, 0.0),
        counted_error=np.sqrt(np.where(alone, poisson, 0.0)),
        drawn=drawn,
    )


def _ranges(model: HistFactoryModel, parabola: Parabola) -> tuple[tuple[float, float], ...]:
    """Range of each free factor in units of its best fit, the smaller end first."""
    found = []
    for p in parabola.axes:
        ends = [model.parameters[p].lower, model.parameters[p].upper]
        low, high = sorted(end / float(parabola.best[p]) for end in ends)
        found.append((low, high))
    return tuple(found)


def _drawn_points(view: View, parabola: Parabola, *, n_toys: int, seed: int) -> FloatArray:
    """Parameters drawn from the parabola, around its centre. Shape [toy, par]."""
    model = view.model
    rng = keyed_generator(seed, model.digest, _DRAWS)
    z = rng.standard_normal((n_toys, parabola.spread.shape[1]))
    points = np.repeat(parabola.centre[None, :], n_toys, axis=0)
    points[:, parabola.shared] += z @ parabola.spread.T
    low, high = np.asarray(model.lower), np.asarray(model.upper)
    outside = ((points < low) | (points > high))[:, parabola.shared].mean(axis=0)
    if len(outside) and outside.max() > _OUTSIDE:
        name = model.parameters[int(parabola.shared[int(outside.argmax())])].name
        raise NotCertifiedError(
            f"{outside.max():.1%} of the points drawn have {name!r} outside its range: a Gaussian "
            "does not describe what is known of it; take the moments of the fit"
        )
    return points


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reduced:
    """Eigen-nuisances: as few columns as move anything."""

    background: FloatArray  # [bin, eigen]
    signal: FloatArray  # [row, eigen]
    signal_only: FloatArray  # [row, further]
    directions: FloatArray  # [column, eigen] of the response, in the columns it came from
    free: FloatArray  # [bin, free]
    covariance: FloatArray
    lost: float


def reduced_of(shape: Shape) -> Reduced:
    """Rotate the response of the background into eigenvectors; what the signal adds, after it."""
    weight = 1.0 / np.sqrt(np.maximum(shape.fitted, _LEAST_EVENTS))
    directions, sizes = _leading(weight[:, None] * shape.moves)
    signal = shape.signal_moves @ directions
    rest = shape.signal_moves - signal @ directions.T
    norm = float(np.linalg.norm(shape.signal)) or 1.0
    further, _ = _leading(rest / norm)
    free, _ = _leading(weight[:, None] * shape.free)
    covariance = shape.moves @ shape.moves.T + np.diag(shape.bin_error**2 + shape.counted_error**2)
    left = sizes[directions.shape[1] :]
    return Reduced(
        background=shape.moves @ directions,
        signal=signal,
        signal_only=rest @ further,
        directions=directions,
        free=shape.free @ free,
        covariance=covariance,
        lost=float(left.max()) if len(left) else 0.0,
    )


def _leading(columns: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Right singular vectors whose singular value counts [column, kept], and all the values."""
    if columns.size == 0:
        return np.zeros((columns.shape[1], 0)), np.zeros(0)
    _, sizes, rows = np.linalg.svd(columns, full_matrices=False)
    vectors: FloatArray = rows[sizes > NEGLIGIBLE].T
    # A sign that does not depend on the linear algebra library: the largest entry is positive.
    moved = columns @ vectors
    if moved.size:
        largest = moved[np.abs(moved).argmax(axis=0), np.arange(moved.shape[1])]
        vectors = vectors * np.where(largest < 0.0, -1.0, 1.0)
    return vectors, sizes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Quadratic:
    """Even terms of the response: what it adds at one standard deviation, up as well as down."""

    background: FloatArray  # [bin, eigen]
    signal: FloatArray  # [row, eigen]


def quadratic_of(
    view: View, parabola: Parabola, shape: Shape, reduced: Reduced, *, moments: str
) -> Quadratic:
    """Even terms of the response to each eigen-nuisance, from the model or from drawn points."""
    n = reduced.directions.shape[1]
    if moments == "toys" and shape.drawn is not None:
        y = reduced.directions * math.sqrt(len(shape.drawn) - 1)
        even = 0.5 * shape.drawn.T @ (y**2 - 1.0) / len(shape.drawn)
        return Quadratic(background=even, signal=np.zeros((len(shape.signal), n)))
    # Where the kept bins say much more, their own deviation: farther out, nothing ever goes.
    width = np.sqrt((reduced.directions**2 * parabola.width[:, None] ** 2).sum(axis=0))
    step = np.where(width > _MUCH_WIDER, 1.0 / width, 1.0)
    points = np.repeat(parabola.centre[None, :], 2 * n, axis=0)
    moved = (parabola.spread @ reduced.directions * step).T
    points[0::2, parabola.shared] += moved
    points[1::2, parabola.shared] -= moved
    terms = []
    for function in (view.backgrounds, view.signals_at):
        middle = function(parabola.centre[None, :])[0]
        values = function(points) if n else np.zeros((0, len(middle)))
        terms.append((0.5 * (values[0::2] + values[1::2]) - middle).T / step**2)
    return Quadratic(background=terms[0], signal=terms[1])


def third_moments(
    view: View,
    parabola: Parabola,
    reduced: Reduced,
    quadratic: Quadratic,
    *,
    n_toys: int,
    seed: int,
) -> tuple[FloatArray | None, FloatArray, str]:
    """Third central moments of the background: of the full model, and of the document."""
    s, d = reduced.background, quadratic.background
    carried: FloatArray = (6.0 * s**2 * d + 8.0 * d**3).sum(axis=1)
    try:
        points = _drawn_points(view, parabola, n_toys=n_toys, seed=seed)
    except NotCertifiedError as error:
        return None, carried, str(error)
    values = view.backgrounds(points)
    full: FloatArray = ((values - values.mean(axis=0)) ** 3).mean(axis=0)
    return full, carried, ""
