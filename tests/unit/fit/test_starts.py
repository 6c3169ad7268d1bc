"""Where fits start."""

from __future__ import annotations

import numpy as np
import pytest

from darkstats.fit.lanes import Problem
from darkstats.fit.starts import FARTHEST, jittered_starts
from darkstats.model import Model, compile_workspace
from darkstats.workspace import Workspace


def with_variations(n: int) -> Model:
    """A counting experiment whose background has ``n`` systematic variations."""
    size = {"hi": 1.1, "lo": 0.9}
    modifiers = [{"name": f"s{i}", "type": "normsys", "data": size} for i in range(n)]
    strength = [{"name": "mu", "type": "normfactor", "data": None}]
    document = {
        "channels": [{"name": "SR", "samples": [
            {"name": "bkg", "data": [50.0], "modifiers": modifiers},
            {"name": "signal", "data": [5.0], "modifiers": strength}]}],
        "observations": [{"name": "SR", "data": [50.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }  # fmt: skip
    return compile_workspace(Workspace.from_document(document, "variations"))


@pytest.mark.parametrize(("n", "expected"), [(40, np.sqrt(40.0)), (400, FARTHEST)])
def test_random_starts_of_many_parameters_stay_in_reach(n: int, expected: float) -> None:
    """One standard deviation each, and no further than ten of them in all.

    The root of a chi-square of n degrees of freedom over n has a relative spread of 1/sqrt(2 n),
    the mean over 400 of them of that over 20: 0.6% at n = 40, so 3% is five of those.
    """
    model = with_variations(n)
    problem = Problem.of(model, fix_poi=True, fixed={}, poi_lower=None, poi_upper=None)
    held = model.inits
    starts = jittered_starts(problem, held, 400, key=1)
    distances = np.linalg.norm(starts - held, axis=1)
    assert np.mean(distances) == pytest.approx(expected, rel=0.03)
    assert np.all(starts[:, model.require_poi()] == held[model.require_poi()])
