"""Random streams that are keyed by what is drawn, and by nothing else."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["keyed_generator", "poisson_counts"]

#: From this mean on counts are drawn from the Gaussian limit: NumPy's integers end at 9.2e18, and
#: the skewness that is left out, 1 / sqrt(mean), is below the last digits of a double.
GAUSSIAN_FROM = 1e18


def keyed_generator(seed: int, digest: str, *words: int) -> np.random.Generator:
    """Return the counter-based generator (Philox) of one key: the same on any host or thread.

    Parameters
    ----------
    seed
        In [0, 2**63).
    digest
        SHA-256 of the model, hexadecimal, 64 characters.
    words
        What is drawn, each in [0, 2**32): words of a spawn key have a fixed width, because NumPy
        splits a wider integer into two words.

    Raises
    ------
    ValueError
        A word does not fit.
    """
    if not all(0 <= word < 2**32 for word in words):
        raise ValueError(f"words of a stream key lie in [0, 2**32), got {words}")
    key = (*(int(digest[i : i + 8], 16) for i in range(0, 64, 8)), *words)
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=key)))


def poisson_counts(
    rng: np.random.Generator, mean: npt.ArrayLike, size: int | tuple[int, ...] | None = None
) -> npt.NDArray[np.float64]:
    """Draw Poisson counts, as floating-point numbers, around means of any finite size.

    Parameters
    ----------
    mean
        Expected counts, not negative. Broadcast to ``size``.
    size
        Shape of the answer; that of ``mean`` by default.
    """
    mean = np.asarray(mean, dtype=np.float64)
    large = mean >= GAUSSIAN_FROM
    if not large.any():
        return np.asarray(rng.poisson(mean, size=size), dtype=np.float64)
    counts = np.asarray(rng.poisson(np.where(large, 0.0, mean), size=size), dtype=np.float64)
    normal = rng.standard_normal(counts.shape)
    return np.where(large, np.rint(mean + np.sqrt(mean) * normal), counts)
