"""Compiled kernels on disk: found where they should be, and loaded only when they are whole."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest

from darkstats.kernel.cache import CacheFolder, SealedFiles, find_folder

KEY = ("signature", ("x86_64", "skylake", "+avx2"), ("code", "closure"))


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))


def blocked(folder: Path) -> str:
    """A path below a file: nobody can make a folder there, not even root."""
    file = folder / "file"
    file.write_text("no folder")
    return str(file / "below")


def test_the_seal_opens_what_was_saved(tmp_path: Path) -> None:
    """What is saved under a key comes back under it, and under no other."""
    files = SealedFiles(CacheFolder(path=tmp_path), "module.entry")
    assert not files.any()
    assert files.load(KEY) is None
    files.save(KEY, {"code": b"\x90" * 100})
    assert files.any()
    assert files.load(KEY) == {"code": b"\x90" * 100}
    assert files.load((*KEY[:1], ("x86_64", "znver4", "+avx512"), KEY[2])) is None
    assert SealedFiles(CacheFolder(path=tmp_path), "module.other").load(KEY) is None


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "longer", "headless"])
def test_a_damaged_file_is_not_loaded(tmp_path: Path, damage: str) -> None:
    """Any changed bit, at any place, is found; the file is removed, so that it is made again."""
    folder = tmp_path / "kernels"
    folder.mkdir()
    files = SealedFiles(CacheFolder(path=folder), "module.entry")
    files.save(KEY, {"code": b"\x90" * 100})
    (path,) = folder.iterdir()
    data = path.read_bytes()
    broken = {
        "cut": [data[:n] for n in range(0, len(data), 7)],
        "flipped": [
            data[:n] + bytes([data[n] ^ (1 << (n % 8))]) + data[n + 1 :] for n in range(len(data))
        ],
        "empty": [b""],
        "longer": [data + b"\0"],
        "headless": [data[51:]],
    }[damage]
    for changed in broken:
        path.write_bytes(changed)
        assert files.load(KEY) is None
        assert not path.exists()
    files.save(KEY, {"code": b"\x90" * 100})
    assert files.load(KEY) == {"code": b"\x90" * 100}


def test_a_folder_that_is_only_read_is_looked_into(tmp_path: Path) -> None:
    """Kernels of an image whose file system is closed are found beside a folder to write to."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    SealedFiles(CacheFolder(path=tmp_path / "a"), "module.entry").save(KEY, "prepared")
    both = SealedFiles(CacheFolder(path=tmp_path / "b", prepared=tmp_path / "a"), "module.entry")
    assert both.load(KEY) == "prepared"
    assert both.any()
    both.save(KEY, "own")
    assert both.load(KEY) == "own"


def test_settings_in_their_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """NUMBA_CACHE_DIR, XDG_CACHE_HOME, the home folder; empty is unset, relative XDG is ignored."""
    at_home = tmp_path / "home/.cache/darkstats/kernels"
    assert find_folder("kernels") == CacheFolder(path=at_home)
    for value in ("", "relative/folder"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert find_folder("kernels").path == at_home
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert find_folder("kernels").path == tmp_path / "xdg/darkstats/kernels"
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")
    assert find_folder("kernels").path == tmp_path / "xdg/darkstats/kernels"
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "numba"))
    assert find_folder("kernels").path == tmp_path / "numba/kernels"


def test_no_setting_leads_into_the_working_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whatever is set, nothing is made where the user happens to be."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    for numba in ("", blocked(tmp_path)):
        for xdg in ("", ".", "cache"):
            monkeypatch.setenv("NUMBA_CACHE_DIR", numba)
            monkeypatch.setenv("XDG_CACHE_HOME", xdg)
            assert find_folder("kernels").path is not None
    assert list((tmp_path / "work").iterdir()) == []


def test_an_unwritable_setting_is_said_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A private temporary folder takes its place, the same for the next command."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", blocked(tmp_path))
    found = find_folder("kernels")
    assert found.path is not None
    assert found.path.is_relative_to(tmp_path / "temporary")
    assert stat.S_IMODE(found.path.parent.stat().st_mode) == 0o700
    assert found.note is not None
    assert blocked(tmp_path) in found.note
    assert "set XDG_CACHE_HOME or NUMBA_CACHE_DIR" in found.note
    assert find_folder("kernels") == found


@pytest.mark.parametrize("trap", ["link", "open", "file"])
def test_a_temporary_folder_of_somebody_else_is_not_trusted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, trap: str
) -> None:
    """What is loaded is run: a link, or a folder that others can write to, is not taken."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", blocked(tmp_path))
    place = tmp_path / "temporary" / f"darkstats-{os.getuid()}"
    if trap == "link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        place.symlink_to(tmp_path / "elsewhere")
    elif trap == "open":
        place.mkdir()
        place.chmod(0o777)
    else:
        place.write_text("a file")
    found = find_folder("kernels")
    assert found.path is None
    assert found.note is not None
    assert "every command compiles its kernels" in found.note
