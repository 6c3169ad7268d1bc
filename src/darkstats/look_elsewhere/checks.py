"""Whether the conditions of the asymptotic methods hold, and if not, why, in words.

A departure counts if it is both significant and large enough to move the global p-value: with a
million toys every field departs from the normal one significantly.
"""

from __future__ import annotations

import math

import numpy as np

from darkstats.gaussian import survival
from darkstats.look_elsewhere.excursions import THRESHOLDS, ExcursionTally
from darkstats.look_elsewhere.level_law import LevelLaw

__all__ = [
    "coarse_grid",
    "failed_toys",
    "few_excursions",
    "marginal_notes",
    "not_normal",
    "unlike_the_law",
    "unsuited_levels",
]

MOST_FAILED = 0.01  # of the toys
LARGEST_STEP = 0.5  # in correlation lengths
MOST_COARSE = 0.1  # of the edges
HIGHEST_LEVEL = 2.0
LEAST_CROSSINGS = 100  # of the lowest level, over all toys
LEAST_CROSSINGS_ALONE = 25  # in the observed scan alone
LARGEST_ERROR = 0.2  # relative, of the global p-value
TOLERANCE = 0.25  # relative, of a tail probability or an extrapolation
LARGEST_DISTANCE = 0.08  # between the distribution function of a root and the normal one
MOST_ODD_POINTS = 0.05
LEAST_TOYS_PER_POINT = 200
SIGNIFICANT = 3.0  # standard errors


def failed_toys(tally: ExcursionTally) -> list[str]:
    """Too many toys with a failed fit."""
    failed = tally.asked - tally.ok
    if failed <= MOST_FAILED * tally.asked:
        return []
    return [
        f"{failed} of {tally.asked} toys have a failed fit, more than {100 * MOST_FAILED:g} %: "
        "what they would have shown is not known"
    ]


def coarse_grid(tally: ExcursionTally) -> list[str]:
    """Points too far apart to see the crossings between them."""
    if tally.ok < LEAST_TOYS_PER_POINT:
        step = tally.mean_step()
        if step <= LARGEST_STEP:
            return []
        return [_coarse(f"the mean step is {step:.2g} correlation lengths")]
    share = tally.changes / tally.ok
    least = np.maximum(share - SIGNIFICANT * np.sqrt(share * (1.0 - share) / tally.ok), 0.0)
    steps = tally.steps()
    with np.errstate(divide="ignore"):
        certain = np.sqrt(-2.0 * np.log(np.cos(math.pi * np.minimum(least, 0.4999))))
    coarse = int(np.count_nonzero(certain > LARGEST_STEP))
    if coarse <= MOST_COARSE * len(steps):
        return []
    return [
        _coarse(
            f"{coarse} of {len(steps)} steps exceed {LARGEST_STEP} of the correlation length "
            f"(median {np.median(steps):.2g})"
        )
    ]


def _coarse(finding: str) -> str:
    return f"the grid is too coarse: {finding}; use finer points, or toys"


def unsuited_levels(tally: ExcursionTally, z_local: float) -> list[str]:
    """Levels that lie too high, or above the observed significance."""
    found = []
    top = float(tally.levels[-1])
    if top > HIGHEST_LEVEL:
        found.append(
            f"a level of {top:g} is too high: count at 0 to {HIGHEST_LEVEL:g}, where crossings are "
            "frequent"
        )
    if top >= z_local:
        found.append(
            f"the levels reach {top:g}, the largest local significance is only {z_local:.3g}: "
            "there is nothing to follow upwards"
        )
    return found


def few_excursions(tally: ExcursionTally, law: LevelLaw | None, z_local: float) -> list[str]:
    """Too few counts to fix the law."""
    if law is None:
        return [f"the counts of {tally.ok} toys do not determine the law of the levels"]
    found = []
    if tally.dimension == 1:
        crossings, least = int(tally.sums[0]), LEAST_CROSSINGS
        if tally.asked == 1:
            least = LEAST_CROSSINGS_ALONE
        if crossings < least:
            found.append(
                f"only {crossings} up-crossings of the level {tally.levels[0]:g} were counted, "
                f"{least} are needed: more toys, or a lower level"
            )
    elif tally.asked == 1:
        found.append("one scan alone does not determine the two coefficients of a plane")
    p, error = law.p_global(z_local), law.error_at(z_local)
    if error > LARGEST_ERROR * p and not found:
        found.append(
            f"the counts fix the global p-value to {100 * error / p:.0f} % only: more toys"
        )
    return found


