"""CLs against the signal strength, intervals, distributions of test statistics."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

from darkstats.report.figures.coupling_axis import (
    CouplingAxis,
    coupling_columns,
    draw_coupling,
)
from darkstats.report.figures.smooth import p_curve
from darkstats.report.figures.style import (
    BAND_1,
    BAND_2,
    BLACK,
    BLUE,
    ORANGE,
    VERMILION,
    Drawing,
    canvas,
    header,
    plain_name,
    poi_text,
    style,
)
from darkstats.report.methods import method_name
from darkstats.report.numbers import number, p_number, percent, with_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from darkstats.arrays import FloatArray
    from darkstats.inference.results import (
        GoodnessOfFit,
        HypoTestResult,
        Interval,
        LimitScan,
        UpperLimit,
    )
    from darkstats.report.provenance import Inputs

    Panels = tuple[Axes, Axes]

__all__ = ["goodness_figure", "interval_figure", "limit_figure", "statistic_figure"]

_QUANTITIES = {"CLs": r"CL$_{s}$", "CLs+b": r"CL$_{s+b}$", "p": "p-value"}
_STATISTICS = {
    "q": r"$q_{\mu}$",
    "qtilde": r"$\tilde{q}_{\mu}$",
    "q0": r"$q_{0}$",
    "t": r"$t_{\mu}$",
    "ttilde": r"$\tilde{t}_{\mu}$",
}
_SMALLEST = 1e-300  # stands for what is too small for a number on a logarithmic axis


class Samples(Protocol):
    """Sorted values of a test statistic under both hypotheses. Shapes [toy]."""

    @property
    def tested(self) -> FloatArray:
        """On toys of the tested hypothesis."""

    @property
    def reference(self) -> FloatArray:
        """On toys of the reference hypothesis."""


def _split(alpha: float) -> tuple[float, float]:
    """Where the linear panel ends and the logarithmic one begins, and where that ends."""
    return min(max(0.1, 2.0 * alpha), 0.5), min(1e-3, 0.02 * alpha)


def _limit_line(panels: Panels, at: float | None, level: float, dashes: str) -> None:
    if at is not None and at > 0.0:
        for axes in panels:
            axes.plot([at, at], [1e-300, level], color=BLACK, linestyle=dashes, linewidth=1.0)


def _with_toys(value: float | None, error: float | None) -> str:
    """A limit, with the error that a finite number of toys leaves where there is one."""
    return with_error(value, error) if value is not None and error else number(value)


def limit_figure(
    limit: UpperLimit,
    inputs: Inputs,
    *,
    poi_label: str | None = None,
    coupling: CouplingAxis | None = None,
) -> Drawing:
    """Observed and expected p-value against the signal strength, with the limits marked.

    One axis in two panels: linear above, logarithmic below a tenth, where the limits are read. A
    ``coupling`` has an axis of its own below.
    """
    scan = limit.scan
    alpha = 1.0 - limit.cl
    middle, floor = _split(alpha)
    with style():
        figure = canvas(6.4, 5.2)
        figure.set_layout_engine("constrained", h_pad=0.02, hspace=0.0)  # one axis, in two panels
        grid = figure.add_gridspec(2, 1, height_ratios=(1.35, 1.0), hspace=0.0)
        upper = figure.add_subplot(grid[0])
        lower = figure.add_subplot(grid[1], sharex=upper)
        panels = (upper, lower)
        columns: dict[str, Sequence[float | None]] = {}
        if scan is not None:
            columns = _curves(panels, scan, limit.mu_hat, floor)
        for axes in panels:
            axes.axhline(alpha, color=VERMILION, linestyle="-", linewidth=1.0)
        top = max([value for value in (limit.observed, *limit.expected) if value] or [1.0])
        right = 1.3 * top
        if scan is not None:
            right = min(right, max(scan.mu))
        _axes_of_p(upper, lower, middle, floor)
        upper.set_xlim(0.0, right)
        lower.annotate(
            percent(alpha), (1.0, alpha), xycoords=("axes fraction", "data"), xytext=(-4.0, 2.0),
            textcoords="offset points", color=VERMILION, ha="right", va="bottom", fontsize=9.5,
        )  # fmt: skip
        _limit_line(panels, limit.observed, alpha, "-")
        _limit_line(panels, limit.expected[2], alpha, "--")
        lower.set_xlabel(poi_text(limit.poi, poi_label))
        draw_coupling(lower, coupling)
        quantity = _QUANTITIES.get(scan.quantity if scan else "CLs", "p-value")
        figure.supylabel(quantity, fontsize=12.0)
        header(upper, inputs, f"{method_name(limit.method).figure}, {limit.calculator}")
        by_toys = limit.calculator == "toys"
        words = [f"{percent(limit.cl)} CL upper limit" + (", from toys" if by_toys else "")]
        if limit.observed is not None:
            words.append(f"observed {_with_toys(limit.observed, limit.observed_error)}")
        words.append(f"expected {_with_toys(limit.expected[2], limit.expected_error[2])}")
        handles, labels = upper.get_legend_handles_labels()
        first = sorted(range(len(labels)), key=lambda k: labels[k] != "observed")
        upper.legend(
            [handles[k] for k in first], [labels[k] for k in first], loc="upper right",
            title="\n".join(words), alignment="left", fontsize=9.5, title_fontsize=9.5,
            borderaxespad=0.8, labelspacing=0.35,
        )  # fmt: skip
    return Drawing(figure=figure, columns=coupling_columns(columns, coupling))


def _axes_of_p(upper: Axes, lower: Axes, middle: float, floor: float) -> None:
    """Scales and ticks of the two panels of one axis of p-values; they meet at ``middle``."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    upper.set_ylim(middle, 1.05)
    upper.set_yticks([tick for tick in (0.2, 0.4, 0.6, 0.8, 1.0) if tick > 1.2 * middle])
    upper.tick_params(axis="x", which="both", bottom=False, labelbottom=False)
    lower.set_yscale("log")
    lower.set_ylim(floor, middle)
    lower.yaxis.set_major_locator(LogLocator(numticks=20))
    lower.yaxis.set_minor_locator(LogLocator(subs=range(2, 10), numticks=20))
    lower.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    lower.yaxis.set_minor_formatter("")
    lower.tick_params(axis="x", which="both", top=False, pad=7.0)  # clear of the other number


