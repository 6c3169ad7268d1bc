"""Array aliases, the axis glossary and the one door into the kernels.

Axes, outermost first: ``mass, mu, toy`` (flattened to ``lane`` inside kernels), then ``sample``,
then ``bin`` or ``par``.  Shapes in docstrings use these names: ``[lane, par]``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = [
    "BoolArray",
    "ComplexArray",
    "FloatArray",
    "IndexArray",
    "frozen_floats",
    "frozen_indices",
]

FloatArray = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]
IndexArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


def frozen_floats(values: npt.ArrayLike, *, ndim: int | None = None) -> FloatArray:
    """Return ``values`` as a read-only, C-ordered float64 array (a copy where it must be).

    Kernels are compiled for exactly this kind of array: a writable one would be another type to
    the compiler, and so a second compilation.
    """
    array = np.array(values, dtype=np.float64, order="C", copy=True)
    if ndim is not None and array.ndim != ndim:
        raise ValueError(f"need {ndim} dimensions, got shape {array.shape}")
    array.flags.writeable = False
    return array


def frozen_indices(values: npt.ArrayLike, *, ndim: int = 1) -> IndexArray:
    """Return ``values`` as a read-only, C-ordered int64 array; empty input has shape (0,)."""
    array = np.array(values, dtype=np.int64, order="C", copy=True)
    if array.ndim != ndim:
        raise ValueError(f"need {ndim} dimensions, got shape {array.shape}")
    array.flags.writeable = False
    return array
