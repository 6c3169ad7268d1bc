"""A simplified likelihood: few Gaussian nuisance parameters that move the background of each bin.

The likelihood of all data but the kept bins (constraint terms, and the bins of channels that are
left out) is replaced by its parabola at the background-only fit, and the expected events of the
kept bins by their response to it. The kept bins stay, with their counts: no count is used twice.
"""

from darkstats.inference.simplified.limits import (
    LimitComparison,
    TimedLimit,
    compare_limits,
    comparison,
    timed_limit,
)
from darkstats.inference.simplified.making import (
    MOMENTS,
    RESPONSES,
    SimplifiedLikelihood,
    simplify,
)

__all__ = [
    "MOMENTS",
    "RESPONSES",
    "LimitComparison",
    "SimplifiedLikelihood",
    "TimedLimit",
    "compare_limits",
    "comparison",
    "simplify",
    "timed_limit",
]
