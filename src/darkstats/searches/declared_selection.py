"""A selection that a card declares: objects, how rows are made of them, and columns.

Nothing of it is code: objects are particles in an acceptance, of which an event has a given number
and nothing else; columns are quantities of their four-vectors
(:mod:`darkstats.searches.vector_expressions`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import OptionError
from darkstats.searches.vector_expressions import Quantity
from darkstats.signals.constants import BEAM_ENERGIES_GEV
from darkstats.simulation.candidates import Candidates
from darkstats.simulation.kinematics import M_E, M_MU, to_lab

if TYPE_CHECKING:
    from darkstats.arrays import BoolArray, FloatArray, IndexArray
    from darkstats.simulation.detector import Detector
    from darkstats.simulation.events import EventBlock

__all__ = ["BEAMS", "OTHERS", "DeclaredSelection", "ObjectClass"]

#: Names of the sum of both beams, and of all objects that a row does not take.
BEAMS, OTHERS = "beams", "others"
_CHARGED = (11, 13, 211, 321, 2212)
_MASSES_GEV = {11: M_E, 13: M_MU, 211: 0.13957039, 321: 0.493677, 2212: 0.93827209, 22: 0.0}
_LEAST_TRACK_GEV = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectClass:
    """Particles that are looked for.

    Parameters
    ----------
    name
        In the columns.
    pdg_ids
        Which particles, by the numbers of the PDG, signed: 13 is the negative muon.
    count
        How many an event has: exactly.
    min_momentum_gev, theta_range_deg
        In the laboratory; of photons, momentum is energy.
    identified
        Whether each needs the detector's efficiency to identify it.
    """

    name: str
    pdg_ids: tuple[int, ...]
    count: int
    min_momentum_gev: float = 0.0
    theta_range_deg: tuple[float, float] = (0.0, 180.0)
    identified: bool = True

    def __post_init__(self) -> None:
        """Check what can be checked.

        Raises
        ------
        OptionError
            A name that is none, particles that leave no track and no shower, or both kinds.
        """
        if not self.name.isidentifier() or self.name in {BEAMS, OTHERS}:
            raise OptionError(f"object {self.name!r}: give a name of letters, digits and _")
        odd = [pdg for pdg in self.pdg_ids if abs(pdg) not in _MASSES_GEV]
        if odd or not self.pdg_ids:
            raise OptionError(
                f"object {self.name!r}: {odd or 'no particle'}: choose among electrons 11, muons "
                "13, pions 211, kaons 321, protons 2212, photons 22, negative for antiparticles"
            )
        if len({abs(pdg) for pdg in self.pdg_ids}) > 1:
            raise OptionError(f"object {self.name!r}: particles of one kind make one object")
        if self.count < 1:
            raise OptionError(f"object {self.name!r}: an event has {self.count} of them")

    @property
    def is_photon(self) -> bool:
        """Whether it is seen by the calorimeter alone."""
        return self.pdg_ids[0] == 22

    @property
    def mass_gev(self) -> float:
        """Of the particle."""
        return _MASSES_GEV[abs(self.pdg_ids[0])]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredSelection:
    """Events that have the objects asked for, and no other track or shower.

    Parameters
    ----------
    objects
        Classes of objects; no particle is in two.
    columns
        Quantities by name.
    rows
        Names of objects that each row takes, and of their classes: with two muons of either charge,
        ``(("plus", "mu_plus"), ("minus", "mu_minus"))`` makes four rows an event. Two names of one
        class take each pair once. Without any, an event is one row.
    veto_tracks, veto_photons
        Whether further tracks, and showers above the detector's threshold, veto an event; the
        latter but for what calorimeter and K_L and muon detector miss. Events without any are lost
        to extra energy as often as the detector says.

    Notes
    -----
    Names in columns: those of ``rows``; a class of one object; ``NAME_1``, ``NAME_2``, ... for the
    objects of a larger class by falling momentum, and ``NAME`` for their sum; ``beams``; and
    ``others``, the sum of what a row does not take.

    Raises
    ------
    OptionError
        When it is made: names that are not known or used twice, or columns that are no quantity.
    """

    objects: tuple[ObjectClass, ...]
    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, str], ...] = ()
    veto_tracks: bool = True
    veto_photons: bool = True
    quantities: tuple[Quantity, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """See :class:`DeclaredSelection`."""
        names = [one.name for one in self.objects] + [name for name, _ in self.rows]
        if len(set(names)) != len(names) or not self.objects:
            raise OptionError("objects and rows need names of their own, each once")
        seen: set[int] = set()
        for one in self.objects:
            if seen & set(one.pdg_ids):
                raise OptionError(f"object {one.name!r}: its particles are in another one, too")
            seen |= set(one.pdg_ids)
        counts = {one.name: one.count for one in self.objects}
        for name, kind in self.rows:
            if kind not in counts:
                raise OptionError(f"row {name!r} takes {kind!r}, which is no object")
            if not name.isidentifier() or name in {BEAMS, OTHERS}:
                raise OptionError(f"row {name!r}: give a name of letters, digits and _")
            counts[kind] -= 1
            if counts[kind] < 0:
                raise OptionError(f"rows take more of {kind!r} than an event has")
        if not self.columns:
            raise OptionError("a selection without columns: declare at least one")
        known = self.names()
        quantities = tuple(Quantity.parse(text, known) for _, text in self.columns)
        object.__setattr__(self, "quantities", quantities)

    @property
    def column_names(self) -> tuple[str, ...]:
        """See :class:`~darkstats.simulation.selection.Selection`."""
        return tuple(name for name, _ in self.columns)

    def quantity(self, column: str) -> Quantity:
        """What a column holds."""
        return self.quantities[self.column_names.index(column)]

    def names(self) -> tuple[str, ...]:
        """Names that columns may use."""
        found = [BEAMS, *(name for name, _ in self.rows)]
        for one in self.objects:
            found.append(one.name)
            if one.count > 1:
                found += [f"{one.name}_{n}" for n in range(1, one.count + 1)]
        return (*found, OTHERS) if self.rows else tuple(found)

    def settings(self) -> dict[str, object]:
        """See :class:`~darkstats.simulation.selection.Selection`."""
        found = {key: value for key, value in asdict(self).items() if key != "quantities"}
        version = 2 if self.rows else 1  # of the order of rows
        return {"kind": "declared", "version": version, **found}

    def apply(self, block: EventBlock, detector: Detector, rng: np.random.Generator) -> Candidates:
        """See :class:`~darkstats.simulation.selection.Selection`."""
        seen = _Seen.of(block, detector)
        chosen = {one.name: seen.chosen(one) for one in self.objects}
        good = np.ones(block.n_events, dtype=bool)
        taken = np.zeros(len(block.pdg_id), dtype=bool)
        for one in self.objects:
            good &= np.bincount(block.event[chosen[one.name]], minlength=len(good)) == one.count
            taken[chosen[one.name]] = True
        weight = block.weight_pb * detector.trigger_efficiency
        if self.veto_tracks:
            more = np.bincount(block.event[seen.tracked & ~taken], minlength=len(good))
            good &= more == 0
        if self.veto_photons:
            other = seen.showering & ~taken
            chance = detector.unseen(seen.lab[other, 0], seen.theta[other])
            np.multiply.at(weight, block.event[other], chance)
            weight *= detector.extra_energy_efficiency
        good &= weight > 0.0
        objects: dict[str, FloatArray] = {}
        for one in self.objects:
            index = chosen[one.name][good[block.event[chosen[one.name]]]]
            objects[one.name] = _measured(one, seen.lab[index], detector, rng)
            each = _efficiency(one, seen.lab[index], detector)
            np.multiply.at(weight, seen.block.event[index], each)
        if detector.merging_rad > 0.0:
            apart = _apart(self.objects, objects, detector.merging_rad)
            objects = {name: momenta[apart] for name, momenta in objects.items()}
            weight = weight[np.flatnonzero(good)[apart]]
        else:
            weight = weight[good]
        return self._candidates(block, objects, weight)

    def counts_as_asked(self, block: EventBlock, detector: Detector) -> dict[str, int]:
        """Events that have as many objects as asked for, by class, whatever else they have."""
        seen = _Seen.of(block, detector)
        return {
            one.name: int(
                np.sum(
                    np.bincount(block.event[seen.chosen(one)], minlength=block.n_events)
                    == one.count
                )
            )
            for one in self.objects
        }

    def _candidates(
        self, block: EventBlock, objects: Mapping[str, FloatArray], weight: FloatArray
    ) -> Candidates:
        values: dict[str, list[FloatArray]] = {name: [] for name, _ in self.columns}
        n_rows = 0
        for row in self._rows(objects):
            n_rows += 1
            for (name, _), quantity in zip(self.columns, self.quantities, strict=True):
                values[name].append(quantity.values(row))
        # One choice of all events after the other: every second row is no choice of its own, and
        # halves of a sample (darkstats.searches.optimise.halves) have all choices alike.
        columns = {name: np.concatenate(parts) for name, parts in values.items()}
        exist = np.ones(n_rows * len(weight), dtype=bool)
        for column in columns.values():
            exist &= np.isfinite(column)
        return Candidates(
            columns=MappingProxyType({name: column[exist] for name, column in columns.items()}),
            weight_pb=np.tile(weight, n_rows)[exist],
            n_generated=block.n_events,
            sum_weight_pb=float(block.weight_pb.sum()),
            sum_weight_squared_pb2=float((block.weight_pb**2).sum()),
        )

    def _rows(self, objects: Mapping[str, FloatArray]) -> Iterator[dict[str, FloatArray]]:
        """Momenta by name, of one row of all events after the other."""
        n = len(next(iter(objects.values())))
        low, high = BEAM_ENERGIES_GEV
        beams = np.tile([low + high, 0.0, 0.0, low - high], (n, 1))
        fixed: dict[str, FloatArray] = {BEAMS: beams}
        for one in self.objects:
            momenta = objects[one.name]
            fixed[one.name] = momenta.sum(axis=1)
            if one.count > 1:
                fixed |= {f"{one.name}_{k + 1}": momenta[:, k] for k in range(one.count)}
        if not self.rows:
            yield fixed
            return
        everything = np.sum([fixed[one.name] for one in self.objects], axis=0)
        for places in self._choices():
            taken = {
                name: objects[kind][:, place]
                for (name, kind), place in zip(self.rows, places, strict=True)
            }
            rest = everything - np.sum(list(taken.values()), axis=0)
            yield {**fixed, **taken, OTHERS: rest}

    def _choices(self) -> Iterator[tuple[int, ...]]:
        """Which object of its class each name of a row takes: names of one class take each once."""
        counts = {one.name: one.count for one in self.objects}
        kinds = [kind for _, kind in self.rows]
        for places in itertools.product(*(range(counts[kind]) for kind in kinds)):
            by_kind: dict[str, list[int]] = {}
            for kind, place in zip(kinds, places, strict=True):
                by_kind.setdefault(kind, []).append(place)
            if all(sorted(set(found)) == found for found in by_kind.values()):
                yield places


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What a detector sees of the particles of a block."""

    block: EventBlock
    lab: FloatArray
    theta: FloatArray
    momentum: FloatArray
    tracked: BoolArray
    showering: BoolArray  # would shower, wherever it goes
    shower: BoolArray  # in the calorimeter

    @classmethod
    def of(cls, block: EventBlock, detector: Detector) -> _Seen:
        lab = to_lab(block.momentum)
        theta = np.arctan2(np.hypot(lab[:, 1], lab[:, 2]), lab[:, 3])
        momentum = np.linalg.norm(lab[:, 1:], axis=1)
        kind = np.abs(block.pdg_id)
        tracked = np.isin(kind, _CHARGED) & detector.in_cdc(theta) & (momentum > _LEAST_TRACK_GEV)
        showering = (kind == 22) | ((kind == 11) & ~tracked)
        return cls(
            block=block, lab=lab, theta=theta, momentum=momentum, tracked=tracked,
            showering=showering, shower=showering & detector.in_ecl(theta),
        )  # fmt: skip

    def chosen(self, one: ObjectClass) -> IndexArray:
        """Particles of a class, by event and falling momentum. Shape [particle of the class]."""
        low, high = np.radians(one.theta_range_deg)
        there = self.shower if one.is_photon else self.tracked
        mask = there & np.isin(self.block.pdg_id, one.pdg_ids)
        mask &= (self.theta > low) & (self.theta < high) & (self.momentum > one.min_momentum_gev)
        index = np.flatnonzero(mask)
        order = np.lexsort((-self.momentum[index], self.block.event[index]))
        return np.asarray(index[order])


