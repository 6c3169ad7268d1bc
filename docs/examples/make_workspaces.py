"""Write the example workspaces that are shipped with darkstats.

Run in the root of the repository::

    python docs/examples/make_workspaces.py workspaces/examples

Every input is a formula and a seed in this file; all "observed" counts are simulated. The random
numbers come from the Mersenne Twister of the standard library, whose sequence Python guarantees, so
the files are the same wherever and whenever they are made.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import random
import sys
from pathlib import Path
from typing import Any

Json = dict[str, Any]
DIGITS = 4


def rounded(values: list[float]) -> list[float]:
    """Round to a fixed number of decimals: small files, the same on every platform."""
    return [round(value, DIGITS) for value in values]


def poisson(rng: random.Random, mean: float) -> int:
    """One Poisson variate by inversion of the cumulative distribution (means below 700)."""
    u, n, term = rng.random(), 0, math.exp(-mean)
    cumulative = term
    while u > cumulative and n < 10_000:
        n += 1
        term *= mean / n
        cumulative += term
    return n


def modifier(name: str, kind: str, data: object = None) -> Json:
    return {"name": name, "type": kind, "data": data}


def sample(name: str, data: list[float], *modifiers: Json) -> Json:
    return {"name": name, "data": rounded(data), "modifiers": list(modifiers)}


def workspace(
    channels: dict[str, list[Json]], observed: dict[str, list[int]], *parameters: Json
) -> Json:
    """Put channels and observations together, with one measurement of ``mu``."""
    measurement = {"name": "limit", "config": {"poi": "mu", "parameters": list(parameters)}}
    return {
        "channels": [{"name": name, "samples": parts} for name, parts in channels.items()],
        "observations": [{"name": name, "data": observed[name]} for name in channels],
        "measurements": [measurement],
        "version": "1.0.0",
    }


def two_bins() -> Json:
    """Two bins; the background of each is known to about ten percent, independently."""
    samples = [
        sample("signal", [6.0, 9.0], modifier("mu", "normfactor")),
        sample("background", [45.0, 38.0], modifier("background_bins", "shapesys", [4.5, 5.0])),
    ]
    return workspace({"signal_region": samples}, {"signal_region": [52, 41]})


def on_off() -> Json:
    """One signal bin ("on") and one background bin ("off") with three times the exposure."""
    background = modifier("background_rate", "normfactor")
    channels = {
        "on": [
            sample("signal", [10.0], modifier("mu", "normfactor")),
            sample("background", [8.0], background),
        ],
        "off": [sample("background", [24.0], background)],
    }
    return workspace(channels, {"on": [11], "off": [23]})


def three_channels() -> Json:
    """Signal, control and validation region with every common kind of systematic."""
    rng = random.Random(20260301)
    luminosity, jet_scale = modifier("lumi", "lumi"), "energy_scale"
    tau_norm = modifier("tau_pair_norm", "normfactor")
    tau_cross_section = modifier("tau_pair_shape", "normsys", {"lo": 0.94, "hi": 1.07})

    def scaled(data: list[float], down: float, up: float) -> Json:
        """Tilt a shape by a fraction that grows linearly over the bins."""
        steps = [index / max(len(data) - 1, 1) for index in range(len(data))]
        tilt = {
            "lo_data": rounded([y * (1 + down * x) for x, y in zip(steps, data, strict=True)]),
            "hi_data": rounded([y * (1 + up * x) for x, y in zip(steps, data, strict=True)]),
        }
        return modifier(jet_scale, "histosys", tilt)

    signal = {"signal_region": [2.1, 5.4, 4.3, 1.2], "validation_region": [0.6, 0.4]}
    tau = {
        "signal_region": [31.0, 22.0, 12.5, 6.0],
        "control_region": [140.0, 96.0, 51.0],
        "validation_region": [58.0, 27.0],
    }
    other = {
        "signal_region": [8.0, 6.5, 3.2, 1.9],
        "control_region": [11.0, 8.0, 5.0],
        "validation_region": [9.0, 6.0],
    }
    statistical = {
        "signal_region": [1.3, 1.1, 0.8, 0.6],
        "control_region": [3.0, 2.4, 1.8],
        "validation_region": [2.0, 1.4],
    }
    channels: dict[str, list[Json]] = {}
    for name, yields in tau.items():
        errors = modifier(f"staterror_{name}", "staterror", statistical[name])
        few = [0.2 * error for error in statistical[name]]
        few_errors = modifier(f"staterror_{name}", "staterror", rounded(few))
        channels[name] = [
            sample(
                "tau_pair",
                yields,
                tau_norm,
                tau_cross_section,
                scaled(yields, -0.1, 0.08),
                errors,
            ),
            sample(
                "other",
                other[name],
                luminosity,
                modifier("other_norm", "normsys", {"lo": 0.8, "hi": 1.2}),
                scaled(other[name], -0.06, 0.05),
                few_errors,
            ),
        ]
        if name in signal:
            channels[name].insert(
                0,
                sample(
                    "signal",
                    signal[name],
                    modifier("mu", "normfactor"),
                    luminosity,
                    modifier("signal_efficiency", "normsys", {"lo": 0.95, "hi": 1.05}),
                ),
            )
    observed = {
        name: [poisson(rng, a + b) for a, b in zip(tau[name], other[name], strict=True)]
        for name in tau
    }
    lumi_config = {
        "name": "lumi",
        "auxdata": [1.0],
        "sigmas": [0.017],
        "bounds": [[0.5, 1.5]],
        "inits": [1.0],
    }
    return workspace(channels, observed, lumi_config)


LOW_GEV, HIGH_GEV, N_BINS, ORDER = 1.0, 2.5, 30, 3
N_BACKGROUND, SLOPE_PER_GEV, RESOLUTION_GEV, SIGNAL_YIELD = 6000.0, 1.2, 0.045, 100.0
EDGES_GEV = [LOW_GEV + (HIGH_GEV - LOW_GEV) * index / N_BINS for index in range(N_BINS + 1)]


def bernstein(k: int, n: int, u: float) -> float:
    return math.comb(n, k) * u**k * (1.0 - u) ** (n - k)


def bernstein_template(k: int) -> list[float]:
    """Bin averages of one Bernstein polynomial, scaled so that its factor is of order one.

    The antiderivative of B(k, n) is the sum of B(j, n + 1) over j > k, divided by n + 1.
    """
    edges = [index / N_BINS for index in range(N_BINS + 1)]
    integral = [
        sum(bernstein(j, ORDER + 1, u) for j in range(k + 1, ORDER + 2)) / (ORDER + 1)
        for u in edges
    ]
    share = [high - low for low, high in itertools.pairwise(integral)]
    return [N_BACKGROUND * value for value in share]


def gaussian_template(mass_gev: float) -> list[float]:
    """A Gaussian peak of the detector resolution, integrated over the bins."""
    cdf = [0.5 * math.erfc((mass_gev - x) / (RESOLUTION_GEV * math.sqrt(2.0))) for x in EDGES_GEV]
    return [SIGNAL_YIELD * (high - low) for low, high in itertools.pairwise(cdf)]


def simulated_spectrum() -> list[int]:
    """Counts of an exponentially falling background without signal."""
    rng = random.Random(20260302)
    cumulative = [-math.expm1(-SLOPE_PER_GEV * (x - LOW_GEV)) for x in EDGES_GEV]
    shares = [high - low for low, high in itertools.pairwise(cumulative)]
    return [poisson(rng, N_BACKGROUND * share / cumulative[-1]) for share in shares]


def peak(mass_gev: float) -> Json:
    return sample(
        "signal",
        gaussian_template(mass_gev),
        modifier("mu", "normfactor"),
        modifier("signal_efficiency", "normsys", {"lo": 0.95, "hi": 1.05}),
        modifier("luminosity", "normsys", {"lo": 0.99, "hi": 1.01}),
    )


def bump_hunt(mass_gev: float | None = 1.8) -> Json:
    """A mass spectrum on a smooth background of free, non-negative Bernstein terms."""
    names = [f"bernstein_{k}" for k in range(ORDER + 1)]
    samples = [
        sample(name, bernstein_template(k), modifier(name, "normfactor"))
        for k, name in enumerate(names)
    ]
    if mass_gev is not None:
        samples.insert(0, peak(mass_gev))
    config = [
        {"name": name, "bounds": [[0.0, 2.0 * (ORDER + 1)]], "inits": [1.0]} for name in names
    ]
    return workspace({"mass": samples}, {"mass": simulated_spectrum()}, *config)


def mass_scan() -> tuple[Json, Json]:
    """The same spectrum without signal, and one patch for each mass hypothesis."""
    background_only = bump_hunt(None)
    digest = hashlib.sha256(
        json.dumps(background_only, sort_keys=True, ensure_ascii=False).encode()
    ).hexdigest()
    patches = [
        {
            "metadata": {"name": f"mass_{mass_gev:.1f}".replace(".", "p"), "values": [mass_gev]},
            "patch": [{"op": "add", "path": "/channels/0/samples/0", "value": peak(mass_gev)}],
        }
        for mass_gev in (1.2, 1.4, 1.6, 1.8, 2.0, 2.2)
    ]
    metadata = {
        "description": "Simulated peaks on the simulated spectrum of background_only.json. There "
        "is no HEPData record: the reference below is a placeholder that the format demands.",
        "references": {"hepdata": "ins0000000"},
        "labels": ["mass_gev"],
        "digests": {"sha256": digest},
    }
    return background_only, {"metadata": metadata, "patches": patches, "version": "1.0.0"}


def sidecar(title: str, **channels: Json) -> Json:
    """Labels, axes and edges, which a workspace has no place for; and that counts are simulated."""
    return {
        "schema": "darkstats.meta/1",
        "simulated": True,
        "title": title,
        "poi_label": "signal strength",
        "channels": channels,
    }


def sidecars() -> dict[str, Json]:
    """One sidecar for each workspace, ``NAME.meta.json`` beside ``NAME.json``."""
    edges_gev = [round(edge, 2) for edge in EDGES_GEV]
    mass = {"label": "Mass spectrum", "axis": "invariant mass (GeV)", "edges": edges_gev}
    regions = {
        "signal_region": {"label": "Signal region", "axis": "bin"},
        "control_region": {"label": "Control region", "axis": "bin"},
        "validation_region": {"label": "Validation region", "axis": "bin"},
    }
    return {
        "two_bins.meta.json": sidecar(
            "Two bins", signal_region={"label": "Signal region", "axis": "bin"}
        ),
        "on_off.meta.json": sidecar(
            "On/off", on={"label": "On", "axis": "bin"}, off={"label": "Off", "axis": "bin"}
        ),
        "three_channels.meta.json": sidecar("Three channels", **regions),
        "bump_hunt.meta.json": sidecar("Bump hunt", mass=mass),
        "mass_scan/background_only.meta.json": sidecar("Mass scan", mass=mass),
    }


def documents() -> dict[str, Json]:
    """All files, by their path under ``workspaces/examples``."""
    background_only, patchset = mass_scan()
    return {
        **sidecars(),
        "two_bins.json": two_bins(),
        "on_off.json": on_off(),
        "three_channels.json": three_channels(),
        "bump_hunt.json": bump_hunt(),
        "mass_scan/background_only.json": background_only,
        "mass_scan/patchset.json": patchset,
    }


def text_of(document: Json) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def main(folder: Path) -> None:
    for name, document in documents().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text_of(document), encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "workspaces/examples"))
