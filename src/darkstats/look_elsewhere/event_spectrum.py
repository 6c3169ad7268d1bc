"""The spectra of a scan of events, the windows on them, and roots of their toys."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from darkstats.errors import OptionError
from darkstats.look_elsewhere.arrangement import arranged
from darkstats.look_elsewhere.geometry import ScanGeometry
from darkstats.model.unbinned.analyses import compile_hs3
from darkstats.model.unbinned.model import UnbinnedModel
from darkstats.model.unbinned.observed import observed_events
from darkstats.scan.unbinned_toys import UNBINNED_TOYS_PER_BLOCK, EventSpectrum

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray
    from darkstats.scan.mass_hypotheses import EventHypotheses

__all__ = ["EventContext"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventContext:
    """Spectra, windows and geometry of a scan of events.

    Parameters
    ----------
    names
        Hypotheses in the order of the points of the geometry.
    models
        Model of each.
    """

    toys_per_block: ClassVar[int] = UNBINNED_TOYS_PER_BLOCK

    names: tuple[str, ...]
    geometry: ScanGeometry = field(repr=False)
    models: tuple[UnbinnedModel, ...] = field(repr=False)
    spectrum: EventSpectrum = field(repr=False)

    @classmethod
    def of(cls, hypotheses: EventHypotheses) -> EventContext:
        """Compile all analyses of a scan, and put their spectra together.

        Raises
        ------
        OptionError
            The scan looked at no events, or its labels name no mass in GeV.
        """
        chosen, geometry = arranged(hypotheses)
        document, events = hypotheses.document, hypotheses.events
        if not events:
            raise OptionError("the scan looked at no events: there is no spectrum to throw toys of")
        names = tuple(one.name for one in chosen)
        models = tuple(compile_hs3(document, name) for name in names)
        observations = [
            observed_events(model, events.table_of(document, name), empty=True)[0]
            for name, model in zip(names, models, strict=True)
        ]
        spectrum = EventSpectrum.of(
            models,
            observations,
            digest=document.digest,
            contains=document.search.get("contains", {}),
        )
        return cls(names=names, geometry=geometry, models=models, spectrum=spectrum)

    @property
    def auxiliary(self) -> str:
        """Toys draw auxiliary data."""
        return "drawn"

    def roots(self, seed: int, first: int, n_toys: int) -> FloatArray:
        """Roots of toys that are drawn together at all hypotheses. Shape [toy, point]."""
        stream, begin = divmod(first, self.toys_per_block)
        return self.spectrum.roots(self.models, seed, stream, begin + n_toys)[begin:]
