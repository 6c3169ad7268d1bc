"""Shapes from simulated events by expectation and maximisation: shares, and sums of Gaussians."""

from __future__ import annotations

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.errors import OptionError

__all__ = ["gaussian_sum", "mixture_shares"]


def mixture_shares(heights: FloatArray, weights: FloatArray, *, steps: int = 3000) -> FloatArray:
    """Shares of fixed densities in a weighted sample, by maximum likelihood; none is negative.

    Parameters
    ----------
    heights
        Normalised densities at the events. Shape [part, event].
    weights
        Shape [event], not negative.

    Returns
    -------
    FloatArray
        Shares that add up to one. Shape [part].

    Raises
    ------
    OptionError
        There is no weight.
    """
    total = float(weights.sum())
    if not total > 0.0:
        raise OptionError("shares of a mixture need at least one event")
    shares = np.full(len(heights), 1.0 / len(heights))
    for _ in range(steps):
        mixed = np.maximum(shares @ heights, 1e-300)
        following = shares * ((heights / mixed) @ weights) / total
        if np.abs(following - shares).max() < 1e-10:
            break
        shares = following
    return np.asarray(shares / shares.sum())


def gaussian_sum(
    points: FloatArray, weights: FloatArray, n_parts: int, *, steps: int = 400
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """A sum of Gaussians that follows a weighted sample, by maximum likelihood.

    It starts from one centre with widths that grow by factors of two: a core with tails.

    Parameters
    ----------
    points, weights
        Shapes [dim, event] and [event].
    n_parts
        Number of Gaussians.

    Returns
    -------
    tuple of FloatArray
        Shares [part], means [part, dim], covariances [part, dim, dim].

    Raises
    ------
    OptionError
        Fewer than ten effective events for each Gaussian.
    """
    effective = float(weights.sum()) ** 2 / max(float((weights**2).sum()), 1e-300)
    if effective < 10.0 * n_parts:
        raise OptionError(
            f"{effective:.0f} effective events are too few for a sum of {n_parts} Gaussians"
        )
    n_dims = len(points)
    centre = np.array([_median(row, weights) for row in points])
    away = points - centre[:, None]
    whole = (away * weights) @ away.T / weights.sum()
    means = np.repeat(centre[None, :], n_parts, axis=0)
    covariances = np.array([whole * 4.0 ** (k - n_parts + 1) for k in range(n_parts)])
    shares = np.full(n_parts, 1.0 / n_parts)
    floor = 1e-4 * np.diag(np.diag(whole))
    for _ in range(steps):
        heights = np.array(
            [
                share * _gaussian(points, mean, covariance)
                for share, mean, covariance in zip(shares, means, covariances, strict=True)
            ]
        )
        membership = heights / np.maximum(heights.sum(axis=0), 1e-300) * weights
        size = membership.sum(axis=1)
        following = size / size.sum()
        for k in range(n_parts):
            if size[k] > 0.0:
                means[k] = points @ membership[k] / size[k]
                offset = points - means[k][:, None]
                covariances[k] = (offset * membership[k]) @ offset.T / size[k] + floor
        if np.abs(following - shares).max() < 1e-7:
            break
        shares = following
    assert covariances.shape == (n_parts, n_dims, n_dims)
    return shares, means, covariances


def _median(values: FloatArray, weights: FloatArray) -> float:
    order = np.argsort(values)
    place = np.searchsorted(np.cumsum(weights[order]), 0.5 * weights.sum())
    return float(values[order[min(int(place), len(order) - 1)]])


def _gaussian(points: FloatArray, mean: FloatArray, covariance: FloatArray) -> FloatArray:
    away = points - mean[:, None]
    inverse = np.linalg.inv(covariance)
    exponent = -0.5 * np.einsum("ie,ij,je->e", away, inverse, away)
    norm = np.sqrt(np.linalg.det(2.0 * np.pi * covariance))
    return np.asarray(np.exp(exponent) / norm)
