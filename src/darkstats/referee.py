"""The referee: another program computes the quoted number from the same file; here pyhf.

Use it to learn whether a number rests on anything that only darkstats does. A disagreement is
shown, never resolved: pyhf's minimum can be the wrong one. pyhf runs with NumPy and SciPy, both
interpolation codes set, and the range of the parameter of interest widened so that the tested
value lies inside.
"""

from __future__ import annotations

import copy
import logging
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from darkstats.errors import MissingExtraError
from darkstats.provenance import package_version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from darkstats.fit import FitResult
    from darkstats.inference.results import HypoTestResult, Significance, UpperLimit
    from darkstats.model import HistFactoryModel
    from darkstats.workspace import Workspace

__all__ = [
    "TOLERANCE",
    "Comparison",
    "Verdict",
    "not_repeated",
    "referee_fit",
    "referee_hypotest",
    "referee_limit",
    "referee_significance",
]

#: Relative difference up to which two numbers agree: that of SciPy's minimiser, with room.
TOLERANCE = 1e-3

#: P-values below this are compared absolutely: their logarithm magnifies any minimiser's slack.
_SMALL = 1e-3

_BAND = ("expected −2σ", "expected −1σ", "expected median", "expected +1σ", "expected +2σ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One number, from darkstats and from the referee."""

    quantity: str
    darkstats: float
    referee: float

    @property
    def difference(self) -> float:
        """Referee minus darkstats."""
        return self.referee - self.darkstats

    @property
    def relative_difference(self) -> float | None:
        """Difference relative to the number of darkstats; None where that is 0."""
        return self.difference / abs(self.darkstats) if self.darkstats else None

    @property
    def agrees(self) -> bool:
        """Whether both are numbers that differ by no more than :data:`TOLERANCE`."""
        if not (math.isfinite(self.darkstats) and math.isfinite(self.referee)):
            return False  # infinity differs from a number by no more than infinity
        return abs(self.difference) <= TOLERANCE * max(abs(self.darkstats), _SMALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the referee says.

    Parameters
    ----------
    status
        ``"agrees"``, ``"differs"``, ``"failed"`` (the referee gave no number) or
        ``"not repeated"`` (it has no such number).
    what
        Which number, in words.
    comparisons
        The numbers, side by side; empty where there are none.
    reason
        Why there is no number, or what a reader has to know.
    """

    status: str
    what: str
    comparisons: tuple[Comparison, ...] = ()
    reason: str | None = None
    program: str = "pyhf"
    version: str | None = None


def not_repeated(what: str, reason: str) -> Verdict:
    """Return the verdict on a number that the referee cannot compute."""
    return Verdict(status="not repeated", what=what, reason=reason, version=package_version("pyhf"))


def _judge(what: str, compute: Callable[[Any], tuple[Comparison, ...]]) -> Verdict:
    """Run the referee; whatever it raises becomes a verdict with the reason, never silence."""
    try:
        import pyhf
    except ImportError as error:
        raise MissingExtraError("pyhf", "all") from error
    version = package_version("pyhf")
    try:
        with _numpy_and_scipy(pyhf):
            found = compute(pyhf)
    except Exception as error:  # whatever another program raises is its verdict
        text = str(error).strip().splitlines()
        reason = f"{type(error).__name__}: {text[0] if text else 'no message'}"
        return Verdict(status="failed", what=what, reason=reason, version=version)
    bad = [one.quantity for one in found if not math.isfinite(one.referee)]
    if bad:
        reason = f"{', '.join(bad)} came out as not a number"
        return Verdict(status="failed", what=what, reason=reason, version=version)
    none = [one.quantity for one in found if not math.isfinite(one.darkstats)]
    if none:
        return not_repeated(what, f"darkstats has no number for {', '.join(none)} to compare with")
    status = "agrees" if all(one.agrees for one in found) else "differs"
    return Verdict(status=status, what=what, comparisons=found, version=version)


@contextmanager
def _silent(name: str) -> Iterator[None]:
    """Nothing goes to the log of a package: a failure of its fit comes back as a verdict."""
    log = logging.getLogger(name)
    before = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(before)


@contextmanager
def _numpy_and_scipy(pyhf: Any) -> Iterator[None]:  # noqa: ANN401 -- an untyped module
    """Set pyhf's global backend, then put it back; its warnings and its log stay inside."""
    tensorlib, optimizer = pyhf.get_backend()
    with warnings.catch_warnings(), _silent("pyhf"):
        warnings.simplefilter("ignore")
        pyhf.set_backend("numpy", pyhf.optimize.scipy_optimizer(), precision="64b")
        try:
            yield
        finally:
            pyhf.set_backend(tensorlib, optimizer)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """The likelihood as pyhf sees it."""

    pyhf: Any
    model: Any
    data: Any

    def bounds(self, lower: float, upper: float) -> list[tuple[float, float]]:
        """The workspace's ranges, with that of the parameter of interest replaced."""
        found = list(self.model.config.suggested_bounds())
        poi = self.model.config.poi_index
        found[poi] = (lower, max(upper, found[poi][1]))
        return found


def _case(pyhf: Any, workspace: Workspace, model: HistFactoryModel) -> _Case:  # noqa: ANN401
    document = copy.deepcopy(workspace.document)
    chosen = copy.deepcopy(workspace.measurement(model.measurement))
    if model.poi_index is not None:
        chosen["config"]["poi"] = model.parameters[model.poi_index].set_name
    document["measurements"] = [chosen]
    masked = [channel.name for channel in model.channels if channel.masked]
    spec = pyhf.Workspace(document, validate=False)
    if masked:
        spec = spec.prune(channels=masked)
    compiled = spec.model(
        validate=False,
        modifier_settings={
            "normsys": {"interpcode": model.interpolation.normsys},
            "histosys": {"interpcode": model.interpolation.histosys},
        },
    )
    return _Case(pyhf=pyhf, model=compiled, data=spec.data(compiled))


def _p_values(case: _Case, mu: float, test: HypoTestResult) -> dict[str, float]:
    """Observed CLs and CLs+b (p0 for q0), and the expected band, by name."""
    lower = test.poi_lower if math.isfinite(test.poi_lower) else -10.0 * max(abs(mu), 1.0)
    found: dict[str, float] = {}
    if test.test_stat == "q0":
        found["observed"], band = _discovery(case)
    else:
        observed, tails, band = case.pyhf.infer.hypotest(
            mu,
            case.data,
            case.model,
            test_stat=test.test_stat,
            par_bounds=case.bounds(lower, 2.0 * max(abs(mu), 1.0)),
            return_tail_probs=True,
            return_expected_set=True,
        )
        found["observed"], found["CLs+b"] = float(observed), float(tails[0])
    found.update(zip(_BAND, map(float, band), strict=True))
    return found


def _discovery(case: _Case) -> tuple[float, Any]:
    observed, band = case.pyhf.infer.hypotest(
        0.0,
        case.data,
        case.model,
        test_stat="q0",
        par_bounds=case.bounds(0.0, 2.0),
        return_expected_set=True,
    )
    return float(observed), band


def referee_hypotest(
    workspace: Workspace, model: HistFactoryModel, test: HypoTestResult
) -> Verdict:
    """Repeat an asymptotic test with pyhf: observed and expected values."""
    what = f"test of {test.poi} = {test.mu:g}"
    if test.calculator == "toys":
        return not_repeated(what, "pyhf takes seconds for one toy; drop --calculator toys")
    if test.test_stat in {"t", "ttilde"}:
        return not_repeated(what, f"pyhf has no p-value for {test.test_stat}")

    def compute(pyhf: Any) -> tuple[Comparison, ...]:  # noqa: ANN401
        theirs = _p_values(_case(pyhf, workspace, model), test.mu, test)
        name = "p₀" if test.test_stat == "q0" else "CLs"
        rows: list[tuple[str, float | None, float]] = []
        if test.quoted is not None:
            rows.append((name, test.quoted.value, theirs["observed"]))
        rows += [
            (f"{name} {key}", ours, theirs[key])
            for key, ours in zip(_BAND, test.quoted_expected, strict=True)
        ]
        return _rows(rows)

    if test.quoted is None:
        return _blind(what) if _is_blind(test.observed_reason) else _impossible(what)
    return _judge(what, compute)


def _rows(rows: Sequence[tuple[str, float | None, float]]) -> tuple[Comparison, ...]:
    """Comparisons of the values that exist."""
    return tuple(
        Comparison(quantity=name, darkstats=ours, referee=theirs)
        for name, ours, theirs in rows
        if ours is not None
    )


def _blind(what: str) -> Verdict:
    return not_repeated(
        what, "blind: pyhf's Asimov data come from a fit to the observed data, which stay closed"
    )


def _is_blind(reason: str | None) -> bool:
    from darkstats.inference.hypotest import BLINDED

    return reason == BLINDED


def _impossible(what: str) -> Verdict:
    return not_repeated(what, "the tested hypothesis forbids the data: there is no p-value")


def referee_limit(workspace: Workspace, model: HistFactoryModel, limit: UpperLimit) -> Verdict:
    """Ask pyhf for the p-value at the quoted limit; it is 1 - CL if the limit is right."""
    mu = limit.observed
    what = f"p-value at the limit {limit.poi} = {mu:.6g}" if mu is not None else "limit"
    if limit.observed_reason is not None:
        return _blind("limit")
    if mu is None or not mu > 0.0:
        return not_repeated(what, "there is no positive limit to test")
    from darkstats.inference.hypotest import hypotest

    lower = limit.poi_lower if limit.test_stat == "q" and limit.poi_lower < 0.0 else None
    ours = hypotest(model, model.observation, mu, test_stat=limit.test_stat, poi_lower=lower)
    by_toys = limit.calculator == "toys"

    def compute(pyhf: Any) -> tuple[Comparison, ...]:  # noqa: ANN401
        theirs = _p_values(_case(pyhf, workspace, model), mu, ours)
        if limit.method == "cls" and ours.cls is not None:
            return _rows([("CLs", ours.cls.value, theirs["observed"])])
        value = ours.clsb.value if ours.clsb is not None else math.nan
        return _rows([("CLs+b", value, theirs["CLs+b"])])

    verdict = _judge(what, compute)
    if by_toys and verdict.reason is None:
        note = "asymptotic values at the limit by toys: pyhf takes seconds for one toy"
        return replace(verdict, reason=note)
    return verdict


def referee_significance(
    workspace: Workspace, model: HistFactoryModel, found: Significance
) -> Verdict:
    """Repeat p0 with pyhf."""
    what = "p₀ of the background-only hypothesis"
    if found.p0 is None:
        return _blind(what) if _is_blind(found.observed_reason) else _impossible(what)
    if found.observed_reason is not None:
        return not_repeated(what, "no p₀ was found")
    if found.calculator == "toys":
        return not_repeated(what, "pyhf takes seconds for one toy; drop --calculator toys")
    if found.uncapped:
        return not_repeated(what, "pyhf has no signed q₀; drop --uncapped")
    p0 = found.p0.value

    def compute(pyhf: Any) -> tuple[Comparison, ...]:  # noqa: ANN401
        observed, band = _discovery(_case(pyhf, workspace, model))
        return _rows(
            [("p₀", p0, observed), ("p₀ expected median", found.expected_p0[2], float(band[2]))]
        )

    return _judge(what, compute)


def referee_fit(workspace: Workspace, model: HistFactoryModel, found: FitResult) -> Verdict:
    """Repeat a fit with pyhf: twice the negative log-likelihood with all constants."""
    what = "best fit"
    poi = model.poi_index
    fixed_poi = None
    free = set(found.free)
    held = {p.name for p in model.parameters if not p.fixed and p.name not in free}
    if poi is not None and model.parameters[poi].name in held:
        fixed_poi = found.poi
        held.discard(model.parameters[poi].name)
    if held:
        return not_repeated(what, f"parameters held by hand: {', '.join(sorted(held))}")

    def compute(pyhf: Any) -> tuple[Comparison, ...]:  # noqa: ANN401
        case = _case(pyhf, workspace, model)
        mle = pyhf.infer.mle
        if fixed_poi is None:
            point, value = mle.fit(case.data, case.model, return_fitted_val=True)
        else:
            bounds = case.bounds(min(0.0, fixed_poi), 2.0 * max(abs(fixed_poi), 1.0))
            point, value = mle.fixed_poi_fit(
                fixed_poi, case.data, case.model, par_bounds=bounds, return_fitted_val=True
            )
        rows = [("twice_nll", found.minus_two_log_density, float(value))]
        if poi is not None and fixed_poi is None:
            theirs = float(point[case.model.config.poi_index])
            rows.append((model.parameters[poi].name, found.poi, theirs))
        return _rows(rows)

    return _judge(what, compute)
