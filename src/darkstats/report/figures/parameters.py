"""Pulls and constraints, impacts, correlations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from darkstats.errors import OptionError
from darkstats.report.figures.style import (
    BAND_1,
    BAND_2,
    BLACK,
    BLUE,
    GREY,
    ORANGE,
    Drawing,
    canvas,
    header,
    plain_name,
    poi_text,
    style,
)
from darkstats.report.fit_records import pull_of
from darkstats.report.numbers import with_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from darkstats.fit import Covariance, ErrorBudget, FitResult, GroupImpact, Impact
    from darkstats.report.provenance import Inputs

__all__ = ["correlation_figure", "pulls_figure", "ranking_figure"]

_MOST_PULLS = 80
_MOST_NAMES = 40
_LONGEST = 38


def _short(name: str) -> str:
    """A long name without its middle."""
    if len(name) > _LONGEST:
        name = f"{name[: _LONGEST - 13]}…{name[-12:]}"
    return plain_name(name)


def _pull_axes(axes: Axes, n_rows: int) -> None:
    axes.axvspan(-2.0, 2.0, color=BAND_2, linewidth=0.0, zorder=0)
    axes.axvspan(-1.0, 1.0, color=BAND_1, alpha=0.6, linewidth=0.0, zorder=0)
    axes.axvline(0.0, color=GREY, linewidth=0.8, zorder=1)
    axes.set_ylim(n_rows - 0.4, -0.6)
    axes.tick_params(axis="y", which="both", left=False, right=False)
    axes.yaxis.set_minor_locator(_none())


def _none() -> Any:  # noqa: ANN401 -- an untyped locator
    from matplotlib.ticker import NullLocator

    return NullLocator()


#: Modifiers that give each bin a factor of its own, for the statistical error of templates.
_BIN_GAMMAS = frozenset({"staterror", "shapesys"})


def _of_bins(fit: FitResult) -> set[str]:
    """Names of the parameters that stand for the statistical errors of single bins."""
    return {
        p.name
        for p in fit.model.parameters
        if p.modifier_types and {*p.modifier_types} <= _BIN_GAMMAS
    }


def _without(names: Sequence[str], hidden: set[str]) -> list[int]:
    """Positions of the names that are shown: all where nothing else would be left to show."""
    kept = [k for k, name in enumerate(names) if name not in hidden]
    return kept or list(range(len(names)))


def _left_out(gammas: int, others: int, kind: str) -> str:
    """What a figure does not show, for its header."""
    words = [f"{gammas} bin gamma{'s' if gammas > 1 else ''}"] if gammas else []
    words += [f"{others} {kind}"] if others else []
    return f"{' and '.join(words)} not shown" if words else ""


def pulls_figure(
    fit: FitResult, covariance: Covariance, inputs: Inputs, *, bin_gammas: bool = False
) -> Drawing:
    """Pulls of constrained parameters, with their post-fit over pre-fit errors as bars.

    Parameters
    ----------
    fit, covariance, inputs
        Result, and what it was computed from.
    bin_gammas
        Whether to draw the parameters of the statistical errors of single bins, too; they are in
        the columns in any case, and are drawn where there are no others.

    Raises
    ------
    OptionError
        No parameter is constrained.
    """
    rows = []
    for index, parameter in enumerate(fit.model.parameters):
        pull, prefit = pull_of(fit, index), parameter.prefit_error
        error = covariance.errors[index]
        if pull is None or not prefit or parameter.name not in fit.free:
            continue
        rows.append((parameter.name, pull, None if error is None else error / prefit))
    if not rows:
        raise OptionError("there are no constrained parameters to draw pulls of")
    candidates = _without([row[0] for row in rows], set() if bin_gammas else _of_bins(fit))
    keep = sorted(candidates, key=lambda i: -abs(rows[i][1]))[:_MOST_PULLS]
    shown = [rows[i] for i in sorted(keep)]
    left_out = _left_out(len(rows) - len(candidates), len(candidates) - len(shown), "smaller pulls")
    with style():
        figure = canvas(6.4, 1.2 + 0.24 * len(shown))
        axes = figure.add_subplot()
        _pull_axes(axes, len(shown))
        for y, (_, pull, ratio) in enumerate(shown):
            axes.errorbar(
                pull, y, xerr=ratio or 0.0, color=BLACK, marker="o", markersize=4.0, capsize=2.0,
                linewidth=1.3, zorder=3,
            )  # fmt: skip
        axes.set_yticks(range(len(shown)), [_short(name) for name, _, _ in shown], fontsize=9.5)
        reach = max([2.6, *(abs(pull) + (ratio or 0.0) + 0.2 for _, pull, ratio in shown)])
        axes.set_xlim(-reach, reach)
        axes.set_xlabel(r"pull: (best fit − nominal) / pre-fit error")
        note = "bars: post-fit / pre-fit error"
        header(axes, inputs, f"{note}; {left_out}" if left_out else note)
    return Drawing(
        figure=figure,
        columns={
            "parameter": [name for name, _, _ in rows],
            "pull": [pull for _, pull, _ in rows],
            "constraint": [ratio for _, _, ratio in rows],
        },
    )


def correlation_figure(
    fit: FitResult, covariance: Covariance, inputs: Inputs, *, bin_gammas: bool = False
) -> Drawing:
    """Correlation matrix; of very many parameters the most correlated ones.

    Parameters
    ----------
    fit, covariance, inputs
        Result, and what it was computed from.
    bin_gammas
        As in :func:`pulls_figure`.

    Raises
    ------
    OptionError
        There are fewer than two parameters.
    """
    import numpy as np

    matrix = covariance.correlation
    names = list(covariance.names)
    if len(names) < 2:
        raise OptionError("a correlation needs two parameters; this fit has fewer")
    candidates = _without(names, set() if bin_gammas else _of_bins(fit))
    if len(candidates) < 2:
        candidates = list(range(len(names)))
    keep = np.array(candidates)
    if len(keep) > _MOST_NAMES:
        off_diagonal = (matrix - np.eye(len(names)))[np.ix_(keep, keep)]
        largest = np.max(np.abs(off_diagonal), axis=1)
        keep = np.sort(keep[np.argsort(-largest, kind="stable")[:_MOST_NAMES]])
    part = matrix[np.ix_(keep, keep)]
    shown = [names[i] for i in keep]
    n = len(shown)
    with style():
        size = 3.4 + 0.27 * n
        figure = canvas(size + 0.9, size)
        axes = figure.add_subplot()
        image = axes.imshow(part, cmap="RdBu_r", vmin=-1.0, vmax=1.0, interpolation="none")
        axes.set_xticks(range(n), [_short(name) for name in shown], rotation=90, fontsize=9.0)
        axes.set_yticks(range(n), [_short(name) for name in shown], fontsize=9.0)
        axes.tick_params(which="both", length=0)
        axes.xaxis.set_minor_locator(_none())
        axes.yaxis.set_minor_locator(_none())
        if n <= 18:
            for i in range(n):
                for j in range(n):
                    if abs(part[i, j]) >= 0.005:
                        dark = abs(part[i, j]) > 0.6
                        axes.text(
                            j, i, f"{part[i, j]:.2f}".replace("-", "−"), ha="center", va="center",
                            fontsize=6.5, color="white" if dark else BLACK,
                        )  # fmt: skip
        bar = figure.colorbar(image, ax=axes, fraction=0.046, pad=0.02)
        bar.set_label("correlation")
        bar.ax.tick_params(which="minor", length=0)
        left_out = _left_out(len(names) - len(candidates), len(candidates) - n, "others")
        header(axes, inputs, left_out)
    columns: dict[str, list[Any]] = {"parameter": names}
    columns |= {name: matrix[:, i].tolist() for i, name in enumerate(names)}
    return Drawing(figure=figure, columns=columns)


def ranking_figure(
    impacts: tuple[Impact, ...],
    fit: FitResult,
    poi_error: float | None,
    inputs: Inputs,
    *,
    top: int,
    poi_label: str | None = None,
    budget: ErrorBudget | None = None,
) -> Drawing:
    """Impacts on the parameter of interest beside pulls, the largest on top; groups below them."""
    shown = impacts[:top]
    groups = () if budget is None else budget.groups
    if not shown:
        raise OptionError("there are no nuisance parameters to rank")
    poi = fit.model.poi_name or ""
    with style():
        n_rows = len(shown) + len(groups)
        figure = canvas(8.0, 1.7 + 0.27 * n_rows)
        pulls, effects = figure.subplots(1, 2, sharey=True, width_ratios=(1.0, 1.25))
        _pull_axes(pulls, n_rows)
        for y, impact in enumerate(shown):
            if impact.pull is not None:
                pulls.errorbar(
                    impact.pull, y, xerr=impact.constraint or 0.0, color=BLACK, marker="o",
                    markersize=4.0, capsize=2.0, linewidth=1.3, zorder=3,
                )  # fmt: skip
            else:
                pulls.text(
                    0.0, y, with_error(impact.best, impact.error), ha="center", va="center",
                    fontsize=9.0, zorder=3,
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
                )  # fmt: skip
        reach = max(
            [2.4, *(abs(i.pull) + (i.constraint or 0.0) + 0.2 for i in shown if i.pull is not None)]
        )
        pulls.set_xlim(-reach, reach)
        labels = [_short(impact.name) for impact in shown]
        labels += [_short(f"{group.name} ({len(group.parameters)})") for group in groups]
        pulls.set_yticks(range(n_rows), labels, fontsize=9.5)
        pulls.set_xlabel("pull (σ)")
        _group_bars(effects, groups, len(shown))
        _effects(effects, shown)
        if groups:
            for axes in (pulls, effects):
                axes.axhline(len(shown) - 0.5, color=BLACK, linewidth=0.8, zorder=5)
        effects.set_xlabel(f"impact on {poi_text(poi, poi_label)}")
        best = f"{plain_name(poi)} = {with_error(fit.poi, poi_error)}"
        header(pulls, inputs, best, right_axes=effects)
        entries = dict(zip(*effects.get_legend_handles_labels()[::-1], strict=True))
        order = sorted(entries, key=lambda text: (text == "group", text.startswith("post")))
        figure.legend(
            [entries[text] for text in order], order, loc="outside lower center",
            ncols=len(order), fontsize=9.5,
        )  # fmt: skip
    names = ("prefit_up", "prefit_down", "postfit_up", "postfit_down", "pull", "constraint")
    columns: dict[str, list[Any]] = {"parameter": [impact.name for impact in impacts]}
    columns |= {name: [getattr(impact, name) for impact in impacts] for name in names}
    if groups:
        rest: list[Any] = [None] * (len(impacts) + len(groups))
        columns = {name: [*values, *rest[len(values) :]] for name, values in columns.items()}
        columns["group"] = [*rest[len(groups) :], *(group.name for group in groups)]
        columns["group_impact"] = [*rest[len(groups) :], *(group.impact for group in groups)]
    return Drawing(figure=figure, columns=columns)


def _group_bars(axes: Axes, groups: tuple[GroupImpact, ...], first: int) -> None:
    """Contribution of each group to the error, to both sides."""
    if not groups:
        return
    axes.barh(
        [first + y for y in range(len(groups))],
        [2.0 * group.impact for group in groups],
        left=[-group.impact for group in groups],
        height=0.6,
        color=GREY,
        linewidth=0.0,
        label="group",
        zorder=2,
    )


def _effects(axes: Axes, shown: tuple[Impact, ...]) -> None:
    """Bars of pre-fit (outlined) and post-fit (filled) impacts, up and down in two colours."""
    axes.axvline(0.0, color=GREY, linewidth=0.8, zorder=4)
    for name, color, post in (
        ("up", BLUE, True),
        ("down", ORANGE, True),
        ("up", BLUE, False),
        ("down", ORANGE, False),
    ):
        kind = "post" if post else "pre"
        values = [getattr(impact, f"{kind}fit_{name}") for impact in shown]
        sign = "+" if name == "up" else "−"
        shift = -0.19 if name == "up" else 0.19
        axes.barh(
            [y + shift for y in range(len(shown))],
            [value or 0.0 for value in values],
            height=0.36,
            color=color if post else "none",
            edgecolor=color if post else BLACK,
            linewidth=0.0 if post else 0.9,
            linestyle="-" if name == "up" else (0, (3, 1)),
            label=f"{kind}-fit {sign}1 σ",
            zorder=2 if post else 3,
        )
    axes.tick_params(axis="y", which="both", left=False, right=False)
    axes.yaxis.set_minor_locator(_none())
    widest = max(abs(end) for end in axes.get_xlim())
    axes.set_xlim(-widest, widest)
