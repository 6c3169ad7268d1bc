"""Quantities of four-vectors: closed forms, and refusals that say what to write."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkstats.errors import OptionError
from darkstats.searches.vector_expressions import NUMBERS, Quantity

ONE = np.array([[5.0, 3.0, 0.0, 4.0], [2.0, 0.0, 0.0, 1.0]])
TWO = np.array([[3.0, 0.0, 1.0, 2.0], [4.0, 1.0, 1.0, 0.5]])
KNOWN = ("a", "b", "beams")


def value(text: str) -> list[float]:
    beams = np.tile([11.0, 0.0, 0.0, 3.0], (2, 1))
    found: list[float] = Quantity.parse(text, KNOWN).values({"a": ONE, "b": TWO, "beams": beams})
    return list(found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mass(a)", 0.0), ("mass_squared(a + b)", 64.0 - (9.0 + 1.0 + 36.0)), ("p(a)", 5.0),
        ("pt(a)", 3.0), ("pz(a)", 4.0), ("energy(b)", 3.0), ("theta(a)", math.atan2(3.0, 4.0)),
        ("phi(b)", math.pi / 2.0), ("cos_angle(a, b)", 8.0 / (5.0 * math.sqrt(5.0))),
        ("angle(a, a)", 0.0), ("opening_transverse(a, b)", math.pi / 2.0),
        ("pt_to(b, a)", math.sqrt(5.0 - (8.0 / 5.0) ** 2)),
        ("mass(beams)", math.sqrt(112.0)), ("p(cm(beams))", 0.0),
        ("mass(rest(a, a + b)) + 2 * energy(b)", 6.0), ("p(rest(a + b, a + b))", 0.0),
        ("sqrt(mass_squared(b) ** 2)", 4.0), ("-pt(a) / 2", -1.5), ("max(p(a), p(b))", 5.0),
    ],
)  # fmt: skip
def test_closed_forms(text: str, expected: float) -> None:
    assert value(text)[0] == pytest.approx(expected, abs=2e-7)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-3.0, 3.0), min_size=6, max_size=6), st.floats(0.1, 3.0))
def test_invariants_are_the_same_in_any_frame(parts: list[float], mass: float) -> None:
    """The mass of a pair, and its energy in its own rest frame."""
    one, two = (
        np.array([[math.sqrt(mass**2 + sum(x * x for x in p)), *p]]) for p in (parts[:3], parts[3:])
    )
    objects = {"a": one, "b": two}
    known = ("a", "b")
    pair = Quantity.parse("mass(a + b)", known).values(objects)
    moved = Quantity.parse("mass(cm(a) + cm(b))", known).values(objects)
    own = Quantity.parse("energy(rest(a + b, a + b))", known).values(objects)
    assert moved[0] == pytest.approx(pair[0], rel=1e-9)
    assert own[0] == pytest.approx(pair[0], rel=1e-9)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a + b", "is a vector"), ("mass(mu)", "names 'mu', which is no object"),
        ("mass(beam)", "did you mean 'beams'"), ("mass(a, b)", "with 2 values, not 1"),
        ("mass(a) + b", "joins a vector and a number"), ("mass(3)", "with what is no vector"),
        ("sqrt(a)", "with what is no number"), ("open('x')", "calls 'open'"),
        ("a.mass", "not allowed"), ("mass(a) if 1 else 2", "not allowed"),
        ("mass(a) // 2", "operator"), ("mass(a", "cannot be read"), ("'a'", "not allowed"),
        ("__import__('os')", "no known function"), ("mass(a)**True", "not allowed"),
    ],
)  # fmt: skip
def test_what_is_no_quantity_is_refused(text: str, says: str) -> None:
    with pytest.raises(OptionError, match=says.replace("(", r"\(")):
        Quantity.parse(text, KNOWN)


def test_every_function_is_explained() -> None:
    assert all(words for _, _, words in NUMBERS.values())
