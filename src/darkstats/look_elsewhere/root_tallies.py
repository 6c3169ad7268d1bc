"""The compiled loops over the roots of a block of scans: largest values, crossings, occupancies.

All results are integers, or values that stand in the input: sums of them are exact, so that blocks
can be added in any order with the same bits.
"""

from __future__ import annotations

from darkstats.arrays import FloatArray, IndexArray
from darkstats.kernel import kernel_entry

__all__ = ["count_excursions", "scan_maxima"]


@kernel_entry
def scan_maxima(roots: FloatArray, largest: FloatArray, failed: IndexArray) -> None:
    """Largest finite root of each toy, minus infinity if there is none, and failed points."""
    for t in range(roots.shape[0]):
        best = -1e300
        n_failed = 0
        for p in range(roots.shape[1]):
            value = roots[t, p]
            if not abs(value) < 1e300:  # not a number, or infinite
                n_failed += 1
            elif value > best:
                best = value
        largest[t] = best
        failed[t] = n_failed


@kernel_entry
def count_excursions(
    roots: FloatArray,
    failed: IndexArray,
    edges: IndexArray,
    faces: IndexArray,
    counted: IndexArray,
    levels: FloatArray,
    first_threshold: float,
    threshold_step: float,
    rank: IndexArray,
    counts: IndexArray,
    occupied: IndexArray,
    exceedances: IndexArray,
    changes: IndexArray,
) -> None:
    """Count, for toys without a failed point, what lies above each level and threshold.

    Parameters
    ----------
    roots, failed
        Signed roots [toy, point], and failed points [toy].
    edges, faces, counted
        The complex: [edge, 2], [face, 4], [point].
    levels
        Rising. Shape [level].
    first_threshold, threshold_step
        Thresholds of the occupancies.
    rank
        Working memory. Shape [point].
    counts
        Points minus edges plus faces above each level. Shape [toy, level + 1]; the first column
        stands for all cells.
    occupied
        Points by the number of thresholds below their root. Shape [toy, threshold + 1].
    exceedances
        The same over toys, added to. Shape [point, threshold + 1].
    changes
        Toys in which one end of an edge lies above zero and the other does not, added to.
        Shape [edge].
    """
    n_levels = levels.shape[0]
    n_thresholds = occupied.shape[1] - 1
    for t in range(roots.shape[0]):
        for k in range(n_levels + 1):
            counts[t, k] = 0
        for k in range(n_thresholds + 1):
            occupied[t, k] = 0
        if failed[t] > 0:
            continue
        for p in range(roots.shape[1]):
            value = roots[t, p]
            r = 0
            for k in range(n_levels):
                if value > levels[k]:
                    r += 1
            rank[p] = r
            counts[t, r] += counted[p]
            scaled = (value - first_threshold) / threshold_step
            k = 0
            if scaled > n_thresholds:
                k = n_thresholds
            elif scaled > 0.0:
                k = int(scaled)
                if k < scaled:
                    k += 1
            occupied[t, k] += 1
            exceedances[p, k] += 1
        for e in range(edges.shape[0]):
            a, b = edges[e, 0], edges[e, 1]
            counts[t, min(rank[a], rank[b])] -= 1
            if (roots[t, a] > 0.0) != (roots[t, b] > 0.0):
                changes[e] += 1
        for f in range(faces.shape[0]):
            low = min(rank[faces[f, 0]], rank[faces[f, 1]], rank[faces[f, 2]], rank[faces[f, 3]])
            counts[t, low] += 1
        for k in range(n_levels - 1, -1, -1):
            counts[t, k] += counts[t, k + 1]
        for k in range(n_thresholds - 1, -1, -1):
            occupied[t, k] += occupied[t, k + 1]
