"""Spurious signals of searches: what their fits call signal in simulated background alone.

    python docs/examples/closure.py BUILDS/* closure.json --spurious spurious.json --cache DIR

Templates that are smoothed are fitted to the simulation before smoothing (``own``). A template is
exactly what it was made of, where it is not smoothed: every model is also fitted to a second
simulation of the same size with another seed (``independent``). Both have the statistical error of
simulation: its effect on the signed root is drawn and given beside (``expected_spread``).

Cuts that are optimised on the simulation would be other ones in a second simulation: there is no
``independent`` then. A count with a number for a background has no simulation to be tested with,
and is said so; that of B -> K a comes from simulated continuum, and each window is set beside the
candidates about its mass.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

import darkstats
from darkstats.scan.spectrum import SpectrumMap
from darkstats.searches.build import simulate
from darkstats.searches.card import SearchCard, read_card
from darkstats.searches.counting import Counting
from darkstats.searches.products import SearchProduct, SimulatedSamples
from darkstats.searches.recoil_hunt import RecoilHunt, build_recoil_hunt
from darkstats.simulation.production import default_cache
from darkstats.workspace import Workspace
from darkstats.workspace.patch import apply_patch

#: Asked for: no spurious signal beyond this part of the error.
ASKED_SIGMA = 0.25
SEEDS = (1, 2)  # of the build, and of the independent simulation
DRAWS = 400  # of the statistical error of simulation
CONTINUUM = Path(__file__).parents[1] / "studies/b-to-k-alp-background.json"
NEAR_GEV = 0.051  # candidates of the continuum about a mass: two or three bins of 0.05 GeV


def least_mu(background: np.ndarray, signal: np.ndarray) -> float:
    """Where rates stay positive: the estimate of an empty window is bounded, not minus infinity."""
    inside = signal > 0.01 * signal.max()
    return -0.98 * float(np.min(background[inside] / signal[inside]))


def at_no_signal(model: darkstats.Model, counts: np.ndarray) -> tuple[np.ndarray, ...]:
    """Fitted parameters without a signal, rates there, and rates of a signal of one. [bin]."""
    index = model.parameter_index("mu")
    fitted = darkstats.fit_batch(model, counts, model.observation.auxdata, poi_values=[0.0])
    zero = fitted.require_converged().parameters[0].copy()
    one = zero.copy()
    one[index] = 1.0
    background = model.expected_rates(zero)
    return zero, background, model.expected_rates(one) - background


def roots(model: darkstats.Model, counts: np.ndarray) -> tuple[np.ndarray, int]:
    """Signed roots at no signal of rows of counts, and how many fits failed. [row, bin]."""
    index = model.parameter_index("mu")
    aux = np.broadcast_to(model.observation.auxdata, (len(counts), len(model.observation.auxdata)))
    _, background, signal = at_no_signal(model, model.observation.counts)
    free = darkstats.fit_batch(
        model, counts, aux, poi_lower=least_mu(background, signal), poi_upper=np.inf
    )
    null = darkstats.fit_batch(model, counts, aux, poi_values=np.zeros(len(counts)))
    good = free.converged & null.converged
    ratio = np.maximum(null.twice_nll - free.twice_nll, 0.0)
    return (np.sign(free.parameters[:, index]) * np.sqrt(ratio))[good], int((~good).sum())


def one_window(
    model: darkstats.Model, sets: dict[str, tuple[np.ndarray, np.ndarray]], seed: int
) -> dict[str, float]:
    """Signed root of each set of counts, and the spread that its variances alone would give."""
    found: dict[str, float] = {"failed": 0}
    rng = np.random.Generator(np.random.Philox(seed))
    for name, (counts, variances) in sets.items():
        (root,), failed = roots(model, counts[None, :])
        noise = rng.standard_normal((DRAWS, len(counts)))
        drawn = np.maximum(model.observation.counts + np.sqrt(variances) * noise, 0.0)
        spread, lost = roots(model, drawn)
        found |= {name: float(root), f"{name}_expected_spread": float(spread.std())}
        found["failed"] += failed + lost
    return found


def template_variances(product: SearchProduct, patch: Any) -> np.ndarray:
    """Variances of the simulated background of a window. [bin]."""
    document = apply_patch(product.workspace, list(patch.operations), source=patch.name)
    (channel,) = document["channels"]
    errors = [
        np.square(m["data"])
        for sample in channel["samples"]
        for m in sample["modifiers"]
        if m["type"] == "staterror"
    ]
    return np.sum(errors, axis=0)


def of_templates(card: SearchCard, cache: Path, *, quick: bool) -> dict[str, Any]:
    """Spurious signals of a fit of templates, in every window."""
    hunt = card.settings
    assert isinstance(hunt, RecoilHunt)
    products, raw = [], []
    for seed in SEEDS if hunt.optimise is None else SEEDS[:1]:
        samples = simulate(card, cache=cache, quick=quick, seed=seed)
        simulated = SimulatedSamples(
            backgrounds={b.name: samples[b.name] for b in card.backgrounds},
            signals={m: samples[f"signal_{m[0]:g}"] for m in card.signal.masses_gev},
        )
        if not hunt.widths.points:
            hunt = hunt.with_widths(simulated.signals)  # of the first: windows stay
        for smoothing, made in ((hunt.smoothing_sigma, products), ({}, raw)):
            settings = dataclasses.replace(hunt, asimov=True, smoothing_sigma=smoothing)
            made.append(build_recoil_hunt(settings, simulated, rng=np.random.default_rng(1)))
    shipped = products[0]
    unsmoothed = {patch.name: patch for patch in raw[0].patches}
    spectra = SpectrumMap.of(shipped.workspace, shipped.fill)
    fine = [
        np.concatenate([o["data"] for o in one.workspace["observations"]]) for one in raw
    ]  # fmt: skip
    rows = []
    for number, patch in enumerate(shipped.patches):
        document = apply_patch(shipped.workspace, list(patch.operations), source=patch.name)
        model = darkstats.compile_workspace(Workspace.from_document(document))
        window = spectra.window(patch.name)
        smooth = template_variances(shipped, patch)
        loose = template_variances(raw[0], unsmoothed[patch.name])
        if smooth.shape != loose.shape:
            raise SystemExit(f"{patch.name}: smoothed and unsmoothed windows have other bins")
        sets = {}
        if hunt.optimise is None:
            sets["independent"] = (window.gather(fine[1]), smooth + loose)
        if hunt.smoothing_sigma:
            sets["own"] = (window.gather(fine[0]), loose)
        row = {"name": patch.name, "mass_gev": patch.values[0]}
        rows.append(row | one_window(model, sets, number))
    return {"rows": rows, "smoothed": sorted(hunt.smoothing_sigma)}


def of_continuum(card: SearchCard) -> dict[str, Any]:
    """Windows of B -> K a beside the simulated candidates about each mass."""
    record = json.loads(CONTINUUM.read_text("utf-8"))
    edges = np.array(record["edges_gev"])
    middles = 0.5 * (edges[1:] + edges[:-1])
    counts, squares = np.array(record["counts"]), np.array(record["squares"])
    # As the rows were made: expected events for a candidate and GeV of width.
    scale = np.median(
        [r["events"] / r["width_gev"] / _loose(r, counts, middles) for r in record["rows"]]
    )
    rows = []
    for number, one in enumerate(record["rows"]):
        mass, width = one["mass_gev"], one["width_gev"]
        near = np.abs(middles - mass) < NEAR_GEV
        factor = scale * width / (0.05 * near.sum())
        events, error = factor * counts[near].sum(), factor * np.sqrt(squares[near].sum())
        expected = card.settings.expected(mass)
        model = darkstats.compile_workspace(_count(expected, card.settings.background_error))
        sets = {"independent": (np.array([events]), np.array([error**2]))}
        row = {"name": f"m_{mass:g}", "mass_gev": mass, "expected": expected, "found": events}
        rows.append(row | one_window(model, sets, number))
    return {"rows": rows, "smoothed": []}


def _loose(row: dict[str, float], counts: np.ndarray, middles: np.ndarray) -> float:
    from b_to_k_alp_background import EDGES_GEV, REACH_GEV, VETOED_GEV

    low, high = EDGES_GEV[:-1], EDGES_GEV[1:]
    near = np.all([(high <= a) | (low >= b) for a, b in VETOED_GEV], axis=0)
    near &= np.abs(middles - row["mass_gev"]) < REACH_GEV
    return float(counts[near].sum() / (high - low)[near].sum())


def _count(expected: float, error: float) -> Workspace:
    """One count with a background that is known to a relative error."""
    return Workspace.from_document(
        {
            "channels": [
                {
                    "name": "count",
                    "samples": [
                        {"name": "signal", "data": [1.0],
                         "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]},
                        {"name": "background", "data": [expected],
                         "modifiers": [{"name": "yield", "type": "normsys",
                                        "data": {"hi": 1.0 + error, "lo": 1.0 - error}}]},
                    ],
                }
            ],
            "observations": [{"name": "count", "data": [expected]}],
            "measurements": [{"name": "count", "config": {"poi": "mu", "parameters": []}}],
            "version": "1.0.0",
        }
    )  # fmt: skip


def judged(found: dict[str, Any]) -> dict[str, Any]:
    """Add maximum and median, and the sentence of the page."""
    rows = found["rows"]
    found["summary"], said = {}, []
    for key, words in (("own", "before smoothing"), ("independent", "independent simulation")):
        if key not in rows[0]:
            continue
        sizes = np.abs([row[key] for row in rows])
        spread = np.array([row[f"{key}_expected_spread"] for row in rows])
        worst = rows[int(sizes.argmax())]
        found["summary"][key] = {
            "largest": float(sizes.max()), "at_gev": worst["mass_gev"],
            "median": float(np.median(sizes)), "beyond_asked": int((sizes > ASKED_SIGMA).sum()),
            "median_expected_spread": float(np.median(spread)),
            "rms_over_spread": float(np.sqrt(np.mean((sizes / spread) ** 2))),
        }  # fmt: skip
        said.append(
            f"{words}: largest {sizes.max():.2f} at {worst['mass_gev']:g} GeV, median "
            f"{np.median(sizes):.3f}, {(sizes > ASKED_SIGMA).sum()} of {len(rows)} beyond "
            f"{ASKED_SIGMA}; the statistical error of simulation has a median of "
            f"{np.median(spread):.3f}"
        )
    found["failed"] = sum(row["failed"] for row in rows)
    found["words"] = "; ".join(said) + f"; failed fits: {found['failed']}"
    return found


def spurious_signals(path: Path, cache: Path | None, *, quick: bool = False) -> dict[str, Any]:
    """Spurious signals of the search of a card, or why there are none."""
    card = read_card(path)
    if isinstance(card.settings, RecoilHunt):
        found = judged(of_templates(card, cache or default_cache(), quick=quick))
    elif card.name == "b_to_k_alp":
        found = judged(of_continuum(card))
    elif isinstance(card.settings, Counting):
        return {"words": "zero by construction: the background is a number of the card"}
    else:
        raise SystemExit(f"{card.name}: spurious signals of this kind of search: alp_orders.py")
    return {"simulated": True, "quick": quick, "card": card.digest} | found
