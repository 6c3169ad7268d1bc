"""Figures of scans: the numbers they draw, gaps that stay gaps, words that keep apart."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scan_records

pytest.importorskip("matplotlib", reason="figures need the plot extra")
pytest.importorskip("mplhep", reason="figures need the plot extra")

from matplotlib.text import Text

from darkstats.errors import OptionError, UnknownNameError
from darkstats.report.constraints.catalogue import catalogue
from darkstats.report.constraints.curve import Constraint, Source
from darkstats.report.figures.comparisons import RatioCurve, projections_figure, ratios_figure
from darkstats.report.figures.coupling_limits import (
    Favoured,
    mass_limits_figure,
    mass_range_of,
    mass_scale,
)
from darkstats.report.figures.planes import (
    MAPS,
    cells_of,
    map_figure,
    slice_masses,
    slices_figure,
)
from darkstats.report.figures.regimes import regimes_figure
from darkstats.report.figures.scan_words import limits_title, luminosity, typeset
from darkstats.report.figures.scenarios import scenarios_figure
from darkstats.report.figures.significances import (
    crossings_figure,
    local_p_figure,
    methods_figure,
)
from darkstats.report.figures.style import Drawing, style
from darkstats.report.global_table import read_global
from darkstats.report.scan_reading import read_scan
from darkstats.report.scan_table import ScanTable
from darkstats.report.writing import csv_text
from darkstats.signals.benchmarks import BENCHMARKS
from darkstats.signals.constants import M_ELECTRON_GEV

LEVELS = {1.0: 2.8e-4, 2.0: 3.5e-5, 3.0: 1.9e-6}


def alp(**options: Any) -> ScanTable:
    return read_scan(scan_records.alp(**options))


def plane(**options: Any) -> ScanTable:
    return read_scan(scan_records.plane(**options))


def favoured() -> list[Favoured]:
    mass = np.geomspace(0.3, 10.0, 20)
    return [
        Favoured(label="band, 2021", mass_gev=mass, low=4e-3 * mass, high=6e-3 * mass),
        Favoured(label="band, 2023", mass_gev=mass, low=4.2e-3 * mass, high=5.8e-3 * mass),
        Favoured(label="band, 2025", mass_gev=mass, low=np.nan * mass, high=4.4e-3 * mass),
    ]


def limits_of(table: ScanTable, **options: Any) -> Drawing:
    limits = table.limits_on()
    found = BENCHMARKS.get(limits.key)
    label, note = (None, "") if found is None else (found.label, found.assumption)
    return mass_limits_figure(
        table, limits, label=label, note=note, constraints=catalogue(limits.key), **options
    )


def agreeing(n: int = 3) -> dict[str, Any]:
    """Global significance by methods that give nearly the same."""
    record = scan_records.global_significance()
    values = (0.438, 0.521, 0.391)[:n]
    methods = zip(record["methods"], values, strict=False)
    return {**record, "methods": [{**m, "p_global": p, "p_global_error": 9e-4} for m, p in methods]}


def ratios() -> Drawing:
    mass = np.array([0.3, 1.0, 3.0, 9.0])
    curves = [
        RatioCurve(search="ALP", label="as simulated", mass_gev=mass, ratio=np.full(4, 0.8)),
        RatioCurve(search="ALP", label="background × 2.5", mass_gev=mass,
                   ratio=np.array([1.0, np.nan, 1.05, 0.98]), calibrated=True),
        RatioCurve(search="invisible Z'", label="as simulated", mass_gev=mass,
                   ratio=np.array([0.8, 0.9, 0.85, 0.7])),
    ]  # fmt: skip
    return ratios_figure(curves, quantity="coupling", simulated=True, title="validation")


def scenarios(*luminosities: float) -> dict[str, list[ScanTable]]:
    """The same scans under two statements on systematic errors."""
    chosen = luminosities or (5e4, 5e7)
    return {
        words: [read_scan(scan_records.zprime(value)) for value in chosen]
        for words in ("errors stay as they are", "errors fall with the root of the luminosity")
    }


FIGURES: dict[str, Callable[[], Drawing]] = {
    "limits": lambda: limits_of(alp()),
    "limits, wide": lambda: limits_of(alp(), mass_range=(0.01, 20.0), value_range=(1e-7, 1.0)),
    "limits with failures": lambda: limits_of(alp(without=(3, 4, 20))),
    "limits and bands": lambda: limits_of(read_scan(scan_records.zprime()), favoured=favoured()),
    "cross section": lambda: mass_limits_figure(alp(), alp().limits_on("cross_section")),
    "signal strength": lambda: mass_limits_figure(alp(), alp().limits_on("signal_strength")),
    "projections": lambda: projections_figure(
        [read_scan(scan_records.zprime(value)) for value in (276.0, 9e3, 5e4, 5e7)],
        label="$g'$", notes=("errors of all kinds fall with the luminosity",),
        constraints=catalogue("lmu_ltau_invisible"), favoured=favoured(),
    ),
    "scenarios": lambda: scenarios_figure(
        scenarios(), label="$g'$", notes=("a note",), favoured=favoured(),
        constraints=catalogue("lmu_ltau_invisible"),
    ),
    "against the first mass": lambda: slices_figure(
        plane(), plane().limits_on(), fixed=1, at=(0.1, 0.9, 2.0, 3.0), label="$x$", note="a note"
    ),
    "against the second mass": lambda: slices_figure(
        plane(), plane().limits_on(), fixed=0, at=(4.0, 6.0, 8.0)
    ),
    "map of expected limits": lambda: map_figure(plane(), plane().limits_on(), "expected"),
    "map of observed limits": lambda: map_figure(
        plane(without=(5, 9)), plane(without=(5, 9)).limits_on(), "observed", label="$x$"
    ),
    "map of significances": lambda: map_figure(plane(), plane().limits_on(), "significance"),
    "local p-values": lambda: local_p_figure(alp(without=(7,)), LEVELS),
    "up-crossings": lambda: crossings_figure(read_global(scan_records.global_significance())),
    "methods": lambda: methods_figure(read_global(scan_records.global_significance())),
    "methods that agree": lambda: methods_figure(read_global(agreeing())),
    "one method": lambda: methods_figure(read_global(agreeing(1))),
    "regimes": lambda: regimes_figure(M_ELECTRON_GEV),
    "ratios": ratios,
}  # fmt: skip


def words(drawing: Drawing) -> Iterator[tuple[str, Any]]:
    """Every word of a figure that can be seen, with its box in pixels."""
    figure = drawing.figure
    hidden: set[Any] = set()
    for axes in figure.axes:
        if not axes.get_visible():
            hidden |= set(axes.findobj(Text))
        for axis, ends in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
            if not axes.axison:
                hidden |= set(axis.findobj(Text))
            for tick in (*axis.get_ticklabels(), *axis.get_ticklabels(minor=True)):
                at = tick.get_position()[0 if axis is axes.xaxis else 1]
                if not min(ends) <= at <= max(ends):
                    hidden.add(tick)
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip() and text not in hidden:
            yield text.get_text(), text.get_window_extent()


@pytest.fixture(scope="module")
def drawings() -> dict[str, Drawing]:
    return {}


@pytest.fixture
def drawn(request: pytest.FixtureRequest, drawings: dict[str, Drawing]) -> Drawing:
    name = request.param
    if name not in drawings:
        drawings[name] = FIGURES[name]()
    return drawings[name]


@pytest.mark.parametrize("drawn", FIGURES, indirect=True)
def test_no_word_runs_into_another_or_off_the_page(drawn: Drawing) -> None:
    """Boxes of all words are on the page and apart; two pixels of the file are forgiven."""
    with style():
        page = drawn.figure.bbox
        found = list(words(drawn))
    assert len(found) > 5
    for text, box in found:
        assert min(box.x0, box.y0) > -1.0, text
        assert max(box.x1 - page.width, box.y1 - page.height) < 1.0, text
    for (one, a), (other, b) in combinations(found, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        down = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert min(across, down) < 2.0, (one, other)


@pytest.mark.parametrize("drawn", FIGURES, indirect=True)
def test_a_figure_is_saved_with_its_numbers(drawn: Drawing, tmp_path: Path) -> None:
    """All three formats, and a CSV without a single not-a-number."""
    for kind in ("pdf", "svg", "png"):
        drawn.save(tmp_path / f"figure.{kind}", csv=True)
        assert (tmp_path / f"figure.{kind}").stat().st_size > 1000
    text = (tmp_path / "figure.csv").read_text()
    assert text.count("\n") >= 2
    assert "nan" not in text.lower().replace("dominant", "")


def test_a_figure_with_constraints_is_the_same_bytes_every_time(tmp_path: Path) -> None:
    """Names find the same places each time."""
    for name in ("one.svg", "two.svg"):
        limits_of(alp()).save(tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


def test_saving_says_nothing(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    """Embedding a font has nothing to say that a user could act on."""
    drawing = regimes_figure(M_ELECTRON_GEV)
    level = logging.getLogger("fontTools").level
    drawing.save(tmp_path / "x.pdf")
    assert [record.getMessage() for record in caplog.records] == []
    assert logging.getLogger("fontTools").level == level


@pytest.mark.parametrize("drawn", sorted(FIGURES.keys() - {"regimes"}), indirect=True)
def test_simulated_scans_are_called_simulated(drawn: Drawing) -> None:
    """Above the axes, in every figure that shows simulated counts."""
    assert any(text.endswith("simulated") for text, _ in words(drawn))


def test_measured_scans_are_not_called_simulated() -> None:
    """Nor where the record does not say."""
    for said in (False, None):
        record = {**scan_records.alp(), "simulated": said, "title": "A search"}
        found = [text for text, _ in words(limits_of(read_scan(record)))]
        assert not any("simulated" in text for text in found)


def test_the_limits_figure_draws_the_numbers_of_the_record() -> None:
    """Curves, bands and CSV are the columns of the record, in the order of the masses."""
    record = scan_records.alp()
    drawing = limits_of(read_scan(record))
    values = [point["couplings"]["alp_photon"] for point in record["points"]]
    assert list(drawing.columns["observed"]) == [value["observed"] for value in values]
    for k, name in enumerate(("minus2", "minus1", "median", "plus1", "plus2")):
        column = drawing.columns[f"expected_{name}"]
        assert list(column) == [value["expected"][k] for value in values]
    axes = drawing.figure.axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    assert lines["observed (simulated data)"].get_ydata().tolist() == list(
        drawing.columns["observed"]
    )
    assert lines["expected median"].get_ydata().tolist() == list(drawing.columns["expected_median"])
    assert lines["observed (simulated data)"].get_xdata().tolist() == [
        p["values"][0] for p in record["points"]
    ]


def test_failures_are_gaps_and_are_counted() -> None:
    """No line crosses a hypothesis without a result; the legend says how many there are."""
    drawing = limits_of(alp(without=(3, 4, 20)))
    axes = drawing.figure.axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    for label in ("observed (simulated data)", "expected median"):
        gaps = np.flatnonzero(np.isnan(lines[label].get_ydata()))
        assert gaps.tolist() == [3, 4, 20]
    marks = lines["no result: 3 of 60"]
    assert marks.get_xdata().tolist() == alp().first_coordinate[[3, 4, 20]].tolist()
    assert [k for k, lost in enumerate(drawing.columns["failed"]) if lost] == [3, 4, 20]
    rows = csv_text(drawing.columns).splitlines()
    assert rows[4].split(",")[2:8] == [""] * 6  # header, then hypotheses from 0


def test_a_point_between_two_gaps_is_a_dot() -> None:
    """A line through one point cannot be seen."""
    drawing = limits_of(alp(without=(3, 5)))
    dots = [line for line in drawing.figure.axes[0].lines if line.get_marker() == "o"]
    assert any(line.get_xdata().tolist() == [alp().first_coordinate[4]] for line in dots)


def test_constraints_bring_level_method_and_source() -> None:
    """Beside the figure stands, for each point of a curve, where it comes from."""
    columns = limits_of(alp()).columns
    shown = {one.label for one in catalogue("alp_photon")} - {"E137", "NuCal"}  # out of range
    assert set(columns["constraint_name"]) == shown
    first = list(columns["constraint_name"]).index("Belle II 2020")
    assert columns["constraint_level"][first] == 0.95
    assert columns["constraint_method"][first] == "frequentist, one-sided"
    assert columns["constraint_source"][first].endswith("arXiv:2007.13071")


def test_names_of_regions_stand_in_their_regions() -> None:
    """Each name lies inside its region, or a line leads from it to the region's edge."""
    drawing = limits_of(alp(), mass_range=(0.01, 20.0), value_range=(1e-7, 1.0))
    axes = drawing.figure.axes[0]
    regions = {one.key: one for one in catalogue("alp_photon")}
    named = {
        text.get_gid().removeprefix("region-"): text
        for text in axes.texts
        if (text.get_gid() or "").startswith("region-")
    }
    assert set(named) == set(regions)
    from matplotlib.path import Path as Outline

    led = sum(line.get_markersize() == 2.2 for line in axes.lines)
    outside = 0
    for key, text in named.items():
        outline = Outline(np.array(regions[key].vertices(1e3)).T)
        place = axes.transData.inverted().transform(axes.transAxes.transform(text.get_position()))
        outside += not outline.contains_point(place)
    assert outside <= led


