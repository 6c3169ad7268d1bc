"""Importance sampling from a Gaussian that is learnt, where the one at the mode does not fit.

Population Monte Carlo (O. Cappé et al., arXiv:0710.4242): points of the joint posterior are thrown
from a Gaussian, weighted, and the Gaussian is moved to their mean and covariance, round by round.
Conditioned on the signal strength it then serves as the proposal at each of a few of them, with the
same points throughout.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import NotCertifiedError
from darkstats.inference.bayes.joint import JointDensity
from darkstats.inference.bayes.laplace.from_nodes import (
    LANES,
    CoarseError,
    LaplaceAnswer,
    LaplaceOptions,
    answer_at_nodes,
    log_mean,
    nodes_from,
)
from darkstats.inference.bayes.laplace.importance import effective_size, proposal, tempered
from darkstats.inference.bayes.problem import (
    PosteriorProblem,
    chebyshev,
    gaussian_at,
    log_height,
    strengths,
)
from darkstats.streams import keyed_generator

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray
    from darkstats.model import LaneData

__all__ = ["Cloud", "adaptive_posterior", "learn", "learnt_cloud"]

_STREAM = 9  # word of the random stream's key: never renumber
_ROUNDS = 14
_GOOD = 0.2  # share of effective points at which learning stops
_NODES = 17


@dataclass(frozen=True, slots=True)
class Cloud:
    """A Gaussian in (w, z) that resembles the posterior.

    ``centre`` [1 + z], ``root`` of the covariance [1 + z, 1 + z], lower triangular, and the share
    of effective points when it was last used.
    """

    joint: JointDensity
    centre: FloatArray
    root: FloatArray
    share: float

    @classmethod
    def fitted(
        cls, joint: JointDensity, points: FloatArray, weight: FloatArray, share: float
    ) -> Cloud:
        """Mean and covariance of weighted points, the latter shrunk towards its diagonal."""
        weight = weight / weight.sum()
        size, d = 1.0 / float((weight**2).sum()), points.shape[1]
        centre = weight @ points
        apart = points - centre
        covariance = (apart.T * weight) @ apart
        diagonal = np.maximum(np.diag(covariance), 1e-12)
        kept = size / (size + 2.0 * d)
        covariance = kept * covariance + (1.0 - kept) * np.diag(diagonal)
        covariance[np.arange(d), np.arange(d)] = diagonal * (1.0 + 1e-10)
        return cls(joint, centre, np.linalg.cholesky(covariance), share)

    def thrown(self, rng: np.random.Generator, n: int) -> tuple[FloatArray, FloatArray]:
        """Points, a quarter of them from a wider Gaussian, and the logarithm of their density.

        Shapes [n, 1 + z], [n]; the density is relative to ``(2 pi)^(-d/2) / det(root)``.
        """
        d = len(self.centre)
        wide = 1.0 + 1.5 * d**-0.75
        width = np.where(np.arange(n) % 4 == 3, wide, 1.0)[:, np.newaxis]
        normal = rng.standard_normal((n, d)) * width
        square = (normal**2).sum(axis=1)
        log_q = np.logaddexp(
            math.log(0.75) - 0.5 * square,
            math.log(0.25) - 0.5 * square / wide**2 - d * math.log(wide),
        )
        return self.centre + normal @ self.root.T, log_q

    def draw(self, rng: np.random.Generator, n: int) -> FloatArray:
        """Points of the Gaussian. Shape [n, 1 + z]."""
        normal = rng.standard_normal((n, len(self.centre)))
        result: FloatArray = self.centre + normal @ self.root.T
        return result


def _first_cloud(
    problem: PosteriorProblem,
    counts: LaneData,
    span: tuple[float, float],
    rng: np.random.Generator,
) -> Cloud:
    """Gaussians about conditional modes, weighted by Laplace's approximation."""
    y = chebyshev(2 * _NODES - 1)
    mu = strengths(np.array([span[0]]), np.array([span[1]]), y)
    value, lanes = gaussian_at(problem, counts, mu)
    flat = mu[0]
    with np.errstate(divide="ignore"):
        log_mass = log_height(problem, flat, value[0])
        log_mass = log_mass + np.log(
            np.abs(
                np.gradient(problem.prior.coordinate.of_mu(np.maximum(flat, 1e-12 * problem.scale)))
            )
        )
    usable = np.isfinite(log_mass) & lanes.good
    if not usable.any():
        raise NotCertifiedError("no conditional mode was found to throw points about")
    mass = np.where(usable, np.exp(log_mass - np.max(log_mass[usable])), 0.0)
    n, d = 64 * (problem.density.n + 1), problem.density.n
    chosen = rng.choice(len(flat), size=n, p=mass / mass.sum())
    spread = np.gradient(flat)[chosen] * rng.uniform(-0.5, 0.5, n)
    strength = np.abs(flat[chosen] + spread)
    mean = float(mass @ flat / mass.sum())
    joint = JointDensity.of(problem.density, problem.prior, counts, mean or problem.scale)
    normal = rng.standard_normal((n, d))
    z = lanes.z[chosen] + np.einsum("lij,lj->li", lanes.factor[chosen], normal)
    return Cloud.fitted(joint, np.column_stack([joint.w(strength), z]), np.ones(n), 0.0)


