"""What an HS3 document declares beside densities: parameters, constraints, and data of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import DocumentError
from darkstats.model.parameters import Parameter

if TYPE_CHECKING:
    from darkstats.model.histfactory import Observation
    from darkstats.model.unbinned.model import UnbinnedModel
    from darkstats.model.unbinned.names import Names
    from darkstats.workspace.hs3 import Hs3Analysis, Hs3Document, Hs3Parameter

__all__ = ["constraint_of", "own_data", "parameter_of"]


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
    sides = [names.formula(item[key]) for key in ("x", "mean")]
    widths = names.formula(item["sigma"])
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


def own_data(model: UnbinnedModel, analysis: Hs3Analysis, document: Hs3Document) -> Observation:
    """The data that the document itself holds; none is an empty data set."""
    events, weights = [], []
    for channel, given in zip(model.channels, analysis.channels, strict=True):
        if channel.bin_edges is not None:
            contents = np.array(given.data.get("contents") or [], dtype=float)
            if len(contents) != len(channel.bin_edges) - 1:
                raise DocumentError(
                    f"data {given.data['name']!r} have {len(contents)} contents for "
                    f"{len(channel.bin_edges) - 1} bins",
                    source=document.source,
                )
            events.append(contents)
            weights.append(contents)
            continue
        entries = np.array(given.data.get("entries") or [], dtype=float)
        entries = entries.reshape(-1, len(channel.observables)).T
        weight = np.array(given.data.get("weights") or np.ones(entries.shape[1]), dtype=float)
        for row, (low, high), name in zip(
            entries, channel.ranges, channel.observables, strict=True
        ):
            if ((row < low) | (row > high)).any():
                raise DocumentError(
                    f"data {given.data['name']!r} have entries outside the range of {name!r}",
                    source=document.source,
                )
        if len(weight) != entries.shape[1] or (weight < 0.0).any():
            raise DocumentError(
                f"data {given.data['name']!r} have weights that do not fit or are negative",
                source=document.source,
            )
        events.append(entries)
        weights.append(weight)
    return model.observe(events, weights)
