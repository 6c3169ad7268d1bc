"""What the network of the search in four muons does: rejection, shape of the mass, limits.

    python docs/examples/four_muons_classifier.py docs/studies/four-muons.json \
        --scans SCAN_WITH_NETWORK/scan.json SCAN_WITH_CUTS/scan.json --figure FIGURE.png

The half of the simulated events that neither trains nor chooses is looked at: background left at a
fixed efficiency, for the network, for the cuts of the other card (bounds of the other half), and
for the ratio of the exact amplitudes of boson and four muons, the most that any function of the
four momenta can do but for resolution; the signal that fits find in the background alone, smoothed
and not; and how much of the efficiency hangs on resolution and radiation.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import yaml

import darkstats
from darkstats.arrays import FloatArray
from darkstats.report.figures.gaps import torn
from darkstats.scan.expected_spectrum import asimov_root
from darkstats.searches.build import simulate
from darkstats.searches.card import SearchCard, read_card
from darkstats.searches.network import Network
from darkstats.searches.optimise import halves
from darkstats.searches.products import SearchProduct, SimulatedSamples
from darkstats.searches.recoil_hunt import RecoilHunt, build_recoil_hunt
from darkstats.searches.smooth_cuts import cut_of
from darkstats.signals.lmu_ltau import decay_correlation, tree_cross_section_pb
from darkstats.signals.lmu_ltau import squared_amplitude as boson_amplitude
from darkstats.simulation.candidates import Candidates
from darkstats.simulation.four_muons import squared_amplitude as four_muon_amplitude
from darkstats.simulation.kinematics import ALPHA, M_MU, boost_to, invariant_mass_squared, to_cm
from darkstats.simulation.production import default_cache
from darkstats.workspace import Workspace
from darkstats.workspace.patch import apply_patch

MODELS = Path(__file__).resolve().parents[2] / "models"
WORKSPACE = MODELS.parent / "workspaces/zprime_mumu/background_only.meta.json"
MASSES_GEV = (0.22, 0.25, 0.4, 0.6, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 8.5)
EFFICIENCIES = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4)
_CURVE = np.linspace(0.02, 1.0, 50)  # efficiencies of the curves
_PSEUDO = 4  # sets of pseudo-data
_ROWS = 3000  # of the background, for the efficiency at fixed other inputs
#: Momenta, in place of which the amplitudes cannot be evaluated.
_MUONS = {"plus": "plus", "minus": "minus", "plus_2": "(mu_plus - plus)",
          "minus_2": "(mu_minus - minus)"}  # fmt: skip


@dataclass(frozen=True)
class Study:
    """A card with its network and its simulation, in halves."""

    card: SearchCard
    samples: Mapping[str, Candidates]

    @property
    def hunt(self) -> RecoilHunt:
        assert isinstance(self.card.settings, RecoilHunt)
        return self.card.settings

    @property
    def network(self) -> Network:
        choice = self.hunt.network
        if choice is None or choice.network is None:
            raise SystemExit(f"{self.card.source}: holds no weights")
        return choice.network

    def half(self, name: str, which: int) -> Candidates:
        """Half of a sample with the network as a column: 0 trains and chooses, 1 is held back."""
        assert self.hunt.optimise is not None
        assert self.hunt.network is not None
        rows = halves(self.samples[name], self.hunt.optimise.events_by)[which]
        return self.network.added(rows, self.hunt.network.name)

    @cached_property
    def backgrounds(self) -> tuple[Candidates, Candidates]:
        return self.half("mumumumu", 0), self.half("mumumumu", 1)

    @cached_property
    def nodes(self) -> FloatArray:
        return np.array([m[0] for m in self.card.signal.masses_gev])

    def signal(self, mass: float, which: int) -> Candidates:
        """Rows in the window of a simulated mass."""
        sample = self.half(f"signal_{mass:g}", which)
        near = 3.0 * self.hunt.widths.at_squared(mass**2)
        return sample.select(np.abs(sample[self.hunt.variable] - mass**2) < near)

    def background(self, mass: float, which: int) -> tuple[Candidates, FloatArray]:
        """Rows around a simulated mass, and weights that fall to the neighbouring ones."""
        return around(self.backgrounds[which], self.hunt.variable, self.nodes, mass)


def around(
    sample: Candidates, variable: str, nodes: FloatArray, mass: float
) -> tuple[Candidates, FloatArray]:
    place = np.interp(sample[variable], nodes**2, np.arange(len(nodes)), left=-9, right=1e3)
    weight = sample.weight_pb * np.maximum(1.0 - np.abs(place - np.searchsorted(nodes, mass)), 0.0)
    return sample.select(weight > 0.0), weight[weight > 0.0]


def bounds_for(values: FloatArray, weights: FloatArray, efficiencies: FloatArray) -> FloatArray:
    """Lower bounds that leave these shares of the weights."""
    order = np.argsort(values)
    share = np.cumsum(weights[order]) / weights.sum()
    return np.interp(1.0 - np.asarray(efficiencies), share, values[order])


def left(
    function: Callable[[Candidates], FloatArray],
    signal: Candidates,
    background: tuple[Candidates, FloatArray],
    efficiencies: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Share of the background that is left at each efficiency, and its statistical error."""
    rows, weight = background
    values = function(rows)
    cuts = bounds_for(function(signal), signal.weight_pb, efficiencies)
    kept = [weight[values > cut] for cut in cuts]
    total = weight.sum()
    return (
        np.array([k.sum() for k in kept]) / total,
        np.array([np.sqrt((k**2).sum()) for k in kept]) / total,
    )


