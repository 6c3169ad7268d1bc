"""The unbinned search in the plane of dimuon mass and squared recoil mass."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.errors import OptionError
from darkstats.searches.plane_grid import PlaneGrid, rapidity_of, recoil_squared_of
from darkstats.searches.plane_response import Ellipse
from darkstats.searches.unbinned.parts import (
    LEAST_EVENTS,
    finish,
    lognormal,
    new_builder,
    short,
)
from darkstats.templates.histfactory import significant
from darkstats.templates.mixtures import gaussian_sum, mixture_shares

if TYPE_CHECKING:
    from darkstats.arrays import BoolArray, FloatArray
    from darkstats.searches.output import BuildFolder
    from darkstats.searches.plane import PlaneScan
    from darkstats.simulation.candidates import Candidates
    from darkstats.workspace.hs3 import Hs3Document
    from darkstats.workspace.hs3.building import Hs3Builder

__all__ = ["ellipse_of", "plane_document"]

_COLUMNS = ("m_ll_gev", "recoil_mass_squared_gev2")
_RIDGE_WIDTH = 1.2  # resolutions; the cells of a build are smoothed by one and a half
_LEAST_SHARE = 1e-4  # of a term of a background


def ellipse_of(facts: Mapping[str, Any]) -> Ellipse:
    """Ellipse of a hypothesis, as the sidecar of a build describes it."""
    centre, sigma = ((float(a), float(b)) for a, b in (facts["centre"], facts["sigma"]))
    return Ellipse(centre=centre, sigma=sigma, correlation=float(facts["correlation"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cells:
    """Smoothed background of a build: places of the cells, and contents by process."""

    x: FloatArray
    y: FloatArray
    contents: Mapping[str, FloatArray]

    @classmethod
    def of(cls, folder: BuildFolder) -> _Cells:
        grid, cells = PlaneGrid.of_sidecar(folder.sidecar["channels"]["plane"])
        column, row = np.divmod(cells, grid.shape[1])
        mass = grid.masses_gev[column]
        return cls(
            x=mass,
            y=recoil_squared_of(mass, grid.rapidities[row]),
            contents={
                sample["name"]: np.array(sample["data"], dtype=float)
                for sample in folder.workspace["channels"][0]["samples"]
            },
        )


def plane_document(
    scan: PlaneScan,
    folder: BuildFolder,
    signals: Mapping[tuple[float, ...], Candidates],
    names: Sequence[str],
    *,
    title: str,
    reach_sigma: float = 6.0,
) -> Hs3Document:
    """The unbinned search in the plane of dimuon mass and squared recoil mass.

    Parameters
    ----------
    scan, folder
        Choices, and the built search: ellipses, smoothed cells.
    signals
        Simulated candidates that pass the cuts, by the masses of A' and h'.
    names
        Hypotheses, by the names of their patches; each becomes an analysis.
    title
        For the description.
    reach_sigma
        Half widths of the window in resolutions.

    Raises
    ------
    OptionError
        The build lacks a hypothesis, or it has too few simulated events.

    Notes
    -----
    The signal is a sum of two tilted Gaussians, fitted to the simulated events of the nearest
    masses, which keep their deviations of ln M and of the rapidity; its yield is that of the
    build's ellipse. Each background is a sum of products of straight lines and, in the recoil
    mass, Gaussians at fixed places, fitted to the smoothed cells of the build. HS3 has no density
    for either, so they are written as expressions.
    """
    builder = new_builder(
        title, scan.reference_pb, ("m_dark_photon_gev", "m_dark_higgs_gev"), folder, names
    )
    cells = _Cells.of(folder)
    for name in names:
        try:
            facts = folder.sidecar["windows"][name]
        except KeyError:
            raise OptionError(f"the build has no hypothesis {name!r}") from None
        _plane_analysis(
            builder, name, scan, facts=facts, cells=cells, signals=signals, reach_sigma=reach_sigma
        )
    return builder.finished()


def _plane_analysis(
    builder: Hs3Builder,
    name: str,
    scan: PlaneScan,
    *,
    facts: Mapping[str, Any],
    cells: _Cells,
    signals: Mapping[tuple[float, ...], Candidates],
    reach_sigma: float,
) -> None:
    ellipse = ellipse_of(facts)
    axes = [
        (column, short(c - reach_sigma * s), short(c + reach_sigma * s))
        for column, c, s in zip(_COLUMNS, ellipse.centre, ellipse.sigma, strict=True)
    ]
    masses = (float(facts["mass_gev"][0]), float(facts["mass_gev"][1]))
    events, weights = _moved(signals, masses, ellipse)
    inner = weights[ellipse.distance(*events) < scan.ellipse_sigma**2]
    keep = _inside(events, axes)
    events, weights = events[:, keep], weights[keep]
    if not inner.sum() > 0.0:
        raise OptionError(f"{name}: no simulated signal lies in the ellipse")
    share = float(weights.sum() / inner.sum())
    shares, means, covariances = gaussian_sum(events, weights, 2)
    errors = {
        **scan.systematics.get("signal", {}),
        "signal_simulation": max(math.sqrt(float((inner**2).sum())) / float(inner.sum()), 1e-6),
    }
    constrained = list(errors)
    signal = float(facts["signal_events_per_pb"]) * scan.reference_pb * share
    yields = {
        builder.distribution(
            f"{name}_signal",
            "generic_dist",
            expression=_tilted(_COLUMNS, shares, means, covariances),
        ): builder.function(f"{name}_signal_yield", f"mu * {short(signal)!r} * {lognormal(errors)}")
    }
    common = {
        **scan.systematics.get("background", {}),
        "background_simulation": max(
            float(facts["background_statistical_error"]) / float(facts["background_events"]), 1e-6
        ),
    }
    keep = _inside(np.array([cells.x, cells.y]), axes)
    places = np.array([cells.x[keep], cells.y[keep]])
    total = 0.0
    for process, contents in cells.contents.items():
        expected = contents[keep]
        size = float(expected.sum())
        if size <= LEAST_EVENTS:
            continue
        total += size
        process_errors = {**common, **scan.systematics.get(process, {})}
        constrained += list(process_errors)
        yields[
            builder.distribution(
                f"{name}_{process}",
                "generic_dist",
                expression=_lines_and_ridges(axes, ellipse.sigma[1], places, expected),
            )
        ] = builder.function(
            f"{name}_{process}_yield", f"{short(size)!r} * {lognormal(process_errors)}"
        )
    reach = significant(20.0 * (2.0 * math.sqrt(total) + 5.0) / signal)
    finish(
        builder,
        name,
        axes=axes,
        yields=yields,
        parameters={"mu": (significant(0.05 * reach), 0.0, reach)},
        constrained=constrained,
        values={"m_dark_photon_gev": masses[0], "m_dark_higgs_gev": masses[1]},
    )


def _moved(
    signals: Mapping[tuple[float, ...], Candidates],
    masses: tuple[float, float],
    ellipse: Ellipse,
) -> tuple[FloatArray, FloatArray]:
    """Simulated events [dim, event] of the nearest masses, moved to others, and weights [event]."""

    def away(key: tuple[float, ...]) -> float:
        steps = (key[0] - masses[0], key[1] ** 2 - masses[1] ** 2)
        return sum((d / s) ** 2 for d, s in zip(steps, ellipse.sigma, strict=True))

    nearest = min(signals, key=away)
    sample = signals[nearest]
    centres = [float(rapidity_of(np.array([a]), np.array([b**2]))[0]) for a, b in (nearest, masses)]
    x, y = (sample[column] for column in _COLUMNS)
    mass = x * masses[0] / nearest[0]
    rapidity = rapidity_of(x, y) + centres[1] - centres[0]
    return (
        np.array([mass, recoil_squared_of(mass, rapidity)]),
        sample.weight_pb / sample.n_generated,
    )


def _inside(places: FloatArray, axes: Sequence[tuple[str, float, float]]) -> BoolArray:
    """Which places [dim, row] lie in a box. Shape [row]."""
    inside = np.ones(places.shape[1], dtype=bool)
    for row, (_, low, high) in zip(places, axes, strict=True):
        inside &= (row >= low) & (row <= high)
    return inside


def _tilted(
    columns: Sequence[str], shares: FloatArray, means: FloatArray, covariances: FloatArray
) -> str:
    """A sum of Gaussians in two observables, as an expression."""
    terms = []
    for share, mean, covariance in zip(shares, means, covariances, strict=True):
        inverse = np.linalg.inv(covariance)
        height = short(float(share / np.sqrt(np.linalg.det(2.0 * np.pi * covariance))))
        x, y = (f"({c} - {short(float(m))!r})" for c, m in zip(columns, mean, strict=True))
        a, b, c = (short(float(v)) for v in (inverse[0, 0], inverse[0, 1], inverse[1, 1]))
        terms.append(
            f"{height!r} * exp(-0.5 * ({a!r} * {x}**2 + {c!r} * {y}**2 + {2 * b!r} * {x} * {y}))"
        )
    return " + ".join(terms)


def _lines_and_ridges(
    axes: Sequence[tuple[str, float, float]],
    sigma: float,
    places: FloatArray,
    weights: FloatArray,
) -> str:
    """A background with shares from weighted places, as an expression.

    A sum of products: straight lines in the mass; in the squared recoil mass straight lines and
    Gaussians at fixed places, which follow the ridge of radiative pairs at zero recoil mass.
    """
    (x, x_low, x_high), (y, y_low, y_high) = axes
    tx = f"(({x} - {x_low!r}) / {short(x_high - x_low)!r})"
    ty = f"(({y} - {y_low!r}) / {short(y_high - y_low)!r})"
    u = (places[0] - x_low) / (x_high - x_low)
    v = (places[1] - y_low) / (y_high - y_low)
    first = [(2.0 * (1.0 - u), f"2 * (1 - {tx})"), (2.0 * u, f"2 * {tx}")]
    second = [(2.0 * (1.0 - v), f"2 * (1 - {ty})"), (2.0 * v, f"2 * {ty}")]
    width = short(_RIDGE_WIDTH * sigma / (y_high - y_low))
    for centre in np.arange(0.0, 1.0 + 1e-9, width):
        low, high = (math.erf((end - centre) / width / math.sqrt(2.0)) for end in (0.0, 1.0))
        height = short(1.0 / (width * math.sqrt(2.0 * math.pi) * 0.5 * (high - low)))
        middle = short(float(centre))
        second.append(
            (
                height * np.exp(-0.5 * ((v - middle) / width) ** 2),
                f"{height!r} * exp(-0.5 * (({ty} - {middle!r}) / {width!r})**2)",
            )
        )
    basis = [(a * b, f"{text} * {other}") for a, text in first for b, other in second]
    shares = mixture_shares(np.array([heights for heights, _ in basis]), weights)
    kept = shares > _LEAST_SHARE
    shares = np.where(kept, shares, 0.0) / shares[kept].sum()
    return " + ".join(
        f"{short(float(share))!r} * {text}"
        for share, (_, text), there in zip(shares, basis, kept, strict=True)
        if there
    )
