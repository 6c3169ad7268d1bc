"""Random streams that are keyed by what is drawn, and by nothing else."""

from __future__ import annotations

import numpy as np

__all__ = ["keyed_generator"]


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
