"""Structure as data: the flat arrays that describe any HistFactory model to the kernels.

A *component* is one sample in one channel.  Its rate in a bin is the product of its scalar factors
(normfactor, lumi, normsys), its bin factors (shapefactor, shapesys, staterror) and its shape
(nominal plus histosys shifts).

A parameter is *local* if it touches one bin only: such parameters (the gammas) are eliminated bin
by bin from the linear system of a Newton step, and only the *global* ones make a dense matrix.
"""

from __future__ import annotations

from typing import NamedTuple

from darkstats.arrays import FloatArray, IndexArray, frozen_indices
from darkstats.kernel.simd import Floats, Integers
from darkstats.kernel.tables import reader_of

__all__ = [
    "CONSTRAINT_GAUSSIAN",
    "CONSTRAINT_NONE",
    "CONSTRAINT_POISSON",
    "LAYOUT_WORDS",
    "NUMBERS_WORDS",
    "Layout",
    "Numbers",
    "addresses_of",
    "layout_at",
    "numbers_at",
    "words_of",
]

CONSTRAINT_NONE, CONSTRAINT_GAUSSIAN, CONSTRAINT_POISSON = 0, 1, 2


class Layout(NamedTuple):
    """Which numbers act where: indices only."""

    n_bins: int
    n_parameters: int
    n_global: int
    n_local: int
    n_components: int
    n_shapes: int
    local_block: int  # largest number of local parameters in one bin
    normsys_code: int
    histosys_code: int
    component_start: Integers  # [component] first bin
    component_stop: Integers  # [component] bin after the last
    component_offset: Integers  # [component] place of its first bin in flat arrays
    factor_begin: Integers  # [component + 1] range of scalar factors
    factor_parameter: Integers  # [factor]
    factor_normsys: Integers  # [factor] row of normsys coefficients, -1: linear
    histosys_begin: Integers  # [component + 1] range of histosys
    histosys_parameter: Integers  # [histosys]
    histosys_offset: Integers  # [histosys] place of its first bin in shift arrays
    binfactor_begin: Integers  # [component + 1] range of bin factors
    binfactor_parameter: Integers  # [binfactor] parameter of the component's first bin
    shape_parameters: Integers  # parameters that act through histosys
    global_of_parameter: Integers  # [par] place among the global ones, -1: local
    parameter_of_global: Integers  # [global]
    local_begin: Integers  # [bin + 1] range of local parameters
    local_parameter: Integers  # [local]
    local_of_parameter: Integers  # [par] place among the local ones, -1: global
    constraint: Integers  # [par] none, gaussian or poisson
    kinked: Integers  # [par] 1 where the likelihood has a kink at zero


class Numbers(NamedTuple):
    """The values: rates, variations, constraint widths."""

    nominal: Floats  # [flat component bin] events
    shift_odd: Floats  # [flat histosys bin] (hi - lo)/2
    shift_even: Floats  # [flat histosys bin] (hi + lo)/2 - nominal
    normsys: Floats  # [8 normsys] coefficients
    width: Floats  # [par] sigma of a Gaussian constraint, tau of a Poisson one, else 1


LAYOUT_WORDS, NUMBERS_WORDS = len(Layout._fields), len(Numbers._fields)


def addresses_of(fields: tuple[int | FloatArray | IndexArray, ...]) -> list[int]:
    """Numbers as they are, and arrays by the address of their first element."""
    return [
        int(field) if isinstance(field, int) else int(field.__array_interface__["data"][0])
        for field in fields
    ]


def words_of(layout: Layout, numbers: Numbers) -> IndexArray:
    """Numbers and addresses of a model, as kernels unpack them. The arrays must outlive them."""
    return frozen_indices([*addresses_of(layout), *addresses_of(numbers)])


layout_at = reader_of(Layout)
numbers_at = reader_of(Numbers)
