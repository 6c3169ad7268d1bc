"""The eight slots of the minimiser: what each of them is doing, and with which lane."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from darkstats.fit.linear_algebra import System
from darkstats.kernel import kernel
from darkstats.kernel.simd import Floats, Integers
from darkstats.kernel.tables import reader_of
from darkstats.model.scratch import Scratch
from darkstats.model.structure import Layout

__all__ = [
    "AGAIN",
    "BOX_WORDS",
    "CODE_CONVERGED",
    "CODE_MAX_STEPS",
    "CODE_NOT_FINITE",
    "CODE_STALLED",
    "FIRST_DAMPING",
    "OTHER_SIDE",
    "SLOTS_WORDS",
    "START",
    "TRIAL",
    "Box",
    "Data",
    "Slots",
    "begin",
    "finish",
    "high_end",
    "low_end",
    "slots_at",
    "slots_sizes",
]

CODE_CONVERGED, CODE_MAX_STEPS, CODE_NOT_FINITE, CODE_STALLED = 0, 1, 2, 3
FIRST_DAMPING = 0.5  # where the curvature is not positive, in units of that of the constraints

# What the point of a slot is: the start of a lane, a trial step, the same point again (with other
# damping), or the same point seen from the other side of its kinks.
START, TRIAL, AGAIN, OTHER_SIDE = 0, 1, 2, 3


class Box(NamedTuple):
    """Ranges and freedom of the parameters, the same for all lanes."""

    lower: Floats  # [par]
    upper: Floats  # [par]
    free: Integers  # [par]


class Slots(NamedTuple):
    """State of the eight slots; fields without an axis hold one vector."""

    lane: Floats  # -1: idle
    point: Floats  # START, TRIAL, AGAIN or OTHER_SIDE
    steps: Floats
    turns: Floats
    halvings: Floats
    value: Floats  # half the deviance at the accepted point
    edm: Floats
    slope: Floats  # directional derivative of the step
    length: Floats  # part of the step that is tried
    solving: Floats  # 1: the linear system of this round concerns it
    trial: Floats  # half the deviance at the trial point
    size: Floats  # size of the terms of the deviance there
    first_damping: Floats  # what to begin with where the curvature is not positive
    accepted: Floats  # [par] accepted point
    direction: Floats  # [par] step from the accepted point


class Data(NamedTuple):
    """What the lanes are given, and what they give back; flat, lanes outermost."""

    counts: Floats  # [lane bin]
    auxdata: Floats  # [lane par]
    parameters: Floats  # [lane par] starts in, minima out
    value: Floats  # [lane] half the deviance
    edm: Floats  # [lane]
    min_rate: Floats  # [lane] smallest expected rate
    report: Integers  # [lane 3] code, steps, flat directions


def slots_sizes(layout: Layout) -> tuple[int, ...]:
    """Number of vectors in each field of :class:`Slots`."""
    return (*(1 for _ in range(13)), layout.n_parameters, layout.n_parameters)


SLOTS_WORDS, BOX_WORDS = len(Slots._fields), len(Box._fields)


slots_at = reader_of(Slots)
box_at = reader_of(Box)
data_at = reader_of(Data)


@kernel
def low_end(layout: Layout, box: Box, s: Scratch, p: int, slot: int) -> float:
    """Lower end of a parameter's range in this piece of the likelihood."""
    if layout.kinked[p] == 1 and s.side[p, slot] > 0.0:
        return max(float(box.lower[p]), 0.0)
    return float(box.lower[p])


@kernel
def high_end(layout: Layout, box: Box, s: Scratch, p: int, slot: int) -> float:
    """Upper end of a parameter's range in this piece of the likelihood."""
    if layout.kinked[p] == 1 and s.side[p, slot] < 0.0:
        return min(float(box.upper[p]), 0.0)
    return float(box.upper[p])


@kernel
def begin(
    layout: Layout,
    box: Box,
    s: Scratch,
    w: System,
    slots: Slots,
    slot: int,
    lane: int,
    data: Data,
    damping: float,
) -> None:
    """Put a lane into a slot."""
    slots.lane[0, slot] = lane
    slots.point[0, slot] = START
    slots.steps[0, slot] = 0
    slots.turns[0, slot] = 0
    slots.edm[0, slot] = np.inf
    w.damping[0, slot] = damping
    slots.first_damping[0, slot] = FIRST_DAMPING
    for b in range(layout.n_bins):
        s.counts[b, slot] = data.counts[lane * layout.n_bins + b]
    for p in range(layout.n_parameters):
        s.auxdata[p, slot] = data.auxdata[lane * layout.n_parameters + p]
        x = data.parameters[lane * layout.n_parameters + p]
        if box.free[p] == 1:
            x = min(max(x, box.lower[p]), box.upper[p])
        s.x[p, slot] = x
        s.side[p, slot] = -1.0 if x < 0.0 or (x == 0.0 and box.upper[p] <= 0.0) else 1.0


@kernel
def finish(
    layout: Layout, s: Scratch, w: System, slots: Slots, slot: int, code: int, data: Data
) -> None:
    """Write out a lane that is done."""
    lane = int(slots.lane[0, slot])
    for p in range(layout.n_parameters):
        x = slots.accepted[p, slot] if code != CODE_NOT_FINITE else s.x[p, slot]
        data.parameters[lane * layout.n_parameters + p] = x
    data.value[lane] = slots.value[0, slot]
    data.edm[lane] = slots.edm[0, slot]
    lowest = np.inf
    for b in range(layout.n_bins):
        lowest = min(lowest, s.nu[b, slot])
    data.min_rate[lane] = lowest
    data.report[3 * lane] = code
    data.report[3 * lane + 1] = int(slots.steps[0, slot])
    data.report[3 * lane + 2] = int(w.flat[0, slot])
    slots.lane[0, slot] = -1.0
