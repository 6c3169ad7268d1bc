"""Messages of errors that name names."""

from __future__ import annotations

from darkstats.errors import UnknownNameError, listed


def test_a_few_names_are_listed_in_their_order() -> None:
    """All of them, as the document has them."""
    assert str(UnknownNameError("channel", "SR", ("VR", "CR"))).endswith("choose one of: VR, CR")


def test_of_many_names_those_like_the_one_asked_for_are_listed() -> None:
    """A list of hundreds helps nobody; the nearest come first."""
    known = [f"sbottom_{mass}_{mass - 50}_60" for mass in range(300, 1600, 10)]
    assert listed("sbottom_1400_1350_6", known).startswith("sbottom_1400_1350_60, ")
    assert listed("sbottom_1400_1350_6", known).endswith(", ... (130 in all)")
