"""Likelihoods with a minimum on either side of each of many parameters: two to their number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.fit import FitOptions, mle
from darkstats.fit.batch import BatchFit
from darkstats.fit.lanes import Problem
from darkstats.fit.starts import mirrored_starts
from darkstats.model import HistFactoryModel
from small_models import compiled

if TYPE_CHECKING:
    import pytest


def _wells(sizes: list[float], observed: list[float]) -> HistFactoryModel:
    """One bin for each parameter, whose variations both raise it; the likelihood factorises."""
    n = len(sizes)
    modifiers: list[dict[str, Any]] = []
    for i, size in enumerate(sizes):
        low, high = np.full(n, 100.0), np.full(n, 100.0)
        low[i], high[i] = 100.0 + size, 100.0 + 0.97 * size
        data = {"lo_data": low.tolist(), "hi_data": high.tolist()}
        modifiers.append({"name": f"w{i}", "type": "histosys", "data": data})
    samples = [
        {"name": "background", "data": [100.0] * n, "modifiers": modifiers},
        {
            "name": "signal",
            "data": [1.0] * n,
            "modifiers": [{"name": "mu", "type": "normfactor", "data": None}],
        },
    ]
    return compiled(
        {
            "channels": [{"name": "c", "samples": samples}],
            "observations": [{"name": "c", "data": observed}],
            "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
            "version": "1.0.0",
        }
    )


class _Wells:
    """Fits that end in the well in which they start, at -1 or 1 of each parameter."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.model = _wells([30.0] * 9, [150.0] * 9)
        self.problem = Problem.of(
            self.model, fix_poi=True, fixed={}, poi_lower=None, poi_upper=None
        )
        self.columns = [self.model.parameter_index(f"w{i}") for i in range(9)]
        self.rises = np.random.default_rng(4).uniform(0.1, 1.0, 9)  # of the well at -1
        self.turns: list[float] = []
        monkeypatch.setattr(mle, "MORE_STARTS", 2)
        monkeypatch.setattr(mle, "NEARBY", 0.01)
        monkeypatch.setattr(mle, "cancels", lambda *_: False)
        nothing = np.empty((0, self.model.n_parameters))
        monkeypatch.setattr(mle, "_lower_places", lambda *_: (nothing, np.nan, 0))

    def fits(self, points: np.ndarray, *_: object) -> BatchFit:
        parameters = points.copy()
        parameters[:, self.columns] = np.where(points[:, self.columns] < 0.0, -1.0, 1.0)
        values = (parameters[:, self.columns] < 0.0) @ self.rises
        self.turns.append(float(values.min()))
        zeros = np.zeros(len(points))
        return BatchFit(
            parameters=parameters, twice_nll=values, limiting=values, ends=parameters,
            first_ends=parameters, edm=zeros, min_rate=zeros + 1.0,
            steps=zeros.astype(int), flat=zeros.astype(int), rung=zeros.astype(int),
            status=zeros.astype(int), spent=zeros.astype(bool),
        )  # fmt: skip

    def search(self) -> BatchFit:
        start = self.model.inits
        start[self.columns] = -1.0
        other = start.copy()
        other[self.columns[0]] = 1.0
        first = self.fits(np.array([start, other]))
        return mle._among_many(
            self.problem, self.model.observation, first, self.fits, FitOptions(),
            held=self.model.inits, starts=start[np.newaxis],
        )[0]  # fmt: skip


def test_the_lowest_of_very_many_minima_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 512 minima the lowest, turning one parameter after the other; and it is found twice."""
    monkeypatch.setattr(mle, "MORE_KEYS", tuple(range(6, 30, 2)))
    wells = _Wells(monkeypatch)
    found = wells.search().lowest()
    assert found is not None
    assert (found.twice_nll, found.agreeing() > 1) == (0.0, True)
    assert len(wells.turns) > 3
    assert wells.turns == sorted(wells.turns, reverse=True)
    assert wells.turns[-2:] == [0.0, 0.0]  # the last search found nothing lower


def test_what_does_not_settle_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the searches end while something lower turns up, the first fits stand: found once."""
    monkeypatch.setattr(mle, "MORE_KEYS", (6, 8))
    found = _Wells(monkeypatch).search().lowest()
    assert found is not None
    assert (found.tried, found.agreeing()) == (2, 1)


def test_mirrored_starts_turn_one_parameter_each() -> None:
    """The one furthest out comes first; the others stay, and so does what is held."""
    model = _wells([30.0, 30.0, 30.0], [150.0] * 3)
    problem = Problem.of(model, fix_poi=True, fixed={"w1": 2.0}, poi_lower=None, poi_upper=None)
    point = model.inits
    point[[model.parameter_index(name) for name in ("w0", "w1", "w2")]] = [0.5, 2.0, -1.0]
    starts = mirrored_starts(problem, point)
    columns = [model.parameter_index(name) for name in ("w0", "w1", "w2")]
    assert starts[:, columns].tolist() == [[0.5, 2.0, 1.0], [-0.5, 2.0, -1.0]]
