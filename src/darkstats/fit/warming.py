"""Compile the kernels of fits before they are needed: once, whoever asks for them."""

from __future__ import annotations

import numpy as np

from darkstats.fit.batch import fit_batch
from darkstats.fit.minimise import kernel_is_compiled
from darkstats.kernel import compile_elsewhere, is_compiled
from darkstats.model import HistFactoryModel, compile_workspace, evaluate
from darkstats.workspace import Workspace

__all__ = ["compile_here", "ensure_compiled", "kernels_are_compiled", "smallest_model"]

_SMALLEST = {
    "channels": [
        {
            "name": "c",
            "samples": [
                {
                    "name": "s",
                    "data": [1.0],
                    "modifiers": [{"name": "mu", "type": "normfactor", "data": None}],
                }
            ],
        }
    ],
    "observations": [{"name": "c", "data": [1.0]}],
    "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
    "version": "1.0.0",
}


def kernels_are_compiled() -> bool:
    """Whether fits and expected rates can be had without waiting for the compiler."""
    return kernel_is_compiled() and is_compiled(evaluate._evaluate)


def smallest_model() -> HistFactoryModel:
    """One bin, one parameter: any model will do to have a kernel compiled."""
    return compile_workspace(Workspace.from_document(_SMALLEST))


def compile_here() -> None:
    """Compile in this process: any call compiles a kernel for all models."""
    model = smallest_model()
    fit_batch(model, model.observation.counts, model.observation.auxdata)
    model.expected_rates(np.ones((1, model.n_parameters)))


def ensure_compiled() -> None:
    """See to it that kernels are compiled, by another process where there is a cache folder."""
    if kernels_are_compiled():
        return
    # All at once: kernels share the functions that they call.
    if not compile_elsewhere("from darkstats.fit.warming import compile_here; compile_here()"):
        compile_here()
