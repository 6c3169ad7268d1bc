"""Tallies of blocks: exact counts, in any order and grouping, by any number of threads."""

from __future__ import annotations

import numpy as np
import pytest

from darkstats.errors import OptionError
from darkstats.kernel import run_blocks
from darkstats.look_elsewhere import (
    ExcursionTally,
    MaximaTally,
    ScanField,
    grid,
    line,
    signed_roots,
)
from darkstats.look_elsewhere.excursions import THRESHOLDS
from darkstats.look_elsewhere.maxima import EXACT_VALUES

PLANE = grid(range(6), range(5))


def scans(n: int, seed: int = 0) -> np.ndarray:
    roots = np.random.default_rng(seed).standard_normal((n, PLANE.n_points))
    roots[::17, 3] = np.nan
    return roots


def same(first, second) -> bool:
    a, b = first.arrays(), second.arrays()
    return a.keys() == b.keys() and all(np.array_equal(a[key], b[key]) for key in a)


def test_counts_are_those_of_plain_numpy() -> None:
    """Sums, products, occupancies, sign changes: against a direct computation."""
    roots = scans(500)
    good = roots[~np.isnan(roots).any(axis=1)].reshape(-1, 6, 5)
    tally = ExcursionTally.of(ScanField.of(PLANE, roots), (0.0, 0.7))
    numbers = []
    for level in (0.0, 0.7):
        v = good > level
        n = v.sum(axis=(1, 2))
        n = n - (v[:, 1:] & v[:, :-1]).sum(axis=(1, 2)) - (v[:, :, 1:] & v[:, :, :-1]).sum((1, 2))
        n = n + (v[:, 1:, 1:] & v[:, :-1, 1:] & v[:, 1:, :-1] & v[:, :-1, :-1]).sum(axis=(1, 2))
        numbers.append(n)
    numbers = np.array(numbers)
    assert (tally.asked, tally.ok) == (500, len(good))
    assert tally.sums.tolist() == numbers.sum(axis=1).tolist()
    assert tally.products.tolist() == (numbers @ numbers.T).tolist()
    assert tally.largest.tolist() == numbers.max(axis=1).tolist()
    flat = good.reshape(len(good), -1)
    for k, at in enumerate(THRESHOLDS):
        above = flat > at
        assert tally.occupied[k] == above.sum()
        assert tally.occupied_squares[k] == (above.sum(axis=1) ** 2).sum()
        assert tally.exceedances[k].tolist() == above.sum(axis=0).tolist()
    changes = [((flat[:, a] > 0) != (flat[:, b] > 0)).sum() for a, b in PLANE.edges]
    assert tally.changes.tolist() == changes


def test_roots_on_a_threshold_or_level_lie_not_above() -> None:
    """Exactly zero, as of a capped statistic, is not above zero."""
    tally = ExcursionTally.of(ScanField.of(line([0, 1]), [[0.0, 0.5], [0.0, 0.0]]), (0.0, 0.5))
    assert tally.sums.tolist() == [1, 0]
    assert tally.occupied[THRESHOLDS.index(0.0)] == 1
    assert tally.occupied[THRESHOLDS.index(0.5)] == 0
    assert tally.changes.tolist() == [1]


@pytest.mark.parametrize("kind", [MaximaTally, ExcursionTally])
def test_order_and_grouping_change_no_bit(kind) -> None:
    """(a + b) + c = a + (b + c) = c + b + a = all at once, bit for bit."""
    roots = scans(9000)
    a, b, c = (kind.of(ScanField.of(PLANE, part)) for part in np.split(roots, [1000, 3000]))
    whole = kind.of(ScanField.of(PLANE, roots))
    for other in ((a + b) + c, a + (b + c), c + b + a, a.add(ScanField.of(PLANE, roots[1000:]))):
        assert same(whole, other)


def test_threads_change_no_bit() -> None:
    """Blocks tallied by one or by two threads give the same arrays."""
    roots = scans(4000)
    found = []
    for threads in (1, 2):
        parts: dict[int, tuple[MaximaTally, ExcursionTally]] = {}

        def task(first: int, stop: int, parts=parts) -> None:
            block = ScanField.of(PLANE, roots[first:stop])
            parts[first] = (MaximaTally.of(block), ExcursionTally.of(block))

        run_blocks(task, len(roots), threads=threads, block=500)
        maxima, levels = next(iter(parts.values()))
        for key in list(parts)[1:]:
            maxima, levels = maxima + parts[key][0], levels + parts[key][1]
        found.append((maxima, levels))
    assert same(found[0][0], found[1][0])
    assert same(found[0][1], found[1][1])


