"""(Model, Observation) -> FitResult: certified minima, one or many at once.

Use :func:`fit` for a number that is printed, :func:`fit_batch` for toys and scans.
"""

from darkstats.fit.batch import RUNGS, BatchFit, fit_batch
from darkstats.fit.lanes import FitOptions, FitStatus
from darkstats.fit.mle import Certification, FitResult, fit
from darkstats.fit.profile import Impact, ProfileScan, impacts, profile_scan
from darkstats.fit.uncertainty import Covariance, ProfileInterval, covariance, profile_interval

__all__ = [
    "RUNGS",
    "BatchFit",
    "Certification",
    "Covariance",
    "FitOptions",
    "FitResult",
    "FitStatus",
    "Impact",
    "ProfileInterval",
    "ProfileScan",
    "covariance",
    "fit",
    "fit_batch",
    "impacts",
    "profile_interval",
    "profile_scan",
]
