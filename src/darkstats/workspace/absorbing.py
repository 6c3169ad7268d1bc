"""Modifiers taken out of a channel, their values multiplied into its yields.

All that is in events follows the yields of its sample. What is relative to yields stays so: the
width of a ``shapesys`` to those of its sample, that of a ``staterror`` to the sum of its samples,
which need not all have the factor.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from darkstats.errors import OptionError
from darkstats.workspace.findings import shown

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from darkstats.workspace.json_values import JsonValue

__all__ = ["with_factors", "without_modifiers"]

Item = dict[str, "JsonValue"]


def without_modifiers(
    channel: Item, gone: Collection[tuple[str, str]], values: Mapping[str, tuple[float, ...]]
) -> Item:
    """Return a channel without some modifiers, at the values where they stood.

    Parameters
    ----------
    channel
        Of a workspace document without lint errors; it is not changed.
    gone
        Name and type of the modifiers.
    values
        Values of those that are factors at another one than 1, by name: one, or one per bin.

    Raises
    ------
    OptionError
        A width that is relative to the yields cannot be written for the new ones.
    """
    taken = _Taken(channel=channel["name"], gone=gone, values=values)
    return _multiplied(channel, taken, [taken.factor(sample) for sample in channel["samples"]])


def with_factors(channel: Item, factors: Sequence[float]) -> Item:
    """Return a channel with the yields of each sample multiplied by a factor.

    What is in events follows the yields, and all relative widths stay, those of a ``staterror``
    that samples with other factors share among them: the signal strength alone has another unit
    where the factor is that of the signal.

    Parameters
    ----------
    channel
        Of a workspace document without lint errors; it is not changed.
    factors
        One positive factor per sample.

    Raises
    ------
    OptionError
        The sum of the yields that share a ``staterror`` is not positive any more.
    """
    each = [[f] * len(s["data"]) for f, s in zip(factors, channel["samples"], strict=True)]
    return _multiplied(channel, _Taken(channel=channel["name"], gone=(), values={}), each)


def _multiplied(channel: Item, taken: _Taken, factors: list[list[float]]) -> Item:
    samples = channel["samples"]
    widths = {
        name: taken.staterror_factors(name, samples, factors)
        for name in sorted(
            {
                modifier["name"]
                for sample in samples
                for modifier in taken.kept(sample)
                if modifier["type"] == "staterror"
            }
        )
    }
    return {
        **channel,
        "samples": [
            taken.absorbed(sample, factor, widths)
            for sample, factor in zip(samples, factors, strict=True)
        ],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taken:
    """What is taken out of a channel."""

    channel: str
    gone: Collection[tuple[str, str]]
    values: Mapping[str, tuple[float, ...]]

    def kept(self, sample: Item) -> list[Item]:
        return [m for m in sample["modifiers"] if (m["name"], m["type"]) not in self.gone]

    def staying(self, sample: Item) -> dict[str, tuple[float, ...]]:
        """Values that stay in the yields of a sample, by the name of what is taken away."""
        return {
            m["name"]: self.values[m["name"]]
            for m in sample["modifiers"]
            if (m["name"], m["type"]) in self.gone and m["name"] in self.values
        }

    def factor(self, sample: Item) -> list[float]:
        """Product of these values, by bin."""
        factor = [1.0] * len(sample["data"])
        for found in self.staying(sample).values():
            factor = _times(found if len(found) > 1 else found * len(factor), factor)
        return factor

    def staterror_factors(
        self, name: str, samples: list[Item], factors: list[list[float]]
    ) -> list[float]:
        """Factors of the data of a staterror, by bin, at which it keeps its width.

        That is the root of the sum of their squares over the sum of the yields of its samples. With
        one factor for all data, it follows the sum of the yields.
        """
        used = [
            (sample, modifier["data"], factor)
            for sample, factor in zip(samples, factors, strict=True)
            for modifier in sample["modifiers"]
            if (modifier["name"], modifier["type"]) == (name, "staterror")
        ]
        found = []
        for i in range(len(used[0][1])):
            by_sample = [factor[i] for _, _, factor in used]
            old = sum(sample["data"][i] for sample, _, _ in used)
            new = sum(factor[i] * sample["data"][i] for sample, _, factor in used)
            if by_sample[0] >= 0.0 and len(set(by_sample)) == 1:
                found.append(by_sample[0])
            elif old <= 0.0 or not any(errors[i] for _, errors, _ in used):
                found.append(0.0)  # was held at 1, as where there is no error
            elif new > 0.0:
                found.append(new / old)
            else:
                raise self.unsaid(i, f"staterror {shown(name)}", [sample for sample, _, _ in used])
        return found

    def absorbed(
        self, sample: Item, factor: list[float], widths: Mapping[str, list[float]]
    ) -> Item:
        """A sample whose yields are multiplied by ``factor``, without what is taken away."""
        moved = any(f != 1.0 for f in factor)
        modifiers = []
        for modifier in self.kept(sample):
            kind, data = modifier["type"], modifier["data"]
            if kind == "staterror" and any(f != 1.0 for f in widths[modifier["name"]]):
                data = _times(widths[modifier["name"]], data)
            elif kind == "histosys" and moved:
                data = {side: _times(factor, data[side]) for side in data}
            elif kind == "shapesys" and moved:
                data = self.shapesys_data(sample, modifier, factor)
            modifiers.append({**modifier, "data": data})
        events = _times(factor, sample["data"]) if moved else sample["data"]
        return {**sample, "data": events, "modifiers": modifiers}

    def shapesys_data(self, sample: Item, modifier: Item, factor: list[float]) -> list[float]:
        data = modifier["data"]
        for i, (f, events, error) in enumerate(zip(factor, sample["data"], data, strict=True)):
            if f < 0.0 < events and error > 0.0:
                raise self.unsaid(i, f"shapesys {shown(modifier['name'])}", [sample])
        # Below 0 only bins are left that were held at 1, as those without an error are.
        return _times([max(f, 0.0) for f in factor], data)

    def unsaid(self, index: int, width: str, samples: list[Item]) -> OptionError:
        """Error for a width that needs positive yields and does not get them."""
        staying = {name: found for one in samples for name, found in self.staying(one).items()}
        held = ", ".join(
            json.dumps({"name": name, "inits": list(found), "fixed": True})
            for name, found in staying.items()
        )
        when = f"without {', '.join(map(shown, staying))}" if staying else "once scaled,"
        remedy = f"hold what is taken away instead: {held}" if staying else "choose another scale"
        return OptionError(
            f"{when} the yields in bin {index} of channel {shown(self.channel)} are not positive, "
            f"and the {width} has its width relative to them; {remedy}"
        )


def _times(factors: Sequence[float], numbers: Sequence[float]) -> list[float]:
    return [f * number for f, number in zip(factors, numbers, strict=True)]
