"""Widths relative to yields stay what they are where a factor moves into the yields.

The oracle is the same document with the factor held: rates, widths and limits are its own.
"""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from darkstats.errors import OptionError
from darkstats.inference import upper_limit
from darkstats.model import HistFactoryModel, compile_workspace
from darkstats.workspace import Workspace, prune, rename
from strategies import random_workspace

Document = dict[str, Any]
MU: Document = {"name": "mu", "type": "normfactor", "data": None}
K: Document = {"name": "k", "type": "normfactor", "data": None}
LUMI: Document = {"name": "lumi", "type": "lumi", "data": None}


def stat(*errors: float) -> Document:
    return {"name": "st", "type": "staterror", "data": list(errors)}


def document(
    samples: list[tuple[list[float], list[Document]]], counts: list[float], *parameters: Document
) -> Document:
    return {
        "channels": [{"name": "c", "samples": [
            {"name": f"s{i}", "data": data, "modifiers": modifiers}
            for i, (data, modifiers) in enumerate(samples)
        ]}],
        "observations": [{"name": "c", "data": counts}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": [
            {"name": "mu", "bounds": [[0.0, 100.0]], "inits": [1.0]}, *parameters]}}],
        "version": "1.0.0",
    }  # fmt: skip


def held(name: str, *values: float) -> Document:
    return {"name": name, "inits": list(values), "fixed": True}


LUMINOSITY: Document = {
    "name": "lumi", "auxdata": [36.1], "sigmas": [0.6], "inits": [36.1], "bounds": [[0.0, 100.0]],
}  # fmt: skip

#: A document, the modifier that is taken away, and what holds it where it stands.
CASES: dict[str, tuple[Document, str, Document]] = {
    "luminosity beside data-driven events": (
        document([([0.1], [MU, LUMI]), ([0.2], [LUMI, stat(0.05)]), ([6.0], [stat(0.3)])],
                 [14.0], LUMINOSITY),
        "lumi",
        {**LUMINOSITY, "fixed": True},
    ),
    "factor on one of two samples": (
        document([([2.0], [MU, K]), ([2.0], [K, stat(0.8)]), ([6.0], [stat(0.9)])],
                 [11.0], held("k", 2.0)),
        "k",
        held("k", 2.0),
    ),
    "a sample without errors": (
        document([([2.0], [MU]), ([4.0], [K, stat(0.0)]), ([6.0], [stat(0.9)])],
                 [11.0], held("k", 0.4)),
        "k",
        held("k", 0.4),
    ),
    "the sample with the errors goes": (
        document([([2.0], [MU]), ([4.0], [K, stat(0.9)]), ([6.0], [stat(0.0)])],
                 [6.0], {**held("k", 0.0)}),
        "k",
        held("k", 0.0),
    ),
    "bins of their own": (
        document([([2.0, 1.0], [MU]),
                  ([4.0, 3.0], [{"name": "k", "type": "shapefactor", "data": None},
                                stat(0.9, 0.2)]),
                  ([6.0, 9.0], [stat(0.4, 0.7)])],
                 [11.0, 14.0], held("k", 0.3, 1.8)),
        "k",
        held("k", 0.3, 1.8),
    ),
    "widths in the measurement": (
        document([([2.0], [MU]), ([4.0], [K, stat(0.4)]), ([6.0], [stat(0.9)])],
                 [11.0], held("k", 2.5), {"name": "st", "sigmas": [0.3]}),
        "k",
        held("k", 2.5),
    ),
    "below zero, more than zero in all": (
        document([([2.0], [MU]), ([1.0], [K, stat(0.4)]), ([6.0], [stat(0.9)])],
                 [6.0], {"name": "k", "inits": [-0.5], "bounds": [[-1.0, 1.0]], "fixed": True}),
        "k",
        {"name": "k", "inits": [-0.5], "bounds": [[-1.0, 1.0]], "fixed": True},
    ),
    "an uncertainty of one sample": (
        document([([2.0], [MU]),
                  ([4.0], [K, {"name": "g", "type": "shapesys", "data": [1.0]}]),
                  ([6.0], [stat(0.9)])],
                 [11.0], held("k", 2.5)),
        "k",
        held("k", 2.5),
    ),
    "a bin whose component is held": (
        document([([2.0, 2.0], [MU]),
                  ([10.0, 20.0], [{"name": "k", "type": "shapesys", "data": [2.0, 0.0]}])],
                 [12.0, 22.0],
                 {"name": "k", "auxdata": [30.0, 36.0], "factors": [25.0, 25.0],
                  "inits": [1.0, 0.9]}),
        "k",
        {"name": "k", "inits": [1.2, 0.9], "fixed": True},
    ),
    "errors of nothing": (
        document([([2.0, 2.0], [MU]),
                  ([10.0, 20.0], [{"name": "k", "type": "staterror", "data": [2.0, 0.0]}])],
                 [12.0, 22.0], {"name": "k", "auxdata": [1.2, 1.3]}),
        "k",
        {"name": "k", "inits": [1.2, 1.0], "fixed": True},
    ),
}  # fmt: skip


