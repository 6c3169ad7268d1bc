"""What a conversion hands on: the workspace, what is carried differently, and what is left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from darkstats.shown import Shown
from darkstats.workspace import Workspace

__all__ = ["Conversion", "Difference"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something that the workspace states in another way than the source.

    Parameters
    ----------
    what
        What differs, in a sentence.
    parameter
        Name of the parameter; empty where many are meant.
    place
        File and line.
    size
        Largest relative change of a yield within one standard deviation, at the interpolation codes
        that are recommended; None where no number says it.
    size_default
        The same at the codes that are used where none are asked for; None as above.
    """

    what: str
    parameter: str
    place: str
    size: float | None
    size_default: float | None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Conversion(Shown):
    """A likelihood of another program as a workspace.

    Parameters
    ----------
    workspace
        Checked by the linter.
    sidecar
        Labels, edges, mass and groups of parameters; see :mod:`darkstats.report.sidecar`.
    format
        ``"datacard"`` or ``"histfactory-xml"``.
    differences
        What is carried in another way.
    interpolation
        Interpolation codes at which the workspace is nearest to the source, as ``--interpolation``
        reads them; None where the source uses those that are used anyway.
    notes
        What was left out or assumed, a sentence each.
    """

    in_a_line: ClassVar = "format workspace interpolation differences notes"

    workspace: Workspace
    sidecar: Mapping[str, Any] = field(repr=False)
    format: str
    differences: tuple[Difference, ...]
    interpolation: str | None
    notes: tuple[str, ...]