@pytest.mark.parametrize("kind", [MaximaTally, ExcursionTally])
def test_a_tally_survives_as_arrays(kind) -> None:
    """What a file holds gives the same tally back, and it can be added to."""
    tally = kind.of(ScanField.of(PLANE, scans(200)))
    again = kind.from_arrays(tally.arrays())
    assert same(tally, again)
    assert same(tally + tally, again + again)


@pytest.mark.parametrize("kind", [MaximaTally, ExcursionTally])
def test_scans_over_other_points_are_not_added(kind) -> None:
    """The digest of the geometry keeps foreign toys out."""
    a = kind.of(ScanField.of(line([0, 1]), [[0.0, 1.0]]))
    b = kind.of(ScanField.of(line([0, 2]), [[0.0, 1.0]]))
    with pytest.raises(OptionError, match="other points"):
        a + b


def test_other_levels_are_not_added() -> None:
    """Counts at other levels are other counts."""
    block = ScanField.of(line([0, 1]), [[0.0, 1.0]])
    with pytest.raises(OptionError, match="other levels"):
        ExcursionTally.of(block, (0.0,)) + ExcursionTally.of(block, (0.5,))


def test_maxima_are_exact_at_the_top_and_fine_below() -> None:
    """Toys above a root: exact among the 4096 largest, else at most a step of 1/1024 more."""
    values = np.abs(np.random.default_rng(3).standard_normal(50_000))
    tally = MaximaTally.of_maxima("x", values, np.zeros(len(values), dtype=np.int64))
    ordered = np.sort(values)[::-1]
    for root in (ordered[0], ordered[10], ordered[EXACT_VALUES - 2]):
        assert tally.above(root) == np.count_nonzero(values >= root)
    for root in (0.3, 0.9, ordered[EXACT_VALUES + 10]):
        exact = np.count_nonzero(values >= root)
        most = np.count_nonzero(values >= root - 1.0 / 1024 - 1e-6)
        assert exact <= tally.above(root) <= most


def test_ties_count_as_above() -> None:
    """A toy that equals the data is as extreme; so is one that differs by rounding."""
    tally = MaximaTally.of_maxima("x", [1.0, 2.0, 2.0 - 1e-9, 3.0], [0, 0, 0, 0])
    assert tally.above(2.0) == 3


def test_failed_points_leave_a_lower_bound() -> None:
    """A toy with failed points is not certified; its certified points may exceed the data."""
    roots = np.array([[0.0, 3.0, 1.0], [np.nan, 2.0, 1.0], [np.nan] * 3, [np.inf, 5.0, 0.0]])
    block = ScanField.of(line([0, 1, 2]), roots)
    tally = MaximaTally.of(block)
    assert block.n_failed == 3
    assert (tally.asked, tally.ok, tally.toys.failed) == (4, 1, 3)
    assert tally.above(2.5) == 1
    assert tally.failed_above(2.5) == 1
    assert tally.failed_above(1.5) == 2


def test_threshold_of_a_global_p_value() -> None:
    """The local significance that 1 % of toys reach; none where too few toys would."""
    values = np.linspace(0.0, 5.0, 10_001)
    tally = MaximaTally.of_maxima("x", values, np.zeros(len(values), dtype=np.int64))
    found = tally.threshold(0.01)
    assert found == pytest.approx(4.95, abs=2.0 / 1024)
    assert tally.above(found) <= 0.01 * tally.ok
    assert tally.threshold(1e-4) is None


def test_signed_roots() -> None:
    """Sign of mu-hat, NaN where a fit failed, zero at a bound and for rounding below zero."""
    roots = signed_roots([1.0, -1.0, 0.0, 1.0, 1.0], [13.0, 13.0, 9.0, 8.9, 13.0], 9.0,
                         [True, True, True, True, False])  # fmt: skip
    assert roots[:4].tolist() == [2.0, -2.0, 0.0, 0.0]
    assert np.isnan(roots[4])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ScanField.of(PLANE, np.zeros((3, 4))), "need roots"),
        (lambda: ScanField.of(PLANE, np.zeros((0, 30))), "at least one toy"),
        (lambda: ExcursionTally.of(ScanField.of(PLANE, scans(2)), (-1.0, 0.0)), "at least 0"),
        (lambda: ExcursionTally.of(ScanField.of(PLANE, scans(2)), (1.0, 0.5)), "must rise"),
        (lambda: ExcursionTally.of(ScanField.of(PLANE, scans(2)), ()), "at least 0"),
        (lambda: MaximaTally.of_maxima("x", [1.0], [0, 0]), "one number of failed points"),
        (lambda: MaximaTally.of_maxima("x", [np.nan], [0]), "one number of failed points"),
    ],
)
def test_impossible_blocks_are_refused(make, message: str) -> None:
    """Shapes and levels that make no sense are errors."""
    with pytest.raises(OptionError, match=message):
        make()
