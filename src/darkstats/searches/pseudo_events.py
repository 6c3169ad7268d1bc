"""The pseudo-data of a build as single events, so that unbinned fits see what binned ones see.

A spectrum's counts are spread within their fine bins, an eighth of a resolution wide; events of
the plane are the simulated rows that were drawn. Keyed like every draw: the same events anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.errors import OptionError
from darkstats.streams import keyed_generator

__all__ = ["pseudo_events"]

_EVENTS = 9  # word of the stream key

#: Column of each spectrum of the searches.
_COLUMNS = {
    "diphoton_hard": "mgg_squared_gev2",
    "diphoton_soft": "mgg_squared_gev2",
    "recoil": "recoil_mass_squared_gev2",
}


def pseudo_events(
    workspace: Mapping[str, Any], sidecar: Mapping[str, Any], *, seed: int, digest: str
) -> dict[str, dict[str, FloatArray]]:
    """Events of each spectrum, by column.

    Parameters
    ----------
    workspace, sidecar
        Of a build of the kinds ``bump_hunt`` and ``recoil_hunt``.
    seed, digest
        Key of the places within the bins: seed of the build, digest of the card.

    Raises
    ------
    OptionError
        The build's data are no counts (Asimov data), or its spectra have no single variable.
    """
    found = {}
    for n, observation in enumerate(workspace["observations"]):
        name = observation["name"]
        edges = np.array(sidecar["channels"].get(name, {}).get("edges", []), dtype=float)
        counts = np.array(observation["data"], dtype=float)
        bins = len(edges) - 1
        if bins < 1 or len(counts) % bins:
            raise OptionError(f"spectrum {name!r} has no single variable: no events can be written")
        if not np.array_equal(counts, counts.round()):
            raise OptionError(
                f"spectrum {name!r} holds Asimov data, which are no events: build with data: pseudo"
            )
        counts = counts.reshape(-1, bins).sum(axis=0).astype(np.int64)
        rng = keyed_generator(seed, digest, _EVENTS, n)
        place = np.repeat(np.arange(bins), counts)
        values = edges[place] + np.diff(edges)[place] * rng.random(len(place))
        column = _COLUMNS.get(name.split("_")[0] if name.startswith("recoil") else name)
        if column is None:
            raise OptionError(f"spectrum {name!r} is not known: no column is named for it")
        found[name] = {column: np.asarray(rng.permutation(values))}
    return found
