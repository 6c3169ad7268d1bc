"""The no-U-turn sampler, many chains in step.

M. D. Hoffman, A. Gelman, JMLR 15 (2014) 1593, with multinomial sampling along the trajectory and
the U-turn criterion of M. Betancourt (arXiv:1701.02434); trees are built leaf by leaf with
checkpoints, as D. Phan, N. Pradhan and M. Jankowiak do (arXiv:1912.11554). All chains take a
leapfrog step in the same call of the density, which is what makes the sampler fast here.

The space is one in which the target is about a standard normal law: the metric is the unit matrix.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from darkstats.arrays import BoolArray, FloatArray, IndexArray

__all__ = ["Chains", "StepSize", "transition"]

#: Positions [chain, z] to log-density [chain] and gradient [chain, z].
Target = Callable[[FloatArray], tuple[FloatArray, FloatArray]]

_DIVERGENCE = 1000.0  # energy error that ends a trajectory


@dataclass(frozen=True, slots=True)
class Chains:
    """Where the chains are: position [chain, z], log-density [chain], gradient [chain, z]."""

    position: FloatArray
    value: FloatArray
    gradient: FloatArray

    @classmethod
    def at(cls, target: Target, position: FloatArray) -> Chains:
        """Evaluate the target at ``position``."""
        value, gradient = target(position)
        return cls(position, value, gradient)


@dataclass(slots=True)
class StepSize:
    """Dual averaging of the step size (Hoffman and Gelman, section 3.2), common to all chains."""

    size: float = 0.5
    wanted: float = 0.8
    _shrink: float = 0.0
    _error: float = 0.0
    _average: float = 0.0
    _count: int = 0

    def __post_init__(self) -> None:
        self._shrink = math.log(10.0 * self.size)

    def learn(self, acceptance: float) -> None:
        """Move the step size towards the wanted acceptance."""
        self._count += 1
        eta = 1.0 / (self._count + 10.0)
        self._error = (1.0 - eta) * self._error + eta * (self.wanted - acceptance)
        logarithm = self._shrink - math.sqrt(self._count) / 0.05 * self._error
        weight = self._count**-0.75
        self._average = weight * logarithm + (1.0 - weight) * self._average
        self.size = math.exp(logarithm)

    def settle(self) -> None:
        """Take the average over what was learnt, and begin anew from there."""
        if self._count:
            self.size = math.exp(self._average)
        self._error, self._average, self._count = 0.0, 0.0, 0
        self._shrink = math.log(10.0 * self.size)


@dataclass(frozen=True, slots=True)
class Transition:
    """One transition of every chain.

    ``acceptance`` is its mean; ``divergent`` marks chains whose energy went astray, ``outside``
    those whose trajectory ended where the density is zero. Shapes [chain].
    """

    chains: Chains
    acceptance: float
    divergent: BoolArray
    outside: BoolArray
    leaves: int


def _turning(first: FloatArray, last: FloatArray, total: FloatArray) -> BoolArray:
    """Whether the trajectory between two momenta has begun to come back. Shapes [chain, z]."""
    middle = total - 0.5 * (first + last)
    back = (first * middle).sum(axis=1) <= 0.0
    result: BoolArray = back | ((last * middle).sum(axis=1) <= 0.0)
    return result


def _checkpoints(leaf: int) -> tuple[int, int]:
    """Lowest and highest checkpoint that an odd leaf is compared with."""
    highest = (leaf >> 1).bit_count()
    trailing = ((leaf + 1) & ~leaf).bit_length() - 1
    return highest - trailing + 1, highest


@dataclass(slots=True)
class _Subtree:
    """Half of a new trajectory, for the chains that grow it."""

    end: Chains
    momentum: FloatArray  # at the end
    total: FloatArray  # sum of momenta
    log_weight: FloatArray
    proposal: Chains
    turning: BoolArray
    divergent: BoolArray
    outside: BoolArray
    acceptance: FloatArray  # sum over leaves
    leaves: FloatArray


def _copy(into: Chains, where: IndexArray, source: Chains, take: IndexArray) -> None:
    into.position[where] = source.position[take]
    into.value[where] = source.value[take]
    into.gradient[where] = source.gradient[take]


def _grow(
    target: Target,
    start: Chains,
    momentum: FloatArray,
    direction: FloatArray,
    energy: FloatArray,
    *,
    depth: int,
    step: float,
    rng: np.random.Generator,
) -> _Subtree:
    """Build a subtree of ``2**depth`` leaves from one end of each trajectory."""
    n, d = start.position.shape
    tree = _Subtree(
        end=Chains(start.position.copy(), start.value.copy(), start.gradient.copy()),
        momentum=momentum.copy(),
        total=np.zeros((n, d)),
        log_weight=np.full(n, -np.inf),
        proposal=Chains(start.position.copy(), start.value.copy(), start.gradient.copy()),
        turning=np.zeros(n, dtype=bool),
        divergent=np.zeros(n, dtype=bool),
        outside=np.zeros(n, dtype=bool),
        acceptance=np.zeros(n),
        leaves=np.zeros(n),
    )
    saved = np.zeros((depth + 1, n, d))
    saved_total = np.zeros((depth + 1, n, d))
    active = np.arange(n)
    for leaf in range(2**depth):
        size = step * direction[active, np.newaxis]
        p = tree.momentum[active] + 0.5 * size * tree.end.gradient[active]
        moved = Chains.at(target, tree.end.position[active] + size * p)
        p = p + 0.5 * size * moved.gradient
        with np.errstate(invalid="ignore"):
            gain = moved.value - 0.5 * (p * p).sum(axis=1) - energy[active]
        gain = np.where(np.isfinite(gain), gain, -np.inf)
        ended = gain < -_DIVERGENCE
        tree.divergent[active] = ended & np.isfinite(moved.value)
        tree.outside[active] = ended & ~np.isfinite(moved.value)
        tree.acceptance[active] += np.exp(np.minimum(gain, 0.0))
        tree.leaves[active] += 1.0
        _copy(tree.end, active, moved, np.arange(len(active)))
        tree.momentum[active] = p
        tree.total[active] += p
        weight = np.logaddexp(tree.log_weight[active], gain)
        uniform = np.asarray(rng.random(n))[active]
        with np.errstate(divide="ignore", invalid="ignore"):
            chosen = np.flatnonzero(np.log(uniform) < gain - weight)
        _copy(tree.proposal, active[chosen], moved, chosen)
        tree.log_weight[active] = weight
        lowest, highest = _checkpoints(leaf)
        if leaf % 2 == 0:
            saved[highest, active] = p
            saved_total[highest, active] = tree.total[active]
        else:
            back = np.zeros(len(active), dtype=bool)
            for i in range(lowest, highest + 1):
                part = tree.total[active] - saved_total[i, active] + saved[i, active]
                back |= _turning(saved[i, active], p, part)
            tree.turning[active] = back
        stopped = tree.turning[active] | tree.divergent[active] | tree.outside[active]
        active = active[~stopped]
        if not len(active):
            break
    return tree


@np.errstate(over="ignore", invalid="ignore")
def transition(
    target: Target,
    chains: Chains,
    *,
    step: float,
    rng: np.random.Generator,
    most_doublings: int = 8,
) -> Transition:
    """One transition of every chain.

    Parameters
    ----------
    target
        Log-density and gradient of many positions at once.
    chains
        Where they are.
    step
        Step size of the leapfrog.
    rng
        Draws momenta, directions and proposals, for all chains in fixed order.
    most_doublings
        Trajectories have at most ``2**most_doublings`` steps.

    Notes
    -----
    Numbers overflow where a trajectory goes astray: that marks its chain, and is no warning.
    """
    n, d = chains.position.shape
    momentum = rng.standard_normal((n, d))
    energy = chains.value - 0.5 * (momentum**2).sum(axis=1)
    ends = [
        Chains(chains.position.copy(), chains.value.copy(), chains.gradient.copy())
        for _ in range(2)
    ]
    momenta = [momentum.copy(), momentum.copy()]
    total = momentum.copy()
    log_weight = np.zeros(n)
    result = Chains(chains.position.copy(), chains.value.copy(), chains.gradient.copy())
    divergent, outside = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
    acceptance, leaves = np.zeros(n), np.zeros(n)
    active = np.arange(n)
    for depth in range(most_doublings):
        forward = np.asarray(rng.random(n))[active] < 0.5
        accept = np.asarray(rng.random(n))[active]
        side = forward.astype(np.int64)
        start = Chains(
            np.where(forward[:, np.newaxis], ends[1].position[active], ends[0].position[active]),
            np.where(forward, ends[1].value[active], ends[0].value[active]),
            np.where(forward[:, np.newaxis], ends[1].gradient[active], ends[0].gradient[active]),
        )
        p = np.where(forward[:, np.newaxis], momenta[1][active], momenta[0][active])
        tree = _grow(
            target,
            start,
            p,
            np.where(forward, 1.0, -1.0),
            energy[active],
            depth=depth,
            step=step,
            rng=rng,
        )
        acceptance[active] += tree.acceptance
        leaves[active] += tree.leaves
        divergent[active] |= tree.divergent
        outside[active] |= tree.outside
        valid = ~(tree.turning | tree.divergent | tree.outside)
        with np.errstate(divide="ignore", invalid="ignore"):
            better = valid & (np.log(accept) < tree.log_weight - log_weight[active])
        _copy(result, active[better], tree.proposal, np.flatnonzero(better))
        for which in (0, 1):
            mine = np.flatnonzero(side == which)
            _copy(ends[which], active[mine], tree.end, mine)
            momenta[which][active[mine]] = tree.momentum[mine]
        total[active] += tree.total
        log_weight[active] = np.logaddexp(log_weight[active], tree.log_weight)
        back = _turning(momenta[0][active], momenta[1][active], total[active])
        active = active[valid & ~back]
        if not len(active):
            break
    return Transition(
        chains=result,
        acceptance=float(np.mean(acceptance / np.maximum(leaves, 1.0))),
        divergent=divergent,
        outside=outside,
        leaves=int(leaves.sum()),
    )
