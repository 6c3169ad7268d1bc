"""Counting experiments as mixtures of Poisson laws: nuisance parameters become weighted nodes.

Many windows of one structure at once. With t the product of the signal strength and the signal
factor, the likelihood of counts n is::

    G(t) = sum_g w_g prod_k sum_q v_kq Poisson(n_k; t a_kg + b_kgq)

over shared nodes g, bins k and private nodes q; the likelihood of a signal strength is the mean of
G(mu S) over the nodes of the signal factor S.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from darkstats.inference.bayes.quadrature.recognition import CountingPlan, Variable
from darkstats.inference.bayes.rules import (
    combine,
    gamma_rule,
    gauss_rule,
    legendre_panels,
    normsys_factor,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from darkstats.arrays import FloatArray
    from darkstats.inference.bayes.nuisances import ParameterPrior
    from darkstats.model.base import BinnedModel

__all__ = ["LEVELS", "Mixtures", "Resolution", "mixtures"]

_NORMAL_EDGES = np.array([-4.5, -1.0, 1.0, 4.5])  # code4 has kinks at -1 and 1
_GRADED = np.array([0.0, 1e-3, 1e-2, 0.1, 0.3, 0.6, 1.0])
MOST_NODES = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """Number of nodes: of the signal factor, of a shared and of a private variable.

    ``atoms`` are those per panel of a single distribution, before it is reduced to nodes;
    ``spacing`` is the distance of nodes of a free normalisation in units of the likelihood's
    width, ``panel`` the width of a panel of the signal strength in the same units. Edges of panels
    go as the power ``growth`` of their number: no two resolutions share them. Normal laws end
    ``reach`` standard deviations away, by turns nearer and farther: what is cut off where data pull
    that far shows as a difference of two resolutions.
    """

    atoms: int
    signal: int
    shared: int
    private: int
    spacing: float
    panel: float
    growth: float
    reach: float


#: Coarse to fine; a number counts where two levels agree.
LEVELS = (
    Resolution(
        atoms=8, signal=8, shared=8, private=6, spacing=0.55, panel=6.0, growth=1.5, reach=9.0
    ),
    Resolution(
        atoms=11, signal=12, shared=12, private=10, spacing=0.40, panel=4.5, growth=1.4, reach=8.6
    ),
    Resolution(
        atoms=15, signal=20, shared=20, private=16, spacing=0.28, panel=3.4, growth=1.55, reach=9.0
    ),
    Resolution(
        atoms=22, signal=36, shared=34, private=26, spacing=0.20, panel=3.0, growth=1.45, reach=8.6
    ),
    Resolution(
        atoms=34, signal=64, shared=60, private=40, spacing=0.14, panel=2.6, growth=1.6, reach=9.0
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixtures:
    """Nodes of many windows; see the module for the symbols.

    ``weight`` [window, g], ``signal`` [window, bin, g], ``background`` [window, bin, g, q],
    ``private_weight`` [window, bin, q], ``factor`` and ``factor_weight`` [window, s].
    ``proper`` tells whether weights are probabilities: no free normalisation without edges.
    """

    weight: FloatArray
    signal: FloatArray
    background: FloatArray
    private_weight: FloatArray
    factor: FloatArray
    factor_weight: FloatArray
    proper: bool


Rule = tuple["FloatArray", "FloatArray"]


class _Builder:
    """Windows of one structure: numbers stacked, rules made for all of them at once."""

    def __init__(
        self,
        plan: CountingPlan,
        models: Sequence[BinnedModel],
        priors: Sequence[Sequence[ParameterPrior | None]],
        largest: FloatArray,
        level: Resolution,
    ) -> None:
        self.plan, self.models, self.level = plan, models, level
        self.priors, self.largest = priors, largest
        self.nominal = np.array([model.numbers.nominal for model in models])
        self.normsys = np.array([model.numbers.normsys for model in models]).reshape(
            len(models), -1, 8
        )
        self.odd = np.array([model.numbers.shift_odd for model in models])
        self.even = np.array([model.numbers.shift_even for model in models])
        self.code = models[0].layout.normsys_code
        self.shift_code = models[0].layout.histosys_code
        self.inits = np.array([model.inits for model in models])
        self.events = np.stack([self._events(i) for i in range(len(plan.terms))], axis=1)

    def _events(self, index: int) -> FloatArray:
        """Events of a term with its fixed factors. Shape [window]."""
        term = self.plan.terms[index]
        events: FloatArray = self.nominal[:, term.at].copy()
        for p, row in term.constants:
            value = self.inits[:, p : p + 1]
            factor = value if row < 0 else normsys_factor(value, self.normsys[:, row], self.code)
            events = events * factor[:, 0]
        return events

    def _priors_of(self, p: int) -> list[ParameterPrior]:
        return [prior for row in self.priors if (prior := row[p]) is not None]

    def _column(self, p: int, name: str) -> FloatArray:
        return np.array([getattr(prior, name) for prior in self._priors_of(p)])

    def parameter_rule(self, p: int, variable: Variable) -> Rule:
        """Atoms of a parameter. Shapes [window, atom]."""
        prior = self._priors_of(p)[0]
        n = len(self.models)
        if prior.kind == "flat":
            return self._flat_rule(p, variable)
        if prior.kind in {"normal", "log-normal"}:
            reach = self.level.reach
            edges = np.concatenate([[-reach], _NORMAL_EDGES, [reach]])
            z, weight = legendre_panels(edges, self.level.atoms)
            density = weight * np.exp(-0.5 * z * z)
            centre, width = self._column(p, "centre"), self._column(p, "width")
            if prior.kind == "normal":
                x = centre[:, np.newaxis] + width[:, np.newaxis] * z
            else:
                x = centre[:, np.newaxis] * np.exp(np.log1p(width / centre)[:, np.newaxis] * z)
            return x, np.broadcast_to(density / density.sum(), (n, len(z)))
        if prior.kind == "gamma":
            shape = self._column(p, "shape")
            x, weight = gamma_rule(shape, self.level.atoms)
            return x * (shape / self._column(p, "rate"))[:, np.newaxis], weight
        if prior.kind == "factor-gamma":
            f, weight = gamma_rule(self._column(p, "shape"), self.level.atoms)
        else:
            truncated = prior.kind == "truncated-normal"
            centre = self._column(p, "centre") if truncated else np.ones(n)
            f, weight = _truncated_normal(centre, self._column(p, "width"), self.level)
            if truncated:
                return f, weight
        pairs = zip(self._priors_of(p), f, strict=True)
        return np.array([one.at_factor(row) for one, row in pairs]), weight

    def _flat_rule(self, p: int, variable: Variable) -> Rule:
        """Nodes of a free normalisation where the data leave room, dense as the data resolve."""
        lower, upper = self._column(p, "lower"), self._column(p, "upper")
        top, per_unit = np.full(len(self.models), np.inf), np.zeros(len(self.models))
        for b in range(len(self.plan.bins)):
            mine = [i for i in variable.terms if self.plan.terms[i].bin == b]
            slope = self.events[:, mine].sum(axis=1)
            n = self.largest[:, b]
            with np.errstate(divide="ignore"):
                top = np.minimum(top, 2.0 * (n + 9.0 * np.sqrt(n) + 35.0) / slope)
            per_unit += slope
        top = np.maximum(np.minimum(top, upper), lower)
        # In the square root of the normalisation a Poisson likelihood has one width everywhere.
        first, last = np.sqrt(lower), np.sqrt(top)
        widths = float(np.max(2.0 * (last - first) * np.sqrt(per_unit)))
        panels = max(1, math.ceil(widths / (16.0 * self.level.spacing)))
        steps = np.linspace(0.0, 1.0, panels + 1)
        root, weight = legendre_panels(
            first[:, np.newaxis] + (last - first)[:, np.newaxis] * steps, 16
        )
        weight = weight * 2.0 * root
        if np.isfinite(upper).all():
            weight = weight / (upper - lower)[:, np.newaxis]
        return root**2, weight

    def action(self, action: tuple[int, int, int], x: FloatArray, term: int) -> FloatArray:
        """Factor of one action. Shapes: [window, atom] -> [window, atom]."""
        _, row, shift = action
        if row >= 0:
            return normsys_factor(x, self.normsys[:, row], self.code)
        if shift >= 0:
            odd, even = self.odd[:, shift, np.newaxis], self.even[:, shift, np.newaxis]
            nominal = self.nominal[:, self.plan.terms[term].at, np.newaxis]
            shifted = nominal + odd * x + even * _shift_curve(x, self.shift_code)
            return np.asarray(shifted / nominal, dtype=np.float64)
        return x

    def variable_rule(self, variable: Variable, nodes: int) -> tuple[Rule, dict[int, FloatArray]]:
        """Rule of a variable, and its factor on each of its terms. Shapes [window, node]."""
        if variable.by_term:
            p = variable.by_term[0][0]
            x, weight = gauss_rule(*self.parameter_rule(p, variable), nodes)
            pairs = zip(variable.terms, variable.by_term, strict=True)
            return (x, weight), {i: self.action(action, x, i) for i, action in pairs}
        n = len(self.models)
        # The tail at large signal strengths goes as the inverse of a factor on the signal.
        on_signal = any(self.plan.terms[i].signal for i in variable.terms)
        reduce = _in_logarithm if on_signal else gauss_rule
        rule: Rule = np.ones((n, 1)), np.ones((n, 1))
        for action in variable.actions:
            x, weight = self.parameter_rule(action[0], variable)
            one = self.action(action, x, variable.terms[0]), weight
            if variable.free:  # alone in its variable, and dense where the data need it
                return one, dict.fromkeys(variable.terms, one[0])
            rule = reduce(*combine(rule, reduce(*one, nodes), product=True), nodes)
        return rule, dict.fromkeys(variable.terms, rule[0])

    def signal_rule(self) -> Rule:
        """Nodes of the signal factor. Shapes [window, node]."""
        n = len(self.models)
        rule: Rule = np.ones((n, 1)), np.ones((n, 1))
        for variable in self.plan.signal:
            for action in variable.actions:
                x, weight = self.parameter_rule(action[0], variable)
                one = _in_logarithm(
                    self.action(action, x, variable.terms[0]), weight, self.level.signal
                )
                rule = _in_logarithm(*combine(rule, one, product=True), self.level.signal)
        return rule

    def shared_nodes(self) -> tuple[FloatArray, list[FloatArray]]:
        """Weights of the shared nodes [window, g], and the factor on each term [window, g]."""
        n = len(self.models)
        weight = np.ones((n, 1))
        factors = [np.ones((n, 1)) for _ in self.plan.terms]
        for variable in self.plan.shared:
            (_, new), acting = self.variable_rule(variable, self.level.shared)
            weight = combine((weight, weight), (new, new), product=True)[1]
            ones = np.ones_like(new)
            factors = [
                combine((f, f), (acting.get(i, ones), ones), product=True)[0]
                for i, f in enumerate(factors)
            ]
        return weight, factors

    def private_nodes(self, b: int, factors: list[FloatArray]) -> tuple[FloatArray, FloatArray]:
        """Background [window, g, q] of a bin and the weights of its private nodes [window, q]."""
        n = len(self.models)
        weight = np.ones((n, 1))
        terms = [i for i, t in enumerate(self.plan.terms) if t.bin == b and not t.signal]
        private = [np.ones((n, 1)) for _ in terms]
        for variable in self.plan.private[b]:
            (_, new), acting = self.variable_rule(variable, self.level.private)
            weight = combine((weight, weight), (new, new), product=True)[1]
            ones = np.ones_like(new)
            private = [
                combine((f, f), (acting.get(i, ones), ones), product=True)[0]
                for i, f in zip(terms, private, strict=True)
            ]
        if not terms:
            return np.zeros((n, factors[0].shape[1], 1)), weight
        sets = {tuple(v for v, s in enumerate(self.plan.shared) if i in s.terms) for i in terms}
        same = len(sets) == 1 and not any(s.by_term for s in self.plan.shared)
        if same:
            events = sum(
                self.events[:, i, np.newaxis] * f for i, f in zip(terms, private, strict=True)
            )
            events, weight = gauss_rule(np.asarray(events), weight, self.level.private)
            return factors[terms[0]][:, :, np.newaxis] * events[:, np.newaxis, :], weight
        background = sum(
            self.events[:, i, np.newaxis, np.newaxis]
            * factors[i][:, :, np.newaxis]
            * f[:, np.newaxis, :]
            for i, f in zip(terms, private, strict=True)
        )
        return np.asarray(background), weight


def _in_logarithm(values: FloatArray, weights: FloatArray, nodes: int) -> Rule:
    """Gauss rule in the logarithm: powers of a factor, the inverse too, need few nodes there."""
    with np.errstate(invalid="ignore", divide="ignore"):  # `mixtures` refuses such a window
        logarithm, weight = gauss_rule(np.log(values), weights, nodes)
    return np.exp(logarithm), weight


def _truncated_normal(centre: FloatArray, width: FloatArray, level: Resolution) -> Rule:
    """Atoms of normal distributions cut at 0. Shapes: [window] -> [window, atom]."""
    low = np.maximum(centre - level.reach * width, 0.0)
    high = centre + level.reach * width
    cut = low == 0.0
    steps = np.where(cut[:, np.newaxis], _GRADED, np.linspace(0.0, 1.0, len(_GRADED)))
    x, weight = legendre_panels(
        low[:, np.newaxis] + (high - low)[:, np.newaxis] * steps, level.atoms
    )
    pull = (x - centre[:, np.newaxis]) / width[:, np.newaxis]
    weight = weight * np.exp(-0.5 * pull * pull)
    return x, weight / weight.sum(axis=1, keepdims=True)


def _shift_curve(alpha: FloatArray, code: int) -> FloatArray:
    """The even function of a histosys."""
    size = np.abs(alpha)
    square = alpha * alpha
    if code == 2:
        return np.where(size <= 1.0, square, 2.0 * size - 1.0)
    if code == 4:
        inside = square * (15.0 + square * (-10.0 + 3.0 * square)) / 8.0
        return np.where(size <= 1.0, inside, size)
    return size


def mixtures(
    plan: CountingPlan,
    models: Sequence[BinnedModel],
    priors: Sequence[Sequence[ParameterPrior | None]],
    largest: FloatArray,
    level: Resolution,
) -> Mixtures | None:
    """Nodes of windows of one structure; None where there would be too many, or a rate below 0.

    Parameters
    ----------
    plan, models, priors
        The structure, the windows, and the prior of each parameter of each window.
    largest
        Largest count of each bin that will be asked for. Shape [window, bin].
    level
        How many nodes.
    """
    builder = _Builder(plan, models, priors, largest, level)
    weight, factors = builder.shared_nodes()
    n, g = weight.shape
    bins = [builder.private_nodes(b, factors) for b in range(len(plan.bins))]
    q = max(w.shape[1] for _, w in bins)
    if g * q > MOST_NODES:
        return None
    background = np.zeros((n, len(bins), g, q))
    private_weight = np.zeros((n, len(bins), q))
    for b, (events, w) in enumerate(bins):
        background[:, b, :, : events.shape[2]] = events
        private_weight[:, b, : w.shape[1]] = w
    signal = np.zeros((n, len(bins), g))
    for i, term in enumerate(plan.terms):
        if term.signal:
            signal[:, term.bin] += builder.events[:, i, np.newaxis] * factors[i]
    if (background < 0.0).any() or (signal < 0.0).any():
        return None
    factor, factor_weight = builder.signal_rule()
    proper = all(prior is None or prior.proper for prior in priors[0])
    return Mixtures(
        weight=weight,
        signal=signal,
        background=background,
        private_weight=private_weight,
        factor=factor,
        factor_weight=factor_weight,
        proper=proper,
    )
