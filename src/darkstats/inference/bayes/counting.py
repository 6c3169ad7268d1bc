"""The quadrature engine: posteriors of counting windows, exact to the digits that are asked for.

Thousands of windows at once: those of one structure share the plan of the integral, and one
compiled call takes the posteriors of all their outcomes. A number counts where two resolutions of
the quadrature agree.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from darkstats.arrays import FloatArray, IndexArray
from darkstats.errors import EmptySupportError, InsensitiveError
from darkstats.inference.bayes.posterior import panel_edges
from darkstats.inference.bayes.propriety import require_proper
from darkstats.inference.bayes.rules import (
    legendre_panels,
    legendre_rule,
    log_gamma,
    normsys_factor,
)
from darkstats.inference.bayes.window_kernel import (
    ORDER,
    Shape,
    WindowArrays,
    legendre_transform,
    window_posteriors,
)
from darkstats.inference.bayes.windows import Mixtures, Resolution, mixtures
from darkstats.kernel import default_threads, run_blocks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from darkstats.inference.bayes.nuisances import ParameterPrior
    from darkstats.inference.bayes.priors import BoundPrior
    from darkstats.inference.bayes.recognition import CountingPlan
    from darkstats.model import HistFactoryModel

__all__ = ["Outcomes", "WindowGroup", "WindowPosteriors", "window_posteriors_of"]

_T_PANELS = (3, 4, 5, 6, 8, 10, 14, 20, 28, 40, 56, 80, 112, 160, 224, 320)
_DROP = 36.0  # fall of the log-likelihood at which t ends
_WINDOWS_PER_BLOCK = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowGroup:
    """Windows of one structure.

    Parameters
    ----------
    plan
        How the integral over nuisance parameters is done.
    models
        The windows.
    nuisances, prior
        Prior of each parameter of each window, and of the parameter of interest of each.
    counts
        Observed counts. Shape [window, bin].
    backgrounds
        Minimum of each window's likelihood without signal, where it is known already; else empty.
    """

    plan: CountingPlan
    models: tuple[HistFactoryModel, ...]
    nuisances: tuple[tuple[ParameterPrior | None, ...], ...]
    prior: tuple[BoundPrior, ...]
    counts: FloatArray
    backgrounds: tuple[FloatArray | None, ...] = ()

    def of(self, windows: Sequence[int]) -> WindowGroup:
        """Some of the windows."""
        return WindowGroup(
            plan=self.plan,
            models=tuple(self.models[w] for w in windows),
            nuisances=tuple(self.nuisances[w] for w in windows),
            prior=tuple(self.prior[w] for w in windows),
            counts=self.counts[list(windows)],
        )

    def events(self, window: int) -> FloatArray:
        """Nominal events of signal and background in each bin. Shape [2, bin]."""
        model = self.models[window]
        result = np.zeros((2, len(self.plan.bins)))
        for term in self.plan.terms:
            events = float(model.numbers.nominal[term.at])
            for p, row in term.constants:
                value = np.array([model.parameters[p].init])
                if row >= 0:
                    coefficients = model.numbers.normsys[8 * row : 8 * row + 8]
                    value = normsys_factor(value, coefficients, model.layout.normsys_code)
                events *= float(value[0])
            result[0 if term.signal else 1, term.bin] += events
        return result

    def require_usable(self, window: int) -> None:
        """Check that data and model can make a posterior.

        Raises
        ------
        InsensitiveError
            No rate depends on the signal strength.
        EmptySupportError
            A bin has events, and no term of the model predicts any.
        ImproperPosteriorError
            The priors cannot make a proper posterior.
        """
        require_proper(self.models[window], self.nuisances[window], self.prior[window].upper)
        signal, background = self.events(window)
        if not signal.max() > 0.0:
            raise InsensitiveError(
                f"parameter of interest {self.models[window].poi_name!r} changes no expected rate "
                "that the likelihood sees: the posterior is the prior, and nothing is limited"
            )
        for b in np.flatnonzero((signal + background <= 0.0) & (self.counts[window] > 0.0)):
            raise EmptySupportError(
                f"bin {self.plan.bins[b]} has {self.counts[window, b]:g} events, and its expected "
                "rate is zero at every parameter value: the data are impossible"
            )


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Counts of one window whose posteriors are asked for.

    ``lists`` has the rising counts of each bin, ``index`` the place of each outcome in them, shape
    [outcome, bin].
    """

    lists: tuple[FloatArray, ...]
    index: IndexArray

    @classmethod
    def of(cls, counts: FloatArray) -> Outcomes:
        """Outcomes from their counts, shape [outcome, bin], in this order."""
        lists, places = [], []
        for b in range(counts.shape[1]):
            values, place = np.unique(counts[:, b], return_inverse=True)
            lists.append(values)
            places.append(place)
        return cls(tuple(lists), np.stack(places, axis=1).astype(np.int64))


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowPosteriors:
    """Answers of one window.

    Parameters
    ----------
    limit
        Credible upper limit of each outcome in the signal strength; NaN where the likelihood is
        zero throughout. Shape [outcome].
    evidence, empty
        Integral of likelihood times prior, and likelihood without signal. Shape [outcome].
    last
        Part of the evidence in the last panel. Shape [outcome].
    edges, likelihood
        Panels in the coordinate of the prior, and the likelihood of the first outcome at their
        nodes.
    """

    limit: FloatArray
    evidence: FloatArray
    empty: FloatArray
    last: FloatArray
    edges: FloatArray = field(repr=False)
    likelihood: FloatArray = field(repr=False)


