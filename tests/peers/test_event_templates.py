"""Templates out of events against cabinetry: contents, errors, variations, smoothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darkstats.searches.histogram_card import build_templates
from darkstats.templates.users import workspace_from_cabinetry

CARD = """name: test
channels:
  region:
    variable: mass * 1.5
    edges: [0, 1, 2.5, 4, 6, 8, 10]
    selection: energy > 3 and (jets >= 1 or mass < 2)
    data: {file: data.root, tree: events}
    samples:
      signal: {file: signal.root, tree: events, weight: weight, free: mu}
      background:
        file: background.root
        tree: events
        weight: weight
        variations:
          pileup: {up: {weight: weight * (1 + 0.05 * mass)}, down: {weight: weight * 0.9}}
          scale: {up: {tree: up}, down: {tree: down}, smooth: 353QH_twice}
"""


def written(folder: Path) -> None:
    """Trees of signal, background with two more, and data."""
    uproot = pytest.importorskip("uproot", reason="uproot is an optional extra")
    rng = np.random.default_rng(7)
    for name, n in (("signal", 3000), ("background", 20_000), ("data", 4000)):
        mass = rng.normal(3.0, 0.4, n) if name == "signal" else rng.exponential(2.0, n)
        columns = {
            "mass": mass,
            "energy": rng.normal(5.0, 2.0, n),
            "jets": rng.integers(0, 3, n),
            "weight": rng.uniform(0.1, 0.3, n),
        }
        trees = {"events": 1.0, "up": 1.04, "down": 0.97}
        with uproot.recreate(folder / f"{name}.root") as file:
            for tree, scale in trees.items():
                moved = columns | {"mass": scale * mass + 0.1 * (scale != 1.0) * rng.normal(size=n)}
                file.mktree(tree, {key: one.dtype for key, one in moved.items()})
                file[tree].extend(moved)


def configuration(folder: Path) -> dict[str, Any]:
    """The same templates in cabinetry's words."""
    tree = {"Tree": "events", "Weight": "weight"}
    return {
        "General": {
            "Measurement": "test",
            "POI": "mu",
            "InputPath": str(folder / "{SamplePath}"),
            "HistogramFolder": str(folder / "histograms"),
        },
        "Regions": [
            {
                "Name": "region",
                "Variable": "mass * 1.5",
                "Binning": [0, 1, 2.5, 4, 6, 8, 10],
                "Filter": "(energy > 3) & ((jets >= 1) | (mass < 2))",
            }
        ],
        "Samples": [
            {"Name": "Data", "SamplePath": "data.root", "Tree": "events", "Data": True},
            {"Name": "signal", "SamplePath": "signal.root", **tree},
            {"Name": "background", "SamplePath": "background.root", **tree},
        ],
        "NormFactors": [{"Name": "mu", "Samples": "signal", "Nominal": 1, "Bounds": [0, 10]}],
        "Systematics": [
            {
                "Name": "pileup",
                "Type": "NormPlusShape",
                "Samples": "background",
                "Up": {"Weight": "weight * (1 + 0.05 * mass)"},
                "Down": {"Weight": "weight * 0.9"},
            },
            {
                "Name": "scale",
                "Type": "NormPlusShape",
                "Samples": "background",
                "Up": {"Tree": "up"},
                "Down": {"Tree": "down"},
                "Smoothing": {"Algorithm": "353QH, twice"},
            },
        ],
    }


def varied(sample: dict[str, Any], name: str, side: str) -> np.ndarray:
    """Contents at one standard deviation, however they are split into yield and shape."""
    found = np.array(sample["data"])
    factor = 1.0
    for one in sample["modifiers"]:
        if one["name"] == name and one["type"] == "histosys":
            found = np.array(one["data"][f"{side}_data"])
        elif one["name"] == name:
            factor = one["data"][side]
    return factor * found


def test_templates_are_those_of_cabinetry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every content and error, both sides of two variations, one of them smoothed."""
    pytest.importorskip("cabinetry", reason="cabinetry is an optional extra")
    written(tmp_path)
    card, config = tmp_path / "card.yaml", tmp_path / "config.json"
    card.write_text(CARD, "utf-8")
    config.write_text(json.dumps(configuration(tmp_path)), "utf-8")
    monkeypatch.chdir(tmp_path)
    ours = build_templates(card).workspace.document
    theirs = workspace_from_cabinetry(config)
    assert ours["observations"][0]["data"] == theirs["observations"][0]["data"]
    samples = [
        {one["name"]: one for one in document["channels"][0]["samples"]}
        for document in (ours, theirs)
    ]
    for name in ("signal", "background"):
        one, other = (found[name] for found in samples)
        np.testing.assert_allclose(one["data"], other["data"], rtol=1e-12)
        errors = [
            next(m["data"] for m in sample["modifiers"] if m["type"] == "staterror")
            for sample in (one, other)
        ]
        np.testing.assert_allclose(errors[0], errors[1], rtol=1e-9)
    one, other = (found["background"] for found in samples)
    for name in ("pileup", "scale"):
        for side in ("lo", "hi"):
            here, there = varied(one, name, side), varied(other, name, side)
            np.testing.assert_allclose(here, there, rtol=1e-9)
            assert np.max(np.abs(here / np.array(one["data"]) - 1.0)) > 0.01
