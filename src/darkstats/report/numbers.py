"""Numbers for the eyes: rounded to what they are worth, with a true minus sign."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from darkstats.inference.p_values import PValue

__all__ = [
    "BAND_LABELS",
    "level_words",
    "number",
    "p_and_error",
    "p_number",
    "p_with_error",
    "percent",
    "statistic_symbol",
    "thousands",
    "with_error",
]

BAND_LABELS = ("−2σ", "−1σ", "median", "+1σ", "+2σ")

_SYMBOLS = {"q": "qμ", "qtilde": "q̃μ", "q0": "q₀", "t": "tμ", "ttilde": "t̃μ"}

MISSING = "–"


def statistic_symbol(name: str) -> str:
    """Symbol of a test statistic, in plain characters."""
    return _SYMBOLS.get(name, name)


def number(value: float | None, digits: int = 4) -> str:
    """Significant digits, zeros kept; a dash where there is no number.

    Examples
    --------
    >>> number(2.5), number(-0.00012345), number(123456.0), number(None)
    ('2.500', '−1.234e−04', '1.235e+05', '–')
    """
    if value is None or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0.0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    text = f"{value:.{digits - 1}e}" if not -4 < size < 5 else _fixed(value, digits)
    return text.replace("-", "−")


def _fixed(value: float, digits: int) -> str:
    size = math.floor(math.log10(abs(float(f"{value:.{digits - 1}e}"))))
    return f"{value:.{max(digits - 1 - size, 0)}f}"


def with_error(value: float | None, error: float | None) -> str:
    """Value and error, both to two digits of the error.

    Examples
    --------
    >>> with_error(1.23456, 0.0123), with_error(1.23456, None), with_error(123.4, 45.6)
    ('1.235 ± 0.012', '1.235', '123 ± 46')
    """
    if value is None or error is None or not error > 0.0 or not math.isfinite(error):
        return number(value)
    size = math.floor(math.log10(float(f"{error:.1e}")))
    decimals = 1 - size
    if decimals > 8 or abs(value) >= 1e6:
        return f"{number(value)} ± {number(error, 2)}"
    places = max(decimals, 0)
    rounded = round(value, places) + 0.0  # no negative zero
    return f"{rounded:.{places}f} ± {error:.{places}f}".replace("-", "−")


def p_number(value: float | None, bound: float | None = None) -> str:
    """A p-value: three significant digits, in scientific notation below a thousandth.

    Parameters
    ----------
    value
        A p-value, None where there is none.
    bound
        What a value of 0 is only known to lie below.

    Examples
    --------
    >>> p_number(0.0321), p_number(0.0, 0.0015), p_number(0.0), p_number(None)
    ('0.0321', '< 0.00150', '0', '–')
    """
    if value is None or math.isnan(value):
        return MISSING
    if value == 0.0:
        return "0" if bound is None else f"< {p_number(bound)}"
    if value < 1e-3:
        return f"{value:.2e}".replace("-", "−")
    return _fixed(value, 3)


def p_with_error(p: PValue | None) -> str:
    """A p-value with the error of its toys; a bound where it is beyond what can be told."""
    if p is None:
        return MISSING
    text = p_number(p.value, p.bound)
    return text if p.bound is not None or not p.error > 0.0 else f"{text} ± {number(p.error, 2)}"


def p_and_error(value: float, error: float | None) -> str:
    """A p-value and its error.

    Examples
    --------
    >>> p_and_error(0.0243, 0.0011), p_and_error(3.2e-5, 1e-5), p_and_error(0.5, None)
    ('0.0243 ± 0.0011', '3.20e−05 ± 1.0e−05', '0.500')
    """
    if not error:
        return p_number(value)
    if value >= 1e-3:
        return with_error(value, error)
    return f"{p_number(value)} ± {number(error, 2)}"


def percent(fraction: float) -> str:
    """A level in percent, without superfluous digits.

    Examples
    --------
    >>> percent(0.95), percent(0.9973), percent(0.9)
    ('95 %', '99.73 %', '90 %')
    """
    return f"{100.0 * fraction:.6g} %"


def level_words(method: str, cl: float) -> str:
    """Level with the word that its method asks for.

    Examples
    --------
    >>> level_words("cls", 0.95), level_words("bayes", 0.9)
    ('95 % CL', '90 % credibility')
    """
    return f"{percent(cl)} {'credibility' if method == 'bayes' else 'CL'}"


def thousands(count: int) -> str:
    """A count in groups of three digits.

    Examples
    --------
    >>> thousands(1234567)
    '1 234 567'
    """
    return f"{count:,}".replace(",", " ")
