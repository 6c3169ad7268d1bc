"""The examples in docstrings are true, and every public function and type has one."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

import darkstats
from darkstats import tasks

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(darkstats.__path__, prefix="darkstats.")
    if not module.name.endswith("__main__")  # importing that one runs the command
)
#: Packages without which a module, or those of a package, cannot be imported or shown.
NEEDS = {
    "darkstats.tasks": ("matplotlib",),  # figures are part of the examples
    "darkstats.service": ("fastapi", "sqlalchemy", "jinja2", "uvicorn", "httpx"),
    "darkstats.service.workers.cluster": ("distributed",),
}


#: Methods that users call; those of the protocol of models serve statistics.
METHODS = {
    "FitResult": ("value",),
    "HistFactoryModel": (
        "asimov", "expected_by_sample", "expected_rates", "log_density", "with_observation",
        "with_poi", "with_range",
    ),
    "InterpolationCodes": ("parse",),
    "Outcome": ("figure", "require_certified", "save", "to_dict"),
    "PatchSet": ("apply", "select"),
    "Workspace": ("from_document", "measurement", "patched", "poi_name"),
}  # fmt: skip


@pytest.fixture
def beside_workspaces(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder in which examples find the shipped workspaces, and may write."""
    (tmp_path / "workspaces").symlink_to(repository / "workspaces", target_is_directory=True)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("beside_workspaces")
@pytest.mark.parametrize("name", MODULES)
def test_examples_of_the_module_hold(name: str) -> None:
    """Every ``>>>`` line of the module prints what its docstring says."""
    for start, packages in NEEDS.items():
        if name == start or name.startswith(f"{start}."):
            for package in packages:
                pytest.importorskip(package)
    results = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert results.failed == 0, f"{results.failed} of {results.attempted} examples fail"


def public() -> list[str]:
    """Public functions, and public types with their methods, that need an example."""
    found = []
    for name in darkstats.__all__:
        value = getattr(darkstats, name)
        if inspect.isclass(value) and issubclass(value, Exception):
            continue
        if inspect.isclass(value) or inspect.isfunction(value):
            found.append(name)
    return found


@pytest.mark.parametrize("name", tasks.__all__)
def test_a_task_has_an_example(name: str) -> None:
    """Those that only the module of tasks has, too."""
    (found,) = doctest.DocTestFinder().find(getattr(tasks, name), name, module=tasks)
    assert any(f"{name}(" in example.source for example in found.examples)


@pytest.mark.parametrize("name", public())
def test_a_public_name_has_an_example(name: str) -> None:
    """Of a type: in its own docstring or in that of one of its methods, that uses it."""
    value = getattr(darkstats, name)
    found = doctest.DocTestFinder().find(value, name, module=inspect.getmodule(value))
    sources = [example.source for test in found for example in test.examples]
    assert any("darkstats" in source for source in sources), f"{name} has no example"


@pytest.mark.parametrize(
    ("kind", "method"), [(kind, method) for kind, methods in METHODS.items() for method in methods]
)
def test_a_method_has_an_example(kind: str, method: str) -> None:
    """Its own, that calls it."""
    called = getattr(getattr(darkstats, kind), method)
    tests = doctest.DocTestFinder().find(called, method, module=inspect.getmodule(called))
    sources = [example.source for test in tests for example in test.examples]
    assert any(f"{method}(" in source for source in sources)
