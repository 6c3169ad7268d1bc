"""Regions that earlier experiments excluded, with their names in them.

A name is written inside its region, as near to the region's edge as it fits, clear of other edges,
of the drawn limits and of other names. One that fits nowhere goes to the legend.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from darkstats.report.figures.style import BLACK, plain_name, settle_headers
from darkstats.report.numbers import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch
    from matplotlib.text import Text
    from matplotlib.transforms import Bbox

    from darkstats.arrays import FloatArray
    from darkstats.report.constraints.curve import Constraint

__all__ = ["Overlay", "constraint_columns", "draw_regions", "name_regions"]

_FILL, _OPACITY = "#8c8c8c", 0.2  # of all regions together, in the legend
#: Edges and names of regions, told apart by colour and by dashes. The colours are dark enough for
#: small letters, and none is a blue of the bands. Dashes of equal length stand for projections.
_LOOKS = (
    ("#882255", "-"), ("#117733", (0, (1, 1))), ("#8a4500", (0, (7, 1.5, 1, 1.5))),
    ("#6b6b14", (0, (4, 1, 1, 1, 1, 1))), ("#332288", (0, (9, 1.5))), ("#0f7268", (0, (2, 1))),
    ("#a3159b", (0, (7, 1.5, 1, 1.5, 1, 1.5))), ("#55555c", (0, (3, 1))),
)  # fmt: skip
_TINT = 0.13  # opacity of the filling of one region
_SIZE = 8.5  # of names, points
_CELL = 4.0  # pixels of the grid on which room for names is looked for
_ROOM = 1.35  # asked for about a name, in heights of it
_INSET = 5  # cells along the axes that belong to their ticks

_Mask = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Overlay:
    """Regions that were drawn.

    Parameters
    ----------
    constraints
        What they are.
    patches, edges
        Their fillings and their edges, in the same order.
    """

    constraints: tuple[Constraint, ...]
    patches: tuple[Patch, ...] = field(repr=False)
    edges: tuple[Patch, ...] = field(repr=False)


def draw_regions(axes: Axes, constraints: Sequence[Constraint]) -> Overlay:
    """Fill the excluded regions that reach into the axes; limits of the axes are set before."""
    from matplotlib.patches import Polygon

    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    drawn: list[Constraint] = []
    patches: list[Patch] = []
    edges: list[Patch] = []
    for one in constraints:
        masses, couplings = one.vertices(10.0 * top)
        corners = np.array([masses, couplings]).T
        # Zero is infinitely far on a logarithmic axis: just outside of the picture will do.
        corners[:, 0] = np.maximum(corners[:, 0], 1e-3 * left if left > 0.0 else -1.0)
        color, dashes = _LOOKS[len(drawn) % len(_LOOKS)]
        filling = Polygon(
            corners, closed=True, facecolor="none" if one.projection else color, alpha=_TINT,
            edgecolor="none", zorder=0.6,
        )  # fmt: skip
        axes.add_patch(filling)
        if not _reaches(axes, filling):
            filling.remove()
            continue
        edge = Polygon(
            corners, closed=True, facecolor="none", edgecolor=color, linewidth=1.1,
            linestyle="--" if one.projection else dashes, zorder=2.2,
        )  # fmt: skip
        axes.add_patch(edge)
        drawn.append(one)
        patches.append(filling)
        edges.append(edge)
    limits = [one for one in drawn if not one.projection]
    if limits:
        _entry(axes, _levels(limits), facecolor=_FILL, alpha=_OPACITY, edgecolor="none")
    if len(limits) < len(drawn):
        _entry(axes, "projected sensitivity", facecolor="none", edgecolor=BLACK, linestyle="--")
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    return Overlay(constraints=tuple(drawn), patches=tuple(patches), edges=tuple(edges))


def _entry(axes: Axes, words: str, **look: Any) -> None:  # noqa: ANN401 -- of a patch
    """Put an entry into the legend that stands for several regions."""
    from matplotlib.patches import Rectangle

    mark = Rectangle((-2.0, -2.0), 0.0, 0.0, transform=axes.transAxes, label=words, **look)
    mark.set_in_layout(False)  # it lies outside of the axes, where it is not drawn
    axes.add_patch(mark)


def _levels(constraints: Sequence[Constraint]) -> str:
    """What the grey regions are, with the levels of their sources."""
    levels = sorted({one.source.cl for one in constraints if one.source.cl is not None})
    words = [" and ".join(percent(level) for level in levels)] if levels else []
    if any(one.source.cl is None for one in constraints):
        words.append("level not stated")
    return f"earlier limits ({' or '.join(words)})"


def _reaches(axes: Axes, patch: Patch) -> bool:
    """Whether a region has a part in the picture."""
    to_axes = axes.transData - axes.transAxes
    outline = to_axes.transform_path(patch.get_path())
    u, v = np.meshgrid(np.linspace(0.005, 0.995, 120), np.linspace(0.005, 0.995, 120))
    inside = outline.contains_points(np.array([u.ravel(), v.ravel()]).T)
    return bool(inside.any())


@dataclass(slots=True, kw_only=True, eq=False)
class _Grid:
    """Cells of the picture; ``taken`` ones have no room for a name."""

    box: Bbox
    centres: FloatArray
    shape: tuple[int, int]
    taken: _Mask

    def inside(self, patch: Patch) -> _Mask:
        outline = patch.get_transform().transform_path(patch.get_path())
        return np.asarray(outline.contains_points(self.centres)).reshape(self.shape)

    def take(self, box: Bbox) -> None:
        rows, columns = self._cells(box)
        self.taken[rows, columns] = True

    def take_artist(self, artist: Any) -> None:  # noqa: ANN401 -- a band, or what has a box
        """Take the inside of a band, or the box of anything else."""
        if not hasattr(artist, "get_paths"):
            self.take(artist.get_window_extent().padded(4.0))
            return
        for path in artist.get_paths():
            outline = artist.get_transform().transform_path(path)
            self.taken |= outline.contains_points(self.centres).reshape(self.shape)

    def _cells(self, box: Bbox) -> tuple[slice, slice]:
        def span(low: float, high: float, origin: float, n: int) -> slice:
            first = int(np.floor((low - origin) / _CELL))
            last = int(np.ceil((high - origin) / _CELL))
            return slice(min(max(first, 0), n), min(max(last, 0), n))

        return (
            span(box.y0, box.y1, self.box.y0, self.shape[0]),
            span(box.x0, box.x1, self.box.x0, self.shape[1]),
        )

    def room(
        self, allowed: _Mask, width: float, height: float, edge: FloatArray
    ) -> tuple[float, float] | None:
        """Centre of a box of this size in allowed cells, near to an edge; None if there is none.

        Of places that are about as near, the one in the middle is taken.
        """
        across = max(1, int(np.ceil(width / _CELL)))
        down = max(1, int(np.ceil(height / _CELL)))
        if across >= self.shape[1] or down >= self.shape[0]:
            return None
        total = np.zeros((self.shape[0] + 1, self.shape[1] + 1), dtype=np.int64)
        total[1:, 1:] = np.cumsum(np.cumsum(allowed, axis=0), axis=1)
        full = (
            total[down:, across:] - total[:-down, across:]
            - total[down:, :-across] + total[:-down, :-across]
        ) == across * down  # fmt: skip
        if not full.any():
            return None
        corners = np.argwhere(full)
        centres = np.array([self.box.x0, self.box.y0]) + _CELL * (
            corners[:, ::-1] + 0.5 * np.array([across, down])
        )
        distance = np.full(len(centres), np.inf)
        for point in edge:
            np.minimum(distance, np.hypot(*(centres - point).T), out=distance)
        near = centres[distance <= distance.min() + 2.0 * _CELL]
        x, y = near[np.argmin(np.abs(near[:, 0] - np.median(near[:, 0])))]
        return float(x), float(y)

    def edge_of(self, patch: Patch) -> FloatArray:
        """Points along the edge of a region that can be seen. Shape [point, 2], pixels."""
        corners = patch.get_transform().transform(patch.get_path().vertices)
        pieces = [
            np.linspace(a, b, min(max(2, int(np.hypot(*(b - a)) / (4.0 * _CELL))), 400))
            for a, b in pairwise(corners)
            if np.isfinite([*a, *b]).all()
        ]
        points = np.concatenate(pieces)
        low = np.array([self.box.x0, self.box.y0]) + 2.0
        high = np.array([self.box.x1, self.box.y1]) - 2.0
        return np.asarray(points[np.all((points > low) & (points < high), axis=1)])


def _grid(axes: Axes) -> _Grid:
    box = axes.bbox
    across, down = int(box.width / _CELL), int(box.height / _CELL)
    x = box.x0 + _CELL * (np.arange(across) + 0.5)
    y = box.y0 + _CELL * (np.arange(down) + 0.5)
    u, v = np.meshgrid(x, y)
    return _Grid(
        box=box,
        centres=np.array([u.ravel(), v.ravel()]).T,
        shape=(down, across),
        taken=np.zeros((down, across), dtype=np.bool_),
    )


def _boxes_along(points: FloatArray) -> Iterator[Bbox]:
    """Small boxes that cover a polyline, in pixels."""
    from matplotlib.transforms import Bbox

    finite = np.isfinite(points[:, 0]) & np.isfinite(points[:, 1])
    for k in range(len(points) - 1):
        if not (finite[k] and finite[k + 1]):
            continue
        steps = max(2, int(np.hypot(*(points[k + 1] - points[k])) / _CELL) + 1)
        for x, y in np.linspace(points[k], points[k + 1], min(steps, 2000)):
            yield Bbox.from_extents(x - 3.0, y - 3.0, x + 3.0, y + 3.0)


def name_regions(
    axes: Axes, overlay: Overlay, legend: Callable[[], Any], *, avoid: Sequence[Any] = ()
) -> None:
    """Write the names of regions; those that fit nowhere go to the legend.

    Parameters
    ----------
    axes, overlay
        Drawn before; the layout of the figure is settled here.
    legend
        Makes the legend from what is labelled in the axes; called again when it grows.
    avoid
        Bands, which names keep clear of, as they do of lines and of the legend.
    """
    homeless: set[int] = set()
    while True:
        lines = set(axes.lines)
        names, left_over = _name_once(axes, overlay, [*avoid, legend()], homeless)
        if not left_over:
            return
        for artist in (*names, *(line for line in axes.lines if line not in lines)):
            artist.remove()
        for k in left_over:
            overlay.edges[k].set_label(plain_name(overlay.constraints[k].label))
        homeless |= left_over


def _name_once(
    axes: Axes, overlay: Overlay, avoid: Sequence[Any], homeless: set[int]
) -> tuple[list[Any], set[int]]:
    """Write all names but those of ``homeless``; return the texts, and what fitted nowhere."""
    from matplotlib.transforms import Bbox

    settle_headers(cast("Figure", axes.figure))
    grid = _grid(axes)
    grid.taken[:] = True
    grid.taken[_INSET:-_INSET, _INSET:-_INSET] = False
    for line in axes.get_lines():
        pixels = line.get_transform().transform(np.asarray(line.get_xydata(), dtype=float))
        for box in _boxes_along(pixels):
            grid.take(box)
    for artist in avoid:
        grid.take_artist(artist)
    for text in axes.texts:
        grid.take(text.get_window_extent().padded(3.0))
    insides = [grid.inside(patch) for patch in overlay.patches]
    edges = [grid.edge_of(patch) for patch in overlay.patches]
    for edge in edges:
        for x, y in edge:
            grid.take(Bbox.from_extents(x - 8.0, y - 3.0, x + 8.0, y + 3.0))
    outside = ~np.any([*insides, np.zeros(grid.shape, dtype=np.bool_)], axis=0)
    written: list[Text] = []
    left_over: set[int] = set()
    for k in sorted(range(len(insides)), key=lambda k: int(insides[k].sum())):
        if k in homeless:
            continue
        others = [inside for j, inside in enumerate(insides) if j != k]
        alone = insides[k] & ~np.any([*others, np.zeros(grid.shape, dtype=np.bool_)], axis=0)
        beyond = [edge for edge in edges if edge is not edges[k]]
        own = _Own(
            areas=(alone, insides[k], outside),
            edge=edges[k],
            others=np.concatenate([np.empty((0, 2)), *beyond]),
        )
        color = overlay.edges[k].get_edgecolor()
        name = _write(axes, grid, overlay.constraints[k], own, color)
        if name is None:
            left_over.add(k)
        else:
            written.append(name)
    return written, left_over


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Own:
    """Where a name may stand: where only its region is, in all of it, where no region is."""

    areas: tuple[_Mask, _Mask, _Mask]
    edge: FloatArray
    others: FloatArray


def _write(axes: Axes, grid: _Grid, one: Constraint, own: _Own, color: Any) -> Text | None:  # noqa: ANN401 -- a colour
    """Write a name into the first area that has room, upright before turned; None if none has."""
    text = axes.text(
        0.5, 0.5, plain_name(one.label), transform=None, fontsize=_SIZE, color=color, ha="center",
        va="center", zorder=2.5, gid=f"region-{one.key}",
    )  # fmt: skip
    for area in own.areas:
        for turned in (False, True) if area is not own.areas[2] else (False,):
            text.set_rotation(90.0 if turned else 0.0)
            extent = text.get_window_extent()
            more = (_ROOM - 1.0) * min(extent.width, extent.height)
            free = area & ~grid.taken
            place = grid.room(free, extent.width + more, extent.height + more, own.edge)
            if place is None:
                continue
            # In the coordinates of the axes, so that the name stays where it is in any file.
            text.set_transform(axes.transAxes)
            text.set_position(tuple(axes.transAxes.inverted().transform(place)))
            grid.take(text.get_window_extent().padded(5.0))
            if area is not own.areas[0]:
                _lead(axes, np.array(place), extent, own, color)
            return text
    text.remove()
    return None


def _lead(axes: Axes, place: FloatArray, extent: Bbox, own: _Own, color: Any) -> None:  # noqa: ANN401 -- a colour
    """Lead from a name to the edge that it belongs to, where it could be taken for another's."""
    if not len(own.edge):  # the region is all of the picture
        return
    half = 0.5 * np.array([extent.width, extent.height])

    def distances(points: FloatArray) -> FloatArray:
        beside = np.maximum(np.abs(points - place) - half, 0.0)
        return np.asarray(np.hypot(*beside.T))

    away = distances(own.edge)
    nearest = float(away.min())
    beside = float(distances(own.others).min()) if len(own.others) else np.inf
    if nearest < 0.9 * min(extent.width, extent.height) and beside > 2.5 * nearest:
        return
    near = own.edge[np.argmin(away)]
    start = np.clip(near, place - half - 2.0, place + half + 2.0)
    ends = axes.transAxes.inverted().transform([start, near])
    axes.plot(
        *ends.T, transform=axes.transAxes, color=color, linewidth=0.6, marker="o", markevery=[1],
        markersize=2.2, zorder=2.4,
    )  # fmt: skip


def constraint_columns(constraints: Sequence[Constraint]) -> dict[str, list[Any]]:
    """Points of the regions as columns; level, method and source go with every point."""
    names = ("name", "level", "method", "source", "mass_gev", "lower", "upper")
    columns: dict[str, list[Any]] = {f"constraint_{name}": [] for name in names}
    for one in constraints:
        uppers = one.upper or (None,) * len(one.lower)
        arxiv = f", arXiv:{one.source.arxiv}" if one.source.arxiv else ""
        for mass, lower, upper in zip(one.mass_gev, one.lower, uppers, strict=True):
            row = (one.label, one.source.cl, one.source.method, one.source.citation + arxiv, mass,
                   lower, upper)  # fmt: skip
            for name, value in zip(names, row, strict=True):
                columns[f"constraint_{name}"].append(value)
    return columns
