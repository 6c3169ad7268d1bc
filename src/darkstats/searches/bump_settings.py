"""Choices of a bump hunt, and what follows from them alone: masses, cuts, orders."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from darkstats.errors import OptionError
from darkstats.searches.cuts import Cut
from darkstats.searches.windows import DiphotonResolution, RecoilResolution, mass_hypotheses

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray
    from darkstats.searches.background_choice import BackgroundChoice

__all__ = ["BumpHunt"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BumpHunt:
    """Choices of a bump hunt; the defaults are those of the search for axion-like particles.

    Parameters
    ----------
    luminosity_ipb
        Integrated luminosity, per pb.
    low_gev, switch_gev, high_gev
        Lowest mass, mass from which the recoil is used, highest mass.
    hard_threshold_gev, soft_threshold_gev, threshold_switch_gev
        Photon energy thresholds (lab) below and above ``threshold_switch_gev``.
    total_mass_range
        Three-photon mass over the c.m. energy.
    orders
        (upper mass in GeV, order of the background) for the di-photon windows, ascending.
    recoil_orders
        The same for the recoil windows.
    recoil_ceiling_gev
        Recoil windows end at this mass: above it the photon threshold bends the spectrum.
    efficiency_error
        Relative error of the efficiency at the lowest and the highest mass; linear between.
    luminosity_error, resolution_error
        Relative errors.
    reference_pb
        Born cross section of ``mu = 1``.
    efficiency_reference
        Cross section that efficiencies refer to: ``"born"``, or ``"isr"``, the one with radiation.
        Limits with the second are on the Born cross section only if both are taken for equal.
    background_choice
        How orders and ranges are tried, beginning with those above; None takes those above.
    follow_acceptance
        Whether the background is a polynomial times what the selection accepts at each mass
        (:mod:`darkstats.searches.photon_acceptance`), and not a polynomial alone.
    merging_rad
        Least angle between two photons that are found as two, as the detector of the card has it.
    spurious_term
        Whether the signal that the chosen background finds in the expected spectrum, the largest
        of this hypothesis and its neighbours within a resolution, is a nuisance parameter.
    asimov
        Whether the data are the smoothed simulated spectrum, not drawn from it.
    """

    luminosity_ipb: float = 445.0
    low_gev: float = 0.2
    switch_gev: float = 6.85
    high_gev: float = 9.7
    hard_threshold_gev: float = 1.0
    soft_threshold_gev: float = 0.65
    threshold_switch_gev: float = 4.0
    theta_range_deg: tuple[float, float] = (37.3, 123.7)
    total_mass_range: tuple[float, float] = (0.88, 1.03)
    diphoton: DiphotonResolution = field(default_factory=DiphotonResolution)
    recoil: RecoilResolution = field(default_factory=RecoilResolution)
    diphoton_window_sigma: tuple[float, float] = (20.0, 30.0)
    recoil_window_sigma: tuple[float, float] = (25.0, 25.0)
    n_bins: int = 100
    orders: tuple[tuple[float, int], ...] = ((0.5, 2), (6.85, 4))
    recoil_orders: tuple[tuple[float, int], ...] = ((9.7, 5),)
    recoil_ceiling_gev: float = 10.5
    efficiency_error: tuple[float, float] = (0.08, 0.055)
    luminosity_error: float = 0.007
    resolution_error: float = 0.10
    reference_pb: float = 1.0
    efficiency_reference: Literal["born", "isr"] = "born"
    background_choice: BackgroundChoice | None = None
    follow_acceptance: bool = False
    merging_rad: float = 0.0
    spurious_term: bool = False
    cm_energy_gev: float = 10.583005244258363
    asimov: bool = False

    def __post_init__(self) -> None:
        """Check that some background is tried for every hypothesis.

        Raises
        ------
        OptionError
            The choice ends below the order that it begins with, or a spurious signal is asked for
            that nothing finds.
        """
        if self.background_choice is None:
            if self.spurious_term:
                raise OptionError("spurious_term needs a background_choice, which finds it")
        else:
            lowest = max(order for _, order in (*self.orders, *self.recoil_orders))
            if self.background_choice.largest_order < lowest:
                raise OptionError(
                    f"background_choice: largest_order {self.background_choice.largest_order} lies "
                    f"below the order {lowest} that orders or recoil_orders begin with"
                )

    @property
    def loosest_cuts(self) -> tuple[Cut, ...]:
        """What each row of any spectrum passes: the selection with the softer threshold."""
        low, high = self.total_mass_range
        first, last = (float(np.radians(angle)) for angle in self.theta_range_deg)
        return (
            Cut(variable="min_energy_gev", above=self.soft_threshold_gev),
            Cut(
                variable="total_mass_gev",
                above=low * self.cm_energy_gev,
                below=high * self.cm_energy_gev,
            ),
            Cut(variable="min_theta_lab_rad", above=first),
            Cut(variable="max_theta_lab_rad", below=last),
        )

    def masses_gev(self) -> tuple[FloatArray, FloatArray]:
        """Mass hypotheses of the di-photon and of the recoil windows, GeV."""
        return (
            mass_hypotheses(self.diphoton, self.low_gev, self.switch_gev),
            mass_hypotheses(self.recoil, self.switch_gev, self.high_gev, closed=True),
        )

    def order(self, mass_gev: float, *, recoil: bool) -> int:
        """Order of the background polynomial at a mass."""
        orders = self.recoil_orders if recoil else self.orders
        return next((order for upper_gev, order in orders if mass_gev < upper_gev), orders[-1][1])