def _measured(
    one: ObjectClass, lab: FloatArray, detector: Detector, rng: np.random.Generator
) -> FloatArray:
    """Measured momenta of a class. Shape [event, count, 4]."""
    if one.is_photon:
        found = detector.smear_photons(lab, rng)
    else:
        found = detector.smear_tracks(lab, np.full(len(lab), one.mass_gev), rng)
    return found.reshape(-1, one.count, 4)


def _efficiency(one: ObjectClass, lab: FloatArray, detector: Detector) -> FloatArray:
    """Efficiency of each object. Shape [object]."""
    if not one.identified:
        return np.ones(len(lab))
    if one.is_photon:
        return detector.found(lab[:, 0])
    return np.full(len(lab), detector.lepton_efficiency)


def _apart(
    classes: tuple[ObjectClass, ...], objects: Mapping[str, FloatArray], least_rad: float
) -> BoolArray:
    """Events whose photons are not merged. Shape [event]."""
    n = len(next(iter(objects.values())))
    apart = np.ones(n, dtype=bool)
    photons = [objects[one.name] for one in classes if one.is_photon]
    if not photons:
        return apart
    together = np.concatenate(photons, axis=1)[..., 1:]
    directions = together / np.maximum(np.linalg.norm(together, axis=2), 1e-12)[..., None]
    for a, b in itertools.combinations(range(directions.shape[1]), 2):
        apart &= (directions[:, a] * directions[:, b]).sum(axis=1) < np.cos(least_rad)
    return apart
