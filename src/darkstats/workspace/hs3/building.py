"""Put an HS3 document together, item by item, with the names checked and the numbers whole.

Polynomials are written as ``generic_dist`` with their expression: HS3 has no Chebyshev polynomial,
and its Bernstein polynomial is rescaled to the range by some readers and not by others. A KDE is
written as what it is, a mixture of Gaussians.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from darkstats.arrays import FloatArray
from darkstats.errors import OptionError
from darkstats.workspace.hs3.document import HS3_VERSION, Hs3Document, check_name

__all__ = ["Hs3Builder", "bernstein_expression", "chebyshev_expression"]

Item = dict[str, Any]
Reference = str | float


def _scaled(x: str, low: float, high: float) -> str:
    """The observable scaled to [0, 1], as an expression."""
    return f"(({x} - {low!r}) / {high - low!r})" if low else f"({x} / {high!r})"


def bernstein_expression(k: int, order: int, x: str, low: float, high: float) -> str:
    """Bernstein polynomial ``k`` of an order, on a range."""
    t = _scaled(x, low, high)
    return f"{math.comb(order, k)} * {t}**{k} * (1 - {t})**{order - k}"


def chebyshev_expression(coefficients: Sequence[Reference], x: str, low: float, high: float) -> str:
    """``1 + c1 T1 + c2 T2 + ...`` on a range, coefficients by name or number."""
    t = f"(2 * {_scaled(x, low, high)} - 1)"
    terms = ["1"]
    for k, coefficient in enumerate(coefficients, 1):
        powers = np.polynomial.chebyshev.cheb2poly([0.0] * k + [1.0])
        inner = " + ".join(
            f"({float(p)!r}) * {t}**{n}" for n, p in enumerate(powers) if float(p) != 0.0
        )
        terms.append(f"({coefficient}) * ({inner})")
    return " + ".join(terms)


class Hs3Builder:
    """Collects the items of a document.

    Parameters
    ----------
    description
        For the metadata.
    version
        Of the program that writes it.
    """

    def __init__(self, description: str, version: str) -> None:
        self.document: Item = {
            "metadata": {
                "hs3_version": HS3_VERSION,
                "description": description,
                "packages": [{"name": "darkstats", "version": version}],
            },
            "distributions": [],
            "functions": [],
            "data": [],
            "likelihoods": [],
            "domains": [],
            "parameter_points": [],
            "analyses": [],
            "misc": {"darkstats": {"points": {}}},
        }
        self._names: set[tuple[str, str]] = set()

    def _add(self, section: str, item: Item) -> str:
        name: str = item["name"]
        key = ("value" if section in ("distributions", "functions") else section, name)
        if key in self._names:
            raise OptionError(f"{name!r} is there twice in {section}")
        self._names.add(key)
        self.document[section].append(item)
        return name

    def function(self, name: str, expression: str) -> str:
        """A function of parameters; returns its name."""
        return self._add(
            "functions",
            {"name": check_name(name), "type": "generic_function", "expression": expression},
        )

    def distribution(self, name: str, kind: str, **keys: Any) -> str:  # noqa: ANN401 -- JSON values
        """A distribution of any type; returns its name."""
        return self._add("distributions", {"name": check_name(name), "type": kind, **keys})

    def bernstein(self, name: str, k: int, order: int, axis: tuple[str, float, float]) -> str:
        """One Bernstein polynomial, normalised."""
        return self.distribution(
            name, "generic_dist", expression=bernstein_expression(k, order, *axis)
        )

    def chebyshev(
        self, name: str, coefficients: Sequence[Reference], axis: tuple[str, float, float]
    ) -> str:
        """A Chebyshev polynomial with 1 for its lowest coefficient."""
        return self.distribution(
            name, "generic_dist", expression=chebyshev_expression(coefficients, *axis)
        )

    def histogram(self, name: str, x: str, edges: npt.ArrayLike, contents: npt.ArrayLike) -> str:
        """A template: constant within its bins."""
        return self.distribution(
            name,
            "histogram_dist",
            data={
                "axes": [{"name": x, "edges": np.asarray(edges, dtype=float).tolist()}],
                "contents": np.asarray(contents, dtype=float).tolist(),
            },
        )

    def kde(
        self,
        name: str,
        axes: Sequence[str],
        points: FloatArray,
        weights: FloatArray,
        widths: FloatArray,
    ) -> str:
        """A kernel density estimate: a mixture of Gaussians, products of them in two observables.

        Parameters
        ----------
        axes
            Observables.
        points, weights, widths
            Centres [dim, kernel], weights [kernel], standard deviations [dim, kernel].
        """
        keep = weights > 0.0
        points, weights, widths = points[:, keep], weights[keep], widths[:, keep]
        shares = weights / weights.sum()
        parts = []
        for k in range(len(weights)):
            factors = [
                self.distribution(
                    f"{name}_{k}" + ("" if len(axes) == 1 else f"_{d}"),
                    "gaussian_dist",
                    x=axis,
                    mean=float(points[d, k]),
                    sigma=float(widths[d, k]),
                )
                for d, axis in enumerate(axes)
            ]
            if len(factors) == 1:
                parts.append(factors[0])
            else:
                parts.append(self.distribution(f"{name}_{k}", "product_dist", factors=factors))
        constants = [
            self.function(f"{name}_share_{k}", repr(float(s))) for k, s in enumerate(shares[:-1])
        ]
        if len(parts) == 1:
            return parts[0]
        return self.distribution(
            name, "mixture_dist", summands=parts, coefficients=constants, extended=False
        )

    def channel(self, name: str, yields: Mapping[str, str]) -> str:
        """An extended mixture: expected events by distribution."""
        return self.distribution(
            name,
            "mixture_dist",
            summands=list(yields),
            coefficients=list(yields.values()),
            extended=True,
        )

    def constraint(self, parameter: str, sigma: float = 1.0) -> str:
        """A Gaussian constraint with the global observable ``aux_PARAMETER``; once for each."""
        name = f"constraint_{parameter}"
        if ("value", name) in self._names:
            return name
        return self.distribution(
            name, "gaussian_dist", x=f"aux_{parameter}", mean=parameter, sigma=sigma
        )

    def data(
        self, name: str, axes: Sequence[tuple[str, float, float]], entries: Sequence[Any] = ()
    ) -> str:
        """Unbinned data on some axes, by default none."""
        return self._add(
            "data",
            {
                "name": check_name(name),
                "type": "unbinned",
                "axes": [{"name": n, "min": a, "max": b} for n, a, b in axes],
                "entries": list(entries),
            },
        )

    def analysis(
        self,
        name: str,
        channels: Mapping[str, str],
        *,
        poi: str,
        parameters: Mapping[str, tuple[float, float, float]],
        constants: Mapping[str, float],
        constraints: Sequence[str],
        values: Mapping[str, float],
    ) -> None:
        """One hypothesis: likelihood, domain, parameter point and analysis of one name.

        Parameters
        ----------
        channels
            Data by distribution.
        parameters, constants
            Start, lower and upper end; and fixed values.
        constraints
            Names of auxiliary distributions.
        values
            What the hypothesis is: masses by label.
        """
        likelihood: Item = {
            "name": check_name(name),
            "distributions": list(channels),
            "data": list(channels.values()),
        }
        if constraints:
            likelihood["aux_distributions"] = list(constraints)
        self._add("likelihoods", likelihood)
        self._add(
            "domains",
            {
                "name": name,
                "type": "product_domain",
                "axes": [{"name": n, "min": a, "max": b} for n, (_, a, b) in parameters.items()],
            },
        )
        self._add(
            "parameter_points",
            {
                "name": name,
                "parameters": [
                    *({"name": n, "value": v} for n, (v, _, _) in parameters.items()),
                    *({"name": n, "value": v, "const": True} for n, v in constants.items()),
                ],
            },
        )
        self._add(
            "analyses",
            {
                "name": name,
                "likelihood": name,
                "parameters_of_interest": [poi],
                "domains": [name],
                "init": name,
            },
        )
        self.document["misc"]["darkstats"]["points"][name] = dict(values)

    def facts(self, **facts: Any) -> None:  # noqa: ANN401 -- JSON values
        """Put facts under ``misc.darkstats``."""
        self.document["misc"]["darkstats"].update(facts)

    def finished(self) -> Hs3Document:
        """The document, checked."""
        return Hs3Document.from_document(self.document)
