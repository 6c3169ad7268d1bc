"""Why estimates are biased where auxiliary data are held at their nominal values.

    python docs/examples/closure_bias.py workspaces/zprime_invisible_2020 closure-bias.json

The bias of a maximum-likelihood estimate to the first order in 1/N (Cox and Snell, J. R. Stat. Soc.
B 30 (1968) 248) beside that of toys. A fit of Poisson counts whose rates are linear in their
parameters has none at this order if auxiliary data are drawn with the counts. If they are held
fixed, the fit believes in errors that toys do not have, and one is left: with Fisher information F
of the counts, C of the constraints and J = F + C, ``b = -J^-1 T (J^-1 C J^-1)``, where
``T_rtu = sum over bins of v_r v_t v_u / v^2`` for rates v and their derivatives.

Toys and prediction are compared as the search is, with ten times the luminosity, and without the
statistical error of simulation. Everything is simulated.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

import darkstats
from darkstats.workspace import Workspace

sys.path.insert(0, str(Path(__file__).parent))
from built_searches import OpenedSearch, without_simulation_error

__all__ = ["predicted_biases", "toy_biases"]

_SMALL = 1e-3  # relative step in parameters without a constraint


def _steps(model: darkstats.Model, truth: np.ndarray) -> np.ndarray:
    """Steps of differences: a standard deviation where there is one, where bends are felt."""
    free = _SMALL * np.maximum(np.abs(truth), _SMALL)
    widths = np.array([p.width if p.constraint == "gaussian" else 0.0 for p in model.parameters])
    return np.where(widths > 0.0, widths, free)


def _derivatives(model: darkstats.Model, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Derivatives of rates. Shapes [par, bin], [par, par, bin]."""
    steps, n = _steps(model, truth), len(truth)
    unit = np.diag(steps)
    middle = model.expected_rates(truth)
    up = np.array([model.expected_rates(truth + move) for move in unit])
    down = np.array([model.expected_rates(truth - move) for move in unit])
    second = np.empty((n, n, len(middle)))
    for r in range(n):
        second[r, r] = (up[r] + down[r] - 2.0 * middle) / steps[r] ** 2
        for t in range(r):
            both = model.expected_rates(truth + unit[r] + unit[t])
            none = model.expected_rates(truth - unit[r] - unit[t])
            mixed = both + none + 2.0 * middle - up[r] - up[t] - down[r] - down[t]
            second[r, t] = second[t, r] = mixed / (2.0 * steps[r] * steps[t])
    return (up - down) / (2.0 * steps[:, None]), second


def predicted_biases(model: darkstats.Model, truth: np.ndarray) -> dict[str, float]:
    """Bias of the parameter of interest over its spread, to the first order in 1/N.

    Parameters
    ----------
    model
        Its constraints are Gaussian.
    truth
        Parameters. Shape [par].

    Returns
    -------
    dict
        ``fixed`` and ``drawn``: auxiliary data at the truth, or drawn about it with each toy.

    Raises
    ------
    ValueError
        A constraint is not Gaussian.
    """
    if any(p.constrained and p.constraint != "gaussian" for p in model.parameters):
        raise ValueError("the bias is known for Gaussian constraints only")
    rates = model.expected_rates(truth)
    first, second = _derivatives(model, truth)
    information = (first / rates) @ first.T
    constraints = np.diag(
        [p.width**-2 if p.constraint == "gaussian" else 0.0 for p in model.parameters]
    )
    inverse = np.linalg.inv(information + constraints)
    cubes = np.einsum("ri,ti,ui->rtu", first / rates, first / rates, first)
    bends = np.einsum("rti,ui->rtu", second, first / rates)
    # E[l_rt l_u] and E[l_rtu] of Poisson counts
    mixed = bends - cubes
    third = 2.0 * cubes - bends - bends.transpose(0, 2, 1) - bends.transpose(2, 0, 1)
    at = model.require_poi()
    found = {}
    for name, spread in (("fixed", inverse @ information @ inverse), ("drawn", inverse)):
        inner = np.einsum("rtu,tu->r", mixed, inverse) + 0.5 * np.einsum("rtu,tu->r", third, spread)
        found[name] = float((inverse @ inner)[at] / np.sqrt(spread[at, at]))
    return found


