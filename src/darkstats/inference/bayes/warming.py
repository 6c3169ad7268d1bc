"""Compile the kernels of the posterior in a process of their own; see :mod:`darkstats.fit.warming`.

Scans need it: a process that compiles a kernel may give other last digits than one that loads it.
"""

from __future__ import annotations

import subprocess
import sys

from darkstats.fit.warming import smallest_model
from darkstats.inference.bayes.batch import bayes_limits
from darkstats.inference.bayes.window_kernel import windows_are_compiled
from darkstats.kernel import cache_directory
from darkstats.model.points import points_are_compiled

__all__ = ["compile_windows_here", "ensure_windows_compiled"]


def compile_windows_here() -> None:
    """Compile in this process: any call compiles a kernel for all models."""
    model = smallest_model()
    for engine in ("quadrature", "laplace"):
        bayes_limits([model], engine=engine, expected="none")


def ensure_windows_compiled() -> None:
    """See to it that kernels are compiled, by another process where there is a cache folder."""
    if windows_are_compiled() and points_are_compiled():
        return
    if cache_directory() is not None:
        command = (
            "from darkstats.inference.bayes.warming import compile_windows_here; "
            "compile_windows_here()"
        )
        subprocess.run([sys.executable, "-c", command], check=False, stdin=subprocess.DEVNULL)
    if not (windows_are_compiled() and points_are_compiled()):  # no folder, or no second process
        compile_windows_here()
