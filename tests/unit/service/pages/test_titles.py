"""What the start page says of the searches of this repository."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("sqlalchemy")

from darkstats.service.pages.documents import _ABOUT
from darkstats.service.shipped import _searches


def test_every_shipped_search_has_a_title(repository: Path) -> None:
    """One without is shown by the name of its folder and its number of files."""
    assert {title for title, _ in _searches(repository / "workspaces")} == set(_ABOUT)
