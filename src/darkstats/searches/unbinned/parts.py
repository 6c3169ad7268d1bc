"""Pieces that the unbinned models of all searches share: peaks, yields, windows of a build."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.errors import OptionError
from darkstats.provenance import package_version
from darkstats.searches.pseudo_events import CONTAINED
from darkstats.searches.windows import nearest_edges
from darkstats.templates.crystal_ball import CrystalBall, fit_crystal_ball
from darkstats.workspace.hs3.building import Hs3Builder

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray
    from darkstats.searches.output import BuildFolder

__all__ = [
    "FLOOR_EVENTS",
    "LEAST_EVENTS",
    "double_sided_peak",
    "fine_contents",
    "finish",
    "fitted_peak",
    "inside_of",
    "lognormal",
    "new_builder",
    "short",
    "window_of_build",
]

#: Edges of the squared mass in resolutions, where Crystal Balls are fitted.
_REDUCED = np.linspace(-25.0, 25.0, 1001)
LEAST_EVENTS = 1e-3  # a smaller part is left out
FLOOR_EVENTS = 1e-4  # of a window that simulation leaves empty somewhere; as the counting one's
_NUISANCE = (0.0, -5.0, 5.0)


def short(value: float) -> float:
    """Twelve digits: enough for any likelihood, and the same on every machine."""
    return float(f"{value:.12g}")


def lognormal(terms: Mapping[str, float]) -> str:
    """Product of relative errors, each with a nuisance parameter, as an expression."""
    exponent = " + ".join(f"{math.log1p(error):.12g} * {name}" for name, error in terms.items())
    return f"exp({exponent})" if terms else "1"


def new_builder(
    title: str,
    reference_pb: float,
    labels: Sequence[str],
    folder: BuildFolder,
    names: Sequence[str],
) -> Hs3Builder:
    """Builder of a document that says what it is made of, and what limits are set with."""
    builder = Hs3Builder(f"SIMULATED. {title}; unbinned", package_version("darkstats") or "unknown")
    windows = folder.sidecar["windows"]
    record = folder.record
    spectra = {name: windows[name].get("spectrum", "plane") for name in names if name in windows}
    builder.facts(
        simulated=True,
        reference_cross_section_pb=reference_pb,
        labels=list(labels),
        luminosity_ipb=record["luminosity_ipb"],
        statistics=dict(record["statistics"]),
        benchmarks=list(record["benchmarks"]),
        **{key: record[key] for key in ("searched",) if key in record},
        spectra=spectra,
        contains={a: b for a, b in CONTAINED.items() if {a, b} <= set(spectra.values())},
    )
    return builder


def fitted_peak(reduced: FloatArray, weight: FloatArray) -> CrystalBall:
    """Crystal Ball of simulated candidates at squared masses in resolutions. Shapes [row]."""
    content = np.histogram(reduced, _REDUCED, weights=weight)[0]
    return fit_crystal_ball(_REDUCED, np.maximum(content, 0.0))


def double_sided_peak(
    builder: Hs3Builder,
    name: str,
    observable: str,
    shape: CrystalBall,
    *,
    centre: float,
    sigma: float,
    resolution_error: float,
) -> str:
    """A double-sided Crystal Ball whose widths share one nuisance parameter."""
    widen = "" if resolution_error == 0.0 else f" * (1 + {resolution_error!r} * signal_resolution)"
    widths = {
        side: builder.function(f"{name}_sigma_{side}", f"{short(sigma * width)!r}{widen}")
        for side, width in (("L", shape.sigma_l), ("R", shape.sigma_r))
    }
    constants = {
        "m0": centre + sigma * shape.mean,
        "alpha_L": shape.alpha_l,
        "n_L": shape.n_l,
        "alpha_R": shape.alpha_r,
        "n_R": shape.n_r,
    }
    names = {
        key: builder.function(f"{name}_{key}", repr(short(value)))
        for key, value in constants.items()
    }
    return builder.distribution(
        name,
        "crystalball_doublesided_dist",
        m=observable,
        sigma_L=widths["L"],
        sigma_R=widths["R"],
        **names,
    )


def window_of_build(sidecar: Mapping[str, Any], name: str) -> tuple[Mapping[str, Any], FloatArray]:
    """Facts of a hypothesis, and the edges of its bins."""
    try:
        facts = sidecar["windows"][name]
    except KeyError:
        raise OptionError(f"the build has no hypothesis {name!r}") from None
    # A sidecar rounds the edges of windows; they are edges of the fine grid.
    fine = np.array(sidecar["channels"][facts["spectrum"]]["edges"])
    return facts, fine[nearest_edges(fine, np.array(facts["edges_gev2"]))]


def fine_contents(folder: BuildFolder, spectrum: str) -> tuple[FloatArray, dict[str, FloatArray]]:
    """Fine edges and contents of each process of one spectrum of a build."""
    edges = np.array(folder.sidecar["channels"][spectrum]["edges"])
    for channel in folder.workspace["channels"]:
        if channel["name"] == spectrum:
            contents = {s["name"]: np.array(s["data"], dtype=float) for s in channel["samples"]}
            return edges, contents
    raise OptionError(f"the build has no spectrum {spectrum!r}")


def inside_of(edges: FloatArray, low: float, high: float) -> slice:
    """Fine bins between two edges."""
    first, last = np.searchsorted(edges, [low - 1e-9, high - 1e-9])
    return slice(int(first), int(last))


def finish(
    builder: Hs3Builder,
    name: str,
    *,
    axes: Sequence[tuple[str, float, float]],
    yields: Mapping[str, str],
    parameters: Mapping[str, tuple[float, float, float]],
    constrained: Sequence[str],
    values: Mapping[str, float],
) -> None:
    """Channel, data, constraints and analysis of one hypothesis."""
    channel = builder.channel(f"{name}_model", yields)
    data = builder.data(f"{name}_events", axes)
    nuisances = list(dict.fromkeys(constrained))
    builder.analysis(
        name,
        {channel: data},
        poi="mu",
        parameters={**parameters, **dict.fromkeys(nuisances, _NUISANCE)},
        constants={f"aux_{n}": 0.0 for n in nuisances},
        constraints=[builder.constraint(n) for n in nuisances],
        values=values,
    )
