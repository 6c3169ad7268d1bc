"""Vectors of eight doubles inside kernels: one element per lane of data.

A kernel written with these works on eight toys at once, each in its own element, with the
instructions of the processor for whole vectors; no element ever sees another, so the result of a
lane has the same bits wherever it stands.  Arrays that hold vectors have shape [n, 8].

A *block* is an array without its shape: in compiled code nothing but an address, which makes tuples
of many of them cheap to hand around, and quick to compile.

Outside compiled code (``NUMBA_DISABLE_JIT=1``) the same functions work on NumPy arrays of eight.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, overload, register_model

from darkstats.arrays import FloatArray, IndexArray

__all__ = [
    "LANES",
    "Floats",
    "Integers",
    "Vector",
    "absolute",
    "exponential",
    "fill",
    "floats_at",
    "integers_at",
    "largest",
    "load",
    "logarithm",
    "maximum",
    "minimum",
    "store",
    "where_at_most",
    "where_less",
]

LANES = 8
Vector = FloatArray  # what a type checker sees; compiled code has a vector register
Floats = FloatArray  # in compiled code the bare address of its first element
Integers = IndexArray

_DOUBLES = ir.VectorType(ir.DoubleType(), LANES)
_INTEGERS = ir.VectorType(ir.IntType(64), LANES)


class _VectorType(types.Type):
    pass


class _BlockType(types.Type):
    pass


_make_type: Any = _VectorType  # numba is not annotated
_make_block: Any = _BlockType
_vector: Any = _make_type("float64x8")
_floats: Any = _make_block("floats")
_integers: Any = _make_block("integers")
_ELEMENTS = {_floats: ir.DoubleType(), _integers: ir.IntType(64)}
_NUMBERS = {_floats: types.float64, _integers: types.int64}


_primitive: Any = models.PrimitiveModel


@register_model(_VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        _primitive.__init__(self, manager, kind, _DOUBLES)


@register_model(_BlockType)
class _BlockModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        _primitive.__init__(self, manager, kind, ir.IntType(64))


def _intrinsic(function: Callable[..., Any]) -> Any:
    return intrinsic(function)


def _is_vector(value: Any) -> bool:
    return isinstance(value, _VectorType)


def _is_block(value: Any) -> bool:
    return isinstance(value, _BlockType)


def _address(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    if _is_block(kind):
        pointer = builder.inttoptr(array, _DOUBLES.as_pointer())
    else:
        data = context.make_array(kind)(context, builder, value=array).data
        pointer = builder.bitcast(data, _DOUBLES.as_pointer())
    return builder.gep(pointer, [index], source_etype=_DOUBLES)


def _element(builder: Any, kind: Any, block: Any, index: Any) -> Any:
    element = _ELEMENTS[kind]
    return builder.gep(builder.inttoptr(block, element.as_pointer()), [index], source_etype=element)


def _splat(builder: Any, value: Any) -> Any:
    zero = ir.Constant(ir.IntType(32), 0)
    first = builder.insert_element(ir.Constant(_DOUBLES, ir.Undefined), value, zero)
    mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(first, ir.Constant(_DOUBLES, ir.Undefined), mask)


@_intrinsic
def _load(typing: Any, array: Any, index: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = _address(context, builder, signature.args[0], args[0], args[1])
        return builder.load(place, align=8, typ=_DOUBLES)

    return _vector(array, types.intp), codegen


@_intrinsic
def _store(typing: Any, array: Any, index: Any, value: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = _address(context, builder, signature.args[0], args[0], args[1])
        builder.store(args[2], place, align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, _vector), codegen


@_intrinsic
def _get(typing: Any, block: Any, index: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = signature.args[0]
        return builder.load(_element(builder, kind, args[0], args[1]), align=8, typ=_ELEMENTS[kind])

    return _NUMBERS[block](block, types.intp), codegen


@_intrinsic
def _put(typing: Any, block: Any, index: Any, value: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[2], _element(builder, signature.args[0], args[0], args[1]), align=8)
        return context.get_dummy_value()

    return types.void(block, types.intp, _NUMBERS[block]), codegen


def _block_from(kind: Any) -> Any:
    @_intrinsic
    def operation(typing: Any, address: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return args[0]

        return kind(types.int64), codegen

    return operation


_floats_from, _integers_from = _block_from(_floats), _block_from(_integers)


@_intrinsic
def _fill(typing: Any, value: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _splat(builder, args[0])

    return _vector(types.float64), codegen


def _binary(name: str) -> Any:
    @_intrinsic
    def operation(typing: Any, left: Any, right: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return getattr(builder, name)(args[0], args[1])

        return _vector(_vector, _vector), codegen

    return operation


_add, _subtract, _multiply, _divide = (_binary(n) for n in ("fadd", "fsub", "fmul", "fdiv"))


def _choice(comparison: str) -> Any:
    @_intrinsic
    def operation(typing: Any, x: Any, y: Any, a: Any, b: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            test = builder.fcmp_ordered(comparison, args[0], args[1])
            return builder.select(test, args[2], args[3])

        return _vector(_vector, _vector, _vector, _vector), codegen

    return operation


_choose_less, _choose_at_most = _choice("<"), _choice("<=")


@_intrinsic
def _largest(typing: Any, value: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        result = builder.extract_element(args[0], ir.Constant(ir.IntType(32), 0))
        for lane in range(1, LANES):
            other = builder.extract_element(args[0], ir.Constant(ir.IntType(32), lane))
            result = builder.select(builder.fcmp_unordered(">", other, result), other, result)
        return result

    return types.float64(_vector), codegen


# The mantissa is taken in [sqrt(1/2), sqrt(2)): logarithms of numbers near one come out small.
_SQRT_HALF_BITS = 0x3FE6A09E667F3BCD


def _exponent_bits(builder: Any, value: Any) -> tuple[Any, Any]:
    bits = builder.bitcast(value, _INTEGERS)
    shifted = builder.sub(bits, ir.Constant(_INTEGERS, [_SQRT_HALF_BITS] * LANES))
    return bits, builder.ashr(shifted, ir.Constant(_INTEGERS, [52] * LANES))


@_intrinsic
def _exponent(typing: Any, value: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.sitofp(_exponent_bits(builder, args[0])[1], _DOUBLES)

    return _vector(_vector), codegen


@_intrinsic
def _mantissa(typing: Any, value: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        bits, exponent = _exponent_bits(builder, args[0])
        shift = builder.shl(exponent, ir.Constant(_INTEGERS, [52] * LANES))
        return builder.bitcast(builder.sub(bits, shift), _DOUBLES)

    return _vector(_vector), codegen


# Adding this number rounds to a whole one, which then stands in the lowest bits.
_ROUNDER = 6755399441055744.0


@_intrinsic
def _scale(typing: Any, value: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        bits = builder.bitcast(args[0], _INTEGERS)
        biased = builder.add(bits, ir.Constant(_INTEGERS, [1023] * LANES))
        shifted = builder.shl(biased, ir.Constant(_INTEGERS, [52] * LANES))
        return builder.bitcast(shifted, _DOUBLES)

    return _vector(_vector), codegen


def _split(value: Vector) -> tuple[Vector, Vector]:
    """Exponent and mantissa outside compiled code."""
    mantissa, exponent = np.frexp(value)
    low = mantissa < np.sqrt(0.5)
    return np.where(low, exponent - 1.0, exponent), np.where(low, 2.0 * mantissa, mantissa)


def exponent_of(value: Vector) -> Vector:
    """Power of two of positive numbers."""
    return _split(value)[0]


def mantissa_of(value: Vector) -> Vector:
    """Positive numbers scaled by a power of two into [sqrt(1/2), sqrt(2))."""
    return _split(value)[1]


def scale_of(value: Vector) -> Vector:
    """Two to the power of whole numbers in [-1022, 1023] that :data:`_ROUNDER` was added to."""
    result: Vector = np.ldexp(1.0, (value - _ROUNDER).astype(int))
    return result


def floats_at(address: int) -> Floats:
    """Doubles that begin at an address; in compiled code only."""
    raise TypeError(f"an address ({address}) means something in compiled code only")


def integers_at(address: int) -> Integers:
    """Integers that begin at an address; in compiled code only."""
    raise TypeError(f"an address ({address}) means something in compiled code only")


def load(array: FloatArray, index: int) -> Vector:
    """Read vector ``index`` of an array of shape [n, 8]."""
    vector: Vector = array[index].copy()
    return vector


def store(array: FloatArray, index: int, value: Vector) -> None:
    """Write vector ``index`` of an array of shape [n, 8]."""
    array[index] = value


def fill(value: float) -> Vector:
    """Return a vector of eight equal numbers."""
    return np.full(LANES, value)


def where_less(x: Vector, y: Vector, a: Vector, b: Vector) -> Vector:
    """``a`` where x < y, else ``b``."""
    return np.where(x < y, a, b)


def where_at_most(x: Vector, y: Vector, a: Vector, b: Vector) -> Vector:
    """``a`` where x <= y, else ``b``."""
    return np.where(x <= y, a, b)


def largest(value: Vector) -> float:
    """Return the largest element."""
    return float(np.max(value))


def _arithmetic(operation: Any, left: Any, right: Any) -> Any:
    """Implementation of an operator for vectors, and for a vector and a number."""
    if _is_vector(left) and _is_vector(right):
        return lambda left, right: operation(left, right)
    if _is_vector(left) and isinstance(right, types.Float):
        return lambda left, right: operation(left, _fill(right))
    if isinstance(left, types.Float) and _is_vector(right):
        return lambda left, right: operation(_fill(left), right)
    return None


def _reader(block: Any, index: Any) -> Any:
    """Implementation of ``block[i]``, and of ``block[i, lane]`` for blocks of vectors."""
    if not _is_block(block):
        return None
    if isinstance(index, types.Integer):
        return lambda block, index: _get(block, index)
    return lambda block, index: _get(block, index[0] * LANES + index[1])


def _writer(block: Any, index: Any, value: Any) -> Any:
    """Implementation of assignments to the same."""
    if not _is_block(block):
        return None
    number = float if block == _floats else int
    if isinstance(index, types.Integer):
        return lambda block, index, value: _put(block, index, number(value))
    return lambda block, index, value: _put(block, index[0] * LANES + index[1], number(value))


overload(operator.getitem)(lambda block, index: _reader(block, index))
overload(operator.setitem)(lambda block, index, value: _writer(block, index, value))


def _register(symbol: Any, operation: Any) -> None:
    overload(symbol)(lambda left, right: _arithmetic(operation, left, right))


for _symbol, _operation in (
    (operator.add, _add),
    (operator.sub, _subtract),
    (operator.mul, _multiply),
    (operator.truediv, _divide),
    (operator.iadd, _add),
    (operator.isub, _subtract),
    (operator.imul, _multiply),
):
    _register(_symbol, _operation)


def absolute(value: Vector) -> Vector:
    """Return absolute values."""
    return where_less(value, fill(0.0), fill(0.0) - value, value)


def maximum(left: Vector, right: Vector) -> Vector:
    """Return the larger of two, element by element."""
    return where_less(left, right, right, left)


def minimum(left: Vector, right: Vector) -> Vector:
    """Return the smaller of two, element by element."""
    return where_less(left, right, left, right)


def logarithm(value: Vector) -> Vector:
    """Natural logarithm of positive normal numbers, to about one unit in the last place.

    Reduction to the mantissa and the series of 2 atanh(f/(2 + f)), with the minimax coefficients
    of the freely usable FDLIBM (Sun Microsystems, 1993).
    """
    power = exponent_of(value)
    f = mantissa_of(value) - 1.0
    s = f / (f + 2.0)
    z = s * s
    w = z * z
    even = w * (
        w * (w * 1.531383769920937332e-01 + 2.222219843214978396e-01) + 3.999999999940941908e-01
    )
    odd = z * (
        w
        * (w * (w * 1.479819860511658591e-01 + 1.818357216161805012e-01) + 2.857142874366239149e-01)
        + 6.666666666666735130e-01
    )
    half_square = f * f * 0.5
    tail = s * (half_square + even + odd) + power * 1.90821492927058770002e-10
    return power * 6.93147180369123816490e-01 - ((half_square - tail) - f)


def exponential(value: Vector) -> Vector:
    """Exponential, to about one unit in the last place; 0 below -708, and at most that of 709.

    Reduction by multiples of ln 2 (W. J. Cody, W. Waite, Software Manual, 1980) and the Taylor
    polynomial on what is left, at most ln(2)/2 in size, where its first omitted term is 4e-18.
    """
    x = minimum(value, fill(709.0))
    x = where_less(x, fill(-708.0), fill(-708.0), x)
    shifted = x * 1.4426950408889634 + _ROUNDER
    k = shifted - _ROUNDER
    r = (x - k * 6.93147180369123816490e-01) - k * 1.90821492927058770002e-10
    p = r * 1.6059043836821613e-10 + 2.08767569878681e-09
    p = p * r + 2.505210838544172e-08
    p = p * r + 2.755731922398589e-07
    p = p * r + 2.7557319223985893e-06
    p = p * r + 2.48015873015873e-05
    p = p * r + 1.984126984126984e-04
    p = p * r + 1.388888888888889e-03
    p = p * r + 8.333333333333333e-03
    p = p * r + 4.1666666666666664e-02
    p = p * r + 0.16666666666666666
    p = p * r + 0.5
    p = p * (r * r) + r + 1.0
    # Not-a-number compares as not smaller; times zero it stays visible.
    return where_less(value, fill(-708.0), fill(0.0), p * scale_of(shifted) + value * 0.0)


# In compiled code the functions above become single instructions.
_OPERATIONS: dict[Any, Any] = {
    exponent_of: lambda value: lambda value: _exponent(value),
    mantissa_of: lambda value: lambda value: _mantissa(value),
    scale_of: lambda value: lambda value: _scale(value),
    floats_at: lambda address: lambda address: _floats_from(address),
    integers_at: lambda address: lambda address: _integers_from(address),
    load: lambda array, index: lambda array, index: _load(array, index),
    store: lambda array, index, value: lambda array, index, value: _store(array, index, value),
    fill: lambda value: lambda value: _fill(value),
    where_less: lambda x, y, a, b: lambda x, y, a, b: _choose_less(x, y, a, b),
    where_at_most: lambda x, y, a, b: lambda x, y, a, b: _choose_at_most(x, y, a, b),
    largest: lambda value: lambda value: _largest(value),
    absolute: lambda value: lambda value: _absolute(value),
    maximum: lambda left, right: lambda left, right: _choose_less(left, right, right, left),
    minimum: lambda left, right: lambda left, right: _choose_less(left, right, left, right),
    logarithm: lambda value: lambda value: _logarithm(value),
    exponential: lambda value: lambda value: _exponential(value),
}
_absolute: Any = numba.njit(nogil=True)(absolute)
_logarithm: Any = numba.njit(nogil=True, error_model="numpy", fastmath={"contract"})(logarithm)
_exponential: Any = numba.njit(nogil=True, error_model="numpy", fastmath={"contract"})(exponential)
for _function, _implementation in _OPERATIONS.items():
    overload(_function)(_implementation)
