"""Responses of a scan to fluctuations of single fine bins: what the covariance method rests on."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import OptionError
from darkstats.fit import FitOptions, fit_batch
from darkstats.look_elsewhere.field import signed_roots

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray
    from darkstats.look_elsewhere.window_spectrum import SpectrumContext
    from darkstats.model import HistFactoryModel

__all__ = ["Responses", "responses_of"]

_MOST_ENTRIES = 20_000_000
_OPTIONS = FitOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class Responses:
    """Change of each root when one source fluctuates up by its standard deviation.

    Parameters
    ----------
    values
        Fine bins first, then nuisance parameters. Shape [source, point].
    expected
        Expected events of the fine bins; infinity for nuisance parameters. Shape [source].
    """

    values: FloatArray = field(repr=False)
    expected: FloatArray = field(repr=False)


def responses_of(scan: SpectrumContext) -> Responses:
    """Fit every window with each of its fine bins raised, and with each auxiliary datum raised.

    Raises
    ------
    OptionError
        There are too many fine bins and points, or a fit failed.
    """
    extra = scan.spectrum.expected.copy()
    outer_of: dict[int, int] = {}
    for whole, part in scan.spectrum.nested:
        extra[whole] = np.maximum(extra[whole] - scan.spectrum.expected[part], 0.0)
        for inner in range(part.start, part.stop):
            outer_of[inner] = inner - part.start + whole.start
    names = sorted(
        {
            p.name
            for model in scan.models
            for p in model.parameters
            if p.constrained and "staterror" not in p.modifier_types
        }
    )
    n_fine, n_points = len(extra), len(scan.names)
    if (n_fine + len(names)) * n_points > _MOST_ENTRIES:
        raise OptionError(
            f"{n_fine} fine bins and {n_points} points are too many for responses of each to each"
        )
    values = np.zeros((n_fine + len(names), n_points))
    sources_of = {bin_: [bin_] for bin_ in range(n_fine)}
    for inner, outer in outer_of.items():
        sources_of[outer].append(inner)
    for k, (name, model) in enumerate(zip(scan.names, scan.models, strict=True)):
        fill = scan.map.window(name)
        place = np.repeat(np.arange(fill.n_bins), np.diff(fill.begin))
        raised = [
            (source, int(bin_), math.sqrt(extra[source]))
            for fine, bin_ in zip(fill.bins, place, strict=True)
            for source in sources_of[int(fine)]
            if extra[source] > 0.0
        ]
        shared = [
            (n_fine + names.index(p.name), i)
            for i, p in enumerate(model.parameters)
            if p.name in names
        ]
        rows = np.array([source for source, *_ in (*raised, *shared)], dtype=np.int64)
        changes = _window(model, fill.gather(scan.spectrum.expected), raised, shared)
        np.add.at(values[:, k], rows, changes)
    used = np.abs(values).max(axis=1) > 0.0
    expected = np.concatenate([extra, np.full(len(names), math.inf)])
    return Responses(values=values[used], expected=expected[used])


def _window(
    model: HistFactoryModel,
    counts: FloatArray,
    raised: list[tuple[int, int, float]],
    shared: list[tuple[int, int]],
) -> FloatArray:
    """Change of the root of one window for each raised bin and auxiliary datum. Shape [source]."""
    n = 1 + len(raised) + len(shared)
    data = np.repeat(counts[np.newaxis], n, axis=0)
    auxdata = np.repeat(model.observation.auxdata[np.newaxis], n, axis=0)
    for lane, (_, bin_, change) in enumerate(raised, start=1):
        data[lane, bin_] += change
    for lane, (_, index) in enumerate(shared, start=1 + len(raised)):
        parameter = model.parameters[index]
        poisson = parameter.constraint == "poisson"
        auxdata[lane, index] += (
            math.sqrt(max(parameter.auxdata, 0.0)) if poisson else parameter.width
        )
    null = fit_batch(model, data, auxdata, poi_values=0.0, options=_OPTIONS)
    free = fit_batch(
        model,
        data,
        auxdata,
        start=null.ends,
        poi_lower=-math.inf,
        poi_upper=math.inf,
        options=_OPTIONS,
    )
    roots = signed_roots(
        free.parameters[:, model.require_poi()],
        null.twice_nll,
        free.twice_nll,
        null.converged & free.converged,
    )
    if np.isnan(roots).any():
        raise OptionError("a fit of the responses failed: the covariance is not known")
    return np.asarray(roots[1:] - roots[0])
