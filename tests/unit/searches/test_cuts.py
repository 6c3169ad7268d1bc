"""Cuts are counted one after another."""

from __future__ import annotations

import numpy as np
import pytest

from darkstats.searches.cuts import Cut, CutFlow, passing

CUTS = (
    Cut(variable="x", above=0.5),
    Cut(variable="y", below=0.2),
    Cut(variable="z", above=-1.0, below=2.0),
)


class Rows(dict):
    """Columns of equal length, as candidates have them."""

    def __len__(self) -> int:
        return len(self["x"])


def rows(n: int, seed: int = 0) -> Rows:
    rng = np.random.default_rng(seed)
    return Rows({name: rng.random(n) for name in "xyz"})


def test_a_flow_passes_what_the_cuts_pass_and_counts_all_blocks() -> None:
    flow = CutFlow(CUTS)
    for seed in range(3):
        block = rows(200, seed)
        np.testing.assert_array_equal(flow(block), passing(block, CUTS))
    first = sum(int((rows(200, seed)["x"] > 0.5).sum()) for seed in range(3))
    assert flow.left[:2] == [600, first]
    assert flow.left == sorted(flow.left, reverse=True)
    assert flow.nothing_left() == ""


@pytest.mark.parametrize(("number", "words"), [(0, "2 < x"), (1, "y < -1"), (2, "3 < z < 4")])
def test_the_cut_that_leaves_nothing_is_named(number: int, words: str) -> None:
    impossible = (
        Cut(variable="x", above=2.0),
        Cut(variable="y", below=-1.0),
        Cut(variable="z", above=3.0, below=4.0),
    )[number]
    flow = CutFlow((*CUTS[:number], impossible, *CUTS[number + 1 :]))
    flow(rows(200))
    said = flow.nothing_left()
    assert f"{flow.left[number]} of 200 reach the cut {words}, and none passes it" in said


def test_no_row_at_all_is_no_fault_of_a_cut() -> None:
    flow = CutFlow(CUTS)
    flow(rows(0))
    assert not flow.nothing_left()  # the selection is, which is told with its objects