def _ranges(
    nodes: Mixtures,
    smallest: FloatArray,
    largest: FloatArray,
    lower: FloatArray,
    level: Resolution,
) -> tuple[FloatArray, FloatArray, FloatArray, IndexArray]:
    """End of t; of the signal strength, at the mean factor and at the lowest; panels. [window].

    Counts have shape [window, bin], lower edges of the priors [window]. Zero panels: too many would
    be needed.
    """
    weight = nodes.weight / nodes.weight.sum(axis=1, keepdims=True)
    rates = (nodes.background * nodes.private_weight[:, :, np.newaxis, :]).sum(axis=3)
    typical = np.einsum("wkg,wg->wk", rates, weight)
    square = (nodes.background**2 * nodes.private_weight[:, :, np.newaxis, :]).sum(axis=3)
    spread = np.sqrt(np.maximum(np.einsum("wkg,wg->wk", square, weight) - typical**2, 0.0))
    low = np.maximum(typical - 5.0 * spread, 0.0)
    heavy = weight > 1e-11
    signal = np.where(heavy[:, np.newaxis, :], nodes.signal, np.inf).min(axis=2)
    total = signal.sum(axis=1)
    events = largest.sum(axis=1)
    mean = (nodes.factor * nodes.factor_weight).sum(axis=1) / nodes.factor_weight.sum(axis=1)
    begin = lower * mean  # the posterior begins there, perhaps far beyond the peak
    far = (events + 9.0 * np.sqrt(events) + 60.0) / total + begin
    t = far[:, np.newaxis] * np.logspace(-4.0, 0.0, 240)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = t[:, np.newaxis, :] * signal[:, :, np.newaxis] + low[:, :, np.newaxis]
        seen = (largest > 0.0) & (signal > 0.0)
        terms = np.where(seen[:, :, np.newaxis], largest[:, :, np.newaxis] * np.log(rate), 0.0)
        value = terms.sum(axis=1) - t * total[:, np.newaxis]
        width = np.sqrt(largest + 2.0) / signal
    value = np.where(np.isfinite(value), value, -np.inf)
    inside = t >= begin[:, np.newaxis]
    peak = np.where(inside, value, -np.inf).max(axis=1, keepdims=True)
    alive = (value > peak - _DROP) | (np.arange(240) <= np.argmax(value, axis=1)[:, np.newaxis])
    last = np.minimum(alive.shape[1] - 1 - np.argmax(alive[:, ::-1], axis=1) + 1, 239)
    top = np.take_along_axis(t, last[:, np.newaxis], axis=1)[:, 0]
    narrow = (1.0 / (1.0 / width**2).sum(axis=1)) ** 0.5
    # Panels widen as the power 1.5: the last follow the largest counts, the first the smallest.
    slim = (((signal**2) / (smallest + 2.0)).sum(axis=1)) ** -0.5
    wanted = np.maximum(top / (level.panel * narrow), (top / (level.panel * slim)) ** (2.0 / 3.0))
    place = np.searchsorted(_T_PANELS, np.ceil(wanted))
    panels = np.array((*_T_PANELS, 0))[place]
    certain = nodes.factor_weight > 1e-11
    lowest = np.where(certain, nodes.factor, np.inf).min(axis=1)
    return top, top / mean, top / np.maximum(lowest, 1e-6), panels


