"""What a build makes: a background-only workspace, patches, and what a sidecar says of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from darkstats.simulation.candidates import Candidates

__all__ = ["Patch", "SearchProduct", "SimulatedSamples"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedSamples:
    """The simulated candidates of a search.

    Parameters
    ----------
    backgrounds
        By name of the process, after the card's normalisation.
    signals
        By the masses of the simulated point, GeV; weights for a Born cross section of 1 pb.
    """

    backgrounds: Mapping[str, Candidates]
    signals: Mapping[tuple[float, ...], Candidates]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """One mass hypothesis: RFC 6902 operations on the background-only workspace."""

    name: str
    values: tuple[float, ...]
    operations: tuple[dict[str, Any], ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchProduct:
    """Workspace, patches, sidecar and summary of a search.

    Parameters
    ----------
    workspace
        Background-only HistFactory document, the full spectrum once, on a common fine grid.
    labels
        What each value of a patch is (``m_a_gev``).
    patches
        One per mass hypothesis; each replaces channels and observations by its window. The signal
        of ``mu = 1`` is one reference cross section, stated in the sidecar.
    sidecar
        Axes with edges and units, windows (by patch name), reference cross section.
    summary
        Yields by process and window, efficiencies, resolutions, equivalent luminosities.
    fill
        How the workspace fills the windows. ``windows``, by patch and channel of the window: the
        ``spectrum``, and either ``edges``, indices of the fine edges of its bins (with
        ``row_length``, in each row of that many fine bins), or ``bins``, for each bin the fine bins
        as run lengths (start, length, start, length, ...). ``contains``: channels whose events
        include those of another.
    """

    workspace: dict[str, Any] = field(repr=False)
    labels: tuple[str, ...]
    patches: tuple[Patch, ...] = field(repr=False)
    sidecar: dict[str, Any] = field(repr=False)
    summary: dict[str, Any] = field(repr=False)
    fill: dict[str, Any] = field(repr=False)
