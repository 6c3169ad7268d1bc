"""Steps on variations that somebody declares: smoothing of the ratio to nominal, symmetrising.

Nothing here is done unasked, and each step can say what it changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.errors import OptionError

__all__ = [
    "REFERENCES",
    "SMOOTHINGS",
    "SYMMETRIES",
    "Change",
    "change_of",
    "local_linear",
    "running_medians",
    "smoothed_variation",
    "symmetrised",
]

SMOOTHINGS = ("353QH_twice", "local_linear")
SYMMETRIES = ("half_difference", "largest")

#: Where a method is described.
REFERENCES: Mapping[str, str] = MappingProxyType(
    {
        "353QH_twice": "J. H. Friedman, CERN 74-23 (1974) 271",
        "local_linear": "W. S. Cleveland, J. Am. Stat. Assoc. 74 (1979) 829",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a step changed most.

    Parameters
    ----------
    size
        Largest difference over the nominal content.
    bin
        Where, from 0.
    """

    size: float
    bin: int


def change_of(nominal: FloatArray, before: FloatArray, after: FloatArray) -> Change:
    """Return the largest change of a variation, relative to nominal. Shapes [bin]."""
    scale = np.where(nominal > 0.0, nominal, 1.0)
    sizes = np.abs(after - before) / scale
    worst = int(np.argmax(sizes))
    return Change(size=float(sizes[worst]), bin=worst)


def _medians(values: FloatArray, width: int) -> FloatArray:
    """Running medians; values nearer to an end than half the width stay. Shape [bin]."""
    found = values.copy()
    half = width // 2
    if len(values) >= width:
        windows = np.lib.stride_tricks.sliding_window_view(values, width)
        found[half : len(values) - half] = np.median(windows, axis=1)
    return found


def _once(values: FloatArray) -> FloatArray:
    """353QH: running medians of 3, 5, 3, quadratic peaks (Q), running means (H)."""
    first = _medians(values, 3)
    # Tukey's rule for the ends: the line through the next two, two steps on, has a say
    first[0] = np.median([3.0 * first[1] - 2.0 * first[2], values[0], first[1]])
    first[-1] = np.median([3.0 * first[-2] - 2.0 * first[-3], values[-1], first[-2]])
    second = _medians(first, 5)
    second[1], second[-2] = np.median(first[:3]), np.median(first[-3:])
    flat = _medians(second, 3)
    bent = flat.copy()
    for k in range(2, len(flat) - 2):
        left, here, right = flat[k - 2], flat[k], flat[k + 2]
        if flat[k - 1] != here or flat[k + 1] != here or (left - here) * (right - here) <= 0.0:
            continue  # no flat top or bottom
        # A parabola through the outer values replaces the plateau that medians leave on a peak
        step, near, far = (
            (-1, right, left) if abs(right - here) > abs(left - here) else (1, left, right)
        )
        bent[k] = -0.5 * near + here / 0.75 + far / 6.0
        bent[k + step] = here + 0.5 * (far - near)
    return np.concatenate(
        [bent[:1], 0.25 * bent[:-2] + 0.5 * bent[1:-1] + 0.25 * bent[2:], bent[-1:]]
    )


def running_medians(values: FloatArray) -> FloatArray:
    """353QH, twice: the residuals are smoothed as well and added back. Shape [bin].

    Never negative where no value is.

    Raises
    ------
    OptionError
        Fewer than three bins.

    References
    ----------
    J. H. Friedman, Data analysis techniques for high energy particle physics, CERN 74-23 (1974)
    271.
    """
    if len(values) < 3:
        raise OptionError(f"smoothing needs at least three bins, and there are {len(values)}")
    first = _once(np.asarray(values, dtype=np.float64))
    found = first + _once(values - first)
    return found if np.min(values) < 0.0 else np.maximum(found, 0.0)


def local_linear(values: FloatArray, weights: FloatArray, bandwidth: float) -> FloatArray:
    """Local linear regression with the tricube weight. Shape [bin].

    Parameters
    ----------
    values
        Shape [bin].
    weights
        Of the values, positive: inverse variances up to a factor. Shape [bin].
    bandwidth
        Half width of the window in bins, at least two: bins that far away count nothing.

    Raises
    ------
    OptionError
        The window is too narrow for a line, or there are fewer than three bins.

    References
    ----------
    W. S. Cleveland, J. Am. Stat. Assoc. 74 (1979) 829, without its robust iterations.
    """
    if len(values) < 3 or not bandwidth >= 2.0:
        raise OptionError("local regression needs three bins, and a bandwidth of two bins or more")
    index = np.arange(len(values), dtype=np.float64)
    offset = index[None, :] - index[:, None]
    kernel = np.clip(1.0 - np.abs(offset / bandwidth) ** 3, 0.0, None) ** 3 * weights
    s0, s1, s2 = (np.sum(kernel * offset**k, axis=1) for k in range(3))
    t0, t1 = (kernel * offset**k @ values for k in range(2))
    return np.asarray((s2 * t0 - s1 * t1) / (s0 * s2 - s1**2))


def smoothed_variation(
    nominal: FloatArray, varied: FloatArray, method: str, *, bandwidth: float = 3.0
) -> FloatArray:
    """Smooth the ratio of a variation to nominal; the total of the variation is kept. Shape [bin].

    Parameters
    ----------
    nominal, varied
        Contents. Shapes [bin].
    method
        One of :data:`SMOOTHINGS`.
    bandwidth
        Of ``local_linear``, in bins. The nominal contents are its weights.

    Raises
    ------
    OptionError
        A nominal content is not positive, there are too few bins, or nothing is left.
    """
    if not np.all(nominal > 0.0):
        worst = int(np.argmin(nominal))
        raise OptionError(f"the ratio to nominal does not exist in bin {worst}: merge bins")
    ratio = varied / nominal
    smooth = (
        running_medians(ratio)
        if method == "353QH_twice"
        else local_linear(ratio, nominal, bandwidth)
    )
    found = smooth * nominal
    total, kept = float(found.sum()), float(varied.sum())
    if not (total > 0.0 and kept > 0.0):
        raise OptionError("a variation whose contents add up to nothing cannot be smoothed")
    return np.asarray(found * (kept / total))


def symmetrised(
    nominal: FloatArray, low: FloatArray, high: FloatArray, how: str
) -> tuple[FloatArray, FloatArray]:
    """Low and high at the same distance from nominal, in each bin. Shapes [bin].

    Parameters
    ----------
    nominal, low, high
        Contents. Shapes [bin].
    how
        ``half_difference``: half of high minus low; ``largest``: the side that is further away,
        and its mirror image.
    """
    if how == "half_difference":
        distance = 0.5 * (high - low)
    else:
        up, down = high - nominal, low - nominal
        distance = np.where(np.abs(up) >= np.abs(down), up, -down)
    return nominal - distance, nominal + distance
