"""Packings of published files: gzip, xz and bzip2, alone, in archives, and as bombs."""

from __future__ import annotations

import importlib
import io
import json
import tarfile
import tracemalloc
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

import foreign_searches
from darkstats.errors import DocumentError
from darkstats.workspace import archives, read_workspace
from darkstats.workspace.archives import MAX_MEMBERS


def _document() -> dict[str, object]:
    document = foreign_searches.background()
    document["channels"][0]["samples"].append(foreign_searches.operations(3.0)[0]["value"])
    return document


TEXT = json.dumps(_document()).encode()


def plain_tar(files: Mapping[str, bytes]) -> bytes:
    """A tar archive of some files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip archive of some files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def write(folder: Path, name: str, data: bytes) -> str:
    """A file; its name."""
    (folder / name).write_bytes(data)
    return str(folder / name)


@pytest.mark.parametrize(("module", "ending"), [("gzip", "gz"), ("lzma", "xz"), ("bz2", "bz2")])
class TestPackings:
    """Every packing that HEPData's files have is read, within the same bounds."""

    @staticmethod
    def packed(module: str, data: bytes) -> bytes:
        found: bytes = importlib.import_module(module).compress(data)
        return found

    def test_reading(self, tmp_path: Path, module: str, ending: str) -> None:
        """A document, an archive, a document in an archive, an archive in an archive."""
        document = self.packed(module, TEXT)
        inner = self.packed(module, plain_tar({"ws.json": TEXT}))
        digest = read_workspace(TEXT).digest
        for name, data, member in (
            (f"ws.json.{ending}", document, ""),
            (f"all.tar.{ending}", inner, ":ws.json"),
            ("outer.tar", plain_tar({f"ws.json.{ending}": document}), ""),
            ("outer.zip", zipped({f"in.tar.{ending}": inner}), f":in.tar.{ending}:ws.json"),
        ):
            path = write(tmp_path, name, data)
            assert read_workspace(path).digest == digest
            assert read_workspace(f"{path}{member}").digest == digest

    def test_several_streams(
        self, module: str, ending: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Streams one after the other, as parallel compressors write them; but not too many.

        What follows a stream is copied at its end: the work is bounded by the streams that are
        begun, and by the portions that they are fed.
        """
        half = len(TEXT) // 2
        data = self.packed(module, TEXT[:half]) + self.packed(module, TEXT[half:])
        assert read_workspace(data).digest == read_workspace(TEXT).digest
        begun: list[str] = []
        sound = archives._decompressor

        def counted(packing: str) -> archives._Decompressor:
            begun.append(packing)
            return sound(packing)

        monkeypatch.setattr(archives, "_decompressor", counted)
        with pytest.raises(DocumentError, match=f"more than {MAX_MEMBERS}"):
            read_workspace(self.packed(module, b"") * (MAX_MEMBERS * 30))
        assert 0 < len(begun) <= MAX_MEMBERS + 1
        assert archives._PORTION <= 2**16

    def test_bombs(self, module: str, ending: str) -> None:
        """A thousandfold is refused before it is in memory."""
        bomb = self.packed(module, bytes(64 * 1024**2))
        tracemalloc.start()
        with pytest.raises(DocumentError, match="times its size"):
            read_workspace(bomb)
        assert tracemalloc.get_traced_memory()[1] < 24 * 1024**2
        tracemalloc.stop()

    def test_damage(self, module: str, ending: str) -> None:
        """Cut short, changed, and followed by something."""
        data = self.packed(module, TEXT)
        for broken in (data[:-8], data[:30] + bytes(20) + data[50:], data + b"more"):
            with pytest.raises(DocumentError, match=r"a broken (gzip|xz|bzip2) file") as caught:
                read_workspace(broken)
            assert caught.value.remedy
