"""The same likelihood in zfit: built from the HS3 document, and any zfit loss as an engine.

The only module that imports zfit and TensorFlow, inside functions. Use :func:`zfit_likelihood` for
a referee that shares no numerical code with the kernels: its own loss evaluates what they found.
Use :class:`ZfitEngine` to minimise many data sets under a loss that the kernels do not know: one
traced graph gives values, gradients and Hessians of many lanes at once, by automatic
differentiation, to the batched Newton of :mod:`darkstats.fit.newton`.

zfit keeps parameters in a global register by name: names carry the digest of the document and a
counter, and nothing of zfit leaves this module but numbers.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from darkstats.arrays import FloatArray, IndexArray
from darkstats.errors import DocumentError, MissingExtraError, OptionError
from darkstats.kernel.simd import LANES
from darkstats.model.unbinned.compilation import Names
from darkstats.model.unbinned.events import EventLanes
from darkstats.model.unbinned.formulas import fold
from darkstats.workspace.hs3 import Hs3Analysis, Hs3Channel, Hs3Document
from darkstats.workspace.hs3_expressions import Binary, Call, Name, Node, Number, names_of

__all__ = ["ZfitEngine", "ZfitLikelihood", "import_zfit", "zfit_likelihood"]

_NODES = 160  # of the quadrature that normalises expressions: exact for polynomials
_LANES_PER_CALL = 100
_WIDTH_STEP = 64  # events: lanes are padded to a multiple, so that few graphs are traced


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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ZfitLikelihood:
    """An analysis in zfit.

    Parameters
    ----------
    parameters
        zfit parameters in the order of the compiled model.
    auxiliary
        zfit parameters that hold the auxiliary data, by name of the parameter they constrain.
    models, spaces, constraints
        Of the loss: one extended pdf and its space for each unbinned channel.
    constant
        Logarithms of the normalisations of the constraints, summed.
    """

    parameters: tuple[Any, ...] = field(repr=False)
    auxiliary: Mapping[str, Any] = field(repr=False)
    models: tuple[Any, ...] = field(repr=False)
    spaces: tuple[Any, ...] = field(repr=False)
    constraints: tuple[Any, ...] = field(repr=False)
    constant: float = 0.0

    def set_values(self, point: FloatArray) -> None:
        """Set all parameters [par]; ranges of zfit are widened where they must be."""
        for parameter, value in zip(self.parameters, point, strict=True):
            if value < float(parameter.lower):
                parameter.lower = float(value) - 1.0
            if value > float(parameter.upper):
                parameter.upper = float(value) + 1.0
            parameter.set_value(float(value))

    def set_auxiliary(self, values: Mapping[str, float]) -> None:
        """Set auxiliary data by name of the constrained parameter."""
        for name, value in values.items():
            if name in self.auxiliary:
                self.auxiliary[name].set_value(float(value))

    def loss(
        self, events: Sequence[FloatArray], weights: Sequence[FloatArray] | None = None
    ) -> Any:  # noqa: ANN401 -- a zfit loss
        """Extended loss of zfit, of events [dim, event] in each channel."""
        zfit = import_zfit()
        data = [
            zfit.Data.from_numpy(
                obs=space,
                array=np.ascontiguousarray(x.T),
                weights=None if weights is None else weights[c],
                guarantee_limits=True,
            )
            for c, (x, space) in enumerate(zip(events, self.spaces, strict=True))
        ]
        return zfit.loss.ExtendedUnbinnedNLL(
            list(self.models), data, constraints=list(self.constraints) or None
        )

    def value(
        self,
        point: FloatArray,
        events: Sequence[FloatArray],
        weights: Sequence[FloatArray] | None = None,
    ) -> float:
        """Negative log-likelihood by zfit's own loss, without ``log N!``: sum(nu) - sum log m.

        Constraints with their normalisation are included.
        """
        self.set_values(point)
        loss = self.loss(events, weights)
        value = loss._loss_func(  # `value` adds Stirling's log N! or an offset
            model=loss.model,
            data=loss.data,
            fit_range=loss.fit_range,
            constraints=loss.constraints,
            log_offset=0.0,
        )
        return float(value)

    def value_of(self, point: FloatArray, lanes: EventLanes) -> float:
        """:meth:`value` of the events of lane 0."""
        x, weights = _first_lane(lanes)
        return self.value(point, x, weights)

    def gradient(self, point: FloatArray, lanes: EventLanes) -> FloatArray:
        """Gradient of zfit's loss by its own automatic differentiation, lane 0. Shape [par]."""
        self.set_values(point)
        x, weights = _first_lane(lanes)
        return np.asarray(self.loss(x, weights).gradient(list(self.parameters)), dtype=float)


