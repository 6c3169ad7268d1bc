"""Constants of nature and of the collider: their one home.

Masses: Particle Data Group. Beams: electrons of 7 GeV along +z on positrons of 4 GeV, the crossing
angle of 83 mrad neglected (arXiv:1808.10567).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from darkstats.arrays import BoolArray, FloatArray

__all__ = [
    "ALPHA",
    "BEAM_ENERGIES_GEV",
    "BOOST_BETA",
    "CM_ENERGY_GEV",
    "HBAR_C_GEV_MM",
    "M_ELECTRON_GEV",
    "M_MUON_GEV",
    "M_TAU_GEV",
    "NARROW",
    "PB_GEV2",
    "S_GEV2",
    "is_too_wide",
]

ALPHA = 1.0 / 137.035999
M_ELECTRON_GEV = 0.51099895e-3
M_MUON_GEV = 0.1056583755
M_TAU_GEV = 1.77686
#: (hbar c)^2 in GeV^2 pb: multiplies a cross section in GeV^-2.
PB_GEV2 = 3.893793721e8
#: hbar c in GeV mm: over a width in GeV, the proper decay length.
HBAR_C_GEV_MM = 1.973269804e-13
BEAM_ENERGIES_GEV = (7.0, 4.0)
S_GEV2 = 4.0 * BEAM_ENERGIES_GEV[0] * BEAM_ENERGIES_GEV[1]
CM_ENERGY_GEV = math.sqrt(S_GEV2)
#: Velocity of the centre of mass in the laboratory, along the electron beam.
BOOST_BETA = 3.0 / 11.0
#: Widest boson, over its mass, that counts as narrow: a choice.
NARROW = 0.1


@overload
def is_too_wide(width_over_mass: float) -> bool: ...
@overload
def is_too_wide(width_over_mass: FloatArray) -> BoolArray: ...
def is_too_wide(width_over_mass: float | FloatArray) -> bool | BoolArray:
    """Return whether a boson is too wide for the signal of a narrow one to hold.

    Parameters
    ----------
    width_over_mass
        Any shape; ``nan``, where it is not known, is not too wide.
    """
    return width_over_mass > NARROW
