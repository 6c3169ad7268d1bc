"""The exponential of a vector of eight doubles, beside :func:`darkstats.kernel.simd.logarithm`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic, overload

from darkstats.kernel.simd import _DOUBLES as DOUBLES  # the same machine types
from darkstats.kernel.simd import _INTEGERS as INTEGERS
from darkstats.kernel.simd import LANES, Vector, fill, where_less
from darkstats.kernel.simd import _vector as vector

__all__ = ["exponential"]

# Added to a number below 2**51 it leaves the nearest integer in the lowest bits.
_ROUND = 6755399441055744.0  # 1.5 * 2**52
_LOWEST, _HIGHEST = -708.0, 709.0


def _power_of_two(value: Vector) -> Vector:
    """Two to the power of ``value - 1.5 * 2**52``, a whole number between -1022 and 1023."""
    return np.exp2(value - _ROUND)


def _intrinsic(function: Callable[..., Any]) -> Any:
    return intrinsic(function)  # numba is not annotated


@_intrinsic
def _power(typing: Any, value: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        bits = builder.bitcast(args[0], INTEGERS)
        biased = builder.add(bits, ir.Constant(INTEGERS, [1023] * LANES))
        return builder.bitcast(builder.shl(biased, ir.Constant(INTEGERS, [52] * LANES)), DOUBLES)

    return vector(vector), codegen


def exponential(value: Vector) -> Vector:
    """Exponential, to about one unit in the last place; 0 below -708, finite above 709.

    Reduction by a power of two and the rational approximation of the freely usable FDLIBM (Sun
    Microsystems, 1993).
    """
    x = where_less(value, fill(_LOWEST), fill(_LOWEST), value)  # what is no number stays visible
    x = where_less(fill(_HIGHEST), x, fill(_HIGHEST), x)
    shifted = x * 1.44269504088896338700 + _ROUND
    k = shifted - _ROUND
    high = x - k * 6.93147180369123816490e-01
    low = k * 1.90821492927058770002e-10
    r = high - low
    t = r * r
    c = r - t * (
        t
        * (
            t * (t * (t * 4.13813679705723846039e-08 + -1.65339022054652515390e-06)
                 + 6.61375632143793436117e-05)
            + -2.77777777770155933842e-03
        )
        + 1.66666666666666019037e-01
    )  # fmt: skip
    y = fill(1.0) - ((low - (r * c) / (fill(2.0) - c)) - high)
    return where_less(value, fill(_LOWEST), fill(0.0), y * _power_of_two(shifted))


_compiled: Any = numba.njit(nogil=True, error_model="numpy", fastmath={"contract"})(exponential)
overload(_power_of_two)(lambda value: lambda value: _power(value))
overload(exponential)(lambda value: lambda value: _compiled(value))
