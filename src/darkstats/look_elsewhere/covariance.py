"""The scan as a Gaussian field with a known covariance (arXiv:2206.12328).

The covariance comes from fits to Asimov data, each with one fine bin raised by its standard
deviation: no toys are fitted. Use it for excesses that no number of toys reaches, in one and two
dimensions; counts must be large enough for the roots to be normal, which is checked.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from darkstats.arrays import FloatArray, frozen_floats
from darkstats.errors import OptionError
from darkstats.gaussian import survival
from darkstats.inference.p_values import PValue
from darkstats.look_elsewhere import checks
from darkstats.look_elsewhere.excursions import ExcursionTally
from darkstats.look_elsewhere.result import GlobalSignificance, checked_local, global_result
from darkstats.streams import keyed_generator

__all__ = ["GaussianField", "TailProbability", "by_covariance"]

SAMPLES_PER_BLOCK = 1024  # part of the definition of a sample
_TAIL, _PLAIN = 0x6C6501, 0x6C6502  # what is drawn: words of the key, never to be renumbered
_LARGEST_SKEWNESS = 0.3  # of the linear response: 11 events of background under a narrow signal
_SCALES = (0.9, 1.1)  # standard deviation of a root, from the responses
_NEGATIVE = 1e-8  # relative size of a negative eigenvalue that rounding explains


@dataclass(frozen=True, slots=True, kw_only=True)
class TailProbability:
    """P(largest root > z) with the standard error of its Monte Carlo estimate."""

    value: float
    error: float
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GaussianField:
    """A centred Gaussian field with unit variance: root = normal vector times ``factor``.

    Parameters
    ----------
    factor
        Columns of length one; their products are the correlations. Shape [rank, point].
    scale
        Standard deviations of the roots before they were divided out. Shape [point].
    skewness
        Of the linear response to Poisson counts, where the expected counts are known. Shape
        [point].
    dropped
        Largest share of a point's variance that was left out to make the matrix positive.
    digest
        SHA-256 of the factor, part of the key of the random numbers.
    """

    factor: FloatArray
    scale: FloatArray
    skewness: FloatArray | None
    dropped: float
    digest: str

    @classmethod
    def from_responses(
        cls, responses: npt.ArrayLike, *, expected: npt.ArrayLike | None = None
    ) -> GaussianField:
        """Field whose covariance is the sum of outer products of responses.

        Parameters
        ----------
        responses
            Signed roots of the scan over Asimov data in which one fine bin is raised by its
            standard deviation; further rows for auxiliary data raised by theirs. Shape [bin,
            point].
        expected
            Expected counts of the fine bins; infinity for auxiliary data with a normal constraint.
            With them the skewness of the roots is known. Shape [bin].

        Raises
        ------
        OptionError
            A response is not finite, a point has none, or shapes differ.

        Notes
        -----
        arXiv:2206.12328: to first order a root is a sum over bins of responses times normalised
        fluctuations, so that the responses are a factor of the covariance, exact at any rank: no
        matrix is decomposed. With more bins than points the factor is reduced by QR.
        """
        raw = np.asarray(responses, dtype=np.float64)
        if raw.ndim != 2 or not raw.size or not np.isfinite(raw).all():
            raise OptionError(
                f"need finite responses [bin, point], got shape {raw.shape}; a fit that failed "
                "leaves the covariance unknown"
            )
        scale = np.sqrt((raw**2).sum(axis=0))
        if not (scale > 0.0).all():
            at = int(np.flatnonzero(scale == 0.0)[0])
            raise OptionError(f"point {at} responds to no bin: its root is not a random number")
        factor = raw / scale
        skewness = None
        if expected is not None:
            counts = np.asarray(expected, dtype=np.float64)
            if counts.shape != (len(raw),) or not (counts >= 0.0).all():
                raise OptionError(f"need {len(raw)} expected counts, got shape {counts.shape}")
            with np.errstate(divide="ignore", invalid="ignore"):
                terms = np.where(factor == 0.0, 0.0, factor**3 / np.sqrt(counts)[:, np.newaxis])
            skewness = terms.sum(axis=0)
        if len(factor) > factor.shape[1]:
            factor = np.linalg.qr(factor, mode="r")
        return cls._of(factor, scale, skewness, 0.0)

    @classmethod
    def from_covariance(cls, covariance: npt.ArrayLike) -> GaussianField:
        """Field with a given covariance, by its eigenvectors.

        Parameters
        ----------
        covariance
            Symmetric, positive but for rounding. Shape [point, point].

        Raises
        ------
        OptionError
            The matrix is not symmetric, or has a negative eigenvalue that rounding cannot explain.

        Notes
        -----
        Nothing is added to the diagonal. Eigenvalues below 1e-12 of the largest are left out and
        the roots are normalised again; ``dropped`` says how much variance that concerns.
        """
        matrix = np.asarray(covariance, dtype=np.float64)
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
            raise OptionError(f"need a covariance [point, point], got shape {matrix.shape}")
        variance = np.diag(matrix)
        if not np.isfinite(matrix).all() or not (variance > 0.0).all():
            raise OptionError("the covariance has a variance that is not positive and finite")
        scale = np.sqrt(variance)
        correlation = matrix / np.outer(scale, scale)
        if np.abs(correlation - correlation.T).max() > 1e-8:
            raise OptionError("the covariance is not symmetric")
        values, vectors = np.linalg.eigh(0.5 * (correlation + correlation.T))
        if values[0] < -_NEGATIVE * values[-1]:
            raise OptionError(
                f"the covariance is not positive: its smallest eigenvalue is {values[0]:.3g}, its "
                f"largest {values[-1]:.3g}"
            )
        kept = values > 1e-12 * values[-1]
        factor = np.sqrt(values[kept])[:, np.newaxis] * vectors[:, kept].T
        norm = (factor**2).sum(axis=0)
        dropped = float(np.abs(1.0 - norm).max())
        return cls._of(factor / np.sqrt(norm), scale, None, dropped)

    @classmethod
    def _of(
        cls, factor: FloatArray, scale: FloatArray, skewness: FloatArray | None, dropped: float
    ) -> GaussianField:
        frozen = frozen_floats(factor, ndim=2)
        return cls(
            factor=frozen,
            scale=frozen_floats(scale),
            skewness=None if skewness is None else frozen_floats(skewness),
            dropped=dropped,
            digest=hashlib.sha256(repr(frozen.shape).encode() + frozen.tobytes()).hexdigest(),
        )

    @property
    def n_points(self) -> int:
        """Number of hypotheses."""
        return int(self.factor.shape[1])

    def sample(self, n: int, *, seed: int = 0, block: int = 0) -> FloatArray:
        """Draw ``n`` scans of one block of random numbers. Shape [n, point]."""
        rng = keyed_generator(seed, self.digest, _PLAIN, block)
        return np.asarray(rng.standard_normal((n, len(self.factor))) @ self.factor)

    def tail(self, z: float, *, samples: int = 65_536, seed: int = 0) -> TailProbability:
        """P(some root exceeds z), by importance sampling.

        Parameters
        ----------
        z
            Level, at least 0.
        samples
            Number of scans, rounded up to whole blocks of 1024.
        seed
            Seed; the numbers are keyed by (seed, field, block).

        Notes
        -----
        A point is chosen at random, its root drawn from the normal tail above z, the rest of the
        scan conditionally on it; n_points P(Z > z) / (number of points above z) is then an unbiased
        estimate (Adler, Blanchet, Liu, Ann. Appl. Probab. 22 (2012) 1167; Naiman and Priebe, J.
        Comput. Graph. Stat. 10 (2001) 296). Its relative error hardly depends on z, and it lies
        between P(Z > z) and n_points P(Z > z).
        """
        if not z >= 0.0:
            raise OptionError(f"the level must be at least 0, got {z}")
        n, p = self.n_points, survival(z)
        sums, squares, blocks = 0.0, 0.0, max(1, -(-samples // SAMPLES_PER_BLOCK))
        for block in range(blocks):
            rng = keyed_generator(seed, self.digest, _TAIL, block)
            chosen = rng.integers(n, size=SAMPLES_PER_BLOCK)
            raised = _normal_tail(rng, z, SAMPLES_PER_BLOCK)
            towards = self.factor[:, chosen].T
            normal = rng.standard_normal(towards.shape)
            normal += towards * (raised - (towards * normal).sum(axis=1))[:, np.newaxis]
            roots = normal @ self.factor
            roots[np.arange(len(chosen)), chosen] = raised
            inverse = 1.0 / np.count_nonzero(roots > z, axis=1)
            sums += float(inverse.sum())
            squares += float((inverse**2).sum())
        drawn = blocks * SAMPLES_PER_BLOCK
        mean = sums / drawn
        variance = max(squares / drawn - mean**2, 0.0) / (drawn - 1)
        # Where all samples agree, the error is that of one more sample with half the value.
        error = max(math.sqrt(variance), 0.5 * mean / drawn)
        return TailProbability(value=min(n * p * mean, 1.0), error=n * p * error, samples=drawn)


def _normal_tail(rng: np.random.Generator, z: float, n: int) -> FloatArray:
    """Draw from the normal distribution above z >= 0 (Robert, Stat. Comput. 5 (1995) 121)."""
    rate = 0.5 * (z + math.sqrt(z * z + 4.0))
    drawn = np.empty(n)
    missing = np.arange(n)
    while missing.size:
        x = z + rng.exponential(1.0 / rate, size=missing.size)
        accepted = rng.random(missing.size) < np.exp(-0.5 * (x - rate) ** 2)
        accepted &= x > z
        drawn[missing[accepted]] = x[accepted]
        missing = missing[~accepted]
    return drawn


def by_covariance(
    field: GaussianField,
    z_local: float,
    *,
    tally: ExcursionTally | None = None,
    samples: int = 65_536,
    seed: int = 0,
) -> GlobalSignificance:
    """Global significance of the largest local one, from the covariance of the scan.

    Parameters
    ----------
    field
        The field; from responses with expected counts, so that its normality can be judged.
    z_local
        Largest root of the observed scan, in [0, 38).
    tally
        Toys that show whether the roots are normal, where there are some.
    samples, seed
        Of the importance sampling.

    Returns
    -------
    GlobalSignificance
        Valid for the given points as they are: the grid need not be fine.

    Notes
    -----
    arXiv:2206.12328. The field's tail comes from importance sampling at any level, see
    :meth:`GaussianField.tail`; nothing is extrapolated.
    """
    p_local = checked_local(z_local, None)
    found = field.tail(z_local, samples=samples, seed=seed)
    reasons = _unlike_normal(field)
    notes: list[str] = []
    if tally is not None:
        reasons += [*checks.failed_toys(tally), *checks.not_normal(tally, z_local)]
        notes += checks.marginal_notes(tally, z_local)
    if field.skewness is None and (tally is None or tally.ok < checks.LEAST_TOYS_PER_POINT):
        reasons.append(
            "nothing shows that the roots are normal: give the expected counts of the fine bins, "
            "or toys"
        )
    if found.error > checks.LARGEST_ERROR * found.value:
        reasons.append(
            f"{found.samples} samples fix the global p-value to "
            f"{100 * found.error / found.value:.0f} % only"
        )
    return global_result(
        "covariance",
        z_local=z_local,
        p_local=p_local,
        p_global=PValue(
            value=max(found.value, p_local), error=found.error, low=found.value, high=found.value
        ),
        reasons=tuple(reasons),
        notes=tuple(notes),
        toys=None if tally is None else tally.toys,
        references=("arXiv:2206.12328", "Adler, Blanchet, Liu, AAP 22 (2012) 1167"),
    )


def _unlike_normal(field: GaussianField) -> list[str]:
    found = []
    outside = (field.scale < _SCALES[0]) | (field.scale > _SCALES[1])
    odd = int(np.count_nonzero(outside))
    if odd > checks.MOST_ODD_POINTS * field.n_points:
        found.append(
            f"at {odd} of {field.n_points} points the responses add up to a standard deviation "
            f"outside {_SCALES[0]} to {_SCALES[1]} (median {float(np.median(field.scale)):.2f}): "
            "roots are not linear in the counts, or not signed, or bins are missing"
        )
    if field.skewness is not None:
        odd = int(np.count_nonzero(np.abs(field.skewness) > _LARGEST_SKEWNESS))
        if odd > checks.MOST_ODD_POINTS * field.n_points:
            found.append(
                f"at {odd} of {field.n_points} points the background under the signal is too "
                f"small for a normal root (skewness of the response above {_LARGEST_SKEWNESS}, "
                f"median {float(np.median(np.abs(field.skewness))):.2f})"
            )
    return found
