"""Fits that are made to fail: chosen lanes end without a certificate and leave nonsense behind."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

import darkstats.fit.batch as batches
from darkstats.fit import FitStatus
from darkstats.fit.lanes import Lanes
from darkstats.fit.slots import CODE_MAX_STEPS

if TYPE_CHECKING:
    import pytest

Choice = Callable[[int], npt.NDArray[np.bool_]]

#: What failed lanes say of their minimum: far below any, none, infinite, far above, exact zero.
NONSENSE = (-1e6, np.nan, np.inf, -np.inf, 1e6, 0.0)


class FailingFits:
    """Every batch asks ``choose`` which of its lanes fail; retries do not help them.

    Parameters
    ----------
    choose
        From the number of lanes to those that fail. Shape [lane].
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, choose: Choice) -> None:
        self.failed = self.lanes = 0
        run_kernel, climb = batches.run_kernel, batches.climb
        chosen = np.zeros(0, dtype=bool)

        def failing_kernel(*words: Any, **options: Any) -> Lanes:
            nonlocal chosen
            lanes = run_kernel(*words, **options)
            n = len(lanes.value)
            chosen = choose(n)
            self.lanes += n
            at = np.flatnonzero(chosen)
            lanes.value[at] = [NONSENSE[(self.failed + k) % len(NONSENSE)] for k in range(len(at))]
            lanes.parameters[at] = 3.0 * lanes.parameters[at] + 1.0
            lanes.report[at, 0] = CODE_MAX_STEPS
            self.failed += len(at)
            return lanes

        def no_help(*words: Any, status: npt.NDArray[np.int64], **options: Any) -> None:
            injected = np.where(chosen, status, FitStatus.CONVERGED)
            rest = np.where(chosen, FitStatus.CONVERGED, status)
            if (rest != FitStatus.CONVERGED).any():
                climb(*words, status=rest, **options)
            status[:] = np.where(chosen, injected, rest)

        monkeypatch.setattr(batches, "run_kernel", failing_kernel)
        monkeypatch.setattr(batches, "climb", no_help)


def at_random(probability: float, seed: int) -> Choice:
    """Each lane fails by itself."""
    rng = np.random.default_rng(seed)
    return lambda n: rng.random(n) < probability


def whole_batches(probability: float, seed: int) -> Choice:
    """All lanes of a batch fail together, or none."""
    rng = np.random.default_rng(seed)
    return lambda n: np.full(n, rng.random() < probability)


def from_batch(first: int) -> Choice:
    """Batches before number ``first`` go well, and everything after them fails."""
    batches_seen = itertools.count()
    return lambda n: np.full(n, next(batches_seen) >= first)


def every_lane(n: int) -> npt.NDArray[np.bool_]:
    """Nothing is ever certified."""
    return np.ones(n, dtype=bool)
