"""Stage 8 of 9 · HistFactoryModel, Observation -> HypoTestResult, UpperLimit, Interval, ...

Use :func:`upper_limit` for a limit with its band, :func:`hypotest` for one signal strength,
:func:`significance` for an excess, :func:`feldman_cousins` for an interval that is one- or
two-sided by itself (:func:`poisson_interval` for plain counting), :func:`goodness_of_fit` to ask
whether the model describes the data at all.
Use ``calculator="asymptotic"`` where every bin that matters expects more than about five events,
and ``calculator="toys"`` below that; a limit probes this by itself and says so.
"""

from __future__ import annotations

from darkstats.inference.asimov import asimov_data, blinded_observation
from darkstats.inference.feldman_cousins import feldman_cousins
from darkstats.inference.goodness_of_fit import goodness_of_fit
from darkstats.inference.hypotest import hypotest
from darkstats.inference.p_values import (
    Calculator,
    ExpectedPValues,
    FitCounts,
    PValue,
    ToyCounts,
    ToyOptions,
)
from darkstats.inference.poisson_counting import poisson_cls_limit, poisson_interval
from darkstats.inference.results import (
    N_SIGMA,
    GoodnessOfFit,
    HypoTestResult,
    Interval,
    LimitScan,
    Probe,
    Significance,
    UpperLimit,
)
from darkstats.inference.significance import significance
from darkstats.inference.test_statistics import TEST_STATISTICS, TestStatistic
from darkstats.inference.toys import TOYS_PER_BLOCK, Hypothesis, ToySample, sample_statistic
from darkstats.inference.upper_limit import METHODS, POWER_THRESHOLD, upper_limit

__all__ = [
    "METHODS",
    "N_SIGMA",
    "POWER_THRESHOLD",
    "TEST_STATISTICS",
    "TOYS_PER_BLOCK",
    "Calculator",
    "ExpectedPValues",
    "FitCounts",
    "GoodnessOfFit",
    "HypoTestResult",
    "Hypothesis",
    "Interval",
    "LimitScan",
    "PValue",
    "Probe",
    "Significance",
    "TestStatistic",
    "ToyCounts",
    "ToyOptions",
    "ToySample",
    "UpperLimit",
    "asimov_data",
    "blinded_observation",
    "feldman_cousins",
    "goodness_of_fit",
    "hypotest",
    "poisson_cls_limit",
    "poisson_interval",
    "sample_statistic",
    "significance",
    "upper_limit",
]
