"""The pseudo-data of a build as single events, so that unbinned fits see what binned ones see.

The counts of a fine bin, an eighth of a resolution wide, or of a cell of the plane, half a
resolution wide, are spread within it. Keyed like every draw: the same events anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from darkstats.arrays import FloatArray, IndexArray
from darkstats.errors import OptionError
from darkstats.searches.plane_grid import PlaneGrid, recoil_squared_of
from darkstats.streams import keyed_generator

__all__ = ["CONTAINED", "pseudo_events"]

_EVENTS = 9  # word of the stream key

#: Column of each spectrum of the searches.
_COLUMNS = {
    "diphoton_hard": "mgg_squared_gev2",
    "diphoton_soft": "mgg_squared_gev2",
    "recoil": "recoil_mass_squared_gev2",
}
#: Spectra whose events are all in another one, too.
CONTAINED = {"diphoton_soft": "diphoton_hard"}


def pseudo_events(
    workspace: Mapping[str, Any], sidecar: Mapping[str, Any], *, seed: int, digest: str
) -> dict[str, dict[str, FloatArray]]:
    """Events of each spectrum, by column.

    Parameters
    ----------
    workspace, sidecar
        Of a build.
    seed, digest
        Key of the places within the bins: seed of the build, digest of the card.

    Raises
    ------
    OptionError
        The build's data are no counts (Asimov data), or a spectrum is not known.
    """
    counts = {o["name"]: _whole_counts(o["name"], o["data"]) for o in workspace["observations"]}
    found: dict[str, dict[str, FloatArray]] = {}
    for n, (name, content) in enumerate(counts.items()):
        rng = keyed_generator(seed, digest, _EVENTS, n)
        axes = sidecar["channels"].get(name, {})
        if "cells" in axes:
            found[name] = _in_cells(name, content, axes, rng)
            continue
        column = _COLUMNS.get(name.split("_")[0] if name.startswith("recoil") else name)
        edges = np.array(axes.get("edges", []), dtype=float)
        bins = len(edges) - 1
        if column is None or bins < 1 or len(content) % bins:
            raise OptionError(f"spectrum {name!r} is not known: no events can be written of it")
        within = CONTAINED.get(name)
        shared = found[within][column] if within in found else np.empty(0)
        own = content.reshape(-1, bins).sum(axis=0) - np.histogram(shared, edges)[0]
        place = np.repeat(np.arange(bins), own)
        values = edges[place] + np.diff(edges)[place] * rng.random(len(place))
        found[name] = {column: np.asarray(rng.permutation(np.concatenate([shared, values])))}
    return found


def _whole_counts(name: str, data: object) -> IndexArray:
    counts = np.asarray(data, dtype=float)
    if not np.array_equal(counts, counts.round()):
        raise OptionError(
            f"spectrum {name!r} holds Asimov data, which are no events: build with data: pseudo"
        )
    return counts.astype(np.int64)


def _in_cells(
    name: str, counts: IndexArray, axes: Mapping[str, Any], rng: np.random.Generator
) -> dict[str, FloatArray]:
    """Events of the plane, uniform in the logarithm of the mass and in the rapidity of a cell."""
    grid, cells = PlaneGrid.of_sidecar(axes)
    if len(cells) != len(counts):
        raise OptionError(f"spectrum {name!r} has {len(counts)} counts for {len(cells)} cells")
    cell = rng.permutation(np.repeat(cells, counts))
    column, row = np.divmod(cell, grid.shape[1])
    # A hair off the edges, so that the counts of the events are the counts of the build.
    where = 1e-6 + (1.0 - 2e-6) * rng.random((2, len(cell)))
    low, high = np.log(grid.mass_edges_gev[column]), np.log(grid.mass_edges_gev[column + 1])
    mass = np.exp(low + where[0] * (high - low))
    edges = grid.rapidity_edges
    rapidity = edges[row] + where[1] * (edges[row + 1] - edges[row])
    return {"m_ll_gev": mass, "recoil_mass_squared_gev2": recoil_squared_of(mass, rapidity)}
