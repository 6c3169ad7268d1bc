"""Recognise a counting experiment in a compiled model, and take its nuisance parameters apart.

A *term* is one sample in one bin. Its rate is a number of events times a factor of each nuisance
parameter that acts on it. Parameters that act on the same terms, each by one and the same factor,
count only through their product: a dozen normsys become one variable. What is left falls into

* the *signal factor*: acts on all signal terms and on nothing else, so that the likelihood sees
  only its product with the signal strength;
* *private* variables: act on background in one bin only;
* *shared* variables: all others.

A model is recognised if few of them are left: then the integral over all nuisance parameters is a
small sum, exact to the digits that are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from darkstats.model.acting import signal_components

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray, IndexArray
    from darkstats.model.base import BinnedModel

__all__ = ["CountingPlan", "Term", "Variable", "recognise", "structure_key"]

MOST_BINS = 4
MOST_SHARED = 3
MOST_PRIVATE = 3


@dataclass(frozen=True, slots=True)
class Term:
    """One sample in one bin.

    ``at`` is the place of its events in the flat array of nominal rates, ``constants`` are fixed
    factors: (parameter, normsys row or -1).
    """

    bin: int
    at: int
    signal: bool
    constants: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """Parameters that count through the product of their factors, and the terms they act on.

    ``actions`` has, for each parameter, what it does: (parameter, normsys row, histosys place), -1
    where it does not act so; (-1, -1) is a linear factor. ``by_term`` has the same for each term
    where the one parameter of the variable acts differently on its terms. ``free`` marks a
    parameter without constraint, which is never merged with others.
    """

    terms: tuple[int, ...]
    actions: tuple[tuple[int, int, int], ...]
    by_term: tuple[tuple[int, int, int], ...] = ()
    free: bool = False

    @property
    def parameters(self) -> tuple[int, ...]:
        """The parameters."""
        return tuple(dict.fromkeys(p for p, _, _ in (*self.actions, *self.by_term)))


@dataclass(frozen=True, slots=True, kw_only=True)
class CountingPlan:
    """How the integral over nuisance parameters is done.

    Parameters
    ----------
    bins
        Bins that count, as indices of the model.
    terms
        All terms with events.
    signal
        Variables that make the signal factor.
    private
        Variables of each bin. Shape [bin][variable].
    shared
        The other variables.
    """

    bins: tuple[int, ...]
    terms: tuple[Term, ...]
    signal: tuple[Variable, ...]
    private: tuple[tuple[Variable, ...], ...]
    shared: tuple[Variable, ...]


def structure_key(model: BinnedModel) -> bytes:
    """Equal for models that differ in numbers only, and in no equality between normsys factors."""
    layout = model.layout
    arrays = [field for field in layout if isinstance(field, np.ndarray)]
    rows = np.asarray(model.numbers.normsys).reshape(-1, 8)
    classes = _row_classes(rows)
    empty = np.asarray(model.numbers.nominal) == 0.0
    fixed = model.fixed
    words = np.array(
        [layout.n_bins, layout.normsys_code, layout.histosys_code, model.require_poi()]
    )
    parts = [*arrays, classes, empty, fixed, model.masked_bins, words]
    return b"|".join(part.tobytes() for part in parts)


def _row_classes(rows: FloatArray) -> IndexArray:
    """For each normsys the first one with the same coefficients."""
    if not len(rows):
        return np.zeros(0, dtype=np.int64)
    same = (rows[:, np.newaxis, :2] == rows[np.newaxis, :, :2]).all(axis=2)
    result: IndexArray = np.argmax(same, axis=1)
    return result


def recognise(model: BinnedModel) -> CountingPlan | None:
    """Return the plan of a counting experiment, or None: then another engine is needed."""
    poi = model.require_poi()
    layout = model.layout
    bins = tuple(int(b) for b in np.flatnonzero(~model.masked_bins))
    if not 1 <= len(bins) <= MOST_BINS:
        return None
    rows = _row_classes(np.asarray(model.numbers.normsys).reshape(-1, 8))
    signal = set(signal_components(layout, poi))
    terms: list[Term] = []
    acting: dict[int, dict[int, tuple[int, int, int]]] = {}
    for k in range(layout.n_components):
        for b in range(layout.component_start[k], layout.component_stop[k]):
            if b not in bins:
                continue
            place = int(layout.component_offset[k] + b - layout.component_start[k])
            found = _factors(model, k, int(b), rows, poi, signal=k in signal)
            if found is None:
                return None
            varying, constants = found
            if model.numbers.nominal[place] == 0.0:
                if any(h >= 0 for _, _, h in varying):
                    return None
                continue
            for action in varying:
                acting.setdefault(action[0], {})[len(terms)] = action
            terms.append(
                Term(bins.index(int(b)), place, signal=k in signal, constants=tuple(constants))
            )
    free = {p for p, parameter in enumerate(model.parameters) if not parameter.constrained}
    return _plan(bins, tuple(terms), acting, free)


def _factors(
    model: BinnedModel, k: int, b: int, rows: IndexArray, poi: int, *, signal: bool
) -> tuple[list[tuple[int, int, int]], list[tuple[int, int]]] | None:
    """Free and fixed factors of one component in one bin; None where they make no counting term."""
    layout, fixed = model.layout, model.fixed
    place = b - int(layout.component_start[k])
    factors = [
        (int(layout.factor_parameter[f]), int(layout.factor_normsys[f]))
        for f in range(layout.factor_begin[k], layout.factor_begin[k + 1])
    ]
    strengths = [row for p, row in factors if p == poi]
    factors = [(p, int(rows[row]) if row >= 0 else -1) for p, row in factors if p != poi]
    factors += [
        (int(layout.binfactor_parameter[j]) + place, -1)
        for j in range(layout.binfactor_begin[k], layout.binfactor_begin[k + 1])
    ]
    shifts = [
        (int(layout.histosys_parameter[h]), int(layout.histosys_offset[h]) + place)
        for h in range(layout.histosys_begin[k], layout.histosys_begin[k + 1])
    ]
    odd, even = model.numbers.shift_odd, model.numbers.shift_even
    moving = [(p, at) for p, at in shifts if odd[at] != 0.0 or even[at] != 0.0]
    names = [p for p, _ in (*factors, *moving)]
    if (
        strengths != ([-1] if signal else [])  # the signal strength itself, once
        or poi in names
        or len(names) != len(set(names))
        or len(moving) > 1  # shifts add up: their product would be another model
        or any(fixed[p] for p, _ in moving)
    ):
        return None
    varying = [(p, row, -1) for p, row in factors if not fixed[p]]
    varying += [(p, -1, at) for p, at in moving]
    return varying, [(p, row) for p, row in factors if fixed[p]]


def _plan(
    bins: tuple[int, ...],
    terms: tuple[Term, ...],
    acting: dict[int, dict[int, tuple[int, int, int]]],
    free: set[int],
) -> CountingPlan | None:
    merged: dict[tuple[int, ...], list[tuple[int, int, int]]] = {}
    variables: list[Variable] = []
    for p, actions in acting.items():
        where = tuple(actions)
        if p in free:
            if any(row >= 0 or shift >= 0 for _, row, shift in actions.values()):
                return None
            variables.append(Variable(where, (next(iter(actions.values())),), free=True))
        elif len(set(actions.values())) == 1:
            merged.setdefault(where, []).append(next(iter(actions.values())))
        else:
            variables.append(Variable(where, (), tuple(actions.values())))
    variables += [Variable(where, tuple(group)) for where, group in merged.items()]
    all_signal = {i for i, term in enumerate(terms) if term.signal}
    signal: list[Variable] = []
    shared: list[Variable] = []
    private: list[list[Variable]] = [[] for _ in bins]
    for variable in variables:
        touched = {terms[i].bin for i in variable.terms}
        if set(variable.terms) == all_signal and not variable.by_term:
            signal.append(variable)
        elif (
            len(touched) == 1
            and not variable.free
            and not any(terms[i].signal for i in variable.terms)
        ):
            private[touched.pop()].append(variable)
        else:
            shared.append(variable)
    if len(shared) > MOST_SHARED or any(len(group) > MOST_PRIVATE for group in private):
        return None
    return CountingPlan(
        bins=bins,
        terms=terms,
        signal=tuple(signal),
        private=tuple(tuple(group) for group in private),
        shared=tuple(shared),
    )
