"""e+e- -> mu+mu- mu+mu- at leading order in QED: twelve diagrams with exchange, exact muon mass.

Four diagrams where both virtual photons leave the electron line, and eight where a muon radiates
the second pair, antisymmetric in the muons of either charge. Spins are summed numerically
(:mod:`darkstats.signals.dirac`); electrons are massless; Z exchange is left out. Initial-state
radiation is collinear.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from darkstats.signals.dirac import GAMMA, METRIC, adjoint, slash, spinors_u, spinors_v
from darkstats.simulation.events import EventBlock
from darkstats.simulation.initial_state_radiation import radiate
from darkstats.simulation.kinematics import (
    ALPHA,
    M_MU,
    PB_GEV2,
    boost_to,
    invariant_mass_squared,
    isotropic,
    two_body_momentum,
    unit_vectors,
)

if TYPE_CHECKING:
    from darkstats.arrays import BoolArray, ComplexArray, FloatArray

__all__ = ["FourMuons", "amplitudes", "decay", "density", "draw_pairs", "squared_amplitude"]

#: The muons of either charge that make the first pair, and the sign of that exchange.
_PAIRINGS = (((0, 0), (1, 1), 1.0), ((0, 1), (1, 0), -1.0))
_CHUNK = 4096  # events at a time: some 100 MB


def _spins(first: tuple[int, int], second: tuple[int, int]) -> str:
    """Letters of the spins of two pairs, in the order of :func:`amplitudes`."""
    letters = {(0, "minus"): "a", (1, "minus"): "b", (0, "plus"): "c", (1, "plus"): "d"}
    return "".join(
        letters[one] for one in (
            (first[0], "minus"), (first[1], "plus"), (second[0], "minus"), (second[1], "plus"),
        )
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Lines:
    """Spinors and currents of a set of events."""

    minus: FloatArray
    plus: FloatArray
    rows: tuple[ComplexArray, ...]
    columns: tuple[ComplexArray, ...]
    electron: ComplexArray
    positron: ComplexArray
    beams: tuple[FloatArray, FloatArray]
    masses_gev: tuple[float, float]

    @classmethod
    def of(
        cls,
        minus: FloatArray,
        plus: FloatArray,
        s_gev2: FloatArray,
        masses_gev: tuple[float, float],
    ) -> _Lines:
        half = 0.5 * np.sqrt(s_gev2)
        zero = np.zeros_like(half)
        along = np.stack([half, zero, zero, half], axis=-1)
        against = np.stack([half, zero, zero, -half], axis=-1)
        return cls(
            minus,
            plus,
            tuple(adjoint(spinors_u(minus[:, one], masses_gev[one])) for one in (0, 1)),
            tuple(spinors_v(plus[:, one], masses_gev[one]) for one in (0, 1)),
            spinors_u(along, 0.0),
            adjoint(spinors_v(against, 0.0)),
            (along, against),
            masses_gev,
        )

    def pair(self, which: tuple[int, int]) -> tuple[FloatArray, ComplexArray]:
        """Momentum of a pair, and its current over q^2, slashed: [event, spin, spin, 4, 4]."""
        momentum = self.minus[:, which[0]] + self.plus[:, which[1]]
        current = np.einsum(
            "nhi,vij,nkj->nhkv", self.rows[which[0]], GAMMA, self.columns[which[1]], optimize=True
        )
        current = current / invariant_mass_squared(momentum)[:, None, None, None]
        return momentum, np.einsum("nhkv,v,vij->nhkij", current, METRIC, GAMMA, optimize=True)

    def inside(self, momentum: FloatArray, mass_gev: float) -> ComplexArray:
        """Propagator of a lepton."""
        square = invariant_mass_squared(momentum) - mass_gev**2
        matrix = slash(momentum) + mass_gev * np.eye(4)
        return np.asarray(matrix / square[:, None, None])


def _from_electrons(lines: _Lines, first: tuple[int, int], second: tuple[int, int]) -> ComplexArray:
    """Both photons leave the electron line, in both orders."""
    q1, one = lines.pair(first)
    q2, two = lines.pair(second)
    total: ComplexArray | float = 0.0
    spins = _spins(first, second)
    for q, early, late, order in ((q1, one, two, spins), (q2, two, one, spins[2:] + spins[:2])):
        momentum = lines.beams[0] - q
        inner = slash(momentum) / invariant_mass_squared(momentum)[:, None, None]
        right = np.einsum("nxyij,nhj->nxyhi", early, lines.electron, optimize=True)
        right = np.einsum("nij,nxyhj->nxyhi", inner, right, optimize=True)
        left = np.einsum("nki,nzwij->nzwkj", lines.positron, late, optimize=True)
        x, y, z, w = list(order)
        total = total + np.einsum(f"n{z}{w}kj,n{x}{y}hj->nabcdkh", left, right, optimize=True)
    return np.asarray(total)


def _from_muons(
    lines: _Lines, first: tuple[int, int], second: tuple[int, int], beam: ComplexArray
) -> ComplexArray:
    """The first pair comes from the beams and radiates the second."""
    q, light = lines.pair(second)
    minus, plus = lines.minus[:, first[0]], lines.plus[:, first[1]]
    row, column = lines.rows[first[0]], lines.columns[first[1]]
    x, y, z, w = list(_spins(first, second))
    mass_gev = lines.masses_gev[first[0]]
    out = np.einsum("nxi,nzwij->nxzwj", row, light, optimize=True)
    out = np.einsum("nxzwi,nij->nxzwj", out, lines.inside(minus + q, mass_gev), optimize=True)
    into = np.einsum("nkhij,nyj->nkhyi", beam, column, optimize=True)
    total = np.einsum(f"n{x}{z}{w}j,nkh{y}j->nabcdkh", out, into, optimize=True)
    out = np.einsum("nxi,nkhij->nxkhj", row, beam, optimize=True)
    out = np.einsum("nxkhi,nij->nxkhj", out, lines.inside(-(plus + q), mass_gev), optimize=True)
    into = np.einsum("nzwij,nyj->nzwyi", light, column, optimize=True)
    return np.asarray(total + np.einsum(f"n{x}khj,n{z}{w}{y}j->nabcdkh", out, into, optimize=True))


def amplitudes(
    minus: FloatArray,
    plus: FloatArray,
    s_gev2: FloatArray,
    *,
    masses_gev: tuple[float, float] = (M_MU, M_MU),
    beam: ComplexArray | None = None,
    parts: tuple[str, ...] = ("electrons", "muons"),
    pairings: int = 2,
) -> ComplexArray:
    """Helicity amplitudes over e^4. Shape [event, mu-, mu-, mu+, mu+, e+, e-].

    Parameters
    ----------
    minus, plus
        Momenta of the muons of either charge, in the frame where the beams are back to back along
        z. Shapes [event, 2, 4].
    s_gev2
        Squared energy. Shape [event].
    masses_gev
        Of the first lepton of either charge, and of the second. Leptons that differ have one
        pairing.
    beam
        Stands for the current of the beams over s, slashed: [event, e+, e-, 4, 4]; for tests.
    parts, pairings
        Which diagrams: all, unless parts are looked at alone.
    """
    lines = _Lines.of(minus, plus, s_gev2, masses_gev)
    if beam is None:
        current = np.einsum(
            "nki,vij,nhj->nkhv", lines.positron, GAMMA, lines.electron, optimize=True
        )
        current = current / s_gev2[:, None, None, None]
        beam = np.einsum("nkhv,v,vij->nkhij", current, METRIC, GAMMA, optimize=True)
    total = np.zeros((len(s_gev2), 2, 2, 2, 2, 2, 2), dtype=np.complex128)
    for first, second, sign in _PAIRINGS[:pairings]:
        if "electrons" in parts:
            total += sign * _from_electrons(lines, first, second)
        if "muons" in parts:
            total += sign * _from_muons(lines, first, second, beam)
            total += sign * _from_muons(lines, second, first, beam)
    return total


def squared_amplitude(
    minus: FloatArray,
    plus: FloatArray,
    s_gev2: FloatArray,
    *,
    masses_gev: tuple[float, float] = (M_MU, M_MU),
) -> FloatArray:
    """Squared amplitude, averaged over initial and summed over final spins, GeV^-4.

    Parameters
    ----------
    minus, plus, s_gev2, masses_gev
        As of :func:`amplitudes`; pairs of one mass are pairs of one lepton, and exchanged.
    """
    pairings = 2 if masses_gev[0] == masses_gev[1] else 1
    found = np.empty(len(s_gev2))
    for start in range(0, len(s_gev2), _CHUNK):
        here = slice(start, start + _CHUNK)
        parts = amplitudes(
            minus[here], plus[here], s_gev2[here], masses_gev=masses_gev, pairings=pairings
        )
        found[here] = (np.abs(parts) ** 2).sum(axis=(1, 2, 3, 4, 5, 6))
    return np.asarray((4.0 * math.pi * ALPHA) ** 4 / 4.0 * found)


@dataclass(frozen=True, slots=True)
class _Spectra:
    """How masses and the angle of two pairs are drawn, as densities that can be evaluated anywhere.

    A pair from a photon has a mass ~ 1/M^2; one that radiates the other is heavy, ~ 1/(s - M^2).
    The pairs leave along the beams, ~ 1/(1 - c^2), or anywhere.
    """

    s_gev2: FloatArray
    masses_gev: tuple[float, float] = (M_MU, M_MU)

    def ends(self, pair: int) -> tuple[float, FloatArray]:
        own, other = self.masses_gev[pair], self.masses_gev[1 - pair]
        return 4.0 * own**2, np.maximum(
            (np.sqrt(self.s_gev2) - 2.0 * other) ** 2, 4.0 * own**2 * (1.0 + 1e-9)
        )

    def light(self, uniform: FloatArray, pair: int) -> FloatArray:
        low, high = self.ends(pair)
        return np.asarray(low * (high / low) ** uniform)

    def light_density(self, square: FloatArray, pair: int) -> FloatArray:
        low, high = self.ends(pair)
        return np.asarray(1.0 / (square * np.log(high / low)))

    def heavy(self, uniform: FloatArray, pair: int) -> FloatArray:
        low, high = self.ends(pair)
        far, near = 1.02 * self.s_gev2 - low, 1.02 * self.s_gev2 - high
        return np.asarray(1.02 * self.s_gev2 - far * (near / far) ** uniform)

    def heavy_density(self, square: FloatArray, pair: int) -> FloatArray:
        low, high = self.ends(pair)
        far, near = 1.02 * self.s_gev2 - low, 1.02 * self.s_gev2 - high
        return np.asarray(1.0 / ((1.02 * self.s_gev2 - square) * np.log(far / near)))

    def density(self, one: FloatArray, two: FloatArray) -> FloatArray:
        """Of both masses, drawn as light and light, heavy and light, or light and heavy."""
        light = self.light_density(one, 0), self.light_density(two, 1)
        both = light[0] * light[1]
        mixed = self.heavy_density(one, 0) * light[1] + light[0] * self.heavy_density(two, 1)
        return np.asarray((both + mixed) / 3.0)


_REACH = 0.999_999  # of the cosine that is drawn along the beams


def _cosine_density(cosine: FloatArray) -> FloatArray:
    """Half along the beams, half anywhere, over the density of a uniform one."""
    steep = 1.0 / (np.arctanh(_REACH) * (1.0 / _REACH**2 - cosine**2) * _REACH)
    return np.asarray(0.5 * steep + 0.5)


def density(
    pairs: tuple[FloatArray, FloatArray],
    s_gev2: FloatArray,
    masses_gev: tuple[float, float] = (M_MU, M_MU),
) -> FloatArray:
    """Density of two pairs in phase space, over that of GeV^4 (2 pi)^-8; zero where closed."""
    one, two = (invariant_mass_squared(pair) for pair in pairs)
    energy = np.sqrt(s_gev2)
    masses = np.sqrt(np.maximum(one, 0.0)), np.sqrt(np.maximum(two, 0.0))
    momentum = two_body_momentum(energy, *masses)
    size = np.sqrt((pairs[0][:, 1:] ** 2).sum(axis=1))
    cosine = pairs[0][:, 3] / np.maximum(size, 1e-300)
    betas = [
        np.sqrt(np.maximum(1.0 - 4.0 * mass**2 / m2, 0.0))
        for m2, mass in zip((one, two), masses_gev, strict=True)
    ]
    room = momentum / (4.0 * np.pi * energy) * betas[0] * betas[1] / (8.0 * np.pi) ** 2
    drawn = (
        _Spectra(s_gev2, masses_gev).density(one, two)
        * _cosine_density(cosine)
        * (2.0 * np.pi) ** 2
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(room > 0.0, drawn / room, 0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class FourMuons:
    """Generator of four muons, weighted.

    Parameters
    ----------
    isr
        Whether the beams radiate.
    """

    isr: bool = True

    @property
    def name(self) -> str:
        """See :class:`~darkstats.simulation.events.Process`."""
        return "four_muons"

    def settings(self) -> dict[str, object]:
        """See :class:`~darkstats.simulation.events.Process`."""
        return {"version": 1, "isr": self.isr}

    def generate(self, n_events: int, rng: np.random.Generator) -> EventBlock:
        """Draw two pairs, their masses and their direction; weigh by both pairings."""
        radiation = radiate(n_events, rng, enabled=self.isr)
        s = radiation.s_gev2
        pairs, open_ = draw_pairs(s, rng)
        decays = [isotropic(n_events, rng) for _ in range(2)]
        minus, plus = np.zeros((n_events, 2, 4)), np.zeros((n_events, 2, 4))
        for number, (pair, axis) in enumerate(zip(pairs, decays, strict=True)):
            minus[:, number], plus[:, number] = decay(pair, axis, open_)
        kept = np.flatnonzero(open_)
        minus, plus, s = minus[kept], plus[kept], s[kept]
        drawn = np.zeros(len(kept))
        for first, second, _ in _PAIRINGS:
            both = tuple(minus[:, i] + plus[:, j] for i, j in (first, second))
            drawn += 0.5 * density((both[0], both[1]), s)
        # 1/4 for two muons of either charge that are alike
        value = squared_amplitude(minus, plus, s) / (4.0 * 2.0 * s * drawn) * PB_GEV2
        weight = np.zeros(n_events)
        weight[kept] = value * radiation.weight[kept]
        particles = np.stack([minus[:, 0], plus[:, 0], minus[:, 1], plus[:, 1]], axis=1)
        return radiation.block(kept, particles, [13, -13, 13, -13], weight)


def draw_pairs(
    s_gev2: FloatArray,
    rng: np.random.Generator,
    masses_gev: tuple[float, float] = (M_MU, M_MU),
) -> tuple[tuple[FloatArray, FloatArray], BoolArray]:
    """Momenta of two pairs, and whether they have room."""
    n, spectra = len(s_gev2), _Spectra(s_gev2, masses_gev)
    kind, uniform = rng.integers(0, 3, n), rng.random((5, n))
    one = np.where(kind == 1, spectra.heavy(uniform[0], 0), spectra.light(uniform[0], 0))
    two = np.where(kind == 2, spectra.heavy(uniform[1], 1), spectra.light(uniform[1], 1))
    steep = np.tanh(np.arctanh(_REACH) * (2.0 * uniform[3] - 1.0)) / _REACH
    cosine = np.where(uniform[2] < 0.5, steep, 2.0 * uniform[3] - 1.0)
    axis = unit_vectors(np.clip(cosine, -1.0, 1.0), 2.0 * np.pi * uniform[4])
    energy = np.sqrt(s_gev2)
    momentum = two_body_momentum(energy, np.sqrt(one), np.sqrt(two))
    first = np.concatenate([np.sqrt(one + momentum**2)[:, None], momentum[:, None] * axis], axis=1)
    second = np.concatenate(
        [np.sqrt(two + momentum**2)[:, None], -momentum[:, None] * axis], axis=1
    )
    low = [4.0 * mass**2 * (1.0 + 1e-12) for mass in masses_gev]
    return (first, second), (momentum > 0.0) & (one > low[0]) & (two > low[1])


def decay(
    pair: FloatArray, axis: FloatArray, open_: BoolArray, mass_gev: float = M_MU
) -> tuple[FloatArray, FloatArray]:
    """Both leptons of a pair; zeros where there is no room."""
    one, two = np.zeros_like(pair), np.zeros_like(pair)
    mass = np.sqrt(invariant_mass_squared(pair[open_]))
    momentum = np.sqrt(np.maximum(0.25 * mass**2 - mass_gev**2, 0.0))
    rest = np.concatenate([0.5 * mass[:, None], momentum[:, None] * axis[open_]], axis=1)
    one[open_] = boost_to(rest, pair[open_])
    two[open_] = pair[open_] - one[open_]
    return one, two
