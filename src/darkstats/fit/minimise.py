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

import numpy as np

from darkstats.arrays import IndexArray
from darkstats.fit.linear_algebra import (
    SYSTEM_WORDS,
    System,
    solve_step,
    system_at,
    system_sizes,
)
from darkstats.fit.slots import (
    AGAIN,
    BOX_WORDS,
    CODE_CONVERGED,
    CODE_MAX_STEPS,
    CODE_NOT_FINITE,
    CODE_STALLED,
    FIRST_DAMPING,
    OTHER_SIDE,
    SLOTS_WORDS,
    START,
    TRIAL,
    Box,
    Data,
    Slots,
    begin,
    box_at,
    data_at,
    finish,
    high_end,
    low_end,
    slots_at,
    slots_sizes,
)
from darkstats.kernel import JIT, Memory, is_compiled, kernel, kernel_entry
from darkstats.kernel.products import FEW
from darkstats.kernel.simd import LANES, Integers, store
from darkstats.model.derivatives import deviance_derivatives
from darkstats.model.rates import deviance
from darkstats.model.scratch import SCRATCH_WORDS, Scratch, scratch_at, scratch_sizes, table_with
from darkstats.model.structure import (
    LAYOUT_WORDS,
    NUMBERS_WORDS,
    Layout,
    Numbers,
    layout_at,
    numbers_at,
)

__all__ = ["fit_lanes", "kernel_is_compiled"]

LEAST_DAMPING = 1e-7
DAMPING_GROWTH = 4.0
DAMPING_DECAY = 0.25
MAX_DAMPING = 1e12
MAX_HALVINGS = 30
MAX_TURNS = 20
ROUNDING = 4e-15  # rounding error of the deviance, over the size of its terms
INWARD = 1e-7  # slope away from a kink that counts as one


@kernel
def _pin_active(layout: Layout, box: Box, s: Scratch, w: System, slot: int) -> None:
    """Pin what is fixed, and what rests at a face that its gradient presses against."""
    for p in range(layout.n_parameters):
        w.step[p, slot] = 0.0
        if box.free[p] == 0:
            w.pinned[p, slot] = 1.0
            continue
        x, slope = s.x[p, slot], s.gradient[p, slot]
        presses_down = slope >= 0.0 and x <= low_end(layout, box, s, p, slot)
        presses_up = slope <= 0.0 and x >= high_end(layout, box, s, p, slot)
        w.pinned[p, slot] = 1.0 if presses_down or presses_up else 0.0


@kernel
def _pin_outside(layout: Layout, box: Box, s: Scratch, w: System, slot: int) -> int:
    """Put a parameter whose step leaves the box on the face; how many there were."""
    outside = 0
    for p in range(layout.n_parameters):
        if w.pinned[p, slot] == 1.0:
            continue
        x, step = s.x[p, slot], w.step[p, slot]
        low, high = low_end(layout, box, s, p, slot), high_end(layout, box, s, p, slot)
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
def _slope(layout: Layout, s: Scratch, w: System, slot: int) -> float:
    total = 0.0
    for p in range(layout.n_parameters):
        total += s.gradient[p, slot] * w.step[p, slot]
    return total


@kernel
def _try_part(layout: Layout, box: Box, s: Scratch, slots: Slots, slot: int) -> None:
    """Set the trial point to part of the step from the accepted point."""
    for p in range(layout.n_parameters):
        x = slots.accepted[p, slot] + slots.length[0, slot] * slots.direction[p, slot]
        if box.free[p] == 1:
            low, high = low_end(layout, box, s, p, slot), high_end(layout, box, s, p, slot)
            x = min(max(x, low), high)
        s.x[p, slot] = x
    slots.point[0, slot] = TRIAL


@kernel
def _more(w: System, slots: Slots, slot: int) -> float:
    """The next larger damping; the first one is what served the last damped step."""
    damping = w.damping[0, slot]
    return float(slots.first_damping[0, slot] if damping == 0.0 else DAMPING_GROWTH * damping)


