"""Unbinned models of the searches: one HS3 document with an analysis for each mass hypothesis.

Signal shapes come from simulated events, windows and smooth backgrounds from a built search, so
that the binned and the unbinned likelihood of a hypothesis look at the same events.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.errors import OptionError
from darkstats.provenance import package_version
from darkstats.searches.bump_hunt import BumpHunt, SignalPoint, signal_point, spectra_of
from darkstats.templates.crystal_ball import CrystalBall, fit_crystal_ball
from darkstats.templates.histfactory import significant
from darkstats.templates.mixtures import gaussian_sum, mixture_shares
from darkstats.workspace.hs3_building import Hs3Builder

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray
    from darkstats.searches.output import BuildFolder
    from darkstats.searches.plane import Ellipse, PlaneScan
    from darkstats.searches.recoil_hunt import RecoilHunt
    from darkstats.simulation.candidates import Candidates
    from darkstats.workspace.hs3 import Hs3Document

__all__ = ["bump_hunt_document", "plane_document", "recoil_hunt_document"]

_REDUCED = np.linspace(-25.0, 25.0, 1001)
_LEAST = 1e-3  # events: a smaller part is left out
_NUISANCE = (0.0, -5.0, 5.0)


def _short(value: float) -> float:
    """Twelve digits: enough for any likelihood, and the same on every machine."""
    return float(f"{value:.12g}")


def _lognormal(terms: Mapping[str, float]) -> str:
    """Product of relative errors, each with a nuisance parameter, as an expression."""
    exponent = " + ".join(f"{math.log1p(error):.12g} * {name}" for name, error in terms.items())
    return f"exp({exponent})" if terms else "1"


def _builder(title: str, reference_pb: float, labels: Sequence[str]) -> Hs3Builder:
    builder = Hs3Builder(f"SIMULATED. {title}; unbinned", package_version("darkstats") or "unknown")
    builder.facts(simulated=True, reference_cross_section_pb=reference_pb, labels=list(labels))
    return builder


def _peak(
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
        side: builder.function(f"{name}_sigma_{side}", f"{_short(sigma * width)!r}{widen}")
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
        key: builder.function(f"{name}_{key}", repr(_short(value)))
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


def _window(sidecar: Mapping[str, Any], name: str) -> tuple[Mapping[str, Any], FloatArray]:
    try:
        facts = sidecar["windows"][name]
    except KeyError:
        raise OptionError(f"the build has no hypothesis {name!r}") from None
    # A sidecar rounds the edges of windows; they are edges of the fine grid.
    fine = np.array(sidecar["channels"][facts["spectrum"]]["edges"])
    wanted = np.array(facts["edges_gev2"])
    right = np.clip(np.searchsorted(fine, wanted), 1, len(fine) - 1)
    nearest = np.where(wanted - fine[right - 1] < fine[right] - wanted, right - 1, right)
    return facts, fine[nearest]


def _fine(folder: BuildFolder, spectrum: str) -> tuple[FloatArray, dict[str, FloatArray]]:
    """Fine edges and contents of each process of one spectrum of a build."""
    edges = np.array(folder.sidecar["channels"][spectrum]["edges"])
    for channel in folder.workspace["channels"]:
        if channel["name"] == spectrum:
            contents = {s["name"]: np.array(s["data"], dtype=float) for s in channel["samples"]}
            return edges, contents
    raise OptionError(f"the build has no spectrum {spectrum!r}")


def _inside(edges: FloatArray, low: float, high: float) -> slice:
    """Fine bins between two edges."""
    first, last = np.searchsorted(edges, [low - 1e-9, high - 1e-9])
    return slice(int(first), int(last))


def _bracket(masses: Sequence[float], mass: float) -> tuple[int, int, float]:
    """Simulated masses on both sides, and how far ``mass`` lies between them."""
    upper = int(np.clip(np.searchsorted(masses, mass), 1, len(masses) - 1))
    low, high = masses[upper - 1], masses[upper]
    return upper - 1, upper, float(np.clip((mass - low) / (high - low), 0.0, 1.0))


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
    builder = _builder(title, hunt.reference_pb, ("m_a_gev",))
    spectra = {spectrum.name: spectrum for spectrum in spectra_of(hunt)}
    masses = sorted(signals)
    points: dict[tuple[str, int], tuple[SignalPoint, CrystalBall]] = {}
    for name in names:
        facts, edges = _window(folder.sidecar, name)
        spectrum = spectra[facts["spectrum"]]
        mass = float(facts["mass_gev"])
        sigma = float(spectrum.resolution.squared_gev2(np.array([mass]))[0])
        below, above, fraction = _bracket(masses, mass)
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
            spectrum=spectrum.name,
            axis=(spectrum.column, float(edges[0]), float(edges[-1])),
            edges=edges,
            mass=mass,
            sigma=sigma,
            sides=(points[spectrum.name, below], points[spectrum.name, above]),
            fraction=fraction,
            order=int(facts["order"]),
        )
    return builder.finished()


def _peak_of(candidates: Candidates, mass: float, spectrum: Any, hunt: BumpHunt) -> CrystalBall:  # noqa: ANN401
    """Crystal Ball of the true photon pairs in the reduced squared mass."""
    mask = spectrum.mask(candidates, hunt) & (candidates["truth"] > 0.5)
    sigma = float(spectrum.resolution.squared_gev2(np.array([mass]))[0])
    reduced = (candidates[spectrum.column][mask] - mass**2) / sigma
    content = np.histogram(reduced, _REDUCED, weights=candidates.weight_pb[mask])[0]
    return fit_crystal_ball(_REDUCED, np.maximum(content, 0.0))


def _bump_analysis(
    builder: Hs3Builder,
    name: str,
    hunt: BumpHunt,
    folder: BuildFolder,
    *,
    spectrum: str,
    axis: tuple[str, float, float],
    edges: FloatArray,
    mass: float,
    sigma: float,
    sides: tuple[tuple[SignalPoint, CrystalBall], tuple[SignalPoint, CrystalBall]],
    fraction: float,
    order: int,
) -> None:
    observable, low, high = axis
    fine, contents = _fine(folder, spectrum)
    part = _inside(fine, low, high)
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
        _peak(
            builder,
            f"{name}_signal",
            observable,
            shape,
            centre=mass**2,
            sigma=sigma,
            resolution_error=hunt.resolution_error,
        ): builder.function(
            f"{name}_signal_yield", f"mu * {_short(factor * efficiency)!r} * {_lognormal(errors)}"
        )
    }
    others = factor * np.maximum(rest, 0.0)
    if others.sum() > _LEAST:
        coarse = _coarse(own, others, 25)
        yields[builder.histogram(f"{name}_combinatorial", observable, *coarse)] = builder.function(
            f"{name}_combinatorial_yield",
            f"mu * {_short(float(others.sum()))!r} * {_lognormal(errors)}",
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
    shares = mixture_shares(heights, smooth)
    total = max(float(smooth.sum()), 1.0)
    for k, portion in enumerate(shares):
        basis = builder.bernstein(f"{name}_bernstein_{k}", k, order, axis)
        yields[basis] = f"c_{k}"
        parameters[f"c_{k}"] = (_short(total * float(portion)), 0.0, significant(20.0 * total))
    for process, spectrum_of in contents.items():
        inside = spectrum_of[part]
        if process == "continuum" or inside.sum() <= _LEAST:
            continue
        bins = np.searchsorted(own, edges - 1e-9)
        coarse_contents = np.add.reduceat(inside, bins[:-1])
        nuisance = f"{process}_yield"
        yields[builder.histogram(f"{name}_{process}", observable, edges, coarse_contents)] = (
            builder.function(
                f"{name}_{process}_events",
                f"{_short(float(inside.sum()))!r} * {_lognormal({nuisance: 0.3})}",
            )
        )
        constrained.append(nuisance)
    _finish(
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
    return edges[first], np.add.reduceat(contents, first[:-1])


def _finish(
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


def recoil_hunt_document(
    hunt: RecoilHunt,
    folder: BuildFolder,
    signals: Mapping[float, Candidates],
    names: Sequence[str],
    *,
    title: str,
) -> Hs3Document:
    """The unbinned search in a window of the squared recoil mass, backgrounds from simulation.

    The window is that of the counting experiment; each process has its simulated shape, and the
    relative errors of the card. Parameters as in :func:`bump_hunt_document`.

    Raises
    ------
    OptionError
        The build lacks a hypothesis.
    """
    builder = _builder(title, hunt.reference_pb, ("m_zprime_gev",))
    masses = sorted(signals)
    column = "recoil_mass_squared_gev2"
    shapes: dict[int, CrystalBall] = {}
    for name in names:
        facts, edges = _window(folder.sidecar, name)
        mass = float(facts["mass_gev"])
        axis = (column, float(edges[0]), float(edges[-1]))
        below, above, fraction = _bracket(masses, mass)
        for k in (below, above):
            if k not in shapes:
                sample = signals[masses[k]]
                width = hunt.widths.at_squared(masses[k] ** 2)
                reduced = (sample[column] - masses[k] ** 2) / width
                content = np.histogram(reduced, _REDUCED, weights=sample.weight_pb)[0]
                shapes[k] = fit_crystal_ball(_REDUCED, np.maximum(content, 0.0))
        signal = float(facts["signal_events_per_pb"]) * hunt.reference_pb
        errors = {**hunt.systematics.get("signal", {})}
        statistical = [
            math.sqrt(float((signals[masses[k]].weight_pb ** 2).sum()))
            / float(signals[masses[k]].weight_pb.sum())
            for k in (below, above)
        ]
        errors["signal_simulation"] = max(*statistical, 1e-6)
        constrained = list(errors)
        yields = {
            _peak(
                builder,
                f"{name}_signal",
                column,
                shapes[below].between(shapes[above], fraction),
                centre=mass**2,
                sigma=hunt.widths.at_squared(mass**2),
                resolution_error=0.0,
            ): builder.function(
                f"{name}_signal_yield", f"mu * {_short(signal)!r} * {_lognormal(errors)}"
            )
        }
        fine, contents = _fine(folder, str(facts["spectrum"]))
        part = _inside(fine, axis[1], axis[2])
        own = fine[part.start : part.stop + 1]
        common = {**hunt.systematics.get("background", {})}
        total = sum(float(c[part].sum()) for c in contents.values())
        common["background_simulation"] = max(
            float(facts["background_statistical_error"]) / max(total, 1e-12), 1e-6
        )
        for process, spectrum in contents.items():
            inside = np.maximum(spectrum[part], 0.0)
            if inside.sum() <= _LEAST:
                continue
            process_errors = {**common, **hunt.systematics.get(process, {})}
            constrained += list(process_errors)
            yields[builder.histogram(f"{name}_{process}", column, own, inside)] = builder.function(
                f"{name}_{process}_yield",
                f"{_short(float(inside.sum()))!r} * {_lognormal(process_errors)}",
            )
        reach = significant(20.0 * (2.0 * math.sqrt(total) + 5.0) / signal)
        _finish(
            builder,
            name,
            axes=(axis,),
            yields=yields,
            parameters={"mu": (significant(0.05 * reach), 0.0, reach)},
            constrained=constrained,
            values={"m_zprime_gev": mass},
        )
    return builder.finished()


def plane_document(
    scan: PlaneScan,
    ellipses: Mapping[str, tuple[Ellipse, tuple[float, float]]],
    signals: Mapping[str, Candidates],
    backgrounds: Mapping[str, Candidates],
    *,
    title: str,
    reach_sigma: float = 6.0,
) -> Hs3Document:
    """The unbinned search in the plane of dimuon mass and squared recoil mass.

    Parameters
    ----------
    scan
        Choices.
    ellipses
        Hypotheses by name: resolutions, and masses of A' and h'.
    signals, backgrounds
        Simulated candidates that pass the cuts: the signal of each hypothesis, and the processes.
    title
        For the description.
    reach_sigma
        Half widths of the window in resolutions.

    Raises
    ------
    OptionError
        A hypothesis has too few simulated events.

    Notes
    -----
    The signal is a sum of two tilted Gaussians, fitted to simulated events; each background is a
    product of straight lines in the two observables, fitted to the simulated events in the window.
    HS3 has no density for either, so they are written as expressions.
    """
    builder = _builder(title, scan.reference_pb, ("m_dark_photon_gev", "m_dark_higgs_gev"))
    columns = ("m_ll_gev", "recoil_mass_squared_gev2")
    for name, (ellipse, masses) in ellipses.items():
        axes = [
            (column, _short(c - reach_sigma * s), _short(c + reach_sigma * s))
            for column, c, s in zip(columns, ellipse.centre, ellipse.sigma, strict=True)
        ]
        sample = signals[name]
        events, weights = _in_box(sample, axes, sample.weight_pb / sample.n_generated)
        efficiency = float(weights.sum())
        shares, means, covariances = gaussian_sum(events, weights, 2)
        errors = {
            **scan.systematics.get("signal", {}),
            "signal_simulation": max(math.sqrt(float((weights**2).sum())) / efficiency, 1e-6),
        }
        constrained = list(errors)
        signal = scan.luminosity_ipb * scan.reference_pb * efficiency
        yields = {
            builder.distribution(
                f"{name}_signal",
                "generic_dist",
                expression=_tilted(columns, shares, means, covariances),
            ): builder.function(
                f"{name}_signal_yield", f"mu * {_short(signal)!r} * {_lognormal(errors)}"
            )
        }
        total = 0.0
        for process, rows in backgrounds.items():
            own, expected = _in_box(rows, axes, rows.events(scan.luminosity_ipb))
            size = float(expected.sum())
            if size <= _LEAST:
                continue
            total += size
            process_errors = {
                **scan.systematics.get("background", {}),
                f"{process}_simulation": max(math.sqrt(float((expected**2).sum())) / size, 1e-6),
            }
            constrained += list(process_errors)
            yields[
                builder.distribution(
                    f"{name}_{process}",
                    "generic_dist",
                    expression=_bilinear(columns, axes, own, expected),
                )
            ] = builder.function(
                f"{name}_{process}_yield", f"{_short(size)!r} * {_lognormal(process_errors)}"
            )
        reach = significant(20.0 * (2.0 * math.sqrt(total) + 5.0) / signal)
        _finish(
            builder,
            name,
            axes=axes,
            yields=yields,
            parameters={"mu": (significant(0.05 * reach), 0.0, reach)},
            constrained=constrained,
            values={"m_dark_photon_gev": masses[0], "m_dark_higgs_gev": masses[1]},
        )
    return builder.finished()


def _in_box(
    sample: Candidates, axes: Sequence[tuple[str, float, float]], weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Rows within a box: [dim, row] and weights [row]."""
    rows = np.array([sample[column] for column, _, _ in axes])
    inside = np.ones(rows.shape[1], dtype=bool)
    for row, (_, low, high) in zip(rows, axes, strict=True):
        inside &= (row >= low) & (row <= high)
    return rows[:, inside], weights[inside]


