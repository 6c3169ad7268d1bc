"""Bins and events in one likelihood, beside pyhf for the bins and zfit for the events.

The sum of their logarithms, built by each from its own document, at random points: 1e-12 relative.
CLs of that sum at our limit, by the formulas of arXiv:1007.1727: 1e-4.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pyhf
import pytest
import scipy.stats

from combined_models import as_hs3, binned_document, combined, events_document
from darkstats.fit import fit
from darkstats.inference import upper_limit
from darkstats.model.combined.model import CombinedModel
from darkstats.workspace.hs3 import Hs3Document

pytestmark = pytest.mark.filterwarnings("ignore")
NO_ZFIT = "zfit is not installed: pip install 'darkstats[unbinned]'"


class Peers:
    """The same likelihood in pyhf and zfit; ``alpha`` is one parameter, constrained once."""

    def __init__(self, model: CombinedModel) -> None:
        from darkstats.model.unbinned.zfit_model import import_zfit, zfit_likelihood

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import_zfit()
        self.names = list(model.parameter_names)
        self.events = zfit_likelihood(Hs3Document.from_document(events_document(), "events"))
        workspace = pyhf.Workspace(binned_document())
        self.bins = workspace.model(
            modifier_settings={"normsys": {"interpcode": "code4"},
                               "histosys": {"interpcode": "code4p"}}
        )  # fmt: skip
        self.data = workspace.data(self.bins)
        self.of_events = [self.names.index(name) for name in ("mu", "nb", "c", "alpha")]
        labels = [label.replace("[", "_").rstrip("]") for label in self.bins.config.par_names]
        self.of_bins = [self.names.index(label) for label in labels]

    def nll(self, point: np.ndarray, events: Any, data: np.ndarray | None = None) -> float:
        """Negative logarithm of the density."""
        own = point[self.of_events]
        binned = float(
            self.bins.logpdf(point[self.of_bins], self.data if data is None else data)[0]
        )
        alpha = float(point[self.names.index("alpha")])
        unit = -0.5 * alpha**2 - 0.5 * math.log(2.0 * math.pi)
        return float(self.events.value_of(own, events)) - binned + unit


@pytest.fixture(scope="module")
def model() -> CombinedModel:
    return combined(events_document(), as_hs3(binned_document()))


@pytest.fixture(scope="module")
def peers(model: CombinedModel) -> Peers:
    import importlib.util

    if importlib.util.find_spec("zfit") is None:
        pytest.skip(NO_ZFIT)
    return Peers(model)


def test_the_density_is_the_product_of_theirs(model: CombinedModel, peers: Peers) -> None:
    """All constants included, at random points."""
    rng = np.random.default_rng(6)
    events = model.events.observation.events
    for _ in range(5):
        point = model.inits * (1.0 + 0.05 * rng.normal(size=model.n_parameters))
        point[model.parameter_index("alpha")] = 0.3 * rng.normal()
        point[model.parameter_index("tilt")] = 0.3 * rng.normal()
        ours = -model.log_density(point, model.observation)
        assert ours == pytest.approx(peers.nll(point, events), rel=1e-12)


def test_cls_at_the_limit_is_that_of_their_sum(model: CombinedModel, peers: Peers) -> None:
    """q and its Asimov value from their sum at the fits; at none is it lower a little aside."""
    found = upper_limit(model, model.observation)
    mu = float(found.observed or 0.0)
    zero = fit(model, model.observation, poi_value=0.0).parameters
    truth = model.asimov(zero)
    rates = np.asarray(peers.bins.expected_data(zero[peers.of_bins]))
    assert truth.counts[-2:] == pytest.approx(rates[:2], rel=1e-9)
    seen = (model.observation, model.events.observation.events, np.asarray(peers.data))
    asimov = (truth, model.events.asimov(zero).events, rates)

    def root_of(data: tuple[Any, Any, np.ndarray]) -> float:
        observation, *theirs = data
        best = fit(model, observation).parameters
        held = fit(model, observation, poi_value=mu).parameters
        least = [peers.nll(point, *theirs) for point in (best, held)]
        rng = np.random.default_rng(1)
        for point, value in zip((best, held), least, strict=True):
            for _ in range(2):
                aside = point + 1e-3 * rng.normal(size=len(point)) * np.maximum(point, 0.1)
                aside[model.require_poi()] = point[model.require_poi()]
                assert peers.nll(aside, *theirs) > value
        return math.sqrt(2.0 * (least[1] - least[0]))

    q, expected = root_of(seen), root_of(asimov)
    assert q < expected
    cls = scipy.stats.norm.sf(q) / scipy.stats.norm.sf(q - expected)
    assert cls == pytest.approx(0.05, abs=1e-4)
