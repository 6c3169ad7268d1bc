"""The quadrature engine: posteriors of counting windows, exact to the digits that are asked for.

Thousands of windows at once: those of one structure share the plan of the integral, and one
compiled call takes the posteriors of all their outcomes. Panels whose series has not fallen off at
its end are halved until it has; what is left enters the error. A number counts where two
resolutions of the quadrature, with panels of their own, agree.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from darkstats.arrays import FloatArray, IndexArray
from darkstats.errors import EmptySupportError, InsensitiveError
from darkstats.inference.bayes.posterior import finer, panel_edges, split
from darkstats.inference.bayes.propriety import require_proper
from darkstats.inference.bayes.quadrature.window_kernel import (
    ORDER,
    Shape,
    WindowArrays,
    legendre_transform,
    window_posteriors,
)
from darkstats.inference.bayes.quadrature.windows import Mixtures, Resolution, mixtures
from darkstats.inference.bayes.rules import (
    legendre_panels,
    legendre_rule,
    log_gamma,
    normsys_factor,
)
from darkstats.kernel import default_threads, run_blocks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from darkstats.inference.bayes.nuisances import ParameterPrior
    from darkstats.inference.bayes.priors import BoundPrior
    from darkstats.inference.bayes.quadrature.recognition import CountingPlan
    from darkstats.model.base import BinnedModel

__all__ = ["Outcomes", "WindowGroup", "WindowPosteriors", "window_posteriors_of"]

_T_PANELS = (3, 4, 5, 6, 8, 10, 14, 20, 28, 40, 56, 80, 112, 160, 224, 320)
_DROP = 36.0  # fall of the log-likelihood at which t ends
_WINDOWS_PER_BLOCK = 8
_LIGHT = 1e-11  # share of the tail at large signal strengths below which a node is not followed
_GROWTH = 1.5  # each panel beyond the bulk reaches so many times as far as the one before
_ROUNDS = 10
_MOST_PANELS = 400


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
    models: tuple[BinnedModel, ...]
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


@dataclass(frozen=True, slots=True)
class Layout:
    """Panels of t and of the coordinate of the prior: edges, and whether some were refined."""

    t: FloatArray = field(repr=False)
    v: FloatArray = field(repr=False)
    refined: bool = False

    def split(self, t_tail: FloatArray, v_tail: FloatArray) -> Layout | None:
        """Finer panels where series are not settled; None where all are, or there are too many.

        The tails are relative to what may be left. Shapes [panel].
        """
        if max(t_tail.max(), v_tail.max()) <= 1.0:
            return None
        parts = Layout(split(self.t, t_tail), split(self.v, v_tail), refined=True)
        return parts if max(len(parts.t), len(parts.v)) <= _MOST_PANELS else None


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
    unsettled
        Part of the evidence that the series of all panels leave out: of the first outcome, and of
        the worst of the others.
    layout, likelihood
        Panels, and the likelihood of the first outcome at the nodes of those in the coordinate of
        the prior.
    """

    limit: FloatArray
    evidence: FloatArray
    empty: FloatArray
    last: FloatArray
    unsettled: tuple[float, float]
    layout: Layout = field(repr=False)
    likelihood: FloatArray = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ranges:
    """Where posteriors lie. Shapes [window].

    ``bulk`` is the end of t at the mean signal, ``top`` that at the lowest; ``inner`` and
    ``mu_top`` are the same in the signal strength, with the mean signal factor and the lowest.
    Zero ``panels``: too many would be needed.
    """

    bulk: FloatArray
    top: FloatArray
    inner: FloatArray
    mu_top: FloatArray
    panels: IndexArray

    def layout(
        self, w: int, prior: BoundPrior, level: Resolution, stretch: float, before: Layout | None
    ) -> Layout:
        """Panels of a window at this resolution; those of ``before``, made finer, if refined."""
        far = stretch * float(self.mu_top[w])
        v = panel_edges(prior, float(self.inner[w]), far, max(4, int(self.panels[w])), level.growth)
        bulk, top = float(self.bulk[w]), float(self.top[w])
        if before is not None and before.refined:
            return Layout(
                _extended(finer(before.t), top),
                _extended_to(prior, finer(before.v), float(v[-1])),
                refined=True,
            )
        steps = np.linspace(0.0, 1.0, int(self.panels[w]) + 1) ** level.growth
        return Layout(_extended(bulk * steps, top), v)


