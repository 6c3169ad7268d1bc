"""The compiled loop over the events of toys: count them in all windows, look the roots up."""

from __future__ import annotations

from darkstats.arrays import FloatArray, IndexArray
from darkstats.kernel import kernel_entry

__all__ = ["count_windows"]


@kernel_entry
def count_windows(
    begin: IndexArray,
    events: IndexArray,
    member_begin: IndexArray,
    members: IndexArray,
    tables: FloatArray,
    offset: IndexArray,
    sizes: IndexArray,
    counts: IndexArray,
    roots: FloatArray,
) -> None:
    """Roots of windows of one or two counts.

    Parameters
    ----------
    begin, events
        Range of the events of each source and toy [source, toy + 1], and their fine bins.
    member_begin, members
        Windows that a fine bin belongs to: ``2 point + region``.
    tables, offset, sizes
        Roots by first and second count; counts beyond a table stand at its end.
    counts
        Working memory. Shape [2 point].
    roots
        Filled. Shape [toy, point].
    """
    for t in range(roots.shape[0]):
        for w in range(counts.shape[0]):
            counts[w] = 0
        for s in range(begin.shape[0]):
            for e in range(begin[s, t], begin[s, t + 1]):
                cell = events[e]
                for k in range(member_begin[cell], member_begin[cell + 1]):
                    counts[members[k]] += 1
        for p in range(roots.shape[1]):
            n = min(counts[2 * p], sizes[p, 0] - 1)
            m = min(counts[2 * p + 1], sizes[p, 1] - 1)
            roots[t, p] = tables[offset[p] + n * sizes[p, 1] + m]