def limits(made: Workspace) -> list[float | None]:
    model = compile_workspace(made)
    found = upper_limit(model, model.observation, scan_points=0, probe=False)
    return [found.observed, *found.expected]


def holding(made: Document, *entries: Document) -> Document:
    """The document with other settings of some parameters, in every measurement."""
    result = copy.deepcopy(made)
    names = {entry["name"] for entry in entries}
    for measurement in result["measurements"]:
        config = measurement["config"]
        kept = [entry for entry in config["parameters"] if entry["name"] not in names]
        config["parameters"] = [*kept, *entries]
    return result


@pytest.mark.parametrize("case", CASES)
def test_a_limit_is_that_with_the_factor_held(case):
    made, name, entry = CASES[case]
    pruned = prune(Workspace.from_document(made), modifiers=[name])
    twin = Workspace.from_document(holding(made, entry))
    assert limits(pruned) == pytest.approx(limits(twin), rel=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_another_program_has_the_same_density(case):
    """Up to a constant, that of what is held: pyhf's density at several points."""
    pyhf = pytest.importorskip("pyhf")
    made, name, entry = CASES[case]
    pruned = prune(Workspace.from_document(made), modifiers=[name]).document
    rng = np.random.default_rng(1)
    differences = []
    models = []
    for one in (holding(made, entry), pruned):
        model = pyhf.Workspace(one).model()
        models.append((model, np.asarray(pyhf.Workspace(one).data(model))))
    for _ in range(4):
        drawn = {name: rng.uniform(0.7, 1.3) for name in models[0][0].config.par_names}
        densities = []
        for model, data in models:
            point = [
                start if fixed else drawn[name]
                for name, start, fixed in zip(
                    model.config.par_names,
                    model.config.suggested_init(),
                    model.config.suggested_fixed(),
                    strict=True,
                )
            ]
            densities.append(float(np.asarray(model.logpdf(point, data))[0]))
        differences.append(densities[0] - densities[1])
    assert differences == pytest.approx([differences[0]] * 4, abs=1e-9)


def assert_same(pruned: HistFactoryModel, twin: HistFactoryModel, seed: int) -> None:
    """Rates and constraints are those of the twin, whose further parameters are held."""
    ours = {p.name: k for k, p in enumerate(pruned.parameters)}
    theirs = {p.name: k for k, p in enumerate(twin.parameters)}
    assert all(twin.parameters[k].fixed for name, k in theirs.items() if name not in ours)
    rng = np.random.default_rng(seed)
    for name, k in ours.items():
        one, other = pruned.parameters[k], twin.parameters[theirs[name]]
        assert (one.constraint, one.fixed) == (other.constraint, other.fixed), name
        assert one.width == pytest.approx(other.width, rel=1e-9), name
        assert pruned.observation.auxdata[k] == pytest.approx(
            twin.observation.auxdata[theirs[name]], rel=1e-9
        )
    point = np.array(twin.inits)
    for k in theirs.values():
        if not twin.parameters[k].fixed:
            point[k] += rng.uniform(-0.1, 0.1)
    mine = np.array([point[theirs[p.name]] for p in pruned.parameters])
    assert pruned.expected_rates(mine) == pytest.approx(twin.expected_rates(point), rel=1e-9)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    value=st.floats(0.05, 20.0),
    share=st.floats(0.1, 0.9),
    luminosity=st.booleans(),
)
def test_any_workspace_without_a_held_factor_is_the_same_model(seed, value, share, luminosity):
    made = random_workspace(np.random.default_rng(seed))
    rng = np.random.default_rng(seed)
    samples = [sample for channel in made["channels"] for sample in channel["samples"]]
    gone = {"k"}
    for k, sample in enumerate(samples):
        if k == 0 or rng.random() < share:
            sample["modifiers"].append(copy.deepcopy(K))
    made["measurements"] = made["measurements"][:1]
    entries = [{**held("k", value), "bounds": [[0.0, 30.0]]}]
    of_lumi = [e for e in made["measurements"][0]["config"]["parameters"] if e["name"] == "lumi"]
    if luminosity and of_lumi:
        gone.add("lumi")
        if not of_lumi[0].get("fixed"):
            entries.append({**of_lumi[0], "inits": of_lumi[0]["auxdata"], "fixed": True})
    twin = holding(made, *entries)
    found = prune(Workspace.from_document(twin), modifiers=sorted(gone))
    assume(found.modifiers)
    assert_same(compile_workspace(found), compile_workspace(Workspace.from_document(twin)), seed)


