"""Asymptotic distributions of the test statistics (Cowan, Cranmer, Gross, Vitells).

Equation numbers are those of arXiv:1007.1727. Everything holds in the Wald approximation: check
it with toys where bins expect fewer than about five events. The only input from the model is the
value of the statistic on the data and on the Asimov data; with mu' the signal strength of the
latter, ``a = sqrt(q_A) = |mu - mu'| / sigma`` (eq. 29 to 32).

Probabilities are kept as logarithms, so that CLs stays exact deep in the tails, where both of its
parts underflow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from darkstats.errors import FitFailedError, UnknownNameError
from darkstats.gaussian import log_survival, quantile, survival

__all__ = [
    "AsymptoticPValues",
    "discovery",
    "expected_p_values",
    "expected_significance",
    "fixed_sigma_limit",
    "observed_p_values",
    "root_target",
]


@dataclass(frozen=True, slots=True)
class AsymptoticPValues:
    """Natural logarithms of CLs+b and CLb; both p-values count outcomes at least as extreme."""

    log_clsb: float
    log_clb: float

    @property
    def log_cls(self) -> float:
        """Logarithm of CLs = CLs+b / CLb, never above 0 and never NaN."""
        if self.log_clsb == -math.inf:
            return -math.inf
        return min(self.log_clsb - self.log_clb, 0.0)

    @property
    def clsb(self) -> float:
        """P-value of the tested hypothesis, in [0, 1]."""
        return math.exp(self.log_clsb)

    @property
    def clb(self) -> float:
        """P-value of the background-only hypothesis, in [0, 1]."""
        return math.exp(self.log_clb)

    @property
    def cls(self) -> float:
        """The ratio, in [0, 1]; 1 where the tested signal strength is 0."""
        return math.exp(self.log_cls)


def _log_of_sum(x: float, y: float) -> float:
    """Logarithm of sf(x) + sf(y), at most 0."""
    first, second = log_survival(x), log_survival(y)
    high, low = max(first, second), min(first, second)
    return min(high + math.log1p(math.exp(low - high)), 0.0)


def _require_numbers(*values: float) -> None:
    """Refuse a statistic of which a fit failed: infinite, it would exclude everything."""
    if not all(map(math.isfinite, values)):
        raise FitFailedError(
            "a value of the test statistic is not a number: a fit behind it failed"
        )


def observed_p_values(test_stat: str, q: float, q_asimov: float) -> AsymptoticPValues:
    r"""P-values of an observed value of a test statistic.

    Parameters
    ----------
    test_stat
        ``"q"`` (eq. 57), ``"qtilde"`` (eq. 64 to 66), ``"q0"`` (eq. 49, 50), ``"t"`` (eq. 35, 36)
        or ``"ttilde"`` (eq. 41 to 44).
    q, q_asimov
        Value on the data and on the Asimov data, dimensionless; negative values count as 0.

    Returns
    -------
    AsymptoticPValues
        For q0, ``log_clsb`` is that of p0 and ``log_clb`` that of the signal hypothesis.

    Raises
    ------
    UnknownNameError
        There is no such statistic.
    FitFailedError
        A value is not a finite number.

    Examples
    --------
    >>> round(observed_p_values("qtilde", 2.706, 2.706).clsb, 4)
    0.05
    >>> observed_p_values("qtilde", 0.0, 0.0).cls
    1.0
    """
    _require_numbers(q, q_asimov)
    root, a = math.sqrt(max(q, 0.0)), math.sqrt(max(q_asimov, 0.0))
    beyond = root > a
    if test_stat in {"q", "q0"} or (test_stat == "qtilde" and (not beyond or a == 0.0)):
        return AsymptoticPValues(log_survival(root), log_survival(root - a))
    if test_stat == "qtilde":
        centre = (root / a) * root / 2.0  # q / (2 a) without underflow of a * a
        return AsymptoticPValues(log_survival(centre + a / 2.0), log_survival(centre - a / 2.0))
    if test_stat == "t" or (test_stat == "ttilde" and (not beyond or a == 0.0)):
        return AsymptoticPValues(_log_of_sum(root, root), _log_of_sum(root + a, root - a))
    if test_stat == "ttilde":
        centre = (root / a) * root / 2.0
        return AsymptoticPValues(
            _log_of_sum(root, centre + a / 2.0), _log_of_sum(root + a, centre - a / 2.0)
        )
    raise UnknownNameError("test statistic", test_stat, ("q", "qtilde", "q0", "t", "ttilde"))


def expected_p_values(test_stat: str, q_asimov: float, n_sigma: float) -> AsymptoticPValues:
    """P-values of the outcome at ``n_sigma`` of the band: +2 is an excess of two sigma.

    Background-only outcomes have ``mu_hat = n_sigma * sigma``; CLs is then
    ``Phi(n - a) / Phi(n)``, for q and q-tilde alike (pyhf's convention). For q0 the outcomes are
    those of the signal hypothesis, and position -2 is the *smallest* p-value, as pyhf prints it.

    Parameters
    ----------
    test_stat
        Name of the statistic.
    q_asimov
        Value of the statistic on the Asimov data, dimensionless.
    n_sigma
        Position in the band, usually -2 to 2.

    Examples
    --------
    >>> round(expected_p_values("qtilde", 1.96**2, 0.0).cls, 3)
    0.05
    """
    _require_numbers(q_asimov)
    a = math.sqrt(max(q_asimov, 0.0))
    if test_stat in {"q", "qtilde", "q0"}:
        return AsymptoticPValues(log_survival(a - n_sigma), log_survival(-n_sigma))
    # Outcome mu_hat = n sigma: t = (a - n)^2, and with the bound at 0, for n < 0, a^2 - 2 a n.
    t = (a - n_sigma) ** 2
    if test_stat == "ttilde" and n_sigma < 0.0:
        t = a * a - 2.0 * a * n_sigma
    return observed_p_values(test_stat, t, q_asimov)


def root_target(alpha: float, n_sigma: float, *, method: str = "cls") -> float:
    """Value of ``sqrt(q_A)`` at which the expected CLs (or CLs+b) at ``n_sigma`` equals ``alpha``.

    Solves ``Phi(n - a) = alpha * Phi(n)`` for ``a`` (CLs), ``Phi(n - a) = alpha`` (CLs+b). The
    expected limit is the signal strength with this Asimov value. Not positive where every
    positive signal strength is excluded, which CLs never does.

    Parameters
    ----------
    alpha
        1 - confidence level, in (0, 1).
    n_sigma
        Position in the band.
    method
        ``"cls"`` or ``"clsb"``.

    Examples
    --------
    >>> round(root_target(0.05, 0.0), 4), round(root_target(0.05, 0.0, method="clsb"), 4)
    (1.96, 1.6449)
    """
    reference = survival(-n_sigma) if method == "cls" else 1.0
    return n_sigma - quantile(alpha * reference)


def fixed_sigma_limit(sigma: float, alpha: float, n_sigma: float, *, method: str = "cls") -> float:
    """Expected limit from one Gaussian width for the whole band (eq. 89, with CLs: alpha Phi(N)).

    Parameters
    ----------
    sigma
        Standard deviation of mu-hat from the Asimov data, dimensionless, positive.
    alpha, n_sigma, method
        As in :func:`root_target`.

    Examples
    --------
    >>> round(fixed_sigma_limit(0.5, 0.05, 0.0), 4)
    0.98
    """
    if not sigma > 0.0:
        raise ValueError(f"need sigma > 0, got {sigma}")
    return max(sigma * root_target(alpha, n_sigma, method=method), 0.0)


def discovery(root: float, *, uncapped: bool = False) -> tuple[float, float]:
    """Z and p0 of a signed root of the discovery statistic: the one place where they are paired.

    Parameters
    ----------
    root
        Square root of q0, negative for a deficit.
    uncapped
        Keep the sign. Without it a deficit is no excess: Z = 0 and p0 = 0.5.

    Examples
    --------
    >>> discovery(-0.86), round(discovery(-0.86, uncapped=True)[1], 3)
    ((0.0, 0.5), 0.805)
    """
    z = root if uncapped or root > 0.0 else 0.0
    return z, survival(z)


def expected_significance(q0_asimov: float, n_sigma: float = 0.0) -> float:
    """Expected discovery significance ``sqrt(q0_A) + n`` (eq. 53 and 84), not below 0."""
    return max(math.sqrt(max(q0_asimov, 0.0)) + n_sigma, 0.0)
