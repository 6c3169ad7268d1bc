"""What a record says of its own making: inputs by digest, versions, command, checks."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from darkstats.errors import OptionError

if TYPE_CHECKING:
    from darkstats.workspace.json_values import JsonObject

__all__ = ["Inputs", "made_by", "provenance_record", "stated_date"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a result was computed from.

    Parameters
    ----------
    source
        File name of the workspace, with its patches.
    workspace_sha256, canonical_sha256
        Digest by pyhf's rule, and one that does not depend on how numbers are written.
    measurement, model_sha256, poi
        Measurement, digest of the compiled model, parameter of interest; ``None`` where no model
        was compiled.
    interpolation
        Interpolation code by modifier type.
    masked
        Channels taken out of the likelihood.
    data
        Where the observed counts come from, if not from the workspace.
    blind
        Whether observed counts were kept out.
    simulated
        Whether the counts are known to be simulated.
    command
        The command line that was given.
    title
        Title for figures.
    """

    source: str
    workspace_sha256: str
    canonical_sha256: str
    measurement: str | None = None
    model_sha256: str | None = None
    poi: str | None = None
    interpolation: tuple[tuple[str, str], ...] = ()
    masked: tuple[str, ...] = ()
    data: str | None = None
    blind: bool = False
    simulated: bool | None = None
    command: str | None = None
    title: str | None = None


def stated_date() -> tuple[str | None, str | None]:
    """Date of ``SOURCE_DATE_EPOCH``, or why there is none: a record is the same on any day."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch is None:
        return None, "SOURCE_DATE_EPOCH is not set"
    try:
        return datetime.fromtimestamp(int(epoch), tz=UTC).isoformat(), None
    except (ValueError, OverflowError, OSError) as error:
        raise OptionError(
            f"SOURCE_DATE_EPOCH must be a number of seconds since 1970, got {epoch!r}"
        ) from error


def made_by(command: str | None) -> JsonObject:
    """What the ``provenance`` of any record says: versions, command, date."""
    from darkstats.provenance import versions  # reads package metadata: not for every table

    date, reason = stated_date()
    record: JsonObject = {"versions": versions(), "command": command, "date": date}
    if reason is not None:
        record["date_reason"] = reason
    if command is None:
        record["command_reason"] = "made from Python"
    return record


def provenance_record(inputs: Inputs, **details: object) -> JsonObject:
    """Return the ``provenance`` of a record; ``details`` that exist are added as they are."""
    workspace: JsonObject = {
        "source": inputs.source,
        "sha256": inputs.workspace_sha256,
        "canonical_sha256": inputs.canonical_sha256,
        "simulated": inputs.simulated,
    }
    if inputs.simulated is None:
        workspace["simulated_reason"] = "neither a sidecar nor an option says"
    record: JsonObject = {
        **made_by(inputs.command),
        "workspace": workspace,
        "data": inputs.data or ("Asimov" if inputs.blind else "workspace"),
        "blind": inputs.blind,
        **{name: value for name, value in details.items() if value is not None},
    }
    if inputs.model_sha256 is not None:
        workspace["measurement"] = inputs.measurement
        model: JsonObject = {"sha256": inputs.model_sha256, "masked": list(inputs.masked)}
        model["poi"] = inputs.poi
        if inputs.poi is None:
            model["poi_reason"] = "the measurement names no parameter of interest"
        record["model"] = model
        record["interpolation"] = dict(inputs.interpolation)
    return record
