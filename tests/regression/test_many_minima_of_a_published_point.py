"""A published point whose jets' energy scales have a minimum on either side, each of six."""

from __future__ import annotations

from pathlib import Path

import pytest

from darkstats.fit import FitOptions, fit, fit_batch
from darkstats.fit.lanes import Problem
from darkstats.fit.starts import jittered_starts
from darkstats.inference.asimov import asimov_data
from darkstats.model import compile_workspace
from darkstats.workspace import read_workspace

STRENGTH = 3.6974101951507663  # where the search for the limit at +2 sigma asked
MANY = 1500


def test_the_lowest_of_many_minima_is_that_of_brute_force(reference_data: Path) -> None:
    """Six of a thousand random starts reach it; the fit does, and says how many it needed."""
    archive = next((reference_data / "atlas_susy_2018_31").glob("*.tar.gz"))
    model = compile_workspace(
        read_workspace(
            f"{archive}:RegionA/BkgOnly.json",
            patches=[f"{archive}:RegionA/patch.sbottom_850_180_50.json"],
        )
    )
    data = asimov_data(model, model.observation)[0]
    found = fit(model, data, poi_value=STRENGTH)
    problem = Problem.of(model, fix_poi=True, fixed={}, poi_lower=None, poi_upper=None)
    held = model.inits
    held[model.require_poi()] = STRENGTH
    counts, auxdata = model.stack([data] * MANY)
    brute = fit_batch(
        model, counts, auxdata, poi_values=STRENGTH,
        start=jittered_starts(problem, held, MANY, key=77),
        options=FitOptions(edm_tolerance=1e-12, fallback=False),
    ).lowest()  # fmt: skip
    assert brute is not None
    assert found.twice_nll == pytest.approx(brute.twice_nll, abs=1e-6)
