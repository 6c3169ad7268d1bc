"""Words and symbols of the figures of a scan: axis titles, header, legend titles."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from darkstats.report.figures.coupling_axis import label_text
from darkstats.report.figures.style import header_words, plain_name, typeset
from darkstats.report.methods import method_name
from darkstats.report.numbers import level_words
from darkstats.signals.benchmarks import BENCHMARKS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from darkstats.report.scan_table import Axis, Limits, ScanTable

__all__ = [
    "at_axis",
    "axis_symbol",
    "axis_title",
    "limits_title",
    "luminosity",
    "method_words",
    "scan_header",
    "significance_words",
    "typeset",
]

_WRITTEN_OUT = 1e6

_MASSES = {
    "m_a_gev": "$m_{a}$",
    "m_zprime_gev": r"$M_{Z^{\prime}}$",
    "m_x_gev": "$M_{X}$",
    "m_dark_photon_gev": r"$M_{A^{\prime}}$",
    "m_A_gev": r"$M_{A^{\prime}}$",
    "m_dark_higgs_gev": r"$M_{h^{\prime}}$",
    "m_h_gev": r"$M_{h^{\prime}}$",
    "m_chi1_gev": r"$M_{\chi_1}$",
    "m_s_gev": "$M_{S}$",
    "m_scalar_gev": "$M_{S}$",
    "ctau_mm": r"$c\tau$",
}


def axis_symbol(axis: Axis) -> str:
    """Symbol of a coordinate: a known mass, the title of the sidecar, or the label."""
    if axis.title:
        return typeset(axis.title)
    return _MASSES.get(axis.label, plain_name(axis.name.replace(" - ", " − ").replace("_", " ")))


def axis_title(axis: Axis) -> str:
    """Title of the axis of a coordinate, with its unit where it is known."""
    unit = f" [{typeset(axis.unit)}]" if axis.unit else ""
    return axis_symbol(axis) + unit


def at_axis(axis: Axis, value: float, digits: int = 6) -> str:
    """A coordinate and its value, such as ``m = 2 GeV``."""
    unit = f" {typeset(axis.unit)}" if axis.unit else ""
    if abs(value) < _WRITTEN_OUT:  # a mass of 1000 is written so
        digits = max(digits, len(f"{abs(value):.0f}"))
    return f"{axis_symbol(axis)} = {value:.{digits}g}{unit}"


def limits_title(table: ScanTable, limits: Limits, label: str | None) -> str:
    """Axis title of the quantity that is limited; ``label`` is that of the benchmark."""
    if label is not None:
        return label if limits.conversion is None else label_text(label)
    if limits.key == "cross_section":
        # one decay in all models that the search names
        states = {BENCHMARKS[key].final_state for key in table.couplings if key in BENCHMARKS}
        (decay,) = states if len(states) == 1 else ("",)
        return rf"$\sigma \times \mathcal{{B}}(X \to {decay})$ [fb]" if decay else r"$\sigma$ [fb]"
    if limits.key == "signal_strength":
        return rf"$\mu$ ({typeset(table.poi_label)})" if table.poi_label else r"$\mu$"
    unit = f" [{typeset(limits.unit)}]" if limits.unit else ""
    return plain_name(limits.symbol) + unit


def luminosity(value_ipb: float) -> str:
    """Integrated luminosity in the unit that makes the number short.

    Examples
    --------
    >>> luminosity(276.0), luminosity(79700.0), luminosity(5e7)
    ('276 pb$^{-1}$', '79.7 fb$^{-1}$', '50 ab$^{-1}$')
    """
    for size, unit in ((1e6, "ab"), (1e3, "fb")):
        if value_ipb >= size:
            return f"{value_ipb / size:g} {unit}$^{{-1}}$"
    return f"{value_ipb:g} pb$^{{-1}}$"


def method_words(table: ScanTable) -> str:
    """Level, method and calculator of the limits of a scan."""
    method = method_name(table.method).figure
    words = [f"{level_words(table.method, table.cl)} upper limits", method]
    if table.method != "bayes":
        words.append(plain_name(table.calculator))
    return ", ".join(words)


def significance_words(table: ScanTable) -> str:
    """How local significances were found: by a fit, also beside limits from a posterior."""
    return "asymptotic" if table.method == "bayes" else plain_name(table.calculator)


def scan_header(
    axes: Axes, table: ScanTable, right: str = "", *, right_axes: Axes | None = None
) -> None:
    """Write above the axes which search this is, and whether its counts are simulated."""
    title = re.sub(r",? *simulated$", "", table.title or table.name, flags=re.IGNORECASE)
    header_words(
        axes, typeset(title), simulated=table.simulated is True, right=right, right_axes=right_axes,
        asimov=table.is_asimov,
    )  # fmt: skip