def _first_lane(lanes: EventLanes) -> tuple[list[FloatArray], list[FloatArray] | None]:
    """Events [dim, event] of lane 0 in each channel, and weights if any is not 1."""
    parts = [channel.events_of(0) for channel in lanes.channels]
    kept = [weights > 0.0 for _, weights in parts]
    x = [own[:, keep] for (own, _), keep in zip(parts, kept, strict=True)]
    weights = [w[keep] for (_, w), keep in zip(parts, kept, strict=True)]
    return x, None if all((w == 1.0).all() for w in weights) else weights


class _Builder:
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
    if node.sign == "+":
        return left + right
    if node.sign == "-":
        return left - right
    if node.sign == "*":
        return left * right
    if node.sign == "/":
        return left / right
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


def zfit_likelihood(
    document: Hs3Document,
    analysis: str | None = None,
    *,
    constants: Mapping[str, float] | None = None,
) -> ZfitLikelihood:
    """Build an analysis in zfit, from the document and not from the compiled model.

    Raises
    ------
    MissingExtraError
        zfit is not installed.
    DocumentError
        A part has no counterpart in zfit here: binned channels, templates.
    """
    chosen = document.analysis(analysis)
    builder = _Builder(document, chosen, dict(constants or {}))
    models, spaces = [], []
    for channel in chosen.channels:
        space = _space(builder.zfit, channel)
        if channel.data.get("type") == "binned":
            raise DocumentError(
                f"channel {channel.name!r} is binned: zfit is asked for unbinned channels only"
            )
        models.append(builder.pdf(channel.distribution, space))
        spaces.append(space)
    constraints, auxiliary, constant = [], {}, 0.0
    for item in chosen.constraints:
        sides = {
            key: builder.names.tree(str(item[key]))
            if isinstance(item[key], str)
            else Number(float(item[key]))
            for key in ("x", "mean")
        }
        name, datum = (
            (sides["mean"], sides["x"])
            if isinstance(sides["mean"], Name)
            else (sides["x"], sides["mean"])
        )
        if not isinstance(name, Name) or not isinstance(datum, Number):
            raise DocumentError(f"constraint {item['name']!r} is not built in zfit here")
        observed = builder.zfit.Parameter(
            f"{builder.prefix}_aux_{name.name}", datum.value, floating=False
        )
        auxiliary[name.name] = observed
        sigma = float(builder.names.formula(item["sigma"]).at(np.empty(0)))
        constant += math.log(sigma * math.sqrt(2.0 * math.pi))
        constraints.append(
            builder.zfit.constraint.GaussianConstraint(
                params=builder.parameters[name.name],
                observation=observed,
                sigma=sigma,
            )
        )
    return ZfitLikelihood(
        parameters=tuple(builder.parameters[p.name] for p in builder.names.floating),
        auxiliary=auxiliary,
        models=tuple(models),
        spaces=tuple(spaces),
        constraints=tuple(constraints),
        constant=constant,
    )


def _space(zfit: Any, channel: Hs3Channel) -> Any:  # noqa: ANN401
    space = None
    for name, low, high in channel.axes:
        one = zfit.Space(name, low, high)
        space = one if space is None else space * one
    return space


