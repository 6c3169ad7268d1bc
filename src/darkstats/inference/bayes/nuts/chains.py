"""The reference engine: the joint posterior of signal strength and nuisance parameters by NUTS.

It shares nothing with the other engines but the density: no conditional mode, no grid in the signal
strength, no importance weight enters its numbers. Chains start over-dispersed, the metric is learnt
from all chains together, and draws are added until every parameter passes the gates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from darkstats.arrays import BoolArray, FloatArray
from darkstats.errors import DarkstatsError, NotCertifiedError, OptionError
from darkstats.inference.bayes.gate import PRECISE, Diagnosis, refusal
from darkstats.inference.bayes.joint import JointDensity
from darkstats.inference.bayes.nuts.diagnostics import bulk_size, quantile_error, r_hat, tail_size
from darkstats.inference.bayes.nuts.sampler import Chains, StepSize, transition
from darkstats.streams import keyed_generator

__all__ = ["NutsAnswer", "NutsOptions", "sample_posterior"]

_TRIAL, _RECENT = 30, 10  # transitions of a warm-up window before its lengths tell, and how many do
_NARROW = (
    "the posterior is far narrower in some directions than in others; ask for --engine laplace"
)
_LEAST_DRAWS = 8  # of each chain, so that there is something to judge
_STREAM = 8  # word of the random stream's key: never renumber


@dataclass(frozen=True, slots=True, kw_only=True)
class NutsOptions:
    """How much is drawn, and when an answer counts.

    Parameters
    ----------
    chains
        Chains in step.
    acceptance
        Wanted acceptance of trajectories; the next one is tried where too many diverge.
    warm_up
        Transitions of each warm-up window; after each but the last the metric is learnt anew.
    block, most_blocks
        Draws of each chain between looks at the gates, and blocks at most.
    precise, enough_steps
        Relative Monte Carlo error of the limit below which no more is drawn, and leapfrog steps of
        all chains at which an answer that passes the gates is given with a larger one.
    largest_r_hat, least_size
        Gates: of every parameter.
    tolerance
        Largest relative Monte Carlo error of the limit.
    most_divergent
        Largest share of draws whose trajectory diverged.
    most_steps
        Leapfrog steps of all chains together, warm-up and repetitions included, at which the
        sampler gives up: a minute or so. Most posteriors need a tenth of them. Where trajectories
        of the warm-up are so long that these cannot suffice, it gives up there.
    """

    chains: int = 32
    acceptance: tuple[float, ...] = (0.8, 0.95, 0.99)
    warm_up: tuple[int, ...] = (60, 60, 100, 60)
    block: int = 250
    most_blocks: int = 16
    precise: float = PRECISE
    enough_steps: int = 500_000
    largest_r_hat: float = 1.01
    least_size: float = 400.0
    tolerance: float = 1e-2
    most_divergent: float = 1e-3
    most_steps: int = 1_500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NutsAnswer:
    """What the sampler says.

    Parameters
    ----------
    limit, error
        Credible limit, and its Monte Carlo error.
    problem
        Which gate was missed.
    mu
        Draws of the signal strength. Shape [chain, draw].
    parameters
        Draws of all parameters. Shape [chain, draw, par].
    diagnostics
        Worst R-hat and effective sizes over all parameters; chains that never moved; shares of
        draws whose trajectory diverged, or ended where the density is zero; mean number of
        leapfrog steps.
    """

    limit: float | None
    error: float
    problem: DarkstatsError | None
    mu: FloatArray = field(repr=False)
    parameters: FloatArray = field(repr=False)
    diagnostics: Mapping[str, float]


def sample_posterior(
    joint: JointDensity,
    cloud: FloatArray,
    *,
    cl: float,
    seed: int = 0,
    options: NutsOptions | None = None,
) -> NutsAnswer:
    """Draw from the joint posterior of one observation.

    Parameters
    ----------
    joint
        The posterior density.
    cloud
        Points that roughly follow it; they set the first metric, and chains start at some of them,
        twice as far from their mean. Shape [point, 1 + z].
    cl
        Posterior probability below the limit.
    seed
        Of the keyed random stream.

    Raises
    ------
    NotCertifiedError
        Trajectories are so long that the steps that there are cannot suffice.
    """
    options = options or NutsOptions()
    answer: NutsAnswer | None = None
    spent = 0
    for attempt, wanted in enumerate(options.acceptance):
        rng = keyed_generator(seed, joint.density.model.digest, _STREAM, attempt)
        run = _Run.warmed_up(joint, cloud, wanted, rng, options, spent=spent)
        for _ in range(options.most_blocks):
            run.draw(rng, options.block)
            answer = _look(run, cl, options)
            spent = run.spent
            if answer.problem is None and _enough(answer, spent, options):
                return answer
            if spent >= options.most_steps:
                return replace(answer, problem=_given_up(run, answer))
            if answer.diagnostics["divergent"] > options.most_divergent:
                break  # smaller steps may follow the density where these do not
        if answer is not None and answer.problem is None:
            return answer
    if answer is None:
        raise OptionError("NUTS: no draws were asked for")
    return answer


def _enough(answer: NutsAnswer, spent: int, options: NutsOptions) -> bool:
    """Whether an answer that passes the gates is as precise as it can be made."""
    most = min(options.enough_steps, options.most_steps)
    return answer.error <= options.precise * (answer.limit or 0.0) or spent >= most


def _given_up(run: _Run, answer: NutsAnswer) -> NotCertifiedError:
    """Say how long trajectories are where the steps run out, and what to do."""
    length = run.leaves / max(answer.diagnostics["draws"], 1.0)
    return NotCertifiedError(
        f"{answer.problem}; given up after {run.spent} leapfrog steps, {length:.0f} for each draw: "
        f"{_NARROW}"
    )


@dataclass(slots=True)
class _Run:
    """Chains under way, in a space where the posterior is about standard normal."""

    joint: JointDensity
    centre: FloatArray
    root: FloatArray
    chains: Chains
    step: float
    draws: list[FloatArray] = field(default_factory=list)
    divergent: int = 0
    outside: int = 0
    leaves: int = 0
    spent: int = 0
    most_steps: int = 0

    @classmethod
    def warmed_up(
        cls,
        joint: JointDensity,
        cloud: FloatArray,
        wanted: float,
        rng: np.random.Generator,
        options: NutsOptions,
        *,
        spent: int = 0,
    ) -> _Run:
        """Start over-dispersed, learn metric and step size; ``spent`` are steps taken before."""
        centre, root = _metric(cloud)
        first = centre + 2.0 * (cloud[rng.permutation(len(cloud))[: options.chains]] - centre)
        run = cls(joint, centre, root, Chains(first, first, first), 0.5)
        run.spent, run.most_steps = spent, options.most_steps
        run.place(first)
        step = StepSize(wanted=wanted)
        lengths: list[int] = []
        for number, length in enumerate(options.warm_up):
            seen = []
            for _ in range(length):
                moved = transition(run.target, run.chains, step=step.size, rng=rng)
                run.chains = moved.chains
                run.spent += moved.leaves
                step.learn(moved.acceptance)
                seen.append(run.chains.position)
                lengths.append(moved.leaves)
                ahead = sum(options.warm_up[number:]) - len(seen) + options.block
                if len(seen) >= _TRIAL:
                    # The first metric may be a poor one, and the next let trajectories be shorter.
                    run.require_short(lengths[-_RECENT:], ahead, 1.0 if number else 2.0)
            step.settle()
            if number < len(options.warm_up) - 1:
                here = run.points(run.chains.position)
                run.centre, run.root = _metric(run.points(np.concatenate(seen[length // 3 :])))
                run.place(here)
        run.step = step.size
        return run

    def require_short(self, lengths: list[int], ahead: int, allowed: float) -> None:
        """Give up where so many transitions ahead take far more steps than there are.

        Raises
        ------
        NotCertifiedError
            They take more than ``allowed`` times what is left, at these lengths.
        """
        mean = sum(lengths) / len(lengths)
        if self.spent + mean * ahead > allowed * self.most_steps:
            raise NotCertifiedError(
                f"NUTS: given up after {self.spent} leapfrog steps of the warm-up: trajectories "
                f"take {mean / len(self.chains.position):.0f} each, and the least that tells "
                f"anything would take {self.spent + mean * ahead:.2g} of at most "
                f"{self.most_steps:.2g}; {_NARROW}"
            )

    def target(self, position: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Log-density and gradient; overflow, astray, is density zero."""
        with np.errstate(over="ignore", invalid="ignore"):
            value, gradient = self.joint.with_gradient(self.points(position))
            return value, gradient @ self.root

    def points(self, position: FloatArray) -> FloatArray:
        """Joint coordinates of positions. Shape [..., 1 + z]."""
        result: FloatArray = self.centre + position @ self.root.T
        return result

    def place(self, points: FloatArray) -> None:
        """Put the chains at joint coordinates; those outside the support at the centre."""
        solved = np.asarray(np.linalg.solve(self.root, (points - self.centre).T).T)
        chains = Chains.at(self.target, solved)
        lost = ~np.isfinite(chains.value)[:, np.newaxis]
        self.chains = Chains.at(self.target, np.where(lost, 0.0, solved))

    def draw(self, rng: np.random.Generator, n: int) -> None:
        """Add draws; few, if the steps run out."""
        for i in range(n):
            if self.spent >= self.most_steps and i >= _LEAST_DRAWS:
                break
            moved = transition(self.target, self.chains, step=self.step, rng=rng)
            self.chains = moved.chains
            self.divergent += int(np.count_nonzero(moved.divergent))
            self.outside += int(np.count_nonzero(moved.outside))
            self.leaves += moved.leaves
            self.spent += moved.leaves
            self.draws.append(self.points(moved.chains.position))


