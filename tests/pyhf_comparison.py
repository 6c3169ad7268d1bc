"""Compare a compiled model with pyhf on one workspace; shared by the suite and the soak."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyhf

from darkstats.arrays import FloatArray
from darkstats.model import HistFactoryModel, InterpolationCodes, compile_workspace
from darkstats.workspace import Workspace

# Floating point differs in the order of sums and products of a few hundred terms: 1e-12; the
# stated tolerance of the project is 1e-10.
RELATIVE = 1e-10

CODES = (
    InterpolationCodes(),
    InterpolationCodes(normsys="code1", histosys="code0"),
    InterpolationCodes(normsys="code4", histosys="code2"),
)


def pyhf_model(document: dict[str, Any], codes: InterpolationCodes) -> pyhf.Model:
    """The same workspace in pyhf, both interpolation codes set."""
    settings = {
        "normsys": {"interpcode": codes.normsys},
        "histosys": {"interpcode": codes.histosys},
    }
    poi = document["measurements"][0]["config"]["poi"]
    return pyhf.Workspace(document).model(modifier_settings=settings, poi_name=poi or None)


def random_point(
    model: HistFactoryModel, rng: np.random.Generator, codes: InterpolationCodes
) -> FloatArray:
    """A point around the starting values, inside the ranges."""
    spread = np.array(
        [1.2 if p.constraint == "gaussian" and p.init == 0.0 else 0.1 for p in model.parameters]
    )
    point = model.inits + rng.normal(size=model.n_parameters) * np.where(model.fixed, 0.0, spread)
    point = np.clip(point, model.lower, model.upper)
    if codes.histosys == "code2":
        # pyhf 0.7.6 extrapolates code2 with a jump at one sigma; HistFactory and darkstats do not.
        point = np.where(spread > 1.0, np.clip(point, -1.0, 1.0), point)
    return point


def disagreement(
    document: dict[str, Any], codes: InterpolationCodes, rng: np.random.Generator
) -> float:
    """Largest relative difference in expected events, auxiliary data and log-density."""
    workspace = Workspace.from_document(document)
    mine = compile_workspace(workspace, interpolation=codes)
    theirs = pyhf_model(document, codes)
    order = [mine.parameter_index(name) for name in theirs.config.par_names]
    assert len(order) == mine.n_parameters
    places = {channel.name: slice(channel.start, channel.stop) for channel in mine.channels}
    data = np.asarray(pyhf.Workspace(document).data(theirs))
    worst = 0.0
    for point in (mine.inits, random_point(mine, rng, codes)):
        expected = np.asarray(theirs.expected_actualdata(point[order]))
        found = mine.expected_rates(point)
        found = np.concatenate([found[places[name]] for name in theirs.config.channels])
        worst = max(
            worst, float(np.max(np.abs(found - expected) / np.maximum(np.abs(expected), 1e-3)))
        )
        if not theirs.config.auxdata_order:  # expected_auxdata of pyhf 0.7.6 raises IndexError
            auxdata = np.empty(0)
        else:
            auxdata = np.asarray(theirs.expected_auxdata(point[order]))
        auxiliary = mine.expected_auxdata(point)
        names = [n for s in theirs.config.auxdata_order for n in _members(theirs, s)]
        found_aux = np.array([auxiliary[mine.parameter_index(name)] for name in names])
        if names:
            worst = max(
                worst,
                float(np.max(np.abs(found_aux - auxdata) / np.maximum(np.abs(auxdata), 1e-3))),
            )
        if np.all(expected > 0.0):
            density = float(np.asarray(theirs.logpdf(point[order], data))[0])
            mine_density = mine.log_density(point, mine.observation)
            worst = max(worst, abs(mine_density - density) / max(1.0, abs(density)))
    return worst


def _members(model: pyhf.Model, name: str) -> list[str]:
    parameter_set = model.config.param_set(name)
    if parameter_set.is_scalar:
        return [name]
    return [f"{name}[{i}]" for i in range(parameter_set.n_parameters)]
