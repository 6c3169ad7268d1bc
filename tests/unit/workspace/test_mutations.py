"""Broken workspaces: a typed error or a sound workspace, never a traceback."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soak.mutated_workspaces import Tally, examine, run
from strategies import corrupt, random_workspace


def test_a_few_hundred_mutations() -> None:
    """600 workspaces with one to three faults each: most are refused, none gives a traceback."""
    tally = run(600, seed=20240)
    assert tally.clean, tally.tracebacks[:1]
    assert sum(tally.refused.values()) + tally.passed == 600
    assert sum(tally.refused.values()) > 400
    assert len(tally.codes) > 20


@given(st.integers(0, 2**32 - 1))
def test_mutations_found_by_hypothesis(seed: int) -> None:
    """The same, with seeds that Hypothesis chooses and keeps if they fail."""
    rng = np.random.default_rng(seed)
    tally = Tally()
    examine(corrupt(rng, random_workspace(rng)), seed, tally, with_limit=False)
    assert tally.clean, tally.tracebacks


@pytest.mark.soak
def test_a_hundred_thousand_mutations() -> None:
    """The soak command at a tenth of its size."""
    tally = run(100_000, seed=1)
    assert tally.clean, tally.tracebacks[:1]
