"""Pruning takes an uncertainty away, and never the value at which a measurement has it."""

from __future__ import annotations

from typing import Any

import pytest

from darkstats.errors import OptionError
from darkstats.inference import upper_limit
from darkstats.model import compile_workspace
from darkstats.workspace import Workspace, combine, prune, rename

Document = dict[str, Any]
MU = {"name": "mu", "type": "normfactor", "data": None}
REST: list[Document] = [
    {"name": "shape", "type": "histosys",
     "data": {"lo_data": [27.0, 26.0], "hi_data": [33.0, 24.0]}},
    {"name": "norm", "type": "normsys", "data": {"lo": 0.9, "hi": 1.1}},
    {"name": "stat", "type": "staterror", "data": [3.0, 2.0]},
]  # fmt: skip


def document(modifier: Document, *settings: Document) -> Workspace:
    samples = [
        {"name": "s", "data": [8.0, 4.0], "modifiers": [MU, *(
            [modifier] if modifier["type"] == "lumi" else [])]},
        {"name": "b", "data": [30.0, 25.0], "modifiers": [modifier, *REST]},
    ]  # fmt: skip
    return Workspace.from_document(
        {
            "channels": [{"name": "A", "samples": samples}],
            "observations": [{"name": "A", "data": [36.0, 29.0]}],
            "measurements": [
                {"name": f"m{k}", "config": {"poi": "mu", "parameters": [one]}}
                for k, one in enumerate(settings or ({"name": "mu", "inits": [1.0]},))
            ],
            "version": "1.0.0",
        }
    )


def lumi(value: float, **more: Any) -> Document:
    return {"name": "lumi", "auxdata": [value], "sigmas": [0.1 * value], "inits": [value],
            "bounds": [[0.0, 100.0]], **more}  # fmt: skip


LUMI = {"name": "lumi", "type": "lumi", "data": None}
GAMMA = {"name": "g", "type": "shapesys", "data": [6.0, 5.0]}
FREE = {"name": "g", "type": "normfactor", "data": None}
BINS = {"name": "g", "type": "shapefactor", "data": None}
PULL = {"name": "g", "type": "normsys", "data": {"lo": 0.8, "hi": 1.2}}

#: A workspace, and what holds its parameter where it stands.
CASES: dict[str, tuple[Workspace, Document]] = {
    "neutral": (document(PULL), {"name": "g", "inits": [0.0], "fixed": True}),
    "luminosity 1": (document(LUMI, lumi(1.0)), lumi(1.0, fixed=True)),
    "luminosity 1.2": (document(LUMI, lumi(1.2)), lumi(1.2, fixed=True)),
    "fixed luminosity": (
        document(LUMI, lumi(1.2, inits=[0.9], fixed=True)),
        lumi(1.2, inits=[0.9], fixed=True),
    ),
    "gammas": (
        document(GAMMA, {"name": "g", "auxdata": [30.0, 20.0], "factors": [25.0, 25.0]}),
        {"name": "g", "inits": [1.2, 0.8], "fixed": True},
    ),
    "free factor": (document(FREE), {"name": "g", "inits": [1.0], "fixed": True}),
    "fixed factor": (
        document(FREE, {"name": "g", "inits": [1.1], "fixed": True}),
        {"name": "g", "inits": [1.1], "fixed": True},
    ),
    "fixed bins": (
        document(BINS, {"name": "g", "inits": [1.1, 0.9], "fixed": True}),
        {"name": "g", "inits": [1.1, 0.9], "fixed": True},
    ),
}


def limits(workspace: Workspace) -> list[float | None]:
    model = compile_workspace(workspace)
    found = upper_limit(model, model.observation, scan_points=0, probe=False)
    return [found.observed, *found.expected]


#: By type where no other modifier of the type goes, too.
WAYS = [(case, "name") for case in CASES] + [
    (case, "type") for case in CASES if case not in {"neutral", "free factor", "fixed factor"}
]


@pytest.mark.parametrize(("case", "by"), WAYS)
def test_a_pruned_limit_is_that_with_the_parameter_held(case, by):
    made, held = CASES[case]
    modifier = made.document["channels"][0]["samples"][1]["modifiers"][0]
    by_type = {"modifier_types": [modifier["type"]]}
    pruned = prune(made, **(by_type if by == "type" else {"modifiers": [modifier["name"]]}))
    assert (modifier["name"], modifier["type"]) not in pruned.modifiers
    if by == "name":  # pyhf leaves the settings of what goes by its type
        names = [
            one["name"]
            for measurement in pruned.document["measurements"]
            for one in measurement["config"]["parameters"]
        ]
        assert modifier["name"] not in names
    twin = Workspace.from_document(
        {**made.document, "measurements": [
            {"name": "m", "config": {"poi": "mu", "parameters": [held]}}]}
    )  # fmt: skip
    assert limits(pruned) == pytest.approx(limits(twin), rel=1e-6)


def test_what_stays_is_said():
    assert prune(CASES["luminosity 1.2"][0], modifiers=["lumi"]).source.endswith(
        "(pruned, lumi at 1.2)"
    )
    assert prune(CASES["luminosity 1"][0], modifiers=["lumi"]).source.endswith("(pruned)")


def test_a_pull_that_stands_elsewhere_is_not_pruned():
    made = document(PULL, {"name": "g", "auxdata": [0.7]})
    with pytest.raises(OptionError, match=r"normsys 'g' at 0\.7.*\"inits\": \[0\.7\], \"fixed\""):
        prune(made, modifiers=["g"])


def test_measurements_that_differ_are_not_pruned():
    made = document(LUMI, lumi(1.2), lumi(1.3))
    with pytest.raises(OptionError, match=r"measurement 'm0' has the lumi 'lumi' at 1\.2"):
        prune(made, modifiers=["lumi"])
    one = prune(made, modifiers=["lumi"], measurements=["m0"])
    assert one.document["channels"][0]["samples"][0]["data"] == pytest.approx([10.4, 5.2])


@pytest.mark.parametrize("join", ["none", "left outer", "outer"])
def test_a_combination_says_whose_settings_it_lost(join):
    """A width or a held value stands in a measurement, and does not move to another one."""
    one = document(PULL)
    other = rename(
        document(FREE, {"name": "g", "inits": [1.1], "fixed": True}),
        channels={"A": "B"},
        modifiers={"g": "h", "shape": "shape_B", "norm": "norm_B", "stat": "stat_B"},
        measurements={"m0": "other"} if join == "none" else {},
    )
    found = combine(one, other, join=join)
    if join == "outer":  # settings of a common measurement are merged
        assert "says nothing" not in found.source
    else:
        assert "its first measurement says nothing of 'h', another one does" in found.source
