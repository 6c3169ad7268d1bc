"""Compiled channels: every density as columns with amplitudes, ready for the kernel.

The density of a channel is written as::

    m(x) = sum_g exp(l_g(x; s_g)) sum_j a_j F_j(x)

A *column* F_j is a function of the observables that no parameter changes (a polynomial, a template,
a shape with numbers in its slots); its *amplitude* a_j holds yields, coefficients and normalisation
integrals. A *group* g has one shape whose slots float, or a product of them in different
observables; group 0 has none. Derivatives with respect to amplitudes and slots are all that the
event loop needs: those of the parameters follow by the chain rule, once for a lane.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from darkstats.model.unbinned.fixed import Fixed
    from darkstats.model.unbinned.formulas import Formula
    from darkstats.model.unbinned.shapes import LogFactor

__all__ = ["Channel", "Column", "Component"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Component:
    """One part of a density with a yield of its own.

    Parameters
    ----------
    name
        Of the distribution.
    expected
        Expected events.
    linear
        Factors in different observables, each a sum of coefficients times functions.
    shapes
        Factors whose slots float.
    """

    name: str
    expected: Formula
    linear: tuple[tuple[tuple[Formula, Fixed], ...], ...]
    shapes: tuple[LogFactor, ...]

    @property
    def variables(self) -> tuple[int, ...]:
        """Places of the parameters that it depends on, rising."""
        found = set(self.expected.variables)
        found.update(v for factor in self.linear for c, _ in factor for v in c.variables)
        found.update(v for shape in self.shapes for v in shape.variables)
        return tuple(sorted(found))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Column:
    """One column: its function, component, group, and which term of each linear factor it is."""

    function: Fixed
    component: int
    group: int
    terms: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Channel:
    """A compiled channel: unbinned, or bins whose "events" are weighted by their contents.

    Parameters
    ----------
    name, observables, ranges
        Of the distribution and of its axes.
    components, columns, groups
        The density; group 0 has no shape. Columns are sorted by group.
    bin_edges
        Edges for a binned channel; None for an unbinned one.
    """

    name: str
    observables: tuple[str, ...]
    ranges: tuple[tuple[float, float], ...]
    components: tuple[Component, ...] = field(repr=False)
    columns: tuple[Column, ...] = field(repr=False)
    groups: tuple[tuple[LogFactor, ...], ...] = field(repr=False)
    bin_edges: tuple[float, ...] | None = field(default=None, repr=False)

    @property
    def volume(self) -> float:
        """Product of the ranges."""
        return float(np.prod([high - low for low, high in self.ranges]))
