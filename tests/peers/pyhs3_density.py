"""The log-likelihood of an HS3 document as pyhs3 evaluates it, and points to evaluate it at."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np

from darkstats.model import HistFactoryModel

Item = dict[str, Any]


def their_density(pyhs3: Any, document: Item, point: np.ndarray) -> float:
    """The log-likelihood of the first analysis as pyhs3 evaluates it."""
    from pyhs3.compile import function
    from pytensor.graph.traversal import explicit_graph_inputs

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        workspace = pyhs3.Workspace(**json.loads(json.dumps(document)))
        analysis = workspace.analyses[document["analyses"][0]["name"]]
        model = workspace.model(analysis, progress=False, mode="FAST_COMPILE")
        inputs = {v.name: v for v in explicit_graph_inputs([model.log_prob])}
        evaluate = function(list(inputs.values()), model.log_prob)
    listed = document["parameter_points"][0]["parameters"]
    values = dict(zip((one["name"] for one in listed), point, strict=True))
    return float(np.ravel(evaluate(*(np.asarray(values[name]) for name in inputs)))[0])


def a_point(model: HistFactoryModel, seed: int, largest: float = 0.3) -> np.ndarray:
    """A point near the start; held parameters stay, for pyhs3 has them as constants."""
    rng = np.random.default_rng(seed)
    step = rng.uniform(-largest, largest, model.n_parameters)
    moved = [p.init if p.fixed else min(max(p.init + s, p.lower), p.upper)
             for p, s in zip(model.parameters, step, strict=True)]  # fmt: skip
    return np.array(moved)
