"""Which backgrounds of a built search were simulated with less than the luminosity of the data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from darkstats.simulation.production import SampleRequest

__all__ = ["LARGE_SHARE", "background_shares", "simulation_warnings", "whole_blocks"]

#: Share of the background from which on a sample's size is worth a warning. [choice]
LARGE_SHARE = 0.05


def background_shares(
    yields: Mapping[str, Mapping[str, float]], windows: Mapping[str, Mapping[str, Any]]
) -> dict[str, float]:
    """Return what part of the background each sample makes, 0 to 1.

    Parameters
    ----------
    yields
        Expected events by spectrum and sample.
    windows
        Of the sidecar: the events of all windows are added where they are told apart by sample
        (``background_by_process``); else those of the spectra count.
    """
    parts = [one["background_by_process"] for one in windows.values()
             if "background_by_process" in one] or list(yields.values())  # fmt: skip
    events: dict[str, float] = {}
    for part in parts:
        for name, value in part.items():
            events[name] = events.get(name, 0.0) + value
    total = sum(events.values())
    return {name: value / total for name, value in events.items()} if total > 0.0 else {}


def simulation_warnings(
    shares: Mapping[str, float],
    equivalent_luminosity_ipb: Mapping[str, float],
    luminosity_ipb: float,
) -> list[str]:
    """Name the backgrounds that count, and were simulated with less than the data's luminosity.

    Parameters
    ----------
    shares
        Of the background, by sample.
    equivalent_luminosity_ipb
        Luminosity of unweighted data with the same relative error, 1/pb, by sample.
    luminosity_ipb
        Of the data, 1/pb.
    """
    found = []
    for name, share in shares.items():
        equivalent = equivalent_luminosity_ipb.get(name)
        if equivalent is None or equivalent >= luminosity_ipb or share <= LARGE_SHARE:
            continue
        found.append(
            f"{name} makes {_percent(share)} of the background, and was simulated with "
            f"{equivalent:.4g} / pb, {_percent(equivalent / luminosity_ipb)} of the "
            f"luminosity of the data ({luminosity_ipb:g} / pb): its statistical error is larger "
            "than that of its events in the data; let the card simulate more of it"
        )
    return found


def _percent(part: float) -> str:
    """Two digits, and 100 rather than 1e+02."""
    percent = 100.0 * part
    return f"{percent:.0f} %" if percent >= 10.0 else f"{percent:.2g} %"


def whole_blocks(requests: Sequence[SampleRequest]) -> list[str]:
    """Name the samples of which more events were simulated than the card asks for.

    Blocks of ``events_per_block`` are whole, as other numbers of events would be other events.
    """
    found: dict[tuple[int, int, int], list[str]] = {}
    for one in requests:
        made = one.n_blocks * one.events_per_block
        if made != one.n_events:
            found.setdefault((made, one.n_events, one.events_per_block), []).append(one.name)
    return [
        f"{_first_of(names)}: {made} events were simulated, not the {asked} that the card asks "
        f"for: blocks of {size} events (events_per_block) are whole"
        for (made, asked, size), names in found.items()
    ]


def _first_of(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more samples"
