"""What a search looks for, and which mediator its limit is recast to."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import OptionError
from darkstats.reinterpret.lifetimes import DecayWindow, LifetimeTable, Momenta
from darkstats.signals.hadronic_ratio import hadronic_ratio
from darkstats.signals.mediators import FINAL_STATES, Decays
from darkstats.signals.productions import Production

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray
    from darkstats.signals.mediators import DarkMatter, Mediator, Ratio

__all__ = ["Limit", "Search", "Target"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What a search looks for.

    Parameters
    ----------
    production
        How the mediator is made.
    final_state
        One of ``FINAL_STATES``.
    window
        Where along its flight it has to decay; None where all decays are taken alike. Of an
        invisible final state: where a visible decay is not seen, either.
    efficiency
        Relative to that of a prompt decay, against c tau in mm; None for one that is constant.
    momentum_gev
        Of the mediator; None for that of the production.
    momenta
        Of the mediators that it takes, in the place of one momentum.
    """

    production: Production
    final_state: str
    window: DecayWindow | None = None
    efficiency: LifetimeTable | None = None
    momentum_gev: float | None = None
    momenta: Momenta | None = None

    def __post_init__(self) -> None:
        """Check what can be checked.

        Raises
        ------
        OptionError
            An efficiency above 1, a momentum that is none or not known, or a window that the
            final state contradicts.
        """
        if self.efficiency is not None and max(self.efficiency.values) > 1.0:
            raise OptionError("an efficiency relative to that of prompt decays is at most 1")
        if self.efficiency is not None and self.window is not None:
            raise OptionError("give a table of efficiencies, or distances of decays, not both")
        if self.momentum_gev is not None and not 0.0 < self.momentum_gev < math.inf:
            raise OptionError(f"a momentum of {self.momentum_gev} GeV is not above zero")
        said = (self.momentum_gev, self.momenta, self.production.momentum_gev)
        known = any(one is not None for one in said)
        if self.window is not None and not known:
            raise OptionError(
                f"production {self.production.name} does not tell the momentum, which distances of "
                "decays need: give it with --momentum, or many with --momenta"
            )
        if self.final_state == "invisible" and self.efficiency is not None:
            raise OptionError("of an invisible final state, give distances beyond which nothing is "
                              "seen instead of a table of efficiencies")  # fmt: skip
        if self.window is not None and self.final_state == "invisible":
            if not math.isinf(self.window.to_mm):
                raise OptionError("what is invisible decays beyond a distance: write 1250:inf")
        elif self.window is not None and math.isinf(self.window.to_mm):
            raise OptionError("visible decays lie between two distances: write 0:9")

    @property
    def depends_on_lifetime(self) -> bool:
        """Whether the efficiency does."""
        return self.window is not None or self.efficiency is not None

    def boost(self, mass_gev: float) -> float:
        """Momentum over mass of the mediator.

        Raises
        ------
        OptionError
            The mass cannot be made.
        """
        momentum = self.momentum_gev
        if momentum is None and self.production.momentum_gev is not None:
            momentum = self.production.momentum_gev(mass_gev)
        if momentum is None:
            raise OptionError(f"production {self.production.name} does not tell the momentum")
        return momentum / mass_gev

    def kept(self, window: DecayWindow, ctau_mm: FloatArray, mass_gev: float) -> FloatArray:
        """Fraction of decays within a window, at one momentum or over many. Shape of ``ctau_mm``.

        Raises
        ------
        OptionError
            The mass cannot be made, or lies beyond the momenta.
        """
        if self.momenta is None:
            return window.kept(ctau_mm, self.boost(mass_gev))
        return self.momenta.kept(window, ctau_mm, mass_gev)

    def fraction(self, decays: Decays, couplings: FloatArray) -> FloatArray:
        """Branching fraction times efficiency. Shape of ``couplings``; ``nan`` where unknown."""
        square = couplings**2
        total = square * decays.unit_gev + decays.dark_gev
        channels = FINAL_STATES[self.final_state]
        chosen = square * sum(decays.widths_gev.get(name, 0.0) for name in channels)
        chosen = chosen + (decays.dark_gev if "dark" in channels else 0.0)
        stable = total == 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(stable, 0.0, chosen / np.where(stable, 1.0, total))
        ctau = decays.ctau(couplings)
        if self.efficiency is not None:
            return np.asarray(share * self.efficiency.at(ctau))
        if self.window is None:
            return np.asarray(share)
        kept = self.kept(self.window, ctau, decays.mass_gev)
        if self.final_state == "invisible":
            return np.asarray(share + (1.0 - share) * kept)
        return np.asarray(share * kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A mediator with all that its decays depend on.

    Parameters
    ----------
    model
        Which.
    dark
        Dark matter that it decays to; None for none.
    ratio
        R at an energy in GeV.
    electrons_gev
        Of an axion-like particle: coupling to electrons over that to photons, GeV.
    table
        Decays at coupling 1, instead of the built-in ones; called with a mass in GeV.
    """

    model: Mediator
    dark: DarkMatter | None = None
    ratio: Ratio = field(default=hadronic_ratio, repr=False)
    electrons_gev: float = 0.0
    table: Callable[[float], Decays] | None = field(default=None, repr=False)

    def decays(self, mass_gev: float) -> Decays:
        """How it decays at a mass; raises OptionError where that is not known."""
        if self.table is not None:
            return self.table(mass_gev)
        return self.model.decays(
            mass_gev, dark=self.dark, ratio=self.ratio, electrons_gev=self.electrons_gev
        )


Limit = float | LifetimeTable
