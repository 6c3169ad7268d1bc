"""Signal hypotheses between the simulated ones: a step that a card declares, validated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.errors import OptionError
from darkstats.searches.card_file import Entry
from darkstats.templates.morphing import (
    METHODS,
    REFERENCES,
    disagreement,
    interpolated_contents,
)

__all__ = ["interpolated_signals", "words_of"]

#: Yield and cumulative shape of a prediction agree with simulation to this, unless a card says it.
_TOLERANCE = 0.1
_MOST = 10_000  # hypotheses

Item = dict[str, Any]
Edges = Mapping[str, FloatArray | None]


@dataclass(frozen=True, slots=True)
class _Own:
    """A simulated hypothesis: its mass, and its samples by path in the patch."""

    name: str
    mass: float
    samples: Mapping[str, Item]


def interpolated_signals(
    entry: Entry, patches: Sequence[Item], labels: Sequence[str], order: Sequence[str], edges: Edges
) -> tuple[list[Item], Item]:
    """Patches of all hypotheses in the order of their mass, and what validates the new ones.

    Parameters
    ----------
    entry
        ``interpolate`` of the card.
    patches
        Of the simulated hypotheses.
    labels
        Names of the values of a hypothesis: one, which is what is interpolated in.
    order, edges
        Names of the channels, and their edges where they have some.

    Raises
    ------
    CardError
        There are fewer than three masses, a mass is outside them or simulated, neighbours have
        different channels or modifiers, or leave-one-out disagrees with simulation.
    """
    entry.keys(required=("method", "values"), optional=("tolerance",))
    method = entry["method"].text(choices=METHODS)
    own = _own_hypotheses(entry, patches, labels, order)
    tolerance = entry["tolerance"].number(above=0.0) if "tolerance" in entry else _TOLERANCE
    between = _Between(entry, method, own, edges)
    checks = between.leave_one_out()
    worst = max(checks, key=lambda one: float(one["size"]))
    if worst["size"] > tolerance:
        entry.fail(
            f"without its simulation, {worst['name']} in channel {worst['channel']} comes out with "
            f"{worst['yield_ratio']:.3g} of its yield, and a shape that is off by "
            f"{worst['distance']:.2g} in the cumulative distribution; {tolerance:g} is allowed",
            "simulate masses in between, try the other method, or say 'tolerance' with a reason",
        )
    masses = _new_masses(entry["values"], own)
    made = []
    for mass in masses:
        name = _name(labels[0], mass)
        if any(one["metadata"]["name"] == name for one in patches):
            entry.fail(f"the name {name!r} is that of a simulated hypothesis", "rename that one")
        samples = between.samples(mass)
        operations = [{"op": "add", "path": path, "value": one} for path, one in samples.items()]
        made.append({"metadata": {"name": name, "values": [mass]}, "patch": operations})
    merged = sorted([*patches, *made], key=lambda one: float(one["metadata"]["values"][0]))
    record = {
        "method": method,
        "reference": REFERENCES[method],
        "label": labels[0],
        "tolerance": tolerance,
        "simulated": [one.mass for one in own],
        "interpolated": [float(mass) for mass in masses],
        "leave_one_out": checks,
        "yields": [
            {
                "channel": order[int(operation["path"].split("/")[2])],
                "value": float(one["metadata"]["values"][0]),
                "simulated": one not in made,
                "yield": float(np.sum(operation["value"]["data"])),
            }
            for one in merged
            for operation in one["patch"]
        ],
    }
    return merged, record


def _name(label: str, mass: float) -> str:
    """A name of letters, digits and underscores: ``mass_gev_1p25``."""
    digits = f"{mass:.12g}".replace(".", "p").replace("-", "m").replace("+", "")
    return f"{label}_{digits}"


def _own_hypotheses(
    entry: Entry, patches: Sequence[Item], labels: Sequence[str], order: Sequence[str]
) -> list[_Own]:
    """Simulated hypotheses in the order of their mass."""
    if len(labels) != 1 or any(isinstance(one["metadata"]["values"][0], str) for one in patches):
        entry.fail(
            "needs hypotheses of one number each", "write labels: [mass_gev], and values: [1.5]"
        )
    found = [
        _Own(
            name=one["metadata"]["name"],
            mass=float(one["metadata"]["values"][0]),
            samples={operation["path"]: operation["value"] for operation in one["patch"]},
        )
        for one in patches
    ]
    found.sort(key=lambda one: one.mass)
    if len(found) < 3:
        entry.fail(
            f"there are {len(found)} simulated masses", "simulate three: leave-one-out needs them"
        )
    for one, following in pairwise(found):
        if one.mass == following.mass:
            entry.fail(f"{one.name} and {following.name} have the same {labels[0]}")
        if set(one.samples) != set(following.samples):
            apart = sorted(
                order[int(path.split("/")[2])] for path in set(one.samples) ^ set(following.samples)
            )
            entry.fail(
                f"{one.name} and {following.name} differ in whether they reach "
                f"{', '.join(apart)}", "give both the same channels",
            )  # fmt: skip
    return found


def _new_masses(entry: Entry, own: Sequence[_Own]) -> list[float]:
    """Masses that are asked for: a list, or from, to, step."""
    if isinstance(entry.value, dict):
        entry.keys(required=("from", "to", "step"))
        start, end = entry["from"].number(), entry["to"].number()
        step = entry["step"].number(above=0.0)
        if not start < end or (end - start) / step > _MOST:
            entry.fail(f"makes no list of at most {_MOST} masses")
        n = int(np.floor((end - start) / step * (1.0 + 1e-12)))
        simulated = [one.mass for one in own]
        found = [float(f"{start + k * step:.12g}") for k in range(n + 1)]
        found = [mass for mass in found if mass not in simulated]  # a grid may meet them
    else:
        found = [one.number() for one in entry.items()]
        for item in entry.items():
            if any(item.number() == one.mass for one in own):
                item.fail(f"{item.number():g} is simulated", "leave it out")
    if not found or len(set(found)) != len(found):
        entry.fail("names no mass, or one twice")
    low, high = own[0].mass, own[-1].mass
    for mass in found:
        if not low < mass < high:
            entry.fail(
                f"{mass:g} is outside the simulated masses, {low:g} to {high:g}",
                "nothing is extrapolated: simulate it",
            )
    return sorted(found)


class _Between:
    """Samples between simulated ones."""

    def __init__(self, entry: Entry, method: str, own: Sequence[_Own], edges: Edges) -> None:
        self.entry, self.method, self.own = entry, method, own
        self.edges = list(edges.values())
        self.names = list(edges)

    def leave_one_out(self) -> list[Item]:
        """Each mass with two neighbours, predicted from these, against its own simulation."""
        found = []
        for before, one, after in zip(self.own, self.own[1:], self.own[2:], strict=False):
            for path, simulated in one.samples.items():
                predicted = self.sample(path, before, after, one.mass)
                truth = np.array(simulated["data"], dtype=float)
                contents = np.array(predicted["data"], dtype=float)
                channel = self.names[self.channel(path)]
                try:
                    apart = disagreement(contents, truth)
                except OptionError as error:
                    self.entry.fail(f"{one.name}, channel {channel}: {error}")
                found.append(
                    {
                        "name": one.name,
                        "value": one.mass,
                        "channel": channel,
                        "yield_ratio": apart.yield_ratio,
                        "distance": apart.distance,
                        "size": apart.size,
                        "simulated": truth.tolist(),
                        "errors": _errors(simulated),
                        "predicted": contents.tolist(),
                    }
                )
        return found

    def samples(self, mass: float) -> dict[str, Item]:
        """Samples at a mass between two simulated ones, by path."""
        at = int(np.searchsorted([one.mass for one in self.own], mass))
        before, after = self.own[at - 1], self.own[at]
        return {path: self.sample(path, before, after, mass) for path in before.samples}

    @staticmethod
    def channel(path: str) -> int:
        return int(path.split("/")[2])

    def sample(self, path: str, before: _Own, after: _Own, mass: float) -> Item:
        fraction = (mass - before.mass) / (after.mass - before.mass)
        first, second = before.samples[path], after.samples[path]
        where = f"channel {self.names[self.channel(path)]}, between {before.name} and {after.name}"
        edges = self.edges[self.channel(path)]

        def between(one: Sequence[float], other: Sequence[float], what: str) -> FloatArray:
            try:
                return interpolated_contents(
                    self.method, edges, np.array(one, float), np.array(other, float), fraction
                )
            except OptionError as error:
                self.entry.fail(f"{where}, {what}: {error}")

        data = between(first["data"], second["data"], "nominal")
        modifiers = []
        kinds = [
            {(one["type"], one["name"]): one["data"] for one in sample["modifiers"]}
            for sample in (first, second)
        ]
        if set(kinds[0]) != set(kinds[1]):
            apart = ", ".join(sorted(name for _, name in set(kinds[0]) ^ set(kinds[1])))
            self.entry.fail(f"{where}: only one of them has {apart}", "give both the same errors")
        for (kind, name), one in kinds[0].items():
            other, made = kinds[1][kind, name], one
            if kind == "normsys":
                made = {side: (1.0 - fraction) * one[side] + fraction * other[side] for side in one}
            elif kind == "histosys":
                made = {side: between(one[side], other[side], name).tolist() for side in one}
            elif kind in {"staterror", "shapesys"}:
                weights = [_mean_weight(sample) for sample in (first, second)]
                weight = (1.0 - fraction) * weights[0] + fraction * weights[1]
                made = np.sqrt(weight * data).tolist()
            modifiers.append({"name": name, "type": kind, "data": made})
        return {"name": first["name"], "data": data.tolist(), "modifiers": modifiers}


def _errors(sample: Item) -> list[float] | None:
    """Statistical errors of a sample, where it has some."""
    for one in sample["modifiers"]:
        if one["type"] in {"staterror", "shapesys"}:
            return list(one["data"])
    return None


def _mean_weight(sample: Item) -> float:
    """Squared weights over weights: a bin of N equivalent events has N times its square."""
    errors = np.array(_errors(sample), dtype=float)
    return float(np.sum(errors**2) / np.sum(sample["data"]))


def words_of(found: Item) -> str:
    """What was interpolated, and how far leave-one-out is off, in a sentence."""
    worst = max(found["leave_one_out"], key=lambda one: float(one["size"]))
    return (
        f"interpolate: {len(found['interpolated'])} signals between {len(found['simulated'])} "
        f"simulated ones, {found['method']} ({found['reference']}); without its simulation "
        f"{worst['name']} in channel {worst['channel']}, the worst, has {worst['yield_ratio']:.3f} "
        f"of its yield, and a shape off by {worst['distance']:.3f} in the cumulative distribution"
    )
