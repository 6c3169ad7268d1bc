"""Likelihoods read from documents a second time, in NumPy and SciPy alone.

Nothing here imports darkstats. Derivatives come from complex steps, so that a formula is written
once, as it stands in the papers; only the values have to be right.
"""

from __future__ import annotations

import ast
import functools
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import erf

Array = npt.NDArray[Any]
Document = dict[str, Any]

STEP = 1e-100  # of the imaginary part: so small that its square vanishes
RANGE = (-5.0, 5.0)
GAMMA_RANGE = (1e-10, 10.0)


@dataclass(frozen=True, slots=True)
class Data:
    """Counts [bin] or events, and auxiliary data [par]; of events also weights and a reference."""

    counts: Array
    auxdata: Array
    weights: Array | None = None
    reference: Array | None = None
    total: float = 0.0


class Likelihood:
    """What the two kinds share: parameters, ranges, constraint terms.

    ``kinds`` is "none", "gaussian" or "poisson" for each parameter; ``widths`` the standard
    deviation, or the number of auxiliary events.
    """

    names: list[str]
    lower: Array
    upper: Array
    inits: Array
    fixed: npt.NDArray[np.bool_]
    kinds: list[str]
    widths: Array
    auxdata: Array
    poi: int
    observed: Data

    def constraint(self, theta: Array, auxdata: Array) -> tuple[float, Array]:
        """Minus logarithm of the constraint terms, 0 at its minimum, and its gradient [par]."""
        value, gradient = 0.0, np.zeros(len(theta))
        for p, kind in enumerate(self.kinds):
            if kind == "gaussian" and not self.fixed[p]:
                pull = (theta[p] - auxdata[p]) / self.widths[p]
                value += 0.5 * pull * pull
                gradient[p] += pull / self.widths[p]
            elif kind == "poisson" and not self.fixed[p]:
                mean = self.widths[p] * theta[p]
                value += float(poisson_terms(np.array([mean]), np.array([auxdata[p]]))[0])
                gradient[p] += self.widths[p] * (1.0 - auxdata[p] / mean)
        return value, gradient

    def value(self, theta: Array, data: Data) -> float:
        """Minus the logarithm of the likelihood ratio; infinite where there is no likelihood."""
        raise NotImplementedError

    def derivatives(self, theta: Array, data: Data) -> tuple[Array, Array]:
        """Its gradient [par] and Hessian [par, par]."""
        raise NotImplementedError

    def asimov(self, theta: Array) -> Data:
        """Data that agree with ``theta`` exactly."""
        raise NotImplementedError

    def natural_scale(self) -> float:
        """Signal strength that makes a difference of about one standard deviation, roughly."""
        raise NotImplementedError


def poisson_terms(mean: Array, n: Array) -> Array:
    """Half a Poisson deviance in each bin, without cancellation; infinite where impossible."""
    with np.errstate(all="ignore"):
        seen = n > 0.0
        d = np.where(seen, (mean - n) / np.where(seen, n, 1.0), 0.0)
        small = np.abs(d) < 1e-3
        series = d * d * (0.5 + d * (-1.0 / 3.0 + d * (0.25 + d * (-0.2 + d / 6.0))))
        exact = d - np.log1p(np.where(d > -1.0, d, 0.0))
        terms = np.where(small, series, exact)
        terms = np.where(d > -1.0, terms, np.inf)
        result: Array = np.where(seen, n * terms, np.maximum(mean, 0.0))
    return result


# --------------------------------------------------------------------------- HistFactory


def _code4(hi: float, lo: float) -> Array:
    """Coefficients of the polynomial that joins both exponentials with two derivatives."""
    up, down = math.log(hi), math.log(lo)
    powers = np.arange(1, 7)
    rows = [
        np.ones(6),
        (-1.0) ** powers,
        powers * 1.0,
        powers * (-1.0) ** (powers - 1),
        powers * (powers - 1.0),
        powers * (powers - 1.0) * (-1.0) ** powers,
    ]
    wanted = [hi - 1.0, lo - 1.0, hi * up, -lo * down, hi * up * up, lo * down * down]
    return np.linalg.solve(np.array(rows), np.array(wanted))


