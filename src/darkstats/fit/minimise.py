"""The minimiser: damped Newton with bounds and the exact Hessian, eight lanes at a time.

Every step solves the quadratic model on the box: parameters whose step leaves the box are set on
its face and the rest is solved again.  The step is then shortened until the deviance falls
(Armijo).  Where the exact Hessian is not positive on the free parameters it is damped (Levenberg),
in the metric of the constraint terms: on published likelihoods that takes six steps where the size
of the diagonal takes eleven and Gauss-Newton over fifty.

Interpolation codes with a kink at zero (code0, code1) make the likelihood piecewise smooth.  Such a
parameter stays on one side of zero within a step; resting at zero, it is tried on both sides.

Eight *slots* hold one lane each; a slot whose lane is done takes the next one, so that no slot
waits for the slowest.  What happens in a slot depends on its own lane only.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from darkstats.arrays import FloatArray, IndexArray
from darkstats.fit.linear_algebra import System, make_system, solve_step
from darkstats.kernel import kernel, kernel_entry
from darkstats.kernel.simd import LANES, store
from darkstats.model.rates import Scratch, deviance, deviance_derivatives, make_scratch
from darkstats.model.structure import Layout, Numbers

__all__ = [
    "CODE_CONVERGED",
    "CODE_MAX_STEPS",
    "CODE_NOT_FINITE",
    "CODE_STALLED",
    "Box",
    "Memory",
    "fit_lanes",
    "make_memory",
]

CODE_CONVERGED, CODE_MAX_STEPS, CODE_NOT_FINITE, CODE_STALLED = 0, 1, 2, 3
FIRST_DAMPING = 0.5
DAMPING_GROWTH = 4.0
DAMPING_DECAY = 0.25
MAX_DAMPING = 1e12
MAX_HALVINGS = 30
MAX_TURNS = 20
ROUNDING = 4e-15  # relative rounding error of the deviance
INWARD = 1e-7  # slope away from a kink that counts as one

# What the point of a slot is: the start of a lane, a trial step, the same point again (with other
# damping), or the same point seen from the other side of its kinks.
START, TRIAL, AGAIN, OTHER_SIDE = 0, 1, 2, 3


class Box(NamedTuple):
    """Ranges and freedom of the parameters, the same for all lanes."""

    lower: FloatArray  # [par]
    upper: FloatArray  # [par]
    free: IndexArray  # [par]


class Slots(NamedTuple):
    """State of the eight slots."""

    lane: IndexArray  # [slot] -1: idle
    point: IndexArray  # [slot] START, TRIAL, AGAIN or OTHER_SIDE
    steps: IndexArray  # [slot]
    turns: IndexArray  # [slot]
    halvings: IndexArray  # [slot]
    value: FloatArray  # [slot] half the deviance at the accepted point
    edm: FloatArray  # [slot]
    slope: FloatArray  # [slot] directional derivative of the step
    length: FloatArray  # [slot] part of the step that is tried
    solving: IndexArray  # [slot] 1: the linear system of this round concerns it
    accepted: FloatArray  # [par, slot] accepted point
    direction: FloatArray  # [par, slot] step from the accepted point
    trial: FloatArray  # [1, slot] half the deviance at the trial point


def _make_slots(n_parameters: int) -> Slots:
    def integers() -> IndexArray:
        return np.zeros(LANES, dtype=np.int64)

    return Slots(
        lane=integers(),
        point=integers(),
        steps=integers(),
        turns=integers(),
        halvings=integers(),
        value=np.zeros(LANES),
        edm=np.zeros(LANES),
        slope=np.zeros(LANES),
        length=np.zeros(LANES),
        solving=integers(),
        accepted=np.zeros((n_parameters, LANES)),
        direction=np.zeros((n_parameters, LANES)),
        trial=np.zeros((1, LANES)),
    )


@kernel
def _low(layout: Layout, box: Box, s: Scratch, p: int, slot: int) -> float:
    """Lower end of a parameter's range in this piece of the likelihood."""
    if layout.kinked[p] == 1 and s.side[p, slot] > 0.0:
        return max(float(box.lower[p]), 0.0)
    return float(box.lower[p])


@kernel
def _high(layout: Layout, box: Box, s: Scratch, p: int, slot: int) -> float:
    """Upper end of a parameter's range in this piece of the likelihood."""
    if layout.kinked[p] == 1 and s.side[p, slot] < 0.0:
        return min(float(box.upper[p]), 0.0)
    return float(box.upper[p])


