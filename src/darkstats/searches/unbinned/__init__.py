"""Unbinned models of the searches: one HS3 document with an analysis for each mass hypothesis.

Signal shapes come from simulated events, windows and smooth backgrounds from a built search, so
that the binned and the unbinned likelihood of a hypothesis look at the same events.
"""

from darkstats.searches.unbinned.bump_hunt import bump_hunt_document
from darkstats.searches.unbinned.plane import plane_document
from darkstats.searches.unbinned.recoil_hunt import recoil_hunt_document

__all__ = ["bump_hunt_document", "plane_document", "recoil_hunt_document"]
