"""Test the claimed errors of credible limits against integrals that share nothing with the engines.

    python -m tests.peers.claimed_errors --models 3000 --output docs/studies/claimed-errors

Random counting models with one or two uncertainties, of the signal, of the background, of both, in
the same and in opposite directions, 1 % to 100 %, as normsys, histosys, shapesys, staterror and
lumi, in one to four bins with 0 to 1,000 events. The reference has a likelihood of its own, dense
grids about the posterior, and for one bin the closed form of the integral over the signal strength.
It counts only where two of its resolutions agree to a millionth.

Writes OUTPUT.json and OUTPUT.md. The exit status is 1 if an engine claims too small an error in
more than 1 % of the models, or if a number that it gives without a warning is off by more than 1 %.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import multiprocessing
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import optimize, special

from darkstats.errors import DarkstatsError
from darkstats.fit import FitOptions
from darkstats.inference.bayes import Flat, NuisancePriors
from darkstats.inference.bayes.engines import RUNNERS, Bench
from darkstats.inference.bayes.gate import imprecision
from darkstats.inference.bayes.nuts.chains import NutsOptions
from darkstats.model import HistFactoryModel, compile_workspace
from darkstats.workspace import read_workspace

Array = np.ndarray[Any, np.dtype[np.float64]]
Record = dict[str, Any]

ALLOWED, WRONG = 3.0, 0.01
NUTS_STEPS = 120_000  # leapfrog steps after which NUTS gives a less precise answer: a few seconds
AGREED = 1e-6  # relative difference of two resolutions of the reference
#: What acts: name, on the signal, on the background, in opposite directions.
KINDS = (
    ("normsys", True, False, False),
    ("normsys", False, True, False),
    ("normsys", True, True, False),
    ("normsys", True, True, True),
    ("histosys", False, True, False),
    ("histosys", True, True, False),
    ("histosys", True, True, True),
    ("lumi", True, False, False),
    ("lumi", True, True, False),
    ("shapesys", False, True, False),
    ("staterror", False, True, False),
    ("staterror", True, False, False),
)
_NOTHING = 43.0  # logarithm of a part that is left out of a sum: below rounding
_LOOKS = 400  # signal strengths of a coarse look: steps of 5 %, as thousands of events make a ridge
_REACH = 14.0  # standard deviations of the reference's grids


@dataclass(frozen=True)
class Coordinate:
    """One variable of the reference: range with the places of kinks, and its log-density.

    ``from_zero``: the range begins where the variable does.
    """

    edges: tuple[float, ...]
    log_density: Callable[[Array], Array]
    from_zero: bool = False


@dataclass(frozen=True)
class Acting:
    """An uncertainty as the reference knows it.

    ``coordinates`` are its variables; ``factors`` takes their values, [variable, point], to factors
    on signal and background, [bin, point] each. Shifts of several ``additive`` ones add up.
    """

    coordinates: tuple[Coordinate, ...]
    factors: Callable[[Array], tuple[Array, Array]]
    additive: bool = False


@dataclass(frozen=True)
class Case:
    """A random model: its document, and what the reference needs."""

    document: Record
    label: str
    signal: Array
    background: Array
    counts: Array
    acting: tuple[Acting, ...]


def code4(alpha: Array, up: float, down: float) -> Array:
    """Factor of a normsys: exponential beyond one, a polynomial of degree six within.

    Its value and two derivatives are those of the exponentials at -1 and 1.
    """
    rows, right = [], []
    for x, base in ((1.0, up), (-1.0, down)):
        slope = math.log(base) * x
        rows += [
            [x**k for k in range(1, 7)],
            [k * x ** (k - 1) for k in range(1, 7)],
            [k * (k - 1) * x ** max(k - 2, 0) for k in range(1, 7)],
        ]
        right += [base - 1.0, slope * base, slope**2 * base]
    a = np.linalg.solve(np.array(rows), np.array(right))
    inside = 1.0 + sum(a[k - 1] * alpha**k for k in range(1, 7))
    outside = np.where(alpha > 0.0, up ** np.abs(alpha), down ** np.abs(alpha))
    return np.where(np.abs(alpha) < 1.0, inside, outside)


def code4p(alpha: Array, up: float, down: float) -> Array:
    """Events of a histosys relative to nominal, by piecewise lines smoothed within one."""
    bend = np.where(
        np.abs(alpha) <= 1.0,
        alpha**2 * (15.0 + alpha**2 * (3.0 * alpha**2 - 10.0)) / 8.0,
        np.abs(alpha),
    )
    return 1.0 + 0.5 * (up - down) * alpha + 0.5 * (up + down - 2.0) * bend


_NORMAL = Coordinate((-_REACH, -1.0, 1.0, _REACH), lambda z: -0.5 * z * z)


def _positive(width: float) -> Coordinate:
    """A normal law about 1, cut at 0."""
    low = max(0.0, 1.0 - _REACH * width)
    return Coordinate(
        (low, 1.0, 1.0 + _REACH * width),
        lambda x: -0.5 * ((x - 1.0) / width) ** 2,
        from_zero=low == 0.0,
    )


def _gamma(events: float) -> Coordinate:
    """Logarithm of a gamma variable of mean 1 from so many auxiliary events."""
    low = -40.0 / events - _REACH / math.sqrt(events)
    high = math.log1p(_REACH / math.sqrt(events) + 40.0 / events)
    return Coordinate((low, 0.0, high), lambda y: events * (y - np.expm1(y)))


def case(seed: int, index: int) -> Case:
    """Random model number ``index``."""
    rng = np.random.default_rng([seed, index])
    bins = int(rng.choice([1, 2, 3, 4], p=[0.55, 0.2, 0.15, 0.1]))
    signal = np.exp(rng.uniform(math.log(0.3), math.log(30.0))) * rng.dirichlet(np.full(bins, 2.0))
    total = math.exp(rng.uniform(math.log(0.1), math.log(1000.0)))
    background = total * rng.dirichlet(np.full(bins, 3.0))
    names = [KINDS[k] for k in rng.integers(0, len(KINDS), int(rng.integers(1, 3)))]
    if len(names) == 2 and "lumi" in (names[0][0], names[1][0]) and names[0][0] == names[1][0]:
        names = names[:1]  # there is one luminosity
    per_bin = sum(kind in {"shapesys", "staterror"} for kind, *_ in names)
    if per_bin and bins * per_bin + len(names) - per_bin > 2:  # one of each bin
        bins = 1 if len(names) == 2 else 2
        signal, background = signal[:bins], background[:bins]
    samples = [
        {"name": "signal", "data": signal.tolist(), "modifiers": [
            {"name": "mu", "type": "normfactor", "data": None}]},
        {"name": "background", "data": background.tolist(), "modifiers": []},
    ]  # fmt: skip
    parameters: list[Record] = []
    acting, words = [], []
    for number, (kind, on_signal, on_background, opposite) in enumerate(names):
        width = math.exp(rng.uniform(math.log(0.01), 0.0))
        if kind == "histosys":  # the signal stays positive wherever the prior has weight
            width = min(width, 0.1 if on_signal else 0.2)
        targets = [samples[i] for i, on in enumerate((on_signal, on_background)) if on]
        one, modifiers = _uncertainty(
            kind,
            f"u{number}",
            width,
            opposite=opposite,
            nominal=[np.array(target["data"]) for target in targets],
            parameters=parameters,
        )
        for target, modifier in zip(targets, modifiers, strict=True):
            target["modifiers"].append(modifier)
        found = _on(one, on_signal=on_signal, on_background=on_background, bins=bins)
        acting.append(replace(found, additive=kind == "histosys"))
        where = "".join(c for c, on in (("S", on_signal), ("B", on_background)) if on)
        words.append(f"{kind} {where}{' opposite' if opposite else ''} {width:.3g}")
    style = rng.uniform()
    if style < 0.15:
        counts = np.zeros(bins)
    elif style < 0.3:
        counts = np.floor(np.exp(rng.uniform(0.0, math.log(1001.0), bins))) - 1.0
    else:
        counts = rng.poisson(background + rng.exponential(3.0) * signal).astype(float)
    document = {
        "version": "1.0.0",
        "channels": [{"name": "c", "samples": samples}],
        "observations": [{"name": "c", "data": counts.tolist()}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": parameters}}],
    }
    label = f"{bins} bins, n {counts.astype(int).tolist()}, b {total:.3g}: " + ", ".join(words)
    return Case(document, label, signal, background, counts, tuple(acting))


Factors = Callable[[Array], list[Array]]


def _uncertainty(
    kind: str,
    name: str,
    width: float,
    *,
    opposite: bool,
    nominal: list[Array],
    parameters: list[Record],
) -> tuple[tuple[tuple[Coordinate, ...], Factors], list[Record]]:
    """Coordinates with the factors on each target, and the modifier of each target."""
    signs = [1.0, -1.0] if opposite else [1.0] * len(nominal)
    if kind == "normsys":
        pairs = [(1.0 + width, 1.0 / (1.0 + width))[:: int(sign)] for sign in signs]
        return (
            ((_NORMAL,), lambda u: [code4(u[:1], *pair) for pair in pairs]),
            [{"name": name, "type": kind, "data": {"hi": a, "lo": b}} for a, b in pairs],
        )
    if kind == "histosys":
        pairs = [(1.0 + sign * width, 1.0 - 0.8 * sign * width) for sign in signs]
        return (
            ((_NORMAL,), lambda u: [code4p(u[:1], *pair) for pair in pairs]),
            [
                {
                    "name": name,
                    "type": kind,
                    "data": {"hi_data": (a * x).tolist(), "lo_data": (b * x).tolist()},
                }
                for (a, b), x in zip(pairs, nominal, strict=True)
            ],
        )
    if kind == "lumi":
        parameters.append(
            {
                "name": "lumi",
                "auxdata": [1.0],
                "sigmas": [width],
                "inits": [1.0],
                "bounds": [[0.0, 1.0 + 20.0 * width]],
            }
        )
        scale = math.log1p(width)
        return (
            ((_NORMAL,), lambda u: [np.exp(scale * u[:1])] * len(nominal)),
            [{"name": "lumi", "type": "lumi", "data": None}] * len(nominal),
        )
    modifier = {"name": name, "type": kind, "data": (width * nominal[0]).tolist()}
    bins = len(nominal[0])
    if kind == "shapesys":
        return (((_gamma(width**-2),) * bins, lambda u: [np.exp(u)]), [modifier])
    return (((_positive(width),) * bins, lambda u: [u]), [modifier])


def _on(
    one: tuple[tuple[Coordinate, ...], Factors], *, on_signal: bool, on_background: bool, bins: int
) -> Acting:
    coordinates, factors = one
    if on_signal and len(coordinates) == bins and coordinates[0].edges[0] >= 0.0:
        return _log_normal(coordinates)

    def both(u: Array) -> tuple[Array, Array]:
        found = iter(factors(u))
        unit = np.ones((1, u.shape[1]))
        return (next(found) if on_signal else unit), (next(found) if on_background else unit)

    return Acting(coordinates, both)


def _log_normal(coordinates: tuple[Coordinate, ...]) -> Acting:
    """A Gaussian factor on the signal: log-normal, one standard deviation up is 1 + width."""
    width = (coordinates[0].edges[-1] - 1.0) / _REACH
    scale = math.log1p(width)
    return Acting(
        (_NORMAL,) * len(coordinates),
        lambda u: (np.exp(scale * u), np.ones((1, u.shape[1]))),
    )


def _grid(edges: list[Array], nodes: int) -> tuple[Array, Array]:
    """Gauss-Legendre on panels of each variable: points [variable, point], log-weights [point]."""
    x, w = np.polynomial.legendre.leggauss(nodes)
    axes, weights = [], []
    for edge in edges:
        half, middle = 0.5 * np.diff(edge), 0.5 * (edge[1:] + edge[:-1])
        axes.append((middle[:, None] + half[:, None] * x).ravel())
        weights.append((half[:, None] * w).ravel())
    points = np.stack([a.ravel() for a in np.meshgrid(*axes, indexing="ij")])
    log_weight = sum(np.log(a.ravel()) for a in np.meshgrid(*weights, indexing="ij"))
    return points, np.asarray(log_weight)


class Reference:
    """Posterior of a case with a flat prior, by nested integration."""

    def __init__(self, one: Case) -> None:
        self.case = one
        self.coordinates = [c for a in one.acting for c in a.coordinates]
        n = one.counts
        self.constant = float(np.sum(special.xlogy(n, n) - n))
        self.scale = (n.sum() + 5.0) / one.signal.sum()

    def rates(self, points: Array) -> tuple[Array, Array, Array]:
        """Signal and background [bin, point], and the log-density of the priors [point]."""
        one, at = self.case, 0
        signal = np.repeat(one.signal[:, None], points.shape[1], axis=1)
        background = np.repeat(one.background[:, None], points.shape[1], axis=1)
        log_prior = np.zeros(points.shape[1])
        shifted = [np.ones((1, points.shape[1])), np.ones((1, points.shape[1]))]
        for acting in one.acting:
            u = points[at : at + len(acting.coordinates)]
            at += len(acting.coordinates)
            on_signal, on_background = acting.factors(u)
            if acting.additive:
                shifted = [shifted[0] + on_signal - 1.0, shifted[1] + on_background - 1.0]
            else:
                signal, background = signal * on_signal, background * on_background
            log_prior += sum(c.log_density(x) for c, x in zip(acting.coordinates, u, strict=True))
        return signal * shifted[0], background * shifted[1], log_prior

    def log_likelihood(self, mu: float, signal: Array, background: Array) -> Array:
        """Relative to that of rates equal to the counts. Shape [point]."""
        rate = mu * signal + background
        value = self.case.counts @ np.log(np.maximum(rate, 1e-300)) - rate.sum(axis=0)
        return np.where((rate > 0.0).all(axis=0), value - self.constant, -np.inf)

    def edges(self, panels: int) -> list[Array]:
        """Panels of each variable where the posterior lies, from a coarse look; kinks are edges.

        Raises
        ------
        OverflowError
            It leaves the range of the reference: the data are that far from the model.
        """
        d = len(self.coordinates)
        per = {1: 120, 2: 14, 3: 6}[d]
        whole = [np.linspace(c.edges[0], c.edges[-1], per + 1) for c in self.coordinates]
        points, _ = _grid(whole, 4)
        best = self._best(points, _LOOKS)
        peak = best.max()
        if max(map(self._far_away, range(d))) > peak - 34.0:
            raise OverflowError
        kept = points[:, best > peak - 34.0]
        found = []
        for c, x in zip(self.coordinates, kept, strict=True):
            step = (c.edges[-1] - c.edges[0]) / per
            low = max(float(x.min()) - step, c.edges[0])
            high = min(float(x.max()) + step, c.edges[-1])
            if high == c.edges[-1] or (low == c.edges[0] and not c.from_zero):
                raise OverflowError
            kinks = [e for e in c.edges if low < e < high]
            found.append(np.unique(np.concatenate([np.linspace(low, high, panels + 1), kinks])))
        return found

    def _best(self, points: Array, looks: int) -> Array:
        """Log-density of each point at the signal strength that suits it best."""
        signal, background, log_prior = self.rates(points)
        best = np.full(points.shape[1], -np.inf)
        for mu in np.concatenate([[0.0], self.scale * np.geomspace(1e-3, 1e5, looks)]):
            here = self.log_likelihood(mu, signal, background) + log_prior
            best = np.maximum(best, here + math.log(max(mu, 1e-3 * self.scale)))
        return best

    def _far_away(self, number: int) -> float:
        """Largest log-density where a normal variable leaves the range of the reference."""
        if self.coordinates[number] != _NORMAL:
            return -math.inf
        rest = {1: 1, 2: 40, 3: 12}[len(self.coordinates)]
        axes = [np.linspace(c.edges[0], c.edges[-1], rest) for c in self.coordinates]
        axes[number] = _REACH * np.concatenate([np.linspace(-4, -1, 70), np.linspace(1, 4, 70)])
        points = np.stack([a.ravel() for a in np.meshgrid(*axes, indexing="ij")])
        return float(self._best(points, _LOOKS // 4).max())

    def marginal(self, cl: float, panels: int, nodes: int, steps: int) -> float:
        """Limit from the marginal density on geometric panels of the signal strength."""
        points, log_weight = _grid(self.edges(panels), nodes)
        signal, background, log_prior = self.rates(points)
        log_prior = log_prior + log_weight
        keep = log_prior > log_prior.max() - 120.0
        signal, background, log_prior = signal[:, keep], background[:, keep], log_prior[keep]

        def log_terms(mu: float) -> Array:
            return self.log_likelihood(mu, signal, background) + log_prior

        def log_density(mu: Array) -> Array:
            found = np.empty(len(mu))
            for i, one in enumerate(mu):
                value = log_terms(one)
                peak = value.max()
                found[i] = peak + np.log(np.exp(value - peak).sum()) if peak > -np.inf else peak
            return found

        edge = np.concatenate([[0.0], self.scale * np.geomspace(1e-3, 1e6, 140)])
        middle = 0.5 * (edge[1:] + edge[:-1])
        width = np.log(np.diff(edge))
        mass, best = np.empty(len(middle)), np.full(len(log_prior), -np.inf)
        for i, one in enumerate(middle):
            value = log_terms(one) + width[i]
            best = np.maximum(best, value)
            peak = value.max()
            mass[i] = peak + np.log(np.exp(value - peak).sum()) if peak > -np.inf else peak
        alive = np.flatnonzero(mass > mass.max() - 32.0)
        # A point that is nothing at every signal strength is left out of all sums.
        keep = best > mass.max() - _NOTHING
        signal, background, log_prior = signal[:, keep], background[:, keep], log_prior[keep]
        low, high = max(alive[0] - 1, 0), min(alive[-1] + 2, len(edge) - 1)
        # Panels of no mass need not be narrow: each third edge is kept there.
        heavy = mass > mass.max() - 9.0
        heavy |= np.append(heavy[1:], False) | np.append(False, heavy[:-1])
        inner = [i for i in range(low + 1, high) if heavy[i] or i % 3 == 0]
        edge = edge[[low, *inner, high]]
        fine = np.concatenate(
            [np.linspace(a, b, steps + 1)[:-1] for a, b in itertools.pairwise(edge)] + [edge[-1:]]
        )
        x, w = np.polynomial.legendre.leggauss(8)
        half, centre = 0.5 * np.diff(fine), 0.5 * (fine[1:] + fine[:-1])
        value = log_density((centre[:, None] + half[:, None] * x).ravel())
        density = np.exp(value - value.max()).reshape(-1, 8)
        parts = (density @ w) * half
        below = np.concatenate([[0.0], np.cumsum(parts)])
        at = int(np.searchsorted(below, cl * below[-1])) - 1
        series = np.polynomial.legendre.Legendre.fit(x, density[at], 7, domain=[-1, 1]).integ()
        wanted = (cl * below[-1] - below[at]) / half[at] + series(-1.0)
        root = optimize.brentq(lambda t: series(t) - wanted, -1.0, 1.0, xtol=1e-14)
        return float(centre[at] + half[at] * root)

    def closed(self, cl: float, panels: int, nodes: int) -> float:
        """Limit of one bin: the integral over the signal strength is a gamma function."""
        points, log_weight = _grid(self.edges(panels), nodes)
        (signal,), (background,), log_prior = self.rates(points)
        weight = np.exp(log_prior + log_weight - (log_prior + log_weight).max())
        good = (signal > 0.0) & (weight > 0.0)
        signal, background, weight = signal[good], background[good], weight[good]
        n = self.case.counts[0]
        # What is left at no signal is the most that a point ever adds.
        most = weight * special.gammaincc(n + 1.0, np.maximum(background, 0.0)) / signal
        good = most > most.sum() * math.exp(-_NOTHING)
        signal, background, weight = signal[good], background[good], weight[good]

        def beyond(limit: float) -> float:
            rate = np.maximum(limit * signal + background, 0.0)  # no negative total is possible
            tail = special.gammaincc(n + 1.0, rate) / signal
            return float(np.sum(weight * tail))

        whole = beyond(0.0)
        if not whole > 1e-200:
            return math.nan
        top = self.scale
        while beyond(top) > 0.5 * (1.0 - cl) * whole:
            top *= 2.0
        return float(
            optimize.brentq(lambda u: beyond(u) / whole - (1.0 - cl), 0.0, top, xtol=1e-13 * top)
        )

    def limit(self, cl: float) -> float | None:
        """Credible limit, or None where the resolutions of the reference do not agree."""
        d = len(self.coordinates)
        sizes = {1: ((30, 10), (52, 10), (120, 10)), 2: ((6, 8), (9, 9), (16, 10))}.get(
            d, ((3, 9), (5, 9))
        )
        one_bin = len(self.case.counts) == 1
        before = math.nan
        for number, (panels, nodes) in enumerate(sizes):
            here = self.closed(cl, panels, nodes) if one_bin else math.nan
            if math.isnan(here):
                here = self.marginal(cl, panels, nodes, 2 + number)
            if abs(here - before) <= AGREED * here:
                return here
            before = here
        return None


def model_of(one: Case) -> HistFactoryModel:
    """Compile it."""
    return compile_workspace(read_workspace(json.dumps(one.document).encode()))


def examined(seed: int, index: int, engines: tuple[str, ...], cl: float) -> Record:
    """One model: the reference beside what each engine says."""
    one = case(seed, index)
    record: Record = {"index": index, "model": one.label, "exact": None, "engines": {}}
    started = time.perf_counter()
    with np.errstate(all="ignore"):
        try:
            exact = Reference(one).limit(cl)
        except OverflowError:
            exact = None
    record |= {"exact": exact, "reference_seconds": time.perf_counter() - started}
    model = model_of(one)
    for name in engines:
        started = time.perf_counter()
        said: Record = {"limit": None, "error": 0.0, "reason": None}
        try:
            bench = Bench(
                model=model,
                nuisances=NuisancePriors().resolve(model),
                prior=Flat().bind(model),
                cl=cl,
                seed=index,
                expected="none",
                options=FitOptions(threads=1),  # nothing depends on it but the time
                nuts=NutsOptions(enough_steps=NUTS_STEPS),
            )
            answer = RUNNERS[name](bench).answer
            said = {
                "limit": answer.limit if answer.certified else None,
                "error": answer.error,
                "reason": answer.reason,
                "warning": imprecision(name, answer.limit, answer.error),
            }
        except DarkstatsError as error:
            said["reason"] = f"{type(error).__name__}: {error}"
        record["engines"][name] = {**said, "seconds": time.perf_counter() - started}
    return record


def summary(records: list[Record], name: str) -> Record:
    """How one engine did."""
    rows = [(r, r["engines"][name]) for r in records if name in r["engines"]]
    known = [(r, e) for r, e in rows if r["exact"] is not None]
    answered = [(r, e) for r, e in known if e["limit"] is not None]
    off = np.array([abs(e["limit"] / r["exact"] - 1.0) for r, e in answered])
    ratio = np.array(
        [abs(e["limit"] - r["exact"]) / (e["error"] + AGREED * r["exact"]) for r, e in answered]
    )
    warned = np.array([e.get("warning") is not None for _, e in answered], dtype=bool)
    seconds = [e["seconds"] for _, e in rows]
    worst = np.argsort(-np.where(np.isfinite(ratio), ratio, np.inf))[:10]
    return {
        "models": len(rows),
        "reference": len(known),
        "answered": len(answered),
        "refused": len(known) - len(answered),
        "refused_without_reference": sum(e["limit"] is None for r, e in rows if r["exact"] is None),
        "within": int(np.count_nonzero(ratio <= ALLOWED)),
        "warned": int(np.count_nonzero(warned)),
        "wrong": int(np.count_nonzero((off > WRONG) & ~warned)),
        "largest_ratio": float(ratio.max(initial=0.0)),
        "ratio_rms": float(np.sqrt(np.mean(ratio**2))) if len(ratio) else 0.0,
        "largest_difference": float(off.max(initial=0.0)),
        "largest_difference_without_warning": float(off[~warned].max(initial=0.0)),
        "median_error": float(np.median([e["error"] / e["limit"] for _, e in answered] or [0.0])),
        "median_seconds": float(np.median(seconds or [0.0])),
        "largest_seconds": float(max(seconds, default=0.0)),
        "worst": [
            {
                "model": f"{answered[i][0]['index']}: {answered[i][0]['model']}",
                "exact": answered[i][0]["exact"],
                "limit": answered[i][1]["limit"],
                "error": answered[i][1]["error"],
            }
            for i in worst.tolist()
        ],
        "reasons": _reasons(e["reason"] for _, e in known if e["limit"] is None),
    }


def _reasons(texts: Any) -> dict[str, int]:
    found: dict[str, int] = {}
    for text in texts:
        word = "".join(c for c in str(text).split(":")[0] if not c.isdigit())[:60]
        found[word] = found.get(word, 0) + 1
    return dict(sorted(found.items(), key=lambda pair: -pair[1])[:8])


def passes(row: Record) -> bool:
    """Whether an engine keeps what it claims."""
    return row["wrong"] == 0 and row["within"] >= 0.99 * row["answered"]


PAGE = """<!-- diataxis: explanation -->
# Claimed errors of credible limits

