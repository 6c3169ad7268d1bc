"""The plane of dimuon mass against squared recoil mass, scanned by tilted ellipses.

Dark Higgsstrahlung, e+e- -> A' h', A' -> mu mu, h' invisible (arXiv:2207.00509): a hypothesis is
a count in an ellipse of two resolutions, tilted by their correlation, and a count in the
elliptical ring around it. Both share the background's normalisation errors.

The background of an ellipse is the simulated one inside; where that rests on too few effective
rows, it is the mean density in a similar ellipse two, three, ... times as large.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.errors import OptionError
from darkstats.searches.cuts import Cut, passing
from darkstats.searches.products import Patch, SearchProduct
from darkstats.signals.constants import CM_ENERGY_GEV
from darkstats.templates.histfactory import (
    background_document,
    normfactor,
    normsys,
    parameter,
    replacement,
    rounded,
    significant,
    staterror,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from darkstats.arrays import BoolArray, FloatArray
    from darkstats.searches.products import SimulatedSamples
    from darkstats.simulation.candidates import Candidates

__all__ = [
    "Ellipse",
    "PlaneScan",
    "Response",
    "Rows",
    "build_plane_scan",
    "drawn_events",
    "ellipse_patch",
    "response_of",
]

_SCALES = (1.0, 2.0, 3.0, 4.0, 6.0)
_FLOOR_EVENTS = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneScan:
    """Choices of a scan of the plane.

    Parameters
    ----------
    luminosity_ipb
        Integrated luminosity, per pb.
    asimov
        Whether the data are the simulated expectation, not drawn from it.
    low_gev, high_gev
        Range of the dimuon mass.
    higgs_low_gev
        Least mass of the invisible boson.
    step_sigma
        Step between hypotheses in units of both resolutions.
    ellipse_sigma, ring_sigma
        Half axes of the ellipse, and inner and outer ones of the ring, in resolutions.
    least_efficiency
        Hypotheses with less efficiency in the ellipse are left out, and counted.
    least_rows
        Effective simulated rows below which a larger ellipse gives the density.
    cuts
        On the columns of the candidates.
    systematics
        Relative errors by group: ``signal``, ``background``, or the name of one process.
    reference_pb
        Cross section times branching fraction of ``mu = 1``.
    grid_gev
        Bins of the background-only workspace: widths in dimuon mass and recoil mass.
    """

    luminosity_ipb: float
    asimov: bool
    low_gev: float = 1.65
    high_gev: float = 10.51
    higgs_low_gev: float = 0.1
    step_sigma: float = 1.5
    ellipse_sigma: float = 2.0
    ring_sigma: tuple[float, float] = (3.0, 6.0)
    least_efficiency: float = 1e-3
    least_rows: float = 25.0
    cuts: tuple[Cut, ...] = ()
    systematics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    reference_pb: float = 1e-3
    grid_gev: tuple[float, float] = (0.25, 0.25)

    def modifiers(self, sample: str, *, signal: bool) -> list[dict[str, Any]]:
        """Relative errors of a sample."""
        errors = dict(self.systematics.get("signal" if signal else "background", {}))
        errors |= self.systematics.get(sample, {})
        return [normsys(name, relative) for name, relative in errors.items()]


def _highest_higgs(mass_gev: float) -> float:
    """Largest mass of the invisible boson: lighter than A', and kinematically open."""
    return min(mass_gev, CM_ENERGY_GEV - mass_gev)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ellipse:
    """Resolutions of one hypothesis; x is the dimuon mass, y the squared recoil mass."""

    centre: tuple[float, float]
    sigma: tuple[float, float]
    correlation: float

    def distance(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Squared distance in units of the resolutions; 1 is the ellipse of one sigma."""
        u = (x - self.centre[0]) / self.sigma[0]
        v = (y - self.centre[1]) / self.sigma[1]
        rho = self.correlation
        return np.asarray((u**2 + v**2 - 2.0 * rho * u * v) / (1.0 - rho**2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What simulation says of the signal, on a grid of (mass, fraction of the highest h' mass).

    ``values`` holds sigma_x [GeV], sigma_y [GeV^2], correlation, efficiency in the ellipse and in
    the ring, relative statistical error. Shape [mass, fraction, 6].
    """

    masses: FloatArray
    fractions: FloatArray
    values: FloatArray

    def at(self, mass_gev: float, higgs_gev: float) -> FloatArray:
        """Bilinear interpolation. Shape [6]."""
        i, s = _place(self.masses, mass_gev)
        j, t = _place(self.fractions, higgs_gev / _highest_higgs(mass_gev))
        v = self.values
        return np.asarray(
            (1.0 - s) * ((1.0 - t) * v[i, j] + t * v[i, j + 1])
            + s * ((1.0 - t) * v[i + 1, j] + t * v[i + 1, j + 1])
        )


def _place(axis: FloatArray, value: float) -> tuple[int, float]:
    i = int(np.clip(np.searchsorted(axis, value) - 1, 0, len(axis) - 2))
    return i, float(np.clip((value - axis[i]) / (axis[i + 1] - axis[i]), 0.0, 1.0))


def _half_width(deviation: FloatArray, weight: FloatArray) -> float:
    """Root mean square of the negative deviations: radiation only adds to the recoil mass."""
    below = deviation < 0.0
    if below.sum() < 20:
        return 0.0
    width = float(np.quantile(-deviation[below], 0.6827))
    for _ in range(10):
        kept = below & (deviation > -3.0 * width)
        width = float(np.sqrt((weight[kept] * deviation[kept] ** 2).sum() / weight[kept].sum()))
        width *= 1.014  # of a Gaussian cut at three standard deviations
    return width


def _measure(
    key: tuple[float, ...], candidates: Candidates, scan: PlaneScan
) -> tuple[float, ...] | None:
    """Resolutions, correlation, efficiencies and error at one simulated point."""
    weight = candidates.weight_pb / candidates.n_generated
    if len(weight) < 50:
        return None
    x, y = candidates["m_ll_gev"] - key[0], candidates["recoil_mass_squared_gev2"] - key[1] ** 2
    sigma = (_half_width(x, weight), _half_width(y, weight))
    if min(sigma) <= 0.0:
        return None
    core = (np.abs(x) < 3.0 * sigma[0]) & (np.abs(y) < 3.0 * sigma[1])
    correlation = float(np.clip(np.corrcoef(x[core], y[core])[0, 1], -0.995, 0.995))
    ellipse = Ellipse(centre=(0.0, 0.0), sigma=(sigma[0], sigma[1]), correlation=correlation)
    distance = ellipse.distance(x, y)
    inside = distance < scan.ellipse_sigma**2
    ring = (distance > scan.ring_sigma[0] ** 2) & (distance < scan.ring_sigma[1] ** 2)
    efficiency = float(weight[inside].sum())
    if efficiency <= 0.0:
        return None
    error = float(np.sqrt((weight[inside] ** 2).sum())) / efficiency
    return (*sigma, correlation, efficiency, float(weight[ring].sum()), error)


def response_of(samples: SimulatedSamples, scan: PlaneScan) -> Response:
    """Measure all simulated points, which form a grid in (mass, fraction)."""
    keys = sorted(samples.signals)
    masses = np.array(sorted({key[0] for key in keys}))
    fractions = np.array(sorted({round(key[1] / _highest_higgs(key[0]), 3) for key in keys}))
    if len(masses) * len(fractions) != len(keys) or min(len(masses), len(fractions)) < 2:
        raise OptionError(
            "the simulated signals form no grid in the mass of A' and the fraction of the highest "
            "h' mass"
        )
    values = np.full((len(masses), len(fractions), 6), np.nan)
    for n, key in enumerate(keys):
        sample = samples.signals[key]
        measured = _measure(key, sample.select(passing(sample, scan.cuts)), scan)
        if measured is not None:
            values[n // len(fractions), n % len(fractions)] = measured
    # A point without acceptance has no resolution: take that of the nearest with some.
    known = ~np.isnan(values[..., 0])
    if not known.any():
        raise OptionError("no simulated signal passes the cuts")
    where = np.argwhere(known)
    for i, j in np.argwhere(~known):
        nearest = where[np.argmin(((where - (i, j)) ** 2 * (1.0, 0.1)).sum(axis=1))]
        values[i, j] = values[tuple(nearest)]
        values[i, j, 3:5] = 0.0
    return Response(masses=masses, fractions=fractions, values=values)


def _hypotheses(scan: PlaneScan, response: Response) -> Iterator[tuple[float, float]]:
    """Masses of A' and h', GeV, in steps of the resolutions."""
    mass = scan.low_gev
    while mass <= min(scan.high_gev, CM_ENERGY_GEV - 0.05):
        top = _highest_higgs(mass)
        higgs = scan.higgs_low_gev
        while higgs < top:
            yield mass, higgs
            step = scan.step_sigma * float(response.at(mass, higgs)[1])
            higgs = float(np.sqrt(higgs**2 + step))
        mass += scan.step_sigma * float(response.at(mass, 0.5 * top)[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows of one process, sorted by dimuon mass."""

    x: FloatArray
    y: FloatArray
    events: FloatArray

    @classmethod
    def of(cls, candidates: Candidates, luminosity_ipb: float) -> Rows:
        """Rows of candidates at a luminosity."""
        order = np.argsort(candidates["m_ll_gev"], kind="stable")
        return cls(
            x=candidates["m_ll_gev"][order],
            y=candidates["recoil_mass_squared_gev2"][order],
            events=candidates.events(luminosity_ipb)[order],
        )

    def near(self, ellipse: Ellipse, reach: float) -> tuple[FloatArray, FloatArray]:
        """Squared distances and events of the rows within ``reach`` sigma in x."""
        half = reach * ellipse.sigma[0]
        low, high = np.searchsorted(self.x, [ellipse.centre[0] - half, ellipse.centre[0] + half])
        part = slice(int(low), int(high))
        return ellipse.distance(self.x[part], self.y[part]), self.events[part]


def _density(
    rows: Rows, ellipse: Ellipse, bounds: tuple[float, float], least_rows: float
) -> tuple[float, float, float]:
    """Events between two half axes, their variance, and the scale of the ellipse used."""
    content, variance, scale = 0.0, 0.0, 1.0
    for scale in _SCALES:
        distance, events = rows.near(ellipse, bounds[1] * scale)
        inside = distance < (bounds[1] * scale) ** 2
        if scale == 1.0:
            inside &= distance >= bounds[0] ** 2
            share = 1.0
        else:
            # The whole disc of the larger ellipse, by the ratio of areas.
            share = (bounds[1] ** 2 - bounds[0] ** 2) / (bounds[1] * scale) ** 2
        content = float(events[inside].sum()) * share
        variance = float((events[inside] ** 2).sum()) * share**2
        if content > 0.0 and content**2 / variance >= least_rows:
            break
    return content, variance, scale


def build_plane_scan(
    scan: PlaneScan, samples: SimulatedSamples, *, rng: np.random.Generator
) -> SearchProduct:
    """Return the workspace and the patches of a scan of the plane.

    Parameters
    ----------
    scan
        All choices.
    samples
        Dimuon candidates; signals by (mass of A', mass of h').
    rng
        Draws the pseudo-data.

    Raises
    ------
    OptionError
        The simulated signals form no grid, or none passes the cuts.
    """
    response = response_of(samples, scan)
    passed = {n: s.select(passing(s, scan.cuts)) for n, s in samples.backgrounds.items()}
    rows = {name: Rows.of(sample, scan.luminosity_ipb) for name, sample in passed.items()}
    # Pseudo-events are simulated rows, each drawn by its own Poisson number.
    drawn = {
        name: r.events if scan.asimov else rng.poisson(r.events).astype(float)
        for name, r in rows.items()
    }
    data = {name: Rows(x=r.x, y=r.y, events=drawn[name]) for name, r in rows.items()}
    patches: list[Patch] = []
    windows: dict[str, Any] = {}
    blind = 0
    scales = dict.fromkeys(map(str, _SCALES), 0)
    for mass, higgs in _hypotheses(scan, response):
        facts = response.at(mass, higgs)
        if facts[3] < scan.least_efficiency:
            blind += 1
            continue
        ellipse = Ellipse(
            centre=(mass, higgs**2),
            sigma=(float(facts[0]), float(facts[1])),
            correlation=float(facts[2]),
        )
        patch, window = ellipse_patch(scan, ellipse, (mass, higgs), facts, rows=rows, data=data)
        scales[str(window.pop("scale"))] += 1
        patches.append(patch)
        windows[patch.name] = window
    edges, channels, counts = _spectrum(scan, rows, data)
    sidecar = {
        "schema": "darkstats.meta/1",
        "simulated": True,
        "poi_label": f"cross section x BR / {1e3 * scan.reference_pb:g} fb",
        "channels": {
            "plane": {
                "label": "plane, rows of dimuon mass",
                "axis": "bin of (dimuon mass, recoil mass)",
                "m_mumu_edges_gev": edges[0],
                "m_recoil_edges_gev": edges[1],
                "cuts": [cut.plain() for cut in scan.cuts],
            }
        },
        "reference_cross_section_pb": scan.reference_pb,
        "data": "simulated: " + ("Asimov data" if scan.asimov else "pseudo-data, fixed seed"),
        "windows": windows,
    }
    below = {n: s["m_ll_gev"] ** 2 > s["recoil_mass_squared_gev2"] for n, s in passed.items()}
    summary = {
        "yields": {
            "plane": {
                n: significant(float(s.events(scan.luminosity_ipb)[below[n]].sum()))
                for n, s in passed.items()
            }
        },
        "equivalent_luminosity_ipb": {
            n: significant(s.equivalent_luminosity_ipb) for n, s in samples.backgrounds.items()
        },
        "n_hypotheses": {"ellipses": len(patches), "without_sensitivity": blind},
        "scale_of_the_density_ellipse": scales,
        "signal_efficiency": {
            "ellipse": {
                f"{key[0]:g}, {key[1]:g}": significant(
                    float(
                        response.values[
                            n // len(response.fractions), n % len(response.fractions), 3
                        ]
                    )
                )
                for n, key in enumerate(sorted(samples.signals))
            }
        },
    }
    return SearchProduct(
        workspace=background_document({"plane": channels}, {"plane": counts}),
        labels=("m_dark_photon_gev", "m_dark_higgs_gev"),
        patches=tuple(patches),
        sidecar=sidecar,
        summary=summary,
        events={} if scan.asimov else {"plane": drawn_events(data)},
    )


def drawn_events(data: Mapping[str, Rows]) -> dict[str, FloatArray]:
    """The drawn rows as single events, by column; a row that was drawn twice is there twice."""
    repeats = [np.repeat(np.arange(len(r.x)), r.events.astype(np.int64)) for r in data.values()]
    pairs = list(zip(data.values(), repeats, strict=True))
    return {
        "m_ll_gev": np.concatenate([r.x[k] for r, k in pairs]),
        "recoil_mass_squared_gev2": np.concatenate([r.y[k] for r, k in pairs]),
    }


def ellipse_patch(
    scan: PlaneScan,
    ellipse: Ellipse,
    masses: tuple[float, float],
    facts: FloatArray,
    *,
    rows: Mapping[str, Rows],
    data: Mapping[str, Rows],
) -> tuple[Patch, dict[str, Any]]:
    """Patch of one hypothesis, and what a sidecar says of it."""
    factor = scan.luminosity_ipb * scan.reference_pb
    signal_modifiers = [
        normfactor("mu"),
        *scan.modifiers("signal", signal=True),
        normsys("signal_simulation", max(float(facts[5]), 1e-6)),
    ]
    bounds = {"ellipse": (0.0, scan.ellipse_sigma), "ring": scan.ring_sigma}
    channels: dict[str, list[dict[str, Any]]] = {}
    observed: dict[str, FloatArray] = {}
    background: dict[str, dict[str, float]] = {}
    errors: dict[str, float] = {}
    worst = 1.0
    for k, (name, limits) in enumerate(bounds.items()):
        contents = {n: _density(r, ellipse, limits, scan.least_rows) for n, r in rows.items()}
        total = sum(content for content, _, _ in contents.values())
        if name == "ellipse":
            worst = max(contents.values())[2]  # of the largest background
        if total < _FLOOR_EVENTS:
            contents["simulation_floor"] = (_FLOOR_EVENTS, _FLOOR_EVENTS**2, worst)
        channels[name] = [
            {
                "name": "signal",
                "data": rounded(factor * facts[3 + k : 4 + k]),
                "modifiers": signal_modifiers,
            },
            *(
                {
                    "name": n,
                    "data": [significant(content)],
                    "modifiers": [
                        *scan.modifiers(n, signal=False),
                        staterror(f"staterror_{name}", np.array([variance])),
                    ],
                }
                for n, (content, variance, _) in contents.items()
                if content > 1e-7
            ),
        ]
        background[name] = {n: significant(c[0]) for n, c in contents.items()}
        errors[name] = significant(float(np.sqrt(sum(c[1] for c in contents.values()))))
        count = 0.0
        for r in data.values():
            distance, events = r.near(ellipse, limits[1])
            count += float(events[_between(distance, limits)].sum())
        observed[name] = np.array([count])
    signal = factor * float(facts[3])
    expected = sum(background["ellipse"].values())
    reach = 20.0 * (2.0 * np.sqrt(expected) + 5.0) / signal
    name = f"ma_{masses[0]:.4f}_mh_{masses[1]:.4f}".replace(".", "p")
    window = {
        "mass_gev": [round(masses[0], 4), round(masses[1], 4)],
        "centre": [significant(ellipse.centre[0]), significant(ellipse.centre[1])],
        "sigma": [significant(ellipse.sigma[0]), significant(ellipse.sigma[1])],
        "correlation": significant(ellipse.correlation),
        "efficiency": significant(float(facts[3])),
        "background_events": significant(expected),
        "background_statistical_error": errors["ellipse"],
        "background_by_process": background["ellipse"],
        "scale": worst,
    }
    patch = Patch(
        name=name,
        values=(round(masses[0], 4), round(masses[1], 4)),
        operations=replacement(
            channels,
            observed,
            [parameter("mu", 0.0, significant(reach), significant(0.05 * reach))],
        ),
    )
    return patch, window


def _between(distance: FloatArray, limits: tuple[float, float]) -> BoolArray:
    return np.asarray((distance >= limits[0] ** 2) & (distance < limits[1] ** 2))


def _spectrum(
    scan: PlaneScan, rows: Mapping[str, Rows], data: Mapping[str, Rows]
) -> tuple[tuple[list[float], list[float]], list[dict[str, Any]], FloatArray]:
    """The whole plane once, in coarse bins: edges, samples and counts."""
    first = np.arange(scan.low_gev, scan.high_gev + scan.grid_gev[0], scan.grid_gev[0])
    second = np.arange(0.0, 8.0 + scan.grid_gev[1], scan.grid_gev[1])

    def filled(r: Rows) -> FloatArray:
        recoil = np.sqrt(np.maximum(r.y, 0.0))
        content = np.histogram2d(r.x, recoil, bins=(first, second), weights=r.events)[0]
        return np.asarray(content.ravel())

    samples = [
        {"name": n, "data": rounded(filled(r)), "modifiers": scan.modifiers(n, signal=False)}
        for n, r in rows.items()
    ]
    counts = sum((filled(r) for r in data.values()), np.zeros(1))
    edges = ([significant(e) for e in first], [significant(e) for e in second])
    return edges, samples, counts
