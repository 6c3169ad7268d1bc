"""Densities of an HS3 document as pdfs of zfit.

zfit keeps parameters in a global register by name: names carry the digest of the document and a
counter.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.errors import DocumentError, MissingExtraError
from darkstats.model.unbinned.formulas import ARITHMETIC, fold
from darkstats.model.unbinned.names import Names
from darkstats.workspace.hs3.expressions import Binary, Call, Name, Node, Number, names_of

if TYPE_CHECKING:
    from darkstats.workspace.hs3 import Hs3Analysis, Hs3Document

__all__ = ["PdfBuilder", "import_zfit", "tensor_value"]

_NODES = 160  # of the quadrature that normalises expressions: exact for polynomials


def import_zfit() -> Any:  # noqa: ANN401 -- a module without types
    """Import zfit, quietly.

    Raises
    ------
    MissingExtraError
        It is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("ZFIT_DISABLE_TF_WARNINGS", "1")
    try:
        import zfit
    except ImportError:
        raise MissingExtraError("zfit", "unbinned") from None
    return zfit


class PdfBuilder:
    """Builds the pdfs of one analysis."""

    def __init__(
        self, document: Hs3Document, analysis: Hs3Analysis, constants: Mapping[str, float]
    ) -> None:
        import secrets

        self.zfit = import_zfit()
        self.document = document
        self.names = Names(document, analysis, constants)
        self.prefix = f"d{document.digest[:8]}{secrets.token_hex(4)}"
        self.counter = 0
        self.parameters = {
            p.name: self.zfit.Parameter(f"{self.prefix}_{p.name}", p.value, p.lower, p.upper)
            for p in self.names.floating
        }

    def name(self, what: str) -> str:
        """A name that zfit's register does not know yet."""
        self.counter += 1
        return f"{self.prefix}_{what}_{self.counter}"

    def parameter(self, node: Node) -> Any:  # noqa: ANN401 -- a zfit parameter, or a number
        """A tree as a number, a parameter, or a composed parameter."""
        node = fold(node)
        if isinstance(node, Number):
            return node.value
        if isinstance(node, Name):
            return self.parameters[node.name]
        used = sorted(names_of(node))

        def function(params: Mapping[str, Any]) -> Any:  # noqa: ANN401
            import tensorflow as tf

            values = {name: tf.convert_to_tensor(params[name]) for name in used}
            return tensor_value(node, values)

        return self.zfit.ComposedParameter(
            self.name("f"), function, params={name: self.parameters[name] for name in used}
        )

    def reference(self, value: object) -> Any:  # noqa: ANN401
        """A number or a name of the document, as :meth:`parameter`."""
        return self.parameter(self.names.reference(value))

    def pdf(self, item: Mapping[str, Any], space: Any, extended: Any = None) -> Any:  # noqa: ANN401
        """A distribution on the axes of a space."""
        pdf, kind = self.zfit.pdf, item["type"]
        more = {} if extended is None else {"extended": extended}
        if kind == "mixture_dist":
            return self.mixture(item, space, extended)
        if kind == "product_dist":
            parts = [self.document.item("distributions", f) for f in item["factors"]]
            pdfs = [self.pdf(part, self.own_space(part, space)) for part in parts]
            return pdf.ProductPDF(pdfs, obs=space, name=self.name("product"), **more)
        if kind == "gaussian_dist":
            own = space.with_obs([item["x"]]) if space.n_obs > 1 else space
            return pdf.Gauss(
                mu=self.reference(item["mean"]),
                sigma=self.reference(item["sigma"]),
                obs=own,
                name=self.name("gauss"),
                **more,
            )
        if kind == "exponential_dist":
            rate = self.parameter(fold(Binary("*", Number(-1.0), self.names.reference(item["c"]))))
            return pdf.Exponential(rate, obs=space, name=self.name("exponential"), **more)
        if kind == "crystalball_dist":
            return pdf.CrystalBall(
                **{k: self.reference(item[v]) for k, v in _ONE_SIDED.items()},
                obs=space,
                name=self.name("cb"),
                **more,
            )
        if kind == "crystalball_doublesided_dist":
            return pdf.GeneralizedCB(
                **{k: self.reference(item[v]) for k, v in _TWO_SIDED.items()},
                obs=space,
                name=self.name("cb"),
                **more,
            )
        if kind == "uniform_dist":
            if space.n_obs != 1:
                raise DocumentError("zfit has no uniform density in two observables here")
            low, high = (float(np.ravel(v)[0]) for v in (space.v0.lower, space.v0.upper))
            return pdf.Uniform(low, high, obs=space, name=self.name("uniform"), **more)
        if kind == "generic_dist":
            return self.expression(item, space, more)
        if kind == "histogram_dist":
            return _histogram_pdf(self.zfit, item, space, self.name("histogram"), more)
        raise DocumentError(f"{item['name']!r} is a {kind}, which is not built in zfit here")

    def own_space(self, item: Mapping[str, Any], space: Any) -> Any:  # noqa: ANN401
        """The part of a space that a factor of a product lives on."""
        observables = _observables_of(self.document, self.names, item, tuple(space.obs))
        return space.with_obs(list(observables)) if observables != tuple(space.obs) else space

    def mixture(self, item: Mapping[str, Any], space: Any, extended: Any) -> Any:  # noqa: ANN401
        """A sum of distributions, with yields or fractions."""
        parts = [self.document.item("distributions", name) for name in item["summands"]]
        coefficients = [self.names.reference(c) for c in item["coefficients"]]
        if item.get("extended") and extended is None:
            pdfs = [
                self.pdf(part, space, self.parameter(c))
                for part, c in zip(parts, coefficients, strict=True)
            ]
            return self.zfit.pdf.SumPDF(pdfs, obs=space, name=self.name("sum"))
        if len(coefficients) == len(parts):
            total: Node = coefficients[0]
            for one in coefficients[1:]:
                total = Binary("+", total, one)
            coefficients = [Binary("/", c, total) for c in coefficients[:-1]]
        pdfs = [self.pdf(part, space) for part in parts]
        fractions = [self.parameter(c) for c in coefficients]
        more = {} if extended is None else {"extended": extended}
        return self.zfit.pdf.SumPDF(pdfs, fractions, obs=space, name=self.name("sum"), **more)

    def expression(self, item: Mapping[str, Any], space: Any, more: Mapping[str, Any]) -> Any:  # noqa: ANN401
        """A generic distribution: its tree in TensorFlow, normalised by quadrature."""
        observables = tuple(space.obs)
        node = fold(self.names.inlined(self.names.parsed(dict(item)), observables))
        used = sorted(names_of(node) - set(observables))
        return _expression_pdf(
            self.zfit,
            node,
            observables,
            parameters={name: self.parameters[name] for name in used},
            space=space,
            name=self.name("expression"),
            more=more,
        )


