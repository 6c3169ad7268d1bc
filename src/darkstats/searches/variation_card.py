"""Steps on a variation that a card declares: smooth, mirror, symmetrise; what each changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.errors import OptionError
from darkstats.searches.card_file import Entry
from darkstats.templates.variation_steps import (
    REFERENCES,
    SMOOTHINGS,
    SYMMETRIES,
    change_of,
    smoothed_variation,
    symmetrised,
)

__all__ = ["STEPS", "bins_of", "declared_steps", "words_of"]

#: Keys of a variation that ask for a step.
STEPS = ("smooth", "mirror", "symmetrise")

Step = dict[str, Any]
Sides = dict[str, FloatArray]


def declared_steps(entry: Entry, nominal: FloatArray, given: Sides) -> tuple[Sides, list[Step]]:
    """Both sides of a variation after the steps of the card, in the order of :data:`STEPS`.

    Parameters
    ----------
    entry
        The variation in the card.
    nominal
        Contents without variation. Shape [bin].
    given
        Contents by side, ``up``, ``down`` or both. Shape of each [bin].

    Returns
    -------
    tuple
        Contents by side, and for each step what it was and what it changed.

    Raises
    ------
    CardError
        No side is there, a side is missing and nothing says what stands for it, or a step cannot
        be done: with line and key.
    """
    if not given:
        entry.fail("has neither 'up' nor 'down'")
    sides = dict(given)
    steps: list[Step] = []
    if "smooth" in entry:
        method, bandwidth = _smoothing(entry["smooth"])
        for side, before in given.items():
            try:
                sides[side] = smoothed_variation(nominal, before, method, bandwidth=bandwidth)
            except OptionError as error:
                entry["smooth"].fail(f"{side}: {error}")
            step: Step = {"step": "smooth", "side": side, "method": method}
            if method == "local_linear":
                step["bandwidth_bins"] = bandwidth
            steps.append(step | {"reference": REFERENCES[method]}
                         | _told(nominal, before, sides[side]))  # fmt: skip
    if len(sides) == 1:
        if "mirror" not in entry or not entry["mirror"].flag():
            entry.fail(
                f"has only {next(iter(sides))!r}",
                "add the other side, or mirror: true, which takes its mirror image",
            )
        (side,) = sides
        other = "down" if side == "up" else "up"
        sides[other] = 2.0 * nominal - sides[side]
        steps.append({"step": "mirror", "side": other, "method": f"mirror image of {side}"})
        if "symmetrise" in entry:
            entry["symmetrise"].fail("has nothing to do beside 'mirror'", "drop it")
    elif "mirror" in entry:
        entry["mirror"].fail("goes with one side alone", "symmetrise: largest takes both")
    if "symmetrise" in entry:
        how = entry["symmetrise"].text(choices=SYMMETRIES)
        uneven = dict(sides)
        sides["down"], sides["up"] = symmetrised(nominal, sides["down"], sides["up"], how)
        same = (uneven["up"] - nominal) * (uneven["down"] - nominal) > 0.0
        for side in ("up", "down"):
            step = {"step": "symmetrise", "side": side, "method": how,
                    "same_side_bins": np.flatnonzero(same).tolist()}  # fmt: skip
            steps.append(step | _told(nominal, uneven[side], sides[side]))
    return sides, [{"place": entry.key, **step} for step in steps]


def words_of(step: Step) -> str:
    """A step in a sentence."""
    done = {"smooth": "smoothed", "symmetrise": "symmetrised"}
    if step["step"] == "mirror":
        return f"{step['place']}: {step['side']} is the {step['method']}"
    words = f"{step['place']}: {step['side']} {done[step['step']]}, {step['method']}"
    if "reference" in step:
        words += f" ({step['reference']})"
    words += f", at most {step['largest_change']:.2%} of nominal, in bin {step['bin']}"
    if step["side"] == "up" and step["method"] == "half_difference" and step["same_side_bins"]:
        words += (
            f"; up and down lie on the same side of nominal in {bins_of(step['same_side_bins'])}, "
            "and half their difference is smaller than the larger deviation"
        )
    return words


def bins_of(numbers: Sequence[int]) -> str:
    """Bins in words: ``bin 3``, ``bins 0 to 2, 7``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    words = ", ".join(" to ".join(map(str, run)) for run in runs)
    return f"bin {words}" if len(numbers) == 1 else f"bins {words}"


def _told(nominal: FloatArray, before: FloatArray, after: FloatArray) -> Step:
    change = change_of(nominal, before, after)
    return {
        "largest_change": change.size,
        "bin": change.bin,
        "before": before.tolist(),
        "after": after.tolist(),
        "nominal": nominal.tolist(),
    }


def _smoothing(entry: Entry) -> tuple[str, float]:
    """Method, and half width of the window of a local regression in bins."""
    if not isinstance(entry.value, dict):
        return entry.text(choices=SMOOTHINGS), 3.0
    entry.keys(required=("method",), optional=("bandwidth",))
    method = entry["method"].text(choices=SMOOTHINGS)
    if "bandwidth" not in entry:
        return method, 3.0
    if method != "local_linear":
        entry["bandwidth"].fail(f"{method} has no bandwidth", "drop it")
    return method, entry["bandwidth"].number(low=2.0)
