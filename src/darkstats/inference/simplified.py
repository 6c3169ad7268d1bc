"""A simplified likelihood: few Gaussian nuisance parameters that move the background of each bin.

The likelihood of all data but the kept bins (constraint terms, and the bins of channels that are
left out) is replaced by its parabola at the background-only fit, and the expected events of the
kept bins by their response to it. The kept bins stay, with their counts: no count is used twice.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from darkstats.arrays import BoolArray, FloatArray, IndexArray
from darkstats.errors import NotCertifiedError, OptionError, UnknownNameError
from darkstats.fit import FitOptions, FitResult, fit
from darkstats.inference.results import UpperLimit
from darkstats.inference.upper_limit import upper_limit
from darkstats.model import HistFactoryModel, compile_workspace
from darkstats.model.base import few_places
from darkstats.shown import Shown
from darkstats.streams import keyed_generator
from darkstats.workspace import Workspace
from darkstats.workspace.json_values import JsonValue

__all__ = [
    "MOMENTS",
    "RESPONSES",
    "LimitComparison",
    "SimplifiedLikelihood",
    "TimedLimit",
    "compare_limits",
    "comparison",
    "simplify",
    "timed_limit",
]

RESPONSES = ("linear", "quadratic")
MOMENTS = ("fit", "toys")
BACKGROUND, SIGNAL = "background", "signal_eigen"

_STEP = 1e-3  # of a standard deviation, in finite differences: errors of a millionth
_FREE = 1e-4  # share of the information beyond the kept bins, below which a direction is free
_NEGLIGIBLE = 1e-3  # of a Poisson error in any bin, or of the signal: a direction is left out
_LEAST_EVENTS = 0.1  # fewer expected events weigh no more in what is negligible
_WIDE = 0.3  # relative error of an expected background, above which a Gaussian is doubtful
_MUCH_WIDER = 30.0  # than post-fit: a deviation without the kept bins that is too far to go
_REACH = 30.0  # range of a free direction, in standard deviations of the fit
_NOTHING = 1e-9  # of the information in the kept bins: rounding
_FACTORS = frozenset({"normfactor", "shapefactor"})
_BIN_TYPES = frozenset({"staterror", "shapesys", "shapefactor"})
_MOST_BINS = 5000  # beyond, a covariance takes more than 200 MB
_OUTSIDE = 0.02  # of the points drawn may lie outside the range of a parameter
_DRAWS = 0x51  # what is drawn here, as the address of its stream
_SHORT_S, _LONG_S = 0.5, 5.0  # a limit is computed three times to be timed, two or one if longer


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SimplifiedLikelihood(Shown):
    """A simplified likelihood, and what is carried over into it.

    Parameters
    ----------
    workspace
        The document: valid HistFactory JSON.
    response, moments
        How the expected background follows its nuisance parameters, and where the covariance comes
        from: see :func:`simplify`.
    fit
        The background-only fit of the full likelihood.
    kept, left_out
        Channels of the document, and those whose counts stand in the covariance alone.
    places
        Channel and bin (from 0) of each kept bin.
    background
        Expected background of the kept bins without what they themselves say, in events. Shape
        [bin].
    covariance
        Its covariance, in squared events, without the free directions. Shape [bin, bin].
    third_moment, third_moment_reason, carried_third_moment
        Third central moments of the same, in cubed events, of the full likelihood and of the
        document, with plain parabolas; ``None`` with ``third_moment_reason``: for a linear
        response, or where parameters drawn from the parabola leave their ranges. Shape [bin].
    eigen, free, signal_only, bin_errors
        How many parameters are eigen-nuisances of the background, free directions of the
        background, further eigen-nuisances of the signal, and errors of single bins.
    parameters_before, parameters_after
        Free parameters of the full and of the simplified likelihood, the parameter of interest
        included.
    lost
        Largest standard deviation, in Poisson errors of a bin, of what was left out as negligible.
    """

    in_a_line: ClassVar = "response kept left_out parameters_before parameters_after warnings"

    workspace: Workspace
    response: str
    moments: str
    fit: FitResult
    kept: tuple[str, ...]
    left_out: tuple[str, ...]
    places: tuple[tuple[str, int], ...] = field(repr=False)
    background: FloatArray = field(repr=False)
    covariance: FloatArray = field(repr=False)
    third_moment: FloatArray | None = field(repr=False)
    third_moment_reason: str | None
    carried_third_moment: FloatArray | None = field(repr=False)
    eigen: int
    free: int
    signal_only: int
    bin_errors: int
    parameters_before: int
    parameters_after: int
    lost: float
    n_toys: int | None
    seed: int | None
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedLimit:
    """A limit, and the shortest time that it took, in seconds."""

    limit: UpperLimit
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class LimitComparison(Shown):
    """Limits of one signal in two likelihoods.

    Parameters
    ----------
    first, second
        The limits.
    changes
        Second over first, minus 1, of the observed limit and of the expected ones at -2 .. +2
        sigma; ``None`` where one of the two has no limit. Shape [6].
    first_seconds, second_seconds
        Time that each took, in seconds.
    """

    in_a_line: ClassVar = "first second largest"

    first: UpperLimit
    second: UpperLimit
    changes: tuple[float | None, ...]
    first_seconds: float
    second_seconds: float

    @property
    def largest(self) -> float | None:
        """Largest change in absolute value; ``None`` where a limit is missing on one side only."""
        ours = (self.first.observed, *self.first.expected)
        theirs = (self.second.observed, *self.second.expected)
        if any((a is None) != (b is None) for a, b in zip(ours, theirs, strict=True)):
            return None
        known = [abs(change) for change in self.changes if change is not None]
        return max(known) if known else None


def compare_limits(
    first: HistFactoryModel,
    second: HistFactoryModel,
    *,
    cl: float = 0.95,
    options: FitOptions | None = None,
) -> LimitComparison:
    """Asymptotic CLs limits of the observations of two models, with their times.

    Raises
    ------
    OptionError
        The level is out of range, or a model has no parameter of interest.
    NotCertifiedError
        A limit could not be certified.
    """
    return comparison(
        timed_limit(first, cl=cl, options=options), timed_limit(second, cl=cl, options=options)
    )


def comparison(first: TimedLimit, second: TimedLimit) -> LimitComparison:
    """Changes between two limits."""
    ours = (first.limit.observed, *first.limit.expected)
    theirs = (second.limit.observed, *second.limit.expected)
    return LimitComparison(
        first=first.limit,
        second=second.limit,
        changes=tuple(
            None if a is None or b is None or a == 0.0 else b / a - 1.0
            for a, b in zip(ours, theirs, strict=True)
        ),
        first_seconds=first.seconds,
        second_seconds=second.seconds,
    )


def timed_limit(
    model: HistFactoryModel, *, cl: float = 0.95, options: FitOptions | None = None
) -> TimedLimit:
    """Asymptotic CLs limit of the observation of a model, with the time that it took.

    Raises
    ------
    OptionError
        The level is out of range, or the model has no parameter of interest.
    NotCertifiedError
        The limit could not be certified.
    """
    fit(model, model.observation, options=options)  # what is loaded once is not timed
    times: list[float] = []
    while True:
        begin = time.perf_counter()
        found = upper_limit(
            model, model.observation, cl=cl, scan_points=0, probe=False, options=options
        )
        times.append(time.perf_counter() - begin)
        if len(times) == 3 or times[-1] > _LONG_S or (len(times) == 2 and times[-1] > _SHORT_S):
            return TimedLimit(limit=found, seconds=min(times))


def simplify(
    workspace: Workspace,
    model: HistFactoryModel,
    *,
    keep: Collection[str] = (),
    response: str = "linear",
    moments: str = "fit",
    n_toys: int = 5000,
    seed: int = 0,
    options: FitOptions | None = None,
) -> SimplifiedLikelihood:
    r"""Return the simplified likelihood of a workspace.

    Parameters
    ----------
    workspace, model
        The workspace and its compiled model, with its observation. Samples on which the parameter
        of interest acts are the signal; all others together are the background.
    keep
        Channels whose bins stay, with their counts; all by default. The counts of other channels
        stand in the covariance, and the signal in them is lost.
    response
        ``"linear"``: each eigen-nuisance moves the background by :math:`\pm` one eigenvector,
        exactly so under every interpolation code. ``"quadratic"``: up and down are those of the
        full model, one standard deviation to each side, so that the diagonal quadratic terms are
        carried; mixed ones of two eigen-nuisances are not.
    moments
        ``"fit"``: the covariance is that of the parabola, through the slopes of the model;
        ``"toys"``: mean, covariance and quadratic terms are those of parameters drawn from it.
    n_toys, seed
        Points drawn for ``moments="toys"``, and for the third moments of a quadratic response.

    Raises
    ------
    OptionError
        There is no parameter of interest, or an option is out of range.
    UnknownNameError
        There is no channel of this name.
    NotCertifiedError
        The fit is not certified, a parameter rests at the end of its range, or the parabola is
        none: the message says which parameter and where.

    Notes
    -----
    CMS-NOTE-2017-001; Buckley et al., arXiv:1809.05548, whose expected events are
    :math:`a_i + b_i\theta_i + c_i\theta_i^2` in each bin, with correlated :math:`\theta_i`.
    HistFactory has functions of one parameter at a time: the correlated :math:`\theta_i` are
    rotated into eigen-nuisances, and the terms of two of them are lost. With
    :math:`H = E + K`, where :math:`K` is the curvature from the kept bins, the covariance of the
    kept bins is :math:`J E^{-1} J^T`; directions in which :math:`E` vanishes stay free factors.
    To first order in the response, background-only fits of the two likelihoods agree.
    """
    if response not in RESPONSES:
        raise UnknownNameError("response", response, RESPONSES)
    if moments not in MOMENTS:
        raise UnknownNameError("source of moments", moments, MOMENTS)
    if n_toys < 100:
        raise OptionError(f"moments need at least 100 toys, got {n_toys}")
    view = _View.of(workspace, model, keep)
    best = fit(model, model.observation, poi_value=0.0, options=options)
    _require_inside(best, model)
    parabola = _parabola(view, best)
    centre = parabola.centre
    point = centre if response == "quadratic" else best.parameters
    shape = _shape(view, parabola, point, moments=moments, n_toys=n_toys, seed=seed)
    reduced = _reduced(shape)
    quadratic = None
    if response == "quadratic":
        quadratic = _quadratic(view, parabola, shape, reduced, moments=moments)
    third = carried = None
    unknown = "a linear response has none" if response == "linear" else ""
    if quadratic is not None:
        third, carried, unknown = _third_moments(
            view, parabola, reduced, quadratic, n_toys=n_toys, seed=seed
        )
    warnings = _warnings(view, shape, reduced)
    document = _document(view, shape, reduced, quadratic)
    source = f"{workspace.source} (simplified)"
    n_free = reduced.free.shape[1] + shape.scaled.shape[1]
    bin_errors = int(((shape.bin_error > 0.0) | (shape.counted_error > 0.0)).sum())
    made = Workspace.from_document(document, source, usable=bool(view.signals))
    return SimplifiedLikelihood(
        workspace=made,
        response=response,
        moments=moments,
        fit=best,
        kept=tuple(view.kept),
        left_out=tuple(view.left_out),
        places=view.places,
        background=shape.background,
        covariance=reduced.covariance,
        third_moment=third,
        third_moment_reason=unknown or None,
        carried_third_moment=carried,
        eigen=reduced.background.shape[1],
        free=n_free,
        signal_only=reduced.signal_only.shape[-1],
        bin_errors=bin_errors,
        parameters_before=len(best.free) + 1,
        parameters_after=1
        + reduced.background.shape[1]
        + n_free
        + reduced.signal_only.shape[-1]
        + bin_errors,
        lost=reduced.lost,
        n_toys=n_toys if moments == "toys" or third is not None else None,
        seed=seed if moments == "toys" or third is not None else None,
        warnings=warnings,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _View:
    """The full model, seen by its kept bins: background, and signal by sample."""

    workspace: Workspace
    model: HistFactoryModel
    kept: tuple[str, ...]
    left_out: tuple[str, ...]
    bins: IndexArray  # [bin] of the kept channels, in their order
    places: tuple[tuple[str, int], ...]
    signals: tuple[tuple[str, str], ...]  # channel and sample
    owners: tuple[tuple[int, IndexArray], ...]  # of each signal: sample, and places in ``bins``

    @classmethod
    def of(cls, workspace: Workspace, model: HistFactoryModel, keep: Collection[str]) -> _View:
        poi = model.parameters[model.require_poi()]
        if poi.modifier_types != ("normfactor",):
            raise OptionError(
                f"the parameter of interest {poi.name!r} is no normfactor: a simplified likelihood "
                "needs a signal that is proportional to it"
            )
        seen = {channel.name: channel for channel in model.channels if not channel.masked}
        for name in keep:
            if name not in seen:
                raise UnknownNameError("channel", name, tuple(seen))
        order = [channel["name"] for channel in workspace.document["channels"]]
        kept = tuple(name for name in order if name in seen and (not keep or name in keep))
        bins = [b for name in kept for b in range(seen[name].start, seen[name].stop)]
        places = [(name, b) for name in kept for b in range(seen[name].stop - seen[name].start)]
        if len(bins) > _MOST_BINS:
            raise OptionError(
                f"{len(bins)} bins: the covariance of more than {_MOST_BINS} is not made; keep the "
                "channels that matter"
            )
        by_channel = {channel["name"]: channel for channel in workspace.document["channels"]}
        signals, owners = [], []
        begin = 0
        for name in kept:
            size = seen[name].stop - seen[name].start
            for sample in by_channel[name]["samples"]:
                if any(modifier["name"] == poi.set_name for modifier in sample["modifiers"]):
                    signals.append((name, sample["name"]))
                    where = np.arange(begin, begin + size)
                    owners.append((model.samples.index(sample["name"]), where))
            begin += size
        if not signals:
            raise OptionError(
                f"{poi.name!r} acts on no sample of the kept channels ({', '.join(kept)}): keep a "
                "channel with signal"
            )
        return cls(
            workspace=workspace,
            model=model,
            kept=kept,
            left_out=tuple(name for name in seen if name not in kept),
            bins=np.array(bins, dtype=np.int64),
            places=tuple(places),
            signals=tuple(signals),
            owners=tuple(owners),
        )

    def backgrounds(self, points: FloatArray) -> FloatArray:
        """Background at points [point, par]: [point, bin]."""
        moved = np.array(points, dtype=float)
        moved[:, self.model.require_poi()] = 0.0
        rates: FloatArray = self.model.expected_rates(moved)[:, self.bins]
        return rates

    def signals_at(self, points: FloatArray) -> FloatArray:
        """Signals of strength 1, one after the other, at points [point, par]: [point, row]."""
        rows = []
        for point in points:
            moved = np.array(point, dtype=float)
            moved[self.model.require_poi()] = 1.0
            by_sample = self.model.expected_by_sample(moved)[:, self.bins]
            rows.append(np.concatenate([by_sample[k, where] for k, where in self.owners]))
        return np.array(rows)

    def observed(self) -> FloatArray:
        """Counts of the kept bins. Shape [bin]."""
        counts: FloatArray = np.asarray(self.model.observation.counts)[self.bins]
        return counts


def _require_inside(best: FitResult, model: HistFactoryModel) -> None:
    """Raise where a nuisance parameter rests at the end of its range."""
    poi = model.parameters[model.require_poi()].name
    resting = [name for name in best.at_bound if name != poi]
    if resting:
        raise NotCertifiedError(
            f"the background-only fit has {few_places(resting)} at the end of the range: a "
            "Gaussian does not describe what the data allow there; fix the parameter, or take the "
            "sample out"
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Parabola:
    """What constraints and left-out channels say of the nuisance parameters, as a parabola."""

    best: FloatArray  # [par]
    centre: FloatArray  # [par]
    axes: IndexArray  # free factors that nothing but the kept bins speaks of
    shared: IndexArray  # all others that act on several bins
    single: IndexArray  # parameters that act on one kept bin each, and are constrained there
    scale: FloatArray  # [par] steps of about a standard deviation
    spread: FloatArray  # [shared, direction] a standard deviation of each constrained direction
    width: FloatArray  # [direction] the same, in post-fit standard deviations
    free: FloatArray  # [shared, direction] post-fit standard deviation of each free direction
    single_error: FloatArray  # [single]
    counted: BoolArray  # [single] whether its constraint is Poisson


def _beyond_kept(view: _View, best: FitResult) -> tuple[FloatArray, FloatArray]:
    """Gradient [par] and Hessian [par, par] of all but the kept bins, in half the deviance."""
    model, observation = view.model, view.model.observation
    if view.left_out:
        masked = [channel.name for channel in model.channels if channel.masked]
        rest = compile_workspace(
            view.workspace,
            model.measurement,
            poi=model.poi_name,
            interpolation=model.interpolation,
            masked=(*masked, *view.kept),
        )
        data, auxdata = rest.stack([observation])
        _, gradient, hessian = rest.derivatives(best.parameters, data, auxdata[0])
        return gradient, hessian
    gradient = np.zeros(model.n_parameters)
    hessian = np.zeros((model.n_parameters, model.n_parameters))
    for p, parameter in enumerate(model.parameters):
        value, datum = float(best.parameters[p]), float(observation.auxdata[p])
        if parameter.constraint == "gaussian":
            gradient[p] = (value - datum) / parameter.width**2
            hessian[p, p] = 1.0 / parameter.width**2
        elif parameter.constraint == "poisson":
            gradient[p] = parameter.width - datum / value
            hessian[p, p] = datum / value**2
    return gradient, hessian


def _parabola(view: _View, best: FitResult) -> _Parabola:
    """Split the parameters into errors of single bins, constrained and free directions."""
    model = view.model
    data, auxdata = model.stack([model.observation])
    _, _, full = model.derivatives(best.parameters, data, auxdata[0])
    gradient, beyond = _beyond_kept(view, best)
    index = {name: p for p, name in enumerate(model.parameter_names)}
    free = [index[name] for name in best.free if index[name] != model.require_poi()]
    scale = np.zeros(model.n_parameters)
    for p in free:
        if not full[p, p] > 0.0:
            raise NotCertifiedError(
                f"without signal the data say nothing of {model.parameters[p].name!r}, and no "
                "constraint does: fix it"
            )
        scale[p] = 1.0 / math.sqrt(full[p, p])
    single = _single_bins(view, best, free, beyond, scale)
    axes = np.array([p for p in free if _is_axis(model, p, beyond, scale)], dtype=np.int64)
    aside = {*single.tolist(), *axes.tolist()}
    shared = np.array([p for p in free if p not in aside], dtype=np.int64)
    spread, width, loose = _directions(model, full, beyond, shared, scale)
    centre = np.array(best.parameters, dtype=float)
    centre[shared] -= spread @ (spread.T @ gradient[shared])
    single_error = np.array([1.0 / math.sqrt(beyond[p, p]) for p in single])
    counted = np.array([model.parameters[p].constraint == "poisson" for p in single], dtype=bool)
    centre[single] -= single_error**2 * gradient[single]
    for k in np.flatnonzero(counted):  # carried as it is: its own centre, no parabola
        p = int(single[k])
        datum = float(model.observation.auxdata[p])
        centre[p] = datum / model.parameters[p].width
        single_error[k] = centre[p] / math.sqrt(datum)
    return _Parabola(
        best=np.asarray(best.parameters),
        centre=centre,
        axes=axes,
        shared=shared,
        single=single,
        scale=scale,
        spread=spread,
        width=width,
        free=loose,
        single_error=single_error,
        counted=counted,
    )


def _is_axis(model: HistFactoryModel, p: int, beyond: FloatArray, scale: FloatArray) -> bool:
    """Whether a parameter is a free factor, and no constraint or left-out channel has a say."""
    parameter = model.parameters[p]
    if parameter.constrained or not set(parameter.modifier_types) <= _FACTORS:
        return False
    known = np.flatnonzero(scale > 0.0)
    coupled: BoolArray = np.abs(beyond[p, known]) * scale[p] * scale[known] > _NOTHING
    return not bool(coupled.any())


def _single_bins(
    view: _View, best: FitResult, free: Sequence[int], beyond: FloatArray, scale: FloatArray
) -> IndexArray:
    """Constrained parameters of one kept bin each, which nothing else speaks of."""
    model = view.model
    found = []
    for p in free:
        parameter = model.parameters[p]
        alone = np.count_nonzero(beyond[p]) == 1 and beyond[p, p] * scale[p] ** 2 > _FREE
        if parameter.constrained and alone and set(parameter.modifier_types) <= _BIN_TYPES:
            found.append(p)
    if not found:
        return np.zeros(0, dtype=np.int64)
    slopes = _slopes(view.backgrounds, best.parameters, np.array(found), scale)
    one_bin = (np.abs(slopes) > 0.0).sum(axis=0) == 1
    return np.array([p for p, yes in zip(found, one_bin, strict=True) if yes], dtype=np.int64)


def _directions(
    model: HistFactoryModel,
    full: FloatArray,
    beyond: FloatArray,
    shared: IndexArray,
    scale: FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Constrained directions with their widths, and free ones; both curvatures are diagonal."""
    n = len(shared)
    if n == 0:
        return np.zeros((0, 0)), np.zeros(0), np.zeros((0, 0))
    unit = scale[shared]
    curvature = full[np.ix_(shared, shared)] * np.outer(unit, unit)
    outside = beyond[np.ix_(shared, shared)] * np.outer(unit, unit)
    try:
        lower = np.linalg.cholesky(curvature)
    except np.linalg.LinAlgError:
        names = [model.parameters[int(p)].name for p in shared]
        raise NotCertifiedError(
            "the Hessian of the background-only fit is not positive: some of the parameters "
            f"{few_places(names)} are degenerate; fix one of them"
        ) from None
    half = np.linalg.solve(lower, outside)
    share, vectors = np.linalg.eigh(np.linalg.solve(lower, half.T))
    if share[0] < -_FREE:
        worst = np.abs(np.linalg.solve(lower.T, vectors[:, 0]))
        name = model.parameters[int(shared[int(worst.argmax())])].name
        raise NotCertifiedError(
            "constraints and left-out channels are no parabola at the background-only fit: their "
            f"curvature is negative where {name!r} moves; keep all channels"
        )
    moves = unit[:, None] * np.linalg.solve(lower.T, vectors)
    bound = share > _FREE
    width = 1.0 / np.sqrt(share[bound])
    return moves[:, bound] * width, width, moves[:, ~bound]


