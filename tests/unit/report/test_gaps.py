"""No line of a figure crosses a range of mass without hypotheses."""

from __future__ import annotations

import numpy as np
import pytest

import scan_records
from darkstats.report.figures.coupling_limits import mass_limits_figure
from darkstats.report.figures.gaps import gaps_after, torn
from darkstats.report.figures.significances import local_p_figure
from darkstats.report.scan_reading import read_scan
from darkstats.report.scan_table import ScanTable


def searched(n: int, veto: tuple[float, float] | None = None) -> np.ndarray:
    """Masses in steps of the resolution, which grows with the mass, but for a vetoed range."""
    mass = np.geomspace(1.0, 5.0, n)
    return mass if veto is None else mass[(mass < veto[0]) | (mass > veto[1])]


def test_a_veto_of_several_steps_is_a_gap() -> None:
    mass = searched(200, (3.0, 3.2))
    (place,) = gaps_after(mass)
    assert mass[place] < 3.0
    assert mass[place + 1] > 3.2
    there, values, band = torn(mass, np.ones(len(mass)), np.ones((5, len(mass))))
    assert 3.0 < there[place + 1] < 3.2
    assert np.flatnonzero(np.isnan(values)).tolist() == [place + 1]
    assert np.isnan(band[:, place + 1]).all()
    assert np.isfinite(band).sum() == 5 * len(mass)


@pytest.mark.parametrize(
    "mass",
    [
        searched(200),
        searched(40, (3.0, 3.5)),  # few: each is marked
        np.concatenate([np.linspace(1, 2, 60), np.linspace(2.1, 6, 40)]),  # wider steps from 2 on
        np.repeat(searched(60), 2),  # two sets of windows
        np.linspace(5, 1, 99),  # falling: nobody knows the neighbours
    ],
)
def test_steps_that_grow_or_few_hypotheses_have_no_gap(mass: np.ndarray) -> None:
    assert len(gaps_after(mass)) == 0
    assert torn(mass, mass)[0] is mass


def table(mass: np.ndarray) -> ScanTable:
    record = scan_records.alp(len(mass))
    for point, value in zip(record["points"], mass.tolist(), strict=True):
        point["values"] = [value]
    return read_scan(record)


def test_lines_and_bands_of_a_scan_leave_the_gap() -> None:
    mass = searched(200, (3.0, 3.2))
    found = table(mass)
    for drawing in (mass_limits_figure(found, found.limits_on(None)), local_p_figure(found)):
        (axes,) = drawing.figure.axes
        curves = [line for line in axes.lines if len(line.get_xdata()) > len(mass)]
        assert curves
        for line in curves:
            x, y = np.array(line.get_xdata()), np.array(line.get_ydata())
            assert np.isnan(y[(x > 3.0) & (x < 3.2)]).all()
        for band in axes.collections:
            parts = [path.vertices[:, 0] for path in band.get_paths()]
            assert not any(part.min() < 3.0 and part.max() > 3.2 for part in parts if len(part) > 5)
    columns = mass_limits_figure(found, found.limits_on(None)).columns
    assert len(columns["observed"]) == len(mass)  # numbers are those of the hypotheses
