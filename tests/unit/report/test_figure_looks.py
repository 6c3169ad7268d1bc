"""What a referee of a figure would send back, as far as it can be told without looking."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

import scan_records

pytest.importorskip("matplotlib", reason="figures need the plot extra")
pytest.importorskip("mplhep", reason="figures need the plot extra")

from darkstats import workflows as w
from darkstats.errors import OptionError
from darkstats.inference.p_values import FitCounts
from darkstats.inference.results import LimitScan, UpperLimit
from darkstats.report.constraints.catalogue import catalogue
from darkstats.report.figures import coupling_limits
from darkstats.report.figures.comparisons import projections_figure
from darkstats.report.figures.coupling_limits import mass_limits_figure
from darkstats.report.figures.limits import limit_figure, statistic_figure
from darkstats.report.figures.planes import cells_of, map_figure, slices_figure
from darkstats.report.figures.significances import local_p_figure, methods_figure
from darkstats.report.figures.smooth import p_curve
from darkstats.report.figures.style import Drawing, canvas, style, typeset
from darkstats.report.global_table import read_global
from darkstats.report.provenance import Inputs
from darkstats.report.scan_reading import read_scan
from darkstats.report.scan_table import ScanTable

LONG_TITLE = (
    "SIMULATED. Search for axion-like particles in three-photon events, 445 pb^-1; unbinned"
)


def inputs(title: str | None = None, source: str = "a.json") -> Inputs:
    return Inputs(
        source=source, workspace_sha256="", canonical_sha256="", simulated=True, blind=False,
        title=title,
    )  # fmt: skip


def upper_limit(**options: Any) -> UpperLimit:
    mu = tuple(0.1 * k for k in range(41))
    band = tuple(tuple(math.exp(-x * (2.0 - 0.3 * n) - 0.1 * x * x) for x in mu) for n in range(5))
    options = {"observed": band[3], "observed_error": None, **options}
    scan = LimitScan(quantity="CLs", mu=mu, expected=band, **options)
    return UpperLimit(
        poi="mu", cl=0.95, method="cls", test_stat="qtilde", calculator="asymptotic",
        observed=1.9, expected=(1.2, 1.4, 1.6, 1.8, 2.2), expected_definition="", mu_hat=0.5,
        twice_nll=0.0, sigma=1.0, poi_lower=0.0, fits=FitCounts(attempted=1, certified=1),
        scan=scan,
    )  # fmt: skip


def alp(n: int = 60, **options: Any) -> ScanTable:
    return read_scan(scan_records.alp(n, **options))


def limits_of(table: ScanTable, **options: Any) -> Drawing:
    limits = table.limits_on()
    return mass_limits_figure(table, limits, constraints=catalogue(limits.key), **options)


def dense(masses: Any) -> ScanTable:
    """A scan over these masses."""
    record = scan_records.alp(max(len(masses), 2))
    record["points"] = record["points"][: len(masses)]
    for point, mass in zip(record["points"], masses, strict=True):
        point["values"] = [float(mass)]
    return read_scan(record)


@pytest.mark.parametrize(
    "subject", [inputs(LONG_TITLE), inputs(source="a_long_name-of_a_file_" * 9 + ".json")]
)
def test_a_long_title_takes_lines_and_leaves_the_axes_their_width(subject: Inputs) -> None:
    """Axes keep three quarters of the page; every line of the title is on it."""
    figure = limit_figure(upper_limit(), subject).figure
    axes = figure.axes[0]
    short = limit_figure(upper_limit(), inputs("short")).figure.axes[0]
    with style():
        assert axes.bbox.width > 0.75 * figure.bbox.width
        assert axes.bbox.width == pytest.approx(short.bbox.width, rel=0.01)
        (title,) = (text for text in axes.texts if text.get_gid() == "header-left")
        box = title.get_window_extent()
    assert "\n" in title.get_text()
    assert box.x1 < figure.bbox.x1
    assert box.y1 < figure.bbox.y1 + 1.0


@pytest.mark.parametrize(
    ("plain", "shown"),
    [
        ("445 pb^-1", "445 pb$^{-1}$"),
        ("8.34fb**-1", "8.34fb$^{-1}$"),
        ("50 ab⁻¹", "50 ab$^{-1}$"),
        ("5 fb-1", "5 fb$^{-1}$"),
        ("mass squared (GeV^2)", "mass squared (GeV$^{2}$)"),
        ("mass squared [GeV$^2$]", "mass squared [GeV$^{2}$]"),
        ("mass squared [GeV²]", "mass squared [GeV$^{2}$]"),
        ("$5 of_cb^2", r"\$5 of_cb^2"),
        ("coupling g_S", "coupling $g_S$"),
        ("abs(cos theta*) < 0.95", r"$|\cos\theta^{*}|$ < 0.95"),
    ],
)
def test_powers_of_units_are_mathematics(plain: str, shown: str) -> None:
    """However they are written, and nothing else is."""
    assert typeset(plain) == shown


def test_units_are_mathematics_in_titles_of_figures_and_axes(
    repository: Path, tmp_path: Path
) -> None:
    """Header, axis of a channel, width of its bins."""
    source = tmp_path / "x.json"
    source.write_bytes((repository / "workspaces/examples/two_bins.json").read_bytes())
    channel = w.fit(w.FitRequest(model=request(source))).result.fit.model.channels[0].name
    axis = "squared recoil mass [GeV$^2$]"
    edges = ", ".join(map(str, (0.0, 2.0, 4.0)))
    (tmp_path / "x.meta.json").write_text(
        f'{{"schema": "darkstats.meta/1", "title": "A search, 445 pb^-1", "channels": '
        f'{{"{channel}": {{"axis": "{axis}", "edges": [{edges}]}}}}}}'
    )
    figure = w.fit(w.FitRequest(model=request(source))).figure("data").figure
    main, ratio = figure.axes[:2]
    assert ratio.get_xlabel() == "squared recoil mass [GeV$^{2}$]"
    assert main.get_ylabel() == "events / 2 GeV$^{2}$"
    assert any(text.get_text().startswith("A search, 445 pb$^{-1}$") for text in main.texts)


def request(path: Path) -> w.ModelRequest:
    return w.ModelRequest(workspace=w.WorkspaceRequest(source=str(path)))


def test_small_p_values_stand_on_a_logarithmic_axis() -> None:
    """Below a tenth, where the limit is read, in a panel that continues the linear one."""
    figure = limit_figure(upper_limit(), inputs()).figure
    upper, lower = figure.axes
    assert (upper.get_yscale(), lower.get_yscale()) == ("linear", "log")
    assert upper.get_ylim()[0] == lower.get_ylim()[1] == pytest.approx(0.1)
    assert lower.get_ylim()[0] < 0.05 / 10
    assert upper.get_xlim() == lower.get_xlim()


@pytest.mark.parametrize(
    ("scale", "ends"),
    [
        ("linear", (0.0, 1.7e308)),
        ("linear", (-8e307, 8e307)),
        ("linear", (-1e305, 1.0)),
        ("log", (1.0, 1e290)),
        ("log", (5e-324, 1e200)),
        ("log", (1e300, 1e307)),
    ],
)
@pytest.mark.parametrize("which", ["x", "y"])
def test_axes_of_numbers_too_large_to_draw(
    scale: Literal["linear", "log"], ends: tuple[float, float], which: str
) -> None:
    """Ticks are computed from differences and ratios that overflow: told before it is tried."""
    with style():
        figure = canvas()
        axes = figure.add_subplot()
        getattr(axes, f"set_{which}scale")(scale)
        getattr(axes, f"set_{which}lim")(*ends)
    word = {"x": "horizontal", "y": "vertical"}[which]
    with pytest.raises(OptionError, match=f"cannot draw a {word} axis from .* to "):
        Drawing(figure=figure, columns={})


@pytest.mark.parametrize("ends", [(-1e200, 1e200), (1e-300, 1e-290), (1.0, 1.0 + 2**-52)])
def test_axes_of_large_and_small_numbers_are_drawn(ends: tuple[float, float]) -> None:
    """Whatever matplotlib manages."""
    with style():
        figure = canvas()
        figure.add_subplot().set_xlim(*ends)
    assert Drawing(figure=figure, columns={})._repr_png_()


def test_a_curve_of_p_values_is_smooth_and_runs_through_its_points() -> None:
    """No corner between computed points, no turn of its own; the corner at the best fit stays."""
    mu = np.linspace(0.0, 4.0, 21)
    exact = np.exp(-0.7 * mu - 0.2 * mu**2)
    x, y = p_curve(mu, exact)
    assert len(x) > 5 * len(mu)
    assert np.all(np.diff(y) < 0.0)
    for place, value in zip(mu, exact, strict=True):
        assert y[np.argmin(np.abs(x - place))] == pytest.approx(value, rel=1e-12)
    straight = np.interp(x, mu, exact)
    truth = np.exp(-0.7 * x - 0.2 * x**2)
    inner = (x > 0.2) & (x < 3.8)
    assert np.max(np.abs(y / truth - 1.0)[inner]) < 0.1 * np.max(np.abs(straight / truth - 1.0))
    bent = np.where(mu < 1.05, 1.0, np.exp(-(mu - 1.05)))
    x, y = p_curve(mu, bent, kink=1.05)
    assert np.all(y[x <= 1.0] == 1.0)


def test_p_values_of_zero_from_toys_are_arrows() -> None:
    """No toy as extreme is no point at zero."""
    values = tuple(max(1.0 - 0.5 * k, 0.0) for k in range(41))
    errors = tuple(0.01 if value else 0.0 for value in values)
    figure = limit_figure(upper_limit(observed=values, observed_error=errors), inputs()).figure
    lower = figure.axes[1]
    (arrows,) = (line for line in lower.lines if line.get_label() == "no toy as extreme")
    assert len(arrows.get_xdata()) == values.count(0.0)
    low, high = lower.get_ylim()
    assert np.all((arrows.get_ydata() > low) & (arrows.get_ydata() < high))
    assert "arrow" in arrows.get_marker()


@pytest.mark.parametrize("kind", ["pulls", "correlation"])
def test_bin_gammas_are_hidden_unless_asked_for(repository: Path, kind: str) -> None:
    """Figures leave them out and say how many; their numbers stay beside the figure."""
    path = repository / "workspaces/examples/three_channels.json"
    shown = {}
    for asked in (False, True):
        outcome = w.fit(w.FitRequest(model=request(path), bin_gammas=asked))
        drawing = outcome.figure(kind)
        axes = drawing.figure.axes[0]
        shown[asked] = [label.get_text() for label in axes.get_yticklabels()]
        header = " ".join(text.get_text() for text in axes.texts)
        assert ("9 bin gammas not shown" in header) is not asked
        assert sum(name.startswith("staterror") for name in drawing.columns["parameter"]) == 9
    assert not any(name.startswith("staterror") for name in shown[False])
    assert sum(name.startswith("staterror") for name in shown[True]) == 9
    assert set(shown[False]) < set(shown[True])


def test_bin_gammas_are_drawn_where_there_is_nothing_else(repository: Path) -> None:
    """A model with no other constrained parameter has a figure all the same."""
    path = repository / "workspaces/examples/two_bins.json"
    figure = w.fit(w.FitRequest(model=request(path))).figure("pulls").figure
    assert len(figure.axes[0].get_yticklabels()) == 2


def test_regions_of_earlier_limits_can_be_told_apart() -> None:
    """Each has a colour and dashes of its own, and its name has that colour."""
    from matplotlib.colors import to_rgb

    axes = limits_of(alp(), mass_range=(0.01, 20.0), value_range=(1e-7, 1.0)).figure.axes[0]
    edges = [p for p in axes.patches if p.get_zorder() == 2.2]
    assert len(edges) >= 5
    looks = [(to_rgb(p.get_edgecolor()), str(p.get_linestyle())) for p in edges]
    for (one, dash), (other, other_dash) in combinations(looks, 2):
        assert np.hypot.reduce(np.subtract(one, other)) > 0.15
        assert dash != other_dash or one != other
    names = {to_rgb(t.get_color()) for t in axes.texts if (t.get_gid() or "").startswith("region-")}
    assert names == {color for color, _ in looks}
    for color in names:  # small letters on white: contrast as WCAG asks for
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color]
        assert 1.05 / (np.dot((0.2126, 0.7152, 0.0722), linear) + 0.05) > 4.5


PROJECTIONS = (276.0, 9e3, 5e4)
WITH_REGIONS: dict[str, Callable[[], Drawing]] = {
    "limits": lambda: limits_of(alp()),
    "projections": lambda: projections_figure(
        [read_scan(scan_records.zprime(value)) for value in PROJECTIONS],
        constraints=catalogue("lmu_ltau_invisible"),
    ),
}


@pytest.mark.parametrize("name", WITH_REGIONS)
def test_a_legend_covers_no_excluded_region(name: str) -> None:
    """Where earlier limits are drawn, the legend is outside of the axes, once."""
    figure = WITH_REGIONS[name]().figure
    (axes,) = figure.axes
    assert axes.get_legend() is None
    (legend,) = figure.legends
    with style():
        assert not legend.get_window_extent().overlaps(axes.bbox)
        assert legend.get_window_extent().x1 < figure.bbox.x1
    assert sum(t.get_text().startswith("earlier limits") for t in legend.get_texts()) == 1


def test_masses_have_the_axis_on_which_they_lie_evenly() -> None:
    """Windows of a resolution in squared mass ask for a linear axis, others do not."""
    recoil = np.sqrt(np.linspace(0.25, 64.0, 80))
    wide = np.geomspace(0.2, 9.7, 80)
    between = np.linspace(0.2**0.5, 9.7**0.5, 80) ** 2
    for masses, scale in ((recoil, "linear"), (wide, "log"), (between, "function")):
        table = dense(masses)
        for drawing in (limits_of(table), local_p_figure(table)):
            axes = drawing.figure.axes[0]
            assert axes.get_xscale() == scale
            low, high = axes.get_xlim()
            assert low < masses[0]
            assert masses[-1] < high
    upper = limits_of(dense(recoil)).figure.axes[0]
    root = limits_of(dense(between)).figure.axes[0]
    named = [label.get_text() for label in root.get_xticklabels()]
    assert {"0.5", "1", "2", "5", "6", "8"} <= set(named)
    to_pixels = upper.transData.transform([[6.0, 1e-2], [8.0, 1e-2]])[:, 0]
    assert np.diff(to_pixels)[0] > 0.2 * upper.bbox.width


def test_limits_of_less_than_a_decade_have_a_linear_axis() -> None:
    """Its ticks are plain numbers, from zero."""
    record = scan_records.alp(30)
    for k, point in enumerate(record["points"]):
        point["couplings"] = {}
        point["cross_section_fb"] = {
            "observed": 9.0 + k % 3, "expected": [8.0, 9.0, 10.0, 12.0, 15.0],
        }  # fmt: skip
    table = read_scan(record)
    axes = mass_limits_figure(table, table.limits_on("cross_section")).figure.axes[0]
    assert axes.get_yscale() == "linear"
    assert axes.get_ylim()[0] == 0.0
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert not any("^" in label or "times" in label for label in labels)
    assert len([label for label in labels if label]) >= 3


@pytest.mark.parametrize(("n", "marked"), [(8, True), (40, True), (80, False)])
def test_few_hypotheses_are_marked(n: int, marked: bool) -> None:
    """A line alone would pass for knowledge of what lies between them."""
    table = alp(n)
    for drawing, name in (
        (limits_of(table), "observed (simulated data)"),
        (limits_of(table), "expected median"),
        (local_p_figure(table), "local p-value"),
    ):
        (line,) = (one for one in drawing.figure.axes[0].lines if one.get_label() == name)
        assert (line.get_marker() == "o") is marked


@pytest.mark.parametrize("few", [False, True])
def test_the_table_of_methods_fills_its_part_of_the_page(few: bool) -> None:
    """From the axes to the right edge, with no empty third."""
    record = scan_records.global_significance()
    if few:
        record["methods"] = record["methods"][:1]
    figure = methods_figure(read_global(record)).figure
    axes, table = figure.axes
    with style():
        ends = [text.get_window_extent().x1 for text in table.texts if not text.get_gid()]
        assert max(ends) > 0.95 * figure.bbox.width
        assert max(ends) < figure.bbox.width
        assert axes.bbox.width > 0.25 * figure.bbox.width


def test_significances_beside_bayesian_limits_are_not_called_posterior() -> None:
    """They are those of a fit."""
    record = {**scan_records.plane(), "method": "bayes", "calculator": "posterior"}
    table = read_scan(record)
    legend = map_figure(table, table.limits_on(), "significance").figure.axes[0].get_legend()
    assert legend is not None
    assert legend.get_title().get_text() == "signed local significance, asymptotic"


def map_of(table: ScanTable, what: str, key: str = "signal_strength") -> Drawing:
    return map_figure(table, table.limits_on(key), what)


def contours(drawing: Drawing) -> list[Any]:
    """Lines through a map. Each: its vertices, shape [point, 2]."""
    lines = drawing.figure.axes[0].get_lines()
    return [np.asarray(line.get_xydata()) for line in lines if len(line.get_xdata()) > 1]


@pytest.mark.parametrize(("what", "lines"), [("expected", 3), ("observed", 2)])
def test_maps_show_where_a_predicted_signal_is_excluded(what: str, lines: int) -> None:
    """The line on which the limit is 1 lies where it is, and the legend names it."""
    drawing = map_of(read_scan(scan_records.predicted_plane()), what)
    found = contours(drawing)
    assert len(found) == lines
    median = found[0] if what == "expected" else found[1]
    limit = np.exp((median[:, 0] - 600.0) / 150.0 + median[:, 1] / 120.0)
    assert np.allclose(limit, 1.0, rtol=1e-6)
    assert median[:, 0].min() <= 350.0
    assert median[:, 0].max() > 580.0
    legend = drawing.figure.axes[0].get_legend()
    assert legend is not None
    words = [text.get_text() for text in legend.get_texts()]
    assert r"$\mu$ = 1, expected (interpolated)" in words


def test_no_line_is_guessed_through_a_hypothesis_without_a_limit() -> None:
    """Triangles with such a corner are left out."""
    whole = contours(map_of(read_scan(scan_records.predicted_plane()), "expected"))[0]
    table = read_scan(scan_records.predicted_plane(without=(12,)))
    lost = table.coordinates[table.failed][0]
    part = contours(map_of(table, "expected"))[0]
    assert np.hypot(*(part - lost).T).min() > np.hypot(*(whole - lost).T).min() + 1.0


def test_a_unit_of_the_signal_strength_is_no_prediction() -> None:
    """A reference cross section of 1 pb excludes nothing where the limit crosses it."""
    record = {**scan_records.predicted_plane(), "reference_cross_section_pb": 1.0}
    assert contours(map_of(read_scan(record), "expected")) == []
    assert contours(map_of(read_scan(scan_records.predicted_plane()), "significance")) == []


def test_maps_have_no_white_strips_between_columns() -> None:
    """Where a column ends before both of its neighbours, its last cell reaches as far as they."""
    table = read_scan(scan_records.predicted_plane())
    (axes, _) = map_of(table, "expected").figure.axes
    boxes = [path.get_extents() for path in axes.collections[0].get_paths()]
    tops: dict[float, float] = {}
    for box in boxes:
        tops[box.x0] = max(tops.get(box.x0, 0.0), box.y1)
    ordered = [tops[x] for x in sorted(tops)]
    for before, here, after in zip(ordered, ordered[1:], ordered[2:], strict=False):
        assert here >= min(before, after)
    for x in (175.0 - 1.0, 160.0):  # a lonely hypothesis fills its column as its neighbour does
        assert any(box.x0 <= x <= box.x1 and box.y1 >= 25.0 for box in boxes)
    assert min(box.y0 for box in boxes) == 0.0
    cells = cells_of(table)
    column = table.coordinates[:, 0] == 500.0
    assert cells.high[column, 1].max() < 200.0  # a slice shows it no farther than it reaches


def test_slices_say_how_far_off_their_hypotheses_are() -> None:
    """One mass where all have it, from where to where they lie otherwise."""
    table = read_scan(scan_records.predicted_plane())
    limits = table.limits_on("signal_strength")
    words = {
        fixed: slices_figure(table, limits, fixed=fixed, at=(at,)).figure.axes[0].texts[0]
        for fixed, at in ((0, 660.0), (1, 160.0))
    }
    assert words[0].get_text() == "m c1 = 650 GeV"
    assert words[1].get_text() == "m n1 = 160 GeV\n(hypotheses at 150 to 200 GeV)"


def test_cells_hold_their_hypotheses_where_coordinates_are_negative() -> None:
    """Only masses end at zero."""
    record = scan_records.predicted_plane()
    record["labels"] = ["x", "y"]
    for point in record["points"]:
        point["values"] = [-value for value in point["values"]]
    table = read_scan(record)
    cells = cells_of(table)
    assert np.all((cells.low <= table.coordinates) & (table.coordinates <= cells.high))


def test_p_values_below_any_number_are_arrows() -> None:
    """They are no gaps, and the largest excess is among them."""
    record = scan_records.alp(30)
    for k, z in ((4, 39.0), (9, 41.0)):
        record["points"][k] |= {"p0": 0.0, "significance": z, "signed_significance": z}
    table = read_scan(record)
    axes = local_p_figure(table).figure.axes[0]
    arrows = {line.get_label(): line for line in axes.lines if "arrow" in str(line.get_marker())}
    (largest,) = (name for name in arrows if str(name).startswith("largest excess"))
    assert "41.0 σ local" in str(largest)
    assert arrows[largest].get_xdata()[0] == table.first_coordinate[9]
    assert arrows["p-value below 1e-300"].get_xdata().tolist() == [table.first_coordinate[4]]
    assert not any(line.get_marker() == "x" for line in axes.lines)


def test_a_scan_of_one_hypothesis_is_drawn_without_a_warning() -> None:
    """Its axis has a width, and the hypothesis is in its middle."""
    table = dense([1.5])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        axes = mass_limits_figure(table, table.limits_on()).figure.axes[0]
    assert np.mean(axes.get_xlim()) == pytest.approx(1.5)
    assert np.ptp(axes.get_xlim()) == pytest.approx(0.15)


def test_the_legend_of_one_slice_is_on_the_page() -> None:
    """One panel is narrow: lines of the legend are broken, and entries stand below each other."""
    table = read_scan(scan_records.plane())
    figure = slices_figure(
        table, table.limits_on(), fixed=1, at=(0.5,),
        note="the cross section includes BR(A' -> mu mu), with R = 3.6",
    ).figure  # fmt: skip
    (legend,) = figure.legends
    box, page = legend.get_window_extent(), figure.bbox
    assert page.x0 <= box.x0
    assert box.x1 <= page.x1


def test_a_limit_from_toys_says_so_with_its_errors() -> None:
    """In the words above the legend; an asymptotic one has neither."""
    toys = replace(
        upper_limit(), calculator="toys", observed_error=0.05,
        expected_error=(0.1, 0.1, 0.09, 0.1, 0.2),
    )  # fmt: skip
    words = []
    for limit in (toys, upper_limit()):
        legend = limit_figure(limit, inputs()).figure.axes[0].get_legend()
        assert legend is not None
        words.append(legend.get_title().get_text().splitlines())
    assert words[0] == [
        "95 % CL upper limit, from toys", "observed 1.900 ± 0.050", "expected 1.600 ± 0.090"
    ]  # fmt: skip
    assert words[1] == ["95 % CL upper limit", "observed 1.900", "expected 1.600"]


def test_legends_of_recasts_are_on_the_page(tmp_path: Path) -> None:
    """Of one-sided limits with bands, of intervals, and of the map of regimes."""
    path = tmp_path / "scan.json"
    path.write_text(json.dumps(scan_records.alp()), "utf-8")
    asked: dict[str, Any] = {
        "limit": str(path), "to": "alp_hypercharge", "production": "photon",
        "final_state": "gammagamma",
    }  # fmt: skip
    drawings = [
        w.recast(w.RecastRequest(**asked)).figure(),
        w.recast(w.RecastRequest(**asked, window="0.001:9")).figure(),
        w.recast(w.RecastRequest(**asked, regimes="9:1250")).figure("regimes"),
    ]
    for drawing in drawings:
        (legend,) = drawing.figure.legends
        box, page = legend.get_window_extent(), drawing.figure.bbox
        assert page.x0 <= box.x0
        assert box.x1 <= page.x1
    lines = {line.get_label() for line in drawings[1].figure.axes[0].lines}
    assert "the same of the median expected limit" in lines


def test_a_statistic_that_nothing_is_known_of_says_so(repository: Path) -> None:
    """Neither a value nor a distribution: a sentence, and no warning of an empty legend."""
    path = str(repository / "workspaces/examples/two_bins.json")
    model = w.ModelRequest(workspace=w.WorkspaceRequest(source=path))
    found = w.hypotest(w.HypoTestRequest(model=model)).result
    empty = replace(found, statistic=None, statistic_asimov=None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawing = statistic_figure(empty, None, inputs())
    said = [text.get_text() for text in drawing.figure.axes[0].texts]
    assert any("no distribution is known" in text for text in said)


def test_long_notes_stay_within_the_figure() -> None:
    """A line above the entries of a legend is broken, between words and not within a formula."""
    note = "vacuum polarisation at 10.58 GeV, a factor of 1.078 +- 0.005 on the Born cross section"
    table = read_scan(scan_records.zprime())
    limits = table.limits_on("lmu_ltau_invisible")
    drawing = mass_limits_figure(
        table, limits, note=f"{note}; {note}", constraints=catalogue(limits.key)
    )
    figure = drawing.figure
    figure.canvas.draw()
    (legend,) = figure.legends
    words = legend.get_title()
    box, whole = words.get_window_extent(), figure.bbox
    assert whole.x0 <= box.x0
    assert box.x1 <= whole.x1
    broken = coupling_limits._wrapped("x " * 12 + "$a = b$ and so on", 27)
    assert broken == "x " * 11 + "x\n$a = b$ and so on"
