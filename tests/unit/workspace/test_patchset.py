"""Patch sets: the schema's rules, selection by name or values, and digests."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from darkstats.errors import DigestMismatchError, PatchError, UnknownNameError
from darkstats.workspace import PatchSet, pyhf_digest
from strategies import random_workspace

if TYPE_CHECKING:
    from collections.abc import Callable

BACKGROUND = random_workspace(np.random.default_rng(11))
OPERATION = {"op": "replace", "path": "/observations/0/data/0", "value": 3}


def patch(name: str, values: list[Any]) -> dict[str, Any]:
    return {"metadata": {"name": name, "values": values}, "patch": [OPERATION]}


def document() -> dict[str, Any]:
    return {
        "version": "1.0.0",
        "metadata": {
            "references": {"hepdata": "ins1234567"},
            "digests": {"sha256": pyhf_digest(BACKGROUND), "md5": pyhf_digest(BACKGROUND, "md5")},
            "labels": ["m_A", "kind"],
            "description": "points",
            "extra": "the metadata are open",
        },
        "patches": [patch("name", [1, "x"]), patch("mA_1p65", [1.65, "y"])],
    }


def test_selection() -> None:
    """A point is found by its name, its values, or its values as text; a name may be 'name'."""
    points = PatchSet.from_document(document())
    assert points.point_names == ("name", "mA_1p65")
    assert points.select("mA_1p65").values == (1.65, "y")
    assert points.select([1.0, "x"]).name == "name"
    assert points.select("1, x").name == "name"
    assert points.select("1.65,y").name == "mA_1p65"
    assert len(points) == len(list(points)) == 2
    with pytest.raises(UnknownNameError, match="choose one of: name, mA_1p65"):
        points.select("absent")


def test_application_verifies_the_digest() -> None:
    """The right workspace is patched, another one is refused, even if the patch would fit."""
    points = PatchSet.from_document(document(), source="patchset.json")
    before = copy.deepcopy(BACKGROUND)
    patched = points.apply(BACKGROUND, "name")
    assert patched["observations"][0]["data"][0] == 3
    assert before == BACKGROUND
    other = copy.deepcopy(BACKGROUND)
    other["observations"][0]["data"][0] = 17
    with pytest.raises(DigestMismatchError, match=r"patchset\.json"):
        points.apply(other, "name")


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_every_digest_counts(algorithm: str) -> None:
    """One wrong digest of two is enough."""
    wrong = document()
    digest = wrong["metadata"]["digests"][algorithm]
    wrong["metadata"]["digests"][algorithm] = digest[::-1]
    with pytest.raises(DigestMismatchError, match=digest):
        PatchSet.from_document(wrong).apply(BACKGROUND, "name")


def change(*path: str | int, value: Any) -> Callable[[dict[str, Any]], None]:
    def apply(target: Any) -> None:
        for key in path[:-1]:
            target = target[key]
        target[path[-1]] = value

    return apply


@pytest.mark.parametrize(
    ("pointer", "apply"),
    [
        ("/version", change("version", value="2")),
        ("/note", change("note", value="closed")),
        ("/metadata", change("metadata", value={})),
        ("/metadata/references", change("metadata", "references", value={"arxiv": "1"})),
        ("/metadata/references/hepdata",
         change("metadata", "references", "hepdata", value="1234567")),
        ("/metadata/digests", change("metadata", "digests", value={})),
        ("/metadata/digests/sha1", change("metadata", "digests", "sha1", value="0" * 40)),
        ("/metadata/digests/sha256", change("metadata", "digests", "sha256", value="xyz")),
        ("/metadata/labels", change("metadata", "labels", value=[])),
        ("/metadata/labels/0", change("metadata", "labels", 0, value="m A")),
        ("/metadata/description", change("metadata", "description", value=None)),
        ("/patches", change("patches", value=[])),
        ("/patches/0", change("patches", 0, value="patch")),
        ("/patches/0/note", change("patches", 0, "note", value=1)),
        ("/patches/0/patch", change("patches", 0, "patch", value={})),
        ("/patches/1/metadata/name", change("patches", 1, "metadata", "name", value="mA_1.65")),
        ("/patches/1/metadata/name", change("patches", 1, "metadata", "name", value="a\n")),
        ("/patches/1/metadata/name", change("patches", 1, "metadata", "name", value="name")),
        ("/patches/1/metadata/values", change("patches", 1, "metadata", "values", value=[1])),
        ("/patches/1/metadata/values",
         change("patches", 1, "metadata", "values", value=[True, "x"])),
        ("/patches/1/metadata/values",
         change("patches", 1, "metadata", "values", value=[1.0, "x"])),
    ],
)  # fmt: skip
def test_the_rules_of_the_schema(pointer: str, apply: Callable[[dict[str, Any]], None]) -> None:
    """Each broken rule is refused with its place and a remedy."""
    broken = document()
    apply(broken)
    with pytest.raises(PatchError) as caught:
        PatchSet.from_document(broken, source="p.json")
    assert caught.value.pointer == pointer
    assert caught.value.remedy


@pytest.mark.parametrize("value", [None, [], "text", 3])
def test_anything_else_is_refused(value: Any) -> None:
    """What is no object is no patch set."""
    with pytest.raises(PatchError):
        PatchSet.from_document(value)
