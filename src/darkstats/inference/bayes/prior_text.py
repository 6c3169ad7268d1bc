"""Priors as one writes them on a command line."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from darkstats.arguments import checked
from darkstats.errors import PriorError
from darkstats.inference.bayes.jeffreys import Jeffreys
from darkstats.inference.bayes.priors import Flat, FlatInCoupling, LogFlat

if TYPE_CHECKING:
    from darkstats.inference.bayes.priors import PoiPrior

__all__ = ["FORMS", "parse_prior"]

#: What can be written.
FORMS = (
    "flat",
    "flat:LOW,HIGH",
    "coupling:POWER",
    "coupling:POWER,REFERENCE",
    "coupling:POWER,REFERENCE,HIGHEST",
    "log-flat:LOW,HIGH",
    "jeffreys",
    "table:FILE",
)


def _numbers(text: str, whole: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")] if text else []
    except ValueError as error:
        raise PriorError(f"cannot read the prior {whole!r}: {error}") from error
    if any(math.isnan(number) for number in numbers):
        raise PriorError(f"cannot read the prior {whole!r}: a number is none")
    return numbers


@checked
def parse_prior(text: str) -> PoiPrior:
    """Read a prior of the signal strength: one of :data:`FORMS`, tables apart.

    Raises
    ------
    PriorError
        The text has another form, or names a prior that does not exist.

    Examples
    --------
    >>> parse_prior("coupling:2").describe().split(",")[0]
    'flat in the coupling g'

    >>> import darkstats
    >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
    >>> model = darkstats.compile_workspace(workspace)
    >>> prior = darkstats.parse_prior("flat:0,10")
    >>> limit = darkstats.credible_limit(model, model.observation, prior=prior)
    >>> round(limit.observed, 3)
    1.755
    """
    name, _, rest = text.strip().partition(":")
    numbers = _numbers(rest, text)
    if name == "flat" and len(numbers) in {0, 2}:
        return Flat(lower=numbers[0], upper=numbers[1]) if numbers else Flat()
    if name == "coupling" and 1 <= len(numbers) <= 3:
        return FlatInCoupling(
            power=numbers[0],
            reference=numbers[1] if len(numbers) > 1 else 1.0,
            upper_coupling=numbers[2] if len(numbers) > 2 else math.inf,
        )
    if name == "log-flat" and len(numbers) == 2:
        return LogFlat(lower=numbers[0], upper=numbers[1])
    if name == "jeffreys" and not numbers:
        return Jeffreys()
    raise PriorError(f"unknown prior {text!r}; write one of: {' | '.join(FORMS)}")
