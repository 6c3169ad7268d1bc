"""Compile the kernels once, in a process of its own, so that every process runs the same code.

A process that compiles a kernel runs it from memory, where functions of several kernels are linked
together; one that loads it from the cache runs what was written. The two differ in the last digits
of some results. Results have to be the same bits in any process, so compilation is left to another
one.
"""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from darkstats.fit.batch import fit_batch
from darkstats.fit.minimise import kernel_is_compiled
from darkstats.kernel import cache_directory, is_compiled
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
    if cache_directory() is not None:
        command = "from darkstats.fit.warming import compile_here; compile_here()"
        subprocess.run([sys.executable, "-c", command], check=False, stdin=subprocess.DEVNULL)
    if not kernels_are_compiled():  # no folder, or no second process: then here
        compile_here()
