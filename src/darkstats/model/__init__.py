"""Stage 6 of 9 · Workspace -> HistFactoryModel: flat arrays, evaluated by one compiled kernel.

Use :func:`compile_workspace` on any checked workspace; the result evaluates rates and densities
here, and is minimised by :mod:`darkstats.fit`. Use :mod:`darkstats.model.unbinned` for an HS3
document of densities of single events. Both are a :class:`Model`.
"""

from darkstats.model.base import TOYS_PER_BLOCK, LaneData, LaneEvaluator, Model
from darkstats.model.compilation import compile_workspace
from darkstats.model.histfactory import HistFactoryModel
from darkstats.model.interpolation import InterpolationCodes
from darkstats.model.observation import ChannelBins, Observation
from darkstats.model.parameters import Parameter

__all__ = [
    "TOYS_PER_BLOCK",
    "ChannelBins",
    "HistFactoryModel",
    "InterpolationCodes",
    "LaneData",
    "LaneEvaluator",
    "Model",
    "Observation",
    "Parameter",
    "compile_workspace",
]