def _extended(edges: FloatArray, top: float) -> FloatArray:
    """Panels that go on to ``top``, each reaching half as far again as the one before."""
    last = float(edges[-1])
    if top <= last * (1.0 + 1e-9):
        return edges
    more = math.ceil(math.log(top / last) / math.log(_GROWTH))
    return np.concatenate([edges, last * (top / last) ** (np.arange(1, more + 1) / more)])


def _extended_to(prior: BoundPrior, edges: FloatArray, end: float) -> FloatArray:
    """The same in the coordinate of a prior, up to ``end`` in it; kinks of the prior are edges."""
    coordinate = prior.coordinate
    first, last, top = (float(coordinate.to_mu(v)) for v in (edges[0], edges[-1], end))
    if top > last > 0.0:
        further = coordinate.of_mu(_extended(np.array([last]), top)[1:])
        edges = np.concatenate([edges, further])
    kinks = [float(coordinate.of_mu(k)) for k in prior.breaks if first < k < max(last, top)]
    return np.unique(np.concatenate([edges, kinks]))


def _ranges(
    nodes: Mixtures,
    smallest: FloatArray,
    largest: FloatArray,
    lower: FloatArray,
    level: Resolution,
) -> _Ranges:
    """Look where the posteriors lie; counts have shape [window, bin], lower edges [window]."""
    weight = nodes.weight / nodes.weight.sum(axis=1, keepdims=True)
    rates = (nodes.background * nodes.private_weight[:, :, np.newaxis, :]).sum(axis=3)
    typical = np.einsum("wkg,wg->wk", rates, weight)
    square = (nodes.background**2 * nodes.private_weight[:, :, np.newaxis, :]).sum(axis=3)
    spread = np.sqrt(np.maximum(np.einsum("wkg,wg->wk", square, weight) - typical**2, 0.0))
    low = np.maximum(typical - 5.0 * spread, 0.0)
    # Beyond the data a node counts for its weight over its signal: that is its share of the tail.
    with np.errstate(divide="ignore"):
        share = weight / nodes.signal.sum(axis=1)
    finite = np.where(np.isfinite(share), share, 0.0)
    heavy = (finite > _LIGHT * finite.sum(axis=1, keepdims=True)) | (weight > _LIGHT)
    lowest_signal = np.where(heavy[:, np.newaxis, :], nodes.signal, np.inf).min(axis=2)
    signal = np.einsum("wkg,wg->wk", nodes.signal, weight)
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
    bulk = np.take_along_axis(t, last[:, np.newaxis], axis=1)[:, 0]
    narrow = (1.0 / (1.0 / width**2).sum(axis=1)) ** 0.5
    # Panels widen as the power 1.5: the last follow the largest counts, the first the smallest.
    slim = (((signal**2) / (smallest + 2.0)).sum(axis=1)) ** -0.5
    wanted = np.maximum(bulk / (level.panel * narrow), (bulk / (level.panel * slim)) ** (2.0 / 3.0))
    place = np.searchsorted(_T_PANELS, np.ceil(wanted))
    panels = np.array((*_T_PANELS, 0))[place]
    top = bulk * np.maximum(total / np.maximum(lowest_signal.sum(axis=1), 1e-12 * total), 1.0)
    certain = (nodes.factor_weight > _LIGHT) | (
        nodes.factor_weight / nodes.factor
        > _LIGHT * (nodes.factor_weight / nodes.factor).sum(axis=1, keepdims=True)
    )
    lowest = np.where(certain, nodes.factor, np.inf).min(axis=1)
    return _Ranges(
        bulk=bulk,
        top=top,
        inner=bulk / mean,
        mu_top=top / np.maximum(lowest, 1e-6),
        panels=panels,
    )


