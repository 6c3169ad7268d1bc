"""What an HS3 document declares beside densities: parameters, constraints, and data of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.errors import DocumentError
from darkstats.model.parameters import Parameter
from darkstats.workspace.expectation_checks import LARGEST_COUNT
from darkstats.workspace.hs3.checks import is_number

if TYPE_CHECKING:
    from darkstats.model.unbinned.channels import Channel
    from darkstats.model.unbinned.names import Names
    from darkstats.workspace.hs3 import Hs3Analysis, Hs3Document, Hs3Parameter

__all__ = ["constraint_of", "own_data", "parameter_of", "require_countable"]


def constraint_of(
    item: Mapping[str, object], names: Names, known: Mapping[str, Hs3Parameter]
) -> tuple[str, float, float]:
    """Parameter, width and auxiliary datum of a constraint."""
    name = item["name"]
    if item["type"] != "gaussian_dist":
        raise names.error(
            f"constraint {name!r} is a {item['type']}",
            "constraints are Gaussian here; a log-normal one is a Gaussian of its logarithm",
        )
    for key in ("x", "mean", "sigma"):
        if key not in item:
            raise names.error(
                f"constraint {name!r} has no {key!r}", "a constraint has x, mean and sigma"
            )
    sides = [names.formula(item[key], f"{key} of {name!r}") for key in ("x", "mean")]
    widths = names.formula(item["sigma"], f"sigma of {name!r}")
    floating = [side for side in sides if not side.is_constant]
    fixed = [side for side in sides if side.is_constant]
    if len(floating) != 1 or len(floating[0].variables) != 1 or not widths.is_constant:
        raise names.error(
            f"constraint {name!r} does not compare one floating parameter with a number",
            "make the global observable and the width constant",
        )
    parameter = names.floating[floating[0].variables[0]].name
    if names.tree(parameter) != floating[0].node:
        raise names.error(
            f"constraint {name!r} is one of a function of {parameter!r}",
            "constrain the parameter itself, and make the function part of the yield",
        )
    nothing = np.empty(0)
    width, datum = float(widths.at(nothing)), float(fixed[0].at(nothing))
    if not width > 0.0:
        raise names.error(f"constraint {name!r} has the width {width:g}")
    return parameter, width, datum


def parameter_of(
    item: Hs3Parameter, constraint: tuple[float, float] | None, acting: Mapping[str, list[str]]
) -> Parameter:
    """A floating parameter, with the width and the auxiliary datum of its constraint."""
    return Parameter(
        name=item.name,
        set_name=item.name,
        modifier_types=(),
        init=item.value,
        lower=item.lower,
        upper=item.upper,
        fixed=False,
        constraint="none" if constraint is None else "gaussian",
        auxdata=0.0 if constraint is None else constraint[1],
        width=1.0 if constraint is None else constraint[0],
        channels=tuple(dict.fromkeys(acting.get(item.name, ()))),
    )


def own_data(
    channels: Sequence[Channel], analysis: Hs3Analysis, document: Hs3Document
) -> tuple[list[FloatArray], list[FloatArray]]:
    """Events, or contents of bins, and weights of each channel that the document itself holds."""
    events, weights = [], []
    for channel, given in zip(channels, analysis.channels, strict=True):
        data = _Data(document, given.data)
        if channel.bin_edges is not None:
            contents = data.contents(len(channel.bin_edges) - 1)
            events.append(contents)
            weights.append(contents)
            continue
        entries = data.entries(len(channel.observables))
        for row, (low, high), name in zip(
            entries, channel.ranges, channel.observables, strict=True
        ):
            outside = (row < low) | (row > high)
            if outside.any():
                first = int(np.argmax(outside))
                raise data.error(
                    f"lies outside the range [{low:g}, {high:g}] of {name!r}, as "
                    f"{int(outside.sum())} entries of data {given.data['name']!r} do",
                    f"/entries/{first}",
                    "leave them out, or widen the axis",
                )
        data.refuse_weights(entries.shape[1])
        events.append(entries)
        weights.append(np.ones(entries.shape[1]))
    return events, weights


class _Data:
    """Reads one item of the section ``data``."""

    def __init__(self, document: Hs3Document, item: Mapping[str, Any]) -> None:
        self.source, self.item = document.source, item
        names = [one["name"] for one in document.document["data"]]
        self.pointer = f"/data/{names.index(item['name'])}"

    def error(self, problem: str, place: str, remedy: str = "") -> DocumentError:
        return DocumentError(
            problem, source=self.source, pointer=self.pointer + place, remedy=remedy
        )

    def listed(self, key: str) -> Sequence[Any]:
        found = self.item.get(key)
        if found is None:
            return []
        if not isinstance(found, (list, tuple)):
            raise self.error("is no list", f"/{key}", "write a list in square brackets")
        return found

    def contents(self, n_bins: int) -> FloatArray:
        """Contents of the bins."""
        found = self.listed("contents")
        if len(found) != n_bins:
            raise self.error(
                f"data {self.item['name']!r} have {len(found)} contents for {n_bins} bins",
                "/contents",
                "write one number a bin",
            )
        for k, value in enumerate(found):
            if not is_number(value) or value < 0.0:
                raise self.error(
                    f"has {value!r:.60}, no number of events", f"/contents/{k}", "correct it"
                )
        return np.array(found, dtype=float)

    def entries(self, n: int) -> FloatArray:
        """Events. Shape [dim, event]. Nothing is cut to fit: an entry has one value an axis."""
        found = self.listed("entries")
        rows: list[Sequence[Any]] = []
        for k, entry in enumerate(found):
            row = entry if isinstance(entry, (list, tuple)) else [entry]
            for value in row:
                if not is_number(value):
                    raise self.error(
                        f"has {value!r:.60}, which is no number",
                        f"/entries/{k}",
                        "write numbers, or leave the event out and say why",
                    )
            if len(row) != n:
                raise self.error(
                    f"has {len(row)} value{'s' if len(row) > 1 else ''} for {n} "
                    f"ax{'es' if n > 1 else 'is'}",
                    f"/entries/{k}",
                    "write one list an event, with one value for each axis",
                )
            rows.append(row)
        return np.array(rows, dtype=float).reshape(-1, n).T

    def refuse_weights(self, n: int) -> None:
        """Weighted events make no likelihood with the distributions that limits rest on."""
        found = self.listed("weights")
        if found and len(found) != n:
            raise self.error(
                f"data {self.item['name']!r} have {len(found)} weights for {n} entries",
                "/weights",
                "leave the weights out: events have weight 1",
            )
        for k, weight in enumerate(found):
            if not is_number(weight) or weight != 1:
                raise self.error(
                    f"is the weight {weight!r:.60}, not 1: likelihood ratios of weighted events "
                    "do not follow the distributions that a limit rests on",
                    f"/weights/{k}",
                    "draw unweighted events from them, and leave the weights out",
                )


def require_countable(
    channels: Sequence[Channel], parameters: Sequence[Parameter], names: Names
) -> None:
    """Raise if yields are more than any file of events holds, at the start or a unit beside it."""
    start = np.array([p.init for p in parameters])
    points = np.vstack([start, start + np.eye(len(start))])  # a strength may start at zero
    points = np.minimum(points, np.maximum(start, [p.upper for p in parameters]))
    for channel in channels:
        for component in channel.components:
            expected = np.asarray(component.expected.at(points))
            if (expected > LARGEST_COUNT).any():
                where = int(np.argmax(expected > LARGEST_COUNT))
                place = "the start" if where == 0 else f"{parameters[where - 1].name} one higher"
                raise names.error(
                    f"{component.name!r} of {channel.name!r} expects {expected[where]:g} events at "
                    f"{place}, more than {LARGEST_COUNT:g}",
                    "check the expression of its yield and the parameter points",
                )
