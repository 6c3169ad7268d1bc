"""Binned against unbinned limits from the same simulated events, and their coverage.

    python docs/examples/unbinned_study.py OUT [--toys N] [--zfit]

Reads the committed workspaces and unbinned models. Writes ``OUT.json``, from which
``docs/studies/unbinned.md`` is made.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from darkstats.fit import fit_batch
from darkstats.inference import upper_limit
from darkstats.inference.asymptotics import observed_p_values
from darkstats.model import HistFactoryModel, Model, Observation, compile_workspace
from darkstats.model.unbinned.analyses import compile_hs3
from darkstats.model.unbinned.model import UnbinnedModel
from darkstats.searches.card import read_card
from darkstats.searches.output import BuildFolder, read_build
from darkstats.searches.pseudo_events import pseudo_events
from darkstats.searches.unbinned.plane import ellipse_of
from darkstats.streams import keyed_generator
from darkstats.workspace import read_workspace
from darkstats.workspace.hs3 import Hs3Document, read_hs3

ROOT = Path(__file__).resolve().parents[2]
LEVELS = {"alp": 0.95, "zprime_invisible_2018": 0.90, "dark_higgsstrahlung": 0.90}


def separation(signal: np.ndarray, background: np.ndarray) -> float:
    """Twice the difference in NLL between signal and none, on the expectation without signal.

    Of independent counts. Where no background is expected each event counts fully.
    """
    seen = background > 0.0
    s, b = signal[seen], background[seen]
    return float(2.0 * (np.sum(s - b * np.log1p(s / b)) + np.sum(signal[~seen])))


def ratio_of_separations(model: UnbinnedModel, strength: float, group: np.ndarray) -> float:
    """What the bins leave of the separation of a signal strength from none, nuisances held.

    Cells of the fine grid stand for single events. ``group`` gives the bin of each cell, -1 for one
    that the binned likelihood does not look at.
    """
    cells = [_rates(model, mu) for mu in (0.0, strength)]
    bins = [np.bincount(group[group >= 0], c[group >= 0], group.max() + 1) for c in cells]
    return separation(bins[1] - bins[0], bins[0]) / separation(cells[1] - cells[0], cells[0])


def _rates(model: UnbinnedModel, strength: float) -> np.ndarray:
    point = np.array(model.inits)
    point[model.require_poi()] = strength
    return np.asarray(model.expected_rates(point))


def row(
    name: str,
    *,
    values: dict[str, float],
    unbinned: UnbinnedModel,
    events: np.ndarray,
    binned: HistFactoryModel,
    counts: Observation,
    cl: float,
    group: np.ndarray,
) -> dict[str, Any]:
    """Both limits of one hypothesis, observed and expected, and the separation lost."""
    inside = np.ones(events.shape[1], dtype=bool)
    for column, (low, high) in zip(events, unbinned.channels[0].ranges, strict=True):
        inside &= (column >= low) & (column <= high)
    observation = unbinned.observe([events[:, inside]])
    a = upper_limit(unbinned, observation, cl=cl, probe=False, scan_points=0)
    b = upper_limit(binned, counts, cl=cl, probe=False, scan_points=0)
    expected = [x if x is not None else math.nan for x in a.expected]
    difference = (a.observed - b.observed) / (0.5 * (expected[3] - expected[1]))
    return {
        "name": name,
        "values": values,
        "events": int(inside.sum()),
        "counts": float(counts.counts.sum()),
        "unbinned": {"observed": a.observed, "expected": list(a.expected)},
        "binned": {"observed": b.observed, "expected": list(b.expected)},
        "ratio_expected": a.expected[2] / b.expected[2],
        "background": float(_rates(unbinned, 0.0).sum()),
        "ratio_separation": ratio_of_separations(unbinned, float(b.expected[2]), group),
        "difference_in_band_widths": difference,
        "fits_failed": a.fits.failed + b.fits.failed,
    }


def bins_of(build: BuildFolder, name: str, unbinned: UnbinnedModel) -> np.ndarray:
    """Bin of each cell of the unbinned model's fine grid, -1 for none."""
    facts = build.sidecar["windows"][name]
    if "edges_gev2" in facts:
        edges = np.array(facts["edges_gev2"])
        return np.searchsorted(edges[1:-1], unbinned.grid.points[0][0], side="right")
    scan = read_card(ROOT / "models" / f"{build.record['card']['name']}.yaml").settings
    distance = ellipse_of(facts).distance(*unbinned.grid.points[0])
    group = np.full(len(distance), -1)
    group[distance < scan.ellipse_sigma**2] = 0
    group[(distance >= scan.ring_sigma[0] ** 2) & (distance < scan.ring_sigma[1] ** 2)] = 1
    return group


