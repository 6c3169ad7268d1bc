"""Events made elsewhere: Les Houches event files, and ROOT ntuples of candidates."""

from __future__ import annotations

import hashlib
import math
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import InputError, MissingExtraError, OptionError, in_words
from darkstats.signals.constants import BEAM_ENERGIES_GEV
from darkstats.simulation.candidates import Candidates
from darkstats.simulation.events import EventBlock
from darkstats.simulation.kinematics import CM_ENERGY_GEV, to_cm

if TYPE_CHECKING:
    from collections.abc import Mapping

    from darkstats.arrays import FloatArray, IndexArray

__all__ = ["LheEvents", "read_lhe", "read_ntuple"]

_INVISIBLE = (12, 14, 16)
_SAME_MASS = 0.05  # relative, of the median: wider than a narrow boson's, narrower than two masses
_LEAST_MEV, _MOST_MEV = 50.0, 1100.0  # energy over that of the beams: some is invisible
_SAME_BEAMS = 0.01  # relative: a recoil mass wants its sqrt(s), so Y(5S) events are others


def read_lhe(path: Path | str, *, frame: str = "cm") -> EventBlock:
    """Read the final-state particles of a Les Houches event file.

    Parameters
    ----------
    path
        The file, plain or gzipped.
    frame
        ``"cm"``, or ``"lab"``: electrons of 7 GeV along +z on positrons of 4 GeV.

    Returns
    -------
    EventBlock
        Weights so that their mean is the cross section, pb: XWGTUP of each event times the
        total cross section of the file over the mean XWGTUP. Neutrinos are left out.

    Raises
    ------
    MissingExtraError
        pylhe is not installed.
    InputError
        The file cannot be read, ends early, holds no event, one with a number that is not finite
        or with more energy than the beams, or its beams are not those of the frame.
    OptionError
        An unknown frame.
    """
    return _read(path, frame)[0]


def _read(path: Path | str, frame: str) -> tuple[EventBlock, dict[int, FloatArray]]:
    """Events, and the masses in GeV of all particles beyond the Standard Model, by PDG number."""
    if frame not in ("cm", "lab"):
        raise OptionError(f"frame {frame!r}: choose one of cm, lab")
    try:
        import pylhe
    except ImportError:
        raise MissingExtraError("pylhe", "simulation") from None
    if not Path(path).is_file():
        raise InputError(f"{path}: there is no such file")
    event, pdg, momentum, weight = [], [], [], []
    new: dict[int, list[float]] = {}
    try:
        with warnings.catch_warnings():
            # pylhe warns of a file that ends early and goes on without the rest.
            warnings.filterwarnings("error", message="Parse Error", category=RuntimeWarning)
            file = pylhe.LHEFile.fromfile(str(path))
            total = sum(process.xSection for process in file.init.procInfo)
            info = file.init.initInfo
            beams_gev = (float(info.energyA), float(info.energyB))
            for number, one in enumerate(file.events):
                weight.append(one.eventinfo.weight)
                for particle in one.particles:
                    if particle.status == 1 and abs(particle.id) not in _INVISIBLE:
                        event.append(number)
                        pdg.append(int(particle.id))
                        momentum.append((particle.e, particle.px, particle.py, particle.pz))
                    if particle.status in (1, 2) and _is_new(int(particle.id)):
                        new.setdefault(int(particle.id), []).append(float(particle.m))
    except (RuntimeWarning, EOFError) as error:
        if not weight:
            raise InputError(
                f"{path}: not a Les Houches event file, or it ends before its first event: "
                f"{in_words(error)}"
            ) from error
        raise InputError(
            f"{path}: the file ends early or is damaged after {len(weight)} whole events "
            f"({in_words(error)}): write or copy it again"
        ) from error
    except Exception as error:  # XML and value errors of the parser
        raise InputError(f"{path}: not a Les Houches event file: {in_words(error)}") from error
    _require_beams(path, beams_gev, frame)
    weights = np.array(weight, dtype=np.float64)
    _require_finite(path, "weight (XWGTUP)", weights, np.arange(len(weights)))
    _require_finite(path, "cross section (XSECUP)", np.array([total]), None)
    if not len(weights) or weights.sum() <= 0.0:
        raise InputError(f"{path}: no events with a positive weight")
    four = np.array(momentum, dtype=np.float64).reshape(-1, 4)
    places = np.array(event, dtype=np.int64)
    _require_finite(path, "momentum of a particle", four, places)
    energies = np.bincount(places, four[:, 0], len(weights)).astype(np.float64)
    _require_energies(path, energies, frame)
    block = EventBlock(
        event=places,
        pdg_id=np.array(pdg, dtype=np.int64),
        momentum=to_cm(four) if frame == "lab" else four,
        weight_pb=weights * (total / weights.mean()),
    )
    return block, {number: np.array(masses) for number, masses in new.items()}


