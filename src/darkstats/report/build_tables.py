"""Tables of simulated samples and of built searches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from darkstats.report.tables import grid, sheet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import RenderableType

__all__ = ["build_sheet", "samples_sheet"]

_COLUMNS = ["sample (simulated)", "events", "rows kept", "cross section [pb]", "equivalent [1/pb]"]


def _rows(samples: Mapping[str, Mapping[str, float]]) -> list[list[str]]:
    return [
        [
            name,
            f"{facts['generated_events']:.0f}",
            f"{facts['rows_kept']:.0f}",
            f"{facts['cross_section_pb']:.4g}",
            f"{facts['equivalent_luminosity_ipb']:.4g}",
        ]
        for name, facts in samples.items()
    ]


def samples_sheet(title: str, samples: Mapping[str, Mapping[str, float]]) -> RenderableType:
    """Return a table of samples: events, cross section, equivalent luminosity."""
    return sheet(title, tables=[grid(_COLUMNS, _rows(samples), left=1)])


def build_sheet(output: str, record: Mapping[str, Any]) -> RenderableType:
    """Return what a build made: samples, hypotheses, files."""
    return sheet(
        record["title"],
        tables=[grid(_COLUMNS, _rows(record["samples"]), left=1)],
        notes=[
            ("hypotheses", f"{record['n_patches']} patches"),
            ("data", record["data"]),
            ("folder", output),
            *((name, f"sha256 {digest}") for name, digest in record["files"].items()),
        ],
    )
