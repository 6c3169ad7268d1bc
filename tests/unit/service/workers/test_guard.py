"""Files that are none of the question's, other programs and the network stay closed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy")

PROGRAM = """
import os, shutil, socket, sqlite3, subprocess, sys, tempfile
from pathlib import Path
import darkstats.workflows
from darkstats.service.workers.guard import ForbiddenError, Guard, caches
folder = Path(sys.argv[1])
os.chdir(folder)
tempfile.tempdir = str(folder)
sys.addaudithook(Guard(folder, caches=caches(), database=str(folder.parent / "own.db")))
for words in sys.argv[2:]:
    try:
        exec(words)
    except ForbiddenError as error:
        print("refused:", error.strerror)
    except Exception as error:
        print(words, repr(error))
    else:
        print("allowed")
"""

REFUSED = (
    "open('/etc/passwd')",
    "open('../outside.txt')",
    "open('link.txt')",
    "open('/proc/self/environ')",
    "open(os.path.join('/proc/self', 'root', 'etc', 'passwd'))",
    "open('/proc/1/cmdline')",
    "Path('../made.txt').write_text('x')",
    "os.open('../made.txt', os.O_WRONLY | os.O_CREAT)",
    "open(darkstats.workflows.__file__, 'a')",
    "os.listdir('..')",
    "os.remove('../outside.txt')",
    "os.rename('inside.txt', '../moved.txt')",
    "os.symlink('/etc/passwd', 'there')",
    "shutil.copy('../outside.txt', 'here.txt')",
    "sqlite3.connect('../other.db')",
    "subprocess.run(['/bin/true'])",
    "os.system('true')",
    "socket.create_connection(('127.0.0.1', 9))",
    "socket.socket(socket.AF_UNIX).connect('x')",
)
ALLOWED = (
    "open('inside.txt').read()",
    "Path('new.txt').write_text('x')",
    "tempfile.TemporaryDirectory().cleanup()",
    "shutil.rmtree('deep')",
    "open('/dev/null', 'w')",
    "sqlite3.connect('../own.db')",
    "__import__('wave')",
    "subprocess.run([sys.executable, '-c', ''])",
    "open(os.open('inside.txt', os.O_RDONLY)).read()",
)


def told(folder: Path, attempts: Sequence[str]) -> list[str]:
    """What each attempt gives, in a process that has the guard."""
    inside = folder / "inside"
    (inside / "deep/deeper").mkdir(parents=True)
    (inside / "deep/deeper/file.txt").write_text("x", "utf-8")
    (inside / "inside.txt").write_text("x", "utf-8")
    (folder / "outside.txt").write_text("secret", "utf-8")
    (inside / "link.txt").symlink_to("../outside.txt")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(inside), *attempts],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert (folder / "outside.txt").read_text("utf-8") == "secret"
    return done.stdout.splitlines()


def test_what_is_refused(tmp_path: Path) -> None:
    found = dict(zip(REFUSED, told(tmp_path, REFUSED), strict=True))
    words = "refused: the service opens nothing but"
    assert not [attempt for attempt, said in found.items() if not said.startswith(words)]


def test_what_a_workflow_needs(tmp_path: Path) -> None:
    assert told(tmp_path, ALLOWED) == ["allowed"] * len(ALLOWED)


@pytest.mark.parametrize(
    "named", [{}, {"XDG_CACHE_HOME": "cache", "XDG_CONFIG_HOME": "config"}, {"MPLCONFIGDIR": "mpl"}]
)
def test_matplotlib_keeps_its_list_of_fonts(tmp_path: Path, named: dict[str, str]) -> None:
    """In a home in which nothing is there yet: or each worker would make the list anew."""
    pytest.importorskip("matplotlib")
    unset = ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR", "NUMBA_CACHE_DIR")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    environment |= {"HOME": str(tmp_path / "home"), "NUMBA_CACHE_DIR": str(tmp_path / "kernels")}
    environment |= {name: str(tmp_path / folder) for name, folder in named.items()}
    (tmp_path / "job").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "job"), "import matplotlib.font_manager"],
        capture_output=True, text=True, check=True, env=environment,
    )  # fmt: skip
    assert done.stdout.split() == ["allowed"]
    assert "temporary cache directory" not in done.stderr
    kept = list(tmp_path.rglob("fontlist-*.json"))
    assert len(kept) == 1
    assert "job" not in kept[0].parts
