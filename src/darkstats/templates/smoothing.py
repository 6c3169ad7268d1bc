"""Smoothing of thin simulation with a Gaussian kernel on the density; totals are kept.

The width is in units of bins, so on a grid that follows the resolution it is a fixed number of
resolutions. What is smoothed is known to be smooth on that scale; peaks are not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray

__all__ = ["smoothed", "smoothing_kernel"]


def smoothing_kernel(edges: FloatArray, width_bins: float) -> FloatArray:
    """Share of the content of bin j that goes to bin i: each column sums to one.

    Parameters
    ----------
    edges
        Shape [bin + 1].
    width_bins
        Standard deviation in bins.

    Returns
    -------
    FloatArray
        Shape [bin, bin]. With variances v, those of the smoothed contents are ``kernel**2 @ v``.
    """
    index = np.arange(len(edges) - 1)
    kernel = np.exp(-0.5 * ((index[:, None] - index[None, :]) / width_bins) ** 2)
    kernel *= np.diff(edges)[:, None]
    return np.asarray(kernel / kernel.sum(axis=0))


def smoothed(
    counts: FloatArray, edges: FloatArray, width_bins: float, *, shape: FloatArray | None = None
) -> FloatArray:
    """Gaussian smoothing of the density in units of fine bins; the total is kept.

    Parameters
    ----------
    counts, edges
        Shapes [bin], [bin + 1].
    width_bins
        Standard deviation in bins.
    shape
        What the density is divided by while it is smoothed, above 0: features that are known and
        stay as sharp as they are. None: 1. Shape [bin].
    """
    reach = int(4 * width_bins) + 1
    offsets = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (offsets / width_bins) ** 2)
    widths = np.diff(edges) if shape is None else np.diff(edges) * shape
    part = slice(reach, reach + len(counts))
    inside = np.convolve(widths, kernel)[part]
    density = np.convolve(counts, kernel)[part] / inside
    smooth = density * widths
    total = smooth.sum()
    return np.asarray(smooth * (counts.sum() / total) if total > 0.0 else smooth)