def _slopes(
    function: Callable[[FloatArray], FloatArray],
    point: FloatArray,
    parameters: IndexArray,
    scale: FloatArray,
) -> FloatArray:
    """Central differences of a function of points. Shape [row, parameter]."""
    if len(parameters) == 0:
        return np.zeros((function(np.asarray(point)[None, :]).shape[1], 0))
    steps = _STEP * scale[parameters]
    moved = np.repeat(np.asarray(point, dtype=float)[None, :], 2 * len(parameters), axis=0)
    for k, p in enumerate(parameters):
        moved[2 * k, p] += steps[k]
        moved[2 * k + 1, p] -= steps[k]
    values = function(moved)
    slopes: FloatArray = ((values[0::2] - values[1::2]) / (2.0 * steps[:, None])).T
    return slopes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Shape:
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


def _shape(
    view: _View,
    parabola: _Parabola,
    point: FloatArray,
    *,
    moments: str,
    n_toys: int,
    seed: int,
) -> _Shape:
    """Background and signal at the centre, with their response to each direction."""
    scale, shared = parabola.scale, parabola.shared
    slopes = _slopes(view.backgrounds, point, shared, scale)
    signal_slopes = _slopes(view.signals_at, point, shared, scale)
    single_slopes = _slopes(view.backgrounds, point, parabola.single, scale)
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
    return _Shape(
        background=background,
        fitted=view.backgrounds(parabola.best[None, :])[0],
        factors=_ranges(view.model, parabola),
        scaled=_slopes(view.backgrounds, point, parabola.axes, scale)
        * parabola.best[parabola.axes],
        signal=np.where((signal < 0.0) & (at_best >= 0.0), 0.0, signal),
        moves=moves,
        signal_moves=signal_moves,
        free=slopes @ parabola.free,
        signal_free=np.hstack(
            [
                signal_slopes @ parabola.free,
                _slopes(view.signals_at, point, parabola.axes, scale) * scale[parabola.axes],
            ]
        ),
        bin_error=np.sqrt(np.where(alone, 0.0, gaussian + poisson)),
        counted=np.where(alone, single_slopes[:, parabola.counted] @ centres, 0.0),
        counted_error=np.sqrt(np.where(alone, poisson, 0.0)),
        drawn=drawn,
    )


