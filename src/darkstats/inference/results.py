"""What inference hands back: frozen results with named fields, complete whatever was asked.

Conventions, the same in all of them:

* ``expected`` tuples have five entries, in the order -2, -1, 0, +1, +2 sigma of background-only
  outcomes, as pyhf prints them.  In a band of limits and of CLs the first entry is the smallest.
* A number that does not exist is ``None``, and a ``..._reason`` beside it says why.
* ``error`` is the standard error from the finite number of toys; 0 for asymptotic numbers.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from darkstats.inference.p_values import Calculator, ExpectedPValues, FitCounts, PValue, ToyCounts
from darkstats.shown import Shown

__all__ = [
    "ALL_EXCLUDED",
    "N_SIGMA",
    "GoodnessOfFit",
    "HypoTestResult",
    "Interval",
    "LimitScan",
    "LowCounts",
    "Probe",
    "Significance",
    "UpperLimit",
]


#: What to know of a CLs+b limit of 0.
ALL_EXCLUDED = (
    "CLs+b excludes every positive signal strength at this level: the data lie far below the "
    "background; the limit is quoted as 0 (CLs or pcl never does this)"
)


#: Positions of the five expected values in the band, in units of sigma.
N_SIGMA = (-2, -1, 0, 1, 2)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class HypoTestResult(Shown):
    """Test of one signal strength.

    Parameters
    ----------
    poi, mu
        Name and tested value of the parameter of interest.
    test_stat, calculator
        ``"q" | "qtilde" | "q0" | "t" | "ttilde"`` and ``"asymptotic" | "toys"``.
    cls, clsb, clb
        Observed CLs, p-value of the tested hypothesis, and p-value of the background-only one
        (all P(statistic >= observed)). ``None`` when blinded, and ``cls``, ``clb`` are ``None``
        for q0, whose only p-value is ``clsb`` = p0. ``cls`` is ``None`` with a reason where no
        background-only toy is as extreme as the data.
    expected
        Their expected values. For q0 the reference is a signal of strength 1, not background only.
        ``None`` with ``expected_reason`` where the tested hypothesis forbids the Asimov data.
    statistic, statistic_asimov
        Observed and Asimov value of the test statistic, dimensionless, not negative; ``None`` where
        it is infinite: the tested hypothesis expects nothing in a bin with events.
    mu_hat, twice_nll
        Best-fit signal strength within the bounds of the statistic, and twice the negative
        log-likelihood there, relative to the saturated model. ``None`` when blinded.
    sigma
        Asimov standard deviation of mu_hat: abs(mu - mu') / sqrt(statistic_asimov); ``None``
        where the data have no sensitivity.
    poi_lower
        Lower bound of the signal strength in the free fit; ``-inf`` when free.

    Examples
    --------
    >>> import darkstats
    >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
    >>> model = darkstats.compile_workspace(workspace)
    >>> darkstats.hypotest(model, model.observation, 1.0)
    HypoTestResult(poi='mu', mu=1, test_stat='qtilde', calculator='asymptotic', cls=0.3767, ...
    """

    in_a_line: ClassVar = (
        "poi mu test_stat calculator cls clsb clb observed_reason expected_reason fits toys"
    )

    poi: str
    mu: float
    test_stat: str
    calculator: Calculator
    cls: PValue | None
    clsb: PValue | None
    clb: PValue | None
    expected: ExpectedPValues | None
    statistic: float | None
    statistic_asimov: float | None
    mu_hat: float | None
    twice_nll: float | None
    sigma: float | None
    poi_lower: float
    fits: FitCounts
    toys: ToyCounts | None = None
    seed: int | None = None
    observed_reason: str | None = None
    expected_reason: str | None = None
    model_digest: str = ""
    warnings: tuple[str, ...] = ()
    references: tuple[str, ...] = ()

    @property
    def quoted(self) -> PValue | None:
        """The value that ``pyhf cls`` prints as ``CLs_obs``: CLs, or p0 for q0."""
        return self.clsb if self.test_stat == "q0" else self.cls

    @property
    def quoted_expected(self) -> tuple[float | None, ...]:
        """The five values that ``pyhf cls`` prints as ``CLs_exp``; all None without any."""
        if self.expected is None:
            return (None,) * len(N_SIGMA)
        return self.expected.clsb if self.test_stat == "q0" else self.expected.cls


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitScan:
    """The p-value against the signal strength, for a figure: shapes [mu], [mu], [5][mu]."""

    quantity: str  # "CLs", "CLs+b", "p"
    mu: tuple[float, ...]
    observed: tuple[float, ...] | None
    expected: tuple[tuple[float, ...], ...]
    observed_error: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Interval(Shown):
    """A confidence interval for the signal strength.

    ``lower`` is never below the lower bound of the construction; ``upper`` is ``None`` where no
    upper end was found, and ``upper_reason`` says why. Errors come from the finite number of toys.

    Examples
    --------
    >>> import darkstats
    >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
    >>> model = darkstats.compile_workspace(workspace)
    >>> toys = darkstats.ToyOptions(n_toys=100, seed=1)
    >>> darkstats.feldman_cousins(model, model.observation, cl=0.9, toys=toys)
    Interval(poi='mu', cl=0.9, method='fc', lower=0, upper=..., toys=... certified)
    """

    in_a_line: ClassVar = "poi cl method lower upper upper_reason fits toys"

    poi: str
    cl: float
    lower: float
    upper: float | None
    upper_reason: str | None = None
    lower_error: float = 0.0
    upper_error: float = 0.0
    method: str = "fc"
    construction: str = ""  # "exact Poisson", "profiled, toys", "profile likelihood"
    raised: bool = False  # upper ends raised so that they do not rise with more background
    mu_hat: float | None = None
    twice_nll: float | None = None
    fits: FitCounts | None = None
    toys: ToyCounts | None = None
    seed: int | None = None
    scan: LimitScan | None = None
    model_digest: str = ""
    warnings: tuple[str, ...] = ()
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A look at the asymptotic approximation with a small number of toys, at the quoted limit.

    It never changes the number. ``relative_difference`` is toys / asymptotic - 1 for the tested
    quantity. ``recommends_toys`` is true where it differs by more than 5 % *and* by more than its
    Monte Carlo error allows.
    """

    reason: str
    mu: float
    quantity: str
    asymptotic: float
    toys_value: PValue
    relative_difference: float
    recommends_toys: bool
    toys: ToyCounts
    seed: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LowCounts:
    """What holds where an asymptotic CLs limit lies below that of no event at all.

    Parameters
    ----------
    floor
        The limit that zero events give, ``-log(1 - CL)`` expected signal events, as a signal
        strength: no CLs limit lies below it.
    observed_below, expected_below
        Which asymptotic limits do, and are none.
    calculator
        ``"exact counting"`` or ``"toys"``; ``None`` with ``reason`` where neither was possible.
    observed, observed_error, expected, expected_error
        The limits that hold; entries ``None`` where toys do not tell, with ``reason``.
    """

    floor: float
    observed_below: bool
    expected_below: tuple[bool, ...]
    calculator: str | None
    observed: float | None
    observed_error: float = 0.0
    expected: tuple[float | None, ...]
    expected_error: tuple[float | None, ...] = (0.0,) * 5
    toys: ToyCounts | None = None
    seed: int | None = None
    reason: str | None = None

    def plain(self) -> dict[str, Any]:
        """As JSON data, with a reason beside each field that is missing."""
        found = asdict(self)
        reason = found.pop("reason")
        why = {
            **dict.fromkeys(("calculator", "expected", "expected_error"), reason),
            "observed": reason if self.calculator is None else "blinded",
            **dict.fromkeys(("toys", "seed"), "no toys were thrown"),
        }
        for name, words in why.items():
            value = found[name]
            if value is None or (isinstance(value, tuple) and None in value):
                found[f"{name}_reason"] = words
        return found

    def message(self, observed: float | None, cl: float) -> str:
        """One sentence of warning, beside the asymptotic limit ``observed``."""
        what = "part of the expected band lies"
        if self.observed_below and observed is not None:
            what = f"the limit {observed:.4g} lies"
        text = (
            f"{what} below {self.floor:.4g}, the limit that no event at all gives "
            f"({-math.log1p(-cl):.4g} signal events): asymptotic formulas do not hold here"
        )
        if self.calculator is None:
            return f"{text}; {self.reason}"
        if self.observed is None:
            return f"{text}; see the limits by {self.calculator}"
        error = f" ± {self.observed_error:.2g}" if self.observed_error > 0.0 else ""
        return f"{text}; {self.calculator} give {self.observed:.4g}{error}".replace(
            "counting give", "counting gives"
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class UpperLimit(Shown):
    """An upper limit on the signal strength with its expected band.

    Parameters
    ----------
    observed, observed_error, observed_reason
        The limit in units of the signal strength; ``None`` with a reason when blinded.
        ``observed_low``, ``observed_high``: if every failed toy had gone the worst way.
    expected, expected_error
        Limits for background-only outcomes at -2 .. +2 sigma; entries ``None`` where no crossing
        exists, with ``expected_reason``.
    expected_definition
        Which convention made the band, in words.
    interval
        The interval, where the method gives one (Feldman-Cousins); else ``None``.
    at_unit
        The test at signal strength 1, for the keys ``CLs_obs`` and ``CLs_exp``; ``None`` with
        ``at_unit_reason`` where it does not apply.
    probe, probe_reason
        A look with a few toys, where counts are low; why there is none, where one was tried.
    low_counts
        What holds in the place of limits that lie below that of no event at all, or ``None``.
    scan
        Points of the curve that was searched, for a figure.
    power_threshold, power_constrained
        For ``method="pcl"``: the minimal power, and whether the constraint made the limit.

    Examples
    --------
    >>> import darkstats
    >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
    >>> model = darkstats.compile_workspace(workspace)
    >>> darkstats.upper_limit(model, model.observation, cl=0.9)
    UpperLimit(poi='mu', cl=0.9, method='cls', calculator='asymptotic', observed=1.689, ...
    """

    in_a_line: ClassVar = (
        "poi cl method calculator observed observed_reason expected expected_reason fits toys"
    )

    poi: str
    cl: float
    method: str
    test_stat: str
    calculator: Calculator
    observed: float | None
    observed_error: float = 0.0
    observed_low: float | None = None
    observed_high: float | None = None
    observed_reason: str | None = None
    expected: tuple[float | None, ...]
    expected_error: tuple[float | None, ...] = (0.0, 0.0, 0.0, 0.0, 0.0)
    expected_reason: str | None = None
    expected_definition: str
    interval: Interval | None = None
    at_unit: HypoTestResult | None = None
    at_unit_reason: str | None = None
    mu_hat: float | None
    twice_nll: float | None
    sigma: float | None
    poi_lower: float
    fits: FitCounts
    toys: ToyCounts | None = None
    seed: int | None = None
    low_counts: LowCounts | None = None
    probe: Probe | None = None
    probe_reason: str | None = None
    scan: LimitScan | None = None
    power_threshold: float | None = None
    power_constrained: bool | None = None
    model_digest: str = ""
    warnings: tuple[str, ...] = ()
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Significance(Shown):
    """Discovery significance: p-value of the background-only hypothesis and its Z.

    ``observed`` is Z = Phi^-1(1 - p0); with ``uncapped`` it is signed, and negative for a deficit.
    Expected values are for a signal of strength ``expected_mu``, median and band; the band of Z is
    in rising order, that of p0 accordingly falling. Z and p0 belong together: without ``uncapped``
    a deficit has Z = 0 and p0 = 0.5 (with toys 1: all are at least as extreme).

    What does not exist is ``None``, with ``observed_reason`` or ``expected_reason``: Z and p0 where
    the background-only hypothesis forbids the data, or Z where it lies beyond the toys. There p0
    carries its ``bound``; an expected Z of ``None`` lies above that of ``expected_p0_bound``, and
    an expected p0 of 0 below ``expected_p0_bound``.

    Examples
    --------
    >>> import darkstats
    >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
    >>> model = darkstats.compile_workspace(workspace)
    >>> darkstats.significance(model, model.observation)
    Significance(poi='mu', calculator='asymptotic', observed=0.77, p0=0.2207, ...
    """

    in_a_line: ClassVar = (
        "poi calculator observed observed_reason p0 expected expected_reason fits toys"
    )

    poi: str
    calculator: Calculator
    uncapped: bool
    observed: float | None
    observed_error: float = 0.0
    observed_reason: str | None = None
    p0: PValue | None
    statistic: float | None
    expected: tuple[float | None, ...]
    expected_p0: tuple[float | None, ...]
    expected_p0_bound: float | None = None
    expected_reason: str | None = None
    expected_mu: float = 1.0
    mu_hat: float | None
    twice_nll: float | None
    fits: FitCounts
    toys: ToyCounts | None = None
    seed: int | None = None
    model_digest: str = ""
    warnings: tuple[str, ...] = ()
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class GoodnessOfFit(Shown):
    """Saturated goodness of fit.

    ``statistic`` is twice the log-likelihood ratio to the saturated model at the best fit,
    ``degrees_of_freedom`` is ``n_bins``, the bins in use, minus ``n_free``, the independent
    directions of the free parameters without constraint; ``p_value`` is ``None``
    with a reason where no degree of freedom is left. ``statistic`` is ``None``, too, where the
    model forbids the data.

    Examples
    --------
    >>> import darkstats
    >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
    >>> model = darkstats.compile_workspace(workspace)
    >>> darkstats.goodness_of_fit(model, model.observation)
    GoodnessOfFit(calculator='asymptotic', statistic=0.2488, degrees_of_freedom=1, ...
    """

    in_a_line: ClassVar = "calculator statistic degrees_of_freedom p_value p_value_reason fits toys"

    statistic: float | None
    degrees_of_freedom: int
    p_value: PValue | None
    p_value_reason: str | None = None
    calculator: Calculator
    n_bins: int
    n_free: int
    mu_hat: float | None = None
    fits: FitCounts
    toys: ToyCounts | None = None
    seed: int | None = None
    model_digest: str = ""
    warnings: tuple[str, ...] = ()
    references: tuple[str, ...] = field(default=())