def _is_new(pdg_id: int) -> bool:
    """Whether a PDG number is of a particle beyond the Standard Model, by its numbering scheme."""
    number = abs(pdg_id)
    if number < 100:  # quarks, leptons, bosons
        return number in (7, 8, 17, 18) or number >= 25
    # From 9,000,000 on mesons whose quarks are the last digits; generators number from 9,000,001.
    if number >= 9_000_000:
        return number % 10_000 < 100
    return number >= 1_000_000


def _require_energies(path: Path | str, energies_gev: FloatArray, frame: str) -> None:
    """Refuse events with more energy than both beams have, which the header may say right."""
    most = sum(BEAM_ENERGIES_GEV) if frame == "lab" else CM_ENERGY_GEV
    beyond = np.flatnonzero(energies_gev > (1.0 + _SAME_BEAMS) * most)
    if not len(beyond):
        return
    first = int(beyond[0])
    typical = float(np.median(energies_gev)) / most
    hint = (
        "the momenta are in MeV: write them in GeV"
        if _LEAST_MEV < typical < _MOST_MEV
        else "generate at this energy, in GeV, or write the frame that they are in"
    )
    raise InputError(
        f"{path}, event {first + 1}: its particles have {energies_gev[first]:.6g} GeV together, "
        f"and the beams of frame: {frame} have {most:.5g} GeV; beyond are {len(beyond)} of "
        f"{len(energies_gev)} events: {hint}"
    )


def _require_finite(
    path: Path | str, what: str, values: FloatArray, event: IndexArray | None
) -> None:
    """Refuse numbers that are not finite, with the first event (counted from 1) that has one."""
    good = np.isfinite(values).reshape(len(values), -1).all(axis=1)
    if good.all():
        return
    first = int(np.flatnonzero(~good)[0])
    where = "<init>" if event is None else f"event {event[first] + 1}"
    raise InputError(
        f"{path}, {where}: the {what} is {values[first].tolist()}, not finite: generate it again, "
        "or take the event out"
    )


def _require_beams(path: Path | str, beams_gev: tuple[float, float], frame: str) -> None:
    """Refuse beams of ``<init>`` that are not those of the frame; zeros say nothing of them."""
    if beams_gev == (0.0, 0.0):
        return
    wanted = BEAM_ENERGIES_GEV if frame == "lab" else (CM_ENERGY_GEV / 2.0, CM_ENERGY_GEV / 2.0)
    if all(
        math.isclose(one, other, rel_tol=_SAME_BEAMS)
        for one, other in zip(beams_gev, wanted, strict=True)
    ):
        return
    first, second = beams_gev
    said = f"{path}: <init> has beams of {first:g} and {second:g} GeV, and frame: {frame} wants "
    said += f"{wanted[0]:.4g} and {wanted[1]:.4g} GeV"
    if not (first > 0.0 and second > 0.0 and math.isfinite(first * second)):
        raise InputError(f"{said}: write the energies of the beams, or 0 and 0 if unknown")
    root_s = 2.0 * math.sqrt(first * second)
    if math.isclose(root_s, CM_ENERGY_GEV, rel_tol=_SAME_BEAMS):
        if math.isclose(first, second, rel_tol=_SAME_BEAMS):
            raise InputError(f"{said}: equal beams are those of the c.m.: write frame: cm")
        if math.isclose(first, BEAM_ENERGIES_GEV[0], rel_tol=_SAME_BEAMS):
            raise InputError(f"{said}: these are the beams of the laboratory: write frame: lab")
        raise InputError(
            f"{said}: a laboratory other than electrons of 7 GeV along +z on positrons of 4 GeV: "
            "boost the events to the c.m. and write frame: cm"
        )
    if math.isclose(root_s, 1000.0 * CM_ENERGY_GEV, rel_tol=_SAME_BEAMS):
        raise InputError(f"{said}: the file is in MeV; write it in GeV")
    raise InputError(
        f"{said}: sqrt(s) of {root_s:.5g} GeV is not {CM_ENERGY_GEV:.5g} GeV: generate at this "
        "energy, with units of GeV"
    )


