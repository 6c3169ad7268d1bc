"""Structure as data: the flat arrays that describe any HistFactory model to the kernels.

A *component* is one sample in one channel.  Its rate in a bin is the product of its scalar factors
(normfactor, lumi, normsys), its bin factors (shapefactor, shapesys, staterror) and its shape
(nominal plus histosys shifts).

A parameter is *local* if it touches one bin only: such parameters (the gammas) are eliminated bin
by bin from the linear system of a Newton step, and only the *global* ones make a dense matrix.
"""

from __future__ import annotations

from typing import NamedTuple

from darkstats.arrays import FloatArray, IndexArray

__all__ = ["CONSTRAINT_GAUSSIAN", "CONSTRAINT_NONE", "CONSTRAINT_POISSON", "Layout", "Numbers"]

CONSTRAINT_NONE, CONSTRAINT_GAUSSIAN, CONSTRAINT_POISSON = 0, 1, 2


class Layout(NamedTuple):
    """Which numbers act where: indices only."""

    n_bins: int
    n_global: int
    normsys_code: int
    histosys_code: int
    component_start: IndexArray  # [component] first bin
    component_stop: IndexArray  # [component] bin after the last
    component_offset: IndexArray  # [component] place of its first bin in flat arrays
    factor_begin: IndexArray  # [component + 1] range of scalar factors
    factor_parameter: IndexArray  # [factor]
    factor_normsys: IndexArray  # [factor] row of normsys coefficients, -1: linear
    histosys_begin: IndexArray  # [component + 1] range of histosys
    histosys_parameter: IndexArray  # [histosys]
    histosys_offset: IndexArray  # [histosys] place of its first bin in shift arrays
    binfactor_begin: IndexArray  # [component + 1] range of bin factors
    binfactor_parameter: IndexArray  # [binfactor] parameter of the component's first bin
    shape_parameters: IndexArray  # parameters that act through histosys
    global_of_parameter: IndexArray  # [par] place among the global ones, -1: local
    parameter_of_global: IndexArray  # [global]
    local_begin: IndexArray  # [bin + 1] range of local parameters
    local_parameter: IndexArray  # [local]
    local_of_parameter: IndexArray  # [par] place among the local ones, -1: global
    constraint: IndexArray  # [par] none, gaussian or poisson
    kinked: IndexArray  # [par] 1 where the likelihood has a kink at zero


class Numbers(NamedTuple):
    """The values: rates, variations, constraint widths."""

    nominal: FloatArray  # [flat component bin] events
    shift_odd: FloatArray  # [flat histosys bin] (hi - lo)/2
    shift_even: FloatArray  # [flat histosys bin] (hi + lo)/2 - nominal
    normsys: FloatArray  # [normsys, 8]
    width: FloatArray  # [par] sigma of a Gaussian constraint, tau of a Poisson one, else 1
