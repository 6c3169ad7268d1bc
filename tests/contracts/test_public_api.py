"""The public names: a promise, sorted, documented, and nothing more."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import darkstats


def test_public_names_are_sorted_and_exist() -> None:
    """``__all__`` is sorted, free of duplicates, and every name in it can be had."""
    assert list(darkstats.__all__) == sorted(set(darkstats.__all__))
    assert [name for name in darkstats.__all__ if not hasattr(darkstats, name)] == []


def test_dir_shows_the_public_names() -> None:
    """What a user sees by tab completion: every public name, and nothing else."""
    darkstats.upper_limit  # noqa: B018 -- loads packages, which become attributes
    assert dir(darkstats) == list(darkstats.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A misspelt name fails in the ordinary way."""
    with pytest.raises(AttributeError, match="no_such_name"):
        darkstats.no_such_name  # noqa: B018 -- the access is the test


@pytest.mark.parametrize("name", [n for n in darkstats.__all__ if not n.startswith("__")])
def test_public_name_is_documented(name: str, repository: Path) -> None:
    """Each public name has a docstring and an entry in the reference."""
    value = getattr(darkstats, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert inspect.getdoc(value), f"{name} has no docstring"
    text = (repository / "docs/reference/api.md").read_text("utf-8")
    assert re.search(rf"^\.\. auto(class|function|exception|data):: {name}$", text, re.MULTILINE)


def test_the_reference_documents_nothing_else(repository: Path) -> None:
    """The reference lists public names only."""
    text = (repository / "docs/reference/api.md").read_text("utf-8")
    listed = re.findall(r"^\.\. auto(?:class|function|exception|data):: (\w+)$", text, re.MULTILINE)
    assert set(listed) <= set(darkstats.__all__)
    assert len(listed) == len(set(listed))
