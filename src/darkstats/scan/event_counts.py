"""The compiled loops over the events of toys: count them in all windows, look the roots up.

A fine bin lies in many windows, and a block of toys has many events in it. Going bin by bin, with
the toys side by side, windows are found once for all toys, and a bin that is well filled is added
to a window eight or sixteen toys at a time.
"""

from __future__ import annotations

from typing import Any

from darkstats.arrays import FloatArray, IndexArray
from darkstats.kernel import kernel_entry

__all__ = ["count_windows", "roots_of_windows", "sort_events"]

_FEW = 32  # events of a block in one bin, below which they are added one by one
_TILE = 8  # points whose roots share a cache line


@kernel_entry
def sort_events(begin: IndexArray, events: IndexArray, start: IndexArray, toys: IndexArray) -> None:
    """Sort events by their fine bin, keeping of each the toy that it belongs to.

    Parameters
    ----------
    begin, events
        Range of the events of each source and toy [source, toy + 1], and their fine bins.
    start
        Filled: range of the events of each fine bin. Shape [fine bin + 1].
    toys
        Filled: toy of each event, by fine bin. Shape [event].
    """
    n_toys = begin.shape[1] - 1
    for cell in range(start.shape[0]):
        start[cell] = 0
    for s in range(begin.shape[0]):
        for e in range(begin[s, 0], begin[s, n_toys]):
            start[events[e] + 1] += 1
    for cell in range(start.shape[0] - 1):
        start[cell + 1] += start[cell]
    for s in range(begin.shape[0]):
        for t in range(n_toys):
            for e in range(begin[s, t], begin[s, t + 1]):
                place = start[events[e]]
                toys[place] = t
                start[events[e]] = place + 1
    for cell in range(start.shape[0] - 1, 0, -1):
        start[cell] = start[cell - 1]
    start[0] = 0


@kernel_entry
def count_windows(
    start: IndexArray,
    toys: IndexArray,
    member_begin: IndexArray,
    members: IndexArray,
    row: Any,  # noqa: ANN401 -- integers as wide as counts need
    counts: Any,  # noqa: ANN401
) -> None:
    """Events of each toy in each window.

    Parameters
    ----------
    start, toys
        Of :func:`sort_events`.
    member_begin, members
        Windows that a fine bin belongs to.
    row
        Working memory, of the type of ``counts``. Shape [toy].
    counts
        Added to: integers that hold the events of a whole toy. Shape [window, toy].
    """
    n_toys = row.shape[0]
    for cell in range(start.shape[0] - 1):
        first, last = start[cell], start[cell + 1]
        if first == last:
            continue
        if last - first < _FEW:
            for k in range(member_begin[cell], member_begin[cell + 1]):
                window = members[k]
                for e in range(first, last):
                    counts[window, toys[e]] += 1
            continue
        for t in range(n_toys):
            row[t] = 0
        for e in range(first, last):
            row[toys[e]] += 1
        for k in range(member_begin[cell], member_begin[cell + 1]):
            window = members[k]
            for t in range(n_toys):
                counts[window, t] += row[t]


@kernel_entry
def roots_of_windows(
    counts: Any,  # noqa: ANN401 -- as count_windows
    tables: FloatArray,
    offset: IndexArray,
    sizes: IndexArray,
    roots: FloatArray,
) -> None:
    """Look up the roots of windows of one or two counts.

    Parameters
    ----------
    counts
        Shape [2 point + region, toy].
    tables, offset, sizes
        Roots by first and second count; counts beyond a table stand at its end.
    roots
        Filled. Shape [toy, point].
    """
    n_points = roots.shape[1]
    for tile in range(0, n_points, _TILE):
        for t in range(roots.shape[0]):
            for p in range(tile, min(tile + _TILE, n_points)):
                n = min(int(counts[2 * p, t]), sizes[p, 0] - 1)
                m = min(int(counts[2 * p + 1, t]), sizes[p, 1] - 1)
                roots[t, p] = tables[offset[p] + n * sizes[p, 1] + m]