def area(signal: Candidates, background: tuple[Candidates, FloatArray], name: str) -> float:
    """Chance that a row of the signal has a larger value than one of the background."""
    rows, weight = background
    order = np.argsort(rows[name])
    below = np.concatenate([[0.0], np.cumsum(weight[order])]) / weight.sum()
    place = np.searchsorted(rows[name][order], signal[name])
    return float((below[place] * signal.weight_pb).sum() / signal.weight_pb.sum())


def best_cuts(study: Study, scan: Mapping[str, tuple[float, ...]], mass: float) -> list[float]:
    """Background that cuts leave at each efficiency: chosen on one half, counted on the other."""
    sides = []
    for which in (0, 1):
        signal, (rows, weight) = study.signal(mass, which), study.background(mass, which)
        sides.append((signal, signal.weight_pb, rows, weight))
    shares = np.empty((2, 2, int(np.prod([len(b) for b in scan.values()]))))
    for half, (signal, signal_weight, rows, weight) in enumerate(sides):
        for kind, (sample, weights) in enumerate(((signal, signal_weight), (rows, weight))):
            above = {(n, b): sample[n] > b for n, bounds in scan.items() for b in bounds}
            for number, combination in enumerate(itertools.product(*scan.values())):
                mask = np.logical_and.reduce(
                    [above[pair] for pair in zip(scan, combination, strict=True)]
                )
                shares[half, kind, number] = weights[mask].sum() / weights.sum()
    found = []
    for wanted in EFFICIENCIES:
        enough = np.flatnonzero(shares[0, 0] >= wanted)
        best = enough[np.argmin(shares[0, 1, enough])]
        found.append(float(shares[1, 1, best] * wanted / shares[1, 0, best]))
    return found


def amplitude_ratio(columns: Mapping[str, FloatArray], boson: str) -> FloatArray:
    """Squared amplitude of the boson over that of four muons, at the measured momenta."""

    def muon(name: str) -> FloatArray:
        pt, pz, phi = (columns[f"{name}_{part}"] for part in ("pt", "pz", "phi"))
        energy = np.sqrt(pt**2 + pz**2 + M_MU**2)
        return to_cm(np.stack([energy, pt * np.cos(phi), pt * np.sin(phi), pz], axis=-1))

    found = np.empty(len(columns["plus_pt"]))
    for start in range(0, len(found), 20_000):
        here = slice(start, start + 20_000)
        four = {name: muon(name)[here] for name in _MUONS}
        total = np.sum(list(four.values()), axis=0)
        back = total * np.array([1.0, -1.0, -1.0, -1.0])
        plus, minus, other_plus, other_minus = (boost_to(four[name], back) for name in _MUONS)
        s = invariant_mass_squared(total)
        signal = boson_amplitude(other_minus, other_plus, plus + minus, s, boson=boson)
        if boson == "vector":
            signal = signal * decay_correlation((other_minus, other_plus), (minus, plus))
        background = four_muon_amplitude(
            np.stack([minus, other_minus], axis=1), np.stack([plus, other_plus], axis=1), s
        )
        found[here] = signal / background
    return found


