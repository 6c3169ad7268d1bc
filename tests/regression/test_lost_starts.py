"""Starts that get lost: the same retry is made once, however many starts want it."""

from __future__ import annotations

from typing import Any

import pytest

from darkstats.errors import FitFailedError
from darkstats.fit import fit, ladder
from darkstats.model import HistFactoryModel
from small_models import compiled

BINS = [100.1402, 150.1261, 120.0114, 85.1742, 150.7552]


def lost() -> HistFactoryModel:
    """No events, free factors that go to zero, and staterrors that leave a long flat valley."""
    background = {
        "name": "background",
        "data": BINS,
        "modifiers": [
            {
                "name": "shape",
                "type": "histosys",
                "data": {
                    "lo_data": [86.3484, 149.7721, 111.9878, 68.3367, 135.5645],
                    "hi_data": [117.8112, 162.5313, 137.4425, 92.3906, 154.7754],
                },
            },
            {
                "name": "other_shape",
                "type": "histosys",
                "data": {
                    "lo_data": [95.7206, 134.6087, 116.0244, 75.5275, 130.884],
                    "hi_data": [111.0587, 157.7717, 124.8871, 88.7013, 159.1749],
                },
            },
            {
                "name": "stat",
                "type": "staterror",
                "data": [24.0476, 5.455, 10.0637, 23.4484, 16.0828],
            },
            {"name": "norm", "type": "normsys", "data": {"lo": 0.8765, "hi": 1.3637}},
            {"name": "free", "type": "shapefactor", "data": None},
        ],
    }
    signal = {
        "name": "signal",
        "data": [27.5616, 23.8702, 26.0008, 29.0594, 26.7237],
        "modifiers": [
            {"name": "mu", "type": "normfactor", "data": None},
            {
                "name": "shape",
                "type": "histosys",
                "data": {
                    "lo_data": [26.4416, 20.622, 20.9586, 28.6508, 23.2424],
                    "hi_data": [28.3062, 24.2583, 26.9082, 31.9597, 30.2834],
                },
            },
        ],
    }
    other = {
        "name": "background",
        "data": [76.2324, 197.482, 90.0385],
        "modifiers": [
            {"name": "shapesys", "type": "shapesys", "data": [8.2898, 69.0183, 24.8724]},
            {
                "name": "shape",
                "type": "histosys",
                "data": {
                    "lo_data": [73.7751, 176.3644, 77.2527],
                    "hi_data": [76.8487, 200.5181, 92.9408],
                },
            },
            {"name": "stat_other", "type": "staterror", "data": [18.7746, 30.1197, 7.836]},
        ],
    }
    parameters = [{"name": "stat_other", "inits": [1.1917, 1.1267, 1.1289]}]
    return compiled(
        {
            "version": "1.0.0",
            "channels": [
                {"name": "one", "samples": [background, signal]},
                {"name": "two", "samples": [other]},
            ],
            "observations": [{"name": "one", "data": [0] * 5}, {"name": "two", "data": [0] * 3}],
            "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": parameters}}],
        }
    )


@pytest.fixture
def migrads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many steps each call of iminuit was allowed."""
    calls: list[int] = []
    real = ladder._minuit_point

    def counted(*words: Any, most_calls: int) -> Any:
        calls.append(most_calls)
        return real(*words, most_calls=most_calls)

    monkeypatch.setattr(ladder, "_minuit_point", counted)
    return calls


@pytest.mark.parametrize(("mu", "most"), [(0.0288, 2), (0.0557, 1), (0.1, 1)])
def test_the_same_fit_is_rescued_once(migrads: list[int], mu: float, most: int) -> None:
    """More starts are tried before the ladder, and on it starts of one fit are one: 7, 2, 2 before.

    At the first strength no minimum can be certified, and fits climb twice: from a few starts, and
    from many.
    """
    model = lost()
    try:
        fit(model, model.observation, poi_value=mu)
    except FitFailedError:
        assert mu == 0.0288
    assert len(migrads) <= most