def toy_biases(
    model: darkstats.Model, truth: np.ndarray, *, toys: int, seed: int
) -> dict[str, dict[str, float]]:
    """Bias over spread of fits of toys, auxiliary data at the truth or drawn, and its error.

    Parameters
    ----------
    model, truth
        As above. The rate stays positive: estimates are bounded from below.
    toys, seed
        Number, and seed of the random numbers.
    """
    index = model.require_poi()
    zero = truth.copy()
    zero[index] = 0.0
    rates, background = model.expected_rates(truth), model.expected_rates(zero)
    signal = (rates - background) / truth[index]
    inside = signal > 0.01 * signal.max()
    lowest = -0.98 * float(np.min(background[inside] / signal[inside]))
    rng = np.random.Generator(np.random.Philox(seed))
    counts = rng.poisson(rates, (toys, model.n_bins)).astype(float)
    widths = np.array([p.width if p.constraint == "gaussian" else 0.0 for p in model.parameters])
    held = np.where(widths > 0.0, truth, model.observation.auxdata)
    noise = rng.standard_normal((toys, model.n_parameters))
    found = {}
    for name, auxdata in (
        ("fixed", np.broadcast_to(held, noise.shape)),
        ("drawn", held + widths * noise),
    ):
        fits = darkstats.fit_batch(model, counts, auxdata, poi_lower=lowest, poi_upper=np.inf)
        estimates = fits.parameters[fits.converged, index]
        spread = float(estimates.std())
        found[name] = {
            "bias": float((estimates.mean() - truth[index]) / spread),
            "error": len(estimates) ** -0.5,
            "failed": int((~fits.converged).sum()),
        }
    return found


def brighter(document: dict[str, Any], factor: float) -> dict[str, Any]:
    """The same with more luminosity; relative errors stay, those of the simulation as well."""
    document = copy.deepcopy(document)
    for channel in document["channels"]:
        for sample in channel["samples"]:
            for holder in (sample, *(m["data"] for m in sample["modifiers"] if m["data"])):
                if isinstance(holder, dict):
                    for key in ("data", "lo_data", "hi_data"):
                        if key in holder:
                            holder[key] = [factor * one for one in holder[key]]
            for modifier in sample["modifiers"]:
                if modifier["type"] == "staterror":
                    modifier["data"] = [factor * one for one in modifier["data"]]
    for observation in document["observations"]:
        observation["data"] = [factor * one for one in observation["data"]]
    return document


#: What is compared: name, luminosity, and whether simulation has an error.
CASES = (
    ("as it is", 1.0, True), ("ten times the luminosity", 10.0, True),
    ("without simulation error", 1.0, False),
)  # fmt: skip


def study(folder: Path, *, toys: int, hypotheses: int) -> list[dict[str, Any]]:
    """One row for each hypothesis and case."""
    search = OpenedSearch.read(folder)
    windows = search.windows
    names = list(windows)
    rows = []
    for number, at in enumerate(np.linspace(0, len(names) - 1, hypotheses).astype(int)):
        name = names[at]
        workspace = search.workspace(name)
        for case, factor, simulated in CASES:
            plain = workspace.document
            if not simulated:
                plain = without_simulation_error(plain, signal=False)
            model = darkstats.compile_workspace(Workspace.from_document(brighter(plain, factor)))
            expected = factor * search.expected(name)
            truth = (
                darkstats.fit_batch(model, expected, model.observation.auxdata, poi_values=[0.0])
                .require_converged()
                .parameters[0]
                .copy()
            )
            data = darkstats.Observation(counts=expected, auxdata=model.observation.auxdata)
            limit = darkstats.upper_limit(model, data, cl=search.cl, scan_points=0, probe=False)
            truth[model.require_poi()] = 1.5 * limit.expected[2]
            rows.append(
                {
                    "mass_gev": windows[name]["mass_gev"],
                    "case": case,
                    "events": float(model.expected_rates(truth).sum()),
                    "predicted": predicted_biases(model, truth),
                    "toys": toy_biases(model, truth, toys=toys, seed=number),
                }
            )
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """The table of the page: bias over spread, auxiliary data fixed and drawn, by case."""
    head = ["m [GeV]"]
    for case, _, _ in CASES:
        head += [f"{case}: fixed, toys", "predicted", "drawn, toys", "predicted"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for mass in dict.fromkeys(row["mass_gev"] for row in rows):
        cells = [f"{mass:.3g}"]
        for case, _, _ in CASES:
            (row,) = (r for r in rows if r["mass_gev"] == mass and r["case"] == case)
            for kind in ("fixed", "drawn"):
                cells += [f"{row['toys'][kind]['bias']:+.3f}", f"{row['predicted'][kind]:+.3f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def agreement(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Mean and root mean square of what toys have beyond the prediction, by case and kind."""
    found = {}
    for case, _, _ in CASES:
        for kind in ("fixed", "drawn"):
            beyond = np.array(
                [r["toys"][kind]["bias"] - r["predicted"][kind] for r in rows if r["case"] == case]
            )
            found[f"{case}, {kind}"] = {
                "mean": float(beyond.mean()), "rms": float(np.sqrt((beyond**2).mean())),
            }  # fmt: skip
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--toys", type=int, default=5000)
    parser.add_argument("--hypotheses", type=int, default=14)
    asked = parser.parse_args()
    rows = study(asked.folder, toys=asked.toys, hypotheses=asked.hypotheses)
    record = {"toys": asked.toys, "rows": rows, "toys beyond prediction": agreement(rows)}
    asked.output.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    print(table(rows))
    for name, numbers in record["toys beyond prediction"].items():
        print(f"{name}: mean {numbers['mean']:+.3f}, rms {numbers['rms']:.3f}")


if __name__ == "__main__":
    main()