def falling(values: Sequence[float]) -> list[float]:
    """Least-squares falling curve through values that scatter (pool adjacent violators).

    Expected p-values from toys scatter from one signal strength to the next, more so where few
    toys were thrown; the true ones fall.
    """
    blocks: list[tuple[float, int]] = []
    for value in values:
        mean, size = value, 1
        while blocks and blocks[-1][0] < mean:
            earlier, count = blocks.pop()
            mean, size = (earlier * count + mean * size) / (count + size), count + size
        blocks.append((mean, size))
    return [mean for mean, size in blocks for _ in range(size)]


def _curves(
    panels: Panels, scan: LimitScan, mu_hat: float | None, floor: float
) -> dict[str, Sequence[float | None]]:
    """Draw observed and expected curves of a scan in both panels; return them as columns."""
    columns: dict[str, Sequence[float | None]] = {"mu": scan.mu}
    errors = scan.observed_error
    noisy = errors is not None and any(errors)
    if scan.expected:
        names = ("minus2", "minus1", "median", "plus1", "plus2")
        columns |= {
            f"expected_{name}": values for name, values in zip(names, scan.expected, strict=True)
        }
        for axes in panels:
            _draw_expected(axes, scan, noisy=noisy)
    if scan.observed is not None:
        if noisy and errors is not None:
            columns["observed_error"] = errors
            for axes in panels:
                _draw_points(axes, scan.mu, scan.observed, errors, floor)
        else:
            mu, observed = p_curve(scan.mu, scan.observed, mu_hat)
            for axes in panels:
                axes.plot(mu, observed, color=BLACK, label="observed")
        columns["observed"] = scan.observed
    return columns


