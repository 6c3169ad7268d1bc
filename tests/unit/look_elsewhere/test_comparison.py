"""Methods side by side: which is quoted, and what the table says."""

from __future__ import annotations

import numpy as np
import pytest

from darkstats.errors import OptionError
from darkstats.inference.p_values import PValue
from darkstats.look_elsewhere import Comparison, MaximaTally, by_toys, without_fluctuation
from darkstats.look_elsewhere.result import GlobalSignificance, global_result


def result(method, p=0.01, error=0.0001, z=3.0, reasons=(), **more) -> GlobalSignificance:
    value = None if p is None else PValue(value=p, error=error, low=p, high=p)
    return global_result(
        method, z_local=z, p_local=1.35e-3, p_global=value, reasons=reasons, **more
    )


def toys(above: int, n: int = 1000, z: float = 3.0) -> GlobalSignificance:
    values = np.r_[np.full(above, 4.0), np.zeros(n - above)]
    return by_toys(MaximaTally.of_maxima("x", values, np.zeros(n)), z)


def test_precise_toys_are_quoted_before_formulas() -> None:
    """Two hundred toys above fix p to 7 %: no formula is needed, however small its error."""
    assert Comparison(results=(result("up-crossings"), toys(200))).quoted.method == "toys"


def test_a_valid_formula_is_quoted_where_toys_are_few() -> None:
    """The smallest relative error among valid methods."""
    results = (toys(3), result("up-crossings"), result("covariance", error=1e-6))
    assert Comparison(results=results).quoted.method == "covariance"


def test_invalid_formulas_are_never_quoted_before_toys() -> None:
    """A bound by toys is quoted rather than a number whose conditions do not hold."""
    wrong = result("up-crossings", reasons=("low counts",))
    comparison = Comparison(results=(wrong, toys(0)))
    assert comparison.quoted.method == "toys"
    assert comparison.quoted.p_global is None


def test_extrapolated_toys_are_not_quoted_before_valid_formulas() -> None:
    """An extrapolation is the last resort."""
    far = result("toys", p=1e-6, error=1e-8, extrapolation="tail")
    assert Comparison(results=(far, result("up-crossings"))).quoted.method == "up-crossings"
    assert Comparison(results=(far,)).quoted.extrapolated


def test_the_table_names_reasons_notes_and_extrapolations() -> None:
    """Nothing that qualifies a number is left out of the table."""
    results = (
        toys(3),
        result("up-crossings", reasons=("the grid is too coarse",)),
        result("covariance", p=1e-6, extrapolation="by hand"),
    )
    text = Comparison(results=results).to_markdown()
    assert "| toys | 0.003 | 0.0017 | 2.75 |" in text
    assert "* up-crossings, not valid: the grid is too coarse" in text
    assert "* toys: only 3 toys are as extreme" in text
    assert "1e-06 (extrapolated)" in text
    assert "* covariance, extrapolated: by hand" in text
    assert "| < 0.00299 |" in Comparison(results=(toys(0),)).to_markdown()


def test_results_print_as_one_block() -> None:
    """Value, error, significance; reasons and notes below."""
    text = str(result("up-crossings", reasons=("why",), notes=("what",)))
    assert "p_global = 0.01 ± 0.0001, Z_global = 2.33, NOT VALID" in text
    assert "not valid: why" in text
    assert "note: what" in text


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ((), "nothing to compare"),
        ((result("toys"), result("toys")), "twice"),
        ((result("toys"), result("covariance", z=4.0)), "different local"),
    ],
)
def test_what_cannot_be_compared_is_refused(results, message: str) -> None:
    """One scan, each method once."""
    with pytest.raises(OptionError, match=message):
        Comparison(results=results)


def test_certainty_has_a_finite_significance() -> None:
    """p = 1 gives the end of the scale, not infinity."""
    assert result("toys", p=1.0).z_global == -38.0
    assert result("toys", p=1.0).effective_trials is None


def test_results_on_asimov_data_are_not_valid() -> None:
    """The number stays, to be compared; the first reason is that there is nothing to judge."""
    found = without_fluctuation(result("covariance", reasons=("low counts",)))
    assert not found.valid
    assert "no fluctuation to judge" in found.reasons[0]
    assert found.reasons[1:] == ("low counts",)
    assert found.p_global == result("covariance").p_global
