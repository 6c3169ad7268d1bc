"""Spurious signals of searches: what their fits call signal in simulated background alone.

    python docs/examples/closure.py BUILDS/* closure.json --spurious spurious.json --cache DIR

``independent``: the model of every window is fitted to the background of a second simulation of the
same size, with another seed, smoothed as the card says. A template is exactly what it was made of,
so that its own simulation says nothing of it where it is not smoothed.

``smoothing``: what the kernel makes of the shape. Smoothing a smoothed spectrum S again, to S',
takes away to leading order what smoothing took away first, so that the model is fitted to
S + (S - S'); ``smoothing_independent`` takes S - S' from the second simulation.

``own``: the simulation before smoothing. Its statistical error is drawn, and the spread of the
signed root that it gives stands beside (``own_expected_spread``), as for ``independent``, where
smoothed bins move together. Where cuts are fixed, variances are smoothed like the counts: those of
bins that no event has reached are not zero.

Cuts that are optimised on the simulation would be other ones in a second simulation: there is
none then. A count with a number for a background has no simulation to be tested with,
and is said so; that of B -> K a comes from simulated continuum, and each window is set beside the
candidates about its mass.
"""

from __future__ import annotations

import dataclasses
import json
import sys
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
from darkstats.simulation.candidates import Candidates
from darkstats.simulation.production import default_cache
from darkstats.workspace import Workspace
from darkstats.workspace.patch import apply_patch

sys.path.insert(0, str(Path(__file__).parent))
from b_to_k_alp_background import REACH_GEV, outside_of_vetoes

#: Asked for: no spurious signal beyond this part of the error.
ASKED_SIGMA = 0.25
SEEDS = (1, 2)  # of the build, and of the independent simulation
DRAWS = 400  # of the statistical error of simulation
LEAST_SPREAD = 0.01  # of a signed root, below which windows are empty of simulation
CONTINUUM = Path(__file__).parents[1] / "studies/b-to-k-alp-background.json"


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
    model: darkstats.Model, sets: dict[str, tuple[np.ndarray, np.ndarray | None]], seed: int
) -> dict[str, float]:
    """Signed root of each set of counts, and the spread that its errors alone would give.

    Errors are changes of the bins by what fluctuates on its own. Shape [source, bin].
    """
    found: dict[str, float] = {"failed": 0}
    rng = np.random.Generator(np.random.Philox(seed))
    for name, (counts, errors) in sets.items():
        (root, *_), failed = roots(model, np.maximum(counts, 0.0)[None, :])
        found[name] = float(root)
        found["failed"] += failed
        if errors is not None:
            noise = rng.standard_normal((DRAWS, len(errors)))
            drawn = np.maximum(model.observation.counts + noise @ errors, 0.0)
            spread, lost = roots(model, drawn)
            found[f"{name}_expected_spread"] = float(spread.std())
            found["failed"] += lost
    return found


