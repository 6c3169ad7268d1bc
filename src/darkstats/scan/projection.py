"""A workspace at another luminosity, with a statement of what becomes of the systematic errors."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from darkstats.errors import UnknownNameError

__all__ = ["SYSTEMATICS", "projected"]

#: What becomes of relative errors at a luminosity that is larger by a factor f.
SYSTEMATICS: Mapping[str, str] = MappingProxyType(
    {
        "same": "relative systematic errors stay as they are",
        "statistical": "relative systematic errors fall with the square root of the luminosity, "
        "those of simulation included",
        "none": "no systematic errors",
    }
)
_CONSTRAINED = frozenset({"normsys", "histosys", "shapesys", "staterror", "lumi"})


def projected(document: Mapping[str, Any], factor: float, *, systematics: str) -> dict[str, Any]:
    """Return a workspace with all expected and observed events multiplied by ``factor``.

    Parameters
    ----------
    document
        A workspace; it is not changed. Observed counts are scaled, too: they are good for nothing
        but Asimov data.
    factor
        Luminosity over that of the document, positive.
    systematics
        A key of :data:`SYSTEMATICS`.

    Raises
    ------
    UnknownNameError
        There is no such statement on systematic errors.
    """
    if systematics not in SYSTEMATICS:
        raise UnknownNameError("statement on systematics", systematics, tuple(SYSTEMATICS))
    result = copy.deepcopy(dict(document))
    shrink = 1.0 / math.sqrt(factor) if systematics == "statistical" else 1.0
    for channel in result["channels"]:
        for sample in channel["samples"]:
            nominal = [factor * value for value in sample["data"]]
            sample["data"] = nominal
            kept = []
            for modifier in sample["modifiers"]:
                if systematics == "none" and modifier["type"] in _CONSTRAINED:
                    continue
                kept.append(_scaled(modifier, nominal, factor, shrink))
            sample["modifiers"] = kept
    for observation in result["observations"]:
        observation["data"] = [factor * value for value in observation["data"]]
    return result


def _scaled(
    modifier: dict[str, Any], nominal: list[float], factor: float, shrink: float
) -> dict[str, Any]:
    """A modifier at the new luminosity, its relative error multiplied by ``shrink``."""
    kind, data = modifier["type"], modifier["data"]
    if kind == "normsys":
        data = {side: 1.0 + shrink * (data[side] - 1.0) for side in ("lo", "hi")}
    elif kind == "histosys":
        data = {
            side: [n + shrink * (factor * v - n) for n, v in zip(nominal, data[side], strict=True)]
            for side in ("lo_data", "hi_data")
        }
    elif kind in {"shapesys", "staterror"}:
        data = [shrink * factor * value for value in data]
    return {**modifier, "data": data}
