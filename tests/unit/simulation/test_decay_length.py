"""Decays in parts of a detector: closed forms, sums, and decays drawn one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkstats.errors import OptionError
from darkstats.reinterpret.lifetimes import DecayWindow
from darkstats.simulation.decay_length import DecayVolume, decay_efficiency, decay_probability

VERTEX = (DecayVolume(r_from_mm=2.0, r_to_mm=9.0), DecayVolume(r_from_mm=170.0, r_to_mm=600.0))


def one(value: float) -> np.ndarray:
    return np.array([value])


ENDS = [
    # first, last, mean length: probability
    (0.0, 9.0, 3.0, -math.expm1(-3.0)),
    (2.0, 9.0, 3.0, math.exp(-2.0 / 3.0) - math.exp(-3.0)),
    (2.0, 9.0, 1e12, 7e-12),  # digits are kept where little of the flight is seen
    (2.0, 9.0, math.inf, 0.0),  # stable: not between two walls
    (2.0, 9.0, 1e-3, 0.0),
    (0.0, 9.0, 0.0, 1.0),  # decays at once: at the start
    (2.0, 9.0, 0.0, 0.0),
    (2.0, math.inf, 0.0, 0.0),
    (0.0, math.inf, 5.0, 1.0),
    (2.0, math.inf, 5.0, math.exp(-0.4)),
    (2.0, math.inf, math.inf, 1.0),  # stable: beyond any wall, or never
    (0.0, math.inf, math.inf, 1.0),
    (0.0, math.inf, 0.0, 1.0),
    (math.inf, math.inf, 5.0, 0.0),  # never at such a distance
    (math.inf, math.inf, math.inf, 0.0),
    (4.0, 4.0, 5.0, 0.0),
    (0.0, 0.0, math.inf, 0.0),
]


@pytest.mark.parametrize(("first", "last", "length", "expected"), ENDS)
def test_between_two_walls_at_the_ends(
    first: float, last: float, length: float, expected: float
) -> None:
    """Closed forms, at zero and infinite walls and lengths, too; a window says the same."""
    found = float(decay_probability(first, last, length))
    assert found == pytest.approx(expected, rel=1e-10, abs=0.0)
    if first < last and (first, last) != (0.0, math.inf):
        window = DecayWindow(from_mm=first, to_mm=last)
        assert float(window.kept(np.array(length), 1.0)) == found


@given(
    walls=st.lists(st.floats(1e-6, 1e9), min_size=1, max_size=5, unique=True).map(sorted),
    length=st.floats(1e-6, 1e12) | st.sampled_from([0.0, math.inf]),
)
def test_every_particle_decays_between_two_walls_or_never(
    walls: list[float], length: float
) -> None:
    """The parts between all walls add up to one, for what decays at once and what is stable too."""
    ends = np.array([0.0, *walls, math.inf])
    parts = decay_probability(ends[:-1], ends[1:], length)
    assert (parts >= 0.0).all()
    assert parts.sum() == pytest.approx(1.0, abs=1e-9)


@given(
    boost=st.floats(0.01, 100.0), ctau=st.floats(1e-3, 1e6), r1=st.floats(0.0, 100.0),
    width=st.floats(1e-3, 1e3),
)  # fmt: skip
def test_a_cylinder_is_the_difference_of_two_exponentials(
    boost: float, ctau: float, r1: float, width: float
) -> None:
    """exp(-r1 / L) - exp(-r2 / L) with L = p_T / m c tau, whatever flies along the beams."""
    volume = DecayVolume(r_from_mm=r1, r_to_mm=r1 + width)
    length = boost * ctau
    expected = math.exp(-r1 / length) * -math.expm1(-width / length)
    for along in (-3.0, 0.0, 5.0):
        found = volume.kept(one(boost), one(along), ctau)[0]
        # widths are differences of radii: rounding of the larger one is what is left
        assert found == pytest.approx(expected, rel=1e-9 + 1e-13 * (r1 + width) / width, abs=1e-300)


def test_ends_along_the_beams_shorten_a_flight() -> None:
    """Where a particle leaves by an end, that end counts; before it enters there is nothing."""
    volume = DecayVolume(r_from_mm=10.0, r_to_mm=100.0, z_from_mm=-50.0, z_to_mm=200.0)
    # transverse 1, along 4: radius 50 at z = 200; backwards radius 12.5 at z = -50
    forward = volume.kept(one(1.0), one(4.0), 30.0)[0]
    backward = volume.kept(one(1.0), one(-4.0), 30.0)[0]
    assert forward == pytest.approx(math.exp(-10 / 30) - math.exp(-50 / 30))
    assert backward == pytest.approx(math.exp(-10 / 30) - math.exp(-12.5 / 30))
    assert volume.kept(one(1.0), one(-8.0), 30.0)[0] == 0.0
    assert volume.kept(one(0.0), one(3.0), 30.0)[0] == 0.0
    whole = DecayVolume(r_from_mm=0.0, r_to_mm=math.inf)
    assert whole.kept(one(0.0), one(0.0), 1.0)[0] == 1.0


def test_short_and_long_lifetimes() -> None:
    """Short lives end before the first wall; of long ones a part width / L is left, exactly."""
    short, long, stable = decay_efficiency(
        VERTEX, one(2.0), one(1.0), one(1.0), np.array([1e-3, 1e12, math.inf])
    ).efficiency
    assert short == 0.0
    assert long == pytest.approx((7.0 + 430.0) / 2e12, rel=1e-9)
    assert stable == 0.0


def test_decays_drawn_one_by_one_agree() -> None:
    """200,000 decays of a spectrum of momenta, counted by radius and place, within 4 errors."""
    rng = np.random.default_rng(5)
    n, ctau = 200_000, 40.0
    boost = rng.exponential(1.5, (n, 3))
    transverse, along = np.hypot(boost[:, 0], boost[:, 1]), boost[:, 2] - 1.0
    volumes = (
        VERTEX[0],
        DecayVolume(r_from_mm=170.0, r_to_mm=600.0, z_from_mm=-80.0, z_to_mm=90.0),
    )
    length = rng.exponential(ctau, n)
    r, z = transverse * length, along * length
    seen = ((r > 2.0) & (r < 9.0)) | ((r > 170.0) & (r < 600.0) & (z > -80.0) & (z < 90.0))
    found = decay_efficiency(volumes, transverse, along, np.full(n, 1.0 / n), one(ctau))
    part = seen.mean()
    assert found.efficiency[0] == pytest.approx(part, abs=4.0 * math.sqrt(part * (1 - part) / n))
    # the error is that of a sum of independent parts: at most that of counting
    assert 0.0 < found.error[0] <= math.sqrt(part / n) * 1.05


def test_halves_of_a_volume_add_up() -> None:
    """Two volumes side by side keep what one keeps."""
    transverse, along, weights = np.array([0.5, 3.0]), np.array([1.0, -2.0]), np.array([0.3, 0.2])
    halves = (DecayVolume(r_from_mm=1.0, r_to_mm=5.0), DecayVolume(r_from_mm=5.0, r_to_mm=30.0))
    times = np.geomspace(0.1, 1e4, 9)
    two = decay_efficiency(halves, transverse, along, weights, times).efficiency
    whole = [DecayVolume(r_from_mm=1.0, r_to_mm=30.0)]
    alone = decay_efficiency(whole, transverse, along, weights, times).efficiency
    assert two == pytest.approx(alone, rel=1e-12)


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"r_from_mm": 9.0, "r_to_mm": 2.0}, "rising radii"),
        ({"r_from_mm": -1.0, "r_to_mm": 2.0}, "rising radii"),
        ({"r_from_mm": 1.0, "r_to_mm": 2.0, "z_from_mm": 1.0}, "collision point"),
        ({"r_from_mm": 1.0, "r_to_mm": 2.0, "z_to_mm": math.nan}, "collision point"),
    ],
)
def test_volumes_that_are_none(wrong: dict[str, float], problem: str) -> None:
    """Radii rise, ends are on either side."""
    with pytest.raises(OptionError, match=problem):
        DecayVolume(**wrong)


def test_what_counts_twice_is_refused() -> None:
    """Overlapping volumes, none at all, and lifetimes of zero."""
    nothing = np.array([])
    over = (VERTEX[0], DecayVolume(r_from_mm=8.0, r_to_mm=20.0))
    with pytest.raises(OptionError, match="count twice"):
        decay_efficiency(over, nothing, nothing, nothing, one(1.0))
    with pytest.raises(OptionError, match="at least one"):
        decay_efficiency((), nothing, nothing, nothing, one(1.0))
    with pytest.raises(OptionError, match="above zero"):
        decay_efficiency(VERTEX, nothing, nothing, nothing, one(0.0))