def window_posteriors_of(
    group: WindowGroup,
    outcomes: Sequence[Outcomes],
    *,
    cl: float,
    level: Resolution,
    stretch: float = 1.0,
    threads: int | None = None,
) -> list[WindowPosteriors | None]:
    """Posteriors of outcomes of each window; None where the quadrature would be too large.

    Parameters
    ----------
    group, outcomes
        Windows, and the counts that are asked for in each.
    cl
        Posterior probability below the limit.
    level
        Resolution.
    stretch
        Factor on the range of the signal strength that is integrated.
    threads
        At most so many; results do not depend on it.
    """
    largest = np.array([[values[-1] for values in one.lists] for one in outcomes])
    nodes = mixtures(group.plan, group.models, group.nuisances, largest, level)
    if nodes is None:
        return [None] * len(outcomes)
    smallest = np.array([[values[0] for values in one.lists] for one in outcomes])
    lower = np.array([max(prior.lower, 0.0) for prior in group.prior])
    top, inner, mu_top, panels = _ranges(nodes, smallest, largest, lower, level)
    edges = [
        panel_edges(prior, float(inner[w]), stretch * float(mu_top[w]), max(4, int(panels[w])))
        for w, prior in enumerate(group.prior)
    ]
    found: list[WindowPosteriors | None] = [None] * len(outcomes)
    classes: dict[tuple[int, int], list[int]] = {}
    for w in np.flatnonzero(panels).tolist():
        edge = edges[w]
        classes.setdefault((int(panels[w]), len(edge) - 1), []).append(w)
    for (n_t, _), members in classes.items():
        steps = np.linspace(0.0, 1.0, n_t + 1) ** 1.5
        answers = _run(
            group,
            nodes,
            [outcomes[w] for w in members],
            np.array(members, dtype=np.int64),
            t_edge=top[members][:, np.newaxis] * steps,
            v_edge=np.array([edges[w] for w in members]),
            cl=cl,
            threads=threads,
        )
        for w, answer in zip(members, answers, strict=True):
            found[w] = answer
    return found


def _run(
    group: WindowGroup,
    nodes: Mixtures,
    outcomes: Sequence[Outcomes],
    members: IndexArray,
    *,
    t_edge: FloatArray,
    v_edge: FloatArray,
    cl: float,
    threads: int | None,
) -> list[WindowPosteriors]:
    """One compiled call over windows with equal numbers of panels."""
    n = len(members)
    v, _ = legendre_panels(v_edge, ORDER)
    mu, density = np.empty_like(v), np.empty_like(v)
    priors = [group.prior[w] for w in members]
    if all(prior is priors[0] for prior in priors):
        mu = priors[0].coordinate.to_mu(v)
        log_density = priors[0].log_density(mu) + priors[0].coordinate.log_jacobian(v)
        density = np.exp(log_density)
    else:
        for i, prior in enumerate(priors):
            mu[i] = prior.coordinate.to_mu(v[i])
            density[i] = np.exp(prior.log_density(mu[i]) + prior.coordinate.log_jacobian(v[i]))
    lists = [values for one in outcomes for values in one.lists]
    count = np.concatenate(lists)
    count_begin = np.concatenate([[0], np.cumsum([len(values) for values in lists])])
    index = np.concatenate([one.index for one in outcomes])
    outcome_begin = np.concatenate([[0], np.cumsum([len(one.index) for one in outcomes])])
    distinct, inverse = np.unique(count, return_inverse=True)
    total = int(outcome_begin[-1])

    def flat(array: FloatArray) -> FloatArray:
        return np.ascontiguousarray(array, dtype=np.float64).reshape(-1)

    def whole(array: IndexArray) -> IndexArray:
        return np.ascontiguousarray(array, dtype=np.int64).reshape(-1)

    arrays = WindowArrays(
        weight=flat(nodes.weight[members]),
        signal=flat(nodes.signal[members]),
        background=flat(nodes.background[members]),
        private_weight=flat(nodes.private_weight[members]),
        factor=flat(nodes.factor[members]),
        factor_weight=flat(nodes.factor_weight[members]),
        t_edge=flat(t_edge),
        v_edge=flat(v_edge),
        mu_node=flat(mu),
        prior=flat(density),
        level=np.array([cl]),
        node=legendre_rule(ORDER)[0].reshape(2, -1),
        quadrature=legendre_rule(ORDER)[1],
        matrix=legendre_transform().reshape(2 * ORDER, -1),
        events=flat(count),
        log_factorial=flat(log_gamma(distinct + 1.0)[inverse]),
        count_begin=whole(count_begin),
        outcome=whole(index),
        outcome_begin=whole(outcome_begin),
        limit=np.empty(total),
        evidence=np.empty(total),
        last=np.empty(total),
        empty=np.empty(total),
        likelihood=np.empty(v.size),
    )
    shape = Shape(
        bins=len(group.plan.bins),
        shared=nodes.weight.shape[1],
        private=nodes.private_weight.shape[2],
        signal=nodes.factor.shape[1],
        t_panels=t_edge.shape[1] - 1,
        v_panels=v_edge.shape[1] - 1,
        most_counts=max(len(values) for values in lists),
        most_outcomes=max(len(one.index) for one in outcomes),
    )
    run_blocks(
        lambda first, stop: window_posteriors(shape, arrays, first, stop),
        n,
        threads=threads or default_threads(),
        block=_WINDOWS_PER_BLOCK,
    )
    likelihood = arrays.likelihood.reshape(v.shape)
    answers = []
    for i in range(n):
        part = slice(int(outcome_begin[i]), int(outcome_begin[i + 1]))
        answers.append(
            WindowPosteriors(
                limit=priors[i].coordinate.to_mu(arrays.limit[part]),
                evidence=arrays.evidence[part],
                empty=arrays.empty[part],
                last=arrays.last[part],
                edges=v_edge[i],
                likelihood=likelihood[i],
            )
        )
    return answers
