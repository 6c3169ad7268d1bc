"""The distribution of the largest root of a scan, collected block by block in bounded memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from darkstats.arrays import FloatArray, IndexArray, frozen_floats, frozen_indices
from darkstats.errors import OptionError
from darkstats.inference.p_values import ToyCounts
from darkstats.inference.toys import TIE_TOLERANCE
from darkstats.look_elsewhere.field import ScanField

__all__ = ["EXACT_VALUES", "MaximaTally"]

#: Grid of the histogram: roots from -8 to 40 in steps of 1/1024.
LOWEST, STEPS_PER_UNIT, N_BINS = -8.0, 1024, 48 * 1024
#: Largest maxima that are kept as they are.
EXACT_VALUES = 4096


def _bin_of(values: npt.ArrayLike) -> IndexArray:
    scaled = np.floor((np.asarray(values, dtype=np.float64) - LOWEST) * STEPS_PER_UNIT)
    return np.clip(scaled, 0, N_BINS - 1).astype(np.int64)


def _histogram(values: FloatArray) -> IndexArray:
    return frozen_indices(np.bincount(_bin_of(values), minlength=N_BINS))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MaximaTally:
    """Largest roots of many toys: a fine histogram, and the largest of them exactly.

    Tallies are added with ``+``; sums are exact, so order and grouping change no bit.

    Parameters
    ----------
    digest
        Of the scan's geometry.
    asked, ok
        Toys, and toys without a failed point.
    histogram
        Maxima of certified toys on the fixed grid. Shape [bin].
    partial
        The same of toys with failed points: their maximum can only be larger. Shape [bin].
    top
        The largest maxima of certified toys, falling. Shape [at most 4096].
    """

    digest: str
    asked: int
    ok: int
    histogram: IndexArray
    partial: IndexArray
    top: FloatArray

    @classmethod
    def of(cls, field: ScanField) -> MaximaTally:
        """Tally of one block of scans."""
        return cls.of_maxima(field.geometry.digest, field.largest, field.failed_points)

    @classmethod
    def of_maxima(
        cls, digest: str, largest: npt.ArrayLike, failed_points: npt.ArrayLike
    ) -> MaximaTally:
        """Tally of scans whose largest roots are known already.

        Parameters
        ----------
        digest
            Of the scan's geometry.
        largest, failed_points
            Largest certified root, and number of failed points. Shape [toy].
        """
        values = np.asarray(largest, dtype=np.float64)
        good = np.asarray(failed_points) == 0
        if values.ndim != 1 or good.shape != values.shape or np.isnan(values).any():
            raise OptionError("need one largest root and one number of failed points for each toy")
        return cls(
            digest=digest,
            asked=len(values),
            ok=int(np.count_nonzero(good)),
            histogram=_histogram(values[good]),
            partial=_histogram(values[~good]),
            top=frozen_floats(np.sort(values[good])[::-1][:EXACT_VALUES]),
        )

    def __add__(self, other: MaximaTally) -> MaximaTally:
        if self.digest != other.digest:
            raise OptionError("these toys belong to scans over other points: they are not added")
        return MaximaTally(
            digest=self.digest,
            asked=self.asked + other.asked,
            ok=self.ok + other.ok,
            histogram=frozen_indices(self.histogram + other.histogram),
            partial=frozen_indices(self.partial + other.partial),
            top=frozen_floats(np.sort(np.concatenate([self.top, other.top]))[::-1][:EXACT_VALUES]),
        )

    def add(self, field: ScanField) -> MaximaTally:
        """Return the tally with one more block."""
        return self + MaximaTally.of(field)

    @property
    def toys(self) -> ToyCounts:
        """Toys asked for, certified at every point, failed."""
        return ToyCounts(asked=self.asked, ok=self.ok, failed=self.asked - self.ok)

    def above(self, root: float) -> int:
        """Certified toys whose largest root is at least ``root``, ties counted in.

        Exact among the 4096 largest; below, those in the bin of ``root`` count too, which raises
        the number by at most the toys within 1/1024.
        """
        edge = root - TIE_TOLERANCE * max(1.0, abs(root))
        if len(self.top) == self.ok or (len(self.top) and edge > self.top[-1]):
            return int(np.count_nonzero(self.top >= edge))
        return int(self.histogram[int(_bin_of(edge)) :].sum())

    def failed_above(self, root: float) -> int:
        """Toys with failed points that are above ``root`` all the same, at a certified point."""
        edge = int(_bin_of(root - TIE_TOLERANCE * max(1.0, abs(root)))) + 1
        return int(self.partial[edge:].sum())

    def threshold(self, p_global: float) -> float | None:
        """Smallest local significance (to 1/1024) that at most this fraction of toys reaches.

        None where fewer than 10 toys would lie above it.
        """
        if not 0.0 < p_global < 1.0:
            raise OptionError(f"a global p-value lies in (0, 1), got {p_global}")
        most = p_global * self.ok
        if most < 10.0:
            return None
        above = np.cumsum(self.histogram[::-1])[::-1]  # at or above the lower edge of each bin
        first = int(np.argmax(above <= most)) if above[-1] <= most else N_BINS
        return LOWEST + first / STEPS_PER_UNIT

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return what the tally holds as named arrays, for a file."""
        return {
            "digest": np.array(self.digest),
            "counts": np.array([self.asked, self.ok], dtype=np.int64),
            "histogram": self.histogram,
            "partial": self.partial,
            "top": self.top,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[np.generic]]) -> MaximaTally:
        """Return the tally that :meth:`arrays` came from."""
        asked, ok = (int(value) for value in np.asarray(arrays["counts"]).tolist())
        return cls(
            digest=str(arrays["digest"]),
            asked=asked,
            ok=ok,
            histogram=frozen_indices(np.asarray(arrays["histogram"], dtype=np.int64)),
            partial=frozen_indices(np.asarray(arrays["partial"], dtype=np.int64)),
            top=frozen_floats(np.asarray(arrays["top"], dtype=np.float64)),
        )