@kernel
def _adapt(w: System, slots: Slots, slot: int) -> None:
    """Choose the damping after a step: less if it could be taken in full, more if not.

    Along a valley that is nearly flat the damping shrinks from step to step, where a fixed one
    would crawl. Strong damping is kept to begin with; weak damping gives way to a plain Newton
    step first.
    """
    used = w.damping[0, slot]
    if used == 0.0:
        slots.first_damping[0, slot] = FIRST_DAMPING
        return
    factor = DAMPING_DECAY if slots.length[0, slot] == 1.0 else DAMPING_GROWTH
    following = max(factor * used, LEAST_DAMPING)
    slots.first_damping[0, slot] = following
    w.damping[0, slot] = following if following >= 0.5 * FIRST_DAMPING else 0.0


@kernel
def _damp(layout: Layout, s: Scratch, w: System, slots: Slots, slot: int) -> bool:
    """Go back to the accepted point with more damping; False if there is no more."""
    damping = _more(w, slots, slot)
    w.damping[0, slot] = damping
    for p in range(layout.n_parameters):
        s.x[p, slot] = slots.accepted[p, slot]
    slots.point[0, slot] = AGAIN
    return damping <= MAX_DAMPING


@kernel
def _turn_sides(layout: Layout, box: Box, s: Scratch, slot: int) -> bool:
    """Look at parameters that rest at their kink from the other side; False if none does."""
    resting = False
    for p in range(layout.n_parameters):
        if layout.kinked[p] == 1 and box.free[p] == 1 and s.x[p, slot] == 0.0:
            s.side[p, slot] = -s.side[p, slot]
            resting = True
    return resting


@kernel
def _keep_inward_sides(layout: Layout, box: Box, s: Scratch, slot: int) -> bool:
    """After a look from the other side: stay there where the deviance falls; False if nowhere."""
    turned = False
    for p in range(layout.n_parameters):
        if layout.kinked[p] == 1 and box.free[p] == 1 and s.x[p, slot] == 0.0:
            side = s.side[p, slot]
            room = box.upper[p] > 0.0 if side > 0.0 else box.lower[p] < 0.0
            if room and -s.gradient[p, slot] * side > INWARD:
                turned = True
            else:
                s.side[p, slot] = -side
    return turned


@kernel
def _goes_down(slots: Slots, slot: int) -> bool:
    """Whether the deviance at the trial point of a slot has fallen far enough (Armijo)."""
    new = slots.trial[0, slot]
    bound = (
        slots.value[0, slot]
        + 1e-4 * slots.length[0, slot] * slots.slope[0, slot]
        + ROUNDING * slots.size[0, slot]
    )
    return bool(new <= bound and np.isfinite(new))


@kernel
def _ask_for_derivatives(s: Scratch, slots: Slots) -> bool:
    """Ask for those of the slots that go on from their point, not back; whether any does."""
    needed = False
    for slot in range(LANES):
        goes_on = slots.lane[0, slot] >= 0.0 and (
            slots.point[0, slot] != TRIAL or _goes_down(slots, slot)
        )
        s.asking[0, slot] = 1.0 if goes_on else 0.0
        needed = needed or goes_on
    return needed


@kernel
def _judge(layout: Layout, box: Box, s: Scratch, w: System, slots: Slots, slot: int) -> int:
    """Accept or refuse the point of a slot.

    Returns -1 to solve for a step from it, -2 to look at a new trial point, or the code of a lane
    that is done.
    """
    new = slots.trial[0, slot]
    kind = slots.point[0, slot]
    if kind == TRIAL:
        if not _goes_down(slots, slot):
            slots.halvings[0, slot] += 1
            if slots.halvings[0, slot] <= MAX_HALVINGS:
                slots.length[0, slot] *= 0.5 if slots.length[0, slot] > 0.1 else 0.1
                _try_part(layout, box, s, slots, slot)
                return -2
            return -2 if _damp(layout, s, w, slots, slot) else CODE_STALLED
        _adapt(w, slots, slot)
        slots.steps[0, slot] += 1
    elif kind == OTHER_SIDE:
        slots.turns[0, slot] += 1
        if not _keep_inward_sides(layout, box, s, slot):
            return CODE_CONVERGED
        for p in range(
            layout.n_parameters
        ):  # the gradient of sides that turned back is not at hand
            s.x[p, slot] = slots.accepted[p, slot]
        slots.point[0, slot] = AGAIN
        return -2
    elif kind == START and not np.isfinite(new):
        slots.value[0, slot] = new
        return CODE_NOT_FINITE
    slots.value[0, slot] = new
    for p in range(layout.n_parameters):
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
        solve_step(layout, numbers, s, w, slots.solving)
        again = False
        for slot in range(LANES):
            if slots.solving[0, slot] == 1 and w.indefinite[0, slot] > 0.0:
                damping = _more(w, slots, slot)
                if damping <= MAX_DAMPING:
                    w.damping[0, slot] = damping
                    again = True
        if not again:
            break
    for slot in range(LANES):
        slots.edm[0, slot] = (
            -0.5 * _slope(layout, s, w, slot) if w.damping[0, slot] == 0.0 else np.inf
        )
        if w.indefinite[0, slot] > 0.0:
            slots.edm[0, slot] = np.inf


