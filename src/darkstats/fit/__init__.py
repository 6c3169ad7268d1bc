"""Stage 7 of 9 · (Model, Observation) -> FitResult: certified minima, one or many at once.

Use :func:`fit` for a number that is printed, :func:`fit_batch` for toys and scans.
"""

from darkstats.fit.batch import RUNGS, BatchFit, fit_batch
from darkstats.fit.groups import ErrorBudget, GroupImpact, error_budget
from darkstats.fit.groups import members as group_members
from darkstats.fit.lanes import FitOptions, FitStatus
from darkstats.fit.mle import fit
from darkstats.fit.profile import Impact, ProfileScan, impacts, profile_scan
from darkstats.fit.result import Certification, FitResult
from darkstats.fit.uncertainty import Covariance, ProfileInterval, covariance, profile_interval

__all__ = [
    "RUNGS",
    "BatchFit",
    "Certification",
    "Covariance",
    "ErrorBudget",
    "FitOptions",
    "FitResult",
    "FitStatus",
    "GroupImpact",
    "Impact",
    "ProfileInterval",
    "ProfileScan",
    "covariance",
    "error_budget",
    "fit",
    "fit_batch",
    "group_members",
    "impacts",
    "profile_interval",
    "profile_scan",
]
