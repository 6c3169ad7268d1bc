"""Events made elsewhere: Les Houches event files, and ROOT ntuples of candidates."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import InputError, MissingExtraError, OptionError, in_words
from darkstats.simulation.candidates import Candidates
from darkstats.simulation.events import EventBlock
from darkstats.simulation.kinematics import to_cm

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LheEvents", "read_lhe", "read_ntuple"]

_INVISIBLE = (12, 14, 16)


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
        The file cannot be read, or holds no event.
    OptionError
        An unknown frame.
    """
    if frame not in ("cm", "lab"):
        raise OptionError(f"frame {frame!r}: choose one of cm, lab")
    try:
        import pylhe
    except ImportError:
        raise MissingExtraError("pylhe", "simulation") from None
    if not Path(path).is_file():
        raise InputError(f"{path}: there is no such file")
    event, pdg, momentum, weight = [], [], [], []
    try:
        file = pylhe.LHEFile.fromfile(str(path))
        total = sum(process.xSection for process in file.init.procInfo)
        for number, one in enumerate(file.events):
            weight.append(one.eventinfo.weight)
            for particle in one.particles:
                if particle.status == 1 and abs(particle.id) not in _INVISIBLE:
                    event.append(number)
                    pdg.append(int(particle.id))
                    momentum.append((particle.e, particle.px, particle.py, particle.pz))
    except Exception as error:  # XML and value errors of the parser
        raise InputError(f"{path}: not a Les Houches event file: {in_words(error)}") from error
    weights = np.array(weight, dtype=np.float64)
    if not len(weights) or not np.all(np.isfinite(weights)) or weights.sum() <= 0.0:
        raise InputError(f"{path}: no events with a positive weight")
    four = np.array(momentum, dtype=np.float64).reshape(-1, 4)
    return EventBlock(
        event=np.array(event, dtype=np.int64),
        pdg_id=np.array(pdg, dtype=np.int64),
        momentum=to_cm(four) if frame == "lab" else four,
        weight_pb=weights * (total / weights.mean()),
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
            "version": 1,
            "sha256": hashlib.sha256(self.file.read_bytes()).hexdigest(),
            "frame": self.frame,
            "cross_section_pb": self.cross_section_pb,
            "is_signal": self.mass_gev is not None,
        }

    def generate(self, n_events: int, rng: np.random.Generator) -> EventBlock:
        """Return the events of the file.

        Raises
        ------
        OptionError
            The card asks for another number of events, or cuts them into blocks.
        """
        block = read_lhe(self.file, frame=self.frame)
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
