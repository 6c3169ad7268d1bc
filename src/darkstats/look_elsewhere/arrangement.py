"""Where the hypotheses of a scan stand: on a line of masses, or in a plane."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import OptionError
from darkstats.look_elsewhere.geometry import ScanGeometry, line, rows

if TYPE_CHECKING:
    from darkstats.scan.mass_hypotheses import MassHypotheses, MassHypothesis

__all__ = ["arranged"]


#: Labels of lifetimes, which follow their logarithms.
_LIFETIMES = ("ctau_mm", "ctau_cm", "ctau_m")


def arranged(hypotheses: MassHypotheses) -> tuple[tuple[MassHypothesis, ...], ScanGeometry]:
    """The hypotheses in order, and their geometry: a line over one mass, a plane over two.

    Labels that end in ``_gev`` are masses; with one mass, ``ctau_mm`` (or ``_cm``, ``_m``) makes a
    plane of mass and logarithm of the lifetime. Others (a second set of windows) only tell
    hypotheses apart.

    Raises
    ------
    OptionError
        The labels name no mass, or more than two, a mass is no number, or a lifetime not positive.
    """
    labels, members = hypotheses.labels, hypotheses.members
    masses = [k for k, label in enumerate(labels) if label.endswith("_gev")]
    if len(labels) == 1:
        masses = [0]
    if not 1 <= len(masses) <= 2:
        raise OptionError(
            f"the patch set's labels ({', '.join(labels)}) name {len(masses)} masses: a scan needs "
            "one or two whose name ends in _gev"
        )
    try:
        values = np.array([[float(one.values[k]) for k in masses] for one in members])
    except (TypeError, ValueError) as error:
        raise OptionError(f"a mass of the patch set is no number: {error}") from None
    if len(masses) == 2:
        return members, rows(values[:, 0], values[:, 1])
    lifetimes = [k for k, label in enumerate(labels) if label in _LIFETIMES]
    if len(labels) > 1 and lifetimes:
        times = np.array([_lifetime(one.values[lifetimes[0]]) for one in members])
        return members, rows(values[:, 0], np.log10(times))
    order = np.argsort(values[:, 0], kind="stable")
    return tuple(members[k] for k in order), line(values[order, 0])


def _lifetime(value: object) -> float:
    """A positive number.

    Raises
    ------
    OptionError
        It is none.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.0 < value < np.inf:
        raise OptionError(f"a lifetime of the patch set is no positive number: {value!r}")
    return float(value)
