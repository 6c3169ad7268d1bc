"""Priors of the nuisance parameters: what the constraint terms of a workspace mean to Bayes.

A constraint term is the likelihood of an auxiliary measurement. Times a *ur-prior*, what was
believed before that measurement, it is the prior that the main measurement starts from:

* Gaussian constraint, flat ur-prior: a normal distribution; cut at 0 for a factor on background.
* Gaussian constraint of a *factor on the signal* (``lumi``, ``staterror``): a normal distribution
  has density at zero efficiency, and there a prior that is flat in the cross section does not
  normalise. Log-normal by default, gamma on request; a truncated normal needs a prior with an
  upper edge, and its sensitivity to that edge is printed.
* ``normsys`` with its Gaussian constraint *is* log-normal beyond one standard deviation, and a
  smooth positive polynomial within (code4); its factor never reaches zero.
* Poisson constraint: a gamma distribution. With the ur-prior 1/x (default) its mean is the nominal
  value and its relative width what the workspace states; with a flat one, the mean is larger.
* No constraint: flat on the half line (on the line, where the range begins below 0), or between
  edges that are given.

Ranges of the workspace are ranges of the minimiser; no prior ends at them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import PriorError, UnknownNameError
from darkstats.inference.bayes.rules import normsys_factor

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray
    from darkstats.model import Model, Parameter
    from darkstats.model.base import Use

__all__ = ["EFFICIENCIES", "UR_PRIORS", "NuisancePriors", "ParameterPrior"]

EFFICIENCIES = ("log-normal", "gamma", "truncated-normal")
UR_PRIORS = ("1/x", "flat")


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterPrior:
    """Prior of one nuisance parameter x, with ``f`` its factor where a density is stated for that.

    Parameters
    ----------
    name
        Of the parameter.
    kind
        ``"normal"``, ``"truncated-normal"`` (x > 0), ``"log-normal"`` (median ``centre``,
        ``log(1 + width/centre)`` in the logarithm), ``"gamma"`` (``shape``, ``rate``), ``"flat"``
        (``lower`` to ``upper``), ``"factor-gamma"`` and ``"factor-truncated-normal"`` (density of
        the factor f(x) of a normsys on the signal).
    centre, width, shape, rate, lower, upper
        Numbers of the kind.
    coefficients, code
        Interpolation of the factor, for the last two kinds.
    on_signal
        Whether it acts on the signal.
    """

    name: str
    kind: str
    centre: float = 0.0
    width: float = 1.0
    shape: float = 1.0
    rate: float = 1.0
    lower: float = -math.inf
    upper: float = math.inf
    coefficients: tuple[float, ...] = ()
    code: int = 4
    on_signal: bool = False

    @property
    def proper(self) -> bool:
        """Whether it can be normalised."""
        return self.kind != "flat" or math.isfinite(self.upper - self.lower)

    @property
    def log_width(self) -> float:
        """Width of a log-normal in the logarithm: one sigma up is ``centre + width``."""
        return math.log1p(self.width / self.centre)

    def describe(self) -> str:
        """What it is, in words, with its numbers."""
        normal = f"normal, {self.centre:g} ± {self.width:g}"
        ratio = 1.0 + self.width / (self.centre or 1.0)
        return {
            "normal": normal,
            "truncated-normal": f"{normal}, cut at 0",
            "log-normal": f"log-normal, {self.centre:g} ×/÷ {ratio:g}",
            "gamma": f"gamma, shape {self.shape:g}, mean {self.shape / self.rate:g}",
            "flat": f"flat from {self.lower:g} to {self.upper:g}",
            "factor-gamma": f"gamma for its factor on the signal, 1 ± {self.width:g}",
            "factor-truncated-normal": "normal for its factor on the signal, "
            f"1 ± {self.width:g}, cut at 0",
        }[self.kind]

    def factor(self, x: FloatArray) -> FloatArray:
        """Factor of the normsys on the signal. Any shape."""
        return normsys_factor(x[..., np.newaxis], np.array(self.coefficients), self.code)[..., 0]

    def log_density(self, x: FloatArray) -> FloatArray:
        """Natural logarithm of the density at ``x``, normalised where it is proper. Any shape."""
        x = np.asarray(x, dtype=np.float64)
        lower = self.lower if self.kind == "flat" else -math.inf
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            if self.kind == "normal":
                value = _log_normal(x, self.centre, self.width)
            elif self.kind == "flat":
                value = np.full_like(x, -math.log(self.upper - self.lower) if self.proper else 0.0)
            elif self.kind.startswith("factor-"):
                value = self._log_factor_density(x)
            else:
                value, lower = self._log_positive_density(x), 0.0
        return np.where((x >= lower) & (x <= self.upper), value, -np.inf)

    def _log_positive_density(self, x: FloatArray) -> FloatArray:
        if self.kind == "gamma":
            return _log_gamma_density(x, self.shape, self.rate)
        if self.kind == "log-normal":
            return _log_normal(np.log(x / self.centre), 0.0, self.log_width) - np.log(x)
        return _log_normal(x, self.centre, self.width) - _log_inside(self.centre / self.width)

    def _log_factor_density(self, x: FloatArray) -> FloatArray:
        f, step = self.factor(x), 1e-5
        slope = (self.factor(x + step) - self.factor(x - step)) / (2.0 * step)
        jacobian = np.log(np.abs(slope))
        if self.kind == "factor-gamma":
            return _log_gamma_density(f, self.shape, self.shape) + jacobian
        return _log_normal(f, 1.0, self.width) - _log_inside(1.0 / self.width) + jacobian

    def draw(self, rng: np.random.Generator, n: int) -> FloatArray:
        """Draw from it. Shape [n].

        Raises
        ------
        PriorError
            It is improper.
        """
        if not self.proper:
            raise PriorError(f"the prior of {self.name} is improper: nothing can be drawn from it")
        if self.kind == "normal":
            return self.centre + self.width * rng.standard_normal(n)
        if self.kind == "log-normal":
            return self.centre * np.exp(self.log_width * rng.standard_normal(n))
        if self.kind == "gamma":
            return rng.gamma(self.shape, size=n) / self.rate
        if self.kind == "flat":
            return rng.uniform(self.lower, self.upper, n)
        if self.kind == "factor-gamma":
            return self.at_factor(rng.gamma(self.shape, size=n) / self.shape)
        centre = self.centre if self.kind == "truncated-normal" else 1.0
        values = centre + self.width * rng.standard_normal(n)
        while (values <= 0.0).any():
            wrong = np.flatnonzero(values <= 0.0)
            values[wrong] = centre + self.width * rng.standard_normal(len(wrong))
        return values if self.kind == "truncated-normal" else self.at_factor(values)

    def at_factor(self, f: FloatArray) -> FloatArray:
        """Parameter at which the factor is ``f``, by bisection."""
        edge = 60.0 / max(abs(self.coefficients[0]), abs(self.coefficients[1]))
        low, high = np.full_like(f, -edge), np.full_like(f, edge)
        rising = self.coefficients[0] > 0.0
        for _ in range(80):
            middle = 0.5 * (low + high)
            above = (self.factor(middle) > f) == rising
            low, high = np.where(above, low, middle), np.where(above, middle, high)
        return 0.5 * (low + high)


def _log_normal(x: FloatArray, centre: float, width: float) -> FloatArray:
    pull = (x - centre) / width
    result: FloatArray = -0.5 * pull * pull - math.log(width * math.sqrt(2.0 * math.pi))
    return result


def _log_inside(pulls: float) -> float:
    """Logarithm of the part of a normal distribution above zero."""
    return math.log(0.5 * math.erfc(-pulls / math.sqrt(2.0)))


def _log_gamma_density(x: FloatArray, shape: float, rate: float) -> FloatArray:
    constant = shape * math.log(rate) - math.lgamma(shape)
    power = (shape - 1.0) * np.log(x) if shape != 1.0 else 0.0
    return np.asarray(constant + power - rate * x, dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class NuisancePriors:
    """Choices that turn constraint terms into priors.

    Parameters
    ----------
    efficiency
        Shape of a Gaussian-constrained factor on the signal: ``"log-normal"``, ``"gamma"`` or
        ``"truncated-normal"``. ``"log-normal"`` takes a normsys as it is.
    ur_prior
        Of Poisson-constrained parameters: ``"1/x"`` or ``"flat"``.
    ranges
        Edges of flat priors of parameters without constraint, by name: ``{"level": (0.0, 20.0)}``.

    Examples
    --------
    >>> import darkstats
    >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
    >>> model = darkstats.compile_workspace(workspace)
    >>> flat = darkstats.NuisancePriors(ur_prior="flat")
    >>> limit = darkstats.credible_limit(model, model.observation, nuisances=flat)
    >>> round(limit.observed, 2)
    1.7
    """

    efficiency: str = "log-normal"
    ur_prior: str = "1/x"
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.efficiency not in EFFICIENCIES:
            raise UnknownNameError("efficiency prior", self.efficiency, EFFICIENCIES)
        if self.ur_prior not in UR_PRIORS:
            raise UnknownNameError("ur-prior", self.ur_prior, UR_PRIORS)

    def describe(self) -> tuple[str, ...]:
        """What was chosen, in words."""
        efficiency = {
            "log-normal": "log-normal (a normsys as the workspace interpolates it)",
            "gamma": "gamma, with mean 1 and the stated width",
            "truncated-normal": "normal, cut at 0",
        }[self.efficiency]
        return (
            "Gaussian constraints: normal; a factor on background is cut at 0",
            f"Gaussian constraints of factors on the signal: {efficiency}",
            f"Poisson constraints: gamma, from the ur-prior {self.ur_prior}",
            "no constraint: flat on the half line, or between the edges given",
        )

    def resolve(
        self, model: Model, uses: tuple[Use, ...] | None = None
    ) -> tuple[ParameterPrior | None, ...]:
        """Prior of each parameter; None for a fixed one and for the parameter of interest.

        ``uses`` saves the look at the structure where they are known.

        Raises
        ------
        PriorError
            A prior that does not exist: a ur-prior 1/x without auxiliary events, edges outside
            the physical range or of a parameter that has a constraint.
        """
        uses = uses or model.uses()
        poi = model.require_poi()
        for name in self.ranges:
            index = model.parameter_index(name)
            if index == poi:
                raise PriorError(
                    f"{name} is the parameter of interest: the edges of its prior are those of "
                    "--prior, as in --prior flat:0,10"
                )
            if model.parameters[index].fixed:
                raise PriorError(f"{name} is held fixed: it has no prior")
        if model.parameters[poi].constrained:
            raise PriorError(
                f"{model.poi_name} has an auxiliary measurement: it is a nuisance parameter and no "
                "signal strength; choose another parameter of interest"
            )
        return tuple(
            None if p == poi or parameter.fixed else self._prior(model, parameter, p, uses[p])
            for p, parameter in enumerate(model.parameters)
        )

    def _prior(self, model: Model, parameter: Parameter, index: int, use: Use) -> ParameterPrior:
        datum = float(model.observation.auxdata[index])
        name, on_signal = parameter.name, use.on_signal
        if parameter.constraint == "none":
            return self._free(parameter, on_signal=on_signal)
        if name in self.ranges:
            raise PriorError(f"{name} has a constraint: its prior is that, not a flat one")
        if parameter.constraint == "poisson":
            shape = datum + (1.0 if self.ur_prior == "flat" else 0.0)
            if not shape > 0.0:
                raise PriorError(
                    f"{name} has no auxiliary event: with the ur-prior 1/x its prior is improper; "
                    "use the flat ur-prior"
                )
            return ParameterPrior(
                name=name, kind="gamma", shape=shape, rate=parameter.width, on_signal=on_signal
            )
        normal = ParameterPrior(
            name=name, kind="normal", centre=datum, width=parameter.width, on_signal=on_signal
        )
        if use.linear:
            return self._linear(parameter, datum, on_signal=on_signal)
        if self.efficiency == "log-normal":
            return normal
        if use.in_expression and on_signal:
            raise PriorError(
                f"{name} acts in an expression of an HS3 document: its prior is the normal one "
                "that the document states, which makes the exponent of a factor log-normal"
            )
        return normal if use.signal_factor is None else self._factor(parameter, *use.signal_factor)

    def _linear(self, parameter: Parameter, datum: float, *, on_signal: bool) -> ParameterPrior:
        """A factor with a Gaussian constraint."""
        kind = self.efficiency if on_signal else "truncated-normal"
        if kind != "truncated-normal" and not datum > 0.0:
            raise PriorError(
                f"{parameter.name} is a factor on the signal, measured as {datum:g}: there is no "
                f"{kind} distribution about that"
            )
        if kind == "gamma":
            relative = parameter.width / datum
            return ParameterPrior(
                name=parameter.name,
                kind="gamma",
                shape=relative**-2,
                rate=relative**-2 / datum,
                on_signal=True,
            )
        return ParameterPrior(
            name=parameter.name,
            kind=kind,
            centre=datum,
            width=parameter.width,
            on_signal=on_signal,
        )

    def _factor(self, parameter: Parameter, coefficients: FloatArray, code: int) -> ParameterPrior:
        """A normsys on the signal whose factor is given another distribution."""
        high, low = math.exp(coefficients[0]), math.exp(coefficients[1])
        width = 0.5 * abs(high - low)
        grid = np.linspace(-8.0, 8.0, 321)
        steps = np.diff(normsys_factor(grid, coefficients, code))
        if width == 0.0 or (steps > 0.0).any() == (steps < 0.0).any():
            raise PriorError(
                f"the factor of {parameter.name} on the signal does not rise or fall throughout: "
                f"there is no {self.efficiency} distribution of it; use log-normal"
            )
        kind = "factor-gamma" if self.efficiency == "gamma" else "factor-truncated-normal"
        return ParameterPrior(
            name=parameter.name,
            kind=kind,
            width=width,
            shape=width**-2,
            coefficients=tuple(float(c) for c in coefficients),
            code=code,
            on_signal=True,
        )

    def _free(self, parameter: Parameter, *, on_signal: bool) -> ParameterPrior:
        lower = 0.0 if parameter.lower >= 0.0 else -math.inf
        edges = self.ranges.get(parameter.name, (lower, math.inf))
        if not (edges[0] < edges[1] and edges[0] >= lower):
            raise PriorError(
                f"the prior of {parameter.name} from {edges[0]:g} to {edges[1]:g} is empty, or "
                f"leaves the physical range, which begins at {lower:g}"
            )
        return ParameterPrior(
            name=parameter.name, kind="flat", lower=edges[0], upper=edges[1], on_signal=on_signal
        )
