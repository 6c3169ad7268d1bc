"""Parameters by name: the linter and the model agree on what a name means."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkstats.cli import run
from darkstats.errors import UnknownNameError, WorkspaceError
from darkstats.fit import covariance, fit
from darkstats.inference import upper_limit
from darkstats.model import compile_workspace
from darkstats.workspace import Workspace, lint, rename

MU = {"name": "mu", "type": "shapefactor", "data": None}


def document(signal: list[float], background: list[float], *modifiers: Any) -> dict[str, Any]:
    """One channel whose signal has a shapefactor, and the background some modifiers."""
    samples = [
        {"name": "sig", "data": signal, "modifiers": [dict(MU)]},
        {"name": "b", "data": background, "modifiers": copy.deepcopy(list(modifiers))},
    ]
    observed = [round(s + b) for s, b in zip(signal, background, strict=True)]
    return {
        "channels": [{"name": "A", "samples": samples}],
        "observations": [{"name": "A", "data": observed}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }


ERROR = {"name": "k", "type": "normsys", "data": {"lo": 0.9, "hi": 1.1}}
GAMMA = {"name": "un", "type": "shapesys", "data": [6.0, 5.0]}


def codes(found: dict[str, Any]) -> list[str]:
    return [finding.code for finding in lint(found) if finding.severity == "error"]


def compiled(found: dict[str, Any], poi: str | None = None):
    return compile_workspace(Workspace.from_document(found), poi=poi)


def test_a_shapefactor_of_one_bin_is_a_parameter_of_interest():
    """It is a normfactor by another name: 10% on 50 events, 5 of signal, 55 observed."""
    model = compiled(document([5.0], [50.0], ERROR))
    assert model.poi_index == 0
    limit = upper_limit(model, model.observation, scan_points=0)
    assert limit.observed == pytest.approx(4.3943, abs=1e-4)
    assert limit.expected == pytest.approx([1.8918, 2.5685, 3.6204, 5.1353, 7.0473], abs=1e-4)


def test_a_shapefactor_of_several_bins_is_refused_with_the_way_out():
    found = document([5.0, 3.0], [50.0, 40.0], ERROR)
    with pytest.raises(WorkspaceError, match=r"poi-many.*2 components.*such as 'mu\[0\]'"):
        compiled(found)
    found["measurements"][0]["config"]["poi"] = ""
    with pytest.raises(UnknownNameError, match=r"unknown parameter 'mu'; .*: mu\[0\], mu\[1\]"):
        compiled(found, poi="mu")
    for where in (0, 1):  # the way out is one
        found["measurements"][0]["config"]["poi"] = f"mu[{where}]"
        assert compiled(found).poi_index == where
        assert compiled(found).digest == compiled(found, poi=f"mu[{where}]").digest


@given(
    poi=st.sampled_from(
        ["mu", "mu[0]", "mu[1]", "mu[01]", "k", "k[0]", "un", "un[0]", "un[1]", "un[2]", "x", "mu["]
    ),
    n_bins=st.integers(1, 2),
)
def test_the_linter_knows_what_the_model_knows(poi, n_bins):
    """A name is a parameter for both, or for neither."""
    gamma = {**GAMMA, "data": GAMMA["data"][:n_bins]}
    made = document([5.0, 3.0][:n_bins], [50.0, 40.0][:n_bins], ERROR, gamma)
    model = compiled({**made, "measurements": [
        {"name": "m", "config": {"poi": "", "parameters": []}}
    ]})  # fmt: skip
    made["measurements"][0]["config"]["poi"] = poi
    try:
        model.parameter_index(poi)
    except UnknownNameError:
        assert codes(made) in (["poi-unknown"], ["poi-many"])
    else:
        assert codes(made) == []


@pytest.mark.parametrize("kind", ["shapefactor", "shapesys", "staterror"])
@pytest.mark.parametrize("name", ["un[0]", "un[1]"])
def test_a_name_of_a_component_is_refused(kind, name):
    gamma = {**GAMMA, "type": kind, "data": None if kind == "shapefactor" else GAMMA["data"]}
    found = document([8.0, 4.0], [30.0, 25.0], gamma, {**ERROR, "name": name})
    found["measurements"][0]["config"]["poi"] = "mu[0]"
    assert codes(found) == ["component-name"]


@pytest.mark.parametrize("name", ["un[2]", "un[00]", "un[-1]", "other[0]", "un", "k[0]"])
def test_names_that_no_component_has_are_not(name):
    found = document([8.0], [30.0], {**GAMMA, "data": [6.0]}, {**ERROR, "name": name})
    assert "component-name" not in codes(found)


def test_the_remedy_for_a_name_of_a_component_works(tmp_path, capsys):
    """Refused by a fit; read, renamed by the command that the message gives, and fitted."""
    signal = {"name": "mu", "type": "normfactor", "data": None}
    error = {"name": "un[0]", "type": "normsys", "data": {"lo": 0.8, "hi": 1.2}}
    found = document([8.0, 4.0], [30.0, 25.0], GAMMA, error)
    found["channels"][0]["samples"][0]["modifiers"] = [signal]
    found["observations"][0]["data"] = [36.0, 29.0]
    path, mended = tmp_path / "w.json", tmp_path / "mended.json"
    path.write_text(json.dumps(found), "utf-8")
    assert run(["fit", str(path)]) == 2
    said = capsys.readouterr().err
    assert "[component-name]" in said
    assert "darkstats rename WORKSPACE --modifier 'un[0]=NEW'" in said
    words = ["rename", str(path), "--modifier", "un[0]=other", "-o", str(mended)]
    assert run(words) == 0
    model = compiled(json.loads(mended.read_text("utf-8")))
    found_errors = covariance(fit(model, model.observation))
    errors = [found_errors.error(name) for name in model.parameter_names]
    assert errors == pytest.approx([1.25, 0.19, 0.16, 0.97], rel=0.03)


def test_a_component_follows_its_renamed_modifier():
    found = document([5.0, 3.0], [50.0, 40.0], ERROR)
    found["measurements"][0]["config"]["poi"] = "mu[1]"
    renamed = rename(Workspace.from_document(found), modifiers={"mu": "nu"})
    assert renamed.poi_name() == "nu[1]"
    assert compile_workspace(renamed).poi_name == "nu[1]"


NAMES = st.text(alphabet=st.sampled_from("aAé\u0301e \u00a0\u200b[]01"), min_size=1, max_size=6)


@given(first=NAMES, second=NAMES)
def test_two_parameters_never_share_a_name_that_is_shown(first, second):
    """Whatever they are called: refused, or told apart in tables and records."""
    import unicodedata

    gamma = {**GAMMA, "name": first}
    found = document([8.0, 4.0], [30.0, 25.0], gamma, {**ERROR, "name": second})
    found["measurements"][0]["config"]["poi"] = "mu[0]"
    if codes(found):
        return
    names = compiled(found).parameter_names
    shown = {" ".join(unicodedata.normalize("NFC", name).split()) for name in names}
    assert len(shown) == len(names)
