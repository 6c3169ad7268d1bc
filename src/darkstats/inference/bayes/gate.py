"""The gate: whether the answer of an engine counts, and why not.

Every engine says what it knows of its own answer, and one function judges. Single limits, scans,
projections, shards and the toys of an expected band get their numbers through it; none of them has
a gate of its own. Comparisons are written so that a number that is none is refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from darkstats.errors import NotCertifiedError
from darkstats.inference.bayes.posterior import TAIL

__all__ = ["PRECISE", "TOLERANCE", "Diagnosis", "ImpreciseError", "imprecision", "refusal"]

TOLERANCE = 1e-2  # largest relative error of a limit that is quoted
#: Relative error up to which a limit needs no words: three times of it stay below one per cent.
PRECISE = 3e-3


class ImpreciseError(NotCertifiedError):
    """All is well but the size of the error: more points will do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What an engine knows of its answer, and what is asked of it.

    Parameters
    ----------
    engine
        Name, in front of the reason where it is not empty.
    limit, error
        Credible limit, and the error that the engine claims for it.
    tolerance
        Largest relative error.
    left_out
        Bound on the posterior probability beyond what was integrated.
    effective, least_effective
        Effective number of points of importance sampling where it is least.
    pareto_k, largest_k
        Shape of the tail of its weights where it is largest.
    still, chains, r_hat, largest_r_hat, size, least_size, divergent, most_divergent
        Of chains: how many never moved of how many, worst R-hat, least effective number of draws,
        share of trajectories that diverged.
    """

    engine: str = ""
    limit: float | None
    error: float
    tolerance: float = TOLERANCE
    left_out: float = 0.0
    effective: float | None = None
    least_effective: float = 100.0
    pareto_k: float = 0.0
    largest_k: float = 0.7
    still: float = 0.0
    chains: float = 0.0
    r_hat: float = 1.0
    largest_r_hat: float = 1.01
    size: float | None = None
    least_size: float = 400.0
    divergent: float = 0.0
    most_divergent: float = 1e-3


def refusal(found: Diagnosis) -> NotCertifiedError | None:
    """Judge an answer; None where it counts.

    Parameters
    ----------
    found
        The answer with what is known of it.

    Returns
    -------
    NotCertifiedError or None
        The reason; an :class:`ImpreciseError` where the claimed error alone is too large.
    """
    missed = []
    if found.limit is None or not (math.isfinite(found.limit) and found.limit >= 0.0):
        missed.append("the limit is no number")
    if not found.left_out <= TAIL:
        missed.append(
            f"up to {found.left_out:.2g} of the posterior lies beyond what was integrated"
        )
    points = found.least_effective if found.effective is None else found.effective
    if not (points >= found.least_effective and found.pareto_k <= found.largest_k):
        missed.append(
            f"weights of importance sampling are uneven: effective size {points:.0f}, Pareto "
            f"shape {found.pareto_k:.2f}"
        )
    if not found.still <= 0.0:
        missed.append(f"{found.still:.0f} of {found.chains:.0f} chains never moved")
    if not found.r_hat < found.largest_r_hat:
        missed.append(f"R-hat {found.r_hat:.4f}")
    if found.size is not None and not found.size > found.least_size:
        missed.append(f"effective sample size {found.size:.0f}")
    if not found.divergent <= found.most_divergent:
        missed.append(f"{100.0 * found.divergent:.2g} % of trajectories diverged")
    imprecise = not missed
    if found.limit is not None and not found.error <= found.tolerance * found.limit:
        percent = 100.0 * found.error / found.limit if found.limit else math.inf
        missed.append(f"the limit is uncertain by {percent:.2g} %")
    if not missed:
        return None
    front = f"{found.engine}: " if found.engine else ""
    kind = ImpreciseError if imprecise else NotCertifiedError
    return kind(front + ", ".join(missed))


def imprecision(engine: str, limit: float | None, error: float) -> str | None:
    """A warning that names the error of a limit that counts, where three times of it are 1 %.

    Parameters
    ----------
    engine
        Name of the engine.
    limit, error
        Its limit, and the error that it claims.
    """
    if limit is None or error <= PRECISE * limit:
        return None
    return (
        f"{engine}: the limit {limit:.4g} has a numerical error of {error:.2g} "
        f"({100.0 * error / limit:.2g} %)"
    )