def _ranges(model: HistFactoryModel, parabola: _Parabola) -> tuple[tuple[float, float], ...]:
    """Range of each free factor in units of its best fit, the smaller end first."""
    found = []
    for p in parabola.axes:
        ends = [model.parameters[p].lower, model.parameters[p].upper]
        low, high = sorted(end / float(parabola.best[p]) for end in ends)
        found.append((low, high))
    return tuple(found)


def _drawn_points(view: _View, parabola: _Parabola, *, n_toys: int, seed: int) -> FloatArray:
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
class _Reduced:
    """Eigen-nuisances: as few columns as move anything."""

    background: FloatArray  # [bin, eigen]
    signal: FloatArray  # [row, eigen]
    signal_only: FloatArray  # [row, further]
    directions: FloatArray  # [column, eigen] of the response, in the columns it came from
    free: FloatArray  # [bin, free]
    covariance: FloatArray
    lost: float


def _reduced(shape: _Shape) -> _Reduced:
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
    return _Reduced(
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
    vectors: FloatArray = rows[sizes > _NEGLIGIBLE].T
    # A sign that does not depend on the linear algebra library: the largest entry is positive.
    moved = columns @ vectors
    if moved.size:
        largest = moved[np.abs(moved).argmax(axis=0), np.arange(moved.shape[1])]
        vectors = vectors * np.where(largest < 0.0, -1.0, 1.0)
    return vectors, sizes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Quadratic:
    """Even terms of the response: what it adds at one standard deviation, up as well as down."""

    background: FloatArray  # [bin, eigen]
    signal: FloatArray  # [row, eigen]


def _quadratic(
    view: _View, parabola: _Parabola, shape: _Shape, reduced: _Reduced, *, moments: str
) -> _Quadratic:
    n = reduced.directions.shape[1]
    if moments == "toys" and shape.drawn is not None:
        y = reduced.directions * math.sqrt(len(shape.drawn) - 1)
        even = 0.5 * shape.drawn.T @ (y**2 - 1.0) / len(shape.drawn)
        return _Quadratic(background=even, signal=np.zeros((len(shape.signal), n)))
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
    return _Quadratic(background=terms[0], signal=terms[1])


def _third_moments(
    view: _View,
    parabola: _Parabola,
    reduced: _Reduced,
    quadratic: _Quadratic,
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


def _warnings(view: _View, shape: _Shape, reduced: _Reduced) -> tuple[str, ...]:
    """Where a Gaussian is doubtful, or something is not carried."""
    found = []
    error = np.sqrt(np.diag(reduced.covariance))
    negative = (shape.background <= 0.0) & (shape.bin_error > 0.0)
    if negative.any():
        raise NotCertifiedError(
            f"{_named(view, negative)}: the response takes the background to zero or below at the "
            "centre of the constraints, where a relative error has no meaning; try the quadratic "
            "response, or leave the channel out"
        )
    wide = error > _WIDE * np.maximum(shape.background, 0.0)
    wide &= error > 0.0
    if wide.any():
        found.append(
            f"{int(wide.sum())} bin(s) have an error above {_WIDE:.0%} of the background, where a "
            f"Gaussian is doubtful: {_named(view, wide)}"
        )
    empty = wide & (view.observed() == 0.0)
    if empty.any():
        found.append(f"{int(empty.sum())} of these have no events: {_named(view, empty)}")
    if view.left_out:
        counts = np.asarray(view.model.observation.counts)
        zero = [
            channel.name
            for channel in view.model.channels
            if channel.name in view.left_out and (counts[channel.start : channel.stop] == 0.0).any()
        ]
        if zero:
            found.append(
                "bins without events have no parabola, and these channels, which stand in the "
                f"covariance alone, have some: {few_places(zero)}"
            )
    norm = float(np.linalg.norm(shape.signal)) or 1.0
    lost = np.linalg.norm(shape.signal_free, axis=0) / norm
    if len(lost) and lost.max() > _NEGLIGIBLE:
        found.append(
            "the signal follows a free parameter of the background, by "
            f"{lost.max():.2g} of its size for a standard deviation: this is not carried"
        )
    return tuple(found)


def _named(view: _View, chosen: BoolArray) -> str:
    places = [f"channel {view.places[b][0]!r}, bin {view.places[b][1]}" for b in
              np.flatnonzero(chosen)]  # fmt: skip
    return few_places(places)


def _document(
    view: _View, shape: _Shape, reduced: _Reduced, quadratic: _Quadratic | None
) -> dict[str, JsonValue]:
    """The simplified likelihood as a workspace."""
    whole = view.workspace.document
    model = view.model
    poi = model.parameters[model.require_poi()].name
    stem = _free_stem({poi, *(sample for _, sample in view.signals)})
    observations = {one["name"]: one for one in whole["observations"]}
    base = shape.background - shape.counted - shape.scaled.sum(axis=1)
    base = np.where(np.abs(base) < _NOTHING * np.abs(shape.background), 0.0, base)
    even = np.zeros_like(reduced.background) if quadratic is None else quadratic.background
    if shape.drawn is not None:  # its mean is that of the toys, even terms included
        base = base - even.sum(axis=1)
    signal_even = np.zeros_like(reduced.signal) if quadratic is None else quadratic.signal
    channels = []
    for name in view.kept:
        at = np.array([b for b, place in enumerate(view.places) if place[0] == name])
        modifiers = _shifts(f"{stem}_eigen", base[at], reduced.background[at], even[at])
        if (shape.bin_error[at] > 0.0).any():
            modifiers.append(
                {
                    "name": f"{stem}_bins_{name}",
                    "type": "staterror",
                    "data": shape.bin_error[at].tolist(),
                }
            )
        samples = [{"name": stem, "data": base[at].tolist(), "modifiers": modifiers}]
        if (shape.counted_error[at] > 0.0).any():
            errors = shape.counted_error[at].tolist()
            samples.append(
                {
                    "name": f"{stem}_counted",
                    "data": shape.counted[at].tolist(),
                    "modifiers": [
                        {"name": f"{stem}_counts_{name}", "type": "shapesys", "data": errors}
                    ],
                }
            )
        for k, events in enumerate(np.hstack([shape.scaled, reduced.free])[at].T):
            if not np.any(events):
                continue
            free = f"{stem}_free_{k + 1}"
            factor: list[dict[str, JsonValue]] = [
                {"name": free, "type": "normfactor", "data": None}
            ]
            if k < shape.scaled.shape[1] and (shape.bin_error[at] > 0.0).any():
                none = [0.0] * len(at)  # the error of the sum stands in the first sample
                factor.append({"name": f"{stem}_bins_{name}", "type": "staterror", "data": none})
            samples.append({"name": free, "data": events.tolist(), "modifiers": factor})
        begin = 0
        for (channel, sample), (_, where) in zip(view.signals, view.owners, strict=True):
            rows = slice(begin, begin + len(where))
            begin += len(where)
            if channel != name:
                continue
            signal, only = shape.signal[rows], reduced.signal_only[rows]
            samples.append(
                {
                    "name": sample,
                    "data": signal.tolist(),
                    "modifiers": [
                        {"name": poi, "type": "normfactor", "data": None},
                        *_shifts(f"{stem}_eigen", signal, reduced.signal[rows], signal_even[rows]),
                        *_shifts(SIGNAL, signal, only, np.zeros_like(only)),
                    ],
                }
            )
        channels.append({"name": name, "samples": samples})
    settings = [
        *((1.0, low, high) for low, high in shape.factors),
        *((0.0, -_REACH, _REACH) for _ in range(reduced.free.shape[1])),
    ]
    parameters = [
        {"name": f"{stem}_free_{k + 1}", "inits": [start], "bounds": [[low, high]]}
        for k, (start, low, high) in enumerate(settings)
    ]
    ours = next(one for one in whole["measurements"] if one["name"] == model.measurement)
    parameters += [one for one in ours["config"]["parameters"] if one["name"] == poi]
    return {
        "channels": channels,
        "observations": [observations[name] for name in view.kept],
        "measurements": [
            {"name": model.measurement, "config": {"poi": poi, "parameters": parameters}}
        ],
        "version": whole["version"],
    }


def _free_stem(taken: set[str]) -> str:
    """A name for the background that begins no name of the signal, so that none is used twice.

    Raises
    ------
    OptionError
        The parameter of interest has a name of ours.
    """
    if any(name.startswith(f"{SIGNAL}_") for name in taken):
        raise OptionError(
            f"names that begin with {SIGNAL}_ are those of the result: rename the signal"
        )
    stem = BACKGROUND
    while any(name.startswith(stem) for name in taken):
        stem = f"total_{stem}"
    return stem


def _shifts(
    name: str, nominal: FloatArray, odd: FloatArray, even: FloatArray
) -> list[dict[str, JsonValue]]:
    """One histosys for each column that moves anything."""
    return [
        {
            "name": f"{name}_{k + 1}",
            "type": "histosys",
            "data": {
                "hi_data": (nominal + odd[:, k] + even[:, k]).tolist(),
                "lo_data": (nominal - odd[:, k] + even[:, k]).tolist(),
            },
        }
        for k in range(odd.shape[1])
        if np.any(odd[:, k]) or np.any(even[:, k])
    ]
