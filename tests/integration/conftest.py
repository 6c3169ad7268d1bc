"""Commands as a user gives them, in this process."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from darkstats.cli import run


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command here; return its exit status and what it wrote."""

    def invoke(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = run([str(word) for word in words])
        captured = capsys.readouterr()
        assert "internal error" not in captured.err
        return status, captured.out, captured.err

    return invoke
