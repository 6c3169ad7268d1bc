"""How parameters act on a HistFactory model: on signal or not, as factors or by interpolation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from darkstats.model.base import Use

if TYPE_CHECKING:
    from darkstats.model.structure import Layout, Numbers

__all__ = ["scales_signal", "signal_components", "uses_of"]


def signal_components(layout: Layout, poi: int) -> tuple[int, ...]:
    """Components (samples of channels) whose rate the parameter of interest changes."""
    found = []
    for k in range(layout.n_components):
        factors = layout.factor_parameter[layout.factor_begin[k] : layout.factor_begin[k + 1]]
        shifts = layout.histosys_parameter[layout.histosys_begin[k] : layout.histosys_begin[k + 1]]
        n = layout.component_stop[k] - layout.component_start[k]
        firsts = layout.binfactor_parameter[
            layout.binfactor_begin[k] : layout.binfactor_begin[k + 1]
        ]
        if poi in factors or poi in shifts or any(f <= poi < f + n for f in firsts):
            found.append(k)
    return tuple(found)


def scales_signal(layout: Layout, poi: int, index: int) -> bool:
    """Whether a parameter is a scalar factor of all signal components and of nothing else."""
    begin = layout.factor_begin
    acting = tuple(
        k
        for k in range(layout.n_components)
        if index in layout.factor_parameter[begin[k] : begin[k + 1]]
    )
    return acting == signal_components(layout, poi)


def uses_of(layout: Layout, numbers: Numbers, poi: int) -> tuple[Use, ...]:
    """How each parameter acts. Shape [par]."""
    signal = set(signal_components(layout, poi))
    n = layout.n_parameters
    linear, on_signal = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
    row, size = np.full(n, -1), np.full(n, -1.0)
    for k in range(layout.n_components):
        bins = slice(layout.component_offset[k], None)
        count = int(layout.component_stop[k] - layout.component_start[k])
        events = float(np.sum(numbers.nominal[bins][:count]))
        for f in range(layout.factor_begin[k], layout.factor_begin[k + 1]):
            p = int(layout.factor_parameter[f])
            if layout.factor_normsys[f] < 0:
                linear[p] = True
            elif k in signal and events > size[p]:
                row[p], size[p] = int(layout.factor_normsys[f]), events
            on_signal[p] |= k in signal
        for h in range(layout.histosys_begin[k], layout.histosys_begin[k + 1]):
            on_signal[layout.histosys_parameter[h]] |= k in signal
        for j in range(layout.binfactor_begin[k], layout.binfactor_begin[k + 1]):
            first = int(layout.binfactor_parameter[j])
            linear[first : first + count] = True
            on_signal[first : first + count] |= k in signal
    return tuple(
        Use(
            linear=bool(linear[p]),
            on_signal=bool(on_signal[p]),
            signal_factor=None
            if row[p] < 0
            else (np.asarray(numbers.normsys[8 * row[p] : 8 * row[p] + 8]), layout.normsys_code),
        )
        for p in range(n)
    )
