"""What a Python user hands over: taken as what it means, or refused with what to pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import darkstats
from darkstats.arguments import checked, converted
from darkstats.errors import ArgumentTypeError

MODEL = "a model, as darkstats.compile_workspace(workspace) returns it"
DATA = "data, such as model.observation"


@pytest.fixture(scope="module")
def model(example_workspaces: dict[str, Path]) -> darkstats.HistFactoryModel:
    return darkstats.compile_workspace(darkstats.read_workspace(example_workspaces["two_bins"]))


@pytest.mark.parametrize(
    "name",
    [
        "asimov_data", "credible_limit", "feldman_cousins", "fit_batch", "fit_model",
        "goodness_of_fit", "hypotest", "impacts", "profile_interval", "profile_scan",
        "significance", "upper_limit",
    ],
)  # fmt: skip
def test_a_function_on_models_says_what_a_model_is(name: str) -> None:
    """The mistake that everybody makes once: a workspace, or its file, in the place of a model."""
    with pytest.raises(ArgumentTypeError) as caught:
        getattr(darkstats, name)("workspace.json", None)
    called = {"fit_model": "fit"}.get(name, name)
    assert str(caught.value) == f"{called}: model is 'workspace.json'; pass {MODEL}"


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        ([[52, 41]], {}, f"upper_limit: observation is [52, 41]; pass {DATA}"),
        ([], {}, "upper_limit: missing a required argument: 'observation'"),
        (["data"], {"cl": "0.9"}, "upper_limit: cl is '0.9'; pass a number"),
        (["data"], {"cl": True}, "upper_limit: cl is True; pass a number"),
        (["data"], {"blind": 1}, "upper_limit: blind is 1; pass True or False"),
        (["data"], {"toys": 100},
         "upper_limit: toys is 100; pass darkstats.ToyOptions(n_toys=..., seed=...)"),
        (["data"], {"level": 0.9}, "upper_limit: got an unexpected keyword argument 'level'"),
    ],
)  # fmt: skip
def test_each_argument_says_what_it_takes(
    model: darkstats.HistFactoryModel, arguments: list[Any], options: dict[str, Any], words: str
) -> None:
    """By its name, with what was passed."""
    given_ = [model.observation if one == "data" else one for one in arguments]
    with pytest.raises(ArgumentTypeError) as caught:
        darkstats.upper_limit(model, *given_, **options)
    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: darkstats.read_workspace(3), "read_workspace: source is 3; pass a path"),
        (lambda: darkstats.read_patchset(None), "read_patchset: source is None; pass a path"),
        (lambda: darkstats.compile_workspace("w.json"), "compile_workspace: workspace is 'w.json'"),
        (lambda: darkstats.parse_prior(0.5), "parse_prior: text is 0.5; pass text"),
        (lambda: darkstats.bayes_limits(["m"]), "bayes_limits: models is ['m']; pass a list of"),
        (lambda: darkstats.covariance(0.5), "covariance: result is 0.5; pass a fit"),
    ],
)
def test_other_functions_say_so_too(call: Any, words: str) -> None:
    """Each with its own words."""
    with pytest.raises(ArgumentTypeError) as caught:
        call()
    assert str(caught.value).startswith(words)


def test_numbers_of_numpy_are_numbers(model: darkstats.HistFactoryModel) -> None:
    """What comes out of an array is a number."""
    limit = darkstats.upper_limit(model, model.observation, cl=np.float64(0.9))
    assert limit == darkstats.upper_limit(model, model.observation, cl=0.9)


def test_an_error_inside_is_no_error_of_arguments() -> None:
    """A TypeError of the work itself comes through as it is."""

    @checked
    def broken(level: float) -> float:
        return level + "x"  # type: ignore[operator]

    with pytest.raises(TypeError, match="unsupported operand") as caught:
        broken(1.0)
    assert not isinstance(caught.value, ArgumentTypeError)


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (Path("a/b.json"), str, "a/b.json"),
        (2, float, 2.0),
        (np.int64(3), int, 3),
        (np.bool_(True), bool, True),
        (None, float | None, None),
        ("one", tuple[str, ...], ("one",)),
        ([Path("a"), "b"], tuple[str, ...], ("a", "b")),
        (np.array([1.0, 2.0]), tuple[float, ...], (1.0, 2.0)),
        ({"mu": 1}, tuple[tuple[str, float], ...], (("mu", 1.0),)),
        ([("mu", 1.0)], tuple[tuple[str, float], ...], (("mu", 1.0),)),
        ((1, 2), tuple[float, float] | None, (1.0, 2.0)),
        ({"a": 1}, dict[str, Any], {"a": 1}),
        (5, tuple[float, ...], (5.0,)),
    ],
)
def test_values_are_taken_as_what_they_mean(value: object, kind: Any, expected: object) -> None:
    """Paths are text, sequences tuples, mappings pairs, one value a tuple of one."""
    found = converted("f", "x", value, kind)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        ("1", float, "pass a number"),
        (1.0, int, "pass a whole number"),
        (True, int, "pass a whole number"),
        (None, str, "pass text or a path"),
        ((1, 2, 3), tuple[float, float], r"pass \(a number, a number\)"),
        (["a", 1], tuple[str, ...], "pass a list of text or a path"),
        ({"mu": "1"}, tuple[tuple[str, float], ...], r"pass a list of \(text or a path, a number"),
        (object(), str | None, "pass text or a path or None"),
        (10**400, float, "pass a number"),
        (b"ab", tuple[float, ...], "pass a list of a number"),
        (float("nan"), int, "pass a whole number"),
    ],
)
def test_other_values_are_refused(value: object, kind: Any, words: str) -> None:
    """With the function, the argument, and what to pass."""
    with pytest.raises(ArgumentTypeError, match=f"^f: x is .*; {words}"):
        converted("f", "x", value, kind)


KINDS = [
    str, float, int, bool, tuple[str, ...], tuple[float, ...], tuple[float, float],
    tuple[tuple[str, float], ...], tuple[tuple[str, float, float], ...],
]  # fmt: skip
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inside: (
        st.lists(inside, max_size=3)
        | st.tuples(inside, inside)
        | st.dictionaries(st.text(), inside, max_size=3)
    ),
    max_leaves=6,
)


def fits(value: object, kind: Any) -> bool:
    """Whether a value is what an annotation says, written down once more."""
    if kind in {str, float, int, bool}:
        return type(value) is kind
    inside = {
        "tuple[str, ...]": lambda v: all(type(one) is str for one in v),
        "tuple[float, ...]": lambda v: all(type(one) is float for one in v),
        "tuple[float, float]": lambda v: [type(one) for one in v] == [float, float],
        "tuple[tuple[str, float], ...]": lambda v: all(
            [type(part) for part in one] == [str, float] for one in v
        ),
        "tuple[tuple[str, float, float], ...]": lambda v: all(
            [type(part) for part in one] == [str, float, float] for one in v
        ),
    }
    return isinstance(value, tuple) and inside[str(kind)](value)


@given(value=ANYTHING, kind=st.sampled_from(KINDS))
def test_what_comes_out_is_of_the_type_or_nothing_does(value: object, kind: Any) -> None:
    """No value of any kind gets through as another type, and none ends in another error."""
    try:
        found = converted("f", "x", value, kind)
    except ArgumentTypeError:
        return
    assert fits(found, kind)
