"""Sources: files, standard input, gzip, archives, archives within archives, and bombs."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from darkstats.errors import (
    DigestMismatchError,
    DocumentError,
    OptionError,
    PatchError,
    UnknownNameError,
    WorkspaceError,
)
from darkstats.workspace import Workspace, archives, pyhf_digest, read_patchset, read_workspace
from strategies import random_workspace

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENT = random_workspace(np.random.default_rng(2))
TEXT = json.dumps(DOCUMENT).encode()
GZIPPED = gzip.compress(TEXT)
PATCH = json.dumps([{"op": "replace", "path": "/observations/0/data/0", "value": 3}]).encode()
PATCHSET = json.dumps(
    {
        "version": "1.0.0",
        "metadata": {
            "references": {"hepdata": "ins1234567"},
            "digests": {"sha256": pyhf_digest(DOCUMENT)},
            "labels": ["m"],
            "description": "",
        },
        "patches": [{"metadata": {"name": "m_1", "values": [1]}, "patch": json.loads(PATCH)}],
    }
).encode()


def tar(files: Mapping[str, bytes], mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def plain_tar(files: Mapping[str, bytes]) -> bytes:
    return tar(files, "w")


def zipped(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


Packer = Callable[[Mapping[str, bytes]], bytes]
PACKERS = pytest.mark.parametrize("pack", [tar, plain_tar, zipped])


def write(folder: Path, name: str, data: bytes) -> str:
    path = folder / name
    path.write_bytes(data)
    return str(path)


def first_count(workspace: Workspace) -> Any:
    return workspace.document["observations"][0]["data"][0]


def test_every_plain_source(tmp_path: Path) -> None:
    """Path, text, gzip, bytes and standard input give the same workspace."""
    path = tmp_path / "ws.json"
    path.write_bytes(TEXT)
    packed = write(tmp_path, "ws.json.gz", GZIPPED)
    found = [
        read_workspace(path),
        read_workspace(str(path)),
        read_workspace(packed),
        read_workspace(TEXT),
        read_workspace(GZIPPED),
        read_workspace("-", stdin=io.BytesIO(TEXT)),
    ]
    assert all(workspace.document == DOCUMENT for workspace in found)
    assert {workspace.digest for workspace in found} == {pyhf_digest(DOCUMENT)}
    assert [found[0].source, found[-1].source] == [str(path), "-"]


@PACKERS
def test_archives(tmp_path: Path, pack: Packer) -> None:
    """A lone workspace is found; members are named after a colon, for patches, too."""
    files = {"./A/BkgOnly.json": TEXT, "A/patch.json": PATCH, "patchset.json": PATCHSET}
    path = write(tmp_path, "record", pack({**files, "README.md": b"read me"}))
    workspace = read_workspace(path)
    assert workspace.source == f"{path}:A/BkgOnly.json"
    assert first_count(read_workspace(path, patches=[f"{path}:A/patch.json"])) == 3
    assert first_count(read_workspace(path, patchset=path, point="m_1")) == 3
    assert first_count(read_workspace(f"{path}:./A/BkgOnly.json", patchset=path, point=[1])) == 3
    assert read_patchset(path).point_names == ("m_1",)


@PACKERS
def test_several_workspaces_are_listed(tmp_path: Path, pack: Packer) -> None:
    """Which one is meant must be said; the error lists them."""
    path = write(tmp_path, "record", pack({"A/ws.json": TEXT, "B/ws.json.gz": GZIPPED}))
    with pytest.raises(DocumentError, match=r"2 documents.*A/ws.json, .*B/ws.json.gz"):
        read_workspace(path)
    assert read_workspace(f"{path}:B/ws.json.gz").document == DOCUMENT
    with pytest.raises(DocumentError, match=r"no member 'C/ws.json'.*choose one of: A/ws.json"):
        read_workspace(f"{path}:C/ws.json")


@pytest.mark.parametrize("inner", [tar, zipped])
@PACKERS
def test_pallets(tmp_path: Path, pack: Packer, inner: Packer) -> None:
    """Archives within archives are read; members of members are named with two colons."""
    path = write(tmp_path, "pallet", pack({"SR.tar.gz": inner({"BkgOnly.json": TEXT})}))
    assert read_workspace(path).source == f"{path}:SR.tar.gz:BkgOnly.json"
    assert read_workspace(f"{path}:SR.tar.gz:BkgOnly.json").document == DOCUMENT


def test_a_colon_in_a_file_name(tmp_path: Path) -> None:
    """A file whose own name has a colon is that file."""
    path = write(tmp_path, "a:b.json", TEXT)
    assert read_workspace(path).document == DOCUMENT


def test_patches_are_applied_in_order(tmp_path: Path) -> None:
    """The point of the patch set first, then each patch as given."""
    path = write(tmp_path, "ws.json", TEXT)
    five = write(tmp_path, "five.json", PATCH.replace(b"3}", b"5}"))
    three = write(tmp_path, "three.json", PATCH)
    sets = write(tmp_path, "set.json", PATCHSET)
    assert first_count(read_workspace(path, patches=[five, three])) == 3
    assert first_count(read_workspace(path, patches=[three, five])) == 5
    patched = read_workspace(path, patches=[five], patchset=sets, point="m_1")
    assert first_count(patched) == 5
    assert patched.source == f"{path} + m_1 + five.json"


def test_digests_tie_patch_sets(tmp_path: Path) -> None:
    """A patch set of another workspace is refused."""
    other = write(
        tmp_path, "ws.json", json.dumps(random_workspace(np.random.default_rng(9))).encode()
    )
    sets = write(tmp_path, "set.json", PATCHSET)
    with pytest.raises(DigestMismatchError):
        read_workspace(other, patchset=sets, point="m_1")
    with pytest.raises(UnknownNameError):
        read_workspace(write(tmp_path, "w.json", TEXT), patchset=sets, point="m_2")


def test_options_that_do_not_go_together(tmp_path: Path) -> None:
    """A patch set without a point, and standard input twice."""
    with pytest.raises(OptionError, match="together"):
        read_workspace(TEXT, patchset=PATCHSET)
    with pytest.raises(OptionError, match="only once"):
        read_workspace("-", patches=["-"], stdin=io.BytesIO(TEXT))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "not JSON"),
        (b"BZh91AY&SY", "broken bzip2"),
        (b"\xfd7zXZ\x00", "broken xz"),
        (b"(\xb5/\xfd", "compressed with zstd"),
        (GZIPPED[:-20], "broken gzip"),
        (
            GZIPPED[:40] + b"\0" * 20 + GZIPPED[60:],
            "broken gzip",
        ),
        (GZIPPED + b"more", "broken gzip"),
        (zipped({"a.json": TEXT})[:-10], "broken zip"),
        (zipped({"README": b"x"}), "holds 0 documents"),
        (plain_tar({"a.json": TEXT})[:800], "broken tar"),
        (tar({"a.json": b"{"}), "holds 0 documents"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",  # bytes hold the time of packing
)
def test_broken_files(data: bytes, problem: str) -> None:
    """Damaged and foreign files give a DocumentError with a remedy."""
    with pytest.raises(DocumentError, match=problem) as caught:
        read_workspace(data)
    assert caught.value.remedy


def test_missing_files(tmp_path: Path) -> None:
    """A path that leads nowhere, to a folder, or into a file that is no archive."""
    with pytest.raises(DocumentError, match="this is a folder; name a file in it"):
        read_workspace(str(tmp_path))
    for name in ("background_only.json.gz", "patchset.json"):
        (tmp_path / name).touch()
    with pytest.raises(DocumentError, match=r"only\.json\.gz --patchset .*patchset\.json --point"):
        read_workspace(str(tmp_path))
    for source in ("absent.json", "\0", "x" * 5000, "", ":", "a:b:c"):
        with pytest.raises(DocumentError, match="no such file"):
            read_workspace(source)
    path = write(tmp_path, "ws.json", TEXT)
    with pytest.raises(DocumentError, match="not a tar or zip"):
        read_workspace(f"{path}:member.json")


def test_a_wrong_kind_of_document_is_named() -> None:
    """A patch instead of a workspace, or the reverse, is no traceback."""
    with pytest.raises(DocumentError, match=r"this is a patch, no workspace; .*--patch$"):
        read_workspace(PATCH)
    with pytest.raises(PatchError, match="list"):
        read_workspace(TEXT, patches=[TEXT])
    with pytest.raises(PatchError, match="patch set"):
        read_workspace(TEXT, patches=[PATCHSET])


def test_gzip_bombs_are_refused() -> None:
    """Text that decompresses a thousandfold is stopped on the way."""
    bomb = gzip.compress(b" " * 30_000_000)
    with pytest.raises(DocumentError, match="200 times"):
        read_workspace(bomb)
    with pytest.raises(DocumentError, match="200 times"):
        read_workspace(zipped({"a.json": b" " * 30_000_000}))


def test_sizes_and_counts_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Members, bytes in all, and the size of a JSON text have limits."""
    with monkeypatch.context() as patch:
        patch.setattr(archives, "MAX_MEMBERS", 3)
        for pack in (tar, zipped):
            with pytest.raises(DocumentError, match="more than 3 members"):
                read_workspace(pack({f"{i}.json": b"{}" for i in range(4)}))
    with monkeypatch.context() as patch:
        patch.setattr(archives, "MAX_DOCUMENT_BYTES", 1000)
        with pytest.raises(DocumentError, match="more than"):
            read_workspace(gzip.compress(np.random.default_rng(1).bytes(2000)))
    with monkeypatch.context() as patch:
        patch.setattr(archives, "MAX_ARCHIVE_BYTES", 1000)
        with pytest.raises(DocumentError, match="more than"):
            read_workspace(tar({"a.json": np.random.default_rng(1).bytes(2000)}))


