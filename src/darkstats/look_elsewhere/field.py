"""Signed roots of the test statistic over a scan, for many toys: the random field.

A signed root is sign(mu-hat) sqrt(t0): positive for an excess, and its square is q0 there.  Under
the background alone it is asymptotically standard normal at every hypothesis (arXiv:1007.1727, eq.
52); how the hypotheses hang together is what the look-elsewhere effect is about.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from darkstats.arrays import FloatArray, IndexArray
from darkstats.errors import OptionError
from darkstats.look_elsewhere.geometry import ScanGeometry
from darkstats.look_elsewhere.root_tallies import scan_maxima

__all__ = ["ScanField", "signed_roots"]


def signed_roots(
    mu_hat: npt.ArrayLike, fixed: npt.ArrayLike, free: npt.ArrayLike, converged: npt.ArrayLike
) -> FloatArray:
    """Signed roots of fits, NaN where one of the two was not certified.

    Parameters
    ----------
    mu_hat
        Best-fit signal strength.
    fixed, free
        Twice the negative log-likelihood at zero signal and at the best fit.
    converged
        Whether both fits are certified. All broadcast against each other.

    Examples
    --------
    >>> signed_roots([2.0, -1.0, 3.0], [14.0, 11.0, 9.0], 10.0, True).tolist()
    [2.0, -1.0, 0.0]
    """
    ratio = np.maximum(np.asarray(fixed, dtype=np.float64) - np.asarray(free), 0.0)
    return np.where(converged, np.copysign(np.sqrt(ratio), mu_hat), np.nan) + 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScanField:
    """A block of scans.

    Parameters
    ----------
    geometry
        Where the hypotheses lie.
    roots
        Signed roots; NaN where a fit failed. Shape [toy, point].
    largest
        Largest root of each toy among its certified points, -1e300 if there is none. Shape [toy].
    failed_points
        Points without a certified root. Shape [toy].
    """

    geometry: ScanGeometry
    roots: FloatArray
    largest: FloatArray
    failed_points: IndexArray

    @classmethod
    def of(cls, geometry: ScanGeometry, roots: npt.ArrayLike) -> ScanField:
        """Check the roots, and look for the largest of each toy.

        Parameters
        ----------
        geometry
            Where the hypotheses lie.
        roots
            Signed roots [toy, point], or [point] for the observed scan.

        Raises
        ------
        OptionError
            The number of points is another one, or no toy is there.
        """
        array = np.ascontiguousarray(np.atleast_2d(np.asarray(roots, dtype=np.float64)))
        if array.ndim != 2 or array.shape[1] != geometry.n_points or not len(array):
            raise OptionError(
                f"need roots [toy, {geometry.n_points}] of at least one toy, got {array.shape}"
            )
        view = array.view()
        view.flags.writeable = False  # kernels are compiled for read-only arrays
        largest = np.empty(len(view))
        failed = np.empty(len(view), dtype=np.int64)
        scan_maxima(view, largest, failed)
        largest.flags.writeable = failed.flags.writeable = False
        return cls(geometry=geometry, roots=view, largest=largest, failed_points=failed)

    @property
    def n_toys(self) -> int:
        """Number of scans."""
        return len(self.roots)

    @property
    def n_failed(self) -> int:
        """Number of scans with at least one failed point."""
        return int(np.count_nonzero(self.failed_points))
