"""Significance of an excess: p0 and Z, observed and expected.

Use the capped default for a discovery claim (a deficit counts as Z = 0), and ``uncapped=True``
where the sign matters, for scans and look-elsewhere studies.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from darkstats.arguments import checked
from darkstats.errors import OptionError, UnknownNameError
from darkstats.gaussian import quantile
from darkstats.inference.asimov import blinded_observation
from darkstats.inference.asymptotics import discovery
from darkstats.inference.curve import ProfileCurve
from darkstats.inference.hypotest import BLINDED, warnings_of
from darkstats.inference.p_values import SMALLEST_P, PValue, ToyOptions
from darkstats.inference.results import N_SIGMA, Significance
from darkstats.inference.test_statistics import TEST_STATISTICS, TestStatistic
from darkstats.inference.ties import observed_counts_probability, tie_note

if TYPE_CHECKING:
    from darkstats.fit import FitOptions
    from darkstats.inference.p_values import Calculator
    from darkstats.model import Model, Observation

__all__ = ["significance"]

#: q0 with the sign of mu-hat: positive for an excess, negative for a deficit.
_SIGNED = TestStatistic(
    name="q0 signed", symbol="±t0", equation="8", bounded=False, sided="signed", asimov_mu=1.0
)


_Band = tuple[tuple[float | None, float | None], ...]


def _asymptotic_band(curve: ProfileCurve, *, uncapped: bool) -> tuple[_Band, str | None]:
    """Expected Z and p0 at -2 .. +2 sigma, or why there are none."""
    reason = curve.forbidden(0.0, asimov=True)
    if reason is not None:
        return ((None, None),) * len(N_SIGMA), reason
    asimov = curve.q_asimov(0.0)
    root = math.copysign(math.sqrt(abs(asimov)), asimov)
    return tuple(discovery(root + n, uncapped=uncapped) for n in N_SIGMA), None


def _z_of(p0: float, *, uncapped: bool) -> float | None:
    """Z of a p-value from toys; None where none or all of them are as extreme."""
    if p0 == 0.0 or (uncapped and p0 == 1.0):
        return None
    return discovery(-quantile(p0), uncapped=uncapped)[0]


def _by_toys(p0: PValue, *, uncapped: bool) -> tuple[float | None, float, str | None]:
    """Z from toys, its error, and why there is none."""
    z = _z_of(p0.value, uncapped=uncapped)
    if z is not None:
        if z == 0.0 and not uncapped:  # no excess, whatever the toys
            return z, 0.0, None
        density = math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
        return z, p0.error / density, None
    if p0.bound is None:
        return None, 0.0, "every toy is at least as extreme: Z lies far below 0, more toys needed"
    return (
        None,
        0.0,
        f"no toy is as extreme: p0 < {p0.bound:.3g} and Z > {-quantile(p0.bound):.3g} at 95 % CL; "
        "more toys are needed to say more",
    )


@checked
def significance(
    model: Model,
    observation: Observation,
    *,
    calculator: Calculator = "asymptotic",
    uncapped: bool = False,
    toys: ToyOptions | None = None,
    poi_lower: float | None = None,
    blind: bool = False,
    options: FitOptions | None = None,
) -> Significance:
    """Discovery significance of the observed data, and expected for signal strength 1.

    Parameters
    ----------
    model, observation
        Compiled model with a parameter of interest, and data.
    calculator
        ``"asymptotic"`` or ``"toys"``.
    uncapped
        Let the signal strength go negative and give Z its sign.
    poi_lower
        Lower bound of the signal strength for ``uncapped``; by default that of the workspace if
        it is negative, else none.
    blind
        Expected values only; nuisance parameters as initially set.

    Raises
    ------
    OptionError
        The model has no free parameter of interest, ``poi_lower`` is given without ``uncapped``,
        or ``uncapped`` without a lower bound for an unbinned model.
    FitFailedError
        A minimum could not be certified, or too many toys failed.

    Notes
    -----
    arXiv:1007.1727, eq. 12, 52 (p0) and 53 (Z); expected: Asimov data with mu' = 1, eq. 84 and
    section 4.3. One sided: p0 of no excess is 0.5 asymptotically, and 1 by toys, which count ties.
    Where the background-only hypothesis expects nothing in a bin with events, q0 is infinite: Z and
    p0 are ``None``, with a reason that names the bin.

    Examples
    --------
    >>> import darkstats
    >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
    >>> model = darkstats.compile_workspace(workspace)
    >>> excess = darkstats.significance(model, model.observation)
    >>> round(excess.observed, 3), round(excess.p0.value, 3)
    (0.77, 0.221)
    """
    if calculator not in {"asymptotic", "toys"}:
        raise UnknownNameError("calculator", calculator, ("asymptotic", "toys"))
    if poi_lower is not None and not uncapped:
        raise OptionError("a lower bound of the signal strength goes with uncapped only")
    statistic, lower = TEST_STATISTICS["q0"], None
    if uncapped:
        statistic = _SIGNED
        declared = float(model.lower[model.require_poi()])
        lower = poi_lower if poi_lower is not None else declared if declared < 0.0 else -math.inf
        if lower == -math.inf and observation.events is not None:
            raise OptionError(
                "a density of events does not allow any negative signal strength: leave uncapped "
                "away, or let the range of the parameter of interest end below zero where the "
                "density is still positive"
            )
    data = blinded_observation(model, mu=statistic.asimov_mu) if blind else observation
    curve = ProfileCurve(model, data, statistic, poi_lower=lower, options=options)
    curve.evaluate([0.0])
    curve.certify(0.0)
    value, reason = curve.q(0.0), curve.forbidden(0.0)
    z: float | None = None
    p0: PValue | None = None
    error = 0.0
    if reason is None:
        z, p = discovery(math.copysign(math.sqrt(abs(value)), value), uncapped=uncapped)
        p0 = PValue.exact(p)
    band, expected_reason = _asymptotic_band(curve, uncapped=uncapped)
    bound = SMALLEST_P if any(p == 0.0 for _, p in band) else None  # Z is known, p0 underflows
    counts = seed = None
    ties: tuple[str, ...] = ()
    if calculator == "toys" and (reason is None or observation.events is None):
        from darkstats.inference.toy_tests import toy_points

        choice = toys or ToyOptions()
        (point,) = toy_points(curve, [0.0], choice)
        counts, seed = point.toys, choice.seed
        if reason is None:
            p0 = point.clsb
            tied = observed_counts_probability(curve, 0.0)
            ties = tie_note(tied, p0.value, "p0 is smaller")
            z, error, reason = _by_toys(p0, uncapped=uncapped)
        expected_p0 = tuple(reversed(point.expected.clsb))
        bound = point.expected.bound
        band = tuple((_z_of(p, uncapped=uncapped), p) for p in expected_p0)
        expected_reason = None
        if any(expected is None for expected, _ in band):
            expected_reason = (
                "where none (or all) of the toys without signal are as extreme, Z lies beyond what "
                "they can tell: ask for more toys"
            )
    return Significance(
        poi=model.poi_name or "",
        calculator=calculator,
        uncapped=uncapped,
        observed=None if blind else z,
        observed_error=0.0 if blind else error,
        observed_reason=BLINDED if blind else reason,
        p0=None if blind else p0,
        statistic=None if blind or math.isinf(value) else value,
        expected=tuple(expected for expected, _ in band),
        expected_p0=tuple(p for _, p in band),
        expected_p0_bound=bound,
        expected_reason=expected_reason,
        mu_hat=None if blind else curve.mu_hat,
        twice_nll=None if blind else curve.free.twice_nll,
        fits=curve.counts,
        toys=counts,
        seed=seed,
        model_digest=model.digest,
        warnings=() if blind else (*warnings_of(curve), *ties),
        references=("arXiv:1007.1727",),
    )
