"""Impacts of groups against iminuit on pyhf's likelihood: HESSE errors with the group fixed."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from darkstats import workflows as w


def test_groups_against_minuit(example_workspaces: dict[str, Path]) -> None:
    """Total, statistical and grouped errors agree with those of MIGRAD and HESSE to 0.5 %."""
    pyhf = pytest.importorskip("pyhf")
    iminuit = pytest.importorskip("iminuit")
    path = example_workspaces["three_channels"]
    model_request = w.ModelRequest(workspace=w.WorkspaceRequest(source=str(path)))
    groups = (("rates", "*_norm"), ("templates", "staterror_*"), ("energy", "energy_scale"))
    found = w.rank(w.RankRequest(model=model_request, groups=groups)).result
    assert found.budget is not None

    workspace = pyhf.Workspace(json.loads(path.read_text("utf-8")))
    model = workspace.model()
    data = workspace.data(model)
    names = model.config.par_names
    bounds = [
        (-10.0, 10.0) if name == "mu" else limits
        for name, limits in zip(names, model.config.suggested_bounds(), strict=True)
    ]

    def error(fixed: dict[str, float]) -> tuple[float, dict[str, float]]:
        def deviance(point: np.ndarray) -> float:
            return float(-2.0 * model.logpdf(point, data)[0])

        minuit = iminuit.Minuit(deviance, np.array(model.config.suggested_init()), name=names)
        minuit.errordef = 1.0
        minuit.limits = bounds
        minuit.tol = 1e-3
        for name, value in fixed.items():
            minuit.values[name] = value
            minuit.fixed[name] = True
        minuit.migrad()
        minuit.hesse()
        assert minuit.valid
        return float(minuit.errors["mu"]), minuit.values.to_dict()

    total, best = error({})
    assert found.budget.total == pytest.approx(total, rel=5e-3)
    for group in found.budget.groups:
        frozen, _ = error({name: best[name] for name in group.parameters})
        assert group.frozen_error == pytest.approx(frozen, rel=5e-3)
        assert group.impact == pytest.approx(math.sqrt(total**2 - frozen**2), rel=0.05)
    constrained = [p.name for p in found.fit.model.parameters if p.constrained]
    statistical, _ = error({name: best[name] for name in constrained})
    assert found.budget.statistical == pytest.approx(statistical, rel=5e-3)
