"""Candidates: what a selection leaves of simulated events, with weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from darkstats.arrays import BoolArray, FloatArray

__all__ = ["Candidates"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """Simulated candidates of one process.

    Parameters
    ----------
    columns
        Measured quantities by name, units in the name. Shape of each [row].
    weight_pb
        Weight of each row, pb: the visible cross section is ``sum(weight_pb) / n_generated``.
        Shape [row].
    n_generated
        Number of generated events.
    sum_weight_pb, sum_weight_squared_pb2
        Sums over *all* generated events: they give the cross section of the process and the
        equivalent luminosity of the sample.
    """

    columns: Mapping[str, FloatArray] = field(repr=False)
    weight_pb: FloatArray = field(repr=False)
    n_generated: int
    sum_weight_pb: float
    sum_weight_squared_pb2: float

    def __len__(self) -> int:
        return len(self.weight_pb)

    def __getitem__(self, name: str) -> FloatArray:
        try:
            return self.columns[name]
        except KeyError:
            raise UnknownNameError("column", name, tuple(self.columns)) from None

    @property
    def cross_section_pb(self) -> float:
        """Cross section of the generated process, pb."""
        return self.sum_weight_pb / self.n_generated

    @property
    def equivalent_luminosity_ipb(self) -> float:
        """Luminosity of unweighted data with the same relative statistical error, per pb.

        ``(sum w)^2 / sum w^2`` effective events, divided by the cross section.
        """
        effective = self.sum_weight_pb**2 / self.sum_weight_squared_pb2
        return effective / self.cross_section_pb

    def events(self, luminosity_ipb: float) -> FloatArray:
        """Events that each row stands for at ``luminosity_ipb``. Shape [row]."""
        return self.weight_pb * (luminosity_ipb / self.n_generated)

    def select(self, mask: BoolArray) -> Candidates:
        """Keep the rows of ``mask``, shape [row]; the generated sums stay."""
        return Candidates(
            columns=MappingProxyType({name: column[mask] for name, column in self.columns.items()}),
            weight_pb=self.weight_pb[mask],
            n_generated=self.n_generated,
            sum_weight_pb=self.sum_weight_pb,
            sum_weight_squared_pb2=self.sum_weight_squared_pb2,
        )

    def scaled(self, factor: float) -> Candidates:
        """Multiply the cross section by ``factor`` (a normalisation to a known one)."""
        return Candidates(
            columns=self.columns,
            weight_pb=self.weight_pb * factor,
            n_generated=self.n_generated,
            sum_weight_pb=self.sum_weight_pb * factor,
            sum_weight_squared_pb2=self.sum_weight_squared_pb2 * factor**2,
        )

    @classmethod
    def concatenate(cls, blocks: Sequence[Candidates]) -> Candidates:
        """Join blocks of one process, in the order given."""
        names = tuple(blocks[0].columns)
        return cls(
            columns=MappingProxyType(
                {name: np.concatenate([block.columns[name] for block in blocks]) for name in names}
            ),
            weight_pb=np.concatenate([block.weight_pb for block in blocks]),
            n_generated=sum(block.n_generated for block in blocks),
            sum_weight_pb=sum(block.sum_weight_pb for block in blocks),
            sum_weight_squared_pb2=sum(block.sum_weight_squared_pb2 for block in blocks),
        )
