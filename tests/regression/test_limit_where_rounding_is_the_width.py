"""CLs+b where the Asimov value is rounding: no limit rests on it."""

from __future__ import annotations

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
