"""What every test shares: the reference data, no network, and a place for compiled kernels."""

from __future__ import annotations

import json
import logging
import os
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

REPOSITORY = Path(__file__).resolve().parent.parent
LOOPBACK = ("127.", "::1", "localhost")

#: Reasons for which a test may be skipped where every extra is installed: each begins like this.
ALLOWED_SKIPS = ("the reference ", "this is no git checkout")

#: Run again beside what was skipped: without the extras these cannot fail.
NEED_EXTRAS_TO_FAIL = ("tests/contracts/test_import_weight.py", "tests/contracts/test_extras.py")

SKIPPED = pytest.StashKey[dict[str, str]]()

#: Nothing is judged by the clock: a busy machine makes no test fail.
settings.register_profile(
    "untimed", parent=settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Two runs cover the suite: one without the optional packages, one of what it skipped."""
    group = parser.getgroup("darkstats")
    group.addoption("--skips-to", metavar="FILE", help="write the skipped tests to FILE")
    group.addoption(
        "--only-skips-of",
        metavar="FILE",
        help="run only what an earlier run skipped and wrote to FILE; fail if one is skipped again",
    )


class _Listener:
    """Hears the reports of every process of the run, and notes what is skipped."""

    def __init__(self, skipped: dict[str, str]) -> None:
        self._skipped = skipped

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a module that is skipped as a whole."""
        self._note(report)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a test that is skipped."""
        self._note(report)

    def _note(self, report: pytest.CollectReport | pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            found = report.longrepr
            reason = found[2] if isinstance(found, tuple) else str(found)
            self._skipped[report.nodeid] = reason.removeprefix("Skipped: ")


def pytest_configure(config: pytest.Config) -> None:
    """Start to listen for skipped tests: in the process that hears of all of them."""
    config.stash[SKIPPED] = {}
    if not _is_worker(config):
        config.pluginmanager.register(_Listener(config.stash[SKIPPED]))


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")  # set by pytest-xdist


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep what the earlier run skipped: tests, and modules as a whole."""
    path = config.getoption("--only-skips-of")
    if path is None:
        return
    skipped = json.loads(Path(path).read_text("utf-8"))
    wanted = {*skipped, *NEED_EXTRAS_TO_FAIL}
    kept = [item for item in items if wanted & {item.nodeid, item.nodeid.partition("::")[0]}]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
    items[:] = kept


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the skipped tests; where they ran a second time, none may be skipped again."""
    config = session.config
    if _is_worker(config):
        return
    skipped = config.stash[SKIPPED]
    if (path := config.getoption("--skips-to")) is not None:
        Path(path).write_text(json.dumps(skipped, indent=1) + "\n", "utf-8")
    if config.getoption("--only-skips-of") is None or exitstatus != pytest.ExitCode.OK:
        return
    if any(not reason.startswith(ALLOWED_SKIPS) for reason in skipped.values()):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Name what was skipped although every extra should be here."""
    if config.getoption("--only-skips-of") is None:
        return
    for name, reason in config.stash[SKIPPED].items():
        if not reason.startswith(ALLOWED_SKIPS):
            terminalreporter.line(f"skipped although every extra should be here: {name}: {reason}")


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the checkout that these tests belong to."""
    return REPOSITORY


@pytest.fixture(scope="session")
def example_workspaces(repository: Path) -> dict[str, Path]:
    """The shipped example workspaces, by name."""
    folder = repository / "workspaces/examples"
    paths = (path for path in sorted(folder.glob("*.json")) if ".meta" not in path.suffixes)
    return {path.stem: path for path in paths}


def reference_folder() -> Path | None:
    """Folder of the reference likelihoods: ``DARKSTATS_DATA``, or ``../shared/data``."""
    named = os.environ.get("DARKSTATS_DATA")
    candidates = [Path(named)] if named else [REPOSITORY.parent / "shared" / "data"]
    for folder in candidates:
        for likelihoods in (folder, folder / "likelihoods"):
            if (likelihoods / "pyhf_validation").is_dir():
                return likelihoods
    return None


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """Folder with ``pyhf_validation/`` and ``atlas_susy_2018_31/``; skips where it is absent."""
    folder = reference_folder()
    if folder is None:
        pytest.skip(
            "the reference likelihoods are not here: set DARKSTATS_DATA to the folder that holds "
            "pyhf_validation/ and atlas_susy_2018_31/"
        )
    return folder


@pytest.fixture(scope="session")
def reference_curves() -> Path:
    """Folder of published and computed curves; skips where it is absent."""
    named = os.environ.get("DARKSTATS_DATA")
    base = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    for folder in (base / "curves", base.parent / "curves"):
        if folder.is_dir():
            return folder
    pytest.skip("the reference curves are not here: set DARKSTATS_DATA to the folder of curves/")


@pytest.fixture(scope="session")
def reference_answers(reference_data: Path) -> dict[str, Any]:
    """The stated answers, by collection (``pyhf_validation``, ``atlas_susy_2018_31``)."""
    return {
        path.parent.name: json.loads(path.read_text("utf-8"))
        for path in sorted(reference_data.glob("*/ANSWERS.json"))
    }


@pytest.fixture(scope="session")
def dask_cluster() -> Iterator[Any]:
    """A Dask cluster of two worker processes on this machine; skips without the extra."""
    distributed = pytest.importorskip("distributed", reason="Dask is an optional extra")
    found = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(REPOSITORY / "tests"), found])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        local = distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None,
            silence_logs=50,
        )  # fmt: skip
        try:
            yield local
        finally:
            local.close()
            os.environ["PYTHONPATH"] = found


def _is_local(address: object) -> bool:
    if isinstance(address, (str, bytes)):  # a path: Unix socket
        return True
    host = address[0] if isinstance(address, tuple) and address else ""
    return isinstance(host, str) and host.startswith(LOOPBACK)


@pytest.fixture(autouse=True)
def loggers_as_they_were() -> Iterator[None]:
    """A service that a test starts in this process takes its log with it."""
    kept = [logging.getLogger(name) for name in ("darkstats", "uvicorn.error")]
    state = [(one, one.handlers[:], one.level, one.propagate) for one in kept]
    yield
    for one, handlers, level, propagate in state:
        one.handlers, one.propagate = handlers, propagate
        one.setLevel(level)


@pytest.fixture(autouse=True, scope="session")
def _no_network() -> Iterator[None]:
    """Refuse every connection that leaves this machine: a test that needs one is wrong."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def guarded(self: socket.socket, address: Any) -> None:
        if not _is_local(address):
            raise OSError(f"tests do not use the network: refused to connect to {address!r}")
        connect(self, address)

    def guarded_ex(self: socket.socket, address: Any) -> int:
        if not _is_local(address):
            raise OSError(f"tests do not use the network: refused to connect to {address!r}")
        return connect_ex(self, address)

    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", guarded)
    patch.setattr(socket.socket, "connect_ex", guarded_ex)
    yield
    patch.undo()