class ZfitEngine:
    """Values and derivatives of many data sets under one zfit loss; a lane evaluator.

    One graph maps zfit's own loss over lanes, with reverse-mode derivatives taken twice; it is
    traced once for each padded number of events. Tensors take the places of parameters while it is
    traced, which is private to zfit 0.28: :meth:`check` compares with the scalar loss.

    Parameters
    ----------
    models, spaces, constraints
        As in ``zfit.loss.ExtendedUnbinnedNLL``: one extended pdf and space for each channel.
    parameters
        Free parameters; their order is that of points.
    auxiliary
        Parameters that hold the auxiliary datum of a free one, by its place; their values come
        from the lane.
    constant
        Subtracted from the loss: normalisations of the constraints.
    """

    def __init__(
        self,
        *,
        models: Sequence[Any],
        spaces: Sequence[Any],
        parameters: Sequence[Any],
        constraints: Sequence[Any] = (),
        auxiliary: Mapping[int, Any] | None = None,
        constant: float = 0.0,
    ) -> None:
        self.constant = constant
        self.models, self.spaces = list(models), list(spaces)
        self.parameters, self.constraints = list(parameters), list(constraints)
        self.auxiliary = dict(auxiliary or {})
        self.graphs: dict[tuple[int, ...], Any] = {}
        zfit = import_zfit()
        data = [
            zfit.Data.from_numpy(obs=space, array=_middle(space)[None, :], guarantee_limits=True)
            for space in self.spaces
        ]
        self._loss_of = zfit.loss.ExtendedUnbinnedNLL(
            self.models, data, constraints=self.constraints or None
        )

    @classmethod
    def of_loss(cls, loss: Any) -> ZfitEngine:  # noqa: ANN401 -- a zfit loss
        """The engine of a loss that a user has built, constraints and channels included.

        Free parameters are those that float, sorted by name; constraints keep their observations.

        Raises
        ------
        OptionError
            The loss is not an extended unbinned one.
        """
        zfit = import_zfit()
        if not isinstance(loss, zfit.loss.ExtendedUnbinnedNLL):
            raise OptionError(f"need an ExtendedUnbinnedNLL, got {type(loss).__name__}")
        return cls(
            models=loss.model,
            spaces=[data.space for data in loss.data],
            parameters=sorted(loss.get_params(floating=True), key=lambda p: p.name),
            constraints=loss.constraints,
        )

    @classmethod
    def of_likelihood(cls, likelihood: ZfitLikelihood, names: Sequence[str]) -> ZfitEngine:
        """The engine of a likelihood that was built from HS3; auxiliary data vary by lane."""
        return cls(
            models=likelihood.models,
            spaces=likelihood.spaces,
            parameters=likelihood.parameters,
            constraints=likelihood.constraints,
            auxiliary={names.index(name): one for name, one in likelihood.auxiliary.items()},
            constant=likelihood.constant,
        )

    def evaluator(self, events: EventLanes, auxdata: FloatArray) -> ZfitEvaluator:
        """Evaluator of some events and auxiliary data [lane, par]."""
        return ZfitEvaluator(engine=self, events=events, auxdata=auxdata)

    def graph(self, widths: tuple[int, ...], *, curved: bool) -> Any:  # noqa: ANN401 -- a function
        """The function that maps lanes with these numbers of padded events; with the Hessian."""
        key = (*widths, int(curved))
        if key not in self.graphs:
            self.graphs[key] = self._traced(curved=curved)
        return self.graphs[key]

    def usable(
        self,
        graph: Any,  # noqa: ANN401 -- a function
        inputs: Sequence[Any],
        widths: tuple[int, ...],
        *,
        curved: bool,
    ) -> Any:  # noqa: ANN401 -- a function
        """Trace a graph by calling it; one that XLA refuses is traced again without it."""
        import tensorflow as tf

        try:
            graph(*inputs)
        except tf.errors.OpError:
            if curved:
                raise
            graph = self._traced(curved=False, xla=False)
            self.graphs[*widths, int(curved)] = graph
            graph(*inputs)
        return graph

    def _traced(self, *, curved: bool, xla: bool = True) -> Any:  # noqa: ANN401
        import tensorflow as tf

        zfit = import_zfit()
        n = len(self.parameters)

        def sloped(inputs: tuple[Any, ...]) -> tuple[Any, Any]:
            theta, aux, *events = inputs
            with tf.GradientTape() as tape:
                tape.watch(theta)
                value = self._loss(zfit, theta, aux, events)
            return value, tape.gradient(value, theta)

        def one_lane(inputs: tuple[Any, ...]) -> tuple[Any, Any, Any]:
            theta, aux, *events = inputs
            with tf.GradientTape(persistent=True) as outer:
                outer.watch(theta)
                with tf.GradientTape() as inner:
                    inner.watch(theta)
                    value = self._loss(zfit, theta, aux, events)
                gradient = inner.gradient(value, theta)
                rows = [gradient[i] for i in range(n)]
            hessian = tf.stack([outer.gradient(row, theta) for row in rows])
            return value, gradient, hessian

        # XLA makes gradients three times faster for three seconds of compilation; Hessians take
        # half a minute to minutes to compile, and are needed once for a lane.
        @tf.function(autograph=False, jit_compile=xla and not curved)  # type: ignore[untyped-decorator]  # TensorFlow has no types
        def mapped(*inputs: Any) -> Any:  # noqa: ANN401
            each = one_lane if curved else sloped
            return tf.vectorized_map(each, inputs, fallback_to_while_loop=False)

        return mapped

    def _loss(self, zfit: Any, theta: Any, aux: Any, events: Sequence[Any]) -> Any:  # noqa: ANN401
        """Loss of zfit at tensors in the places of its parameters."""
        data = []
        for c, space in enumerate(self.spaces):
            x, weights = events[2 * c], events[2 * c + 1]
            data.append(
                zfit.Data.from_tensor(obs=space, tensor=x, weights=weights, guarantee_limits=True)
            )
        places = {i: theta[i] for i in range(len(self.parameters))}
        held = [(self.parameters[i], value) for i, value in places.items()]
        held += [(one, aux[i]) for i, one in self.auxiliary.items()]
        with _in_place(held):
            return self._loss_of._loss_func(  # `value` reads the parameters anew
                model=self.models,
                data=data,
                fit_range=self._loss_of.fit_range,
                constraints=self._loss_of.constraints,
                log_offset=0.0,
            )

    def check(self, point: FloatArray, events: EventLanes, auxdata: FloatArray) -> float:
        """Difference, at one point and lane 0, to the scalar loss that zfit evaluates itself."""
        lane = np.zeros(1, dtype=np.int64)
        evaluator = self.evaluator(events, auxdata)
        value, _, _, _ = evaluator.derivatives(point[None, :], lane)
        value = value + evaluator.offsets(lane)
        likelihood = ZfitLikelihood(
            parameters=tuple(self.parameters),
            auxiliary={str(i): one for i, one in self.auxiliary.items()},
            models=tuple(self.models),
            spaces=tuple(self.spaces),
            constraints=tuple(self.constraints),
        )
        likelihood.set_auxiliary({str(i): float(auxdata[0, i]) for i in self.auxiliary})
        return float(value[0]) - likelihood.value_of(point, events)