def _draw_expected(axes: Axes, scan: LimitScan, *, noisy: bool) -> None:
    """Median and bands: smooth curves through computed values, falling ones through toys."""
    import numpy as np

    if noisy:
        mu = np.array(scan.mu)
        curves = [np.maximum(falling(values), _SMALLEST) for values in scan.expected]
    else:
        found = [p_curve(scan.mu, values) for values in scan.expected]
        mu = max((one[0] for one in found), key=len)
        # A curve that ends because it is too small for a number goes on below the picture.
        curves = [np.interp(mu, *one, right=_SMALLEST) for one in found]
    low2, low1, median, high1, high2 = curves
    axes.fill_between(mu, low2, high2, color=BAND_2, linewidth=0.0)
    axes.fill_between(mu, low1, high1, color=BAND_1, linewidth=0.0)
    axes.plot(mu, median, color=BLACK, linestyle="--", label="expected")
    axes.fill_between([], [], color=BAND_1, linewidth=0.0, label="expected ± 1 σ")
    axes.fill_between([], [], color=BAND_2, linewidth=0.0, label="expected ± 2 σ")


def _draw_points(
    axes: Axes,
    mu: Sequence[float],
    values: Sequence[float],
    errors: Sequence[float],
    floor: float,
) -> None:
    """Draw p-values from toys with their errors; an arrow down where no toy is as extreme."""
    import numpy as np

    x, y, error = np.array(mu), np.array(values), np.array(errors)
    some = y > 0.0
    axes.errorbar(
        x[some], y[some], yerr=[np.minimum(error, 0.999 * y)[some], error[some]], color=BLACK,
        marker="o", markersize=3.5, linewidth=1.2, elinewidth=1.0, label="observed",
    )  # fmt: skip
    if not some.all():
        at = np.full(int((~some).sum()), 1.35 * floor)
        axes.plot(
            x[~some], at, color=BLACK, marker=r"$\downarrow$", markersize=7.0, linestyle="none",
            label="no toy as extreme",
        )  # fmt: skip


