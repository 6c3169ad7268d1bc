"""At which level, and by which method, a search quotes its limits; and whether this one differs.

A scan asks its search. A single limit keeps the default of its command, so that the same command
means the same for every workspace, and says where the search quotes another one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darkstats.errors import InputError
from darkstats.report.methods import METHODS, method_name
from darkstats.report.numbers import level_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from darkstats.workflows.likelihoods import Likelihood
    from darkstats.workflows.requests import LimitRequest

__all__ = ["StatedLimit", "other_limit_note", "stated_limit"]

_SCHEMA = "darkstats.build/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedLimit:
    """What the card of a search says of its limits.

    Parameters
    ----------
    method
        A key of :data:`darkstats.report.methods.METHODS`.
    cl
        Confidence level, or posterior probability below the limit.
    benchmarks
        Names of what it limits.
    """

    method: str
    cl: float
    benchmarks: tuple[str, ...] = ()


def stated_limit(file: str, likelihood: Likelihood) -> StatedLimit | None:
    """Return what the search of a likelihood says of limits; None where it says nothing.

    Parameters
    ----------
    file
        Where the likelihood was read from: the record of its build lies beside it.
    likelihood
        An HS3 document says it itself.

    Raises
    ------
    InputError
        The record of the build cannot be read.
    """
    if likelihood.events is not None:
        return _of(likelihood.events[0].search, file)
    from darkstats.searches.output import RECORD_NAME

    path = Path(file).parent / RECORD_NAME
    if file == "-" or not path.is_file():
        return None
    try:
        record = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: not the record of a build: {error}; build the search again, or move the "
            "workspace to a folder of its own"
        ) from None
    if not isinstance(record, dict) or record.get("schema") != _SCHEMA:
        return None  # of another program
    if Path(file).name not in record.get("files", ()):
        return None  # of another workspace
    return _of(record, str(path))


def _of(said: Mapping[str, Any], where: str) -> StatedLimit | None:
    statistics = said.get("statistics")
    if not statistics:
        return None
    try:
        found = StatedLimit(
            method=str(statistics["method"]),
            cl=float(statistics["cl"]),
            benchmarks=tuple(map(str, said.get("benchmarks") or ())),
        )
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{where}: statistics: needs a method and a cl") from None
    if found.method not in METHODS or not 0.0 < found.cl < 1.0:
        raise InputError(
            f"{where}: statistics: no limit is made by method {found.method!r} at cl {found.cl:g}"
        )
    return found


def other_limit_note(request: LimitRequest, stated: StatedLimit | None) -> str | None:
    """What a reader has to know where the search quotes limits of another level or method.

    Only what was left to its default is told: who gave ``--cl`` or ``--method`` has chosen it.

    Parameters
    ----------
    request
        Of the limit.
    stated
        What the search says.
    """
    if stated is None:
        return None
    other_method = request.method is None and request.by != stated.method
    other_level = request.cl is None and request.level != stated.cl
    if not (other_method or other_level):
        return None
    options = [f"--method {stated.method}"] if other_method else []
    if request.cl is None:
        options.append(f"--cl {stated.cl:g}")
    theirs, ours = (
        f"{level_words(one.method, one.cl)} ({method_name(one.method).text})"
        for one in (stated, StatedLimit(method=request.by, cl=request.level))
    )
    return f"the search quotes limits at {theirs}; this one is at {ours}: give {' '.join(options)}"
