"""CLs+b where the Asimov value is rounding: no limit rests on it."""

from __future__ import annotations

import math
from typing import Any

import pytest

from darkstats.inference import upper_limit
from small_models import compiled

SIGNAL = {
    "name": "signal",
    "data": [1.4794, 1.80896, 0.590228, 1.4295],
    "modifiers": [
        {"name": "mu", "type": "normfactor", "data": None},
        {
            "name": "shape",
            "type": "histosys",
            "data": {
                "hi_data": [0.59176, 1.62806, 0.826319, 2.71605],
                "lo_data": [2.36704, 1.98986, 0.354137, 0.14295],
            },
        },
    ],
}
BACKGROUND = {
    "name": "background",
    "data": [4.02365, 3.145, 4.44051, 10.3375],
    "modifiers": [
        {"name": "yield", "type": "normsys", "data": {"hi": 4.67566, "lo": 0.573438}},
        {
            "name": "shape",
            "type": "histosys",
            "data": {
                "hi_data": [1.60946, 2.8305, 6.21671, 19.6412],
                "lo_data": [6.43784, 3.4595, 2.66431, 1.03375],
            },
        },
    ],
}


def test_cls_plus_b_of_no_event_over_many_expected() -> None:
    """The data lie 3.7 units of deviance below: every strength above rounding is excluded, so 0.

    At strengths below 5e-4 the Asimov value is exactly zero in floating-point numbers, and CLs+b
    was taken for one half: a limit of 5.2e-4 was printed, where CLs+b is 0.01.
    """
    model = compiled(
        {
            "channels": [{"name": "c", "samples": [SIGNAL, BACKGROUND]}],
            "observations": [{"name": "c", "data": [0.0] * 4}],
            "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
            "version": "1.0.0",
        }
    )
    found = upper_limit(model, model.observation, method="clsb", probe=False)
    assert found.observed == 0.0
    assert any("excludes every positive signal strength" in note for note in found.warnings)
    constrained = upper_limit(model, model.observation, method="pcl", probe=False)
    assert constrained.observed == pytest.approx(constrained.expected[1], rel=1e-9)
    assert constrained.power_constrained


def counting(observed: float, *, least: float) -> dict[str, Any]:
    """A free background of 75 beside one of 25: it makes up for a signal down to its end."""
    free = {"name": "free", "inits": [1.0], "bounds": [[least, 1.25]]}
    return {
        "channels": [
            {
                "name": "c",
                "samples": [
                    {
                        "name": "signal",
                        "data": [10.0],
                        "modifiers": [{"name": "mu", "type": "normfactor", "data": None}],
                    },
                    {
                        "name": "background",
                        "data": [75.0],
                        "modifiers": [{"name": "free", "type": "normfactor", "data": None}],
                    },
                    {"name": "other", "data": [25.0], "modifiers": []},
                ],
            }
        ],
        "observations": [{"name": "c", "data": [observed]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": [free]}}],
        "version": "1.0.0",
    }


@pytest.mark.parametrize(
    ("observed", "least"), [(124.0, 0.5), (100.0, 0.5), (70.0, 0.5), (60.0, 0.2)]
)
@pytest.mark.parametrize("method", ["clsb", "pcl"])
def test_strengths_that_a_free_background_makes_up_for_are_allowed(
    observed: float, least: float, method: str
) -> None:
    """Over a wide stretch both values are rounding; the limit is a root behind it, no zero.

    There the background rests at its end, b, and the limit is that of a counting experiment whose
    best fit is anywhere below n - b: q = 2 (mu s + b - n + n log(n / (mu s + b))).
    """
    model = compiled(counting(observed, least=least))
    found = upper_limit(model, model.observation, method=method, probe=False)
    background = 75.0 * least + 25.0
    middle = min(max(observed, background), 118.75)
    asimov = 100.0 if observed <= 0.0 else middle

    def q(n: float, mu: float) -> float:
        rate = 10.0 * mu + background
        return 0.0 if rate <= n else 2.0 * (rate - n + n * math.log(n / rate))

    def height(mu: float) -> float:
        root, a = math.sqrt(q(observed, mu)), math.sqrt(q(asimov, mu))
        z = root if root <= a else 0.5 * (root * root / a + a)
        return 1.6448536269514722 - z

    low, high = (asimov - background) / 10.0 + 1e-9, 100.0
    for _ in range(200):
        half = 0.5 * (low + high)
        low, high = (half, high) if height(half) > 0.0 else (low, half)
    assert found.observed == pytest.approx(low, rel=1e-6)


def test_data_below_the_least_background_allow_nothing() -> None:
    """Fewer events than the background at its lower end: there is nothing it makes up for."""
    model = compiled(counting(20.0, least=0.5))
    found = upper_limit(model, model.observation, method="clsb", probe=False)
    assert found.observed == 0.0
