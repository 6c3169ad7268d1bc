"""The profile-likelihood test statistics: one closed table.

Each statistic says which lower bound the signal strength has in its free fit, on which side it
counts, and from which signal strength its Asimov data come.  The bound is part of the statistic:
q-tilde *is* the likelihood ratio to the best fit with mu >= 0, whatever range a workspace gives
its minimiser.  The untilded q and t let mu-hat go below zero; how far is for the workspace to
say, by the lower bound it declares (below some point the rates are negative and no likelihood
exists).  HistFactory's default range is [0, 10], and then the value of q is that of q-tilde while
its asymptotic distribution stays that of q: this is what ``pyhf`` computes for ``test_stat="q"``,
its stated answers rest on it, and the result carries a warning.  A caller who wants mu-hat free
passes ``poi_lower``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from darkstats.errors import OptionError, UnknownNameError

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray
    from darkstats.model import Model

__all__ = ["TEST_STATISTICS", "TestStatistic", "test_statistic"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TestStatistic:
    """One profile-likelihood test statistic.

    Parameters
    ----------
    name, symbol, equation
        Name in options and records, symbol in print, and its equation in arXiv:1007.1727.
    bounded
        Whether mu-hat is kept at or above 0.
    sided
        ``"upper"``: zero for mu-hat above mu (limits); ``"lower"``: zero for mu-hat below mu
        (discovery); ``"both"``: counts both ways (intervals); ``"signed"``: negative for mu-hat
        below mu.
    asimov_mu
        Signal strength mu' of the Asimov data.
    """

    __test__: ClassVar[bool] = False  # not a test class, whatever its name looks like to pytest

    name: str
    symbol: str
    equation: str
    bounded: bool
    sided: str
    asimov_mu: float = 0.0

    def value(
        self,
        mu: npt.ArrayLike,
        mu_hat: npt.ArrayLike,
        fixed: npt.ArrayLike,
        free: npt.ArrayLike,
    ) -> FloatArray:
        """Value of the statistic; NaN where an input is NaN. Not negative, unless signed.

        Infinite where the tested signal strength forbids the data (``fixed`` is infinite).

        Parameters
        ----------
        mu, mu_hat
            Tested and best-fit signal strength. Broadcast against the others.
        fixed, free
            Twice the negative log-likelihood at the conditional and at the global minimum.
        """
        difference = np.asarray(fixed, dtype=np.float64) - np.asarray(free, dtype=np.float64)
        ratio: FloatArray = np.where(difference < 0.0, 0.0, difference)
        none = np.where(np.isnan(ratio), ratio, 0.0)  # the statistic where it does not count
        if self.sided == "upper":
            return np.where(np.greater(mu_hat, mu), none, ratio)
        if self.sided == "lower":
            return np.where(np.less_equal(mu_hat, mu), none, ratio)
        if self.sided == "signed":
            return np.where(np.less(mu_hat, mu), -ratio, ratio)
        return ratio

    def at(self, mu: float, mu_hat: float, fixed: float, free: float) -> float:
        """One value of the statistic; see :meth:`value`."""
        ratio = max(fixed - free, 0.0) if not (math.isnan(fixed) or math.isnan(free)) else math.nan
        if (self.sided == "upper" and mu_hat > mu) or (self.sided == "lower" and mu_hat <= mu):
            return ratio if math.isnan(ratio) else 0.0
        return -ratio if self.sided == "signed" and mu_hat < mu else ratio

    def lower_bound(self, model: Model, poi_lower: float | None = None) -> float:
        """Lower bound of mu in the free fit.

        Raises
        ------
        OptionError
            ``poi_lower`` contradicts the statistic, or the model has no parameter of interest.
        """
        index = model.require_poi()
        if self.bounded:
            if poi_lower not in (None, 0.0):
                raise OptionError(
                    f"{self.name} keeps the signal strength at or above 0; poi_lower={poi_lower} "
                    "contradicts that: use q or t"
                )
            return 0.0
        return float(model.lower[index]) if poi_lower is None else float(poi_lower)


TEST_STATISTICS: Mapping[str, TestStatistic] = MappingProxyType(
    {
        "qtilde": TestStatistic(
            name="qtilde", symbol="q̃μ", equation="16", bounded=True, sided="upper"
        ),
        "q": TestStatistic(name="q", symbol="qμ", equation="14", bounded=False, sided="upper"),
        "q0": TestStatistic(
            name="q0", symbol="q0", equation="12", bounded=True, sided="lower", asimov_mu=1.0
        ),
        "t": TestStatistic(name="t", symbol="tμ", equation="8", bounded=False, sided="both"),
        "ttilde": TestStatistic(
            name="ttilde", symbol="t̃μ", equation="11", bounded=True, sided="both"
        ),
    }
)


def test_statistic(name: str) -> TestStatistic:
    """Return the statistic of that name.

    Raises
    ------
    UnknownNameError
        There is none; the message lists the choices.

    Examples
    --------
    >>> test_statistic("qtilde").sided
    'upper'
    """
    try:
        return TEST_STATISTICS[name]
    except KeyError:
        raise UnknownNameError("test statistic", name, tuple(TEST_STATISTICS)) from None


test_statistic.__test__ = False  # type: ignore[attr-defined]  # functions take attributes; pytest reads this one