def window_posteriors_of(
    group: WindowGroup,
    outcomes: Sequence[Outcomes],
    *,
    cl: float,
    level: Resolution,
    stretch: float = 1.0,
    settled: Sequence[tuple[float, float]],
    before: Sequence[Layout | None] = (),
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
    settled
        Part of the evidence that the series of a panel may leave out, for each window: of the first
        outcome, and of the others.
    before
        Panels of each window at the resolution before: where they were refined, they are taken up.
    threads
        At most so many; results do not depend on it.
    """
    largest = np.array([[values[-1] for values in one.lists] for one in outcomes])
    nodes = mixtures(group.plan, group.models, group.nuisances, largest, level)
    if nodes is None:
        return [None] * len(outcomes)
    smallest = np.array([[values[0] for values in one.lists] for one in outcomes])
    lower = np.array([max(prior.lower, 0.0) for prior in group.prior])
    ranges = _ranges(nodes, smallest, largest, lower, level)
    known = before or (None,) * len(outcomes)
    layouts = {
        w: ranges.layout(w, group.prior[w], level, stretch, known[w])
        for w in np.flatnonzero(ranges.panels).tolist()
    }
    found: list[WindowPosteriors | None] = [None] * len(outcomes)
    todo = list(layouts)
    for _ in range(_ROUNDS):
        classes: dict[tuple[int, int], list[int]] = {}
        for w in todo:
            classes.setdefault((len(layouts[w].t), len(layouts[w].v)), []).append(w)
        todo = []
        for members in classes.values():
            answers, tails = _run(
                group,
                nodes,
                [outcomes[w] for w in members],
                np.array(members, dtype=np.int64),
                layouts=[layouts[w] for w in members],
                settled=np.array([settled[w] for w in members]),
                cl=cl,
                threads=threads,
            )
            for w, answer, tail in zip(members, answers, tails, strict=True):
                found[w] = answer
                parts = layouts[w].split(*tail)
                if parts is not None:
                    layouts[w] = parts
                    todo.append(w)
        if not todo:
            break
    return found


def _run(
    group: WindowGroup,
    nodes: Mixtures,
    outcomes: Sequence[Outcomes],
    members: IndexArray,
    *,
    layouts: Sequence[Layout],
    settled: FloatArray,
    cl: float,
    threads: int | None,
) -> tuple[list[WindowPosteriors], list[tuple[FloatArray, FloatArray]]]:
    """One compiled call over windows with equal numbers of panels.

    Beside the answers: the tails of the series of each window, in t and in the coordinate of the
    prior, relative to what may be left.
    """
    n = len(members)
    t_edge = np.array([layout.t for layout in layouts])
    v_edge = np.array([layout.v for layout in layouts])
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
        t_tail=np.empty(2 * n * (t_edge.shape[1] - 1)),
        v_tail=np.empty(2 * n * (v_edge.shape[1] - 1)),
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
    t_tail, v_tail = (tail.reshape(n, -1, 2) for tail in (arrays.t_tail, arrays.v_tail))
    answers, tails = [], []
    for i in range(n):
        part = slice(int(outcome_begin[i]), int(outcome_begin[i + 1]))
        answers.append(
            WindowPosteriors(
                limit=priors[i].coordinate.to_mu(arrays.limit[part]),
                evidence=arrays.evidence[part],
                empty=arrays.empty[part],
                last=arrays.last[part],
                unsettled=tuple((t_tail[i].sum(axis=0) + v_tail[i].sum(axis=0)).tolist()),
                layout=layouts[i],
                likelihood=likelihood[i],
            )
        )
        tails.append(((t_tail[i] / settled[i]).max(axis=1), (v_tail[i] / settled[i]).max(axis=1)))
    return answers, tails