def dozen(search: str, cl: float) -> tuple[list[dict[str, Any]], list[Any]]:
    """The dozen hypotheses of a search, binned and unbinned, on the pseudo-data of its build."""
    document = read_hs3(ROOT / "models" / search / "unbinned.json")
    build = read_build(ROOT / "workspaces" / search)
    card_digest = build.record["card"]["digest"]
    events = pseudo_events(
        build.workspace, build.sidecar, seed=build.record["seed"], digest=card_digest
    )
    rows, pairs = [], []
    for name in document.analysis_names:
        unbinned = compile_hs3(document, name)
        workspace = read_workspace(
            str(build.workspace_path), patchset=str(build.patch_set_path), point=name
        )
        binned = compile_workspace(workspace)
        spectrum = build.sidecar["windows"][name].get("spectrum", "plane")
        x = np.array([events[spectrum][column] for column in unbinned.channels[0].observables])
        rows.append(
            row(
                name,
                values=dict(unbinned.values),
                unbinned=unbinned,
                events=x,
                binned=binned,
                counts=binned.observation,
                cl=cl,
                group=bins_of(build, name, unbinned),
            )
        )
        pairs.append((name, unbinned, binned))
    return rows, pairs


def coverage(model: UnbinnedModel, mu: float, cl: float, toys: int, seed: int) -> dict[str, Any]:
    """How often the true signal strength is accepted: asymptotic CLs and CLs+b, level-1 fits.

    Every toy has its own auxiliary data, its own fits and its own Asimov data.
    """
    truth = np.array(model.inits)
    poi = model.require_poi()
    truth[poi] = mu
    rng = keyed_generator(seed, model.digest, 17)
    accepted = {"CLs": 0, "CLs+b": 0, "CLs toys": 0, "CLs+b toys": 0}
    signal, background = tables(model, truth, mu, 4 * toys, seed)
    failed = n = 0
    while n < toys:
        block = min(model.toys_per_block, toys - n)
        data, auxdata = model.throw(truth, rng, block)
        free = fit_batch(model, data, auxdata, start=truth, poi_lower=0.0, poi_upper=math.inf)
        held = fit_batch(model, data, auxdata, start=free.parameters, poi_values=mu)
        zero = fit_batch(model, data, auxdata, start=free.parameters, poi_values=0.0)
        q = np.maximum(held.twice_nll - free.twice_nll, 0.0)
        q = np.where(free.parameters[:, poi] > mu, 0.0, q)
        good = free.converged & held.converged & zero.converged
        asimov = [model.asimov(point) for point in zero.parameters]
        lanes, aux = model.stack(asimov)
        tested = fit_batch(model, lanes, aux, start=zero.parameters, poi_values=mu)
        good &= tested.converged
        for k in range(block):
            if not good[k]:
                failed += 1  # counted as not covered
                continue
            p = observed_p_values("qtilde", float(q[k]), float(max(tested.twice_nll[k], 0.0)))
            accepted["CLs"] += p.cls > 1.0 - cl
            accepted["CLs+b"] += p.clsb > 1.0 - cl
            clsb, clb = (float((t >= q[k] - 1e-6).mean()) for t in (signal, background))
            accepted["CLs+b toys"] += clsb > 1.0 - cl
            accepted["CLs toys"] += clsb / max(clb, 1e-9) > 1.0 - cl
        n += block
    return {
        "analysis": model.analysis,
        "mu": mu,
        "toys": toys,
        "failed": failed,
        "cl": cl,
        **{name: count / toys for name, count in accepted.items()},
        "error": math.sqrt(cl * (1.0 - cl) / toys),
    }


