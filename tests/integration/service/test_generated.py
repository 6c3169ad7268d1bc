"""A few hundred generated requests against the whole interface; the long run is a soak test."""

from __future__ import annotations

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("schemathesis")

from soak.http import soak


@pytest.mark.filterwarnings("ignore")
def test_no_generated_request_is_a_fault_of_the_server() -> None:
    """Allowed and forbidden ones, to each operation."""
    report = soak(400, seed=7, most_verbs=3)
    assert report.faults == []
    assert report.cases > 150
    assert not [status for status in report.statuses if status >= 500]
