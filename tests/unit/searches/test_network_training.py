"""Training of the network of a search: what it reaches, its bytes, and that it knows no mass."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from darkstats.errors import OptionError
from darkstats.searches.cuts import Cut
from darkstats.searches.network import Network
from darkstats.searches.network_training import NetworkChoice, train
from darkstats.searches.optimise import Optimisation, halves
from darkstats.searches.products import SearchProduct, SimulatedSamples
from darkstats.searches.recoil_hunt import RecoilHunt, build_recoil_hunt
from darkstats.searches.recoil_windows import RecoilWidths
from darkstats.simulation.candidates import Candidates
from simulated_rows import rows_of

pytest.importorskip("sklearn", reason="training needs the extra classifier")

TESTS = Path(__file__).parents[2]  # where rows are made, for a training in another process
WIDTHS = RecoilWidths(points=((0.5, 0.05), (6.0, 0.05)))
MASSES = (1.0, 2.0, 3.0, 4.0)
CHOICE = NetworkChoice(
    name="network", inputs=("mass", "x"), hypothesis="mass", hidden=(4,), seed=3,
    rows_per_mass=4000, epochs=8,
)  # fmt: skip


def rows(**columns: np.ndarray) -> Candidates:
    """One event of weight 1 for each row."""
    return rows_of(1.0, len(next(iter(columns.values()))), **columns)


def simulated(shift: float, seed: int = 1) -> tuple[dict, dict]:
    """Signals at four masses and a steep background; ``x`` of the signal is shifted."""
    rng = np.random.default_rng(seed)

    def sample(mass: np.ndarray, x: np.ndarray) -> Candidates:
        return rows(mass=mass, mass_squared=mass**2, x=x, event=rng.uniform(10.0, 11.0, len(x)))

    signals = {
        (m,): sample(rng.normal(m, 0.01, 8000), rng.normal(shift, 1.0, 8000)) for m in MASSES
    }
    mass = 0.5 * 10.0 ** rng.random(60_000)  # many more at low masses
    return signals, {"flat": sample(mass, rng.normal(0.0, 1.0, 60_000))}


def trained(shift: float, choice: NetworkChoice = CHOICE) -> Network:
    signals, backgrounds = simulated(shift)
    return train(choice, signals, backgrounds, variable="mass_squared", widths=WIDTHS)


def test_training_reaches_the_best_there_is() -> None:
    """Two Gaussians that are 1.5 apart: the area under the curve is Phi(1.5 / sqrt(2))."""
    network = trained(1.5)
    signals, backgrounds = simulated(1.5, seed=2)  # others than it has seen
    for mass in MASSES[1:-1]:
        background = backgrounds["flat"]
        near = np.abs(background["mass"] - mass) < 0.2
        one = network.values(signals[mass,])
        other = np.sort(network.values(background.select(near)))
        area = np.searchsorted(other, one).mean() / len(other)
        best = 0.5 * (1.0 + math.erf(1.5 / 2.0))
        assert area == pytest.approx(best, abs=0.015)


def test_a_network_without_anything_to_tell_prefers_no_mass() -> None:
    """The masses of signal and background are spread differently: it does not learn that."""
    found = trained(0.0).values(
        rows(mass=np.linspace(0.8, 4.2, 200), x=np.zeros(200))
    )  # fmt: skip
    np.testing.assert_allclose(found, 0.5, atol=0.06)


def test_two_trainings_give_the_same_bytes() -> None:
    once = json.dumps(trained(1.0).plain())
    assert json.dumps(trained(1.0).plain()) == once
    assert json.dumps(trained(1.0, replace(CHOICE, seed=4)).plain()) != once


def test_other_numbers_of_threads_give_the_same_bytes(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        "import importlib.util, json, sys\n"
        f"spec = importlib.util.spec_from_file_location('it', {__file__!r})\n"
        "it = importlib.util.module_from_spec(spec); spec.loader.exec_module(it)\n"
        "print(json.dumps(it.trained(1.0).plain()))\n"
    )
    found = {
        subprocess.run(
            [sys.executable, str(script)], capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": n,
                 "OPENBLAS_NUM_THREADS": n},
        ).stdout
        for n in ("1", "2")
    }  # fmt: skip
    assert found == {json.dumps(trained(1.0).plain()) + "\n"}


def test_too_few_rows_are_refused() -> None:
    signals, backgrounds = simulated(1.0)
    few = {key: one.select(np.arange(len(one)) < 100) for key, one in signals.items()}
    with pytest.raises(OptionError, match="simulate more"):
        train(CHOICE, few, backgrounds, variable="mass_squared", widths=WIDTHS)


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


def built(asked: RecoilHunt, shift: float = 3.0) -> SearchProduct:
    signals, backgrounds = simulated(shift)
    samples = SimulatedSamples(signals=signals, backgrounds=backgrounds)
    return build_recoil_hunt(asked, samples, rng=np.random.default_rng(1))


def test_a_search_cuts_on_its_network_and_keeps_it() -> None:
    product = built(hunt())
    (cut,) = product.sidecar["channels"]["recoil"]["cuts"]
    assert cut["variable"] == "network"
    assert min(cut["above"]) > 0.0
    without = built(hunt(network=None, optimise=None))
    for name, window in product.sidecar["windows"].items():
        assert window["efficiency"] > 0.75
        assert (
            window["background_events"]
            < 0.25 * (without.sidecar["windows"][name]["background_events"])
        )
    assert product.summary["network"]["trained_here"]
    assert product.summary["network"]["trained_with"].startswith("scikit-learn 1.")
    # what the sidecar holds gives the same search without training
    network = Network.from_plain(product.sidecar["networks"]["network"])
    again = built(hunt(network=replace(CHOICE, network=network)))
    assert again.workspace == product.workspace
    assert not again.summary["network"]["trained_here"]
    assert "trained_with" not in again.summary["network"]


def test_the_half_that_fills_is_not_trained_on() -> None:
    """Rows of the other half change nothing in the network."""
    signals, backgrounds = simulated(1.0)
    _, filling = halves(backgrounds["flat"], "event")
    moved = {name: np.array(column) for name, column in backgrounds["flat"].columns.items()}
    moved["x"][np.isin(moved["event"], filling["event"])] += 5.0
    other = {"flat": replace(backgrounds["flat"], columns=MappingProxyType(moved))}
    found = [
        build_recoil_hunt(
            hunt(), SimulatedSamples(signals=signals, backgrounds=one),
            rng=np.random.default_rng(1),
        )
        for one in (backgrounds, other)
    ]  # fmt: skip
    assert found[0].sidecar["networks"] == found[1].sidecar["networks"]
    assert found[0].workspace != found[1].workspace


def test_cuts_that_always_hold_come_before_the_network() -> None:
    """A base cut on an input: the network is trained on what it leaves."""
    product = built(hunt(cuts=(Cut(variable="x", above=-10.0),)))
    assert [cut["variable"] for cut in product.sidecar["channels"]["recoil"]["cuts"]] == [
        "x", "network",
    ]  # fmt: skip
