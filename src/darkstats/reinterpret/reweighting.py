"""Simulated signal of one model as that of another: events weighted by the ratio of densities.

Events that were simulated with the density p stand for a density q with weights
``w = q(x) / p(x)``. They do so only where p covers q, and with as many events as count:

    n_eff = (sum w)^2 / sum w^2     (Kish, Survey Sampling, 1965).

Over events of p the mean of w is the part of q that p covers, 1 where it covers all: that is
tested.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from darkstats.arrays import FloatArray, frozen_floats
from darkstats.errors import OptionError

__all__ = ["Reweighted", "density_ratio", "reweight"]

_LEAST_EFFECTIVE = 100.0
_SIGMAS = 5.0  # of the mean weight from 1: a false alarm in 2 million
_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reweighted:
    """Events of another model.

    Parameters
    ----------
    weights
        Of the events, which were there before times the ratio of densities. Shape [event].
    n_events
        How many there are.
    effective
        How many of unit weight are worth as much.
    covered, covered_error
        Part of the density asked for that the simulated one covers, and its statistical error.
    """

    weights: FloatArray = field(repr=False)
    n_events: int
    effective: float
    covered: float
    covered_error: float

    def histogram(
        self, values: FloatArray, edges: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Yields of the events in bins, their statistical errors, and effective events.

        Parameters
        ----------
        values
            Of the events. Shape [event].
        edges
            Of the bins, rising; the last bin has its upper edge. Shape [bin + 1].

        Returns
        -------
        tuple of arrays
            Sum of weights, root of the sum of their squares, and n_eff, which is zero in an empty
            bin. Shape [bin] each.

        Raises
        ------
        OptionError
            There is not one value for each event.
        """
        if values.shape != self.weights.shape:
            raise OptionError(f"{len(values)} values of {len(self.weights)} events")
        sums, _ = np.histogram(values, bins=edges, weights=self.weights)
        squares, _ = np.histogram(values, bins=edges, weights=self.weights**2)
        some = squares > 0.0
        effective = np.where(some, sums**2 / np.where(some, squares, 1.0), 0.0)
        return np.asarray(sums), np.sqrt(squares), effective


def reweight(
    ratio: FloatArray,
    weights: FloatArray | None = None,
    *,
    least_effective: float = _LEAST_EFFECTIVE,
) -> Reweighted:
    """Weight events by the ratio of densities.

    Parameters
    ----------
    ratio
        q(x) / p(x) at each event, both normalised to 1 before any selection. Shape [event].
    weights
        Weights that the events have already; 1 for each where there are none. Shape [event].
    least_effective
        Fewer effective events than this are refused.

    Raises
    ------
    OptionError
        A ratio or a weight is none; the simulated events do not cover the density asked for; or
        too few of them count.

    Examples
    --------
    >>> times = np.random.default_rng(1).exponential(1.0, 10000)
    >>> shorter = reweight(2.0 * np.exp(-times))  # a lifetime of 1/2 instead of 1
    >>> 0.7 < shorter.effective / 10000 < 0.8  # 3/4 on average
    True
    """
    before = np.ones(len(ratio)) if weights is None else np.asarray(weights, dtype=float)
    found = np.asarray(ratio, dtype=float)
    if found.ndim != 1 or before.shape != found.shape or len(found) == 0:
        raise OptionError(f"{found.shape} ratios and {before.shape} weights: one for each event")
    for name, values in (("ratio of densities", found), ("weight", before)):
        bad = np.flatnonzero(~(np.isfinite(values) & (values >= 0.0)))
        if len(bad):
            raise OptionError(
                f"the {name} of event {bad[0]} is {values[bad[0]]:g}, which is none"
                + (f" (and of {len(bad) - 1} more)" if len(bad) > 1 else "")
                + ": where the simulated density is zero there are no events"
            )
    total = float(before.sum())
    if total == 0.0:
        raise OptionError("all events have weight zero")
    covered = float((before * found).sum()) / total
    error = math.sqrt(float((before**2 * (found - covered) ** 2).sum())) / total
    after = before * found
    squares = float((after**2).sum())
    effective = float(after.sum()) ** 2 / squares if squares > 0.0 else 0.0
    if abs(covered - 1.0) > _SIGMAS * error + 1e-9:
        raise OptionError(
            f"the simulated events stand for {covered:.4g} ± {error:.2g} of the density asked for, "
            "not for all of it: simulate where it lies, or normalise both densities to 1"
        )
    if effective < least_effective:
        raise OptionError(
            f"{len(found)} events count as {effective:.3g}, fewer than {least_effective:g}: their "
            "density lies elsewhere; simulate more, or nearer to what is asked for"
        )
    return Reweighted(
        weights=frozen_floats(after, ndim=1), n_events=len(found), effective=effective,
        covered=covered, covered_error=error,
    )  # fmt: skip


def density_ratio(
    values: FloatArray, edges: FloatArray, simulated: FloatArray, wanted: FloatArray
) -> FloatArray:
    """Ratio of two densities that are histograms, at each event.

    Parameters
    ----------
    values
        Of the events. Shape [event].
    edges
        Of the bins, rising; they hold all events. Shape [bin + 1].
    simulated, wanted
        Contents of the bins, of the density that was simulated and of the one asked for, of any
        normalisation. Shape [bin] each.

    Raises
    ------
    OptionError
        Contents that are none, an event outside of the bins, or a bin that is asked for and was
        not simulated: it is named.
    """
    if len(edges) < 2 or not (np.diff(edges) > 0.0).all():
        raise OptionError("edges of bins rise")
    if simulated.shape != wanted.shape or simulated.shape != (len(edges) - 1,):
        raise OptionError(
            f"{len(simulated)} simulated and {len(wanted)} wanted contents of {len(edges) - 1} bins"
        )
    for contents in (simulated, wanted):
        if not (np.isfinite(contents) & (contents >= 0.0)).all() or not contents.sum() > 0.0:
            raise OptionError("contents of bins are numbers, zero or above, and not all zero")
    missing = np.flatnonzero((wanted > 0.0) & (simulated == 0.0))
    if len(missing):
        part = float(wanted[missing].sum() / wanted.sum())
        bins = ", ".join(f"{edges[k]:g} to {edges[k + 1]:g}" for k in missing[:_NAMED])
        raise OptionError(
            f"nothing was simulated in bins that hold {part:.3g} of the density asked for: {bins}"
            + (f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else "")
        )
    place = np.searchsorted(edges, values, side="right") - 1
    place = np.where(values == edges[-1], len(edges) - 2, place)
    outside = np.flatnonzero((place < 0) | (place > len(edges) - 2) | np.isnan(values))
    if len(outside):
        raise OptionError(
            f"event {outside[0]} lies at {values[outside[0]]:g}, outside of the bins from "
            f"{edges[0]:g} to {edges[-1]:g} (and {len(outside) - 1} more)"
        )
    some = simulated > 0.0
    shares = np.where(some, wanted / wanted.sum() / np.where(some, simulated, 1.0), np.nan)
    return np.asarray((shares * simulated.sum())[place])
