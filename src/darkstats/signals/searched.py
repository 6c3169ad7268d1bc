"""What a search looked for: how the boson is made, how it is seen, and what its signal fixes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from darkstats.errors import OptionError
from darkstats.signals.mediators import FINAL_STATES
from darkstats.signals.productions import PRODUCTIONS

__all__ = ["HADRON_PAIRS", "SEARCHED_PRODUCTIONS", "SEARCHED_STATES", "Searched", "searched_of"]

#: Productions of searches: those of a recast, and two that none of its mediators has.
SEARCHED_PRODUCTIONS: Mapping[str, str] = MappingProxyType(
    {
        **{name: one.words for name, one in PRODUCTIONS.items()},
        "mumu_scalar": "e+e- -> mu+mu- S at Belle II, S radiated off a muon",
        "dark_higgsstrahlung": "e+e- -> A' h' at Belle II",
    }
)
#: Final states of searches that a recast has no name for: some of the hadrons.
HADRON_PAIRS = ("pipi", "KK")
#: Final states of searches: those of a recast, and pairs of hadrons.
SEARCHED_STATES = (*FINAL_STATES, *HADRON_PAIRS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """What a search looked for.

    Parameters
    ----------
    production
        Of :data:`SEARCHED_PRODUCTIONS`.
    final_state
        Of :data:`SEARCHED_STATES`: how the boson decays.
    parameters
        What the signal fixes beside its mass, by name; what a model has to have alike.

    Raises
    ------
    OptionError
        A name is not known, or a parameter is no number.

    Examples
    --------
    >>> Searched(production="b_to_k", final_state="mumu").words
    '--production b_to_k --final-state mumu'
    """

    production: str
    final_state: str
    parameters: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """See :class:`Searched`."""
        for what, name, known in (
            ("production", self.production, tuple(SEARCHED_PRODUCTIONS)),
            ("final state", self.final_state, SEARCHED_STATES),
        ):
            if name not in known:
                raise OptionError(f"{what} {name!r}: choose one of {', '.join(known)}")
        for name, value in self.parameters.items():
            if type(value) not in {int, float} or not math.isfinite(value):
                raise OptionError(
                    f"parameter {name} of the signal is {value!r}, which is no number"
                )

    @property
    def options(self) -> str:
        """As a recast asks for it."""
        return f"--production {self.production} --final-state {self.final_state}"

    @property
    def words(self) -> str:
        """The same, in words where a recast cannot; with what the signal fixes.

        Examples
        --------
        >>> Searched(production="mumu_scalar", final_state="mumu").words
        'e+e- -> mu+mu- S at Belle II, S radiated off a muon, seen as mumu'
        """
        said = ", ".join(f"{name} = {value:g}" for name, value in self.parameters.items())
        found = f"{SEARCHED_PRODUCTIONS[self.production]}, seen as {self.final_state}"
        if self.production in PRODUCTIONS:
            found = self.options
        return f"{found} ({said})" if said else found

    def fixes(self, parameters: Mapping[str, float]) -> bool:
        """Whether the signal has exactly these parameters."""
        return set(parameters) == set(self.parameters) and all(
            math.isclose(value, parameters[name], rel_tol=1e-9)
            for name, value in self.parameters.items()
        )

    def plain(self) -> dict[str, Any]:
        """As a JSON object; see :func:`searched_of`."""
        return {
            "production": self.production,
            "final_state": self.final_state,
            "parameters": {name: float(value) for name, value in self.parameters.items()},
        }


def searched_of(document: object) -> Searched:
    """Return what :meth:`Searched.plain` wrote.

    Raises
    ------
    OptionError
        It is something else.

    Examples
    --------
    >>> one = Searched(production="radiative", final_state="ee", parameters={"max_cosine": 0.95})
    >>> searched_of(one.plain()) == one
    True
    """
    keys = {"production", "final_state", "parameters"}
    if not isinstance(document, Mapping) or not {*document} <= keys:
        raise OptionError("is no object with production, final_state and parameters alone")
    parameters = document.get("parameters", {})
    if not isinstance(parameters, Mapping):
        raise OptionError("has parameters that are no object")
    return Searched(
        production=str(document.get("production")),
        final_state=str(document.get("final_state")),
        parameters=dict(parameters),
    )
