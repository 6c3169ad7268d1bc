"""A model of one's own in somebody's likelihood: its signal, and its coupling.

Use :func:`read_signals` for a table (CSV, YAML, JSON) or words such as ``SR=1.2,3.4``, and
:func:`place` to put one of its hypotheses into a workspace: it finds the channels, takes the
signal out that was there, and returns the RFC 6902 patch that does so.

Use :func:`read_cross_sections` for a table or an expression of cross sections, and
:meth:`CrossSections.at` for what a signal strength is as a cross section and as a coupling.
"""

from __future__ import annotations

from darkstats.reinterpret.cross_section_files import read_cross_sections
from darkstats.reinterpret.cross_sections import AtMass, CrossSections, UnitSignal
from darkstats.reinterpret.placing import MISSING, Placed, place
from darkstats.reinterpret.signals import ChannelYields, Signal, Variation, read_signals

__all__ = [
    "MISSING",
    "AtMass",
    "ChannelYields",
    "CrossSections",
    "Placed",
    "Signal",
    "UnitSignal",
    "Variation",
    "place",
    "read_cross_sections",
    "read_signals",
]
