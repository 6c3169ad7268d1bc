"""Errors of smoothed simulation: what a kernel moves together, and what each bin keeps for itself.

A kernel wider than a bin moves neighbouring bins together. Their covariance is split into a few
modes, each a nuisance parameter of its own, and a rest that stays an error of each bin
(``staterror``). The diagonal of the covariance is exact.

A mode is what is known of the bins once the sum of the window, then its slope, its curvature, and
so on are known: with ``u`` such a functional and ``C`` what is left of the covariance, ``v = C u /
sqrt(u C u)``, and ``C - v v`` is left after it, in which ``u`` has no variance (a Cholesky factor
by functionals in the place of bins). Against eigenvectors: hardly a mode more, a sign that is
fixed, no choice where eigenvalues are alike, and neighbouring windows have modes that are alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.templates.histfactory import rounded, significant, staterror
from darkstats.workspace.simulation_modes import FUNCTIONALS, simulation_mode

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray

__all__ = ["Mode", "SmoothingErrors", "mode_modifiers", "simulation_errors", "smoothing_errors"]

#: Share of the variances of a row that may be left to the bins.
LARGEST_REST = 0.02
_ROUNDING = 1e-12  # relative, of the variance of a functional
_DIGITS = 1e-5  # relative, of what is written
_NEGLIGIBLE = 1e-4  # relative change of a bin, beside a change of the sum, that is not told


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """What one nuisance parameter moves.

    Parameters
    ----------
    name
        ``"sum"``, ``"slope"``, ...; with several rows the row before it, from 1: ``"row2_sum"``.
    shift
        Change of the contents by one standard deviation, events. Shape [row, bin].
    """

    name: str
    shift: FloatArray = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmoothingErrors:
    """The error of one smoothed process in a window.

    Parameters
    ----------
    modes
        Of all rows.
    rest
        Variances that bins have besides. Shape [row, bin].
    """

    modes: tuple[Mode, ...]
    rest: FloatArray = field(repr=False)


def smoothing_errors(covariance: FloatArray) -> SmoothingErrors:
    """Split covariances into modes and errors of bins.

    Parameters
    ----------
    covariance
        Of the bins of each row, events squared; rows are independent. Shape [row, bin, bin].

    Notes
    -----
    Modes end where at most 2 % of the variances of a row are left, or at four. The error of the
    sum is then too large by as much as the rest adds: 0.2 % for a kernel of three bins in a window
    of twelve, 1 % for one of one and a half.

    Examples
    --------
    A kernel much wider than the window moves all bins alike:

    >>> found = smoothing_errors(np.full((1, 3, 3), 4.0))
    >>> [(mode.name, mode.shift.tolist()) for mode in found.modes], found.rest.tolist()
    ([('sum', [[2.0, 2.0, 2.0]])], [[0.0, 0.0, 0.0]])
    """
    n_rows, n_bins, _ = covariance.shape
    place = np.linspace(-1.0, 1.0, n_bins) if n_bins > 1 else np.zeros(1)
    modes: list[Mode] = []
    rest = np.zeros((n_rows, n_bins))
    for row, whole in enumerate(covariance):
        left = np.array(whole)
        for power, functional in enumerate(FUNCTIONALS[:n_bins]):
            if np.trace(left) <= LARGEST_REST * np.trace(whole):
                break
            weights = place**power
            moved = left @ weights
            variance = float(weights @ moved)
            scale = float(np.abs(weights) @ np.abs(whole) @ np.abs(weights))
            if variance <= _ROUNDING * scale:  # known already: what is left of it are digits
                break
            vector = moved / math.sqrt(variance)
            left -= np.outer(vector, vector)
            shift = np.zeros((n_rows, n_bins))
            shift[row] = vector
            name = functional if n_rows == 1 else f"row{row + 1}_{functional}"
            modes.append(Mode(name=name, shift=shift))
        rest[row] = np.maximum(np.diag(left), 0.0)
    return SmoothingErrors(modes=tuple(modes), rest=rest)


def mode_modifiers(process: str, content: FloatArray, mode: Mode) -> list[dict[str, Any]]:
    """Modifiers of a mode, of one name: at most one normsys and one histosys.

    Parameters
    ----------
    process
        Name of the process; the parameter is ``PROCESS_simulation_MODE``.
    content
        Contents, events. Shape [row, bin].
    mode
        Its change.

    Notes
    -----
    What moves the sum is a factor ``exp(alpha * change / sum)``: rates stay positive where a change
    is as large as the sum, at thin places. What is left is a change of shape, and linear. With
    several rows, of which a mode moves one, all of it is linear. To first order in ``alpha`` both
    are the shift of the mode.
    """
    name = simulation_mode(process, mode.name)
    total = float(content.sum())
    relative = float(mode.shift.sum()) / total if len(content) == 1 and total > 0.0 else 0.0
    found: list[dict[str, Any]] = []
    if abs(relative) > _NEGLIGIBLE:
        data = {"lo": significant(math.exp(-relative)), "hi": significant(math.exp(relative))}
        found.append({"name": name, "type": "normsys", "data": data})
    shape = mode.shift - relative * content if found else mode.shift
    if not found or bool(np.any(np.abs(shape) > _NEGLIGIBLE * content)):
        found.append(_mirrored(name, content.ravel(), shape.ravel()))
    return found


def _mirrored(name: str, content: FloatArray, shape: FloatArray) -> dict[str, Any]:
    """A histosys that goes as far down as up, in every digit that is written."""
    nominal = np.array(rounded(content))
    high = np.array(rounded(nominal + shape))
    # A change as large as the content, of one simulated event, is not more by the digits written.
    whole = np.abs(shape) <= nominal * (1.0 + _DIGITS)
    high = np.where(whole, np.clip(high, 0.0, 2.0 * nominal), high)
    low = [float(f"{value:.12g}") for value in 2.0 * nominal - high]
    data = {"lo_data": low, "hi_data": [float(f"{value:.12g}") for value in high]}
    return {"name": name, "type": "histosys", "data": data}


def simulation_errors(
    process: str,
    content: FloatArray,
    variance: FloatArray,
    covariance: FloatArray | None,
    staterror_name: str,
) -> list[dict[str, Any]]:
    """Modifiers for the statistical error of the simulation of a process in a window.

    Parameters
    ----------
    process
        Its name.
    content, variance
        Events and their variance. Shapes [row x bin].
    covariance
        Of the bins of each row, where a kernel moves them together; None for none. Shape [row,
        bin, bin].
    staterror_name
        Of the errors of bins.
    """
    if covariance is None:
        return [staterror(staterror_name, variance)]
    errors = smoothing_errors(covariance)
    shaped = content.reshape(errors.rest.shape)
    return [
        *(found for mode in errors.modes for found in mode_modifiers(process, shaped, mode)),
        staterror(staterror_name, errors.rest.ravel()),
    ]
