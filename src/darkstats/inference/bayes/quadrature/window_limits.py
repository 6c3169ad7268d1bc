"""Credible limits of counting windows with their expected bands, thousands at once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import DarkstatsError, NotCertifiedError, PosteriorError
from darkstats.fit import fit_batch
from darkstats.inference.bayes.posterior import TAIL, PoiPosterior, require_falling
from darkstats.inference.bayes.quadrature.enumeration import Enumeration, count_range, enumeration
from darkstats.inference.bayes.quadrature.window_posteriors import (
    Layout,
    Outcomes,
    WindowGroup,
    WindowPosteriors,
    window_posteriors_of,
)
from darkstats.inference.bayes.quadrature.windows import LEVELS, mixtures

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray
    from darkstats.fit import FitOptions

__all__ = ["TOLERANCE", "CountingAnswer", "counting_limits"]

TOLERANCE = 1e-6  # relative difference between two resolutions of a number that counts
EXPECTED_TOLERANCE = 1e-4  # the same for an expected limit, its interpolation included
LARGEST = 1e-4  # relative error of a limit that counts, all of it together
STRETCHES = (1.0, 8.0, 64.0, 512.0, 4096.0)

Laws = list[list[tuple[int, "FloatArray"]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CountingAnswer:
    """What the quadrature engine says of one window.

    Parameters
    ----------
    limit, error
        Credible limit, and its numerical error: the difference between the last two resolutions,
        and what the panels leave out, between their nodes and beyond the last.
    problem
        Why there is no limit: an error of the window itself, or that the engine cannot certify
        its answer; then another engine may.
    posterior, log_empty
        Posterior, and logarithm of the likelihood without signal, of the same constant as its
        evidence.
    expected, expected_error, expected_reason
        Band, and why there is none.
    level, fits
        Resolution that was needed, and background-only fits that were certified.
    """

    limit: float | None = None
    error: float = 0.0
    problem: DarkstatsError | None = None
    posterior: PoiPosterior | None = field(default=None, repr=False)
    log_empty: float | None = None
    expected: tuple[float | None, ...] = (None,) * 5
    expected_error: tuple[float | None, ...] = (None,) * 5
    expected_reason: str | None = None
    level: int = 0
    fits: int = 0


@dataclass(slots=True)
class _Window:
    """Work in progress on one window."""

    observed: FloatArray | None  # None when blinded
    outcomes: Enumeration | None = None
    selected: FloatArray | None = None  # [5, bin] outcomes at the quantiles
    guesses: FloatArray | None = None  # [5] their limits, interpolated or from the level before
    before: float | None = None  # observed limit of the level before
    layout: Layout | None = None  # panels of the level before
    level: int = 0
    stretch: int = 0
    done: bool = False
    answer: CountingAnswer = field(default_factory=CountingAnswer)

    def counts(self) -> Outcomes:
        """Outcomes to be evaluated at this level, the observed one in front."""
        if self.selected is None and self.outcomes is not None:
            return self.outcomes.outcomes(self.observed)
        parts = [] if self.observed is None else [self.observed[np.newaxis, :]]
        if self.selected is not None:
            parts.append(self.selected)
        return Outcomes.of(np.concatenate(parts))

    def settled(self) -> tuple[float, float]:
        """Parts of the evidence that a panel may leave out: of the first outcome, of the others.

        Limits that only tell which outcomes stand at the quantiles need few digits.
        """
        others = 3e-3 if self.selected is None and self.outcomes is not None else 1e-6
        mine = 1e-8 if self.level else 1e-6  # the first resolution is only compared with the second
        return (others if self.observed is None else mine), others

    def note(self, **changes: object) -> None:
        """Change the answer."""
        self.answer = replace(self.answer, **changes)  # type: ignore[arg-type] # fields by name

    def refuse(self, problem: DarkstatsError) -> None:
        """Give up."""
        self.note(problem=problem)
        self.done = True


def counting_limits(
    group: WindowGroup,
    *,
    cl: float,
    expected: str,
    blind: bool = False,
    threads: int | None = None,
    options: FitOptions | None = None,
) -> list[CountingAnswer]:
    """Credible limits and expected bands of windows of one structure.

    Parameters
    ----------
    group
        Windows with their counts.
    cl
        Posterior probability below the limit.
    expected
        ``"conditional-mle"``, ``"prior-predictive"`` or ``"none"``.
    blind
        Expected values only.
    threads, options
        Threads at most, and options of the background-only fits.
    """
    windows = [_Window(observed=None if blind else counts) for counts in group.counts]
    for w, window in enumerate(windows):
        try:
            group.require_usable(w)
        except PosteriorError as error:
            window.refuse(error)
    _plan_outcomes(group, windows, expected=expected, options=options)
    while True:
        classes: dict[tuple[int, int], list[int]] = {}
        for w, window in enumerate(windows):
            if not window.done:
                classes.setdefault((window.level, window.stretch), []).append(w)
        if not classes:
            return [window.answer for window in windows]
        for (level, stretch), members in classes.items():
            found = window_posteriors_of(
                group.of(members),
                [windows[w].counts() for w in members],
                cl=cl,
                level=LEVELS[level],
                stretch=STRETCHES[stretch],
                settled=[windows[w].settled() for w in members],
                before=[windows[w].layout for w in members],
                threads=threads,
            )
            for i, w in enumerate(members):
                answer = found[i]
                if answer is None:
                    windows[w].refuse(NotCertifiedError("the quadrature needs too many nodes"))
                    continue
                _take(windows[w], answer, predictive=expected == "prior-predictive")
                if windows[w].done and windows[w].answer.problem is None:
                    _close(group, w, windows[w], answer)


def _plan_outcomes(
    group: WindowGroup, windows: list[_Window], *, expected: str, options: FitOptions | None
) -> None:
    """Decide which outcomes are enumerated, or why none are."""
    if expected == "none":
        laws, reasons = None, ["not asked for"] * len(windows)
    elif expected == "prior-predictive":
        laws = _predictive_laws(group)
        why = "a nuisance parameter has an improper prior: nothing can be thrown from it"
        reasons = ["" if laws is not None else why] * len(windows)
    else:
        laws, reasons = _conditional_laws(group, windows, options)
    for w, window in enumerate(windows):
        if window.done:
            continue
        reason = reasons[w]
        if laws is not None and not reason:
            signal, background = group.events(w)
            window.outcomes = enumeration(
                laws[w],
                signal / np.sqrt(background + 1.0),
                whole=expected == "prior-predictive",
            )
            reason = "" if window.outcomes is not None else "too many outcomes to enumerate"
        if reason:
            window.note(expected_reason=reason)
            if window.observed is None:
                window.refuse(NotCertifiedError(f"blinded, and no expected limit: {reason}"))


def _conditional_laws(
    group: WindowGroup, windows: list[_Window], options: FitOptions | None
) -> tuple[Laws, list[str]]:
    """Poisson laws at the conditional fit without signal, constraint terms included."""
    laws: Laws = []
    reasons = []
    bins = list(group.plan.bins)
    known = group.backgrounds or (None,) * len(windows)
    for window, model, counts, given in zip(
        windows, group.models, group.counts, known, strict=True
    ):
        laws.append([])
        reasons.append("")
        if window.done:
            continue
        point = given
        if point is None:
            full = model.observation.counts.copy()
            full[bins] = counts
            aux = model.observation.auxdata
            batch = fit_batch(model, full, aux, poi_values=0.0, options=options)
            if not batch.converged[0]:
                reasons[-1] = "the fit without signal could not be certified"
                continue
            window.note(fits=1)
            point = batch.parameters[0]
        rates = model.expected_rates(point)[bins]
        laws[-1] = [count_range(max(float(rate), 0.0)) for rate in rates]
    return laws, reasons


def _predictive_laws(group: WindowGroup) -> Laws | None:
    """Ranges of counts that hold the prior-predictive law of each bin; None if it is improper."""
    nodes = mixtures(group.plan, group.models, group.nuisances, group.counts, LEVELS[0])
    if nodes is None or not nodes.proper:
        return None
    weight = nodes.weight[:, np.newaxis, :, np.newaxis]
    private = nodes.private_weight[:, :, np.newaxis, :]
    mean = (nodes.background * weight * private).sum(axis=(2, 3))
    square = (nodes.background**2 * weight * private).sum(axis=(2, 3))
    spread = np.sqrt(mean + np.maximum(square - mean**2, 0.0))
    low = np.maximum(np.floor(mean - 6.5 * spread - 2.0), 0.0).astype(int)
    high = np.ceil(mean + 9.0 * spread + 12.0).astype(int)
    return [
        [(int(a), np.ones(int(b - a) + 1)) for a, b in zip(low[w], high[w], strict=True)]
        for w in range(len(mean))
    ]


def _take(window: _Window, found: WindowPosteriors, *, predictive: bool) -> None:
    """Compare with the level before; done where both agree."""
    window.layout = found.layout
    skip = 0 if window.observed is None else 1
    agreed = window.level > 0
    if skip:
        here = float(found.limit[0])
        if window.before is not None:
            error = abs(here - window.before)
            agreed = agreed and bool(error <= TOLERANCE * here)
            window.note(limit=here, error=error)
        else:
            agreed = False
        window.before = here
    limits = found.limit[skip:]
    if window.selected is not None and window.guesses is not None:
        differences = np.abs(limits - window.guesses)
        agreed = agreed and bool((differences <= EXPECTED_TOLERANCE * limits).all())
        window.guesses = limits
        window.note(
            expected=tuple(float(x) for x in limits),
            expected_error=tuple(float(x) for x in differences),
        )
    elif window.outcomes is not None:
        _select(window, limits, found.empty[skip:] if predictive else None)
        agreed = False
    if window.done:
        return
    window.done = agreed
    window.level += 1
    if not agreed and window.level >= len(LEVELS):
        window.refuse(NotCertifiedError("two resolutions of the quadrature do not agree"))


def _select(window: _Window, limits: FloatArray, weights: FloatArray | None) -> None:
    """Which outcomes stand at the quantiles."""
    reason = None
    if not (np.isfinite(limits).all() and (limits > 0.0).all()):
        reason = "an outcome of the background leaves no posterior"
    elif weights is not None and abs(float(weights.sum()) - 1.0) > 1e-5:
        reason = "the outcomes that were enumerated do not hold the prior-predictive law"
    if window.outcomes is not None and reason is None:
        window.selected, window.guesses = window.outcomes.quantiles(limits, weights)
        return
    window.outcomes = None
    window.note(expected_reason=reason)
    if window.observed is None:
        window.refuse(NotCertifiedError(f"blinded, and no expected limit: {reason}"))


def _close(group: WindowGroup, w: int, window: _Window, found: WindowPosteriors) -> None:
    """Make the posterior; where too much of it may lie beyond, integrate further."""
    if window.observed is None:
        return
    prior = group.prior[w]
    with np.errstate(divide="ignore"):
        log_likelihood = np.log(np.maximum(found.likelihood, 0.0))
        log_empty = float(np.log(found.empty[0]))
    try:
        posterior = PoiPosterior.of(prior, found.layout.v, log_likelihood)
        require_falling(posterior, prior)
    except (PosteriorError, NotCertifiedError) as error:
        window.refuse(error)
        return
    if posterior.left_out > TAIL:
        if window.stretch + 1 == len(STRETCHES):
            window.refuse(
                NotCertifiedError(
                    f"up to {posterior.left_out:.2g} of the posterior lies beyond signal strength "
                    f"{float(prior.coordinate.to_mu(found.layout.v[-1])):.3g}"
                )
            )
            return
        window.stretch += 1
        window.level -= 1
        window.before = None
        window.done = False
        return
    left = found.unsettled[0] + posterior.left_out
    moved = window.answer.error + posterior.quantile_error(float(found.limit[0]), left)
    if not moved <= LARGEST * float(found.limit[0]):
        window.refuse(
            NotCertifiedError(
                f"panels of the signal strength do not follow the posterior: {left:.2g} of it is "
                "not resolved"
            )
        )
        return
    window.note(
        error=moved,
        posterior=posterior,
        log_empty=log_empty,
        level=window.level - 1,
        problem=None,
    )
