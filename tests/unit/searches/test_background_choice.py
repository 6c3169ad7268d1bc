"""Orders and ranges of a background: what is tried, what is accepted, what is taken."""

import numpy as np
import pytest

from darkstats.errors import OptionError
from darkstats.searches.background_choice import BackgroundChoice
from darkstats.searches.windows import Window
from darkstats.templates.bernstein import bernstein_averages


def in_window(extent=1.0, events=4000.0, kink=0.0):
    """A falling spectrum between 1 - extent and 1 + extent, with a kink, and a peak in it."""
    edges = np.linspace(1.0 - 0.5 * extent, 1.0 + 0.5 * extent, round(60 * extent) + 1)
    centre = 0.5 * (edges[1:] + edges[:-1])
    contents = events / 60.0 * (1.0 - 0.3 * centre - kink * np.abs(centre - 0.98))
    signal = np.exp(-0.5 * ((centre - 1.0) / 0.03) ** 2)
    window = Window(mass_gev=1.0, first=np.arange(len(edges)), edges=edges)
    return extent, window, contents, signal / signal.sum()


def choose(tries, lowest_order, windows):
    """With polynomials alone."""
    return tries.choose(lowest_order, windows, rows=lambda w, n: bernstein_averages(w.edges, n))


def test_the_lowest_orders_that_describe_the_spectrum_are_accepted():
    """A straight line is one of order 1; three orders are tried, and the first is quoted."""
    found = choose(BackgroundChoice(n_orders=3), 1, [in_window()])
    assert [one.order for one in found.tried] == [1, 2, 3]
    assert found.n_good == 3
    assert found.chosen.order == 1


def test_a_bent_spectrum_needs_higher_orders():
    """A kink leaves a spurious signal at order 2; the order that is taken leaves none."""
    bent = in_window(kink=0.3)
    found = choose(BackgroundChoice(), 2, [bent])
    orders = [one.order for one in found.tried]
    assert orders == list(range(2, found.chosen.order + 1))
    assert len(orders) > 1
    sigmas = [abs(one.spurious_sigma) for one in found.tried]
    assert sigmas[-1] <= 0.25 < min(sigmas[:-1])


def test_the_least_favourable_is_the_weakest_of_those_accepted():
    windows = [in_window(extent, kink=0.1) for extent in (1.0, 0.7, 1.3)]
    tries = BackgroundChoice(n_orders=3, extents=(1.0, 0.7, 1.3), quote="least_favourable")
    found = choose(tries, 2, windows)
    good = [one for one in found.tried if abs(one.spurious_sigma) <= 0.25]
    assert found.n_good == len(good) == 9
    assert found.chosen.expected_limit == max(one.expected_limit for one in good)
    assert found.chosen.extent == 0.7  # less spectrum beside the peak
    assert found.chosen.expected_limit > 1.02 * min(one.expected_limit for one in good)
    first = choose(BackgroundChoice(n_orders=3, extents=(1.0, 0.7, 1.3)), 2, windows).chosen
    assert (first.extent, first.order) == (1.0, good[0].order)


def test_where_none_describes_the_spectrum_the_best_is_taken_and_counted():
    tries = BackgroundChoice(largest_order=3, quote="least_favourable")
    found = choose(tries, 2, [in_window(kink=0.7, events=1e5)])
    assert found.n_good == 0
    best = min(found.tried, key=lambda one: abs(one.spurious_sigma))
    assert found.chosen is best
    assert abs(best.spurious_sigma) > 0.25


def test_orders_are_judged_by_the_signal_that_they_invent():
    """The estimate is the one of a fit with the templates of that order."""
    extent, window, contents, signal = in_window(kink=0.5)
    found = choose(BackgroundChoice(), 2, [(extent, window, contents, signal)]).tried[0]
    rows = bernstein_averages(window.edges, 2)
    # Weighted least squares with a signal of either sign: exact for large contents.
    design = np.vstack([rows, signal]) / np.sqrt(contents)
    factors, *_ = np.linalg.lstsq(design.T, np.sqrt(contents), rcond=None)
    assert np.all(factors[:-1] > 0.0)
    error = np.sqrt(np.linalg.inv(design @ design.T)[-1, -1])
    assert found.spurious_sigma == pytest.approx(factors[-1] / error, rel=0.05)


@pytest.mark.parametrize("change", [{"n_orders": 0}, {"extents": ()}, {"extents": (1.0, -1.0)}])
def test_choices_that_try_nothing_are_refused(change):
    with pytest.raises(OptionError, match="background_choice"):
        BackgroundChoice(**change)