@kernel
def _begin(
    box: Box,
    s: Scratch,
    w: System,
    slots: Slots,
    slot: int,
    lane: int,
    counts: FloatArray,
    auxdata: FloatArray,
    parameters: FloatArray,
    damping: float,
) -> None:
    """Put a lane into a slot."""
    slots.lane[slot] = lane
    slots.point[slot] = START
    slots.steps[slot] = 0
    slots.turns[slot] = 0
    slots.edm[slot] = np.inf
    w.damping[0, slot] = damping
    for b in range(s.counts.shape[0]):
        s.counts[b, slot] = counts[lane, b]
    for p in range(s.x.shape[0]):
        s.auxdata[p, slot] = auxdata[lane, p]
        x = parameters[lane, p]
        if box.free[p] == 1:
            x = min(max(x, box.lower[p]), box.upper[p])
        s.x[p, slot] = x
        s.side[p, slot] = -1.0 if x < 0.0 or (x == 0.0 and box.upper[p] <= 0.0) else 1.0


@kernel
def _pin_active(layout: Layout, box: Box, s: Scratch, w: System, slot: int) -> None:
    """Pin what is fixed, and what rests at a face that its gradient presses against."""
    for p in range(s.x.shape[0]):
        w.step[p, slot] = 0.0
        if box.free[p] == 0:
            w.pinned[p, slot] = 1.0
            continue
        x, slope = s.x[p, slot], s.gradient[p, slot]
        presses_down = slope >= 0.0 and x <= _low(layout, box, s, p, slot)
        presses_up = slope <= 0.0 and x >= _high(layout, box, s, p, slot)
        w.pinned[p, slot] = 1.0 if presses_down or presses_up else 0.0


@kernel
def _pin_outside(layout: Layout, box: Box, s: Scratch, w: System, slot: int) -> int:
    """Put a parameter whose step leaves the box on the face; how many there were."""
    outside = 0
    for p in range(s.x.shape[0]):
        if w.pinned[p, slot] == 1.0:
            continue
        x, step = s.x[p, slot], w.step[p, slot]
        low, high = _low(layout, box, s, p, slot), _high(layout, box, s, p, slot)
        if x + step < low:
            w.step[p, slot] = low - x
        elif x + step > high:
            w.step[p, slot] = high - x
        else:
            continue
        w.pinned[p, slot] = 1.0
        outside += 1
    return outside


@kernel
def _slope(s: Scratch, w: System, slot: int) -> float:
    total = 0.0
    for p in range(s.x.shape[0]):
        total += s.gradient[p, slot] * w.step[p, slot]
    return total


@kernel
def _try_part(layout: Layout, box: Box, s: Scratch, slots: Slots, slot: int) -> None:
    """Set the trial point to part of the step from the accepted point."""
    for p in range(s.x.shape[0]):
        x = slots.accepted[p, slot] + slots.length[slot] * slots.direction[p, slot]
        if box.free[p] == 1:
            low, high = _low(layout, box, s, p, slot), _high(layout, box, s, p, slot)
            x = min(max(x, low), high)
        s.x[p, slot] = x
    slots.point[slot] = TRIAL


@kernel
def _more(damping: float) -> float:
    return max(FIRST_DAMPING, DAMPING_GROWTH * damping)


@kernel
def _damp(s: Scratch, w: System, slots: Slots, slot: int) -> bool:
    """Go back to the accepted point with more damping; False if there is no more."""
    damping = _more(w.damping[0, slot])
    w.damping[0, slot] = damping
    for p in range(s.x.shape[0]):
        s.x[p, slot] = slots.accepted[p, slot]
    slots.point[slot] = AGAIN
    return damping <= MAX_DAMPING


@kernel
def _turn_sides(layout: Layout, box: Box, s: Scratch, slot: int) -> bool:
    """Look at parameters that rest at their kink from the other side; False if none does."""
    resting = False
    for p in range(s.x.shape[0]):
        if layout.kinked[p] == 1 and box.free[p] == 1 and s.x[p, slot] == 0.0:
            s.side[p, slot] = -s.side[p, slot]
            resting = True
    return resting


@kernel
def _keep_inward_sides(layout: Layout, box: Box, s: Scratch, slot: int) -> bool:
    """After a look from the other side: stay there where the deviance falls; False if nowhere."""
    turned = False
    for p in range(s.x.shape[0]):
        if layout.kinked[p] == 1 and box.free[p] == 1 and s.x[p, slot] == 0.0:
            side = s.side[p, slot]
            room = box.upper[p] > 0.0 if side > 0.0 else box.lower[p] < 0.0
            if room and -s.gradient[p, slot] * side > INWARD:
                turned = True
            else:
                s.side[p, slot] = -side
    return turned


