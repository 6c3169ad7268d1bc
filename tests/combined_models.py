"""Small likelihoods of bins and events for tests: a workspace beside an HS3 document, joined."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from darkstats.model.combined.compilation import compile_likelihood
from darkstats.model.combined.model import CombinedModel
from darkstats.model.hs3_writing import hs3_document
from darkstats.workspace import read_workspace
from darkstats.workspace.hs3 import Hs3Document
from darkstats.workspace.hs3.joining import join_documents
from unbinned_models import bump

Item = dict[str, Any]


def binned_document() -> Item:
    """A workspace of two bins that shares ``mu`` and ``alpha`` with the bump; all modifiers."""
    mu = {"name": "mu", "type": "normfactor", "data": None}
    signal = {"name": "alpha", "type": "normsys", "data": {"hi": 1.1, "lo": 0.92}}
    background = [
        {"name": "alpha", "type": "normsys", "data": {"hi": 1.02, "lo": 0.97}},
        {"name": "bins", "type": "shapesys", "data": [5.0, 4.0]},
        {"name": "stat", "type": "staterror", "data": [2.0, 1.5]},
        {"name": "tilt", "type": "histosys", "data": {"hi_data": [53.0, 28.0],
                                                      "lo_data": [47.0, 31.0]}},
    ]  # fmt: skip
    return {
        "channels": [
            {
                "name": "SR",
                "samples": [
                    {"name": "signal", "data": [8.0, 5.0], "modifiers": [mu, signal]},
                    {"name": "bkg", "data": [50.0, 30.0], "modifiers": background},
                ],
            }
        ],
        "observations": [{"name": "SR", "data": [55.0, 31.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }


def as_hs3(workspace: Item) -> Hs3Document:
    """A workspace as an HS3 document."""
    read = read_workspace(json.dumps(workspace).encode())
    return Hs3Document.from_document(hs3_document(read), "bins")


def events_document(n: int = 400, seed: int = 3) -> Item:
    """The bump, with events of its own."""
    rng = np.random.default_rng(seed)
    x = np.concatenate([rng.exponential(0.5, n), rng.normal(0.5, 0.05, n // 40)])
    return bump(entries=[[float(value)] for value in x[(x > 0.0) & (x < 1.0)]])


def joined(left: Item | Hs3Document, right: Item | Hs3Document, **options: Any) -> Hs3Document:
    """One document of two, each an HS3 document."""
    sides = [
        one if isinstance(one, Hs3Document) else Hs3Document.from_document(one, "side")
        for one in (left, right)
    ]
    return Hs3Document.from_document(join_documents(*sides, **options)[0], "both")


def combined(left: Item | Hs3Document, right: Item | Hs3Document, **options: Any) -> CombinedModel:
    """The model of two."""
    model = compile_likelihood(joined(left, right, **options))
    assert isinstance(model, CombinedModel)
    return model


def usual() -> CombinedModel:
    """The bump beside the workspace of two bins."""
    return combined(events_document(), as_hs3(binned_document()))
