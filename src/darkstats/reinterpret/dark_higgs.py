"""Dark Higgsstrahlung with missing energy, read as limits on the mixing of h' with the Higgs boson.

The h' is not seen where it lives long. Above two A' it decays to them, visibly and at once; above
one of them it decays to one real and one virtual A', whose width is not computed here. Below, it
decays by its mixing with the Higgs boson, ``c tau = c tau_1 / sin^2(theta)``, and a part

    exp(-d m / (p c tau_1) sin^2(theta))

of them decays beyond a distance d, with the momentum p of two bodies. A limit X_0 on
eps^2 alpha_D that takes h' for stable is X_0 over that part, so that a product X above X_0 is
excluded for

    sin^2(theta) < p c tau_1 / (d m) ln(X / X_0).

Decays through two virtual A', of order eps^4, are left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from darkstats.errors import OptionError
from darkstats.signals.dark_higgsstrahlung import higgs_momentum_gev

if TYPE_CHECKING:
    from darkstats.reinterpret.recast_searches import Target

__all__ = ["REGIMES", "DarkHiggsPoint", "read_point", "regime_of"]

#: What h' decays to, by its mass.
REGIMES = {
    "long-lived": "lighter than A': by mixing with the Higgs boson alone",
    "three-body": "between one and two A': to A' and a virtual A'",
    "visible": "above two A': h' -> A' A'",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DarkHiggsPoint:
    """One pair of masses.

    Parameters
    ----------
    dark_photon_gev, dark_higgs_gev
        Masses.
    limit
        Upper limit on eps^2 alpha_D for a stable h'; None where there is none.
    regime
        One of ``REGIMES``.
    holds_to
        sin(theta) up to which half of the h' or more decay beyond the distance; None with a reason.
    excluded_to
        sin(theta) up to which the product asked for is excluded; None with a reason.
    reason, excluded_reason
        Why there is none.
    """

    dark_photon_gev: float
    dark_higgs_gev: float
    limit: float | None
    regime: str
    holds_to: float | None = None
    excluded_to: float | None = None
    reason: str | None = None
    excluded_reason: str | None = None


def regime_of(dark_photon_gev: float, dark_higgs_gev: float) -> str:
    """Which of ``REGIMES`` a pair of masses is in; a threshold belongs to what is below it."""
    if dark_higgs_gev <= dark_photon_gev:
        return "long-lived"
    return "three-body" if dark_higgs_gev <= 2.0 * dark_photon_gev else "visible"


def read_point(
    masses_gev: tuple[float, float],
    limit: float | None,
    target: Target,
    *,
    far_mm: float,
    product: float | None,
) -> DarkHiggsPoint:
    """Read a limit at one pair of masses.

    Parameters
    ----------
    masses_gev
        Of A' and h'.
    limit
        Upper limit on eps^2 alpha_D for a stable h'; None where there is none.
    target
        Scalar that mixes with the Higgs boson, for its widths.
    far_mm
        Distance along the flight, in the centre of mass, beyond which a decay is not seen.
    product
        eps^2 alpha_D for which the mixing is limited; None for none.

    Raises
    ------
    OptionError
        The distance, the product or the limit is not above zero.
    """
    for name, value in (("distance", far_mm), ("product", product), ("limit", limit)):
        if value is not None and not 0.0 < value < math.inf:
            raise OptionError(f"a {name} of {value} is not above zero")
    photon, higgs = masses_gev
    regime = regime_of(photon, higgs)

    def without(reason: str) -> DarkHiggsPoint:
        return DarkHiggsPoint(
            dark_photon_gev=photon, dark_higgs_gev=higgs, limit=limit, regime=regime,
            reason=reason, excluded_reason=reason,
        )  # fmt: skip

    if regime != "long-lived":
        return without(f"h' is {REGIMES[regime]}, so that it is not missing energy")
    try:
        unit_mm = target.decays(higgs).ctau_mm(1.0)
        length_mm = higgs_momentum_gev(masses_gev) / higgs * unit_mm
    except OptionError as error:
        return without(str(error))

    def mixing(logarithm: float) -> float:
        return min(math.sqrt(length_mm / far_mm * logarithm), target.model.largest)

    excluded, why = None, "not asked for"
    if product is not None:
        why = "the search has no limit here" if limit is None else (
            f"eps^2 alpha_D = {product:g} is below the limit"
        )  # fmt: skip
        if limit is not None and product > limit:
            excluded = mixing(math.log(product / limit))
    return DarkHiggsPoint(
        dark_photon_gev=photon, dark_higgs_gev=higgs, limit=limit, regime=regime,
        holds_to=mixing(math.log(2.0)), excluded_to=excluded,
        excluded_reason=why if excluded is None else None,
    )  # fmt: skip
