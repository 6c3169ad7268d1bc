"""How much of a scan is one block: a few seconds of one processor, whatever the models are.

Whoever computes blocks can then stop, or turn to somebody else's, after a few seconds. The time is
an estimate from the size of one model; it depends on the inputs alone, and never on the machine:
how work is cut is a part of what names a job. No number depends on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from darkstats.errors import DarkstatsError
from darkstats.scan.limits import base_of, compile_point
from darkstats.scan.mass_hypotheses import BinnedHypotheses
from darkstats.scan.settings import ScanSettings

if TYPE_CHECKING:
    from darkstats.scan.mass_hypotheses import MassHypotheses

__all__ = ["hypotheses_per_block", "spectrum_toys_per_block"]

#: Aim for one block, in seconds of a processor: a busy or a slower one may take twice as long.
_AIM_S = 2.5
#: Measured on one core of 2.5 GHz with 502 models of 205,000 products a step (5 to 7 s for a limit
#: with 10,000 toys, 9 s for 1,024 toys of the spectrum), and with 6 models of 43,000 (1.8 to 2.9 s
#: for a limit): seconds for one toy, and what each product of a step adds.
_LIMIT_S, _LIMIT_PER_PRODUCT_S = 1.5e-4, 2.2e-9
_FITS_S, _FITS_PER_PRODUCT_S = 3e-6, 7e-11


def _products(hypotheses: MassHypotheses, interpolation: str) -> float | None:
    """Products of a step of a fit of the hypothesis in the middle; ``None`` if nobody counts them.

    Another one may cost more or less: those of a scan are alike.
    """
    if not isinstance(hypotheses, BinnedHypotheses):
        return None
    middle = hypotheses.members[len(hypotheses.members) // 2]
    try:
        base = base_of(hypotheses.workspace, hypotheses.members)
        model = compile_point(base, middle, ScanSettings(interpolation=interpolation))
    except DarkstatsError:
        return None  # the scan says so, of this hypothesis
    return model.products_per_step


def hypotheses_per_block(hypotheses: MassHypotheses, *, n_toys: int, interpolation: str) -> int:
    """Hypotheses of a block of a scan with toys: one at least, whatever it takes.

    Parameters
    ----------
    hypotheses
        Of the scan.
    n_toys
        Toys of each tested strength, with and without signal.
    interpolation
        Codes of normsys and histosys.
    """
    products = _products(hypotheses, interpolation)
    if products is None:
        return 1
    each_s = n_toys * (_LIMIT_S + _LIMIT_PER_PRODUCT_S * products)
    return min(max(int(_AIM_S / each_s), 1), hypotheses.per_block)


def spectrum_toys_per_block(
    hypotheses: MassHypotheses, *, drawn_together: int, interpolation: str
) -> int:
    """Toys of the whole spectrum in a block: those that are drawn together, or a 2^n-th of them.

    Parameters
    ----------
    hypotheses
        Each toy is fitted in the windows of all.
    drawn_together
        Toys of one stream of random numbers.
    interpolation
        Codes of normsys and histosys.
    """
    products = _products(hypotheses, interpolation)
    if products is None:
        return drawn_together
    each_s = len(hypotheses.members) * (_FITS_S + _FITS_PER_PRODUCT_S * products)
    n_toys = drawn_together
    while n_toys % 2 == 0 and n_toys > 1 and n_toys * each_s > _AIM_S:
        n_toys //= 2
    return n_toys
