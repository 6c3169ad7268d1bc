"""Counting windows with uncertainties of every kind, and their answers by brute force."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from scipy import optimize, special

from darkstats.inference.bayes.nuisances import NuisancePriors
from darkstats.inference.bayes.priors import Flat, PoiPrior
from darkstats.inference.bayes.quadrature.recognition import recognise
from darkstats.inference.bayes.quadrature.window_limits import CountingAnswer, counting_limits
from darkstats.inference.bayes.quadrature.window_posteriors import WindowGroup
from darkstats.inference.bayes.rules import normsys_factor
from darkstats.model import HistFactoryModel
from darkstats.model.interpolation import normsys_coefficients
from small_models import compiled

Modifier = dict[str, Any]


def normsys(name: str, width: float, low: float | None = None) -> Modifier:
    down = 1.0 / (1.0 + width) if low is None else low
    return {"name": name, "type": "normsys", "data": {"hi": 1.0 + width, "lo": down}}


def window(
    observed: float,
    *,
    signal: float = 1.0,
    background: float = 3.0,
    on_signal: list[Modifier] | None = None,
    on_background: list[Modifier] | None = None,
    parameters: list[dict[str, Any]] | None = None,
) -> HistFactoryModel:
    """One bin."""
    poi = {"name": "mu", "type": "normfactor", "data": None}
    samples = [
        {"name": "signal", "data": [signal], "modifiers": [poi, *(on_signal or [])]},
        {"name": "background", "data": [background], "modifiers": on_background or []},
    ]
    return compiled(
        {
            "version": "1.0.0",
            "channels": [{"name": "window", "samples": samples}],
            "observations": [{"name": "window", "data": [observed]}],
            "measurements": [
                {"name": "m", "config": {"poi": "mu", "parameters": parameters or []}}
            ],
        }
    )


def answer(
    model: HistFactoryModel,
    *,
    prior: PoiPrior | None = None,
    nuisances: NuisancePriors | None = None,
    cl: float = 0.9,
    expected: str = "none",
    blind: bool = False,
) -> CountingAnswer:
    """The quadrature engine on one window."""
    plan = recognise(model)
    assert plan is not None
    group = WindowGroup(
        plan=plan,
        models=(model,),
        nuisances=((nuisances or NuisancePriors()).resolve(model),),
        prior=((prior or Flat()).bind(model),),
        counts=model.observation.counts[np.newaxis, list(plan.bins)],
    )
    return counting_limits(group, cl=cl, expected=expected, blind=blind)[0]


def panels(edges: list[float], n: int = 80) -> tuple[np.ndarray, np.ndarray]:
    """Dense Gauss-Legendre nodes and weights of a reference integral."""
    x, w = np.polynomial.legendre.leggauss(n)
    nodes = [0.5 * (a + b) + 0.5 * (b - a) * x for a, b in itertools.pairwise(edges)]
    weights = [0.5 * (b - a) * w for a, b in itertools.pairwise(edges)]
    return np.concatenate(nodes), np.concatenate(weights)


NORMAL = [-9.0, -5.0, -1.0, 1.0, 5.0, 9.0]  # code4 has kinks at -1 and 1


def mixture_limit(
    n: int,
    background: np.ndarray | float,
    weight: np.ndarray | float = 1.0,
    *,
    efficiency: np.ndarray | float = 1.0,
    cl: float = 0.9,
) -> float:
    """Flat prior, known laws of background and efficiency: a root of a mean of gamma functions.

    The integral of Pois(n; mu S + b) over mu from U is Q(n + 1, U S + b) / S.
    """

    def left_over(limit: float) -> float:
        tail = special.gammaincc(n + 1, limit * efficiency + background) / efficiency
        return float(np.sum(weight * tail))

    whole = left_over(0.0)
    return float(
        optimize.brentq(lambda u: left_over(u) / whole - (1.0 - cl), 0.0, 500.0, xtol=1e-13)
    )


def code4(alpha: np.ndarray, width: float) -> np.ndarray:
    """Factor of ``normsys(width)``, from the formulas of the interpolation."""
    return normsys_factor(alpha, normsys_coefficients(1.0 + width, 1.0 / (1.0 + width)), 4)