Is a claimed error one? {models:,} random counting models, made by

```console
$ python -m tests.peers.claimed_errors --first {first} --models {models} --output docs/studies/claimed-errors
```

One to four bins, 0 to 1,000 events, one or two uncertainties of 1 % to 100 %: normsys, histosys (up
to 20 %, 10 % on the signal), shapesys, staterror and lumi, of the signal, of the background, of both, in the same and in
opposite directions. The reference is a nested integral with a likelihood of its own, in closed form over
the signal strength where there is one bin; it counts where two of its resolutions agree to one millionth
({unsettled} models do not reach that,
or have data so far from the model that a nuisance parameter leaves ±14 standard deviations). Limits are at {cl:.0%}, with a flat prior. An error is kept if the
limit lies within three times of it (and the millionth of the reference). NUTS is run on every
{every}th model only: it is slow, and given {steps:,} leapfrog steps
where it takes 500,000 by default, so that most of its answers carry a warning. An answer whose claimed error is larger than 0.3 % carries a warning that
names it.

| engine | models | answered | refused | error kept | largest, rms in errors | with a warning | off by more than 1 % without one | largest difference without one | median claimed error | median time | longest |
|---|---|---|---|---|---|---|---|---|---|---|---|
{rows}

A model takes about one second of
a core; with `--log FILE` each one is kept in FILE, and a run that was cut goes on from there. These ran on a machine with
other work, which the times show. Of the models without a
settled reference {without} were refused by the engines of the
table, in its order.

