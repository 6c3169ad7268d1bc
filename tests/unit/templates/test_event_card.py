"""Events to a likelihood: a card with variables, selections, weights and varied events."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darkstats.cli import run
from darkstats.errors import CardError, DocumentError
from darkstats.searches.histogram_card import build_templates

CARD = """name: mine
simulated: true
luminosity: {value_ifb: 2, relative_error: 0.02}
channels:
  SR:
    variable: m
    edges: [0, 1, 2, 4]
    selection: ["n > 0", "pt > 10"]
    data: {file: data.csv}
    samples:
      signal:
        file: signal.npz
        weight: w
        normalisation: {cross_section_pb: 0.01, sum_of_weights: 40}
        free: mu
      background:
        file: [b0.npz, b1.npz]
        weight: w
        selection: "not fake"
        variations:
          pileup: {up: {weight: w * 1.5}, down: {weight: w * 0.5}}
          energy: {up: {columns: {m: m + 1}}, down: {columns: {m: m - 1}}}
          shower: {up: {file: other.npz}, mirror: true}
  CR:
    variable: pt
    edges: {bins: 2, low: 0, high: 40}
    samples:
      background: {file: b0.npz, weight: w, stat: none}
"""

Write = Callable[..., Path]
EVENTS: dict[str, dict[str, Any]] = {
    "signal": {"m": [0.5, 1.5, 1.5, 9.0], "w": [1.0, 2.0, 1.0, 1.0]},
    "b0": {"m": [0.5, 1.5, 2.5, 0.5], "w": [1.0, 1.0, 2.0, 50.0], "fake": [0.0, 0.0, 0.0, 1.0]},
    "b1": {"m": [0.5, 0.5, 1.5], "w": [1.0, 2.0, 0.5], "fake": [0.0, 0.0, 0.0]},
    "other": {"m": [0.5, 1.5, 1.5, 2.5], "w": [4.0, 1.0, 1.0, 2.5], "fake": [0.0] * 4},
}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Card and events in a folder; words of the card are replaced by others."""

    def written(*changes: tuple[str, str]) -> Path:
        for name, columns in EVENTS.items():
            n = len(columns["m"])
            np.savez(tmp_path / name, n=np.ones(n), pt=np.full(n, 30.0), **columns)
        (tmp_path / "data.csv").write_text(
            "m,n,pt\n0.5,1,30\n0.5,1,5\n1.5,0,nan\n2.5,1,30\n7,1,30\n", "utf-8"
        )
        card = CARD
        for old, new in changes:
            assert old in card
            card = card.replace(old, new)
        path = tmp_path / "card.yaml"
        path.write_text(card, "utf-8")
        return path

    return written


def test_events_become_the_workspace_that_they_mean(write: Write) -> None:
    """By hand: contents, statistical errors, and each variation."""
    found = build_templates(write())
    first, second = found.workspace.document["channels"]
    signal, background = first["samples"]
    assert signal["data"] == [0.5, 1.5, 0.0]  # 0.01 pb x 2 / fb / 40 = 0.5 a unit of weight
    assert background["data"] == [4.0, 1.5, 2.0]
    modifiers = {one["name"]: one["data"] for one in background["modifiers"]}
    assert modifiers["pileup"] == {"hi_data": [6.0, 2.25, 3.0], "lo_data": [2.0, 0.75, 1.0]}
    assert modifiers["energy"] == {"hi_data": [0.0, 4.0, 3.5], "lo_data": [1.5, 2.0, 0.0]}
    assert modifiers["shower"] == {"hi_data": [4.0, 2.0, 2.5], "lo_data": [4.0, 1.0, 1.5]}
    np.testing.assert_allclose(np.square(modifiers["staterror_SR"]), [6.0, 1.25, 4.0])
    assert found.workspace.document["observations"][0]["data"] == [1.0, 0.0, 1.0]
    assert second["samples"][0]["data"] == [0.0, 54.0]
    assert second["samples"][0]["modifiers"] == []
    assert found.sidecar["channels"]["SR"]["edges"] == [0.0, 1.0, 2.0, 4.0]


def test_what_went_in_and_what_did_not_is_said(write: Write, tmp_path: Path) -> None:
    """Events beyond the edges, bins without simulated events, and counts for the record."""
    path = write()
    notes = build_templates(path).notes
    assert any("samples.signal" in note and "0.5 events lie outside" in note for note in notes)
    assert any("samples.signal: no simulated event in bin 2" in note for note in notes)
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        assert run(["template", "build", str(path), "-o", str(tmp_path / "out"), "--json"]) == 0
    told = {one["place"]: one for one in json.loads(out.getvalue())["events"]}
    background = told["channels.SR.samples.background"]
    assert background["files"] == ["b0.npz", "b1.npz"]
    assert (background["events"], background["selected"], background["outside"]) == (7, 6, 0)
    assert told["channels.SR.data"]["selected"] == 3


