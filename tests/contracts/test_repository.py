"""What the files of the repository promise about themselves."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

TOP_LEVEL = {
    "CITATION.cff",
    "LICENSE",
    "README.md",
    "constraints.txt",
    "docs",
    "models",
    "pyproject.toml",
    "src",
    "tests",
    "workspaces",
}
BINARY = {".gz", ".npz", ".pdf", ".png", ".zip", ".tar"}
COPYLEFT = {"hepdata_validator", "nextstat", "pythia8", "smodels", "vegas", "darkcast"}
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:home|root|Users|work|tmp|opt)/[\w.]")
PACKAGE_HOST = re.compile(r"https?://[^\s\"']*(?:/simple|pypi)[^\s\"']*|--(?:extra-)?index-url")
LOCK_FILES = re.compile(r"(^|/)(uv|poetry|pdm|Pipfile|conda-lock|pylock[^/]*)\.(lock|yml|toml)$")


@pytest.fixture(scope="module")
def tracked(repository: Path) -> list[Path]:
    """Files that git tracks, or would; skips where the checkout has no git."""
    done = subprocess.run(
        ["git", "ls-files", "-z"], cwd=repository, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.skip("this is no git checkout")
    paths = [repository / name for name in done.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


@pytest.fixture(scope="module")
def project(repository: Path) -> dict[str, Any]:
    return tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))


@pytest.fixture(scope="module")
def sources(repository: Path) -> dict[Path, ast.Module]:
    paths = sorted((repository / "src").rglob("*.py"))
    return {path: ast.parse(path.read_text("utf-8")) for path in paths}


def imported(tree: ast.Module) -> set[str]:
    """Top-level packages that a module imports anywhere."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


def test_top_level_is_as_documented(tracked: list[Path], repository: Path) -> None:
    """The root holds the agreed files and folders, and dotfiles, and nothing else."""
    tops = {path.relative_to(repository).parts[0] for path in tracked}
    assert {name for name in tops if not name.startswith(".")} <= TOP_LEVEL


def test_no_path_of_a_machine_is_tracked(tracked: list[Path], repository: Path) -> None:
    """No tracked text names a folder of somebody's machine, or the host of a package index."""
    found = []
    for path in tracked:
        if path.suffix in BINARY or path.name == Path(__file__).name:
            continue
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if MACHINE_PATH.search(line) or PACKAGE_HOST.search(line):
                found.append(f"{path.relative_to(repository)}:{number}: {line.strip()[:80]}")
    assert found == []


def test_no_lock_file_is_tracked(tracked: list[Path], repository: Path) -> None:
    """Versions are pinned by constraints.txt alone: lock files name package hosts."""
    names = [str(path.relative_to(repository)) for path in tracked]
    assert [name for name in names if LOCK_FILES.search(name)] == []


def test_constraints_name_versions_only(repository: Path) -> None:
    """Each line of constraints.txt is NAME==VERSION, perhaps for some Python versions."""
    line_format = re.compile(
        r'[a-z0-9-]+==[\w.]+(; python_version (<|>=|==) "3\.1[123]")?', re.ASCII
    )
    lines = (repository / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert [line for line in pins if not line_format.fullmatch(line)] == []
    assert pins == sorted(pins, key=lambda pin: pin.partition("==")[0])


def test_constraints_pin_every_direct_dependency(repository: Path, project: dict[str, Any]) -> None:
    """Whatever the core and the extras ask for directly has a pinned version."""
    text = (repository / "constraints.txt").read_text("utf-8")
    pinned = {line.partition("==")[0] for line in text.splitlines() if "==" in line}
    extras = project["project"]["optional-dependencies"]
    wanted = [*project["project"]["dependencies"], *(name for e in extras.values() for name in e)]
    names = {re.split(r"[^\w.-]", requirement)[0].replace("_", "-") for requirement in wanted}
    assert names - pinned == {"darkstats"}


def test_no_copyleft_or_measured_peer_is_imported(sources: dict[Path, ast.Module]) -> None:
    """No module of the package imports a GPL or AGPL package, not even lazily."""
    guilty = {str(path): imported(tree) & COPYLEFT for path, tree in sources.items()}
    assert {path: names for path, names in guilty.items() if names} == {}


def test_copyleft_packages_are_in_optional_extras_only(project: dict[str, Any]) -> None:
    """The core, plotting, service and cluster extras ask for no GPL or AGPL package."""
    extras = project["project"]["optional-dependencies"]
    for requirements in (
        project["project"]["dependencies"],
        *(extras[name] for name in ("plot", "service", "cluster", "test", "templates")),
    ):
        names = {re.split(r"[^\w-]", requirement)[0].lower() for requirement in requirements}
        assert names.isdisjoint({*COPYLEFT, "pythia8mc", "hepdata_lib", "hepdata-validator"})


def test_mypy_exempts_none_of_our_modules(project: dict[str, Any]) -> None:
    """Strict means strict: overrides name third-party packages only."""
    mypy = project["tool"]["mypy"]
    assert mypy["strict"] is True
    listed = [
        module
        for override in mypy.get("overrides", [])
        for module in (
            [override["module"]] if isinstance(override["module"], str) else override["module"]
        )
    ]
    assert [module for module in listed if module.startswith(("darkstats", "*"))] == []
    assert "exclude" not in mypy


def test_every_type_ignore_has_a_code_and_a_reason(repository: Path) -> None:
    """A silenced type error says which one, and why."""
    good = re.compile(r"# type: ignore\[[\w, -]+\]\s+# \w")
    bad = [
        f"{path.relative_to(repository)}:{number}"
        for path in sorted((repository / "src").rglob("*.py"))
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if "type: ignore" in line and not good.search(line)
    ]
    assert bad == []


def test_every_module_has_a_docstring_and_future_annotations(
    sources: dict[Path, ast.Module],
) -> None:
    """Each module says what it is for; annotations are never evaluated at import.

    The command line is exempt from the latter: typer reads the annotations of its verbs.
    """
    silent = [str(path) for path, tree in sources.items() if not ast.get_docstring(tree)]
    assert silent == []
    evaluated = [
        str(path)
        for path, tree in sources.items()
        if path.parent.name != "cli"
        and "from __future__ import annotations" not in path.read_text("utf-8")
        and any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in tree.body)
    ]
    assert evaluated == []


def test_no_pickles(sources: dict[Path, ast.Module]) -> None:
    """Results are JSON: nothing in the package can load code from a file.

    The cache of compiled kernels is code by its nature, which numba pickles: it lies in a folder of
    the user's own, and its one reader looks at owner, permissions and digest first.
    """
    guilty = [
        str(path)
        for path, tree in sources.items()
        if imported(tree) & {"pickle", "marshal", "shelve", "dill", "cloudpickle"}
        and not path.as_posix().endswith("darkstats/kernel/cache.py")
    ]
    assert guilty == []


def test_version_is_the_same_everywhere(repository: Path, project: dict[str, Any]) -> None:
    """pyproject.toml, CITATION.cff and the package name one version."""
    import darkstats

    version = project["project"]["version"]
    citation = (repository / "CITATION.cff").read_text("utf-8")
    assert f"\nversion: {version}\n" in citation
    if not list(importlib.metadata.entry_points(group="console_scripts", name="darkstats")):
        pytest.skip("the package is on the path, but not installed")
    assert darkstats.__version__ == version
