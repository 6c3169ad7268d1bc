"""Limits of many events beside importance sampling of its own; the study has more models."""

from __future__ import annotations

import pytest
from tests.soak.large_counts import examined, pull

#: Of the first models those with a precise reference: one to four bins and uncertainties.
MODELS = (1, 2, 4, 5, 6, 7)


@pytest.mark.parametrize("index", MODELS)
def test_limits_of_many_events(index: int) -> None:
    """Within three errors of both, in both engines, and fast."""
    one = examined(1, index, ("laplace", "auto"), 0.9)
    assert one["settled"]
    for said in one["engines"].values():
        assert said["reason"] is None
        assert pull(one, said) <= 3.0
        assert abs(said["limit"] / one["exact"] - 1.0) < 5e-3


def test_a_wrong_limit_is_seen() -> None:
    one = examined(1, 4, ("laplace",), 0.9)
    said = one["engines"]["laplace"]
    assert pull(one, {**said, "limit": 1.005 * said["limit"]}) > 3.0
