"""What must not matter does not, and what must scale does: metamorphic properties of fits."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from darkstats.fit import FitOptions, fit_batch
from darkstats.model import HistFactoryModel
from small_models import compiled
from strategies import random_workspace

TIGHT = FitOptions(edm_tolerance=1e-12)
seeds = st.integers(0, 2**32 - 1)
quick = settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.filter_too_much],
)


def deviance(model: HistFactoryModel, start: np.ndarray | None = None) -> float:
    """Deviance of the free fit; models with several minima are left out."""
    jitter = np.random.default_rng(0).normal(scale=0.3, size=(4, model.n_parameters))
    starts = np.vstack([model.inits, np.clip(model.inits + jitter, model.lower, model.upper)])
    starts = np.where(model.fixed, model.inits, starts)
    batch = fit_batch(
        model,
        np.repeat(model.observation.counts[None], 5, axis=0),
        np.repeat(model.observation.auxdata[None], 5, axis=0),
        start=starts,
        options=TIGHT,
    )
    assert batch.converged.all()
    assume(np.ptp(batch.twice_nll) < 1e-8)
    return float(batch.twice_nll[0])


def fresh(seed: int) -> dict[str, Any]:
    return random_workspace(np.random.default_rng(seed))


@quick
@given(seed=seeds)
def test_order_of_channels_and_samples(seed: int) -> None:
    """Channels, samples and modifiers may stand in any order."""
    document = fresh(seed)
    value = deviance(compiled(document))
    rng = np.random.default_rng(seed)
    shuffled = copy.deepcopy(document)
    rng.shuffle(shuffled["channels"])
    rng.shuffle(shuffled["observations"])
    for channel in shuffled["channels"]:
        rng.shuffle(channel["samples"])
        for sample in channel["samples"]:
            rng.shuffle(sample["modifiers"])
    assert deviance(compiled(shuffled)) == pytest.approx(value, abs=1e-7)


@quick
@given(seed=seeds, fraction=st.floats(0.1, 0.9))
def test_a_sample_may_be_split(seed: int, fraction: float) -> None:
    """A sample in two parts with the same modifiers is the same model."""
    document = fresh(seed)
    for channel in document["channels"]:  # uncertainties of a bin do not split linearly
        for sample in channel["samples"]:
            sample["modifiers"] = [
                m for m in sample["modifiers"] if m["type"] not in {"staterror", "shapesys"}
            ]
    for measurement in document["measurements"]:
        measurement["config"]["parameters"] = []
    assume("lumi" not in json.dumps(document["channels"]))
    assume(any(s["modifiers"] for c in document["channels"] for s in c["samples"]))
    value = deviance(compiled(document))
    split = copy.deepcopy(document)
    sample = split["channels"][0]["samples"][0]
    other = copy.deepcopy(sample)
    other["name"] += "_rest"
    for part, share in ((sample, fraction), (other, 1.0 - fraction)):
        part["data"] = [share * events for events in part["data"]]
        for modifier in part["modifiers"]:
            if modifier["type"] == "histosys":
                modifier["data"] = {
                    key: [share * events for events in values]
                    for key, values in modifier["data"].items()
                }
    split["channels"][0]["samples"].append(other)
    assert deviance(compiled(split)) == pytest.approx(value, abs=1e-7)


@quick
@given(seed=seeds)
def test_a_sample_without_events_changes_nothing(seed: int) -> None:
    """A sample of zero yield adds nothing to rates and deviance."""
    document = fresh(seed)
    value = deviance(compiled(document))
    channel = document["channels"][-1]
    n_bins = len(channel["samples"][0]["data"])
    channel["samples"].append({"name": "nothing", "data": [0.0] * n_bins, "modifiers": []})
    assert deviance(compiled(document)) == pytest.approx(value, abs=1e-9)


@quick
@given(seed=seeds, factor=st.floats(1e-3, 1e3))
def test_signal_strength_scales_inversely(seed: int, factor: float) -> None:
    """k times the signal at mu/k is the signal at mu."""
    document = fresh(seed)
    assume(document["measurements"][0]["config"]["poi"] == "mu")
    document["measurements"][0]["config"]["parameters"] = [
        p for p in document["measurements"][0]["config"]["parameters"] if p["name"] not in {"mu"}
    ]
    model = compiled(document)
    scaled = copy.deepcopy(document)
    for channel in scaled["channels"]:
        for sample in channel["samples"]:
            kinds = {modifier["type"] for modifier in sample["modifiers"]}
            if not any(modifier["name"] == "mu" for modifier in sample["modifiers"]):
                continue
            assume(not kinds & {"histosys", "staterror", "shapesys"})
            sample["data"] = [factor * events for events in sample["data"]]
    counts = model.observation.counts[None]
    auxdata = model.observation.auxdata[None]
    other = compiled(scaled)
    for mu in (0.0, 0.7, 2.5):
        one = fit_batch(model, counts, auxdata, poi_values=mu, options=TIGHT)
        two = fit_batch(other, counts, auxdata, poi_values=mu / factor, options=TIGHT)
        assert one.converged.all()
        assert two.converged.all()
        assume(abs(one.twice_nll[0] - two.twice_nll[0]) < 1e-3)  # the same one of several minima
        assert two.twice_nll[0] == pytest.approx(one.twice_nll[0], abs=1e-7)


@quick
@given(seed=seeds)
def test_asimov_data_give_back_their_parameters(seed: int) -> None:
    """The fit to Asimov data of a point has deviance zero."""
    model = compiled(fresh(seed))
    rng = np.random.default_rng(seed)
    spread = np.array([0.3 if p.init == 0.0 else 0.05 for p in model.parameters])
    point = np.clip(
        model.inits + spread * rng.normal(size=model.n_parameters), model.lower, model.upper
    )
    point = np.where(model.fixed, model.inits, point)
    assume((model.expected_rates(point) > 0.0).all())
    data = model.asimov(point)
    batch = fit_batch(model, data.counts[None], data.auxdata[None], start=point, options=TIGHT)
    assert batch.converged.all()
    assert abs(batch.twice_nll[0]) < 1e-9


@quick
@given(seed=seeds)
def test_masked_channels_do_not_count(seed: int) -> None:
    """Data of a masked channel do not change the fit; its prediction stays."""
    from darkstats.model import compile_workspace
    from darkstats.workspace import Workspace

    document = fresh(seed)
    assume(len(document["channels"]) > 1)
    name = document["channels"][-1]["name"]
    one = compile_workspace(Workspace.from_document(document), masked=(name,))
    for observation in document["observations"]:
        if observation["name"] == name:
            observation["data"] = [value + 40.0 for value in observation["data"]]
    two = compile_workspace(Workspace.from_document(document), masked=(name,))
    assert deviance(one) == deviance(two)
    assert (one.expected_rates(one.inits)[one.masked_bins] >= 0.0).all()
    assert one.expected_rates(one.inits)[one.masked_bins].sum() > 0.0
