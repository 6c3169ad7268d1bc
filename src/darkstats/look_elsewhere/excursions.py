"""What lies above a few levels, toy by toy: crossings, Euler characteristics, occupancies.

One pass over a block of scans gives all that the asymptotic methods need, and all that is needed to
see whether they may be used.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from darkstats.arrays import FloatArray, IndexArray, frozen_floats, frozen_indices
from darkstats.errors import OptionError
from darkstats.inference.p_values import ToyCounts
from darkstats.look_elsewhere.field import ScanField
from darkstats.look_elsewhere.root_tallies import count_excursions

__all__ = ["DEFAULT_LEVELS", "THRESHOLDS", "ExcursionTally"]

#: Levels as local significances; u0 of the papers is their square.
DEFAULT_LEVELS = (0.0, 0.5, 1.0, 1.5)
#: Where the distribution of the roots is compared with the normal one: -3 to 5 in steps of 1/2.
THRESHOLDS = tuple(-3.0 + 0.5 * k for k in range(17))

_INTEGERS = (
    "sums",
    "products",
    "largest",
    "occupied",
    "occupied_squares",
    "exceedances",
    "changes",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExcursionTally:
    """Counts above levels and thresholds, summed over toys.

    All are integers; tallies are added with ``+``, and order and grouping change no bit. Toys with
    a failed point are left out, and counted.

    Parameters
    ----------
    digest, kind, n_points, euler
        Of the scan's geometry.
    levels
        Rising, not negative, in units of local significance. Shape [level].
    asked, ok
        Toys, and toys without a failed point.
    sums, products, largest
        Of the number N of up-crossings of each level (a line), or of the Euler characteristic N of
        the points above it (a plane): sum of N [level], sum of N N' [level, level], largest N.
    occupied, occupied_squares
        Number A of points above each of :data:`THRESHOLDS`: sums of A and A squared. Shape
        [threshold].
    exceedances
        Toys above each threshold, point by point. Shape [threshold, point].
    changes
        Toys in which the ends of an edge have different signs. Shape [edge].
    """

    digest: str
    kind: str
    n_points: int
    euler: int
    levels: FloatArray
    asked: int
    ok: int
    sums: IndexArray
    products: IndexArray
    largest: IndexArray
    occupied: IndexArray
    occupied_squares: IndexArray
    exceedances: IndexArray
    changes: IndexArray

    @classmethod
    def of(cls, field: ScanField, levels: Sequence[float] = DEFAULT_LEVELS) -> ExcursionTally:
        """Tally of one block of scans.

        Raises
        ------
        OptionError
            Levels do not rise, or are negative.
        """
        at = np.asarray(levels, dtype=np.float64)
        if at.ndim != 1 or not at.size or not np.isfinite(at).all() or at[0] < 0.0:
            raise OptionError(f"levels are local significances of at least 0, got {list(levels)}")
        if not (np.diff(at) > 0.0).all():
            raise OptionError(f"levels must rise, got {list(levels)}")
        geometry, n = field.geometry, field.n_toys
        counts = np.empty((n, len(at) + 1), dtype=np.int64)
        occupied = np.empty((n, len(THRESHOLDS) + 1), dtype=np.int64)
        exceedances = np.zeros((geometry.n_points, len(THRESHOLDS) + 1), dtype=np.int64)
        changes = np.zeros(len(geometry.edges), dtype=np.int64)
        count_excursions(
            field.roots,
            field.failed_points,
            geometry.edges,
            geometry.faces,
            geometry.counted,
            frozen_floats(at),
            THRESHOLDS[0],
            THRESHOLDS[1] - THRESHOLDS[0],
            np.empty(geometry.n_points, dtype=np.int64),
            counts,
            occupied,
            exceedances,
            changes,
        )
        counts, occupied = counts[:, 1:], occupied[:, 1:]
        return cls(
            digest=geometry.digest,
            kind=geometry.kind,
            n_points=geometry.n_points,
            euler=geometry.euler,
            levels=frozen_floats(at),
            asked=n,
            ok=n - field.n_failed,
            sums=frozen_indices(counts.sum(axis=0)),
            products=frozen_indices(counts.T @ counts, ndim=2),
            largest=frozen_indices(counts.max(axis=0)),
            occupied=frozen_indices(occupied.sum(axis=0)),
            occupied_squares=frozen_indices((occupied**2).sum(axis=0)),
            exceedances=frozen_indices(
                np.cumsum(exceedances[:, ::-1], axis=1)[:, ::-1][:, 1:].T, ndim=2
            ),
            changes=frozen_indices(changes),
        )

    def __add__(self, other: ExcursionTally) -> ExcursionTally:
        if self.digest != other.digest or not np.array_equal(self.levels, other.levels):
            raise OptionError("these toys belong to scans over other points, or to other levels")
        return ExcursionTally(
            digest=self.digest,
            kind=self.kind,
            n_points=self.n_points,
            euler=self.euler,
            levels=self.levels,
            asked=self.asked + other.asked,
            ok=self.ok + other.ok,
            sums=frozen_indices(self.sums + other.sums),
            products=frozen_indices(self.products + other.products, ndim=2),
            largest=frozen_indices(np.maximum(self.largest, other.largest)),
            occupied=frozen_indices(self.occupied + other.occupied),
            occupied_squares=frozen_indices(self.occupied_squares + other.occupied_squares),
            exceedances=frozen_indices(self.exceedances + other.exceedances, ndim=2),
            changes=frozen_indices(self.changes + other.changes),
        )

    def add(self, field: ScanField) -> ExcursionTally:
        """Return the tally with one more block."""
        return self + ExcursionTally.of(field, tuple(self.levels))

    @property
    def dimension(self) -> int:
        """1 for a line, 2 for a plane."""
        return 1 if self.kind == "line" else 2

    @property
    def toys(self) -> ToyCounts:
        """Toys asked for, certified at every point, failed."""
        return ToyCounts(asked=self.asked, ok=self.ok, failed=self.asked - self.ok)

    @property
    def means(self) -> FloatArray:
        """Mean number above each level, over certified toys. Shape [level]."""
        return np.asarray(self.sums / max(self.ok, 1))

    @property
    def covariance(self) -> FloatArray:
        """Covariance of :attr:`means`, from the scatter of the toys. Shape [level, level].

        Its diagonal holds the squares of the standard errors that a bootstrap over toys tends to
        with many replicas, times ok / (ok - 1). One scan alone has no scatter: its counts are taken
        as Poisson ones, which errs to the safe side, because crossings keep a distance.
        """
        if self.ok < 2:
            return np.diag(np.maximum(self.means, 1.0))
        scatter = self.products / self.ok - np.outer(self.means, self.means)
        return np.asarray(scatter / (self.ok - 1))

    def steps(self) -> FloatArray:
        """Distance between neighbours in units of the correlation length. Shape [edge].

        The correlation of a Gaussian field is exp(-s^2 / 2) at a small distance s in units of its
        correlation length, and the signs of two of its points differ with a probability of
        arccos(correlation) / pi (Sheppard). Infinite where neighbours are uncorrelated.
        """
        return _step_lengths(self.changes / max(self.ok, 1))

    def mean_step(self) -> float:
        """Return the same from all edges together, for few toys."""
        n = max(self.ok, 1) * max(len(self.changes), 1)
        return float(_step_lengths(np.array([self.changes.sum() / n]))[0])

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return what the tally holds as named arrays, for a file."""
        numbers = [self.n_points, self.euler, self.asked, self.ok]
        held = {name: getattr(self, name) for name in _INTEGERS}
        return {
            "digest": np.array(self.digest),
            "kind": np.array(self.kind),
            "numbers": np.array(numbers, dtype=np.int64),
            "levels": self.levels,
            **held,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[np.generic]]) -> ExcursionTally:
        """Return the tally that :meth:`arrays` came from."""
        numbers = [int(value) for value in np.asarray(arrays["numbers"]).tolist()]
        held = {name: np.asarray(arrays[name], dtype=np.int64) for name in _INTEGERS}
        return cls(
            digest=str(arrays["digest"]),
            kind=str(arrays["kind"]),
            n_points=numbers[0],
            euler=numbers[1],
            asked=numbers[2],
            ok=numbers[3],
            levels=frozen_floats(np.asarray(arrays["levels"], dtype=np.float64)),
            **{name: frozen_indices(value, ndim=value.ndim) for name, value in held.items()},
        )


def _step_lengths(changes: FloatArray) -> FloatArray:
    correlation = np.cos(math.pi * np.minimum(changes, 0.5))
    with np.errstate(divide="ignore"):
        return np.asarray(np.sqrt(-2.0 * np.log(np.clip(correlation, 0.0, 1.0))))
