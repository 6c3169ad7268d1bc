"""Random models that are positive in part of the parameter space only, against their own minima.

Zero wrong, and refused where there is no point at all.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from darkstats.errors import ImpossibleDataError
from darkstats.fit import fit
from feasible_models import Interference, NegativeBins


def random_interference(rng: np.random.Generator) -> Interference:
    """From 2 to 500 events; interference of either sign, from 1 to 1000 events."""
    n, slope = int(10 ** rng.uniform(0.3, 2.7)), rng.uniform(-3.0, 5.0)
    events = np.log1p(rng.uniform(size=n) * math.expm1(-slope)) / -slope
    return Interference(
        events=np.clip(events, 1e-9, 1.0 - 1e-9),
        peak=float(10 ** rng.uniform(-1.0, 1.5)),
        size=float(rng.choice([-1.0, 1.0]) * 10 ** rng.uniform(0.0, 3.0)),
        slopes=(float(rng.uniform(-3.0, 5.0)), float(slope)),
        most=float(10 ** rng.uniform(2.5, 5.0)),
        error=float(rng.choice([0.0, 0.1, 0.3])),
        mean=float(rng.uniform(0.2, 0.8)),
    )


def random_bins(rng: np.random.Generator) -> NegativeBins:
    """Up to 12 bins; templates of both signs whose sum with the background is positive at 1."""
    n = int(rng.integers(1, 12))
    background = 10 ** rng.uniform(0.0, 3.0, size=n)
    down = rng.choice([True, False], size=n)
    depth = -background * rng.uniform(0.01, 0.95, size=n)
    return NegativeBins(
        observed=np.maximum(rng.poisson(background), 1).astype(float),
        signal=np.where(down, depth, 10 ** rng.uniform(-1.0, 2.5, size=n)),
        background=background,
        most=float(10 ** rng.uniform(0.2, 3.0)),
        error=float(rng.choice([0.0, 0.1, 0.5])),
    )


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("kind", ["events", "bins"])
def test_conditional_minima_are_right_or_refused(kind: str, seed: int) -> None:
    """Whatever the sign and the size: the independent minimum, or no minimum at all."""
    rng = np.random.default_rng([seed, kind == "bins"])
    case = random_interference(rng) if kind == "events" else random_bins(rng)
    model = case.model()
    for mu in (0.0, 0.5, float(10 ** rng.uniform(-1.0, 1.3))):
        right = case.lowest(mu)
        if math.isinf(right):
            with pytest.raises(ImpossibleDataError, match="no point was found"):
                fit(model, model.observation, poi_value=mu)
        else:
            found = 0.5 * fit(model, model.observation, poi_value=mu).twice_nll
            assert found == pytest.approx(right, abs=1e-6, rel=1e-9)
