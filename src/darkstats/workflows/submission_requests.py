"""What a user asks of a HEPData submission: its folder, and what collided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from darkstats.errors import OptionError
from darkstats.options import option

__all__ = ["NO_SUBMISSION", "SubmissionRequest"]

_LARGEST_ENERGY_GEV = 1e9  # beyond any accelerator: the unit is another one


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionRequest:
    """A HEPData submission; what collided, instead of what the record says."""

    hepdata: Annotated[
        str | None,
        option(
            "--hepdata", metavar="DIR", writes=True, help="Write a HEPData submission to a folder."
        ),
    ] = None
    sqrt_s_gev: Annotated[
        float | None,
        option("--sqrt-s", metavar="GEV", help="Energy in the centre of mass, for HEPData."),
    ] = None
    beams: Annotated[str | None, option("--beams", metavar="WORDS", help="Beams, for HEPData.")] = (
        None
    )
    collaboration: Annotated[
        str | None, option("--collaboration", metavar="NAME", help="Collaboration, for HEPData.")
    ] = None
    reaction: Annotated[
        str | None, option("--reaction", metavar="WORDS", help="Reaction by HEPData's rules.")
    ] = None

    def __post_init__(self) -> None:
        """Check what is said of the collision.

        Raises
        ------
        OptionError
            The energy is none, or words on the collision stand without a submission.
        """
        energy = self.sqrt_s_gev
        if energy is not None and not 0.0 < energy < _LARGEST_ENERGY_GEV:
            raise OptionError(f"--sqrt-s {energy:g}: give an energy in GeV, above zero")
        given = (energy, self.beams, self.collaboration, self.reaction)
        if self.hepdata is None and any(one is not None for one in given):
            raise OptionError("--sqrt-s, --beams, --collaboration, --reaction go with --hepdata")


NO_SUBMISSION = SubmissionRequest()
