"""Unbinned toy fits: kernels and general engine beside a loop of zfit with Minuit, in one run.

    python -m tests.benchmarks.unbinned_speed --output docs/studies/unbinned-speed

Needs ``darkstats[unbinned]``. Rounds are interleaved, so that a machine whose speed drifts drifts
for all; a ratio is the median over rounds. Minima are compared by zfit's own loss.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from darkstats.fit import FitOptions, fit_batch
from darkstats.fit.lanes import Problem
from darkstats.fit.newton import newton_lanes
from darkstats.model.unbinned.analyses import compile_hs3
from darkstats.model.unbinned.model import UnbinnedModel
from darkstats.model.unbinned.zfit_engine import ZfitEngine
from darkstats.model.unbinned.zfit_model import import_zfit, zfit_likelihood
from darkstats.provenance import package_version, versions
from darkstats.workspace.hs3 import Hs3Document
from darkstats.workspace.hs3.building import bernstein_expression, chebyshev_expression

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from unbinned_models import outline

AXIS = ("x", 0.0, 1.0)
DOUBLE = {"m0": 0.5, "sigma_L": 0.05, "sigma_R": 0.05}
TAILS = {"alpha_L": 1.5, "alpha_R": 1.8, "n_L": 3.0, "n_R": 4.0}


def documents() -> dict[str, dict[str, Any]]:
    """Models with about a thousand events; a fixed signal shape but for the third."""
    shapes = [(k, v) for k, v in {**DOUBLE, **TAILS}.items()]
    peak = {"name": "sig", "type": "crystalball_doublesided_dist", "m": "x"}
    double = {**peak, **{k: k for k, _ in shapes}}
    gaussian = {"name": "sig", "type": "gaussian_dist", "x": "x", "mean": 0.5, "sigma": 0.05}
    falling = {"name": "bkg", "type": "exponential_dist", "x": "x", "c": "c"}
    cheb = {
        "name": "bkg",
        "type": "generic_dist",
        "expression": chebyshev_expression(("c1", "c2"), *AXIS),
    }
    found = {
        "Gaussian on exponential": outline(
            [gaussian, falling],
            [("ns", 50.0, -200.0, 1000.0), ("nb", 950.0, 0.0, 5000.0), ("c", 2.0, -10.0, 20.0)],
            yields={"sig": "ns", "bkg": "nb"},
        ),
        "Crystal Ball on Chebyshev": outline(
            [double, cheb],
            [
                ("ns", 50.0, -200.0, 1000.0),
                ("nb", 950.0, 0.0, 5000.0),
                ("c1", -0.4, -1.0, 1.0),
                ("c2", 0.1, -1.0, 1.0),
            ],
            yields={"sig": "ns", "bkg": "nb"},
            constants=shapes,
        ),
        "Crystal Ball of floating width on Bernstein": outline(
            [
                {**double, "sigma_L": "width", "sigma_R": "width"},
                *(
                    {
                        "name": f"b{k}",
                        "type": "generic_dist",
                        "expression": bernstein_expression(k, 2, *AXIS),
                    }
                    for k in range(3)
                ),
                {"name": "cr", "type": "gaussian_dist", "x": "aux_a", "mean": "a", "sigma": 1.0},
            ],
            [
                ("ns", 50.0, 0.0, 1000.0),
                ("n0", 450.0, 0.0, 5000.0),
                ("n1", 300.0, 0.0, 5000.0),
                ("n2", 200.0, 0.0, 5000.0),
                ("a", 0.0, -5.0, 5.0),
            ],
            yields={"sig": "ns", "b0": "n0", "b1": "n1", "b2": "n2"},
            functions=[
                {
                    "name": "width",
                    "type": "generic_function",
                    "expression": "0.05 * (1 + 0.1 * a)",
                }
            ],
            constants=[*shapes, ("aux_a", 0.0)],
            constraints=["cr"],
        ),
    }
    found["two channels, shared width, constraint"] = two_channels()
    return found


def two_channels() -> dict[str, Any]:
    """A Gaussian of one width in two channels, constrained, on an exponential and a flat part."""
    document = outline(
        [
            {"name": "sig", "type": "gaussian_dist", "x": "x", "mean": 0.5, "sigma": "width"},
            {"name": "bkg", "type": "exponential_dist", "x": "x", "c": "c"},
            {"name": "cr", "type": "gaussian_dist", "x": "aux_a", "mean": "a", "sigma": 1.0},
            {
                "name": "second",
                "type": "mixture_dist",
                "extended": True,
                "summands": ["sig2", "flat"],
                "coefficients": ["ns2", "nf"],
            },
            {"name": "sig2", "type": "gaussian_dist", "x": "z", "mean": 2.0, "sigma": "width"},
            {"name": "flat", "type": "uniform_dist", "x": ["z"]},
        ],
        [
            ("ns", 40.0, 0.0, 1000.0),
            ("nb", 560.0, 0.0, 5000.0),
            ("c", 2.0, -10.0, 20.0),
            ("nf", 380.0, 0.0, 5000.0),
            ("a", 0.0, -5.0, 5.0),
        ],
        yields={"sig": "ns", "bkg": "nb"},
        functions=[
            {"name": "width", "type": "generic_function", "expression": "0.05 * (1 + 0.1 * a)"},
            {"name": "ns2", "type": "product", "factors": ["ns", 0.5]},
        ],
        constants=[("aux_a", 0.0)],
        constraints=["cr"],
    )
    document["data"].append(
        {
            "name": "observed2",
            "type": "unbinned",
            "axes": [{"name": "z", "min": 1.0, "max": 3.0}],
            "entries": [],
        }
    )
    likelihood = document["likelihoods"][0]
    likelihood["distributions"].append("second")
    likelihood["data"].append("observed2")
    return document


def minuit_loop(
    zfit: Any,
    likelihood: Any,
    model: UnbinnedModel,
    *,
    data: Any,
    auxdata: np.ndarray,
    lanes: range,
) -> tuple[float, list[np.ndarray], int]:
    """Fits a second, minima, failures of the usual loop: one loss, data put in, Minuit."""
    samplers = [
        m.create_sampler(n=10, limits=s)
        for m, s in zip(likelihood.models, likelihood.spaces, strict=True)
    ]
    loss = zfit.loss.ExtendedUnbinnedNLL(
        list(likelihood.models), samplers, constraints=list(likelihood.constraints) or None
    )
    minimizer = zfit.minimize.Minuit(gradient="zfit")
    found, failed, spent = [], 0, 0.0
    for n, lane in enumerate((lanes[0], *lanes)):  # the first is traced, and not counted
        likelihood.set_values(model.inits)
        likelihood.set_auxiliary(
            dict(zip(model.parameter_names, auxdata[lane].tolist(), strict=True))
        )
        for c, sampler in enumerate(samplers):
            x, w = data.channels[c].events_of(lane)
            sampler.update_data(np.ascontiguousarray(x[:, w > 0.0].T))
        start = time.perf_counter()
        result = minimizer.minimize(loss)
        if n:
            spent += time.perf_counter() - start
            failed += not result.valid
            found.append(np.array([float(p.value()) for p in likelihood.parameters]))
    return len(found) / spent, found, failed


def compare(name: str, document: dict[str, Any], args: argparse.Namespace) -> dict[str, Any]:
    """One model, all methods, interleaved."""
    zfit = import_zfit()
    hs3 = Hs3Document.from_document(document, name)
    model, likelihood = compile_hs3(hs3), zfit_likelihood(hs3)
    engine = ZfitEngine.of_likelihood(likelihood, model.parameter_names)
    rng = np.random.default_rng(1)
    data, auxdata = model.throw(model.inits, rng, args.toys)
    some = slice(0, args.engine_toys)
    evaluator = engine.evaluator(data[some], auxdata[some])
    problem = Problem.of(model, fix_poi=False, fixed={}, poi_lower=None, poi_upper=None)
    starts = np.repeat(model.inits[None], args.engine_toys, axis=0)
    begin = time.perf_counter()
    newton_lanes(problem, evaluator, starts[:100], FitOptions())
    first_call = time.perf_counter() - begin
    fit_batch(model, data[:8], auxdata[:8], start=model.inits)
    rates: dict[str, list[float]] = {"minuit": [], "engine": [], "kernels": []}
    differences: dict[str, list[float]] = {"minuit": [], "engine": []}
    good: dict[str, list[float]] = {"minuit": [], "engine": [], "kernels": []}
    for turn in range(args.rounds):
        lanes = range(turn * args.minuit_toys, (turn + 1) * args.minuit_toys)
        rate, theirs, failed = minuit_loop(
            zfit, likelihood, model, data=data, auxdata=auxdata, lanes=lanes
        )
        rates["minuit"].append(rate)
        good["minuit"].append(1.0 - failed / len(theirs))
        begin = time.perf_counter()
        mapped = newton_lanes(problem, evaluator, starts, FitOptions())
        rates["engine"].append(args.engine_toys / (time.perf_counter() - begin))
        good["engine"].append(float((mapped.status(1e-9) == 0).mean()))
        begin = time.perf_counter()
        batch = fit_batch(model, data, auxdata, start=model.inits)
        rates["kernels"].append(args.toys / (time.perf_counter() - begin))
        good["kernels"].append(float(batch.converged.mean()))
        for lane, point in zip(lanes, theirs, strict=True):
            likelihood.set_auxiliary(
                dict(zip(model.parameter_names, auxdata[lane].tolist(), strict=True))
            )
            own = likelihood.value_of(batch.parameters[lane], data[lane])
            differences["minuit"].append(likelihood.value_of(point, data[lane]) - own)
            if mapped.status(1e-9)[lane] == 0:
                differences["engine"].append(
                    likelihood.value_of(mapped.parameters[lane], data[lane]) - own
                )
    ratio = {
        key: statistics.median(a / b for a, b in zip(rates[key], rates["minuit"], strict=True))
        for key in ("engine", "kernels")
    }
    return {
        "model": name,
        "parameters": model.n_parameters,
        "events": float(data.totals.sum(axis=1).mean()),
        "rates_per_s": {key: statistics.median(values) for key, values in rates.items()},
        "ratio": ratio,
        "certified": {key: statistics.mean(values) for key, values in good.items()},
        "engine_first_call_s": first_call,
        "minuit_above_kernels": [min(differences["minuit"]), max(differences["minuit"])],
        "engine_minus_kernels": max(abs(d) for d in differences["engine"]),
        "minuit_fits": len(differences["minuit"]),
    }


MEMORY = """
import sys; sys.path.insert(0, {tests!r})
import json, numpy as np
from tests.benchmarks.unbinned_speed import documents
from darkstats.model.unbinned.analyses import compile_hs3
from darkstats.workspace.hs3 import Hs3Document
from darkstats.inference.toys import sample_statistic
from darkstats.inference.test_statistics import TEST_STATISTICS
from darkstats.inference import ToyOptions
name = "Crystal Ball on Chebyshev"
model = compile_hs3(Hs3Document.from_document(documents()[name], name))
sample = sample_statistic(model, model.inits, mu=(50.0,), statistic=TEST_STATISTICS["qtilde"],
                          poi_lower=0.0, hypothesis=0, options=ToyOptions(n_toys={n}))
