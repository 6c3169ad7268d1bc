"""Quark pairs with many muons: decays to muons made often by PYTHIA, and weights that take it back.

Of all that hadrons leave in a search with two muons, events with a real muon weigh most and are
rare: one charmed hadron that decays to a muon beside a hadron that is taken for one; D_s to a tau
to a muon; a light meson that decays to a muon pair. Here a fixed part of the events has the first,
in two strata by the charge of the muon, and no other has it; the others have a probability that is
set, in all events. Strata and weights are exact for one pair of charmed hadrons. Muons of further
ones are left out: charm of a gluon beside light quarks, 0.9 pb, and second pairs beside charm,
0.14 pb, where 1300 pb have one pair.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.errors import NotCertifiedError
from darkstats.simulation.events import EventBlock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from darkstats.arrays import BoolArray, FloatArray, IndexArray

__all__ = [
    "CHARMED",
    "ONE_MUON_SHARE",
    "RAISED",
    "Fractions",
    "charm_switches",
    "count",
    "daughters_of",
    "joined",
    "muon_fraction",
    "of_charm",
    "raise_muons",
    "stratum_weights",
]

#: Charmed hadrons that decay weakly.
CHARMED = (411, 421, 431, 4122, 4132, 4232, 4332)
#: Share of the events in which one charmed hadron decays to a muon.
ONE_MUON_SHARE = 0.5
#: Particle, daughter, and the probability of decays to it that is set: rho0, eta, omega, eta' and
#: phi to muon pairs, the tau to a muon, D_s to a tau.
RAISED = (
    *((code, 13, 0.05) for code in (113, 221, 223, 331, 333)),
    (15, 13, 0.6),
    (431, 15, 0.3),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fractions:
    """Branching fractions of PYTHIA before any was raised, by particle.

    Parameters
    ----------
    muon
        Of charmed hadrons, to final states with a muon.
    raised
        Of what is raised, among the decays that are not to muons of charm.
    """

    muon: Mapping[int, float]
    raised: Mapping[int, float]


def count(
    batch: Any,  # noqa: ANN401  # awkward
    code: int,
    *,
    final: bool,
    sign: int = 0,
) -> IndexArray:
    """Particles of a number in each event; the last copies, or those that decayed.

    Of one sign (1, -1), or of both (0).
    """
    import awkward

    particles = batch["prt"]
    kind = abs(particles["id"]) if sign == 0 else sign * particles["id"]
    state = particles["status"] > 0 if final else particles["status"] < 0
    return np.asarray(awkward.to_numpy(awkward.sum((kind == code) & state, axis=1)))


def of_charm(batch: Any) -> BoolArray:  # noqa: ANN401  # awkward
    """Events whose hard collision made charm."""
    import awkward

    particles = batch["prt"]
    hard = (abs(particles["id"]) == 4) & (abs(particles["status"]) == 23)
    return np.asarray(awkward.to_numpy(awkward.any(hard, axis=1)))


def daughters_of(batch: Any, code: int, daughter: int) -> IndexArray:  # noqa: ANN401  # awkward
    """Daughters of a number that particles of another number have, in each event."""
    import awkward

    particles = batch["prt"]
    kind = abs(particles["id"])
    parents = kind[particles["mother1"][kind == daughter]]
    return np.asarray(awkward.to_numpy(awkward.sum(parents == code, axis=1)))


def muon_fraction(generator: Any, code: int) -> float:  # noqa: ANN401  # PYTHIA has no types
    """Branching fraction of a hadron to final states with a muon, as PYTHIA has it."""
    return sum(_ratios(generator, code, 13).values()) / sum(_ratios(generator, code).values())


def charm_switches(sign: int) -> list[str]:
    """Settings: charmed hadrons of this sign decay to muons, all others to all else.

    Of sign 0: none decays to a muon.
    """
    to_muons, others = {1: ("onPosIfAny", 3), -1: ("onNegIfAny", 2), 0: ("offIfAny", 1)}[sign]
    lines = []
    for code in CHARMED:
        lines += [f"{code}:onMode = {others}", f"{code}:{to_muons} = 13"]
    return lines


def raise_muons(generator: Any) -> Fractions:  # noqa: ANN401  # PYTHIA has no types
    """Set the probabilities of :data:`RAISED`; return the fractions from before.

    Raises
    ------
    NotCertifiedError
        PYTHIA refused.
    """
    muon = {code: muon_fraction(generator, code) for code in CHARMED}
    raised = {}
    for code, daughter, probability in RAISED:
        ratios = _ratios(generator, code, daughter)
        some = sum(ratios.values())
        total = sum(_ratios(generator, code).values()) * (1.0 - muon.get(code, 0.0))
        factor = probability / (1.0 - probability) * (total - some) / some
        for place, ratio in ratios.items():
            line = f"{code}:{place}:bRatio = {factor * ratio:.12g}"
            if not generator.readString(line):
                raise NotCertifiedError(f"PYTHIA refused the setting {line!r}")
        raised[code] = some / total
    return Fractions(muon=muon, raised=raised)


def stratum_weights(batch: Any, fractions: Fractions, sign: int) -> FloatArray:  # noqa: ANN401
    """True over set probability of the decays of each event. Shape [event].

    Parameters
    ----------
    batch
        Events with the settings of :func:`charm_switches` and :func:`raise_muons`.
    fractions
        What the latter returned.
    sign
        Of the charmed hadrons that decay to muons; an event with none of them, or two, has weight
        zero. 0: no charmed hadron does.
    """
    weights = np.ones(len(batch))
    forced = {code: _forced(batch, code, sign) for code in CHARMED}
    decayed = {code: count(batch, code, final=False) for code in CHARMED}
    for code, share in fractions.muon.items():
        weights *= share ** forced[code] * (1.0 - share) ** (decayed[code] - forced[code])
    for code, daughter, probability in RAISED:
        share = fractions.raised[code]
        free = count(batch, code, final=False) - forced.get(code, 0)
        chosen = daughters_of(batch, code, daughter) // (1 if code in (15, 431) else 2)
        weights *= (share / probability) ** chosen
        weights *= ((1.0 - share) / (1.0 - probability)) ** (free - chosen)
    if sign != 0:
        weights[np.sum(list(forced.values()), axis=0) != 1] = 0.0
    return weights


def joined(blocks: list[EventBlock]) -> EventBlock:
    """Events of several blocks, one after another."""
    starts = np.cumsum([0, *(block.n_events for block in blocks[:-1])])
    return EventBlock(
        event=np.concatenate([b.event + at for b, at in zip(blocks, starts, strict=True)]),
        pdg_id=np.concatenate([block.pdg_id for block in blocks]),
        momentum=np.concatenate([block.momentum for block in blocks]),
        weight_pb=np.concatenate([block.weight_pb for block in blocks]),
    )


def _forced(batch: Any, code: int, sign: int) -> IndexArray:  # noqa: ANN401  # awkward
    if sign == 0:
        return np.zeros(len(batch), dtype=np.int64)
    return count(batch, code, final=False, sign=sign)


def _ratios(generator: Any, code: int, daughter: int = 0) -> dict[int, float]:  # noqa: ANN401
    """Branching ratios by place of the channel: those with a daughter, or (0) all."""
    entry = generator.particleData.particleDataEntryPtr(code)
    channels = [entry.channel(k) for k in range(entry.sizeChannels())]
    return {
        k: float(one.bRatio())
        for k, one in enumerate(channels)
        if daughter in {0, *(abs(one.product(j)) for j in range(one.multiplicity()))}
    }
