"""Workspace -> HistFactoryModel: a likelihood as flat arrays, evaluated by one compiled kernel.

Use :func:`compile_workspace` on any checked workspace; the result evaluates rates and densities
here, and is minimised by :mod:`darkstats.fit`.
"""

from darkstats.model.compilation import compile_workspace
from darkstats.model.histfactory import ChannelBins, HistFactoryModel, Observation
from darkstats.model.interpolation import InterpolationCodes
from darkstats.model.parameters import Parameter

__all__ = [
    "ChannelBins",
    "HistFactoryModel",
    "InterpolationCodes",
    "Observation",
    "Parameter",
    "compile_workspace",
]
