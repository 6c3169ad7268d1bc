"""Results show themselves shortly, and whole as plain data."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

import darkstats
from darkstats.arrays import FloatArray
from darkstats.shown import Shown
from darkstats.workspace.hs3 import read_hs3


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Result(Shown):
    """A result with a bit of everything."""

    observed: float | None
    expected: tuple[float | None, ...] = ()
    curve: FloatArray | None = None
    reason: str | None = None
    inner: Result | None = None
    model: object = field(default=None, repr=False)


def test_a_line_leaves_out_what_says_nothing() -> None:
    """Empty fields are not there, long ones are counted, numbers are short."""
    inner = Result(observed=None)
    assert repr(inner) == "Result()"
    found = Result(
        observed=1.96543, expected=(0.8, None, 1.5), curve=np.zeros((3, 40)), inner=inner, model=7
    )
    assert repr(found) == (
        "Result(observed=1.965, expected=(0.8, None, 1.5), curve=<array (3, 40)>, inner=<Result>)"
    )
    assert repr(Result(observed=None, expected=(1.0,) * 7)) == "Result(expected=<7>)"
    assert len(repr(Result(observed=None, reason="no " * 400))) < 100


def test_plain_data_are_json_with_all_digits() -> None:
    """Arrays are lists, results objects; what is no number is None; the model stays out."""
    found = Result(
        observed=1.0 / 3.0,
        expected=(float("inf"), float("nan"), None),
        curve=np.array([1.0, 2.0]),
        inner=Result(observed=np.float64(2.5)),
        model=7,
    ).to_dict()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["observed"] == 1.0 / 3.0
    assert found["expected"] == [None, None, None]
    assert found["curve"] == [1.0, 2.0]
    assert found["inner"]["observed"] == 2.5
    assert "model" not in found


def test_a_table_escapes_what_names_hold() -> None:
    """A name of somebody's workspace is text, not markup."""
    shown = Result(observed=2.0, reason="<b>&")._repr_html_()
    assert "<b>" not in shown
    assert "&lt;b&gt;&amp;" in shown
    assert "<th style='text-align:left'>observed</th>" in shown


@pytest.mark.parametrize("task", ["upper_limit", "significance", "goodness_of_fit", "fit_model"])
def test_public_results_show_themselves(example_workspaces: dict[str, Path], task: str) -> None:
    """What the package hands back has one line, a table and plain data."""
    workspace = darkstats.read_workspace(example_workspaces["two_bins"])
    model = darkstats.compile_workspace(workspace)
    found = getattr(darkstats, task)(model, model.observation)
    assert isinstance(found, Shown)
    assert "\n" not in repr(found)
    assert len(repr(found)) < 1000
    assert "<table>" in found._repr_html_()
    json.dumps(found.to_dict(), allow_nan=False)


def test_a_recast_and_a_document_of_events_say_what_they_are(
    tmp_path: Path, repository: Path
) -> None:
    """Results of verbs that stood there as the bare name of their type."""
    curve = tmp_path / "curve.csv"
    curve.write_text("mass_GeV,epsilon_UL90\n0.05,1e-3\n0.1,2e-3\n", "utf-8")
    found = darkstats.recast(
        str(curve), source="dark_photon", to="b_minus_l", production="electron", final_state="ee"
    )
    words = "Recast(title='dark photon recast to B - L', masses='2 excluded, 0 not excluded, "
    assert repr(found).startswith(f"Outcome({words}0 refused'")
    document = read_hs3(repository / "models/zprime_invisible_2018/unbinned.json")
    assert repr(document).startswith("Hs3Document(source=")
    assert repr(document).endswith("analysis_names=<12>)")
