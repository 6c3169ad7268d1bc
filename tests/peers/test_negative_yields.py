"""Single samples with negative yields: interference, weighted simulation. pyhf is the referee."""

from __future__ import annotations

import copy
import logging
import math
from itertools import product
from typing import Any

import numpy as np
import pyhf
import pytest

from darkstats.errors import FitFailedError
from darkstats.fit import fit
from darkstats.inference import hypotest, upper_limit
from darkstats.inference.bayes import bayes_limits
from darkstats.model import HistFactoryModel, compile_workspace
from darkstats.referee import Comparison, referee_fit
from darkstats.workspace import Workspace, lint
from pyhf_comparison import CODES, RELATIVE, disagreement
from strategies import random_workspace

Document = dict[str, Any]
MU = {"name": "mu", "type": "normfactor", "data": None}


@pytest.fixture(autouse=True)
def _quiet() -> None:
    logging.getLogger("pyhf").setLevel(logging.ERROR)


def normsys(name: str, width: float) -> Document:
    return {"name": name, "type": "normsys", "data": {"lo": 1.0 - width, "hi": 1.0 + width}}


def staterror(*errors: float) -> Document:
    return {"name": "stat", "type": "staterror", "data": list(errors)}


def document(
    *modifiers: Document,
    signal: tuple[float, float] = (8.0, 4.0),
    observed: tuple[float, float] = (36.0, 29.0),
    background: Document | None = None,
) -> Document:
    """Two bins with interference of -3 and -1 events, which carries some modifiers."""
    samples = [
        {"name": "signal", "data": list(signal), "modifiers": [MU]},
        {"name": "interference", "data": [-3.0, -1.0], "modifiers": list(modifiers)},
        {
            "name": "background",
            "data": [30.0, 25.0],
            "modifiers": [background or normsys("k", 0.1)],
        },
    ]
    return {
        "channels": [{"name": "A", "samples": samples}],
        "observations": [{"name": "A", "data": list(observed)}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }


SHAPE = {
    "name": "shape",
    "type": "histosys",
    "data": {"lo_data": [-5.0, -1.5], "hi_data": [-1.0, -0.5]},
}
CASES = {
    "plain": document(),
    "scaled": document(normsys("j", 0.3)),
    "correlated": document(normsys("k", 0.3)),
    "shape": document(SHAPE),
    "statistics": document(staterror(0.5, 0.4), background=staterror(3.0, 2.0)),
    "frozen": document({"name": "own", "type": "shapesys", "data": [0.5, 0.4]}),
    "in the signal": document(signal=(8.0, -4.0)),
    "nothing seen": document(observed=(0.0, 0.0)),
}


def compiled(made: Document) -> HistFactoryModel:
    return compile_workspace(Workspace.from_document(made))


@pytest.mark.parametrize("case", CASES)
def test_limits_are_those_of_pyhf(case):
    """At the limit CLs of pyhf is 0.05, as near as its minimiser comes."""
    made = CASES[case]
    found = lint(made)
    assert {f.severity for f in found} == {"warning"}
    assert "negative-yield" in {f.code for f in found}
    model = compiled(made)
    limit = upper_limit(model, model.observation, scan_points=0, probe=False).observed
    workspace = pyhf.Workspace(made)
    theirs = workspace.model()
    data = workspace.data(theirs)
    for mu in (limit, 0.7 * limit):
        cls = float(pyhf.infer.hypotest(mu, data, theirs, test_stat="qtilde"))
        mine = hypotest(model, model.observation, mu=mu).quoted.value
        assert mine == pytest.approx(cls, rel=2e-5, abs=1e-7)
    assert hypotest(model, model.observation, mu=limit).quoted.value == pytest.approx(0.05)


@pytest.mark.parametrize("block", range(4))
def test_random_workspaces_with_interference(block: int) -> None:
    """Expected events and log-density at random points, every kind of modifier: 1e-10."""
    for seed in range(30 * block, 30 * (block + 1)):
        rng = np.random.default_rng([seed, 12])
        made = copy.deepcopy(random_workspace(rng))
        for k, channel in enumerate(made["channels"]):
            total = np.sum([sample["data"] for sample in channel["samples"]], axis=0)
            data = (-rng.uniform(0.02, 0.2, len(total)) * total).tolist()
            kinds = [
                normsys("interference_norm", 0.2),
                {"name": f"interference_own_{k}", "type": "shapesys",
                 "data": [0.1 * abs(n) for n in data]},
                {"name": "interference_shape", "type": "histosys", "data": {
                    "lo_data": [1.2 * n for n in data], "hi_data": [0.9 * n for n in data]}},
            ]  # fmt: skip
            chosen = [one for one in kinds if rng.random() < 0.5]
            channel["samples"].append({"name": "interference", "data": data, "modifiers": chosen})
        if [f for f in lint(made) if f.severity == "error"]:
            continue  # a bin without any yield, say
        assert disagreement(made, CODES[seed % 3], rng) < RELATIVE, seed


def by_brute_force(model: HistFactoryModel, level: float, top: float = 30.0) -> float:
    """Credible limit with a flat prior: a sum over the strength, Gauss nodes over pulls."""
    strengths = (np.arange(6000) + 0.5) * top / 6000
    nodes, weights = np.polynomial.hermite_e.hermegauss(21)
    counts = np.asarray(model.observation.counts)
    others = [p for p in range(model.n_parameters) if p != model.poi_index]
    scale = float((counts * np.log(np.maximum(counts, 1.0)) - counts).sum())
    density = np.zeros_like(strengths)
    for chosen in product(range(21), repeat=len(others)):
        points = np.zeros((len(strengths), model.n_parameters))
        points[:, model.poi_index] = strengths
        points[:, others] = nodes[list(chosen)]
        rates = model.expected_rates(points)
        possible = (rates > 0.0).all(axis=1)
        logs = (counts * np.log(np.where(rates > 0.0, rates, 1.0)) - rates).sum(axis=1) - scale
        density += weights[list(chosen)].prod() * np.where(possible, np.exp(logs), 0.0)
    mass = np.cumsum(density) / density.sum()
    return float(np.interp(level, mass, strengths + 0.5 * top / 6000))


@pytest.mark.parametrize("case", ["plain", "scaled", "shape", "in the signal", "nothing seen"])
def test_posteriors_are_those_of_brute_force(case):
    model = compiled(CASES[case])
    (limit,) = bayes_limits([model], cl=0.95, expected="none")
    assert limit.observed == pytest.approx(by_brute_force(model, 0.95), rel=1e-4)


def test_a_minimum_is_certified_where_rates_are_positive_or_refused():
    """A signal of -10 events over 24 in a bin with data: nothing comes from beyond 2.4."""
    made = document(signal=(8.0, -10.0), observed=(36.0, 4.0))
    model = compiled(made)
    free = fit(model, model.observation)
    assert (model.expected_rates(free.parameters) > 0.0).all()
    with pytest.raises(FitFailedError):
        fit(model, model.observation, poi_value=20.0)


def test_referee_does_not_agree_where_there_is_no_density() -> None:
    """A rate below zero without events has a deviance, held at zero, but no density to compare.

    Infinity differs from any number by infinity, which is no more than a part of infinity.
    """
    assert not Comparison(quantity="x", darkstats=math.inf, referee=1.0).agrees
    assert not Comparison(quantity="x", darkstats=1.0, referee=math.nan).agrees
    samples = [
        {"name": "signal", "data": [20.0, 20.0],
         "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]},
        {"name": "background", "data": [5.0, 60.0],
         "modifiers": [{"name": "shape", "type": "histosys",
                        "data": {"hi_data": [-100.0, 200.0], "lo_data": [40.0, 10.0]}}]},
    ]  # fmt: skip
    workspace = Workspace.from_document(
        {
            "version": "1.0.0",
            "channels": [{"name": "SR", "samples": samples}],
            "observations": [{"name": "SR", "data": [0.0, 900.0]}],
            "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        }
    )
    model = compile_workspace(workspace)
    found = fit(model, model.observation)
    assert math.isinf(found.minus_two_log_density)
    verdict = referee_fit(workspace, model, found)
    assert verdict.status == "not repeated"
    assert "twice_nll" in str(verdict.reason)
