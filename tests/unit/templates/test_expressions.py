"""Expressions of event columns: what they mean, what is unknown, and what is never run."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkstats.errors import OptionError
from darkstats.templates.expressions import Expression

NAN = math.nan
COLUMNS = {
    "m": np.array([1.0, 2.0, 3.0, NAN]),
    "jet.pt": np.array([10.0, NAN, 40.0, 50.0]),
    "n": np.array([1.0, 0.0, 2.0, 0.0]),
    "flag": np.array([1.0, 0.0, 1.0, NAN]),
    "my-branch": np.array([5.0, 6.0, 7.0, 8.0]),
}

VALUES = {
    "2 * m + 1": [3.0, 5.0, 7.0, NAN],
    "m ** 2 / 4": [0.25, 1.0, 2.25, NAN],
    "-m % 2": [1.0, 0.0, 1.0, NAN],
    "'my-branch' - 4": [1.0, 2.0, 3.0, 4.0],
    "max(jet.pt, 20)": [20.0, NAN, 40.0, 50.0],
    "hypot(3, 4) + 0 * n": [5.0, 5.0, 5.0, 5.0],
    "where(n > 0, jet.pt, -1)": [10.0, -1.0, 40.0, -1.0],
    "n * (m > 1)": [0.0, 0.0, 2.0, NAN],
    "7": [7.0, 7.0, 7.0, 7.0],
}
#: Where it holds, and where that is unknown.
TRUTHS = {
    "m > 1": ([0, 1, 1, 0], [0, 0, 0, 1]),
    "1 < m < 3": ([0, 1, 0, 0], [0, 0, 0, 1]),
    "n > 0 and jet.pt > 20": ([0, 0, 1, 0], [0, 0, 0, 0]),
    "n == 0 or jet.pt > 20": ([0, 1, 1, 1], [0, 0, 0, 0]),
    "not jet.pt > 20": ([1, 0, 0, 0], [0, 1, 0, 0]),
    "(n > 0) & flag": ([1, 0, 1, 0], [0, 0, 0, 0]),
    "~flag | (m != 1)": ([0, 1, 1, 0], [0, 0, 0, 1]),
    "flag": ([1, 0, 1, 0], [0, 0, 0, 1]),
    "5 < m < n": ([0, 0, 0, 0], [0, 0, 0, 1]),
    "1 > n > m": ([0, 0, 0, 0], [0, 0, 0, 1]),
}


@pytest.mark.parametrize("text", VALUES)
def test_values_are_those_of_the_formula(text: str) -> None:
    """Closed forms, event by event; what does not exist is not a number."""
    found = Expression.parse(text).values(COLUMNS, 4)
    np.testing.assert_allclose(found, VALUES[text], rtol=1e-15)


@pytest.mark.parametrize("text", TRUTHS)
def test_truth_has_three_values(text: str) -> None:
    """A comparison with what is no number is unknown, unless the rest decides."""
    yes, unknown = Expression.parse(text, condition=True).holds(COLUMNS, 4)
    np.testing.assert_array_equal(yes, np.array(TRUTHS[text][0], dtype=bool))
    np.testing.assert_array_equal(unknown, np.array(TRUTHS[text][1], dtype=bool))


numbers = st.floats(-5.0, 5.0).map(lambda x: round(x, 3))
arithmetic = st.recursive(
    st.sampled_from(["a", "b"]) | numbers.map(repr),
    lambda inner: st.builds(
        "({} {} {})".format, inner, st.sampled_from(["+", "-", "*"]), inner
    ) | st.builds("abs({})".format, inner),
    max_leaves=12,
)  # fmt: skip
conditions = st.recursive(
    st.builds("({} {} {})".format, arithmetic, st.sampled_from(["<", ">="]), arithmetic),
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner)
        | st.builds("(not {})".format, inner)
    ),
    max_leaves=8,
)


@given(arithmetic, numbers, numbers)
def test_arithmetic_is_that_of_python(text: str, a: float, b: float) -> None:
    """Any sum of products is what the interpreter makes of it."""
    found = Expression.parse(text).values({"a": np.array([a]), "b": np.array([b])}, 1)
    wanted = eval(text, {"abs": abs, "a": a, "b": b})  # text of ours
    assert found[0] == pytest.approx(wanted, rel=1e-13, abs=1e-13)


@given(conditions, numbers, numbers)
def test_logic_is_that_of_python(text: str, a: float, b: float) -> None:
    """Where all is known a condition is what the interpreter makes of it."""
    columns = {"a": np.array([a]), "b": np.array([b])}
    yes, unknown = Expression.parse(text, condition=True).holds(columns, 1)
    assert not unknown[0]
    assert yes[0] == bool(eval(text, {"abs": abs, "a": a, "b": b}))  # text of ours


@given(conditions, numbers, numbers)
def test_what_is_known_does_not_depend_on_what_is_not(text: str, a: float, b: float) -> None:
    """Kleene: if a condition is decided without ``b``, every ``b`` decides it alike."""
    condition = Expression.parse(text, condition=True)
    yes, unknown = condition.holds({"a": np.array([a]), "b": np.array([NAN])}, 1)
    if not unknown[0]:
        known, _ = condition.holds({"a": np.array([a]), "b": np.array([b])}, 1)
        assert known[0] == yes[0]


REFUSED = {
    "": "cannot be read",
    "m >": "cannot be read",
    "m = 1": "cannot be read",
    "1or 2": "cannot be read",
    "m > 1 && n > 2": "write 'and'",
    "m > 1 & n < 2": "put each comparison in parentheses",
    "(m > 1) == (n > 1)": "compares a condition",
    "__import__('os')": "no known function",
    "m.__class__()": "not allowed",
    "(1).real": "not allowed",
    "[m for m in n]": "not allowed",
    "lambda: m": "not allowed",
    "m[0]": "not allowed",
    "m if n else m": "not allowed",
    "(m := 3)": "not allowed",
    "f'{m}'": "not allowed",
    "True": "is no number",
    "1j * m": "is no number",
    "None": "is no number",
    "1e999": "out of range",
    "sqrt(m, n)": "with 2 values, not 1",
    "sqrt(x=m)": "not allowed",
    "sqrt(*m)": "not allowed",
    "max(m)": "with 1 values, not 2",
    "m in n": "not allowed",
    "m // 2": "not allowed",
    "m @ n": "not allowed",
    "m << 2": "not allowed",
    "where(m, 1, 2) and n": "a number where a condition should be",
    "\x00": "cannot be read",
    "(" * 300 + "m" + ")" * 300: "cannot be read",
    "-" * 1500 + "m": "",
    "+".join(["m"] * 900): "",
    "m" * 3000: "more than 2000",
    "9" * 1900: "",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: repr(text[:25]))
def test_anything_else_is_refused(text: str) -> None:
    """Calls, attributes of values, comprehensions, bombs: an error that says what to write."""
    with pytest.raises(OptionError) as caught:
        Expression.parse(text)
    assert REFUSED[text] in str(caught.value)


def test_a_tower_of_powers_costs_nothing() -> None:
    """It is arithmetic of doubles: out of range, and at once."""
    assert Expression.parse("9 ** 9 ** 9 ** 9").values({}, 1)[0] == math.inf


def test_numbers_and_conditions_are_kept_apart() -> None:
    """A number is no selection, and a flag of other values is none either."""
    with pytest.raises(OptionError, match="not a condition"):
        Expression.parse("m + 1", condition=True)
    with pytest.raises(OptionError, match="and it has 2"):
        Expression.parse("n", condition=True).holds(COLUMNS, 4)
