"""Pallets, lists of patch sets, archives within archives, and patches in files of their own."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pyhf
import pytest

import foreign_searches as foreign
from darkstats.errors import DocumentError, OptionError, PatchError
from darkstats.workspace import PatchSet, read_patchset, read_workspace
from darkstats.workspace.archives import looks_like
from darkstats.workspace.containers import kind_of
from darkstats.workspace.loose_patches import NamingRule, find_patches, make_patch_set
from darkstats.workspace.sources import Opener

LABELS = ["m1", "m2"]
VALUES = [[500, 100], [600, 100]]
ABSENT = ("poi-unknown",)


def pallet(**keys: Any) -> dict[str, Any]:
    return {"description": "made up", "workspace": foreign.background(), **keys}


SETS = foreign.patch_set(LABELS, VALUES)
DOCUMENTS = {
    "workspace": foreign.background(),
    "pallet": pallet(patchsets=[SETS]),
    "patch set": SETS,
    "patch sets": [SETS],
    "patch": foreign.operations(3.0),
}


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_documents_are_told_apart(kind: str) -> None:
    """By their parsed form, and by a look at their text in an archive."""
    assert kind_of(DOCUMENTS[kind]) == kind
    by_text = looks_like(json.dumps(DOCUMENTS[kind]).encode())
    assert by_text == ("patch set" if kind == "patch sets" else kind)


@pytest.mark.parametrize("key", ["patchsets", "patchset"])
@pytest.mark.parametrize("listed", [False, True])
def test_a_pallet_is_a_workspace_and_its_patch_sets(
    tmp_path: Path, key: str, *, listed: bool
) -> None:
    """The workspace alone, its points by name alone, and the patch set of the same file."""
    path = tmp_path / "pallet.json.gz"
    held = pallet(**{key: [SETS] if listed else SETS})
    path.write_bytes(gzip.compress(json.dumps(held).encode()))
    assert read_workspace(path, accept=ABSENT).document == foreign.background()
    assert read_patchset(path).labels == ("m1", "m2")
    assert "signal" in read_workspace(path, point="point_1").sample_names
    assert "signal" in read_workspace(path, point="600,100").sample_names
    assert "signal" in read_workspace(path, patchset=path, point="point_1").sample_names


def test_a_point_needs_a_patch_set_somewhere(tmp_path: Path) -> None:
    """A workspace alone has no points; a pallet without patch sets says so."""
    bare = foreign.write(tmp_path / "bare.json", foreign.background())
    with pytest.raises(OptionError, match="go together"):
        read_workspace(bare, point="point_0")
    empty = foreign.write(tmp_path / "empty.json", pallet())
    with pytest.raises(PatchError, match=r"no patch sets.*--patchset"):
        read_workspace(empty, point="point_0")


def test_lists_of_patch_sets_are_joined_or_refused() -> None:
    """Patch sets of one workspace with the same labels are one; others are refused with a place."""
    other = foreign.patch_set(LABELS, [[500, 100], [600, 100], [700, 100]])
    other["patches"] = other["patches"][2:]
    both = json.dumps([SETS, other]).encode()
    assert read_patchset(both).point_names == ("point_0", "point_1", "point_2")
    named = foreign.patch_set(["a", "b"], [[1, 2]])
    with pytest.raises(PatchError, match=r"/1: the labels.*file of its own"):
        read_patchset(json.dumps([SETS, named]).encode())
    with pytest.raises(PatchError, match="no patch set"):
        read_patchset(json.dumps(pallet(patchsets=[])).encode())


@pytest.mark.parametrize("kind", ["patch", "patch set", "patch sets"])
def test_what_is_no_workspace_is_called_what_it_is(tmp_path: Path, kind: str) -> None:
    """A patch in the place of a workspace is no faulty workspace; the remedy names the option."""
    path = foreign.write(tmp_path / "it.json", DOCUMENTS[kind])
    option = "--patch$" if kind == "patch" else "--patchset"
    with pytest.raises(DocumentError, match=rf"{kind}.*{option}"):
        read_workspace(path)


def _tar(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def test_archives_in_archives_with_pallets_and_loose_patches(tmp_path: Path) -> None:
    """A record's zip with a tgz in it: workspaces, pallets and patterns of members are found."""
    inner = _tar(
        {
            "RegionA/BkgOnly.json": json.dumps(foreign.background()).encode(),
            "RegionA/patch.s_500_1p5.json": json.dumps(foreign.operations(3.0)).encode(),
            "RegionA/patch.s_600_2p5.json": json.dumps(foreign.operations(4.0)).encode(),
            "README.md": b"read me",
        }
    )
    record = tmp_path / "record.zip"
    with zipfile.ZipFile(record, "w") as archive:
        archive.writestr("HEPData-ins1/likelihoods.tgz", inner)
    assert read_workspace(str(record), accept=ABSENT).channel_names == ("SR", "CR")
    pattern = f"{record}:HEPData-ins1/likelihoods.tgz:RegionA/patch.*.json"
    found = find_patches([pattern], Opener())
    assert [one.stem for one in found] == ["patch.s_500_1p5", "patch.s_600_2p5"]
    with pytest.raises(DocumentError, match="no JSON member is named like"):
        find_patches([f"{record}:RegionZ/*.json"], Opener())
    lone = tmp_path / "one.zip"
    with zipfile.ZipFile(lone, "w") as archive:
        archive.writestr("pallet.json", json.dumps(DOCUMENTS["pallet"]))
    assert "signal" in read_workspace(str(lone), point="point_0").sample_names


