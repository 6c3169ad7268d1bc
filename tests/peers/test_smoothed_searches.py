"""A search whose smoothed bins move together, compiled by pyhf: the same rates and likelihood."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
import pytest

from darkstats.searches.products import SimulatedSamples
from darkstats.searches.recoil_hunt import RecoilHunt, build_recoil_hunt
from darkstats.searches.recoil_windows import RecoilWidths
from darkstats.simulation.candidates import Candidates
from pyhf_comparison import CODES, RELATIVE, disagreement


def candidates(squared_gev2: np.ndarray, theta_rad: np.ndarray) -> Candidates:
    weights = np.full(len(squared_gev2), 0.5)
    return Candidates(
        columns=MappingProxyType(
            {"recoil_mass_squared_gev2": squared_gev2, "recoil_theta_cm_rad": theta_rad}
        ),
        weight_pb=weights,
        n_generated=len(weights),
        sum_weight_pb=float(weights.sum()),
        sum_weight_squared_pb2=float((weights**2).sum()),
    )


@pytest.mark.parametrize("theta_edges_deg", [(0.0, 180.0), (0.0, 90.0, 180.0)])
def test_smoothed_searches_agree_with_pyhf(theta_edges_deg: tuple[float, ...]) -> None:
    rng = np.random.default_rng(3)

    def drawn(n: int, squared_gev2: np.ndarray) -> Candidates:
        return candidates(squared_gev2, np.arccos(rng.uniform(-1.0, 1.0, n)))

    hunt = RecoilHunt(
        luminosity_ipb=100.0,
        asimov=True,
        layout="sliding",
        first_gev=2.0,
        high_gev=4.0,
        window_sigma=6.0,
        widths=RecoilWidths(points=((1.0, 0.25), (5.0, 0.25))),
        theta_edges_deg=theta_edges_deg,
        smoothing_sigma={"smooth": 8.0},
        reference_pb=0.1,
    )
    product = build_recoil_hunt(
        hunt,
        SimulatedSamples(
            backgrounds={
                "smooth": drawn(400, rng.uniform(0.0, 30.0, 400)),
                "rough": drawn(3000, rng.uniform(0.0, 30.0, 3000)),
            },
            signals={(m,): drawn(5000, rng.normal(m**2, 0.25, 5000)) for m in (1.5, 3.0, 4.5)},
        ),
        rng=rng,
    )
    for patch in product.patches[::10]:
        channels, observations, config = (one["value"] for one in patch.operations)
        measurement = {"name": "search", "config": config}
        document = {
            "channels": channels,
            "observations": observations,
            "measurements": [measurement],
            "version": "1.0.0",
        }
        assert "smooth_simulation" in str(channels)
        for codes in CODES:
            assert disagreement(document, codes, np.random.default_rng(1)) < RELATIVE
