"""What a threshold prunes changes limits by no more than it says, as measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from darkstats import workflows as w
from darkstats.errors import OptionError
from darkstats.inference import upper_limit
from darkstats.inference.pruning import expected_effects, prune_below
from darkstats.model import compile_workspace
from darkstats.workspace import Workspace, read_workspace

MU = {"name": "mu", "type": "normfactor", "data": None}


def workspace(moves: dict[str, float], background: float = 400.0) -> Workspace:
    """One bin whose background has errors of some events each."""
    modifiers = [
        {
            "name": name,
            "type": "histosys",
            "data": {"lo_data": [background - move], "hi_data": [background + move]},
        }
        for name, move in moves.items()
    ]
    samples: list[dict[str, Any]] = [
        {"name": "s", "data": [10.0], "modifiers": [MU]},
        {"name": "b", "data": [background], "modifiers": modifiers},
    ]
    return Workspace.from_document(
        {
            "channels": [{"name": "A", "samples": samples}],
            "observations": [{"name": "A", "data": [background]}],
            "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
            "version": "1.0.0",
        }
    )


def test_effects_by_hand() -> None:
    """sigma² = 400 + 15² + 2²; without one of them it is smaller by that square."""
    model = compile_workspace(workspace({"large": 15.0, "small": 2.0}))
    effects = expected_effects(model, 5.0)
    total = 400.0 + 225.0 + 4.0
    assert effects["large"] == pytest.approx(1.0 - (1.0 - 225.0 / total) ** 0.5, rel=1e-4)
    assert effects["small"] == pytest.approx(1.0 - (1.0 - 4.0 / total) ** 0.5, rel=1e-4)


def test_the_change_that_is_said_is_the_change() -> None:
    """Limits of the document that is returned, computed again, differ by what is said."""
    whole = workspace({"large": 15.0, "small": 2.0})
    found = prune_below(whole, 0.01)
    assert [name for name, _ in found.dropped] == ["small"]
    assert [name for name, _ in found.kept] == ["large"]
    limits = []
    for one in (whole, found.workspace):
        model = compile_workspace(one)
        limits.append(upper_limit(model, model.observation, probe=False, scan_points=0))
    before, after = limits
    assert before.observed is not None
    assert after.observed is not None
    assert found.change.changes[0] == pytest.approx(after.observed / before.observed - 1.0)
    assert found.change.largest is not None
    assert 0.0 < found.change.largest <= 0.01
    assert (found.parameters_before, found.parameters_after) == (3, 2)


def test_many_small_ones_together_are_not_small() -> None:
    """Thirty errors of 0.3 % each: no more of them go than change 2 % together."""
    found = prune_below(workspace({f"n{k:02d}": 3.0 for k in range(30)}), 0.02)
    assert 0 < len(found.dropped) < 30
    assert found.change.largest is not None
    assert found.change.largest <= 0.02


def test_a_pulled_parameter_counts_by_its_pull(example_workspaces: dict[str, Path]) -> None:
    """Taking away what data pull moves the best fit: the effect is not that on the error alone."""
    document = workspace({"pulled": 40.0}).document
    document["observations"] = [{"name": "A", "data": [300.0]}]
    side = json.loads(json.dumps(document["channels"][0]))
    side["name"] = "B"
    side["samples"] = side["samples"][1:]
    document["channels"].append(side)
    document["observations"].append({"name": "B", "data": [300.0]})
    model = compile_workspace(Workspace.from_document(document))
    assert expected_effects(model, 5.0)["pulled"] > 1.0


def test_nothing_below_the_threshold_is_said() -> None:
    """One error that matters: nothing is written, and the message has its size."""
    with pytest.raises(OptionError, match="'large'"):
        prune_below(workspace({"large": 15.0}), 0.001)


@pytest.mark.parametrize("threshold", [0.0, 1.0, -1.0, float("nan")])
def test_a_threshold_is_a_fraction(threshold: float) -> None:
    """Refused by the request and by the function."""
    with pytest.raises(OptionError, match="fraction"):
        prune_below(workspace({"a": 1.0}), threshold)
    with pytest.raises(OptionError, match="--threshold"):
        w.PruneRequest(workspace=w.WorkspaceRequest(source="x"), threshold=threshold)


def test_a_report_needs_a_threshold() -> None:
    """Other cuts measure nothing."""
    with pytest.raises(OptionError, match="--report"):
        w.PruneRequest(workspace=w.WorkspaceRequest(source="x"), channels=("a",), report="y")


def test_a_background_without_signal_is_refused(repository: Path) -> None:
    """There is no limit to compare."""
    source = repository / "workspaces/examples/mass_scan/background_only.json"
    asked = w.PruneRequest(workspace=w.WorkspaceRequest(source=str(source)), threshold=0.1)
    with pytest.raises(OptionError, match="no signal"):
        w.prune(asked)


def test_after_other_cuts(example_workspaces: dict[str, Path]) -> None:
    """The threshold measures against what the other cuts left."""
    source = example_workspaces["three_channels"]
    asked = w.PruneRequest(
        workspace=w.WorkspaceRequest(source=str(source)),
        channels=("validation_region",),
        threshold=0.05,
    )
    found = w.prune(asked).result
    assert "validation_region" not in found.channel_names
    assert len(found.modifiers) < len(read_workspace(source).modifiers)


def with_luminosity(value: float, *others: dict[str, Any]) -> Workspace:
    """A luminosity with a small error, whose datum is given; further measurements differ."""
    document = workspace({"large": 15.0}).document
    for sample in document["channels"][0]["samples"]:
        sample["modifiers"].append({"name": "lumi", "type": "lumi", "data": None})
    settings = {"name": "lumi", "auxdata": [value], "sigmas": [0.001 * value], "inits": [value],
                "bounds": [[0.0, 10.0 * value]]}  # fmt: skip
    document["measurements"] = [
        {"name": f"m{k}", "config": {"poi": "mu", "parameters": [one]}}
        for k, one in enumerate((settings, *others))
    ]
    document["observations"][0]["data"] = [400.0 * value]
    return Workspace.from_document(document)


def test_a_luminosity_that_is_not_one_goes_as_well() -> None:
    """Its value moves into the yields, so that only its small error is lost."""
    found = prune_below(with_luminosity(36.1), 0.01)
    assert [name for name, _ in found.dropped] == ["lumi"]
    background = found.workspace.document["channels"][0]["samples"][1]["data"]
    assert background == pytest.approx([400.0 * 36.1])


def test_what_yields_cannot_say_stays() -> None:
    """Two measurements at different luminosities: no common yield takes their place."""
    other = {"name": "lumi", "auxdata": [2.0], "sigmas": [0.002], "inits": [2.0],
             "bounds": [[0.0, 20.0]]}  # fmt: skip
    made = with_luminosity(1.5, other)
    with pytest.raises(OptionError, match="'large' changes about"):
        prune_below(made, 0.001)


def test_without_a_constrained_parameter_no_threshold_helps() -> None:
    """The remedy is not another threshold."""
    with pytest.raises(OptionError, match="there is none") as caught:
        prune_below(workspace({}), 0.1)
    assert "raise" not in str(caught.value)
