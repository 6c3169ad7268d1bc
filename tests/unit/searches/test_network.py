"""The network of a search, without training: closed forms, sidecars, halves, refusals."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkstats.errors import OptionError
from darkstats.searches.network import Layer, Network
from darkstats.searches.network_training import NetworkChoice
from darkstats.searches.optimise import Optimisation, halves
from darkstats.searches.recoil_hunt import RecoilHunt
from darkstats.searches.recoil_windows import RecoilWidths
from darkstats.simulation.candidates import Candidates
from simulated_rows import rows_of

WIDTHS = RecoilWidths(points=((0.5, 0.05), (6.0, 0.05)))
MASSES = (1.0, 2.0, 3.0, 4.0)
CHOICE = NetworkChoice(
    name="network", inputs=("mass", "x"), hypothesis="mass", hidden=(4,), seed=3,
    rows_per_mass=4000, epochs=8,
)  # fmt: skip
ONE = Network(
    inputs=("a", "b"), offsets=(1.0, 0.0), scales=(2.0, 1.0),
    layers=(Layer(weights=((0.5,), (-1.0,)), biases=(0.25,)),),
)  # fmt: skip


def rows(**columns: np.ndarray) -> Candidates:
    """One event of weight 1 for each row."""
    return rows_of(1.0, len(next(iter(columns.values()))), **columns)


def test_a_network_of_one_layer_is_the_logistic_function() -> None:
    found = ONE.values(rows(a=[1.0, 3.0], b=[0.0, 2.0]))
    expected = [1.0 / (1.0 + math.exp(-0.25)), 1.0 / (1.0 + math.exp(-(0.5 - 2.0 + 0.25)))]
    np.testing.assert_allclose(found, expected, rtol=1e-15)


def test_hidden_layers_take_the_hyperbolic_tangent() -> None:
    network = Network(
        inputs=("a",), offsets=(0.0,), scales=(1.0,),
        layers=(
            Layer(weights=((2.0, -1.0),), biases=(0.0, 0.5)),
            Layer(weights=((1.0,), (3.0,)), biases=(-0.5,)),
        ),
    )  # fmt: skip
    (found,) = network.values(rows(a=[0.7]))
    inner = math.tanh(1.4) + 3.0 * math.tanh(-0.2) - 0.5
    assert found == pytest.approx(1.0 / (1.0 + math.exp(-inner)), rel=1e-14)


@settings(deadline=None)
@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=40), st.integers(0, 39))
def test_a_row_has_the_same_bits_alone_and_among_others(values: list[float], which: int) -> None:
    sample = rows(a=np.array(values), b=np.array(values)[::-1])
    mask = np.arange(len(values)) == which % len(values)
    assert ONE.values(sample)[mask] == ONE.values(sample.select(mask))


def test_values_beyond_all_exponents_are_zero_and_one() -> None:
    steep = replace(ONE, layers=(Layer(weights=((1e6,), (0.0,)), biases=(0.0,)),))
    np.testing.assert_allclose(steep.values(rows(a=[-1e6, 1e6], b=[0, 0])), [0.0, 1.0], atol=1e-100)


def test_a_network_is_the_same_after_a_sidecar() -> None:
    assert Network.from_plain(json.loads(json.dumps(ONE.plain()))) == ONE


@pytest.mark.parametrize(
    "broken",
    [
        {"offsets": (1.0,)},
        {"scales": (1.0, 0.0)},
        {"scales": (1.0, math.inf)},
        {"layers": ()},
        {"layers": (Layer(weights=((0.5,),), biases=(0.25,)),)},
        {"layers": (Layer(weights=((0.5, 1.0), (0.5, 1.0)), biases=(0.25, 1.0)),)},
    ],
)
def test_a_network_that_does_not_fit_is_refused(broken: dict) -> None:
    with pytest.raises(OptionError, match="network"):
        replace(ONE, **broken)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"hypothesis": "y"}, "hypothesis"),
        ({"inputs": ("mass", "x", "x")}, "each once"),
        ({"network": ONE}, "train it again"),
    ],
)
def test_choices_that_cannot_be_are_refused(change: dict, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        replace(CHOICE, **change)


def test_halves_of_events_hold_all_rows_of_an_event() -> None:
    rng = np.random.default_rng(4)
    event = np.tile(rng.uniform(10.0, 11.0, 5000), 4)
    sample = rows(event=event, mass=rng.random(20_000))
    one, other = halves(sample, "event")
    assert not set(one["event"]) & set(other["event"])
    assert len(one) + len(other) == len(sample)
    assert len(one) / len(sample) == pytest.approx(0.5, abs=0.03)
    assert one.cross_section_pb == pytest.approx(sample.cross_section_pb)
    # whatever others there are, an event stays in its half
    fewer, _ = halves(sample.select(rng.random(len(sample)) < 0.3), "event")
    assert set(fewer["event"]) <= set(one["event"])


def hunt(**settings: object) -> RecoilHunt:
    usual = {
        "luminosity_ipb": 1e4, "asimov": True, "layout": "sliding", "first_gev": 1.5,
        "high_gev": 3.5, "widths": WIDTHS, "window_sigma": 3.0, "step_sigma": 3.0,
        "variable": "mass_squared", "angle": None, "network": CHOICE,
        "optimise": Optimisation(
            figure="punzi", masses_gev=(2.0, 3.0), cuts="smooth", events_by="event",
            scan={"network": (0.0, 0.3, 0.5, 0.7)},
        ),
    }  # fmt: skip
    return RecoilHunt(**(usual | settings))


@pytest.mark.parametrize(
    ("optimise", "says"),
    [
        (None, "no cut uses the network"),
        ({"scan": {"x": (0.0, 1.0)}}, "no cut uses the network"),
        ({"events_by": ""}, "events_by"),
    ],
)
def test_a_network_needs_a_cut_and_events_of_its_own(optimise: dict | None, says: str) -> None:
    usual = hunt().optimise
    assert usual is not None
    with pytest.raises(OptionError, match=says):
        hunt(optimise=None if optimise is None else replace(usual, **optimise))
