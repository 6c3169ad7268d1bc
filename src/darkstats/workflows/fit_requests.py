"""What a user asks of a fit: estimates, the ranking of nuisance parameters, profiles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from darkstats.errors import OptionError
from darkstats.options import check_choices, option
from darkstats.workflows.requests import OUTPUT, ModelRequest, Referee

__all__ = ["FitRequest", "RankRequest", "ScanRequest"]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _values(texts: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    """Read NAME=VALUE of each."""
    found = []
    for text in texts:
        name, _, written = text.rpartition("=")
        value = _number(written)
        if not name or value is None:
            raise OptionError(f"--fix {text!r}: write NAME=VALUE")
        found.append((name, value))
    return tuple(found)


def _ranges(texts: tuple[str, ...]) -> tuple[tuple[float, float], ...]:
    """Read LOW:HIGH of each."""
    found = []
    for text in texts:
        low, high = (_number(end) for end in (text.partition(":")[0], text.partition(":")[2]))
        if low is None or high is None:
            raise OptionError(f"--range {text!r}: write LOW:HIGH, for example 0:5")
        found.append((low, high))
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class FitRequest:
    """A maximum-likelihood fit with uncertainties."""

    model: ModelRequest
    mu: Annotated[
        float | None, option("--mu", metavar="VALUE", help="Fix the parameter of interest.")
    ] = None
    fixed: Annotated[
        tuple[tuple[str, float], ...],
        option(
            "--fix", metavar="NAME=VALUE", help="Fix a parameter; repeatable.", read=_values,
            repeated=True,
        ),
    ] = ()  # fmt: skip
    minos: Annotated[
        tuple[str, ...],
        option(
            "--minos", metavar="NAME", help="Profile-likelihood interval of this one; repeatable."
        ),
    ] = ()
    referee: Referee = None
    bin_gammas: Annotated[
        bool,
        option(
            "--bin-gammas", panel=OUTPUT,
            help="Show statistical errors of single bins in pulls and correlation.",
        ),
    ] = False  # fmt: skip
    covariance: Annotated[
        str | None,
        option(
            "--covariance", metavar="FILE.npz", panel=OUTPUT, writes=True,
            help="Write the covariance matrix to this file of NumPy arrays.",
        ),
    ] = None  # fmt: skip

    def __post_init__(self) -> None:
        check_choices(self)
        if self.mu is not None and not math.isfinite(self.mu):
            raise OptionError(f"--mu must be finite, got {self.mu}")
        if self.covariance is not None and not self.covariance.lower().endswith(".npz"):
            raise OptionError(
                f"--covariance {self.covariance!r}: the matrix is written as NumPy arrays; let the "
                "name end with .npz"
            )


def _groups(texts: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Read NAME=PATTERN of each."""
    found = []
    for text in texts:
        name, sign, pattern = text.partition("=")
        if not (sign and name and pattern):
            raise OptionError(f"--group {text!r}: write NAME=PATTERN, for example jets='JES_*'")
        found.append((name, pattern))
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class RankRequest:
    """Impacts of nuisance parameters, and of groups of them, on the parameter of interest.

    ``groups`` are pairs of a name and a pattern; those of the sidecar where there are none.
    """

    model: ModelRequest
    top: Annotated[
        int, option("--top", metavar="N", help="Show this many parameters.", least=1)
    ] = 20
    groups: Annotated[
        tuple[tuple[str, str], ...],
        option(
            "--group", metavar="NAME=PATTERN", read=_groups, repeated=True,
            usual="groups of the sidecar",
            help="Impact of all parameters whose name, or whose modifier's, has this pattern: "
            "jets='JES_*'. Repeatable; patterns of one name are one group.",
        ),
    ] = ()  # fmt: skip

    def __post_init__(self) -> None:
        check_choices(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRequest:
    """Profile-likelihood scan in one or two parameters.

    ``parameters`` names them (empty: the parameter of interest), ``ranges`` gives (lower, upper) of
    each (empty: three standard deviations around the best fit), ``points`` the size of the grid.
    """

    model: ModelRequest
    parameters: Annotated[
        tuple[str, ...],
        option(
            "--parameter", metavar="NAME",
            help="Scan this one instead of the parameter of interest; twice for two dimensions.",
        ),
    ] = ()  # fmt: skip
    ranges: Annotated[
        tuple[tuple[float, float], ...],
        option(
            "--range", metavar="LOW:HIGH", help="Range of the scan, once for each parameter.",
            usual="best fit ± 3 σ", read=_ranges, repeated=True,
        ),
    ] = ()  # fmt: skip
    points: Annotated[
        int | None,
        option(
            "--points", metavar="N", help="Points on each axis.", usual="41; 31 in 2D", least=2,
            most=10_001,
        ),
    ] = None  # fmt: skip

    def __post_init__(self) -> None:
        check_choices(self)
        if len(self.parameters) > 2:
            raise OptionError(f"scan one or two parameters, not {len(self.parameters)}")
        if len(set(self.parameters)) != len(self.parameters):
            raise OptionError("the two parameters of a scan must differ")
        if len(self.ranges) > max(len(self.parameters), 1):
            raise OptionError("more ranges than parameters: give --range once for each --parameter")
        for low, high in self.ranges:
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise OptionError(f"a range needs two finite rising numbers, got {low:g}, {high:g}")