def interval_figure(
    interval: Interval,
    inputs: Inputs,
    *,
    poi_label: str | None = None,
    coupling: CouplingAxis | None = None,
) -> Drawing:
    """P-value against the signal strength, with the accepted interval."""
    scan, alpha = interval.scan, 1.0 - interval.cl
    with style():
        figure = canvas()
        axes = figure.add_subplot()
        columns: dict[str, Sequence[float | None]] = {}
        upper = interval.upper if interval.upper is not None else 2.0 * max(interval.lower, 1.0)
        axes.axvspan(interval.lower, upper, color=BAND_2, linewidth=0.0, label="accepted")
        right = 1.5 * upper
        if scan is not None and scan.observed is not None:
            axes.errorbar(
                scan.mu, scan.observed, yerr=scan.observed_error, color=BLACK, marker="o",
                markersize=4.0, linestyle="none", linewidth=1.2, label="observed", clip_on=False,
                zorder=5,
            )  # fmt: skip
            columns = {
                "mu": scan.mu,
                "observed": scan.observed,
                "observed_error": scan.observed_error or (),
            }
            right = min(right, 1.05 * max(scan.mu))
        if interval.mu_hat is not None:
            axes.plot(
                [interval.mu_hat], [1.0], color=VERMILION, marker="P", markersize=8.0,
                linestyle="none", label=f"best fit {number(interval.mu_hat)}",
            )  # fmt: skip
        axes.axhline(alpha, color=VERMILION, linewidth=1.0)
        axes.set_xlim(0.0, max(right, 1.1 * upper))
        axes.set_ylim(0.0, 1.4)
        axes.text(
            axes.get_xlim()[1] * 0.985, alpha + 0.015, percent(alpha), color=VERMILION,
            ha="right", va="bottom", fontsize=9.5,
        )  # fmt: skip
        axes.set_xlabel(poi_text(interval.poi, poi_label))
        draw_coupling(axes, coupling)
        axes.set_ylabel("p-value")
        axes.set_yticks([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
        header(axes, inputs, f"Feldman–Cousins, {plain_name(interval.construction)}")
        title = (
            f"{percent(interval.cl)} CL interval\n"
            f"[{number(interval.lower)}, {number(interval.upper)}]"
        )
        axes.legend(
            loc="upper right", title=title, alignment="left", frameon=True, framealpha=1.0,
            edgecolor="none",
        )  # fmt: skip
    return Drawing(figure=figure, columns=coupling_columns(columns, coupling))


def _normal(x: FloatArray) -> FloatArray:
    import numpy as np

    density: FloatArray = np.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)
    return density


def asymptotic_density(
    test_stat: str, x: FloatArray, asimov: float, *, tested: bool
) -> FloatArray | None:
    """Density of a test statistic under the tested or the reference hypothesis; None if unknown.

    arXiv:1007.1727, eq. 41 (t), 50 (q0), 57 (q) and 64 (q-tilde); ``asimov`` is the value of the
    statistic on the Asimov data of the reference. A spike at 0 is left out.
    """
    import numpy as np

    root, shift = np.sqrt(x), math.sqrt(asimov)
    centre = 0.0 if tested else shift
    density: FloatArray = _normal(root - centre) / (2.0 * root)
    if test_stat == "t":
        return density + _normal(root + centre) / (2.0 * root)
    if test_stat == "qtilde" and asimov > 0.0:
        width = 2.0 * shift
        tail = _normal((x - (-asimov if tested else asimov)) / width) / width
        return np.where(x <= asimov, density, tail)
    return density if test_stat in {"q", "q0"} else None


def statistic_figure(test: HypoTestResult, samples: Samples | None, inputs: Inputs) -> Drawing:
    """Distribution of the test statistic under both hypotheses, with the observed value.

    From toys where there are toys; the asymptotic densities of the tested hypothesis otherwise.
    """
    import numpy as np

    symbol = _STATISTICS.get(test.test_stat, "q")
    observed = test.statistic
    with style():
        import mplhep

        figure = canvas()
        axes = figure.add_subplot()
        ends = [test.statistic_asimov or 0.0, observed or 0.0, 9.0]
        if samples is not None:
            ends += [float(values[int(0.999 * (len(values) - 1))]) for values in
                     (samples.tested, samples.reference)]  # fmt: skip
        top = 1.15 * max(ends)
        columns: dict[str, Sequence[float]] = {}
        # Scales come before anything is drawn: densities may all be zero.
        floor = 2e-4 if samples is None else 0.3 / (len(samples.tested) * top / 45.0)
        axes.set_yscale("log")
        axes.set_xlim(0.0, top)
        axes.set_ylim(floor, 40.0)
        tested = f"{plain_name(test.poi)} = {test.mu:g}"
        reference = f"{plain_name(test.poi)} = {1 if test.test_stat == 'q0' else 0}"
        if samples is not None:
            edges = np.linspace(0.0, top, 46)
            columns["low_edge"], columns["high_edge"] = edges[:-1].tolist(), edges[1:].tolist()
            for values, label, color, dashes in (
                (samples.tested, tested, BLUE, "-"),
                (samples.reference, reference, ORANGE, "--"),
            ):
                counts = np.histogram(np.clip(values, 0.0, None), bins=edges)[0]
                heights = counts / (len(values) * (edges[1] - edges[0]))
                mplhep.histplot(
                    heights, edges, ax=axes, histtype="step", color=color, linestyle=dashes,
                    linewidth=1.6, label=f"toys, {label}", edges=False,
                )  # fmt: skip
                columns[f"toys {label}"] = heights.tolist()
        x = np.linspace(1e-3 * top, top, 400)
        columns.setdefault("statistic", x.tolist())
        for name, color, is_tested in ((tested, BLUE, True), (reference, ORANGE, False)):
            density = None
            if test.statistic_asimov is not None:
                density = asymptotic_density(
                    test.test_stat, x, test.statistic_asimov, tested=is_tested
                )
            if density is not None:
                alone = "-" if is_tested else "--"
                axes.plot(
                    x, density, color=color, linestyle=alone if samples is None else ":",
                    linewidth=1.3, label=f"asymptotic, {name}",
                )  # fmt: skip
                columns[f"asymptotic {name}"] = density.tolist()
        if observed is not None:
            axes.axvline(observed, color=BLACK, linewidth=1.4, label=f"observed {observed:.3g}")
        axes.set_xlim(0.0, top)
        axes.set_ylim(floor, 40.0)
        axes.set_xlabel(f"test statistic {symbol}")
        axes.set_ylabel("probability density")
        header(axes, inputs, test.calculator)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="upper right")
        else:
            axes.text(0.5, 0.5, "no statistic was computed, and no distribution is known",
                      transform=axes.transAxes, ha="center", va="center")  # fmt: skip
    return Drawing(figure=figure, columns=columns)


