"""The bump hunt: a narrow peak on a smooth spectrum, e+e- -> gamma a, a -> gamma gamma.

Three spectra stand in the background-only workspace, each once and on a fine grid: the squared
di-photon mass under the harder and the softer photon threshold, and the squared mass that recoils
against a photon. A patch replaces them by the window of one mass hypothesis: a signal, and a
smooth background of Bernstein polynomials with free, non-negative coefficients, which any pyhf
tool can read. The three spectra share events: they are a source of windows, never one likelihood.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.searches.bump_fits import WindowFit, fit_of, spurious_errors, told
from darkstats.searches.bump_spectra import (
    SignalPoint,
    Spectrum,
    signal_in,
    signal_point,
    spectra_of,
)
from darkstats.searches.products import Patch, SearchProduct, SimulatedSamples
from darkstats.templates.histfactory import histosys, normsys, rounded, significant
from darkstats.templates.smoothing import smoothed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from darkstats.arrays import FloatArray
    from darkstats.searches.bump_settings import BumpHunt

__all__ = ["build_bump_hunt"]


def _name(mass_gev: float) -> str:
    return f"m_{mass_gev:.4f}".replace(".", "p")


def _patch(
    fit: WindowFit,
    hunt: BumpHunt,
    points: list[SignalPoint],
    *,
    expected: FloatArray,
    data: FloatArray,
    peaking: Mapping[str, FloatArray],
    spurious: float,
) -> tuple[Patch, dict[str, Any]]:
    window, spectrum, order = fit.window, fit.spectrum, fit.order
    background = window.gather(expected)
    scale = max(float(background.sum()), 1.0) / (order + 1)
    factor = hunt.luminosity_ipb * hunt.reference_pb
    nominal, efficiency, statistical = signal_in(window, points, spectrum)
    wide, _, _ = signal_in(window, points, spectrum, widened=1.0 + hunt.resolution_error)
    narrow, _, _ = signal_in(window, points, spectrum, widened=1.0 - hunt.resolution_error)
    share = (window.mass_gev - hunt.low_gev) / (hunt.high_gev - hunt.low_gev)
    first, last = hunt.efficiency_error
    signal = {
        "name": "signal",
        "data": rounded(factor * nominal),
        "modifiers": [
            {"name": "mu", "type": "normfactor", "data": None},
            normsys("luminosity", hunt.luminosity_error),
            normsys("signal_efficiency", first + (last - first) * share),
            normsys("signal_simulation", max(statistical, 1e-6)),
            {
                "name": "signal_resolution",
                "type": "histosys",
                "data": {"lo_data": rounded(factor * narrow), "hi_data": rounded(factor * wide)},
            },
        ],
    }
    samples = [signal]
    for k, row in enumerate(spectrum.background_rows(window, order)):
        samples.append(
            {
                "name": f"bernstein_{k}",
                "data": rounded(scale * row),
                "modifiers": [{"name": f"c_{k}", "type": "normfactor", "data": None}],
            }
        )
    for name, fine in peaking.items():
        inside = window.gather(fine)
        if inside.sum() > 1e-3:
            samples.append(
                {
                    "name": name,
                    "data": rounded(inside),
                    "modifiers": [normsys(f"{name}_yield", 0.3)],
                }
            )
    if hunt.spurious_term and spurious > 0.0:
        found = spurious * factor * nominal
        samples.append(
            {
                "name": "spurious_signal",
                "data": [0.0] * len(found),
                "modifiers": [histosys("spurious_signal", -found, found)],
            }
        )
    parameters = [{"name": "mu", "bounds": [[0.0, 20.0]], "inits": [0.1]}]
    parameters += [
        {"name": f"c_{k}", "bounds": [[0.0, 2.0 * (order + 1)]], "inits": [1.0]}
        for k in range(order + 1)
    ]
    observed = window.gather(data)
    channel = f"{spectrum.name}_window"
    operations = (
        {
            "op": "replace",
            "path": "/channels",
            "value": [{"name": channel, "samples": samples}],
        },
        {
            "op": "replace",
            "path": "/observations",
            "value": [{"name": channel, "data": rounded(observed)}],
        },
        {
            "op": "replace",
            "path": "/measurements/0/config",
            "value": {"poi": "mu", "parameters": parameters},
        },
    )
    name = _name(window.mass_gev)
    sigma = float(spectrum.resolution.mass_gev(np.array([window.mass_gev]))[0])
    centre = window.mass_gev**2
    half = 2.0 * float(spectrum.resolution.squared_gev2(np.array([window.mass_gev]))[0])
    near = (window.edges[1:] > centre - half) & (window.edges[:-1] < centre + half)
    facts = {
        "mass_gev": window.mass_gev,
        "spectrum": spectrum.name,
        "edges_gev2": rounded(window.edges),
        "order": order,
        "resolution_gev": float(f"{sigma:.6g}"),
        "efficiency": float(f"{efficiency:.6g}"),
        "signal_events_per_pb": float(f"{factor * nominal.sum() / hunt.reference_pb:.6g}"),
        "background_events": float(f"{background.sum():.6g}"),
        "background_events_within_2_sigma": float(f"{background[near].sum():.6g}"),
    }
    if fit.choice is not None:
        chosen = fit.choice.chosen
        facts |= {
            "extent": chosen.extent,
            "backgrounds_tried": len(fit.choice.tried),
            "backgrounds_accepted": fit.choice.n_good,
            "spurious_signal": significant(chosen.spurious),
            "spurious_signal_sigma": significant(chosen.spurious_sigma),
        }
        if hunt.spurious_term:
            facts["spurious_signal_error"] = significant(spurious)
    return Patch(name=name, values=(window.mass_gev,), operations=operations), facts


def build_bump_hunt(
    hunt: BumpHunt, samples: SimulatedSamples, *, rng: np.random.Generator
) -> SearchProduct:
    """Return the workspace and the patches of a bump hunt.

    Parameters
    ----------
    hunt
        All choices.
    samples
        Three-photon candidates: the backgrounds by name (names that end in ``_gamma`` peak, the
        others are smooth), the signals by simulated mass.
    rng
        Draws the pseudo-data.

    Raises
    ------
    OptionError
        A hypothesis lies outside the simulated masses or the grid.
    """
    spectra = spectra_of(hunt)
    smooth: dict[str, FloatArray] = {}
    peaking: dict[str, dict[str, FloatArray]] = {}
    yields: dict[str, dict[str, float]] = {}
    for spectrum in spectra:
        counts = {n: spectrum.counts(c, hunt) for n, c in samples.backgrounds.items()}
        yields[spectrum.name] = {n: float(f"{c.sum():.6g}") for n, c in counts.items()}
        peaking[spectrum.name] = {
            n: smoothed(c, spectrum.edges, 2.0) for n, c in counts.items() if n.endswith("_gamma")
        }
        continuum = [c for n, c in counts.items() if not n.endswith("_gamma")]
        smooth[spectrum.name] = smoothed(
            np.sum(continuum, axis=0) if continuum else np.zeros(len(spectrum.edges) - 1),
            spectrum.edges,
            12.0,
            shape=spectrum.acceptance,
        )
    expected = {
        name: smooth[name] + sum(peaking[name].values(), np.zeros(len(smooth[name])))
        for name in smooth
    }
    data = _pseudo_data(expected, hunt, rng)
    facts: dict[str, Any] = {}
    fill: dict[str, Any] = {}
    patches: list[Patch] = []
    by_mass = {key[0]: value for key, value in sorted(samples.signals.items())}
    points = {
        spectrum.name: [
            signal_point(mass, candidates, spectrum, hunt) for mass, candidates in by_mass.items()
        ]
        for spectrum in spectra
    }
    hard, soft, recoil = spectra
    low_masses, high_masses = hunt.masses_gev()
    fits = []
    for mass in (*low_masses, *high_masses):
        is_recoil = bool(mass >= high_masses[0] - 1e-9)
        spectrum = recoil if is_recoil else hard if mass < hunt.threshold_switch_gev else soft
        fits.append(
            fit_of(
                float(mass),
                spectrum,
                hunt,
                points[spectrum.name],
                expected=smooth[spectrum.name],
                recoil=is_recoil,
            )
        )
    tried = hunt.background_choice is not None
    errors = spurious_errors(fits) if tried else np.zeros(len(fits))
    for fit, error in zip(fits, errors, strict=True):
        window, spectrum = fit.window, fit.spectrum
        patch, fact = _patch(
            fit,
            hunt,
            points[spectrum.name],
            expected=smooth[spectrum.name],
            data=data[spectrum.name],
            peaking=peaking[spectrum.name],
            spurious=float(error),
        )
        patches.append(patch)
        facts[patch.name] = fact
        fill[patch.name] = {
            f"{spectrum.name}_window": {
                "spectrum": spectrum.name,
                "edges": window.first.tolist(),
                "row_length": len(spectrum.edges) - 1,
            }
        }
    sidecar = {
        "schema": "darkstats.meta/1",
        "simulated": True,
        "poi_label": f"cross section / {hunt.reference_pb:g} pb",
        "channels": {
            spectrum.name: {
                "label": spectrum.name.replace("_", " "),
                "axis": f"{spectrum.label} [GeV$^2$]",
                "edges": [float(edge) for edge in spectrum.edges],
            }
            for spectrum in spectra
        },
        "reference_cross_section_pb": hunt.reference_pb,
        "data": "simulated: " + ("Asimov data" if hunt.asimov else "pseudo-data, fixed seed"),
        "spectra_share_events": True,
        "windows": facts,
    }
    summary = {
        "yields": yields,
        "equivalent_luminosity_ipb": {
            name: float(f"{c.equivalent_luminosity_ipb:.6g}")
            for name, c in samples.backgrounds.items()
        },
        "n_hypotheses": {"diphoton": len(low_masses), "recoil": len(high_masses)},
        "signal_efficiency": {
            spectrum.name: {
                f"{point.mass_gev:g}": float(f"{point.efficiency:.6g}")
                for point in points[spectrum.name]
            }
            for spectrum in spectra
        },
    }
    if hunt.efficiency_reference != "born":
        summary["efficiency_reference"] = hunt.efficiency_reference
        sidecar["efficiency_reference"] = hunt.efficiency_reference
    if hunt.background_choice is not None:
        summary["background_choice"] = told(hunt, hunt.background_choice, fits)
    return SearchProduct(
        workspace=_background_only(spectra, smooth, peaking, data),
        labels=("m_a_gev",),
        patches=tuple(patches),
        sidecar=sidecar,
        summary=summary,
        fill={"windows": fill, "contains": {soft.name: hard.name}},
    )


def _pseudo_data(
    expected: Mapping[str, FloatArray], hunt: BumpHunt, rng: np.random.Generator
) -> dict[str, FloatArray]:
    """Counts per fine bin; what passes the harder threshold passes the softer one, too."""
    if hunt.asimov:
        return dict(expected)
    hard = rng.poisson(expected["diphoton_hard"])
    extra = np.maximum(expected["diphoton_soft"] - expected["diphoton_hard"], 0.0)
    return {
        "diphoton_hard": hard.astype(float),
        "diphoton_soft": (hard + rng.poisson(extra)).astype(float),
        "recoil": rng.poisson(expected["recoil"]).astype(float),
    }


def _background_only(
    spectra: tuple[Spectrum, ...],
    smooth: Mapping[str, FloatArray],
    peaking: Mapping[str, Mapping[str, FloatArray]],
    data: Mapping[str, FloatArray],
) -> dict[str, Any]:
    channels = []
    for spectrum in spectra:
        samples = [
            {
                "name": "continuum",
                "data": rounded(smooth[spectrum.name]),
                "modifiers": [
                    {"name": f"{spectrum.name}_scale", "type": "normfactor", "data": None}
                ],
            }
        ]
        samples += [
            {
                "name": name,
                "data": rounded(counts),
                "modifiers": [normsys(f"{name}_yield", 0.3)],
            }
            for name, counts in peaking[spectrum.name].items()
        ]
        channels.append({"name": spectrum.name, "samples": samples})
    return {
        "channels": channels,
        "observations": [
            {"name": spectrum.name, "data": rounded(data[spectrum.name])} for spectrum in spectra
        ],
        "measurements": [{"name": "search", "config": {"poi": "", "parameters": []}}],
        "version": "1.0.0",
    }
