"""Which background a window is fitted with: orders and ranges, tried on the expected spectrum.

The choice is made before there are data: it sees the expected spectrum and the signal alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from darkstats.errors import OptionError
from darkstats.templates.positive_fit import expected_limit, spurious_signal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from darkstats.arrays import FloatArray
    from darkstats.searches.windows import Window

__all__ = ["QUOTES", "BackgroundChoice", "ChosenBackground", "TriedBackground"]

#: Which of the backgrounds that describe the spectrum is taken.
QUOTES = ("first", "least_favourable")

Quote = Literal["first", "least_favourable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackgroundChoice:
    """How orders and ranges of the background are tried.

    Parameters
    ----------
    n_orders
        Orders to accept in each range: the lowest ones that describe the expected spectrum.
    largest_order
        None above this one is tried.
    extents
        Ranges, as factors on those of the card, the first one first.
    largest_spurious_sigma
        A background describes the spectrum if it finds no signal in it beyond this many standard
        deviations.
    quote
        ``"first"``: the first that describes it. ``"least_favourable"``: of those that do, the one
        with the weakest expected limit.
    """

    n_orders: int = 1
    largest_order: int = 8
    extents: tuple[float, ...] = (1.0,)
    largest_spurious_sigma: float = 0.25
    quote: Quote = "first"

    def __post_init__(self) -> None:
        """Check ranges.

        Raises
        ------
        OptionError
            Nothing would be tried.
        """
        if self.n_orders < 1 or not self.extents or min(self.extents) <= 0.0:
            raise OptionError("background_choice: give n_orders of at least 1 and extents above 0")

    def choose(
        self,
        lowest_order: int,
        windows: Iterable[tuple[float, Window, FloatArray, FloatArray]],
        *,
        rows: Callable[[Window, int], FloatArray],
    ) -> ChosenBackground:
        """Return the background of one hypothesis.

        Parameters
        ----------
        lowest_order
            First order to try.
        windows
            Extent, window, expected contents and signal of one unit, for each range.
        rows
            Templates of the background of a window at an order. Shape [template, bin].
        """
        tried = tuple(
            one
            for window in windows
            for one in self._in_one_range(lowest_order, *window, rows=rows)
        )
        good = [one for one in tried if abs(one.spurious_sigma) <= self.largest_spurious_sigma]
        if not good:
            best = min(tried, key=lambda one: abs(one.spurious_sigma))
        elif self.quote == "first":
            best = good[0]
        else:
            best = max(good, key=lambda one: one.expected_limit or 0.0)
        return ChosenBackground(chosen=best, tried=tried, n_good=len(good))

    def _in_one_range(
        self,
        lowest_order: int,
        extent: float,
        window: Window,
        contents: FloatArray,
        signal: FloatArray,
        *,
        rows: Callable[[Window, int], FloatArray],
    ) -> Iterator[TriedBackground]:
        """All orders up to the last one that is accepted."""
        accepted = 0
        for order in range(lowest_order, self.largest_order + 1):
            templates = rows(window, order)
            estimate, sigma = spurious_signal(templates, signal, contents)
            good = abs(sigma) <= self.largest_spurious_sigma
            accepted += good
            ranked = good and self.quote == "least_favourable"
            yield TriedBackground(
                extent=extent,
                order=order,
                window=window,
                spurious=estimate,
                spurious_sigma=sigma,
                expected_limit=expected_limit(templates, signal, contents) if ranked else None,
            )
            if accepted == self.n_orders:
                return


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedBackground:
    """One order in one range.

    Parameters
    ----------
    extent, order, window
        Factor on the range, order, and the window.
    spurious, spurious_sigma
        Signal found in the expected spectrum: in units of the signal, and in standard deviations.
    expected_limit
        Median limit without systematic errors, in units of the signal; None where the choice does
        not ask for it.
    """

    extent: float
    order: int
    window: Window = field(repr=False)
    spurious: float
    spurious_sigma: float
    expected_limit: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenBackground:
    """The background of one hypothesis, all that were tried, and how many describe the spectrum."""

    chosen: TriedBackground
    tried: tuple[TriedBackground, ...] = field(repr=False)
    n_good: int
