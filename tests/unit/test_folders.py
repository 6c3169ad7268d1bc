"""A folder is there whole: the earlier one or the new one, whatever ends the writing."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from darkstats.errors import OptionError, OutputError
from darkstats.folders import require_own, write_folder

NEW = {"a.json": b"new", "tables/b.csv": b"1,2\n"}


def contents(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_a_folder_is_made_and_replaced(tmp_path: Path) -> None:
    output = tmp_path / "deep" / "out"
    write_folder(output, {"old.json": b"old"})
    write_folder(output, NEW)
    assert contents(output) == NEW
    assert [path.name for path in output.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("call", range(12))
@pytest.mark.parametrize("kind", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_whatever_ends_it_one_of_the_two_is_there(
    call: int, kind: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call of the system that fails is each in turn: fsync, rename, mkdir."""
    output = tmp_path / "out"
    write_folder(output, {"old.json": b"old"})
    made = [0]

    def failing(name: str) -> Callable[..., object]:
        real = getattr(os, name)

        def fail(*arguments: object, **options: object) -> object:
            made[0] += 1
            if made[0] == call + 1:
                raise kind
            return real(*arguments, **options)

        return fail

    for name in ("fsync", "rename", "mkdir"):
        monkeypatch.setattr(os, name, failing(name))
    try:
        write_folder(output, NEW)
    except (OutputError, KeyboardInterrupt):
        assert made[0] > call
    else:
        assert made[0] <= call or contents(output) == NEW
    monkeypatch.undo()
    assert contents(output) in ({"old.json": b"old"}, NEW)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("beside", [None, "{}", "no JSON", "[]", "3", '"made"'])
def test_a_file_of_somebody_else_is_not_to_be_overwritten(
    beside: str | None, tmp_path: Path
) -> None:
    """What is not named may lie there; a mark in the file beside says whose it is."""
    names = ("a.json", "a.meta.json")
    (tmp_path / "other.json").write_text("{}")
    require_own(tmp_path, names, mark=("a.meta.json", "made"), verb="make")
    require_own(tmp_path / "missing", names, mark=("a.meta.json", "made"), verb="make")
    (tmp_path / "a.json").write_text("{}")
    if beside is not None:
        (tmp_path / "a.meta.json").write_text(beside)
    with pytest.raises(OptionError, match=r"a\.json is there, and make did not write it"):
        require_own(tmp_path, names, mark=("a.meta.json", "made"), verb="make")
    (tmp_path / "a.meta.json").write_text('{"made": 1}')
    require_own(tmp_path, names, mark=("a.meta.json", "made"), verb="make")
    with pytest.raises(OptionError, match="is no folder"):
        require_own(tmp_path / "a.json", names, mark=("a.meta.json", "made"), verb="make")
