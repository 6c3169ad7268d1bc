"""What every test shares: the reference data, no network, and a place for compiled kernels."""

from __future__ import annotations

import json
import os
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
LOOPBACK = ("127.", "::1", "localhost")


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
