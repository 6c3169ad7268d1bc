"""What a user asks of a recast: a limit, two mediators, and the search between them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from darkstats.errors import OptionError
from darkstats.options import argument, check_choices, option
from darkstats.signals.mediators import FINAL_STATES, MEDIATORS
from darkstats.signals.productions import PRODUCTIONS
from darkstats.workflows.submission_requests import NO_SUBMISSION, SubmissionRequest

__all__ = ["DecayFiles", "IntervalFile", "RecastRequest"]

_SEARCH, _DECAYS = "Search", "Decays"


def _pairs(texts: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Read KEY=FILE of each."""
    found = []
    for text in texts:
        key, sign, file = text.partition("=")
        if not (sign and key and file):
            raise OptionError(f"--decays {text!r}: write KEY=FILE, such as ctau=FILE")
        found.append((key, file))
    if len(dict(found)) < len(found):
        raise OptionError("--decays: name each quantity once")
    return tuple(found)


DecayFiles = Annotated[
    tuple[tuple[str, str], ...],
    option(
        "--decays", metavar="KEY=FILE", reads="file", panel=_DECAYS, read=_pairs, repeated=True,
        help="Decays of the mediator of --to at coupling 1, as CSV with a mass and a value: "
        "ctau=FILE, and branching fractions such as mumu=FILE; repeatable.",
    ),
]  # fmt: skip
IntervalFile = Annotated[
    str | None,
    option(
        "--intervals", metavar="FILE", writes=True,
        help="Write the excluded intervals as CSV, one row each.",
    ),
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class RecastRequest:
    """A limit, the mediator that it is on, the one that it shall be on, and the search."""

    limit: Annotated[
        str,
        argument(
            "RESULT",
            "The limit: a record of darkstats scan or limit; or a curve as .csv, .lmt (DarkCast), "
            ".txt (AxionLimits) or .yaml (a data table of HEPData).",
            reads="file",
        ),
    ]
    to: Annotated[
        str,
        option(
            "--to", metavar="MODEL", choices=tuple(MEDIATORS), kind="mediator",
            help="Mediator that the limit shall be on: {choices}.",
        ),
    ]  # fmt: skip
    production: Annotated[
        str,
        option(
            "--production", metavar="NAME", panel=_SEARCH, choices=tuple(PRODUCTIONS),
            kind="production", help="How the mediator is made: {choices}.",
        ),
    ]  # fmt: skip
    final_state: Annotated[
        str,
        option(
            "--final-state", metavar="NAME", panel=_SEARCH, choices=tuple(FINAL_STATES),
            kind="final state", help="What was looked for: {choices}.",
        ),
    ]  # fmt: skip
    source: Annotated[
        str | None,
        option(
            "--from", metavar="MODEL", choices=tuple(MEDIATORS), kind="mediator",
            usual="none: the limit is on a cross section or on branching fractions",
            help="Mediator whose coupling is limited: {choices}.",
        ),
    ] = None  # fmt: skip
    coupling: Annotated[
        str | None,
        option(
            "--coupling", metavar="NAME", help="Which coupling of a record, where it has several."
        ),
    ] = None
    cl: Annotated[
        float | None,
        option("--cl", metavar="LEVEL", help="Level of the limit, where its file does not say it."),
    ] = None
    window: Annotated[
        str | None,
        option(
            "--decay-window", metavar="MM:MM", panel=_SEARCH,
            help="Distances along the flight between which decays are taken: 0:9. Of an invisible "
            "final state, beyond which they are not seen: 1250:inf.",
        ),
    ] = None  # fmt: skip
    efficiency: Annotated[
        str | None,
        option(
            "--efficiency-table", metavar="FILE", reads="file", panel=_SEARCH,
            help="Efficiency relative to prompt decays: CSV with ctau_mm, efficiency.",
        ),
    ] = None  # fmt: skip
    momentum_gev: Annotated[
        float | None,
        option(
            "--momentum", metavar="GEV", panel=_SEARCH, usual="that of the production",
            help="Momentum of the mediator, for --decay-window and --regimes.",
        ),
    ] = None  # fmt: skip
    momenta: Annotated[
        str | None,
        option(
            "--momenta", metavar="FILE", reads="file", panel=_SEARCH, usual="one momentum",
            help="Momenta of the signals that the search takes where they are prompt, for "
            "--decay-window: CSV with momentum_gev, weight; and mass_gev where they differ.",
        ),
    ] = None  # fmt: skip
    dark_matter: Annotated[
        tuple[float, float] | None,
        option(
            "--dark-matter", metavar="GEV ALPHA", panel=_DECAYS,
            help="Vector mediators decay to dark matter, too: its mass and alpha_D.",
        ),
    ] = None  # fmt: skip
    electrons_gev: Annotated[
        float | None,
        option(
            "--electrons", metavar="GEV", panel=_DECAYS,
            help="The axion-like particle of --to decays to electrons, too: its coupling g_ae over "
            "g_agg.",
        ),
    ] = None  # fmt: skip
    hadrons: Annotated[
        str | None,
        option(
            "--hadrons", metavar="FILE", reads="file", panel=_DECAYS, usual="a parametrisation",
            help="R(s): CSV with mass_gev and R, or isovector, isoscalar, strange, charm, bottom.",
        ),
    ] = None  # fmt: skip
    decays: DecayFiles = ()
    regimes: Annotated[
        str | None,
        option(
            "--regimes", metavar="MM:MM", panel=_DECAYS,
            help="Couplings between visible, invisible and long-lived, and the figure regimes: a "
            "decay is seen within the first distance, nothing beyond the second: 9:1250.",
        ),
    ] = None  # fmt: skip
    mass_range_gev: Annotated[
        tuple[float, float] | None,
        option("--masses", metavar="LOW HIGH", help="Take the masses between these alone, GeV."),
    ] = None
    compare: Annotated[
        tuple[str, ...],
        option(
            "--compare", metavar="FILE", reads="file",
            help="Published curve on the coupling of --to, to draw and to compare; repeatable.",
        ),
    ] = ()  # fmt: skip
    table: IntervalFile = None
    submission: SubmissionRequest = NO_SUBMISSION

    def __post_init__(self) -> None:
        """Check what can be checked without the files.

        Raises
        ------
        OptionError
            A level or a range that is none, or options that contradict each other.
        UnknownNameError
            A name that does not exist.
        """
        check_choices(self)
        if self.cl is not None and not 0.0 < self.cl < 1.0:
            raise OptionError(f"--cl {self.cl:g}: a level lies between 0 and 1")
        ends = self.mass_range_gev
        if ends is not None and not 0.0 < ends[0] < ends[1]:
            raise OptionError(f"--masses {ends[0]:g} {ends[1]:g}: give two rising masses above 0")
        if self.decays and self.dark_matter is not None:
            raise OptionError("--decays says all decays: leave --dark-matter out")
        if self.electrons_gev is not None:
            if MEDIATORS[self.to].photon_factor is None or self.decays:
                raise OptionError("--electrons is of an axion-like particle with built-in decays")
            if not 0.0 < self.electrons_gev < math.inf:
                raise OptionError(
                    f"--electrons {self.electrons_gev:g}: give a finite number above zero"
                )
        if self.decays and self.source is not None:
            raise OptionError(
                "--decays are those of --to, and the limit is on --from: give a limit on a rate"
            )
        if MEDIATORS[self.to].parent_ratio is not None and (self.window or self.regimes):
            raise OptionError(
                f"--decay-window and --regimes: what decays of {self.to} is not what is made; give "
                "a limit by mass and lifetime"
            )
        if self.momentum_gev is not None and self.window is None and self.regimes is None:
            raise OptionError("--momentum goes with --decay-window or --regimes")
        if self.momenta is not None:
            if self.window is None:
                raise OptionError("--momenta goes with --decay-window")
            if self.momentum_gev is not None or self.regimes is not None:
                raise OptionError(
                    "--momenta are many: --momentum and --regimes take one, so leave them out"
                )
