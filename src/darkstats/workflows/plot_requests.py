"""What a user asks of finished results: to draw them, or to write them in another format."""

from __future__ import annotations

from dataclasses import dataclass

from darkstats.errors import OptionError

__all__ = ["CATALOGUE", "NONE", "ExportRequest", "PlotRequest"]

_LARGEST_ENERGY_GEV = 1e9  # beyond any accelerator: the unit is another one
#: Words that stand for a folder of constraints.
CATALOGUE, NONE = "catalogue", "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlotRequest:
    """Figures of one or several records.

    Parameters
    ----------
    results
        Files with records; none for figures that need none.
    coupling
        Key of the quantity: a benchmark, ``cross_section`` or ``signal_strength``.
    constraints
        Folders, ``"catalogue"`` or ``"none"``.
    slices_gev
        Fixed masses of a slice.
    mass_range_gev, value_range
        Ends of the axes.
    levels
        File with a record of global significance, for its levels.
    anomaly_years
        Years of the inputs to the muon's anomaly; drawn for couplings to muons.
    note
        A line for the legend, instead of what the conversion rests on.
    """

    results: tuple[str, ...] = ()
    coupling: str | None = None
    constraints: tuple[str, ...] = (CATALOGUE,)
    slices_gev: tuple[float, ...] = ()
    mass_range_gev: tuple[float, float] | None = None
    value_range: tuple[float, float] | None = None
    levels: str | None = None
    anomaly_years: tuple[int, ...] = (2021, 2023, 2025)
    note: str | None = None

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
            raise OptionError("--slice: give masses above zero, in GeV")
        if NONE in self.constraints and len(self.constraints) > 1:
            raise OptionError(f"--constraints {NONE} stands alone")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequest:
    """A scan record in other formats.

    Parameters
    ----------
    result
        File with the record.
    csv
        CSV file to write.
    hepdata
        Folder for a HEPData submission.
    sqrt_s_gev, beams, collaboration, reaction
        What collided, for the submission, instead of what the record says.
    """

    result: str
    csv: str | None = None
    hepdata: str | None = None
    sqrt_s_gev: float | None = None
    beams: str | None = None
    collaboration: str | None = None
    reaction: str | None = None

    def __post_init__(self) -> None:
        """Check that there is something to do.

        Raises
        ------
        OptionError
            Neither a CSV file nor a folder is named.
        """
        if self.csv is None and self.hepdata is None:
            raise OptionError("name a file with --csv, or a folder with --hepdata")
        if self.sqrt_s_gev is not None and not 0.0 < self.sqrt_s_gev < _LARGEST_ENERGY_GEV:
            raise OptionError(f"--sqrt-s {self.sqrt_s_gev:g}: give an energy in GeV, above zero")
        given = (self.sqrt_s_gev, self.beams, self.collaboration, self.reaction)
        if self.hepdata is None and any(one is not None for one in given):
            raise OptionError("--sqrt-s, --beams, --collaboration, --reaction go with --hepdata")
