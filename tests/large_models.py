"""Workspaces of many bins and parameters, as a differential measurement or a combination has."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["large_document"]


def large_document(n_bins: int, n_nuisance: int, *, seed: int = 1) -> dict[str, Any]:
    """Return a workspace of ``n_bins + n_nuisance + 1`` parameters.

    One channel: a peak on a falling background of two samples, a staterror with one parameter for
    each bin, and nuisance parameters that are normsys and histosys in turn. The observed counts are
    a toy of the nominal expectation, rounded draws of a Poisson distribution.

    Parameters
    ----------
    n_bins, n_nuisance
        Number of bins, and of parameters besides the signal strength and one for each bin.
    seed
        Of the variations and of the toy.
    """
    rng = np.random.default_rng(seed)
    x = np.linspace(0.0, 1.0, n_bins)
    signal = 40.0 * np.exp(-0.5 * ((x - 0.4) / 0.03) ** 2) + 0.01
    backgrounds = {"falling": 400.0 * np.exp(-2.0 * x), "flat": np.full(n_bins, 60.0)}
    modifiers: dict[str, list[dict[str, Any]]] = {name: [] for name in backgrounds}
    for name, yields in backgrounds.items():
        modifiers[name].append(
            {"name": "stat", "type": "staterror", "data": (0.3 * np.sqrt(yields)).tolist()}
        )
    for k in range(n_nuisance):
        name, yields = list(backgrounds.items())[(k // 2) % 2]
        if k % 2:
            size = rng.uniform(0.002, 0.02)
            one = {"name": f"norm{k}", "type": "normsys", "data": {"lo": 1 - size, "hi": 1 + size}}
        else:
            wave = 0.02 * np.sin(2.0 * np.pi * (rng.uniform(0.5, 8.0) * x + rng.uniform()))
            data = {
                "lo_data": (yields * (1.0 - wave)).tolist(),
                "hi_data": (yields * (1.0 + wave)).tolist(),
            }
            one = {"name": f"shape{k}", "type": "histosys", "data": data}
        modifiers[name].append(one)
    samples = [
        {
            "name": "signal",
            "data": signal.tolist(),
            "modifiers": [{"name": "mu", "type": "normfactor", "data": None}],
        },
        *(
            {"name": name, "data": yields.tolist(), "modifiers": modifiers[name]}
            for name, yields in backgrounds.items()
        ),
    ]
    observed = rng.poisson(sum(backgrounds.values())).astype(float).tolist()
    return {
        "channels": [{"name": "spectrum", "samples": samples}],
        "observations": [{"name": "spectrum", "data": observed}],
        "measurements": [{"name": "search", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }
