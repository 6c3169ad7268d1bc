"""What a page shows of a record: headlines, facts, plots with the tables of their numbers."""

from __future__ import annotations

from darkstats.service.pages.views.making import numbers_of, view_of
from darkstats.service.pages.views.parts import Fact, Headline, Plot, Table, View

__all__ = ["Fact", "Headline", "Plot", "Table", "View", "numbers_of", "view_of"]
