"""What constraints and left-out channels say: a parabola at the background-only fit."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np

from darkstats.arrays import BoolArray, FloatArray, IndexArray
from darkstats.errors import NotCertifiedError, OptionError, UnknownNameError
from darkstats.fit import FitResult
from darkstats.model import HistFactoryModel, compile_workspace
from darkstats.model.base import few_places
from darkstats.workspace import Workspace

__all__ = ["NOTHING", "Parabola", "View", "parabola_of", "require_inside", "slopes_of"]

_STEP = 1e-3  # of a standard deviation, in finite differences: errors of a millionth
_FREE = 1e-4  # share of the information beyond the kept bins, below which a direction is free
NOTHING = 1e-9  # of the information in the kept bins: rounding
_FACTORS = frozenset({"normfactor", "shapefactor"})
_BIN_TYPES = frozenset({"staterror", "shapesys", "shapefactor"})
_MOST_BINS = 5000  # beyond, a covariance takes more than 200 MB


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class View:
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
    def of(cls, workspace: Workspace, model: HistFactoryModel, keep: Collection[str]) -> View:
        """The kept channels of a model; all for none.

        Raises
        ------
        OptionError
            The signal is not proportional to the parameter of interest, or nowhere in these
            channels; or they have too many bins.
        UnknownNameError
            There is no channel of this name.
        """
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


def require_inside(best: FitResult, model: HistFactoryModel) -> None:
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
class Parabola:
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


def _beyond_kept(view: View, best: FitResult) -> tuple[FloatArray, FloatArray]:
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


def parabola_of(view: View, best: FitResult) -> Parabola:
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
    return Parabola(
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
    coupled: BoolArray = np.abs(beyond[p, known]) * scale[p] * scale[known] > NOTHING
    return not bool(coupled.any())


def _single_bins(
    view: View, best: FitResult, free: Sequence[int], beyond: FloatArray, scale: FloatArray
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
    slopes = slopes_of(view.backgrounds, best.parameters, np.array(found), scale)
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


def slopes_of(
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
