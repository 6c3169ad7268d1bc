"""Test of one signal strength: CLs, CLs+b, CLb, observed and expected."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from darkstats.arguments import checked
from darkstats.errors import OptionError, UnknownNameError
from darkstats.inference.asimov import blinded_observation
from darkstats.inference.asymptotics import expected_p_values, observed_p_values
from darkstats.inference.curve import ProfileCurve
from darkstats.inference.p_values import SMALLEST_P, ExpectedPValues, PValue, ToyOptions
from darkstats.inference.results import N_SIGMA, HypoTestResult
from darkstats.inference.test_statistics import test_statistic

if TYPE_CHECKING:
    from darkstats.fit import FitOptions
    from darkstats.inference.p_values import Calculator
    from darkstats.model import Model, Observation

__all__ = [
    "BLINDED",
    "REFERENCES",
    "asymptotic_test",
    "expected_band",
    "far_outside",
    "hypotest",
    "warnings_of",
]

_DEFAULT_RANGE = (0.0, 10.0)  # of a normfactor without declared bounds

#: Why an observed number is missing.
BLINDED = "blinded: only Asimov data were used"

REFERENCES = {
    "asymptotic": ("arXiv:1007.1727",),
    "cls": ("J. Phys. G 28 (2002) 2693",),
    "toys": ("arXiv:1007.1727",),
    "pcl": ("arXiv:1105.3166",),
    "fc": ("arXiv:physics/9711021",),
}


def expected_band(test_stat: str, q_asimov: float) -> ExpectedPValues:
    """Expected p-values at -2 .. +2 sigma from the Asimov value of the statistic.

    For q0 the first entry is the smallest p-value, the outcome two sigma above the expectation,
    in the order of pyhf.
    """
    parts = [expected_p_values(test_stat, q_asimov, float(n)) for n in N_SIGMA]
    bands = [tuple(getattr(part, name) for part in parts) for name in ("cls", "clsb", "clb")]
    bound = SMALLEST_P if any(0.0 in band for band in bands) else None  # they underflow
    return ExpectedPValues(cls=bands[0], clsb=bands[1], clb=bands[2], bound=bound)


def far_outside(model: Model, what: str, mu: float | None) -> tuple[str, ...]:
    """Words for a signal strength further beyond the document's range than the range is wide.

    The range that formats take by default says nothing about a model.
    """
    poi = model.parameters[model.require_poi()]
    if mu is None or (poi.lower, poi.upper) == _DEFAULT_RANGE:
        return ()
    if not mu > poi.upper + (poi.upper - poi.lower):
        return ()
    return (
        f"{what}, {poi.name} = {mu:.4g}, lies far outside [{poi.lower:g}, {poi.upper:g}], the "
        "range that the document declares: check the unit of the signal, and that the model is "
        "meant for such strengths",
    )


def warnings_of(curve: ProfileCurve) -> tuple[str, ...]:
    """What a reader of the numbers has to know about bounds and fits."""
    said = curve.free.warnings
    notes = [*said, *(note for note in curve.notes if not any(map(note.endswith, said)))]
    poi = curve.model.parameters[curve.model.require_poi()]
    if poi.constrained:
        notes.append(
            f"{poi.name} is no signal strength but a parameter with an auxiliary measurement: "
            f"expected values are those of {poi.name} = {curve.statistic.asimov_mu:g}, with "
            "auxiliary data that agree"
        )
    notes += far_outside(curve.model, "the best fit", curve.mu_hat)
    statistic = curve.statistic
    lower = curve.poi_lower
    at_bound = poi.name in curve.free.at_bound and curve.mu_hat <= lower
    if not statistic.bounded and at_bound:
        notes.append(
            f"mu_hat is at {lower:g}, the lower bound that the workspace declares, while "
            f"the distribution of {statistic.symbol} assumes it free: pass a lower bound of the "
            "signal strength, or use qtilde"
        )
    return tuple(notes)


def asymptotic_test(curve: ProfileCurve, mu: float, *, blind: bool = False) -> HypoTestResult:
    """Asymptotic test of ``mu`` from a profile curve; the fits behind it are certified.

    Raises
    ------
    FitFailedError
        A minimum could not be certified.
    """
    statistic = curve.statistic
    curve.evaluate([mu])
    curve.certify(mu)
    q, q_asimov = curve.q(mu), curve.q_asimov(mu)
    discovery = statistic.name == "q0"
    # an infinite statistic (events where the tested hypothesis expects none) has no p-value
    reason = curve.forbidden(mu) if math.isinf(q) else None
    expected_reason = curve.forbidden(mu, asimov=True) if math.isinf(q_asimov) else None
    expected = None if expected_reason else expected_band(statistic.name, q_asimov)
    p = None
    if reason is None and not blind:
        # p0 does not ask for the Asimov value
        p = observed_p_values(statistic.name, q, 0.0 if expected is None else q_asimov)
    sigma = curve.sigma(mu)
    notes = list(() if blind else warnings_of(curve))
    if sigma is None and mu != statistic.asimov_mu and expected is not None:
        notes.append(f"no sensitivity: signal strength {mu:g} cannot be told from the reference")
    return HypoTestResult(
        poi=curve.model.poi_name or "",
        mu=mu,
        test_stat=statistic.name,
        calculator="asymptotic",
        cls=None if p is None or discovery else PValue.exact(p.cls),
        clsb=None if p is None else PValue.exact(p.clsb),
        clb=None if p is None or discovery else PValue.exact(p.clb),
        expected=expected,
        statistic=None if blind or math.isinf(q) else q,
        statistic_asimov=None if math.isinf(q_asimov) else q_asimov,
        mu_hat=None if blind else curve.mu_hat,
        twice_nll=None if blind else curve.free.twice_nll,
        sigma=sigma,
        poi_lower=curve.poi_lower,
        fits=curve.counts,
        observed_reason=BLINDED if blind else reason,
        expected_reason=expected_reason,
        model_digest=curve.model.digest,
        warnings=tuple(notes),
        references=REFERENCES["asymptotic"] + (() if discovery else REFERENCES["cls"]),
    )


@checked
def hypotest(
    model: Model,
    observation: Observation,
    mu: float,
    *,
    test_stat: str = "qtilde",
    calculator: Calculator = "asymptotic",
    toys: ToyOptions | None = None,
    poi_lower: float | None = None,
    blind: bool = False,
    options: FitOptions | None = None,
) -> HypoTestResult:
    """Test the signal strength ``mu``: observed and expected CLs, CLs+b and CLb.

    Parameters
    ----------
    model, observation
        Compiled model with a parameter of interest, and data.
    mu
        Tested signal strength, dimensionless, finite; must be 0 for ``q0``.
    test_stat
        ``"qtilde"``, ``"q"``, ``"q0"``, ``"t"`` or ``"ttilde"``.
    calculator
        ``"asymptotic"``, or ``"toys"`` with ``toys`` saying how many.
    poi_lower
        Lower bound of the signal strength in the free fit, for ``q`` and ``t`` only; by default
        the one that the workspace declares.
    blind
        Use Asimov data (of the background; for q0, of signal strength 1) in the place of the
        observed: expected values only.

    Returns
    -------
    HypoTestResult
        With toys, all p-values count ties (``>=``) and carry their binomial error.

    Raises
    ------
    UnknownNameError
        Unknown statistic or calculator.
    OptionError
        ``mu`` is not finite or does not suit the statistic, or the model has no free parameter of
        interest.
    FitFailedError
        A minimum could not be certified, or too many toys failed.

    Notes
    -----
    arXiv:1007.1727; CLs: A. L. Read, J. Phys. G 28 (2002) 2693. Asymptotic values assume Wald:
    check with toys below about five expected events. Expected values are those of outcomes
    ``mu_hat = N sigma``, with sigma from Asimov data at the conditional fit with mu' = 0.

    Examples
    --------
    >>> import darkstats
    >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
    >>> model = darkstats.compile_workspace(workspace)
    >>> test = darkstats.hypotest(model, model.observation, 1.0)
    >>> round(test.cls.value, 4), round(test.expected.cls[2], 4)
    (0.3767, 0.1909)
    """
    statistic = test_statistic(test_stat)
    if not math.isfinite(mu):
        raise OptionError(f"the tested signal strength must be finite, got {mu}")
    if test_stat == "q0" and mu != 0.0:
        raise OptionError(f"q0 tests the background-only hypothesis: mu must be 0, got {mu:g}")
    if statistic.bounded and mu < 0.0:
        raise OptionError(f"{test_stat} tests signal strengths at or above 0, got {mu:g}")
    if calculator not in {"asymptotic", "toys"}:
        raise UnknownNameError("calculator", calculator, ("asymptotic", "toys"))
    data = blinded_observation(model, mu=statistic.asimov_mu) if blind else observation
    curve = ProfileCurve(model, data, statistic, poi_lower=poi_lower, options=options)
    result = asymptotic_test(curve, mu, blind=blind)
    if calculator == "asymptotic":
        return result
    from darkstats.inference.toy_tests import toy_test

    return toy_test(curve, result, toys or ToyOptions(), blind=blind)