peak = next(int(l.split()[1]) / 1024 for l in open("/proc/self/status") if l.startswith("VmHWM"))
print(json.dumps({{"toys": {n}, "peak_mb": peak, "failed": sample.counts.failed}}))
"""


def memory(n: int) -> dict[str, Any]:
    """Peak memory of a process that throws and fits ``n`` toys of a thousand events."""
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", MEMORY.format(tests=str(root), n=n)],
        check=True,
        capture_output=True,
        text=True,
        cwd=root,
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


def table(study: dict[str, Any]) -> str:
    """The rows as Markdown."""
    lines = [
        "| model | floating | zfit + Minuit, fits/s | engine over zfit's loss | kernels "
        "| Minuit above the kernels' minimum (NLL) | engine minus kernels (NLL) | certified |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in study["models"]:
        rates, ratio = row["rates_per_s"], row["ratio"]
        low, high = row["minuit_above_kernels"]
        good = row["certified"]
        lines.append(
            f"| {row['model']} | {row['parameters']} | {rates['minuit']:.2f} "
            f"| {rates['engine']:.0f} (x {ratio['engine']:.0f}) "
            f"| {rates['kernels']:.0f} (x {ratio['kernels']:.0f}) "
            f"| {low:.1e} to {high:.1e} | {row['engine_minus_kernels']:.1e} "
            f"| {good['engine']:.4f}, {good['kernels']:.4f} |"
        )
    for row in study["memory"]:
        lines.append("")
        lines.append(
            f"{row['toys']:,} toys of a thousand events, thrown and fitted twice: peak memory "
            f"{row['peak_mb']:.0f} MB, {row['failed']} failed."
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, and write ``OUTPUT.json`` and ``OUTPUT.md``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--toys", type=int, default=4096)
    parser.add_argument("--engine-toys", type=int, default=1000)
    parser.add_argument("--minuit-toys", type=int, default=8)
    parser.add_argument("--only", default="")
    parser.add_argument("--memory", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--output")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    study: dict[str, Any] = {
        "schema": "darkstats.unbinned-speed/1",
        "models": [],
        "memory": [],
        "processors": len(os.sched_getaffinity(0)),
        "machine": platform.machine(),
        "versions": versions(
            {name: package_version(name) for name in ("zfit", "tensorflow", "iminuit")}
        ),
    }
    for name, document in documents().items():
        if args.only in name:
            study["models"].append(compare(name, document, args))
            sys.stdout.write(json.dumps(study["models"][-1]) + "\n")
    study["memory"] = [memory(n) for n in args.memory]
    text = table(study)
    sys.stdout.write(text)
    if args.output:
        Path(f"{args.output}.json").write_text(
            json.dumps(study, indent=1, sort_keys=True, allow_nan=False) + "\n", "utf-8"
        )


if __name__ == "__main__":
    main()
