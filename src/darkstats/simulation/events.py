"""Generated events: what leaves the interaction point, in blocks of fixed size."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from darkstats.arrays import FloatArray, IndexArray

__all__ = ["EventBlock", "Process"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventBlock:
    """Generated events of one block, particles of all events in one list.

    Parameters
    ----------
    event
        Index of the event that a particle belongs to, ascending. Shape [particle].
    pdg_id
        Particle numbers of the PDG. Shape [particle].
    momentum
        (E, px, py, pz) in the centre-of-mass frame, z along the electron beam, GeV.
        Shape [particle, 4].
    weight_pb
        Weight of each generated event, pb: its mean is the cross section of the process.
        Events of weight zero have no particles. Shape [event].
    """

    event: IndexArray = field(repr=False)
    pdg_id: IndexArray = field(repr=False)
    momentum: FloatArray = field(repr=False)
    weight_pb: FloatArray = field(repr=False)

    @classmethod
    def of_rows(
        cls,
        index: IndexArray,
        momentum: FloatArray,
        pdg_id: npt.ArrayLike,
        weight_pb: FloatArray,
    ) -> EventBlock:
        """Events with the same number of particles each.

        Parameters
        ----------
        index
            The events that have particles, ascending. Shape [row].
        momentum
            As above. Shape [row, particle, 4].
        pdg_id
            Of all events, or of each. Shape [particle] or [row, particle].
        weight_pb
            Of all generated events. Shape [event].

        Examples
        --------
        >>> block = EventBlock.of_rows(
        ...     np.array([1]), np.zeros((1, 2, 4)), [13, -13], np.array([0.0, 2.0])
        ... )
        >>> block.event, block.pdg_id, block.momentum.shape
        (array([1, 1]), array([ 13, -13]), (2, 4))
        """
        rows = momentum.shape[:2]
        return cls(
            event=np.repeat(index, rows[1]).astype(np.int64),
            pdg_id=np.broadcast_to(pdg_id, rows).reshape(-1).astype(np.int64),
            momentum=momentum.reshape(-1, 4),
            weight_pb=weight_pb,
        )

    @property
    def n_events(self) -> int:
        """Number of generated events."""
        return len(self.weight_pb)

    @property
    def cross_section_pb(self) -> float:
        """Estimate of the cross section, pb."""
        return float(np.mean(self.weight_pb))


class Process(Protocol):
    """A generator of one process; a frozen value that can be pickled."""

    @property
    def name(self) -> str:
        """Name of the process, as in the cards."""

    def settings(self) -> Mapping[str, object]:
        """All that the events depend on, as JSON values, with a ``version`` of the generator."""

    def generate(self, n_events: int, rng: np.random.Generator) -> EventBlock:
        """Return ``n_events`` events, a function of the settings and ``rng`` alone."""
