"""Interpolation between the -1, 0 and +1 sigma variations of a nuisance parameter.

Codes are those of HistFactory (CERN-OPEN-2012-016, section 4.1) under pyhf's names.  All histosys
codes have one form, with S = (hi - lo)/2 and D = (hi + lo)/2 - nominal per bin::

    shift(alpha) = S alpha + D g(alpha)

and differ only in the even function g.  Kernels return value, first and second derivative.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from darkstats.arrays import FloatArray, frozen_floats
from darkstats.errors import OptionError, UnknownNameError
from darkstats.kernel import kernel
from darkstats.kernel.simd import Floats, Vector

__all__ = [
    "HISTOSYS_CODES",
    "NORMSYS_CODES",
    "InterpolationCodes",
    "histosys_curve",
    "normsys_coefficients",
    "normsys_inside",
    "normsys_outside",
]

NORMSYS_CODES = {"code1": 1, "code4": 4}
HISTOSYS_CODES = {"code0": 0, "code2": 2, "code4p": 4}


@dataclass(frozen=True, slots=True, kw_only=True)
class InterpolationCodes:
    """The interpolation of both kinds of systematic variation; one is never set without the other.

    Parameters
    ----------
    normsys
        ``"code1"`` (exponential) or ``"code4"`` (sixth-order polynomial inside one sigma,
        exponential outside; the default, as in pyhf).
    histosys
        ``"code0"`` (piecewise linear), ``"code2"`` (quadratic inside, linear outside) or
        ``"code4p"`` (sixth-order polynomial inside, linear outside; the default, as in pyhf).

    Examples
    --------
    >>> import darkstats
    >>> darkstats.InterpolationCodes.parse("normsys=code1,histosys=code0")
    InterpolationCodes(normsys='code1', histosys='code0')
    """

    normsys: str = "code4"
    histosys: str = "code4p"

    def __post_init__(self) -> None:
        if self.normsys not in NORMSYS_CODES:
            raise UnknownNameError("normsys interpolation", self.normsys, tuple(NORMSYS_CODES))
        if self.histosys not in HISTOSYS_CODES:
            raise UnknownNameError("histosys interpolation", self.histosys, tuple(HISTOSYS_CODES))

    @classmethod
    def parse(cls, text: str) -> InterpolationCodes:
        """Read ``"normsys=code4,histosys=code4p"``; one that is not named keeps its default.

        (pyhf changes the other one where only one is given.)

        Raises
        ------
        OptionError
            The text has another form, or names something else or the same twice.

        Examples
        --------
        >>> import darkstats
        >>> print(darkstats.InterpolationCodes.parse("normsys=code1"))
        normsys=code1,histosys=code4p
        """
        pairs = [part.split("=") for part in text.split(",") if part.strip()]
        if any(len(pair) != 2 for pair in pairs):
            raise OptionError(f"cannot read interpolation {text!r}; write normsys=...,histosys=...")
        codes = {key.strip(): value.strip() for key, value in pairs}
        if not codes or not set(codes) <= {"normsys", "histosys"} or len(codes) < len(pairs):
            raise OptionError(
                f"interpolation {text!r} may set normsys and histosys, each once; "
                "for example normsys=code4,histosys=code4p"
            )
        return cls(**codes)

    def __str__(self) -> str:
        return f"normsys={self.normsys},histosys={self.histosys}"


@lru_cache(maxsize=256)  # the windows of a scan share most of their errors
def normsys_coefficients(hi: float, lo: float) -> FloatArray:
    """Coefficients of one normsys: log hi, log lo, and a_1 ... a_6 of code4. Shape [8].

    The polynomial 1 + sum a_i alpha^i matches value, slope and curvature of hi^alpha at +1 and of
    lo^-alpha at -1.
    """
    log_hi, log_lo = math.log(hi), math.log(lo)
    # Even and odd parts at alpha = 1 of value - 1, slope and curvature.
    even = 0.5 * np.array(
        [hi + lo - 2.0, hi * log_hi + lo * log_lo, hi * log_hi**2 + lo * log_lo**2]
    )
    odd = 0.5 * np.array([hi - lo, hi * log_hi - lo * log_lo, hi * log_hi**2 - lo * log_lo**2])
    a1 = (15.0 * odd[0] - 7.0 * odd[1] + odd[2]) / 8.0
    a3 = (-10.0 * odd[0] + 10.0 * odd[1] - 2.0 * odd[2]) / 8.0
    a5 = (3.0 * odd[0] - 3.0 * odd[1] + odd[2]) / 8.0
    a2 = (24.0 * even[0] - 9.0 * even[1] + even[2]) / 8.0
    a4 = (-24.0 * even[0] + 14.0 * even[1] - 2.0 * even[2]) / 8.0
    a6 = (8.0 * even[0] - 5.0 * even[1] + even[2]) / 8.0
    return frozen_floats([log_hi, log_lo, a1, a2, a3, a4, a5, a6])


@kernel
def normsys_inside(alpha: Vector, c: Floats, at: int) -> tuple[Vector, Vector, Vector]:
    """The polynomial of code4 inside one sigma, and its two derivatives."""
    a1, a2, a3, a4, a5, a6 = c[at + 2], c[at + 3], c[at + 4], c[at + 5], c[at + 6], c[at + 7]
    value = ((((alpha * a6 + a5) * alpha + a4) * alpha + a3) * alpha + a2) * alpha + a1
    first = (((alpha * (6.0 * a6) + 5.0 * a5) * alpha + 4.0 * a4) * alpha + 3.0 * a3) * alpha
    first = (first + 2.0 * a2) * alpha + a1
    second = ((alpha * (30.0 * a6) + 20.0 * a5) * alpha + 12.0 * a4) * alpha
    second = (second + 6.0 * a3) * alpha + 2.0 * a2
    return value * alpha + 1.0, first, second


@kernel
def normsys_outside(alpha: float, side: float, c: Floats, at: int) -> tuple[float, float, float]:
    """The exponential of code1, and of code4 outside one sigma; ``side`` decides at a kink."""
    slope = c[at] if alpha > 0.0 or (alpha == 0.0 and side > 0.0) else -c[at + 1]
    value = math.exp(slope * alpha)
    return value, slope * value, slope * slope * value


@kernel
def histosys_curve(alpha: float, side: float, code: int) -> tuple[float, float, float]:
    """The even function g of a histosys and its two derivatives."""
    size = abs(alpha)
    sign = 1.0 if alpha > 0.0 or (alpha == 0.0 and side > 0.0) else -1.0
    if code == 2:
        if size <= 1.0:
            return alpha * alpha, 2.0 * alpha, 2.0
        return 2.0 * size - 1.0, 2.0 * sign, 0.0
    if code == 4 and size <= 1.0:
        square = alpha * alpha
        value = square * (15.0 + square * (-10.0 + 3.0 * square)) / 8.0
        first = alpha * (30.0 + square * (-40.0 + 18.0 * square)) / 8.0
        second = (30.0 + square * (-120.0 + 90.0 * square)) / 8.0
        return value, first, second
    return size, sign, 0.0
