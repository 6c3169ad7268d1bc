"""The unbinned bump hunt: a Crystal Ball on Bernstein polynomials, in the squared mass.

Where the selection bends the spectrum and the card follows it, a polynomial times what is accepted
has no closed form: there each is a histogram with bins of a quarter of a resolution.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from darkstats.searches.bump_spectra import SignalPoint, Spectrum, signal_point, spectra_of
from darkstats.searches.unbinned.parts import (
    LEAST_EVENTS,
    double_sided_peak,
    fine_contents,
    finish,
    fitted_peak,
    inside_of,
    lognormal,
    new_builder,
    short,
    window_of_build,
)
from darkstats.searches.windows import place_between_simulated
from darkstats.templates.histfactory import significant
from darkstats.templates.mixtures import mixture_shares

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray
    from darkstats.searches.bump_settings import BumpHunt
    from darkstats.searches.output import BuildFolder
    from darkstats.simulation.candidates import Candidates
    from darkstats.templates.crystal_ball import CrystalBall
    from darkstats.workspace.hs3 import Hs3Document
    from darkstats.workspace.hs3.building import Hs3Builder

__all__ = ["bump_hunt_document"]


def bump_hunt_document(
    hunt: BumpHunt,
    folder: BuildFolder,
    signals: Mapping[float, Candidates],
    names: Sequence[str],
    *,
    title: str,
) -> Hs3Document:
    """The unbinned bump hunt: a Crystal Ball on Bernstein polynomials, in the squared mass.

    Parameters
    ----------
    hunt, folder
        Choices, and the built search: windows, smooth spectra.
    signals
        Simulated candidates by mass.
    names
        Hypotheses, by the names of their patches; each becomes an analysis.
    title
        For the description.

    Raises
    ------
    OptionError
        The build lacks a hypothesis, or the simulation one of its sides.
    """
    builder = new_builder(title, hunt.reference_pb, ("m_a_gev",), folder, names)
    spectra = {spectrum.name: spectrum for spectrum in spectra_of(hunt)}
    masses = sorted(signals)
    points: dict[tuple[str, int], tuple[SignalPoint, CrystalBall]] = {}
    for name in names:
        facts, edges = window_of_build(folder.sidecar, name)
        spectrum = spectra[facts["spectrum"]]
        mass = float(facts["mass_gev"])
        sigma = float(spectrum.resolution.squared_gev2(np.array([mass]))[0])
        below, fraction = place_between_simulated(np.array(masses), mass)
        above = below + 1
        for k in (below, above):
            if (spectrum.name, k) not in points:
                point = signal_point(masses[k], signals[masses[k]], spectrum, hunt)
                points[spectrum.name, k] = (
                    point,
                    _peak_of(signals[masses[k]], masses[k], spectrum, hunt),
                )
        _bump_analysis(
            builder,
            name,
            hunt,
            folder,
            spectrum=spectrum,
            axis=(spectrum.column, float(edges[0]), float(edges[-1])),
            edges=edges,
            mass=mass,
            sigma=sigma,
            sides=(points[spectrum.name, below], points[spectrum.name, above]),
            fraction=fraction,
            order=int(facts["order"]),
            spurious=float(facts.get("spurious_signal_error", 0.0)),
        )
    return builder.finished()


def _peak_of(
    candidates: Candidates, mass: float, spectrum: Spectrum, hunt: BumpHunt
) -> CrystalBall:
    """Crystal Ball of the true photon pairs in the reduced squared mass."""
    mask = spectrum.mask(candidates, hunt) & (candidates["truth"] > 0.5)
    sigma = float(spectrum.resolution.squared_gev2(np.array([mass]))[0])
    reduced = (candidates[spectrum.column][mask] - mass**2) / sigma
    return fitted_peak(reduced, candidates.weight_pb[mask])


def _bump_analysis(
    builder: Hs3Builder,
    name: str,
    hunt: BumpHunt,
    folder: BuildFolder,
    *,
    spectrum: Spectrum,
    axis: tuple[str, float, float],
    edges: FloatArray,
    mass: float,
    sigma: float,
    sides: tuple[tuple[SignalPoint, CrystalBall], tuple[SignalPoint, CrystalBall]],
    fraction: float,
    order: int,
    spurious: float,
) -> None:
    observable, low, high = axis
    fine, contents = fine_contents(folder, spectrum.name)
    part = inside_of(fine, low, high)
    own = fine[part.start : part.stop + 1]
    (p0, shape0), (p1, shape1) = sides
    shape = shape0.between(shape1, fraction)
    efficiency = (1.0 - fraction) * p0.efficiency + fraction * p1.efficiency
    rest = (1.0 - fraction) * np.diff(p0.combinatorial)[part] + fraction * np.diff(
        p1.combinatorial
    )[part]
    factor = hunt.luminosity_ipb * hunt.reference_pb
    share = (mass - hunt.low_gev) / (hunt.high_gev - hunt.low_gev)
    first, last = hunt.efficiency_error
    errors = {
        "luminosity": hunt.luminosity_error,
        "signal_efficiency": first + (last - first) * share,
        "signal_simulation": max(p0.efficiency_error, p1.efficiency_error, 1e-6),
    }
    parameters: dict[str, tuple[float, float, float]] = {"mu": (0.1, 0.0, 20.0)}
    constrained = [*errors, "signal_resolution"]
    yields = {
        double_sided_peak(
            builder,
            f"{name}_signal",
            observable,
            shape,
            centre=mass**2,
            sigma=sigma,
            resolution_error=hunt.resolution_error,
        ): builder.function(
            f"{name}_signal_yield", f"mu * {short(factor * efficiency)!r} * {lognormal(errors)}"
        )
    }
    if spurious > 0.0:
        # The resolution is that of the simulation which found it; its yield may be negative.
        yields[
            double_sided_peak(
                builder,
                f"{name}_spurious",
                observable,
                shape,
                centre=mass**2,
                sigma=sigma,
                resolution_error=0.0,
            )
        ] = builder.function(
            f"{name}_spurious_yield", f"{short(spurious * factor * efficiency)!r} * spurious_signal"
        )
        constrained.append("spurious_signal")
    others = factor * np.maximum(rest, 0.0)
    if others.sum() > LEAST_EVENTS:
        coarse = _coarse(own, others, 25)
        yields[builder.histogram(f"{name}_combinatorial", observable, *coarse)] = builder.function(
            f"{name}_combinatorial_yield",
            f"mu * {short(float(others.sum()))!r} * {lognormal(errors)}",
        )
    smooth = contents["continuum"][part]
    centre = 0.5 * (own[1:] + own[:-1])
    t = (centre - low) / (high - low)
    heights = np.array(
        [
            (order + 1) * math.comb(order, k) * t**k * (1.0 - t) ** (order - k)
            for k in range(order + 1)
        ]
    )
    bent = not spectrum.keeps_all(part)
    if bent:
        heights *= spectrum.acceptance[part]
        heights /= (heights @ np.diff(own) / (high - low))[:, None]
    shares = mixture_shares(heights, smooth)
    total = max(float(smooth.sum()), 1.0)
    for k, portion in enumerate(shares):
        basis = (
            builder.histogram(
                f"{name}_bernstein_{k}",
                observable,
                *_coarse(own, heights[k] * np.diff(own), len(smooth) // 2),
            )
            if bent
            else builder.bernstein(f"{name}_bernstein_{k}", k, order, axis)
        )
        yields[basis] = f"c_{k}"
        parameters[f"c_{k}"] = (short(total * float(portion)), 0.0, significant(20.0 * total))
    for process, spectrum_of in contents.items():
        inside = spectrum_of[part]
        if process == "continuum" or inside.sum() <= LEAST_EVENTS:
            continue
        bins = np.searchsorted(own, edges - 1e-9)
        coarse_contents = np.add.reduceat(inside, bins[:-1])
        nuisance = f"{process}_yield"
        yields[builder.histogram(f"{name}_{process}", observable, edges, coarse_contents)] = (
            builder.function(
                f"{name}_{process}_events",
                f"{short(float(inside.sum()))!r} * {lognormal({nuisance: 0.3})}",
            )
        )
        constrained.append(nuisance)
    finish(
        builder,
        name,
        axes=(axis,),
        yields=yields,
        parameters=parameters,
        constrained=constrained,
        values={"m_a_gev": mass},
    )


def _coarse(edges: FloatArray, contents: FloatArray, n: int) -> tuple[FloatArray, FloatArray]:
    """Whole bins summed to about ``n``."""
    first = np.unique(np.linspace(0, len(contents), n + 1).round().astype(int))
    summed = np.add.reduceat(contents, first[:-1])
    return edges[first], np.array([significant(float(one)) for one in summed])
