"""A PostgreSQL cluster of the tests' own, in a temporary folder."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

_USERS = ("postgres", "nobody")  # PostgreSQL refuses to run as root


def programs() -> Path | None:
    """Folder of the programs of PostgreSQL."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return places[-1].parent if places else None


def require_programs() -> Path:
    """The same; without them the test is skipped, in CI it fails."""
    found = programs()
    if found is None:
        message = "PostgreSQL is not installed (no initdb): apt-get install postgresql"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return found


class Cluster:
    """A server that listens on a socket in its folder only."""

    def __init__(self, *, durable: bool = False) -> None:
        self._programs = require_programs()
        self.folder = Path(tempfile.mkdtemp(prefix="postgres_"))
        self._user: list[str] = []
        if os.getuid() == 0:
            user = next(name for name in _USERS if _known(name))
            entry = pwd.getpwnam(user)
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
            ids = [f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]
            self._user = ["setpriv", *ids]
        self.data = self.folder / "data"
        self._run("initdb", "-D", str(self.data), "-U", "tests", "-A", "trust", "--no-sync",
                  "-E", "UTF8", "--locale=C")  # fmt: skip
        settings = [f"unix_socket_directories='{self.folder}'", "listen_addresses=''"]
        settings += [] if durable else ["fsync=off", "synchronous_commit=off"]
        text = "\n".join(settings) + "\n"
        self._run_shell(f"cat >> {self.data}/postgresql.conf", text)
        self.start()

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._user, str(self._programs / program), *arguments]
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, f"{program}: {done.stdout} {done.stderr}"

    def _run_shell(self, words: str, text: str) -> None:
        subprocess.run([*self._user, "sh", "-c", words], input=text, text=True, check=True)

    def start(self) -> None:
        # -s, and a log of its own: a server that keeps a pipe open would never let go of the caller
        self._run("pg_ctl", "-D", str(self.data), "-l", f"{self.folder}/log", "-w", "-s", "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop: ``fast`` ends all connections, ``immediate`` is a crash."""
        self._run("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "-s", "stop")

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://tests@/postgres?host={self.folder}"

    def emptied(self) -> str:
        """URL of the database, with nothing in it: quicker than a new one."""
        import psycopg

        with psycopg.connect(self.url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute("drop schema public cascade")
            connection.execute("create schema public")
        return self.url

    def remove(self) -> None:
        if (self.data / "postmaster.pid").exists():
            self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)


def _known(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
