"""Any workspace written as HS3 and read back is the same likelihood, whatever modifiers it has."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from darkstats.model import HistFactoryModel, compile_workspace
from darkstats.model.hs3_writing import hs3_document
from darkstats.workspace import Workspace, read_workspace
from darkstats.workspace.hs3 import Hs3Document
from darkstats.workspace.hs3.document import render_hs3
from darkstats.workspace.hs3.histfactory import histfactory_workspace
from strategies import Document, workspaces

#: Widths of Poisson constraints are written as tau and read as errors: a root and a square.
ROUNDING = 1e-12


def read_back(workspace: Workspace, measurement: str) -> HistFactoryModel:
    """The model of a measurement after writing, reading the text, and reading the workspace."""
    text = render_hs3(hs3_document(workspace))
    document = Hs3Document.from_document(json.loads(text))
    found = Workspace.from_document(histfactory_workspace(document, measurement))
    return compile_workspace(found, measurement)


def numbers_of(model: HistFactoryModel) -> list[tuple[Any, ...]]:
    return [
        (p.name, p.init, p.lower, p.upper, p.fixed, p.constraint) for p in model.parameters
    ]  # fmt: skip


def points_of(model: HistFactoryModel, seed: int) -> list[Any]:
    rng = np.random.default_rng(seed)
    low = [max(p.lower, p.init - 1.0) for p in model.parameters]
    high = [min(p.upper, p.init + 1.0) for p in model.parameters]
    return [model.inits, *rng.uniform(low, high, (3, model.n_parameters))]


@settings(max_examples=150, deadline=None)
@given(document=workspaces(), seed=st.integers(0, 2**32 - 1))
def test_the_likelihood_survives_hs3(document: Document, seed: int) -> None:
    """Rates, constraints, starts, ranges, held parameters, POI and data are the same."""
    workspace = Workspace.from_document(document)
    for measurement in workspace.measurement_names:
        before = compile_workspace(workspace, measurement)
        after = read_back(workspace, measurement)
        assert numbers_of(after) == numbers_of(before)
        assert after.poi_name == before.poi_name
        assert after.observation.counts.tolist() == before.observation.counts.tolist()
        for one, other in zip(before.parameters, after.parameters, strict=True):
            assert math.isclose(one.auxdata, other.auxdata, rel_tol=ROUNDING)
            assert math.isclose(one.width, other.width, rel_tol=ROUNDING)
        for point in points_of(before, seed):
            expected = before.expected_rates(point)
            np.testing.assert_allclose(after.expected_rates(point), expected, rtol=1e-13)
            stated = before.log_density(point, before.observation)
            found = after.log_density(point, after.observation)
            assert math.isclose(found, stated, rel_tol=ROUNDING, abs_tol=ROUNDING)


def test_published_likelihoods_survive_hs3(reference_data: Path) -> None:
    """Workspaces of ATLAS, and pyhf's: the very bits of the likelihood, background alone."""
    sources = sorted((reference_data / "pyhf_validation").glob("*.json"))
    found = [str(path) for path in sources if b'"observations"' in path.read_bytes()]
    (record,) = (reference_data / "atlas_susy_2018_31").glob("*.gz")
    found += [f"{record}:Region{region}/BkgOnly.json" for region in "ABC"]
    assert len(found) > 5
    for source in found:
        workspace = read_workspace(source, accept=("poi-unknown", "poi-no-effect"), usable=False)
        (measurement, *_) = workspace.measurement_names
        document = Hs3Document.from_document(hs3_document(workspace))
        back = Workspace.from_document(
            histfactory_workspace(document, measurement),
            accept=("poi-unknown", "poi-no-effect"), usable=False,
        )  # fmt: skip
        one, other = (compile_workspace(w, measurement, poi="") for w in (workspace, back))
        assert numbers_of(other) == numbers_of(one)
        for point in points_of(one, 3):
            stated = one.log_density(point, one.observation)
            assert math.isclose(other.log_density(point, other.observation), stated, rel_tol=1e-14)


ODD_NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cf", "Zl", "Zp", "Zs")),
    min_size=1, max_size=6,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(document=workspaces(), data=st.data())
def test_names_survive_hs3(document: Document, data: st.DataObject) -> None:
    """Names that programs cannot hold are replaced in the document, and found again."""
    odd = data.draw(st.lists(ODD_NAMES, min_size=3, max_size=3, unique=True))
    changed = copy.deepcopy(document)
    for channel in changed["channels"]:
        for sample in channel["samples"]:
            sample["name"] = odd[0] if sample["name"] == "signal" else sample["name"]
            for modifier in sample["modifiers"]:
                modifier["name"] = odd[1] if modifier["name"] == "mu" else modifier["name"]
    for channel in (*changed["channels"], *changed["observations"]):
        channel["name"] = odd[2] if channel["name"] == "channel0" else channel["name"]
    for measurement in changed["measurements"]:
        config = measurement["config"]
        for one in (config, *config["parameters"]):
            key = "poi" if one is config else "name"
            one[key] = odd[1] if one[key] == "mu" else one[key]
    workspace = Workspace.from_document(changed)
    before = compile_workspace(workspace)
    after = read_back(workspace, workspace.measurement_names[0])
    assert after.parameter_names == before.parameter_names
    assert [c.name for c in after.channels] == [c.name for c in before.channels]
    assert after.samples == before.samples
    written = hs3_document(workspace)
    given_names = [item["name"] for item in written["distributions"] + written["functions"]]
    parameters = [one["name"] for one in written["parameter_points"][0]["parameters"]]
    everything = given_names + parameters
    assert len(set(everything)) == len(everything)
    assert all(name.isascii() and name.isidentifier() for name in everything)
