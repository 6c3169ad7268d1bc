"""The construction of Feldman and Cousins on a plain grid, as their paper describes it.

It shares nothing with ``darkstats.inference``: probabilities come from ``scipy.stats``, outcomes
are added one at a time, and the ends are points of the grid, nothing is refined.

``python -m tests.peers.feldman_cousins_grid`` prints the 90 % intervals for up to four events and
the published backgrounds (minutes).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
from numba import njit
from scipy.stats import poisson

LARGEST = 60  # outcomes considered: beyond any that means up to 20 make likely

# Feldman and Cousins, Phys. Rev. D 57 (1998) 3873, table IV: 90 % CL, events against background.
BACKGROUNDS = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0)
TABLE_IV = {
    0: "0,2.44 0,1.94 0,1.61 0,1.33 0,1.26 0,1.18 0,1.08 0,1.06 0,1.01 0,0.98",
    1: "0.11,4.36 0,3.86 0,3.36 0,2.91 0,2.53 0,2.19 0,1.88 0,1.59 0,1.39 0,1.22",
    2: "0.53,5.91 0.03,5.41 0,4.91 0,4.41 0,3.91 0,3.45 0,3.04 0,2.67 0,2.33 0,1.73",
    3: "1.10,7.42 0.60,6.92 0.10,6.42 0,5.92 0,5.42 0,4.92 0,4.42 0,3.95 0,3.53 0,2.78",
    4: "1.47,8.60 1.17,8.10 0.74,7.60 0.24,7.10 0,6.60 0,6.10 0,5.60 0,5.10 0,4.60 0,3.60",
}


def published(n: int, background: float) -> tuple[float, float]:
    """Interval of table IV as printed: two decimals."""
    lower, upper = TABLE_IV[n].split()[BACKGROUNDS.index(background)].split(",")
    return float(lower), float(upper)


@njit
def _hulls(
    probability: np.ndarray, best: np.ndarray, grid: np.ndarray, cl: float, n_max: int
) -> np.ndarray:
    hulls = np.full((n_max + 1, 2), np.nan)
    for i in range(len(grid)):
        taken = np.zeros(len(best), dtype=np.bool_)
        total = 0.0
        while total < cl:
            chosen, largest = -1, -1.0
            for n in range(len(best)):
                ratio = probability[i, n] / best[n]
                if not taken[n] and ratio > largest:
                    chosen, largest = n, ratio
            taken[chosen] = True
            total += probability[i, chosen]
        for n in range(n_max + 1):
            if taken[n]:
                hulls[n, 1] = grid[i]
                if np.isnan(hulls[n, 0]):
                    hulls[n, 0] = grid[i]
    return hulls


def plain(background: float, *, n_max: int, top: float, cl: float, step: float) -> np.ndarray:
    """Hull of the accepted signals on the grid, without raising; shape [n, end]."""
    grid = np.arange(0.0, top, step)
    outcomes = np.arange(LARGEST)
    probability = poisson.pmf(outcomes, grid[:, np.newaxis] + background)
    best = poisson.pmf(outcomes, np.maximum(outcomes, background))
    return _hulls(probability, best, grid, cl, n_max)


def raised(
    backgrounds: Sequence[float],
    *,
    n_max: int,
    top: float,
    cl: float = 0.90,
    step: float = 0.005,
    background_step: float = 0.001,
    beyond: float = 3.0,
) -> np.ndarray:
    """Intervals whose upper ends are the largest at this or any higher background.

    Higher backgrounds are scanned to ``beyond`` above the largest one. Shape
    [background, n, end].
    """
    count = round((max(backgrounds) + beyond) / background_step) + 1
    scan = np.arange(count) * background_step
    hulls = np.array([plain(b, n_max=n_max, top=top, cl=cl, step=step) for b in scan])
    upper = np.maximum.accumulate(hulls[::-1, :, 1], axis=0)[::-1]
    places = [round(b / background_step) for b in backgrounds]
    return np.stack([hulls[places, :, 0], upper[places]], axis=-1)


def main() -> int:
    """Print the table beside the published one; 1 if an entry differs after rounding."""
    found = raised(BACKGROUNDS, n_max=max(TABLE_IV), top=10.0)
    worst = 0.0
    for n in TABLE_IV:
        for i, b in enumerate(BACKGROUNDS):
            difference = np.abs(found[i, n] - published(n, b)).max()
            worst = max(worst, float(difference))
            sys.stdout.write(
                f"n = {n}, b = {b}: {found[i, n, 0]:.3f} {found[i, n, 1]:.3f}, "
                f"published {published(n, b)}\n"
            )
    sys.stdout.write(f"largest difference {worst:.4f}\n")
    return int(worst > 0.0101)


if __name__ == "__main__":
    sys.exit(main())