def learnt_cloud(
    problem: PosteriorProblem, counts: LaneData, span: tuple[float, float], *, seed: int
) -> Cloud:
    """Learn a Gaussian that resembles the joint posterior of one observation.

    Parameters
    ----------
    problem, counts
        Model, priors, and one row of counts [bin]; or one lane of events.
    span
        Range of the signal strength.
    seed
        Of the keyed random stream.
    """
    rng = keyed_generator(seed, problem.density.model.digest, _STREAM)
    cloud = _first_cloud(problem, problem.density.model.lanes_of(counts), span, rng)
    return learn(cloud.joint.value, cloud, rng)


def learn(
    log_density: Callable[[FloatArray], FloatArray], cloud: Cloud, rng: np.random.Generator
) -> Cloud:
    """Move a Gaussian to the mean and covariance of a density, round by round.

    Parameters
    ----------
    log_density
        Of points [point, 1 + z].
    cloud
        Where to begin.
    rng
        Throws the points.
    """
    d = len(cloud.centre)
    n = max(2048, 128 * d)
    best = cloud
    for _ in range(_ROUNDS):
        points, log_q = cloud.thrown(rng, n)
        log_weight = log_density(points) - log_q
        if not np.isfinite(log_weight).any():
            break
        share = float(effective_size(log_weight)) / n
        cloud = replace(cloud, share=share)
        if share > best.share:
            best = cloud
        if share > _GOOD:
            break
        weight = tempered(log_weight, max(8.0 * d, 0.03 * n))
        cloud = Cloud.fitted(cloud.joint, points, weight, share)
    return best


def adaptive_posterior(
    problem: PosteriorProblem,
    counts: LaneData,
    span: tuple[float, float],
    *,
    cl: float,
    seed: int = 0,
    options: LaplaceOptions | None = None,
) -> LaplaceAnswer:
    """Posterior and credible limit of one observation, by a learnt proposal.

    Parameters
    ----------
    problem, counts
        Model, priors, and one row of counts [bin]; or one lane of events.
    span
        Range of the signal strength.
    cl, seed, options
        As of :func:`~darkstats.inference.bayes.laplace.approximation.laplace_posteriors`.
    """
    options = options or LaplaceOptions()
    counts = problem.density.model.lanes_of(counts)
    cloud = learnt_cloud(problem, counts, span, seed=seed)
    answer = LaplaceAnswer()
    for nodes in nodes_from(options.nodes):
        finer, points = replace(options, nodes=nodes), 256
        while True:
            answer = _at_nodes(
                problem, counts, span, cloud, cl=cl, seed=seed, points=points, options=finer
            )
            if answer.problem is None or answer.limit is None or points >= 4096:
                break
            points *= 4
        if not isinstance(answer.problem, CoarseError):
            break
    return answer


def _at_nodes(
    problem: PosteriorProblem,
    counts: LaneData,
    span: tuple[float, float],
    cloud: Cloud,
    *,
    cl: float,
    seed: int,
    points: int,
    options: LaplaceOptions,
) -> LaplaceAnswer:
    nodes, d = options.nodes, problem.density.n
    y = chebyshev(nodes)
    mu = strengths(np.array([span[0]]), np.array([span[1]]), y)[0]
    thrown = proposal(
        d,
        points,
        replicates=options.replicates,
        seed=seed,
        digest=problem.density.model.digest,
        purpose=1,
    )
    flat = thrown.points.reshape(options.replicates * points, d)
    # z given w: the root is lower triangular, its first column is what z has of w
    along = cloud.root[1:, 0] / cloud.root[0, 0]
    inner = cloud.root[1:, 1:]
    w = cloud.joint.w(mu)
    typical = np.clip(w, cloud.centre[0] - 3.5 * cloud.root[0, 0], None)
    centre = cloud.centre[1:] + (typical - cloud.centre[0])[:, np.newaxis] * along
    log_volume = float(np.log(np.diag(inner)).sum())
    weights = np.empty((nodes, len(flat)))
    step = max(1, LANES // len(flat))
    for first in range(0, nodes, step):
        part = slice(first, min(first + step, nodes))
        m = part.stop - part.start
        z = centre[part, np.newaxis, :] + flat @ inner.T
        value = problem.density.value(np.repeat(mu[part], len(flat)), z.reshape(-1, d), counts)
        weights[part] = value.reshape(m, -1) - thrown.log_density.ravel()
    shaped = weights.reshape(nodes, options.replicates, points)
    with np.errstate(divide="ignore"):
        total, each = log_mean(shaped, (1, 2)), log_mean(shaped, 2)
    bare = LaplaceAnswer(points=points * options.replicates, adapted=True)
    if not np.isfinite(each).all():
        return replace(bare, problem=NotCertifiedError("all points have zero weight"))
    answer = answer_at_nodes(
        problem, span, total, each, weights, cl=cl, relevant=1e-2, options=options
    )
    answer = replace(answer, points=bare.points, adapted=True)
    posterior, empty = answer.posterior, answer.log_empty
    if posterior is None:
        return answer
    return replace(
        answer,
        posterior=replace(posterior, log_evidence=posterior.log_evidence + log_volume),
        log_empty=None if empty is None else empty + log_volume,
    )
