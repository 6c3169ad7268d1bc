"""A second axis below that of the signal strength: the coupling of a model, or a cross section."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from darkstats.errors import OptionError
from darkstats.report.figures.style import plain_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["CouplingAxis", "coupling_columns", "draw_coupling", "label_text"]

_BELOW_IN = 0.62  # distance of the two axes, inches


@dataclass(frozen=True, slots=True, kw_only=True)
class CouplingAxis:
    """A coupling that belongs to a signal strength.

    Parameters
    ----------
    name, title
        Of the coupling; title of the axis, in LaTeX where it has ``$``.
    column
        Name of the column; made of the name where it is None.
    of_strength, to_strength
        The coupling of a signal strength, None where it has none; and back.
    """

    name: str
    title: str
    of_strength: Callable[[float], float | None] = field(repr=False)
    to_strength: Callable[[float], float] = field(repr=False)
    column: str | None = None


def label_text(label: str) -> str:
    """Return a label of the user's, if matplotlib can set it.

    Raises
    ------
    OptionError
        Its mathematics cannot be read.
    """
    if "$" not in label:
        return plain_name(label)
    from matplotlib.mathtext import MathTextParser

    if label.count("$") % 2:
        raise OptionError(f"label {label!r}: each $ needs its partner")
    try:
        MathTextParser("agg").parse(label)
    except ValueError as error:
        last = str(error).strip().splitlines()[-1]
        raise OptionError(f"label {label!r} cannot be set: {last}") from None
    return label


def draw_coupling(axes: Axes, coupling: CouplingAxis | None) -> None:
    """Draw the axis of a coupling below that of the signal strength; nothing without one.

    The axis of the signal strength must have its range.
    """
    if coupling is None:
        return
    import numpy as np
    from matplotlib.ticker import FixedLocator, MaxNLocator

    of_strength, to_strength = coupling.of_strength, coupling.to_strength

    def there(mu: Any) -> Any:  # noqa: ANN401 -- arrays
        found = [of_strength(max(float(x), 0.0)) or 0.0 for x in np.ravel(mu)]
        return np.reshape(found, np.shape(mu))

    def back(values: Any) -> Any:  # noqa: ANN401 -- arrays
        found = [to_strength(max(float(x), 0.0)) for x in np.ravel(values)]
        return np.reshape(found, np.shape(values))

    right = axes.get_xlim()[1]
    top = of_strength(right)
    if top is None:
        return
    page = axes.get_figure(root=True)
    height = axes.get_position().height * (5.0 if page is None else page.get_size_inches()[1])
    beside = axes.secondary_xaxis(-_BELOW_IN / height, functions=(there, back))
    ticks = [
        tick for tick in MaxNLocator(nbins=7).tick_values(0.0, top) if 0.0 <= tick <= 1.0001 * top
    ]
    # A root squeezes small couplings together: ticks without room for their number go.
    kept: list[float] = []
    for tick in reversed(ticks):
        place = to_strength(tick) / right
        if not kept or (to_strength(kept[-1]) / right - place) > 0.09:
            kept.append(tick)
    beside.xaxis.set_major_locator(FixedLocator(kept))
    beside.xaxis.set_minor_locator(FixedLocator([]))
    beside.set_xlabel(label_text(coupling.title))


def coupling_columns(
    columns: dict[str, Sequence[Any]], coupling: CouplingAxis | None
) -> dict[str, Sequence[Any]]:
    """Columns with the coupling beside the signal strength, where both are there."""
    if coupling is None or "mu" not in columns:
        return columns
    values = [coupling.of_strength(float(mu)) for mu in columns["mu"]]
    return {"mu": columns["mu"], coupling.column or f"coupling_{coupling.name}": values, **columns}