@kernel
def _stay_in_box(
    layout: Layout, numbers: Numbers, box: Box, s: Scratch, w: System, slots: Slots
) -> None:
    """Bring steps that leave the box to its face and solve for the rest again."""
    for attempt in range(4):
        outside = 0
        for slot in range(LANES):
            if slots.solving[0, slot] == 1:
                outside += _pin_outside(layout, box, s, w, slot)
        if outside == 0 or attempt == 3:
            return
        solve_step(layout, numbers, s, w, slots.solving)


@kernel
def _polish(layout: Layout, box: Box, s: Scratch, w: System, slots: Slots, slot: int) -> None:
    """Take the last Newton step, which is solved for already, where it stays in the box.

    At an EDM of e the parameters are off by sqrt(2 e) standard deviations, and after the step by
    that squared; Asimov data inherit this error in first order. The deviance falls by e.
    """
    for p in range(layout.n_parameters):
        x = slots.accepted[p, slot] + w.step[p, slot]
        if box.free[p] == 1 and (
            x < low_end(layout, box, s, p, slot) or x > high_end(layout, box, s, p, slot)
        ):
            return
    for p in range(layout.n_parameters):
        slots.accepted[p, slot] += w.step[p, slot]
    slots.value[0, slot] -= slots.edm[0, slot]


@kernel
def _take_steps(
    layout: Layout,
    numbers: Numbers,
    box: Box,
    s: Scratch,
    w: System,
    slots: Slots,
    data: Data,
    max_steps: int,
    edm_tolerance: float,
) -> None:
    """From the accepted points of the slots that ask: finish, or set out on a step."""
    _solve_in_box(layout, numbers, box, s, w, slots)
    for slot in range(LANES):
        if slots.solving[0, slot] == 0.0:
            continue
        code = -1
        if w.indefinite[0, slot] > 0.0:
            if not _damp(layout, s, w, slots, slot):
                code = CODE_STALLED
            slots.solving[0, slot] = 0.0
        elif slots.edm[0, slot] <= edm_tolerance:
            slots.solving[0, slot] = 0.0
            if slots.turns[0, slot] < MAX_TURNS and _turn_sides(layout, box, s, slot):
                slots.point[0, slot] = OTHER_SIDE
            else:
                code = CODE_CONVERGED
                _polish(layout, box, s, w, slots, slot)
        elif slots.steps[0, slot] >= max_steps:
            code = CODE_MAX_STEPS
        if code >= 0:
            slots.solving[0, slot] = 0.0
            finish(layout, s, w, slots, slot, code, data)
    _stay_in_box(layout, numbers, box, s, w, slots)
    for slot in range(LANES):
        if slots.solving[0, slot] == 0.0:
            continue
        for p in range(layout.n_parameters):
            slots.direction[p, slot] = w.step[p, slot]
        slots.slope[0, slot] = _slope(layout, s, w, slot)
        slots.length[0, slot] = 1.0
        slots.halvings[0, slot] = 0.0
        if slots.slope[0, slot] < 0.0:
            _try_part(layout, box, s, slots, slot)
        elif not _damp(layout, s, w, slots, slot):
            finish(layout, s, w, slots, slot, CODE_STALLED, data)