def _metric(points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Centre, and a root of the covariance that is shrunk towards its diagonal."""
    centre: FloatArray = points.mean(axis=0)
    n, d = points.shape
    covariance = np.atleast_2d(np.cov(points.T))
    diagonal = np.maximum(np.diag(covariance), 1e-12)
    kept = n / (n + 5.0 * d)
    shrunk = kept * covariance + (1.0 - kept) * np.diag(diagonal)
    shrunk[np.arange(d), np.arange(d)] = diagonal
    return centre, np.linalg.cholesky(shrunk + 1e-12 * np.diag(diagonal))


def _moved(draws: FloatArray) -> BoolArray:
    """Whether a chain left its first point. Shape [chain]."""
    moved: BoolArray = (draws != draws[:, :1]).any(axis=(1, 2))
    return moved


def _look(run: _Run, cl: float, options: NutsOptions) -> NutsAnswer:
    """Put the draws so far through the gate."""
    joint, draws = run.joint, np.stack(run.draws, axis=1)
    chains, n, d = draws.shape
    events = {
        "divergent": run.divergent,
        "outside": run.outside,
        "leapfrog_steps": run.leaves,
    }
    hats = [r_hat(draws[:, :, i]) for i in range(d)]
    sizes = [(bulk_size(draws[:, :, i]), tail_size(draws[:, :, i])) for i in range(d)]
    mu = joint.mu(draws[:, :, 0])
    limit, error = float(np.quantile(mu, cl)), quantile_error(mu, cl)
    shares = {name: count / (chains * n) for name, count in events.items()}
    diagnostics = {
        "r_hat": float(np.max(hats)),
        "bulk_size": float(np.min([size[0] for size in sizes])),
        "tail_size": float(np.min([size[1] for size in sizes])),
        "chains": float(chains),
        "still_chains": float(np.count_nonzero(~_moved(draws))),
        "draws": float(chains * n),
        **shares,
    }
    problem = refusal(
        Diagnosis(
            engine="NUTS",
            still=diagnostics["still_chains"],
            chains=float(chains),
            limit=limit,
            error=error,
            tolerance=options.tolerance,
            r_hat=diagnostics["r_hat"],
            largest_r_hat=options.largest_r_hat,
            size=min(diagnostics["bulk_size"], diagnostics["tail_size"]),
            least_size=options.least_size,
            divergent=shares["divergent"],
            most_divergent=options.most_divergent,
        )
    )
    flat = draws.reshape(-1, d)
    parameters = joint.parameters(flat)
    return NutsAnswer(
        limit=limit,
        error=error,
        problem=problem,
        mu=mu,
        parameters=parameters.reshape(chains, n, -1),
        diagnostics=diagnostics,
    )