def test_loose_patches_make_a_patch_set_that_pyhf_reads(tmp_path: Path) -> None:
    """Names follow the rule, digests are those of the workspace, and pyhf applies every point."""
    for k, name in enumerate(("patch.s_500_1p5_bino.json", "patch.s_600_2e1_wino.json")):
        foreign.write(tmp_path / name, foreign.operations(3.0 + k))
    found = find_patches([str(tmp_path / "patch.*.json")], Opener())
    rule = NamingRule("patch.s_{m_heavy}_{m_light}_{kind}")
    made = make_patch_set(foreign.background(), found, rule, hepdata="ins7654321")
    points = PatchSet.from_document(made)
    assert points.labels == ("m_heavy", "m_light", "kind")
    assert [one.values for one in points] == [(500, 1.5, "bino"), (600, 20.0, "wino")]
    theirs = pyhf.PatchSet(made)
    for one in points:
        patched = theirs.apply(foreign.background(), one.name)
        assert points.apply(foreign.background(), one.name) == dict(patched)
        assert pyhf.Workspace(patched).model().config.poi_name == "mu_SIG"
    bare = make_patch_set(foreign.background(), found)
    assert PatchSet.from_document(bare).labels == ("name",)
    assert len(pyhf.PatchSet(bare)) == 2


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("patch.*", "no {label}"),
        ("p_{1m}", "a letter first"),
        ("p_{}", "letters, digits"),
        ("p_{m}_{m}", "twice"),
        ("p_{a}{b}", "touch"),
    ],
)
def test_a_naming_rule_is_checked(rule: str, words: str) -> None:
    """Nothing to read, no name, a name twice, or no end between two labels."""
    with pytest.raises(OptionError, match=words):
        NamingRule(rule)


def test_names_that_do_not_follow_the_rule_are_named(tmp_path: Path) -> None:
    """The file is named, and so is what is no patch; a pattern that finds nothing says so."""
    path = foreign.write(tmp_path / "other_1.json", foreign.operations(3.0))
    found = find_patches([str(path)], Opener())
    with pytest.raises(DocumentError, match=r"other_1.*does not follow the naming rule"):
        make_patch_set(foreign.background(), found, NamingRule("patch_{m}"))
    with pytest.raises(PatchError, match="no patch but a patch set"):
        find_patches([str(foreign.write(tmp_path / "set.json", SETS))], Opener())
    with pytest.raises(DocumentError, match="no file is named like this"):
        find_patches([str(tmp_path / "none.*.json")], Opener())


@pytest.mark.parametrize(
    ("labels", "values", "pointer"),
    [
        (["m", "m"], [[1, 2]], "/metadata/labels/1"),
        (["m"], [[10**400]], "/patches/0/metadata/values"),
        (["m"], [[True]], "/patches/0/metadata/values"),
    ],
)
def test_labels_and_values_that_no_table_can_hold(
    labels: list[str], values: list[Any], pointer: str
) -> None:
    """A label twice would hide a column; a number beyond double precision is no coordinate."""
    with pytest.raises(PatchError, match=pointer):
        PatchSet.from_document(foreign.patch_set(labels, values))