class BinnedLikelihood(Likelihood):
    """A HistFactory workspace: its first measurement, with pyhf's defaults."""

    def __init__(self, document: Document) -> None:
        config = document["measurements"][0]["config"]
        given = {entry["name"]: entry for entry in config["parameters"]}
        self.channels = document["channels"]
        self.sizes = [len(channel["samples"][0]["data"]) for channel in self.channels]
        self.starts = np.concatenate([[0], np.cumsum(self.sizes)]).astype(int)
        rows: dict[str, list[Any]] = {}  # set -> [kind, init, range, fixed, constraint, width, aux]
        self.first: dict[str, int] = {}
        table: list[tuple[Any, ...]] = []
        self.offset: dict[tuple[str, int], int] = {}  # staterror: set, channel -> member
        for name, places in self._by_name().items():
            kind = places[0][2]["type"]
            settings = given.get(name, {})
            rows[name] = self._members(name, kind, places)
            if "inits" in settings:
                for row, value in zip(rows[name], settings["inits"], strict=True):
                    row[0] = value
            if "bounds" in settings:
                for row, ends in zip(rows[name], settings["bounds"], strict=True):
                    row[1] = tuple(ends)
            if settings.get("fixed"):
                for row in rows[name]:
                    row[2] = True
            if "auxdata" in settings:
                for row, value in zip(rows[name], settings["auxdata"], strict=True):
                    row[5] = value
            if "sigmas" in settings:
                for row, value in zip(rows[name], settings["sigmas"], strict=True):
                    row[4] = value
            self.first[name] = len(table)
            table += [(name, *row) for row in rows[name]]
        self.names = [row[0] for row in table]
        self.inits = np.array([row[1] for row in table], dtype=float)
        self.lower = np.array([row[2][0] for row in table], dtype=float)
        self.upper = np.array([row[2][1] for row in table], dtype=float)
        self.fixed = np.array([row[3] for row in table], dtype=bool)
        self.kinds = [row[4] for row in table]
        self.widths = np.array([row[5] for row in table], dtype=float)
        self.auxdata = np.array([row[6] for row in table], dtype=float)
        self.poi = self.first[config["poi"]]
        self.samples = self._compiled()
        code = {"none": 0, "gaussian": 1, "poisson": 2}
        self.codes = np.array(
            [0 if f else code[k] for k, f in zip(self.kinds, self.fixed, strict=True)]
        )
        seen = {entry["name"]: entry["data"] for entry in document["observations"]}
        counts = np.concatenate([seen[channel["name"]] for channel in self.channels]).astype(float)
        self.observed = Data(counts, self.auxdata)

    def _by_name(self) -> dict[str, list[tuple[int, Any, Any]]]:
        found: dict[str, list[tuple[int, Any, Any]]] = {}
        for c, channel in enumerate(self.channels):
            for sample in channel["samples"]:
                for modifier in sample["modifiers"]:
                    found.setdefault(modifier["name"], []).append((c, sample, modifier))
        return found

    def _members(self, name: str, kind: str, places: list[tuple[int, Any, Any]]) -> list[list[Any]]:
        """Rows [init, range, fixed, constraint, width, auxiliary datum] of a parameter set."""
        if kind == "normfactor":
            return [[1.0, (0.0, 10.0), False, "none", 1.0, 0.0]]
        if kind == "lumi":
            return [[1.0, (0.0, 10.0), False, "gaussian", 1.0, 1.0]]
        if kind in ("normsys", "histosys"):
            return [[0.0, RANGE, False, "gaussian", 1.0, 0.0]]
        c, sample, modifier = places[0]
        if kind == "shapefactor":
            return [[1.0, (0.0, 10.0), False, "none", 1.0, 0.0] for _ in sample["data"]]
        if kind == "shapesys":
            pairs = list(zip(sample["data"], modifier["data"], strict=True))
            good = [y > 0.0 and e > 0.0 for y, e in pairs]
            tau = [(y / e) ** 2 if ok else 1.0 for (y, e), ok in zip(pairs, good, strict=True)]
            return [
                [1.0, GAMMA_RANGE, not ok, "poisson", t, t] for ok, t in zip(good, tau, strict=True)
            ]
        members: list[list[Any]] = []
        for c in sorted({place[0] for place in places}, key=lambda c: self.channels[c]["name"]):
            own = [place for place in places if place[0] == c]
            total = sum(np.array(place[1]["data"], dtype=float) for place in own)
            error = np.sqrt(sum(np.array(place[2]["data"], dtype=float) ** 2 for place in own))
            self.offset[name, c] = len(members)
            for t, e in zip(total, error, strict=True):
                width = e / t if t > 0.0 else 0.0
                members.append([1.0, GAMMA_RANGE, width == 0.0, "gaussian", width or 1.0, 1.0])
        return members

    def _compiled(self) -> tuple[Array, Array, Array, Array]:
        """Tables for :mod:`tests.peers.plain_rates`."""
        codes = {"normfactor": 0, "lumi": 0, "normsys": 1, "histosys": 2}
        samples, nominal, steps, numbers = [], [], [], []
        for c, channel in enumerate(self.channels):
            for sample in channel["samples"]:
                first = len(steps)
                for modifier in sample["modifiers"]:
                    kind, at = modifier["type"], self.first[modifier["name"]]
                    data = modifier.get("data")
                    at += self.offset.get((modifier["name"], c), 0)
                    steps.append((codes.get(kind, 3), at, len(numbers)))
                    if kind == "normsys":
                        numbers += [*_code4(data["hi"], data["lo"]), data["hi"], data["lo"]]
                    elif kind == "histosys":
                        numbers += [*data["hi_data"], *data["lo_data"]]
                ends = (self.starts[c], self.starts[c + 1], len(nominal), first, len(steps))
                samples.append(ends)
                nominal += sample["data"]
        return (
            np.array(samples, dtype=np.int64),
            np.array(nominal, dtype=float),
            np.array(steps, dtype=np.int64).reshape(-1, 3),
            np.array(numbers, dtype=float),
        )

    def rates(self, points: Array) -> Array:
        """Expected counts [point, bin] at ``points`` [point, par]."""
        from tests.peers.plain_rates import rates

        n_bins = int(self.starts[-1])
        return np.array([rates(point, *self.samples, n_bins, 0)[0] for point in points])

    stiffness = 1e10  # of the wall that keeps the rates of bins without events at zero

    def _objective(self, theta: Array, data: Data, order: int) -> tuple[float, Array, Array]:
        from tests.peers.plain_rates import objective

        found: tuple[float, Array, Array] = objective(
            theta,
            data.counts,
            data.auxdata,
            self.codes,
            self.widths,
            self.stiffness,
            *self.samples,
            order,
        )
        return found

    def value(self, theta: Array, data: Data) -> float:
        return self._objective(theta, data, 0)[0]

    def derivatives(self, theta: Array, data: Data) -> tuple[Array, Array]:
        return self._objective(theta, data, 2)[1:]

    def asimov(self, theta: Array) -> Data:
        rates = np.maximum(self.rates(theta[None, :])[0], 0.0)
        aux = np.where([kind == "poisson" for kind in self.kinds], self.widths * theta, theta)
        return Data(rates, np.where([kind == "none" for kind in self.kinds], 0.0, aux))

    def natural_scale(self) -> float:
        points = np.repeat(self.inits[None, :], 2, axis=0)
        points[0, self.poi], points[1, self.poi] = 0.0, 1.0
        off, on = self.rates(points)
        signal = np.abs(on - off)
        total = math.sqrt(float((signal**2 / np.maximum(off, 1.0)).sum()))
        return 1.0 / total if total > 0.0 else 1.0