@kernel
def _fit_lanes(
    layout: Layout,
    numbers: Numbers,
    box: Box,
    s: Scratch,
    w: System,
    slots: Slots,
    data: Data,
    first: int,
    stop: int,
    damping: float,
    max_steps: int,
    edm_tolerance: float,
) -> None:
    """Minimise lanes ``first`` to ``stop - 1``."""
    coming = first
    for slot in range(LANES):
        # Idle slots of a short batch compute along on its last lane, and are not listened to.
        begin(layout, box, s, w, slots, slot, min(first + slot, stop - 1), data, damping)
        if first + slot >= stop:
            slots.lane[0, slot] = -1.0
        else:
            coming += 1
    busy = coming - first
    while busy > 0:
        half, size = deviance(layout, numbers, s)
        store(slots.trial, 0, half)
        store(slots.size, 0, size)
        if layout.n_global <= FEW or _ask_for_derivatives(s, slots):  # few: quicker than to ask
            deviance_derivatives(layout, numbers, s)
        asking = False
        for slot in range(LANES):
            slots.solving[0, slot] = 0.0
            if slots.lane[0, slot] < 0.0:
                continue
            verdict = _judge(layout, box, s, w, slots, slot)
            if verdict >= 0:
                finish(layout, s, w, slots, slot, verdict, data)
            elif verdict == -1:
                slots.solving[0, slot] = 1.0
                asking = True
        if asking:
            _take_steps(layout, numbers, box, s, w, slots, data, max_steps, edm_tolerance)
        busy = 0
        for slot in range(LANES):
            if slots.lane[0, slot] < 0.0 and coming < stop:
                begin(layout, box, s, w, slots, slot, coming, data, damping)
                coming += 1
            if slots.lane[0, slot] >= 0.0:
                busy += 1


@kernel_entry
def _fit_entry(
    table: Integers, first: int, stop: int, damping: float, max_steps: int, edm_tolerance: float
) -> None:
    """Minimise lanes from a table of numbers and addresses."""
    layout, numbers = layout_at(table, 0), numbers_at(table, LAYOUT_WORDS)
    at = LAYOUT_WORDS + NUMBERS_WORDS
    s = scratch_at(table, at)
    at += SCRATCH_WORDS
    w = system_at(table, at)
    at += SYSTEM_WORDS
    slots = slots_at(table, at)
    at += SLOTS_WORDS
    box, data = box_at(table, at), data_at(table, at + BOX_WORDS)
    _fit_lanes(
        layout, numbers, box, s, w, slots, data, first, stop, damping, max_steps, edm_tolerance
    )


def kernel_is_compiled() -> bool:
    """Whether the first fit can start at once; otherwise it waits for the compiler."""
    return is_compiled(_fit_entry)


def fit_lanes(
    layout: Layout,
    numbers: Numbers,
    words: IndexArray,
    box: Box,
    data: Data,
    *,
    first: int,
    stop: int,
    damping: float,
    max_steps: int,
    edm_tolerance: float,
) -> None:
    """Minimise lanes ``first`` to ``stop - 1`` of ``data``, in place.

    All arrays must be C-ordered float64 and int64; each call uses working memory of its own, so
    calls on disjoint lanes may run in different threads.
    """
    memory = Memory((*scratch_sizes(layout, numbers), *system_sizes(layout), *slots_sizes(layout)))
    if JIT:
        table = table_with(words, memory, (*box, *data))
        _fit_entry(table, first, stop, damping, max_steps, edm_tolerance)
        return
    views = memory.views()
    flat = data._replace(
        counts=data.counts.reshape(-1),
        auxdata=data.auxdata.reshape(-1),
        parameters=data.parameters.reshape(-1),
        report=data.report.reshape(-1),
    )
    with np.errstate(all="ignore"):  # as compiled kernels do: what is not finite is data
        _fit_lanes(
            layout,
            numbers,
            box,
            Scratch(*views[:SCRATCH_WORDS]),
            System(*views[SCRATCH_WORDS : SCRATCH_WORDS + SYSTEM_WORDS]),
            Slots(*views[SCRATCH_WORDS + SYSTEM_WORDS :]),
            flat,
            first,
            stop,
            damping,
            max_steps,
            edm_tolerance,
        )
