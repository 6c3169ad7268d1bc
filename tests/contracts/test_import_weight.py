"""Importing the package, and a first limit, load nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

NEVER = ("tensorflow", "zfit", "jax", "torch", "pandas", "fastapi", "starlette", "uvicorn", "dask")
HEAVY = (*NEVER, "scipy", "pyhf", "matplotlib", "mplhep", "jsonschema", "iminuit")
# numba imports the bare name scipy to look at its version; its parts are what costs time
PARTS = tuple(f"scipy.{part}" for part in ("linalg", "optimize", "special", "sparse", "stats"))
# packages that teach numba types, which its kernels here have no use for
TAUGHT = ("awkward", "vector", "sympy")
REPORT = "import sys; print(*sorted(name for name in sys.modules if name.count('.') < 2))"


def packages_after(statements: str, folder: Path) -> set[str]:
    """Packages, and their parts, that a fresh interpreter holds after ``statements``."""
    done = subprocess.run(
        [sys.executable, "-c", f"{statements}\n{REPORT}"],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
    )
    return set(done.stdout.splitlines()[-1].split())


def test_import_darkstats_is_light(tmp_path: Path) -> None:
    """``import darkstats`` loads no TensorFlow, SciPy, pyhf, plotting or web framework."""
    loaded = packages_after("import darkstats", tmp_path)
    assert "darkstats" in loaded
    assert loaded.isdisjoint((*HEAVY, "numba", "llvmlite")), sorted(loaded & {*HEAVY, "numba"})


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["limit", "--help"]])
def test_asking_the_command_line_for_help_is_light(tmp_path: Path, arguments: list[str]) -> None:
    """Help and version compute nothing, so they load no compiler and no SciPy."""
    statements = (
        "import sys\nfrom darkstats.cli import main\n"
        f"sys.argv = ['darkstats', *{arguments!r}]\n"
        "try:\n    main()\nexcept SystemExit as done:\n    assert not done.code, done.code"
    )
    loaded = packages_after(statements, tmp_path)
    assert loaded.isdisjoint((*HEAVY, "numba", "llvmlite")), sorted(loaded & {*HEAVY, "numba"})


def test_a_limit_needs_no_scipy_and_no_pyhf(tmp_path: Path, repository: Path) -> None:
    """An asymptotic limit is computed with NumPy and the kernel alone."""
    workspace = repository / "workspaces/examples/two_bins.json"
    statements = (
        "import sys\nfrom darkstats.cli import main\n"
        f"sys.argv = ['darkstats', 'limit', {str(workspace)!r}, '--json']\n"
        "try:\n    main()\nexcept SystemExit as done:\n    assert not done.code, done.code"
    )
    loaded = packages_after(statements, tmp_path)
    assert "numba" in loaded
    heavy = {*HEAVY, *PARTS, *TAUGHT} - {"scipy"}
    assert loaded.isdisjoint(heavy), sorted(loaded & heavy)


@pytest.mark.parametrize("command", ["limit", "significance", "fit"])
def test_an_unbinned_limit_needs_no_tensorflow(
    command: str, tmp_path: Path, repository: Path
) -> None:
    """Kernels do the work: neither zfit nor TensorFlow, SciPy or a reader of other formats."""
    model = repository / "models/alp/unbinned.json"
    statements = (
        "import sys, numpy\nfrom darkstats.cli import main\n"
        "from darkstats.workspace.hs3.event_files import write_events\n"
        "from pathlib import Path\n"
        "x = numpy.linspace(0.2, 2.0, 500)\n"
        "write_events(Path('e.npz'), {'mgg_squared_gev2': x}, {'simulated': True})\n"
        f"sys.argv = ['darkstats', {command!r}, {str(model)!r}, '--data', 'e.npz', '--json']\n"
        "try:\n    main()\nexcept SystemExit as done:\n    assert not done.code, done.code"
    )
    loaded = packages_after(statements, tmp_path)
    assert "numba" in loaded
    # Numba loads its registered extensions; that of awkward loads pyarrow where it is installed.
    alone = packages_after("import numba\nnumba.njit(lambda x: x)(1.0)", tmp_path)
    heavy = {*HEAVY, *PARTS, "pyarrow", "uproot", "tensorflow_probability"} - {"scipy"}
    assert loaded.isdisjoint(heavy - alone), sorted(loaded & (heavy - alone))


def test_import_darkstats_loads_one_module_of_it(tmp_path: Path) -> None:
    """Names are loaded when they are first used, and a task loads no other task's work."""
    after = packages_after("import darkstats", tmp_path)
    assert {name for name in after if name.startswith("darkstats")} == {"darkstats"}
    assert len(after - packages_after("", tmp_path)) <= 40, sorted(after)  # 30: typing, importlib
    task = packages_after("import darkstats\ndarkstats.limit", tmp_path)
    assert task.isdisjoint((*HEAVY, "numba", "llvmlite")), sorted(task)