# --------------------------------------------------------------------------- HS3, unbinned

_OPERATIONS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_CALLS = {"exp": np.exp, "log": np.log, "sqrt": np.sqrt, "sin": np.sin, "cos": np.cos, "erf": erf}


def evaluate(text: str, values: dict[str, Any]) -> Any:
    """Value of an arithmetic expression whose names are ``values``."""

    def of(node: ast.AST) -> Any:
        if isinstance(node, ast.Constant):
            return float(node.value)  # type: ignore[arg-type]
        if isinstance(node, ast.Name):
            return values[node.id]
        if isinstance(node, ast.BinOp):
            return _OPERATIONS[type(node.op)](of(node.left), of(node.right))  # type: ignore[index]
        if isinstance(node, ast.UnaryOp):
            return -of(node.operand) if isinstance(node.op, ast.USub) else of(node.operand)
        assert isinstance(node, ast.Call)
        assert isinstance(node.func, ast.Name)
        return _CALLS[node.func.id](of(node.args[0]))

    return of(_parsed(text))


@functools.cache
def _parsed(text: str) -> ast.AST:
    return ast.parse(text.replace("^", "**"), mode="eval").body


def _complex_erf(z: Array) -> Array:
    """Error function of a nearly real argument: by its derivative in the imaginary direction."""
    slope = 2.0 / math.sqrt(math.pi) * np.exp(-(z.real**2))
    return erf(z.real) + 1j * z.imag * slope


