"""The spectrum of a binned scan, the windows on it, and roots of its toys."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from darkstats.errors import OptionError
from darkstats.look_elsewhere.arrangement import arranged
from darkstats.look_elsewhere.geometry import ScanGeometry
from darkstats.scan.limits import base_of, compile_point
from darkstats.scan.mass_hypotheses import BinnedHypotheses
from darkstats.scan.settings import ScanSettings
from darkstats.scan.spectrum import SpectrumMap
from darkstats.scan.spectrum_toys import TOYS_PER_BLOCK, Spectrum
from darkstats.scan.window_roots import CountingWindows, FittedWindows
from darkstats.workspace import pyhf_digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from darkstats.arrays import FloatArray
    from darkstats.model import HistFactoryModel
    from darkstats.scan.mass_hypotheses import MassHypotheses

__all__ = ["SpectrumContext"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpectrumContext:
    """Spectrum, windows and geometry of a scan.

    Parameters
    ----------
    names
        Hypotheses in the order of the points of the geometry.
    models, fills
        Model of each, and the fine bins of its window.
    windows
        What makes roots of toys.
    """

    toys_per_block: ClassVar[int] = TOYS_PER_BLOCK

    names: tuple[str, ...]
    geometry: ScanGeometry = field(repr=False)
    spectrum: Spectrum = field(repr=False)
    models: tuple[HistFactoryModel, ...] = field(repr=False)
    map: SpectrumMap = field(repr=False)
    windows: FittedWindows | CountingWindows = field(repr=False)

    @classmethod
    def of(cls, hypotheses: MassHypotheses, interpolation: str) -> SpectrumContext:
        """Compile all hypotheses of a scan.

        Raises
        ------
        OptionError
            The search is none of bins, or its labels name no mass in GeV or more than two.
        InputError
            A patch cannot be used.
        """
        if not isinstance(hypotheses, BinnedHypotheses):
            raise OptionError("it needs the fine bins of a binned search")
        document = hypotheses.workspace
        chosen, geometry = arranged(hypotheses)
        names = tuple(one.name for one in chosen)
        if hypotheses.fill is None:
            windows = SpectrumMap.same_bins(document, names)
        else:
            windows = SpectrumMap.of(document, hypotheses.fill)
        settings = ScanSettings(interpolation=interpolation)
        base = base_of(document, hypotheses.members)
        models = tuple(compile_point(base, one, settings) for one in chosen)
        windows = windows.aligned(
            {name: model.bins_by_channel for name, model in zip(names, models, strict=True)}
        )
        fills = [windows.window(name) for name in names]
        spectrum = Spectrum.of(document, windows, pyhf_digest(document))
        kind = CountingWindows if _counts(models, spectrum) else FittedWindows
        return cls(
            names=names,
            geometry=geometry,
            spectrum=spectrum,
            models=models,
            map=windows,
            windows=kind.of(names, models, fills, spectrum),
        )

    @property
    def auxiliary(self) -> str:
        """Whether toys draw auxiliary data."""
        return "held" if isinstance(self.windows, CountingWindows) else "drawn"

    def roots(self, seed: int, first: int, n_toys: int) -> FloatArray:
        """Roots of toys that are drawn together at all hypotheses. Shape [toy, point].

        Parameters
        ----------
        seed
            Of the toys.
        first, n_toys
            Number of the first one, and how many; all of one stream of random numbers.
        """
        stream, begin = divmod(first, self.toys_per_block)
        return self.windows.roots(self.spectrum, seed, stream, n_toys, begin)


def _counts(models: Sequence[HistFactoryModel], spectrum: Spectrum) -> bool:
    return CountingWindows.suits(models) and not spectrum.nested
