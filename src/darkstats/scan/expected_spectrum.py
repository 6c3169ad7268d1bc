"""What the expected spectrum of a search gives in each of its windows.

The background model of a window need not follow the spectrum that the search expects there: the
expectation itself then looks like a signal or like a deficit, and the asymptotic local p-value of
data, which knows the window alone, is wrong. How much is the Asimov significance of the window on
the counts of the whole expected spectrum; no data are looked at.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.errors import DocumentError
from darkstats.fit import FitOptions, fit_batch
from darkstats.fit.lanes import Problem
from darkstats.fit.minima import AGREEMENT
from darkstats.fit.mle import number_options
from darkstats.fit.starts import jittered_starts
from darkstats.scan.spectrum import SpectrumMap
from darkstats.scan.spectrum_toys import expected_content

if TYPE_CHECKING:
    from collections.abc import Mapping

    from darkstats.arrays import FloatArray
    from darkstats.fit.minima import Minimum
    from darkstats.model import HistFactoryModel

__all__ = ["LARGEST_BIAS", "NO_SPECTRUM", "ExpectedSpectrum", "bias_words"]

#: Asimov significance from which on a point says that its window is biased: at 3 sigma, 0.3 sigma
#: change a local p-value by a factor of 2.6.
LARGEST_BIAS = 0.3

NO_SPECTRUM = "the search has no spectrum of its own that would fill its windows"

_NEARBY = 0.1  # spread of the second start, in pre-fit errors


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedSpectrum:
    """Expected events of a search in all fine bins, and the windows on them.

    Parameters
    ----------
    content
        Expected events. Shape [fine bin].
    windows
        Fine bins of each window.
    """

    content: FloatArray = field(repr=False)
    windows: SpectrumMap = field(repr=False)

    @classmethod
    def of(
        cls, document: Mapping[str, Any], fill: Mapping[str, Any] | None
    ) -> ExpectedSpectrum | None:
        """Return that of a background-only document and its fill; None where there is no fill.

        Raises
        ------
        DocumentError
            A window names fine bins that do not exist.
        """
        if fill is None:
            return None
        windows = SpectrumMap.of(document, fill)
        return cls(content=expected_content(document, windows), windows=windows)

    def significance(
        self, name: str, model: HistFactoryModel, luminosity_factor: float
    ) -> tuple[float | None, str | None]:
        """The Asimov significance of a window, and why there is none.

        Parameters
        ----------
        name, model
            Of the hypothesis.
        luminosity_factor
            By which expected events grow.
        """
        if name not in self.windows.windows:
            return None, f"the fill of the search has no window {name}"
        try:
            window = self.windows.window(name).for_channels(model.bins_by_channel)
        except DocumentError as error:
            return None, str(error)
        counts = luminosity_factor * window.gather(self.content)
        root = asimov_root(model, counts)
        if root is None:
            return None, "the fits to the expected spectrum could not be certified"
        return root, None


def asimov_root(model: HistFactoryModel, counts: FloatArray) -> float | None:
    """Signed root of the likelihood ratio of no signal on expected counts [bin], free in sign.

    None where two starts do not find the same minimum.
    """
    start = model.inits.copy()
    start[model.require_poi()] = 0.0
    null = _lowest(model, counts, start, fixed=True)
    if null is None:
        return None
    free = _lowest(model, counts, null.parameters, fixed=False)
    if free is None or not math.isfinite(null.twice_nll) or not math.isfinite(free.twice_nll):
        return None
    if free.twice_nll > null.twice_nll + AGREEMENT:
        return None
    root = math.sqrt(max(null.twice_nll - free.twice_nll, 0.0))
    return math.copysign(root, free.parameters[model.require_poi()]) if root > 0.0 else 0.0


def _lowest(
    model: HistFactoryModel, counts: FloatArray, start: FloatArray, *, fixed: bool
) -> Minimum | None:
    """Minimum without signal, or with any; None where two starts do not agree on it."""
    low, high = (None, None) if fixed else (-math.inf, math.inf)
    problem = Problem.of(model, fix_poi=fixed, fixed={}, poi_lower=low, poi_upper=high)
    found = fit_batch(
        model,
        np.broadcast_to(np.asarray(counts, dtype=np.float64), (2, model.n_bins)),
        np.broadcast_to(model.observation.auxdata, (2, model.n_parameters)),
        start=np.vstack([start, jittered_starts(problem, start, 1, key=5, width=_NEARBY)]),
        poi_values=0.0 if fixed else None,
        poi_lower=low,
        poi_upper=high,
        options=number_options(FitOptions(threads=1)),
    )
    minimum = found.lowest()
    return minimum if minimum is not None and minimum.unanimous else None


def bias_words(significance: float | None) -> tuple[str, ...]:
    """What a point has to say of its window, if anything."""
    if significance is None or abs(significance) <= LARGEST_BIAS:
        return ()
    consequence = (
        "excesses come more often than the local p-value says"
        if significance > 0.0
        else "excesses come less often than the local p-value says, and limits lie too low"
    )
    return (
        f"the expected spectrum alone gives {significance:+.2f} sigma in this window, whose "
        f"background does not follow it: {consequence}; `darkstats global` counts the local "
        "p-value in toys of the spectrum",
    )