class UnbinnedLikelihood(Likelihood):
    """One analysis of an HS3 document with one channel of events in one observable."""

    def __init__(self, document: Document, events: Array | None = None) -> None:
        analysis = document["analyses"][0]
        by_name = {item["name"]: item for item in document["distributions"]}
        likelihood = next(
            item for item in document["likelihoods"] if item["name"] == analysis["likelihood"]
        )
        self.by_name = by_name
        self.functions = list(document["functions"])
        self.mixture = by_name[likelihood["distributions"][0]]
        data = next(i for i in document["data"] if i["name"] == likelihood["data"][0])
        self.observable = data["axes"][0]["name"]
        self.low, self.high = data["axes"][0]["min"], data["axes"][0]["max"]
        if events is None:
            events = np.array([entry[0] for entry in data["entries"]], dtype=float)
        self.events = events
        ranges = {
            axis["name"]: (axis.get("min", -np.inf), axis.get("max", np.inf))
            for domain in document["domains"]
            if domain["name"] in analysis["domains"]
            for axis in domain["axes"]
        }
        point = next(i for i in document["parameter_points"] if i["name"] == analysis["init"])
        values = {entry["name"]: entry for entry in point["parameters"]}
        self.names = [name for name in values if name in ranges]
        self.constants = {n: e["value"] for n, e in values.items() if n not in ranges}
        self.inits = np.array([values[name]["value"] for name in self.names], dtype=float)
        self.lower = np.array([ranges[name][0] for name in self.names], dtype=float)
        self.upper = np.array([ranges[name][1] for name in self.names], dtype=float)
        n = len(self.names)
        self.fixed = np.array([bool(values[name].get("const")) for name in self.names])
        self.kinds, self.widths, self.auxdata = ["none"] * n, np.ones(n), np.zeros(n)
        for name in likelihood.get("aux_distributions", ()):
            item = by_name[name]
            p = self.names.index(item["mean"])
            self.kinds[p] = "gaussian"
            self.widths[p] = item["sigma"]
            self.auxdata[p] = self.constants[item["x"]]
        self.poi = self.names.index(analysis["parameters_of_interest"][0])
        self.observed = Data(self.events, self.auxdata, np.ones(len(self.events)))
        self._columns: dict[str, Array] = {}
        self._still: dict[str, bool] = {}
        self._polynomials: dict[tuple[str, int, float, float], tuple[Array, Array]] = {}
        self._nodes, self._node_weights = self._quadrature()

    def _environment(self, points: Array) -> dict[str, Any]:
        values: dict[str, Any] = {k: np.full(len(points), v) for k, v in self.constants.items()}
        values |= {name: points[:, p] for p, name in enumerate(self.names)}
        for function in self.functions:
            values[function["name"]] = evaluate(function["expression"], values)
        return values

    @staticmethod
    def _number(what: Any, values: dict[str, Any], n: int) -> Array:
        return np.asarray(values[what]) if isinstance(what, str) else np.full(n, float(what))

    def _shape(self, name: str, values: dict[str, Any], x: Array, n: int) -> Array:
        """Density of one summand, normalised on the range: [point, event]."""
        item = self.by_name[name]
        kind, a, b = item["type"], self.low, self.high
        if kind == "uniform_dist":
            return np.full((n, len(x)), 1.0 / (b - a))
        if kind == "exponential_dist":
            c = self._number(item["c"], values, n)[:, None]
            z = c * (b - a)
            with np.errstate(all="ignore"):
                # integral of exp(-c (x - a)): series where the slope is small
                long = (1.0 - np.exp(-z)) / np.where(np.abs(c) > 0.0, c, 1.0)
                short = (b - a) * (1.0 - z / 2.0 * (1.0 - z / 3.0 * (1.0 - z / 4.0)))
            norm = np.where(np.abs(z) > 1e-3, long, short)
            result: Array = np.exp(-c * (x[None, :] - a)) / norm
            return result
        if kind == "gaussian_dist":
            mean = self._number(item["mean"], values, n)[:, None].astype(complex)
            sigma = self._number(item["sigma"], values, n)[:, None].astype(complex)
            root = math.sqrt(2.0)
            norm = (
                0.5
                * sigma
                * math.sqrt(2.0 * math.pi)
                * (
                    _complex_erf((b - mean) / (root * sigma))
                    - _complex_erf((a - mean) / (root * sigma))
                )
            )
            return np.exp(-0.5 * ((x[None, :] - mean) / sigma) ** 2) / norm
        if kind == "histogram_dist":
            contents = np.array(item["data"]["contents"], dtype=float)
            edges = np.linspace(a, b, len(contents) + 1)
            heights = contents / contents.sum() / np.diff(edges)
            place = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, len(contents) - 1)
            return np.repeat(heights[place][None, :], n, axis=0)

        basis, names = self._basis(name)
        factors = [np.ones(n), *(self._number(c, values, n) for c in names)]
        key = (name, len(x), float(x[0]) if len(x) else 0.0, float(x[-1]) if len(x) else 0.0)
        if key not in self._polynomials:
            nodes, weights = np.polynomial.legendre.leggauss(40)
            t = 0.5 * (b - a) * nodes + 0.5 * (a + b)
            self._polynomials[key] = (basis(x), basis(t) @ (0.5 * (b - a) * weights))
        columns, integrals = self._polynomials[key]
        stacked = np.array(factors).T
        return (stacked @ columns) / (stacked @ integrals)[:, None]

    def _basis(self, name: str) -> tuple[Callable[[Array], Array], list[Any]]:
        """Columns [term, event] of a polynomial, and the coefficients of all but the first."""
        item = self.by_name[name]
        kind = item["type"]
        if kind == "generic_dist":
            floating = sorted(_words(item["expression"]) & set(self.names))

            def terms(t: Array) -> Array:
                def at(chosen: str | None) -> Array:
                    local: dict[str, Any] = {k: float(k == chosen) for k in floating}
                    local |= {**self.constants, self.observable: t}
                    return np.asarray(evaluate(item["expression"], local) + 0.0 * t)

                base = at(None)  # linear in its parameters, as the format asks
                return np.array([base, *(at(k) - base for k in floating)])

            return terms, list(floating)
        coefficients = item["coefficients"]
        degree = len(coefficients) - 1

        def powers(t: Array) -> Array:
            if kind == "polynomial_dist":
                rows = [t**k for k in range(degree + 1)]
            else:
                rows = [
                    math.comb(degree, k) * t**k * (1.0 - t) ** (degree - k)
                    for k in range(degree + 1)
                ]
            return np.array([np.zeros_like(t), *rows])

        return powers, list(coefficients)

    def _constant(self, name: str) -> bool:
        """Whether nothing that floats moves the shape."""
        if name not in self._still:
            self._still[name] = self._depends_on_nothing(name)
        return self._still[name]

    def _depends_on_nothing(self, name: str) -> bool:
        item = self.by_name[name]
        text = str({k: v for k, v in item.items() if k not in ("name", "type")})
        moving = [*self.names, *(f["name"] for f in self.functions)]
        return not any(word in moving for word in _words(text))

    def density(self, points: Array, x: Array, key: str = "") -> tuple[Array, Array]:
        """Density [point, event] and expected events [point] at ``points`` [point, par]."""
        values = self._environment(points)
        n = len(points)
        total = np.zeros((n, len(x)), dtype=complex)
        expected = np.zeros(n, dtype=complex)
        for name, coefficient in zip(
            self.mixture["summands"], self.mixture["coefficients"], strict=True
        ):
            amplitude = self._number(coefficient, values, n)
            known = f"{key}/{name}"
            if key and self._constant(name):
                if known not in self._columns:
                    self._columns[known] = self._shape(name, values, x, n)[:1].real
                shape = self._columns[known]
            else:
                shape = self._shape(name, values, x, n)
            total += amplitude[:, None] * shape
            expected += amplitude
        return total, expected

    def _quadrature(self) -> tuple[Array, Array]:
        """Nodes and weights on panels that end at the edges of histograms and around peaks."""
        edges = {self.low, self.high, *np.linspace(self.low, self.high, 11)}
        values = self._environment(self.inits[None, :])
        for item in self.by_name.values():
            if item["type"] == "histogram_dist":
                edges |= set(np.linspace(self.low, self.high, len(item["data"]["contents"]) + 1))
            if item["type"] == "gaussian_dist" and item["x"] == self.observable:
                mean = float(np.real(self._number(item["mean"], values, 1)[0]))
                sigma = float(np.real(self._number(item["sigma"], values, 1)[0]))
                edges |= {mean + k * sigma for k in np.arange(-9.0, 9.5, 1.0)}
            if item["type"] == "exponential_dist":
                c = abs(float(np.real(self._number(item["c"], values, 1)[0])))
                edges |= {
                    self.low + k / max(c, 1e-9) for k in np.arange(1.0, 40.0 if c > 20.0 else 1.0)
                }
        kept = np.array(sorted(e for e in edges if self.low <= e <= self.high))
        kept = kept[np.concatenate([[True], np.diff(kept) > 1e-12 * (self.high - self.low)])]
        nodes, weights = np.polynomial.legendre.leggauss(9)
        half = 0.5 * np.diff(kept)[:, None]
        middle = 0.5 * (kept[1:] + kept[:-1])[:, None]
        return (middle + half * nodes).ravel(), (half * weights).ravel()

    def _key(self, data: Data) -> str:
        return "data" if data is self.observed else "nodes" if data.reference is not None else ""

    def value(self, theta: Array, data: Data) -> float:
        density, expected = self.density(theta[None, :], data.counts, self._key(data))
        m = density[0].real
        assert data.weights is not None
        there = data.weights > 0.0
        if not (m[there] > 0.0).all() or not np.isfinite(m[there]).all():
            return math.inf
        penalty = self.constraint(theta, data.auxdata)[0]
        if data.reference is None:
            return float(expected[0].real - np.log(m).sum()) + penalty
        here, weights = data.reference[there], data.weights[there]
        with np.errstate(all="ignore"):
            ratio = m[there] / here
            d = ratio - 1.0
            series = d * d * (0.5 + d * (-1.0 / 3.0 + d * (0.25 - d * 0.2)))
            terms = weights * np.where(np.abs(d) < 1e-3, series, d - np.log(ratio))
            # where the reference all but vanishes, the ratio may be beyond any number
            apart = (m[there] - here) * self._node_weights[there]
            apart -= weights * (np.log(m[there]) - np.log(here))
            terms = np.where(ratio > 1e6, apart, terms)
        # expected minus its value at the reference, less the part that the terms hold already
        rest = (
            expected[0].real
            - data.total
            - float(((m - data.reference) * self._node_weights)[there].sum())
        )
        return float(terms.sum()) + rest + penalty

    def derivatives(self, theta: Array, data: Data) -> tuple[Array, Array]:
        steps = 1e-6 * np.maximum(np.abs(theta), 1e-2)
        points = np.vstack([theta, theta + np.diag(steps)])
        gradients = self._gradients(points, data)
        hessian = (gradients[1:] - gradients[0]) / steps[:, None]
        return gradients[0], 0.5 * (hessian + hessian.T)

    def _gradients(self, points: Array, data: Data) -> Array:
        """Gradients [point, par], each from complex steps in all parameters."""
        k, n = points.shape
        rows = (points[:, None, :] + 1j * STEP * np.eye(n)).reshape(k * n, n)
        density, expected = self.density(rows, data.counts, self._key(data))
        density = density.reshape(k, n, -1)
        m, slopes = density[:, 0].real, density.imag / STEP
        assert data.weights is not None
        pull = np.where(data.weights > 0.0, data.weights / m, 0.0)
        result = expected.imag.reshape(k, n) / STEP - np.einsum("kpe,ke->kp", slopes, pull)
        return result + [self.constraint(point, data.auxdata)[1] for point in points]

    def asimov(self, theta: Array) -> Data:
        density, expected = self.density(theta[None, :], self._nodes, "nodes")
        m = np.maximum(density[0].real, 0.0)
        aux = np.where([kind == "none" for kind in self.kinds], 0.0, theta)
        return Data(
            self._nodes,
            aux,
            m * self._node_weights,
            np.where(m > 0.0, m, 1.0),
            float(expected[0].real),
        )

    def natural_scale(self) -> float:
        points = np.repeat(self.inits[None, :], 2, axis=0)
        points[0, self.poi], points[1, self.poi] = 0.0, 1.0
        density, expected = self.density(points, self._nodes)
        off, on = density.real
        information = (on - off) ** 2 / np.maximum(np.abs(off), 1e-9 * max(off.max(), 1e-300))
        total = math.sqrt(float((information * self._node_weights).sum()))
        signal = abs(float((expected[1] - expected[0]).real))
        return 1.0 / max(min(total, 10.0 * signal), 1e-300)


def _words(text: str) -> set[str]:
    word, found = "", set()
    for letter in text + " ":
        if letter.isalnum() or letter == "_":
            word += letter
        else:
            found.add(word)
            word = ""
    return found


def likelihood_of(document: Document) -> Likelihood:
    """Likelihood of a workspace or of an HS3 document."""
    if "channels" in document:
        return BinnedLikelihood(document)
    return UnbinnedLikelihood(document)


__all__ = ["BinnedLikelihood", "Data", "Likelihood", "UnbinnedLikelihood", "likelihood_of"]
