"""Toys of unbinned models with 0 to 10 events: how many fits are lost.

    PYTHONPATH=tests python -m tests.soak.low_counts [SEEDS] [TOYS]

Each model is fitted to data sets of 0 to 10 events; toys are thrown at the conditional fits of
several signal strengths, and fitted freely and conditionally as a limit does. Prints failed fits
of each model, and exits with 1 where more than one in a thousand failed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np

from darkstats.errors import FitFailedError
from darkstats.fit import FitOptions, fit, fit_batch
from darkstats.model.unbinned.model import UnbinnedModel
from low_count_models import MODELS as LOW_COUNTS
from unbinned_models import bernstein, bump, compiled, crystal_ball, plane

MOST_FAILED = 1e-3

MODELS = {
    **LOW_COUNTS,
    "bump": bump,
    "bernstein": bernstein,
    "plane": plane,
    "crystal ball": crystal_ball,
}


def cases(model: UnbinnedModel, seeds: int) -> Iterator[tuple[int, np.ndarray]]:
    """Data sets of 0 to 10 events thrown in the ranges, signal region and all."""
    for seed in range(seeds):
        rng = np.random.default_rng([seed, 77])
        for n in range(11):
            low, high = np.array(model.channels[0].ranges).T[:, :, None]
            x = low + (high - low) * rng.random((len(low), n))
            if n and rng.random() < 0.5:  # some in the middle, where the signals are
                x[:, : n // 2] = (low + 0.4 * (high - low)) * np.ones(n // 2)
            yield n, x


def lost(model: UnbinnedModel, seeds: int, n_toys: int) -> tuple[int, int, int]:
    """Toys, those with a fit that failed, and data sets whose own fit failed."""
    asked = failed = refused = 0
    options = FitOptions(threads=1)
    for n, x in cases(model, seeds):
        data = model.observe([x])
        for mu in (0.0, 0.3, 1.0, 3.0):
            try:
                point = fit(model, data, poi_value=mu, options=options).parameters
            except FitFailedError as error:
                sys.stdout.write(f"    {n} events, mu = {mu}: {error}\n")
                refused += 1
                continue
            rng = np.random.default_rng([n, int(10 * mu)])
            events, auxdata = model.throw(point, rng, n_toys)
            free = fit_batch(
                model, events, auxdata, start=point, poi_lower=0.0, poi_upper=np.inf,
                options=options,
            )  # fmt: skip
            good = free.converged
            for tested in {0.0, mu, 2.0 * mu + 1.0}:
                fixed = fit_batch(
                    model, events, auxdata, start=free.parameters, poi_values=tested,
                    options=options,
                )  # fmt: skip
                good = good & fixed.converged
            asked += n_toys
            failed += int(np.count_nonzero(~good))
    return asked, failed, refused


def main() -> int:
    """Count and say."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    n_toys = int(sys.argv[2]) if len(sys.argv) > 2 else 50
    chosen = sys.argv[3:] or list(MODELS)
    worst = 0.0
    for name in chosen:
        asked, failed, refused = lost(compiled(MODELS[name]()), seeds, n_toys)
        worst = max(worst, failed / asked)
        sys.stdout.write(
            f"{name:16} {asked} toys, {failed} lost ({failed / asked:.2g}), {refused} data sets\n"
        )
    return int(worst > MOST_FAILED)


if __name__ == "__main__":
    raise SystemExit(main())
