"""HS3 analysis -> channels: every density as columns with amplitudes, ready for the kernel.

See :mod:`darkstats.model.unbinned.channels` for what comes out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from darkstats.errors import DocumentError
from darkstats.model.unbinned.bins import edges_of, numbers_of
from darkstats.model.unbinned.channels import Channel, Column, Component
from darkstats.model.unbinned.fixed import (
    Blend,
    Fixed,
    Flat,
    Histogram,
    Polynomial,
    Product,
    Shape,
    polynomial_of,
)
from darkstats.model.unbinned.formulas import Formula, number
from darkstats.model.unbinned.integrals import check_integral, check_shape
from darkstats.model.unbinned.linear_terms import (
    MOST_TERMS,
    NotLinearError,
    TooManyTermsError,
    collected_terms,
    linear_terms,
    polynomial_node,
)
from darkstats.model.unbinned.names import Names
from darkstats.model.unbinned.scalars import Scalar
from darkstats.model.unbinned.shapes import (
    CRYSTAL_BALL,
    EXPONENTIAL,
    GAUSSIAN,
    NO_TAIL,
    LogFactor,
)
from darkstats.workspace.hs3 import Hs3Channel, Hs3Document
from darkstats.workspace.hs3.expressions import (
    Binary,
    Name,
    Node,
    Number,
    names_of,
)

__all__ = ["compile_channel"]

Item = dict[str, Any]


#: Distributions that are taken apart for one channel, and how deep they may lie in each other.
_MOST_STEPS, _DEEPEST = 20_000, 40
_MOST_COLUMNS = 2000
#: Keys of the slots of each shape, and what has to be positive.
_SHAPES: Mapping[str, tuple[int, str, tuple[str, ...]]] = {
    "gaussian_dist": (GAUSSIAN, "x", ("mean", "sigma")),
    "crystalball_dist": (
        CRYSTAL_BALL,
        "m",
        ("m0", "sigma", "alpha", "n", "sigma", "", ""),
    ),
    "crystalball_doublesided_dist": (
        CRYSTAL_BALL,
        "m",
        ("m0", "sigma_L", "alpha_L", "n_L", "sigma_R", "alpha_R", "n_R"),
    ),
    "exponential_dist": (EXPONENTIAL, "x", ("c",)),
}


@dataclass(slots=True, eq=False)
class _Pieces:
    """A normalised density being put together: factors in different observables."""

    linear: list[tuple[tuple[Formula, Fixed], ...]]
    shapes: list[LogFactor]


class _Compiler:
    """Compiles the distribution of one channel."""

    def __init__(self, document: Hs3Document, names: Names, channel: Hs3Channel) -> None:
        self.document, self.names, self.channel = document, names, channel
        self.observables = tuple(axis[0] for axis in channel.axes)
        self.ranges = tuple((low, high) for _, low, high in channel.axes)
        self._inside: list[str] = []
        self._steps = 0

    @contextmanager
    def inside(self, item: Item) -> Iterator[None]:
        """Take a distribution apart: none is a part of itself, and there is an end."""
        name = item["name"]
        if name in self._inside:
            way = " -> ".join([*self._inside[self._inside.index(name) :], name])
            raise self.names.error(f"distribution {name!r} is a part of itself: {way}")
        self._steps += 1
        if self._steps > _MOST_STEPS or len(self._inside) >= _DEEPEST:
            raise self.names.error(
                f"channel {self.channel.name!r} has more than {_MOST_STEPS} parts, or more than "
                f"{_DEEPEST} distributions within each other",
                "make the channel one mixture of simple parts",
            )
        self._inside.append(name)
        yield
        self._inside.pop()

    def dim(self, item: Item, key: str) -> int:
        name = item.get(key)
        if name not in self.observables:
            raise self.names.error(
                f"distribution {item['name']!r} is one of {name!r}, which is no axis of the data",
                f"the axes are {', '.join(self.observables)}",
            )
        return self.observables.index(str(name))

    def parts(self, item: Item, weight: Node, *, extended: bool) -> list[tuple[str, Node, Item]]:
        """Summands with their yields, mixtures taken apart where they carry parameters."""
        with self.inside(item):
            return self._parts(item, weight, extended=extended)

    def _parts(self, item: Item, weight: Node, *, extended: bool) -> list[tuple[str, Node, Item]]:
        if item["type"] != "mixture_dist":
            if not extended:
                raise self.names.error(
                    f"{item['name']!r} is not extended: it has a shape, but no expected events",
                    'make the channel a mixture_dist with "extended": true and one yield each',
                )
            return [(item["name"], weight, item)]
        summands, coefficients = item.get("summands") or [], item.get("coefficients") or []
        if not summands:
            raise self.names.error(f"mixture {item['name']!r} has no summands")
        if len(summands) == len(coefficients):
            if extended:
                total: Node = self.names.reference(coefficients[0])
                for one in coefficients[1:]:
                    total = Binary("+", total, self.names.reference(one))
                weight = Binary("/", weight, total)
            elif not item.get("extended"):
                raise self.names.error(f"{item['name']!r} has as many fractions as parts")
            weights = [Binary("*", self.names.reference(c), weight) for c in coefficients]
        elif len(summands) == len(coefficients) + 1 and extended:
            rest: Node = Number(1.0)
            for one in coefficients:
                rest = Binary("-", rest, self.names.reference(one))
            weights = [Binary("*", self.names.reference(c), weight) for c in coefficients]
            weights.append(Binary("*", rest, weight))
        else:
            raise self.names.error(
                f"{item['name']!r} has {len(summands)} parts and {len(coefficients)} coefficients, "
                "and is not extended",
                'give every part a yield, and "extended": true',
            )
        found = []
        for name, one in zip(summands, weights, strict=True):
            part = self.document.item("distributions", name)
            if part["type"] == "mixture_dist" and self.constant(part) is None:
                found += self.parts(part, one, extended=True)
            else:
                found.append((name, one, part))
        return found

    def constant(self, item: Item) -> Fixed | None:
        """The density as a function without parameters, or None where it has some."""
        kind = item["type"]
        if kind == "mixture_dist":
            weights, parts = [], []
            for _, weight, part in self.parts(item, Number(1.0), extended=True):
                function = self.constant(part)
                formula = self.names.of(weight, f"the fraction of {part['name']!r}")
                if function is None or not formula.is_constant:
                    return None
                check_integral(self.names, self.channel.axes, part["name"], ((formula, function),))
                weights.append(number(formula))
                parts.append(function)
            return Blend(tuple(weights), tuple(parts))
        pieces = self.pieces(item)
        if pieces.shapes:
            return None
        functions = []
        for factor in pieces.linear:
            if not all(coefficient.is_constant for coefficient, _ in factor):
                return None
            functions.append(_joined(factor))
        if len(functions) == 1:
            return functions[0]
        return Product(tuple(functions)) if functions else Flat()

    def pieces(self, item: Item) -> _Pieces:
        """Factors of a density that is no mixture."""
        with self.inside(item):
            return self._pieces(item)

    def _pieces(self, item: Item) -> _Pieces:
        kind, name = item["type"], item["name"]
        one = self.names.of(Number(1.0))
        if kind in _SHAPES:
            op, axis, keys = _SHAPES[kind]
            dim = self.dim(item, axis)
            slots = []
            for n, key in enumerate(keys):
                if key and key not in item:
                    raise self.names.error(f"{kind} {name!r} has no {key}")
                value = item[key] if key else (NO_TAIL if n == 5 else 2.0)
                slots.append(self.names.formula(value, f"{key} of {name!r}"))
            low, high = self.ranges[dim]
            factor = LogFactor(op=op, dim=dim, low=low, high=high, slots=tuple(slots))
            self.check_slots(item, keys, factor)
            if factor.is_constant:
                return _Pieces([((one, Shape(factor)),)], [])
            return _Pieces([], [factor])
        if kind == "uniform_dist":
            axes = item.get("x") or []
            axes = axes if isinstance(axes, list) else [axes]
            for axis in axes:
                self.dim({"name": name, "x": axis}, "x")
            flat = [
                ((one, Polynomial(d, *self.ranges[d], (1.0,))),)
                for d in sorted(self.observables.index(a) for a in axes)
            ]
            return _Pieces(list(flat), [])
        if kind in ("polynomial_dist", "bernstein_poly_dist", "generic_dist"):
            return _Pieces([self.expression(item)], [])
        if kind == "histogram_dist":
            return _Pieces([((one, self.histogram(item)),)], [])
        if kind == "product_dist":
            found = _Pieces([], [])
            used: set[int] = set()
            for factor_name in item.get("factors") or []:
                part = self.document.item("distributions", factor_name)
                if part["type"] == "mixture_dist":
                    function = self.constant(part)
                    if function is None:
                        raise self.names.error(
                            f"product {name!r} has the mixture {factor_name!r} with floating "
                            "parameters as a factor",
                            "make the channel a mixture of products instead",
                        )
                    more = _Pieces([((one, function),)], [])
                else:
                    more = self.pieces(part)
                dims = {d for f in more.linear for _, g in f for d in g.dims}
                dims.update(s.dim for s in more.shapes)
                if dims & used:
                    raise self.names.error(
                        f"product {name!r} has two factors in one observable: their product has "
                        "no closed normalisation",
                        "write it as one generic_dist",
                    )
                used |= dims
                found.linear += more.linear
                found.shapes += more.shapes
            return found
        raise self.names.error(
            f"distribution {name!r} is of type {kind!r}, which the unbinned layer does not read",
            f"it reads {', '.join(sorted([*_SHAPES, *_OTHERS]))}",
        )

    def check_slots(self, item: Item, keys: Sequence[str], factor: LogFactor) -> None:
        """Widths, alphas and exponents that are numbers have to be positive."""
        for key, slot in zip(keys, factor.slots, strict=True):
            if not slot.is_constant or not key or key in ("mean", "m0", "c"):
                continue
            if not number(slot) > 0.0:
                raise self.names.error(
                    f"{item['type']} {item['name']!r} has {key} = {number(slot):g}: readers "
                    "disagree on what that means",
                    "give a positive number; a tail at high mass is a double-sided Crystal Ball",
                )

    def histogram(self, item: Item) -> Histogram:
        """A template on the axis of the channel."""
        label = f"histogram {item['name']!r}"
        data = item.get("data")
        data = data if isinstance(data, dict) else {}
        # HS3 has the axes within the data; files that declare them as other distributions do exist.
        axes, contents = data.get("axes", item.get("axes")), data.get("contents")
        if item.get("axes", axes) != axes:
            raise self.names.error(f"{label} has axes of its own that are not those of its data")
        if not isinstance(axes, list) or len(axes) != 1 or not isinstance(axes[0], dict):
            raise self.names.error(f"{label} needs one axis", "write data.axes with one object")
        axis = axes[0]
        dim = self.dim({"name": item["name"], "x": axis.get("name")}, "x")
        edges = edges_of(axis, label, self.names)
        values = numbers_of(contents, f"{label} has the content", self.names)
        low, high = self.ranges[dim]
        if len(edges) != len(values) + 1 or abs(edges[0] - low) + abs(edges[-1] - high) > 1e-9 * (
            high - low
        ):
            raise self.names.error(f"{label} does not cover the range of {axis.get('name')!r}")
        if min(values) < 0.0 or not sum(values) > 0.0:
            raise self.names.error(f"{label} is no density: contents below 0")
        return Histogram(dim, np.array(edges), np.array(values))

    def expression(self, item: Item) -> tuple[tuple[Formula, Fixed], ...]:
        """A density that is linear in coefficients of parameters."""
        kind, name = item["type"], item["name"]
        if kind == "generic_dist":
            node = self.names.inlined(self.names.parsed(item), self.observables)
        else:
            axis = item.get("x")
            dim = self.dim(item, "x")
            coefficients = [self.names.reference(c) for c in item.get("coefficients") or []]
            if not coefficients:
                raise self.names.error(f"{kind} {name!r} has no coefficients")
            if kind == "bernstein_poly_dist" and self.ranges[dim] != (0.0, 1.0):
                raise self.names.error(
                    f"bernstein_poly_dist {name!r} has the range {self.ranges[dim]}: some readers "
                    "rescale it to [0, 1] and others do not: the same file means two things",
                    "write it as a generic_dist (darkstats does), or rescale the observable",
                )
            node = polynomial_node(kind, Name(str(axis)), coefficients)
        label = f"{kind} {name!r}"
        node = self.names.folded(node, label)
        try:
            terms = collected_terms(linear_terms(node, frozenset(self.observables)))
        except TooManyTermsError:
            raise self.names.error(
                f"{label} has more than {MOST_TERMS} terms when it is multiplied out",
                "expand it in powers of its parameters, or fix some of them",
            ) from None
        except NotLinearError:
            raise self.names.error(
                f"generic_dist {name!r} is not linear in its parameters: there is no closed form "
                "for its normalisation",
                "fix the parameters inside, or use a Gaussian, Crystal Ball or exponential",
            ) from None
        return tuple(
            (
                self.names.of(coefficient, label),
                self.function(name, self.names.folded(function, label)),
            )
            for coefficient, function in terms
        )

    def function(self, name: str, node: Node) -> Fixed:
        """A function of observables from its tree."""
        used = sorted(self.observables.index(o) for o in names_of(node))
        if not used:
            used = [0]
        if len(used) == 1:
            low, high = self.ranges[used[0]]
            found = polynomial_of(node, self.observables[used[0]], used[0], low, high)
            if found is not None:
                return found
        if len(used) > 2:
            raise self.names.error(f"generic_dist {name!r} has more than two observables")
        scalar = Scalar(node, {self.observables[d]: d for d in used}, self.ranges)
        try:
            _ = scalar.integral
        except DocumentError as error:
            raise self.names.error(f"{name!r}: {error.problem}", error.remedy) from None
        return scalar


_OTHERS = (
    "uniform_dist",
    "polynomial_dist",
    "bernstein_poly_dist",
    "generic_dist",
    "histogram_dist",
    "product_dist",
    "mixture_dist",
)


def _joined(factor: tuple[tuple[Formula, Fixed], ...]) -> Fixed:
    """One function of a linear factor whose coefficients are numbers."""
    if len(factor) == 1:
        return factor[0][1]
    if all(isinstance(function, Polynomial) for _, function in factor):
        polynomials = [(number(c), f) for c, f in factor if isinstance(f, Polynomial)]
        first = polynomials[0][1]
        size = max(len(p.coefficients) for _, p in polynomials)
        total = np.zeros(size)
        for weight, p in polynomials:
            total[: len(p.coefficients)] += weight * np.array(p.coefficients)
        return Polynomial(first.dim, first.low, first.high, tuple(float(c) for c in total))
    weights = tuple(number(c) * f.integral for c, f in factor)
    return Blend(weights, tuple(f for _, f in factor))


def compile_channel(document: Hs3Document, names: Names, channel: Hs3Channel) -> Channel:
    """Compile one channel.

    Raises
    ------
    DocumentError
        A part of it is not understood, or has no closed form; the message says which and why.
    """
    compiler = _Compiler(document, names, channel)
    binned = channel.data.get("type") == "binned"
    if channel.data.get("type") not in ("unbinned", "binned"):
        raise names.error(
            f"data of {channel.name!r} are of type {channel.data.get('type')!r}",
            "give unbinned data, or binned ones",
        )
    if len(compiler.observables) > (1 if binned else 2):
        raise names.error(f"channel {channel.name!r} has too many observables")
    item = channel.distribution
    if item["type"] != "mixture_dist" or not item.get("extended"):
        raise names.error(
            f"{item['name']!r} is not extended: it has a shape, but no expected events",
            'make the channel a mixture_dist with "extended": true and one yield for each part',
        )
    components: list[Component] = []
    columns: list[Column] = []
    groups: list[tuple[LogFactor, ...]] = [()]
    one = names.of(Number(1.0))
    for name, weight, part in compiler.parts(item, Number(1.0), extended=False):
        function = compiler.constant(part)
        if function is not None:
            pieces = _Pieces([((one, function),)], [])
        else:
            pieces = compiler.pieces(part)
        covered = {d for f in pieces.linear for _, g in f for d in g.dims}
        covered.update(s.dim for s in pieces.shapes)
        if covered != set(range(len(compiler.observables))):
            missing = [o for d, o in enumerate(compiler.observables) if d not in covered]
            raise names.error(
                f"{name!r} says nothing of {', '.join(missing)}",
                "multiply it by a uniform_dist there",
            )
        for factor in pieces.linear:
            check_integral(names, channel.axes, name, factor)
        for shape in pieces.shapes:
            check_shape(names, channel.axes, name, shape)
        component = Component(
            name=name,
            expected=names.of(weight, f"the yield of {name!r}"),
            linear=tuple(pieces.linear),
            shapes=tuple(pieces.shapes),
        )
        group = 0
        if component.shapes:
            groups.append(component.shapes)
            group = len(groups) - 1
        if len(columns) + math.prod(len(f) for f in component.linear) > _MOST_COLUMNS:
            raise names.error(f"channel {channel.name!r} has more than {_MOST_COLUMNS} terms")
        for terms in product(*(range(len(factor)) for factor in component.linear)):
            functions = [f[t][1] for f, t in zip(component.linear, terms, strict=True)]
            columns.append(
                Column(
                    function=functions[0]
                    if len(functions) == 1
                    else Product(tuple(functions))
                    if functions
                    else Flat(),
                    component=len(components),
                    group=group,
                    terms=terms,
                )
            )
        components.append(component)
    columns.sort(key=lambda column: column.group)
    edges = None
    if binned:
        edges = tuple(edges_of(channel.data["axes"][0], f"data {channel.data['name']!r}", names))
        if len(groups) > 1:
            raise names.error(
                f"the binned channel {channel.name!r} has shapes with floating parameters: HS3 "
                "does not say whether a bin takes the integral or the centre of a density",
                "use histogram_dist templates there, or an unbinned channel",
            )
    return Channel(
        name=channel.name,
        observables=compiler.observables,
        ranges=compiler.ranges,
        components=tuple(components),
        columns=tuple(columns),
        groups=tuple(groups),
        bin_edges=edges,
    )