def tables(
    model: Model, truth: np.ndarray, mu: float, n: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Distributions of the statistic for ``mu`` from other toys, with and without the signal.

    Thrown at the true nuisance parameters: what toys at each data set's best fit would give, but
    for the spread of those fits.
    """
    found = []
    poi = model.require_poi()
    for word, strength in ((21, mu), (22, 0.0)):
        point = truth.copy()
        point[poi] = strength
        rng, values = keyed_generator(seed, model.digest, word), []
        while sum(map(len, values)) < n:
            data, auxdata = model.throw(point, rng, model.toys_per_block)
            free = fit_batch(model, data, auxdata, start=point, poi_lower=0.0, poi_upper=math.inf)
            held = fit_batch(model, data, auxdata, start=free.parameters, poi_values=mu)
            q = np.maximum(held.twice_nll - free.twice_nll, 0.0)
            q = np.where(free.parameters[:, poi] > mu, 0.0, q)
            values.append(q[free.converged & held.converged])
        found.append(np.concatenate(values)[:n])
    return found[0], found[1]


def binned_coverage(
    model: HistFactoryModel, mu: float, cl: float, toys: int, seed: int
) -> dict[str, Any]:
    """The same for the binned likelihood of the hypothesis."""
    truth = np.array(model.inits)
    poi = model.require_poi()
    truth[poi] = mu
    data, auxdata = model.throw(truth, keyed_generator(seed, model.digest, 17), toys)
    free = fit_batch(model, data, auxdata, start=truth, poi_lower=0.0, poi_upper=math.inf)
    held = fit_batch(model, data, auxdata, start=free.parameters, poi_values=mu)
    zero = fit_batch(model, data, auxdata, start=free.parameters, poi_values=0.0)
    q = np.maximum(held.twice_nll - free.twice_nll, 0.0)
    q = np.where(free.parameters[:, poi] > mu, 0.0, q)
    lanes, aux = model.stack([model.asimov(point) for point in zero.parameters])
    tested = fit_batch(model, lanes, aux, start=zero.parameters, poi_values=mu)
    good = free.converged & held.converged & zero.converged & tested.converged
    signal, background = tables(model, truth, mu, 4 * toys, seed)
    clsb = np.array([(signal >= value - 1e-6).mean() for value in q[good]])
    clb = np.array([(background >= value - 1e-6).mean() for value in q[good]])
    p = [
        observed_p_values("qtilde", float(a), float(max(b, 0.0)))
        for a, b in zip(q[good], tested.twice_nll[good], strict=True)
    ]
    return {
        "mu": mu,
        "toys": toys,
        "failed": int((~good).sum()),
        "cl": cl,
        "CLs": sum(one.cls > 1.0 - cl for one in p) / toys,
        "CLs+b": sum(one.clsb > 1.0 - cl for one in p) / toys,
        "CLs toys": float((clsb / np.maximum(clb, 1e-9) > 1.0 - cl).sum()) / toys,
        "CLs+b toys": float((clsb > 1.0 - cl).sum()) / toys,
        "error": math.sqrt(cl * (1.0 - cl) / toys),
    }


def referee(document: Hs3Document, name: str, unbinned: UnbinnedModel, seed: int) -> float:
    """Largest difference between zfit's loss and the kernels at minima of a toy, in NLL."""
    from darkstats.model.unbinned.zfit_model import zfit_likelihood

    likelihood = zfit_likelihood(document, name)
    truth = np.array(unbinned.inits)
    data, auxdata = unbinned.throw(truth, keyed_generator(seed, unbinned.digest, 18), 1)
    likelihood.set_auxiliary(dict(zip(unbinned.parameter_names, auxdata[0].tolist(), strict=True)))
    points = [
        fit_batch(unbinned, data, auxdata, start=truth, poi_lower=0.0).parameters[0],
        fit_batch(unbinned, data, auxdata, start=truth, poi_values=0.0).parameters[0],
    ]
    ours = [unbinned.derivatives(p, data, auxdata[0])[0] for p in points]
    theirs = [likelihood.value_of(p, data) for p in points]
    return abs((theirs[1] - theirs[0]) - (ours[1] - ours[0]))


def main() -> None:
    """Run everything, print as it comes, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("--toys", type=int, default=2000)
    parser.add_argument("--zfit", action="store_true")
    args = parser.parse_args()
    study: dict[str, Any] = {"schema": "darkstats.unbinned-study/1", "searches": {}, "coverage": {}}
    for search, cl in LEVELS.items():
        rows, pairs = dozen(search, cl)
        study["searches"][search] = {"cl": cl, "rows": rows}
        for one in rows:
            print(
                f"{search} {one['name']:28s} n={one['events']:5d} "
                f"exp {one['unbinned']['expected'][2]:.4g} / {one['binned']['expected'][2]:.4g} "
                f"= {one['ratio_expected']:.3f} (separation {one['ratio_separation']:.3f}) "
                f"obs {one['unbinned']['observed']:.4g} / {one['binned']['observed']:.4g}",
                flush=True,
            )
        name, unbinned, binned = pairs[0]
        median = rows[0]["unbinned"]["expected"][2]
        study["coverage"][search] = {
            "name": name,
            "unbinned": [coverage(unbinned, f * median, cl, args.toys, 1) for f in (0.5, 1.0, 2.0)],
            "binned": [
                binned_coverage(binned, f * median, cl, args.toys, 1) for f in (0.5, 1.0, 2.0)
            ],
        }
        print(json.dumps(study["coverage"][search], indent=1), flush=True)
        if args.zfit:
            document = read_hs3(ROOT / "models" / search / "unbinned.json")
            worst = max(referee(document, n, u, 3) for n, u, _ in pairs)
            study["searches"][search]["zfit_difference_nll"] = worst
            print(search, "zfit", worst, flush=True)
    args.output.with_suffix(".json").write_text(
        json.dumps(study, indent=1, sort_keys=True) + "\n", "utf-8"
    )


if __name__ == "__main__":
    main()
