"""Speed of Bayesian limits: one posterior beside emcee, and all windows of a search.

    python -m tests.benchmarks.bayes_speed --output bayes-speed.json

Rounds are interleaved with the peer's. A Markov chain can be run for as long as one likes: its time
is that *to the error of ours*. It is extrapolated: the error of a chain of finite length, from
independent ensembles, falls with the root of the number of steps, burn-in left aside. What emcee
calls is the density of darkstats itself, all walkers in one compiled call, which flatters it, or
that of pyhf, one walker at a time, which is what a user has.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from tests.benchmarks.speed import ROOT, Row, command, data_folder, executable, processor

from darkstats.inference.bayes import Flat, NuisancePriors, bayes_limits
from darkstats.inference.bayes.engines import RUNNERS, Bench
from darkstats.inference.bayes.joint import JointDensity
from darkstats.model import HistFactoryModel, compile_workspace
from darkstats.provenance import package_version, versions
from darkstats.scan.limits import base_of, compile_point
from darkstats.scan.settings import ScanSettings
from darkstats.workflows.scan_sources import read_source
from darkstats.workspace import Workspace

WALKERS, ENSEMBLES, STEPS, BURN_IN = 32, 16, 2000, 500
SEARCH = ROOT / "workspaces" / "dark_higgsstrahlung"


def bump() -> Workspace:
    """A narrow peak in 100 bins with five nuisance parameters."""
    text = (data_folder().parent / "bench" / "bump100.json").read_text("utf-8")
    return Workspace.from_document(json.loads(text))


def bench(model: HistFactoryModel, seed: int) -> Bench:
    return Bench(
        model=model,
        nuisances=NuisancePriors().resolve(model),
        prior=Flat().bind(model),
        cl=0.9,
        seed=seed,
        expected="none",
    )


def ensemble_errors(model: HistFactoryModel) -> tuple[float, float]:
    """Error of the limit of one emcee ensemble on our density, and the seconds of its run."""
    import emcee

    one = bench(model, 1)
    problem = one.problem()
    joint = JointDensity.of(problem.density, problem.prior, model.observation.counts, problem.scale)
    cloud = one.cloud()
    limits, seconds = [], []
    for seed in range(ENSEMBLES):
        np.random.seed(seed)  # noqa: NPY002 -- emcee draws from the global state
        start = cloud.draw(np.random.default_rng(seed), WALKERS)
        sampler = emcee.EnsembleSampler(WALKERS, start.shape[1], joint.value, vectorize=True)
        state = sampler.run_mcmc(start, BURN_IN, progress=False)
        sampler.reset()
        begin = time.perf_counter()
        sampler.run_mcmc(state, STEPS, progress=False)
        seconds.append(time.perf_counter() - begin)
        limits.append(float(np.quantile(joint.mu(sampler.get_chain(flat=True)[:, 0]), 0.9)))
    return statistics.stdev(limits), statistics.median(seconds)


def pyhf_call(workspace: Workspace) -> float:
    """Seconds of one call of pyhf's density."""
    import pyhf

    pyhf.set_backend("numpy")
    model = pyhf.Workspace(workspace.document).model()
    data = pyhf.Workspace(workspace.document).data(model)
    point = np.array(model.config.suggested_init())
    model.logpdf(point, data)
    begin = time.perf_counter()
    for _ in range(200):
        model.logpdf(point, data)
    return (time.perf_counter() - begin) / 200


def posterior(rounds: int) -> Row:
    """One posterior with its credible limit, model compiled beforehand."""
    workspace = bump()
    model = compile_workspace(workspace)
    RUNNERS["laplace"](bench(model, 0))
    answers = [RUNNERS["laplace"](bench(model, seed)).answer for seed in range(ENSEMBLES)]
    scatter = statistics.stdev(answer.limit for answer in answers)
    error = max(scatter, statistics.median(answer.error for answer in answers))
    row = Row(
        name="one posterior, bump, 100 bins, 6 parameters",
        unit="s",
        note=f"limit {answers[0].limit:.4f}, error {error:.2g}: scatter over seeds {scatter:.2g}",
    )
    for seed in range(rounds):
        begin = time.perf_counter()
        answer = RUNNERS["laplace"](bench(model, seed)).answer
        row.ours.append(time.perf_counter() - begin)
        row.certified.append(float(answer.certified))
        theirs, seconds = ensemble_errors(model)
        longer = (theirs / error) ** 2
        row.peers.setdefault("emcee on our density", []).append(seconds * longer)
        calls = WALKERS * STEPS * longer
        row.peers.setdefault("emcee on pyhf", []).append(calls * pyhf_call(workspace))
    row.peer_failed = {peer: [0.0] * rounds for peer in row.peers}
    return row


def windows(rounds: int) -> Row:
    """All windows of the search: observed limits and expected bands, models compiled beforehand."""
    inputs = read_source(str(SEARCH), None).hypotheses
    base, settings = base_of(inputs.workspace, inputs.members), ScanSettings()
    models = [compile_point(base, patch, settings) for patch in inputs.members]
    row = Row(name=f"{len(models):,} dark-Higgs windows, limits and bands", unit="s")
    bayes_limits(models[:64])
    for _ in range(rounds):
        begin = time.perf_counter()
        found = bayes_limits(models)
        row.ours.append(time.perf_counter() - begin)
        good = [one.observed is not None and None not in one.expected for one in found]
        row.certified.append(sum(good) / len(good))
    return row


def whole_scan(rounds: int) -> Row:
    """The command: files read, models compiled, limits, bands, best fits, p-values, couplings."""
    row = Row(name="darkstats scan workspaces/dark_higgsstrahlung", unit="s", note="two processes")
    words = [executable("darkstats"), "scan", str(SEARCH), "--workers", "2"]
    with tempfile.TemporaryDirectory() as folder:
        command([*words, "-o", f"{folder}/scan"])
        summary = json.loads(Path(folder, "scan/scan.json").read_text("utf-8"))["summary"]
    for _ in range(rounds):
        row.ours.append(command(words)[0])
        row.certified.append(1.0 - summary["failed"] / summary["points"])
    return row


def main() -> int:
    """Run the parts and write the record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path("bayes-speed.json"))
    asked = parser.parse_args()
    rows = [posterior(asked.rounds), windows(asked.rounds), whole_scan(asked.rounds)]
    record: dict[str, Any] = {
        "schema": "darkstats.bayes-speed/1",
        "rows": [
            {
                **asdict(row),
                "median": statistics.median(row.ours),
                "ratios": {peer: row.ratio(peer) for peer in row.peers},
            }
            for row in rows
        ],
        "machine": {
            "date": dt.datetime.now(dt.UTC).date().isoformat(),
            "cpus": len(os.sched_getaffinity(0)),
            "processor": processor(),
            "load": os.getloadavg()[2],
            "rounds": asked.rounds,
            "versions": {**versions(), "emcee": package_version("emcee") or "not there"},
        },
    }
    text = json.dumps(record, indent=1, sort_keys=True, allow_nan=False) + "\n"
    asked.output.write_text(text, "utf-8")
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