@settings(max_examples=5, deadline=None)
@given(
    factor=st.floats(0.05, 20.0),
    errors=st.lists(st.floats(0.05, 0.5), min_size=2, max_size=2),
    yields=st.lists(st.floats(1.0, 20.0), min_size=2, max_size=2),
    on_signal=st.booleans(),
)
def test_any_limit_is_that_with_the_factor_held(factor, errors, yields, on_signal):
    made = document(
        [
            ([3.0], [MU, K] if on_signal else [MU]),
            ([yields[0]], [K, stat(errors[0] * yields[0])]),
            ([yields[1]], [stat(errors[1] * yields[1])]),
        ],
        [float(round(factor * yields[0] + yields[1]))],
        {**held("k", factor), "bounds": [[0.0, 30.0]]},
    )
    whole = Workspace.from_document(made)
    assert limits(prune(whole, modifiers=["k"])) == pytest.approx(limits(whole), rel=1e-6)


@pytest.mark.parametrize(
    "uncertainty", [stat(0.4), {"name": "g", "type": "shapesys", "data": [0.4]}]
)
def test_a_width_that_cannot_be_said_is_not_pruned(uncertainty):
    entry = {"name": "k", "inits": [-0.5], "bounds": [[-1.0, 1.0]], "fixed": True}
    made = document([([2.0], [MU]), ([1.0], [K, uncertainty]), ([6.0], [])], [6.0], entry)
    with pytest.raises(
        OptionError, match=r"without 'k' the yields in bin 0 of channel 'c'"
    ) as said:
        prune(Workspace.from_document(made), modifiers=["k"])
    remedy = str(said.value).split("hold what is taken away instead: ")[1]
    assert json.loads(remedy) == held("k", -0.5)


def test_equal_factors_leave_relative_errors_of_each_sample():
    made = document(
        [([2.0], [MU]), ([4.0], [K, stat(0.8)]), ([6.0], [K, stat(0.9)])], [11.0], held("k", 2.0)
    )
    _, *rest = prune(Workspace.from_document(made), modifiers=["k"]).document["channels"][0][
        "samples"
    ]
    assert [s["data"] + s["modifiers"][0]["data"] for s in rest] == [[8.0, 1.6], [12.0, 1.8]]


# --- other names of channels ---------------------------------------------------------------------


def two_channels(poi: str, *parameters: Document) -> Workspace:
    sizes = {"A": [10.0], "B": [30.0, 20.0]}
    return Workspace.from_document(
        {
            "channels": [
                {"name": name, "samples": [
                    {"name": "s", "data": [5.0] * len(events), "modifiers": [MU]},
                    {"name": "b", "data": events, "modifiers": [stat(*[0.1 * x for x in events])]},
                ]}
                for name, events in sizes.items()
            ],
            "observations": [{"name": "A", "data": [12.0]}, {"name": "B", "data": [31.0, 19.0]}],
            "measurements": [{"name": "m", "config": {"poi": poi, "parameters": [*parameters]}}],
            "version": "1.0.0",
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    "entry",
    [
        {"name": "st", "sigmas": [0.05, 0.5, 0.2]},
        {"name": "st", "auxdata": [0.9, 1.1, 1.0]},
        {"name": "st", "inits": [1.2, 0.9, 1.0], "fixed": True},
        {"name": "st", "bounds": [[0.5, 1.0], [0.9, 1.5], [1.0, 1.1]]},
    ],
)
def test_settings_of_components_follow_their_channels(entry):
    made = two_channels("mu", entry)
    renamed = rename(made, channels={"A": "Z"}, modifiers={"st": "stat"})
    assert limits(renamed) == pytest.approx(limits(made), rel=1e-6)
    back = rename(renamed, channels={"Z": "A"}, modifiers={"stat": "st"})
    assert back.document == made.document


def test_a_component_of_interest_follows_its_channel():
    made = two_channels("st[0]")
    renamed = rename(made, channels={"A": "Z"}, modifiers={"st": "stat"})
    assert renamed.document["measurements"][0]["config"]["poi"] == "stat[2]"
    assert (
        rename(made, channels={"A": "AA"}).document["measurements"][0]["config"]["poi"] == "st[0]"
    )
