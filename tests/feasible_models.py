"""Models whose densities are positive in part of the parameter space only, and their own minima.

The likelihoods are written again here, in NumPy, and minimised by SciPy: along the one parameter in
which they are convex exactly, over the others from many starts.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq, minimize

from darkstats.model import HistFactoryModel, compile_workspace
from darkstats.model.unbinned.model import UnbinnedModel
from darkstats.workspace import read_workspace
from unbinned_models import compiled, outline

Function = Callable[[np.ndarray], np.ndarray]


def exponential(c: float) -> Function:
    """Normalised density proportional to exp(-c x) on [0, 1]."""
    norm = 1.0 if c == 0.0 else -math.expm1(-c) / c
    return lambda x: np.exp(-c * x) / norm


def gaussian(mean: float, sigma: float) -> Function:
    """Normalised Gaussian on [0, 1]."""
    root = sigma * math.sqrt(2.0)
    norm = 0.5 * (math.erf((1.0 - mean) / root) - math.erf(-mean / root))
    scale = norm * sigma * math.sqrt(2.0 * math.pi)
    return lambda x: np.exp(-0.5 * ((x - mean) / sigma) ** 2) / scale


def lowest_in_yield(
    other: np.ndarray, shape: np.ndarray, rest: float, upper: float, weights: np.ndarray
) -> tuple[float, float]:
    """Minimum over a yield y in [0, upper] of ``y + rest - sum w log(other + y shape)``.

    Convex: its derivative has one zero, or none. Returns the yield and the value, infinite where no
    yield makes every term positive.
    """
    least = float(np.max(-other / shape, initial=0.0))
    if least >= upper:
        return math.nan, math.inf

    def slope(above: float) -> float:
        return 1.0 - float((weights * shape / (other + least * shape + above * shape)).sum())

    def value(above: float) -> float:
        density = other + least * shape + above * shape
        return least + above + rest - float((weights * np.log(density)).sum())

    width = upper - least
    if slope(width) <= 0.0:
        return upper, value(width)
    low = 1e-14 * max(1.0, least)
    if slope(low) >= 0.0:
        return least, value(low)
    above = float(brentq(slope, low, width, xtol=1e-300, rtol=1e-14, maxiter=500))
    return least + above, value(above)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interference:
    """Peak of ``peak mu`` events and interference of ``size mu`` (of either sign) on a background.

    ``error``: of the size, a Gaussian nuisance ``alpha`` (``size (1 + error alpha)``); 0: none.
    """

    events: np.ndarray
    peak: float
    size: float
    slopes: tuple[float, float]  # of the interference and of the background
    most: float  # events of the background
    error: float = 0.0
    mean: float = 0.5

    def model(self) -> UnbinnedModel:
        """The document, compiled."""
        wobble = f"{self.size!r} * mu" + (f" * (1 + {self.error!r} * alpha)" if self.error else "")
        distributions: list[dict[str, Any]] = [
            {"name": "sig", "type": "gaussian_dist", "x": "x", "mean": self.mean, "sigma": 0.05},
            {"name": "inter", "type": "exponential_dist", "x": "x", "c": self.slopes[0]},
            {"name": "bkg", "type": "exponential_dist", "x": "x", "c": self.slopes[1]},
        ]
        parameters = [
            ("mu", 0.1, 0.0, 20.0),
            ("nb", min(float(len(self.events)), self.most), 0.0, self.most),
        ]
        options: dict[str, Any] = {}
        if self.error:
            parameters.append(("alpha", 0.0, -5.0, 5.0))
            constraint = {"name": "constraint", "type": "gaussian_dist", "x": "aux"}
            distributions.append({**constraint, "mean": "alpha", "sigma": 1.0})
            options = {"constants": [("aux", 0.0)], "constraints": ["constraint"]}
        return compiled(
            outline(
                distributions,
                parameters,
                yields={"sig": "nsig", "inter": "nint", "bkg": "nb"},
                functions=[
                    {
                        "name": "nsig",
                        "type": "generic_function",
                        "expression": f"{self.peak!r} * mu",
                    },
                    {"name": "nint", "type": "generic_function", "expression": wobble},
                ],
                entries=[[float(x)] for x in self.events],
                **options,
            )
        )

    def lowest(self, mu: float) -> float:
        """Half the conditional deviance at ``mu``, relative to a uniform density."""
        x, n = self.events, len(self.events)
        peak = self.peak * mu * gaussian(self.mean, 0.05)(x)
        wave, shape = exponential(self.slopes[0])(x), exponential(self.slopes[1])(x)

        def profiled(alpha: float) -> float:
            size = self.size * mu * (1.0 + self.error * alpha)
            rest = self.peak * mu + size
            value = lowest_in_yield(peak + size * wave, shape, rest, self.most, np.ones(n))[1]
            return value + 0.5 * alpha**2

        uniform = n - n * math.log(n)
        if not self.error:
            return profiled(0.0) - uniform
        grid = np.linspace(-5.0, 5.0, 2001)
        values = np.array([profiled(a) for a in grid])
        if not np.isfinite(values).any():
            return math.inf
        best = int(np.nanargmin(values))
        found = minimize(
            lambda a: min(profiled(float(np.clip(a[0], -5.0, 5.0))), 1e200),
            [grid[best]],
            method="Nelder-Mead",
            options={
                "xatol": 1e-10,
                "fatol": 1e-13,
                "initial_simplex": [[grid[best]], [grid[best] + 1e-3]],
            },
        )
        return float(min(found.fun, values[best])) - uniform


@dataclass(frozen=True, slots=True, kw_only=True)
class NegativeBins:
    """Bins whose signal template has both signs, on a background with a free level.

    ``error``: of a Gaussian nuisance ``alpha`` that moves the signal template (histosys, linear);
    0: none.
    """

    observed: np.ndarray
    signal: np.ndarray
    background: np.ndarray
    most: float  # level of the background, from 0
    error: float = 0.0

    def model(self) -> HistFactoryModel:
        """The workspace, compiled with linear interpolation."""
        modifiers: list[dict[str, Any]] = [{"name": "mu", "type": "normfactor", "data": None}]
        if self.error:
            shift = self.error * np.abs(self.signal)
            data = {
                "hi_data": (self.signal + shift).tolist(),
                "lo_data": (self.signal - shift).tolist(),
            }
            modifiers.append({"name": "alpha", "type": "histosys", "data": data})
        level = {"name": "level", "type": "normfactor", "data": None}
        document = {
            "version": "1.0.0",
            "channels": [
                {
                    "name": "c",
                    "samples": [
                        {"name": "s", "data": self.signal.tolist(), "modifiers": modifiers},
                        {"name": "b", "data": self.background.tolist(), "modifiers": [level]},
                    ],
                }
            ],
            "observations": [{"name": "c", "data": self.observed.tolist()}],
            "measurements": [
                {
                    "name": "m",
                    "config": {
                        "poi": "mu",
                        "parameters": [
                            {"name": "level", "inits": [1.0], "bounds": [[0.0, self.most]]}
                        ],
                    },
                }
            ],
        }
        return compile_workspace(
            read_workspace(json.dumps(document).encode(), accept=("negative-yield",))
        )

    def lowest(self, mu: float) -> float:
        """Half the conditional deviance at ``mu``; every bin has to have events."""
        n = self.observed
        saturated = float((n - n * np.log(n)).sum())
        total = float(self.background.sum())

        def profiled(alpha: float) -> float:
            signal = mu * (self.signal + alpha * self.error * np.abs(self.signal))
            value = lowest_in_yield(
                signal, self.background / total, float(signal.sum()), self.most * total, n
            )[1]
            return value + 0.5 * alpha**2

        if not self.error:
            return profiled(0.0) - saturated
        grid = np.linspace(-5.0, 5.0, 2001)
        values = np.array([profiled(a) for a in grid])
        if not np.isfinite(values).any():
            return math.inf
        best = int(np.nanargmin(values))
        found = minimize(
            lambda a: min(profiled(float(np.clip(a[0], -5.0, 5.0))), 1e200),
            [grid[best]],
            method="Nelder-Mead",
            options={
                "xatol": 1e-10,
                "fatol": 1e-13,
                "initial_simplex": [[grid[best]], [grid[best] + 1e-3]],
            },
        )
        return float(min(found.fun, values[best])) - saturated