class _in_place:  # noqa: N801 -- used as a context
    """Let tensors stand for parameters while a graph is traced; put everything back."""

    def __init__(self, held: Sequence[tuple[Any, Any]]) -> None:
        self.held = held

    def __enter__(self) -> None:
        for parameter, value in self.held:
            for name in ("value", "read_value"):
                object.__setattr__(parameter, name, lambda value=value: value)
            object.__setattr__(
                parameter,
                "_dense_var_to_tensor",
                lambda dtype=None, name=None, as_ref=False, value=value: value,
            )

    def __exit__(self, *_: object) -> None:
        for parameter, _value in self.held:
            for name in ("value", "read_value", "_dense_var_to_tensor"):
                object.__delattr__(parameter, name)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ZfitEvaluator:
    """See :class:`darkstats.model.base.LaneEvaluator`.

    Values are relative to the same density as those of the kernels: zero for Asimov data.
    """

    engine: ZfitEngine
    events: EventLanes
    auxdata: FloatArray

    def derivatives(
        self, points: FloatArray, lanes: IndexArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Value, size of its terms, gradient and Hessian of each lane at its point."""
        n, p = points.shape
        found = self._mapped(points, lanes, [np.empty(n), np.empty((n, p)), np.empty((n, p, p))])
        value, size = self._relative(found[0], lanes)
        return value, size, found[1], found[2]

    def slopes(
        self, points: FloatArray, lanes: IndexArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Value, size of its terms and gradient of each lane at its point."""
        found = self._mapped(points, lanes, [np.empty(len(points)), np.empty(points.shape)])
        value, size = self._relative(found[0], lanes)
        return value, size, found[1]

    def _relative(self, value: FloatArray, lanes: IndexArray) -> tuple[FloatArray, FloatArray]:
        size = 1.0 + np.abs(value)
        value -= self.offsets(lanes)
        value[~np.isfinite(value)] = np.inf
        return value, size

    def _mapped(
        self, points: FloatArray, lanes: IndexArray, into: list[FloatArray]
    ) -> list[FloatArray]:
        """Fill arrays [lane, ...] with what the graph gives, chunk by chunk."""
        n, curved = len(points), len(into) == 3
        widths = tuple(
            int(_WIDTH_STEP * -(-LANES * int(c.n_vectors.max()) // _WIDTH_STEP)) or _WIDTH_STEP
            for c in self.events.channels
        )
        zfit, new = import_zfit(), (*widths, int(curved)) not in self.engine.graphs
        graph = self.engine.graph(widths, curved=curved)
        for first in range(0, n, _LANES_PER_CALL):
            part = slice(first, min(first + _LANES_PER_CALL, n))
            chosen = lanes[part]
            # Whole chunks only: another number of lanes would be another graph.
            spare = _LANES_PER_CALL - len(chosen)
            filled = np.concatenate([chosen, np.repeat(chosen[-1:], spare)])
            theta = np.concatenate([points[part], np.repeat(points[part][-1:], spare, axis=0)])
            inputs = [theta, self.auxdata[filled]]
            for c, width in enumerate(widths):
                inputs += self._padded(c, filled, width)
            if new:  # graphs of zfit's own hold tensors of the parameters: none may be shared
                zfit.run.clear_graph_cache()
                graph = self.engine.usable(graph, inputs, widths, curved=curved)
                zfit.run.clear_graph_cache()
                new = False
            found = graph(*inputs)
            for array, tensor in zip(into, found, strict=True):
                array[part] = tensor.numpy()[: len(chosen)]
        return into

    def offsets(self, lanes: IndexArray) -> FloatArray:
        """What zfit's loss is larger by than the value relative to the reference density."""
        total = np.full(len(lanes), self.engine.constant)
        for channel, space in zip(self.events.channels, self.engine.spaces, strict=True):
            n = channel.total[lanes]
            volume = float(np.prod(np.ravel(space.v0.upper) - np.ravel(space.v0.lower)))
            mean = np.where(n > 0.0, n, 1.0) / volume
            total += n - n * np.log(mean) - channel.reference[lanes]
        return total

    def _padded(self, c: int, lanes: IndexArray, width: int) -> list[FloatArray]:
        """Events [lane, event, dim] and weights [lane, event] of a chunk."""
        events = self.events.channels[c]
        x = np.empty((len(lanes), width, events.x.shape[0]))
        weights = np.zeros((len(lanes), width))
        for k, lane in enumerate(lanes):
            own, weight = events.events_of(int(lane))
            size = own.shape[1]
            x[k, :size] = own.T
            x[k, size:] = own[:, :1].T if size else _middle(self.engine.spaces[c])
            weights[k, :size] = weight
        return [x, weights]

    def least_rates(self, points: FloatArray, lanes: IndexArray) -> FloatArray:
        """Not looked for: zfit's pdfs are positive or fail. Shape [lane]."""
        return np.zeros(len(points))


def _middle(space: Any) -> FloatArray:  # noqa: ANN401
    lower, upper = np.ravel(np.asarray(space.v0.lower)), np.ravel(np.asarray(space.v0.upper))
    return np.asarray(0.5 * (lower + upper))
