"""A channel whose name is taken, with fewer bins than the first, ended the linter in IndexError."""

from __future__ import annotations

from typing import Any

from darkstats.workspace import lint


def channel(bins: int) -> dict[str, Any]:
    modifiers = [{"name": "mu", "type": "normfactor", "data": None}]
    samples = [
        {"name": "signal", "data": [1.0] * bins, "modifiers": modifiers},
        {"name": "background", "data": [0.0] * bins, "modifiers": []},
    ]
    return {"name": "SR", "samples": samples}


def test_a_second_channel_of_the_name_with_fewer_bins_is_a_finding() -> None:
    """Both channels have a signal scaled by the POI, so both are searched for backgrounds."""
    document = {
        "version": "1.0.0",
        "channels": [channel(3), channel(1)],
        "observations": [{"name": "SR", "data": [1.0, 2.0, 3.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
    }
    assert "duplicate-channel" in {finding.code for finding in lint(document)}
