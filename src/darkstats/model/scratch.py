"""The working memory of the kernels, and the table through which Python hands it over."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from darkstats.arrays import FloatArray, IndexArray
from darkstats.kernel import Memory
from darkstats.kernel.products import LARGE, TERMS
from darkstats.kernel.simd import LANES, Floats
from darkstats.kernel.tables import reader_of
from darkstats.model.structure import Layout, Numbers, addresses_of

__all__ = ["SCRATCH_WORDS", "Scratch", "scratch_at", "scratch_sizes", "table_with"]


class Scratch(NamedTuple):
    """Working memory of one thread; nothing is allocated per fit."""

    x: Floats  # [par] the point
    side: Floats  # [par] +1 or -1: the side of a kink at zero
    counts: Floats  # [bin]
    auxdata: Floats  # [par]
    log_slope: Floats  # [factor] f'/f
    log_curve: Floats  # [factor] f''/f
    gamma: Floats  # [flat] product of all factors
    rate: Floats  # [flat] events of one component
    nu: Floats  # [bin] events expected
    inverse: Floats  # [bin] 1/nu where there are events
    curve: Floats  # [3 par] g, g', g'' of the histosys interpolation
    first: Floats  # [bin] df/dnu
    second: Floats  # [bin] d2f/dnu2
    weighted: Floats  # [global TERMS] the Jacobian of a block of bins, times second
    jacobian: Floats  # [global bin] d nu / d parameter
    gradient: Floats  # [par]
    hessian: Floats  # [global global] upper triangle
    local_slope: Floats  # [local] d nu / d parameter in its bin
    local_block: Floats  # [local, local in the same bin]
    coupling: Floats  # [local global]
    patch: Floats  # [3]
    asking: Floats  # [1] 1: derivatives are wanted; in other lanes the Hessian is not complete
    alone_hessian: Floats  # [global columns] of one lane, eight columns to a vector
    alone_jacobian: Floats  # [TERMS columns] of a block of bins of that lane
    alone_weighted: Floats  # [TERMS columns] the same, times second


#: What grows with the product of two numbers of parameters or bins, and rates do without.
_OF_DERIVATIVES = (
    "weighted",
    "jacobian",
    "hessian",
    "local_block",
    "coupling",
    "alone_hessian",
    "alone_jacobian",
    "alone_weighted",
)


def scratch_sizes(layout: Layout, numbers: Numbers, *, derivatives: bool = True) -> tuple[int, ...]:
    """Number of vectors in each field of :class:`Scratch`; less where rates are all it is for."""
    bins, par, flat = layout.n_bins, layout.n_parameters, len(numbers.nominal)
    factors, n_global, n_local = len(layout.factor_parameter), layout.n_global, layout.n_local
    columns = -(-n_global // LANES) if n_global > LARGE else 0
    sizes = {
        "x": par,
        "side": par,
        "counts": bins,
        "auxdata": par,
        "log_slope": factors,
        "log_curve": factors,
        "gamma": flat,
        "rate": flat,
        "nu": bins,
        "inverse": bins,
        "curve": 3 * par,
        "first": bins,
        "second": bins,
        "weighted": n_global * TERMS,
        "jacobian": n_global * bins,
        "gradient": par,
        "hessian": n_global * n_global,
        "local_slope": n_local,
        "local_block": n_local * layout.local_block,
        "coupling": n_local * n_global,
        "patch": 3,
        "asking": 1,
        "alone_hessian": n_global * columns,
        "alone_jacobian": TERMS * columns,
        "alone_weighted": TERMS * columns,
    }
    if not derivatives:
        sizes |= dict.fromkeys(_OF_DERIVATIVES, 0)
    return tuple(sizes[name] for name in Scratch._fields)


SCRATCH_WORDS = len(Scratch._fields)


def table_with(
    words: IndexArray, memory: Memory, arrays: tuple[FloatArray | IndexArray, ...]
) -> IndexArray:
    """The table that an entry unpacks: numbers and addresses. Arrays must outlive the call.

    ``words``: those of :func:`~darkstats.model.structure.words_of`.
    """
    rest = [*memory.addresses(), *addresses_of(arrays)]
    return np.concatenate([words, np.array(rest, dtype=np.int64)])


scratch_at = reader_of(Scratch)