def shifts(sample: dict[str, Any]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Changes of the bins by parameters of smoothing, and errors of bins of their own. [bin]."""
    content = np.array(sample["data"])
    together: dict[str, np.ndarray] = {}
    alone = np.zeros(len(content))
    for modifier in sample["modifiers"]:
        name, data = modifier["name"], modifier["data"]
        if modifier["type"] == "staterror":
            alone = np.array(data)
        elif "_simulation_" in name and modifier["type"] == "normsys":
            one = content * np.log(data["hi"] / data["lo"]) / 2.0
            together[name] = together.get(name, 0.0) + one
        elif "_simulation_" in name:
            one = np.subtract(data["hi_data"], data["lo_data"]) / 2.0
            together[name] = together.get(name, 0.0) + one
    return together, alone


def template_errors(product: SearchProduct, patch: Any) -> np.ndarray:
    """Errors of the simulated background of a window. [source, bin]."""
    document = apply_patch(product.workspace, list(patch.operations), source=patch.name)
    (channel,) = document["channels"]
    together: list[np.ndarray] = []
    alone = np.zeros(len(channel["samples"][0]["data"]))
    for sample in channel["samples"]:
        if sample["name"] != "signal":
            moved, own = shifts(sample)
            together += moved.values()
            alone += own**2
    return np.vstack([*together, np.diag(np.sqrt(alone))])


def squared(sample: Candidates, luminosity_ipb: float) -> Candidates:
    """The sample whose expected events are the squares of those of each row."""
    weight_pb = sample.weight_pb * sample.events(luminosity_ipb)
    return dataclasses.replace(sample, weight_pb=weight_pb)


def of_templates(card: SearchCard, cache: Path, *, quick: bool) -> dict[str, Any]:
    """Spurious signals of a fit of templates, in every window."""
    hunt = card.settings
    assert isinstance(hunt, RecoilHunt)
    smoothings = {
        "shipped": hunt.smoothing_sigma,
        "again": {name: np.sqrt(2.0) * size for name, size in hunt.smoothing_sigma.items()},
        "raw": {},
    }
    made: dict[tuple[str, int], SearchProduct] = {}
    seeds = SEEDS if hunt.optimise is None else SEEDS[:1]
    for seed in seeds:
        samples = simulate(card, cache=cache, quick=quick, seed=seed)
        simulated = SimulatedSamples(
            backgrounds={b.name: samples[b.name] for b in card.backgrounds},
            signals={m: samples[f"signal_{m[0]:g}"] for m in card.signal.masses_gev},
        )
        if not hunt.widths.points:
            hunt = hunt.with_widths(simulated.signals)  # of the first: windows stay
        for words, smoothing in smoothings.items():
            if hunt.smoothing_sigma or words == "shipped":
                settings = dataclasses.replace(hunt, asimov=True, smoothing_sigma=smoothing)
                made[words, seed] = build_recoil_hunt(
                    settings, simulated, rng=np.random.default_rng(1)
                )
        if seed == SEEDS[0] and hunt.smoothing_sigma and hunt.optimise is None:
            made["squares", seed] = build_recoil_hunt(
                dataclasses.replace(hunt, asimov=True),
                dataclasses.replace(
                    simulated,
                    backgrounds={
                        name: squared(sample, hunt.luminosity_ipb)
                        for name, sample in simulated.backgrounds.items()
                    },
                ),
                rng=np.random.default_rng(1),
            )
    first = SEEDS[0]
    shipped = made["shipped", first]
    loose = {patch.name: patch for patch in made.get(("raw", first), shipped).patches}
    spectra = SpectrumMap.of(shipped.workspace, shipped.fill)
    fine = {
        key: np.concatenate([o["data"] for o in one.workspace["observations"]])
        for key, one in made.items()
    }
    spectrum: dict[str, np.ndarray] = {}  # that take the place of the data
    if len(seeds) > 1:
        spectrum["independent"] = fine["shipped", SEEDS[1]]
    if hunt.smoothing_sigma:
        spectrum["own"] = fine["raw", first]
        for words, seed in zip(("smoothing", "smoothing_independent"), seeds, strict=False):
            lost = fine["shipped", seed] - fine["again", seed]
            spectrum[words] = fine["shipped", first] + lost
    rows = []
    for number, patch in enumerate(shipped.patches):
        document = apply_patch(shipped.workspace, list(patch.operations), source=patch.name)
        model = darkstats.compile_workspace(Workspace.from_document(document))
        window = spectra.window(patch.name)
        errors = {
            "independent": np.sqrt(2.0) * template_errors(shipped, patch),  # of both simulations
            "own": template_errors(made.get(("raw", first), shipped), loose[patch.name]),
        }
        if ("squares", first) in made:
            variances = window.gather(fine["squares", first])
            errors["own"] = np.diag(np.sqrt(np.maximum(variances, 0.0)))
        if errors["own"].shape[1] != len(model.observation.counts):
            raise SystemExit(f"{patch.name}: smoothed and unsmoothed windows have other bins")
        sets = {words: (window.gather(one), errors.get(words)) for words, one in spectrum.items()}
        row = {"name": patch.name, "mass_gev": patch.values[0]}
        rows.append(row | one_window(model, sets, number))
    return {"rows": rows, "smoothed": sorted(hunt.smoothing_sigma)}


def of_continuum(card: SearchCard) -> dict[str, Any]:
    """Windows of B -> K a beside the simulated candidates about each mass."""
    record = json.loads(CONTINUUM.read_text("utf-8"))
    edges = np.array(record["edges_gev"])
    middles, sizes = 0.5 * (edges[1:] + edges[:-1]), np.diff(edges)
    open_ = outside_of_vetoes(edges[:-1], edges[1:])
    counts, squares = np.array(record["counts"]), np.array(record["squares"])
    rows = []
    for number, one in enumerate(record["rows"]):
        mass, width = one["mass_gev"], one["width_gev"]
        # As the rows were made: expected events for a candidate and GeV of width.
        about = open_ & (np.abs(middles - mass) < REACH_GEV)
        scale = one["events"] * sizes[about].sum() / (counts[about].sum() * width)
        # bins that the window reaches into, without those of the vetoes
        near = (edges[1:] > mass - 0.5 * width) & (edges[:-1] < mass + 0.5 * width) & open_
        factor = scale * width / sizes[near].sum()
        events = factor * counts[near].sum()
        # of as many candidates as there are on average: a window with few would tell too little
        error = factor * np.sqrt(squares[about].sum() * sizes[near].sum() / sizes[about].sum())
        expected = card.settings.expected(mass)
        model = darkstats.compile_workspace(_count(expected, card.settings.background_error))
        sets = {"independent": (np.array([events]), np.array([[error]]))}
        row = {"name": f"m_{mass:g}", "mass_gev": mass, "expected": expected, "found": events}
        rows.append(row | one_window(model, sets, number))
    return {"rows": rows, "smoothed": []}


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


WORDS = {
    "independent": "independent simulation",
    "smoothing": "smoothing",
    "smoothing_independent": "smoothing, by the independent simulation",
    "own": "before smoothing",
}


def judged(found: dict[str, Any]) -> dict[str, Any]:
    """Add maximum and median, and the sentence of the page."""
    rows = found["rows"]
    found["summary"], said = {}, []
    for key, words in WORDS.items():
        if key not in rows[0]:
            continue
        sizes = np.abs([row[key] for row in rows])
        worst = rows[int(sizes.argmax())]
        one = {
            "largest": float(sizes.max()), "at_gev": worst["mass_gev"],
            "median": float(np.median(sizes)), "beyond_asked": int((sizes > ASKED_SIGMA).sum()),
        }  # fmt: skip
        said.append(
            f"{words}: largest {sizes.max():.2f} at {worst['mass_gev']:g} GeV, median "
            f"{np.median(sizes):.3f}, {one['beyond_asked']} of {len(rows)} beyond {ASKED_SIGMA}"
        )
        if f"{key}_expected_spread" in worst:
            spread = np.array([row[f"{key}_expected_spread"] for row in rows])
            # where simulation leaves bins empty, its error there is not known
            told = spread > LEAST_SPREAD
            one |= {
                "median_expected_spread": float(np.median(spread)),
                "rms_over_spread": float(np.sqrt(np.mean((sizes[told] / spread[told]) ** 2))),
                "windows_in_rms": int(told.sum()),
            }
            said[-1] += (
                f" (statistical error of simulation {np.median(spread):.3f} in the median, rms of "
                f"the pulls {one['rms_over_spread']:.2f})"
            )
        found["summary"][key] = one
    found["failed"] = sum(row["failed"] for row in rows)
    found["words"] = "; ".join(said) + f"; failed fits: {found['failed']}"
    return found


def table(searches: dict[str, dict[str, Any]]) -> str:
    """One line for each search and comparison."""
    lines = [
        "| search | fitted to | windows | largest [σ] | at [GeV] | median [σ] | beyond 0.25 "
        "| error of simulation [σ] | rms of pulls | failed |\n" + "|---" * 10 + "|"
    ]
    for name, found in searches.items():
        for key, one in found.get("summary", {}).items():
            error = one.get("median_expected_spread")
            more = "| " if error is None else f"{error:.2f} | {one['rms_over_spread']:.2f}"
            lines.append(
                f"| `{name}` | {WORDS[key]} | {len(found['rows'])} | {one['largest']:.2f} | "
                f"{one['at_gev']:.3g} | {one['median']:.2f} | {one['beyond_asked']} | {more} | "
                f"{found['failed']} |"
            )
    return "\n".join(lines)


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
