"""Events of equal numbers of particles: which event a particle is of, what it is, where it goes."""

from __future__ import annotations

import numpy as np
import pytest

from darkstats.signals.constants import S_GEV2
from darkstats.simulation.events import EventBlock
from darkstats.simulation.initial_state_radiation import radiate
from darkstats.simulation.kinematics import invariant_mass_squared, massless, unit_vectors


def test_rows_become_particles_of_their_events() -> None:
    """Particles follow each other row by row; events without a row have none."""
    momentum = np.arange(24.0).reshape(3, 2, 4)
    weight = np.arange(6.0)
    block = EventBlock.of_rows(np.array([0, 2, 5]), momentum, [11, 22], weight)
    assert block.event.tolist() == [0, 0, 2, 2, 5, 5]
    assert block.pdg_id.tolist() == [11, 22] * 3
    assert block.momentum.tolist() == momentum.reshape(6, 4).tolist()
    assert block.weight_pb is weight
    assert block.event.dtype == block.pdg_id.dtype == np.int64
    own = EventBlock.of_rows(np.array([0, 2, 5]), momentum, [[1, 2], [3, 4], [5, 6]], weight)
    assert own.pdg_id.tolist() == [1, 2, 3, 4, 5, 6]


def test_numbers_that_fit_no_particles_are_refused() -> None:
    """Three numbers for two particles each."""
    with pytest.raises(ValueError, match="broadcast"):
        EventBlock.of_rows(np.array([0]), np.zeros((1, 2, 4)), [11, -11, 22], np.ones(1))


def test_events_of_the_hard_collision_move_as_the_radiation_says() -> None:
    """A back-to-back pair keeps its mass, and gets the velocity of its own event."""
    rng = np.random.default_rng(3)
    radiation = radiate(50, rng)
    index = np.sort(np.argsort(np.abs(radiation.beta))[-3:])
    half = 0.5 * np.sqrt(radiation.s_gev2[index])
    first = massless(half, unit_vectors(rng.uniform(-1.0, 1.0, 3), rng.uniform(0.0, 6.0, 3)))
    second = first * np.array([1.0, -1.0, -1.0, -1.0])
    block = radiation.block(index, np.stack([first, second], axis=1), [22, 22], np.ones(50))
    assert block.event.tolist() == np.repeat(index, 2).tolist()
    total = block.momentum.reshape(3, 2, 4).sum(axis=1)
    np.testing.assert_allclose(invariant_mass_squared(total), radiation.s_gev2[index], rtol=1e-12)
    np.testing.assert_allclose(total[:, 3] / total[:, 0], radiation.beta[index], atol=1e-12)
    np.testing.assert_allclose(total[:, 1:3], 0.0, atol=1e-12)
    assert (radiation.s_gev2[index] < S_GEV2).all()
