"""How surprising the largest excess of a scan is: toys, and what can replace them.

Scans come as arrays of signed roots, block by block; tallies collect them in bounded memory and
are added in any order; each method turns a tally into a :class:`GlobalSignificance` that says
whether its conditions hold::

    line, grid, rows, triangulated    masses                -> ScanGeometry
    ScanField.of                      geometry, roots       -> ScanField         one block of toys
    MaximaTally.of, ExcursionTally.of ScanField             -> tallies, added with +
    LocalTally.of                     ScanField, observed   -> tally of each window
    by_toys                           MaximaTally, z        -> GlobalSignificance
    by_up_crossings                   ExcursionTally, z     -> GlobalSignificance    on a line
    by_euler_characteristic           ExcursionTally, z     -> GlobalSignificance    on a plane
    by_covariance                     GaussianField, z      -> GlobalSignificance
    with_local                        GlobalSignificance, LocalPValue -> its trials factor
    Comparison                        GlobalSignificance... -> one table
"""

from darkstats.look_elsewhere.brute_force import by_toys
from darkstats.look_elsewhere.covariance import GaussianField, by_covariance
from darkstats.look_elsewhere.euler_characteristic import by_euler_characteristic
from darkstats.look_elsewhere.excursions import DEFAULT_LEVELS, ExcursionTally
from darkstats.look_elsewhere.field import ScanField, signed_roots
from darkstats.look_elsewhere.geometry import ScanGeometry, grid, line, rows, triangulated
from darkstats.look_elsewhere.level_law import LevelLaw, fit_levels
from darkstats.look_elsewhere.local import LocalPValue, LocalTally, with_local
from darkstats.look_elsewhere.maxima import MaximaTally
from darkstats.look_elsewhere.result import Comparison, GlobalSignificance, without_fluctuation
from darkstats.look_elsewhere.up_crossings import by_up_crossings

__all__ = [
    "DEFAULT_LEVELS",
    "Comparison",
    "ExcursionTally",
    "GaussianField",
    "GlobalSignificance",
    "LevelLaw",
    "LocalPValue",
    "LocalTally",
    "MaximaTally",
    "ScanField",
    "ScanGeometry",
    "by_covariance",
    "by_euler_characteristic",
    "by_toys",
    "by_up_crossings",
    "fit_levels",
    "grid",
    "line",
    "rows",
    "signed_roots",
    "triangulated",
    "with_local",
    "without_fluctuation",
]
