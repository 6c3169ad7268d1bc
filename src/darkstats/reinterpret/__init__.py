"""A signal of one's own in somebody's likelihood: yields by the names of channels -> JSON patch.

Use :func:`read_signals` for a table (CSV, YAML, JSON) or words such as ``SR=1.2,3.4``, and
:func:`place` to put one of its hypotheses into a workspace: it finds the channels, takes the
signal out that was there, and returns the RFC 6902 patch that does so.
"""

from __future__ import annotations

from darkstats.reinterpret.placing import MISSING, Placed, place
from darkstats.reinterpret.signals import ChannelYields, Signal, Variation, read_signals

__all__ = [
    "MISSING",
    "ChannelYields",
    "Placed",
    "Signal",
    "Variation",
    "place",
    "read_signals",
]
