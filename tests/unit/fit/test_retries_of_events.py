"""What fits of events do again where they fail: every look is dear, none is taken twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from darkstats.errors import FitFailedError
from darkstats.fit import FitOptions, FitStatus, batch, fit, fit_batch, ladder
from darkstats.fit.lanes import Lanes
from darkstats.fit.slots import CODE_MAX_STEPS, CODE_NOT_FINITE, CODE_STALLED
from darkstats.model.unbinned.model import UnbinnedModel
from unbinned_models import bump, compiled, thrown


@dataclass
class Kernel:
    """Fails from wherever it starts, and remembers from where it was asked to."""

    code: int = CODE_MAX_STEPS
    calls: list[tuple[float, np.ndarray]] = field(default_factory=list)

    def __call__(self, *words: Any, damping: float = 0.0, **_: Any) -> Lanes:
        starts = words[3]
        self.calls.append((damping, starts.copy()))
        lanes = Lanes.starting_at(starts)
        lanes.edm[:] = np.inf
        lanes.report[:] = 0
        lanes.report[:, 0] = self.code
        lanes.rounds = 10
        return lanes

    def lanes_damped_by(self, damping: float) -> list[int]:
        return [len(starts) for used, starts in self.calls if used == damping]


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    found = Kernel()
    monkeypatch.setattr(batch, "run_kernel", found)
    monkeypatch.setattr(ladder, "run_kernel", found)
    monkeypatch.setattr(ladder, "_minuit_point", lambda *words, **_: (words[3], 10))
    return found


@pytest.fixture
def model() -> UnbinnedModel:
    return compiled(bump())


def test_the_own_start_is_tried_once(kernel: Kernel, model: UnbinnedModel) -> None:
    """By two starts of a fit that share their events, and not by twenty more after them."""
    with pytest.raises(FitFailedError, match=r"from 2\d starts") as caught:
        fit(model, model.observation)
    assert caught.value.spent
    assert kernel.lanes_damped_by(1.0) == [1]
    assert kernel.lanes_damped_by(0.1) == [1] * ladder.N_JITTERED


def test_further_starts_are_tried_themselves(kernel: Kernel, model: UnbinnedModel) -> None:
    """What is new in them is looked at, whatever is known of the own start."""
    options = FitOptions(from_own_start=False)
    starts = model.inits + np.array([[0.0], [0.1], [0.2]])
    data, auxdata = model.stack([model.observation] * 3)
    found = fit_batch(model, data, auxdata, start=starts, poi_values=1.0, options=options)
    assert [len(starts) for _, starts in kernel.calls] == [3]
    assert found.spent.all()


@pytest.mark.parametrize("code", [CODE_STALLED, CODE_NOT_FINITE])
def test_an_end_is_not_looked_for_twice(kernel: Kernel, model: UnbinnedModel, code: int) -> None:
    """The first retry repeats the first attempt where that began at the own start."""
    kernel.code = code
    data, auxdata = model.stack([model.observation])
    found = fit_batch(model, data, auxdata, poi_values=1.0)
    assert kernel.lanes_damped_by(0.0)[:2] == [1, 1]  # the attempt, and that after iminuit
    assert [used for used, _ in kernel.calls[:3]] == [0.0, 1.0, 0.0]
    assert found.status[0] == {CODE_STALLED: FitStatus.STALLED}.get(code, FitStatus.NOT_FINITE)


def test_lanes_of_other_events_are_tried_by_themselves(
    kernel: Kernel, model: UnbinnedModel
) -> None:
    """Toys share nothing, and what is known of one says nothing about another."""
    toys = [thrown(model, model.inits, seed=seed) for seed in range(3)]
    data, auxdata = model.stack(toys)
    found = fit_batch(model, data, auxdata, poi_values=1.0)
    assert kernel.lanes_damped_by(1.0) == [3]
    assert found.spent.all()


def test_quick_fits_know_nothing(kernel: Kernel, model: UnbinnedModel) -> None:
    """Without the ladder nothing is proved about the own start."""
    data, auxdata = model.stack([model.observation])
    found = fit_batch(model, data, auxdata, poi_values=1.0, options=FitOptions(fallback=False))
    assert not found.spent.any()
