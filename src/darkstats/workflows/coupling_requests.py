"""What is asked of a coupling: the model, and what signal strength 1 is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from darkstats.errors import OptionError
from darkstats.options import option

__all__ = [
    "NO_MODEL",
    "NO_MODEL_AT_MASS",
    "UNIT_SIGNAL",
    "CouplingAtMass",
    "CouplingRequest",
]

_PANEL = "Coupling"
UNIT_SIGNAL = "--unit-signal"


def _masses(texts: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    """Read GEV, or NAME=VALUE of each."""
    found = []
    for text in texts:
        name, _, written = text.rpartition("=")
        try:
            value = float(written)
        except ValueError:
            value = math.nan
        if not 0.0 < value < math.inf:
            raise OptionError(f"--mass {text!r}: write a mass in GeV, or LABEL=VALUE")
        found.append((name, value))
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class CouplingRequest:
    """A model whose coupling is limited, and what signal strength 1 is."""

    cross_sections: Annotated[
        str | None,
        option(
            "--cross-sections", metavar="MODEL", reads="perhaps", panel=_PANEL,
            help="Limit the coupling of this model, too: cross sections by mass in a .csv, .yaml "
            "or .json table, or 'sigma_fb = 12.3*g**2/mass_gev**2'.",
        ),
    ] = None  # fmt: skip
    unit_signal: Annotated[
        str | None,
        option(
            UNIT_SIGNAL, metavar="WHAT", panel=_PANEL,
            help="What signal strength 1 is, for --cross-sections: '2.5 fb', g=0.1, or reference "
            "(the model at its reference coupling).",
        ),
    ] = None  # fmt: skip

    def __post_init__(self) -> None:
        """Check what can be checked without the files.

        Raises
        ------
        OptionError
            What belongs to a model stands alone.
        """
        if self.cross_sections is None and self.unit_signal is not None:
            raise OptionError(f"{UNIT_SIGNAL} goes with --cross-sections: name the model")


@dataclass(frozen=True, slots=True, kw_only=True)
class CouplingAtMass(CouplingRequest):
    """The same for one hypothesis, whose mass may not be known."""

    masses: Annotated[
        tuple[tuple[str, float], ...],
        option(
            "--mass", metavar="GEV", panel=_PANEL, read=_masses, repeated=True,
            help="Mass of the hypothesis, GeV, for --cross-sections, where no patch set says it; "
            "or LABEL=VALUE, repeatable.",
        ),
    ] = ()  # fmt: skip

    def __post_init__(self) -> None:
        """Check what can be checked without the files.

        Raises
        ------
        OptionError
            What belongs to a model stands alone.
        """
        CouplingRequest.__post_init__(self)
        if self.cross_sections is None and self.masses:
            raise OptionError("--mass goes with --cross-sections: name the model")


NO_MODEL = CouplingRequest()
NO_MODEL_AT_MASS = CouplingAtMass()
