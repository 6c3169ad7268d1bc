"""Unbinned models of a handful of events: a peak whose strength a nuisance shares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from unbinned_models import Item, outline

_EFFICIENCY = {
    "functions": [
        {"name": "nsig", "type": "generic_function", "expression": "mu * 4 * exp(0.1 * eff)"}
    ],
    "constants": [("aux_eff", 0.0)],
    "constraints": ["c_eff"],
}
_C_EFF = {"name": "c_eff", "type": "gaussian_dist", "x": "aux_eff", "mean": "eff", "sigma": 1.0}


def _peak(mean: Any = 4.0, sigma: Any = 0.4) -> Item:
    return {"name": "sig", "type": "gaussian_dist", "x": "x", "mean": mean, "sigma": sigma}


def on_slope(events: Sequence[float] = ()) -> Item:
    """A peak whose yield has an uncertainty, on an exponential of free slope."""
    return outline(
        [_peak(), {"name": "bkg", "type": "exponential_dist", "x": "x", "c": "c"}, _C_EFF],
        [("mu", 1.0, 0.0, 20.0), ("nb", 12.0, 0.0, 1000.0), ("c", 0.3, -0.5, 3.0),
         ("eff", 0.0, -5.0, 5.0)],
        yields={"sig": "nsig", "bkg": "nb"},
        axes=(("x", 0.0, 10.0),),
        entries=[(x,) for x in events],
        **_EFFICIENCY,
    )  # fmt: skip


def on_line(**changes: Any) -> Item:
    """The same on a straight line of free slope, positive in its range."""
    return outline(
        [_peak(), {"name": "bkg", "type": "generic_dist", "expression": "1 + c * (x - 5) / 5"},
         _C_EFF],
        [("mu", 1.0, 0.0, 20.0), ("nb", 5.0, 0.0, 1000.0), ("c", 0.0, -1.0, 1.0),
         ("eff", 0.0, -5.0, 5.0)],
        yields={"sig": "nsig", "bkg": "nb"},
        axes=(("x", 0.0, 10.0),),
        **_EFFICIENCY,
        **changes,
    )  # fmt: skip


def narrow_flat(**changes: Any) -> Item:
    """A narrow peak on a flat background: most events see no signal at all."""
    return outline(
        [_peak(4.0, 0.02), {"name": "bkg", "type": "uniform_dist", "x": ["x"]}, _C_EFF],
        [("mu", 1.0, 0.0, 20.0), ("nb", 3.0, 0.0, 1000.0), ("eff", 0.0, -5.0, 5.0)],
        yields={"sig": "nsig", "bkg": "nb"},
        axes=(("x", 0.0, 10.0),),
        **_EFFICIENCY,
        **changes,
    )


def floating_width(**changes: Any) -> Item:
    """A peak of floating width, with a constraint on it, on an exponential."""
    return outline(
        [_peak(4.0, "width"), {"name": "bkg", "type": "exponential_dist", "x": "x", "c": "c"},
         {"name": "c_s", "type": "gaussian_dist", "x": "aux_s", "mean": "s", "sigma": 1.0}],
        [("mu", 1.0, 0.0, 20.0), ("nb", 5.0, 0.0, 1000.0), ("c", 0.3, -0.5, 3.0),
         ("s", 0.0, -5.0, 5.0)],
        yields={"sig": "nsig", "bkg": "nb"},
        axes=(("x", 0.0, 10.0),),
        functions=[
            {"name": "nsig", "type": "generic_function", "expression": "mu * 4"},
            {"name": "width", "type": "generic_function", "expression": "0.4 * exp(0.1 * s)"},
        ],
        constants=[("aux_s", 0.0)],
        constraints=["c_s"],
        **changes,
    )  # fmt: skip


def two_backgrounds(**changes: Any) -> Item:
    """A peak on an exponential of free slope and a flat part with a constrained yield."""
    return outline(
        [_peak(), {"name": "bkg", "type": "exponential_dist", "x": "x", "c": "c"},
         {"name": "flat", "type": "uniform_dist", "x": ["x"]}, _C_EFF],
        [("mu", 1.0, 0.0, 20.0), ("nb", 4.0, 0.0, 1000.0), ("c", 0.3, -0.5, 3.0),
         ("eff", 0.0, -5.0, 5.0)],
        yields={"sig": "nsig", "bkg": "nb", "flat": "n_flat"},
        axes=(("x", 0.0, 10.0),),
        functions=[*_EFFICIENCY["functions"],
            {"name": "n_flat", "type": "generic_function", "expression": "2 * exp(0.3 * eff)"}],
        constants=_EFFICIENCY["constants"],
        constraints=_EFFICIENCY["constraints"],
        **changes,
    )  # fmt: skip


MODELS = {
    "exponential": on_slope,
    "line": on_line,
    "narrow": narrow_flat,
    "width": floating_width,
    "two backgrounds": two_backgrounds,
}
