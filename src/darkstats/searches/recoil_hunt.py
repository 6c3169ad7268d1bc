"""Windows in the squared mass that recoils against two leptons: counts, or a fit in two dimensions.

One builder serves the searches for an invisible Z'. With ``layout: adjacent`` a hypothesis is one
count in a window of plus/minus two resolutions, and a second set lies half a window higher
(arXiv:1912.11276); with ``layout: sliding`` it is a template fit in bins of the squared recoil
mass and of the recoil's polar angle (arXiv:2212.03066).

The background-only workspace holds the spectrum of each region of cuts once, on a fine grid;
windows are whole fine bins of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.errors import OptionError
from darkstats.searches.cuts import passing
from darkstats.searches.fit_cuts import FitBins, fitted_recoil_cuts
from darkstats.searches.network import Network
from darkstats.searches.network_training import NetworkChoice, train, trained_with
from darkstats.searches.optimise import Optimisation, halves, stepped_cuts
from darkstats.searches.products import Patch, SearchProduct
from darkstats.searches.recoil_spectra import (
    ANGLE,
    VARIABLE,
    SignalPoint,
    SmoothSpectrum,
    angles_of,
    signal_in,
    signal_point,
    well_simulated_rows,
)
from darkstats.searches.recoil_windows import (
    RecoilWidths,
    adjacent_centres,
    measured_widths,
    require_countable,
    sliding_centres,
)
from darkstats.searches.signal_masses import require_declared_squares
from darkstats.searches.smooth_cuts import smooth_recoil_cuts
from darkstats.searches.smoothing_errors import simulation_errors
from darkstats.searches.windows import fine_edges, nearest_edges
from darkstats.templates.histfactory import (
    background_document,
    histosys,
    normfactor,
    normsys,
    parameter,
    replacement,
    rounded,
    significant,
)
from darkstats.templates.smoothing import smoothing_kernel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from darkstats.arrays import FloatArray, IndexArray
    from darkstats.searches.cuts import AnyCut
    from darkstats.searches.products import SimulatedSamples
    from darkstats.simulation.candidates import Candidates

__all__ = ["RecoilHunt", "build_recoil_hunt"]

_LEAST_EVENTS = 1e-6  # a process with less is left out of a window
_FLOOR_EVENTS = 1e-4  # of a window that simulation leaves empty


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoilHunt:
    """Choices of a search in recoil windows.

    Parameters
    ----------
    luminosity_ipb
        Integrated luminosity, per pb.
    asimov
        Whether the data are the simulated expectation, not drawn from it.
    layout
        ``"adjacent"`` or ``"sliding"``.
    first_gev, high_gev
        Mass at the centre of the first window; no centre lies above ``high_gev``.
    excluded_gev
        Ranges of mass without hypotheses, such as those around known resonances.
    window_sigma
        Half width of a window in resolutions.
    bin_sigma
        Width of its bins (sliding layout); an adjacent window is one bin.
    step_sigma
        Step between hypotheses (sliding layout).
    theta_edges_deg
        Edges in the c.m. polar angle of the recoil (sliding layout).
    largest_simulation_error
        Neighbouring bins in the angle are merged in a window until the simulated background of
        each bin has no larger relative error (sliding layout).
    widths
        Resolution.
    cuts
        On the columns of the candidates.
    optimise
        Chooses further cuts by mass; None for the same cuts at all masses.
    network
        A network that tells signal from background, one more column that ``optimise`` can scan;
        None for none.
    smoothing_sigma
        Width of the Gaussian kernel, in resolutions, by process; processes that are not named
        are not smoothed.
    systematics
        Relative errors by group: ``signal``, ``background``, or the name of one process; the same
        name is one nuisance parameter.
    resolution_error
        Relative error of the resolution (sliding layout).
    reference_pb
        Cross section of ``mu = 1``: Born level, or efficiency times cross section where there is
        no model of the signal.
    variable, angle
        Columns of the squared mass that windows are in, GeV^2, and of the polar angle, rad; without
        a column of the angle there is one bin in it.
    variable_words, mass_label
        What the squared mass is, and the label of the hypotheses' masses in the patch set.
    """

    luminosity_ipb: float
    asimov: bool
    layout: str
    first_gev: float
    high_gev: float
    widths: RecoilWidths
    excluded_gev: tuple[tuple[float, float], ...] = ()
    window_sigma: float = 2.0
    bin_sigma: float = 1.0
    step_sigma: float = 1.0
    theta_edges_deg: tuple[float, ...] = (0.0, 180.0)
    largest_simulation_error: float = math.inf
    cuts: tuple[AnyCut, ...] = ()
    optimise: Optimisation | None = None
    network: NetworkChoice | None = None
    smoothing_sigma: Mapping[str, float] = field(default_factory=dict)
    systematics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    resolution_error: float = 0.0
    reference_pb: float = 1.0
    bins_per_sigma: int = 8
    variable: str = VARIABLE
    angle: str | None = ANGLE
    variable_words: str = "squared recoil mass"
    mass_label: str = "m_zprime_gev"

    def __post_init__(self) -> None:
        """Check the bins in the angle, and the network.

        Raises
        ------
        OptionError
            There are several bins and no column that they are of, or a network that no cut uses or
            whose events are in both halves.
        """
        if self.angle is None and len(self.theta_edges_deg) != 2:
            raise OptionError("theta_edges_deg has several bins: name the column of their angle")
        if self.network is None:
            return
        if self.optimise is None or self.network.name not in self.optimise.scan:
            raise OptionError(
                f"no cut uses the network: add {self.network.name!r} to optimise.scan, with bounds "
                "between 0 and 1"
            )
        if not self.optimise.events_by:
            raise OptionError(
                "a network is trained on other events than those that fill the templates: add "
                "optimise.events_by, a column that all rows of an event have alike"
            )

    def with_widths(self, signals: Mapping[tuple[float, ...], Candidates]) -> RecoilHunt:
        """The same with the resolution of its simulated signals, where the card has none.

        Raises
        ------
        OptionError
            There are too few signals to measure it, or they are of another mass than declared.
        """
        kept = {key: sample.select(passing(sample, self.cuts)) for key, sample in signals.items()}
        widths = self.widths if self.widths.points else measured_widths(kept, self.variable)
        require_declared_squares(kept, self.variable, widths)
        return self if self.widths.points else replace(self, widths=widths)

    def centres_gev2(self) -> tuple[FloatArray, IndexArray]:
        """Squared masses of the hypotheses, and the set (0, or 1 for shifted) that each is in.

        Raises
        ------
        OptionError
            There would be too many windows or fine bins.
        """
        require_countable(
            self.widths,
            self.first_gev,
            self.high_gev,
            step_sigma=self.step_sigma if self.layout == "sliding" else self.window_sigma,
            bins_per_sigma=self.bins_per_sigma,
            variable=self.variable,
        )
        if self.layout == "sliding":
            centres = sliding_centres(self.widths, self.first_gev, self.high_gev, self.step_sigma)
            sets = np.zeros(len(centres))
        else:
            both = adjacent_centres(self.widths, self.first_gev, self.high_gev, self.window_sigma)
            centres = np.concatenate(both)
            sets = np.concatenate([np.full(len(one), n) for n, one in enumerate(both)])
        kept = np.ones(len(centres), dtype=bool)
        for low, high in self.excluded_gev:
            kept &= (centres < low**2) | (centres > high**2)
        return centres[kept], sets[kept].astype(np.int64)

    def modifiers(self, sample: str, *, signal: bool) -> list[dict[str, Any]]:
        """Relative errors of a sample."""
        errors = dict(self.systematics.get("signal" if signal else "background", {}))
        errors |= self.systematics.get(sample, {})
        return [normsys(name, relative) for name, relative in errors.items()]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Region:
    """One set of cuts, and the hypotheses that use it."""

    name: str
    cuts: tuple[AnyCut, ...]
    spectra: Mapping[str, SmoothSpectrum]
    signals: tuple[SignalPoint, ...]
    data: FloatArray  # [theta, fine bin]


def _grid(hunt: RecoilHunt, centres: FloatArray) -> FloatArray:
    """Fine edges that cover all windows, GeV^2."""
    reach = hunt.window_sigma + 1.0
    low = centres.min() - reach * hunt.widths.at_squared(float(centres.min()))
    high = centres.max() + reach * hunt.widths.at_squared(float(centres.max()))
    return fine_edges(hunt.widths, low, high, bins_per_sigma=hunt.bins_per_sigma)


def _window(hunt: RecoilHunt, centre: float, grid: FloatArray) -> IndexArray:
    """Indices of the fine edges that bound the bins of a window."""
    sigma = hunt.widths.at_squared(centre)
    n = 1 if hunt.layout == "adjacent" else max(2, round(2.0 * hunt.window_sigma / hunt.bin_sigma))
    wanted = centre + sigma * np.linspace(-hunt.window_sigma, hunt.window_sigma, n + 1)
    return np.unique(nearest_edges(grid, wanted))


def _spectra(
    hunt: RecoilHunt, backgrounds: Mapping[str, Candidates], grid: FloatArray
) -> dict[str, SmoothSpectrum]:
    bins = (np.radians(hunt.theta_edges_deg), grid)
    kernels = _kernels(hunt, tuple(backgrounds), grid)
    found = {}
    for name, sample in backgrounds.items():
        events = sample.events(hunt.luminosity_ipb)
        place = (angles_of(sample, hunt.angle), sample[hunt.variable])
        found[name] = SmoothSpectrum(
            counts=np.histogram2d(*place, bins=bins, weights=events)[0],
            variances=np.histogram2d(*place, bins=bins, weights=events**2)[0],
            kernel=kernels[name],
        )
    return found


def _kernels(
    hunt: RecoilHunt, processes: tuple[str, ...], grid: FloatArray
) -> dict[str, FloatArray | None]:
    """Smoothing of each process; None for none."""
    widths = {name: hunt.smoothing_sigma.get(name, 0.0) * hunt.bins_per_sigma for name in processes}
    made = {width: smoothing_kernel(grid, width) for width in set(widths.values()) if width > 0.0}
    return {name: made.get(width) for name, width in widths.items()}


def _fit_bins(hunt: RecoilHunt, processes: tuple[str, ...], grid: FloatArray) -> FitBins:
    """Bins and errors of the fit, for the choice of its cuts."""
    common = hunt.systematics.get("background", {})
    return FitBins(
        grid=grid,
        window=lambda centre: _window(hunt, centre, grid),
        theta_edges_deg=hunt.theta_edges_deg,
        kernels=_kernels(hunt, processes, grid),
        widths=hunt.widths,
        variable=hunt.variable,
        angle=hunt.angle,
        largest_simulation_error=hunt.largest_simulation_error,
        yields={name: {**common, **hunt.systematics.get(name, {})} for name in processes},
    )


def _regions(
    hunt: RecoilHunt, samples: SimulatedSamples, grid: FloatArray, rng: np.random.Generator
) -> tuple[tuple[_Region, ...], dict[str, Any], Network | None]:
    """Return the regions, what the optimisation found, and the network."""
    backgrounds, signals = dict(samples.backgrounds), dict(samples.signals)
    # Windows with and without rows in the angle have channels of their own, so that a join of two
    # searches holds both.
    spectrum = "recoil" if len(hunt.theta_edges_deg) == 2 else "recoil_angle"
    choices: list[tuple[str, tuple[AnyCut, ...]]] = [(spectrum, hunt.cuts)]
    facts: dict[str, Any] = {}
    network: Network | None = None
    if hunt.optimise is not None:
        if not signals:
            raise OptionError("cuts cannot be optimised without a simulated signal")
        by = hunt.optimise.events_by
        split = {name: halves(sample, by) for name, sample in backgrounds.items()}
        split_signals = {key: halves(sample, by) for key, sample in signals.items()}
        training = _halves_of(0, split_signals, split)
        if hunt.network is not None:
            network = hunt.network.network
            if network is None:
                network = train(hunt.network, *training, variable=hunt.variable, widths=hunt.widths)
            name = hunt.network.name
            split = {n: _with(network, name, pair) for n, pair in split.items()}
            split_signals = {key: _with(network, name, p) for key, p in split_signals.items()}
            training = _halves_of(0, split_signals, split)
        if hunt.optimise.figure == "fit":
            smooth, facts = fitted_recoil_cuts(
                hunt.optimise,
                *training,
                base=hunt.cuts,
                bins=_fit_bins(hunt, tuple(backgrounds), grid),
                luminosity_ipb=hunt.luminosity_ipb,
            )
            choices = [(spectrum, (*hunt.cuts, *smooth))]
        elif hunt.optimise.cuts == "smooth":
            smooth, facts = smooth_recoil_cuts(
                hunt.optimise,
                *training,
                base=hunt.cuts,
                variable=hunt.variable,
                widths=hunt.widths,
                luminosity_ipb=hunt.luminosity_ipb,
            )
            choices = [(spectrum, (*hunt.cuts, *smooth))]
        else:
            sliding = hunt.layout == "sliding"
            stepped, facts = stepped_cuts(
                hunt.optimise,
                *training,
                base=hunt.cuts,
                variable=hunt.variable,
                widths=hunt.widths,
                luminosity_ipb=hunt.luminosity_ipb,
                half_width_sigma=2.0 if sliding else hunt.window_sigma,
            )
            choices = [(name, (*hunt.cuts, *cuts)) for name, cuts in stepped.items()]
        signals, backgrounds = _halves_of(1, split_signals, split)
    regions = []
    for name, cuts in choices:
        passed = {n: s.select(passing(s, cuts)) for n, s in backgrounds.items()}
        spectra = _spectra(hunt, passed, grid)
        points = tuple(
            signal_point(
                key[0],
                sample.select(passing(sample, cuts)),
                widths=hunt.widths,
                theta_edges_deg=hunt.theta_edges_deg,
                variable=hunt.variable,
                angle=hunt.angle,
            )
            for key, sample in sorted(signals.items())
        )
        expected = sum((s.density for s in spectra.values()), np.zeros((1, 1)))
        data = expected if hunt.asimov else rng.poisson(expected).astype(float)
        regions.append(_Region(name=name, cuts=cuts, spectra=spectra, signals=points, data=data))
    return tuple(regions), facts, network


_Pair = tuple["Candidates", "Candidates"]


def _halves_of(
    which: int, signals: Mapping[tuple[float, ...], _Pair], backgrounds: Mapping[str, _Pair]
) -> tuple[dict[tuple[float, ...], Candidates], dict[str, Candidates]]:
    """The half that chooses (0), or that fills (1), of signals and backgrounds."""
    return (
        {key: pair[which] for key, pair in signals.items()},
        {name: pair[which] for name, pair in backgrounds.items()},
    )


def _with(network: Network, name: str, pair: _Pair) -> _Pair:
    one, other = (network.added(half, name) for half in pair)
    return one, other


def _patch(
    hunt: RecoilHunt, region: _Region, centre: float, kind: int, grid: FloatArray
) -> tuple[Patch, dict[str, Any]] | None:
    """Patch of one hypothesis, or None where no signal is left, or a single simulated row."""
    mass = float(np.sqrt(centre))
    first = _window(hunt, centre, grid)
    gathered = {name: spectrum.gather(first) for name, spectrum in region.spectra.items()}
    background, variances = (np.sum(part, axis=0) for part in zip(*gathered.values(), strict=True))
    rows = well_simulated_rows(background, variances, hunt.largest_simulation_error)
    edges = grid[first]
    factor = hunt.luminosity_ipb * hunt.reference_pb
    modifiers = [normfactor("mu"), *hunt.modifiers("signal", signal=True)]
    if region.signals:
        nominal, error = signal_in(region.signals, mass, edges, widths=hunt.widths)
        if error >= 1.0:  # one simulated row, or none: a yield that may be zero has no factor
            return None
        nominal = np.add.reduceat(nominal, rows, axis=0)
        modifiers.append(normsys("signal_simulation", max(error, 1e-6)))
    else:
        nominal = np.full((1, len(edges) - 1), 1.0 / (len(edges) - 1))
    if nominal.sum() <= 1e-5:
        return None
    if region.signals and hunt.resolution_error > 0.0:
        wide, _ = signal_in(
            region.signals, mass, edges, widths=hunt.widths, widened=1.0 + hunt.resolution_error
        )
        narrow, _ = signal_in(
            region.signals, mass, edges, widths=hunt.widths, widened=1.0 - hunt.resolution_error
        )
        varied = (factor * np.add.reduceat(one, rows, axis=0).ravel() for one in (narrow, wide))
        modifiers.append(histosys("signal_resolution", *varied))
    channel = f"{region.name}_window"
    found: list[tuple[str, FloatArray, FloatArray]] = []
    for name, parts in gathered.items():
        content, variance = (np.add.reduceat(part, rows, axis=0) for part in parts)
        if content.sum() > _LEAST_EVENTS:
            found.append((name, content.ravel(), variance.ravel()))
    covariances = {  # a window of one bin has nothing that moves together
        name: spectrum.covariance(first, rows)
        for name, spectrum in region.spectra.items()
        if spectrum.kernel is not None and len(first) > 2
    }
    data = np.add.reduceat(region.data, rows, axis=0)
    observed = np.add.reduceat(data, first, axis=1)[:, : len(first) - 1].ravel()
    total = sum((content for _, content, _ in found), np.zeros(nominal.size))
    empty = total < _FLOOR_EVENTS
    samples: list[dict[str, Any]] = [
        {"name": "signal", "data": rounded(factor * nominal.ravel()), "modifiers": modifiers}
    ]
    if empty.any() or not found:
        floor = np.where(empty, _FLOOR_EVENTS, 0.0)
        found.append(("simulation_floor", floor, floor**2))
    samples += [
        {
            "name": name,
            "data": rounded(content),
            "modifiers": [
                *hunt.modifiers(name, signal=False),
                *simulation_errors(
                    name, content, variance, covariances.get(name), f"staterror_{channel}"
                ),
            ],
        }
        for name, content, variance in found
    ]
    background = float(sum(content.sum() for _, content, _ in found))
    signal = float(factor * nominal.sum())
    reach = 20.0 * (2.0 * np.sqrt(background) + 5.0) / signal
    name = f"m_{mass:.4f}".replace(".", "p") + ("_shifted" if kind else "")
    facts = {
        "mass_gev": significant(mass),
        "spectrum": region.name,
        "set": "shifted" if kind else "nominal",
        "edges_gev2": rounded(edges),
        "theta_edges_deg": [
            *np.array(hunt.theta_edges_deg)[rows].tolist(),
            hunt.theta_edges_deg[-1],
        ],
        "rows": rows.tolist(),
        "resolution_gev2": significant(hunt.widths.at_squared(centre)),
        "efficiency": significant(float(nominal.sum())),
        "signal_events_per_pb": significant(signal / hunt.reference_pb),
        "background_events": significant(background),
        "background_by_process": {n: significant(float(c.sum())) for n, c, _ in found},
        "background_statistical_error": significant(
            math.sqrt(sum(float(covariances.get(n, v).sum()) for n, _, v in found))
        ),
    }
    parameters = [parameter("mu", 0.0, significant(reach), significant(0.05 * reach))]
    patch = Patch(
        name=name,
        values=(round(mass, 4), kind),
        operations=replacement({channel: samples}, {channel: observed}, parameters),
    )
    return patch, facts


def build_recoil_hunt(
    hunt: RecoilHunt, samples: SimulatedSamples, *, rng: np.random.Generator
) -> SearchProduct:
    """Return the workspace and the patches of a search in recoil windows.

    Parameters
    ----------
    hunt
        All choices.
    samples
        Dilepton candidates; without signals, ``mu`` scales efficiency times cross section.
    rng
        Draws the pseudo-data.

    Raises
    ------
    OptionError
        A hypothesis lies outside the simulated masses.
    """
    measured = not hunt.widths.points
    hunt = hunt.with_widths(samples.signals)
    centres, sets = hunt.centres_gev2()
    grid = _grid(hunt, centres)
    regions, optimised, network = _regions(hunt, samples, grid, rng)
    patches: list[Patch] = []
    windows: dict[str, Any] = {}
    fill: dict[str, Any] = {}
    blind: list[float] = []
    for centre, kind in zip(centres, sets, strict=True):
        mass = float(np.sqrt(centre))
        region = regions[0]
        if hunt.optimise is not None and len(regions) > 1:
            chosen = np.argmin(np.abs(np.array(hunt.optimise.masses_gev) - mass))
            region = regions[int(chosen)]
        made = _patch(hunt, region, float(centre), int(kind), grid)
        if made is None:
            blind.append(significant(mass))
            continue
        patches.append(made[0])
        windows[made[0].name] = made[1]
        fill[made[0].name] = {
            f"{region.name}_window": {
                "spectrum": region.name,
                "edges": _window(hunt, float(centre), grid).tolist(),
                "row_length": len(grid) - 1,
                "rows": made[1].pop("rows"),
            }
        }
    channels = {
        region.name: [
            {
                "name": name,
                "data": rounded(np.maximum(spectrum.density, 0.0).ravel()),
                "modifiers": hunt.modifiers(name, signal=False),
            }
            for name, spectrum in region.spectra.items()
        ]
        for region in regions
    }
    sidecar = {
        "schema": "darkstats.meta/1",
        "simulated": True,
        "poi_label": (
            f"cross section / {hunt.reference_pb:g} pb"
            if samples.signals
            else f"efficiency x cross section / {hunt.reference_pb:g} pb"
        ),
        "channels": {
            region.name: {
                "label": region.name.replace("_", " "),
                "axis": f"{hunt.variable_words} [GeV$^2$]",
                "edges": [float(edge) for edge in grid],
                "theta_edges_deg": list(hunt.theta_edges_deg),
                "cuts": [cut.plain() for cut in region.cuts],
            }
            for region in regions
        },
        "reference_cross_section_pb": hunt.reference_pb,
        "data": "simulated: " + ("Asimov data" if hunt.asimov else "pseudo-data, fixed seed"),
        "spectra_share_events": len(regions) > 1,
        "windows": windows,
    }
    summary: dict[str, Any] = {
        "yields": {
            region.name: {
                name: significant(float(spectrum.counts.sum()))
                for name, spectrum in region.spectra.items()
            }
            for region in regions
        },
        "equivalent_luminosity_ipb": {
            name: significant(
                max(
                    sample.equivalent_luminosity_ipb,
                    hunt.luminosity_ipb
                    * max(region.spectra[name].effective_share() for region in regions),
                )
            )
            for name, sample in samples.backgrounds.items()
        },
        "n_hypotheses": {
            "nominal": int((sets == 0).sum()),
            "shifted": int((sets == 1).sum()),
        },
        "without_sensitivity_gev": blind,
        "optimisation": optimised,
        "signal_efficiency": {
            region.name: {
                f"{point.mass_gev:g}": significant(point.efficiency) for point in region.signals
            }
            for region in regions
        },
    }
    if hunt.excluded_gev:
        summary["excluded_gev"] = [list(limits) for limits in hunt.excluded_gev]
    if hunt.network is not None and network is not None:
        sidecar["networks"] = {hunt.network.name: network.plain()}
        summary["network"] = {
            "name": hunt.network.name,
            **hunt.network.settings(),
            "trained_here": hunt.network.network is None,
        }
        if hunt.network.network is None:
            summary["network"]["trained_with"] = trained_with()
    if measured:
        summary["widths_gev2"] = [[mass, significant(width)] for mass, width in hunt.widths.points]
    return SearchProduct(
        workspace=background_document(
            channels, {region.name: region.data.ravel() for region in regions}
        ),
        labels=(hunt.mass_label, "shifted"),
        patches=tuple(patches),
        sidecar=sidecar,
        summary=summary,
        fill={"windows": fill},
    )
