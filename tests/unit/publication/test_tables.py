"""Tables of a bundle: yields against closed forms, LaTeX that means what it says."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from darkstats.model import compile_workspace
from darkstats.publication.latex import table, tex_number, tex_text, tex_with_error
from darkstats.publication.recomputation import compare_point, evenly
from darkstats.publication.yields import signal_csv, signal_rows, yield_files, yields_of
from darkstats.workspace import SignalPoint, Workspace
from darkstats.workspace.patch import apply_patch
from darkstats.workspace.shared_parts import SharedParts

DOCUMENT: dict[str, Any] = {
    "version": "1.0.0",
    "channels": [
        {
            "name": "SR",
            "samples": [
                {
                    "name": "signal",
                    "data": [1.0, 3.0],
                    "modifiers": [{"name": "mu", "type": "normfactor", "data": None}],
                },
                {
                    "name": "b_one",
                    "data": [10.0, 20.0],
                    "modifiers": [
                        {"name": "scale", "type": "normsys", "data": {"hi": 1.2, "lo": 0.9}},
                        {
                            "name": "shape",
                            "type": "histosys",
                            "data": {"hi_data": [11.0, 20.0], "lo_data": [9.0, 22.0]},
                        },
                        {"name": "stat_SR", "type": "staterror", "data": [3.0, 4.0]},
                    ],
                },
                {
                    "name": "b_two",
                    "data": [5.0, 5.0],
                    "modifiers": [
                        {"name": "scale", "type": "normsys", "data": {"hi": 0.8, "lo": 1.2}}
                    ],
                },
            ],
        },
        {
            "name": "CR",
            "samples": [
                {
                    "name": "b_one",
                    "data": [100.0],
                    "modifiers": [{"name": "own", "type": "shapesys", "data": [5.0]}],
                }
            ],
        },
    ],
    "observations": [{"name": "SR", "data": [14, 30]}, {"name": "CR", "data": [103]}],
    "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
}


def test_yields_and_errors_are_those_of_the_modifiers() -> None:
    """Half the difference of up and down, bins and what shares a name added up first."""
    found = yields_of(compile_workspace(Workspace.from_document(DOCUMENT)))
    at = {name: k for k, name in enumerate(found.samples)}
    sr, cr = found.channels.index("SR"), found.channels.index("CR")
    assert found.values[at["b_one"], sr] == pytest.approx(30.0)
    assert found.values[-1, sr] == pytest.approx(44.0)
    assert found.observed[sr] == 44.0
    # normsys 30 * 0.3 / 2; histosys (31 - 31) / 2 = 0; staterror: bins on their own
    scale, stat = 30.0 * 0.15, math.hypot(3.0, 4.0)
    assert found.errors[at["b_one"], sr] == pytest.approx(math.hypot(scale, stat))
    assert found.errors[at["b_two"], sr] == pytest.approx(10.0 * 0.2)
    assert found.errors[at["signal"], sr] == 0.0
    # in the sum, what moves two samples moves them together: 4.5 - 2.0
    assert found.errors[-1, sr] == pytest.approx(math.hypot(scale - 2.0, stat))
    assert found.errors[at["b_one"], cr] == pytest.approx(5.0)
    assert found.free == ("mu",)


def test_a_sample_that_a_channel_lacks_is_no_zero() -> None:
    """The CSV has no row, the LaTeX a dash; an unsafe name is escaped."""
    files = yield_files(yields_of(compile_workspace(Workspace.from_document(DOCUMENT))), "50 %")
    assert "CR,signal" not in files["yields.csv"]
    assert "CR,observed,103.0,\n" in files["yields.csv"]
    row = next(line for line in files["yields.tex"].splitlines() if line.startswith("signal"))
    assert "--" in row
    assert r"b\_one" in files["yields.tex"]


def test_signals_are_what_a_hypothesis_brings() -> None:
    """Samples of the background that a patch leaves alone are not listed again."""
    background = json.loads(json.dumps(DOCUMENT))
    signal = background["channels"][0]["samples"].pop(0)
    signal["modifiers"].append(
        {"name": "trigger", "type": "normsys", "data": {"hi": 1.1, "lo": 0.9}}
    )
    patch = [{"op": "add", "path": "/channels/0/samples/-", "value": signal}]
    point = SignalPoint(name="m_1", values=(1.5, "a"), operations=tuple(patch), metadata={})
    shared = SharedParts(background)
    workspace = Workspace.from_document(apply_patch(background, patch), shared=shared)
    rows = list(signal_rows(point, workspace, compile_workspace(workspace), shared))
    assert rows == [("m_1", (1.5, "a"), "SR", "signal", 4.0, pytest.approx(0.4))]
    text = signal_csv(rows, ("mass_gev", "channel"), "title")
    assert text.splitlines()[2:] == [
        "hypothesis,mass_gev,label_channel,channel,sample,events,error",
        "m_1,1.5,a,SR,signal,4.0,0.4",
    ]


def test_latex_says_what_the_number_is() -> None:
    """Signs, powers, errors, dashes; names without commands."""
    assert tex_number(-0.00012345) == r"$-1.234 \times 10^{-4}$"
    assert tex_number(123456.0) == r"$1.235 \times 10^{5}$"
    assert tex_number(float("nan")) == "--"
    assert tex_with_error(12.3456, 0.12) == r"$12.35 \pm 0.12$"
    assert tex_text("a_b & 5% of #1\n{x}") == r"a\_b \& 5\% of \#1 \{x\}"


def test_a_comment_stays_one() -> None:
    """A title with line breaks does not end the comment that it stands in."""
    text = table(["x"], [["1"]], comments=["one\n\\input{two}"])
    assert text.splitlines()[0] == r"% one \input{two}"
    assert "longtable" in table(["x"], [["1"]] * 41, comments=[])


def test_points_are_chosen_evenly() -> None:
    """The ends are among them, none twice, never more than there are."""
    for total in range(1, 40):
        for wanted in range(1, 45):
            found = evenly(total, wanted)
            assert found == sorted(set(found))
            assert len(found) == min(total, wanted)
            assert wanted == 1 or {0, total - 1} <= set(found)
    assert evenly(5, 0) == []


def point(**changes: Any) -> dict[str, Any]:
    whole = {
        "name": "p", "values": [1.0], "status": "ok", "observed": 2.0, "observed_error": 0.0,
        "expected": [1.0, 1.5, 2.0, 3.0, 4.0], "expected_error": [0.0] * 5, "p0": 0.3,
        "couplings": {"g": {"symbol": "g", "observed": 1.4, "expected": [1, 2, 3, 4, 5]}},
    }  # fmt: skip
    return {**whole, **changes}


@pytest.mark.parametrize(
    ("stated", "kinds"),
    [
        ({}, []),
        ({"observed": 2.0001}, []),
        ({"observed": 2.001}, ["differs"]),
        ({"observed": None}, ["differs"]),
        ({"expected": [1.0, 1.5, 2.0, 3.0]}, ["differs"]),
        ({"expected": [1.0, 1.5, 2.1, 3.0, 4.1]}, ["differs", "differs"]),
        ({"values": [1.1]}, ["differs"]),
        ({"status": "failed"}, ["differs"]),
        ({"couplings": {"g": {"symbol": "g", "observed": 1.5, "expected": [1, 2, 3, 4, 5]}}},
         ["differs"]),
        ({"couplings": {}}, ["differs"]),
        ({"observed": "2.0"}, ["differs"]),
        ({"observed_error": 1.0, "observed": 2.5}, ["differs", "differs"]),  # no licence
    ],
)  # fmt: skip
def test_stated_numbers_are_compared_within_their_tolerance(
    stated: dict[str, Any], kinds: list[str]
) -> None:
    """A difference beyond the tolerance is told, in whatever unit it stands."""
    problems = list(compare_point(point(**stated), point(), 7, same=False))
    assert [problem.kind for problem in problems] == kinds
    assert all(problem.place.startswith("limits.json: /points/7") for problem in problems)


def test_errors_of_toys_widen_the_tolerance() -> None:
    """The error that is found, not the one that is stated."""
    noisy = point(observed_error=0.1)
    near, far = (point(observed=value, observed_error=0.1) for value in (2.3, 2.6))
    assert list(compare_point(near, noisy, 0, same=False)) == []
    assert len(list(compare_point(far, noisy, 0, same=False))) == 1


def test_what_fails_now_is_not_certified() -> None:
    """A number is stated, and there is none."""
    found = point(observed=None)
    assert [p.kind for p in compare_point(point(), found, 0, same=False)] == ["not certified"]
    failed = {"name": "p", "status": "failed", "reason": "why", "values": [1.0]}
    (problem,) = compare_point(point(), failed, 0, same=False)
    assert problem.kind == "not certified"
    assert "why" in problem.text
    assert list(compare_point({"name": "p", "status": "failed"}, failed, 0, same=False)) == []
