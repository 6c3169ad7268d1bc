"""Figures: the right numbers, the same bytes, no leftovers. Their looks are judged by eye."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("matplotlib", reason="figures need the plot extra")
pytest.importorskip("mplhep", reason="figures need the plot extra")

from darkstats import workflows as w
from darkstats.errors import MissingExtraError, OptionError, UnknownNameError
from darkstats.report.figures.limits import asymptotic_density, falling
from darkstats.report.figures.style import Drawing, style

Source = Callable[[str], w.ModelRequest]


@pytest.fixture(scope="module")
def model(repository: Path) -> Source:
    def request(name: str) -> w.ModelRequest:
        path = str(repository / f"workspaces/examples/{name}.json")
        return w.ModelRequest(workspace=w.WorkspaceRequest(source=path))

    return request


def outcomes(model: Source) -> dict[str, Callable[[], w.Outcome[Any]]]:
    toys = w.ToyRequest(n_toys=300, seed=1)
    return {
        "limit": lambda: w.limit(w.LimitRequest(model=model("two_bins"))),
        "limit by toys": lambda: w.limit(
            w.LimitRequest(model=model("on_off"), calculator="toys", toys=toys)
        ),
        "interval": lambda: w.limit(w.LimitRequest(model=model("on_off"), method="fc", toys=toys)),
        "hypotest": lambda: w.hypotest(w.HypoTestRequest(model=model("two_bins"))),
        "hypotest by toys": lambda: w.hypotest(
            w.HypoTestRequest(model=model("two_bins"), calculator="toys", toys=toys)
        ),
        "significance": lambda: w.significance(w.SignificanceRequest(model=model("bump_hunt"))),
        "gof": lambda: w.gof(w.GoodnessRequest(model=model("three_channels"))),
        "gof by toys": lambda: w.gof(
            w.GoodnessRequest(model=model("three_channels"), calculator="toys", toys=toys)
        ),
        "fit": lambda: w.fit(w.FitRequest(model=model("three_channels"))),
        "rank": lambda: w.rank(w.RankRequest(model=model("three_channels"))),
        "scan": lambda: w.scan_poi(w.ScanRequest(model=model("two_bins"), points=9)),
        "plane": lambda: w.scan_poi(
            w.ScanRequest(
                model=model("three_channels"), parameters=("mu", "tau_pair_norm"), points=5
            )
        ),
    }


NAMES = tuple(outcomes(lambda name: w.ModelRequest(workspace=w.WorkspaceRequest(source=name))))


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_of_every_task_can_be_drawn(model: Source, tmp_path: Path, name: str) -> None:
    """Each kind is drawn without a warning, and its numbers come along."""
    outcome = outcomes(model)[name]()
    assert outcome.figures
    for kind in outcome.figures:
        path = tmp_path / f"{kind}.png"
        drawing = outcome.figure(kind)
        drawing.save(path, csv=True)
        assert path.read_bytes().startswith(b"\x89PNG")
        lines = path.with_suffix(".csv").read_text().splitlines()
        assert lines[0].split(",")[0] in {*drawing.columns, f'"{next(iter(drawing.columns))}"'}
        assert len(lines) > 1


def _words(drawing: Drawing) -> dict[str, Any]:
    """Boxes of the words of a figure: names of rows and columns, titles of axes, headers."""
    found: dict[str, Any] = {}
    for axes in drawing.figure.axes:
        names = [*axes.texts, axes.xaxis.label, axes.yaxis.label]
        for k, (low, high) in enumerate((axes.get_xlim(), axes.get_ylim())):
            ticks = (axes.xaxis, axes.yaxis)[k].get_ticklabels()
            ends = min(low, high), max(low, high)
            names += [tick for tick in ticks if ends[0] <= tick.get_position()[k] <= ends[1]]
        found |= {
            (text.get_gid() or text.get_text()): text.get_window_extent()
            for text in names
            if text.get_text() and text.get_visible()
        }
    return found


LONG = "a_workspace_with_a_very_long_name_that_somebody_chose.json"


@pytest.mark.parametrize("task", ["fit", "rank", "limit", "plane"])
def test_no_word_is_cut_or_covered(
    repository: Path, tmp_path: Path, model: Source, task: str
) -> None:
    """Every name is on the page, at the resolution of the file; headers keep apart."""
    source = "two_bins" if task == "limit" else "three_channels"
    (tmp_path / LONG).write_bytes((repository / f"workspaces/examples/{source}.json").read_bytes())
    request = w.ModelRequest(workspace=w.WorkspaceRequest(source=str(tmp_path / LONG)))
    outcome = outcomes(lambda _: request)[task]()
    for kind in outcome.figures:
        drawing = outcome.figure(kind)
        with style():
            drawing.figure.dpi = 200.0  # as in the file
            page, words = drawing.figure.bbox, _words(drawing)
        for name, box in words.items():
            assert min(box.x0, box.y0) > -1.0, (kind, name)
            assert max(box.x1 - page.width, box.y1 - page.height) < 1.0, (kind, name)
        if "header-right" in words:
            assert not words["header-left"].overlaps(words["header-right"]), kind


@pytest.fixture(scope="module")
def drawing(model: Source) -> Drawing:
    return outcomes(model)["limit"]().figure()


@pytest.mark.parametrize("suffix", [".pdf", ".png", ".svg"])
def test_a_figure_is_the_same_bytes_every_time(
    model: Source, drawing: Drawing, tmp_path: Path, suffix: str
) -> None:
    """No clock and no random identifier enters a file."""
    drawing.save(tmp_path / f"one{suffix}")
    outcomes(model)["limit"]().figure().save(tmp_path / f"two{suffix}")
    assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()


def test_the_curve_is_the_scan_of_the_limit(drawing: Drawing, model: Source) -> None:
    """The CSV beside the figure holds the numbers of the record."""
    record = outcomes(model)["limit"]().record()
    assert list(drawing.columns["observed"]) == record["scan"]["observed"]
    assert list(drawing.columns["expected_median"]) == record["scan"]["expected"][2]


def test_a_format_that_is_none_is_refused(drawing: Drawing, tmp_path: Path) -> None:
    """The suffix chooses the format."""
    with pytest.raises(OptionError, match=r"end with \.pdf, \.png or \.svg"):
        drawing.save(tmp_path / "x.jpeg")
    assert list(tmp_path.iterdir()) == []


def test_matplotlib_is_left_as_it_was(drawing: Drawing, tmp_path: Path) -> None:
    """Our style does not leak into the figures of the caller."""
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    drawing.save(tmp_path / "x.png")
    assert dict(mpl.rcParams) == before


def test_an_unknown_figure_lists_the_kinds(model: Source) -> None:
    """The message tells what can be drawn."""
    with pytest.raises(UnknownNameError, match="choose one of: cls"):
        outcomes(model)["limit"]().figure("brazil")


def test_without_matplotlib_the_error_names_the_extra(
    model: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever lacks the extra is told how to get it."""
    monkeypatch.setitem(__import__("sys").modules, "mplhep", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'darkstats\[plot\]'"):
        outcomes(model)["limit"]().figure()


def test_pool_adjacent_violators() -> None:
    """The falling fit averages what rises, and leaves alone what falls."""
    assert falling([3.0, 2.0, 1.0]) == [3.0, 2.0, 1.0]
    assert falling([1.0, 3.0, 2.0]) == [2.0, 2.0, 2.0]
    assert falling([]) == []


@pytest.mark.parametrize("statistic", ["q", "qtilde", "q0", "t"])
@pytest.mark.parametrize("tested", [True, False])
def test_asymptotic_densities_have_the_right_norm(statistic: str, tested: bool) -> None:
    """With its spike at zero each density integrates to 1."""
    import numpy as np

    from darkstats.gaussian import survival

    asimov = 4.0
    root = np.linspace(1e-6, 12.0, 200_001)
    density = asymptotic_density(statistic, root**2, asimov, tested=tested)
    assert density is not None
    integral = float(np.trapezoid(density * 2.0 * root, root))
    spike = 0.0 if statistic == "t" else 0.5 if tested else survival(asimov**0.5)
    assert integral + spike == pytest.approx(1.0, abs=2e-5)