def unlike_the_law(law: LevelLaw | None, z_local: float) -> list[str]:
    """Levels that contradict each other by as much as matters."""
    if law is None or law.p_value is None or law.upper is None:
        return []
    ratio = law.p_global(z_local, law.upper) / law.p_global(z_local)
    if law.p_value >= 1e-3 or abs(ratio - 1.0) <= TOLERANCE:
        return []
    return [
        f"the counts do not fall with the level as the law says (chi2 {law.chi2:.3g} for "
        f"{law.degrees_of_freedom} degrees of freedom): the upper levels alone would change the "
        f"global p-value by a factor of {ratio:.2f}"
    ]


def _capped(tally: ExcursionTally) -> bool:
    """Whether deficits were set to zero: then only roots above zero can be normal."""
    first = THRESHOLDS.index(0.0)
    below = tally.ok * tally.n_points - int(tally.occupied[0])
    return below == 0 and tally.occupied[first] < 0.7 * tally.ok * tally.n_points


def not_normal(tally: ExcursionTally, z_local: float) -> list[str]:
    """Roots that are not standard normal: low or discrete counts, bounds, wrong points."""
    if tally.ok < 2:
        return []
    found = []
    checked = _tail(tally, z_local)
    wrong = [c for c in checked if abs(c[1] - 1.0) > max(TOLERANCE, SIGNIFICANT * c[2])]
    if wrong:
        at, ratio, error = max(wrong, key=lambda c: abs(math.log(max(c[1], 1e-3))))
        found.append(
            f"the roots are not normal: P(root > {at:g}) is {ratio:.2f} ± {error:.2f} times the "
            "normal one, averaged over the scan (low or discrete counts)"
        )
    if tally.ok >= LEAST_TOYS_PER_POINT:
        found += _odd_points(tally)
    return found


def _tail(tally: ExcursionTally, z_local: float) -> list[tuple[float, float, float]]:
    """Thresholds from 1 to the observed value, where toys measure the tail to 10 %.

    Each with the occupancy in units of the normal one, and the standard error of that: points
    above a threshold come in clusters.
    """
    checked = []
    cluster = 1.0
    for k, at in enumerate(THRESHOLDS):
        if tally.occupied[k] > 0:
            cluster = float(tally.occupied_squares[k] / tally.occupied[k])
        expected = tally.ok * tally.n_points * survival(at)
        error = math.sqrt(cluster / expected)
        if 1.0 <= at <= z_local and error < 0.1:
            checked.append((at, float(tally.occupied[k]) / expected, error))
    return checked


def _odd_points(tally: ExcursionTally) -> list[str]:
    n = tally.ok
    first = THRESHOLDS.index(0.0) if _capped(tally) else 0
    normal = np.array([survival(at) for at in THRESHOLDS])[:, np.newaxis]
    distance = np.abs(tally.exceedances / n - normal)[first:].max(axis=0)
    odd = int(np.count_nonzero(distance > LARGEST_DISTANCE + 4.0 * 0.5 / math.sqrt(n)))
    found = []
    if odd > MOST_ODD_POINTS * tally.n_points:
        found.append(
            f"at {odd} of {tally.n_points} points the distribution of the root lies further than "
            f"{LARGEST_DISTANCE} from the normal one (median distance "
            f"{float(np.median(distance)):.2f}): low or discrete counts"
        )
    k = THRESHOLDS.index(2.0)
    expected = n * survival(2.0)
    tail = np.abs(tally.exceedances[k] - expected)
    odd = int(np.count_nonzero(tail > 0.5 * expected + 4.0 * math.sqrt(expected)))
    if odd > MOST_ODD_POINTS * tally.n_points:
        found.append(
            f"at {odd} of {tally.n_points} points P(root > 2) differs from the normal one by more "
            "than half"
        )
    return found


def marginal_notes(tally: ExcursionTally, z_local: float) -> list[str]:
    """How far up the normal distribution of the roots was seen."""
    if tally.ok < 2:
        return ["one scan alone cannot show whether its roots are normal"]
    checked = _tail(tally, z_local)
    reach = checked[-1][0] if checked else 0.0
    if reach >= min(z_local, 3.0) - 0.5:
        return []
    return [
        f"{tally.ok} toys show the normal tail of the roots only up to {reach:g}, the excess has "
        f"{z_local:.2f}"
    ]