@kernel
def _judge(layout: Layout, box: Box, s: Scratch, w: System, slots: Slots, slot: int) -> int:
    """Accept or refuse the point of a slot.

    Returns -1 to solve for a step from it, -2 to look at a new trial point, or the code of a lane
    that is done.
    """
    new = slots.trial[0, slot]
    kind = slots.point[slot]
    if kind == TRIAL:
        bound = (
            slots.value[slot]
            + 1e-4 * slots.length[slot] * slots.slope[slot]
            + ROUNDING * (1.0 + abs(slots.value[slot]))
        )
        if not new <= bound:
            slots.halvings[slot] += 1
            if slots.halvings[slot] <= MAX_HALVINGS:
                slots.length[slot] *= 0.5 if slots.length[slot] > 0.1 else 0.1
                _try_part(layout, box, s, slots, slot)
                return -2
            return -2 if _damp(s, w, slots, slot) else CODE_STALLED
        damping = DAMPING_DECAY * w.damping[0, slot]
        w.damping[0, slot] = damping if damping >= 0.5 * FIRST_DAMPING else 0.0
        slots.steps[slot] += 1
    elif kind == OTHER_SIDE:
        slots.turns[slot] += 1
        if not _keep_inward_sides(layout, box, s, slot):
            return CODE_CONVERGED
        for p in range(s.x.shape[0]):  # the gradient of sides that turned back is not at hand
            s.x[p, slot] = slots.accepted[p, slot]
        slots.point[slot] = AGAIN
        return -2
    elif kind == START and not np.isfinite(new):
        slots.value[slot] = new
        return CODE_NOT_FINITE
    slots.value[slot] = new
    for p in range(s.x.shape[0]):
        slots.accepted[p, slot] = s.x[p, slot]
    return -1


@kernel
def _solve_in_box(
    layout: Layout, numbers: Numbers, box: Box, s: Scratch, w: System, slots: Slots
) -> None:
    """Solve for the steps of all slots that ask for one; leaves ``w.indefinite`` per slot."""
    for slot in range(LANES):
        _pin_active(layout, box, s, w, slot)
    for _ in range(8):
        solve_step(layout, numbers, s, w)
        again = False
        for slot in range(LANES):
            if slots.solving[slot] == 1 and w.indefinite[0, slot] > 0.0:
                damping = _more(w.damping[0, slot])
                if damping <= MAX_DAMPING:
                    w.damping[0, slot] = damping
                    again = True
        if not again:
            break
    for slot in range(LANES):
        slots.edm[slot] = -0.5 * _slope(s, w, slot) if w.damping[0, slot] == 0.0 else np.inf
        if w.indefinite[0, slot] > 0.0:
            slots.edm[slot] = np.inf


@kernel
def _stay_in_box(
    layout: Layout, numbers: Numbers, box: Box, s: Scratch, w: System, slots: Slots
) -> None:
    """Bring steps that leave the box to its face and solve for the rest again."""
    for attempt in range(4):
        outside = 0
        for slot in range(LANES):
            if slots.solving[slot] == 1:
                outside += _pin_outside(layout, box, s, w, slot)
        if outside == 0 or attempt == 3:
            return
        solve_step(layout, numbers, s, w)


@kernel
def _polish(layout: Layout, box: Box, s: Scratch, w: System, slots: Slots, slot: int) -> None:
    """Take the last Newton step, which is solved for already, where it stays in the box.

    At an EDM of e the parameters are off by sqrt(2 e) standard deviations, and after the step by
    that squared; Asimov data inherit this error in first order. The deviance falls by e.
    """
    for p in range(s.x.shape[0]):
        x = slots.accepted[p, slot] + w.step[p, slot]
        if box.free[p] == 1 and (
            x < _low(layout, box, s, p, slot) or x > _high(layout, box, s, p, slot)
        ):
            return
    for p in range(s.x.shape[0]):
        slots.accepted[p, slot] += w.step[p, slot]
    slots.value[slot] -= slots.edm[slot]


@kernel
def _finish(
    layout: Layout,
    s: Scratch,
    w: System,
    slots: Slots,
    slot: int,
    code: int,
    parameters: FloatArray,
    value: FloatArray,
    edm: FloatArray,
    min_rate: FloatArray,
    report: IndexArray,
) -> None:
    """Write out a lane that is done."""
    lane = slots.lane[slot]
    for p in range(s.x.shape[0]):
        parameters[lane, p] = slots.accepted[p, slot] if code != CODE_NOT_FINITE else s.x[p, slot]
    value[lane] = slots.value[slot]
    edm[lane] = slots.edm[slot]
    lowest = np.inf
    for b in range(layout.n_bins):
        lowest = min(lowest, s.nu[b, slot])
    min_rate[lane] = lowest
    report[lane, 0] = code
    report[lane, 1] = slots.steps[slot]
    report[lane, 2] = int(w.flat[0, slot])
    slots.lane[slot] = -1


