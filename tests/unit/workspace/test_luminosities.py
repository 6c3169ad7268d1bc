"""Luminosities of two searches: one or two of them, each with its own width."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from darkstats import workflows as w
from darkstats.errors import OptionError
from darkstats.inference import upper_limit
from darkstats.model import compile_workspace
from darkstats.workspace import Workspace
from darkstats.workspace.correlations import correlations_of
from darkstats.workspace.luminosities import with_pulled_luminosity
from darkstats.workspace.shared_settings import require_same_settings

if TYPE_CHECKING:
    from pathlib import Path

Document = dict[str, Any]
LUMI = {"name": "lumi", "type": "lumi", "data": None}
MU = {"name": "mu", "type": "normfactor", "data": None}
MAP = {"schema": "darkstats.correlations/1"}
APART = {"decorrelate": [{"name": "lumi", "left": "lumi_a", "right": "lumi_b"}]}


def document(
    channel: str, *, width: float, datum: float = 1.0, measurement: str = "m",
    more: tuple[Document, ...] = (), **settings: Any,
) -> Document:  # fmt: skip
    samples = [
        {"name": "s", "data": [10.0 / datum], "modifiers": [MU, LUMI]},
        {"name": "b", "data": [100.0 / datum], "modifiers": [LUMI, *more]},
    ]
    lumi = {
        "name": "lumi", "auxdata": [datum], "sigmas": [width * datum], "inits": [datum],
        "bounds": [[0.0, 2.0 * datum]], **settings,
    }  # fmt: skip
    return {
        "channels": [{"name": channel, "samples": samples}],
        "observations": [{"name": channel, "data": [105.0]}],
        "measurements": [{"name": measurement, "config": {"poi": "mu", "parameters": [lumi]}}],
        "version": "1.0.0",
    }


def limit_of(document: Document) -> float:
    model = compile_workspace(Workspace.from_document(document))
    found = upper_limit(model, model.observation, probe=False, scan_points=0).observed
    assert found is not None
    return found


def written(tmp_path: Path, **documents: Document) -> dict[str, str]:
    for name, one in documents.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(one))
    return {name: str(tmp_path / f"{name}.json") for name in documents}


@pytest.mark.parametrize("join", ["none", "outer", "left outer", "right outer"])
def test_other_widths_of_one_parameter_are_refused(tmp_path: Path, join: str) -> None:
    """Measurements of two names: the limit would have the first width in both searches."""
    files = written(
        tmp_path, left=document("A", width=0.02, measurement="a"),
        right=document("B", width=0.2, measurement="b"),
    )  # fmt: skip
    said = r"lumi.*sigmas \[0\.02\].*sigmas \[0\.2\].*decorrelate.*prune"
    with pytest.raises(OptionError, match=said):
        w.combine(w.CombineRequest(**files, join=join))


@pytest.mark.parametrize(
    "settings",
    [{"bounds": [[0.0, 5.0]]}, {"inits": [1.5]}, {"fixed": True, "inits": [2.0]}],
)
def test_other_settings_of_a_free_factor_are_refused(tmp_path: Path, settings: Document) -> None:
    """Bounds, initial and held values as well; what says the default agrees with silence."""
    free = {"name": "k", "type": "normfactor", "data": None}
    left = document("A", width=0.02, measurement="a", more=(free,))
    right = document("B", width=0.02, measurement="b", more=(free,))
    said = right["measurements"][0]["config"]["parameters"]
    said.append({"name": "k", "inits": [1.0], "bounds": [[0.0, 10.0]]})
    files = written(tmp_path, left=left, right=right)
    assert w.combine(w.CombineRequest(**files)).result
    said[-1] = {"name": "k", **settings}
    files = written(tmp_path, left=left, right=right)
    with pytest.raises(OptionError, match=f"'k' has {next(iter(sorted(settings)))}|'k' has inits"):
        w.combine(w.CombineRequest(**files))


def test_what_a_join_takes_is_said() -> None:
    """Measurements of one name: the join chooses, and the table says what it chose."""
    one, two = (
        Workspace.from_document(document(channel, width=width))
        for channel, width in (("A", 0.02), ("B", 0.2))
    )
    (note,) = require_same_settings(one, two, "left outer")
    assert "'left outer' takes those of the left one for both" in note


def apart(tmp_path: Path, left: Document, right: Document, entries: Document = APART) -> Document:
    files = written(tmp_path, left=left, right=right, map={**MAP, **entries})
    asked = w.CombineRequest(
        left=files["left"], right=files["right"], correlations=files["map"], join="left outer"
    )
    found: Document = w.combine(asked).result.document
    return found


def test_two_luminosities_each_keep_their_width(tmp_path: Path) -> None:
    """Both widths enter: the rates have them as covariance, with none between the searches."""
    found = apart(tmp_path, document("A", width=0.02), document("B", width=0.2))
    model = compile_workspace(Workspace.from_document(found))
    assert {"lumi_a", "lumi_b"} <= set(model.parameter_names)
    point = np.array(model.nominal, dtype=float)
    steps = {}
    for name in ("lumi_a", "lumi_b"):
        ends = np.repeat(point[None, :], 2, axis=0)
        ends[1, model.parameter_names.index(name)] += 1.0
        low, high = model.expected_rates(ends)
        steps[name] = (high - low) / low
    assert steps["lumi_a"] == pytest.approx([0.02, 0.0])
    assert steps["lumi_b"] == pytest.approx([0.0, 0.2])


def test_one_luminosity_under_a_name_of_two_widths(tmp_path: Path) -> None:
    """``correlate`` shares the pull: each search has its own relative error of it."""
    entries = {"correlate": [{"left": "lumi", "right": "lumi", "name": "luminosity"}]}
    found = apart(tmp_path, document("A", width=0.02), document("B", width=0.2), entries)
    model = compile_workspace(Workspace.from_document(found))
    assert [name for name in model.parameter_names if name != "mu"] == ["luminosity"]
    half = {"correlate": [{"left": "lumi", "right": "lumi", "coefficient": 0.5}]}
    found = apart(tmp_path, document("A", width=0.02), document("B", width=0.2), half)
    assert "lumi_uncorrelated" in dict(Workspace.from_document(found).modifiers)


@pytest.mark.parametrize("datum", [1.0, 36.1])
def test_a_pull_gives_the_same_limit(datum: float) -> None:
    """Exactly, where nothing else varies the shape, also where yields are per luminosity."""
    made = document("A", width=0.15, datum=datum)
    pulled, note = with_pulled_luminosity(Workspace.from_document(made), "lumi")
    assert "a relative error of 0.15" in note
    assert "first order" not in note
    assert limit_of(pulled.document) == pytest.approx(limit_of(made), rel=1e-6)


def test_beside_a_histosys_it_is_equal_to_first_order() -> None:
    """It is said; at 3 % the limit moves by less than 1e-3."""
    shape = {"name": "x", "type": "histosys", "data": {"hi_data": [110.0], "lo_data": [92.0]}}
    made = document("A", width=0.03, more=(shape,))
    pulled, note = with_pulled_luminosity(Workspace.from_document(made), "lumi")
    assert "as a normsys in 1 samples" in note
    before, after = limit_of(made), limit_of(pulled.document)
    assert after == pytest.approx(before, rel=1e-3)
    assert after != before


def test_a_held_luminosity_stays_held() -> None:
    """Its value goes into the yields."""
    made = document("A", width=0.15, fixed=True, inits=[1.2])
    pulled, _ = with_pulled_luminosity(Workspace.from_document(made), "lumi")
    assert limit_of(pulled.document) == pytest.approx(limit_of(made), rel=1e-6)


def test_bounds_that_are_near_stay() -> None:
    """In units of the width."""
    made = document("A", width=0.1, bounds=[[0.8, 3.0]])
    pulled, _ = with_pulled_luminosity(Workspace.from_document(made), "lumi")
    (said,) = pulled.document["measurements"][0]["config"]["parameters"]
    assert said["bounds"] == [[pytest.approx(-2.0), 5.0]]


def test_measurements_that_differ_have_no_one_pull() -> None:
    """It names the way to one measurement."""
    made = document("A", width=0.1)
    (other,) = document("A", width=0.2, measurement="n")["measurements"]
    made["measurements"].append(other)
    with pytest.raises(OptionError, match="prune --measurement"):
        with_pulled_luminosity(Workspace.from_document(made), "lumi")


def test_a_lognormal_of_another_search_is_correlated(tmp_path: Path) -> None:
    """As a converted card has it: a normsys of any name."""
    right = document("B", width=0.02)
    norm = {"name": "lumi_13TeV", "type": "normsys", "data": {"hi": 1.025, "lo": 0.975}}
    for sample in right["channels"][0]["samples"]:
        sample["modifiers"] = [norm if m is LUMI else m for m in sample["modifiers"]]
    right["measurements"][0]["config"]["parameters"] = []
    entry = {"left": "lumi", "right": "lumi_13TeV", "name": "luminosity"}
    found = apart(tmp_path, document("A", width=0.02), right, {"correlate": [entry]})
    names = dict(Workspace.from_document(found).modifiers)
    assert set(names) == {"mu", "luminosity"}
    assert correlations_of({**MAP, "correlate": [entry]}, "m").correlated[0].name == "luminosity"
