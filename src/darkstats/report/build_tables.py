"""Tables of simulated samples and of built searches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from darkstats.report.numbers import number
from darkstats.report.tables import grid, sheet

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import RenderableType

__all__ = ["build_sheet", "inspection_sheet", "samples_sheet"]

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


def samples_sheet(
    title: str, samples: Mapping[str, Mapping[str, float]], warnings: Sequence[str] = ()
) -> RenderableType:
    """Return a table of samples: events, cross section, equivalent luminosity."""
    return sheet(title, tables=[grid(_COLUMNS, _rows(samples), left=1)], warnings=warnings)


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
        warnings=record.get("warnings", ()),
    )


def inspection_sheet(
    folder: str, record: Mapping[str, Any], windows: Mapping[str, Any]
) -> RenderableType:
    """Return what a folder holds: yields by process, and a dozen windows from end to end."""
    yields = [
        [spectrum, process, f"{events:.4g}"]
        for spectrum, processes in record["summary"]["yields"].items()
        for process, events in processes.items()
    ]
    names = list(windows)
    step = max(1, (len(names) - 1) // 11)
    rows = []
    for name in names[::step]:
        window = windows[name]
        mass = window["mass_gev"]
        shares = window.get("background_by_process", {})
        rows.append(
            [
                name,
                ", ".join(f"{m:.4g}" for m in mass) if isinstance(mass, list) else f"{mass:.4g}",
                f"{window['efficiency']:.3g}",
                f"{window['background_events']:.3g}",
                ", ".join(f"{process} {number(events, 2)}" for process, events in shares.items()),
            ]
        )
    return sheet(
        record["title"],
        tables=[
            grid(["spectrum (simulated)", "process", "events"], yields, left=2),
            grid(["window", "mass [GeV]", "efficiency", "background", "of which"], rows, left=1),
        ],
        notes=[
            ("hypotheses", f"{record['n_patches']} patches"),
            ("data", record["data"]),
            ("method", f"{record['statistics']['method']}, {record['statistics']['cl']:g}"),
            ("folder", folder),
        ],
        warnings=record.get("warnings", ()),
    )