def _tilted(
    columns: Sequence[str], shares: FloatArray, means: FloatArray, covariances: FloatArray
) -> str:
    """A sum of Gaussians in two observables, as an expression."""
    terms = []
    for share, mean, covariance in zip(shares, means, covariances, strict=True):
        inverse = np.linalg.inv(covariance)
        height = _short(float(share / np.sqrt(np.linalg.det(2.0 * np.pi * covariance))))
        x, y = (f"({c} - {_short(float(m))!r})" for c, m in zip(columns, mean, strict=True))
        a, b, c = (_short(float(v)) for v in (inverse[0, 0], inverse[0, 1], inverse[1, 1]))
        terms.append(
            f"{height!r} * exp(-0.5 * ({a!r} * {x}**2 + {c!r} * {y}**2 + {2 * b!r} * {x} * {y}))"
        )
    return " + ".join(terms)


def _bilinear(
    columns: Sequence[str],
    axes: Sequence[tuple[str, float, float]],
    events: FloatArray,
    weights: FloatArray,
) -> str:
    """A product basis of straight lines with shares from events, as an expression."""
    t = [(row - low) / (high - low) for row, (_, low, high) in zip(events, axes, strict=True)]
    lines = [(1.0 - t[0], t[0]), (1.0 - t[1], t[1])]
    heights = np.array([4.0 * a * b for a in lines[0] for b in lines[1]])
    shares = mixture_shares(heights, weights)
    names = [
        (f"(1 - ({c} - {low!r}) / {high - low!r})", f"(({c} - {low!r}) / {high - low!r})")
        for c, (_, low, high) in zip(columns, axes, strict=True)
    ]
    basis = [f"{a} * {b}" for a in names[0] for b in names[1]]
    return " + ".join(
        f"{_short(float(share))!r} * {part}" for share, part in zip(shares, basis, strict=True)
    )
