"""Local p-values of windows in toys of the spectrum, and the trials factor that rests on them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from darkstats.errors import OptionError
from darkstats.look_elsewhere import (
    LocalTally,
    MaximaTally,
    ScanField,
    by_toys,
    line,
    with_local,
)
from darkstats.look_elsewhere.result import Comparison, global_result

RNG = np.random.default_rng(4)
ROOTS = np.maximum(RNG.normal(size=(4000, 5)) + np.array([0.0, 0.0, 0.9, 0.0, 0.0]), 0.0)
OBSERVED = np.array([1.0, 0.0, 2.5, math.nan, 9.0])


def tally(roots: np.ndarray, observed: np.ndarray = OBSERVED) -> LocalTally:
    return LocalTally.of(ScanField.of(line(np.arange(5.0)), roots), observed)


def test_counts_are_those_of_the_definition() -> None:
    """Window by window: the share of the toys at or above the observed value."""
    found = tally(ROOTS)
    assert found.above.tolist() == [int((ROOTS[:, k] >= z).sum()) for k, z in enumerate(OBSERVED)]
    local = found.at(2)
    assert local is not None
    assert local.value is not None
    p = float((ROOTS[:, 2] >= 2.5).mean())
    assert local.value.value == p
    assert local.value.error == pytest.approx(math.sqrt(p * (1.0 - p) / 4000))
    # A window that is biased by 0.9 sigma: P(Z > 1.6), not P(Z > 2.5).
    assert p == pytest.approx(0.0548, abs=4 * local.value.error)


def test_a_window_without_an_excess_has_all_toys_above_and_an_error() -> None:
    """Roots are never negative; the error is that of one toy."""
    local = tally(ROOTS).at(1)
    assert local is not None
    assert local.value is not None
    assert (local.value.value, local.above) == (1.0, 4000)
    assert 0.0 < local.value.error < 1e-3


def test_where_no_toy_reaches_there_is_a_bound_and_where_no_data_nothing() -> None:
    """1 - 0.05^(1/n) at 95 %; nothing for a window that was not observed."""
    found = tally(ROOTS)
    local = found.at(4)
    assert local is not None
    assert local.value is None
    assert local.below == pytest.approx(3.0 / 4000, rel=2e-3)
    assert found.at(3) is None


def test_blocks_add_in_any_order_and_survive_a_file() -> None:
    """Sums are integers; a tally against other data is refused."""
    parts = [tally(ROOTS[first : first + 1000]) for first in range(0, 4000, 1000)]
    forth, back = parts[0], parts[3]
    for part in parts[1:]:
        forth += part
    for part in parts[2::-1]:
        back += part
    whole = tally(ROOTS)
    for found in (forth, back, LocalTally.from_arrays(whole.arrays())):
        for name, values in whole.arrays().items():
            np.testing.assert_array_equal(found.arrays()[name], values)
    with pytest.raises(OptionError, match="other data"):
        whole + tally(ROOTS, OBSERVED + 0.1)
    with pytest.raises(OptionError, match="one observed significance"):
        tally(ROOTS, OBSERVED[:3])


def test_failed_fits_of_a_window_count_for_that_window_alone() -> None:
    """The range says what they could have been."""
    roots = ROOTS.copy()
    roots[:40, 2] = np.nan
    local = tally(roots).at(2)
    assert local is not None
    assert local.value is not None
    assert (local.certified, local.asked) == (3960, 4000)
    assert local.value.high - local.value.low == pytest.approx(40 / 4000)
    assert tally(roots).at(0) == tally(ROOTS).at(0)


def test_ties_count_as_above() -> None:
    """A toy with the very counts of the data is as extreme as the data."""
    roots = np.zeros((10, 5))
    roots[:3, 2] = 2.5 - 1e-9
    local = tally(roots).at(2)
    assert local is not None
    assert local.above == 3


def test_the_trials_factor_rests_on_toys_on_both_sides() -> None:
    """Global over local share; its error is that of nested counts, found again by resampling."""
    field = ScanField.of(line(np.arange(5.0)), ROOTS)
    result = by_toys(MaximaTally.of(field), 2.5)
    local = tally(ROOTS).at(2)
    found = with_local(result, local)
    anywhere, here = (ROOTS.max(axis=1) >= 2.5), (ROOTS[:, 2] >= 2.5)
    assert found.trials_factor == pytest.approx(anywhere.sum() / here.sum())
    assert found.trials_factor < 2.0  # 38 by the asymptotic p-value of the window alone
    again = []
    for seed in range(2000):
        chosen = np.random.default_rng(seed).integers(0, 4000, 4000)
        again.append(anywhere[chosen].sum() / here[chosen].sum())
    assert found.trials_factor_error == pytest.approx(float(np.std(again)), rel=0.1)
    assert "±" in Comparison(results=(found,)).rows()[1][4]
    assert with_local(result, None).trials_factor is None


def test_a_bound_on_either_side_is_a_bound_on_the_factor() -> None:
    """Never a value where one of the two is a bound."""
    field = ScanField.of(line(np.arange(5.0)), ROOTS)
    beyond = by_toys(MaximaTally.of(field), 9.0)
    nowhere = with_local(beyond, tally(ROOTS).at(4))
    assert nowhere.trials_factor is None
    assert nowhere.trials_factor_below is None
    some = with_local(by_toys(MaximaTally.of(field), 2.5), tally(ROOTS).at(4))
    assert some.trials_factor is None
    assert some.trials_factor_above == pytest.approx(
        (ROOTS.max(axis=1) >= 2.5).mean() / (3.0 / 4000), rel=2e-3
    )
    other = with_local(
        global_result("covariance", z_local=9.0, p_local=1e-19, p_global=None, p_global_below=1e-3),
        tally(ROOTS).at(0),
    )
    assert other.trials_factor_below == pytest.approx(1e-3 / (ROOTS[:, 0] >= 1.0).mean())
    assert Comparison(results=(some,)).rows()[1][4].startswith("> ")
    assert Comparison(results=(other,)).rows()[1][4].startswith("< ")
