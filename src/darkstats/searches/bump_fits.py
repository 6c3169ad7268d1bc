"""What each hypothesis of a bump hunt is fitted with: window, order, and what the choice leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.searches.bump_spectra import signal_in
from darkstats.searches.windows import Window, window_of
from darkstats.templates.histfactory import significant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from darkstats.arrays import FloatArray
    from darkstats.searches.background_choice import BackgroundChoice, ChosenBackground
    from darkstats.searches.bump_settings import BumpHunt
    from darkstats.searches.bump_spectra import SignalPoint, Spectrum

__all__ = ["WindowFit", "fit_of", "spurious_errors", "told"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowFit:
    """What one hypothesis is fitted with."""

    window: Window
    spectrum: Spectrum
    order: int
    choice: ChosenBackground | None


def fit_of(
    mass_gev: float,
    spectrum: Spectrum,
    hunt: BumpHunt,
    points: list[SignalPoint],
    *,
    expected: FloatArray,
    recoil: bool,
) -> WindowFit:
    """Return window and order of a hypothesis; the expected contents are those of the fine bins."""
    below, above = hunt.recoil_window_sigma if recoil else hunt.diphoton_window_sigma

    def ranged(extent: float) -> Window:
        return window_of(
            mass_gev,
            spectrum.resolution,
            spectrum.edges,
            below_sigma=extent * below,
            above_sigma=extent * above,
            n_bins=round(extent * hunt.n_bins),
        )

    order, tries = hunt.order(mass_gev, recoil=recoil), hunt.background_choice
    if tries is None:
        return WindowFit(window=ranged(1.0), spectrum=spectrum, order=order, choice=None)
    factor = hunt.luminosity_ipb * hunt.reference_pb
    windows = [(extent, ranged(extent)) for extent in tries.extents]
    choice = tries.choose(
        order,
        [
            (extent, w, w.gather(expected), factor * signal_in(w, points, spectrum)[0])
            for extent, w in windows
        ],
        rows=spectrum.background_rows,
    )
    chosen = choice.chosen
    return WindowFit(window=chosen.window, spectrum=spectrum, order=chosen.order, choice=choice)


def spurious_errors(fits: Sequence[WindowFit]) -> FloatArray:
    """Largest spurious signal of each hypothesis and its neighbours within a resolution."""
    found = np.zeros(len(fits))
    for k, fit in enumerate(fits):
        reach = float(fit.spectrum.resolution.mass_gev(np.array([fit.window.mass_gev]))[0])
        found[k] = max(
            abs(other.choice.chosen.spurious)
            for other in fits
            if other.choice is not None
            and other.spectrum.name == fit.spectrum.name
            and abs(other.window.mass_gev - fit.window.mass_gev) <= 1.001 * reach
        )
    return found


def told(hunt: BumpHunt, tries: BackgroundChoice, fits: Sequence[WindowFit]) -> dict[str, Any]:
    """The choice of backgrounds, for the record."""
    chosen = [fit.choice.chosen for fit in fits if fit.choice is not None]
    sigmas = [abs(one.spurious_sigma) for one in chosen]
    return {
        "quote": tries.quote,
        "extents": list(tries.extents),
        "n_orders": tries.n_orders,
        "largest_spurious_sigma": tries.largest_spurious_sigma,
        "spurious_term": hunt.spurious_term,
        "spurious_sigma_median": significant(float(np.median(sigmas))),
        "spurious_sigma_largest": significant(max(sigmas)),
        "not_described": [
            significant(one.window.mass_gev)
            for one in chosen
            if abs(one.spurious_sigma) > tries.largest_spurious_sigma
        ],
    }
