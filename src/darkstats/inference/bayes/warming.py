"""Compile the kernels of the posterior before they are needed; see :mod:`darkstats.fit.warming`."""

from __future__ import annotations

from darkstats.fit.warming import smallest_model
from darkstats.inference.bayes.many_models import bayes_limits
from darkstats.inference.bayes.quadrature.window_kernel import windows_are_compiled
from darkstats.kernel import compile_elsewhere
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
    if not compile_elsewhere(
        "from darkstats.inference.bayes.warming import compile_windows_here; compile_windows_here()"
    ):
        compile_windows_here()