The study pays for itself. An earlier run had models 0 to 1,064, of which these are the continuation. Its model 320 (5, 20, 758 and 780 events, hardly any background, luminosity 22 %) had 114.2101
printed with an error of 1e−7, by quadrature and, 0.0075, by Laplace, where 114.1490 is right: both took the range of the
signal strength from the same look, which ended it too soon. Ends are looked at now, and what may lie before the first panel
enters the error as what lies beyond the last. Its model 282 (171 and 5 events over 10, a factor of 1.41 that acts on signal
and background in opposite directions) was refused as a posterior that cannot be normalised: fits had ended in another mode.

Errors of NUTS are standard deviations: of a normal law three in a thousand lie beyond three, and the rms is 1.
Engines that refuse say why; `--engine auto` then asks the next one. The record beside this page has the
reasons with their numbers, and for each engine the models that come closest to breaking its word.
"""  # noqa: E501 -- a page of Markdown


def page(record: Record) -> str:
    """The page in Markdown."""
    rows = [
        f"| {name} | {row['reference']} | {row['answered']} | {row['refused']} | "
        f"{row['within']} ({row['within'] / max(row['answered'], 1):.2%}) | "
        f"{row['largest_ratio']:.2f}, {row['ratio_rms']:.2f} | {row['warned']} | "
        f"{row['wrong']} | {row['largest_difference_without_warning']:.2g} | "
        f"{row['median_error']:.1g} | "
        f"{row['median_seconds']:.2g} s | {row['largest_seconds']:.2g} s |"
        for name, row in record["engines"].items()
    ]
    return PAGE.format(
        models=record["models"],
        first=record["first"],
        unsettled=record["unsettled"],
        every=record["nuts_every"],
        steps=NUTS_STEPS,
        without=", ".join(
            str(row["refused_without_reference"]) for row in record["engines"].values()
        ),
        cl=record["cl"],
        rows="\n".join(rows).replace("%)", " %)").replace("e-", "e−"),
    )


def _one(task: tuple[int, int, tuple[str, ...], float]) -> Record:
    return examined(*task)


def main() -> int:
    """Run the models and write the record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--nuts-every", type=int, default=15)
    parser.add_argument("--engines", default="quadrature,laplace,nuts")
    parser.add_argument("--output", type=Path, default=Path("claimed-errors"))
    parser.add_argument("--log", type=Path, help="keep each model there, and go on from it")
    asked = parser.parse_args()
    engines = tuple(asked.engines.split(","))
    records: dict[int, Record] = {}
    if asked.log and asked.log.exists():
        lines = asked.log.read_text("utf-8").splitlines()
        records = {one["index"]: one for one in map(json.loads, lines)}
    tasks = [
        (
            asked.seed,
            i,
            tuple(e for e in engines if e != "nuts" or i % asked.nuts_every == 0),
            0.9,
        )
        for i in range(asked.first, asked.first + asked.models)
        if i not in records
    ]
    with multiprocessing.get_context("spawn").Pool(asked.workers) as pool:
        for one in pool.imap_unordered(_one, tasks):
            records[one["index"]] = one
            if asked.log:
                with asked.log.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(one) + "\n")
    chosen = [records[i] for i in sorted(records)]
    record: Record = {
        "schema": "darkstats.claimed-errors/1",
        "models": len(chosen),
        "first": min(records, default=asked.first),
        "seed": asked.seed,
        "cl": 0.9,
        "nuts_every": asked.nuts_every,
        "unsettled": sum(one["exact"] is None for one in chosen),
        "engines": {name: summary(chosen, name) for name in engines},
    }
    text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    asked.output.with_suffix(".json").write_text(text, "utf-8")
    asked.output.with_suffix(".md").write_text(page(record), "utf-8")
    for name, row in record["engines"].items():
        told = {k: v for k, v in row.items() if k != "worst"}
        sys.stdout.write(f"{name}: {json.dumps(told, ensure_ascii=False)}\n")
    return 0 if all(passes(row) for row in record["engines"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