def exact(card: SearchCard, cache: Path, workers: int, share: float) -> dict[str, list[float]]:
    """Background that the ratio of exact amplitudes leaves, by mass: a sample of its own."""
    path = Path(card.source)
    plain = yaml.safe_load(path.read_text("utf-8"))
    if "like" in plain:
        raise SystemExit(f"{path}: is like another card; give that one")
    plain["name"] = "exact"
    columns, parts = plain["selection"]["columns"], ("pt", "pz", "phi")
    kept = ("dimuon_mass_squared_gev2", "four_muon_mass_gev", "third_momentum_gev")
    plain["selection"]["columns"] = {
        **{name: columns[name] for name in kept},
        **{f"{n}_{part}": f"{part}({v})" for n, v in _MUONS.items() for part in parts},
    }
    plain["backgrounds"][0]["events"]["full"] = round(300_000 * share)
    plain["signal"]["events"]["full"] = round(20_000 * share)
    plain["signal"]["masses_gev"] = list(MASSES_GEV)
    hunt = plain["recoil_hunt"]
    del hunt["network"], hunt["optimise"]
    with TemporaryDirectory() as folder:
        at = Path(folder) / "exact.yaml"
        at.write_text(yaml.safe_dump(plain), "utf-8")
        variant = read_card(at)
        samples = simulate(variant, cache=cache, workers=workers)
    nodes = np.array([m[0] for m in card.signal.masses_gev])
    assert isinstance(variant.settings, RecoilHunt)
    variable, widths = variant.settings.variable, variant.settings.widths
    boson = str(card.signal.processes[0].settings().get("boson", "vector"))
    found = {}
    for mass in MASSES_GEV:
        signal = samples[f"signal_{mass:g}"]
        near = np.abs(signal[variable] - mass**2) < 3.0 * widths.at_squared(mass**2)
        background = around(samples["mumumumu"], variable, nodes, mass)
        shares, errors = left(
            lambda rows: amplitude_ratio(rows.columns, boson),
            signal.select(near), background, np.array(EFFICIENCIES),
        )  # fmt: skip
        found[f"{mass:g}"] = [shares.tolist(), errors.tolist()]
        print(f"exact amplitudes at {mass:g} GeV: {shares[3]:.4f} left at 60 %", flush=True)
    return found


def built(study: Study, smoothing: Mapping[str, float]) -> SearchProduct:
    signals = {(m,): study.samples[f"signal_{m:g}"] for m in study.nodes.tolist()}
    return build_recoil_hunt(
        replace(study.hunt, smoothing_sigma=smoothing),
        SimulatedSamples(backgrounds={"mumumumu": study.samples["mumumumu"]}, signals=signals),
        rng=np.random.default_rng(1),
    )


