"""The processes that a card can name."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from darkstats.errors import OptionError, UnknownNameError
from darkstats.simulation.axion_strahlung import AxionStrahlung, MesonPhoton
from darkstats.simulation.three_photons import ThreePhotons

if TYPE_CHECKING:
    from collections.abc import Mapping

    from darkstats.simulation.events import Process

__all__ = ["PROCESSES", "make_process"]

#: Generators by the name that cards use.
PROCESSES: Mapping[str, type[Any]] = MappingProxyType(
    {
        "axion_strahlung": AxionStrahlung,
        "meson_photon": MesonPhoton,
        "three_photons": ThreePhotons,
    }
)


def make_process(name: str, settings: Mapping[str, object]) -> Process:
    """Return the process of a name with its settings.

    Raises
    ------
    UnknownNameError
        There is no such process.
    OptionError
        It has no such setting, or one is missing.
    """
    if name not in PROCESSES:
        raise UnknownNameError("process", name, tuple(PROCESSES))
    try:
        process: Process = PROCESSES[name](**settings)
    except TypeError as error:
        raise OptionError(f"process {name}: {error}") from None
    return process
