"""(Model, Observation) -> FitResult: certified minima, one or many at once.

Use :func:`fit` for a number that is printed, :func:`fit_batch` for toys and scans.
"""

from darkstats.fit.batch import RUNGS, BatchFit, FitOptions, FitStatus, fit_batch
from darkstats.fit.mle import Certification, FitResult, fit

__all__ = [
    "RUNGS",
    "BatchFit",
    "Certification",
    "FitOptions",
    "FitResult",
    "FitStatus",
    "fit",
    "fit_batch",
]
