"""What a user asks for: one frozen request for each task. Making one computes nothing.

Checks that need no workspace are made here, so that a shell hears of a bad request at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from darkstats.errors import OptionError, UnknownNameError

__all__ = [
    "CALCULATORS",
    "BayesRequest",
    "FitRequest",
    "GoodnessRequest",
    "HypoTestRequest",
    "LimitRequest",
    "ModelRequest",
    "RankRequest",
    "ScanRequest",
    "SignificanceRequest",
    "ToyRequest",
    "WorkspaceRequest",
    "check_posterior_options",
    "check_prior_goes_with",
]

CALCULATORS = ("auto", "asymptotic", "toys")
METHODS = ("cls", "clsb", "pcl", "fc", "bayes")
BANDS = ("root", "fixed-sigma")
LIMIT_STATISTICS = ("qtilde", "q")
STATISTICS = ("qtilde", "q", "q0", "t", "ttilde")
BAYES_ENGINES = ("auto", "quadrature", "laplace", "nuts")
EFFICIENCIES = ("log-normal", "gamma", "truncated-normal")
UR_PRIORS = ("1/x", "flat")
EXPECTED = ("conditional-mle", "prior-predictive", "none")
DEFAULT_LEVELS = {"bayes": 0.90}
ENGINES = ("auto", "newton", "zfit")
REFEREES = ("pyhf", "zfit")


def _one_of(kind: str, name: str | None, known: tuple[str, ...]) -> None:
    if name is not None and name not in known:
        raise UnknownNameError(kind, name, known)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceRequest:
    """Which document: a file (or ``"-"``), and what is patched onto it."""

    source: str = "-"
    patches: tuple[str, ...] = ()
    patchset: str | None = None
    point: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """Which likelihood.

    Parameters
    ----------
    workspace
        Document and patches.
    measurement, poi
        Measurement, and parameter of interest where it is not that of the measurement.
    interpolation
        Codes as ``"normsys=code4,histosys=code4p"``.
    masked
        Channels taken out of the likelihood.
    data
        A JSON file with other observed counts.
    blind
        Whether observed counts are kept out; ``None``: no, but events of an unbinned model stay
        closed unless they are marked as simulated.
    simulated
        Whether the counts are known to be simulated; ``None`` asks the sidecar ``*.meta.json``.
    threads
        Worker threads; ``None``: one per processor. Numbers do not depend on it.
    engine
        ``"auto"`` or ``"newton"``: the compiled kernels; ``"zfit"``: zfit's own loss, for unbinned
        models.
    """

    workspace: WorkspaceRequest
    measurement: str | None = None
    poi: str | None = None
    interpolation: str | None = None
    masked: tuple[str, ...] = ()
    data: str | None = None
    blind: bool | None = None
    simulated: bool | None = None
    threads: int | None = None
    engine: str = "auto"

    def __post_init__(self) -> None:
        _one_of("engine", self.engine, ENGINES)
        if self.threads is not None and self.threads < 1:
            raise OptionError(f"the number of threads must be at least 1, got {self.threads}")
        if self.blind and self.data is not None:
            raise OptionError("--blind keeps data out: do not give --data with it")


@dataclass(frozen=True, slots=True, kw_only=True)
class ToyRequest:
    """How many toys per hypothesis, from which seed; and an earlier result to add them to."""

    n_toys: int | None = None
    seed: int | None = None
    add_to: str | None = None

    def __post_init__(self) -> None:
        if self.n_toys is not None and self.n_toys < 1:
            raise OptionError(f"the number of toys must be at least 1, got {self.n_toys}")
        if self.seed is not None and not 0 <= self.seed < 2**63:
            raise OptionError(f"the seed must be in [0, 2**63), got {self.seed}")


def _check_calculator(calculator: str, toys: ToyRequest, known: tuple[str, ...]) -> None:
    _one_of("calculator", calculator, known)
    if calculator != "toys" and (toys.n_toys is not None or toys.add_to is not None):
        raise OptionError(
            f"--toys and --add-toys go with --calculator toys, not with {calculator}: the default "
            "never replaces the asymptotic number"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BayesRequest:
    """Priors and engine of a Bayesian limit.

    Parameters
    ----------
    prior
        Of the signal strength, as text: ``"flat"``, ``"coupling:2"``, ``"table:FILE"``, ...
    engine, expected
        Which engine, and how background-only outcomes are thrown.
    efficiency, ur_prior
        Shape of Gaussian-constrained factors on the signal, and ur-prior of Poisson constraints.
    ranges
        Flat priors of parameters without constraint: (name, low, high) each.
    """

    prior: str = "flat"
    engine: str = "auto"
    expected: str = "conditional-mle"
    efficiency: str = "log-normal"
    ur_prior: str = "1/x"
    ranges: tuple[tuple[str, float, float], ...] = ()

    def __post_init__(self) -> None:
        _one_of("engine", self.engine, BAYES_ENGINES)
        _one_of("way to throw expected outcomes", self.expected, EXPECTED)
        _one_of("efficiency prior", self.efficiency, EFFICIENCIES)
        _one_of("ur-prior", self.ur_prior, UR_PRIORS)


def check_prior_goes_with(method: str, bayes: BayesRequest) -> None:
    """Check that nothing of a posterior is asked of another method.

    Raises
    ------
    OptionError
        It is.
    """
    if method != "bayes" and bayes != BayesRequest():
        raise OptionError(
            "a prior goes with --method bayes, and so does an engine or what else belongs to a "
            f"posterior, not with {method}"
        )


def check_posterior_options(
    *, calculator: str | None, test_stat: str, band: str, adds_toys: bool = False
) -> None:
    """Check that nothing of a frequentist limit is asked of a posterior.

    Raises
    ------
    OptionError
        It is.
    """
    if calculator is not None:
        raise OptionError(
            "a Bayesian limit comes from the posterior: drop --calculator; --toys N says how "
            "many toys stand behind an expected limit that cannot be enumerated"
        )
    if test_stat != "qtilde" or band != "root" or adds_toys:
        raise OptionError(
            "--test-stat, --band and --add-toys belong to frequentist limits, not to --method bayes"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRequest:
    """An upper limit, or an interval (``method="fc"``).

    ``cl`` is 0.95 by default, and 0.90 for ``method="bayes"``: see :attr:`level`.
    """

    model: ModelRequest
    cl: float | None = None
    method: str = "cls"
    test_stat: str = "qtilde"
    calculator: str = "auto"
    band: str = "root"
    toys: ToyRequest = ToyRequest()
    poi_lower: float | None = None
    bayes: BayesRequest = BayesRequest()
    referee: str | None = None
    scan_points: int = 41

    @property
    def level(self) -> float:
        """Confidence level, or posterior probability below the limit."""
        return self.cl if self.cl is not None else DEFAULT_LEVELS.get(self.method, 0.95)

    def __post_init__(self) -> None:
        _one_of("method", self.method, METHODS)
        _one_of("test statistic", self.test_stat, LIMIT_STATISTICS)
        _one_of("band", self.band, BANDS)
        _one_of("referee", self.referee, REFEREES)
        if self.method == "fc":
            _one_of("calculator", self.calculator, CALCULATORS)
            if self.calculator == "asymptotic":
                raise OptionError("Feldman-Cousins intervals are made by toys: drop --calculator")
            if self.model.blind:
                raise OptionError("a Feldman-Cousins interval needs data: it cannot be blind")
        elif self.method == "bayes":
            self._check_bayes()
        else:
            _check_calculator(self.calculator, self.toys, CALCULATORS)
        check_prior_goes_with(self.method, self.bayes)
        if not 0.0 < self.level < 1.0:
            raise OptionError(
                f"the confidence level must lie between 0 and 1, got {self.level:g}"
                + (f" (did you mean {self.level / 100:g}?)" if 1.0 < self.level < 100.0 else "")
            )
        _check_lower(self.poi_lower, self.test_stat, ("q",))

    def _check_bayes(self) -> None:
        _one_of("calculator", self.calculator, CALCULATORS)
        check_posterior_options(
            calculator=None if self.calculator == "auto" else self.calculator,
            test_stat=self.test_stat,
            band=self.band,
            adds_toys=self.toys.add_to is not None,
        )


def _check_lower(poi_lower: float | None, test_stat: str, allowed: tuple[str, ...]) -> None:
    if poi_lower is None:
        return
    if test_stat not in allowed:
        raise OptionError(
            f"the lower bound of the signal strength is part of {test_stat}; it can be chosen for "
            f"{' and '.join(allowed)} only"
        )
    if not poi_lower < 0.0:
        raise OptionError(f"--poi-lower must be negative, got {poi_lower:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class HypoTestRequest:
    """A test of one signal strength."""

    model: ModelRequest
    mu: float = 1.0
    test_stat: str = "qtilde"
    calculator: str = "asymptotic"
    toys: ToyRequest = ToyRequest()
    poi_lower: float | None = None
    referee: str | None = None

    def __post_init__(self) -> None:
        _one_of("test statistic", self.test_stat, STATISTICS)
        _one_of("referee", self.referee, REFEREES)
        _check_calculator(self.calculator, self.toys, CALCULATORS)
        _check_lower(self.poi_lower, self.test_stat, ("q", "t"))
        if not math.isfinite(self.mu):
            raise OptionError(f"the tested signal strength must be finite, got {self.mu}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FitRequest:
    """A maximum-likelihood fit with uncertainties.

    ``mu`` fixes the parameter of interest, ``fixed`` other parameters; ``minos`` names parameters
    whose profile-likelihood interval is wanted. ``bin_gammas`` has figures show the parameters of
    the statistical errors of single bins, too.
    """

    model: ModelRequest
    mu: float | None = None
    fixed: tuple[tuple[str, float], ...] = ()
    minos: tuple[str, ...] = ()
    referee: str | None = None
    bin_gammas: bool = False

    def __post_init__(self) -> None:
        _one_of("referee", self.referee, REFEREES)
        if self.mu is not None and not math.isfinite(self.mu):
            raise OptionError(f"--mu must be finite, got {self.mu}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignificanceRequest:
    """Significance of an excess."""

    model: ModelRequest
    calculator: str = "asymptotic"
    uncapped: bool = False
    toys: ToyRequest = ToyRequest()
    referee: str | None = None

    def __post_init__(self) -> None:
        _one_of("referee", self.referee, REFEREES)
        _check_calculator(self.calculator, self.toys, CALCULATORS)


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodnessRequest:
    """Saturated goodness of fit."""

    model: ModelRequest
    calculator: str = "asymptotic"
    toys: ToyRequest = ToyRequest()

    def __post_init__(self) -> None:
        _check_calculator(self.calculator, self.toys, CALCULATORS)
        if self.model.blind:
            raise OptionError("a goodness of fit compares with data: it cannot be blind")


@dataclass(frozen=True, slots=True, kw_only=True)
class RankRequest:
    """Impacts of nuisance parameters on the parameter of interest; ``top`` are shown."""

    model: ModelRequest
    top: int = 20

    def __post_init__(self) -> None:
        if self.top < 1:
            raise OptionError(f"--top must be at least 1, got {self.top}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRequest:
    """Profile-likelihood scan in one or two parameters.

    ``parameters`` names them (empty: the parameter of interest), ``ranges`` gives (lower, upper) of
    each (empty: three standard deviations around the best fit), ``points`` the size of the grid.
    """

    model: ModelRequest
    parameters: tuple[str, ...] = ()
    ranges: tuple[tuple[float, float], ...] = ()
    points: int | None = None

    def __post_init__(self) -> None:
        if len(self.parameters) > 2:
            raise OptionError(f"scan one or two parameters, not {len(self.parameters)}")
        if len(set(self.parameters)) != len(self.parameters):
            raise OptionError("the two parameters of a scan must differ")
        if len(self.ranges) > max(len(self.parameters), 1):
            raise OptionError("more ranges than parameters: give --range once for each --parameter")
        for low, high in self.ranges:
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise OptionError(f"a range needs two finite rising numbers, got {low:g}, {high:g}")
        if self.points is not None and not 2 <= self.points <= 10_001:
            raise OptionError(f"--points must lie between 2 and 10001, got {self.points}")
