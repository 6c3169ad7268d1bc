"""HS3 documents: what is read, what is refused and why, and the grammar of expressions."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkstats.errors import DocumentError, UnknownNameError
from darkstats.model.unbinned.formulas import array_value, fold
from darkstats.workspace.hs3 import Hs3Document, looks_like_hs3, read_hs3, write_hs3
from darkstats.workspace.hs3.expressions import Number, names_of, parse_expression
from unbinned_models import bump


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", 7.0),
        ("2 ** 3 ** 2", 512.0),
        ("2^-1", 0.5),
        ("-2 ** 2", -4.0),
        ("-(a - b) / 4", 0.25),
        ("exp(log(a)) * sqrt(4)", 4.0),
        ("1e-3 + .5", 0.501),
        ("+-+a", -2.0),
        ("8 / 4 / 2", 1.0),
        ("erf(0) + cos(0) + sin(0)", 1.0),
    ],
)
def test_expressions_mean_what_they_say(text: str, expected: float) -> None:
    """Precedence and associativity are those of arithmetic: powers bind to the right."""
    values = {"a": np.array(2.0), "b": np.array(3.0)}
    assert float(array_value(parse_expression(text), values)) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')",
        "a.b",
        "a[0]",
        "lambda: 1",
        "open(1)",
        "1 +",
        "(1",
        "a b",
        "1 if a else 2",
        "'text'",
        "",
        "exp",
        "a, b",
        "(" * 100 + "1" + ")" * 100,
    ],
)
def test_expressions_are_arithmetic_only(text: str) -> None:
    """Whatever an interpreter could run is refused, and nothing is executed."""
    if text == "exp":  # a name like any other
        assert names_of(parse_expression(text)) == {"exp"}
        return
    with pytest.raises(DocumentError):
        parse_expression(text)


@given(
    st.recursive(
        st.floats(0.1, 10.0).map(lambda v: f"{v!r}"),
        lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(
            lambda t: f"({t[0]} {t[1]} {t[2]})"
        ),
        max_leaves=8,
    )
)
def test_expressions_agree_with_python(text: str) -> None:
    """Random arithmetic has the value that Python gives it."""
    try:
        expected = eval(text, {"__builtins__": {}})  # the text is made of numbers right above
    except ZeroDivisionError:
        return
    folded = fold(parse_expression(text))
    assert isinstance(folded, Number)
    assert folded.value == pytest.approx(expected, rel=1e-12)


def test_writing_and_reading_keeps_every_digit(tmp_path: Path) -> None:
    """A document comes back equal, and with it its digest."""
    document = bump(entries=[[0.1], [1.0 / 3.0], [math.pi / 4.0]])
    write_hs3(document, tmp_path / "model.json")
    found = read_hs3(tmp_path / "model.json")
    assert found.document == document
    assert found.digest == Hs3Document.from_document(document).digest


def test_points_are_selected_by_name_and_by_value() -> None:
    """``--point`` takes a name or the mass; anything else is refused with the choices."""
    document = bump()
    document["misc"] = {"darkstats": {"points": {"analysis": {"mass_gev": 1.25}}}}
    found = Hs3Document.from_document(document)
    assert found.select("analysis") == found.select("1.25") == "analysis"
    assert found.analysis().values == {"mass_gev": 1.25}
    for wrong in ("1.26", "other", "1.25,2"):
        with pytest.raises(UnknownNameError, match="analysis"):
            found.select(wrong)


def change(document: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """A copy with one place replaced; None removes it."""
    result = copy.deepcopy(document)
    *parents, last = path.split("/")
    place: Any = result
    for key in parents:
        place = place[int(key) if key.isdigit() else key]
    if value is None:
        del place[last]
    else:
        place[int(last) if last.isdigit() else last] = value
    return result


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("metadata", {"description": "x"}, "no metadata.hs3_version"),
        ("metadata/hs3_version", "0.1", "HS3 0.1"),
        ("secret", [], "unknown section"),
        ("distributions", {"model": {}}, "is no list"),
        ("distributions/0/name", None, "has no name"),
        ("distributions/0/type", None, "has no type"),
        ("distributions/1/name", "model", "is there twice"),
        ("likelihoods/0/data", [], "do not pair up"),
        ("likelihoods/0/data", [0.0], "something else than names"),
        ("data", [], "has no data"),
        ("analyses/0/likelihood", "none", "there is none in likelihoods"),
        ("analyses/0/parameters_of_interest", ["mu", "nb"], "2 parameters of interest"),
        ("domains/0/axes/1/name", "other", "no range in the domain"),
        ("parameter_points/0/parameters/0/value", -1.0, "outside its range"),
        ("parameter_points/0/parameters/0/value", None, "has no value"),
        ("data/0/axes/0/min", 2.0, "has no range"),
        ("data/0/axes", [], "have no axes"),
    ],
)
def test_bad_documents_are_refused(path: str, value: object, message: str) -> None:
    """What is wrong, and where: no document is guessed at."""
    with pytest.raises(DocumentError, match=message):
        Hs3Document.from_document(change(bump(), path, value), "bad.json").analysis()


def test_a_workspace_of_pyhf_is_not_hs3(example_workspaces: dict[str, Path]) -> None:
    """The two formats are told apart by their outline."""
    assert not looks_like_hs3(json.loads(example_workspaces["two_bins"].read_text("utf-8")))
    assert looks_like_hs3(bump())