_ONE_SIDED = {"mu": "m0", "sigma": "sigma", "alpha": "alpha", "n": "n"}
_TWO_SIDED = {
    "mu": "m0",
    "sigmal": "sigma_L",
    "alphal": "alpha_L",
    "nl": "n_L",
    "sigmar": "sigma_R",
    "alphar": "alpha_R",
    "nr": "n_R",
}


def _observables_of(
    document: Hs3Document, names: Names, item: Mapping[str, Any], observables: tuple[str, ...]
) -> tuple[str, ...]:
    """Which observables a distribution depends on, in their order."""
    kind = item["type"]
    if kind in ("product_dist", "mixture_dist"):
        parts = item.get("factors") or item.get("summands") or []
        found: set[str] = set()
        for name in parts:
            part = document.item("distributions", name)
            found.update(_observables_of(document, names, part, observables))
    elif kind == "generic_dist":
        found = set(names_of(names.inlined(names.parsed(dict(item)), observables)))
    else:
        said = item.get("x", item.get("m"))
        found = set(said if isinstance(said, list) else [said])
    return tuple(o for o in observables if o in found)


def tensor_value(node: Node, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- a tensor
    """Value of a tree in TensorFlow."""
    import tensorflow as tf

    if isinstance(node, Number):
        return tf.constant(node.value, dtype=tf.float64)
    if isinstance(node, Name):
        return values[node.name]
    if isinstance(node, Call):
        functions: Mapping[str, Callable[[Any], Any]] = {
            "exp": tf.exp,
            "log": tf.math.log,
            "sqrt": tf.sqrt,
            "sin": tf.sin,
            "cos": tf.cos,
            "erf": tf.math.erf,
        }
        return functions[node.function](tensor_value(node.argument, values))
    left, right = tensor_value(node.left, values), tensor_value(node.right, values)
    if node.sign in ARITHMETIC:
        return ARITHMETIC[node.sign](left, right)
    if isinstance(node.right, Number) and node.right.value == int(node.right.value) >= 0:
        result = tf.ones_like(left)
        for _ in range(int(node.right.value)):
            result = result * left
        return result
    return left**right


def _expression_pdf(
    zfit: Any,  # noqa: ANN401
    node: Node,
    observables: tuple[str, ...],
    *,
    parameters: Mapping[str, Any],
    space: Any,  # noqa: ANN401
    name: str,
    more: Mapping[str, Any],
) -> Any:  # noqa: ANN401 -- a zfit pdf
    """A zfit pdf of an expression in one observable, or of numbers only in two."""

    class ExpressionPDF(zfit.pdf.BasePDF):  # type: ignore[misc]  # zfit has no types
        """An expression of observables and parameters."""

        @zfit.supports()  # type: ignore[untyped-decorator]  # zfit has no types
        def _unnormalized_pdf(self, x: Any, params: Mapping[str, Any]) -> Any:  # noqa: ANN401
            import tensorflow as tf

            values = {o: x[k] for k, o in enumerate(observables)}
            values.update({p: tf.convert_to_tensor(params[p]) for p in parameters})
            return tensor_value(node, values) * tf.ones_like(x[0])

    lower, upper = np.asarray(space.v0.lower), np.asarray(space.v0.upper)
    points, weights = np.polynomial.legendre.leggauss(_NODES)
    axes = [
        (0.5 * (b - a) * points + 0.5 * (a + b), 0.5 * (b - a) * weights)
        for a, b in zip(np.ravel(lower), np.ravel(upper), strict=True)
    ]
    mesh = [m.ravel() for m in np.meshgrid(*(x for x, _ in axes), indexing="ij")]
    product = np.ones(1)
    for _, w in axes:
        product = np.multiply.outer(product, w).ravel()

    def integral(limits: Any, params: Mapping[str, Any], model: Any) -> Any:  # noqa: ANN401
        import tensorflow as tf

        values = {o: tf.constant(m) for o, m in zip(observables, mesh, strict=True)}
        values.update({p: tf.convert_to_tensor(params[p]) for p in parameters})
        found = tensor_value(node, values) * tf.ones_like(values[observables[0]])
        return tf.reduce_sum(found * tf.constant(product))

    any_space = zfit.Space(
        axes=tuple(range(len(observables))),
        limits=(
            (tuple(zfit.Space.ANY_LOWER for _ in observables),),
            (tuple(zfit.Space.ANY_UPPER for _ in observables),),
        )
        if len(observables) > 1
        else (zfit.Space.ANY_LOWER, zfit.Space.ANY_UPPER),
    )
    ExpressionPDF.register_analytic_integral(func=integral, limits=any_space)
    return ExpressionPDF(obs=space, params=dict(parameters), name=name, **more)


def _histogram_pdf(
    zfit: Any,  # noqa: ANN401
    item: Mapping[str, Any],
    space: Any,  # noqa: ANN401
    name: str,
    more: Mapping[str, Any],
) -> Any:  # noqa: ANN401 -- a zfit pdf
    """A zfit pdf that is constant within bins."""
    axis = item["data"]["axes"][0]
    edges = np.array(
        axis["edges"]
        if "edges" in axis
        else np.linspace(axis["min"], axis["max"], int(axis["nbins"]) + 1),
        dtype=float,
    )
    contents = np.array(item["data"]["contents"], dtype=float)
    density = contents / np.diff(edges) / contents.sum()

    class HistogramPDF(zfit.pdf.BasePDF):  # type: ignore[misc]  # zfit has no types
        """Constant within bins, already normalised."""

        @zfit.supports()  # type: ignore[untyped-decorator]  # zfit has no types
        def _unnormalized_pdf(self, x: Any, params: Mapping[str, Any]) -> Any:  # noqa: ANN401
            import tensorflow as tf

            # Sums of steps: no gather, so that it maps over lanes like everything else.
            value = x[0]
            steps = np.diff(density, prepend=0.0)
            total = tf.zeros_like(value) + steps[0]
            inside = tf.cast(value[:, None] >= tf.constant(edges[1:-1])[None, :], tf.float64)
            return total + tf.linalg.matvec(inside, tf.constant(steps[1:]))

    HistogramPDF.register_analytic_integral(
        func=lambda limits, params, model: 1.0,
        limits=zfit.Space(axes=(0,), limits=(zfit.Space.ANY_LOWER, zfit.Space.ANY_UPPER)),
    )
    return HistogramPDF(obs=space, name=name, **more)