def sculpting(study: Study) -> list[dict[str, object]]:
    """Signal in the background alone, in standard deviations, at every hypothesis."""
    smooth = built(study, study.hunt.smoothing_sigma)
    raw = {patch.name: patch for patch in built(study, {}).patches}
    cuts = [cut_of(plain) for plain in smooth.sidecar["channels"]["recoil"]["cuts"]]
    bound = next(cut for cut in cuts if cut.variable == study.hunt.network.name)
    sample = study.backgrounds[1]
    mass = np.sqrt(np.maximum(sample[study.hunt.variable], 0.0))
    order = np.argsort(mass)
    mass, weight = mass[order], sample.weight_pb[order]
    inputs = {name: sample[name][order] for name in study.network.inputs}
    hypothesis = study.hunt.network.hypothesis
    base = smooth.workspace
    found = []
    for patch in smooth.patches:
        window = smooth.sidecar["windows"][patch.name]
        model = darkstats.compile_workspace(
            Workspace.from_document(apply_patch(base, list(patch.operations)))
        )
        own = model.observation.counts
        other = darkstats.compile_workspace(
            Workspace.from_document(apply_patch(base, list(raw[patch.name].operations)))
        )
        unsmoothed, errors = other.observation.counts, raw_errors(raw[patch.name])
        # The other inputs of neighbouring rows at the masses of all bins.
        place = np.searchsorted(mass, window["mass_gev"])
        rows = slice(max(0, place - _ROWS // 2), place + _ROWS // 2)
        edges = np.maximum(np.array(window["edges_gev2"]), 4.0 * M_MU**2)
        centres = np.sqrt(0.5 * (edges[1:] + edges[:-1]))
        passed = np.array(
            [
                weight[rows][
                    values_at(study.network, inputs, rows, hypothesis, float(np.log(centre)))
                    > bound.bounds(np.array([centre**2]))[0]
                ].sum()
                for centre in centres
            ]
        )
        line = np.polyval(np.polyfit(np.arange(len(passed)), passed, 1), np.arange(len(passed)))
        found.append(
            {
                "mass_gev": window["mass_gev"],
                "own": asimov_root(model, own),
                "unsmoothed": asimov_root(model, unsmoothed),
                "unsmoothed_error": float(np.sqrt((errors**2).sum() / unsmoothed.sum())),
                "at_fixed_inputs": asimov_root(model, own * passed / np.maximum(line, 1e-12)),
                "background_events": float(own.sum()),
            }
        )
    return found


def raw_errors(patch: darkstats.searches.products.Patch) -> FloatArray:
    """Absolute statistical errors of the background in the bins of a window."""
    for operation in patch.operations:
        value = operation.get("value")
        for channel in value if isinstance(value, list) else [value]:
            if not isinstance(channel, dict) or "samples" not in channel:
                continue
            for sample in channel["samples"]:
                for modifier in sample["modifiers"]:
                    if modifier["type"] == "staterror":
                        return np.array(modifier["data"])
    raise SystemExit(f"{patch.name}: no statistical error")


def values_at(
    network: Network, inputs: Mapping[str, FloatArray], rows: slice, name: str, value: float
) -> FloatArray:
    columns = {key: column[rows] for key, column in inputs.items()}
    n = len(columns[name])
    columns[name] = np.full(n, value)
    return network.values(
        Candidates(
            columns=columns, weight_pb=np.ones(n), n_generated=n, sum_weight_pb=float(n),
            sum_weight_squared_pb2=float(n),
        )
    )  # fmt: skip


def efficiency_changes(study: Study, cache: Path, workers: int) -> dict[str, dict[str, float]]:
    """Relative change of the network's efficiency with resolution and radiation."""
    plain = yaml.safe_load(Path(study.card.source).read_text("utf-8"))
    smearing = plain["detector"]["track_smearing"]
    variants = {
        "nominal": {},
        "resolution 10 % wider": {"detector": {"track_smearing": 1.1 * smearing}},
        "resolution 10 % narrower": {"detector": {"track_smearing": 0.9 * smearing}},
        "no radiation of the beams": {"signal": {"settings": {"isr": False}}},
    }
    masses = [0.25, 1.0, 3.0, 5.0, 8.0]
    product = built(study, study.hunt.smoothing_sigma)
    cuts = [cut_of(one) for one in product.sidecar["channels"]["recoil"]["cuts"]]
    bound = next(cut for cut in cuts if cut.variable == study.hunt.network.name)
    found: dict[str, dict[str, float]] = {}
    for name, changes in variants.items():
        card = yaml.safe_load(yaml.safe_dump(plain))
        for section, change in changes.items():
            for key, value in change.items():
                if isinstance(value, dict):
                    card[section][key] |= value
                else:
                    card[section][key] = value
        card["signal"]["masses_gev"] = masses
        card["backgrounds"][0]["events"]["full"] = 1000
        with TemporaryDirectory() as folder:
            at = Path(folder) / "variant.yaml"
            at.write_text(yaml.safe_dump(card), "utf-8")
            samples = simulate(read_card(at), cache=cache, workers=workers, seed=2)
        for mass in masses:
            sample = study.network.added(samples[f"signal_{mass:g}"], study.hunt.network.name)
            near = 4.0 * study.hunt.widths.at_squared(mass**2)
            sample = sample.select(np.abs(sample[study.hunt.variable] - mass**2) < near)
            share = sample.weight_pb[bound.passed(sample)].sum() / sample.weight_pb.sum()
            found.setdefault(name, {})[f"{mass:g}"] = float(share)
    return {
        name: {m: value / found["nominal"][m] - 1.0 for m, value in by.items()}
        if name != "nominal"
        else by
        for name, by in found.items()
    }


def curves(study: Study, scan: Mapping[str, tuple[float, ...]]) -> list[dict[str, object]]:
    """Rejection on the half that is held back, by mass."""
    assert study.hunt.network is not None
    name = study.hunt.network.name
    found = []
    for mass in MASSES_GEV:
        signal, background = study.signal(mass, 1), study.background(mass, 1)
        shares, errors = left(lambda rows: rows[name], signal, background, np.array(EFFICIENCIES))
        curve, _ = left(lambda rows: rows[name], signal, background, _CURVE)
        found.append(
            {
                "mass_gev": mass,
                "area": area(signal, background, name),
                "area_training": area(study.signal(mass, 0), study.background(mass, 0), name),
                "left": shares.tolist(),
                "left_error": errors.tolist(),
                "left_by_cuts": best_cuts(study, scan, mass),
                "curve": curve.tolist(),
            }
        )
        print(
            f"{mass:g} GeV: {shares[3]:.4f} left at 60 %, area {found[-1]['area']:.3f}", flush=True
        )
    return found


def irreducible(card: SearchCard, sidecar: Path) -> list[list[float]]:
    """Mass; background in the window, events; those of photons that muons radiate and that make the
    pair, which are what a vector of this mass and coupling would be.

    ``dsigma/dM = e^2 sigma(M)/g'^2 alpha/(3 pi) 2/M (1 + 2 r) sqrt(1 - 4 r)``, ``r = m_mu^2/M^2``,
    times the efficiency for the signal in the window.
    """
    windows = json.loads(sidecar.read_text("utf-8"))["windows"].values()
    found = []
    for window in windows:
        mass, edges = window["mass_gev"], np.maximum(window["edges_gev2"], 4.0 * M_MU**2)
        width = float(np.sqrt(edges[-1]) - np.sqrt(edges[0]))
        r = (M_MU / mass) ** 2
        photon = ALPHA / (3.0 * np.pi) * 2.0 / mass * (1.0 + 2.0 * r) * np.sqrt(1.0 - 4.0 * r)
        density_pb = 4.0 * np.pi * ALPHA * tree_cross_section_pb(mass) * photon
        events = density_pb * width * card.luminosity_ipb * window["efficiency"]
        found.append([mass, window["background_events"], float(events)])
    return found


def pseudo_data(card: SearchCard, cache: Path, workers: int) -> list[dict[str, object]]:
    """Lowest and highest observed limits of pseudo-data: what a range of observed limits is."""
    from darkstats.cli import run

    found = []
    for number in range(1, _PSEUDO + 1):
        plain = yaml.safe_load(Path(card.source).read_text("utf-8"))
        plain["data"], plain["title"] = "pseudo", f"{card.title}, set {number}"  # its random key
        with TemporaryDirectory() as folder:
            at = Path(folder)
            (at / "card.yaml").write_text(yaml.safe_dump(plain, sort_keys=False), "utf-8")
            for words in (
                ["build", str(at / "card.yaml"), "-o", str(at / "b"), "--cache", str(cache)],
                ["scan", str(at / "b"), "-o", str(at / "s"), "--workers", str(workers)],
            ):
                if run(words) not in {0, 1}:
                    raise SystemExit(f"darkstats {' '.join(words)}: failed")
            points = json.loads((at / "s/scan.json").read_text("utf-8"))["points"]
        good = [one for one in points if one["status"] == "ok"]
        section = [one["cross_section_fb"]["observed"] for one in good]
        low = [one for one in good if one["values"][0] <= 6.0]
        coupling = [next(iter(one["couplings"].values()))["observed"] for one in low]
        found.append(
            {
                "certified": len(good),
                "of": len(points),
                "cross_section_fb": [min(section), max(section)],
                "coupling_up_to_6_gev": [min(coupling), max(coupling)],
            }
        )
        print(f"pseudo-data {number}: {found[-1]}", flush=True)
    return found


def medians(path: Path) -> list[list[float]]:
    """Mass and median limit on the cross section, fb; that of toys where few events need them."""
    found = []
    for point in json.loads(path.read_text("utf-8"))["points"]:
        if point["status"] == "ok":
            place = point.get("low_counts") or point
            found.append([point["values"][0], place["cross_section_fb"]["expected"][2]])
    return found


def draw(record: Mapping[str, object], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib import ticker

    fig, axes = plt.subplots(2, 2, figsize=(10.0, 7.6), layout="constrained")
    rows, ratio = record["rejection"], record["exact_amplitudes"]
    chosen = (0.25, 0.6, 1.0, 2.0, 5.0, 8.5)
    colours = plt.get_cmap("viridis")(np.linspace(0.0, 0.9, len(chosen)))
    axis = axes[0, 0]
    for colour, mass, mark in zip(colours, chosen, "osD^vP", strict=True):
        row = next(one for one in rows if one["mass_gev"] == mass)
        axis.plot(record["curve_efficiencies"], 1.0 / np.maximum(row["curve"], 1e-6),
                  color=colour, label=f"{mass:g} GeV")  # fmt: skip
        axis.plot(record["efficiencies"], 1.0 / np.array(row["left_by_cuts"]), mark, color=colour,
                  mfc="none", ms=5)  # fmt: skip
    axis.plot([], [], "o", color="0.4", mfc="none", label="cuts, as marks")
    axis.set(yscale="log", xlim=(0.2, 1.0), ylim=(1.0, 1500.0),
             xlabel="efficiency for the signal, after the common cuts",
             ylabel="background rejection", title="held-back half, simulated")  # fmt: skip
    axis.legend(ncols=2, title="network", loc="upper right")
    axis = axes[0, 1]
    masses = [one["mass_gev"] for one in rows]
    at = record["efficiencies"].index(0.6)
    for name, values, style in (
        ("exact, own sample", [ratio[f"{m:g}"][0][at] for m in masses], "k:"),
        ("network", [one["left"][at] for one in rows], "C0-o"),
        ("cuts", [one["left_by_cuts"][at] for one in rows], "C1--s"),
    ):
        axis.plot(masses, 1.0 / np.array(values), style, ms=4, label=name)
    axis.set(xscale="log", yscale="log", xlabel="mass [GeV]",
             ylabel="background rejection at 60 %", ylim=(2.0, 40.0),
             title="network, cuts: held-back half, simulated")  # fmt: skip
    axis.legend()
    axis = axes[1, 0]
    points = record["spurious"]
    x = [one["mass_gev"] for one in points]
    axis.plot(x, [one["unsmoothed"] for one in points], ".", color="0.7", ms=3,
              label="as simulated")  # fmt: skip
    axis.plot(x, [one["at_fixed_inputs"] for one in points], ".", color="C0", ms=3,
              label="at fixed other inputs")  # fmt: skip
    errors = np.array([one["unsmoothed_error"] for one in points], dtype=float)
    there, error = torn(np.array(x), errors)  # no line through vetoed resonances
    axis.plot(there, error, "k:", lw=1, label="error of the simulation")
    axis.plot(there, -error, "k:", lw=1)
    axis.axhspan(-0.25, 0.25, color="C1", alpha=0.2, label="within 0.25")
    axis.set(xscale="log", xlabel="mass [GeV]", ylabel="spurious signal [standard deviations]",
             ylim=(-2.5, 3.5), title="fits of the background alone, simulated")  # fmt: skip
    axis.legend(ncols=2, loc="upper right")
    axis = axes[1, 1]
    for name, style in (("network", "C0-"), ("cuts", "C1--")):
        values = np.array(record["medians"][name])
        axis.plot(*torn(values[:, 0], values[:, 1]), style, label=f"{name}, median", lw=1.2,
                  solid_capstyle="butt")  # fmt: skip
    axis.axhspan(0.046, 0.97, color="0.85", label="published, range of observed limits")
    axis.set(xscale="log", yscale="log", xlabel="mass [GeV]", ylim=(0.03, 1.5),
             ylabel=r"$\sigma\,\times$ BR($\mu\mu$) [fb], 90 % CL",
             title="expected limits, 178 fb$^{-1}$, simulated")  # fmt: skip
    axis.legend()
    for one in axes.ravel():
        one.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    for one in (axes[0, 1], axes[1, 0], axes[1, 1]):
        one.set_xticks([0.3, 1.0, 3.0, 9.0], ["0.3", "1", "3", "9"])
    axes[0, 1].set_yticks([2, 5, 10, 20, 40], ["2", "5", "10", "20", "40"])
    axes[1, 1].set_yticks([0.05, 0.1, 0.2, 0.5, 1.0], ["0.05", "0.1", "0.2", "0.5", "1"])
    for one in axes.ravel():
        one.yaxis.set_minor_formatter(ticker.NullFormatter())
        one.xaxis.set_minor_formatter(ticker.NullFormatter())
    fig.savefig(path, dpi=130)


def summary(record: Mapping[str, object]) -> dict[str, object]:
    """Numbers for the page."""
    points = record["spurious"]
    fixed = np.array([np.nan if one["at_fixed_inputs"] is None else one["at_fixed_inputs"]
                      for one in points])  # fmt: skip
    own = np.array([np.nan if one["own"] is None else one["own"] for one in points])
    known = [one for one in points if one["unsmoothed"] is not None]
    raw = np.array([one["unsmoothed"] for one in known])
    error = np.array([one["unsmoothed_error"] for one in known])
    return {
        "hypotheses": len(points),
        "not_certified": int(np.isnan(fixed).sum() + np.isnan(own).sum() + len(points) - len(raw)),
        "own_largest_sigma": float(np.nanmax(np.abs(own))),
        "at_fixed_inputs_largest_sigma": float(np.nanmax(np.abs(fixed))),
        "at_fixed_inputs_rms_sigma": float(np.sqrt(np.nanmean(fixed**2))),
        "unsmoothed_mean_sigma": float(raw.mean()),
        "unsmoothed_rms_sigma": float(raw.std()),
        "unsmoothed_rms_over_error": float((raw / error).std()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--card", type=Path, default=MODELS / "zprime_mumu.yaml")
    parser.add_argument("--cuts", type=Path, default=MODELS / "zprime_mumu_cuts.yaml")
    parser.add_argument("--scans", type=Path, nargs=2, help="with the network, and with cuts")
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--cache", type=Path, default=None)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", help="parts to do again, with commas; others as they are there")
    parser.add_argument("--share", type=float, default=1.0, help="of the exact amplitudes' events")
    asked = parser.parse_args()
    cache = asked.cache or default_cache()
    card = read_card(asked.card)
    study = Study(card, simulate(card, cache=cache, workers=asked.workers))
    cuts = read_card(asked.cuts).settings
    assert isinstance(cuts, RecoilHunt)
    assert cuts.optimise is not None
    parts: dict[str, Callable[[], object]] = {
        "rejection": lambda: curves(study, cuts.optimise.scan),
        "exact_amplitudes": lambda: exact(card, cache, asked.workers, asked.share),
        "efficiency_changes": lambda: efficiency_changes(study, cache, asked.workers),
        "spurious": lambda: sculpting(study),
        "irreducible": lambda: irreducible(card, WORKSPACE),
        "pseudo_data": lambda: pseudo_data(card, cache, asked.workers),
    }
    wanted = tuple(parts) if asked.only is None else tuple(filter(None, asked.only.split(",")))
    record: dict[str, object] = {}
    if asked.only is not None:
        record = json.loads(asked.output.read_text("utf-8"))
    record |= {
        "simulated": True,
        "efficiencies": list(EFFICIENCIES),
        "curve_efficiencies": _CURVE.tolist(),
        **{name: parts[name]() for name in wanted},
    }
    if "spurious" in record:
        record["summary"] = summary(record)
    if asked.scans:
        record["medians"] = dict(zip(("network", "cuts"), map(medians, asked.scans), strict=True))
    asked.output.write_text(json.dumps(record, indent=None, sort_keys=True) + "\n", "utf-8")
    print(json.dumps(record.get("summary"), indent=1))
    if asked.figure and asked.scans:
        draw(record, asked.figure)


if __name__ == "__main__":
    main()
