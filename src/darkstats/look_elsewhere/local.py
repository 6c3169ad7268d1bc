"""Local p-values of the windows of a scan, counted in toys of the whole spectrum.

The asymptotic local p-value knows a window alone: that its background model is right and its counts
are large. Toys of the spectrum know neither. The trials factor is the global p-value over the local
one, and means something only where both come from the same background.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from darkstats.arrays import FloatArray, IndexArray, frozen_floats, frozen_indices
from darkstats.errors import OptionError
from darkstats.inference.p_values import PValue
from darkstats.inference.toys import TIE_TOLERANCE
from darkstats.look_elsewhere.field import ScanField
from darkstats.look_elsewhere.result import GlobalSignificance

__all__ = ["LocalPValue", "LocalTally", "with_local"]

_CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalPValue:
    """Local p-value of one window from toys of the spectrum.

    Parameters
    ----------
    above, certified, asked
        Toys whose root in the window is at least the observed one; with a certified root there;
        thrown.
    value
        With its binomial error, and the range if every failed fit had gone one way; ``None`` where
        no toy is as extreme.
    below
        Upper bound at 95 % confidence where ``value`` is ``None``.
    """

    above: int
    certified: int
    asked: int
    value: PValue | None
    below: float | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LocalTally:
    """Toys that exceed the observed local significance, window by window.

    All counts are integers; tallies are added with ``+``, and order and grouping change no bit.

    Parameters
    ----------
    digest
        Of the scan's geometry.
    observed
        Observed local significances, at least 0; ``nan`` where there is none. Shape [point].
    asked
        Toys.
    certified, above
        Toys with a certified root in a window, and those whose root is at least the observed one,
        ties counted in. Shape [point].
    """

    digest: str
    observed: FloatArray
    asked: int
    certified: IndexArray
    above: IndexArray

    @classmethod
    def of(cls, field: ScanField, observed: npt.ArrayLike) -> LocalTally:
        """Tally of one block of scans.

        Raises
        ------
        OptionError
            There is not one observed significance for each point.
        """
        at = np.asarray(observed, dtype=np.float64)
        if at.shape != (field.geometry.n_points,):
            raise OptionError(
                f"need one observed significance for each of {field.geometry.n_points} points, "
                f"got {at.shape}"
            )
        good = np.isfinite(field.roots)
        edge = at - TIE_TOLERANCE * np.maximum(1.0, np.abs(at))
        with np.errstate(invalid="ignore"):  # nan compares as not above: nothing was observed
            above = good & (field.roots >= edge)
        return cls(
            digest=field.geometry.digest,
            observed=frozen_floats(at),
            asked=field.n_toys,
            certified=frozen_indices(good.sum(axis=0)),
            above=frozen_indices(above.sum(axis=0)),
        )

    def __add__(self, other: LocalTally) -> LocalTally:
        same = np.array_equal(self.observed, other.observed, equal_nan=True)
        if self.digest != other.digest or not same:
            raise OptionError("these toys were compared with other data: they are not added")
        return LocalTally(
            digest=self.digest,
            observed=self.observed,
            asked=self.asked + other.asked,
            certified=frozen_indices(self.certified + other.certified),
            above=frozen_indices(self.above + other.above),
        )

    def at(self, point: int) -> LocalPValue | None:
        """Local p-value of one window; None where nothing was observed, or no toy certified."""
        above, n = int(self.above[point]), int(self.certified[point])
        if not np.isfinite(self.observed[point]) or n == 0:
            return None
        failed = self.asked - n
        if above == 0:
            bound = 1.0 - (1.0 - _CONFIDENCE) ** (1.0 / n)
            below = (bound * n + failed) / self.asked
            return LocalPValue(above=0, certified=n, asked=self.asked, value=None, below=below)
        share = above / n
        # Where all are above, the error is that of one toy: never an error of zero.
        smoothed = share if above < n else (n + 1) / (n + 2)
        value = PValue(
            value=share,
            error=math.sqrt(smoothed * (1.0 - smoothed) / n),
            low=above / self.asked,
            high=(above + failed) / self.asked,
        )
        return LocalPValue(above=above, certified=n, asked=self.asked, value=value, below=None)

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return what the tally holds as named arrays, for a file."""
        return {
            "digest": np.array(self.digest),
            "observed": self.observed,
            "asked": np.array([self.asked], dtype=np.int64),
            "certified": self.certified,
            "above": self.above,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[np.generic]]) -> LocalTally:
        """Return the tally that :meth:`arrays` came from."""
        return cls(
            digest=str(arrays["digest"]),
            observed=frozen_floats(np.asarray(arrays["observed"], dtype=np.float64)),
            asked=int(np.asarray(arrays["asked"]).tolist()[0]),
            certified=frozen_indices(np.asarray(arrays["certified"], dtype=np.int64)),
            above=frozen_indices(np.asarray(arrays["above"], dtype=np.int64)),
        )


def with_local(result: GlobalSignificance, local: LocalPValue | None) -> GlobalSignificance:
    """Return a result whose trials factor rests on the local p-value of the toys.

    Toys that exceed in the window are among those that exceed anywhere: the relative variance of
    the ratio of the two counts is 1/local - 1/global. Other methods do not share the toys. Where
    one of the two is a bound, so is the factor: from above where no toy is as extreme anywhere,
    from below where none is in the window.

    Parameters
    ----------
    result
        Of any method.
    local
        Of the window of the largest excess; without it there is no trials factor.
    """
    none = replace(result, trials_factor=None, trials_factor_error=None, effective_trials=None)
    if local is None:
        return none
    p, q = result.p_global, local.value
    if p is None or q is None:
        if p is None and q is not None and result.p_global_below is not None:
            return replace(none, trials_factor_below=result.p_global_below / q.value)
        if p is not None and local.below is not None:
            return replace(none, trials_factor_above=p.value / local.below)
        return none
    factor = p.value / q.value
    if result.method == "toys" and not result.extrapolated and p.value > 0.0:
        anywhere = p.value * local.certified
        variance = max(1.0 / local.above - 1.0 / anywhere, 0.0)
    else:
        variance = (p.error / p.value) ** 2 + (q.error / q.value) ** 2
    trials = None
    if q.value < 1.0 and p.value < 1.0:
        trials = math.log1p(-p.value) / math.log1p(-q.value)
    return replace(
        none,
        trials_factor=factor,
        trials_factor_error=factor * math.sqrt(variance),
        effective_trials=trials,
    )