class Memory(NamedTuple):
    """All working memory of one thread."""

    scratch: Scratch
    system: System
    slots: Slots


def make_memory(layout: Layout, numbers: Numbers) -> Memory:
    """Allocate the working memory of one thread."""
    scratch = make_scratch(layout, numbers)
    return Memory(
        scratch=scratch,
        system=make_system(scratch, layout),
        slots=_make_slots(len(numbers.width)),
    )


@kernel_entry
def fit_lanes(
    layout: Layout,
    numbers: Numbers,
    first: int,
    stop: int,
    counts: FloatArray,
    auxdata: FloatArray,
    box: Box,
    damping: float,
    max_steps: int,
    edm_tolerance: float,
    memory: Memory,
    parameters: FloatArray,
    value: FloatArray,
    edm: FloatArray,
    min_rate: FloatArray,
    report: IndexArray,
) -> None:
    """Minimise lanes ``first`` to ``stop - 1``; ``parameters`` [lane, par] hold the starts.

    Fills ``value`` (half the deviance) and ``edm`` [lane], ``min_rate`` [lane] and ``report``
    [lane, 3]: code, steps, flat directions.
    """
    s, w, slots = memory.scratch, memory.system, memory.slots
    coming = first
    for slot in range(LANES):
        # Idle slots of a short batch compute along on its first lane, and are not listened to.
        _begin(
            box,
            s,
            w,
            slots,
            slot,
            min(first + slot, stop - 1),
            counts,
            auxdata,
            parameters,
            damping,
        )
        if first + slot >= stop:
            slots.lane[slot] = -1
        else:
            coming += 1
    busy = coming - first
    while busy > 0:
        store(slots.trial, 0, deviance(layout, numbers, s))
        deviance_derivatives(layout, numbers, s)
        asking = False
        for slot in range(LANES):
            slots.solving[slot] = 0
            if slots.lane[slot] < 0:
                continue
            verdict = _judge(layout, box, s, w, slots, slot)
            if verdict >= 0:
                _finish(
                    layout, s, w, slots, slot, verdict, parameters, value, edm, min_rate, report
                )
            elif verdict == -1:
                slots.solving[slot] = 1
                asking = True
        if asking:
            _solve_in_box(layout, numbers, box, s, w, slots)
            for slot in range(LANES):
                if slots.solving[slot] == 0:
                    continue
                code = -1
                if w.indefinite[0, slot] > 0.0:
                    if not _damp(s, w, slots, slot):
                        code = CODE_STALLED
                    slots.solving[slot] = 0
                elif slots.edm[slot] <= edm_tolerance:
                    slots.solving[slot] = 0
                    if slots.turns[slot] < MAX_TURNS and _turn_sides(layout, box, s, slot):
                        slots.point[slot] = OTHER_SIDE
                    else:
                        code = CODE_CONVERGED
                        _polish(layout, box, s, w, slots, slot)
                elif slots.steps[slot] >= max_steps:
                    code = CODE_MAX_STEPS
                if code >= 0:
                    slots.solving[slot] = 0
                    _finish(
                        layout, s, w, slots, slot, code, parameters, value, edm, min_rate, report
                    )
            _stay_in_box(layout, numbers, box, s, w, slots)
            for slot in range(LANES):
                if slots.solving[slot] == 0:
                    continue
                for p in range(s.x.shape[0]):
                    slots.direction[p, slot] = w.step[p, slot]
                slots.slope[slot] = _slope(s, w, slot)
                slots.length[slot] = 1.0
                slots.halvings[slot] = 0
                if slots.slope[slot] < 0.0:
                    _try_part(layout, box, s, slots, slot)
                elif not _damp(s, w, slots, slot):
                    _finish(
                        layout,
                        s,
                        w,
                        slots,
                        slot,
                        CODE_STALLED,
                        parameters,
                        value,
                        edm,
                        min_rate,
                        report,
                    )
        for slot in range(LANES):
            if slots.lane[slot] >= 0:
                continue
            if coming < stop:
                _begin(box, s, w, slots, slot, coming, counts, auxdata, parameters, damping)
                coming += 1
        busy = 0
        for slot in range(LANES):
            if slots.lane[slot] >= 0:
                busy += 1
