"""The workspace type: names, digests, patches."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
from typing import Any

import numpy as np
import pytest

from darkstats.errors import PatchError, UnknownNameError, WorkspaceError
from darkstats.workspace import Workspace, canonical_digest, prune, pyhf_digest
from strategies import random_workspace

DOCUMENT = random_workspace(np.random.default_rng(21))


def test_names() -> None:
    """Channels, samples, modifiers, measurements and the parameter of interest."""
    workspace = Workspace.from_document(DOCUMENT, "ws.json")
    assert workspace.channel_names == tuple(c["name"] for c in DOCUMENT["channels"])
    assert "signal" in workspace.sample_names
    assert ("mu", "normfactor") in workspace.modifiers
    name = DOCUMENT["measurements"][0]["name"]
    assert workspace.measurement_names[0] == name
    assert workspace.measurement() is workspace.measurement(name)
    assert workspace.poi_name() == "mu"
    with pytest.raises(UnknownNameError, match="absent"):
        workspace.measurement("absent")


def test_a_measurement_without_poi() -> None:
    """An empty name is None."""
    document = copy.deepcopy(DOCUMENT)
    document["measurements"][0]["config"]["poi"] = ""
    assert Workspace.from_document(document).poi_name() is None


def test_it_is_frozen() -> None:
    """The fields of a workspace cannot be set."""
    workspace = Workspace.from_document(DOCUMENT)
    with pytest.raises(dataclasses.FrozenInstanceError):
        workspace.source = "other"  # type: ignore[misc]  # the point of the test


def test_the_canonical_digest_does_not_see_how_numbers_are_written() -> None:
    """5 equals 5.0, -0.0 equals 0.0 and key order is free; values, text and list order count."""
    one: dict[str, Any] = {"a": [5, 0.0, 1e3, True], "b": "-0.0"}
    same: dict[str, Any] = {"b": "-0.0", "a": [5.0, -0.0, 1000, True]}
    assert canonical_digest(one) == canonical_digest(same)
    assert pyhf_digest(one) != pyhf_digest(same)
    for other in (
        {"a": [5, 0.0, 1e3, 1], "b": "-0.0"},
        {"a": [0.0, 5, 1e3, True], "b": "-0.0"},
        {"a": [5, 0.0, 1e3, True], "b": "0.0"},
        {"a": [5, -0.05, 1e3, True], "b": "-0.0"},
    ):
        assert canonical_digest(other) != canonical_digest(one)


def test_pyhf_digest_is_its_rule() -> None:
    """SHA-256 of the JSON text with sorted keys and no ASCII escapes."""
    document = {"b": "é", "a": [1, 2.5]}
    text = json.dumps(document, sort_keys=True, ensure_ascii=False)
    assert pyhf_digest(document) == hashlib.sha256(text.encode()).hexdigest()
    assert pyhf_digest(document, "md5") == hashlib.md5(text.encode()).hexdigest()


def test_patched() -> None:
    """A patch gives a new, linted workspace; the first one stays as it is."""
    workspace = Workspace.from_document(DOCUMENT, "ws.json")
    digest = workspace.digest
    operation = {"op": "replace", "path": "/observations/0/data/0", "value": 1}
    patched = workspace.patched([operation], source="patch.json")
    assert patched.document["observations"][0]["data"][0] == 1
    assert patched.source == "ws.json + patch.json"
    assert (workspace.digest, pyhf_digest(DOCUMENT)) == (digest, digest)
    assert patched.digest != digest
    with pytest.raises(WorkspaceError, match="negative-data"):
        workspace.patched([{**operation, "value": -1}])
    with pytest.raises(PatchError, match="operation 0"):
        workspace.patched([{**operation, "path": "/nowhere/0"}])


def test_a_measurement_that_does_not_fit_is_refused_when_used() -> None:
    """Beside a sound measurement, one with an unknown parameter of interest waits for its use."""
    document = copy.deepcopy(DOCUMENT)
    other = copy.deepcopy(document["measurements"][0])
    other["name"], other["config"]["poi"] = "other", "absent"
    document["measurements"] = [document["measurements"][0], other]
    workspace = Workspace.from_document(document)
    assert workspace.measurement()["config"]["poi"] == "mu"
    assert workspace.poi_name("other") == "absent"
    with pytest.raises(WorkspaceError, match="poi-unknown"):
        workspace.measurement("other")
    document["measurements"].pop(0)
    with pytest.raises(WorkspaceError, match="poi-unknown"):
        Workspace.from_document(document)
    lenient = Workspace.from_document(document, usable=False)
    with pytest.raises(WorkspaceError, match="poi-unknown"):
        lenient.measurement()
    assert lenient.measurement(check_poi=False)["name"] == "other"


def test_pruning_the_signal_leaves_a_background_only_workspace() -> None:
    """It can be read, changed and combined; only its measurement is refused."""
    background = prune(Workspace.from_document(DOCUMENT), samples=["signal"])
    assert "signal" not in background.sample_names
    with pytest.raises(WorkspaceError, match="apply the signal patch"):
        background.measurement()
    with pytest.raises(UnknownNameError, match="unknown sample 'signal'"):
        prune(background, samples=["signal"])
