"""What a user asks of finished results: to draw them, or to write them in another format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from darkstats.errors import OptionError
from darkstats.options import argument, check_choices, option
from darkstats.report.methods import LOSSES, QUANTITIES
from darkstats.workflows.coupling_requests import (
    NO_MODEL,
    NO_MODEL_AT_MASS,
    CouplingAtMass,
    CouplingRequest,
)
from darkstats.workflows.submission_requests import NO_SUBMISSION, SubmissionRequest

__all__ = [
    "CATALOGUE",
    "NONE",
    "ContourRequest",
    "ExportRequest",
    "PlotRequest",
    "Record",
    "name_of",
]

#: A record at hand, in the place of its file.
Record = dict[str, Any]

#: Words that stand for a folder of constraints.
CATALOGUE, NONE = "catalogue", "none"

_FIGURE = "Figure"


def name_of(result: str | Record) -> str:
    """The file of a record, or what one at hand calls itself."""
    return result if isinstance(result, str) else str(result.get("name") or result.get("schema"))


def _masses(texts: tuple[str, ...]) -> tuple[float, ...]:
    """Read numbers, alone or joined by commas."""
    found = []
    for text in texts:
        for part in text.split(","):
            try:
                found.append(float(part))
            except ValueError:
                raise OptionError(f"--slice {text}: {part!r} is no number") from None
    return tuple(found)


def _years(text: str) -> tuple[int, ...]:
    if text == NONE:
        return ()
    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError:
        raise OptionError(f"--anomaly {text}: give years such as 2021,2025, or none") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlotRequest:
    """Figures of one or several records; of none for figures that need none."""

    results: Annotated[
        tuple[str | Record, ...],
        argument(
            "[RESULT]...",
            "Records of darkstats scan, project, global or limit; several scans make projections, "
            "several projections scenarios.",
            reads="file",
        ),
    ] = ()
    constraints: Annotated[
        tuple[str, ...],
        option(
            "--constraints", metavar="DIR", reads="perhaps", panel=_FIGURE, usual=CATALOGUE,
            help="Earlier constraints: a folder, catalogue, or none; repeatable.",
        ),
    ] = (CATALOGUE,)  # fmt: skip
    coupling: Annotated[
        str | None,
        option(
            "--coupling", metavar="NAME", panel=_FIGURE,
            help="Quantity: a benchmark, cross_section or signal_strength.",
        ),
    ] = None  # fmt: skip
    slices_gev: Annotated[
        tuple[float, ...],
        option(
            "--slice", metavar="MASS", panel=_FIGURE, read=_masses, repeated=True,
            help="Fixed mass of a slice in GeV, or lifetime in mm, of --kind against_first or "
            "against_second; repeatable, or 1,2,4.",
        ),
    ] = ()  # fmt: skip
    mass_range_gev: Annotated[
        tuple[float, float] | None,
        option(
            "--mass-range", metavar="LOW HIGH", panel=_FIGURE,
            help="Ends of the axis of masses, GeV; of one scan over one mass.",
        ),
    ] = None  # fmt: skip
    value_range: Annotated[
        tuple[float, float] | None,
        option(
            "--value-range", metavar="LOW HIGH", panel=_FIGURE, help="Ends of the other axis."
        ),
    ] = None  # fmt: skip
    levels: Annotated[
        str | Record | None,
        option(
            "--levels", metavar="RESULT", reads="file", panel=_FIGURE,
            help="Record of darkstats global, for its levels among local p-values.",
        ),
    ] = None  # fmt: skip
    anomaly_years: Annotated[
        tuple[int, ...] | None,
        option(
            "--anomaly", metavar="YEARS", panel=_FIGURE, read=_years,
            usual="2021,2023,2025 beside an invisible Z'",
            help="Inputs to the muon's anomaly beside a coupling g' to muons, or none.",
        ),
    ] = None  # fmt: skip
    note: Annotated[
        str | None,
        option("--note", metavar="WORDS", help="A line of the legend.", panel=_FIGURE),
    ] = None
    couplings: CouplingAtMass = NO_MODEL_AT_MASS

    def __post_init__(self) -> None:
        """Check what can be checked without the records.

        Raises
        ------
        OptionError
            An axis that does not rise, a mass that is not positive, words that contradict.
        """
        named = (("--mass-range", self.mass_range_gev), ("--value-range", self.value_range))
        for name, ends in named:
            if ends is not None and not 0.0 < ends[0] < ends[1]:
                raise OptionError(f"{name} {ends[0]:g} {ends[1]:g}: give two rising positive ends")
        if any(not mass > 0.0 for mass in self.slices_gev):
            raise OptionError("--slice: give masses above zero, in GeV, or lifetimes in mm")
        if NONE in self.constraints and len(self.constraints) > 1:
            raise OptionError(f"--constraints {NONE} stands alone")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequest:
    """A scan record in other formats; what collided, instead of what the record says."""

    result: Annotated[str | Record, argument("RESULT", "Record of darkstats scan.", reads="file")]
    csv: Annotated[
        str | None, option("--csv", metavar="FILE", writes=True, help="Write one row a hypothesis.")
    ] = None
    submission: SubmissionRequest = NO_SUBMISSION
    couplings: CouplingRequest = NO_MODEL

    def __post_init__(self) -> None:
        """Check that there is something to do.

        Raises
        ------
        OptionError
            Neither a CSV file nor a folder is named.
        """
        if self.csv is None and self.submission.hepdata is None:
            raise OptionError("name a file with --csv, or a folder with --hepdata")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContourRequest:
    """Exclusion contours of scans over two masses: in which plane, of which quantity."""

    results: Annotated[
        tuple[str | Record, ...],
        argument(
            "[NAME=]SCAN...",
            "Records of darkstats scan; of several, each hypothesis is that with the strongest "
            "expected limit.",
            reads="file",
        ),
    ]
    interpolate: Annotated[
        str,
        option(
            "--interpolate", metavar="QUANTITY", choices=QUANTITIES, kind="quantity",
            help="Whose log is interpolated: the limit on the signal strength (mu), or CLs at "
            "strength 1; {choices}.",
        ),
    ] = "mu"  # fmt: skip
    x: Annotated[
        str | None,
        option("--x", metavar="LABEL", help="Horizontal axis: a label, or LABEL-LABEL."),
    ] = None
    y: Annotated[
        str | None,
        option("--y", metavar="LABEL", help="Vertical axis: a label, or LABEL-LABEL."),
    ] = None
    where: Annotated[
        tuple[str, ...],
        option(
            "--where", metavar="LABEL=VALUE",
            help="Hypotheses of the plane: a label, or LABEL-LABEL, has this value; repeatable.",
        ),
    ] = ()  # fmt: skip
    ignored: Annotated[
        tuple[str, ...],
        option(
            "--ignore", metavar="LABEL",
            help="Label that may have any value in the plane; repeatable.",
        ),
    ] = ()  # fmt: skip
    failed: Annotated[
        str,
        option(
            "--failed", metavar="WHAT", choices=LOSSES, kind="loss",
            help="Left out where one of several scans has no number: the point, or that scan "
            "alone, as if it were not the strongest; {choices}.",
        ),
    ] = "point"  # fmt: skip
    predicted: Annotated[
        bool,
        option(
            "--predicted",
            help="The cross section of signal strength 1 that a scan states (--sigma) is that of a "
            "model, and no unit.",
        ),
    ] = False  # fmt: skip
    curves: Annotated[
        str | None,
        option(
            "--curves",
            metavar="FILE",
            writes=True,
            help="Write the contours as CSV, one row a vertex.",
        ),
    ] = None
    submission: SubmissionRequest = NO_SUBMISSION

    def __post_init__(self) -> None:
        """Check what can be checked without the records.

        Raises
        ------
        OptionError
            There is no scan.
        UnknownNameError
            There is no such quantity.
        """
        check_choices(self)
        if not self.results:
            raise OptionError("name a record of darkstats scan")
