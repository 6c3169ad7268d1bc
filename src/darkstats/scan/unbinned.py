"""Limits and local p-values of analyses of an HS3 document, from events.

The same points as those of a patch set (:mod:`darkstats.scan.limits`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from darkstats.errors import InputError, NotCertifiedError
from darkstats.inference.asimov import blinded_observation
from darkstats.model.combined.compilation import compile_likelihood
from darkstats.model.combined.observed import opened_events
from darkstats.scan.credible_blocks import credible_points
from darkstats.scan.limits import point_of_model
from darkstats.scan.mass_hypotheses import MassHypothesis
from darkstats.scan.mass_scan import ScanPoint

if TYPE_CHECKING:
    from darkstats.scan.event_tables import EventsOfScan
    from darkstats.scan.mass_hypotheses import EventHypotheses
    from darkstats.scan.settings import ScanSettings
    from darkstats.workspace.hs3 import Hs3Document

__all__ = ["EventTests", "unbinned_point"]

_NO_SPECTRUM = "windows of events have no expected spectrum beside them; global puts one together"


@dataclass(frozen=True, slots=True)
class EventTests:
    """Tests of the hypotheses of a scan of events, block by block."""

    hypotheses: EventHypotheses
    settings: ScanSettings

    def points(self, first: int, stop: int) -> list[ScanPoint]:
        """Test some of the hypotheses."""
        all_ = self.hypotheses
        return [
            unbinned_point(all_.document, one.name, all_.events, self.settings)
            for one in all_.members[first:stop]
        ]


def unbinned_point(
    document: Hs3Document, name: str, events: EventsOfScan, settings: ScanSettings
) -> ScanPoint:
    """Test one analysis; what cannot be certified, or used, is a failed point with its reason.

    Parameters
    ----------
    document, name
        The analysis.
    events
        Data; an analysis takes the events in its own window, which may be none.
    settings
        How to test it.
    """
    values = tuple(document.values_of(name).values())
    try:
        model = compile_likelihood(document, name)
        notes: tuple[str, ...] = ()
        if settings.blind:
            data = blinded_observation(model)
        elif events:
            data, said = opened_events(model, events.table_of(document, name), empty=True)
            notes = tuple(said)
        else:
            data = model.observation
        if settings.method == "bayes":
            one = MassHypothesis(name=name, values=values)
            (point,) = credible_points([(one, model.with_observation(data))], settings)
            if point.status != "failed":
                point = replace(point, warnings=(*point.warnings, *notes))
        else:
            point = point_of_model(name, values, model, data, settings, notes=notes)
        return replace(point, expected_spectrum_significance_reason=_NO_SPECTRUM)
    except (NotCertifiedError, InputError) as error:
        return ScanPoint.lost(name, values, error)
