"""The examples in docstrings are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import darkstats

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(darkstats.__path__, prefix="darkstats.")
    if not module.name.endswith("__main__")  # importing that one runs the command
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_the_module_hold(name: str) -> None:
    """Every ``>>>`` line of the module prints what its docstring says."""
    results = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert results.failed == 0, f"{results.failed} of {results.attempted} examples fail"


def test_there_are_examples() -> None:
    """The search finds examples at all."""
    finder = doctest.DocTestFinder()
    found = sum(
        len(test.examples)
        for name in MODULES
        for test in finder.find(importlib.import_module(name))
    )
    assert found >= 5
