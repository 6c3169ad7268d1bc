"""Count wrong CLs on models whose likelihood has two minima.

    python -m tests.soak.double_wells --cases 300 --seed 3

Each model has a background that varies downwards both for the up and for the down template, so
that its pull has a minimum on either side of 0. The reference takes the lowest minimum from 40
starts along that pull for each of the four fits behind CLs. The exit status is 1 if a quoted CLs
differs from it by more than 1e-5.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from darkstats.errors import DarkstatsError
from darkstats.fit import fit_batch
from darkstats.inference import hypotest
from darkstats.inference.asymptotics import observed_p_values
from darkstats.model import HistFactoryModel, Observation, compile_workspace
from darkstats.workspace import read_workspace

STARTS = 40
SAME = 1e-4  # deviances closer than this belong to one minimum


@dataclass
class Tally:
    """What became of the models."""

    models: int = 0
    with_two_minima: int = 0
    wrong: int = 0
    wrong_without_a_warning: int = 0
    failed: int = 0
    largest_deviation: float = 0.0


def document(rng: np.random.Generator) -> dict[str, Any]:
    """Two signal bins over a folded and an ordinary background, and a control bin."""
    folded, other = rng.uniform(40.0, 200.0, 2), rng.uniform(20.0, 80.0, 2)
    high, low = rng.uniform(0.5, 0.9, 2), rng.uniform(0.5, 0.9, 2)
    mean = rng.uniform(0.8, 1.2, 2) * (0.9 * folded + other) + rng.uniform(0.0, 20.0, 2)
    fold = {"hi_data": list(folded * high), "lo_data": list(folded * low)}
    control = {"hi_data": [112.0], "lo_data": [93.0]}
    samples = [
        {"name": "signal", "data": [20.0, 30.0],
         "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]},
        {"name": "folded", "data": list(folded),
         "modifiers": [{"name": "pull", "type": "histosys", "data": fold}]},
        {"name": "other", "data": list(other),
         "modifiers": [{"name": "norm", "type": "normsys", "data": {"hi": 1.1, "lo": 0.9}}]},
    ]  # fmt: skip
    background = {
        "name": "folded",
        "data": [100.0],
        "modifiers": [{"name": "pull", "type": "histosys", "data": control}],
    }
    return {
        "version": "1.0.0",
        "channels": [
            {"name": "signal", "samples": samples},
            {"name": "control", "samples": [background]},
        ],
        "observations": [
            {"name": "signal", "data": [float(round(x)) for x in mean]},
            {"name": "control", "data": [float(rng.integers(85, 120))]},
        ],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
    }


def lowest(
    model: HistFactoryModel, observation: Observation, **held: float
) -> tuple[float, np.ndarray, bool]:
    """Lowest deviance from all starts, its parameters, and whether there was another minimum."""
    starts = np.repeat(model.inits[np.newaxis], STARTS, axis=0)
    starts[:, model.parameter_index("pull")] = np.linspace(-3.0, 3.0, STARTS)
    batch = fit_batch(
        model,
        np.broadcast_to(observation.counts, (STARTS, model.n_bins)),
        np.broadcast_to(observation.auxdata, (STARTS, model.n_parameters)),
        start=starts,
        **held,
    )
    found = batch.lowest()
    assert found is not None, "no start is certified"
    return found.twice_nll, found.parameters, found.spread > SAME


def reference_cls(model: HistFactoryModel) -> tuple[float, bool]:
    """CLs of q-tilde at mu = 1 from the lowest minima, and whether any fit had two."""
    data = model.observation
    free, at, two = lowest(model, data, poi_lower=0.0, poi_upper=math.inf)
    held, _, two_held = lowest(model, data, poi_values=1.0)
    _, background, two_background = lowest(model, data, poi_values=0.0)
    asimov, _, two_asimov = lowest(model, model.asimov(background), poi_values=1.0)
    q = 0.0 if at[model.require_poi()] > 1.0 else max(held - free, 0.0)
    wells = two or two_held or two_background or two_asimov
    return observed_p_values("qtilde", q, max(asimov, 0.0)).cls, wells


def run(cases: int, seed: int) -> Tally:
    """Examine ``cases`` models."""
    rng, tally = np.random.default_rng(seed), Tally()
    for _ in range(cases):
        model = compile_workspace(read_workspace(json.dumps(document(rng)).encode()))
        exact, wells = reference_cls(model)
        tally.models += 1
        tally.with_two_minima += wells
        try:
            result = hypotest(model, model.observation, 1.0)
        except DarkstatsError:
            tally.failed += 1
            continue
        assert result.cls is not None
        deviation = abs(result.cls.value / exact - 1.0)
        tally.largest_deviation = max(tally.largest_deviation, deviation)
        tally.wrong += deviation > 1e-5
        tally.wrong_without_a_warning += deviation > 1e-5 and not result.warnings
    return tally


def main() -> int:
    """Run, and print the tally as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--seed", type=int, default=3)
    options = parser.parse_args()
    tally = run(options.cases, options.seed)
    sys.stdout.write(json.dumps(vars(tally), indent=1) + "\n")
    return int(tally.wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