def test_signals_of_a_patch_set_are_filled_too(write: Write) -> None:
    """Each hypothesis has its own events."""
    path = write(
        ("        free: mu\n", ""),
        ("      signal:\n        file: signal.npz\n        weight: w\n        normalisation: "
         "{cross_section_pb: 0.01, sum_of_weights: 40}\n", ""),
        ("channels:\n  SR", "signals:\n  one:\n    channels: {SR: {file: signal.npz, weight: w}}\n"
         "channels:\n  SR"),
    )  # fmt: skip
    patches = build_templates(path).patchset
    assert patches is not None
    assert patches["patches"][0]["patch"][0]["value"]["data"] == [1.0, 3.0, 0.0]


MISTAKES: dict[str, tuple[tuple[str, str], type[Exception], str]] = {
    "edges": (("    edges: [0, 1, 2, 4]\n", ""), CardError, "no 'edges'"),
    "order": (("[0, 1, 2, 4]", "[0, 2, 1, 4]"), CardError, "edges ascend"),
    "bins": (("bins: 2", "bins: 1000000000"), CardError, "is more than 100000"),
    "variable": (("    variable: m\n", ""), CardError, "add 'variable'"),
    "expression": (("n > 0", "n >"), CardError, "cannot be read"),
    "no condition": (("n > 0", "n + 1"), CardError, "is a number, not a condition"),
    "code": (("variable: m", "variable: open('x')"), CardError, "no known function"),
    "column": (("n > 0", "k > 0"), DocumentError, "there is no column 'k'"),
    "first": (("weight: w\n        selection", "weight: x\n        selection"), DocumentError,
              "samples.background: there is no column 'x'"),
    "unused": (("{m: m + 1}", "{mm: m + 1}"), CardError, "uses the column 'mm'"),
    "kinds": (("[b0.npz, b1.npz]", "[b0.npz, data.csv]"), CardError, "files of one kind"),
    "tree": (("{file: b0.npz, weight", "{file: b0.npz, tree: t, weight"), DocumentError,
             "leave out 'tree'"),
    "nobody": (("n > 0", "n > 5"), CardError, "passes the selection"),
    "outside": (("[0, 1, 2, 4]", "[100, 200]"), CardError, "look at the unit"),
    "weight": (("weight: w\n        norm", "weight: 1 / (m - 1.5)\n        norm"), DocumentError,
               "the weight is no finite number in event 1"),
    "data weight": (("{file: data.csv}", "{file: data.csv, weight: m}"), CardError,
                    "unknown key 'weight'"),
    "luminosity": (("luminosity: {value_ifb: 2, relative_error: 0.02}\n", ""), CardError,
                   "the card has no 'luminosity'"),
    "empty side": (("{weight: w * 1.5}", "{}"), CardError, "says nothing"),
    "no file": (("{file: b0.npz, weight", "{weight"), CardError, "names no file"),
    "histogram": (("    variable: pt\n    edges: {bins: 2, low: 0, high: 40}\n", ""), CardError,
                  "give the channel 'variable'"),
    "varied": (("{weight: w * 1.5}", "{weight: 0 * w + x}"), DocumentError, "pileup.up"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_name_place_and_remedy(write: Write, name: str) -> None:
    """The usual ones: a typo, a unit, a selection that nothing passes."""
    change, kind, message = MISTAKES[name]
    with pytest.raises(kind) as caught:
        build_templates(write(change))
    assert message in str(caught.value)


def test_negative_contents_are_refused(write: Write) -> None:
    """Negative weights can make a bin negative: no likelihood has that."""
    from darkstats.errors import WorkspaceError

    with pytest.raises((CardError, WorkspaceError)) as caught:
        build_templates(write(("weight: w\n        selection", "weight: -w\n        selection")))
    assert "negative" in str(caught.value)


def test_a_file_beside_up_and_down_serves_both(write: Write) -> None:
    """The nearest file counts: of the side, of the variation, of the sample."""
    found = build_templates(write(
        ("pileup: {up", "pileup: {file: other.npz, up")
    ))  # fmt: skip
    background = found.workspace.document["channels"][0]["samples"][1]
    pileup = next(one for one in background["modifiers"] if one["name"] == "pileup")
    assert pileup["data"]["hi_data"] == [6.0, 3.0, 3.75]


def test_a_tree_of_the_card_is_that_of_its_root_files(write: Write) -> None:
    """Files of other kinds have none, and need not say so."""
    wanted = build_templates(write()).workspace.document
    assert (
        build_templates(write(("name: mine\n", "name: mine\ntree: events\n"))).workspace.document
        == wanted
    )
