"""e+e- -> gamma gamma: closed forms of the cross section, also where one photon is in a gap."""

from __future__ import annotations

import math

import numpy as np
import pytest

from darkstats.errors import OptionError
from darkstats.signals.constants import BOOST_BETA, S_GEV2
from darkstats.simulation.kinematics import dot, to_lab
from darkstats.simulation.three_photons import two_photon_cross_section_pb
from darkstats.simulation.two_photons import TwoPhotons

GAPS = ((31.4, 32.2), (128.7, 130.7))


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


def cosine_cm(theta_deg: float) -> float:
    cosine = math.cos(math.radians(theta_deg))
    return (cosine - BOOST_BETA) / (1.0 - BOOST_BETA * cosine)


def photons_pb(low_deg: float, high_deg: float) -> float:
    """Photons between two polar angles, lab, times the Born cross section, in closed form."""

    def until(cosine: float) -> float:
        return math.copysign(two_photon_cross_section_pb(abs(cosine)), cosine)

    return until(cosine_cm(low_deg)) - until(cosine_cm(high_deg))


@pytest.mark.parametrize("ranges", [(), GAPS])
def test_the_cross_section_is_the_closed_form(ranges: tuple[tuple[float, float], ...]) -> None:
    """Enriched or not (5 sigma)."""
    process = TwoPhotons(max_cosine=0.9, isr=False, enriched_ranges_deg=ranges)
    weights = process.generate(40_000, rng()).weight_pb
    error = weights.std() / math.sqrt(len(weights))
    assert abs(weights.mean() - two_photon_cross_section_pb(0.9)) < 5.0 * error
    assert error < 0.02 * weights.mean()


@pytest.mark.parametrize(
    ("low", "high", "known_pb"), [(33.0, 128.0, 2760.0), (*GAPS[0], 48.0), (*GAPS[1], 85.0)]
)
def test_photons_in_barrel_and_gaps(low: float, high: float, known_pb: float) -> None:
    """The closed form has the numbers that are known, and the generator has the closed form."""
    expected = photons_pb(low, high)
    assert expected == pytest.approx(known_pb, rel=0.007)
    block = TwoPhotons(isr=False, enriched_ranges_deg=GAPS).generate(60_000, rng(2))
    lab = to_lab(block.momentum).reshape(-1, 2, 4)
    theta = np.degrees(np.arccos(lab[..., 3] / lab[..., 0]))
    weights = np.zeros(block.n_events)
    inside = ((theta > low) & (theta < high)).sum(axis=1)
    weights[block.event[::2]] = block.weight_pb[block.event[::2]] * inside
    error = weights.std() / math.sqrt(len(weights))
    assert abs(weights.mean() - expected) < 5.0 * error
    assert error < 0.02 * expected


def test_enrichment_changes_no_rate_with_radiation() -> None:
    """Photons in a gap whose partner is hard and central, with radiation (5 sigma)."""
    found = []
    for ranges, n in (((), 600_000), (GAPS, 60_000)):
        block = TwoPhotons(enriched_ranges_deg=ranges).generate(n, rng(3))
        pair = block.momentum.reshape(-1, 2, 4)
        lab = to_lab(pair)
        theta = np.degrees(np.arccos(lab[..., 3] / lab[..., 0]))
        gap = ((theta > GAPS[1][0]) & (theta < GAPS[1][1])).any(axis=1)
        weights = np.zeros(n)
        central = (pair[..., 0] > 2.0).all(axis=1)
        weights[block.event[::2]] = block.weight_pb[block.event[::2]] * (gap & central)
        found.append((weights.mean(), weights.std() / math.sqrt(n)))
        np.testing.assert_allclose(dot(pair, pair), 0.0, atol=1e-9)
        total = pair.sum(axis=1)
        assert (dot(total, total) < S_GEV2 * (1.0 + 1e-9)).all()
        np.testing.assert_allclose(total[:, 1:3], 0.0, atol=1e-9)
    assert abs(found[0][0] - found[1][0]) < 5.0 * math.hypot(found[0][1], found[1][1])
    assert found[1][1] < 0.1 * found[1][0]


def test_parts_add_up() -> None:
    """Photons in gaps, and not in gaps: all of them together (5 sigma)."""
    found = []
    for part in ("inside", "outside", "all"):
        weights = TwoPhotons(enriched_ranges_deg=GAPS, part=part).generate(60_000, rng(6)).weight_pb
        found.append((weights.mean(), weights.std() / math.sqrt(len(weights))))
    error = math.hypot(*(one[1] for one in found))
    assert abs(found[0][0] + found[1][0] - found[2][0]) < 5.0 * error
    assert error < 0.03 * found[2][0]
    assert found[0][0] < 0.1 * found[2][0]


def test_radiation_that_is_drawn_hard_changes_no_rate() -> None:
    """Photons in a gap whose partner is central, soft and hard, with fewer events (5 sigma)."""
    found = []
    for share, n in ((0.0, 400_000), (0.5, 400_000)):
        process = TwoPhotons(enriched_ranges_deg=GAPS, part="inside", hard_share=share)
        block = process.generate(n, rng(7))
        pair = block.momentum.reshape(-1, 2, 4)
        weight = block.weight_pb[block.event[::2]]
        central = np.abs(pair[..., 3] / pair[..., 0]).min(axis=1) < 0.7
        low = pair[..., 0].min(axis=1)
        sums = [np.histogram(low[central], (0.5, 2.0, 3.5, 5.0), weights=weight[central] ** k)[0]
                for k in (1, 2)]  # fmt: skip
        found.append((sums[0] / n, np.sqrt(sums[1]) / n))
    (plain, error), (enriched, better) = found
    assert (np.abs(plain - enriched) < 5.0 * np.hypot(error, better)).all()
    assert (better[:2] < 0.6 * error[:2]).all()
    assert (error < 0.15 * plain).all()


@pytest.mark.parametrize(
    "given",
    [
        {"hard_share": 1.0},
        {"hard_share": -0.1},
        {"max_cosine": 1.0},
        {"least_fraction": 0.0},
        {"part": "some"},
        {"part": "inside"},
    ],
)
def test_what_cannot_be_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(OptionError, match="two_photons"):
        TwoPhotons(**given)  # type: ignore[arg-type]