def goodness_figure(found: GoodnessOfFit, values: FloatArray | None, inputs: Inputs) -> Drawing:
    """Deviance of the data against its distribution, from toys and asymptotically."""
    import numpy as np

    degrees = found.degrees_of_freedom
    observed = 0.0 if found.statistic is None else found.statistic
    with style():
        import mplhep

        figure = canvas()
        axes = figure.add_subplot()
        top = max(degrees + 5.0 * math.sqrt(2.0 * max(degrees, 1)), 1.2 * observed, 6.0)
        columns: dict[str, Sequence[float]] = {}
        if values is not None:
            top = max(top, 1.05 * float(values[int(0.999 * (len(values) - 1))]))
            edges = np.linspace(0.0, top, 41)
            counts = np.histogram(values, bins=edges)[0]
            heights = counts / (len(values) * (edges[1] - edges[0]))
            mplhep.histplot(
                heights, edges, ax=axes, histtype="fill", color=BAND_1, label="toys", edges=False
            )
            columns["low_edge"], columns["high_edge"] = edges[:-1].tolist(), edges[1:].tolist()
            columns["toys"] = heights.tolist()
        if degrees >= 1:
            x = np.linspace(1e-3 * top, top, 400)
            log_density = (
                (0.5 * degrees - 1.0) * np.log(x)
                - 0.5 * x
                - 0.5 * degrees * math.log(2.0)
                - math.lgamma(0.5 * degrees)
            )
            density = np.exp(log_density)
            axes.plot(x, density, color=BLUE, label=rf"$\chi^{{2}}$, {degrees} d.o.f.")
            if values is None:
                columns["statistic"], columns["density"] = x.tolist(), density.tolist()
                beyond = x >= observed
                axes.fill_between(x[beyond], density[beyond], color=BAND_2, linewidth=0.0)
            axes.set_ylim(0.0, 1.35 * min(float(np.max(density)), 1.0))
        if found.statistic is not None:
            axes.axvline(observed, color=BLACK, label=f"data {observed:.4g}")
        axes.set_xlim(0.0, top)
        axes.set_xlabel("deviance relative to the saturated model")
        axes.set_ylabel("probability density")
        p = "none" if found.p_value is None else p_number(found.p_value.value, found.p_value.bound)
        header(axes, inputs, f"goodness of fit, {found.calculator}")
        axes.legend(loc="upper right", title=f"p-value {p}", alignment="left")
    return Drawing(figure=figure, columns=columns)