def test_two_members_of_one_name_are_refused() -> None:
    """Which of them counts would be a guess."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for _ in range(2):
            info = tarfile.TarInfo("ws.json")
            info.size = len(TEXT)
            archive.addfile(info, io.BytesIO(TEXT))
    with pytest.raises(DocumentError, match="two members"):
        read_workspace(buffer.getvalue())


@pytest.mark.parametrize(
    "name", ["../../etc/passwd.json", "/etc/passwd.json", "C:\\x.json", "\x1b[2J.json"]
)
def test_member_names_are_no_paths(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hostile name is only a name: nothing is written, the member is read in memory."""
    monkeypatch.chdir(tmp_path)
    for pack in (tar, zipped):
        assert read_workspace(pack({name: TEXT})).document == DOCUMENT
    assert list(tmp_path.iterdir()) == []


def test_links_and_devices_are_not_followed() -> None:
    """Only regular files of an archive are members."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
            info = tarfile.TarInfo(f"link{kind.decode()}.json")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    with pytest.raises(DocumentError, match="holds 0 documents"):
        read_workspace(buffer.getvalue())


def test_damaged_archives_give_typed_errors() -> None:
    """Any flipped or cut byte of an archive ends in a workspace or a typed error."""
    rng = np.random.default_rng(4)
    for pack in (tar, plain_tar, zipped):
        data = pack({"A/ws.json": TEXT, "p.json": PATCH})
        for _ in range(300):
            place = int(rng.integers(len(data)))
            damaged = data[:place] + rng.bytes(2) + data[place + 2 :]
            if rng.random() < 0.3:
                damaged = damaged[: int(rng.integers(len(damaged)))]
            try:
                read_workspace(damaged)
            except (DocumentError, WorkspaceError):
                continue


def test_the_published_archive(reference_data: Path) -> None:
    """The ATLAS sbottom archive: three workspaces, 651 patches, patched by member names."""
    path = next((reference_data / "atlas_susy_2018_31").glob("*.tar.gz"))
    with pytest.raises(DocumentError, match="holds 3 documents that look like a workspace"):
        read_workspace(path)
    workspace = read_workspace(
        f"{path}:RegionA/BkgOnly.json", patches=[f"{path}:RegionA/patch.sbottom_1300_205_60.json"]
    )
    assert workspace.channel_names == ("SR_meff", "CRtt_meff")
    assert workspace.poi_name() == "mu_SIG"
    with pytest.raises(WorkspaceError, match="apply the signal patch"):
        read_workspace(f"{path}:RegionA/BkgOnly.json")
    background = read_workspace(f"{path}:RegionA/BkgOnly.json", usable=False)
    assert [finding.code for finding in background.unusable] == ["poi-unknown"]


def test_a_patch_of_another_workspace_is_suspected(example_workspaces: dict[str, Path]) -> None:
    """If only the patched workspace has errors, the message says where to look."""
    signal = {"name": "s", "data": [1.0], "modifiers": []}
    patch = [{"op": "add", "path": "/channels/0/samples/0", "value": signal}]
    with pytest.raises(WorkspaceError, match="was the patch made for this one"):
        read_workspace(example_workspaces["two_bins"], patches=[json.dumps(patch).encode()])