def _require_mass(path: Path, new: dict[int, FloatArray], mass_gev: float) -> None:
    """Refuse a signal in which no new particle has the declared mass; none in the file says none.

    Masses of zero are those of a generator that does not write them.
    """
    medians = {number: float(np.median(masses)) for number, masses in new.items()}
    told = {number: mass for number, mass in medians.items() if mass > 0.0}
    if not told or any(abs(mass - mass_gev) <= _SAME_MASS * mass_gev for mass in told.values()):
        return
    found = ", ".join(f"{number} has {mass:.5g} GeV" for number, mass in told.items())
    raise InputError(
        f"{path}: the card declares {mass_gev:g} GeV (masses_gev), and of the new particles of the "
        f"file (PDG numbers, median of the masses) {found}: give the file of this mass, masses in "
        "GeV, or correct masses_gev or path"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LheEvents:
    """Events of a Les Houches file as a process of a card: all of them, once.

    Parameters
    ----------
    path
        The file, relative to ``folder``; of a signal, ``{mass_gev}`` in it stands for the mass.
    folder
        Of the card.
    frame
        ``"cm"`` or ``"lab"``, see :func:`read_lhe`.
    cross_section_pb
        Of the process, in the place of the file's; a signal is made for 1 pb.
    mass_gev
        Of a signal.

    Raises
    ------
    InputError
        There is no such file.
    """

    path: str
    folder: str = "."
    frame: str = "cm"
    cross_section_pb: float | None = None
    mass_gev: float | None = None

    def __post_init__(self) -> None:
        """See :class:`LheEvents`."""
        if not self.file.is_file():
            raise InputError(f"{self.file}: there is no such file")

    @property
    def file(self) -> Path:
        """The file, with its mass."""
        name = self.path
        if self.mass_gev is not None:
            name = name.replace("{mass_gev}", f"{self.mass_gev:g}")
        return Path(self.folder) / name

    @property
    def name(self) -> str:
        """See :class:`~darkstats.simulation.events.Process`."""
        return "lhe"

    def settings(self) -> dict[str, object]:
        """See :class:`~darkstats.simulation.events.Process`. Files are told by their content."""
        return {
            "version": 3,  # of what is refused: a cache may hold what earlier ones let pass
            "sha256": hashlib.sha256(self.file.read_bytes()).hexdigest(),
            "frame": self.frame,
            "cross_section_pb": self.cross_section_pb,
            # Files of one content may be declared as of two masses, and one of them is refused.
            "is_signal": self.mass_gev is not None,
            "mass_gev": self.mass_gev,
        }

    def generate(self, n_events: int, rng: np.random.Generator) -> EventBlock:
        """Return the events of the file.

        Raises
        ------
        OptionError
            The card asks for another number of events, or cuts them into blocks.
        InputError
            The new particles of a signal are of another mass than declared.
        """
        block, new = _read(self.file, self.frame)
        if self.mass_gev is not None:
            _require_mass(self.file, new, self.mass_gev)
        if block.n_events != n_events:
            n = block.n_events
            raise OptionError(
                f"{self.file} holds {n} events, not {n_events}: write events: {{full: {n}, "
                f"quick: {n}}} and events_per_block: {n}"
            )
        wanted = 1.0 if self.mass_gev is not None else self.cross_section_pb
        if wanted is None:
            return block
        return replace(block, weight_pb=block.weight_pb * (wanted / block.cross_section_pb))


def read_ntuple(
    path: Path | str,
    tree: str,
    columns: Mapping[str, str],
    *,
    cross_section_pb: float,
    n_generated: int,
    weight: str | None = None,
) -> Candidates:
    """Read candidates from a ROOT ntuple.

    Parameters
    ----------
    path, tree
        File, and name of the tree.
    columns
        Branch by our name of the column.
    cross_section_pb, n_generated
        Of the generated sample.
    weight
        Branch of relative weights; None for ones.

    Raises
    ------
    MissingExtraError
        uproot is not installed.
    InputError
        With file, tree and branch: something is missing, or a value is no number.
    OptionError
        Cross section or number of events are not positive.
    """
    if not (cross_section_pb > 0.0 and n_generated > 0):
        raise OptionError("cross_section_pb and n_generated must be positive")
    try:
        import uproot
    except ImportError:
        raise MissingExtraError("uproot", "templates") from None
    if not Path(path).is_file():
        raise InputError(f"{path}: there is no such file")
    try:
        with uproot.open(path) as file:
            if tree not in file:
                raise InputError(f"{path}: no tree {tree!r}; it holds {', '.join(file.keys())}")
            ntuple = file[tree]
            wanted = {**columns, **({"": weight} if weight is not None else {})}
            for branch in wanted.values():
                if branch not in ntuple:
                    raise InputError(
                        f"{path}, tree {tree}: no branch {branch!r}; it holds "
                        f"{', '.join(ntuple.keys())}"
                    )
            found = {
                name: np.asarray(ntuple[branch].array(library="np"), dtype=np.float64)
                for name, branch in wanted.items()
            }
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a ROOT file that can be read: {in_words(error)}") from error
    for name, branch in wanted.items():
        if not np.all(np.isfinite(found[name])):
            row = int(np.flatnonzero(~np.isfinite(found[name]))[0])
            raise InputError(f"{path}, tree {tree}, branch {branch}: row {row} is no number")
    relative = found.pop("") if weight is not None else np.ones(len(next(iter(found.values()))))
    weights = relative * cross_section_pb
    return Candidates(
        columns=MappingProxyType(found),
        weight_pb=weights,
        n_generated=n_generated,
        sum_weight_pb=cross_section_pb * n_generated,
        sum_weight_squared_pb2=cross_section_pb**2 * n_generated,
    )
