"""Table for a terminal: a limit as a cross section and as a coupling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from darkstats.report.numbers import BAND_LABELS, number, with_error
from darkstats.report.tables import grid, sheet

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["coupling_sheet", "cross_section_sheet"]

_SMALL = 1e-4  # relative: an error that no digit shows


def _rows(name: str, found: Mapping[str, Any]) -> list[list[str]]:
    pairs = [(found["observed"], found.get("observed_error"))]
    pairs += zip(found["expected"], found.get("expected_error") or [None] * 5, strict=True)
    shown = [error if error and value and error > _SMALL * value else 0.0 for value, error in pairs]
    rows = [
        [
            f"{name} <",
            with_error(found["observed"], shown[0]),
            *(number(value) for value in found["expected"]),
        ]
    ]
    if any(shown[1:]):
        rows.append(["± error", "", *(number(error, 2) for error in shown[1:])])
    held = found.get("low_counts")
    if held is not None:
        observed = with_error(held["observed"], held.get("observed_error") or 0.0)
        words = [f"{name} <, low counts", observed]
        rows.append([*words, *(number(value) for value in held["expected"])])
        errors = held.get("expected_error") or ()
        if any(errors):
            rows.append(["± error", "", *(number(error, 2) for error in errors)])
    return rows


def _cross_sections(record: Mapping[str, Any]) -> list[list[str]]:
    sizes = record["cross_section_fb"]
    held = record.get("low_counts") or {}
    if "cross_section_fb" in held:
        sizes = {**sizes, "low_counts": held["cross_section_fb"]}
    return _rows("cross section [fb]", sizes)


def cross_section_sheet(record: Mapping[str, Any]) -> RenderableType:
    """Limits on the cross section, and what signal strength 1 is.

    Parameters
    ----------
    record
        Of a limit, with ``cross_section_fb`` and ``signal_cross_section_fb``.
    """
    size, origin = record["signal_cross_section_fb"], record["signal_cross_section_origin"]
    notes = [("signal strength 1", f"{size:g} fb ({origin})")]
    found = record["cross_section_fb"]
    if found["observed"] is None and found.get("observed_reason"):
        notes.insert(0, ("observed", found["observed_reason"]))
    return sheet(
        "Upper limit on the cross section",
        tables=[grid(["", "observed", *BAND_LABELS], _cross_sections(record))], notes=notes,
    )  # fmt: skip


def coupling_sheet(record: Mapping[str, Any]) -> RenderableType:
    """Limits on cross section and coupling, and what the conversion rests on.

    Parameters
    ----------
    record
        Of a limit, with ``conversions``.
    """
    conversion = record["conversions"][0]
    entry = record["couplings"][conversion["name"]]
    rows = [*_cross_sections(record), *_rows(entry["symbol"], entry)]
    at = ", ".join(f"{key} = {mass:g}" for key, mass in entry["masses"].items())
    made = f"{entry['signal_cross_section_fb']:g} fb"
    said = (
        conversion["unit_signal"]
        if made in conversion["unit_signal"]
        else f"{made}: {conversion['unit_signal']}",
        f"{entry['reference_cross_section_fb']:.6g} fb at {conversion['symbol']} = "
        f"{entry['reference_coupling']:g}, power {conversion['power']:g}",
    )
    notes = [
        ("signal strength 1", said[0]),
        ("model", f"{said[1]}{f'; {at}' if at else ''}"),
        ("source", conversion["expression"] or conversion["source"]),
        ("interpolation", conversion["interpolation"]),
        ("assumed", conversion["assumption"]),
    ]
    if conversion["note"]:
        notes.append(("note", conversion["note"]))
    if entry["observed"] is None and entry.get("observed_reason"):
        notes.insert(0, ("observed", entry["observed_reason"]))
    return sheet(
        f"Upper limit on {entry['symbol']}", tables=[grid(["", "observed", *BAND_LABELS], rows)],
        notes=notes,
    )  # fmt: skip
