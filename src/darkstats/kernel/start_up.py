"""Spare a short-lived process what numba loads for nobody's use.

When numba first loads machine code it registers its linear algebra, and for that it imports SciPy,
whose import alone takes longer than a limit. Our kernels call no linear algebra of numba's.
"""

from __future__ import annotations

import sys
from importlib import import_module

__all__ = ["load_without_scipy"]


def load_without_scipy() -> None:
    """Let numba register its array functions as it does where SciPy is not installed.

    For processes that belong to darkstats, such as the command line: afterwards numba's own
    ``np.dot`` and ``np.linalg`` are not available to kernels of others in this process. SciPy
    itself can be imported as ever. Does nothing where that is loaded already.
    """
    if "scipy.linalg" in sys.modules or "numba.np.arraymath" in sys.modules:
        return
    hidden: dict[str, object] = sys.modules  # type: ignore[assignment]  # None: "do not import"
    hidden["scipy.linalg"] = None
    try:
        import_module("numba.np.arraymath")
    finally:
        del hidden["scipy.linalg"]
