"""What a scan over mass hypotheses found, as frozen values and as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from darkstats.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from darkstats.scan.local import LocalTest
    from darkstats.scan.settings import ScanSettings
    from darkstats.workspace.json_values import JsonObject

__all__ = ["MassScan", "ScanPoint", "results_in_words"]

Band = tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ScanPoint(Shown):
    """One mass hypothesis: limits and local significance, or why there are none.

    Parameters
    ----------
    name, values
        Of the patch.
    status, reason
        ``"ok"``, or ``"failed"`` with the reason: then no number is given.
    observed, observed_error, observed_reason
        Limit on the signal strength; ``None`` with a reason where there is none.
    expected, expected_error, expected_reason
        At -2 .. +2 sigma.
    cls_observed, cls_expected
        CLs at a signal strength of 1; ``None`` where it does not apply.
    cls_observed_bound, cls_expected_bound
        What CLs lies below where none of the toys is as extreme: then it is ``None``, or that entry
        is.
    engine
        Which engine a Bayesian limit comes from.
    low_counts
        What holds in the place of asymptotic limits below that of no event at all, as JSON data.
    mu_hat
        Best fit of the signal strength, negative for a deficit; ``None`` with ``mu_hat_reason``
        where the likelihood does not allow negative values.
    sigma
        Asimov standard deviation of the signal strength.
    p0, significance, signed_significance
        Local p-value of the background-only hypothesis (one-sided: at most 0.5), its Z, and the
        signed root of the likelihood ratio, negative for a deficit. Frequentist for any method;
        ``None`` with ``local_reason`` where a fit could not be certified, or where the hypothesis
        without signal expects nothing in a bin with events.
    expected_spectrum_significance
        Signed Asimov significance that the expected spectrum of the whole search gives in the
        window, whatever the data are: the local numbers take it to be 0. ``None`` with
        ``expected_spectrum_significance_reason`` where the search has no such spectrum.
    twice_nll
        Deviance at the best fit within the bounds of the statistic.
    fits, toys
        Counts, as in a limit record.
    warnings, model_digest
        What a reader has to know; which model was fitted.
    """

    in_a_line: ClassVar = (
        "name values status reason observed "
        "observed_reason expected expected_reason p0 significance local_reason"
    )

    name: str
    values: tuple[float | str, ...]
    status: str = "ok"
    reason: str | None = None
    observed: float | None = None
    observed_error: float = 0.0
    observed_reason: str | None = None
    expected: Band = (None,) * 5
    expected_error: Band = (None,) * 5
    expected_reason: str | None = None
    cls_observed: float | None = None
    cls_expected: Band | None = None
    cls_observed_bound: float | None = None
    cls_expected_bound: float | None = None
    engine: str | None = None
    low_counts: Mapping[str, Any] | None = None
    mu_hat: float | None = None
    mu_hat_reason: str | None = None
    local_reason: str | None = None
    sigma: float | None = None
    p0: float | None = None
    significance: float | None = None
    signed_significance: float | None = None
    expected_spectrum_significance: float | None = None
    expected_spectrum_significance_reason: str | None = None
    twice_nll: float | None = None
    fits: Mapping[str, int] | None = None
    toys: Mapping[str, int] | None = None
    warnings: tuple[str, ...] = ()
    model_digest: str = ""

    def with_local(self, test: LocalTest) -> ScanPoint:
        """The same with best fit and local significance, or with the reason why there are none."""
        return replace(
            self,
            mu_hat=test.mu_hat,
            mu_hat_reason=test.mu_hat_reason,
            local_reason=test.reason,
            p0=test.p0,
            significance=test.significance,
            signed_significance=test.signed_significance,
        )

    @classmethod
    def lost(cls, name: str, values: tuple[float | str, ...], why: Exception | str) -> ScanPoint:
        """A hypothesis without any number, and why."""
        return cls(name=name, values=values, status="failed", reason=str(why))

    @property
    def has_result(self) -> bool:
        """Whether any number of the hypothesis is certified: a limit, or a local p-value."""
        numbers = (self.observed, *self.expected, self.p0)
        return self.status == "ok" and any(number is not None for number in numbers)

    def plain(self) -> JsonObject:
        """As JSON data."""
        return {name: getattr(self, name) for name in _point_fields()}  # asdict copies deeply

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> ScanPoint:
        """Inverse of :meth:`plain`; other keys are ignored."""
        values = {name: plain[name] for name in _point_fields() if name in plain}
        for name in ("values", "expected", "expected_error", "cls_expected", "warnings"):
            if values.get(name) is not None:
                values[name] = tuple(values[name])
        return cls(**values)


@cache
def _point_fields() -> tuple[str, ...]:
    return tuple(f.name for f in fields(ScanPoint))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class MassScan(Shown):
    """Limits and local p-values at all mass hypotheses of a patch set.

    Parameters
    ----------
    labels
        What the values of a point are.
    settings
        How points were tested.
    points
        In the order of the patch set.
    inputs_digest
        SHA-256 of workspace, patches and fill.
    """

    in_a_line: ClassVar = "labels settings statement largest_excess"

    labels: tuple[str, ...]
    settings: ScanSettings
    points: tuple[ScanPoint, ...] = field(repr=False)
    inputs_digest: str = ""

    @property
    def failed(self) -> tuple[ScanPoint, ...]:
        """Points without an answer."""
        return tuple(point for point in self.points if not point.has_result)

    @property
    def statement(self) -> str:
        """How many hypotheses have a certified result, in words; and how many no significance."""
        said = results_in_words(len(self.points), [_failure(point) for point in self.failed])
        lost = [p.name for p in self.points if p.has_result and p.significance is None]
        if self.settings.blind or not lost:
            return said
        return (
            f"{said}; {len(lost)} without a local significance, the first of them {lost[0]}: a "
            "larger excess may be among them"
        )

    @property
    def largest(self) -> ScanPoint | None:
        """The point of the largest local significance; None where there is none."""
        known = [p for p in self.points if p.significance is not None]
        return max(known, key=lambda p: p.significance or 0.0, default=None)

    @property
    def largest_excess(self) -> str | None:
        """The same in words; None where there is none."""
        found = self.largest
        return None if found is None else f"Z = {found.significance:.2f} at {found.name}"

    @property
    def most_biased(self) -> ScanPoint | None:
        """The point whose window the expected spectrum biases most; None where none is known."""
        known = [p for p in self.points if p.expected_spectrum_significance is not None]
        return max(known, key=lambda p: abs(p.expected_spectrum_significance or 0.0), default=None)


def _failure(point: ScanPoint) -> tuple[str, str | None]:
    return point.name, point.reason or point.observed_reason or point.expected_reason


def results_in_words(n_points: int, failures: Sequence[tuple[str, str | None]]) -> str:
    """Say how many hypotheses have a certified result, and why the first one has none.

    Parameters
    ----------
    n_points
        Number of hypotheses.
    failures
        Name and reason of each without a result.
    """
    if not failures:
        return f"all {n_points} hypotheses have a certified result"
    (name, reason), *_ = failures
    good = n_points - len(failures)
    return (
        f"{good or 'none'} of {n_points} hypotheses {'has' if good < 2 else 'have'} a certified "
        f"result; the first without one, {name}: {reason or 'no reason is known'}"
    )