def test_crowded_names_go_to_the_legend() -> None:
    """Where nothing has room, the legend takes the name, and nothing overlaps."""
    narrow = tuple(
        Constraint(
            key=f"k{k}", label=f"a rather long name of an experiment, number {k}",
            couplings=("alp_photon",), unit="1/GeV", shape="curve",
            mass_gev=(0.15, 13.0), lower=(10 ** (-3.5 + 0.02 * k),) * 2,
            source=Source(citation="made up"),
        )
        for k in range(40)
    )  # fmt: skip
    table = alp()
    drawing = mass_limits_figure(table, table.limits_on(), constraints=narrow[:12])
    found = list(words(drawing))
    for k in range(12):
        assert sum(text == narrow[k].label for text, _ in found) <= 1
    for (one, a), (other, b) in combinations(found, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        down = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert min(across, down) < 2.0, (one, other)


def test_a_region_that_fills_the_picture_is_named() -> None:
    """Without an edge in the picture, a name stands anywhere in it."""
    everything = Constraint(
        key="all", label="everything", couplings=("alp_photon",), unit=None, shape="curve",
        mass_gev=(1e-3, 1e3), lower=(1e-30, 1e-30), source=Source(citation="made up"),
    )  # fmt: skip
    table = alp()
    drawing = mass_limits_figure(table, table.limits_on(), constraints=[everything])
    assert "everything" in {text for text, _ in words(drawing)}


def test_cells_tile_the_plane() -> None:
    """Cells of a column touch, and each holds its own hypothesis and no other."""
    table = plane()
    cells = cells_of(table)
    assert cells.column_axis == 0
    inside = (cells.low <= table.coordinates) & (table.coordinates <= cells.high)
    assert inside.all()
    for k in range(len(table.points)):
        holds = ((cells.low <= table.coordinates[k]) & (table.coordinates[k] < cells.high)).all(
            axis=1
        )
        assert np.flatnonzero(holds).tolist() == [k]
    for column in np.unique(cells.column):
        members = np.flatnonzero(cells.column == column)
        order = members[np.argsort(table.coordinates[members, 1])]
        assert np.array_equal(cells.high[order[:-1], 1], cells.low[order[1:], 1])


@pytest.mark.parametrize(("fixed", "mass"), [(0, 6.0), (1, 1.0)])
def test_a_slice_shows_hypotheses_and_nothing_between(fixed: int, mass: float) -> None:
    """Each point of a slice is a hypothesis whose cell holds the mass; none is left out."""
    table = plane()
    limits = table.limits_on()
    columns = slices_figure(table, limits, fixed=fixed, at=(mass,)).columns
    names = list(columns["slice1_hypothesis"])
    cells = cells_of(table)
    inside = (cells.low[:, fixed] <= mass) & (mass < cells.high[:, fixed])
    assert set(names) == {table.points[k] for k in np.flatnonzero(inside)}
    by_name = dict(zip(table.points, limits.observed.tolist(), strict=True))
    assert list(columns["slice1_observed"]) == [by_name[name] for name in names]
    free = list(columns[f"slice1_{table.axes[1 - fixed]}"])
    assert free == sorted(free)


@pytest.mark.parametrize("across", [1, 2])
def test_a_long_note_stays_on_the_figure(across: int) -> None:
    """What a conversion rests on takes a line for each part where one line has no room."""
    table = plane()
    part = "a factor on the Born cross section, as measured"
    note = "; ".join([part] * 3)
    drawing = slices_figure(table, table.limits_on(), fixed=0, at=(4.0, 6.0)[:across], note=note)
    drawing.figure.canvas.draw()
    (legend,) = drawing.figure.legends
    assert legend.get_title().get_text().count(part) == 3
    box = legend.get_window_extent()
    assert box.x0 >= 0.0
    assert box.x1 <= drawing.figure.bbox.x1


def test_slices_say_where_there_are_hypotheses() -> None:
    """A mass beyond the plane is refused with the range; default slices are within it."""
    table = plane()
    with pytest.raises(OptionError, match=r"no hypothesis lies at m_dark_photon_gev = 20"):
        slices_figure(table, table.limits_on(), fixed=0, at=(4.0, 20.0))
    with pytest.raises(OptionError, match="a slice needs a mass"):
        slices_figure(table, table.limits_on(), fixed=0, at=())
    for axis in (0, 1):
        assert len(slice_masses(table, axis)) == 4
        slices_figure(table, table.limits_on(), fixed=axis, at=slice_masses(table, axis))


@pytest.mark.parametrize("columns", [1, 2, 3, 4])
def test_slices_of_few_masses_are_these(columns: int) -> None:
    """A panel for each, none twice."""
    table = plane(columns=columns)
    assert slice_masses(table, 0) == tuple(4.0 + 0.5 * j for j in range(columns))


def test_no_two_slices_meet_the_same_hypotheses() -> None:
    """Round masses between the columns can lie in the cell of one of them."""
    for columns in (5, 6, 9):
        table = plane(columns=columns)
        cells = cells_of(table)
        found = slice_masses(table, 0)
        met = [tuple(cells.containing(0, mass).tolist()) for mass in found]
        assert len(set(met)) == len(met)
        assert list(found) == sorted(found)


@pytest.mark.parametrize("mass", [[80.0, 100.0, 140.0], [0.5, 1.0, 9.0], [1.0, 2.0, 3.0, 4.0]])
def test_no_marker_is_cut_by_the_frame(mass: list[float]) -> None:
    """The axis reaches beyond the first and the last hypothesis by some of its length."""
    values = np.array(mass)
    low, high = mass_range_of(values, room=1.15)
    to = np.log if mass_scale(values, (low, high)) == "log" else np.asarray
    first, last, left, right = (float(to(x)) for x in (values[0], values[-1], low, high))
    assert min(first - left, right - last) > 0.02 * (right - left)


def test_the_masses_of_a_recast_have_a_usual_scale() -> None:
    """The root of the mass is for dense scans alone."""
    mass = np.square(np.linspace(0.3, 3.0, 30))
    ends = float(mass[0]), float(mass[-1])
    assert mass_scale(mass, ends) == "root"
    assert mass_scale(mass, ends, usual=True) in {"linear", "log"}


@pytest.mark.parametrize("what", MAPS)
def test_a_map_shows_the_value_of_each_hypothesis(what: str) -> None:
    """Colours are the values themselves; a hypothesis without a result is hatched and counted."""
    table = plane(without=(5, 9))
    drawing = map_figure(table, table.limits_on(), what)
    shown = np.array(drawing.columns["shown"], dtype=float)
    assert np.flatnonzero(np.isnan(shown)).tolist() == np.flatnonzero(table.failed).tolist()
    expected = {
        "expected": table.limits_on().median,
        "observed": table.limits_on().observed,
        "significance": table.signed_significance,
    }[what]
    assert np.array_equal(shown, expected, equal_nan=True)
    colours = drawing.figure.axes[0].collections[0].get_array()
    assert colours.tolist() == shown[np.isfinite(shown)].tolist()
    assert f"no result: 2 of {len(shown)}" in {text for text, _ in words(drawing)}


def test_maps_that_cannot_be_drawn_are_refused() -> None:
    """One mass, no columns, an unknown kind, no value at all."""
    with pytest.raises(OptionError, match="a map needs two"):
        map_figure(alp(), alp().limits_on(), "expected")
    with pytest.raises(UnknownNameError, match="unknown map 'colour'"):
        map_figure(plane(), plane().limits_on(), "colour")
    record = scan_records.plane()
    for k, point in enumerate(record["points"]):
        point["values"] = [4.0 + 0.01 * k, 0.1 + 0.01 * k]
    with pytest.raises(OptionError, match="are in no columns"):
        map_figure(read_scan(record), plane().limits_on(), "expected")
    record = scan_records.plane()
    for point in record["points"]:
        point["signed_significance"] = None
    table = read_scan(record)
    with pytest.raises(OptionError, match="no hypothesis has a value"):
        map_figure(table, table.limits_on(), "significance")


def test_levels_of_local_p_values() -> None:
    """Curve, largest excess and global levels are those that were given."""
    table = alp()
    drawing = local_p_figure(table, LEVELS)
    assert list(drawing.columns["p0"]) == table.p0.tolist()
    assert list(drawing.columns["global_significance"]) == [1.0, 2.0, 3.0]
    axes = drawing.figure.axes[0]
    dashed = [line.get_ydata()[0] for line in axes.lines if line.get_linestyle() == "--"]
    assert dashed == list(LEVELS.values())
    found = {text for text, _ in words(drawing)}
    assert {"1 σ global", "2 σ global", "3 σ global", "3 σ"} <= found
    best = table.first_coordinate[np.argmin(table.p0)]
    assert any(f"{best:.4g} GeV" in text for text in found)


def test_levels_that_fall_together_share_a_name() -> None:
    """Two lines on top of each other have one name, not two on top of each other."""
    found = [text for text, _ in words(local_p_figure(alp(), {1.0: 1e-3, 2.0: 0.99e-3}))]
    assert "1 σ global" in found
    assert "2 σ global" not in found


def test_projections_compare_what_can_be_compared() -> None:
    """Same masses, method and level, and a luminosity each; the numbers are the medians."""
    tables = [read_scan(scan_records.zprime(value)) for value in (276.0, 9e3)]
    columns = projections_figure(tables).columns
    assert list(columns["expected_median_9000_ipb"]) == (
        tables[1].limits_on("lmu_ltau_invisible").median.tolist()
    )
    assert list(columns["observed"]) == tables[0].limits_on("lmu_ltau_invisible").observed.tolist()
    with pytest.raises(OptionError, match="two scans or more"):
        projections_figure(tables[:1])
    with pytest.raises(OptionError, match="the same one mass, method and level"):
        projections_figure([tables[0], alp()])
    nowhere = read_scan({**scan_records.zprime(), "luminosity_ipb": None})
    with pytest.raises(OptionError, match="without luminosity_ipb"):
        projections_figure([tables[0], nowhere])
    nan = np.full((len(tables[0].first_coordinate), 5), np.nan)
    none = {key: replace(one, expected=nan) for key, one in tables[0].limits.items()}
    empty = [replace(table, limits=none) for table in tables]
    with pytest.raises(OptionError, match="no expected limits"):
        projections_figure(empty)


def test_scenarios_compare_what_can_be_compared() -> None:
    """One search at the same luminosities; the numbers are the medians of each panel."""
    both = scenarios(276.0, 9e3)
    columns = scenarios_figure(both).columns
    medians = [
        value
        for tables in both.values()
        for table in tables
        for value in table.limits_on("lmu_ltau_invisible").median.tolist()
    ]
    assert list(columns["expected_median"]) == medians
    assert sorted(set(columns["luminosity_ipb"])) == [276.0, 9e3]
    first, second = both
    with pytest.raises(OptionError, match="two or more"):
        scenarios_figure({first: both[first]})
    with pytest.raises(OptionError, match="same luminosities"):
        scenarios_figure({first: both[first], second: both[second][:1]})
    with pytest.raises(OptionError, match="one search"):
        scenarios_figure({first: both[first], second: [alp(), alp()]})


def test_records_of_global_significance() -> None:
    """Values pass through; a record without them says so."""
    record = scan_records.global_significance()
    table = read_global(record)
    assert table.levels == LEVELS
    columns = crossings_figure(table).columns
    assert list(columns["mean"]) == record["up_crossings"]["means"]
    rows = methods_figure(table).columns
    assert list(rows["p_global"]) == [method["p_global"] for method in record["methods"]]
    assert list(rows["below_95"]) == [None, None, None, 0.03]
    bare = read_global({**record, "up_crossings": None, "methods": []})
    with pytest.raises(OptionError, match="has no up-crossings"):
        crossings_figure(bare)
    with pytest.raises(OptionError, match="compares no methods"):
        methods_figure(bare)
    nothing = {**record["methods"][0], "p_global": None}
    with pytest.raises(OptionError, match="neither a global p-value nor a bound"):
        methods_figure(read_global({**record, "methods": [nothing]}))


def test_a_plane_counts_its_euler_characteristic() -> None:
    """The axis names what was counted; a mean below zero cannot be drawn and is left out."""
    record = scan_records.global_significance()
    record["up_crossings"] |= {"quantity": "Euler characteristic"}
    record["up_crossings"]["means"][0] = -2.0
    drawing = crossings_figure(read_global(record))
    assert drawing.figure.axes[0].get_ylabel() == "mean Euler characteristic"
    assert drawing.columns["mean"][0] == -2.0


@pytest.mark.parametrize(
    ("couplings", "title"),
    [
        (("lmu_ltau_tautau", "leptophilic_alp_tautau"), "B(X -> tau tau)"),
        (("muonphilic_scalar_mumu",), "B(X -> mu mu)"),
        (("lmu_ltau_tautau", "lmu_ltau_mumu"), ""),
        (("alp_photon",), ""),
    ],
)
def test_a_cross_section_names_the_branching_fraction_in_it(
    couplings: tuple[str, ...], title: str
) -> None:
    """Where all models of a search include the same decay."""
    scan = alp()
    quantity = scan.limits_on("cross_section")
    named = {key: replace(scan.limits_on(), key=key) for key in couplings}
    scan = replace(scan, limits={"cross_section": quantity, **named})
    particle = {"B(X -> tau tau)": r"\tau^+\tau^-", "B(X -> mu mu)": r"\mu^+\mu^-"}.get(title)
    wanted = (
        rf"$\sigma \times \mathcal{{B}}(X \to {particle})$ [fb]" if particle else r"$\sigma$ [fb]"
    )
    assert limits_title(scan, quantity, None) == wanted


def test_regimes_have_their_boundaries() -> None:
    """m_A' = 2 m_DM, and 2 m_e below it."""
    columns = regimes_figure(M_ELECTRON_GEV).columns
    dark = np.array(columns["m_dm_gev"])
    assert np.array_equal(columns["invisible_above_gev"], 2.0 * dark)
    visible = np.array(columns["visible_above_gev"])
    assert np.array_equal(np.isfinite(visible), 2.0 * dark > 2.0 * M_ELECTRON_GEV)
    assert np.nanmax(visible) == 2.0 * M_ELECTRON_GEV
    with pytest.raises(OptionError, match="cannot be logarithmic"):
        regimes_figure(M_ELECTRON_GEV, mediator_range_gev=(0.0, 1.0))


def test_ratios_without_numbers_are_refused() -> None:
    """A gap is a gap; nothing but gaps is an error."""
    empty = RatioCurve(search="x", label="y", mass_gev=np.ones(2), ratio=np.full(2, np.nan))
    with pytest.raises(OptionError, match="no ratios"):
        ratios_figure([empty], quantity="coupling", simulated=True)
    assert math.isnan(ratios().columns["ratio"][5])


@pytest.mark.parametrize(
    ("plain", "set_"),
    [
        ("e+e- -> mu+mu- and $", r"$e^{+}e^{-}$ → $\mu^{+}\mu^{-}$ and \$"),
        ("A' h', 8.34 fb^-1", r"$A^{\prime}$ $h^{\prime}$, 8.34 fb$^{-1}$"),
        ("L_mu - L_tau, alpha", r"$L_{\mu}-L_{\tau}$, $\alpha$"),
        ("X -> tau+tau-, tau tau gamma", r"X → $\tau^{+}\tau^{-}$, $\tau\tau$ $\gamma$"),
        (
            "B0 -> K*0 S, S -> pi+pi-",
            "$B^{0}$ → $K^{*0}$ S, S → $\\pi^{+}\\pi^{-}$",
        ),
        ("B+ -> K+ S, S -> K+K-", "$B^{+}$ → $K^{+}$ S, S → $K^{+}K^{-}$"),
        (
            "gamma chi1 chi2, chi2 -> chi1 e+e-",
            "$\\gamma$ $\\chi_{1}$ $\\chi_{2}$, $\\chi_{2}$ → $\\chi_{1}$ $e^{+}e^{-}$",
        ),
        ("in B0 and chi12", "in B0 and chi12"),
    ],
)
def test_titles_are_typeset(plain: str, set_: str) -> None:
    """Particles and units become mathematics; a dollar sign does not."""
    assert typeset(plain) == set_


def test_luminosities_are_short() -> None:
    """The unit is the one that makes the number short."""
    assert luminosity(79700.0) == "79.7 fb$^{-1}$"
    assert luminosity(5e7) == "50 ab$^{-1}$"


def _asimov(record: dict[str, Any], *, off: float = 1.0) -> ScanTable:
    """A scan of Asimov data: its limits are the median ones, but for a factor."""
    points = [
        {
            **point,
            "couplings": {
                key: {**one, "observed": off * one["expected"][2]}
                for key, one in point["couplings"].items()
            },
        }
        for point in record["points"]
    ]
    return read_scan({**record, "points": points, "data": "simulated: Asimov data"})


def test_asimov_data_are_not_called_observed() -> None:
    """No figure draws the median twice; off the median the line says what it is."""
    drawing = limits_of(_asimov(scan_records.alp()))
    found = [text for text, _ in words(drawing)]
    assert not any("observed" in text for text in found)
    assert any(text.endswith("Asimov data, simulated") for text in found)
    assert list(drawing.columns["observed"]) == list(drawing.columns["expected_median"])
    labels = [line.get_label() for line in drawing.figure.axes[0].lines]
    assert "Asimov data, simulated" not in labels
    off = limits_of(_asimov(scan_records.alp(), off=1.1))
    assert "Asimov data, simulated" in [line.get_label() for line in off.figure.axes[0].lines]
