"""Whether simulated signals are where the card says: their rows against the declared mass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from darkstats.arrays import FloatArray
    from darkstats.searches.recoil_windows import RecoilWidths
    from darkstats.simulation.candidates import Candidates

__all__ = ["require_declared_mass", "require_declared_squares"]

_LEAST_ROWS = 100
#: Rows count as of the mass within as many widths of it, and a mass needs this share of them. Where
#: rows are the choices of one event, each is right once: of four muons a quarter. [choice]
_WITHIN_WIDTHS, _LEAST_SHARE = 5.0, 0.02
_SAME_MASS = 0.1  # relative: about a measured mass


def require_declared_squares(
    signals: Mapping[tuple[float, ...], Candidates], variable: str, widths: RecoilWidths
) -> None:
    """Refuse signals whose squared masses are not those that the card declares.

    Parameters
    ----------
    signals
        Rows that pass the cuts, by mass in GeV.
    variable
        Column of the squared mass, GeV^2.
    widths
        Resolution.

    Raises
    ------
    OptionError
        Of the rows of a mass, 100 or more, less than 2 % lie within five widths.
    """
    for (mass, *_), rows in sorted(signals.items()):
        if len(rows) < _LEAST_ROWS:
            continue
        column, place = rows[variable], mass**2
        reach = _WITHIN_WIDTHS * widths.at_squared(place)
        inside = np.abs(column - place) <= reach
        share = float(rows.weight_pb[inside].sum() / rows.weight_pb.sum())
        if share >= _LEAST_SHARE:
            continue
        median = _median(column, rows.weight_pb)
        said = (
            f"signal of {mass:g} GeV: {100.0 * share:.2g} % of its {len(rows)} rows have a "
            f"{variable} within {_WITHIN_WIDTHS:g} widths ({reach:.3g} GeV^2) of {place:.6g} "
            f"GeV^2; the median is {median:.6g}"
        )
        if abs(median - mass) <= _SAME_MASS * mass:
            raise OptionError(
                f"{said}, the mass and not its square: the column must be a squared mass, "
                "mass_squared(...) and not mass(...)"
            )
        as_mass = f", as of a mass of {np.sqrt(median):.4g} GeV" if median > 0.0 else ""
        raise OptionError(
            f"{said}{as_mass}: check that its events are of this mass (signal.settings, "
            "signal.masses_gev), and what the column is"
        )


def require_declared_mass(mass_gev: float, rows: Candidates, variable: str) -> None:
    """Refuse a signal whose measured masses are not about the one that the card declares.

    Parameters
    ----------
    mass_gev
        As the card declares it, GeV.
    rows
        That pass the cuts.
    variable
        Column of the measured mass, GeV.

    Raises
    ------
    OptionError
        The median of 100 rows or more is off by more than a tenth of the mass and half of the
        central 68 %.
    """
    if len(rows) < _LEAST_ROWS:
        return
    column = rows[variable]
    low, median, high = _quantiles(column, rows.weight_pb, (0.15865, 0.5, 0.84135))
    if abs(median - mass_gev) <= max(_SAME_MASS * mass_gev, 0.5 * (high - low)):
        return
    raise OptionError(
        f"signal of {mass_gev:g} GeV: the median of {variable} is {median:.4g} GeV, of {len(rows)} "
        "rows: check that its events are of this mass (signal.settings, signal.masses_gev), and "
        "what the column is"
    )


def _median(column: FloatArray, weight: FloatArray) -> float:
    return _quantiles(column, weight, (0.5,))[0]


def _quantiles(column: FloatArray, weight: FloatArray, places: tuple[float, ...]) -> list[float]:
    order = np.argsort(column)
    share = np.cumsum(weight[order])
    return [float(x) for x in np.interp(places, share / share[-1], column[order])]
